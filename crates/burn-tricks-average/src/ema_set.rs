//! Several moving averages of one training run.

use crate::average::Live;
use crate::average_record::{AverageKind, Members, device_of, read_members, record_members};
use crate::ema::{Ema, EmaConfig};
use burn::module::{Module, ModuleDisplay};
use burn::store::{ModuleRecord, RecordError};
use burn_tricks_core::{ConfigError, LerpInWalk, StepAverage};

/// Several moving averages of one training run, so that you can choose the decay afterwards.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_average::{EmaConfig, EmaSet};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
/// let configs = [0.99, 0.999, 0.9999].map(EmaConfig::new);
/// let mut emas = EmaSet::init(&configs, &model)?;
/// emas.update(&model); // after each optimizer step
/// for ema in emas.iter() {
///     let _validate = ema.model();
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// The set takes the place of a single [`Ema`].
///
/// # Cost
///
/// One copy of the weights per average. The model is visited once per step, however many averages there are, and not at
/// all in a step whose weights no average takes. Each update of an average is one pass over the average and the
/// weights.
///
/// # Differences
///
/// ema-pytorch's `PostHocEMA` keeps two averages and checkpoints of them, from which it approximates others
/// afterwards. Here each decay has its own exact average.
///
/// # Suggested values
///
/// Decays whose `1 − d` differ by factors of ten.
///
/// # References
///
/// - Karras et al., *Analyzing and improving the training dynamics of diffusion models*, 2024,
///   <https://arxiv.org/abs/2312.02696>, on how much the best decay depends on other settings
#[derive(Debug, Clone)]
pub struct EmaSet<M: Module> {
    emas: Vec<Ema<M>>,
}

impl<M: Module> From<Vec<Ema<M>>> for EmaSet<M> {
    /// A set of averages that were made or loaded one by one.
    fn from(emas: Vec<Ema<M>>) -> Self {
        Self { emas }
    }
}

impl<M: Module> EmaSet<M> {
    /// An average for each configuration, before the first step.
    ///
    /// # Errors
    ///
    /// Those of [`EmaConfig::init`], for the first invalid configuration.
    pub fn init(configs: &[EmaConfig], model: &M) -> Result<Self, ConfigError> {
        let emas = configs.iter().map(|config| config.init(model));
        Ok(Self {
            emas: emas.collect::<Result<_, _>>()?,
        })
    }

    /// Tells all averages the weights after an optimizer step.
    ///
    /// # Panics
    ///
    /// As [`Ema::update`](crate::Average::update).
    pub fn update(&mut self, model: &M) {
        let mut live = Live::new(model);
        for ema in &mut self.emas {
            ema.update_from(&mut live, 1.0);
        }
    }

    /// Restarts all averages with the weights of `model`, as [`Ema::restart`](crate::Average::restart).
    pub fn restart(&mut self, model: &M) {
        for ema in &mut self.emas {
            ema.restart(model);
        }
    }

    /// The averages, in the order of their configurations.
    pub fn iter(&self) -> std::slice::Iter<'_, Ema<M>> {
        self.emas.iter()
    }

    /// The averages, to be saved or kept one by one.
    pub fn into_inner(self) -> Vec<Ema<M>> {
        self.emas
    }
}

/// As [`update`](EmaSet::update).
impl<M: Module> StepAverage<M> for EmaSet<M> {
    /// One for each average, in their order.
    type Update = Vec<Option<LerpInWalk<M>>>;

    fn begin_update(&mut self, _lr: f64) -> Option<Self::Update> {
        Some(self.emas.iter_mut().map(|ema| ema.begin(1.0)).collect())
    }

    fn end_update(&mut self, update: Option<Self::Update>, model: &M, _lr: f64) {
        let mut lerps = update.into_iter().flatten();
        let mut live = Live::new(model);
        for ema in &mut self.emas {
            ema.end(lerps.next().flatten(), &mut live, 1.0);
        }
    }
}

impl<M: Module + ModuleDisplay> EmaSet<M> {
    /// The record to save with a checkpoint: the averages and their step counts. That of a set without averages is empty.
    pub fn to_record(&self) -> ModuleRecord {
        let members = self.emas.iter().map(|ema| ema.newest().held_model());
        let members: Vec<M> = members.collect();
        let Some(device) = members.first().map(device_of) else {
            return members.into_record();
        };
        let counters: Vec<u64> = self.emas.iter().flat_map(Ema::counters).collect();
        record_members(
            AverageKind::EMA_SET,
            &self.labels(),
            members,
            &counters,
            &device,
        )
    }

    /// The decays, by which the averages of a record are told apart.
    fn labels(&self) -> Vec<String> {
        let decay = |ema: &Ema<M>| format!("decay {}", ema.config().decay);
        self.emas.iter().map(decay).collect()
    }

    /// Resumes the recorded averages. The decays must be the same as when they were recorded, in the same order.
    ///
    /// # Errors
    ///
    /// Burn's error, if the record does not hold averages of such a model with these decays. It names the first decay that
    /// differs.
    pub fn load_record(mut self, record: ModuleRecord) -> Result<Self, RecordError> {
        let Some(first) = self.emas.first() else {
            if record.is_empty() {
                return Ok(self);
            }
            let text = "a set without averages has no record".to_owned();
            return Err(RecordError::Validation(text));
        };
        let (expected, each) = (self.emas.len(), first.counters().len());
        let Members { members, counters } = read_members(
            AverageKind::EMA_SET,
            &self.labels(),
            first.newest(),
            each * expected,
            record,
        )?;
        if members.len() != expected {
            return Err(RecordError::Validation(format!(
                "the record holds {} averages, expected {expected}",
                members.len(),
            )));
        }
        let recorded = members.into_iter().zip(counters.chunks(each));
        for (ema, (member, counters)) in self.emas.iter_mut().zip(recorded) {
            ema.resume(vec![member], counters);
        }
        Ok(self)
    }
}
