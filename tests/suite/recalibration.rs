//! Batch-norm statistics of an averaged model, measured.

use crate::devices::training_devices;
use crate::models::{Net, alone, values};
use crate::oracle::{assert_close, case, read};
use burn::module::{Module, ModuleMapper, Param, ParamGroup};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::average::{BatchRule, BatchVariance, RecalibrationConfig, RecalibrationError};

type Batch = Vec<Vec<f64>>;

fn on(device: &Device, batch: &Batch) -> Tensor<2> {
    let width = batch[0].len();
    let flat: Vec<f32> = batch.iter().flatten().map(|value| *value as f32).collect();
    Tensor::<1>::from_floats(flat.as_slice(), device).reshape([batch.len(), width])
}

fn statistics(norm: &BatchNorm) -> (Vec<f64>, Vec<f64>) {
    (
        values(norm.running_mean.value()),
        values(norm.running_var.value()),
    )
}

#[test]
fn every_rule_agrees_with_its_oracle() {
    for (name, config) in [
        (
            "torch",
            RecalibrationConfig::torch().with_variance(BatchVariance::UnbiasedPerSample),
        ),
        (
            "cumulative_biased",
            RecalibrationConfig::new().with_rule(BatchRule::Cumulative),
        ),
        ("pooled", RecalibrationConfig::new()),
        (
            "pooled_unbiased",
            RecalibrationConfig::new().with_variance(BatchVariance::UnbiasedPerSample),
        ),
    ] {
        let case = case("recalibration", name);
        let batches: Vec<Batch> = read(&case["batches"]);
        for (backend, device) in training_devices() {
            for momentum in [0.1, 0.01, 0.0003, 0.9, 1.0] {
                let norm = BatchNormConfig::new(2).with_momentum(momentum);
                let model = norm.init(&device);
                let measured = config
                    .apply(&model, &batches, |model, batch| {
                        model.forward(on(&device, batch));
                        batch.len()
                    })
                    .unwrap();
                let (mean, variance) = statistics(&measured);
                let what = format!("{name}, momentum {momentum}, {backend}");
                assert_close(&mean, &read::<Vec<f64>>(&case["mean"]), 1e-6, &what);
                assert_close(&variance, &read::<Vec<f64>>(&case["variance"]), 1e-6, &what);
            }
        }
    }
}

/// Batch norm after a convolution and after a linear layer, one inside another module.
#[derive(Module, Debug)]
struct Deep {
    conv: Conv2d,
    block: (BatchNorm, Dropout),
    linear: Linear,
    norm: BatchNorm,
}

impl Deep {
    fn new(device: &Device) -> Self {
        let norm = |width| BatchNormConfig::new(width).with_momentum(0.03).init(device);
        Self {
            conv: Conv2dConfig::new([1, 3], [2, 2]).init(device),
            block: (norm(3), DropoutConfig::new(0.5).init()),
            linear: LinearConfig::new(12, 5).init(device),
            norm: norm(5),
        }
    }

    /// What the two norms see, and the output.
    fn forward(&self, images: Tensor<4>) -> (Tensor<4>, Tensor<2>, Tensor<2>) {
        let first = self.conv.forward(images);
        let hidden = self.block.1.forward(self.block.0.forward(first.clone()));
        let second = self.linear.forward(hidden.flatten::<2>(1, 3));
        (first, second.clone(), self.norm.forward(second))
    }
}

fn images(samples: usize, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = (0..samples * 9)
        .map(|at| (at as f32 * 1.3).sin() * 2.0 + 0.5)
        .collect();
    Tensor::<1>::from_floats(values.as_slice(), device).reshape([samples, 1, 3, 3])
}

fn mean_and_variance(rows: Tensor<2>) -> (Vec<f64>, Vec<f64>) {
    let (variance, mean) = rows.var_mean_bias(0);
    (values(mean), values(variance))
}

#[test]
fn one_batch_gives_its_own_statistics_in_every_layer() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let model = Deep::new(&device);
        let measured = RecalibrationConfig::new()
            .apply(&model, [images(6, &device)], |model, batch| {
                model.forward(batch);
                6
            })
            .unwrap();
        // With batch norm on batch statistics and without dropout, as in the measurement.
        let mut probe = model.valid().train();
        probe.block.1.prob = 0.0;
        let (first, second, _) = probe.forward(images(6, &device));
        let rows = first.inner().permute([0, 2, 3, 1]).reshape([24, 3]);
        let (mean, variance) = mean_and_variance(rows);
        let (got_mean, got_variance) = statistics(&measured.block.0);
        assert_close(&got_mean, &mean, 2e-5, name);
        assert_close(&got_variance, &variance, 2e-5, name);
        let (mean, variance) = mean_and_variance(second.inner());
        let (got_mean, got_variance) = statistics(&measured.norm);
        assert_close(&got_mean, &mean, 2e-5, name);
        assert_close(&got_variance, &variance, 2e-5, name);
    }
}

