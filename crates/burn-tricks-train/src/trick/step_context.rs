//! The number and the learning rate of an optimizer step.

use burn::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::module::{Module, ParamGroup, ParamId};
use burn_tricks_core::walk::visit_floats;
use std::collections::HashSet;
use std::fmt::Debug;

/// The optimizer step in which a [`Trick`](crate::Trick) is called.
///
/// ```
/// use burn_tricks_train::StepContext;
///
/// let step = StepContext::new(3, 0.01); // to call a trick by hand
/// assert_eq!((step.step(), step.lr(), step.is_skipped()), (3, 0.01, false));
/// ```
#[derive(Clone)]
pub struct StepContext {
    step: u64,
    rates: ModuleLearningRate,
    scale: f64,
    skipped: bool,
}

impl Debug for StepContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StepContext")
            .field("step", &self.step)
            .field("lr", &self.lr())
            .field("skipped", &self.skipped)
            .finish_non_exhaustive()
    }
}

impl StepContext {
    /// The step with this number, counted from 1, and this learning rate.
    pub fn new(step: u64, lr: impl Into<ModuleLearningRate>) -> Self {
        Self {
            step,
            rates: lr.into(),
            scale: 1.0,
            skipped: false,
        }
    }

    /// The same step, skipped or not.
    #[must_use]
    pub fn with_skipped(mut self, skipped: bool) -> Self {
        self.skipped = skipped;
        self
    }

    /// The number of the step, from 1. A skipped step counts, as it does for a schedule. A run that a
    /// [`Session`](crate::Session) resumes continues the count; if weights are loaded in another way, the count
    /// begins at 1 again.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The learning rate of the step: the base rate of Burn's `ModuleLearningRate`, which applies to every parameter
    /// without a group of its own.
    pub fn lr(&self) -> f64 {
        self.rates.base() * self.scale
    }

    /// The learning rate of one parameter, which may belong to a group with a schedule of its own. Of a tied parameter give
    /// the first path, by which optimizers step it.
    pub fn lr_of(&self, id: ParamId, path: &str) -> f64 {
        self.rates.lr_from_param(id, Some(path)) * self.scale
    }

    /// Whether a trick has skipped the step by returning no gradients. This is known in
    /// [`Trick::after`](crate::Trick::after). In [`Trick::before`](crate::Trick::before) it is always false; there,
    /// empty gradients mean that an earlier trick skips the step.
    pub fn is_skipped(&self) -> bool {
        self.skipped
    }

    /// Multiplies all learning rates of the step by `factor`. Call it in [`Trick::begin`](crate::Trick::begin). The
    /// learning rate that Burn logs is that of the schedule, without `factor`: give the trick a
    /// [`TrickMetric`](crate::TrickMetric), and push [`lr`](Self::lr) into it in
    /// [`Trick::after`](crate::Trick::after).
    pub fn scale_lr(&mut self, factor: f64) {
        self.scale *= factor;
    }

    /// The learning rates for the optimizer.
    pub(crate) fn rates<M: Module>(&self, model: &M) -> ModuleLearningRate {
        if self.scale == 1.0 {
            return self.rates.clone();
        }
        // The groups of a `ModuleLearningRate` cannot be seen: each parameter that has another rate than the
        // base is asked for, and parameters of one rate are one group.
        let mut others: Vec<(f64, Vec<ParamId>)> = Vec::new();
        let mut seen = HashSet::new();
        visit_floats(model, |at, param| {
            let rate = self.lr_of(param.id(), at.path());
            // Optimizers step the first place of a tied parameter.
            if !seen.insert(param.id()) || rate == self.lr() {
                return;
            }
            match others.iter_mut().find(|(other, _)| *other == rate) {
                Some((_, ids)) => ids.push(param.id()),
                None => others.push((rate, vec![param.id()])),
            }
        });
        let base = ModuleLrScheduler::new(self.lr());
        let mut rates = others.into_iter().fold(base, |rates, (rate, ids)| {
            rates.with_group(ParamGroup::from_ids(ids), rate)
        });
        rates.step()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    #[test]
    fn a_tied_parameter_keeps_the_rate_of_its_first_place_when_rates_are_scaled() {
        let layer = LinearConfig::new(2, 2).init(&Device::flex());
        let model = vec![layer.clone(), layer];
        let id = model[0].weight.id;
        let later = ParamGroup::from_paths(vec!["1.weight".to_owned()]);
        let rates = ModuleLrScheduler::new(0.5).with_group(later, 4.0).step();
        for scale in [1.0, 0.5] {
            let mut step = StepContext::new(1, rates.clone());
            step.scale_lr(scale);
            let rate = step.rates(&model).lr_from_param(id, Some("0.weight"));
            assert_eq!(rate, 0.5 * scale);
        }
    }
}
