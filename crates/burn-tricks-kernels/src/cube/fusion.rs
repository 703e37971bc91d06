//! The kernels as operations in the queue of Burn's `fusion`.

use super::GpuKernels;
use crate::special_factor::SpecialFactor;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_fusion::custom::{
    CustomOpIr, HandleContainer, OperationFn, OperationIr, StreamId, TensorIr,
};
use burn_fusion::{Client, Fusion, FusionBackend, FusionHandle, FusionTensor};

impl<B: FusionBackend + GpuKernels> GpuKernels for Fusion<B> {
    fn sum_of_squares(tensors: Vec<FloatTensor<Self>>) -> [FloatTensor<Self>; 2] {
        let client = tensors[0].client.clone();
        let one = || (Shape::new([1]), DType::F32);
        let outputs = [one(), one()];
        queue::<B, 2>(&client, "sum_of_squares", tensors, outputs, |tensors| {
            B::sum_of_squares(tensors)
        })
    }

    fn scale(
        tensor: FloatTensor<Self>,
        factor: FloatTensor<Self>,
        special: SpecialFactor,
    ) -> FloatTensor<Self> {
        let client = tensor.client.clone();
        let outputs = [(tensor.shape.clone(), tensor.dtype)];
        let name = match special {
            SpecialFactor::None => "scale",
            SpecialFactor::ZeroErases => "scale_or_zero",
            SpecialFactor::NanMarks => "scale_or_nan",
        };
        let inputs = vec![tensor, factor];
        let [scaled] = queue::<B, 1>(&client, name, inputs, outputs, move |inputs| {
            let [tensor, factor] = inputs.try_into().ok().expect("as many as were queued");
            [B::scale(tensor, factor, special)]
        });
        scaled
    }
}

/// Queues `run`, which gets the inputs and returns one tensor for each shape and type of `outputs`.
fn queue<B: FusionBackend, const N: usize>(
    client: &Client<B::FusionRuntime>,
    name: &str,
    inputs: Vec<FusionTensor<B::FusionRuntime>>,
    outputs: [(Shape, DType); N],
    run: impl Fn(Vec<FloatTensor<B>>) -> [FloatTensor<B>; N] + Send + Sync + 'static,
) -> [FusionTensor<B::FusionRuntime>; N] {
    let inputs: Vec<TensorIr> = inputs.into_iter().map(FusionTensor::into_ir).collect();
    let outputs =
        outputs.map(|(shape, dtype)| TensorIr::uninit(client.create_empty_handle(), shape, dtype));
    let taken = inputs.clone();
    let ids = outputs.each_ref().map(|output| output.id);
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
        outputs: outputs.into(),
        scalars: Vec::new(),
    });
    let queued = client.register(StreamId::current(), description, OperationFn(work));
    queued.try_into().ok().expect("one tensor for each output")
}
