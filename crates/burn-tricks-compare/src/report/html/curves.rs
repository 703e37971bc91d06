//! Learning curves: the median over seeds, and the band between the quartiles.

use std::collections::{BTreeMap, BTreeSet};

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    outcome::run::TrainingRun,
    report::{
        html::palette::{EQUAL, GRID, INK, MUTED},
        numbers::significant,
    },
};

const SIZE: (u32, u32) = (420, 250);

/// Quartiles at one step: the step, the first quartile, the median and the third.
type Quartiles = (f64, [f64; 3]);

/// The names of all metrics that the runs have points of.
pub(crate) fn metrics<'a>(runs: impl Iterator<Item = &'a TrainingRun>) -> BTreeSet<String> {
    let points = runs.flat_map(|run| &run.curve);
    points.map(|point| point.metric.clone()).collect()
}

/// The learning curves of a variant and its baseline, as an SVG image. `None` if neither has two steps.
pub(crate) fn curves_svg(
    metric: &str,
    variant: &[&TrainingRun],
    baseline: &[&TrainingRun],
) -> Option<String> {
    let lines = [quartiles(metric, baseline), quartiles(metric, variant)];
    let all = || lines.iter().flatten();
    let last = all().map(|(step, _)| *step).fold(0.0, f64::max);
    let ends = || all().flat_map(|(_, quartiles)| *quartiles);
    let low = ends().fold(f64::INFINITY, f64::min);
    let high = ends().fold(f64::NEG_INFINITY, f64::max);
    if lines.iter().all(|line| line.len() < 2) || !(high - low).is_finite() {
        return None;
    }
    let room = 0.06 * (high - low).max(1e-9);
    let mut svg = String::new();
    {
        let backend = SVGBackend::with_string(&mut svg, SIZE);
        let root = backend.into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .margin_right(78)
            .x_label_area_size(34)
            .y_label_area_size(46)
            .build_cartesian_2d(0.0..last, low - room..high + room)
            .ok()?;
        let style = |size: i32| ("sans-serif", size).into_font().color(&MUTED);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(MUTED)
            .x_labels(5)
            .y_labels(5)
            .x_label_formatter(&|step| significant(*step, 3))
            .y_label_formatter(&|value| significant(*value, 3))
            .label_style(style(11))
            .x_desc("optimizer steps")
            .axis_desc_style(style(12))
            .draw()
            .ok()?;
        let named = [("baseline", MUTED), ("variant", EQUAL)];
        let mut label_at: Option<f64> = None;
        for (line, (name, colour)) in lines.iter().zip(named) {
            let Some((end, quartiles)) = line.last() else {
                continue;
            };
            let upper = line.iter().map(|(step, q)| (*step, q[2]));
            let lower = line.iter().rev().map(|(step, q)| (*step, q[0]));
            let band: Vec<(f64, f64)> = upper.chain(lower).collect();
            chart
                .plotting_area()
                .draw(&Polygon::new(band, colour.mix(0.2).filled()))
                .ok()?;
            let median = line.iter().map(|(step, q)| (*step, q[1]));
            chart
                .plotting_area()
                .draw(&PathElement::new(
                    median.collect::<Vec<_>>(),
                    colour.stroke_width(2),
                ))
                .ok()?;
            // Two labels at one height would hide each other.
            let mut height = quartiles[1];
            let gap = 0.09 * (high - low + 2.0 * room);
            if let Some(other) = label_at.filter(|other| (other - height).abs() < gap) {
                height = if height >= other {
                    other + gap
                } else {
                    other - gap
                };
            }
            label_at = Some(height);
            let place = chart.backend_coord(&(*end, height));
            let style = ("sans-serif", 12)
                .into_font()
                .color(if name == "variant" { &EQUAL } else { &INK })
                .pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(name, (place.0 + 6, place.1), style))
                .ok()?;
        }
        root.present().ok()?;
    }
    Some(svg)
}

fn quartiles(metric: &str, runs: &[&TrainingRun]) -> Vec<Quartiles> {
    let mut steps: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for run in runs {
        for point in run.curve.iter().filter(|point| point.metric == metric) {
            // A run that diverged has left the picture.
            if point.value.is_finite() {
                steps.entry(point.step).or_default().push(point.value);
            }
        }
    }
    let most = steps.values().map(Vec::len).max().unwrap_or(0);
    let of_step = |(step, mut values): (u64, Vec<f64>)| {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[(share * (values.len() - 1) as f64).round() as usize];
        (step as f64, [at(0.25), at(0.5), at(0.75)])
    };
    // Steps that few runs reach, as behind an early stop, would tell of those few alone.
    let enough = |(_, values): &(u64, Vec<f64>)| 2 * values.len() >= most;
    steps.into_iter().filter(enough).map(of_step).collect()
}
