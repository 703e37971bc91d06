//! What the networks of the clinic are made of.

use burn::module::Initializer;

/// Weights uniform in ±√(6/(inputs + outputs)).
pub const GLOROT: Initializer = Initializer::XavierUniform { gain: 1.0 };

/// Weights uniform in ±√(6/inputs).
pub const HE: Initializer = Initializer::KaimingUniform {
    gain: std::f64::consts::SQRT_2,
    fan_out_only: false,
};

/// Weights from N(0, `std`²).
pub const fn normal(std: f64) -> Initializer {
    Initializer::Normal { mean: 0.0, std }
}

/// A function of each number, or of each row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Act {
    /// max(0, x).
    Relu,
    /// max(0.1 x, x).
    LeakyRelu,
    /// x above 0, exp(x) - 1 below.
    Elu,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// tanh(x).
    Tanh,
    /// exp(x).
    Exp,
    /// Each row becomes probabilities.
    Softmax,
    /// Each row becomes exp(x) / Σ exp(x) as it is written, which overflows where an x is above 88.
    OverflowingSoftmax,
    /// Each column becomes probabilities: over the rows of a batch.
    SoftmaxOverRows,
    /// ln(1 + exp(x)).
    Softplus,
    /// x.
    Identity,
    /// ln(x): not a number below 0.
    Log,
    /// Each row times its own length √Σx², whose gradient at a row of zeros is 0/0.
    TimesLength,
    /// The same with √(Σx² + 1e-12), whose gradient at a row of zeros is 0.
    TimesSafeLength,
    /// x, and no gradient passes: a tensor that was taken out of the graph.
    Detach,
    /// sin(x).
    Sin,
    /// -1, 0 or 1, whose gradient is 0.
    Sign,
    /// Each row becomes probabilities of those of its numbers that are not 0. Of a row of zeros all are masked, and
    /// it becomes 0/0.
    MaskedSoftmax,
}

/// A layer, as it is written down. Signals between layers are `[batch, numbers]`.
#[derive(Debug, Clone)]
pub enum Layer {
    /// Fully connected, a weight for each input and output.
    Dense(Dense),
    /// An activation.
    Act(Act),
    /// Drops this share of the numbers.
    Dropout(f64),
    /// Batch norm of so many features.
    BatchNorm(usize),
    /// Batch norm in whose running statistics a batch has another share than 0.1.
    SlowBatchNorm {
        /// The features.
        width: usize,
        /// The share of a batch.
        momentum: f64,
    },
    /// Layer norm of so many features.
    LayerNorm(usize),
    /// Layer norm of so many features whose scales begin at 0.
    LayerNormFromZero(usize),
    /// 3 × 3 convolution of square images.
    Conv {
        /// Channels in and out.
        channels: [usize; 2],
        /// Pixels of a side.
        side: usize,
        /// Initial weights.
        weight: Initializer,
    },
    /// Batch norm of so many channels of square images, each over the pixels of a batch.
    ImageBatchNorm {
        /// Channels.
        channels: usize,
        /// Pixels of a side.
        side: usize,
    },
    /// The mean over 2 × 2 pixels.
    Pool {
        /// Channels.
        channels: usize,
        /// Pixels of a side, before.
        side: usize,
    },
    /// Convolution over an odd number of neighbours in a series, which keeps its length.
    SeriesConv {
        /// Channels in and out.
        channels: [usize; 2],
        /// How many neighbours.
        kernel: usize,
        /// Initial weights.
        weight: Initializer,
    },
    /// The same over each number of a series and those before it.
    CausalConv {
        /// Channels in and out.
        channels: [usize; 2],
        /// How many numbers.
        kernel: usize,
        /// Initial weights.
        weight: Initializer,
    },
    /// The mean over pairs of neighbours in a series.
    SeriesPool {
        /// Channels.
        channels: usize,
    },
    /// A plain recurrent layer over a sequence of single numbers, whose last state it gives.
    Recurrent {
        /// The length of the state.
        hidden: usize,
        /// The activation of the state.
        act: Act,
        /// The initial weights from state to state.
        recurrent: Initializer,
    },
    /// An LSTM over a sequence of single numbers, whose last state it gives.
    Lstm {
        /// The length of the state.
        hidden: usize,
    },
    /// An LSTM over tokens of `width` numbers, whose last state it gives.
    TokenLstm {
        /// The length of a token.
        width: usize,
        /// The length of the state.
        hidden: usize,
    },
    /// A GRU over a sequence of single numbers, whose last state it gives.
    Gru {
        /// The length of the state.
        hidden: usize,
    },
    /// A GRU that is given batch and time in each other's place: it goes from row to row of a batch, and the last
    /// number of a row is all that it sees of it.
    GruOverRows {
        /// The length of the state.
        hidden: usize,
    },
    /// Vectors for whole numbers below `count`.
    Embedding {
        /// How many numbers there are.
        count: usize,
        /// The length of a vector.
        width: usize,
    },
    /// One block of a transformer over tokens of `width` numbers.
    Transformer {
        /// The length of a token.
        width: usize,
        /// The heads of the attention.
        heads: usize,
    },
    /// Adds sines and cosines of their positions to tokens of so many numbers.
    Positions {
        /// The length of a token.
        width: usize,
    },
    /// The mean over tokens of so many numbers.
    TokenMean {
        /// The length of a token.
        width: usize,
    },
    /// The product of all tokens of so many numbers, number by number.
    TokenProduct {
        /// The length of a token.
        width: usize,
    },
    /// The signal plus what these layers make of it.
    Residual(Vec<Layer>),
}

