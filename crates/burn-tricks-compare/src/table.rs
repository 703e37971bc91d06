//! The comparison as a table of text.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use crate::stats::Interval;
use crate::summary::{Comparison, EpochsTo90, VariantSummary};
use crate::verdict::{ALPHA, Difference, MIN_SEEDS};

const RULE: LineStyle = LineStyle::none().fill('─').junction('─');
const STYLE: TableStyle = TableStyle::new()
    .top_border(RULE)
    .header_separator(RULE)
    .bottom_border(RULE);

const HEADER: [&str; 8] = [
    "variant",
    "test accuracy, %\n[95 % interval]",
    "test loss\n[95 % interval]",
    "difference from\nbaseline, points\n[95 % interval]",
    "verdict",
    "epochs\nto 90 %",
    "gap,\npoints",
    "time/epoch,\n× baseline",
];

impl Comparison {
    /// The comparison as a table, one row for each variant, followed by what was computed.
    ///
    /// - An interval is in brackets: `96.1 [95.4, 96.8]`. Accuracies are in percent, differences
    ///   and gaps in percentage points. What is not known is `n/a`.
    /// - `vs NAME` stands below a difference from another baseline than the first one.
    /// - `3.2 (4/6)` epochs: the mean over 4 of 6 seeds, the others never reached 90 %.
    /// - Where there is no baseline, the time of an epoch is in seconds.
    /// - `1 of 6 failed` stands below a variant that lacks runs, `5 of 6 pairs` below a difference that
    ///   does. The failed runs are listed at the end, each with its reason.
    pub fn table(&self) -> String {
        let first_baseline = self
            .variants
            .iter()
            .find(|variant| variant.baseline.is_none())
            .map(|variant| variant.name.as_str());
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_header(HEADER);
        for variant in &self.variants {
            table.add_row(row(variant, first_baseline));
        }
        for column in table.column_iter_mut().skip(5) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let (footer, failed) = (self.footer(), self.list_of_failed());
        format!("{}\n{footer}\n{failed}", table.trim_fmt())
    }

    fn footer(&self) -> String {
        let counts = || self.variants.iter().map(|variant| variant.seeds);
        let seeds = match (counts().min(), counts().max()) {
            (Some(1), Some(1)) => "1 seed".to_owned(),
            (Some(least), Some(most)) if least < most => format!("{least} to {most} seeds"),
            (_, most) => format!("{} seeds", most.unwrap_or(0)),
        };
        let mut footer = format!("Means over {seeds}, with 95 % intervals from Student's t.");
        let compared = self.variants.iter().filter_map(|v| v.difference).count();
        if compared > 0 {
            footer += &format!(
                " Differences are paired by seed.\nVerdict: paired t-test, p at most {ALPHA} after \
                 Holm's correction over {compared} comparison{}, from {MIN_SEEDS} seeds up.",
                if compared == 1 { "" } else { "s" }
            );
        }
        footer
    }

    /// One line for each run that failed, empty if none did.
    fn list_of_failed(&self) -> String {
        let mut list = match self.failed.len() {
            0 => return String::new(),
            1 => "1 run failed:\n".to_owned(),
            failed => format!("{failed} runs failed:\n"),
        };
        for run in &self.failed {
            list += &format!("- {}, seed {}: {}\n", run.variant, run.seed, run.reason);
        }
        list += "Means are over the other runs, differences over the other pairs. A variant without all of its \
                 pairs\nis incomplete and gets no verdict: whether a run fails may depend on how good it is.\n";
        list
    }
}

