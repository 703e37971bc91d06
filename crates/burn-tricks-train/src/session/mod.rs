//! A run of Burn's `Learner` with early stopping, plateaus and the best model, which can be killed and resumed.
//!
//! A [`Session`](crate::Session) wraps Burn's `SupervisedTraining` of a [`Tricked`](crate::Tricked) model, and adds
//! what happens between its epochs. Each addition is one method call in a chain, which also registers the metric that
//! it needs.
//!
//! # Example
//!
//! ```
//! # use burn::module::Module;
//! use burn::optim::AdamConfig;
//! # use burn::data::dataloader::DataLoader;
//! # use burn::train::metric::{Adaptor, LossInput};
//! # use burn::train::{InferenceStep, Learner, LearnerModel, TrainStep};
//! # use burn_tricks_stop::EarlyStopping;
//! use burn_tricks_train::{SampleLossMetric, Session};
//! # use burn_tricks_train::{EpochLoader, SessionError, Trick, Tricked};
//! # use std::sync::Arc;
//!
//! # fn best<M, H, I, O, V>(
//! #     train: Arc<EpochLoader<I, O>>,
//! #     valid: Arc<dyn DataLoader<V>>,
//! #     patience: EarlyStopping,
//! #     learner: Learner<Tricked<M, H>>,
//! # ) -> Result<M, SessionError>
//! # where
//! #     M: Module,
//! #     H: Trick<M> + 'static,
//! #     I: Send + Sync + 'static,
//! #     O: Send + 'static,
//! #     Tricked<M, H>: LearnerModel + TrainStep<Input = O> + InferenceStep<Input = V>,
//! #     <Tricked<M, H> as InferenceStep>::Output: Adaptor<LossInput>,
//! # {
//! // `train`: an epoch loader; `learner`: Burn's, of a model with tricks
//! let finished = Session::new("runs/one", train, valid)
//!     .configure(|training| training.num_epochs(60).grads_accumulation(2))
//!     .stop_early(SampleLossMetric::new(), patience)
//!     .resumable(2)?
//!     .declare("optimizer", &AdamConfig::new())?
//!     .launch(learner)?;
//! println!("{finished}"); // stopped: no improvement in 5 checks; epoch 17 was the last, epoch 12 the best
//! let best = finished.best_model()?;
//! # Ok(best)
//! # }
//! ```
//!
//! See the [crate documentation](crate) for a whole program.
//!
//! # Order
//!
//! The methods may be called in any order. Use [`configure`](crate::Session::configure) for the settings of Burn's
//! `SupervisedTraining`, except for metrics that the session registers too: register those with
//! [`metrics`](crate::Session::metrics), since Burn would log a metric twice that is registered twice. A session
//! replaces the training's early-stopping strategy and, if it is [`resumable`](crate::Session::resumable), its
//! checkpointers and their strategy. [`launch`](crate::Session::launch) closes Burn's dashboard when the training is
//! over, so that later output is visible; [`keep_renderer`](crate::Session::keep_renderer) leaves the dashboard open.
//!
//! # Several criteria, and the best epoch
//!
//! [`stop_early`](crate::Session::stop_early) may be called several times, each with a metric and a criterion of
//! its own; [`stop_early_on_train`](crate::Session::stop_early_on_train) watches the training split. The first
//! criterion that asks to stop ends the training. **The first call in the chain** whose criterion looks at its metric
//! **determines the best epoch** (a limit of time or of checks does not look at a metric); the other criteria never
//! do. [`SessionResult::criteria`](crate::SessionResult::criteria) has the best epoch, the best value and the last
//! decision of each.
//!
//! # What it returns
//!
//! If the training failed, `launch` returns a [`LaunchError`](crate::LaunchError), which holds what was trained until
//! then. Otherwise it returns a [`SessionResult`](crate::SessionResult): the training came to its last epoch, was
//! stopped by a criterion, or was interrupted by the user.
//!
//! If a criterion of [`stop_early`](crate::Session::stop_early) determines the best epoch, the model of that epoch is
//! kept as it was validated: in the checkpoints if the session is resumable, otherwise on the device. A checkpoint
//! holds the weights with which the training continues. It also holds the validated weights if they differ: those of an
//! average, or those before a trick changed them at the end of the epoch.
//!
//! # Resuming
//!
//! After each epoch a resumable session writes a set of files: Burn's checkpoint (model, optimizer, schedule), and a
//! file with the state of the tricks, the criteria and the plateaus at the same moment.
//! [`launch`](crate::Session::launch) resumes from the newest complete set in the session's directory, if there is
//! one, so the same program starts and resumes a run. A run that was stopped by a criterion stays stopped, unless the
//! criterion has changed, for example to more patience, and the change is [accepted](crate::Session::accept_changes):
//! then the new criterion, with the state of the old one, judges the next epoch. A run that came to its last epoch
//! continues if the number of epochs is increased.
//!
//! A set is complete if its four files have the checksums that they were written with. Incomplete sets are reported,
//! and the remains of sets newer than the one that is resumed from are deleted. If no set is complete and more than
//! the first epoch would be lost, `launch` changes no file and returns an error. Only one process at a time can train
//! in a directory: a second process gets an error ([`SessionError::InUse`](crate::SessionError::InUse)). Do not call
//! Burn's `checkpoint(epoch)`, which the session calls itself.
//!
//! | needed for the same weights as without an interruption | otherwise |
//! | --- | --- |
//! | an [`EpochLoader`](crate::data::epoch_loader) for training, from which the session takes the clock | the order of samples and the masks of dropout differ |
//! | Burn's file metric logger (the default) | the in-memory logger has no values after the interruption, and the run ends with [`MissingMetric`](crate::MissingMetric) |
//! | with several backends compiled in: `BURN_DEVICE`, or our optimizers | Burn's optimizers load their state to the default device |
//!
//! The interrupted epoch is trained again, and also the epoch before it if its files were still being written.
//!
//! # A changed program
//!
//! A checkpoint records the configuration of its run. If a program would resume the run with another configuration,
//! `launch` returns an error that names each difference with both values
//! ([`SessionError::Changed`](crate::SessionError::Changed)), unless
//! [`accept_changes`](crate::Session::accept_changes) names it.
//!
//! | what is recorded | its name |
//! | --- | --- |
//! | epoch loaders made with the session's clock: batch size, seed, shuffling, number of samples | `epoch loader 1`, ... |
//! | criteria and plateaus, the metric they watch, their configuration (as their `Debug` shows it) | ``criterion on `Loss` ``, ``plateau on `Loss` `` |
//! | the tricks, in their order, with what [`describe`](crate::Trick::describe) says of each | `trick 1`, ... |
//! | the base rates of the schedule at the steps 1, 2, 4 to 65,536, to 12 digits (a clone of the schedule is stepped) | `learning rates` |
//! | the kind of state that the optimizer keeps for each parameter: this tells SGD from Adam, but not Adam from AdamW | `optimizer state` |
//! | any configuration that is [declared](crate::Session::declare) | the declared name |
//!
//! The session cannot see more, since Burn keeps its optimizer, data loaders, accumulation of gradients and metrics
//! private: declare their configurations. If the saved weights do not fit the model, or the shapes of an optimizer's
//! state are not those of the model, that is always an error.
//!
//! # Cost
//!
//! A resumable session copies the state to the host after each epoch, and writes its file before the next epoch. The
//! other files are written while the next epoch is trained, each from a copy in memory. Resuming reads every set, and
//! holds the model and the optimizer's state twice while it checks that they fit. A session that is not resumable,
//! but has a criterion, keeps a copy of the best validated model on its device.

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
