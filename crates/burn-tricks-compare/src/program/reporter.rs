//! What a training reports.

use std::time::Instant;

use crate::{
    outcome::{
        examination::ExaminationFinding, impossible::impossible, protocol::Protocol,
        run::TrainingRun,
    },
    program::worker::Purpose,
};

/// Takes what a training run measures, and says how long it is to be.
#[derive(Debug)]
pub struct Reporter {
    run: TrainingRun,
    epochs: usize,
    purpose: Purpose,
    steps: Option<u64>,
    start: Instant,
}

impl Reporter {
    /// A reporter for one run of this many epochs. Its clock starts now.
    pub fn new(variant: &str, seed: u64, epochs: usize) -> Self {
        Self {
            run: TrainingRun::new(variant, seed),
            epochs,
            purpose: Purpose::Compare,
            steps: None,
            start: Instant::now(),
        }
    }

    /// For a run of another purpose.
    pub(crate) fn for_purpose(self, purpose: Purpose) -> Self {
        Self { purpose, ..self }
    }

    /// Whether the run is one by which a recipe is tuned: then the metrics to report are those of the
    /// *validation* part, and the test part is not looked at. It happens only with the option `--tune`, of a
    /// program that says what can be tuned, by [`Study::with_tuning`](crate::Study::with_tuning).
    pub fn is_tuning(&self) -> bool {
        self.purpose == Purpose::Tune
    }

    /// Whether the training is examined: it is not compared, and looks for what keeps it from learning, with a
    /// doctor of `burn-tricks-diagnose` for instance, and reports each [`finding`](Self::finding). It
    /// happens only with the option `--doctor`, of a program whose study is
    /// [`with_doctor`](crate::Study::with_doctor).
    pub fn is_examined(&self) -> bool {
        self.purpose == Purpose::Examine
    }

    /// Reports something that an examination found.
    pub fn finding(&mut self, finding: ExaminationFinding) {
        self.run.findings.push(finding);
    }

    /// The number of epochs of a run: [`Study::with_epochs`](crate::Study::with_epochs), or the option
    /// `--epochs`. 0 if the study does not say.
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// Reports the value of a metric on the test part.
    pub fn metric(&mut self, name: &str, value: f64) {
        self.run = std::mem::take(&mut self.run).with_metric(name, value);
    }

    /// Reports the value of a metric on the test part, and the value [without a model](crate::Quality::no_model), with
    /// which a failed run counts.
    pub fn metric_and_no_model(&mut self, name: &str, value: f64, no_model: f64) {
        self.run = std::mem::take(&mut self.run).with_metric_and_no_model(name, value, no_model);
    }

    /// Reports the optimizer step at which the run first reached the target, or `None` if it did not, and the number of
    /// steps of a full run.
    pub fn arrival(&mut self, steps: Option<u64>, of: u64) {
        self.run = std::mem::take(&mut self.run).with_arrival(steps, of);
    }

    /// Reports the value of a metric after `step` optimizer steps, for the learning curves.
    pub fn point(&mut self, step: u64, metric: &str, value: f64) {
        self.run.add_point(step, metric, value);
    }

    /// Reports the number of optimizer steps made. From it and from the time between the start and the end of the
    /// training function follows the time of a step, unless [`seconds_per_step`](Self::seconds_per_step) gives it.
    pub fn steps(&mut self, steps: u64) {
        self.steps = Some(steps);
    }

    /// Reports the mean wall-clock time of an optimizer step, measured by the training itself.
    pub fn seconds_per_step(&mut self, seconds: f64) {
        self.run.cost.seconds_per_step = Some(seconds);
    }

    /// Reports the largest memory in use, in bytes. If the training does not call this method, [`main`](crate::main)
    /// reports on Linux the largest resident memory of the worker process, the program itself included. On other
    /// systems, and with [`Study::with_one_job_per_recipe`](crate::Study::with_one_job_per_recipe), which is for GPUs,
    /// it then reports no memory.
    pub fn peak_bytes(&mut self, bytes: u64) {
        self.run.cost.peak_bytes = Some(bytes);
    }

    /// The largest memory of the process, which counts if the training did not report its own.
    pub(crate) fn peak_of_process(&mut self, bytes: Option<u64>) {
        let peak = &mut self.run.cost.peak_bytes;
        *peak = peak.or(bytes);
    }

    /// What was measured.
    pub fn into_run(mut self) -> TrainingRun {
        let cost = &mut self.run.cost.seconds_per_step;
        if let (None, Some(steps @ 1..)) = (*cost, self.steps) {
            *cost = Some(self.start.elapsed().as_secs_f64() / steps as f64);
        }
        self.run
    }

    /// The first thing that the run does not say although it is asked for, or says and that cannot be.
    pub(crate) fn wrong(&self, protocol: &Protocol) -> Option<String> {
        if self.is_examined() {
            let is_silent = self.run.findings.is_empty();
            return is_silent.then(|| "the examined training reported no finding".to_owned());
        }
        self.missing(protocol)
            .or_else(|| impossible(&self.run, protocol))
    }

