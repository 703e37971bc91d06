//! The settings of a doctor.

use crate::doctor::Doctor;
use crate::loss_kind::LossKind;
use burn::module::Module;
use burn_tricks_core::{Config, ConfigError};

/// The settings of a [`Doctor`].
#[derive(Config, Debug)]
pub struct DoctorConfig {
    /// The number of steps from one recorded step to the next, after the first 20 steps, which are all recorded. The first step
    /// of each epoch is recorded too. When more than 400 steps are recorded, every second one is dropped and the interval
    /// doubles, of the steps at equal distances or of the first steps of epochs, whichever are more, so that memory is bounded.
    /// Default: 10.
    #[config(default = 10)]
    pub every: usize,
    /// The number of rows of inputs and targets that are kept, of the training data and of the validation data each. Of
    /// large rows, such as photographs, fewer are kept: as many as have 2^25 numbers, which are 128 MiB in `f32`. The first
    /// ones are kept, and stand for all: a validation of more rows should not be in the order of its targets. Of batches whose
    /// rows have another size than those of the first batch, only the targets are kept, at most as many again. Default: 2048.
    #[config(default = 2048)]
    pub rows: usize,
    /// Whether the gradients of every step are checked for NaN and infinity, and not only those of the recorded steps.
    /// A check is one pass over the gradients. Default: yes.
    #[config(default = true)]
    pub checks_gradients: bool,
    /// The loss function, for findings about the output layer. Default: unknown.
    pub loss: Option<LossKind>,
}

impl DoctorConfig {
    /// A doctor for `model` before its first step. Lazy parameters are initialised.
    ///
    /// # Errors
    ///
    /// If `every` or `rows` is 0.
    pub fn init<M: Module>(&self, model: &M) -> Result<Doctor, ConfigError> {
        ConfigError::at_least_one("every", self.every)?;
        ConfigError::at_least_one("rows", self.rows)?;
        Ok(Doctor::new(model, self))
    }
}