/// A fully connected layer.
#[derive(Debug, Clone)]
pub struct Dense {
    /// Numbers in.
    pub inputs: usize,
    /// Numbers out.
    pub outputs: usize,
    /// Initial weights.
    pub weight: Initializer,
    /// Initial biases, if it has any.
    pub bias: Option<Initializer>,
    /// Whether Burn stores the weights column by column, which swaps the fans of the initialiser.
    pub columns: bool,
}

/// A fully connected layer with biases at zero.
pub fn dense(inputs: usize, outputs: usize, weight: Initializer) -> Layer {
    Layer::Dense(Dense {
        inputs,
        outputs,
        weight,
        bias: Some(Initializer::Zeros),
        columns: false,
    })
}

/// Fully connected layers of these widths with an activation between each two.
pub fn mlp(widths: &[usize], act: Act, weight: Initializer) -> Vec<Layer> {
    let mut layers = Vec::new();
    for ends in widths.windows(2) {
        layers.push(dense(ends[0], ends[1], weight.clone()));
        layers.push(Layer::Act(act));
    }
    layers.pop();
    layers
}

/// `layers` and an activation behind the last.
pub fn ending_in(mut layers: Vec<Layer>, act: Act) -> Vec<Layer> {
    layers.push(Layer::Act(act));
    layers
}

/// `layers` with `extra` behind each hidden activation.
pub fn behind_each_act(layers: Vec<Layer>, extra: impl Fn() -> Layer) -> Vec<Layer> {
    let with_extra = |layer: Layer| match layer {
        Layer::Act(_) => vec![layer, extra()],
        layer => vec![layer],
    };
    layers.into_iter().flat_map(with_extra).collect()
}

/// `layers` with batch norm before each activation.
pub fn batch_normed(layers: Vec<Layer>) -> Vec<Layer> {
    normed(layers, Layer::BatchNorm)
}

/// `layers` with `norm` of the right width before each activation.
pub fn normed(layers: Vec<Layer>, norm: impl Fn(usize) -> Layer) -> Vec<Layer> {
    let mut width = 0;
    let mut with_norms = Vec::new();
    for layer in layers {
        match &layer {
            Layer::Dense(dense) => width = dense.outputs,
            // Of a convolution the width is not known here.
            Layer::Act(_) if width > 0 => with_norms.push(norm(width)),
            _ => {}
        }
        with_norms.push(layer);
    }
    with_norms
}
