//! The device against `flex`: what a training makes of the weights, what a module makes of a batch.

use crate::cases::{Case, Tolerance, every, in_half, plain};
use crate::modules::{MODULES as ALONE, Numbers, OnDevice, gradients, random, read};
use crate::problem::{Net, Problem};
use crate::report::{self, Row};
use crate::training::Training;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, FloatDType, Tensor};
use burn_tricks::nn::{BranchScale, ResNetConfig, ResNetVersion};
use burn_tricks_examples::additions::{ADDITIONS, Addition};

/// Steps of a training that is compared.
const STEPS: usize = 6;
/// Of modules, whose products of matrices a GPU may compute in fewer digits.
const MODULES: f64 = 5e-3;
/// Passes of a module that draws random numbers.
const DRAWS: usize = 50;
/// By how much the mean losses of so many passes may differ.
const LOSS_CHANCE: f64 = 0.03;
/// The same of the mean squares of gradients.
const CHANCE: f64 = 0.15;
/// By how much the means of a million random numbers, or of thousands, may differ.
const MEANS: f64 = 0.03;
/// Of steps of half-precision weights, which may be rounded to one of two neighbours.
const HALF: Tolerance = Tolerance::Update(1e-3);

/// Compares everything.
pub(crate) fn run(device: &Device) {
    for case in every() {
        row("parabola", case.name, || {
            with_case(&case, &Problem::parabola, device)
        });
    }
    for case in in_half() {
        let case = case.tolerance(HALF);
        row("half precision", case.name, || with_half(&case, device));
    }
    for (name, addition, _) in ADDITIONS {
        row("MLP", name, || with_addition(name, addition, device));
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
        row("ResNet", name, || {
            let here = Problem::res_net(&config, [16, 8], &Device::flex());
            let row = Row::new("compare", "ResNet", name);
            of_module(row, &here, &here.fork(device))
        });
    }
    for (name, run) in ALONE {
        row("alone", name, || alone(name, &run, MODULES, device));
    }
    for (name, run) in random() {
        row("alone", &name, || {
            let row = alone(&name, &run, MEANS, device);
            by(row, "means and sizes, since it is random")
        });
    }
}

fn row(on: &str, name: &str, make: impl FnOnce() -> Row) {
    report::send("compare", on, name, make);
}

/// What a module gives by itself, on both.
fn alone(name: &str, run: &OnDevice, tolerance: f64, device: &Device) -> Row {
    let row = Row::new("compare", "alone", name);
    match (run(device), run(&Device::flex())) {
        (Ok(actual), Ok(expected)) => {
            let of = at_least_a_share_of_the_largest(&expected);
            within(row, farthest(&actual, &expected, &of), tolerance)
        }
        (Err(error), _) | (_, Err(error)) => row.failed(error.to_string()),
    }
}

