//! Steps that are planned, to be taken together with those of other parameters.

use burn::optim::{DynState, LearningRate};
use burn_tricks_kernels::{AnyTensor, Multiple, PlannedStep};

/// The state after the step, from its tensors.
pub(crate) type EndOfStep = Box<dyn FnOnce(Vec<AnyTensor>) -> Option<DynState>>;

/// A step that has been taken, or is planned.
#[allow(clippy::large_enum_variant)] // a few at a time, each gone at once
pub(crate) enum Outcome {
    /// The new weight and state.
    Taken(AnyTensor, Option<DynState>),
    /// What takes the step with others, and what then gives the state.
    Planned(PlannedStep, EndOfStep),
}

/// An optimizer that can plan a step instead of taking it.
pub(crate) trait PlanSteps: Send + Sync {
    /// Plans the step, or takes it if it cannot be planned.
    fn plan(
        &self,
        lr: LearningRate,
        weight: AnyTensor,
        grad: Multiple,
        state: Option<DynState>,
    ) -> Outcome;

    /// Whether the multiplication of the gradients may be left to its planned steps: most kernels multiply while they read the
    /// gradient, and where something else reads it too (`Lars`, cautious steps) one launch multiplies those of a group before.
    /// If not, all gradients are better multiplied at once before they are given to [`plan`](Self::plan).
    fn multiplies(&self) -> bool;
}
