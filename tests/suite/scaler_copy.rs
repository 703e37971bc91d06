//! Mixed precision: the copy of a model for the forward pass, whose gradients arrive at the model.

use crate::devices::training_devices;
use crate::models::{Net, alone, values};
use burn::module::{Module, RunningState};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, FloatDType, Tensor};
use burn_tricks::nn::{Affine, FrozenBatchNorm, InputScaler, ScalerConfig, freeze_batch_norms};
use burn_tricks::{Derived, cast_copy, copy_statistics};

#[test]
fn a_copy_in_half_precision_leaves_the_statistics_of_the_model() {
    let _alone = alone();
    for (name, device) in training_devices() {
        if !device.supports_dtype(DType::F16) {
            continue;
        }
        let model = Net::new(0.0, &device);
        let half = cast_copy(&model, FloatDType::F16);
        let dtype = |net: &Net| net.norm.running_mean.value().dtype();
        assert_eq!(
            (dtype(&half), dtype(&model)),
            (DType::F16, DType::F32),
            "{name}"
        );
        let input = || Tensor::<2>::full([4, 4], 3.0, (&device, DType::F16));
        let loss = half.forward(input()).cast(DType::F32).square().mean();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        assert_eq!(grads.len(), 6, "{name}");
        let grad = grads.get::<2>(model.last.weight.id).unwrap();
        assert_eq!(grad.dtype(), DType::F32, "{name}");
        let mean = |net: &Net| values(net.norm.running_mean.value_sync());
        assert_eq!(mean(&model), [0.0; 8], "{name}");

        copy_statistics(&half, &model).unwrap();
        assert_ne!(mean(&half), [0.0; 8], "{name}");
        assert_eq!(mean(&model), mean(&half), "{name}");
        assert_eq!(dtype(&model), DType::F32, "{name}");
        // Now the two go apart again.
        half.forward(input());
        assert_ne!(mean(&model), mean(&half), "{name}");
    }
}

#[derive(Module, Debug)]
struct Tied {
    layer: Linear,
    again: Linear,
    frozen: Linear,
    length: Derived<1>,
    dropout: Dropout,
}

impl Tied {
    fn new(device: &Device) -> Self {
        let layer = || -> Linear { LinearConfig::new(2, 2).with_bias(false).init(device) };
        let tied = layer();
        Self {
            again: tied.clone(),
            layer: tied,
            frozen: layer().no_grad(),
            length: Derived::new(Tensor::full([1], 2.0, device)),
            dropout: DropoutConfig::new(0.5).init(),
        }
    }
}

#[test]
fn the_gradients_of_a_copy_are_those_of_the_model() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let mut model = Tied::new(&device);
        model.dropout.training = model.dropout.training.with_value(false);
        let copy = cast_copy(&model, FloatDType::F32);
        assert!(!copy.dropout.training.is_enabled(), "{name}");
        let grads = |of: &Tied| {
            let hidden = of.layer.forward(Tensor::<2>::ones([1, 2], &device));
            let output = of.again.forward(of.frozen.forward(hidden));
            let grads = GradientsParams::from_grads(output.square().sum().backward(), &model);
            assert_eq!(
                grads.len(),
                1,
                "{name}: one that is tied, and one that is frozen"
            );
            values(grads.get::<2>(model.layer.weight.id).unwrap())
        };
        assert_eq!(grads(&copy), grads(&model), "{name}");
    }
}

#[test]
fn states_are_copied_back_and_weights_are_not() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let model = Tied::new(&device);
        let copy = cast_copy(&model, FloatDType::F32);
        copy.length.set(copy.length.value() * 2.0);
        let length = |of: &Tied| values(of.length.value())[0];
        assert_eq!((length(&model), length(&copy)), (2.0, 4.0), "{name}");
        let weight = |of: &Tied| values(of.layer.weight.val());
        let before = weight(&model);
        let other = Tied {
            layer: Tied::new(&device).layer,
            ..copy
        };
        copy_statistics(&other, &model).unwrap();
        assert_eq!(length(&model), 4.0, "{name}");
        assert_eq!(weight(&model), before, "{name}");
        assert!(model.layer.weight.is_require_grad(), "{name}");
        let other = Tied {
            frozen: LinearConfig::new(3, 2).init(&device),
            ..other
        };
        let error = copy_statistics(&other, &model).unwrap_err().to_string();
        assert!(error.contains("`frozen.weight`"), "{error}");
    }
}

