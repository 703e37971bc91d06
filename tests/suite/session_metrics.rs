//! Metrics of a session: each is registered once.

use crate::counter::{counting, learner, patience};
use crate::models::alone;
use burn::module::Module;
use burn::train::logger::{FileMetricLogger, MetricLogger as _};
use burn::train::metric::store::Split;
use burn::train::metric::{
    IterationSpeedMetric, LearningRateMetric, LossInput, LossMetric, Metric, Numeric,
};
use burn_tricks::prelude::*;
use burn_tricks::schedule::ReduceOnPlateau;
use burn_tricks::train::{
    EpochContext, GradNorm, SampleLossMetric, SessionError, SharedPlateau, TrickError,
};
use std::path::Path;

/// How often the metric was logged of an epoch with one batch, and the epoch.
fn logged(folder: &Path, metric: &str, split: &Split) -> usize {
    let mut log = FileMetricLogger::new(folder);
    log.read_numeric(metric, 1, split).unwrap().len()
}

#[test]
fn a_metric_is_registered_once_whoever_asks() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let session = counting(folder.path()).num_epochs(1).without_clock();
    let session = session
        .metrics((LossMetric::new(), IterationSpeedMetric::new()))
        .stop_early(LossMetric::new(), patience(2));
    let session = session
        .metrics((LossMetric::new(),))
        .metric_train_numeric(LossMetric::new())
        .metric_train_numeric(LearningRateMetric::new());
    let session = session.resumable(2).unwrap();
    let finished = session.launch(learner((), 1.0)).unwrap();
    for split in [Split::Train, Split::Valid] {
        assert_eq!(
            logged(folder.path(), "Loss", &split),
            2,
            "a batch, the epoch"
        );
        assert_eq!(logged(folder.path(), "Iteration Speed", &split), 2);
    }
    assert_eq!(logged(folder.path(), "Learning Rate", &Split::Train), 2);
    assert!(finished.logged_twice.is_empty());
}

#[test]
fn a_metric_that_the_training_has_too_is_reported() {
    fn reported(metric: impl Metric<Input = LossInput> + Numeric + 'static) {
        let folder = tempfile::tempdir().unwrap();
        let session = counting(folder.path()).num_epochs(2).without_clock();
        let session =
            session.configure(|training| training.metric_valid_numeric(LossMetric::new()));
        let session = session.stop_early(metric, patience(2));
        let session = session.metrics((IterationSpeedMetric::new(),));
        let session = session.resumable(2).unwrap();
        let finished = session.launch(learner((), 1.0)).unwrap();
        assert_eq!(finished.logged_twice, ["Loss"]);
        let text = finished.to_string();
        assert!(text.ends_with("; `Loss` was registered twice"), "{text}");
    }

    let _alone = alone();
    reported(LossMetric::new());
    reported(SampleLossMetric::new());
}

#[test]
fn two_metrics_of_one_name_are_an_error() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let session = || counting(folder.path());
    let config = PlateauConfig::new(Goal::Minimize);
    let plateau = SharedPlateau::new(ReduceOnPlateau::init(1.0, &config).unwrap());
    // The criterion would read the mean over batches.
    let stopped =
        (session().metrics((LossMetric::new(),))).stop_early(SampleLossMetric::new(), patience(2));
    let reduced = session().stop_early(SampleLossMetric::new(), patience(2));
    let sessions = [
        stopped,
        reduced.reduce_on_plateau(LossMetric::new(), &plateau),
        session().metrics((LossMetric::new(), SampleLossMetric::new())),
        session()
            .metric_train_numeric(LossMetric::new())
            .metric_train_numeric(SampleLossMetric::new()),
    ];
    for (at, session) in sessions.into_iter().enumerate() {
        let error = session.launch(learner((), 1.0)).err().unwrap();
        assert!(error.partial.is_none(), "session {at} has begun");
        let SessionError::SameMetricName { name, .. } = &error.cause else {
            panic!("session {at}: {error}");
        };
        assert_eq!(name, "Loss");
        let text = error.to_string();
        for metric in ["::LossMetric", "::SampleLossMetric", "`Loss`"] {
            assert!(text.contains(metric), "{text}");
        }
    }
    // For another split each is alone.
    let training = counting(folder.path()).num_epochs(1);
    let session = (training)
        .metric_train_numeric(LossMetric::new())
        .metric_valid_numeric(SampleLossMetric::new());
    session.launch(learner((), 1.0)).unwrap();
}

/// Nothing but the report asks for their values.
#[test]
fn so_are_metrics_that_nothing_reads() {
    let _alone = alone();
    for _ in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let session = counting(folder.path()).num_epochs(1).without_clock();
        let session = session.configure(|training| {
            training
                .metric_valid_numeric(LossMetric::new())
                .metric_train_numeric(IterationSpeedMetric::new())
        });
        let session = session.metrics((LossMetric::new(), IterationSpeedMetric::new()));
        let session = session.resumable(2).unwrap();
        let finished = session.launch(learner((), 1.0)).unwrap();
        assert_eq!(finished.logged_twice, ["Loss", "Iteration Speed"]);
    }
}

#[test]
fn a_name_that_no_file_can_have_is_an_error() {
    let _alone = alone();
    let names = if cfg!(windows) {
        &["grad/norm", "grad\\norm"][..]
    } else {
        &["grad/norm"]
    };
    for name in names {
        let folder = tempfile::tempdir().unwrap();
        let session = counting(folder.path()).num_epochs(1);
        let error = session.launch(learner(GradNorm::named(name), 1.0));
        let error = error.err().unwrap();
        assert!(error.partial.is_none(), "{name}");
        assert!(
            matches!(&error.cause, SessionError::MetricName { name: got } if got == name),
            "{error}"
        );
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
}

/// Needs the training loss, from an epoch on.
#[derive(Debug)]
struct Reads {
    from: usize,
}

impl<M: Module> Trick<M> for Reads {
    fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        if epoch.epoch() >= self.from {
            epoch.metric("Loss", &Split::Train)?;
        }
        Ok(model)
    }
}

#[test]
fn what_an_earlier_run_logged_is_not_read_as_if_it_were_of_this_one() {
    let _alone = alone();
    for from in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let session = counting(folder.path()).num_epochs(2);
        let session = session.metrics((LossMetric::new(),));
        let finished = session.launch(learner(Reads { from }, 1.0)).unwrap();
        assert_eq!(finished.last_epoch, Some(2), "read where it is logged");
        let session = counting(folder.path()).num_epochs(2);
        let error = session.launch(learner(Reads { from }, 1.0)).err().unwrap();
        assert!(matches!(error.cause, SessionError::Trick(_)), "{error}");
        let text = format!("`Loss` has no value for the split `train` of epoch {from}");
        assert!(error.to_string().contains(&text), "{error}");
    }
}
