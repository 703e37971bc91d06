//! Numbers as text.

use crate::{
    comparison::answer::{Effect, Unit},
    statistics::interval::Interval,
};

/// A number with that many decimals, `n/a` if it is not finite.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "n/a".to_owned();
    }
    let text = format!("{value:.decimals$}");
    // What rounds to zero has no sign.
    match text.strip_prefix('-') {
        Some(zero) if zero.bytes().all(|byte| matches!(byte, b'0' | b'.')) => zero.to_owned(),
        Some(size) => format!("−{size}"),
        None => text,
    }
}

/// A number with that many significant digits, not as a power of ten where it can be helped.
pub(crate) fn significant(value: f64, digits: i32) -> String {
    match value.abs() {
        size if size == 0.0 || !size.is_finite() => fixed(value, 0),
        size if !(1e-4..1e7).contains(&size) => format!("{value:.*e}", digits as usize - 1),
        size => {
            let decimals = digits - 1 - size.log10().floor() as i32;
            fixed(value, decimals.max(0) as usize)
        }
    }
}

/// A ratio: `2.8`, `0.86`, `1.03`, `0.0040`.
pub(crate) fn ratio(value: f64) -> String {
    match value {
        value if value > 0.0 && value < 0.0995 => significant(value, 2),
        value if value >= 9.995 => significant(value, 3),
        value if value >= 1.995 => fixed(value, 1),
        value => fixed(value, 2),
    }
}

fn signed(text: String, value: f64) -> String {
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if value > 0.0 && !is_zero {
        format!("+{text}")
    } else {
        text
    }
}

/// One end of an effect, or its mean, in the unit in which it is told.
fn one(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Points => signed(fixed(value, 2), value),
        Unit::Ratio => ratio(value),
        Unit::Plain => signed(significant(value, 3), value),
    }
}

/// A mean and its ends: `+1.10 [+0.70, +1.50]`, `×2.8 [2.2, 3.6]`.
pub(crate) fn told(unit: Unit, difference: Interval) -> String {
    let Interval { mean, low, high } = unit.told(difference);
    let sign = match unit {
        Unit::Ratio if mean.is_finite() => "×",
        _ => "",
    };
    let mean = one(unit, mean);
    if low.is_finite() && high.is_finite() {
        format!("{sign}{mean} [{}, {}]", one(unit, low), one(unit, high))
    } else {
        format!("{sign}{mean}")
    }
}

/// The effect with its plain 95 % interval.
pub(crate) fn effect(effect: &Effect) -> String {
    told(effect.unit, effect.interval)
}

/// The margin: `±0.5 points`, `×1.25`, `±3`.
pub(crate) fn margin(unit: Unit, margin: f64) -> String {
    match unit {
        Unit::Points => format!(
            "±{} points",
            significant(100.0 * margin, 2).trim_end_matches(".0")
        ),
        Unit::Ratio => {
            // At least two decimals, and one digit of its distance from 1, which for 1.001 is a little less than 0.001.
            let beyond = (margin.exp_m1().abs().max(1e-6).log10() + 1e-9).floor();
            format!("×{}", fixed(margin.exp(), (-beyond).max(2.0) as usize))
        }
        Unit::Plain => format!("±{}", significant(margin, 3)),
    }
}

/// A share in percent.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", fixed(100.0 * share, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounds_to_zero_has_no_sign() {
        assert_eq!(fixed(-0.04, 1), "0.0");
        assert_eq!(fixed(-0.06, 1), "−0.1");
        assert_eq!(fixed(f64::NEG_INFINITY, 1), "n/a");
        assert_eq!(one(Unit::Points, 0.001), "0.00");
    }

    #[test]
    fn effects_are_told_in_their_unit() {
        let interval = |mean, low, high| Interval { mean, low, high };
        let points = interval(0.011, -0.0004, 0.0155);
        assert_eq!(told(Unit::Points, points), "+1.10 [−0.04, +1.55]");
        let ratio = interval(2.8_f64.ln(), 0.96_f64.ln(), 36.0_f64.ln());
        assert_eq!(told(Unit::Ratio, ratio), "×2.8 [0.96, 36.0]");
        let small = interval(0.004_f64.ln(), 0.0031_f64.ln(), 0.31_f64.ln());
        assert_eq!(told(Unit::Ratio, small), "×0.0040 [0.0031, 0.31]");
        let plain = interval(12.345, 11.0, 0.0123);
        assert_eq!(told(Unit::Plain, plain), "+12.3 [+11.0, +0.0123]");
        let one = interval(0.5, f64::NAN, f64::NAN);
        assert_eq!(told(Unit::Points, one), "+50.00");
        assert_eq!(
            told(Unit::Ratio, interval(f64::NAN, 0.0, 1.0)),
            "n/a [1.00, 2.7]"
        );
    }

    #[test]
    fn margins_and_times_have_units() {
        assert_eq!(margin(Unit::Points, 0.005), "±0.50 points");
        assert_eq!(margin(Unit::Points, 0.02), "±2 points");
        assert_eq!(margin(Unit::Ratio, 1.25_f64.ln()), "×1.25");
        assert_eq!(margin(Unit::Ratio, 1.1_f64.ln()), "×1.10");
        assert_eq!(margin(Unit::Ratio, 1.004_f64.ln()), "×1.004");
        assert_eq!(margin(Unit::Ratio, 1.001_f64.ln()), "×1.001");
        assert_eq!(margin(Unit::Plain, 3.0), "±3.00");
        assert_eq!(significant(123_456.0, 3), "123456");
        assert_eq!(significant(1e-6, 2), "1.0e-6");
    }
}