#[test]
fn batches_pool_to_the_statistics_of_all_samples() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = Deep::new(&device);
    let all = images(10, &device);
    let run = |sizes: &[usize]| {
        let mut at = 0;
        let batches: Vec<_> = (sizes.iter())
            .map(|size| {
                at += size;
                all.clone().narrow(0, at - size, *size)
            })
            .collect();
        let measured = RecalibrationConfig::new().apply(&model, batches, |model, batch| {
            let samples = batch.dims()[0];
            model.forward(batch);
            samples
        });
        statistics(&measured.unwrap().block.0)
    };
    let (mean, variance) = run(&[10]);
    for sizes in [&[4, 6][..], &[7, 2, 1], &[1; 10]] {
        let (got_mean, got_variance) = run(sizes);
        assert_close(&got_mean, &mean, 1e-5, "mean");
        assert_close(&got_variance, &variance, 1e-5, "variance");
    }
}

#[test]
fn the_model_given_and_its_clones_stay_as_they_are() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut model = Net::new(0.5, &device);
    model.norm.training = model.norm.training.with_value(false); // held still in training
    let clone = model.clone();
    let before = statistics(&model.norm);
    let input = Tensor::<2>::ones([8, 4], &device) * 3.0;
    let mut seen = Vec::new();
    let measured = RecalibrationConfig::new()
        .apply(&model, [input.clone(), input.clone()], |model, batch| {
            seen.push(values(model.forward(batch)));
            8
        })
        .unwrap();
    assert_eq!(statistics(&model.norm), before);
    assert_eq!(statistics(&clone.norm), before);
    assert!(model.dropout.training.is_enabled() && !model.norm.training.is_enabled());
    assert_ne!(statistics(&measured.norm), before);
    assert_eq!(seen[1], seen[2], "nothing is dropped while measuring");
    assert!(
        !measured.first.weight.val().is_autodiff(),
        "to predict with"
    );
    assert_eq!(
        values(measured.first.weight.val()),
        values(model.first.weight.val())
    );
}

#[test]
fn a_frozen_model_is_measured_too() {
    let device = Device::flex().autodiff();
    let group = ParamGroup::from_regex(".*").unwrap();
    let model = BatchNormConfig::new(1).init(&device).freeze_group(group);
    let measured = RecalibrationConfig::new().apply(&model, [[1.0, 3.0]], |model, batch| {
        let batch = Tensor::<1>::from_floats(batch, &device).reshape([2, 1]);
        model.forward(batch);
        2
    });
    assert_eq!(statistics(&measured.unwrap()), (vec![2.0], vec![1.0]));
}

#[test]
fn without_batch_norm_the_model_comes_back() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model: Linear = LinearConfig::new(2, 2).init(&device);
    let measured = RecalibrationConfig::new().apply(&model, [()], |_, ()| unreachable!("no need"));
    assert_eq!(
        values(measured.unwrap().weight.val()),
        values(model.weight.val())
    );
}

#[test]
fn what_cannot_be_measured_is_an_error() {
    let device = Device::flex().autodiff();
    let model = vec![BatchNormConfig::new(1).init(&device)];
    let config = RecalibrationConfig::new();
    let run = |config: &RecalibrationConfig, batch: &[f32], device: &Device| {
        let result = config.apply(&model, [batch], |model, batch| {
            let rows = Tensor::<1>::from_floats(batch, device).reshape([batch.len(), 1]);
            if !batch.is_empty() {
                model[0].forward(rows);
            }
            batch.len()
        });
        result.map(|_| ()).unwrap_err()
    };
    let nobody: [f32; 0] = [];
    let none = config.apply(&model, [&nobody; 0], |_, _| 1);
    assert_eq!(none.map(|_| ()).unwrap_err(), RecalibrationError::NoSamples);
    assert_eq!(run(&config, &[], &device), RecalibrationError::NoSamples);
    let layer = "0".to_owned();
    let not_reached = RecalibrationError::NotReached { layer, batch: 0 };
    let elsewhere = config.apply(&model, [()], |model, ()| {
        // Not the model that is given, or not in training mode.
        model[0]
            .valid()
            .forward(Tensor::<2>::ones([4, 1], &Device::flex()));
        4
    });
    assert_eq!(elsewhere.map(|_| ()).unwrap_err(), not_reached);
    let still = vec![BatchNormConfig::new(1).with_momentum(0.0).init(&device)];
    let result = config.apply(&still, [()], |model, ()| {
        model[0].forward(Tensor::<2>::ones([4, 1], &device));
        4
    });
    let (layer, dtype) = ("0".to_owned(), DType::F32);
    let error = result.map(|_| ()).unwrap_err();
    assert_eq!(error, RecalibrationError::NoMomentum { layer, dtype });
    for bad in [f32::NAN, f32::INFINITY] {
        let error = run(&config, &[1.0, bad], &device);
        assert!(
            matches!(error, RecalibrationError::NonFinite { .. }),
            "{error}"
        );
    }
    let per_sample = BatchVariance::UnbiasedPerSample;
    for config in [config, RecalibrationConfig::torch()] {
        let config = config.with_variance(per_sample);
        let layer = "0".to_owned();
        let error = RecalibrationError::OneValue { layer };
        assert_eq!(run(&config, &[1.0], &device), error);
    }
    assert!(not_reached.to_string().contains("`0`"));
}

