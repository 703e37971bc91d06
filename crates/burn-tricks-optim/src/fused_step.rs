//! A step of a whole module, for hand-written loops: transform, optimizer and average in one.

mod groups;
mod slots;
mod together;
mod turn;
mod walks;

use burn::grad_clipping::GradientClipping;
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{Module, ParamGroup};
use burn::optim::{GradAdaptor, GradientsParams, MultiGradientsParams, Optimizer, OptimizerRecord};
use burn_tricks_core::{ListTransform, StepAverage, walk};
use burn_tricks_kernels::ahead;
use groups::Groups;
use slots::Slots;
use turn::Turn;
use walks::{Gather, InOneWalk, Prepare, PutBack};

/// The step of a hand-written loop in one call: it transforms the gradients, takes the optimizer's step, and updates an
/// average of the weights, with fewer visits of the model than three separate calls.
///
/// Its result equals that of these three calls, on the CPU to the bit, and on a GPU up to rounding:
///
/// ```text
/// let grads = clip.apply(&model, grads);
/// model = optim.step(lr, model, grads);
/// ema.update(&model);
/// ```
///
/// A model of many small tensors spends much of such a step on visiting the module and on the bookkeeping of Burn's
/// `ModuleOptimizer`. A `FusedStep` visits the module twice: first to gather the gradients, since the norm needs all of
/// them, then to put the new weights into the module. On the CPU backend, other threads step the small tensors before
/// the second visit comes to them, and update the average after it. Small tensors have at most 65,536 numbers, a state,
/// and gradients that nothing else shares. All threads step a larger tensor together when the visit comes to it. On
/// other backends every tensor is stepped at that moment.
///
/// On a GPU, with one of the features for it (`wgpu`, `vulkan`, `cuda`, ...), the number of launched kernels decides. A
/// `ModuleOptimizer` launches at least one for each shape of tensor. A `FusedStep` takes the steps of dozens of
/// parameters with one launch, if their optimizer is one of this crate's and has the same settings and learning rate
/// for them, and then updates the average of dozens of tensors with one launch. If the transform multiplies all gradients by
/// one number at its end (`ClipGradNorm`, `AutoClip` and `NormalizeGrad` over the whole model), the kernel of the steps
/// multiplies while it reads the gradients, and with the Euclidean norm of `ClipGradNorm` and `NormalizeGrad` the kernel that
/// adds up the squares computes the number. (For `Lars`, `Cautious`, `NormalizedGradient`, with `with_skip_marked`, with Burn's
/// clipping of a group, and for optimizers and wrappers whose steps are not taken together, one launch for dozens of gradients
/// multiplies before the step.) A transform of your own does the same if it has
/// [`apply_up_to_factor`](ListTransform::apply_up_to_factor). Optimizers that need a number computed
/// from each tensor (`Lars`, a `NormalizedGradient` per tensor without memory and momentum, and the wrappers
/// `TrustRatio` and `Cautious` around an optimizer of this crate) take two or three launches more. With other wrappers,
/// other settings of `NormalizedGradient`, optimizers of your own, and steps that the device may skip
/// (`with_skip_marked`), each parameter is stepped by itself.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_optim::{AdamConfig, OptimizerExt as _};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let mut model = LinearConfig::new(4, 2).init(&device);
/// let mut fused = AdamConfig::torch().build()?.fused();
/// for _ in 0..3 {
///     let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
///     let grads = GradientsParams::from_grads(loss.backward(), &model);
///     model = fused.step(1e-3, model, grads);
/// }
/// # Ok(())
/// # }
/// ```
///
/// Without weight decay for biases, with a transform of your own:
///
/// ```
/// use burn::module::ParamGroup;
/// use burn_tricks_kernels::{TensorList, clamp};
/// use burn_tricks_optim::{AdamWConfig, ListTransform, OptimizerExt as _};
///
/// #[derive(Debug)]
/// struct Clamp;
///
/// impl ListTransform for Clamp {
///     fn apply_to_list(&mut self, grads: TensorList) -> TensorList {
///         clamp(grads, 0.5)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let biases = ParamGroup::from_regex("bias$").expect("a regular expression");
/// let fused = AdamWConfig::torch()
///     .build()?
///     .fused()
///     .with_group(biases, AdamWConfig::torch().with_weight_decay(0.0).build()?, None)
///     .with_transform(Clamp);
/// # let _ = fused;
/// # Ok(())
/// # }
/// ```
///
/// `ClipGradNorm`, `ClipGradValue`, `AutoClip` and `NormalizeGrad` of `burn-tricks-grad` are such transforms, and every
/// average of `burn-tricks-average` can be given to [`with_average`](Self::with_average). `Average` (`Ema`, `Swa`, ...)
/// and `EmaSet` are updated while the weights are stepped; `AverageOn`, `TrainedAverage` and `Swag` are updated as by a
/// separate call. The guide's page "order of a step" has a loop with both.
///
/// # Order
///
/// It takes the place of the last transform, of the optimizer and of the average. Transforms that need the weights or
/// the parameters' names, and all that are not a [`ListTransform`], are applied to the gradients before it, in their
/// usual order.
///
/// The order in which small tensors are stepped is not determined, and the result does not depend on it. If an
/// optimizer of your own draws random numbers, it must not draw them from the device's generator, since the order of
/// the draws is not determined.
///
/// The average takes the weights as the step leaves them. If something changes weights after the step, such as
/// [`TiedWeights`](https://docs.rs/burn-tricks-nn) at the second place of a tied weight, the average has the old value
/// there. Make three calls in this case.
///
/// # State
///
/// Each part is saved as it would be without the others: [`to_record`](Self::to_record) gives the `OptimizerRecord` of
/// a `ModuleOptimizer` with the same groups, and [`average`](Self::average) and [`transform`](Self::transform) give the
/// others. A run can change between `FusedStep` and the separate calls whenever it is resumed. The record is loaded
/// with [`ModuleOptimizerExt`](crate::ModuleOptimizerExt), which checks it against the model.
///
/// # What it leaves out
///
/// The `Learner` cannot use a `FusedStep`, since it steps a `ModuleOptimizer`.
///
/// A model with running statistics (batch norm), with integers or with booleans is averaged in a separate visit, as by
/// a separate call.
///
/// # Cost
///
/// No additional tensor, except while a record is made or loaded, which takes some copies of the states in the memory
/// of the CPU. (Small weights on the CPU, and all weights on a GPU, are stepped in the buffers of their gradients.) A
/// step reads nothing from the device that its parts do not read.
///
/// On 2,000 small tensors, clipping, Adam and a moving average take 0.65 of the time of three separate calls, and Adam
/// alone 0.7, on two cores that have nothing else to do; on busy cores up to 1.3. Plain SGD alone, without a transform
/// and an average, takes 1.1 times as long as the separate call. On a model of a few large tensors, such as an ordinary
/// MLP, arithmetic takes most of the time, and the separate calls take as long. `BENCHMARKS.md` of `burn-tricks-kernels`
/// has the times.
///
/// # Differences
///
/// PyTorch's `foreach` and `fused` optimizers work on many tensors in one call, and clip and average in separate calls;
/// `apex.optimizers.FusedAdam` takes the factor of a clipping as an argument.
#[derive(Clone)]
pub struct FusedStep<T = (), A = ()> {
    groups: Groups,
    slots: Slots,
    transform: T,
    average: A,
}

