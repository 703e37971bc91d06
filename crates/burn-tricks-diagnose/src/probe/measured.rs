//! What a probe measured, on the device.

use crate::history::norm::NormHistory;
use crate::history::probe::{ProbeHistory, ProbeStep};
use crate::numbers::{Said, read, said};
use burn::tensor::{FloatDType, Tensor};
use burn_tricks_kernels::{summary, unit_ranges};
use std::collections::VecDeque;

/// How many recorded batches say whether a unit is dead.
const WINDOW: usize = 8;

/// The most recorded steps of a probe; beyond, every second one is dropped.
const MOST: usize = 400;

/// Steps at the beginning that are never dropped.
const DENSE: usize = 20;

/// One pass through a probe.
#[derive(Debug)]
pub(crate) struct Passed {
    step: usize,
    values: Tensor<1>,
    gradient: Option<Tensor<1>>,
}

/// The smallest and the largest activation of each unit in one batch, and the inputs of the batch.
#[derive(Debug)]
struct Extremes {
    min: Tensor<1>,
    max: Tensor<1>,
    inputs: usize,
}

/// What goes into a norm layer, for each unit.
#[derive(Debug)]
struct NormInput {
    step: usize,
    mean: Tensor<1>,
    variance: Tensor<1>,
    /// The numbers of a unit.
    values: usize,
}

/// What was measured under one name.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    /// The input of the norm layer of this name, in the last recorded step.
    norm: Option<NormInput>,
    /// That of the recorded step before, in case the last one is forgotten.
    norm_before: Option<NormInput>,
    passed: Vec<Passed>,
    extremes: VecDeque<Extremes>,
}

impl Measured {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            norm: None,
            norm_before: None,
            passed: Vec::new(),
            extremes: VecDeque::new(),
        }
    }

    /// Measures activations that autodiff does not track.
    pub(crate) fn values<const D: usize>(&mut self, step: usize, values: Tensor<D>) {
        let values = values.cast(FloatDType::F32);
        if self.passed.len() > MOST {
            let mut at = 0;
            self.passed.retain(|_| {
                at += 1;
                at <= DENSE || at % 2 == 0
            });
        }
        self.passed.push(Passed {
            step,
            values: summary(&values),
            gradient: None,
        });
        if self.extremes.len() == WINDOW {
            self.extremes.pop_front();
        }
        let inputs = values.dims()[0];
        // Units are counted by the last axis, or by the second one from four dimensions on, as in images.
        let axis = if D >= 4 { 1 } else { D - 1 };
        let [min, max] = unit_ranges(&values, axis);
        // Units of another number cannot be compared.
        if self
            .extremes
            .back()
            .is_some_and(|last| last.min.dims() != min.dims())
        {
            self.extremes.clear();
        }
        self.extremes.push_back(Extremes { min, max, inputs });
    }

    /// Forgets what passed in this step.
    pub(crate) fn forget(&mut self, step: usize) {
        while self.passed.pop_if(|passed| passed.step == step).is_some() {
            self.extremes.pop_back();
        }
        if self.norm.as_ref().is_some_and(|norm| norm.step == step) {
            self.norm = self.norm_before.take();
        }
    }

    /// Whether nothing has passed.
    pub(crate) fn is_empty(&self) -> bool {
        self.passed.is_empty()
    }

    /// Measures the input of a norm layer: mean and variance of each unit, with divisor n as Burn's batch norm.
    pub(crate) fn norm<const D: usize>(&mut self, step: usize, input: Tensor<D>) {
        let axis = norm_axis::<D>();
        let mean_of = |values: Tensor<D>| {
            let reduced = (0..D)
                .filter(|dim| *dim != axis)
                .fold(values, Tensor::mean_dim);
            let units = reduced.dims()[axis];
            (reduced.clone(), reduced.reshape([units]))
        };
        let input = input.cast(FloatDType::F32);
        let values = input.dims().iter().product::<usize>() / input.dims()[axis];
        let (wide, mean) = mean_of(input.clone());
        let (_, variance) = mean_of((input - wide).square());
        let before = self.norm.replace(NormInput {
            step,
            mean,
            variance,
            values,
        });
        if before.as_ref().is_some_and(|before| before.step != step) {
            self.norm_before = before;
        }
    }

    /// The input of the norm layer against `running` statistics: mean and variance. Waits for the device.
    pub(crate) fn norm_history(&self, running: Option<[Vec<f64>; 2]>) -> Option<NormHistory> {
        let norm = self.norm.as_ref()?;
        let (mean, variance) = (read(&norm.mean), read(&norm.variance));
        let running = running
            .as_ref()
            .map(|both| both.each_ref().map(Vec::as_slice));
        let batch = [mean.as_slice(), &variance];
        Some(NormHistory::of(
            &self.name,
            norm.step,
            norm.values,
            batch,
            running,
        ))
    }

    pub(crate) fn gradient(&mut self, step: usize, numbers: Tensor<1>) {
        if let Some(passed) = self.passed.last_mut().filter(|passed| passed.step == step) {
            passed.gradient = Some(numbers);
        }
    }

    /// Waits for the device.
    pub(crate) fn history(&self) -> ProbeHistory {
        let steps = self.passed.iter().map(Passed::history).collect();
        let (mut low, mut high): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for of in &self.extremes {
            let (min, max) = (read(&of.min), read(&of.max));
            if low.is_empty() {
                (low, high) = (min, max);
                continue;
            }
            low.iter_mut()
                .zip(min)
                .for_each(|(low, min)| *low = unless_nan(*low, min, f64::min));
            high.iter_mut()
                .zip(max)
                .for_each(|(high, max)| *high = unless_nan(*high, max, f64::max));
        }
        let both = || low.iter().zip(&high);
        ProbeHistory {
            name: self.name.clone(),
            units: low.len(),
            dead_units: both()
                .filter(|(low, high)| **low == 0.0 && **high == 0.0)
                .count(),
            constant_units: both().filter(|(low, high)| low == high).count(),
            inputs: self.extremes.iter().map(|of| of.inputs).sum(),
            steps,
        }
    }
}

/// The extreme of two batches, NaN if one of them has it: `f64::min` and `f64::max` would leave it out.
fn unless_nan(one: f64, other: f64, extreme: fn(f64, f64) -> f64) -> f64 {
    if one.is_nan() || other.is_nan() {
        f64::NAN
    } else {
        extreme(one, other)
    }
}

impl Passed {
    fn history(&self) -> ProbeStep {
        let values = read(&self.values);
        let value = |said: Said| values[said as usize];
        let gradient = self.gradient.as_ref().map(read);
        let gradient = |at: usize| gradient.as_ref().map(|numbers| numbers[at]);
        ProbeStep {
            step: self.step,
            mean: value(Said::Mean),
            deviation: value(Said::Deviation),
            min: value(Said::Smallest),
            max: value(Said::Largest),
            zeros: value(Said::Zeros),
            non_finite: value(Said::NonFinite),
            beyond_one: value(Said::BeyondOne),
            near_zero: value(Said::NearZero),
            gradient: gradient(0),
            gradient_zeros: gradient(1),
            gradient_non_finite: gradient(2),
        }
    }
}

/// Norm, share of zeros and share of numbers that are not finite of a gradient.
pub(crate) fn gradient_numbers<const D: usize>(gradient: Tensor<D>) -> Tensor<1> {
    let which = [Said::Norm, Said::Zeros, Said::NonFinite];
    Tensor::cat(said(&gradient, &which), 0)
}

/// The axis that counts the units of a batch norm: the second one.
fn norm_axis<const D: usize>() -> usize {
    1.min(D - 1)
}
