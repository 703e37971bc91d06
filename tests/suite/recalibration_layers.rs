//! Recalibration of every kind of layer that keeps running statistics: what it saw is known, or refused.

use crate::devices::training_devices;
use crate::models::{alone, values};
use crate::norms::{assert_near, grid, precise};
use burn::module::{Flag, Module, Param, ParamGroup, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNormConfig, Linear, LinearConfig};
use burn::tensor::module::batch_norm_train;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::average::{
    BatchRule, BatchVariance, RecalibrationConfig, RecalibrationError as Error,
};
use burn_tricks::batch_statistics::{self, BatchStatistics};
use burn_tricks::nn::{
    Forward, FrozenBatchNorm, GhostBatchNormConfig, TorchBatchNorm, TorchBatchNormConfig,
};

const UNBIASED: BatchVariance = BatchVariance::Unbiased;
const PER_SAMPLE: BatchVariance = BatchVariance::UnbiasedPerSample;

/// Sends batches of one channel through the model.
fn run<M: Module>(
    config: &RecalibrationConfig,
    model: &M,
    batches: &[&[f64]],
    device: &Device,
    forward: impl Fn(&M, Tensor<2>),
) -> Result<M, Error> {
    config.apply(model, batches, |model, batch| {
        let rows = Tensor::<1>::from_data(*batch, (device, DType::F32));
        forward(model, rows.reshape([batch.len(), 1]));
        batch.len()
    })
}

fn statistics(mean: &RunningState<Tensor<1>>, variance: &RunningState<Tensor<1>>) -> Vec<f64> {
    [values(mean.value()), values(variance.value())].concat()
}

/// The mean and the variance of all values, divided by n and by n − 1.
fn of_all(values: &[f64]) -> [f64; 3] {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    [mean, squares / n, squares / (n - 1.0)]
}

#[test]
fn torch_batch_norm_is_measured_as_it_saw_its_batches() {
    let config = RecalibrationConfig::new();
    let cumulative = config.clone().with_rule(BatchRule::Cumulative);
    let unbiased = |config: &RecalibrationConfig| config.clone().with_variance(UNBIASED);
    let apart: &[&[f64]] = &[&[1.0, 3.0], &[9.0, 11.0]];
    let one_last: &[&[f64]] = &[&[1.0, 3.0], &[9.0]];
    let all = of_all(&[1.0, 3.0, 9.0]);
    for (name, device) in training_devices() {
        for momentum in [0.1, 0.3, 1.0, 0.0] {
            let norm = TorchBatchNormConfig::new(1).with_momentum(momentum);
            let norm = norm.init(&device).unwrap();
            for (config, batches, expected) in [
                (&config, apart, [6.0, 17.0]),
                (&unbiased(&config), apart, [6.0, 17.0 * 4.0 / 3.0]),
                (&cumulative, apart, [6.0, 1.0]),
                (&RecalibrationConfig::torch(), apart, [6.0, 2.0]),
                (&config, one_last, [all[0], all[1]]), // 4.33, 11.56
                (&unbiased(&config), one_last, [all[0], all[2]]),
                (&cumulative, one_last, [5.5, 0.5]),
            ] {
                let measured = run(config, &norm, batches, &device, |norm, batch| {
                    norm.forward(batch);
                });
                let measured = measured.unwrap();
                let got = statistics(&measured.running_mean, &measured.running_var);
                assert_near(&got, &expected, 1e-6, &format!("{name} {config:?}"));
            }
        }
        // As PyTorch, which divides by n − 1 too.
        let norm = TorchBatchNormConfig::new(1).init(&device).unwrap();
        let torch = RecalibrationConfig::torch();
        let result = run(&torch, &norm, one_last, &device, |norm, batch| {
            norm.forward(batch);
        });
        let layer = String::new();
        assert_eq!(
            result.map(|_| ()).unwrap_err(),
            Error::OneValue { layer },
            "{name}"
        );
    }
}

