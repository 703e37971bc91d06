//! Sound programs at random: data with a rule behind it, a network, a loss and a training as people write them.
//!
//! A [`RandomProgram`] depends on its seed alone. It is sound if it trains as well as the rule behind the data, or as the best
//! of other trainings of the same data: see [`RandomProgram::judge`].

use super::data::{Dice, Task};
use super::layer::{
    Act, GLOROT, HE, Layer, batch_normed, behind_each_act, dense, ending_in, mlp, normed,
};
use super::loss::{
    BINARY_CROSS_ENTROPY, BINARY_CROSS_ENTROPY_OF_SCORES, CROSS_ENTROPY,
    CROSS_ENTROPY_OF_PROBABILITIES, HUBER, Loss, MEAN_ABSOLUTE, MEAN_SQUARED, POISSON,
    SMOOTHED_CROSS_ENTROPY,
};
use super::program::{Program, Rule};
use super::random_data::{Draw, Drawn, Shape, Wanted, constant, drawn};
use super::run::Outcome;
use super::scores::in_columns;

/// How far the score of a sound program may be below that of the reference.
const MARGIN: f64 = 0.02;

/// How far it must be above that of the best constant.
const LEARNED: f64 = 0.05;

/// A training program that was drawn at random, and what is known of it.
#[derive(Debug, Clone)]
pub struct RandomProgram {
    /// The program.
    pub program: Program,
    /// What was drawn.
    pub text: String,
    /// The score of the rule behind the targets, on the validation rows; `None` if no rule is known.
    pub best: Option<f64>,
    shape: Shape,
    outputs: usize,
    last: Option<Act>,
}

/// What a program has reached, and what it should reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The score of the program, on the validation rows.
    pub score: f64,
    /// The score of the rule behind the data or of the best other training, whichever is lower.
    pub reference: f64,
    /// The score of the best constant.
    pub constant: f64,
}

impl Judged {
    /// Whether the score is at most 0.02 below the reference, and at least 0.05 above that of the best constant: where
    /// nothing learns what the rule knows, nothing sound can be said to have been trained.
    pub fn is_sound(self) -> bool {
        self.score >= self.reference - MARGIN && self.score >= self.constant + LEARNED
    }
}

impl RandomProgram {
    /// The program of this seed.
    pub fn new(seed: u64) -> Self {
        let mut draw = Draw {
            dice: Dice::new(seed),
            text: String::new(),
        };
        let Drawn {
            data,
            shape,
            wanted,
            best,
        } = drawn(&mut draw, seed);
        let (loss, outputs, last) = loss(&mut draw, wanted, data.width());
        let inputs = data.width();
        let layers = network(&mut draw, shape, inputs, outputs);
        let mut program = Program::new(data, closed(layers, last), loss);
        train_somehow(&mut draw, &mut program, shape);
        Self {
            program,
            text: draw.text.trim_end_matches(", ").to_owned(),
            best,
            shape,
            outputs,
            last,
        }
    }

    /// The score of a run of the program against the reference. Trains others for that, as many as it takes.
    pub fn judge(&self, outcome: &Outcome, seed: u64) -> Judged {
        let score = self.score(outcome);
        let best = self.best.unwrap_or(f64::INFINITY);
        let mut reference = f64::NEG_INFINITY;
        let constant = self.constant();
        let judged = |reference: f64| Judged {
            score,
            reference: best.min(reference),
            constant,
        };
        if judged(f64::INFINITY).is_sound() {
            return judged(f64::INFINITY);
        }
        for other in self.others() {
            // What a program reaches whose score is not a number is no reference.
            reference = self.score(&other.run(seed, &mut ())).max(reference);
            if !judged(reference).is_sound() {
                break;
            }
        }
        judged(reference)
    }

    /// The accuracy on the validation rows, or the share of the variance in the columns of the targets.
    fn score(&self, outcome: &Outcome) -> f64 {
        let score = outcome.result().valid_score;
        match self.program.data.task {
            Task::Classes(_) => score,
            Task::Numbers => in_columns(score, &self.program.data.valid.targets),
        }
    }

