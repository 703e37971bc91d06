//! Early stopping for Burn's `SupervisedTraining`, without a session.

pub(crate) mod stop_early;
pub(crate) mod stop_handle;
