//! The gradient norm of each layer over the steps.

use crate::finding::prescription::short;
use crate::history::History;
use crate::history::param::ParamHistory;
use crate::report::html::scale::{Scale, drawing};
use maud::{Markup, html};

/// The most columns; of more recorded steps, every n-th is drawn.
const COLUMNS: usize = 80;

const LEFT: f64 = 190.0;
const WIDTH: f64 = 900.0;
const ROW: f64 = 18.0;

/// Nothing if no weight had a gradient.
pub(crate) fn heat_map(history: &History) -> Option<Markup> {
    let weights: Vec<&ParamHistory> = history.weights();
    let norms = weights
        .iter()
        .flat_map(|param| param.steps.iter().map(|at| at.gradient));
    let scale = Scale::of(norms, true, [0.0, 1.0])?;
    let every = history.steps.len().div_ceil(COLUMNS).max(1);
    let steps: Vec<usize> = history
        .steps
        .iter()
        .step_by(every)
        .map(|of| of.step)
        .collect();
    let names = short_names(weights.iter().map(|param| param.path.as_str()).collect());
    let cell = (WIDTH - LEFT - 20.0) / steps.len().max(1) as f64;
    let height = ROW * weights.len() as f64 + 70.0;
    let [lowest, highest] = [0, 4].map(|tick| scale.ticks().nth(tick).unwrap_or(0.0));
    let content = html! {
        @for (row, param) in weights.iter().enumerate() {
            @let y = 10.0 + ROW * row as f64;
            text.label x=(LEFT - 8.0) y=(y + 13.0) text-anchor="end" { (names[row]) }
            @for (column, step) in steps.iter().enumerate() {
                @if let Ok(at) = param.steps.binary_search_by_key(step, |at| at.step) {
                    @let norm = param.steps[at].gradient;
                    rect class=(class(norm)) fill=(colour(&scale, norm)) x=(place(LEFT + cell * column as f64)) y=(y) width=(place(cell + 0.2)) height=(ROW - 2.0) {
                        title { (param.path) ", step " (step) ": " (short(norm)) }
                    }
                }
            }
        }
        @let y = height - 40.0;
        @if let (Some(first), Some(last)) = (steps.first(), steps.last()) {
            text.label x=(LEFT) y=(y) { "step " (first) }
            text.label x=(WIDTH - 20.0) y=(y) text-anchor="end" { "step " (last) }
        }
        @for mark in 0..10 {
            rect fill=(shade(f64::from(mark) / 9.0)) x=(LEFT + 90.0 + 14.0 * f64::from(mark)) y=(y + 14.0) width="14" height="12" {}
        }
        text.label x=(LEFT + 82.0) y=(y + 24.0) text-anchor="end" { (short(lowest)) }
        text.label x=(LEFT + 238.0) y=(y + 24.0) { (short(highest)) ", logarithmic; grey: exactly 0 or not finite" }
    };
    let label = "Heat map of the norm of the gradient of each weight over the recorded steps; the table of parameters has the numbers.";
    Some(drawing(label, WIDTH, height, &content))
}

fn class(norm: f64) -> &'static str {
    if norm > 0.0 && norm.is_finite() {
        ""
    } else {
        "none"
    }
}

fn colour(scale: &Scale, norm: f64) -> String {
    match scale.share(norm) {
        Some(share) if norm > 0.0 => shade(share),
        _ => "var(--none)".to_owned(),
    }
}

/// A colour from dark violet over green to yellow, whose lightness rises: it can be read without colours.
fn shade(share: f64) -> String {
    let share = share.clamp(0.0, 1.0);
    format!(
        "hsl({:.0} 65% {:.0}%)",
        280.0 - 225.0 * share,
        22.0 + 48.0 * share
    )
}

fn place(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Paths without the parts that all of them begin and end with.
pub(crate) fn short_names(paths: Vec<&str>) -> Vec<String> {
    let mut parts: Vec<Vec<&str>> = paths.iter().map(|path| path.split('.').collect()).collect();
    for from_end in [false, true] {
        let part = |path: &Vec<&str>| {
            if from_end {
                path.last().copied()
            } else {
                path.first().copied()
            }
            .map(str::to_owned)
        };
        while parts.len() > 1
            && parts.iter().all(|path| path.len() > 1)
            && parts.iter().all(|path| part(path) == part(&parts[0]))
        {
            for path in &mut parts {
                path.remove(if from_end { path.len() - 1 } else { 0 });
            }
        }
    }
    parts
        .into_iter()
        .map(|path| clipped(&path.join(".")))
        .collect()
}

/// The end of a long name, which tells more than its beginning.
fn clipped(path: &str) -> String {
    const LONGEST: usize = 26;
    let count = path.chars().count();
    if count <= LONGEST {
        return path.to_owned();
    }
    let end: String = path.chars().skip(count - LONGEST + 1).collect();
    format!("…{end}")
}
