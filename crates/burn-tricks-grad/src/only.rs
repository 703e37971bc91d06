//! A transform for some parameters.

use crate::change_each::merged;
use crate::gradient_list::take;
use crate::gradient_order::GradientOrder;
use crate::transform::GradientTransform;
use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::StateError;
use burn_tricks_core::walk::{Location, Visitor, visit};
use burn_tricks_kernels::scale_or_nan;

/// A transform for some parameters: the gradients of the others stay as they are, and do not count in norms.
///
/// # Example
///
/// A threshold for each group, and no noise on the head:
///
/// ```
/// use burn::module::ParamGroup;
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_grad::{ClipGradNormConfig, GradNoiseConfig, GradientTransform as _, Only, ParamPaths};
///
/// let clip = |max_norm| ClipGradNormConfig::new(max_norm).init();
/// let model = (LinearConfig::new(4, 8).init(&Device::flex()), LinearConfig::new(8, 2).init(&Device::flex()));
/// let group = |path| ParamPaths::init(&model, "group", &[path]).map(|paths| paths.group());
/// let (encoder, head) = (group("0")?, group("1")?);
/// let noise = GradNoiseConfig::new(0.01).init()?;
/// let transform = Only::new(encoder, clip(1.0)?)
///     .then(Only::new(head.clone(), clip(0.1)?))
///     .then(Only::new(ParamGroup::all().exclude(head), noise));
/// # let _ = transform;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// The order is that of the transform.
///
/// # Cost
///
/// The cost of the transform, and two visits of the module that do not read values. A transform with
/// [`NonFinite::SkipStep`](crate::NonFinite::SkipStep) also costs a read and a write of the gradients of the other
/// parameters, to mark them, and a third visit.
///
/// # Differences
///
/// In PyTorch you pass the parameters of one group, in optax a mask (`masked`). A tied parameter belongs to the
/// group of its first path, since Burn's optimizers step it there. A group that is made with
/// [`ParamPaths`](burn_tricks_core::ParamPaths) matches all paths of a tied parameter of which it names one.
///
/// With [`NonFinite::SkipStep`](crate::NonFinite::SkipStep) in the transform, a number of the group that is not finite marks the
/// gradients of all parameters, since an optimizer takes a step or does not. Numbers of other parameters are not looked at.
///
/// If the transform returns no gradient of its group at all, the step is skipped for all parameters, as after a
/// [`StepGuard`](crate::StepGuard). So do not put a [`Freeze`](crate::Freeze) that removes every gradient of the group
/// into an `Only`: no step would be taken. Freeze by paths, without `Only`.
///
/// # Panics
///
/// [`apply`](GradientTransform::apply) panics if the transform must see all gradients first, as a
/// [`LossScaler`](crate::LossScaler) must, and there are gradients of other parameters, which would not be unscaled.
#[derive(Debug, Clone)]
pub struct Only<T> {
    transform: T,
    group: ParamGroup,
}

impl<T> Only<T> {
    /// `transform` for the parameters of `group` alone. Make the group of paths, with
    /// [`ParamPaths`](burn_tricks_core::ParamPaths), which refuses a path that the model does not have. Loading a record
    /// changes the ids of parameters: a group of ids that was made before it then matches nothing, and the transform
    /// does nothing. Ids are also other ones in each process, so that a resumed session sees another configuration.
    pub fn new(group: ParamGroup, transform: T) -> Self {
        Self { transform, group }
    }

    /// The transform.
    pub fn transform(&self) -> &T {
        &self.transform
    }
}

impl<T: GradientTransform> Only<T> {
    /// Panics if the transform must see the gradients of all parameters.
    fn assert_partial(&self) {
        let mut order = GradientOrder::new();
        order.add::<Self>(false);
        self.transform.gradient_order(&mut order);
        if let Err(error) = order.check() {
            panic!(
                "`Only` would leave gradients of other parameters as they are, and `{}` must see all of them",
                error.first
            );
        }
    }
}

impl<T: GradientTransform> GradientTransform for Only<T> {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        let mut choose = Choose {
            group: &self.group,
            from: grads,
            chosen: GradientsParams::new(),
            others: GradientsParams::new(),
        };
        visit(model, &mut choose);
        let Choose {
            from,
            chosen,
            others,
            ..
        } = choose;
        let others = merged(model, from, others);
        if !others.is_empty() {
            self.assert_partial();
        }
        if chosen.is_empty() {
            return others;
        }
        let chosen = self.transform.apply(model, chosen);
        if chosen.is_empty() {
            return chosen; // the step is skipped, for all
        }
        let others = if self.transform.marks_non_finite() {
            marked_like(model, others, &chosen)
        } else {
            others
        };
        merged(model, others, chosen)
    }

    fn marks_non_finite(&self) -> bool {
        self.transform.marks_non_finite()
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        self.transform.gradient_order(order);
    }

    fn describe(&self) -> Vec<String> {
        let inner = self.transform.describe().join(", ");
        vec![format!("{inner}, only {:?}", self.group)]
    }

    fn restart(&mut self) {
        self.transform.restart();
    }

    fn state(&self) -> Option<Vec<u8>> {
        self.transform.state()
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.transform.load_state(state)
    }

    fn roll_back_state(&self) -> Option<Vec<u8>> {
        self.transform.roll_back_state()
    }

    fn load_roll_back_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.transform.load_roll_back_state(state)
    }
}

struct Choose<'a> {
    group: &'a ParamGroup,
    from: GradientsParams,
    chosen: GradientsParams,
    others: GradientsParams,
}

impl Visitor for Choose<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        let Some(grad) = self.from.remove::<D>(param.id) else {
            return;
        };
        let to = if self.group.matches(&param.id, Some(at.path())) {
            &mut self.chosen
        } else {
            &mut self.others
        };
        to.register(param.id, grad);
    }
}

/// The gradients, all of whose numbers become NaN if those of `marked` are: a mark is in all of them, so one is looked at, on
/// the device.
fn marked_like<M: Module>(
    model: &M,
    grads: GradientsParams,
    marked: &GradientsParams,
) -> GradientsParams {
    let mut first = First {
        grads: marked,
        number: None,
    };
    model.visit(&mut first);
    let Some(number) = first.number else {
        return grads;
    };
    let (mut grads, mut taken) = take(model, grads);
    let dtype = taken.list.accumulation_dtype();
    let mark = number.cast(dtype);
    let factor = mark.ones_like().mask_fill(mark.is_nan(), f64::NAN);
    taken.list = scale_or_nan(taken.list, &factor);
    taken.put_into(&mut grads);
    grads
}

/// A number of the first gradient that has one.
struct First<'a> {
    grads: &'a GradientsParams,
    number: Option<Tensor<1>>,
}

impl ModuleVisitor for First<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.number.is_none()
            && let Some(grad) = self.grads.get::<D>(param.id)
            && !grad.dims().contains(&0)
        {
            let flat: Tensor<1> = grad.flatten(0, -1);
            self.number = Some(flat.narrow(0, 0, 1));
        }
    }
}