#[test]
fn ghost_batch_norm_is_measured_over_its_parts() {
    let rising: Vec<f64> = (1..=12).map(|i| f64::from(i * i)).collect();
    let (first, second) = rising.split_at(9);
    for (name, device) in training_devices() {
        for variance in [BatchVariance::Biased, BatchVariance::Unbiased] {
            for ghost_size in [1, 2, 3, 4, 100] {
                let ghost = GhostBatchNormConfig::new(1, ghost_size).with_variance(variance);
                let ghost = ghost.init(&device).unwrap();
                let what = format!("{name} {variance:?} {ghost_size}");
                let near = |config: RecalibrationConfig, batches: &[&[f64]], expected: [f64; 2]| {
                    let measured = run(&config, &ghost, batches, &device, |norm, batch| {
                        norm.forward(batch);
                    });
                    let measured = measured.unwrap();
                    let got = statistics(&measured.running_mean, &measured.running_var);
                    assert_near(&got, &expected, 1e-6, &what);
                };
                let pooled = RecalibrationConfig::new;
                let [mean, population, sample] = of_all(&[1.0, 3.0, 5.0, 7.0, 9.0, 11.0]);
                let batches: &[&[f64]] = &[&[1.0, 3.0, 5.0, 7.0], &[9.0, 11.0]];
                near(pooled(), batches, [mean, population]); // 6, 11.67
                near(pooled().with_variance(UNBIASED), batches, [mean, sample]);
                near(pooled(), &[&[1.0, 3.0, 5.0, 7.0]], [4.0, 5.0]);
                // Three parts of three, at size 3.
                let [mean, population, sample] = of_all(&rising);
                near(pooled(), &[first, second], [mean, population]);
                near(
                    pooled().with_variance(UNBIASED),
                    &[first, second],
                    [mean, sample],
                );
                let [a, b] = [of_all(first), of_all(second)];
                let of_batches = [(a[0] + b[0]) / 2.0, (a[2] + b[2]) / 2.0];
                near(RecalibrationConfig::torch(), &[first, second], of_batches);
            }
        }
    }
}

/// A layer behind a convolution, which sees many values per sample.
#[derive(Module, Debug)]
struct Maps<N: Module> {
    conv: Conv2d,
    norm: N,
}

#[test]
fn values_are_counted_and_not_samples() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let conv: Conv2d = Conv2dConfig::new([1, 2], [2, 2]).init(&device);
        let batches =
            [5, 2, 1].map(|samples| grid([samples, 1, 4, 3], 0.7, 2.0, (&device, DType::F32)));
        let maps = |batch: &Tensor<4>| conv.forward(batch.clone());
        let channel = |maps: Tensor<4>| {
            let rows = maps.permute([1, 0, 2, 3]).flatten::<2>(1, 3);
            [0, 1].map(|channel| values(rows.clone().narrow(0, channel, 1)))
        };
        let all = channel(Tensor::cat(batches.iter().map(maps).collect(), 0)).map(|x| of_all(&x));
        let each: Vec<_> = (batches.iter())
            .map(|batch| channel(maps(batch)).map(|values| of_all(&values)))
            .collect();
        let mean_of = |channel: usize, what: usize| {
            each.iter().map(|of| of[channel][what]).sum::<f64>() / each.len() as f64
        };
        let norm = TorchBatchNormConfig::new(2).init(&device).unwrap();
        let model = Maps {
            conv: conv.clone(),
            norm,
        };
        let near = |config: RecalibrationConfig, expected: [f64; 4]| {
            let forward = |model: &Maps<TorchBatchNorm>, batch: Tensor<4>| {
                let samples = batch.dims()[0];
                model.norm.forward(model.conv.forward(batch));
                samples
            };
            let measured = config.apply(&model, batches.clone(), forward).unwrap().norm;
            let got = statistics(&measured.running_mean, &measured.running_var);
            assert_near(&got, &expected, 1e-5, &format!("{name} {config:?}"));
        };
        let pooled = RecalibrationConfig::new();
        near(pooled.clone(), [all[0][0], all[1][0], all[0][1], all[1][1]]);
        let sample = [all[0][0], all[1][0], all[0][2], all[1][2]];
        near(pooled.clone().with_variance(UNBIASED), sample);
        // What the layer tells is not overruled.
        near(pooled.with_variance(PER_SAMPLE), sample);
        let torch = [mean_of(0, 0), mean_of(1, 0), mean_of(0, 2), mean_of(1, 2)];
        near(RecalibrationConfig::torch(), torch);
    }
}

#[test]
fn burns_layer_does_not_tell_how_many_values_it_sees() {
    let device = Device::flex().autodiff();
    let model = vec![BatchNormConfig::new(1).init(&device)];
    for config in [
        RecalibrationConfig::torch(),
        RecalibrationConfig::new().with_variance(UNBIASED),
    ] {
        let result = config.apply(&model, [()], |_, ()| unreachable!("known before"));
        let layer = "0".to_owned();
        let error = result.map(|_| ()).unwrap_err();
        assert_eq!(error, Error::UnknownCount { layer });
        assert!(
            error
                .to_string()
                .contains("`0` does not report its number of values")
        );
    }
}

/// Layers of a user's own.
mod own {
    use super::*;