impl FusedStep {
    /// The step of this optimizer for every parameter, without a transform and without an average.
    pub fn new(optim: impl Optimizer) -> Self {
        Self {
            groups: Groups::new(optim),
            slots: Slots::default(),
            transform: (),
            average: (),
        }
    }
}

impl<T, A> FusedStep<T, A> {
    /// With another optimizer, and Burn's clipping of each gradient or none, for the parameters of `group`, as Burn's
    /// `ModuleOptimizer::with_group`: of several groups that match a parameter, the one added last counts. The states of
    /// the parameters that match are reset.
    #[must_use]
    pub fn with_group(
        mut self,
        group: ParamGroup,
        optim: impl Optimizer,
        grad_clipping: Option<GradientClipping>,
    ) -> Self {
        self.slots.forget(&group);
        self.groups.add(group, optim, grad_clipping);
        self
    }

    /// With Burn's clipping of each gradient, after the transform, for the parameters that are in none of the
    /// [groups](Self::with_group), as Burn's `ModuleOptimizer::with_grad_clipping`. It acts from the next step on. To clip
    /// the norm of all gradients together, give `ClipGradNorm` to [`with_transform`](Self::with_transform).
    #[must_use]
    pub fn with_grad_clipping(mut self, clipping: GradientClipping) -> Self {
        self.groups.clip_first(clipping);
        self
    }

    /// With this transform of the gradients before the optimizer, instead of the one that it had.
    pub fn with_transform<U: ListTransform>(self, transform: U) -> FusedStep<U, A> {
        FusedStep {
            groups: self.groups,
            slots: self.slots,
            transform,
            average: self.average,
        }
    }

    /// With this average of the weights after the optimizer, instead of the one that it had. The compiler checks that it
    /// is an average of such a model where [`step`](Self::step) is called.
    pub fn with_average<B>(self, average: B) -> FusedStep<T, B> {
        FusedStep {
            groups: self.groups,
            slots: self.slots,
            transform: self.transform,
            average,
        }
    }

