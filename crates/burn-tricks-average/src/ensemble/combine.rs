//! How several outputs become one.

use burn::tensor::activation::softmax;
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

/// How the outputs of the members of an [`Ensemble`](crate::Ensemble), or for the views of a sample by
/// [`TestTimeAugmentation`](crate::TestTimeAugmentation), are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Combine {
    /// The mean of the members' softmax probabilities. The result is probabilities.
    MeanProbabilities,
    /// The mean of the members' outputs as they are. The result is logits.
    MeanLogits,
    /// Each member votes for its highest score. The result is the share of votes.
    MajorityVote,
}

impl Combine {
    /// Outputs of shape `[batch, classes]`, each with a positive weight, as one.
    pub(crate) fn outputs(self, mut outputs: impl Iterator<Item = (Tensor<2>, f64)>) -> Tensor<2> {
        match self {
            Self::MeanProbabilities => mean(outputs.map(|(z, weight)| (softmax(z, 1), weight))),
            Self::MeanLogits => mean(outputs),
            Self::MajorityVote => {
                let (first, weight) = outputs.next().expect("one weight is positive");
                let votes = outputs.fold(vote(first) * weight, |sum, (scores, weight)| {
                    sum + vote(scores) * weight
                });
                votes.clone() / votes.sum_dim(1)
            }
        }
    }
}

/// The weighted mean, computed as a running mean: a value on which all members agree is returned unchanged, to
/// the bit. A weighted sum would change it: ten times 0.1 in `f32` is more than 1.
fn mean(outputs: impl Iterator<Item = (Tensor<2>, f64)>) -> Tensor<2> {
    let mut total = 0.0;
    let mean = outputs.fold(None, |mean, (output, weight)| {
        total += weight;
        Some(match mean {
            None => output,
            Some(mean) => towards(mean, output, weight / total),
        })
    });
    mean.expect("one weight is positive")
}

/// `mean + share (output − mean)`, with the gradient of a mean. If one of the two is infinite (a masked class),
/// the result is too.
fn towards(mean: Tensor<2>, output: Tensor<2>, share: f64) -> Tensor<2> {
    let masked = output
        .clone()
        .is_inf()
        .bool_and(mean.clone().equal(output.clone()));
    let way = (output.clone() - mean.clone()).mask_fill(masked, 0.0);
    let moved = if share < 0.5 {
        mean.clone() + way * share
    } else {
        output.clone() - way * (1.0 - share)
    };
    // From an infinity that one of them holds there is no way.
    let summed = mean * (1.0 - share) + output * share;
    moved.clone().mask_where(moved.is_nan(), summed)
}

/// 1 at the highest score of each row, 0 elsewhere; NaN in a row with a NaN, which has no highest score.
fn vote(scores: Tensor<2>) -> Tensor<2> {
    let [batch, classes] = scores.dims();
    let dtype = scores.dtype();
    let device = scores.device();
    let is_bad = scores.clone().is_nan().any_dim(1).expand([batch, classes]);
    let choice = scores.argmax(1).expand([batch, classes]);
    let class = Tensor::<1, Int>::arange(0..classes as i64, &device)
        .unsqueeze::<2>()
        .expand([batch, classes]);
    let votes = class.equal(choice).float().cast(dtype);
    votes.mask_fill(is_bad, f64::NAN)
}
