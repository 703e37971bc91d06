//! The device against `flex`: what a training makes of the weights, what a module makes of a batch, in `f32` and in half
//! precision.
//!
//! A training in half precision is compared with one on `flex` in the same type, since each step rounds the weights. What a
//! module makes in half precision is compared with what `flex` makes of the same rounded weights and inputs in `f32`.

use crate::cases::{Case, Tolerance, every, plain};
use crate::modules::{Alone, Made, Numbers, Place, determined, gradients, random, read};
use crate::problem::{Net, Problem};
use crate::report::{self, Row};
use crate::training::Training;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::FloatDType::{self, BF16, F16, F32};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{BranchScale, ResNetConfig, ResNetVersion};
use burn_tricks_examples::additions::{ADDITIONS, Addition};
use std::collections::{BTreeMap, BTreeSet};

/// Steps of a training that is compared.
const STEPS: usize = 6;
/// In half precision the steps must move the weights by so many times what two devices may differ by.
const MOVED: f64 = 4.0;
/// Of modules in `f32`, whose products of matrices a GPU may compute in fewer digits.
const MODULES: f64 = 5e-3;
/// So many times a number is rounded on its way through a module and back.
const ROUNDINGS: f64 = 32.0;
/// A tensor shorter than this share of the longest is zero but for the rounding of `flex` in `f32`, which is a hundredth of
/// it: such is the gradient of a bias in front of a batch norm.
const ZERO: f64 = 1e-5;
/// As a share of its own length a tensor in half precision may differ by so many times the tolerance, or by so many times
/// what rounding changes on `flex`: on another device other rectifiers jump, and of a tensor of four numbers that changes
/// up to six times as much (seen on software Vulkan).
const OWN: f64 = 2.0;
const MARGIN: f64 = 8.0;
/// But no further than this: a tensor that is zero, or twice what it should be, differs by 1.
const MOST: f64 = 0.9;
/// What losses of networks are multiplied by: without it gradients in `f16` would be too small for that type. A power of two
/// rounds nothing.
const LOSS_SCALE: f32 = 1024.0;
/// Passes of a module that draws random numbers.
const DRAWS: usize = 50;
/// By how much the mean losses of so many passes may differ.
const LOSS_CHANCE: f64 = 0.03;
/// The same of the mean squares of gradients.
const CHANCE: f64 = 0.15;
/// By how much the means of a million random numbers, or of thousands, may differ.
const MEANS: f64 = 0.03;

/// Compares everything, in every type.
pub(crate) fn run(device: &Device) {
    for dtype in [F32, F16, BF16] {
        let name = DType::from(dtype).name();
        if device.supports_dtype(dtype) {
            Compared {
                device,
                dtype,
                name,
            }
            .everything();
        } else {
            let row = Row::new("compare", name, "everything");
            row.not_checked(format!("the device does not calculate in {name}"))
                .send();
        }
    }
}

/// The device that is compared with `flex`, and the type of weights and inputs.
struct Compared<'a> {
    device: &'a Device,
    dtype: FloatDType,
    name: &'a str,
}

