//! The kernels as operations in the queue of Burn's `fusion`.

use super::GpuKernels;
use crate::special_factor::SpecialFactor;
use crate::trace::{NumberTrace, Trace};
use crate::unit_clip::UnitClip;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_fusion::custom::{
    CustomOpIr, HandleContainer, OperationFn, OperationIr, StreamId, TensorIr,
};
use burn_fusion::{Client, Fusion, FusionBackend, FusionHandle, FusionRuntime, FusionTensor};
use std::sync::Arc;

impl<B: FusionBackend + GpuKernels> GpuKernels for Fusion<B> {
    fn sum_of_squares(tensors: Vec<FloatTensor<Self>>) -> [FloatTensor<Self>; 2] {
        let client = tensors[0].client.clone();
        let one = || (Shape::new([1]), DType::F32);
        let outputs = vec![one(), one()];
        let queued = queue::<B>(&client, "sum_of_squares", tensors, outputs, |tensors| {
            B::sum_of_squares(tensors).into()
        });
        queued.try_into().expect("one tensor for each output")
    }

    fn number_of_norm(trace: Arc<Trace>, tensors: Vec<FloatTensor<Self>>) -> FloatTensor<Self> {
        let client = tensors[0].client.clone();
        let outputs = vec![(Shape::new([1]), DType::F32)];
        let work = move |tensors| vec![B::number_of_norm(trace.clone(), tensors)];
        let mut queued = queue::<B>(&client, "number_of_norm", tensors, outputs, work);
        queued.pop().expect("one tensor for each output")
    }

    fn scale(
        tensors: Vec<FloatTensor<Self>>,
        factor: FloatTensor<Self>,
        special: SpecialFactor,
    ) -> Vec<FloatTensor<Self>> {
        let client = factor.client.clone();
        let outputs = tensors.iter().map(like).collect();
        let name = match special {
            SpecialFactor::None => "scale",
            SpecialFactor::ZeroErases => "scale_or_zero",
            SpecialFactor::NanMarks => "scale_or_nan",
        };
        let mut inputs = tensors;
        inputs.push(factor);
        queue::<B>(&client, name, inputs, outputs, move |mut inputs| {
            let factor = inputs.pop().expect("as many as were queued");
            B::scale(inputs, factor, special)
        })
    }

    fn steps(
        trace: Arc<Trace>,
        factor: Option<(FloatTensor<Self>, SpecialFactor)>,
        mut tensors: Vec<FloatTensor<Self>>,
    ) -> Vec<FloatTensor<Self>> {
        let client = tensors[0].client.clone();
        let (given, states) = (trace.program.tensors, trace.program.states());
        let numbers = usize::from(trace.program.needs_number());
        let weights = tensors[..tensors.len() - numbers].chunks_exact(given + states);
        let outputs = weights
            .flat_map(|of_one| of_one[..1].iter().chain(&of_one[given..]))
            .map(like)
            .collect();
        let special = factor.map(|(factor, special)| {
            tensors.push(factor);
            special
        });
        queue::<B>(&client, "steps", tensors, outputs, move |mut tensors| {
            let factor = special.and_then(|special| Some((tensors.pop()?, special)));
            B::steps(trace.clone(), factor, tensors)
        })
    }

    fn tensor_numbers(
        trace: Arc<NumberTrace>,
        tensors: Vec<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let client = tensors[0].client.clone();
        let items = tensors.len() / trace.terms.program.tensors;
        let outputs = vec![(Shape::new([items]), DType::F32)];
        let work = move |tensors| vec![B::tensor_numbers(trace.clone(), tensors)];
        let mut queued = queue::<B>(&client, "tensor_numbers", tensors, outputs, work);
        queued.pop().expect("one tensor for each output")
    }

    fn clip_units(
        clip: UnitClip,
        tensors: Vec<FloatTensor<Self>>,
        axes: Arc<[Option<usize>]>,
    ) -> Vec<FloatTensor<Self>> {
        let client = tensors[0].client.clone();
        let grads = tensors.iter().skip(1).step_by(2);
        let outputs = grads.map(like).collect();
        queue::<B>(&client, "clip_units", tensors, outputs, move |tensors| {
            B::clip_units(clip, tensors, axes.clone())
        })
    }
}

/// The shape and type of the tensor.
fn like<R: FusionRuntime>(tensor: &FusionTensor<R>) -> (Shape, DType) {
    (tensor.shape.clone(), tensor.dtype)
}

/// Queues `run`, which gets the inputs and returns one tensor for each shape and type of `outputs`.
fn queue<B: FusionBackend>(
    client: &Client<B::FusionRuntime>,
    name: &str,
    inputs: Vec<FusionTensor<B::FusionRuntime>>,
    outputs: Vec<(Shape, DType)>,
    run: impl Fn(Vec<FloatTensor<B>>) -> Vec<FloatTensor<B>> + Send + Sync + 'static,
) -> Vec<FusionTensor<B::FusionRuntime>> {
    let inputs: Vec<TensorIr> = inputs.into_iter().map(FusionTensor::into_ir).collect();
    let outputs: Vec<_> = outputs
        .into_iter()
        .map(|(shape, dtype)| TensorIr::uninit(client.create_empty_handle(), shape, dtype))
        .collect();
    let taken = inputs.clone();
    let ids: Vec<_> = outputs.iter().map(|output| output.id).collect();
    let work = move |handles: &mut HandleContainer<FusionHandle<B::FusionRuntime>>| {
        let tensors = taken
            .iter()
            .map(|input| handles.get_float_tensor::<B>(input));
        let done = run(tensors.collect());
        for (id, tensor) in ids.iter().zip(done) {
            handles.register_float_tensor::<B>(id, tensor);
        }
        Ok(())
    };
    let description = OperationIr::Custom(CustomOpIr {
        id: name.into(),
        inputs,
        outputs,
        scalars: Vec::new(),
    });
    client.register(StreamId::current(), description, OperationFn(work))
}