fn row(variant: &VariantSummary, first_baseline: Option<&str>) -> [String; HEADER.len()] {
    let percent = |value: f64| fixed(100.0 * value, 1);
    let seeds = variant.seeds + variant.failed;
    let mut name = variant.name.clone();
    if variant.failed > 0 {
        name += &format!("\n{} of {seeds} failed", variant.failed);
    }
    let (difference, time) = match &variant.baseline {
        None => ("–".to_owned(), duration(variant.seconds_per_epoch.mean)),
        Some(baseline) => {
            let mut difference = variant.difference.as_ref().map_or_else(String::new, points);
            if let Some(Difference { pairs, .. }) = variant.difference
                && pairs < seeds
            {
                difference += &format!("\n{pairs} of {seeds} pairs");
            }
            if first_baseline != Some(baseline) {
                difference += &format!("\nvs {baseline}");
            }
            (difference, fixed(variant.time_ratio.unwrap_or(f64::NAN), 2))
        }
    };
    let verdict = variant.verdict.map(|verdict| verdict.to_string());
    [
        name,
        interval(&variant.test_accuracy, percent),
        interval(&variant.test_loss, |value| fixed(value, 3)),
        difference,
        verdict.unwrap_or_else(|| "–".to_owned()),
        epochs(&variant.epochs_to_90, variant.seeds),
        percent(variant.gap.mean),
        time,
    ]
}

fn points(difference: &Difference) -> String {
    let interval_of = Interval {
        mean: difference.mean,
        low: difference.low,
        high: difference.high,
    };
    interval(&interval_of, |value| {
        let value = fixed(100.0 * value, 2);
        if value.starts_with('-') {
            value
        } else {
            format!("+{value}")
        }
    })
}

fn interval(interval: &Interval, number: impl Fn(f64) -> String) -> String {
    let Interval { mean, low, high } = *interval;
    if mean.is_finite() {
        let ends = if low.is_finite() && high.is_finite() {
            format!("{}, {}", number(low), number(high))
        } else {
            "n/a".to_owned()
        };
        format!("{} [{ends}]", number(mean))
    } else {
        "n/a".to_owned()
    }
}

fn epochs(epochs: &EpochsTo90, seeds: usize) -> String {
    let mean = fixed(epochs.epochs.mean, 1);
    match epochs.reached {
        _ if seeds == 0 => "n/a".to_owned(),
        0 => "never".to_owned(),
        reached if reached < seeds => format!("{mean} ({reached}/{seeds})"),
        _ => mean,
    }
}

/// Seconds, or milliseconds where seconds would round away.
fn duration(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{} ms", fixed(1000.0 * seconds, 1))
    } else {
        format!("{} s", fixed(seconds, 2))
    }
}

/// A number with that many decimals, `n/a` if it is not finite.
fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "n/a".to_owned();
    }
    let text = format!("{value:.decimals$}");
    // What rounds to zero has no sign.
    match text.strip_prefix('-') {
        Some(zero) if zero.bytes().all(|byte| matches!(byte, b'0' | b'.')) => zero.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunResult;
    use crate::summary::Recipe;

    #[test]
    fn what_rounds_to_zero_has_no_sign() {
        assert_eq!(fixed(-0.04, 1), "0.0");
        assert_eq!(fixed(-0.06, 1), "-0.1");
        assert_eq!(fixed(f64::NEG_INFINITY, 1), "n/a");
    }

    #[test]
    fn short_epochs_are_told_in_milliseconds() {
        assert_eq!(duration(0.0123), "12.3 ms");
        assert_eq!(duration(1.5), "1.50 s");
        assert_eq!(duration(f64::NAN), "n/a s");
    }

    #[test]
    fn one_comparison_is_not_called_comparisons() {
        let footer = |compared: usize| {
            let recipe = |index: usize| Recipe {
                name: index.to_string(),
                baseline: (index > 0).then(|| "0".to_owned()),
                about: String::new(),
            };
            let recipes: Vec<Recipe> = (0..=compared).map(recipe).collect();
            let runs = recipes
                .iter()
                .map(|recipe| RunResult::sample(&recipe.name, 1, 0.9));
            let runs: Vec<RunResult> = runs.collect();
            Comparison::init(&recipes, runs).unwrap().footer()
        };
        assert!(!footer(0).contains("comparison"));
        assert!(footer(1).contains("over 1 comparison,"));
        assert!(footer(2).contains("over 2 comparisons,"));
    }
}
