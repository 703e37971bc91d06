//! The common part of this crate's optimizers, and the rules in which they differ.

use crate::pending_step::{Done, PendingStep, TakenStep, state_of};
use crate::plan_steps::{EndOfStep, Outcome, PlanSteps};
use crate::rule_state::RuleState;
use crate::state_tensors::{StateField, StateTensors};
use crate::weight_decay::{CheckedWeightDecay, WeightDecayMode};
use burn::optim::{DynState, LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{ConfigError, WeightDecayScope};
use burn_tricks_kernels::{AnyTensor, Multiple, PlannedStep, Skip, StepCount};
use std::fmt::Debug;

/// What an optimizer does with a weight and its gradient: the rule in which it differs from the other optimizers.
///
/// [`RuleOptimizer`] is a Burn `Optimizer` around a [`Rule`]: it checks whether the step is skipped
/// ([`skipped_steps`]), counts the steps, computes the weight decay of this parameter at this learning rate,
/// keeps the state in `f32` for half-precision weights, moves it between devices, and records it. The rule
/// itself has a few lines: the names of its state tensors, and the arithmetic of a step as a
/// [`Step`](burn_tricks_kernels::Step) of `burn-tricks-kernels` (one pass over memory on the CPU backend).
///
/// # Example
///
/// An optimizer of your own: each gradient is divided by one plus its largest magnitude so far:
///
/// ```
/// use burn::optim::ModuleOptimizer;
/// use burn_tricks_kernels::{AnyTensor, Real, Step, WeightDecayTerm};
/// use burn_tricks_optim::{PendingStep, Rule, RuleOptimizer, StateField, TakenStep};
/// use burn_tricks_optim::{WeightDecayMode, WeightDecayScope};
///
/// /// a ← max(a, |g|),   w ← w − η g / (a + 1)
/// #[derive(Debug, Clone, Copy)]
/// struct LargestStep {
///     lr: f64,
///     decay: WeightDecayTerm,
/// }
///
/// impl Step<1> for LargestStep {
///     #[inline(always)]
///     fn element<T: Real>(self, weight: T, grad: T, [largest]: [T; 1]) -> (T, [T; 1]) {
///         let grad = self.decay.of_grad(grad, weight);
///         let largest = largest.max(grad.abs());
///         let update = grad / (largest + 1.0) * self.lr;
///         let update = self.decay.of_update(update, weight, grad);
///         (weight - update, [largest])
///     }
///
///     fn twin(
///         self,
///         weight: AnyTensor,
///         grad: AnyTensor,
///         [largest]: [AnyTensor; 1],
///     ) -> (AnyTensor, [AnyTensor; 1]) {
///         let grad = self.decay.of_grads(grad, &weight);
///         let largest = largest.max_pair(grad.clone().abs());
///         let update = grad.clone() / (largest.clone() + 1.0) * self.lr;
///         let update = self.decay.of_updates(update, &weight, &grad);
///         (weight - update, [largest])
///     }
/// }
///
/// const LARGEST: StateField = StateField::required("largest");
///
/// #[derive(Debug, Clone)]
/// struct LargestRule;
///
/// impl Rule for LargestRule {
///     const STATE: &'static [StateField] = &[LARGEST];
///
///     fn step(&self, pending: PendingStep) -> TakenStep {
///         let (lr, decay) = (pending.lr, pending.decay);
///         pending.take(LargestStep { lr, decay }, [LARGEST])
///     }
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let optim = RuleOptimizer::new(LargestRule)
///     .with_weight_decay(1e-2, WeightDecayMode::Decoupled, WeightDecayScope::Matrices)?
///     .with_skip_marked(true);
/// let optim = ModuleOptimizer::from(optim);
/// # let _ = optim;
/// # Ok(())
/// # }
/// ```
///
/// [`skipped_steps`]: crate::skipped_steps
pub trait Rule: Debug + Clone + Send + Sync + 'static {
    /// The state tensors of a parameter, for all settings of the rule.
    const STATE: &'static [StateField];

    /// The name of the number of steps taken in a record. `None`, the default, if a record does not need it.
    const STEP_COUNT: Option<&'static str> = None;

    /// Takes the step, with [`PendingStep::take`] or [`PendingStep::take_timed`].
    fn step(&self, pending: PendingStep) -> TakenStep;

    /// Adds to a record tensors that are computed from the state, for other optimizers that load it. By default
    /// none.
    fn record_derived(_: &RuleState<Self>, _prefix: &str, _: &mut StateSink) {}
}

/// The optimizer of one parameter that follows a [`Rule`].
#[derive(Debug, Clone, PartialEq)]
pub struct RuleOptimizer<R> {
    rule: R,
    decay: CheckedWeightDecay,
    skip_marked: bool,
}

impl<R: Rule> RuleOptimizer<R> {
    /// An optimizer without weight decay, which does not skip marked gradients.
    pub fn new(rule: R) -> Self {
        Self {
            rule,
            decay: CheckedWeightDecay::NONE,
            skip_marked: false,
        }
    }

