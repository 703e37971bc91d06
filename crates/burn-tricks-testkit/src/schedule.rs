//! The laws of learning-rate schedules: properties that every schedule should have.

use crate::report::{Report, same};
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};

/// The laws of an [`LrScheduler`]:
///
/// - two runs give the same learning rates, to the last bit;
/// - its learning rates are finite and not negative;
/// - it can be resumed after every step from the bytes of its record, to the last bit;
/// - making a record does not advance it;
/// - a clone is independent of the original, unless the schedule is declared as [`shared`](Self::shared).
///
/// ```
/// use burn::lr_scheduler::constant::ConstantLr;
/// use burn_tricks_testkit::ScheduleLaws;
///
/// ScheduleLaws::new("constant", || Box::new(ConstantLr::new(0.1))).check().assert();
/// ```
#[derive(Debug)]
pub struct ScheduleLaws<F> {
    name: String,
    init: F,
    steps: usize,
    shared: bool,
}

impl<F: Fn() -> Box<dyn LrScheduler>> ScheduleLaws<F> {
    /// The laws of the schedule that `init` makes, checked over 40 steps.
    pub fn new(name: impl Into<String>, init: F) -> Self {
        Self {
            name: name.into(),
            init,
            steps: 40,
            shared: false,
        }
    }

    /// Sets the number of steps: choose it larger than the length of the schedule and of each of its cycles. Over 0 steps,
    /// which show nothing, no law holds.
    pub fn over(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Declares that clones share one state on purpose.
    pub fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// Checks the laws.
    pub fn check(&self) -> Report {
        let mut report = Report::new(&self.name);
        if self.steps == 0 {
            report.check("is stepped at least once", || {
                Err("`over(0)` compares no rates".to_owned())
            });
            return report;
        }
        let whole = || self.rates(&mut *(self.init)(), self.steps);
        report.check("repeats itself", || {
            same("a second run", &whole(), &whole())
        });
        report.check("gives rates that are finite and not negative", || {
            let rates = whole();
            let wrong = rates
                .iter()
                .position(|rate| !(rate.is_finite() && *rate >= 0.0));
            wrong.map_or(Ok(()), |at| {
                Err(format!("the rate of step {at} is {}", rates[at]))
            })
        });
        report.check("resumes after every step", || {
            let whole = whole();
            (0..=self.steps).try_for_each(|at| {
                let mut first = (self.init)();
                let mut rates = self.rates(&mut *first, at);
                let mut second = (self.init)();
                second.load_record(through_bytes(first.to_record())?);
                rates.extend(self.rates(&mut *second, self.steps - at));
                same(&format!("resumed after {at} steps"), &rates, &whole)
            })
        });
        report.check("is not moved by being recorded", || {
            let mut schedule = (self.init)();
            let recorded = |_| {
                let _ = schedule.to_record();
                schedule.step()
            };
            let rates: Vec<f64> = (0..self.steps).map(recorded).collect();
            same("recorded before every step", &rates, &whole())
        });
        if !self.shared {
            report.check("goes its own way as a clone", || {
                let mut schedule = (self.init)();
                let beside = |_| {
                    schedule.clone_box().step();
                    schedule.step()
                };
                let rates: Vec<f64> = (0..self.steps).map(beside).collect();
                same("with a clone that steps", &rates, &whole())
            });
        }
        report
    }

    fn rates(&self, schedule: &mut dyn LrScheduler, count: usize) -> Vec<f64> {
        (0..count).map(|_| schedule.step()).collect()
    }
}

fn through_bytes(record: LrSchedulerRecord) -> Result<LrSchedulerRecord, String> {
    let bytes = record
        .into_bytes()
        .map_err(|error| format!("its record cannot be written: {error}"))?;
    LrSchedulerRecord::from_bytes(bytes)
        .map_err(|error| format!("its record cannot be read: {error}"))
}
