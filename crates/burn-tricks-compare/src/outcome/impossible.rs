//! Values that a run cannot have measured.

use crate::outcome::{
    metric::Scale,
    protocol::Protocol,
    run::{Arrival, TrainingRun},
};

/// What is wrong with the first value that cannot be, in a sentence that quotes it. A value that is not a number
/// is none of these: it is that of a run that diverged.
pub(crate) fn impossible(run: &TrainingRun, protocol: &Protocol) -> Option<String> {
    for metric in &protocol.metrics {
        let Some(quality) = run.quality.get(&metric.name) else {
            continue;
        };
        let (low, high) = metric.range();
        let what = match metric.scale {
            Scale::Share => "a share from 0 to 1, not a percentage",
            Scale::Positive => "a number from 0 up",
            Scale::Plain => "a finite number",
        };
        let name = &metric.name;
        let value = quality.value;
        if value < low || value > high {
            return Some(format!("{name:?} is {what}, and cannot be {value}"));
        }
        let is_right = |value: &f64| value.is_finite() && (low..=high).contains(value);
        if let Some(value) = quality.no_model.filter(|value| !is_right(value)) {
            return Some(format!(
                "{name:?} without a model is {what}, and cannot be {value}"
            ));
        }
    }
    let _ = protocol.target.as_ref()?;
    let Arrival { steps, of } = run.arrival?;
    let steps = steps.filter(|steps| !(1..=of).contains(steps))?;
    Some(format!(
        "the target cannot be reached at step {steps} of {of}: steps count from 1"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::metric::{Better, QualityMetric};

    fn told(run: TrainingRun) -> String {
        let protocol = Protocol::new([
            QualityMetric::share("accuracy"),
            QualityMetric::loss("loss"),
            QualityMetric::plain("score", Better::Higher, 1.0),
        ]);
        impossible(&run, &protocol.with_target("90 %")).unwrap_or_default()
    }

    fn run() -> TrainingRun {
        TrainingRun::new("ema", 1)
    }

    #[test]
    fn what_cannot_be_is_quoted() {
        for (run, expected) in [
            (
                run().with_metric("accuracy", 97.2),
                "not a percentage, and cannot be 97.2",
            ),
            (run().with_metric("accuracy", -0.1), "cannot be -0.1"),
            (
                run().with_metric("loss", -0.5),
                "\"loss\" is a number from 0 up, and cannot be -0.5",
            ),
            (
                run().with_metric_and_no_model("loss", 0.5, f64::NAN),
                "without a model",
            ),
            (
                run().with_metric_and_no_model("accuracy", 0.5, 10.0),
                "cannot be 10",
            ),
            (
                run().with_metric_and_no_model("score", 0.5, f64::INFINITY),
                "cannot be inf",
            ),
            (run().with_arrival(Some(500), 320), "at step 500 of 320"),
            (run().with_arrival(Some(0), 320), "at step 0 of 320"),
        ] {
            let told = told(run);
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn what_can_be_passes_and_so_does_a_run_that_diverged() {
        for run in [
            run(),
            run().with_metric_and_no_model("accuracy", 1.0, 0.0),
            run().with_metric("accuracy", f64::NAN),
            run().with_metric_and_no_model("loss", 0.0, 2.3),
            run().with_metric("loss", f64::INFINITY),
            run().with_metric("score", -1e9),
            run().with_arrival(Some(320), 320),
            run().with_arrival(None, 320),
        ] {
            assert_eq!(told(run), "");
        }
    }
}
