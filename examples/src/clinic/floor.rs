//! What a doctor has to reach.

use super::verdict::{Share, Tally};
use std::str::FromStr;

type Measure = fn(&Tally) -> Share;

/// The measures that have floors.
const MEASURES: [(&str, Measure); 7] = [
    ("sensitivity", |tally| tally.sensitivity),
    ("named", |tally| tally.named),
    ("located", |tally| tally.located),
    ("specificity", |tally| tally.specificity),
    ("precision", |tally| tally.precision),
    ("helped", |tally| tally.helped),
    ("cured", |tally| tally.cured),
];

/// The least share of a measure: parsed from `specificity=0.95`, for example.
#[derive(Debug, Clone)]
pub struct Floor {
    measure: &'static str,
    share: Measure,
    least: f64,
}

impl FromStr for Floor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, least) = (text.split_once('='))
            .ok_or_else(|| format!("`{text}` is not of the form MEASURE=SHARE"))?;
        let known = MEASURES.iter().find(|(measure, _)| *measure == name);
        let (measure, share) = known.ok_or_else(|| {
            let names: Vec<&str> = MEASURES.iter().map(|(name, _)| *name).collect();
            format!("`{name}` is none of {}", names.join(", "))
        })?;
        let number = least.parse().ok();
        let least = number
            .filter(|least| (0.0..=1.0).contains(least))
            .ok_or_else(|| format!("`{least}` is no share from 0 to 1"))?;
        Ok(Self {
            measure,
            share: *share,
            least,
        })
    }
}

impl Floor {
    /// Why `tally` does not reach this floor; `None` if it does.
    pub fn missed(&self, tally: &Tally) -> Option<String> {
        let share = (self.share)(tally);
        let Self { measure, least, .. } = self;
        if share.all == 0 {
            return Some(format!("no run tells the {measure}"));
        }
        let reached = share.of as f64 / share.all as f64;
        (reached < *least).then(|| format!("{measure} is {share}, and should be {least} at least"))
    }
}
