//! Interactions as text and Markdown.

use crate::{
    ablate::interactions::Interactions,
    comparison::{
        answer::{Answer, Unit},
        verdict::Verdict,
    },
    report::{numbers, wording},
};

impl Interactions {
    /// A line for each two changes and question.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for pair in &self.pairs {
            text += &format!("{} × {}, {} seeds\n", pair.first, pair.second, pair.seeds);
            for answer in &pair.answers {
                text += &format!("  {}: {}\n", answer.question, told(answer, pair.seeds));
            }
        }
        text
    }

    /// The same as a table in GitHub's Markdown.
    pub fn markdown(&self) -> String {
        let Some(first) = self.pairs.first() else {
            return String::new();
        };
        let mut text = "| changes | seeds |".to_owned();
        for answer in &first.answers {
            text += &format!(" {} |", answer.question);
        }
        text += &format!("\n| --- | ---: |{}\n", " --- |".repeat(first.answers.len()));
        for pair in &self.pairs {
            text += &format!("| {} × {} | {} |", pair.first, pair.second, pair.seeds);
            for answer in &pair.answers {
                text += &format!(" {} |", told(answer, pair.seeds));
            }
            text.push('\n');
        }
        text
    }
}

/// The interaction with its 95 % interval, and in words.
fn told(answer: &Answer, seeds: usize) -> String {
    let Some(effect) = &answer.effect else {
        return "not known".to_owned();
    };
    let is_speed = answer.question == "speed";
    let interval = if is_speed {
        effect.interval.negated()
    } else {
        effect.interval
    };
    let margin = numbers::margin(effect.unit, effect.margin);
    let words = match answer.verdict {
        None if is_speed => "the target is not reached often enough".to_owned(),
        None if effect.pairs < seeds => wording::UNKNOWN.to_owned(),
        None => "no run gave a result".to_owned(),
        Some(Verdict::Helps) => "better together than apart".to_owned(),
        Some(Verdict::Hurts) => "worse together than apart".to_owned(),
        Some(Verdict::Undecided) => wording::undecided(answer),
        Some(_) => format!("together as apart, within {margin}"),
    };
    let unit = match effect.unit {
        Unit::Points => " points",
        _ => "",
    };
    format!("{}{unit}; {words}", numbers::told(effect.unit, interval))
}