impl Compared<'_> {
    fn everything(&self) {
        for case in every() {
            self.row("parabola", case.name, |row| self.with_case(row, &case));
        }
        // In half precision their layers alone, as below: those of a perceptron have rectifiers between them.
        for (name, addition, _) in ADDITIONS.into_iter().filter(|_| self.dtype == F32) {
            self.row("MLP", name, |row| {
                if addition.is_random() {
                    self.with_random(row, addition)
                } else {
                    self.of_problem(row, mlp(addition))
                }
            });
        }
        let plain = ResNetConfig::new(3, 10).with_widths(vec![8, 16]);
        let v2 = plain.clone().with_version(ResNetVersion::V2);
        let re_zero = v2.clone().with_batch_norm(false);
        let layer_scale = BranchScale::LayerScale(0.1);
        for (name, config) in [
            ("ResNet, V1", plain.clone()),
            ("ResNet, V2", v2.clone()),
            ("ReZero", re_zero.with_scale(BranchScale::ReZero)),
            ("LayerScale", v2.with_scale(layer_scale)),
            ("squeeze-and-excitation", plain.with_squeeze_excite(Some(4))),
        ] {
            let problem = || Problem::res_net(&config, [16, 8], &Device::flex());
            self.row("ResNet", name, |row| self.of_problem(row, problem()));
        }
        for alone in determined() {
            self.row("alone", &alone.name, |row| {
                // Its running statistics and those of the batch are of two types.
                if self.dtype != F32 && alone.name.ends_with("Burn's batch norm") {
                    return row.not_checked("Burn's batch norm is not trained in half precision");
                }
                self.alone(row, &alone)
            });
        }
        for alone in random() {
            self.row("alone", &alone.name, |row| {
                self.alone_at_random(row, &alone)
            });
        }
    }

    fn row(&self, on: &str, name: &str, make: impl FnOnce(Row) -> Row) {
        let on = match self.dtype {
            F32 => on.to_owned(),
            _ => format!("{on}, {}", self.name),
        };
        let row = Row::new("compare", &on, name);
        report::send("compare", &on, name, || make(row));
    }

    /// The distance of two neighbouring numbers, as a share of them, at most.
    fn epsilon(&self) -> f64 {
        self.dtype.finfo().epsilon
    }

    /// By how much modules may differ. In half precision each rounding changes a number by half an epsilon at most. A
    /// rectifier passes or stops what is as near to zero as that: so large is the share of the numbers that differ, and the
    /// root of it the length of the difference.
    fn of_modules(&self, jumps: bool) -> f64 {
        let rounded = ROUNDINGS * self.epsilon() / 2.0;
        match self.dtype {
            F32 => MODULES,
            _ if jumps => rounded.sqrt(),
            _ => rounded,
        }
    }

    /// No tensor is compared with less than this share of the longest one: in `f32` to allow for gradients that are zero but
    /// for rounding, such as that of a bias in front of a batch norm; where gradients jump, since that of few numbers may.
    fn of_longest(&self, jumps: bool) -> f64 {
        match self.dtype {
            F32 => 1e-3,
            _ if jumps => 1.0,
            _ => 0.1,
        }
    }

    /// What a module makes on a device, in some type, of numbers that are rounded to the type that is compared.
    fn made(&self, alone: &Alone, device: &Device, dtype: FloatDType) -> Made {
        (alone.run)(&Place {
            device: device.clone(),
            dtype,
            rounded_to: self.dtype,
        })
    }

    /// What a module gives by itself, on both.
    fn alone(&self, row: Row, alone: &Alone) -> Row {
        let flex = &Device::flex();
        let actual = self.made(alone, self.device, self.dtype);
        let expected = self.made(alone, flex, F32);
        match (actual, expected, self.made(alone, flex, self.dtype)) {
            (Ok(actual), Ok(expected), Ok(rounded)) => {
                self.compared(row, &actual, [&expected, &rounded], alone.jumps)
            }
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                row.failed(error.to_string())
            }
        }
    }

    /// The same of what is random.
    fn alone_at_random(&self, row: Row, alone: &Alone) -> Row {
        let actual = self.made(alone, self.device, self.dtype);
        match (actual, self.made(alone, &Device::flex(), F32)) {
            (Ok(actual), Ok(expected)) => {
                let row = within(row, farthest(&actual, &expected, &expected), MEANS);
                by(row, "means and sizes, since it is random")
            }
            (Err(error), _) | (_, Err(error)) => row.failed(error.to_string()),
        }
    }

    /// Tensors that the device makes, against those that `flex` makes in `f32`, and in the type that is compared.
    fn compared(
        &self,
        row: Row,
        actual: &Numbers,
        [expected, rounded]: [&Numbers; 2],
        jumps: bool,
    ) -> Row {
        let tolerance = self.of_modules(jumps);
        let of = at_least_a_share_of_the_largest(expected, self.of_longest(jumps));
        let row = within(row, farthest(actual, expected, &of), tolerance);
        if row.fails() || self.dtype == F32 {
            return row;
        }
        let longest = lengths(expected).fold(0.0, f64::max);
        let mut moved = 0;
        for (at, (actual, expected)) in actual.iter().zip(expected).enumerate() {
            let size = length(expected.iter().copied());
            if size < ZERO * longest {
                continue;
            }
            let off = distance(actual, expected) / size;
            let noise = distance(&rounded[at], expected) / size;
            let allowed = largest_or_nan(OWN * tolerance, MARGIN * noise);
            if allowed > MOST {
                moved += 1;
            } else if off > allowed {
                let by = format!("by {off:.3} of its own length, with {allowed:.3} allowed");
                return row.failed(format!("tensor {at} differs from flex {by}"));
            }
        }
        if moved == 0 {
            return row;
        }
        let all = expected.len();
        let what =
            format!("{moved} of {all} tensors as shares of the longest alone: rounding moves them");
        by(row, &what)
    }

    /// Some steps with a trick, on both.
    fn with_case(&self, row: Row, case: &Case) -> Row {
        let problem = |device: &Device| Problem::parabola(self.dtype, device);
        let flex = &Device::flex();
        let begin = numbers(&problem(flex).net);
        let changes = |case: &Case, device: &Device| {
            let mut training = Training::new(case, problem(device));
            training.steps(STEPS);
            let (net, validated) = training.nets();
            let mut changes = minus(&numbers(net), &begin);
            if let Some(validated) = validated {
                changes.extend(minus(&numbers(&validated), &begin));
            }
            changes
        };
        let (expected, actual) = (changes(case, flex), changes(case, self.device));
        let changes_without = |device: &Device| changes(&plain(), device);
        match case.tolerance {
            Tolerance::Update(share) if self.dtype == F32 => {
                within(row, farthest(&actual, &expected, &expected), share)
            }
            Tolerance::Update(_) => {
                // A step rounds each weight to one of two neighbours, which are an epsilon apart at most: not always to the
                // same one where the devices differ before that, however little.
                let share = STEPS as f64 * self.epsilon();
                let weights: Vec<_> = begin.iter().cycle().take(expected.len()).cloned().collect();
                let moved = farthest(&minus(&expected, &expected), &expected, &weights);
                let row = within(row, farthest(&actual, &expected, &weights), share);
                if moved < MOVED * share {
                    return row.failed(format!("the steps move the weights by {moved:.4} alone"));
                }
                by(row, "as a share of the weights")
            }
            Tolerance::Size(share) => {
                // Of the random part alone: the gradients would hide it.
                let size = |changes: &[Vec<f64>], device: &Device| {
                    let random = minus(changes, &changes_without(device));
                    length(random.into_iter().flatten())
                };
                let (actual, expected) = (size(&actual, self.device), size(&expected, flex));
                let row = within(row, (actual / expected - 1.0).abs(), share);
                by(row, "the size of the random part")
            }
        }
    }

    /// Loss and gradients, on both, of a network that is on `flex`.
    fn of_problem(&self, row: Row, problem: Problem) -> Row {
        let here = problem.cast(self.dtype).cast(F32);
        let (loss, expected) = loss_and_gradients(&here);
        let here = here.cast(self.dtype);
        let (loss_there, actual) = loss_and_gradients(&here.fork(self.device));
        let (_, rounded) = loss_and_gradients(&here);
        let (paths, expected): (Vec<_>, Vec<_>) = expected.into_iter().unzip();
        let (paths_there, actual): (Vec<_>, Vec<_>) = actual.into_iter().unzip();
        if let Some(missing) = missing(&paths_there, &paths) {
            return row.failed(missing);
        }
        let rounded: Numbers = rounded.into_iter().map(|(_, grad)| grad).collect();
        let off = (loss_there / loss - 1.0).abs();
        let row = within(row, off, self.of_modules(true));
        if row.fails() {
            return by(row, "the loss");
        }
        self.compared(row, &actual, [&expected, &rounded], true)
    }

    /// A multi-layer perceptron with a module that draws masks, which differ, on both. The means of many passes do not, but
    /// for chance: of the loss, and of the squared length of each gradient, which grows with the squares of the factors.
    fn with_random(&self, row: Row, addition: Addition) -> Row {
        let here = mlp(addition);
        let there = here.fork(self.device);
        Device::flex().seed(1);
        self.device.seed(1);
        let sums = |problem: &Problem| {
            let (mut losses, mut squares) = (0.0, BTreeMap::<String, f64>::new());
            for _ in 0..DRAWS {
                let (loss, grads) = loss_and_gradients(problem);
                losses += loss;
                for (path, grad) in grads {
                    *squares.entry(path).or_default() += length(grad.into_iter()).powi(2);
                }
            }
            (losses, squares)
        };
        let ((loss, expected), (loss_there, actual)) = (sums(&here), sums(&there));
        if let Some(missing) = missing(actual.keys(), expected.keys()) {
            return row.failed(missing);
        }
        let off = |actual: f64, expected: f64| (actual / expected - 1.0).abs();
        let row = within(row, off(loss_there, loss), LOSS_CHANCE);
        if row.fails() {
            return by(row, "the mean loss of some passes, since it is random");
        }
        let pairs = actual.into_values().zip(expected.into_values());
        let errors = pairs.map(|(actual, expected)| off(actual, expected));
        let row = within(row, errors.fold(0.0, largest_or_nan), CHANCE);
        by(row, "mean squares of the gradients, since it is random")
    }
}

