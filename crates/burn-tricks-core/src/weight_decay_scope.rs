//! Which weights a weight decay or a penalty applies to.

use serde::{Deserialize, Serialize};

/// Which weights a weight decay or a penalty applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WeightDecayScope {
    /// All weights, as in Burn and PyTorch.
    Every,
    /// Weights of two dimensions or more: neither biases nor the gains and offsets of normalisation layers.
    Matrices,
}

impl WeightDecayScope {
    /// Whether it applies to a weight of `rank` dimensions.
    pub fn includes(self, rank: usize) -> bool {
        self == Self::Every || rank >= 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_are_what_has_two_dimensions_or_more() {
        let ranks = |scope: WeightDecayScope| [1, 2, 4].map(|rank| scope.includes(rank));
        assert_eq!(ranks(WeightDecayScope::Every), [true, true, true]);
        assert_eq!(ranks(WeightDecayScope::Matrices), [false, true, true]);
    }
}
