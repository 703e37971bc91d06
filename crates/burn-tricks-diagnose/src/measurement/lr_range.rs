//! The result of a learning-rate range test.

use serde::{Deserialize, Serialize};

/// The weight of the past in the smoothed loss, per point of a hundred points.
const SMOOTHING: f64 = 0.9;

/// Fewer losses suggest nothing.
const FEWEST: usize = 3;

/// The losses of a learning-rate range test, for each seed, and the learning rates that they suggest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LrRange {
    /// One curve per seed.
    pub curves: Vec<LrCurve>,
}

/// The losses of one seed: one step at each rate, in rising order, until the loss diverged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LrCurve {
    /// The seed.
    pub seed: u64,
    /// The learning rates.
    #[serde(with = "crate::float")]
    pub lrs: Vec<f64>,
    /// The loss before the step at each rate.
    #[serde(with = "crate::float")]
    pub losses: Vec<f64>,
}

/// A suggested learning rate: the mean over the seeds, and the range of their suggestions. A seed with fewer than three finite
/// losses is left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LrSuggestion {
    /// The geometric mean over the seeds.
    #[serde(with = "crate::float")]
    pub lr: f64,
    /// The smallest suggestion of a seed.
    #[serde(with = "crate::float")]
    pub lowest: f64,
    /// The largest suggestion of a seed.
    #[serde(with = "crate::float")]
    pub highest: f64,
}

impl LrCurve {
    /// The curve of these losses, each at the rate at the same place. The first loss that is not finite ends it, and so does the
    /// end of the shorter list.
    pub fn new(seed: u64, lrs: Vec<f64>, losses: Vec<f64>) -> Self {
        Self { seed, lrs, losses }
    }

    /// The losses, smoothed by an exponential moving average with bias correction, up to the first that is not finite or has no
    /// rate.
    pub fn smoothed(&self) -> Vec<f64> {
        let (mut mean, mut weight) = (0.0, 1.0);
        let losses = self.losses.iter().take(self.lrs.len());
        (losses.take_while(|loss| loss.is_finite()))
            .map(|loss| {
                mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss;
                weight *= SMOOTHING;
                mean / (1.0 - weight)
            })
            .collect()
    }

    /// The smoothed losses, if they are enough to suggest a rate.
    fn enough(&self) -> Option<Vec<f64>> {
        let losses = self.smoothed();
        (losses.len() >= FEWEST).then_some(losses)
    }

    /// The middle of the longest descent: the longest subsequence of falling smoothed losses, as `valley` of fastai.
    /// `None` of fewer than three finite losses.
    pub fn valley(&self) -> Option<f64> {
        let losses = self.enough()?;
        let mut lengths = vec![1; losses.len()];
        for at in 1..losses.len() {
            let before = (0..at).filter(|before| losses[at] < losses[*before]);
            lengths[at] = 1 + before.map(|before| lengths[before]).max().unwrap_or(0);
        }
        // The first of the longest ones.
        let end = (0..losses.len()).rev().max_by_key(|at| lengths[*at])?;
        let start = (end + 1).saturating_sub(lengths[end]);
        Some(self.lrs[start + (end - start) / 2])
    }

    /// The rate at which the smoothed loss falls most steeply over the logarithm of the rate. `None` of fewer than three finite
    /// losses.
    pub fn steepest(&self) -> Option<f64> {
        let losses = self.enough()?;
        let slope = |at: &usize| {
            (losses[at + 1] - losses[*at]) / (self.lrs[at + 1].ln() - self.lrs[*at].ln())
        };
        let places = 0..losses.len() - 1;
        let at = places.min_by(|a, b| slope(a).total_cmp(&slope(b)))?;
        Some(self.lrs[at])
    }

    /// A tenth of the rate at which the smoothed loss is lowest. `None` of fewer than three finite losses.
    pub fn minimum_tenth(&self) -> Option<f64> {
        let losses = self.enough()?;
        let at = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b]))?;
        Some(self.lrs[at] / 10.0)
    }
}

impl LrRange {
    /// The suggestion of [`LrCurve::valley`], over the seeds.
    pub fn valley(&self) -> Option<LrSuggestion> {
        self.over_seeds(LrCurve::valley)
    }

    /// The suggestion of [`LrCurve::steepest`], over the seeds.
    pub fn steepest(&self) -> Option<LrSuggestion> {
        self.over_seeds(LrCurve::steepest)
    }

    /// The suggestion of [`LrCurve::minimum_tenth`], over the seeds.
    pub fn minimum_tenth(&self) -> Option<LrSuggestion> {
        self.over_seeds(LrCurve::minimum_tenth)
    }

    /// The largest of the three suggestions over the smallest: how far they disagree. 1 if they agree.
    pub fn disagreement(&self) -> Option<f64> {
        let all = [self.valley(), self.steepest(), self.minimum_tenth()];
        let lrs: Option<Vec<f64>> = all.into_iter().map(|of| of.map(|of| of.lr)).collect();
        let lrs = lrs?;
        let highest = lrs.iter().copied().fold(0.0, f64::max);
        Some(highest / lrs.into_iter().fold(f64::INFINITY, f64::min))
    }

    fn over_seeds(&self, suggest: fn(&LrCurve) -> Option<f64>) -> Option<LrSuggestion> {
        let lrs: Vec<f64> = self.curves.iter().filter_map(suggest).collect();
        if lrs.is_empty() {
            return None;
        }
        let logarithm = lrs.iter().map(|lr| lr.ln()).sum::<f64>() / lrs.len() as f64;
        Some(LrSuggestion {
            lr: logarithm.exp(),
            lowest: lrs.iter().copied().fold(f64::INFINITY, f64::min),
            highest: lrs.iter().copied().fold(0.0, f64::max),
        })
    }
}