    /// The score of the best constant, on the validation rows.
    pub fn constant(&self) -> f64 {
        constant(&self.program.data.valid, self.program.data.task)
    }

    /// A linear model, a larger network, the same one for longer, and the same one at another rate.
    fn others(&self) -> [Program; 4] {
        let (inputs, outputs) = (self.program.data.width(), self.outputs);
        let epochs = |steps: usize| (32 * steps / self.program.data.train.len()).clamp(8, 120);
        let usual = |layers: Vec<Layer>| Program {
            rate: 2e-3,
            epochs: epochs(2000),
            decay: Some(1e-4),
            patience: Some(10),
            ..Program::new(
                self.program.data.clone(),
                closed(layers, self.last),
                self.program.loss,
            )
        };
        let linear = match self.shape {
            Shape::Tokens(count) => bag_of_tokens(count, 16, outputs),
            _ => vec![dense(inputs, outputs, GLOROT)],
        };
        let larger = match self.shape {
            Shape::Table => mlp(&[inputs, 128, 128, outputs], Act::Relu, HE),
            Shape::Picture(side) => convolutions(side, [16, 16], None, outputs),
            Shape::Series => vec![Layer::Gru { hidden: 32 }, dense(32, outputs, GLOROT)],
            Shape::Tokens(count) => embedded_and_mixed(count, inputs, outputs),
            Shape::Set(width) => attention_over_points(inputs, width, outputs),
        };
        let longer = Program {
            epochs: 2 * self.program.epochs,
            patience: Some(10),
            ..self.program.clone()
        };
        let tuned = Program {
            rule: Rule::Adam,
            rate: 2e-3,
            ..longer.clone()
        };
        [usual(linear), usual(larger), longer, tuned]
    }
}

/// The layers, and what stands behind the last.
fn closed(layers: Vec<Layer>, last: Option<Act>) -> Vec<Layer> {
    match last {
        Some(act) => ending_in(layers, act),
        None => layers,
    }
}

/// A loss for these targets, the outputs that it needs, and their activation.
fn loss(draw: &mut Draw, wanted: Wanted, inputs: usize) -> (Loss, usize, Option<Act>) {
    let (name, loss, outputs, last) = match (wanted, draw.dice.below(6)) {
        (Wanted::Classes(2), 0) => ("binary", BINARY_CROSS_ENTROPY_OF_SCORES, 1, None),
        (Wanted::Classes(2), 1) => ("sigmoid", BINARY_CROSS_ENTROPY, 1, Some(Act::Sigmoid)),
        (Wanted::Classes(count), 2) => (
            "softmax",
            CROSS_ENTROPY_OF_PROBABILITIES,
            count,
            Some(Act::Softmax),
        ),
        (Wanted::Classes(count), 3) => ("smoothed", SMOOTHED_CROSS_ENTROPY, count, None),
        (Wanted::Classes(count), _) => ("cross-entropy", CROSS_ENTROPY, count, None),
        (Wanted::Numbers(count), 0) => ("absolute", MEAN_ABSOLUTE, count, None),
        (Wanted::Numbers(count), 1) => ("Huber", HUBER, count, None),
        (Wanted::Numbers(count), _) => ("squares", MEAN_SQUARED, count, None),
        (Wanted::Counts, _) => ("Poisson", POISSON, 1, Some(Act::Softplus)),
        (Wanted::Inputs, _) => ("squares", MEAN_SQUARED, inputs, None),
    };
    draw.note("loss", name);
    (loss, outputs, last)
}

