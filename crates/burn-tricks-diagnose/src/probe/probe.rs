//! The probe.

use crate::history::norm::NormHistory;
use crate::history::probe::ProbeHistory;
use crate::probe::measured::{Measured, gradient_numbers};
use crate::replay::hunt::Hunt;
use burn::module::Module;
use burn::tensor::{Gradients, Tensor};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most passes of one name in one step that are told apart, as those of the time steps of a recurrent network.
const MOST_PASSES: usize = 64;

thread_local! {
    /// The examinations that are on in this thread: what passes through a probe meanwhile is no training.
    static EXAMINATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Does `work`, an examination of a model, while probes record nothing of this thread.
pub(crate) fn unrecorded<T>(work: impl FnOnce() -> T) -> T {
    struct End;

    impl Drop for End {
        fn drop(&mut self) {
            EXAMINATIONS.set(EXAMINATIONS.get() - 1);
        }
    }

    EXAMINATIONS.set(EXAMINATIONS.get() + 1);
    let _end = End;
    work()
}

/// Looks at the activations of a network, and at the gradients that come back through them.
///
/// A probe is a field of the model. [`record`](Self::record) returns the tensor that it gets. Clones are handles to one
/// probe, so the probe of the model and that of the [`Doctor`](crate::Doctor) are the same.
///
/// [`backward`](Self::backward) in place of `loss.backward()` also measures the gradients: where a probe records, it
/// adds a tensor of zeros to the activation, and the gradient of these zeros is that of the activation. A step may have
/// several passes, each with its own `backward`, as when gradients are accumulated over batches.
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
/// on a device without autodiff, as in a validation, are not recorded, and neither are those of a range test, of a noise
/// scale or of the test of linearity. A validation on a device with autodiff is forgotten when the doctor gets its outputs
/// or the metrics of its epoch.
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
    /// The inputs of norm layers.
    norms: Vec<Measured>,
    /// What a replay looks for, while there is one.
    hunt: Option<Hunt>,
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
        if step == 0 || is_examined() || !values.is_autodiff() || values.dims().contains(&0) {
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
        if let Some(hunt) = &mut state.hunt {
            return hunt.forward(full, values);
        }
        let place = State::place(&mut state.measured, full);
        state.measured[place].values(step, values.clone().without_autodiff());
        let zeros = neutral(&values);
        let leaf = zeros.clone();
        state.leaves.push(Leaf {
            place,
            measure: Box::new(move |grads| leaf.grad(grads).map(gradient_numbers)),
        });
        values + zeros
    }

    /// Returns `input` `[rows, channels, ...]` of the batch norm at `path`, as records name it, and takes its statistics
    /// if the step is recorded: of each channel, over all other axes, against the running statistics that the layer holds.
    ///
    /// ```
    /// use burn::nn::BatchNormConfig;
    /// use burn::optim::GradientsParams;
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_diagnose::{DoctorConfig, Probe};
    ///
    /// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
    /// let device = Device::flex().autodiff();
    /// let model = vec![BatchNormConfig::new(3).init(&device)];
    /// let probe = Probe::new();
    /// let mut doctor = DoctorConfig::new().init(&model)?;
    /// doctor.attach(&probe);
    /// let inputs = Tensor::<2>::ones([8, 3], &device) * 5.0;
    /// let outputs = model[0].forward(probe.record_norm_input("0", inputs));
    /// let grads = GradientsParams::from_grads(outputs.sum().backward(), &model);
    /// doctor.before_step(&model, &grads, 1e-3);
    /// let norm = &doctor.history(&model).norms[0];
    /// assert_eq!((norm.path.as_str(), norm.flat_units), ("0", 3));
    /// # Ok(())
    /// # }
    /// ```
    pub fn record_norm_input<const D: usize>(&self, path: &str, input: Tensor<D>) -> Tensor<D> {
        let step = self.shared.armed.load(Ordering::Relaxed);
        if step > 0 && !is_examined() && input.is_autodiff() && !input.dims().contains(&0) {
            let values = input.clone().without_autodiff();
            let mut state = self.state();
            let place = State::place(&mut state.norms, path.to_owned());
            state.norms[place].norm(step, values);
        }
        input
    }

    /// `loss.backward()`, which also measures the gradients at the points that recorded since the last call.
    pub fn backward(&self, loss: &Tensor<1>) -> Gradients {
        let grads = loss.backward();
        let step = self.shared.armed.load(Ordering::Relaxed);
        let mut state = self.state();
        if let Some(hunt) = &mut state.hunt {
            hunt.backward(&grads);
        }
        for Leaf { place, measure } in std::mem::take(&mut state.leaves) {
            if let Some(numbers) = measure(&grads) {
                state.measured[place].gradient(step, numbers);
            }
        }
        // The next forward pass uses the names anew.
        state.names.clear();
        grads
    }

    /// Records the next forward pass as that of `step`, or none.
    pub(crate) fn arm(&self, step: Option<usize>) {
        self.shared
            .armed
            .store(step.unwrap_or(0), Ordering::Relaxed);
    }

    /// Begins or ends a hunt: until its end nothing else is recorded. Returns the one that was on.
    pub(crate) fn hunt(&self, hunt: Option<Hunt>) -> Option<Hunt> {
        std::mem::replace(&mut self.state().hunt, hunt)
    }

    /// The step that is recorded; `None` if none is.
    pub(crate) fn armed(&self) -> Option<usize> {
        Some(self.shared.armed.load(Ordering::Relaxed)).filter(|step| *step > 0)
    }

    /// What went into norm layers, against their running statistics, which `running` gives by path. Waits for the
    /// device.
    pub(crate) fn norm_histories(
        &self,
        mut running: impl FnMut(&str) -> Option<[Vec<f64>; 2]>,
    ) -> Vec<NormHistory> {
        let state = self.state();
        let histories = state
            .norms
            .iter()
            .map(|norm| norm.norm_history(running(&norm.name)));
        histories.flatten().collect()
    }

    /// Ends a step.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.leaves.clear();
        state.names.clear();
    }

    /// Forgets what passed since the last step: it was no training.
    pub(crate) fn discard(&self) {
        let Some(step) = self.armed() else { return };
        self.close();
        let mut state = self.state();
        state.measured.iter_mut().for_each(|of| of.forget(step));
        state.measured.retain(|of| !of.is_empty());
        state.norms.iter_mut().for_each(|of| of.forget(step));
    }

    /// Records nothing any more.
    pub(crate) fn release(&self) {
        self.arm(None);
        self.close();
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

fn is_examined() -> bool {
    EXAMINATIONS.get() > 0
}

/// A leaf whose sum with `values` is `values` to the bit: -0, since 0 would turn -0 into 0.
pub(crate) fn neutral<const D: usize>(values: &Tensor<D>) -> Tensor<D> {
    let options = (&values.device(), values.dtype());
    Tensor::full(values.dims(), -0.0, options).require_grad()
}

impl State {
    /// The place of this name in a list, at the end of which it is put if it is new.
    fn place(list: &mut Vec<Measured>, name: String) -> usize {
        let known = list.iter().position(|measured| measured.name == name);
        known.unwrap_or_else(|| {
            list.push(Measured::new(name));
            list.len() - 1
        })
    }
}