    /// What becomes of the running statistics.
    #[derive(Debug, Clone, Copy)]
    pub(super) enum Rule {
        /// As in Burn.
        Burns,
        /// Of the t-th batch, 1/t: the mean over batches.
        Mean,
        /// The variance follows more slowly than the mean.
        Slower,
        /// The second channel of the variance follows faster than the first.
        FirstChannel,
        /// Nothing that has to do with the batch, which is reported.
        Reported,
        /// What the batch has, and some more each time.
        Growing,
    }

    macro_rules! layer {
        ($name:ident) => {
            #[derive(Module, Debug)]
            pub(super) struct $name {
                pub(super) gamma: Param<Tensor<1>>,
                pub(super) beta: Param<Tensor<1>>,
                pub(super) training: Param<Flag>,
                pub(super) running_mean: RunningState<Tensor<1>>,
                pub(super) running_var: RunningState<Tensor<1>>,
                #[module(skip)]
                rule: Rule,
                #[module(skip)]
                seen: std::sync::Arc<std::sync::atomic::AtomicUsize>,
            }

            impl $name {
                pub(super) fn new(rule: Rule, channels: usize, device: &Device) -> Self {
                    let norm = BatchNormConfig::new(channels).init(device);
                    Self {
                        gamma: norm.gamma,
                        beta: norm.beta,
                        training: norm.training,
                        running_mean: norm.running_mean,
                        running_var: norm.running_var,
                        rule,
                        seen: Default::default(),
                    }
                }

                pub(super) fn forward(&self, input: Tensor<2>) {
                    let count = input.dims()[0];
                    let batch = batch_norm_train(input, self.gamma.val(), self.beta.val(), 1e-5);
                    let (mean, variance) = (batch.mean.detach(), batch.variance.detach());
                    let ordering = std::sync::atomic::Ordering::Relaxed;
                    let seen = self.seen.fetch_add(1, ordering) + 1;
                    let follow = |state: &RunningState<Tensor<1>>, s: Tensor<1>, m: f64| {
                        let held = state.value_sync();
                        state.update(held * (1.0 - m) + s * m);
                    };
                    let (of_mean, of_variance) = match self.rule {
                        Rule::Burns | Rule::FirstChannel | Rule::Growing => (0.1, 0.1),
                        Rule::Mean => (1.0 / seen as f64, 1.0 / seen as f64),
                        Rule::Slower => (0.1, 0.05),
                        Rule::Reported => {
                            batch_statistics::report(|| BatchStatistics {
                                layer: self.training.id,
                                mean,
                                variance,
                                count,
                            });
                            return;
                        }
                    };
                    let mean = match self.rule {
                        Rule::Growing => mean + seen as f64 * 2f64.powi(99),
                        _ => mean,
                    };
                    follow(&self.running_mean, mean, of_mean);
                    if let Rule::FirstChannel = self.rule {
                        let held = self.running_var.value_sync();
                        let share = Tensor::from_data([0.1, 0.2], &held.device());
                        let apart = variance - held.clone();
                        self.running_var.update(held + apart * share);
                        return;
                    }
                    follow(&self.running_var, variance, of_variance);
                }
            }
        };
    }

    layer!(MyNorm);
    layer!(BatchNorm);
}

fn pairs(device: &Device) -> Tensor<2> {
    Tensor::from_floats([[1.0, 2.0], [3.0, -4.0]], device)
}

#[test]
fn a_layer_that_is_not_known_is_refused_by_its_path() {
    for (name, device) in training_devices() {
        for rule in [own::Rule::Burns, own::Rule::Mean] {
            let norm = BatchNormConfig::new(2).init(&device);
            let model = (norm, vec![own::MyNorm::new(rule, 2, &device)]);
            let forward = |model: &(burn::nn::BatchNorm, Vec<own::MyNorm>), ()| {
                model.0.forward(pairs(&device));
                model.1[0].forward(pairs(&device));
                2
            };
            let result = RecalibrationConfig::new().apply(&model, [()], forward);
            let error = result.map(|_| ()).unwrap_err();
            let (layer, what) = ("1.0".to_owned(), "MyNorm".to_owned());
            let expected = Error::UnknownLayer { layer, name: what };
            assert_eq!(error, expected, "{name}");
            assert!(
                error
                    .to_string()
                    .starts_with("the normalisation layer `1.0` is a `MyNorm`")
            );

            // Left out, it keeps what it has, and the rest is measured.
            let group = ParamGroup::all().exclude(ParamGroup::from_predicate("1.0."));
            let config = RecalibrationConfig::new().with_group(group);
            let measured = config.apply(&model, [()], forward).unwrap();
            let got = statistics(&measured.0.running_mean, &measured.0.running_var);
            assert_near(&got, &[2.0, -1.0, 1.0, 9.0], 1e-6, name);
            let left = &measured.1[0];
            let got = statistics(&left.running_mean, &left.running_var);
            assert_eq!(got, [0.0, 0.0, 1.0, 1.0], "{name}");

            let nothing = ParamGroup::from_path("elsewhere");
            let config = RecalibrationConfig::new().with_group(nothing);
            let error = config.apply(&model, [()], forward).map(|_| ()).unwrap_err();
            assert_eq!(error, Error::NoLayer, "{name}");
        }
    }
}

