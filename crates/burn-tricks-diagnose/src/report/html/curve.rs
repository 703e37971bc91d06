//! Curves: losses over steps, metrics over epochs, and the range test.

use crate::capacity::capacity::{Capacity, TrialKind};
use crate::history::History;
use crate::history::epoch::EpochMetrics;
use crate::report::html::scale::{Scale, drawing, horizontal_axis, vertical_axis};
use maud::{Markup, html};

const LEFT: f64 = 70.0;
const RIGHT: f64 = 790.0;
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 260.0;
const BOTTOM: f64 = 215.0;

/// The most points of a curve; of more, means of neighbours are drawn.
const POINTS: usize = 300;

/// A named list of points.
type Line = (String, Vec<(f64, f64)>);

/// Lines over a common horizontal axis. Nothing if there are fewer than two points.
fn chart(label: &str, x_name: &str, is_x_log: bool, lines: &[Line]) -> Option<Markup> {
    let points = || lines.iter().flat_map(|(_, points)| points);
    if points().count() < 2 {
        return None;
    }
    let values = points().map(|(_, y)| *y).filter(|y| y.is_finite());
    let lowest = values.clone().fold(f64::INFINITY, f64::min);
    let highest = values.clone().fold(0.0, f64::max);
    let is_log = lowest > 0.0 && highest > 20.0 * lowest;
    let x = Scale::of(points().map(|(x, _)| *x), is_x_log, [LEFT, RIGHT])?;
    let y = Scale::of(values, is_log, [BOTTOM, 12.0])?;
    let content = html! {
        (vertical_axis(&y, LEFT, RIGHT))
        (horizontal_axis(&x, BOTTOM + 18.0))
        text.label x=((LEFT + RIGHT) / 2.0) y=(BOTTOM + 38.0) text-anchor="middle" { (x_name) }
        @for (at, (name, points)) in lines.iter().enumerate() {
            @let places: Vec<(f64, f64)> = points.iter().filter_map(|(a, b)| Some((x.place(*a)?, y.place(*b)?))).collect();
            @let path: String = places.iter().map(|(a, b)| format!("{a},{b} ")).collect();
            polyline class=(format!("line line{}", at % 4)) points=(path.trim_end()) {}
            text class=(format!("name name{}", at % 4)) x=(RIGHT + 8.0) y=(24.0 + 18.0 * at as f64) { (name) }
        }
    };
    Some(drawing(label, WIDTH, HEIGHT, &content))
}

/// The loss of the steps, as means of neighbours if there are many.
pub(crate) fn losses(history: &History) -> Option<Markup> {
    let every = history.losses.len().div_ceil(POINTS).max(1);
    let mean = |(at, part): (usize, &[f64])| {
        let step = (at * every + part.len()) as f64;
        (step, part.iter().sum::<f64>() / part.len() as f64)
    };
    let points = history.losses.chunks(every).enumerate().map(mean).collect();
    let name = if every == 1 {
        "loss".to_owned()
    } else {
        format!("mean of {every} losses")
    };
    // With several losses for a step, or without one, they are what is counted.
    let (label, counted) = if history.losses.len() == history.steps_taken {
        ("The loss over the steps.", "optimizer steps")
    } else {
        ("The losses, one after another.", "losses")
    };
    chart(label, counted, false, &[(name, points)])
}

/// The metrics of the epochs.
pub(crate) fn epochs(history: &History) -> Vec<Markup> {
    let line = |name: &str, metric: fn(&EpochMetrics) -> Option<f64>| {
        let epochs = history.epochs.iter().enumerate();
        let points = epochs.filter_map(|(at, of)| Some(((at + 1) as f64, metric(of)?)));
        (name.to_owned(), points.collect::<Vec<_>>())
    };
    let charts = [
        (
            "The mean losses over the epochs.",
            [
                line("training loss", |of| of.train_loss),
                line("validation loss", |of| of.valid_loss),
            ],
        ),
        (
            "The accuracies over the epochs.",
            [
                line("train. accuracy", |of| of.train_accuracy),
                line("valid. accuracy", |of| of.valid_accuracy),
            ],
        ),
    ];
    charts
        .iter()
        .filter_map(|(label, lines)| {
            let lines: Vec<Line> = lines
                .iter()
                .filter(|(_, points)| !points.is_empty())
                .cloned()
                .collect();
            chart(label, "epochs", false, &lines)
        })
        .collect()
}

/// The losses of a capacity test over the share of the data.
pub(crate) fn learning_curve(history: &History) -> Option<Markup> {
    let capacity = history.capacity.as_ref()?;
    let shares = [
        (0.25, TrialKind::Quarter),
        (0.5, TrialKind::Half),
        (1.0, TrialKind::Full),
    ];
    let line = |name: &str, loss: fn(&Capacity, TrialKind) -> Option<f64>| {
        let points = shares
            .iter()
            .filter_map(|(share, kind)| Some((*share, loss(capacity, *kind)?)));
        (name.to_owned(), points.collect::<Vec<_>>())
    };
    let lines = [
        line("training loss", Capacity::train_loss),
        line("validation loss", Capacity::valid_loss),
    ];
    chart(
        "The losses over the share of the training data.",
        "share of the training rows",
        false,
        &lines,
    )
}

/// The curves of a learning-rate range test, one per seed.
pub(crate) fn lr_range(history: &History) -> Option<Markup> {
    let range = history.lr_range.as_ref()?;
    let line = |curve: &crate::measurement::lr_range::LrCurve| {
        let points = curve.lrs.iter().copied().zip(curve.smoothed()).collect();
        (format!("seed {}", curve.seed), points)
    };
    let lines: Vec<Line> = range.curves.iter().map(line).collect();
    chart(
        "The smoothed loss of the range test over the learning rate.",
        "learning rate, logarithmic",
        true,
        &lines,
    )
}