/// A multi-layer perceptron with a module, on `flex`.
fn mlp(addition: Addition) -> Problem {
    Problem::mlp(Some(addition), [64, 20, 64], &Device::flex())
}

/// The numbers of every parameter.
fn numbers(net: &Net) -> Vec<Vec<f64>> {
    struct Read(Vec<Vec<f64>>);
    impl ModuleVisitor for Read {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(read(param.val()));
        }
    }
    let mut read = Read(Vec::new());
    net.visit(&mut read);
    read.0
}

fn length(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.map(|number| number * number).sum::<f64>().sqrt()
}

fn lengths(tensors: &[Vec<f64>]) -> impl Iterator<Item = f64> {
    tensors.iter().map(|tensor| length(tensor.iter().copied()))
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    length(a.iter().zip(b).map(|(a, b)| a - b))
}

/// The largest difference of two tensors of a list, as a share of the length of `of`. NaN counts as infinitely far.
fn farthest(actual: &[Vec<f64>], expected: &[Vec<f64>], of: &[Vec<f64>]) -> f64 {
    if actual.len() != expected.len() {
        return f64::INFINITY;
    }
    let error = |((actual, expected), of): ((&Vec<f64>, &Vec<f64>), &Vec<f64>)| {
        let size = length(of.iter().copied());
        let off = distance(actual, expected);
        match off / size {
            _ if actual.len() != expected.len() => f64::INFINITY,
            _ if off == 0.0 => 0.0,
            share if share.is_nan() => f64::INFINITY,
            share => share,
        }
    };
    let pairs = actual.iter().zip(expected).zip(of);
    pairs.map(error).fold(0.0, f64::max)
}

