//! The common part of all wrappers around an optimizer, and the trait in which they differ.

use crate::pending_step::state_of;
use crate::plan_steps::{Outcome, PlanSteps};
use crate::rule::{Rule, RuleOptimizer, StepOrPlan, remembered};
use crate::rule_state::RuleState;
use crate::state_tensors::{StateField, StateTensors};
use burn::optim::{
    DynState, LearningRate, Optimizer, RecordState, StateSink, StateSource, join_path,
};
use burn::tensor::{Device, Tensor};
use burn_tricks_kernels::{AnyTensor, Multiple, Number, PlannedStep, take_together};
use std::fmt::Debug;

/// What one wrapper does around the inner optimizer's step: the trait in which wrappers differ.
///
/// A [`Wrapper`] is a Burn `Optimizer` around any other optimizer: one of this library, of Burn, your own, or
/// another wrapper. Its state contains that of the inner optimizer. It counts the steps, and moves and records
/// both states, so that a run can be saved after any step and resumes to the bit. A [`Wrap`] says what is done
/// to weight and gradient before the inner step, and to the weight after it.
///
/// [`OptimizerExt`](crate::OptimizerExt) has the wrappers of this crate as methods.
///
/// # Example
///
/// A wrapper of your own, which never moves a weight by more than `most` in one step:
///
/// ```
/// use burn::optim::{ModuleOptimizer, Optimizer};
/// use burn::tensor::Tensor;
/// use burn_tricks_optim::AdamConfig;
/// use burn_tricks_optim::{Wrap, WrappedStep, Wrapper};
///
/// #[derive(Debug, Clone)]
/// struct Limited {
///     most: f64,
/// }
///
/// impl Wrap for Limited {
///     fn step<O: Optimizer, const D: usize>(
///         &self,
///         step: &mut WrappedStep<'_, O, D>,
///         weight: Tensor<D>,
///         grad: Tensor<D>,
///     ) -> Tensor<D> {
///         let new = step.inner(weight.clone(), grad);
///         weight.clone() + (new - weight).clamp(-self.most, self.most)
///     }
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let optim = Wrapper::new(Limited { most: 0.01 }, AdamConfig::new().build()?);
/// let optim = ModuleOptimizer::from(optim);
/// # let _ = optim;
/// # Ok(())
/// # }
/// ```
pub trait Wrap: Debug + Clone + Send + Sync + 'static {
    /// The wrapper's own state tensors of a parameter; mark those as [optional](StateField::optional) that not
    /// every parameter has. None by default.
    const STATE: &'static [StateField] = &[];

    /// Whether the step depends on its [number](WrappedStep::number), which is then recorded. By default it
    /// does not.
    const COUNTS: bool = false;

    /// The wrapper's own state numbers of a parameter, by their names in a record; 0 before the first step.
    /// None by default.
    const SCALARS: &'static [&'static str] = &[];

    /// More state numbers of a parameter, which may be on the device, by their names in a record, which must differ from
    /// those of [`SCALARS`](Self::SCALARS); 0 before the first step. None by default.
    const NUMBERS: &'static [&'static str] = &[];

    /// Returns the new weight. It must call [`WrappedStep::inner`] once.
    fn step<O: Optimizer, const D: usize>(
        &self,
        step: &mut WrappedStep<'_, O, D>,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D>;
}

/// What a [`Wrap`] can use in a step of one parameter.
#[derive(Debug)]
pub struct WrappedStep<'a, O: Optimizer, const D: usize> {
    /// η of this step. The inner optimizer gets this value, which may be changed before its step.
    pub lr: LearningRate,
    number: u64,
    optimizer: &'a O,
    inner: Option<O::State<D>>,
    tensors: StateTensors,
    scalars: Vec<f64>,
    numbers: Vec<Number>,
}