fn network(draw: &mut Draw, shape: Shape, inputs: usize, outputs: usize) -> Vec<Layer> {
    let is_plain = draw.once_in(4);
    match shape {
        Shape::Picture(side) if !is_plain => {
            let channels = draw.pick("channels", &[[4, 8], [8, 8], [8, 16], [16, 16]]);
            let share = draw.pick("dropout", &[None, None, Some(0.25)]);
            convolutions(side, channels, share, outputs)
        }
        Shape::Series if !is_plain => series(draw, inputs, outputs),
        Shape::Tokens(count) => match draw.pick("tokens to", &["mean", "all", "lstm"]) {
            "mean" => bag_of_tokens(count, draw.pick("width", &[8, 16]), outputs),
            "all" => embedded_and_mixed(count, inputs, outputs),
            _ => vec![
                Layer::Embedding { count, width: 8 },
                Layer::TokenLstm {
                    width: 8,
                    hidden: 24,
                },
                dense(24, outputs, GLOROT),
            ],
        },
        Shape::Set(width) if !is_plain => attention_over_points(inputs, width, outputs),
        _ => perceptron(draw, inputs, outputs),
    }
}

fn bag_of_tokens(count: usize, width: usize, outputs: usize) -> Vec<Layer> {
    vec![
        Layer::Embedding { count, width },
        Layer::TokenMean { width },
        dense(width, outputs, GLOROT),
    ]
}

fn embedded_and_mixed(count: usize, inputs: usize, outputs: usize) -> Vec<Layer> {
    let mut layers = vec![Layer::Embedding { count, width: 8 }];
    layers.extend(mlp(&[8 * inputs, 48, outputs], Act::Relu, HE));
    layers
}

fn attention_over_points(inputs: usize, width: usize, outputs: usize) -> Vec<Layer> {
    vec![
        Layer::Transformer { width, heads: 2 },
        Layer::LayerNorm(inputs),
        dense(inputs, 32, HE),
        Layer::Act(Act::Relu),
        dense(32, outputs, GLOROT),
    ]
}

fn convolutions(
    side: usize,
    [one, two]: [usize; 2],
    dropout: Option<f64>,
    outputs: usize,
) -> Vec<Layer> {
    let half = side / 2;
    let conv = |channels, side| Layer::Conv {
        channels,
        side,
        weight: HE,
    };
    let mut layers = vec![
        conv([1, one], side),
        Layer::Act(Act::Relu),
        Layer::Pool {
            channels: one,
            side,
        },
        conv([one, two], half),
        Layer::Act(Act::Relu),
    ];
    layers.extend(dropout.map(Layer::Dropout));
    layers.push(dense(half * half * two, outputs, GLOROT));
    layers
}

fn series(draw: &mut Draw, inputs: usize, outputs: usize) -> Vec<Layer> {
    let hidden = draw.pick("width", &[8, 16, 24]);
    let conv = |channels| Layer::SeriesConv {
        channels,
        kernel: 3,
        weight: HE,
    };
    match draw.pick("network", &["lstm", "gru", "convolutions", "transformer"]) {
        "lstm" => vec![Layer::Lstm { hidden }, dense(hidden, outputs, GLOROT)],
        "gru" => vec![Layer::Gru { hidden }, dense(hidden, outputs, GLOROT)],
        "convolutions" => vec![
            conv([1, hidden]),
            Layer::Act(Act::Relu),
            conv([hidden, hidden]),
            Layer::Act(Act::Relu),
            dense(hidden * inputs, outputs, GLOROT),
        ],
        _ => vec![
            dense(inputs, 64, GLOROT),
            Layer::Positions { width: 16 },
            Layer::Transformer {
                width: 16,
                heads: 2,
            },
            Layer::LayerNorm(64),
            dense(64, outputs, GLOROT),
        ],
    }
}