fn minus(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let of_tensor = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a - b).collect();
    a.iter().zip(b).map(of_tensor).collect()
}

fn within(row: Row, error: f64, tolerance: f64) -> Row {
    let row = Row {
        error: Some(error),
        tolerance: Some(tolerance),
        ..row
    };
    if error <= tolerance {
        row
    } else {
        row.failed("the device differs from flex")
    }
}

/// The same, saying by what was compared.
fn by(row: Row, what: &str) -> Row {
    let note = if row.fails() {
        format!("{}: {what}", row.note)
    } else {
        what.to_owned()
    };
    Row { note, ..row }
}

/// The larger number; NaN counts as infinite.
fn largest_or_nan(a: f64, b: f64) -> f64 {
    if b.is_nan() { f64::INFINITY } else { a.max(b) }
}

/// Says which parameters have a gradient on one of the two alone.
fn missing<'a>(
    there: impl IntoIterator<Item = &'a String>,
    here: impl IntoIterator<Item = &'a String>,
) -> Option<String> {
    let [there, here] = [BTreeSet::from_iter(there), BTreeSet::from_iter(here)];
    let alone: Vec<&str> = (there.symmetric_difference(&here))
        .map(|path| path.as_str())
        .collect();
    let text = || format!("the device or flex has no gradient of {}", alone.join(", "));
    (!alone.is_empty()).then(text)
}

/// The loss, and the gradient of every parameter by its path, times [`LOSS_SCALE`].
fn loss_and_gradients(problem: &Problem) -> (f64, Vec<(String, Vec<f64>)>) {
    let loss = problem.loss(&problem.net);
    let value = f64::from(loss.clone().into_scalar::<f32>());
    let grads = (loss * LOSS_SCALE).backward();
    let grads = GradientsParams::from_grads(grads, &problem.net);
    (value, gradients(&problem.net, &grads))
}

/// The length of each tensor, but no less than a share of the largest.
fn at_least_a_share_of_the_largest(tensors: &[Vec<f64>], share: f64) -> Numbers {
    let largest = lengths(tensors).fold(0.0, f64::max);
    lengths(tensors)
        .map(|length| vec![length.max(largest * share)])
        .collect()
}
