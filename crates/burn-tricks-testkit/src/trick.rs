//! The laws of tricks around an optimizer's step: properties that every trick should have.

use crate::report::{Report, same};
use crate::weights::Weights;
use burn::module::ParamId;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device};
use std::fmt::Debug;

/// Steps of a run that is saved and resumed at each of them.
const STEPS: u64 = 6;

/// Steps of an epoch of that run.
const STEPS_PER_EPOCH: u64 = 2;

/// The learning rate of each step.
const LR: f64 = 0.1;

/// The optimizer step for which a trick is called.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TrickStep {
    /// Its number, from 1. The step after a skipped one has the same number: see [`TrickLaws`].
    pub step: u64,
    /// The learning rate: that of the schedule in `begin`, and afterwards the one that `begin` has returned.
    pub lr: f64,
    /// Whether the step is skipped, so that the optimizer gets no gradients.
    pub skipped: bool,
}

/// The laws of a trick, which changes gradients before an optimizer's step, or the model after it:
///
/// - two runs with the same inputs give the same numbers, to the last bit;
/// - it keeps the ids and shapes of the parameters, and whether each is trained or frozen;
/// - the model that it returns can be trained further;
/// - it neither adds nor removes a gradient;
/// - a skipped step changes neither the model nor later steps; here the step after it has the same number, so that a trick
///   that goes by the number keeps this law, although in a training a skipped step counts;
/// - at the end of an epoch, if [`epoch_end`](Self::epoch_end) is given, it also keeps ids and shapes, and
///   whether parameters are trained or frozen;
/// - it can be saved and resumed after every step, to the last bit, if [`saved`](Self::saved) says how.
///
/// ```
/// use burn::optim::GradientsParams;
/// use burn::tensor::Device;
/// use burn_tricks_testkit::{TrickLaws, TrickStep, Weights};
///
/// let before = |_: &mut (), _: &Weights, grads: GradientsParams, _: &TrickStep| grads;
/// let after = |_: &mut (), model: Weights, _: &TrickStep| model;
/// TrickLaws::new("nothing", || (), before, after, &Device::flex()).check().assert();
/// ```
pub struct TrickLaws<T> {
    name: String,
    init: Box<dyn Fn() -> T>,
    begin: Begin<T>,
    before: Before<T>,
    after: After<T>,
    epoch_end: EpochEnd<T>,
    shown: Shown<T>,
    reload: Option<Box<dyn Fn(T) -> T>>,
    device: Device,
}

type Begin<T> = Box<dyn Fn(&mut T, &Weights, &mut ModuleOptimizer, &TrickStep) -> f64>;
type Before<T> = Box<dyn Fn(&mut T, &Weights, GradientsParams, &TrickStep) -> GradientsParams>;
type After<T> = Box<dyn Fn(&mut T, Weights, &TrickStep) -> Weights>;
type EpochEnd<T> = Box<dyn Fn(&mut T, Weights, usize) -> Weights>;
type Shown<T> = Box<dyn Fn(&T, &Weights) -> Option<Weights>>;

impl<T> Debug for TrickLaws<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrickLaws")
            .field("name", &self.name)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

impl<T> TrickLaws<T> {
    /// The laws of a trick that `init` makes. `before` changes the gradients before a step, and `after` the
    /// model after it. The laws are checked on `device`, which is given without autodiff.
    pub fn new(
        name: impl Into<String>,
        init: impl Fn() -> T + 'static,
        before: impl Fn(&mut T, &Weights, GradientsParams, &TrickStep) -> GradientsParams + 'static,
        after: impl Fn(&mut T, Weights, &TrickStep) -> Weights + 'static,
        device: &Device,
    ) -> Self {
        Self {
            name: name.into(),
            init: Box::new(init),
            begin: Box::new(|_, _, _, step| step.lr),
            before: Box::new(before),
            after: Box::new(after),
            epoch_end: Box::new(|_, model, _| model),
            shown: Box::new(|_, _| None),
            reload: None,
            device: device.clone().without_autodiff(),
        }
    }

