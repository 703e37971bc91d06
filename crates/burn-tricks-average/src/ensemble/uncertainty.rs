//! How good predicted probabilities are, and how much the members of an ensemble disagree.

use burn::tensor::{Bool, Int, Tensor};
use burn_tricks_core::{accumulation_dtype, epsilon};

/// The mean of −ln p of the true classes: one number. NaN for what is [no
/// probability](crate::uncertainty#what-is-no-probability).
///
/// # Shapes
///
/// `probabilities` `[batch, classes]`, `classes` `[batch]`.
///
/// # Panics
///
/// If there is no sample or no class, or the two are of different numbers of samples.
pub fn negative_log_likelihood(probabilities: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    let Checked { p, classes, is_bad } = Checked::new(probabilities, classes);
    let likelihood = of_true_class(p, classes).log().neg().mean();
    likelihood.mask_fill(is_bad, f64::NAN)
}

/// The mean squared distance to the true classes: one number in [0, 2]. NaN for what is [no
/// probability](crate::uncertainty#what-is-no-probability).
///
/// # Shapes
///
/// `probabilities` `[batch, classes]`, `classes` `[batch]`.
///
/// # Panics
///
/// If there is no sample or no class, or the two are of different numbers of samples.
pub fn brier_score(probabilities: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    let Checked { p, classes, is_bad } = Checked::new(probabilities, classes);
    let [samples, columns] = p.dims();
    let column = Tensor::<1, Int>::arange(0..columns as i64, &p.device()).unsqueeze::<2>();
    let column = column.expand([samples, columns]);
    let is_true = column.equal(classes.unsqueeze_dim::<2>(1).expand([samples, columns]));
    // Each difference by itself: in Σ p² − 2 p_y + 1 a good score would be lost to rounding.
    let distance = (p.clone() - 1.0).mask_where(is_true.bool_not(), p);
    let score = distance.square().sum_dim(1).mean();
    score.mask_fill(is_bad, f64::NAN)
}

/// How far confidence and accuracy lie apart: one number in [0, 1]. NaN for what is [no
/// probability](crate::uncertainty#what-is-no-probability).
///
/// # Shapes
///
/// `probabilities` `[batch, classes]`, `classes` `[batch]`.
///
/// # Panics
///
/// If `bins` is 0, if there is no sample or no class, or the two are of different numbers of samples.
pub fn expected_calibration_error(
    probabilities: Tensor<2>,
    classes: Tensor<1, Int>,
    bins: usize,
) -> Tensor<1> {
    assert!(bins > 0, "`bins` must be at least 1, got 0");
    let Checked { p, classes, is_bad } = Checked::new(probabilities, classes);
    let (confidence, choice) = p.max_dim_with_indices(1);
    let confidence = confidence.squeeze_dim::<1>(1);
    let [samples] = confidence.dims();
    let right = choice.squeeze_dim::<1>(1).equal(classes).float();
    let gap = right.cast(confidence.dtype()) - confidence.clone();
    let error = (0..bins)
        .map(|bin| {
            let edge = |bin: usize| bin as f64 / bins as f64;
            let above = confidence.clone().greater_elem(edge(bin));
            let below = confidence.clone().lower_equal_elem(edge(bin + 1));
            let outside = above.bool_and(below).bool_not();
            gap.clone().mask_fill(outside, 0.0).sum().abs()
        })
        .reduce(|sum, bin| sum + bin)
        .expect("there is a bin");
    (error / samples as f64).mask_fill(is_bad, f64::NAN)
}

/// The share of samples that two members classify differently, averaged over all pairs of members: one number
/// in [0, 1]. NaN if a score is NaN, and for a single member, since there is no pair.
///
/// # Shapes
///
/// Each member's scores or probabilities `[batch, classes]`, for the same samples.
///
/// # Panics
///
/// If there is no member, no sample or no class, or if two members have different shapes.
pub fn disagreement(members: &[Tensor<2>]) -> Tensor<1> {
    let first = members.first().expect("`members` must not be empty");
    assert_not_empty(first);
    for (at, member) in members.iter().enumerate() {
        assert_eq!(
            member.dims(),
            first.dims(),
            "member {at} and the first must score the same samples and classes"
        );
    }
    let choices: Vec<_> = (members.iter())
        .map(|scores| scores.clone().argmax(1))
        .collect();
    let is_nan = |scores: &Tensor<2>| scores.clone().is_nan().any();
    let is_bad = (members.iter().map(is_nan))
        .reduce(Tensor::bool_or)
        .expect("there is a member");
    let dtype = accumulation_dtype(first.dtype());
    let mut sum = Tensor::zeros([1], (&first.device(), dtype.into()));
    let mut pairs = 0usize;
    for (at, a) in choices.iter().enumerate() {
        for b in &choices[at + 1..] {
            let differ = a.clone().not_equal(b.clone()).float();
            sum = sum + differ.cast(dtype).mean();
            pairs += 1;
        }
    }
    if pairs == 0 {
        return sum.full_like(f64::NAN); // not 0 / 0, which is no NaN on every backend
    }
    (sum / pairs as f64).mask_fill(is_bad, f64::NAN)
}

/// Probabilities that were checked without waiting for the device.
struct Checked {
    /// In [0, 1], in `f32` at least.
    p: Tensor<2>,
    /// One of the columns for each sample.
    classes: Tensor<1, Int>,
    /// Whether a row was not a distribution, or a class was not one of the columns.
    is_bad: Tensor<1, Bool>,
}

impl Checked {
    fn new(probabilities: Tensor<2>, classes: Tensor<1, Int>) -> Self {
        assert_not_empty(&probabilities);
        let ([samples, columns], [labels]) = (probabilities.dims(), classes.dims());
        assert_eq!(
            samples, labels,
            "`probabilities` and `classes` must be of as many samples"
        );
        // In the type of the device, with whose class numbers they are compared.
        let classes = classes.cast(probabilities.device().settings().int_dtype);
        let tolerance = (8.0 * epsilon(probabilities.dtype())).max(1e-3);
        let wide = accumulation_dtype(probabilities.dtype());
        let p = probabilities.cast(wide);
        // Said as what is right, which no NaN is.
        let sums = p.clone().sum_dim(1);
        let is_whole = (sums - 1.0).abs().lower_equal_elem(tolerance).all();
        let is_positive = p.clone().greater_equal_elem(-tolerance).all();
        let is_column = (classes.clone().greater_equal_elem(0))
            .bool_and(classes.clone().lower_elem(columns as i64))
            .all();
        Self {
            p: p.clamp(0.0, 1.0),
            classes: classes.clamp(0, columns as i64 - 1),
            is_bad: is_whole
                .bool_and(is_positive)
                .bool_and(is_column)
                .bool_not(),
        }
    }
}

fn assert_not_empty(scores: &Tensor<2>) {
    let dims = scores.dims();
    assert!(
        dims.iter().all(|size| *size > 0),
        "there must be a sample and a class, got a shape of {dims:?}"
    );
}

fn of_true_class(probabilities: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    let column = classes.unsqueeze_dim::<2>(1);
    probabilities.gather(1, column).squeeze_dim::<1>(1)
}
