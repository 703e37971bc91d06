//! A training that can be stopped, reduced, killed and resumed.
//!
//! A [`Session`](crate::Session) is Burn's `SupervisedTraining` of a [`Tricked`](crate::Tricked) model, and what
//! happens between its epochs. Each thing is one line of one chain, and registers the metric that it looks at.
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
//! Any. What Burn's `SupervisedTraining` is told, [`configure`](crate::Session::configure) tells it, except
//! metrics that the session has too: [`metrics`](crate::Session::metrics) registers each once, where Burn would
//! log one of two of a name twice. A session takes the training's early-stopping strategy, and, when
//! [`resumable`](crate::Session::resumable), its checkpointers and their strategy.
//! [`launch`](crate::Session::launch) closes Burn's dashboard when the training is over, so that what is printed
//! then is seen; [`keep_renderer`](crate::Session::keep_renderer) leaves it open.
//!
//! # Several criteria, and the best epoch
//!
//! [`stop_early`](crate::Session::stop_early) may be called several times, each with a metric and a criterion of
//! its own; [`stop_early_on_train`](crate::Session::stop_early_on_train) watches the training split. The first
//! that asks to stop ends the training. **The best epoch is that of the first call** whose criterion looks at
//! its metric (a limit of time or of checks does not), in the order of the chain: the others never take
//! turns with it. [`SessionResult::criteria`](crate::SessionResult::criteria) has the best epoch, the best value and the
//! last decision of each.
//!
//! # What it gives back
//!
//! A training that failed is an error of `launch`, and the [`LaunchError`](crate::LaunchError) holds what was
//! trained until then. A [`SessionResult`](crate::SessionResult) one came to its last epoch, was stopped by a criterion,
//! or was interrupted by somebody.
//!
//! The model of the best epoch, as it was validated, is kept if a criterion of
//! [`stop_early`](crate::Session::stop_early) says which epoch that is: in the checkpoints of a resumable session,
//! else on the device. A checkpoint holds the weights that the training goes on with, and those that were validated
//! as well where they are others: of an average, or before a trick changed them at the end of the epoch.
//!
//! # Resuming
//!
//! After each epoch a resumable session writes Burn's checkpoint (model, optimizer, schedule), and one more
//! file with the state of the tricks and of what watches the epochs, all of one moment.
//! [`launch`](crate::Session::launch) resumes from the newest complete set in its directory, if there is one: the
//! program to resume a run is the program that started it. A run that had stopped stays stopped, unless the
//! criterion that stopped it has changed, to more patience say, and the change is
//! [accepted](crate::Session::accept_changes): then the new criterion judges the next epoch, with what the old one
//! had seen. One that ran to its last epoch is resumed if it is given more.
//!
//! A set is complete when its four files have the checksums they were written with. Sets that are not are
//! reported, and what is left of those after the one that is resumed from is deleted; if no set is complete and
//! more than the first epoch would be lost, nothing is touched and `launch` is an error. One process at a time
//! trains in a directory: a second one is refused ([`SessionError::InUse`](crate::SessionError::InUse)). Burn's `checkpoint(epoch)` is
//! the session's to call.
//!
//! | for the same weights as without an interruption | else |
//! | --- | --- |
//! | an [`EpochLoader`](crate::data::epoch_loader) for training, whose clock the session then knows | another order of samples, another dropout |
//! | Burn's file metric logger (the default) | the in-memory one has no value after it, and the run ends with [`MissingMetric`](crate::MissingMetric) |
//! | `BURN_DEVICE`, or our optimizers, with several backends compiled in | Burn's optimizers reload on the default device |
//!
//! The epoch that was interrupted is trained again, and the one before it if its files were still being written.
//!
//! # A changed program
//!
//! A checkpoint records the configuration of its run. A program that would resume it with another
//! configuration is refused, with each difference by its name and both values ([`SessionError::Changed`](crate::SessionError::Changed)),
//! unless [`accept_changes`](crate::Session::accept_changes) names it.
//!
//! | recorded | as |
//! | --- | --- |
//! | epoch loaders made with the session's clock: batch size, seed, shuffling, number of samples | `epoch loader 1`, ... |
//! | criteria and plateaus, the metric they watch, their configuration (as their `Debug` shows it) | ``criterion on `Loss` ``, ``plateau on `Loss` `` |
//! | the tricks, in their order, with what [`describe`](crate::Trick::describe) says of each | `trick 1`, ... |
//! | the base rates of the schedule at the steps 1, 2, 4 to 65,536, to 12 digits, for which a clone of it is stepped | `learning rates` |
//! | what the optimizer keeps of each parameter: tells SGD from Adam, not Adam from AdamW | `optimizer state` |
//! | what is [declared](crate::Session::declare): any configuration | its name |
//!
//! The rest cannot be seen, since Burn keeps its optimizer, data loaders, accumulation of gradients and
//! metrics private: declare their configurations. A model that does not take the saved weights, or an optimizer's
//! state whose shapes are not the model's, is always an error.
//!
//! # Cost
//!
//! Of a resumable session: the state is copied to the host after each epoch, and its file is written
//! before the next one. The other files are written meanwhile, each from a copy in memory. Resuming reads
//! every set, and holds model and optimizer state twice while it looks whether they fit. Of any other with a
//! criterion: a copy of the validated model on its device, until a better one comes.

pub(crate) mod builder;
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
