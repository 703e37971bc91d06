//! The range of the activations at each probe, by depth.

use crate::finding::prescription::short;
use crate::history::History;
use crate::report::html::heat_map::short_names;
use crate::report::html::scale::{Scale, drawing, horizontal_axis};
use maud::{Markup, html};

const LEFT: f64 = 190.0;
const WIDTH: f64 = 900.0;
const ROW: f64 = 26.0;

/// The last recorded range of each probe. Nothing without probes.
pub(crate) fn ranges(history: &History) -> Option<Markup> {
    let last = history
        .probes
        .iter()
        .filter_map(|probe| Some((probe, probe.steps.last()?)));
    let rows: Vec<_> = last.collect();
    let ends = rows.iter().flat_map(|(_, at)| [at.min, at.max]);
    let scale = Scale::of(ends, false, [LEFT, WIDTH - 230.0])?;
    let names = short_names(rows.iter().map(|(probe, _)| probe.name.as_str()).collect());
    let height = ROW * rows.len() as f64 + 40.0;
    let content = html! {
        @if let Some(zero) = scale.place(0.0).filter(|zero| (LEFT..WIDTH - 230.0).contains(zero)) {
            line.grid x1=(zero) x2=(zero) y1="4" y2=(height - 30.0) {}
        }
        @for (row, (probe, at)) in rows.iter().enumerate() {
            @let y = 18.0 + ROW * row as f64;
            text.label x=(LEFT - 8.0) y=(y + 4.0) text-anchor="end" { (names[row]) }
            @if let (Some(low), Some(high)) = (scale.place(at.min), scale.place(at.max)) {
                line.stroke x1=(low) x2=(high) y1=(y) y2=(y) {}
                @let around = [at.mean - at.deviation, at.mean + at.deviation];
                @let [from, to] = around.map(|end| scale.place(end).unwrap_or(low).clamp(low, high));
                rect.box x=(from) y=(y - 6.0) width=((to - from).max(1.0)) height="12" {
                    title { "mean " (short(at.mean)) ", deviation " (short(at.deviation)) ", from " (short(at.min)) " to " (short(at.max)) }
                }
            }
            text.label x=(WIDTH - 218.0) y=(y + 4.0) {
                (format!("{:.0} % zeros, {} of {} units dead", 100.0 * at.zeros, probe.dead_units, probe.units))
            }
        }
        (horizontal_axis(&scale, height - 10.0))
    };
    let label = "Range of the activations at each probe: line from minimum to maximum, box of one standard deviation around the mean.";
    Some(drawing(label, WIDTH, height, &content))
}