impl<O: Optimizer, const D: usize> WrappedStep<'_, O, D> {
    /// The number of this step, which counts from 1. Steps that the inner optimizer skips count too. Always 1 for
    /// a [`Wrap`] that does not [count](Wrap::COUNTS).
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Takes the inner optimizer's step, and returns the new weight.
    pub fn inner(&mut self, weight: Tensor<D>, grad: Tensor<D>) -> Tensor<D> {
        let (weight, state) = self
            .optimizer
            .step(self.lr, weight, grad, self.inner.take());
        self.inner = state;
        weight
    }

    /// Drops the inner optimizer's state of this parameter: with it the number of the step of a
    /// [`Scheduled`](crate::Scheduled) inside, whose schedule begins anew.
    pub fn reset_inner(&mut self) {
        self.inner = None;
    }

    /// Takes a tensor out of the state, onto the device of `weight`, in the type of `weight`, or in `f32` if
    /// that is `f16` or `bf16`. `None` if no tensor was [put](Self::put) there before.
    ///
    /// # Panics
    ///
    /// If the state is that of a parameter of another shape.
    pub fn take(&mut self, field: StateField, weight: &Tensor<D>) -> Option<Tensor<D>> {
        let tensor = self.tensors.take(field, &weight.clone().into())?;
        Some(tensor.into_tensor())
    }

    /// Like [`take`](Self::take), in the type of `weight`, also if that is `f16` or `bf16`.
    ///
    /// # Panics
    ///
    /// If the state is that of a parameter of another shape.
    pub fn take_as_weight(&mut self, field: StateField, weight: &Tensor<D>) -> Option<Tensor<D>> {
        let tensor = (self.tensors).take_as_weight(field, &weight.clone().into())?;
        Some(tensor.into_tensor())
    }

    /// The state numbers, in the order of [`Wrap::SCALARS`], to be read and written.
    pub fn scalars(&mut self) -> &mut [f64] {
        &mut self.scalars
    }

    /// The state numbers that may be on the device, in the order of [`Wrap::NUMBERS`], to be read and written.
    pub fn numbers(&mut self) -> &mut [Number] {
        &mut self.numbers
    }

    /// Puts a tensor into the state, as it is, in place of the one that is there.
    pub fn put(&mut self, field: StateField, tensor: Tensor<D>) {
        self.tensors.put(field, tensor.into());
    }
}

/// An optimizer around another.
#[derive(Debug, Clone, PartialEq)]
pub struct Wrapper<W, O> {
    wrap: W,
    inner: O,
}

impl<W: Wrap, O: Optimizer> Wrapper<W, O> {
    /// `inner`, wrapped by `wrap`.
    pub fn new(wrap: W, inner: O) -> Self {
        Self { wrap, inner }
    }

    /// The inner optimizer.
    pub fn inner(&self) -> &O {
        &self.inner
    }

    /// The inner optimizer, without the wrapper.
    pub fn into_inner(self) -> O {
        self.inner
    }
}

impl<W: Wrap, O: Optimizer> Optimizer for Wrapper<W, O> {
    type State<const D: usize> = WrapperState<W, O::State<D>>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        weight: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let state = state.unwrap_or_else(WrapperState::empty);
        let number = if W::COUNTS {
            state.steps.saturating_add(1)
        } else {
            1
        };
        let mut step = WrappedStep {
            lr,
            number,
            optimizer: &self.inner,
            inner: state.inner,
            tensors: state.tensors,
            scalars: state.scalars,
            numbers: state.numbers,
        };
        let weight = self.wrap.step(&mut step, weight, grad);
        let state = WrapperState {
            steps: number,
            inner: step.inner,
            tensors: step.tensors,
            scalars: step.scalars,
            numbers: step.numbers,
            wrap: std::marker::PhantomData,
        };
        let counts = W::COUNTS || !W::SCALARS.is_empty() || !W::NUMBERS.is_empty();
        let remembers = counts || state.inner.is_some() || !state.tensors.is_empty();
        (weight, remembers.then_some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        WrapperState {
            inner: state.inner.map(|inner| O::to_device(inner, device)),
            tensors: state.tensors.moved_to(device, D),
            numbers: state
                .numbers
                .into_iter()
                .map(|n| n.moved_to(device))
                .collect(),
            ..state
        }
    }
}

/// What a wrapper without a state of its own does after the inner optimizer's step, which a GPU can do for many parameters
/// together.
pub(crate) trait PlanWrap: Wrap {
    /// The planned step with it, or as it is if the GPU cannot.
    fn plan(
        &self,
        lr: LearningRate,
        rank: usize,
        step: PlannedStep,
    ) -> Result<PlannedStep, PlannedStep>;

    /// The weight, from the new weight of the inner optimizer, the old weight and the gradient.
    fn finish(
        &self,
        lr: LearningRate,
        new: AnyTensor,
        weight: AnyTensor,
        grad: AnyTensor,
    ) -> AnyTensor;
}

