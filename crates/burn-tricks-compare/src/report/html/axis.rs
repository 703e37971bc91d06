//! Where an axis begins and ends, and its ticks.

use crate::{
    comparison::answer::Unit,
    report::numbers::{ratio, significant},
};

/// An axis of effects, on the scale on which they are tested.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axis {
    pub(crate) unit: Unit,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Axis {
    /// An axis with zero and the margin on it, and as many of `ends` as fit without making the margin
    /// invisible: a few rows far outside do not hide the others.
    pub(crate) fn new(unit: Unit, margin: f64, ends: &[f64]) -> Self {
        let mut sizes: Vec<f64> = ends.iter().copied().filter(|end| end.is_finite()).collect();
        sizes.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        let common = sizes.get(sizes.len() * 4 / 5).map_or(0.0, |end| end.abs());
        let limit = (1.3 * common).max(3.0 * margin);
        let reach = |side: f64| {
            let inside = sizes.iter().map(|end| side * end);
            let inside = inside.filter(|end| *end <= limit);
            inside.fold(1.5 * margin, f64::max) * 1.06
        };
        Self {
            unit,
            low: -reach(-1.0),
            high: reach(1.0),
        }
    }

    /// The places and names of the ticks.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        match self.unit {
            Unit::Ratio => self.ratios(),
            Unit::Points => self.steps(100.0),
            Unit::Plain => self.steps(1.0),
        }
    }

    fn ratios(&self) -> Vec<(f64, String)> {
        let fine = [0.8, 0.9, 1.0, 1.1, 1.25];
        let coarse = [
            0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
        ];
        let all: &[f64] = if self.high - self.low < 1.2 {
            &[0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0]
        } else {
            &coarse
        };
        let all = if self.high - self.low < 0.5 {
            &fine
        } else {
            all
        };
        let inside = all.iter().filter(|tick| self.holds(tick.ln()));
        inside
            .map(|tick| (tick.ln(), format!("×{}", ratio(*tick))))
            .collect()
    }

    /// Round steps of a number told as `factor` times the value.
    fn steps(&self, factor: f64) -> Vec<(f64, String)> {
        let about = factor * (self.high - self.low) / 6.0;
        let power = 10.0_f64.powf(about.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
        let step = step
            .into_iter()
            .find(|step| *step >= about)
            .unwrap_or(about);
        let first = (factor * self.low / step).ceil() as i64;
        let last = (factor * self.high / step).floor() as i64;
        let tick = |at: i64| {
            let told = at as f64 * step;
            let sign = if at > 0 { "+" } else { "" };
            (told / factor, format!("{sign}{}", trimmed(told)))
        };
        (first..=last).map(tick).collect()
    }

    fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The value, or the end of the axis that it is beyond.
    pub(crate) fn clamp(&self, value: f64) -> f64 {
        value.clamp(self.low, self.high)
    }
}

fn trimmed(value: f64) -> String {
    let text = significant(value, 3);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlier_does_not_hide_the_others() {
        let mut ends = vec![
            0.01, -0.02, 0.015, 0.02, -0.01, 0.005, 0.01, 0.02, -0.015, -0.8,
        ];
        let axis = Axis::new(Unit::Points, 0.005, &ends);
        assert!(axis.low > -0.05 && axis.high < 0.05, "{axis:?}");
        assert_eq!(axis.clamp(-0.8), axis.low);
        let names: Vec<String> = axis.ticks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["−2", "−1", "0", "+1", "+2"]);
        ends.clear();
        let empty = Axis::new(Unit::Ratio, 1.1_f64.ln(), &ends);
        let names: Vec<String> = empty.ticks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["×0.90", "×1.00", "×1.10"]);
    }
}