    /// The transform.
    pub fn transform(&self) -> &T {
        &self.transform
    }

    /// The transform, to load its state.
    pub fn transform_mut(&mut self) -> &mut T {
        &mut self.transform
    }

    /// The average, to validate with or to save.
    pub fn average(&self) -> &A {
        &self.average
    }

    /// The average, to load its state or to restart it.
    pub fn average_mut(&mut self) -> &mut A {
        &mut self.average
    }

    /// `model` after the step. Parameters without a gradient stay as they are; a tied parameter is stepped at its first
    /// place, as by Burn's optimizers. The average is updated in any case, and gets the base of the learning rates.
    ///
    /// # Panics
    ///
    /// If the transform does not return as many gradients as it got, if a state is that of a parameter of another
    /// shape, if the average was made for a model of another architecture, or if the module, written by hand, comes to
    /// its parameters in another order or under other names in `map` than in `visit`. After a panic some parameters and
    /// their averages may have taken the step, and others not: do not use this `FusedStep` any more.
    #[must_use]
    pub fn step<M: Module>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        grads: GradientsParams,
    ) -> M
    where
        T: ListTransform,
        A: StepAverage<M>,
    {
        self.step_with(lr.into(), model, grads.into())
    }

    /// Like [`step`](Self::step), with the gradients of several devices, which are summed. As in Burn's
    /// `ModuleOptimizer::step_multi`, each parameter is stepped on one of these devices.
    ///
    /// # Panics
    ///
    /// Those of [`step`](Self::step).
    #[must_use]
    pub fn step_multi<M: Module>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        grads: MultiGradientsParams,
    ) -> M
    where
        T: ListTransform,
        A: StepAverage<M>,
    {
        self.step_with(lr.into(), model, grads.into())
    }

    fn step_with<M: Module>(&mut self, lr: ModuleLearningRate, model: M, grads: GradAdaptor) -> M
    where
        T: ListTransform,
        A: StepAverage<M>,
    {
        let (groups, slots) = (&self.groups, &mut self.slots);
        if self.transform.is_identity() && slots.are_stateless() && !together::is_on_gpu(&model) {
            // Nothing needs all gradients, and no step is worth a thread.
            let mut update = self.average.begin_update(lr.base());
            let mut step = InOneWalk::new(grads, &lr, (groups, slots), &mut update);
            let model = walk::map(model, &mut step);
            self.average.end_update(update, &model, lr.base());
            return model;
        }
        let mut gather = Gather::new(grads, &lr, (groups, &mut *slots));
        walk::visit(&model, &mut gather);
        let (mut turns, grads) = gather.into_parts();
        let (grads, factor) = self.transform.apply_up_to_factor(grads);
        assert_eq!(
            grads.len(),
            turns.len(),
            "a transform returns (left) as many gradients as it gets (right)"
        );
        let ids = turns.iter().map(|turn| turn.id).collect();
        let on_gpu = grads.are_on_gpu();
        let grads = (grads, factor);
        Prepare::turns(&mut turns, (grads, &on_gpu), (groups, &mut *slots));
        together::take(&mut turns, &on_gpu, groups);
        let small = turns.iter().filter(|turn| turn.is_ready()).count();
        let mut update = self.average.begin_update(lr.base());
        let take = |turn: Box<Turn>| turn.taken_if_ready(groups);
        let model = ahead(turns, small, &take, |turns| {
            let mut put_back = PutBack::new((ids, turns), (groups, slots), &mut update);
            let model = walk::map(model, &mut put_back);
            put_back.finish();
            model
        });
        self.average.end_update(update, &model, lr.base());
        model
    }

    /// The state of the optimizer: the record of a `ModuleOptimizer` with the same groups and the same steps. Waits for
    /// the device. It loads with [`ModuleOptimizerExt`](crate::ModuleOptimizerExt), here and there.
    pub fn to_record(&self) -> OptimizerRecord {
        self.slots.to_record(&self.groups)
    }

    /// With the states of the record; those that their optimizer cannot read are left out.
    pub(crate) fn with_record(mut self, record: OptimizerRecord) -> Self {
        self.slots = Slots::of_record(record, &self.groups);
        self
    }
}

impl<T: std::fmt::Debug, A: std::fmt::Debug> std::fmt::Debug for FusedStep<T, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FusedStep")
            .field("groups", &self.groups.len())
            .field("states", &self.slots.len())
            .field("transform", &self.transform)
            .field("average", &self.average)
            .finish()
    }
}
