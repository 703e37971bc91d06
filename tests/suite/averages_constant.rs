//! What does not change stays as it is in every average, and what changes is as near to f64 as a lerp.

use crate::devices::devices;
use crate::models::{dtypes, values};
use crate::oracle::worst;
use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_tricks::average::{
    Buffers, Combine, Ema, EmaConfig, EmaSet, EmaWarmup, EnsembleConfig, GreedySoupConfig,
    LawaConfig, Predict, SwaConfig, SwagConfig, average_checkpoints, uniform_soup,
};
use burn_tricks::{Goal, Snapshot};

#[derive(Module, Debug)]
struct Weights {
    weight: Param<Tensor<1>>,
}

impl Weights {
    fn of(weight: &[f64], dtype: DType, device: &Device) -> Self {
        let weight = Tensor::from_data(TensorData::from(weight), (device, dtype));
        let weight = Param::from_tensor(weight);
        Self { weight }
    }

    fn bits(&self) -> Vec<u64> {
        let values = values(self.weight.val());
        values.into_iter().map(f64::to_bits).collect()
    }
}

impl Predict for Weights {
    type Input = ();

    fn predict(&self, (): ()) -> Tensor<2> {
        self.weight.val().unsqueeze()
    }
}

/// Numbers whose products with a share are not exact, and those that an operation could lose.
fn constant() -> Vec<f64> {
    let mut weights: Vec<f64> = (1..40)
        .map(|i| (f64::from(i) * 0.731).sin() * 0.3)
        .collect();
    weights.extend([0.0, -0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, 3e4]);
    weights
}

#[test]
fn constant_weights_stay_to_the_bit_in_every_average() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            let what = format!("{name} {dtype:?}");
            let model = Weights::of(&constant(), dtype, &device);
            let expected = model.bits();
            let check = |got: &Weights, which: &str| {
                assert_eq!(got.bits(), expected, "{what}: {which}");
            };
            for decay in [0.1, 0.9, 0.999, 0.9999, 0.99999] {
                for warmup in [
                    EmaWarmup::None,
                    EmaWarmup::FirstUpdateCopies,
                    EmaWarmup::TensorFlow,
                    EmaWarmup::BiasCorrected,
                ] {
                    let config = EmaConfig::new(decay).with_warmup(warmup);
                    let mut ema = config.init(&model).unwrap();
                    for _ in 0..100 {
                        ema.update(&model);
                    }
                    check(&ema.model(), &format!("EMA {decay} {warmup:?}"));
                    check(&ema.restore_into(&model).unwrap(), "restored EMA");
                }
            }
            let mut set = EmaSet::init(&[0.9, 0.99].map(EmaConfig::new), &model).unwrap();
            let mut swa = SwaConfig::new(1).init(&model).unwrap();
            let mut lawa = LawaConfig::new(11, 1).init(&model).unwrap();
            let mut swag = SwagConfig::new(1).init(&model).unwrap();
            for _ in 0..200 {
                set.update(&model);
                swa.update(&model);
                lawa.update(&model);
                swag.update(&model);
            }
            for ema in set.iter() {
                check(&ema.model(), "EMA of a set");
            }
            check(&swa.model(), "SWA");
            check(&lawa.model(), "LAWA");
            check(&swag.model(), "SWAG");
            check(&swag.sample(1), "a sample of SWAG");
            let models = vec![model.clone(); 7];
            check(&uniform_soup(&models).unwrap(), "uniform soup");
            let greedy = GreedySoupConfig::new(Goal::Maximize);
            let greedy = greedy.select(&models, |_| 1.0).unwrap();
            assert_eq!(greedy.ingredients.len(), 7);
            check(&greedy.model, "greedy soup");
            let mut snapshot = Snapshot::new(&model);
            for share in [0.0, 0.3, 0.7, 1.0] {
                snapshot.lerp(&model, share, Buffers::Average).unwrap();
                check(&snapshot.model(), "snapshot");
            }
            let directory = tempfile::tempdir().unwrap();
            let files: Vec<_> = (0..7)
                .map(|i| directory.path().join(format!("{i}.bpk")))
                .collect();
            for file in &files {
                model.clone().save_file(file).unwrap();
            }
            check(
                &average_checkpoints(model.clone(), &files).unwrap(),
                "files",
            );
        }
    }
}

