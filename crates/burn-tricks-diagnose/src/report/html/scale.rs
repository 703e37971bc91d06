//! From numbers to places in a drawing.

use crate::finding::prescription::short;
use maud::{Markup, html};

/// A linear or logarithmic axis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
    /// The places of the lowest and the highest number.
    places: [f64; 2],
}

impl Scale {
    /// An axis that holds all finite `values`; `None` if there are none. A logarithmic one holds the positive values.
    pub(crate) fn of(
        values: impl Iterator<Item = f64> + Clone,
        is_log: bool,
        places: [f64; 2],
    ) -> Option<Self> {
        let usable = values.filter(|value| value.is_finite() && (!is_log || *value > 0.0));
        let usable = usable.map(|value| if is_log { value.log10() } else { value });
        let low = usable.clone().fold(f64::INFINITY, f64::min);
        let high = usable.fold(f64::NEG_INFINITY, f64::max);
        (low <= high).then_some(())?;
        // One number alone stands in the middle.
        let room = if high > low {
            0.0
        } else {
            0.5 * high.abs().max(1.0)
        };
        Some(Self {
            low: low - room,
            high: high + room,
            is_log,
            places,
        })
    }

    /// The share of the axis at which a number stands, if it stands on it.
    pub(crate) fn share(&self, value: f64) -> Option<f64> {
        let value = if self.is_log { value.log10() } else { value };
        let share = (value - self.low) / (self.high - self.low);
        share.is_finite().then_some(share)
    }

    /// The place of a number, if it has one.
    pub(crate) fn place(&self, value: f64) -> Option<f64> {
        let [first, last] = self.places;
        let place = first + self.share(value)? * (last - first);
        Some((place * 10.0).round() / 10.0)
    }

    /// Five numbers at equal distances.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = f64> {
        (0..5).map(|tick| {
            let value = self.low + (self.high - self.low) * f64::from(tick) / 4.0;
            if self.is_log {
                10f64.powf(value)
            } else {
                value
            }
        })
    }
}

/// Lines and numbers of a vertical axis, across a drawing from `left` to `right`.
pub(crate) fn vertical_axis(scale: &Scale, left: f64, right: f64) -> Markup {
    html! {
        @for tick in scale.ticks() {
            @if let Some(y) = scale.place(tick) {
                line.grid x1=(left) x2=(right) y1=(y) y2=(y) {}
                text.label x=(left - 6.0) y=(y + 4.0) text-anchor="end" { (short(tick)) }
            }
        }
    }
}

/// Numbers of a horizontal axis, at height `y`.
pub(crate) fn horizontal_axis(scale: &Scale, y: f64) -> Markup {
    html! {
        @for tick in scale.ticks() {
            @if let Some(x) = scale.place(tick) {
                text.label x=(x) y=(y) text-anchor="middle" { (short(tick)) }
            }
        }
    }
}

/// A drawing of this size in a region that may scroll.
pub(crate) fn drawing(label: &str, width: f64, height: f64, content: &Markup) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label="Drawing, may scroll" {
            svg role="img" aria-label=(label) viewBox=(format!("0 0 {width} {height}")) style=(format!("min-width:{}px", width.min(640.0))) {
                (content)
            }
        }
    }
}
