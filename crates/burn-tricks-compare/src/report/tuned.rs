//! A tuning as text.

use std::fmt::Write as _;

use crate::{
    report::numbers::significant,
    tune::tuned::{Tuned, TunedArm},
};

impl Tuned {
    /// How the recipes were tuned, in a sentence for the head of a report.
    pub fn method(&self) -> String {
        let candidates = self.arms.first().map_or(0, |arm| arm.candidates.len());
        let mut text = format!(
            "Each recipe at its own best `{}`, of {candidates} values by successive halving on validation {}, {} \
             runs each, with seeds that are not compared.",
            self.setting, self.metric, self.runs_per_recipe
        );
        let names = |is: fn(&&TunedArm) -> bool| {
            let names = self.arms.iter().filter(is).map(|arm| &*arm.name);
            names.collect::<Vec<&str>>().join(", ")
        };
        let at_edge = names(|arm| arm.is_at_edge);
        if !at_edge.is_empty() {
            let _ = write!(
                text,
                " At the end of the range, so that further out may be better: {at_edge}."
            );
        }
        let failed = names(|arm| arm.has_failed);
        if !failed.is_empty() {
            let _ = write!(
                text,
                " No value gave a result, so the own one stays: {failed}."
            );
        }
        match self.failed.len() {
            0 => {}
            1 => text += " 1 run ended without a result, and counts as no model.",
            runs => {
                let _ = write!(
                    text,
                    " {runs} runs ended without a result, and count as no model."
                );
            }
        }
        text
    }

    /// A line for each recipe: its own value, the best one, and every candidate with its number of seeds, and of those
    /// that failed.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:24} {:>10} {:>10}  candidates: seeds\n",
            "recipe", "own", "best"
        );
        for arm in &self.arms {
            let own = arm
                .candidates
                .iter()
                .find(|candidate| candidate.factor == 1.0);
            let own = own.map_or(f64::NAN, |own| own.value);
            let tried = arm.candidates.iter().map(|candidate| {
                let failed = match candidate.failed {
                    0 => String::new(),
                    failed => format!(" ({failed} failed)"),
                };
                let value = significant(candidate.value, 3);
                format!("{value}: {}{failed}", candidate.seeds)
            });
            let tried = tried.collect::<Vec<String>>().join(", ");
            let edge = if arm.is_at_edge {
                " (at the end of the range)"
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "{:24} {:>10} {:>10}  {tried}{edge}",
                arm.name,
                significant(own, 3),
                significant(arm.chosen, 3)
            );
        }
        text
    }
}
