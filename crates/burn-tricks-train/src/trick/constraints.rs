//! Constraints of weights as tricks.

use crate::trick::Trick;
use crate::trick::step_context::StepContext;
use burn::module::Module;
use burn_tricks_nn::{ClampWeights, MaxNorm, TiedWeights, UnitNorm};

impl<M: Module> Trick<M> for TiedWeights {
    fn after(&mut self, model: M, step: &StepContext) -> M {
        if step.is_skipped() {
            return model;
        }
        self.apply(model)
    }

    fn rebuilt(&self, model: M) -> M {
        self.apply(model)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}

impl<M: Module> Trick<M> for MaxNorm {
    fn after(&mut self, model: M, step: &StepContext) -> M {
        if step.is_skipped() {
            return model;
        }
        self.apply(model)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}

impl<M: Module> Trick<M> for UnitNorm {
    fn after(&mut self, model: M, step: &StepContext) -> M {
        if step.is_skipped() {
            return model;
        }
        self.apply(model)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}

impl<M: Module> Trick<M> for ClampWeights {
    fn after(&mut self, model: M, step: &StepContext) -> M {
        if step.is_skipped() {
            return model;
        }
        self.apply(model)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}
