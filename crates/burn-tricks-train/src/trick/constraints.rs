//! Constraints of weights as tricks.

use crate::trick::Trick;
use crate::trick::step_context::StepContext;
use burn::module::Module;
use burn_tricks_grad::GradientOrder;
use burn_tricks_nn::{ClampWeights, MaxNorm, TiedWeights, UnitNorm};

impl<M: Module> Trick<M> for TiedWeights {
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

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
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

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
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

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
    /// It does not look at the gradients.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

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
