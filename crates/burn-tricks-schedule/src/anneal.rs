//! The curve from one learning rate to another.

use burn::optim::LearningRate;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// The curve from one learning rate to another, over the time p from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Anneal {
    /// A straight line: at time p, the fraction p of the way.
    Linear,
    /// Half a cosine, flat at both ends: at time p, the fraction (1 − cos πp)/2 of the way.
    Cosine,
}

impl Anneal {
    /// The learning rate at time `p`: `from` exactly up to 0, and `to` exactly from 1 on.
    ///
    /// ```
    /// use burn_tricks_schedule::Anneal;
    ///
    /// assert_eq!(Anneal::Linear.between(0.4, 0.2, 0.5), 0.4 + (0.2 - 0.4) * 0.5);
    /// assert_eq!(Anneal::Cosine.between(0.1, 0.3, 1.0), 0.3);
    /// ```
    pub fn between(self, from: LearningRate, to: LearningRate, p: f64) -> LearningRate {
        if p <= 0.0 {
            return from;
        }
        if p >= 1.0 {
            return to;
        }
        let way = match self {
            Self::Linear => p,
            Self::Cosine => 0.5 * (1.0 - (PI * p).cos()),
        };
        from + (to - from) * way
    }
}
