//! The comparison as CSV.

use crate::comparison::{answer::Answer, comparison::Comparison};

const HEADER: &str = "variant,baseline,question,verdict,pairs,unit,mean,low,high,adjusted_low,adjusted_high,sd,\
                      margin,difference_p,equivalence_p,need,interquartile_mean,probability_of_improvement";

impl Comparison {
    /// The comparison as CSV by RFC 4180: one line for each variant and question.
    ///
    /// Effects are in the unit told in `unit`: percentage points, a ratio of variant to baseline, or the
    /// metric's own. `sd` and `margin` are on the scale that is tested: shares, logarithms of ratios, the metric's
    /// own. The field of an unknown value is empty.
    pub fn csv(&self) -> String {
        let mut text = format!("{HEADER}\r\n");
        for row in &self.rows {
            let speed = row.speed.iter().map(|speed| &speed.answer);
            for answer in row.quality.iter().chain(speed).chain([&row.cost]) {
                text += &line(&row.name, &row.baseline, answer);
            }
            let Some(stability) = &row.stability else {
                continue;
            };
            let shares = [stability.variant, stability.baseline]
                .map(|failed| failed as f64 / stability.seeds as f64);
            let verdict = stability.verdict.map(|verdict| verdict.to_string());
            let fields = [
                quoted(&row.name),
                quoted(&row.baseline),
                "stability".to_owned(),
                verdict.unwrap_or_default(),
                stability.seeds.to_string(),
                "points".to_owned(),
                number(100.0 * (shares[0] - shares[1])),
            ];
            let p = number(stability.p);
            text += &format!("{},,,,,,,{p},,,,\r\n", fields.join(","));
        }
        text
    }
}

fn line(variant: &str, baseline: &str, answer: &Answer) -> String {
    let verdict = answer.verdict.map(|verdict| verdict.to_string());
    let mut fields = vec![
        quoted(variant),
        quoted(baseline),
        quoted(&answer.question),
        verdict.unwrap_or_default(),
    ];
    match &answer.effect {
        Some(effect) => {
            let told = |interval| effect.unit.told(interval);
            let (plain, adjusted) = (told(effect.interval), told(effect.adjusted));
            let unit = serde_json::to_value(effect.unit).unwrap_or_default();
            fields.push(effect.pairs.to_string());
            fields.push(unit.as_str().unwrap_or_default().to_owned());
            let numbers = [
                plain.mean,
                plain.low,
                plain.high,
                adjusted.low,
                adjusted.high,
            ];
            fields.extend(numbers.map(number));
            fields.extend([effect.sd, effect.margin].map(number));
        }
        None => fields.extend(["0", "", "", "", "", "", "", "", ""].map(str::to_owned)),
    }
    fields.extend([answer.difference_p, answer.equivalence_p].map(number));
    fields.push(
        answer
            .need
            .map_or_else(String::new, |need| need.to_string()),
    );
    match &answer.effect {
        Some(effect) => {
            let middle = effect.unit.told(effect.interquartile_mean).mean;
            fields.extend([middle, effect.probability_of_improvement.mean].map(number));
        }
        None => fields.extend(["", ""].map(str::to_owned)),
    }
    format!("{}\r\n", fields.join(","))
}

fn number(value: f64) -> String {
    if value.is_finite() {
        value.to_string()
    } else {
        String::new()
    }
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
