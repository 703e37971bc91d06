//! State that is computed from the weights of its module.

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
    Param, ParamId,
};
use burn::tensor::{Device, Tensor};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A tensor that a module computes from its weights, and that is not a weight itself.
///
/// Like Burn's `RunningState`, it is recorded and moved with its module, shared by the module's clones until
/// [`valid`](Module::valid) or [`train`](Module::train), and never trained. Unlike a `RunningState`, it is
/// replaced as soon as any thread sets it, and is never averaged.
///
/// Examples are the leading singular vectors of a weight, an inverse, an orthogonal factor, a sign. A module
/// keeps such state because it is costly to compute, or because each step starts from the last result. The mean
/// of such states is not the state of the mean weights: the mean of two unit vectors is shorter than 1, that of
/// u and −u is 0. So the averages of this library do not average a field of type [`Derived`]. In an average it
/// is *stale*, and the module computes it anew from the averaged weights.
///
/// # Example
///
/// A layer that divides its weight by the norm of the weight, and computes the norm once:
///
/// ```
/// use burn::module::{Module, Param};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_core::{Buffers, Derived, Snapshot};
///
/// #[derive(Module, Debug)]
/// struct UnitLinear {
///     weight: Param<Tensor<2>>,
///     length: Derived<1>,
/// }
///
/// impl UnitLinear {
///     fn new(weight: Tensor<2>) -> Self {
///         let length = Derived::new(Self::length_of(&weight));
///         let weight = Param::from_tensor(weight);
///         Self { weight, length }
///     }
///
///     fn length_of(weight: &Tensor<2>) -> Tensor<1> {
///         weight.clone().square().sum().sqrt()
///     }
///
///     fn forward(&self, input: Tensor<2>) -> Tensor<2> {
///         let weight = self.weight.val();
///         if self.length.is_stale() {
///             self.length.set(Self::length_of(&weight));
///         }
///         input.matmul(weight) / self.length.value().reshape([1, 1])
///     }
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::Mismatch> {
/// let device = Device::flex();
/// let layer = |weight: [[f32; 1]; 2]| UnitLinear::new(Tensor::from_data(weight, &device));
/// let mut average = Snapshot::new(&layer([[6.0], [0.0]]));
/// average.lerp(&layer([[0.0], [8.0]]), 0.5, Buffers::Average)?;
///
/// let model = average.model(); // weight [3, 4]: its norm is 5, and the mean of the norms 7
/// assert!(model.length.is_stale());
/// let output = model.forward(Tensor::from_data([[1.0, 0.0]], &device));
/// assert_eq!(output.into_scalar::<f32>(), 0.6);
/// # Ok(())
/// # }
/// ```
///
/// A [`Reparameterization`](burn::module::Reparameterization) does the same in its `apply`. Before an average returns a
/// model, it lets every reparameterization with such state compute it. Any other module computes the state at its first
/// use. A record saved before that first use holds NaN in its place, so predict with such a model once before you save
/// it.
///
/// # What is not stale
///
/// The state of a single model that is restored from a [`Snapshot`](crate::Snapshot) or loaded from a record is
/// not stale: it belongs to the weights that were saved with it, and an iteration resumes from it, to the bit.
#[derive(Clone, Debug)]
pub struct Derived<const D: usize> {
    id: ParamId,
    state: Arc<Mutex<State<D>>>,
}

#[derive(Clone, Debug)]
struct State<const D: usize> {
    value: Tensor<D>,
    stale: bool,
}

impl<const D: usize> Derived<D> {
    /// A state with this value, which belongs to the present weights.
    pub fn new(value: Tensor<D>) -> Self {
        let stale = false;
        Self::with(ParamId::new(), State { value, stale })
    }

    fn with(id: ParamId, state: State<D>) -> Self {
        let state = Arc::new(Mutex::new(state));
        Self { id, state }
    }

    /// The value. If the state [is stale](Self::is_stale), the value is that of one of the averaged models, or of the model
    /// into which the average was restored.
    pub fn value(&self) -> Tensor<D> {
        self.state().value.clone()
    }

    /// Whether the weights are an average, so that this value does not belong to them.
    pub fn is_stale(&self) -> bool {
        self.state().stale
    }

    /// Replaces the value, without its gradient, by one that belongs to the present weights.
    pub fn set(&self, value: Tensor<D>) {
        let value = value.detach();
        *self.state() = State {
            value,
            stale: false,
        };
    }

    fn state(&self) -> MutexGuard<'_, State<D>> {
        // A thread that panicked has not left half a value behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announcement(&self) -> Announcement {
        if self.is_stale() {
            Announcement::Stale
        } else {
            Announcement::Known
        }
    }
}

/// What a [`Derived`] announces to visitors and mappers before its tensor: it enters and leaves an empty module
/// of one of these types, which does not change the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announcement {
    /// The value belongs to the weights.
    Known,
    /// The value does not belong to the weights.
    Stale,
}

impl Announcement {
    const ALL: [Self; 2] = [Self::Known, Self::Stale];

    /// What entering a module of this type announces about the next float.
    pub(crate) fn of(container_type: &str) -> Option<Self> {
        (Self::ALL.into_iter()).find(|announcement| announcement.container_type() == container_type)
    }

    fn container_type(self) -> &'static str {
        match self {
            Self::Known => "burn_tricks::Derived",
            Self::Stale => "burn_tricks::Derived, stale",
        }
    }
}

impl<const D: usize> Module for Derived<D> {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        let announcement = self.announcement();
        visitor.enter_module("derived", announcement.container_type());
        visitor.exit_module("derived", announcement.container_type());
        let value = match announcement {
            Announcement::Stale => self.value().full_like(f64::NAN),
            Announcement::Known => self.value(),
        };
        visitor.visit_float(&Param::initialized(self.id, value));
    }

    /// A mapper that gives a tensor without elements back makes the state stale.
    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let old = self.value();
        let may_be_stale = old.shape().num_elements() > 0;
        let (_, new, _) = (mapper.map_float(Param::initialized(self.id, old))).consume();
        let mut state = self.state();
        if may_be_stale && new.shape().num_elements() == 0 {
            state.stale = true;
        } else {
            state.value = new.set_require_grad(false);
        }
        drop(state);
        self
    }

    fn to_device(self, device: &Device) -> Self {
        let mut state = self.state();
        state.value = state.value.clone().to_device(device);
        drop(state);
        self
    }

    fn fork(self, device: &Device) -> Self {
        self.to_device(device)
    }

    fn collect_devices(&self, mut devices: Devices) -> Devices {
        let device = self.value().device();
        if !devices.contains(&device) {
            devices.push(device);
        }
        devices
    }

    fn materialize(self) -> Self {
        self
    }

    fn valid(&self) -> Self {
        let State { value, stale } = self.state().clone();
        let value = value.without_autodiff();
        Self::with(self.id, State { value, stale })
    }

    fn train(self) -> Self {
        let State { value, stale } = self.state().clone();
        let value = Tensor::from_inner(value);
        Self::with(self.id, State { value, stale })
    }
}

impl<const D: usize> std::fmt::Display for Derived<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Derived(id={})", self.id)
    }
}

impl<const D: usize> ModuleDisplayDefault for Derived<D> {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&"Derived".to_owned()).optional()
    }
}

impl<const D: usize> ModuleDisplay for Derived<D> {}