    /// `begin` gets the model and the optimizer before each step, and returns the step's learning rate, which the closures of
    /// [`new`](Self::new) then see.
    pub fn begin(
        mut self,
        begin: impl Fn(&mut T, &Weights, &mut ModuleOptimizer, &TrickStep) -> f64 + 'static,
    ) -> Self {
        self.begin = Box::new(begin);
        self
    }

    /// `epoch_end` gets the model and the number of the epoch at the end of each epoch, and returns the model.
    /// An epoch has two steps.
    pub fn epoch_end(
        mut self,
        epoch_end: impl Fn(&mut T, Weights, usize) -> Weights + 'static,
    ) -> Self {
        self.epoch_end = Box::new(epoch_end);
        self
    }

    /// `shown` returns the model to validate with, for example an average, if there is one. The laws compare
    /// it, too.
    pub fn validated(mut self, shown: impl Fn(&T, &Weights) -> Option<Weights> + 'static) -> Self {
        self.shown = Box::new(shown);
        self
    }

    /// `reload` saves the state of the trick, makes a new trick, and loads the state into it.
    pub fn saved(mut self, reload: impl Fn(T) -> T + 'static) -> Self {
        self.reload = Some(Box::new(reload));
        self
    }

    /// Checks the laws.
    pub fn check(&self) -> Report {
        let mut report = Report::new(&self.name);
        report.check("repeats itself", || {
            same("a second run", &self.run(None, None), &self.run(None, None))
        });
        report.check("keeps ids and modes of the parameters", || self.keeps());
        report.check("gives back a model that can be trained on", || {
            self.trains_on()
        });
        report.check("neither adds nor loses a gradient", || self.gradients());
        report.check("does nothing in a skipped step", || self.skips());
        report.check("keeps ids and modes at the end of an epoch", || {
            self.keeps_at_epoch_end()
        });
        if self.reload.is_some() {
            report.check("resumes after every step", || {
                let whole = self.run(None, None);
                (0..=STEPS).try_for_each(|at| {
                    let resumed = self.run(Some(at), None);
                    same(&format!("resumed after {at} steps"), &resumed, &whole)
                })
            });
        }
        report
    }

    fn weights(&self) -> Weights {
        Weights::new(1, DType::F32, &self.device.clone().autodiff())
    }

    /// Begins the step after `at` others.
    fn begun(
        &self,
        trick: &mut T,
        optim: &mut ModuleOptimizer,
        model: &Weights,
        at: u64,
    ) -> TrickStep {
        let step = TrickStep {
            step: at + 1,
            lr: LR,
            skipped: false,
        };
        let lr = (self.begin)(trick, model, optim, &step);
        TrickStep { lr, ..step }
    }

    /// The step after `at` others.
    fn step(&self, trick: &mut T, optim: &mut ModuleOptimizer, model: Weights, at: u64) -> Weights {
        let step = self.begun(trick, optim, &model, at);
        let grads = (self.before)(trick, &model, model.grads(at), &step);
        (self.after)(trick, optim.step(step.lr, model, grads), &step)
    }

    /// A skipped step: the gradients were removed before the trick was called.
    fn skipped(
        &self,
        trick: &mut T,
        optim: &mut ModuleOptimizer,
        model: Weights,
        at: u64,
    ) -> Result<Weights, String> {
        let step = self.begun(trick, optim, &model, at);
        let grads = (self.before)(trick, &model, GradientsParams::new(), &step);
        if !grads.is_empty() {
            return Err(format!("it makes {} gradients of none", grads.len()));
        }
        let numbers = model.numbers();
        let step = TrickStep {
            skipped: true,
            ..step
        };
        let model = (self.after)(trick, model, &step);
        same("the model after a skipped step", &model.numbers(), &numbers)?;
        Ok(model)
    }

    fn run(&self, reloaded_at: Option<u64>, skipped_at: Option<u64>) -> Vec<f64> {
        self.try_run(reloaded_at, skipped_at).unwrap_or_default()
    }

