//! Copies of a model in training: under another strategy of gradient checkpointing, and with a state that is stale.

use burn::module::{Module, Param, ParamId};
use burn::nn::{Linear, LinearConfig, PositionalEncoding, PositionalEncodingConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, FloatDType, Int, Tensor};
use burn_tricks_core::{Buffers, Derived, Snapshot, cast_copy, independent_copy};

/// Its scale is divided by its length, and its encoding is a tensor that no visitor and no mapper reaches.
#[derive(Module, Debug)]
struct Net {
    linear: Linear,
    encoding: PositionalEncoding,
    order: Param<Tensor<1, Int>>,
    scale: Param<Tensor<1>>,
    length: Derived<1>,
}

impl Net {
    fn new(scale: [f32; 2], device: &Device) -> Self {
        let scale = Tensor::<1>::from_data(scale, device);
        Self {
            linear: LinearConfig::new(2, 2).init(device),
            encoding: PositionalEncodingConfig::new(2).init(device),
            order: Param::initialized(ParamId::new(), Tensor::from_ints([1, 0], device)),
            length: Derived::new(Self::length_of(&scale)),
            scale: Param::from_tensor(scale),
        }
    }

    fn length_of(scale: &Tensor<1>) -> Tensor<1> {
        scale.clone().square().sum().sqrt()
    }

    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let scale = self.scale.val();
        if self.length.is_stale() {
            self.length.set(Self::length_of(&scale));
        }
        let scale = scale.select(0, self.order.val()) / self.length.value();
        let hidden = self.encoding.forward(self.linear.forward(input));
        hidden * scale.reshape([1, 1, 2])
    }

    fn length(&self) -> f32 {
        self.length.value().into_scalar()
    }
}

fn devices() -> [Device; 2] {
    let device = Device::flex().autodiff();
    [device.clone(), device.gradient_checkpointing()]
}

#[test]
fn copies_fit_to_the_strategy_of_gradient_checkpointing() {
    for device in devices() {
        let model = Net::new([3.0, 4.0], &device);
        let snapshot = Snapshot::new(&model);
        let mut mean = snapshot.clone();
        mean.lerp(&model, 0.5, Buffers::Average).unwrap();
        for copy in [
            independent_copy(&model),
            snapshot.restore(&model).unwrap(),
            mean.restore(&model).unwrap(),
            cast_copy(&model, FloatDType::F32),
        ] {
            let loss = copy.forward(Tensor::ones([1, 3, 2], &device)).sum();
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            let of_copy = copy.forward(Tensor::ones([1, 3, 2], &device)).sum();
            let of_copy = GradientsParams::from_grads(of_copy.backward(), &copy);
            assert_eq!(grads.len().max(of_copy.len()), 3, "{device:?}");
        }
    }
}

#[test]
fn a_stale_state_never_becomes_nan() {
    for device in devices() {
        let [a, b] = [[6.0, 0.0], [0.0, 8.0]].map(|scale| Net::new(scale, &device));
        let mut mean = Snapshot::new(&a);
        mean.lerp(&b, 0.5, Buffers::Average).unwrap();

        let restored = mean.restore(&a).unwrap();
        assert!(restored.length.is_stale() && a.length() == 6.0);
        assert_eq!(restored.length(), 6.0, "that of `a`, into which it went");

        // Towards a model whose state is stale, and towards a mean.
        let mut moved = Snapshot::new(&a);
        moved.lerp(&restored, 0.5, Buffers::Average).unwrap();
        assert_eq!(moved.model().length(), 6.0);
        let mut others = Snapshot::new(&b);
        others.lerp(&mean.model(), 0.5, Buffers::Average).unwrap();
        assert_eq!(others.model().length(), 8.0);
        others.lerp_with(&mean, 0.5, Buffers::Average).unwrap();
        assert!(others.model().length().is_finite());
    }
}