fn perceptron(draw: &mut Draw, inputs: usize, outputs: usize) -> Vec<Layer> {
    use Act::{Elu, LeakyRelu, Relu, Sigmoid, Softplus, Tanh};
    let act = draw.pick(
        "activation",
        &[
            Relu, Relu, Relu, LeakyRelu, Elu, Tanh, Tanh, Softplus, Sigmoid,
        ],
    );
    let weight = match act {
        Tanh | Sigmoid => GLOROT,
        _ => HE,
    };
    let most = if act == Sigmoid { 2 } else { 4 };
    let depth = if draw.once_in(12) {
        0
    } else {
        1 + draw.dice.below(most)
    };
    let width = draw.pick("width", &[16, 32, 48, 64, 96]);
    let narrow = |i: usize, draw: &mut Draw| {
        if draw.once_in(3) {
            (width >> i).max(12)
        } else {
            width
        }
    };
    let mut widths = vec![inputs];
    widths.extend((0..depth).map(|i| narrow(i, draw)));
    draw.note("widths", &widths);
    let before_last = widths[depth];
    widths.push(outputs);
    let mut layers = mlp(&widths, act, weight.clone());
    match draw.pick(
        "with",
        &["", "", "", "batch norm", "layer norm", "dropout", "skip"],
    ) {
        "batch norm" => batch_normed(layers),
        "layer norm" => normed(layers, Layer::LayerNorm),
        "dropout" => {
            let share = f64::from(draw.scale("share", 0.05, 0.35));
            behind_each_act(layers, || Layer::Dropout(share))
        }
        "skip" if depth > 0 => {
            let skip = mlp(&[before_last; 3], act, weight);
            layers.insert(layers.len() - 1, Layer::Residual(skip));
            layers
        }
        _ => layers,
    }
}

fn train_somehow(draw: &mut Draw, program: &mut Program, shape: Shape) {
    let (rule, low, high) = match draw.dice.below(10) {
        0..=3 => (Rule::Adam, 5e-4, 1e-2),
        4 | 5 => (Rule::AdamW, 5e-4, 1e-2),
        6 => (Rule::RmsProp, 3e-4, 4e-3),
        7 | 8 => (Rule::Momentum(0.9), 3e-3, 5e-2),
        _ => (Rule::Sgd, 2e-2, 3e-1),
    };
    draw.note("by", rule);
    program.rule = rule;
    program.rate = draw.scale("rate", low, high).into();
    program.batch = draw.pick("batch", &[8, 16, 32, 32, 64, 128]);
    let steps = draw.scale("steps", 300.0, 2500.0);
    let per_epoch = program.data.train.len().div_ceil(program.batch);
    program.epochs = ((steps / per_epoch as f32).round() as usize).clamp(1, 80);
    draw.note("epochs", program.epochs);
    let steps = program.epochs * per_epoch;
    if rule == Rule::AdamW {
        program.decay = Some(draw.scale("decay", 1e-3, 0.1));
    } else if draw.once_in(3) {
        program.decay = Some(draw.scale("decay", 1e-6, 1e-3));
    }
    if draw.once_in(6) {
        program.clips = Some(draw.pick("clips", &[1.0, 5.0]));
    }
    if draw.once_in(6) {
        program.warmup = Some(draw.pick("warmup", &[20, 50, 100]));
    }
    if draw.once_in(4) {
        program.patience = Some(draw.pick("patience", &[3, 5, 8]));
    }
    match draw.pick("schedule", &["", "", "", "", "inverse", "step", "cosine"]) {
        "inverse" => program.schedule = Some(|step| 1.0 / (1.0 + step as f64 / 500.0)),
        "step" => program.schedule = Some(|step| 0.3_f64.powi((step / 400) as i32)),
        "cosine" => {
            program.schedule = Some(|step| {
                let share = (step as f64 / 1000.0).min(1.0);
                0.05 + 0.475 * (1.0 + (std::f64::consts::PI * share).cos())
            });
        }
        _ => {}
    }
    if steps > 600 && program.patience.is_none() {
        match draw.pick("average", &["", "", "", "", "moving", "of the last"]) {
            "moving" => program.ema = Some(0.98),
            "of the last" => program.averages_after = Some(steps * 3 / 4),
            _ => {}
        }
    }
    let is_continuous = matches!(shape, Shape::Picture(_) | Shape::Set(_) | Shape::Table);
    if is_continuous && draw.once_in(12) {
        draw.text += "noise on inputs, ";
        program.augments = Some(|row, dice| row.iter_mut().for_each(|x| *x += 0.1 * dice.normal()));
    }
}