/// Some steps with weights in half precision, on both.
fn with_half(case: &Case, device: &Device) -> Row {
    if !device.supports_dtype(DType::F16) {
        let row = Row::new("compare", "half precision", case.name);
        return by(row, "not compared: the device has no `f16`");
    }
    let problem = |device: &Device| Problem::parabola_in(FloatDType::F16, device);
    let row = with_case(case, &problem, device);
    Row {
        on: "half precision".to_owned(),
        ..row
    }
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

/// The largest difference of two tensors of a list, as a share of the length of `of`. NaN counts as infinitely far.
fn farthest(actual: &[Vec<f64>], expected: &[Vec<f64>], of: &[Vec<f64>]) -> f64 {
    if actual.len() != expected.len() {
        return f64::INFINITY;
    }
    let error = |((actual, expected), of): ((&Vec<f64>, &Vec<f64>), &Vec<f64>)| {
        let size = length(of.iter().copied());
        let off = length(actual.iter().zip(expected).map(|(a, e)| a - e));
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
    let note = if row.ok {
        what.to_owned()
    } else {
        format!("{}: {what}", row.note)
    };
    Row { note, ..row }
}

/// Some steps with a trick, on both.
fn with_case(case: &Case, problem: &dyn Fn(&Device) -> Problem, device: &Device) -> Row {
    let row = Row::new("compare", "parabola", case.name);
    let begin = numbers(&problem(&Device::flex()).net);
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
    let flex = Device::flex();
    let (expected, actual) = (changes(case, &flex), changes(case, device));
    let changes_without = |device: &Device| changes(&plain(), device);
    match case.tolerance {
        Tolerance::Update(share) => within(row, farthest(&actual, &expected, &expected), share),
        Tolerance::Size(share) => {
            // Of the random part alone: the gradients would hide it.
            let size = |changes: &[Vec<f64>], device: &Device| {
                let random = minus(changes, &changes_without(device));
                length(random.into_iter().flatten())
            };
            let (actual, expected) = (size(&actual, device), size(&expected, &flex));
            let row = within(row, (actual / expected - 1.0).abs(), share);
            by(row, "the size of the random part")
        }
    }
}

/// A multi-layer perceptron with a module, on both.
fn with_addition(name: &str, addition: Addition, device: &Device) -> Row {
    let here = Problem::mlp(Some(addition), [64, 20, 64], &Device::flex());
    let there = here.fork(device);
    let row = Row::new("compare", "MLP", name);
    if !addition.is_random() {
        return of_module(row, &here, &there);
    }
    // The masks differ. The means of many passes do not, but for chance: of the loss, and of the squared length of each
    // gradient, which grows with the squares of the factors.
    Device::flex().seed(1);
    device.seed(1);
    let sums = |problem: &Problem| {
        let mut sums = Vec::new();
        for _ in 0..DRAWS {
            let (loss, grads) = loss_and_gradients(problem);
            let squares = grads
                .iter()
                .map(|grad| length(grad.iter().copied()).powi(2));
            sums.resize(grads.len() + 1, 0.0);
            let all = [loss].into_iter().chain(squares);
            sums.iter_mut().zip(all).for_each(|(sum, one)| *sum += one);
        }
        sums
    };
    let pairs = sums(&here).into_iter().zip(sums(&there));
    let mut errors = pairs.map(|(expected, actual)| (actual / expected - 1.0).abs());
    let of_loss = errors.next().unwrap_or(f64::NAN);
    let row = within(row, of_loss, LOSS_CHANCE);
    if !row.ok {
        return by(row, "the mean loss of some passes, since it is random");
    }
    let row = within(row, errors.fold(0.0, largest_or_nan), CHANCE);
    by(row, "mean squares of the gradients, since it is random")
}

/// The larger number; NaN counts as infinite.
fn largest_or_nan(a: f64, b: f64) -> f64 {
    if b.is_nan() { f64::INFINITY } else { a.max(b) }
}

/// The loss, and the gradient of every parameter.
fn loss_and_gradients(problem: &Problem) -> (f64, Vec<Vec<f64>>) {
    let loss = problem.loss(&problem.net);
    let value = f64::from(loss.clone().into_scalar::<f32>());
    let grads = GradientsParams::from_grads(loss.backward(), &problem.net);
    (value, gradients(&problem.net, &grads))
}

/// Loss and gradients, on both.
fn of_module(row: Row, here: &Problem, there: &Problem) -> Row {
    let all = |problem: &Problem| {
        let (loss, mut all) = loss_and_gradients(problem);
        all.push(vec![loss]);
        all
    };
    let (expected, actual) = (all(here), all(there));
    let of = at_least_a_share_of_the_largest(&expected);
    within(row, farthest(&actual, &expected, &of), MODULES)
}

/// The length of each tensor, but no less than a thousandth of the largest: a gradient that is zero but for rounding,
/// such as that of a bias in front of a batch norm, is compared with that.
fn at_least_a_share_of_the_largest(tensors: &[Vec<f64>]) -> Numbers {
    let lengths = || tensors.iter().map(|tensor| length(tensor.iter().copied()));
    let largest = lengths().fold(0.0, f64::max);
    lengths()
        .map(|length| vec![length.max(largest * 1e-3)])
        .collect()
}
