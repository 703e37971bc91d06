//! The laws of optimizers: properties that every optimizer should have.

use crate::report::{Report, same};
use crate::weights::{Noise, Weights, dtypes, read, tensor};
use burn::module::ParamGroup;
use burn::optim::{GradientsParams, ModuleOptimizer, Optimizer, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use std::cell::OnceCell;

/// Steps of a run that is saved and resumed at each of them.
const STEPS: u64 = 6;

/// The laws of an [`Optimizer`]:
///
/// - it keeps shape, element type and device of tensors of rank 1 to 4, in every float type of the device;
/// - two runs with the same inputs give the same numbers, to the last bit;
/// - it can be resumed after every step from the bytes of its record, to the last bit;
/// - a clone is independent of the original;
/// - it does not change parameters without a gradient, which Burn gives to no optimizer;
/// - it steps a tied parameter as it would at one place, and does not write to the tensor of its other place;
/// - it can be the optimizer of a parameter group;
/// - it stays finite where gradients are zero, whether the weights are zero as well or not;
/// - it moves its state to a device, which is the one that it is on: nothing is lost on the way;
/// - it finds the minimum of a parabola, if [`descends`](Self::descends) gives a learning rate;
/// - it takes the same steps as another optimizer, if [`equals`](Self::equals) names one; this is meant for a
///   wrapper with neutral settings.
///
/// ```
/// use burn::optim::SgdConfig;
/// use burn::tensor::Device;
/// use burn_tricks_testkit::OptimizerLaws;
///
/// OptimizerLaws::new("SGD", || SgdConfig::new().build(), &Device::flex())
///     .descends(0.05, 200)
///     .check()
///     .assert();
/// ```
#[derive(Debug)]
pub struct OptimizerLaws<F> {
    name: String,
    build: F,
    device: Device,
    descends: Option<(f64, u32)>,
    equals: Vec<(String, Vec<f64>)>,
    /// The numbers of the run without an interruption, with which most laws compare others.
    whole: OnceCell<Vec<f64>>,
}

impl<O: Optimizer, F: Fn() -> O> OptimizerLaws<F> {
    /// The laws of the optimizer that `build` makes. They are checked on `device`, which is given without
    /// autodiff.
    pub fn new(name: impl Into<String>, build: F, device: &Device) -> Self {
        Self {
            name: name.into(),
            build,
            device: device.clone().without_autodiff(),
            descends: None,
            equals: Vec::new(),
            whole: OnceCell::new(),
        }
    }

    /// Adds the law that the optimizer reduces `Σ wᵢ²` of weights in (-1, 1) to a hundredth of its first value
    /// or less, with a learning rate that falls linearly from `lr` to 0 over `steps` steps.
    pub fn descends(mut self, lr: f64, steps: u32) -> Self {
        self.descends = Some((lr, steps));
        self
    }

    /// Adds the law that the optimizer takes the same steps as `other`, to the last bit.
    pub fn equals<P: Optimizer>(mut self, name: impl Into<String>, other: impl Fn() -> P) -> Self {
        let numbers = self.run(|| ModuleOptimizer::from(other()), None);
        self.equals.push((name.into(), numbers));
        self
    }

    /// Checks the laws.
    pub fn check(&self) -> Report {
        let mut report = Report::new(&self.name);
        report.check("keeps shape, element type and device", || self.keeps_kind());
        report.check("repeats itself", || {
            let second = self.run(|| self.optim(), None);
            same("a second run", &second, self.whole())
        });
        report.check("resumes after every step", || self.resumes());
        report.check("goes its own way as a clone", || self.clones());
        report.check("leaves parameters without a gradient alone", || {
            self.leaves_others_alone()
        });
        report.check("steps a tied parameter once", || self.tied());
        report.check("can be the optimizer of a group", || self.in_a_group());
        report.check("stays finite where gradients are zero", || self.at_zero());
        report.check("moves its state to a device", || self.moves());
        if let Some((lr, steps)) = self.descends {
            report.check("finds the minimum of a parabola", || {
                self.parabola(lr, steps)
            });
        }
        if !self.equals.is_empty() {
            report.check("equals the optimizers named", || {
                let mut others = self.equals.iter();
                others.try_for_each(|(name, numbers)| same(name, self.whole(), numbers))
            });
        }
        report
    }

    fn optim(&self) -> ModuleOptimizer {
        ModuleOptimizer::from((self.build)())
    }

    fn weights(&self) -> Weights {
        Weights::new(1, DType::F32, &self.device.clone().autodiff())
    }

    /// The numbers after six steps. The optimizer is saved to bytes and read back before step `at`.
    fn run(&self, make: impl Fn() -> ModuleOptimizer, at: Option<u64>) -> Vec<f64> {
        let (mut optim, mut weights) = (make(), self.weights());
        for step in 0..STEPS {
            if at == Some(step) {
                let bytes = optim.into_bytes().expect("its state can be written");
                optim = make().from_bytes(bytes).expect("its state can be read");
            }
            let grads = weights.grads(step);
            weights = optim.step(0.1, weights, grads);
        }
        weights.numbers()
    }

    fn whole(&self) -> &[f64] {
        self.whole.get_or_init(|| self.run(|| self.optim(), None))
    }

    fn resumes(&self) -> Result<(), String> {
        (0..STEPS).try_for_each(|at| {
            let resumed = self.run(|| self.optim(), Some(at));
            same(&format!("resumed after {at} steps"), &resumed, self.whole())
        })
    }

    fn clones(&self) -> Result<(), String> {
        let (mut optim, mut weights) = (self.optim(), self.weights());
        for step in 0..STEPS {
            // The clone is led astray; the original must not notice.
            let mut clone = optim.clone();
            let astray = weights.clone().shifted(1.0);
            let grads = astray.grads(step + 100);
            let _ = clone.step(0.1, astray, grads);
            let grads = weights.grads(step);
            weights = optim.step(0.1, weights, grads);
        }
        same("beside a clone", &weights.numbers(), self.whole())
    }

    fn leaves_others_alone(&self) -> Result<(), String> {
        let (mut optim, mut weights) = (self.optim(), self.weights());
        let before = read(weights.matrix.val());
        for step in 0..STEPS {
            let mut all = weights.grads(step);
            let mut grads = GradientsParams::new();
            let grad = all.remove::<1>(weights.vector.id).expect("registered");
            grads.register(weights.vector.id, grad);
            weights = optim.step(0.1, weights, grads);
        }
        same("the matrix", &read(weights.matrix.val()), &before)
    }

    /// Burn's `ModuleOptimizer` steps a tied parameter at its first place; the value is then copied to the second.
    fn tied(&self) -> Result<(), String> {
        let (mut optim, first) = (self.optim(), self.weights());
        let mut places = vec![first.clone(), first];
        for step in 0..STEPS {
            let (grads, before) = (places[0].grads(step), places[1].numbers());
            places = optim.step(0.1, places, grads);
            same("the other place", &places[1].numbers(), &before)?;
            places[1] = places[0].clone();
        }
        same("tied at two places", &places[0].numbers(), self.whole())
    }

    fn in_a_group(&self) -> Result<(), String> {
        let mut weights = self.weights();
        let group = ParamGroup::from_ids(vec![weights.matrix.id]);
        let sgd = ModuleOptimizer::from(SgdConfig::new().build());
        let mut grouped = sgd.with_group(group, (self.build)(), None);
        for step in 0..STEPS {
            let grads = weights.grads(step);
            weights = grouped.step(0.1, weights, grads);
        }
        let sgd = self.run(|| ModuleOptimizer::from(SgdConfig::new().build()), None);
        let numbers = weights.numbers();
        same("the vector, which SGD steps", &numbers[..3], &sgd[..3])?;
        same(
            "the matrix, in its group",
            &numbers[3..9],
            &self.whole()[3..9],
        )
    }

    fn at_zero(&self) -> Result<(), String> {
        for dtype in dtypes(&self.device) {
            let zeros = || Tensor::<2>::zeros([2, 2], (&self.device, dtype));
            let others = tensor(&mut Noise(5), [2, 2], dtype, &self.device);
            for first in [zeros(), others] {
                let before = read(first.clone());
                let (mut weight, mut state) = (first, None);
                for _ in 0..3 {
                    (weight, state) = (self.build)().step(0.1, weight, zeros(), state);
                }
                let numbers = read(weight);
                if !numbers.iter().all(|number| number.is_finite()) {
                    return Err(format!("{before:?} in {dtype:?} became {numbers:?}"));
                }
            }
        }
        Ok(())
    }

    fn keeps_kind(&self) -> Result<(), String> {
        for dtype in dtypes(&self.device) {
            self.keeps([3], dtype)?;
            self.keeps([2, 3], dtype)?;
            self.keeps([2, 1, 3], dtype)?;
            self.keeps([2, 1, 3, 2], dtype)?;
        }
        Ok(())
    }

    fn keeps<const D: usize>(&self, shape: [usize; D], dtype: DType) -> Result<(), String> {
        let optim = (self.build)();
        let mut noise = Noise(3);
        let (mut weight, mut state) = (tensor(&mut noise, shape, dtype, &self.device), None);
        for _ in 0..3 {
            let grad: Tensor<D> = tensor(&mut noise, shape, dtype, &self.device);
            (weight, state) = optim.step(0.1, weight, grad, state);
        }
        let got = (weight.dims(), weight.dtype(), weight.device());
        if got == (shape, dtype, self.device.clone()) {
            Ok(())
        } else {
            Err(format!("{shape:?} in {dtype:?} became {got:?}"))
        }
    }

    fn moves(&self) -> Result<(), String> {
        let run = |moved: bool| {
            let optim = (self.build)();
            let mut noise = Noise(4);
            let mut draw = || tensor::<2>(&mut noise, [2, 3], DType::F32, &self.device);
            let (weight, mut state) = optim.step(0.1, draw(), draw(), None);
            if moved {
                state = state.map(|state| O::to_device(state, &self.device));
            }
            read(optim.step(0.1, weight, draw(), state).0)
        };
        same("moved to its own device", &run(true), &run(false))
    }

    fn parabola(&self, lr: f64, steps: u32) -> Result<(), String> {
        let loss = |weights: &Weights| {
            weights.vector.val().square().sum() + weights.matrix.val().square().sum()
        };
        let (mut optim, mut weights) = (self.optim(), self.weights());
        let first = read(loss(&weights))[0];
        for step in 0..steps {
            let grads = GradientsParams::from_grads(loss(&weights).backward(), &weights);
            let lr = lr * (1.0 - f64::from(step) / f64::from(steps));
            weights = optim.step(lr, weights, grads);
        }
        let last = read(loss(&weights))[0];
        if last <= first / 100.0 {
            Ok(())
        } else {
            Err(format!(
                "from {first} it came to {last} in {steps} steps from rate {lr}"
            ))
        }
    }
}
