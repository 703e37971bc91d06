//! How good predicted probabilities are, and how much the members of an ensemble disagree.
//!
//! For probabilities `p[i, c]` of class c for sample i, and the true class `yᵢ`:
//!
//! ```text
//! negative log-likelihood      − mean ln p[i, yᵢ]
//! Brier score                  mean Σ_c (p[i, c] − 1[c = yᵢ])²
//! expected calibration error   Σ_bins |bin| / N · |accuracy of the bin − mean confidence of the bin|
//! disagreement                 share of samples that two members classify differently, mean over pairs
//! ```
//!
//! A sample's confidence is its highest probability; the bins part (0, 1] evenly.
//!
//! # Example
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use burn_tricks_average::{brier_score, expected_calibration_error, negative_log_likelihood};
//!
//! let device = Device::flex();
//! let probabilities = Tensor::<2>::from_floats([[0.9, 0.1], [0.6, 0.4]], &device);
//! let classes = Tensor::from_ints([0, 1], &device);
//! let number = |tensor: Tensor<1>| tensor.into_scalar::<f32>();
//!
//! let nll = number(negative_log_likelihood(probabilities.clone(), classes.clone()));
//! assert!((nll - 0.51082).abs() < 1e-5); // − (ln 0.9 + ln 0.4) / 2
//! let brier = number(brier_score(probabilities.clone(), classes.clone()));
//! assert!((brier - 0.37).abs() < 1e-6); // (0.02 + 0.72) / 2
//! let ece = number(expected_calibration_error(probabilities, classes, 10));
//! assert!((ece - 0.35).abs() < 1e-6); // (|1 − 0.9| + |0 − 0.6|) / 2
//! ```
//!
//! # Where it stands
//!
//! At validation, on the output of [`Combine::MeanProbabilities`](crate::Combine) or on the softmax of
//! logits.
//!
//! # Cost
//!
//! A few passes over `[batch, classes]`, on the device; the results are tensors of one number, read when
//! you read them. Over several batches, weigh by their sizes; the calibration error needs all samples
//! at once.
//!
//! # Differences
//!
//! - A probability of 0 for the true class makes the likelihood infinite; nothing is clipped.
//! - The Brier score is the sum over classes, in [0, 2], as Brier wrote it; scikit-learn's for two
//!   classes is half of it.
//! - A confidence on an edge belongs to the bin below it, as in Guo et al. and torchmetrics.
//!
//! # Suggested values
//!
//! 15 bins (Guo et al.).
//!
//! # References
//!
//! - Brier, *Verification of forecasts expressed in terms of probability*, 1950,
//!   <https://doi.org/10.1175/1520-0493(1950)078%3C0001:VOFEIT%3E2.0.CO;2>
//! - Guo et al., *On calibration of modern neural networks*, 2017, <https://arxiv.org/abs/1706.04599>
//! - Fort, Hu, Lakshminarayanan, *Deep ensembles: a loss landscape perspective*, 2019,
//!   <https://arxiv.org/abs/1912.02757>, for disagreement

use burn::tensor::{Int, Tensor};

/// The mean of −ln p of the true classes: one number.
///
/// # Shapes
///
/// `probabilities` `[batch, classes]`, `classes` `[batch]`.
pub fn negative_log_likelihood(probabilities: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    of_true_class(probabilities, classes).log().neg().mean()
}

/// The mean squared distance to the true classes: one number in [0, 2].
///
/// # Shapes
///
/// `probabilities` `[batch, classes]`, `classes` `[batch]`.
pub fn brier_score(probabilities: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    // Σ_c (p_c − 1[c = y])² = Σ_c p_c² − 2 p_y + 1
    let squares = probabilities
        .clone()
        .square()
        .sum_dim(1)
        .squeeze_dim::<1>(1);
    let p = of_true_class(probabilities, classes);
    (squares - p * 2.0 + 1.0).mean()
}

/// How far confidence and accuracy lie apart: one number in [0, 1].
///
/// # Shapes
///
/// `probabilities` `[batch, classes]`, `classes` `[batch]`.
///
/// # Panics
///
/// If `bins` is 0.
pub fn expected_calibration_error(
    probabilities: Tensor<2>,
    classes: Tensor<1, Int>,
    bins: usize,
) -> Tensor<1> {
    assert!(bins > 0, "`bins` must be at least 1, got 0");
    let (confidence, choice) = probabilities.max_dim_with_indices(1);
    let confidence = confidence.squeeze_dim::<1>(1);
    let [samples] = confidence.dims();
    let right = choice.squeeze_dim::<1>(1).equal(classes).float();
    let gap = right.cast(confidence.dtype()) - confidence.clone();
    (0..bins)
        .map(|bin| {
            let edge = |bin: usize| bin as f64 / bins as f64;
            let above = confidence.clone().greater_elem(edge(bin));
            let below = confidence.clone().lower_equal_elem(edge(bin + 1));
            let outside = above.bool_and(below).bool_not();
            gap.clone().mask_fill(outside, 0.0).sum().abs()
        })
        .reduce(|sum, bin| sum + bin)
        .expect("there is a bin")
        / samples as f64
}

/// The share of samples that two members classify differently, the mean over all pairs: one number in
/// [0, 1]. Of a single member 0.
///
/// # Shapes
///
/// Each member's scores or probabilities `[batch, classes]`, for the same samples.
///
/// # Panics
///
/// If there is no member.
pub fn disagreement(members: &[Tensor<2>]) -> Tensor<1> {
    let choices: Vec<_> = (members.iter())
        .map(|scores| scores.clone().argmax(1))
        .collect();
    let first = members.first().expect("`members` must not be empty");
    let mut sum = Tensor::zeros([1], (&first.device(), first.dtype()));
    let mut pairs = 0usize;
    for (at, a) in choices.iter().enumerate() {
        for b in &choices[at + 1..] {
            let differ = a.clone().not_equal(b.clone()).float();
            sum = sum + differ.cast(first.dtype()).mean();
            pairs += 1;
        }
    }
    sum / pairs.max(1) as f64
}

fn of_true_class(probabilities: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    let column = classes.unsqueeze_dim::<2>(1);
    probabilities.gather(1, column).squeeze_dim::<1>(1)
}
