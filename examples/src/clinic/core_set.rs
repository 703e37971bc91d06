//! The core of the clinic: one program for each of the usual kinds of fault, and for each of the usual kinds of network.

use super::case::Case;
use super::cases::cases;

/// A kind of fault, or of a healthy network, and its program.
const CORE: [(&str, &str); 45] = [
    ("too deep", "eight-layers-of-sigmoids"),
    ("initial weights too small", "weights-of-a-millionth"),
    ("initial weights too large", "standard-normal-weights"),
    ("initial weights of zero", "first-layer-of-zeros"),
    ("fans swapped", "swapped-fans"),
    ("saturated tanh", "tanh-at-its-ends"),
    ("dead ReLUs", "relus-born-dead"),
    ("exploding recurrence", "recurrent-relu-explodes"),
    ("unscaled inputs", "three-raw-columns"),
    ("unscaled targets", "targets-of-a-hundred-million"),
    ("constant input column", "a-constant-column-of-ten-thousand"),
    ("learning rate × 100", "rate-times-a-hundred"),
    ("learning rate ÷ 100", "rate-by-a-hundred"),
    ("shuffled labels", "random-labels"),
    ("labels of one class", "labels-scaled-like-pixels"),
    ("target among the inputs", "a-column-that-gives-it-away"),
    (
        "validation of other classes",
        "validation-is-the-tail-of-sorted-data",
    ),
    ("too large for 50 samples", "fifty-samples"),
    ("frozen by mistake", "frozen-by-mistake"),
    (
        "optimizer over the wrong parameters",
        "optimizer-over-the-wrong-parameters",
    ),
    ("gradients never cleared", "gradients-never-cleared"),
    ("NaN in the forward pass", "logarithm-within-the-network"),
    ("NaN in the backward pass", "gradient-of-a-length-of-zero"),
    ("logarithm of zero in the loss", "log-of-zero"),
    ("softmax before the cross-entropy", "softmax-twice"),
    (
        "batch norm of single samples",
        "batch-norm-of-single-samples",
    ),
    ("validation in training mode", "validation-in-training-mode"),
    ("dropout of 0.95", "dropout-of-95-percent"),
    ("loss scale without end", "loss-scale-without-end"),
    ("average never started", "average-that-begins-after-the-end"),
    ("healthy: MLP", "mlp"),
    ("healthy: CNN", "cnn"),
    ("healthy: ResNet", "resnet"),
    ("healthy: LSTM", "lstm"),
    ("healthy: recurrent", "recurrent-tanh"),
    ("healthy: transformer block", "transformer"),
    ("healthy: embedding", "embedding"),
    ("healthy: regression", "regression"),
    ("healthy: noisy regression", "noisy-regression"),
    ("healthy: autoencoder", "autoencoder"),
    ("healthy: softmax regression", "softmax-regression"),
    ("healthy: binary classification", "binary-sigmoid"),
    ("healthy: batch norm", "batch-norm"),
    ("healthy: layer norm", "layer-norm"),
    ("healthy: dropout", "dropout-of-half"),
];

/// The programs of the core with their kinds: 30 faulty ones, and 15 healthy ones.
pub fn core_set() -> impl Iterator<Item = (&'static str, &'static Case)> {
    let case = |name: &str| {
        let found = cases().find(|case| case.name == name);
        found.expect("a test looks up every name")
    };
    CORE.iter().map(move |(kind, name)| (*kind, case(name)))
}