/// Casts the floats.
struct CastTo(DType);

impl ModuleMapper for CastTo {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value.cast(self.0))
    }
}

#[test]
fn half_precision_statistics_have_the_precision_of_their_type() {
    let case = case("recalibration", "pooled");
    let batches: Vec<Batch> = read(&case["batches"]);
    let run = |dtype: DType, momentum: f64| {
        let norm = BatchNormConfig::new(2).with_momentum(momentum);
        let model = norm.init(&Device::flex()).map(&mut CastTo(dtype)).train();
        RecalibrationConfig::new().apply(&model, &batches, |model, batch| {
            let rows = on(&Device::flex(), batch).cast(dtype);
            model.forward(Tensor::<2>::from_inner(rows));
            batch.len()
        })
    };
    // Half the distance of two neighbours, for the batch, its share, the sum and the result.
    for (dtype, precision) in [(DType::F16, 2f64.powi(-10)), (DType::BF16, 2f64.powi(-7))] {
        for momentum in [0.1, 0.01, 0.9, 1.0] {
            let measured = run(dtype, momentum).unwrap();
            let (mean, variance) = statistics(&measured);
            let what = format!("{dtype:?}, momentum {momentum}");
            assert_close(&mean, &read::<Vec<f64>>(&case["mean"]), precision, &what);
            let expected = read::<Vec<f64>>(&case["variance"]);
            assert_close(&variance, &expected, precision, &what);
            assert_eq!(measured.running_mean.value().dtype(), dtype);
        }
    }
    assert!(run(DType::F16, 0.001).is_ok());
    let error = run(DType::BF16, 0.001).map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the momentum of the model, which is itself a normalisation layer, rounds to 0 in BF16, the \
         type of its statistics: cast the model to `f32`, or take a larger momentum"
    );
}

#[test]
fn a_batch_that_a_layer_does_not_see_is_named() {
    let device = Device::flex().autodiff();
    let model: BatchNorm = BatchNormConfig::new(1).init(&device);
    let tens = |samples: usize| Tensor::<2>::full([samples, 1], 10.0, &Device::flex());
    for unseen in [0, 1, 2] {
        // Off the autodiff device, the layer uses its statistics and does not learn any.
        let result = RecalibrationConfig::new().apply(&model, [0, 1, 2], |model, at| {
            let input = if at == unseen {
                tens(4)
            } else {
                Tensor::from_inner(tens(4))
            };
            model.forward(input);
            4
        });
        let error = result.map(|_| ()).unwrap_err();
        let (layer, batch) = (String::new(), unseen);
        assert_eq!(error, RecalibrationError::NotReached { layer, batch });
        let text = error.to_string();
        assert!(
            text.starts_with(
                "the model, which is itself a normalisation layer, saw nothing of batch"
            )
        );
    }
}

#[test]
fn a_batch_without_samples_does_not_count_wherever_it_stands() {
    let device = Device::flex().autodiff();
    let model: BatchNorm = BatchNormConfig::new(1).init(&device);
    let run = |batches: &[&[f32]], sees_empty: bool| {
        let measured = RecalibrationConfig::new().apply(&model, batches, |model, batch| {
            let rows = Tensor::<1>::from_floats(*batch, &device).reshape([batch.len(), 1]);
            if !batch.is_empty() {
                drop(model.forward(rows));
            } else if sees_empty {
                // As a padded batch would be.
                drop(model.forward(Tensor::<2>::full([2, 1], 99.0, &device)));
            }
            batch.len()
        });
        statistics(&measured.unwrap())
    };
    let expected = (vec![5.0], vec![8.0]);
    for sees_empty in [false, true] {
        for batches in [
            &[&[][..], &[1.0, 3.0], &[5.0, 7.0, 9.0]][..],
            &[&[1.0, 3.0], &[], &[5.0, 7.0, 9.0]],
            &[&[1.0, 3.0], &[5.0, 7.0, 9.0], &[]],
        ] {
            let (mean, variance) = run(batches, sees_empty);
            assert_close(&mean, &expected.0, 1e-6, "mean");
            assert_close(&variance, &expected.1, 1e-6, "variance");
        }
    }
}

#[test]
fn inputs_that_are_all_zero_are_a_batch_like_any_other() {
    for (name, device) in training_devices() {
        for momentum in [0.1, 1.0] {
            let norm = BatchNormConfig::new(2).with_momentum(momentum);
            let model: BatchNorm = norm.init(&device);
            for zero in [0.0, -0.0] {
                let measured =
                    RecalibrationConfig::new().apply(&model, [zero, zero], |model, zero| {
                        model.forward(Tensor::<2>::full([4, 2], zero, &device));
                        4
                    });
                let expected = (vec![0.0; 2], vec![0.0; 2]);
                assert_eq!(statistics(&measured.unwrap()), expected, "{name}");
            }
        }
    }
}