impl<W: PlanWrap, R: Rule> PlanSteps for Wrapper<W, RuleOptimizer<R>> {
    fn plan(
        &self,
        lr: LearningRate,
        weight: AnyTensor,
        grad: Multiple,
        state: Option<DynState>,
    ) -> Outcome {
        let rank = weight.rank();
        let state = state.map(DynState::downcast::<WrapperState<W, RuleState<R>>>);
        let inner = state.and_then(|state| state.inner);
        let wrapped = move |inner: Option<RuleState<R>>| {
            let state = WrapperState::<W, RuleState<R>> {
                steps: 1,
                inner: Some(inner?),
                ..WrapperState::empty()
            };
            Some(DynState::create(state, rank))
        };
        let step = (self.inner).step_any(lr, weight.clone(), grad.clone(), inner, true);
        let (new, inner) = match step {
            StepOrPlan::Taken(new, inner) => (new, inner),
            StepOrPlan::Planned(plan, steps, fields) => {
                let end = move |tensors| remembered(steps, state_of(&fields, tensors));
                match self.wrap.plan(lr, rank, plan) {
                    Ok(plan) => {
                        return Outcome::Planned(
                            plan,
                            Box::new(move |tensors| wrapped(end(tensors))),
                        );
                    }
                    Err(plan) => {
                        let (new, tensors) = take_together(vec![plan]).swap_remove(0);
                        (new, end(tensors))
                    }
                }
            }
        };
        let new = (self.wrap).finish(lr, new, weight, grad.multiplied());
        Outcome::Taken(new, wrapped(inner))
    }

    fn multiplies(&self) -> bool {
        self.inner.multiplies()
    }
}

/// The state of a [`Wrapper`] for one parameter: its own tensors and numbers, the number of steps as `steps` if
/// the [`Wrap`] counts them, and the state of the inner optimizer under `inner`.
#[derive(Debug)]
pub struct WrapperState<W, S> {
    steps: u64,
    inner: Option<S>,
    tensors: StateTensors,
    scalars: Vec<f64>,
    numbers: Vec<Number>,
    wrap: std::marker::PhantomData<fn() -> W>,
}

impl<W: Wrap, S> WrapperState<W, S> {
    fn empty() -> Self {
        Self {
            steps: 0,
            inner: None,
            tensors: StateTensors::new(),
            scalars: vec![0.0; W::SCALARS.len()],
            numbers: vec![Number::Known(0.0); W::NUMBERS.len()],
            wrap: std::marker::PhantomData,
        }
    }
}

impl<W, S: Clone> Clone for WrapperState<W, S> {
    fn clone(&self) -> Self {
        Self {
            steps: self.steps,
            inner: self.inner.clone(),
            tensors: self.tensors.clone(),
            scalars: self.scalars.clone(),
            numbers: self.numbers.clone(),
            wrap: std::marker::PhantomData,
        }
    }
}

impl<W: Wrap, S: RecordState> RecordState for WrapperState<W, S> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if W::COUNTS {
            out.push_scalar(prefix, "steps", self.steps.into());
        }
        for (name, scalar) in W::SCALARS.iter().zip(&self.scalars) {
            out.push_scalar(prefix, name, (*scalar).into());
        }
        for (name, number) in W::NUMBERS.iter().zip(&self.numbers) {
            out.push_scalar(prefix, name, number.read().into());
        }
        self.tensors.write(prefix, out);
        if let Some(inner) = &self.inner {
            inner.state_flatten(&join_path(prefix, "inner"), out);
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let steps = if W::COUNTS {
            u64::try_from(source.take_scalar(prefix, "steps")?).ok()?
        } else {
            1
        };
        let mut scalars = Vec::with_capacity(W::SCALARS.len());
        for name in W::SCALARS {
            scalars.push(f64::try_from(source.take_scalar(prefix, name)?).ok()?);
        }
        let mut numbers = Vec::with_capacity(W::NUMBERS.len());
        for name in W::NUMBERS {
            let number = f64::try_from(source.take_scalar(prefix, name)?).ok()?;
            numbers.push(Number::Known(number));
        }
        let tensors = StateTensors::read(W::STATE, prefix, source)?;
        let path = join_path(prefix, "inner");
        let inner = if source.has_under(&path) {
            Some(S::state_unflatten(&path, source, device)?)
        } else {
            None
        };
        Some(Self {
            steps,
            inner,
            tensors,
            scalars,
            numbers,
            wrap: std::marker::PhantomData,
        })
    }
}
