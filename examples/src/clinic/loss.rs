//! The losses of the clinic's programs, right and wrong ones.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Int, Tensor};
use burn_tricks::diagnose::LossKind;

/// A loss.
#[derive(Debug, Clone, Copy)]
pub struct Loss {
    /// From outputs and targets, `[batch, numbers]`, to one number.
    pub compute: fn(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1>,
    /// What a doctor is told that it is.
    pub kind: LossKind,
}

/// Cross-entropy of scores, softmax included.
pub const CROSS_ENTROPY: Loss = Loss {
    compute: cross_entropy,
    kind: LossKind::CrossEntropyOfScores,
};

/// The same, but for a softmax that the network has applied already: it is applied twice.
pub const CROSS_ENTROPY_OF_SOFTMAX: Loss = Loss {
    compute: cross_entropy_of_softmax,
    kind: LossKind::CrossEntropyOfScores,
};

/// Cross-entropy written down as in a textbook: log(0) is −∞, and 0·(−∞) is not a number.
pub const TEXTBOOK_CROSS_ENTROPY: Loss = Loss {
    compute: textbook_cross_entropy,
    kind: LossKind::CrossEntropyOfScores,
};

/// Keras's cross-entropy of probabilities: divides by their sum, and keeps them in [1e-7, 1 - 1e-7].
pub const CROSS_ENTROPY_OF_PROBABILITIES: Loss = Loss {
    compute: cross_entropy_of_probabilities,
    kind: LossKind::CrossEntropyOfProbabilities,
};

/// Binary cross-entropy of probabilities in [1e-7, 1 - 1e-7].
pub const BINARY_CROSS_ENTROPY: Loss = Loss {
    compute: binary_cross_entropy,
    kind: LossKind::BinaryCrossEntropyOfProbabilities,
};

/// Cross-entropy of scores, added over the rows of a batch.
pub const SUMMED_CROSS_ENTROPY: Loss = Loss {
    compute: summed_cross_entropy,
    kind: LossKind::CrossEntropyOfScores,
};

/// Binary cross-entropy of scores, sigmoid included.
pub const BINARY_CROSS_ENTROPY_OF_SCORES: Loss = Loss {
    compute: binary_cross_entropy_of_scores,
    kind: LossKind::BinaryCrossEntropyOfScores,
};

/// The mean of squared differences, with a minus before it.
pub const NEGATED_MEAN_SQUARED: Loss = Loss {
    compute: negated_mean_squared,
    kind: LossKind::MeanSquaredError,
};

/// The mean of squared differences.
pub const MEAN_SQUARED: Loss = Loss {
    compute: mean_squared,
    kind: LossKind::MeanSquaredError,
};

/// The mean of differences without their signs.
pub const MEAN_ABSOLUTE: Loss = Loss {
    compute: mean_absolute,
    kind: LossKind::OtherRegression,
};

/// The mean of squared differences between ten outputs and rows that are 1 at the class.
pub const MEAN_SQUARED_OF_CLASSES: Loss = Loss {
    compute: mean_squared_of_classes,
    kind: LossKind::MeanSquaredError,
};

/// The sum of squared differences over the rows and the columns.
pub const SUMMED_SQUARES: Loss = Loss {
    compute: summed_squares,
    kind: LossKind::MeanSquaredError,
};

/// The mean of squared differences between a column of outputs and a row of targets: all pairs of them.
pub const CROSSED_SQUARES: Loss = Loss {
    compute: crossed_squares,
    kind: LossKind::MeanSquaredError,
};

/// Half of the mean of squared differences.
pub const HALVED_SQUARES: Loss = Loss {
    compute: halved_squares,
    kind: LossKind::MeanSquaredError,
};

/// Cross-entropy of probabilities in [1e-7, 1], which are taken to add up to 1.
pub const LIKELIHOOD_OF_PROBABILITIES: Loss = Loss {
    compute: likelihood_of_probabilities,
    kind: LossKind::CrossEntropyOfProbabilities,
};

/// The mean negative score of the right class: log-probabilities are expected, and nobody sees that they are none.
pub const NEGATIVE_SCORES: Loss = Loss {
    compute: negative_likelihood,
    kind: LossKind::CrossEntropyOfScores,
};

/// Cross-entropy of scores in which a row of class 1 weighs as much as four others.
pub const CROSS_ENTROPY_MORE_OF_ONE: Loss = Loss {
    compute: cross_entropy_more_of_one,
    kind: LossKind::CrossEntropyOfScores,
};

/// Cross-entropy of scores in which each row weighs as many as there are rows of other classes in a set of a
/// thousand, of three classes: some hundreds, and the weights are not divided out.
pub const CROSS_ENTROPY_BY_COUNTS: Loss = Loss {
    compute: cross_entropy_by_counts,
    kind: LossKind::CrossEntropyOfScores,
};

/// The mean negative probability of the right class: its logarithm is forgotten.
pub const MEAN_PROBABILITY: Loss = Loss {
    compute: negative_likelihood,
    kind: LossKind::CrossEntropyOfProbabilities,
};

/// Binary cross-entropy of probabilities as it is written: infinite, or no number, where one is 0 or 1.
pub const UNBOUNDED_BINARY_CROSS_ENTROPY: Loss = Loss {
    compute: unbounded_binary_cross_entropy,
    kind: LossKind::BinaryCrossEntropyOfProbabilities,
};

/// The mean of differences without their signs, as shares of the targets: infinite, or no number, where one is 0.
pub const MEAN_SHARE: Loss = Loss {
    compute: mean_share,
    kind: LossKind::OtherRegression,
};

/// The negative log-likelihood of counts, of the outputs' exponentials as their expectations.
pub const POISSON_OF_LOGARITHMS: Loss = Loss {
    compute: poisson_of_logarithms,
    kind: LossKind::OtherRegression,
};

/// The negative log-likelihood of counts, of the outputs as their expectations.
pub const POISSON: Loss = Loss {
    compute: poisson,
    kind: LossKind::OtherRegression,
};

/// The mean of squared differences between ln(1 + x) of outputs and targets.
pub const SQUARED_LOGARITHMS: Loss = Loss {
    compute: squared_logarithms,
    kind: LossKind::OtherRegression,
};

/// Cross-entropy of scores against a probability of 0.9 for the class and 0.1 for the others together.
pub const SMOOTHED_CROSS_ENTROPY: Loss = Loss {
    compute: smoothed_cross_entropy,
    kind: LossKind::CrossEntropyOfScores,
};

/// The same with 0.9 and 0.1 in each other's place.
pub const OVERSMOOTHED_CROSS_ENTROPY: Loss = Loss {
    compute: oversmoothed_cross_entropy,
    kind: LossKind::CrossEntropyOfScores,
};

/// Binary cross-entropy of scores, added up over a batch and divided by the number of its positive rows: 0 in some.
pub const CROSS_ENTROPY_BY_POSITIVES: Loss = Loss {
    compute: cross_entropy_by_positives,
    kind: LossKind::BinaryCrossEntropyOfScores,
};

/// Cross-entropy of scores, of the first row of a batch.
pub const CROSS_ENTROPY_OF_THE_FIRST: Loss = Loss {
    compute: cross_entropy_of_the_first,
    kind: LossKind::CrossEntropyOfScores,
};

/// The mean of ln(cosh(x)) of differences, as it is written: cosh overflows above 89.
pub const LOGARITHM_OF_COSH: Loss = Loss {
    compute: logarithm_of_cosh,
    kind: LossKind::OtherRegression,
};

/// The mean of squared differences of the first target, and a two-thousandth of that of the others.
pub const SQUARES_OF_THE_FIRST: Loss = Loss {
    compute: squares_of_the_first,
    kind: LossKind::OtherRegression,
};

/// The mean of half of squared differences below 1, and of differences less one half above.
pub const HUBER: Loss = Loss {
    compute: huber,
    kind: LossKind::OtherRegression,
};

/// Columns of class numbers, `[batch, 1]`, as rows that are 1 at the class and 0 elsewhere.
fn one_hot(classes: Tensor<2>, count: usize) -> Tensor<2> {
    let [batch, _] = classes.dims();
    let numbers: Tensor<1, Int> = classes.int().reshape([batch]);
    numbers.one_hot::<2>(count).float()
}

/// The mean negative of Σ y·log p, of log p for each class.
fn negative_likelihood(log_probabilities: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    let [_, count] = log_probabilities.dims();
    let right = one_hot(classes, count) * log_probabilities;
    -right.sum_dim(1).mean()
}

fn cross_entropy(scores: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    negative_likelihood(log_softmax(scores, 1), classes)
}

fn cross_entropy_of_softmax(probabilities: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    cross_entropy(probabilities, classes)
}

fn textbook_cross_entropy(scores: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    negative_likelihood(softmax(scores, 1).log(), classes)
}

fn cross_entropy_of_probabilities(outputs: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    let sum = outputs.clone().sum_dim(1);
    negative_likelihood((outputs / sum).clamp(1e-7, 1.0 - 1e-7).log(), classes)
}

fn binary_cross_entropy(probabilities: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    let yes = probabilities.clamp(1e-7, 1.0 - 1e-7);
    let no = yes.clone().neg() + 1.0;
    -(classes.clone() * yes.log() + (classes.neg() + 1.0) * no.log()).mean()
}

fn summed_cross_entropy(scores: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    let rows = scores.dims()[0] as f64;
    cross_entropy(scores, classes) * rows
}

/// max(s, 0) - s·y + ln(1 + exp(-|s|)), which does not overflow.
fn binary_cross_entropy_of_scores(scores: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    let rest = scores.clone().abs().neg().exp().log1p();
    (scores.clone().clamp_min(0.0) - scores * classes + rest).mean()
}

fn negated_mean_squared(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    mean_squared(outputs, targets).neg()
}

fn mean_squared(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    (outputs - targets).square().mean()
}

fn mean_absolute(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    (outputs - targets).abs().mean()
}

fn huber(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let difference = (outputs - targets).abs();
    let small = difference.clone().clamp_max(1.0);
    (small.clone().square() * 0.5 + difference - small).mean()
}

fn mean_squared_of_classes(outputs: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    let [_, count] = outputs.dims();
    mean_squared(outputs, one_hot(classes, count))
}

fn summed_squares(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    (outputs - targets).square().sum()
}

fn crossed_squares(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    mean_squared(outputs, targets.transpose())
}

fn halved_squares(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    mean_squared(outputs, targets) * 0.5
}

fn cross_entropy_more_of_one(scores: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    let [_, count] = scores.dims();
    let weights = classes.clone().equal_elem(1.0).float() * 3.0 + 1.0;
    let losses = -(one_hot(classes, count) * log_softmax(scores, 1)).sum_dim(1);
    (losses * weights.clone()).sum() / weights.sum()
}

fn poisson_of_logarithms(outputs: Tensor<2>, counts: Tensor<2>) -> Tensor<1> {
    (outputs.clone().exp() - counts * outputs).mean()
}

fn poisson(outputs: Tensor<2>, counts: Tensor<2>) -> Tensor<1> {
    (outputs.clone() - counts * outputs.clamp_min(1e-8).log()).mean()
}

fn squared_logarithms(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    mean_squared(outputs.log1p(), targets.log1p())
}

fn likelihood_of_probabilities(outputs: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    negative_likelihood(outputs.clamp(1e-7, 1.0).log(), classes)
}

fn cross_entropy_by_counts(scores: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    let [_, count] = scores.dims();
    let of = |class: f64, weight: f64| classes.clone().equal_elem(class).float() * weight;
    let weights = of(0.0, 700.0) + of(1.0, 600.0) + of(2.0, 700.0);
    let losses = -(one_hot(classes.clone(), count) * log_softmax(scores, 1)).sum_dim(1);
    (losses * weights).mean()
}

fn unbounded_binary_cross_entropy(probabilities: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    let no = probabilities.clone().neg() + 1.0;
    -(classes.clone() * probabilities.log() + (classes.neg() + 1.0) * no.log()).mean()
}

/// Cross-entropy of scores with `others` as the probability of all classes but the right one.
fn spread_cross_entropy(scores: Tensor<2>, classes: Tensor<2>, others: f64) -> Tensor<1> {
    let [_, count] = scores.dims();
    let each = others / (count - 1) as f64;
    let wanted = one_hot(classes, count) * (1.0 - others - each) + each;
    -(wanted * log_softmax(scores, 1)).sum_dim(1).mean()
}

fn smoothed_cross_entropy(scores: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    spread_cross_entropy(scores, classes, 0.1)
}

fn oversmoothed_cross_entropy(scores: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    spread_cross_entropy(scores, classes, 0.9)
}

fn cross_entropy_by_positives(scores: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    let [rows, _] = scores.dims();
    let positives = classes.clone().sum();
    binary_cross_entropy_of_scores(scores, classes) * rows as f64 / positives
}

fn cross_entropy_of_the_first(scores: Tensor<2>, classes: Tensor<2>) -> Tensor<1> {
    cross_entropy(scores.narrow(0, 0, 1), classes.narrow(0, 0, 1))
}

fn logarithm_of_cosh(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let difference = outputs - targets;
    let cosh = (difference.clone().exp() + difference.neg().exp()) / 2.0;
    cosh.log().mean()
}

fn squares_of_the_first(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [_, columns] = outputs.dims();
    let squares = (outputs - targets).square();
    let first = squares.clone().narrow(1, 0, 1).mean();
    first + squares.narrow(1, 1, columns - 1).mean() / 2000.0
}

fn mean_share(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    ((outputs - targets.clone()) / targets).abs().mean()
}
