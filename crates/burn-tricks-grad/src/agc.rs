//! Adaptive gradient clipping (AGC).

use crate::change_each::unit_axis;
use crate::gradient_list::GradientList;
use crate::transform::GradientTransform;
use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Visitor, visit};
use burn_tricks_core::{Config, ConfigError, UnitAxis};
use burn_tricks_kernels::{TensorList, UnitClip, behind, clip_units_all};
use std::collections::HashSet;
use std::hint::black_box;

/// Configuration of [`Agc`], adaptive gradient clipping: the gradient norm of each unit is at most a fraction of
/// the norm of its weights.
///
/// ```text
/// gᵤ ← gᵤ · min(1, λ max(‖wᵤ‖, ε) / ‖gᵤ‖)
/// ```
///
/// `u` is an output unit: a column of Burn's `[in, out]` linear weights, a filter `[out, ...]` of a
/// convolution, a row of an embedding. A bias, a gain, and any other parameter without units is treated as one
/// unit. With ε, weights that are zero can change.
///
/// # Example
///
/// The recipe of the paper leaves the last layer out:
///
/// ```
/// use burn::module::{Module, ParamGroup};
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor, activation::relu};
/// use burn_tricks_grad::{AgcConfig, ParamPaths};
///
/// #[derive(Module, Debug)]
/// struct Net {
///     body: Linear,
///     head: Linear,
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let mut model = Net {
///     body: LinearConfig::new(4, 8).init(&device),
///     head: LinearConfig::new(8, 2).init(&device),
/// };
/// let mut optim = SgdConfig::new().init();
/// let head = ParamPaths::init(&model, "head", &["head"])?.group();
/// let agc = AgcConfig::new().with_group(ParamGroup::all().exclude(head)).init()?;
///
/// let hidden = relu(model.body.forward(Tensor::<2>::ones([8, 4], &device)));
/// let loss = model.head.forward(hidden).square().mean();
/// let grads = agc.apply(&model, GradientsParams::from_grads(loss.backward(), &model));
/// model = optim.step(0.1, model, grads);
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Apply it once, after accumulating and unscaling, like [`ClipGradNormConfig`](crate::ClipGradNormConfig).
///
/// # Cost
///
/// No state. On the CPU backend the norms take one read of weights and gradients; if a unit is clipped, a write of the
/// gradients follows. So it moves 8 bytes per `f32` number if nothing is clipped, and 12 if every unit is (16 for
/// columns, which are read once more). [`ClipGradNorm`](crate::ClipGradNorm), which needs no weights, moves 4 and 12.
/// On a GPU, with the feature of this library for its backend, one launch does this for dozens of parameters. On other
/// backends the transform is tensor operations: about four reads of weights and gradients for the norms; then a read
/// and a write of the gradients. No value is read from a device.
///
/// On large tensors it takes 1.7 (rows) to 2.4 (columns) times as long as [`ClipGradNorm`](crate::ClipGradNorm) if
/// nothing is clipped, and 0.9 to 1.4 times if every unit is. On 2,000 small tensors it takes 1.4 to 2.2 times as long,
/// most of it to find the weights and to take them out of autodiff. `BENCHMARKS.md` of `burn-tricks-kernels` has the tables.
///
/// # Differences
///
/// - timm takes rows of PyTorch's `[out, in]`, optax columns of `[in, out]`. Both are the output units, as
///   here. For a transposed convolution, `[in, out, k, k]`, timm takes the inputs.
/// - Composer has no ε: weights that are zero at first stay zero.
/// - Norms are safe from overflow, as in [`global_norm`](crate::global_norm). A NaN in a gradient stays, and
///   its unit is not clipped. An infinity becomes NaN, and the other numbers of its unit become zero. See
///   [`StepGuard`](crate::StepGuard).
///
/// # Suggested values
///
/// λ = 0.01 for NFNets with batches of 4096, 0.02 to 0.08 for smaller ones (Brock et al., section 4.1), without the
/// last layer.
///
/// Leave out biases that begin at zero, too: until its norm reaches ε, such a bias gets gradients of norm λ ε at most,
/// 1e-5 with the defaults. SGD at a learning rate of 0.1 then takes a thousand steps to move the bias by 0.001.
///
/// # References
///
/// - Brock, De, Smith, Simonyan, *High-performance large-scale image recognition without normalization*, 2021,
///   <https://arxiv.org/abs/2102.06171>
/// - timm, `adaptive_clip_grad`; optax, `adaptive_grad_clip`
#[derive(Config, Debug)]
pub struct AgcConfig {
    /// λ > 0, the largest gradient norm of a unit as a fraction of the norm of its weights. `f64::MAX` never
    /// clips. Default: 0.01.
    #[config(default = 0.01)]
    pub clip_factor: f64,
    /// ε > 0, a lower bound for the norm of a unit's weights in the formula. Default: 1e-3.
    #[config(default = 1e-3)]
    pub epsilon: f64,
    /// Which parameters. Make the group of paths, with [`ParamPaths`](crate::ParamPaths): it refuses a path that the
    /// model does not have, and takes any path of a tied parameter, where a group made otherwise must have its first one.
    /// A group of ids matches nothing once a record is loaded, since that changes the ids of parameters. Default: all.
    #[config(default = "ParamGroup::all()")]
    pub group: ParamGroup,
}

impl AgcConfig {
    /// The clipper.
    ///
    /// # Errors
    ///
    /// If λ or ε is not finite and positive.
    pub fn init(&self) -> Result<Agc, ConfigError> {
        ConfigError::positive("clip_factor", self.clip_factor)?;
        ConfigError::positive("epsilon", self.epsilon)?;
        Ok(Agc {
            config: self.clone(),
        })
    }
}

/// Clips each unit's gradient by the norm of its weights. Made by [`AgcConfig::init`].
#[derive(Debug, Clone)]
pub struct Agc {
    config: AgcConfig,
}

impl Agc {
    /// The clipped gradients. Gradients of parameters that `module` does not have are not changed.
    #[must_use]
    pub fn apply<M: Module>(&self, module: &M, grads: GradientsParams) -> GradientsParams {
        let clip = UnitClip {
            clip_factor: self.config.clip_factor,
            epsilon: self.config.epsilon,
        };
        // Another thread clips small tensors while the walk goes on; all threads clip large ones after it.
        let clipped = |part: Part| part.clipped(clip);
        let (mut grads, rest) = behind(
            &clipped,
            |give| {
                let mut take = Take {
                    group: &self.config.group,
                    others: HashSet::new(),
                    small: Part::default(),
                    large: Part::default(),
                    grads,
                    give,
                };
                visit(module, &mut take);
                let mut rest = take.large;
                rest.append(take.small);
                (take.grads, rest)
            },
            |(grads, _), clipped| clipped.put_into(grads),
        );
        rest.clipped(clip).put_into(&mut grads);
        grads
    }
}

impl GradientTransform for Agc {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        Self::apply(self, model, grads)
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}

/// A float parameter of any rank.
trait AnyParam: Send {
    /// Brings what [`push_to`](Self::push_to) needs into the cache: the counters at the tensor's buffer and at its node of
    /// autodiff, at which a clone counts itself. A clone waits for one after the other; here nothing waits.
    fn load(&self);

    /// Adds the weight to a list, without autodiff.
    fn push_to(self: Box<Self>, weights: &mut TensorList);
}

impl<const D: usize> AnyParam for Param<Tensor<D>> {
    fn load(&self) {
        black_box((self.can_mut(), Tensor::is_require_grad(self)));
    }

    fn push_to(self: Box<Self>, weights: &mut TensorList) {
        weights.push_without_autodiff(self.val());
    }
}

/// Some gradients, with their parameters and where the units lie.
#[derive(Default)]
struct Part {
    grads: GradientList,
    params: Vec<Box<dyn AnyParam>>,
    axes: Vec<Option<usize>>,
    /// How many numbers the gradients have together.
    numbers: usize,
}

impl Part {
    fn with_capacity(count: usize) -> Self {
        Self {
            grads: GradientList::with_capacity(count),
            params: Vec::with_capacity(count),
            axes: Vec::with_capacity(count),
            numbers: 0,
        }
    }

    fn append(&mut self, mut other: Self) {
        self.grads.append(other.grads);
        self.params.append(&mut other.params);
        self.axes.append(&mut other.axes);
        self.numbers += other.numbers;
    }

    /// To find the weights takes longer than to read them: they lie behind several pointers, which are followed for all of
    /// them side by side.
    fn clipped(self, clip: UnitClip) -> GradientList {
        let Self {
            mut grads,
            params,
            axes,
            ..
        } = self;
        let mut weights = TensorList::with_capacity(params.len());
        params.iter().for_each(|param| param.load());
        for param in params {
            param.push_to(&mut weights);
        }
        grads.list = clip_units_all(clip, weights, grads.list, axes);
        grads
    }
}

/// So many numbers are worth a message to another thread, and a tensor of more numbers is worth several threads.
const PART: usize = 1 << 15;

/// Takes the gradients of the group out, and gives them away in parts.
struct Take<'a> {
    group: &'a ParamGroup,
    /// The module's other parameters: a tied one may be in the group by a later path.
    others: HashSet<ParamId>,
    small: Part,
    large: Part,
    grads: GradientsParams,
    give: &'a mut dyn FnMut(Part),
}

impl Visitor for Take<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if !self.group.matches(&param.id, Some(at.path())) {
            self.others.insert(param.id);
            return;
        }
        if self.others.contains(&param.id) {
            return;
        }
        // Its weight is loaded while the gradient is found.
        let has_weight = black_box(param.is_initialized());
        let Some(grad) = self.grads.remove::<D>(param.id) else {
            return;
        };
        let numbers = grad.shape().num_elements();
        // A weight that is still to be drawn is drawn on this thread.
        let part = if numbers > PART || !has_weight {
            &mut self.large
        } else {
            &mut self.small
        };
        part.params.push(Box::new(param.clone()));
        part.axes.push(unit_axis(at, D).map(UnitAxis::axis));
        part.grads.push(param.id, grad);
        part.numbers += numbers;
        if self.small.numbers >= PART {
            let next = Part::with_capacity(self.small.axes.len());
            let part = std::mem::replace(&mut self.small, next);
            if part.grads.list.is_on_cpu() {
                (self.give)(part);
            } else {
                self.large.append(part);
            }
        }
    }
}