    /// Weight decay with the factor λ, 0 for none, of the weights that `scope` names.
    ///
    /// # Errors
    ///
    /// If λ is negative or not finite.
    pub fn with_weight_decay(
        self,
        rate: f64,
        mode: WeightDecayMode,
        scope: WeightDecayScope,
    ) -> Result<Self, ConfigError> {
        Ok(self.with_checked_weight_decay(CheckedWeightDecay::new(rate, mode, scope)?))
    }

    pub(crate) fn with_checked_weight_decay(mut self, decay: CheckedWeightDecay) -> Self {
        self.decay = decay;
        self
    }

    /// Whether a gradient that is marked as non-finite skips the step: see
    /// [`skipped_steps`](crate::skipped_steps).
    #[must_use]
    pub fn with_skip_marked(mut self, skip_marked: bool) -> Self {
        self.skip_marked = skip_marked;
        self
    }
}

// Burn compiles a step for each rank, for each rule: what it does is compiled once for each rule.
impl<R: Rule> Optimizer for RuleOptimizer<R> {
    type State<const D: usize> = RuleState<R>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<RuleState<R>>,
    ) -> (Tensor<D>, Option<RuleState<R>>) {
        let grad = AnyTensor::from(grad);
        match self.step_any(lr, weight.into(), grad.into(), state, false) {
            StepOrPlan::Taken(weight, state) => (weight.into_tensor(), state),
            StepOrPlan::Planned(..) => unreachable!("nobody has asked for a plan"),
        }
    }

    fn to_device<const D: usize>(state: RuleState<R>, device: &Device) -> RuleState<R> {
        state.moved_to(device, D)
    }
}

/// What [`RuleOptimizer::step_any`] has made of a step.
#[allow(clippy::large_enum_variant)] // there is one at a time
pub(crate) enum StepOrPlan<R> {
    Taken(AnyTensor, Option<RuleState<R>>),
    Planned(PlannedStep, StepCount, Vec<StateField>),
}

impl<R: Rule> RuleOptimizer<R> {
    /// The step, taken, or planned if `together` and that is possible.
    pub(crate) fn step_any(
        &self,
        lr: LearningRate,
        weight: AnyTensor,
        mut grad: Multiple,
        state: Option<RuleState<R>>,
        together: bool,
    ) -> StepOrPlan<R> {
        let mut skip = Skip::NO;
        if self.skip_marked {
            let product = grad.multiplied();
            skip = Skip::marked_any(&product);
            grad = product.into();
        }
        if let Skip::Known(true) = skip {
            return StepOrPlan::Taken(weight, state);
        }
        let (steps, state) = state.unwrap_or_default().into_parts();
        let TakenStep { steps, done } = self.rule.step(PendingStep {
            lr,
            decay: self.decay.at(lr, weight.rank()),
            weight,
            grad,
            state,
            steps: steps.begun(),
            // Steps that the device may skip are taken one by one.
            together: together && matches!(skip, Skip::Known(false)),
            skip,
        });
        match done {
            Done::Taken(weight, tensors) => StepOrPlan::Taken(weight, remembered(steps, tensors)),
            Done::Planned(plan, fields) => StepOrPlan::Planned(plan, steps, fields),
        }
    }
}

impl<R: Rule> PlanSteps for RuleOptimizer<R> {
    fn plan(
        &self,
        lr: LearningRate,
        weight: AnyTensor,
        grad: Multiple,
        state: Option<DynState>,
    ) -> Outcome {
        let rank = weight.rank();
        let state = state.map(DynState::downcast::<RuleState<R>>);
        let erased =
            move |state: Option<RuleState<R>>| state.map(|state| DynState::create(state, rank));
        match self.step_any(lr, weight, grad, state, true) {
            StepOrPlan::Taken(weight, state) => Outcome::Taken(weight, erased(state)),
            StepOrPlan::Planned(plan, steps, fields) => {
                let end: EndOfStep =
                    Box::new(move |tensors| erased(remembered(steps, state_of(&fields, tensors))));
                Outcome::Planned(plan, end)
            }
        }
    }

    /// Whether a step is to be skipped, its whole gradient must say.
    fn multiplies(&self) -> bool {
        !self.skip_marked
    }
}

/// The state, if there is anything to remember.
pub(crate) fn remembered<R: Rule>(steps: StepCount, tensors: StateTensors) -> Option<RuleState<R>> {
    let remembers = R::STEP_COUNT.is_some() || !tensors.is_empty();
    remembers.then(|| RuleState::new(steps, tensors))
}

impl<R: Rule> RecordState for RuleState<R> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if self.write(R::STEP_COUNT, prefix, out) {
            R::record_derived(self, prefix, out);
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, _default: &Device) -> Option<Self> {
        Self::read(R::STEP_COUNT, R::STATE, prefix, source)
    }
}