/// A layer called `BatchNorm`, with Burn's fields.
#[test]
fn burns_rule_is_proved_and_not_taken_from_a_name() {
    for (name, device) in training_devices() {
        let run = |rule| {
            let model = vec![own::BatchNorm::new(rule, 2, &device)];
            RecalibrationConfig::new().apply(&model, [(), ()], |model, ()| {
                model[0].forward(pairs(&device));
                2
            })
        };
        let measured = run(own::Rule::Burns).unwrap().remove(0);
        let got = statistics(&measured.running_mean, &measured.running_var);
        assert_near(&got, &[2.0, -1.0, 1.0, 9.0], 1e-6, name);
        for rule in [
            own::Rule::Mean,
            own::Rule::Slower,
            own::Rule::FirstChannel,
            own::Rule::Growing,
        ] {
            let error = run(rule).map(|_| ()).unwrap_err();
            let layer = "0".to_owned();
            assert_eq!(error, Error::UnknownRule { layer }, "{name} {rule:?}");
            assert!(error.to_string().contains("`0` does not mix"), "{error}");
        }
    }
}

#[test]
fn a_layer_of_ones_own_that_reports_is_measured() {
    for (name, device) in training_devices() {
        let model = vec![own::MyNorm::new(own::Rule::Reported, 2, &device)];
        let wide = Tensor::from_floats([[6.0, 5.0]], &device);
        let batches = [pairs(&device), wide];
        let measured = RecalibrationConfig::new().apply(&model, batches, |model, batch| {
            let samples = batch.dims()[0];
            model[0].forward(batch);
            samples
        });
        let measured = measured.unwrap().remove(0);
        let got = statistics(&measured.running_mean, &measured.running_var);
        let [a, b] = [of_all(&[1.0, 3.0, 6.0]), of_all(&[2.0, -4.0, 5.0])];
        assert_near(&got, &[a[0], b[0], a[1], b[1]], 1e-6, name);
    }
}

#[test]
fn a_report_of_other_channels_is_an_error() {
    let device = Device::flex().autodiff();
    let model = vec![own::MyNorm::new(own::Rule::Reported, 2, &device)];
    let result = RecalibrationConfig::new().apply(&model, [()], |model, ()| {
        let one = |value| Tensor::<1>::full([1], value, &device);
        batch_statistics::report(|| BatchStatistics {
            layer: model[0].training.id,
            mean: one(0.0),
            variance: one(1.0),
            count: 4,
        });
        4
    });
    let (layer, expected, got) = ("0".to_owned(), 2, 1);
    let error = result.map(|_| ()).unwrap_err();
    assert_eq!(
        error,
        Error::Channels {
            layer,
            expected,
            got
        }
    );
}

#[test]
fn a_layer_used_twice_is_counted_twice_or_refused() {
    for (name, device) in training_devices() {
        let twice = |batch: Tensor<2>| [batch.clone(), batch * 3.0 + 1.0];
        let config = RecalibrationConfig::new();
        let batches: &[&[f64]] = &[&[1.0, 3.0], &[5.0, 2.0, 7.0]];
        let norm = TorchBatchNormConfig::new(1).init(&device).unwrap();
        let measured = run(&config, &norm, batches, &device, |norm, batch| {
            for batch in twice(batch) {
                norm.forward(batch);
            }
        });
        let measured = measured.unwrap();
        let got = statistics(&measured.running_mean, &measured.running_var);
        let both = [1.0, 3.0, 5.0, 2.0, 7.0].map(|x| [x, 3.0 * x + 1.0]);
        let [mean, variance, _] = of_all(both.as_flattened());
        assert_near(&got, &[mean, variance], 1e-6, name);

        for (uses_twice, momentum) in [(0, 0.1), (1, 0.1), (1, 1.0)] {
            let norm = BatchNormConfig::new(1).with_momentum(momentum);
            let norm = norm.init(&device);
            let seen = std::cell::Cell::new(0);
            // Once sent for each batch, and twice more for the first.
            let result = config.apply(&norm, batches, |norm, batch| {
                let rows = Tensor::<1>::from_data(*batch, (&device, DType::F32));
                let [one, other] = twice(rows.reshape([batch.len(), 1]));
                norm.forward(one);
                if (seen.get() >= 3) == (uses_twice == 1) {
                    norm.forward(other);
                }
                seen.set(seen.get() + 1);
                batch.len()
            });
            let error = result.map(|_| ()).unwrap_err();
            let (layer, batch) = (String::new(), uses_twice);
            assert_eq!(error, Error::UsedTwice { layer, batch }, "{name}");
        }
    }
}

