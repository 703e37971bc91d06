//! Answers in words.

use crate::{
    comparison::{
        answer::{Answer, Effect, Unit},
        comparison::{Row, Speed},
        stability::Stability,
        verdict::Verdict,
    },
    report::numbers::{self, fixed, percent},
    statistics::looks::Looks,
};

/// The verdict, where it is undecided with the seeds that it would need.
pub(crate) fn verdict(answer: &Answer) -> String {
    match answer.verdict {
        None => "–".to_owned(),
        Some(Verdict::Undecided) if answer.effect.is_none() => "no runs yet".to_owned(),
        Some(Verdict::Undecided) => undecided(answer),
        Some(verdict) => verdict.to_string(),
    }
}

/// What is told of an undecided question: the seeds that it would need, or why there is no such number.
pub(crate) fn undecided(answer: &Answer) -> String {
    let pairs = answer.effect.as_ref().map_or(0, |effect| effect.pairs);
    match answer.need {
        Some(seeds) => format!("undecided (needs ~{seeds} seeds)"),
        None if pairs < 2 => "undecided (one pair has no spread)".to_owned(),
        None => "undecided (1,000 seeds would not suffice)".to_owned(),
    }
}

/// What is told where a pair has no difference, and so the question no answer.
pub(crate) const UNKNOWN: &str = "a failed run, and no `no_model`";

/// What is told where every run failed.
const NO_RESULT: &str = "no run gave a result";

/// The verdict on a metric in a row of that many pairs.
pub(crate) fn quality_verdict(answer: &Answer, pairs: usize) -> String {
    let known = answer.effect.as_ref().map_or(0, |effect| effect.pairs);
    match answer.verdict {
        Some(Verdict::Undecided) if known < pairs => format!("undecided ({UNKNOWN})"),
        None if pairs > 0 => NO_RESULT.to_owned(),
        _ => verdict(answer),
    }
}

/// The effect with its plain interval; nothing where there is none.
pub(crate) fn effect(answer: &Answer) -> String {
    answer
        .effect
        .as_ref()
        .map_or_else(String::new, numbers::effect)
}

/// How much sooner the variant arrives, as a ratio above 1 where it does.
pub(crate) fn sooner(speed: &Speed, pairs: usize) -> String {
    let Some(effect) = &speed.answer.effect else {
        return String::new();
    };
    let text = numbers::told(effect.unit, effect.interval.negated());
    match speed.answer.verdict {
        Some(Verdict::Helps) if is_bound(speed, pairs) => format!("at least {text}"),
        Some(Verdict::Hurts) if is_bound(speed, pairs) => format!("at most {text}"),
        _ => text,
    }
}

/// Whether longer runs could only move the ratio further from 1: all runs of the faster one arrived, and not all of
/// the other.
fn is_bound(speed: &Speed, pairs: usize) -> bool {
    let (variant, baseline) = (speed.variant_arrived, speed.baseline_arrived);
    match speed.answer.verdict {
        Some(Verdict::Helps) => variant == pairs && baseline < pairs,
        Some(Verdict::Hurts) => baseline == pairs && variant < pairs,
        _ => false,
    }
}

/// The speed of a row: its verdict, or why there is none.
pub(crate) fn speed_verdict(speed: &Speed, pairs: usize) -> String {
    match speed.answer.verdict {
        None => format!(
            "target not reached ({} of {pairs}, {} of {pairs})",
            speed.variant_arrived, speed.baseline_arrived
        ),
        Some(_) => verdict(&speed.answer),
    }
}

/// How often the variant failed, and what that leaves possible. Where there is a target, not to arrive at it is to
/// fail.
pub(crate) fn stability(stability: &Stability, has_target: bool) -> String {
    let Stability {
        seeds,
        variant,
        baseline,
        upper_bound,
        ..
    } = stability;
    match (stability.verdict, *variant, *baseline) {
        (_, variant, baseline) if variant == *seeds && baseline == *seeds => {
            let what = if has_target {
                "neither arrives"
            } else {
                "both fail"
            };
            format!("{what} in {seeds}")
        }
        (None, 0, _) => format!("no failure in {seeds}, below {}", percent(*upper_bound)),
        (None, ..) => format!("{variant} of {seeds} fail, as in the baseline"),
        (Some(verdict), ..) => {
            format!("{verdict}: {variant} of {seeds} fail, {baseline} in the baseline")
        }
    }
}

