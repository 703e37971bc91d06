//! The kernels as operations in the queue of Burn's `fusion`.

use super::GpuKernels;
use crate::special_factor::SpecialFactor;
use crate::trace::Trace;
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
        queued.try_into().ok().expect("one tensor for each output")
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

    fn steps(trace: Arc<Trace>, tensors: Vec<FloatTensor<Self>>) -> Vec<FloatTensor<Self>> {
        let client = tensors[0].client.clone();
        let per_weight = trace.program.outputs.len() + 1;
        let of_outputs = tensors.iter().enumerate();
        let outputs = of_outputs
            .filter(|(place, _)| place % per_weight != 1) // the gradient
            .map(|(_, tensor)| like(tensor))
            .collect();
        queue::<B>(&client, "steps", tensors, outputs, move |tensors| {
            B::steps(trace.clone(), tensors)
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
