//! A row in one line.

use crate::{
    comparison::{
        answer::Unit,
        comparison::{Comparison, Row},
    },
    report::{
        numbers::margin,
        wording::{cost_part, how_decided, quality_part, speed_part, stability_part},
    },
};

impl Row {
    /// The row in one line, such as `faster ×2.8 [2.2, 3.6], accuracy equal within ±0.50 points, cost
    /// ×1.1`: effects with their plain 95 % intervals.
    pub fn summary(&self) -> String {
        let quality = self.quality.iter();
        let quality = quality.map(|answer| quality_part(answer, self.seeds));
        let parts = speed_part(self).into_iter().chain(quality);
        let parts = parts.chain(stability_part(self)).chain(cost_part(self));
        parts.collect::<Vec<String>>().join(", ")
    }
}

impl Comparison {
    /// How the verdicts are made and within which margins two recipes are equivalent, for the head of a
    /// report or before the first run.
    pub fn method(&self) -> String {
        let protocol = &self.protocol;
        let mut margins: Vec<String> = protocol
            .metrics
            .iter()
            .map(|metric| {
                let unit = Unit::of(metric.scale);
                let within = margin(unit, metric.margin_of_differences());
                format!("{} within {within}", metric.name)
            })
            .collect();
        if let Some(target) = &protocol.target {
            let within = margin(Unit::Ratio, protocol.speed_margin.ln());
            margins.push(format!("steps to {target} within {within}"));
        }
        let within = margin(Unit::Ratio, protocol.cost_margin.ln());
        margins.push(format!("time per step within {within}"));
        how_decided(self.rows.len(), &self.looks, &margins.join(", "))
    }
}
