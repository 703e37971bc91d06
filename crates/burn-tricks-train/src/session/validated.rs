//! Keeps the model that was validated, before the tricks change it at the end of the epoch.

use crate::lock::lock;
use crate::trick::Trick;
use crate::trick::learner_probe::LearnerProbe;
use crate::trick::shared::{SharedTricks, TricksEnd};
use crate::trick::trick_error::TrickError;
use burn::module::Module;
use burn::store::RecordError;
use burn::train::metric::store::EventStoreClient;
use burn_tricks_stop::Decision;
use std::sync::{Arc, Mutex};

/// The best epoch so far, and its model as it was validated.
pub(crate) type BestInMemory<M> = Arc<Mutex<Option<(usize, M)>>>;

/// The record of the model that was validated last, if it has other weights than the checkpoint's.
pub(crate) type OtherRecord = Arc<Mutex<Option<Vec<u8>>>>;

/// Where the model that was validated is kept.
pub(crate) enum Validated<M> {
    Nowhere,
    Best(BestInMemory<M>),
    /// Until it is written with the state of the epoch.
    Record(OtherRecord),
}

impl<M: Module> Validated<M> {
    /// The end of an epoch for the tricks.
    pub(crate) fn end_of_epoch<H: Trick<M>>(
        &self,
        tricks: &SharedTricks<H>,
        probe: &LearnerProbe<M>,
        (epoch, store): (usize, &EventStoreClient),
        decision: Option<Decision>,
    ) -> Result<TricksEnd, TrickError> {
        let Some(ended) = tricks.epoch_end(probe, epoch, store, decision)? else {
            return Ok(TricksEnd::default());
        };
        match self {
            Self::Best(best) if decision.is_some_and(|decision| decision.is_best) => {
                *lock(best) = Some((epoch, ended.validated));
            }
            Self::Record(record) => *lock(record) = other_record(ended.validated, &ended.model)?,
            Self::Best(_) | Self::Nowhere => {}
        }
        Ok(ended.end)
    }
}

/// The record of `validated`, if it differs from the record of `saved`.
fn other_record<M: Module>(validated: M, saved: &M) -> Result<Option<Vec<u8>>, RecordError> {
    let validated = validated.into_record().into_bytes()?;
    let saved = saved.valid().into_record().into_bytes()?;
    Ok((*validated != *saved).then(|| validated.to_vec()))
}
