//! A run of Burn's `Learner`, which can be killed and resumed.

pub(crate) mod builder;
pub(crate) mod checkpoint_fault;
pub(crate) mod checkpoint_retention;
pub(crate) mod criterion_hook;
pub(crate) mod epoch_end;
pub(crate) mod epoch_hook;
pub(crate) mod launch;
pub(crate) mod launch_error;
pub(crate) mod learner_view;
pub(crate) mod plateau_hook;
pub(crate) mod record_file;
pub(crate) mod records_on_trial;
pub(crate) mod registered_metric;
pub(crate) mod results;
pub(crate) mod run_description;
pub(crate) mod run_files;
pub(crate) mod session_error;
pub(crate) mod session_metrics;
pub(crate) mod session_result;
pub(crate) mod validated;