#[test]
fn members_that_agree_are_their_ensemble() {
    for (name, device) in devices() {
        for count in [2, 3, 7, 10] {
            let logits = [
                vec![1e4, 0.0, -1e4],
                vec![0.3, 0.1, -0.7],
                vec![0.1, f64::NEG_INFINITY, 0.2],
            ];
            for logits in logits {
                let members: Vec<_> = (0..count)
                    .map(|_| Weights::of(&logits, DType::F32, &device))
                    .collect();
                let weights: Vec<f64> = (1..=count).map(|k| f64::from(k) * 0.1).collect();
                for weights in [None, Some(weights)] {
                    for combine in [
                        Combine::MeanProbabilities,
                        Combine::MeanLogits,
                        Combine::MajorityVote,
                    ] {
                        let config = EnsembleConfig::new()
                            .with_combine(combine)
                            .with_weights(weights.clone());
                        let one = EnsembleConfig::new().with_combine(combine);
                        let one = one.init(members[..1].to_vec()).unwrap().predict(());
                        let all = config.init(members.clone()).unwrap().predict(());
                        let what = format!("{name} {count} {combine:?} {weights:?}");
                        assert_eq!(values(all), values(one), "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_ensemble_is_its_weighted_mean() {
    for (name, device) in devices() {
        let member = |logits: [f64; 2]| Weights::of(&logits, DType::F32, &device);
        let members = vec![
            member([f64::NAN, 1.0]), // of weight 0: not asked
            member([1.0, -2.0]),
            member([4.0, 0.5]),
            member([-3.0, 1.0]),
        ];
        let config = EnsembleConfig::new().with_weights(Some(vec![0.0, 1.0, 5.0, 2.0]));
        let of = |combine| {
            let config = config.clone().with_combine(combine);
            values(config.init(members.clone()).unwrap().predict(()))
        };
        let near = |got: Vec<f64>, expected: [f64; 2]| {
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() < 1e-6, "{name}: {got} {expected}");
            }
        };
        near(of(Combine::MeanLogits), [15.0 / 8.0, 2.5 / 8.0]);
        near(of(Combine::MajorityVote), [6.0 / 8.0, 2.0 / 8.0]);
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        let p = (logistic(3.0) + 5.0 * logistic(3.5) + 2.0 * logistic(-4.0)) / 8.0;
        near(of(Combine::MeanProbabilities), [p, 1.0 - p]);
    }
}

#[test]
fn both_members_of_an_ensemble_have_a_gradient_where_they_agree() {
    let device = Device::flex().autodiff();
    let members = vec![Weights::of(&[0.5, -1.0], DType::F32, &device); 2];
    let config = EnsembleConfig::new().with_combine(Combine::MeanLogits);
    let members = members.into_iter().map(|member| Weights {
        weight: Param::from_tensor(member.weight.val().detach()),
    });
    let ensemble = config.init(members.collect()).unwrap();
    let grads = ensemble.predict(()).sum().backward();
    for member in ensemble.members() {
        let grad = member.weight.val().grad(&grads).unwrap();
        assert_eq!(values(grad), [0.5, 0.5]);
    }
}

/// Weights around ±0.3 that wander, the same in f32 and f64.
fn wandering(step: usize) -> Vec<f64> {
    let at = |i: usize| {
        let sign = if i & 1 == 0 { 0.3 } else { -0.3 };
        let (i, step) = (i as f64, step as f64);
        f64::from((sign + 0.05 * (step * 0.37 + i * 1.7).sin()) as f32)
    };
    (0..16).map(at).collect()
}

fn error(got: &Weights, expected: &[f64]) -> f64 {
    worst(&values(got.weight.val()), expected, |_| 1.0)
}

#[test]
fn no_average_is_further_from_f64_than_a_lerp() {
    let device = Device::flex();
    const STEPS: usize = 9999;
    let model = |step| Weights::of(&wandering(step), DType::F32, &device);
    let decays = [0.9, 0.999, 0.9999];
    let mut emas: Vec<Ema<Weights>> = decays
        .map(|decay| EmaConfig::new(decay).with_warmup(EmaWarmup::None))
        .map(|config| config.init(&model(0)).unwrap())
        .into();
    let mut swa = SwaConfig::new(1).init(&model(0)).unwrap();
    let mut exact = vec![wandering(0); 4];
    let mut lerps: Vec<Vec<f32>> = vec![wandering(0).iter().map(|w| *w as f32).collect(); 4];
    for step in 1..=STEPS {
        let model = model(step);
        emas.iter_mut().for_each(|ema| ema.update(&model));
        swa.update(&model);
        for k in 0..4 {
            let share = match decays.get(k) {
                Some(decay) => 1.0 - decay,
                None => 1.0 / step as f64,
            };
            for (i, weight) in wandering(step).into_iter().enumerate() {
                exact[k][i] += (weight - exact[k][i]) * share;
                lerps[k][i] += (weight as f32 - lerps[k][i]) * share as f32;
            }
        }
    }
    let averages = emas.iter().map(Ema::model).chain([swa.model()]);
    for (k, average) in averages.enumerate() {
        let ours = error(&average, &exact[k]);
        let lerp: Vec<f64> = lerps[k].iter().map(|w| f64::from(*w)).collect();
        let lerp = worst(&lerp, &exact[k], |_| 1.0);
        assert!(ours <= lerp, "{k}: {ours:e}, a lerp {lerp:e}");
        assert!(ours < 1e-5, "{k}: {ours:e}");
    }
}
