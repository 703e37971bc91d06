//! The probe.

use crate::history::probe::ProbeHistory;
use crate::probe::measured::{Measured, gradient_numbers};
use burn::module::Module;
use burn::tensor::{Gradients, Tensor};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most passes of one name in one step that are told apart, as those of the time steps of a recurrent network.
const MOST_PASSES: usize = 64;

/// Looks at the activations of a network, and at the gradients that come back through them.
///
/// A probe is a field of the model. [`record`](Self::record) returns the tensor that it gets. Clones are handles to one
/// probe, so the probe of the model and that of the [`Doctor`](crate::Doctor) are the same.
///
/// [`backward`](Self::backward) in place of `loss.backward()` also measures the gradients: where a probe records, it
/// adds a tensor of zeros to the activation, and the gradient of these zeros is that of the activation.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::GradientsParams;
/// use burn::tensor::{Device, Tensor, activation::relu};
/// use burn_tricks_diagnose::{DoctorConfig, Probe};
///
/// #[derive(Module, Debug)]
/// struct Net {
///     first: Linear,
///     second: Linear,
///     probe: Probe,
/// }
///
/// impl Net {
///     fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
///         let hidden = self.probe.record("hidden", relu(self.first.forward(inputs)));
///         self.second.forward(hidden)
///     }
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let model = Net {
///     first: LinearConfig::new(4, 8).init(&device),
///     second: LinearConfig::new(8, 2).init(&device),
///     probe: Probe::new(),
/// };
/// let mut doctor = DoctorConfig::new().init(&model)?;
/// doctor.attach(&model.probe);
///
/// let loss = model.forward(Tensor::ones([16, 4], &device)).square().mean();
/// let grads = GradientsParams::from_grads(model.probe.backward(&loss), &model);
/// doctor.before_step(&model, &grads, 1e-3);
///
/// let hidden = &doctor.history(&model).probes[0];
/// assert_eq!((hidden.name.as_str(), hidden.units), ("hidden", 8));
/// assert!(hidden.steps[0].gradient.unwrap() > 0.0);
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// In a step that the doctor does not record, a comparison of one number. In a recorded step, about ten passes over the
/// activations, and one more for the zeros. Nothing is read from the device before a diagnosis is asked for. Activations
/// on a device without autodiff, as in a validation, are not recorded.
#[derive(Module, Debug)]
pub struct Probe {
    #[module(skip)]
    shared: Shared,
}

#[derive(Debug, Clone, Default)]
struct Shared {
    /// The step that is recorded; 0 if none is.
    armed: Arc<AtomicUsize>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    measured: Vec<Measured>,
    /// The passes of the present step whose gradients are still to come.
    leaves: Vec<Leaf>,
    /// The names of the present step.
    names: Vec<String>,
}

type Measure = Box<dyn Fn(&Gradients) -> Option<Tensor<1>> + Send>;

/// Measures the gradient of the zeros that were added to an activation, for the list at `place` of `measured`.
struct Leaf {
    place: usize,
    measure: Measure,
}

impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaf")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

impl Probe {
    /// A probe that records nothing until a [`Doctor`](crate::Doctor) is [attached](crate::Doctor::attach).
    pub fn new() -> Self {
        Self {
            shared: Shared::default(),
        }
    }

    /// Returns `values` `[rows, ...]`, and measures them if the step is recorded. Names are those of the diagnosis; a
    /// name that is used again in one forward pass, as in the time steps of a recurrent network, is counted: `cell`,
    /// `cell[1]`, `cell[2]`.
    pub fn record<const D: usize>(&self, name: &str, values: Tensor<D>) -> Tensor<D> {
        let step = self.shared.armed.load(Ordering::Relaxed);
        if step == 0 || !values.is_autodiff() || values.dims().contains(&0) {
            return values;
        }
        let mut state = self.state();
        let uses = state.names.iter().filter(|used| *used == name).count();
        if uses >= MOST_PASSES {
            return values;
        }
        state.names.push(name.to_owned());
        let full = if uses == 0 {
            name.to_owned()
        } else {
            format!("{name}[{uses}]")
        };
        let place = state.place(full);
        state.measured[place].values(step, values.clone().without_autodiff());
        let zeros =
            Tensor::<D>::zeros(values.dims(), (&values.device(), values.dtype())).require_grad();
        let leaf = zeros.clone();
        state.leaves.push(Leaf {
            place,
            measure: Box::new(move |grads| leaf.grad(grads).map(gradient_numbers)),
        });
        values + zeros
    }

    /// `loss.backward()`, which also measures the gradients at the points that recorded since the last call.
    pub fn backward(&self, loss: &Tensor<1>) -> Gradients {
        let grads = loss.backward();
        let step = self.shared.armed.load(Ordering::Relaxed);
        let mut state = self.state();
        for Leaf { place, measure } in std::mem::take(&mut state.leaves) {
            if let Some(numbers) = measure(&grads) {
                state.measured[place].gradient(step, numbers);
            }
        }
        grads
    }

    /// Records the next forward pass as that of `step`, or none.
    pub(crate) fn arm(&self, step: Option<usize>) {
        self.shared
            .armed
            .store(step.unwrap_or(0), Ordering::Relaxed);
    }

    /// Ends a step.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.leaves.clear();
        state.names.clear();
    }

    /// What was measured, in the order of the first forward pass. Waits for the device.
    pub(crate) fn histories(&self) -> Vec<ProbeHistory> {
        self.state()
            .measured
            .iter()
            .map(Measured::history)
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn place(&mut self, name: String) -> usize {
        let known = self
            .measured
            .iter()
            .position(|measured| measured.name == name);
        known.unwrap_or_else(|| {
            self.measured.push(Measured::new(name));
            self.measured.len() - 1
        })
    }
}