#[test]
fn a_frozen_batch_norm_stays_as_it_is() {
    for (name, device) in training_devices() {
        let norm = BatchNormConfig::new(1).init(&device);
        norm.forward(Tensor::<2>::from_floats([[5.0], [9.0]], &device));
        let frozen = FrozenBatchNorm::from(&norm);
        let held = statistics(&frozen.running_mean, &frozen.running_var);
        let model = (frozen, TorchBatchNormConfig::new(1).init(&device).unwrap());
        let measured = run(
            &RecalibrationConfig::new(),
            &model,
            &[&[1.0, 3.0]],
            &device,
            |model, batch| drop(model.forward(batch)),
        );
        let (frozen, norm) = measured.unwrap();
        let got = statistics(&frozen.running_mean, &frozen.running_var);
        assert_eq!(got, held, "{name}");
        // What the frozen one makes of 1 and 3.
        let [mean, variance, _] =
            of_all(&[1.0, 3.0].map(|x| (x - held[0]) / (held[1] + 1e-5).sqrt()));
        let got = statistics(&norm.running_mean, &norm.running_var);
        assert_near(&got, &[mean, variance], 1e-5, name);
    }
}

#[test]
fn a_reporting_layer_that_does_not_see_a_batch_is_named() {
    let device = Device::flex().autodiff();
    let norm = TorchBatchNormConfig::new(1).init(&device).unwrap();
    for unseen in [0, 1] {
        let result = RecalibrationConfig::new().apply(&norm, [0, 1], |norm, at| {
            let batch = Tensor::<2>::ones([4, 1], &Device::flex());
            norm.forward(if at == unseen {
                batch
            } else {
                Tensor::from_inner(batch)
            });
            4
        });
        let (layer, batch) = (String::new(), unseen);
        let error = result.map(|_| ()).unwrap_err();
        assert_eq!(error, Error::NotReached { layer, batch });
    }
}

/// As the members of an ensemble from checkpoints of one run.
#[test]
fn layers_that_share_their_ids_are_told_apart() {
    for (name, device) in training_devices() {
        let norm = TorchBatchNormConfig::new(1).init(&device).unwrap();
        let model = vec![norm.valid().train(), norm.valid().train()];
        let measured = run(
            &RecalibrationConfig::new(),
            &model,
            &[&[1.0, 3.0]],
            &device,
            |model, batch| {
                model[0].forward(batch.clone());
                model[1].forward(batch * 10.0);
            },
        );
        for (norm, expected) in measured.unwrap().iter().zip([[2.0, 1.0], [20.0, 100.0]]) {
            let got = statistics(&norm.running_mean, &norm.running_var);
            assert_near(&got, &expected, 1e-6, name);
            assert_eq!(norm.training.id, model[0].training.id, "{name}: as it was");
        }
    }
}

/// A network whose layers are of every kind.
#[test]
fn layers_of_every_kind_are_measured_together() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let (dtype, tolerance) = precise(&device);
        let linear = || -> Linear { LinearConfig::new(2, 2).init(&device) };
        let model = (
            linear(),
            BatchNormConfig::new(2).init(&device),
            linear(),
            TorchBatchNormConfig::new(2).init(&device).unwrap(),
            linear(),
            GhostBatchNormConfig::new(2, 100).init(&device).unwrap(),
        );
        let model = crate::norms::cast(model, dtype);
        let batch = grid([9, 2], 0.7, 2.0, (&device, dtype));
        let measured = RecalibrationConfig::new()
            .apply(&model, [batch.clone()], |model, batch| {
                model.forward(batch);
                9
            })
            .unwrap();
        // One batch: in inference each layer then does what it did in training.
        let expected = values(model.valid().train().forward(batch.clone()));
        let got = values(measured.forward(batch.inner()));
        assert_near(&got, &expected, tolerance.max(1e-7), name);
    }
}
