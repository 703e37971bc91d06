//! The laws of stopping criteria: properties that every criterion should have.

use crate::report::Report;
use std::fmt::Debug;

/// What a criterion decides at one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CriterionDecision {
    /// Whether this check is the best so far.
    pub best: bool,
    /// Whether training should stop.
    pub stop: bool,
}

/// The laws of a criterion for a metric that is to be minimised:
///
/// - two runs with the same values give the same decisions;
/// - the value of a check that it calls the best is finite and below all earlier best values;
/// - of eight falling values, of which the last is 3 million below the others, it calls the last the best, however long its
///   warm-up; a criterion with a least improvement up to that keeps the law. A criterion
///   [without a metric](Self::without_metric) calls no check the best;
/// - it can be saved and resumed after every check, if [`saved`](Self::saved) says how.
///
/// ```
/// use burn_tricks_testkit::{CriterionLaws, CriterionDecision};
///
/// /// Stops at the first value that is no better than the best.
/// let init = || f64::INFINITY;
/// let observe = |least: &mut f64, value: f64| {
///     let best = value.is_finite() && value < *least;
///     if best {
///         *least = value;
///     }
///     CriterionDecision { best, stop: !best }
/// };
/// CriterionLaws::new("impatient", init, observe).check().assert();
/// ```
pub struct CriterionLaws<C> {
    name: String,
    init: Box<dyn Fn() -> C>,
    observe: Observe<C>,
    reload: Option<Box<dyn Fn(C) -> C>>,
    uses_metric: bool,
}

type Observe<C> = Box<dyn Fn(&mut C, f64) -> CriterionDecision>;

impl<C> Debug for CriterionLaws<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CriterionLaws")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Values that fall, the last of them by more than any usual least improvement. None is negative: some criteria take errors alone,
/// which never are.
const FALLING: [f64; 8] = [9e6, 8e6, 7e6, 6e6, 5e6, 4e6, 3e6, 0.2];

/// Runs whose values fall, rise, alternate, or are not finite.
fn runs() -> Vec<Vec<f64>> {
    vec![
        vec![0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2],
        vec![0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
        vec![0.5, 0.495, 0.7, 0.49, 0.6, 0.489, 0.6, 0.6],
        vec![0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
        vec![
            f64::NAN,
            0.5,
            f64::NAN,
            0.4,
            f64::INFINITY,
            0.3,
            f64::NEG_INFINITY,
            0.2,
        ],
        vec![1e300, -1e300, 0.0, -0.0, 1e-300, 5.0, 4.0, 3.0],
    ]
}

impl<C> CriterionLaws<C> {
    /// The laws of a criterion that `init` makes, and to which `observe` gives the metric of each check; a
    /// smaller metric is better.
    pub fn new(
        name: impl Into<String>,
        init: impl Fn() -> C + 'static,
        observe: impl Fn(&mut C, f64) -> CriterionDecision + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            init: Box::new(init),
            observe: Box::new(observe),
            reload: None,
            uses_metric: true,
        }
    }

    /// Says that the criterion does not use a metric, like a time limit, and so has no best check.
    pub fn without_metric(mut self) -> Self {
        self.uses_metric = false;
        self
    }

    /// `reload` saves the criterion, makes a new one, and loads the saved state into it.
    pub fn saved(mut self, reload: impl Fn(C) -> C + 'static) -> Self {
        self.reload = Some(Box::new(reload));
        self
    }

    /// Checks the laws.
    pub fn check(&self) -> Report {
        let mut report = Report::new(&self.name);
        report.check("repeats itself", || {
            let differ = runs()
                .into_iter()
                .find(|run| self.run(run, None) != self.run(run, None));
            differ.map_or(Ok(()), |run| Err(format!("{run:?} is judged in two ways")))
        });
        report.check(
            "calls the best what is better than all it called the best before",
            || runs().iter().try_for_each(|run| self.best(run)),
        );
        if self.uses_metric {
            report.check("calls the last of values that fall the best", || {
                let last = self.run(&FALLING, None).pop();
                if last.is_some_and(|decision| decision.best) {
                    Ok(())
                } else {
                    Err(format!("the last of {FALLING:?} is not"))
                }
            })
        } else {
            report.check("knows of no best check", || {
                let told = |run: &Vec<f64>| self.run(run, None).iter().any(|check| check.best);
                let told = runs().into_iter().find(told);
                told.map_or(Ok(()), |run| {
                    Err(format!("it calls one of {run:?} the best"))
                })
            })
        }
        if self.reload.is_some() {
            report.check("resumes after every check", || {
                runs().iter().try_for_each(|run| self.resumes(run))
            });
        }
        report
    }

    fn run(&self, values: &[f64], reloaded_at: Option<usize>) -> Vec<CriterionDecision> {
        let mut criterion = (self.init)();
        let mut decisions = Vec::new();
        for (at, value) in values.iter().enumerate() {
            if let (Some(reload), true) = (&self.reload, reloaded_at == Some(at)) {
                criterion = reload(criterion);
            }
            decisions.push((self.observe)(&mut criterion, *value));
        }
        decisions
    }

    fn best(&self, values: &[f64]) -> Result<(), String> {
        let mut least = f64::INFINITY;
        for (at, decision) in self.run(values, None).into_iter().enumerate() {
            let value = values[at];
            if !decision.best {
                continue;
            }
            if !(value.is_finite() && value < least) {
                return Err(format!(
                    "value {at} of {values:?} is called the best, after {least}"
                ));
            }
            least = value;
        }
        Ok(())
    }

    fn resumes(&self, values: &[f64]) -> Result<(), String> {
        let whole = self.run(values, None);
        (0..values.len()).try_for_each(|at| {
            let resumed = self.run(values, Some(at));
            if resumed == whole {
                Ok(())
            } else {
                Err(format!(
                    "{values:?} resumed after {at} checks: {resumed:?} instead of {whole:?}"
                ))
            }
        })
    }
}
