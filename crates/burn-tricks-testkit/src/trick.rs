//! What everything owes that is done around an optimizer's step.

use crate::Weights;
use crate::report::{Report, same};
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device};
use std::fmt::Debug;

/// Steps of a run that is saved and resumed at each of them.
const STEPS: u64 = 6;

/// The laws of what changes gradients before an optimizer's step, or the model after it:
///
/// - it repeats itself to the last bit;
/// - ids, shapes and modes of the parameters stay: what was trained is trained, what was frozen is frozen;
/// - the model that it gives back can be trained on;
/// - no gradient appears that was not there, and none is lost;
/// - it resumes after every step to the last bit, if [`saved`](Self::saved) says how.
///
/// ```
/// use burn::optim::GradientsParams;
/// use burn::tensor::Device;
/// use burn_tricks_testkit::{TrickLaws, Weights};
///
/// let before = |_: &mut (), _: &Weights, grads: GradientsParams| grads;
/// let after = |_: &mut (), model: Weights| model;
/// TrickLaws::new("nothing", || (), before, after, &Device::flex()).check().assert();
/// ```
pub struct TrickLaws<T> {
    name: String,
    init: Box<dyn Fn() -> T>,
    before: Before<T>,
    after: After<T>,
    reload: Option<Box<dyn Fn(T) -> T>>,
    device: Device,
}

type Before<T> = Box<dyn Fn(&mut T, &Weights, GradientsParams) -> GradientsParams>;
type After<T> = Box<dyn Fn(&mut T, Weights) -> Weights>;

impl<T> Debug for TrickLaws<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrickLaws")
            .field("name", &self.name)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

impl<T> TrickLaws<T> {
    /// Of what `init` makes, `before` does to the gradients and `after` to the model; on `device`, which is
    /// given without autodiff.
    pub fn new(
        name: impl Into<String>,
        init: impl Fn() -> T + 'static,
        before: impl Fn(&mut T, &Weights, GradientsParams) -> GradientsParams + 'static,
        after: impl Fn(&mut T, Weights) -> Weights + 'static,
        device: &Device,
    ) -> Self {
        Self {
            name: name.into(),
            init: Box::new(init),
            before: Box::new(before),
            after: Box::new(after),
            reload: None,
            device: device.clone().without_autodiff(),
        }
    }

    /// `reload` saves the state, and loads what was saved into one that was made anew.
    pub fn saved(mut self, reload: impl Fn(T) -> T + 'static) -> Self {
        self.reload = Some(Box::new(reload));
        self
    }

    /// Checks the laws.
    pub fn check(&self) -> Report {
        let mut report = Report::new(&self.name);
        report.check("repeats itself", || {
            same("a second run", &self.run(None), &self.run(None))
        });
        report.check("keeps ids and modes of the parameters", || self.keeps());
        report.check("gives back a model that can be trained on", || {
            self.trains_on()
        });
        report.check("neither adds nor loses a gradient", || self.gradients());
        if self.reload.is_some() {
            report.check("resumes after every step", || {
                let whole = self.run(None);
                (0..STEPS).try_for_each(|at| {
                    let resumed = self.run(Some(at));
                    same(&format!("resumed after {at} steps"), &resumed, &whole)
                })
            });
        }
        report
    }

    fn weights(&self) -> Weights {
        Weights::new(1, DType::F32, &self.device.clone().autodiff())
    }

    fn step(&self, trick: &mut T, optim: &mut ModuleOptimizer, model: Weights, at: u64) -> Weights {
        let grads = (self.before)(trick, &model, model.grads(at));
        (self.after)(trick, optim.step(0.1, model, grads))
    }

    fn run(&self, reloaded_at: Option<u64>) -> Vec<f64> {
        let (mut trick, mut model) = ((self.init)(), self.weights());
        let mut optim = SgdConfig::new().init();
        for at in 0..STEPS {
            if let (Some(reload), true) = (&self.reload, reloaded_at == Some(at)) {
                trick = reload(trick);
            }
            model = self.step(&mut trick, &mut optim, model, at);
        }
        model.numbers()
    }

    fn keeps(&self) -> Result<(), String> {
        let model = self.weights();
        let before = (model.ids(), model.trained());
        let model = self.step(&mut (self.init)(), &mut SgdConfig::new().init(), model, 0);
        match (model.ids(), model.trained()) == before {
            true => Ok(()),
            false => Err(format!(
                "{before:?} became {:?}",
                (model.ids(), model.trained())
            )),
        }
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
        let model = self.weights();
        let grads = (self.before)(&mut (self.init)(), &model, model.grads(0));
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