    /// The numbers of the model and of the model to validate with. The trick is reloaded after `reloaded_at` steps, and there is
    /// a skipped step after `skipped_at` others.
    fn try_run(
        &self,
        reloaded_at: Option<u64>,
        skipped_at: Option<u64>,
    ) -> Result<Vec<f64>, String> {
        let reloaded = |trick: T, at: u64| match &self.reload {
            Some(reload) if reloaded_at == Some(at) => reload(trick),
            _ => trick,
        };
        let (mut trick, mut model) = ((self.init)(), self.weights());
        let mut optim = SgdConfig::new().init();
        for at in 0..STEPS {
            trick = reloaded(trick, at);
            if skipped_at == Some(at) {
                model = self.skipped(&mut trick, &mut optim, model, at)?;
            }
            model = self.step(&mut trick, &mut optim, model, at);
            if (at + 1).is_multiple_of(STEPS_PER_EPOCH) {
                let epoch = (at + 1) / STEPS_PER_EPOCH;
                model = (self.epoch_end)(&mut trick, model, epoch as usize);
            }
        }
        let trick = reloaded(trick, STEPS);
        let mut numbers = model.numbers();
        if let Some(shown) = (self.shown)(&trick, &model) {
            numbers.extend(shown.numbers());
        }
        Ok(numbers)
    }

    fn skips(&self) -> Result<(), String> {
        let whole = self.run(None, None);
        (0..STEPS).try_for_each(|at| {
            let skipped = self.try_run(None, Some(at))?;
            same(&format!("a step skipped after {at}"), &skipped, &whole)
        })
    }

    fn keeps(&self) -> Result<(), String> {
        let model = self.weights();
        let before = Kept::of(&model);
        let model = self.step(&mut (self.init)(), &mut SgdConfig::new().init(), model, 0);
        before.unchanged(&model)
    }

    fn keeps_at_epoch_end(&self) -> Result<(), String> {
        let (mut trick, mut optim) = ((self.init)(), SgdConfig::new().init());
        let mut model = self.weights();
        let before = Kept::of(&model);
        for epoch in 0..STEPS / STEPS_PER_EPOCH {
            for at in 0..STEPS_PER_EPOCH {
                let at = epoch * STEPS_PER_EPOCH + at;
                model = self.step(&mut trick, &mut optim, model, at);
            }
            model = (self.epoch_end)(&mut trick, model, epoch as usize + 1);
            before.unchanged(&model)?;
        }
        Ok(())
    }

    fn trains_on(&self) -> Result<(), String> {
        let model = self.weights();
        let model = self.step(&mut (self.init)(), &mut SgdConfig::new().init(), model, 0);
        let loss = model.vector.val().square().sum() + model.matrix.val().square().sum();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        match grads.len() {
            2 => Ok(()),
            count => Err(format!(
                "{count} of 2 parameters have a gradient afterwards"
            )),
        }
    }

    fn gradients(&self) -> Result<(), String> {
        let (mut trick, model) = ((self.init)(), self.weights());
        let step = self.begun(&mut trick, &mut SgdConfig::new().init(), &model, 0);
        let grads = (self.before)(&mut trick, &model, model.grads(0), &step);
        let there = (
            grads.get::<1>(model.vector.id),
            grads.get::<2>(model.matrix.id),
        );
        match (grads.len(), there) {
            (2, (Some(_), Some(_))) => Ok(()),
            (count, _) => Err(format!("of the gradients of 2 parameters it makes {count}")),
        }
    }
}

/// What a trick is not to change.
#[derive(Debug, PartialEq)]
struct Kept {
    ids: [ParamId; 3],
    shapes: [Vec<usize>; 3],
    trained: [bool; 3],
}

impl Kept {
    fn of(model: &Weights) -> Self {
        Self {
            ids: model.ids(),
            shapes: model.shapes(),
            trained: model.trained(),
        }
    }

    /// An error if it is another of `model`.
    fn unchanged(&self, model: &Weights) -> Result<(), String> {
        let after = Self::of(model);
        if after == *self {
            Ok(())
        } else {
            Err(format!("{self:?} became {after:?}"))
        }
    }
}
