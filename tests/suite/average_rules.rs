//! Averages by rules of one's own: told the learning rate, with a memory, chosen at run time, in the `Learner`.

use crate::devices::devices;
use burn::module::{Module, Param};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor};
use burn_tricks::average::{Average, AverageKind, AverageRule, LawaConfig, Update};
use burn_tricks::prelude::*;
use burn_tricks::train::StepContext;
use std::sync::Arc;

#[derive(Module, Debug)]
struct One {
    weight: Param<Tensor<1>>,
}

fn one(value: f64, device: &Device) -> One {
    One {
        weight: Param::from_tensor(Tensor::from_data([value as f32], device)),
    }
}

fn value(model: &One) -> f64 {
    f64::from(model.weight.val().into_scalar::<f32>())
}

/// Each step counts as the square of its learning rate.
#[derive(Debug, Clone)]
struct RateWeighted;

impl AverageRule for RateWeighted {
    fn kind(&self) -> AverageKind {
        AverageKind::new(1000, "RateWeighted")
    }

    fn memory(&self) -> usize {
        1
    }

    fn keep(&self, update: &Update, memory: &mut [f64]) -> f64 {
        let before = memory[0];
        memory[0] += update.lr.powi(2);
        before / memory[0]
    }
}

fn through_bytes(record: ModuleRecord) -> ModuleRecord {
    ModuleRecord::from_bytes(record.into_bytes().unwrap()).unwrap()
}

#[test]
fn a_rule_weighs_by_the_rate_and_a_resumed_average_remembers() {
    // Irregular, so that a forgotten sum of weights shows.
    let steps: Vec<(f64, f64)> = (1..=12)
        .map(f64::from)
        .map(|n| ((1.7 * n).sin(), 0.01 + 0.3 * (0.9 * n).cos().abs()))
        .collect();
    for (name, device) in devices() {
        let init = || Average::init(RateWeighted, &one(9.0, &device)).unwrap();
        let (mut whole, mut sum, mut mean) = (init(), 0.0, 0.0);
        for (weight, rate) in &steps {
            whole.update_at(&one(*weight, &device), *rate);
            sum += rate * rate;
            mean += (weight - mean) * rate * rate / sum;
            assert!((value(&whole.model()) - mean).abs() < 1e-6, "{name}");
        }
        for at in 0..steps.len() {
            let update = |average: &mut Average<One, RateWeighted>, steps: &[(f64, f64)]| {
                for (weight, rate) in steps {
                    average.update_at(&one(*weight, &device), *rate);
                }
            };
            let mut saved = init();
            update(&mut saved, &steps[..at]);
            let record = through_bytes(saved.to_record());
            let mut resumed = init().load_record(record).unwrap();
            update(&mut resumed, &steps[at..]);
            let (resumed, whole) = (value(&resumed.model()), value(&whole.model()));
            assert_eq!(resumed, whole, "{name}, saved after step {at}");
        }
    }
}

/// Schedule-free learning trains at `y = (1 − β) z + β x`; its average `x` follows from the `y` alone: with the
/// share `c` of the newest `z` in `x`, the share of `y` is `c / (1 − β + c β)`.
#[derive(Debug, Clone)]
struct ScheduleFree {
    beta: f64,
}

impl AverageRule for ScheduleFree {
    fn kind(&self) -> AverageKind {
        AverageKind::new(1001, "ScheduleFree")
    }

    /// The largest rate, and the sum of its squares over the steps.
    fn memory(&self) -> usize {
        2
    }

    fn keep(&self, update: &Update, memory: &mut [f64]) -> f64 {
        memory[0] = memory[0].max(update.lr);
        let weight = memory[0].powi(2);
        memory[1] += weight;
        let c = weight / memory[1];
        1.0 - c / (1.0 - self.beta + c * self.beta)
    }
}