#[test]
fn statistics_that_have_overflowed_are_not_copied() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let (model, from) = (Net::new(0.0, &device), Net::new(0.0, &device));
        let numbers = [
            1.0,
            f32::INFINITY,
            3.0,
            f32::NAN,
            5.0,
            6.0,
            f32::NEG_INFINITY,
            8.0,
        ];
        let variance = &from.norm.running_var;
        variance.update(Tensor::from_data(numbers, &variance.value().device()));
        copy_statistics(&from, &model).unwrap();
        let copied = values(model.norm.running_var.value_sync());
        assert_eq!(copied, [1.0, 1.0, 3.0, 1.0, 5.0, 6.0, 1.0, 8.0], "{name}");
    }
}

/// Layers whose statistics a forward pass does not change, and one batch norm whose it does.
#[derive(Module, Debug)]
struct Fitted {
    scaler: InputScaler,
    constant: FrozenBatchNorm,
    frozen: BatchNorm,
    norm: BatchNorm,
}

impl Fitted {
    /// With statistics that are neither `f16` nor `bf16`, and that would be infinite in `f16` where the layers can have such.
    fn new(device: &Device) -> Self {
        let norm = |mean: f32, variance: f32| {
            let norm: BatchNorm = BatchNormConfig::new(1).init(device);
            norm.running_mean
                .update(Tensor::from_floats([mean], device));
            norm.running_var
                .update(Tensor::from_floats([variance], device));
            norm
        };
        let prices = Tensor::<2>::from_floats([[100_001.0], [300_000.0]], device);
        Self {
            scaler: ScalerConfig::standard().fit(&prices).unwrap(),
            constant: FrozenBatchNorm::from(&norm(0.1, 100_001.0)),
            frozen: freeze_batch_norms(norm(0.1, 0.3), Affine::Trainable),
            norm: norm(0.1, 0.3),
        }
    }

    /// What no forward pass changes.
    fn kept(&self) -> [f64; 6] {
        let one = |state: &RunningState<Tensor<1>>| values(state.value_sync())[0];
        [
            values(self.scaler.shift())[0],
            values(self.scaler.scale())[0],
            one(&self.constant.running_mean),
            one(&self.constant.running_var),
            one(&self.frozen.running_mean),
            one(&self.frozen.running_var),
        ]
    }

    fn forward(&self, input: Tensor<2>, dtype: DType) -> Tensor<2> {
        let scaled = self.scaler.forward(input).cast(dtype);
        self.norm
            .forward(self.frozen.forward(self.constant.forward(scaled)))
    }
}

#[test]
fn statistics_that_no_forward_pass_changes_are_not_rounded() {
    let _alone = alone();
    for (name, device) in training_devices() {
        for (dtype, in_copy) in [
            (DType::F16, FloatDType::F16),
            (DType::BF16, FloatDType::BF16),
        ] {
            if !device.supports_dtype(dtype) {
                continue;
            }
            let model = Fitted::new(&device);
            let before = model.kept();
            let copy = cast_copy(&model, in_copy);
            assert_eq!(copy.kept()[..4], before[..4], "{name} {dtype:?}");
            assert_ne!(copy.kept()[4..], before[4..], "{name} {dtype:?}");

            let mean = |of: &Fitted| values(of.norm.running_mean.value_sync())[0];
            let old = mean(&model);
            let prices = Tensor::<2>::from_floats([[100_001.0], [300_000.0]], &device);
            let output = copy.forward(prices, dtype);
            assert_eq!(output.dtype(), dtype, "{name}");
            let output = values(output);
            assert!(
                output.iter().all(|x| x.is_finite()),
                "{name} {dtype:?} {output:?}"
            );

            copy_statistics(&copy, &model).unwrap();
            assert_eq!(model.kept(), before, "{name} {dtype:?}");
            // Those of the batch norm in training come back.
            assert_ne!(mean(&model), old, "{name} {dtype:?}");
            assert_eq!(mean(&model), mean(&copy), "{name} {dtype:?}");
        }
    }
}