/// The part of a row's line that tells of one metric.
pub(crate) fn quality_part(answer: &Answer, pairs: usize) -> String {
    let (name, effect) = (&answer.question, answer.effect.as_ref());
    let Some(effect) = effect else {
        return match pairs {
            0 => format!("{name} not known yet"),
            _ if answer.verdict.is_none() => format!("{name}: {NO_RESULT}"),
            _ => format!("{name} not known ({UNKNOWN})"),
        };
    };
    let told = numbers::effect(effect);
    let unit = match effect.unit {
        Unit::Points => " points",
        _ => "",
    };
    match answer.verdict {
        Some(verdict) if verdict.is_equivalent() => {
            format!("{name} equal within {}", within(effect))
        }
        Some(Verdict::Helps) => format!("better {name} {told}{unit}"),
        Some(Verdict::Hurts) => format!("worse {name} {told}{unit}"),
        Some(Verdict::Undecided) if effect.pairs < pairs => {
            format!("{name} undecided {told}{unit} ({UNKNOWN})")
        }
        _ => format!("{name} undecided {told}{unit}"),
    }
}

fn within(effect: &Effect) -> String {
    numbers::margin(effect.unit, effect.margin)
}

/// The part that tells of speed.
pub(crate) fn speed_part(row: &Row) -> Option<String> {
    let speed = row.speed.as_ref()?;
    if speed.answer.verdict.is_none() {
        return Some(speed_verdict(speed, row.seeds));
    }
    let Some(effect) = &speed.answer.effect else {
        return Some("speed not known yet".to_owned());
    };
    let at_least = if is_bound(speed, row.seeds) {
        "at least "
    } else {
        ""
    };
    let told = |interval| numbers::told(effect.unit, interval);
    Some(match speed.answer.verdict {
        Some(Verdict::Helps) => format!("faster {at_least}{}", told(effect.interval.negated())),
        Some(Verdict::Hurts) => format!("slower {at_least}{}", told(effect.interval)),
        Some(Verdict::Undecided) => {
            format!("speed undecided {}", told(effect.interval.negated()))
        }
        _ => format!("speed equal within {}", within(effect)),
    })
}

/// The part that tells of stability, where there is something to tell.
pub(crate) fn stability_part(row: &Row) -> Option<String> {
    let of = row.stability.as_ref()?;
    match of.verdict? {
        Verdict::Undecided => Some(format!(
            "{} of {} runs fail instead of {}, undecided",
            of.variant, of.seeds, of.baseline
        )),
        _ => Some(format!(
            "{} of {} runs fail instead of {}",
            of.variant, of.seeds, of.baseline
        )),
    }
}

/// The part that tells of cost.
pub(crate) fn cost_part(row: &Row) -> Option<String> {
    let effect = row.cost.effect.as_ref()?;
    let mut part = format!("cost ×{}", fixed(effect.interval.mean.exp(), 1));
    if row.cost.verdict == Some(Verdict::Undecided) {
        part += " (undecided)";
    }
    match row.memory_ratio {
        Some(ratio) if (ratio - 1.0).abs() >= 0.05 => {
            part += &format!(", memory ×{}", fixed(ratio, 1));
        }
        _ => {}
    }
    Some(part)
}

/// What the table's reader must know, a sentence a line.
pub(crate) fn how_decided(rows: usize, looks: &Looks, margins: &str) -> String {
    let plural = if rows == 1 { "" } else { "s" };
    let times = match looks.count() {
        1 => String::new(),
        count => format!(", each p-value times {count} for the looks"),
    };
    let mut text = format!(
        "Verdicts are read at {looks} seeds. Differences are paired by seed; Student's t-test and the exact \
         sign-flip test must agree{times}. Holm's method over {rows} row{plural}, question by question, for \
         differences and for equivalence: the chance of even one false \"helps\" or \"hurts\" in a column is \
         at most 5 %.\nEquivalent: {margins}.\nIn brackets: 95 % intervals of one row alone.\n"
    );
    if let Err(too_few) = looks.least_seeds(rows) {
        text += &format!("No difference can be shown: {too_few}.\n");
    }
    wrapped(&text)
}

/// Lines of at most 120 characters.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    for paragraph in text.lines() {
        let mut width = 0;
        for word in paragraph.split(' ') {
            let length = word.chars().count();
            match width {
                0 => {}
                before if before + 1 + length > 120 => {
                    lines.push('\n');
                    width = 0;
                }
                _ => {
                    lines.push(' ');
                    width += 1;
                }
            }
            lines += word;
            width += length;
        }
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_there_is_a_target_can_a_run_arrive() {
        let both = Stability {
            seeds: 14,
            variant: 14,
            baseline: 14,
            only_variant: 0,
            only_baseline: 0,
            p: 1.0,
            upper_bound: 1.0,
            verdict: None,
        };
        assert_eq!(stability(&both, true), "neither arrives in 14");
        assert_eq!(stability(&both, false), "both fail in 14");
    }
}
