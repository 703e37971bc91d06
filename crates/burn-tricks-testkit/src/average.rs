//! The laws of averages of weights: properties that every average should have.

use crate::report::{Report, same};
use crate::weights::{Weights, dtypes};
use burn::module::Param;
use burn::tensor::{DType, Device, Tensor};
use std::fmt::Debug;

/// Updates of a run that is saved and resumed at each of them.
const UPDATES: usize = 7;

/// The laws of an average of weights:
///
/// - two runs with the same inputs give the same numbers, to the last bit;
/// - weights that do not change stay as they are, to the last bit, in every float type of the device;
/// - each averaged weight lies between the smallest and the largest value that the weight had;
/// - the model that it returns is without autodiff, and later updates do not change it;
/// - it does not change the trained model;
/// - it can be saved and resumed after every update, to the last bit, if [`saved`](Self::saved) says how.
///
/// ```
/// use burn::module::Module;
/// use burn::tensor::Device;
/// use burn_tricks_testkit::{AverageLaws, Weights};
///
/// // The simplest average: the newest weights.
/// AverageLaws::new(
///     "newest",
///     |first: &Weights| first.valid(),
///     |newest: &mut Weights, model: &Weights| *newest = model.valid(),
///     |newest: &Weights| newest.clone(),
///     &Device::flex(),
/// )
/// .check()
/// .assert();
/// ```
pub struct AverageLaws<A> {
    name: String,
    init: Box<dyn Fn(&Weights) -> A>,
    update: Update<A>,
    model: Box<dyn Fn(&A) -> Weights>,
    reload: Option<Reload<A>>,
    device: Device,
}

type Update<A> = Box<dyn Fn(&mut A, &Weights)>;
type Reload<A> = Box<dyn Fn(A, &Weights) -> A>;

impl<A> Debug for AverageLaws<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AverageLaws")
            .field("name", &self.name)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

impl<A> AverageLaws<A> {
    /// The laws of an average: `init` makes it from a first model, `update` tells it each next model, and
    /// `model` returns the averaged model. They are checked on `device`, which is given without autodiff.
    pub fn new(
        name: impl Into<String>,
        init: impl Fn(&Weights) -> A + 'static,
        update: impl Fn(&mut A, &Weights) + 'static,
        model: impl Fn(&A) -> Weights + 'static,
        device: &Device,
    ) -> Self {
        Self {
            name: name.into(),
            init: Box::new(init),
            update: Box::new(update),
            model: Box::new(model),
            reload: None,
            device: device.clone().without_autodiff(),
        }
    }

    /// `reload` saves the average, makes a new one from the given model, and loads the saved state into it.
    pub fn saved(mut self, reload: impl Fn(A, &Weights) -> A + 'static) -> Self {
        self.reload = Some(Box::new(reload));
        self
    }

    /// Checks the laws.
    pub fn check(&self) -> Report {
        let mut report = Report::new(&self.name);
        report.check("repeats itself", || {
            same("a second run", &self.run(None), &self.run(None))
        });
        report.check("leaves weights that do not change as they are", || {
            self.constant()
        });
        report.check("lies between the weights it saw", || self.between());
        report.check("gives a model that is a value", || self.value());
        report.check("leaves the trained model alone", || {
            let live = self.live(1);
            let before = live.numbers();
            let mut average = (self.init)(&self.live(0));
            (self.update)(&mut average, &live);
            let _ = (self.model)(&average);
            same("the trained model", &live.numbers(), &before)
        });
        if self.reload.is_some() {
            report.check("resumes after every update", || {
                let whole = self.run(None);
                (0..=UPDATES).try_for_each(|at| {
                    let resumed = self.run(Some(at));
                    same(&format!("resumed after {at} updates"), &resumed, &whole)
                })
            });
        }
        report
    }

    fn live(&self, at: usize) -> Weights {
        Weights::new(at as u64 + 1, DType::F32, &self.device.clone().autodiff())
    }

    /// The numbers of the averaged model after all updates. The average is reloaded after `reloaded_at` of them.
    fn run(&self, reloaded_at: Option<usize>) -> Vec<f64> {
        let reloaded = |average: A, at: usize| match &self.reload {
            Some(reload) if reloaded_at == Some(at) => reload(average, &self.live(0)),
            _ => average,
        };
        let mut average = (self.init)(&self.live(0));
        for at in 0..UPDATES {
            average = reloaded(average, at);
            (self.update)(&mut average, &self.live(at));
        }
        let average = reloaded(average, UPDATES);
        (self.model)(&average).numbers()
    }

    fn constant(&self) -> Result<(), String> {
        for dtype in dtypes(&self.device) {
            let model = Weights::new(1, dtype, &self.device.clone().autodiff());
            let mut average = (self.init)(&model);
            for _ in 0..100 {
                (self.update)(&mut average, &model);
            }
            let what = format!("after 100 updates in {dtype:?}");
            same(&what, &(self.model)(&average).numbers(), &model.numbers())?;
        }
        Ok(())
    }

    fn between(&self) -> Result<(), String> {
        let models: Vec<_> = (0..UPDATES).map(|at| self.live(at).numbers()).collect();
        for (at, number) in self.run(None).into_iter().enumerate() {
            let seen = models.iter().map(|model| model[at]);
            let least = seen.clone().fold(f64::INFINITY, f64::min);
            let most = seen.fold(f64::NEG_INFINITY, f64::max);
            // A rounding of `f32` may lie outside.
            let slack = f64::from(f32::EPSILON);
            if !(least - slack..=most + slack).contains(&number) {
                return Err(format!(
                    "number {at} is {number}, seen were {least} to {most}"
                ));
            }
        }
        Ok(())
    }

    fn value(&self) -> Result<(), String> {
        fn tracks<const D: usize>(param: &Param<Tensor<D>>) -> bool {
            param.val().device().is_autodiff() || param.is_require_grad()
        }
        let mut average = (self.init)(&self.live(0));
        (self.update)(&mut average, &self.live(1));
        let early = (self.model)(&average);
        if tracks(&early.vector) || tracks(&early.matrix) || tracks(&early.frozen) {
            return Err("its weights still track gradients".into());
        }
        let before = early.numbers();
        (self.update)(&mut average, &self.live(2));
        same("an early model", &early.numbers(), &before)
    }
}