    fn missing(&self, protocol: &Protocol) -> Option<String> {
        let quality = &self.run.quality;
        let metrics = protocol.metrics.iter();
        let absent = |name: &&str| !quality.contains_key(*name);
        if let Some(name) = metrics.map(|metric| &*metric.name).find(absent) {
            let reported: Vec<String> = quality.keys().map(|name| format!("{name:?}")).collect();
            let reported = match reported.as_slice() {
                [] => "no metric".to_owned(),
                names => names.join(", "),
            };
            return Some(format!(
                "the training did not report {name:?}; it reported {reported}"
            ));
        }
        let asks_arrival = protocol.target.is_some() && self.run.arrival.is_none();
        asks_arrival
            .then(|| "the training did not report whether it arrived at the target".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{metric::QualityMetric, run::Arrival};

    #[test]
    fn what_is_reported_is_the_run() {
        let protocol = Protocol::new([QualityMetric::loss("RMSE")]).with_target("half");
        let mut report = Reporter::new("ema", 7, 3);
        assert_eq!(report.epochs(), 3);
        report.metric_and_no_model("RMSE", 0.5, 2.0);
        report.arrival(Some(10), 20);
        report.point(5, "validation RMSE", 0.7);
        report.peak_bytes(64);
        report.steps(4);
        assert_eq!(report.missing(&protocol), None);
        let run = report.into_run();
        assert_eq!((&*run.variant, run.seed), ("ema", 7));
        assert_eq!(run.quality["RMSE"].no_model, Some(2.0));
        let arrival = Arrival {
            steps: Some(10),
            of: 20,
        };
        assert_eq!((run.arrival, run.curve.len()), (Some(arrival), 1));
        assert_eq!(run.cost.peak_bytes, Some(64));
        assert!(
            run.cost
                .seconds_per_step
                .is_some_and(|seconds| seconds > 0.0)
        );
    }

    #[test]
    fn a_time_of_ones_own_goes_before_the_clocks_and_without_steps_there_is_none() {
        let mut report = Reporter::new("ema", 7, 3);
        assert_eq!(
            Reporter::new("ema", 7, 3).into_run().cost.seconds_per_step,
            None
        );
        report.seconds_per_step(3.0);
        report.steps(4);
        assert_eq!(report.into_run().cost.seconds_per_step, Some(3.0));
        let mut none = Reporter::new("ema", 7, 3);
        none.steps(0);
        assert_eq!(none.into_run().cost.seconds_per_step, None);
    }

    #[test]
    fn what_the_protocol_asks_for_and_the_run_does_not_say_is_named() {
        let protocol = Protocol::classification().with_target("90 %");
        let mut report = Reporter::new("ema", 7, 3);
        let missing = |report: &Reporter| report.missing(&protocol).unwrap_or_default();
        let nothing = "the training did not report \"accuracy\"; it reported no metric";
        assert_eq!(missing(&report), nothing);
        report.metric("acuracy", 0.9);
        assert!(missing(&report).ends_with("it reported \"acuracy\""));
        report.metric("accuracy", 0.9);
        assert!(missing(&report).contains("\"loss\""));
        report.metric("loss", f64::NAN);
        assert!(missing(&report).contains("arrived at the target"));
        report.arrival(None, 20);
        assert_eq!(missing(&report), "");
    }

    #[test]
    fn what_cannot_be_is_wrong_and_an_examination_needs_findings_alone() {
        let protocol = Protocol::new([QualityMetric::share("accuracy")]);
        let mut report = Reporter::new("ema", 7, 3);
        assert!(!report.is_examined() && report.wrong(&protocol).is_some());
        report.metric("accuracy", 97.0);
        let wrong = report.wrong(&protocol).unwrap();
        assert!(wrong.contains("not a percentage"), "{wrong}");
        report.metric("accuracy", 0.97);
        assert_eq!(report.wrong(&protocol), None);

        let mut report = Reporter::new("ema", 7, 3).for_purpose(Purpose::Examine);
        assert!(report.is_examined() && !report.is_tuning());
        assert!(
            report
                .wrong(&protocol)
                .is_some_and(|wrong| wrong.contains("no finding"))
        );
        report.finding(ExaminationFinding::default());
        assert_eq!(report.wrong(&protocol), None);
        assert_eq!(report.into_run().findings.len(), 1);
    }

    #[test]
    fn memory_that_the_training_reports_goes_before_that_of_the_process() {
        let mut report = Reporter::new("ema", 7, 3);
        report.peak_of_process(Some(64));
        assert_eq!(report.into_run().cost.peak_bytes, Some(64));
        let mut report = Reporter::new("ema", 7, 3);
        report.peak_bytes(32);
        report.peak_of_process(Some(64));
        assert_eq!(report.into_run().cost.peak_bytes, Some(32));
    }
}