#[test]
fn the_average_of_schedule_free_learning_follows_from_the_trained_weights() {
    let (beta, device) = (0.9, Device::flex());
    // Schedule-free SGD on w², warmed up: Defazio et al., 2024.
    let (mut z, mut x, mut largest, mut sum) = (3.0_f64, 3.0_f64, 0.0_f64, 0.0);
    let mut y = z;
    let mut average = Average::init(ScheduleFree { beta }, &one(y, &device)).unwrap();
    for step in 1..=40 {
        let rate = 0.05 * f64::from(step.min(10)) / 10.0;
        z -= rate * 2.0 * y;
        largest = largest.max(rate);
        sum += largest.powi(2);
        let c = largest.powi(2) / sum;
        x = (1.0 - c) * x + c * z;
        y = (1.0 - beta) * z + beta * x;
        average.update_at(&one(y, &device), rate);
        assert!(
            (value(&average.model()) - x).abs() < 1e-5,
            "step {step}: {} and {x}",
            value(&average.model())
        );
    }
    assert!((x - y).abs() > 1e-3, "the average is not the weights");
}

#[test]
fn a_rule_that_is_chosen_at_run_time_is_that_rule() {
    let device = Device::flex();
    let rules: [(&str, Arc<dyn AverageRule>); 3] = [
        ("Ema", Arc::new(EmaConfig::new(0.9))),
        ("Swa", Arc::new(SwaConfig::new(2))),
        ("Lawa", Arc::new(LawaConfig::new(3, 1))),
    ];
    let mut ema = EmaConfig::new(0.9).init(&one(0.0, &device)).unwrap();
    for (name, rule) in rules {
        assert_eq!(rule.kind().name(), name);
        let mut average = Average::init(rule, &one(0.0, &device)).unwrap();
        for step in 1..=5 {
            let model = one(f64::from(step), &device);
            average.update(&model);
            if name == "Ema" {
                ema.update(&model);
            }
        }
        let expected = match name {
            "Ema" => value(&ema.model()),
            "Swa" => 3.0,
            _ => 4.0,
        };
        assert_eq!(value(&average.model()), expected, "{name}");
        if name == "Ema" {
            let start = EmaConfig::new(0.9).init(&one(0.0, &device)).unwrap();
            let loaded = start.load_record(average.to_record()).unwrap();
            assert_eq!(value(&loaded.model()), expected);
        }
    }
    let refused = Average::init(
        Arc::new(SwaConfig::new(0)) as Arc<dyn AverageRule>,
        &one(0.0, &device),
    );
    assert!(refused.unwrap_err().to_string().contains("update_every"));
}

#[derive(Debug, Clone)]
struct Keeps(f64);

impl AverageRule for Keeps {
    fn kind(&self) -> AverageKind {
        AverageKind::new(1002, "Keeps")
    }

    fn keep(&self, _update: &Update, _memory: &mut [f64]) -> f64 {
        self.0
    }
}

#[test]
#[should_panic(expected = "must lie in [0, 1], `Keeps` said NaN")]
fn a_share_that_is_none_is_refused() {
    let model = one(0.0, &Device::flex());
    let mut average = Average::init(Keeps(f64::NAN), &model).unwrap();
    average.update(&model);
}

#[test]
fn a_record_of_another_rule_is_refused_by_name() {
    let model = one(0.0, &Device::flex());
    let record = Average::init(Keeps(0.5), &model).unwrap().to_record();
    let other = EmaConfig::new(0.5).init(&model).unwrap();
    let error = other.load_record(record).unwrap_err().to_string();
    assert!(error.contains("of kind 1002, expected 1 (Ema)"), "{error}");
    let lawa = LawaConfig::new(2, 1).init(&model).unwrap().to_record();
    let other = EmaConfig::new(0.5).init(&model).unwrap();
    let error = other.load_record(lawa).unwrap_err().to_string();
    assert!(
        error.contains("of kind 3 (Lawa), expected 1 (Ema)"),
        "{error}"
    );
}

#[test]
fn a_rule_of_ones_own_is_a_trick_and_is_told_the_rate() {
    fn is_trick<M: Module, T: Trick<M>>(trick: T) -> T {
        trick
    }
    let model = one(2.0, &Device::flex());
    let mut average = is_trick::<One, _>(Average::init(RateWeighted, &model).unwrap());
    for (step, weight, rate) in [(1, 4.0, 0.1), (2, 8.0, 0.2), (3, -9.0, 0.4)] {
        let step = StepContext::new(step, rate).with_skipped(step == 3);
        let _ = Trick::after(&mut average, one(weight, &Device::flex()), &step);
    }
    let validated = Trick::validated(&average, &model).unwrap();
    let mean = (4.0 * 0.01 + 8.0 * 0.04) / 0.05;
    assert!((value(&validated) - mean).abs() < 1e-6, "{validated:?}");
}
