//! What a prescription comes to in a program of the clinic.

use super::case::Case;
use super::layer::{Act, Dense, GLOROT, HE, Layer, behind_each_act, normed};
use super::program::{Program, Rule};
use burn::module::Initializer;
use burn_tricks::diagnose::{Finding, Prescription};

/// `case`'s program with `prescription` of `finding` carried out, for this seed; `None` if it cannot be.
///
/// Settings and layers are changed in any program alike. Where the prescription is a text, a reader is taken
/// to do what it says, and gets the program without the fault, if the finding names a cause.
pub fn treated(
    case: &Case,
    seed: u64,
    finding: &Finding,
    prescription: &Prescription,
) -> Option<Program> {
    let mut program = (case.program)(seed);
    match prescription {
        Prescription::ScaleInputs => program.data = program.data.standard_inputs(),
        Prescription::ScaleTargets => program.data = program.data.standard_targets(),
        Prescription::InitWeights => program.layers = drawn_anew(program.layers),
        Prescription::ScaleLr { factor } => program.rate *= factor,
        Prescription::ClipGradNorm { max_norm } => program.clips = Some(*max_norm),
        Prescription::Warmup { steps } => program.warmup = Some(*steps),
        Prescription::BatchSize { size } => program.batch = *size,
        Prescription::Momentum { momentum } if *momentum == 0.0 => program.rule = Rule::Sgd,
        Prescription::Momentum { momentum } => program.rule = Rule::Momentum(*momentum),
        Prescription::TrainLonger { factor } => {
            program.epochs = (program.epochs as f64 * factor).round() as usize;
        }
        Prescription::NormLayers => program.layers = normed(program.layers, Layer::BatchNorm),
        Prescription::Residual => program.layers = with_skips(program.layers),
        Prescription::Activation { name } => {
            program.layers = bent_by(program.layers, activation(name)?)
        }
        Prescription::Shallower => program.layers = shallower(program.layers),
        Prescription::Smaller => program.layers = wider(program.layers, 0.25),
        Prescription::Larger => program.layers = wider(program.layers, 8.0),
        Prescription::Dropout { prob } => program.layers = dropping(program.layers, *prob),
        Prescription::WeightDecay { decay } => program.decay = Some(*decay as f32),
        Prescription::EarlyStopping { patience } => program.patience = Some(*patience),
        Prescription::Change { .. } if case.expect.is_cause(finding.kind) => {
            return case.twin.map(|twin| twin(seed));
        }
        _ => return None,
    }
    Some(program)
}

fn activation(name: &str) -> Option<Act> {
    Some(
        match name.to_lowercase().replace([' ', '_', '-'], "").as_str() {
            "relu" => Act::Relu,
            "leakyrelu" => Act::LeakyRelu,
            "elu" => Act::Elu,
            "tanh" => Act::Tanh,
            "sigmoid" => Act::Sigmoid,
            _ => return None,
        },
    )
}

/// The weights for what follows them: He's before a ReLU, Glorot's elsewhere, and no bias at first.
fn drawn_anew(layers: Vec<Layer>) -> Vec<Layer> {
    let next: Vec<Option<Act>> = (1..=layers.len())
        .map(|i| match layers.get(i) {
            Some(Layer::Act(act)) => Some(*act),
            _ => None,
        })
        .collect();
    let draw = |(mut layer, next): (Layer, Option<Act>)| {
        let fitting = match next {
            Some(Act::Relu | Act::LeakyRelu | Act::Elu) => HE,
            _ => GLOROT,
        };
        match &mut layer {
            Layer::Dense(dense) => {
                dense.weight = fitting;
                dense.bias = Some(Initializer::Zeros);
                dense.columns = false;
            }
            Layer::Conv { weight, .. } => *weight = fitting,
            Layer::Recurrent { recurrent, .. } => {
                *recurrent = Initializer::Orthogonal { gain: 1.0 };
            }
            _ => {}
        }
        layer
    };
    layers.into_iter().zip(next).map(draw).collect()
}

/// Each dense layer of equal width at both ends, with its activation, in a skip connection.
fn with_skips(layers: Vec<Layer>) -> Vec<Layer> {
    let mut skipping = Vec::new();
    let mut layers = layers.into_iter().peekable();
    while let Some(layer) = layers.next() {
        let is_square = matches!(&layer, Layer::Dense(dense) if dense.inputs == dense.outputs);
        let act = layers.next_if(|next| is_square && matches!(next, Layer::Act(_)));
        match act {
            Some(act) => skipping.push(Layer::Residual(vec![layer, act])),
            None => skipping.push(layer),
        }
    }
    skipping
}

/// With this activation between the layers; what is behind the last stays.
fn bent_by(layers: Vec<Layer>, new: Act) -> Vec<Layer> {
    let last = last_dense(&layers);
    let change = |(i, layer)| match layer {
        Layer::Act(_) if i < last => Layer::Act(new),
        Layer::Recurrent {
            hidden, recurrent, ..
        } => Layer::Recurrent {
            hidden,
            act: new,
            recurrent,
        },
        layer => layer,
    };
    layers.into_iter().enumerate().map(change).collect()
}

fn last_dense(layers: &[Layer]) -> usize {
    let is_dense = |layer: &Layer| matches!(layer, Layer::Dense(_));
    layers.iter().rposition(is_dense).unwrap_or(layers.len())
}

/// The first hidden layer, the second, and the last layer; hidden ones have 32 units at least.
fn shallower(layers: Vec<Layer>) -> Vec<Layer> {
    let last = last_dense(&layers);
    let is_dense = |layer: &Layer| matches!(layer, Layer::Dense(_));
    let hidden: Vec<usize> = (0..last).filter(|i| is_dense(&layers[*i])).collect();
    let Some(third) = hidden.get(2) else {
        return wider(layers, 4.0);
    };
    let kept = layers[..*third].iter().chain(&layers[last..]);
    with_hidden(kept.cloned().collect(), |width| width.max(32))
}

/// Hidden layers of so many times the units, one at least.
fn wider(layers: Vec<Layer>, factor: f64) -> Vec<Layer> {
    with_hidden(layers, |width| {
        ((width as f64 * factor).round() as usize).max(1)
    })
}

fn with_hidden(mut layers: Vec<Layer>, change: impl Fn(usize) -> usize) -> Vec<Layer> {
    let last = last_dense(&layers);
    let mut width = None;
    for (i, layer) in layers.iter_mut().enumerate() {
        match layer {
            Layer::Dense(Dense {
                inputs, outputs, ..
            }) => {
                *inputs = width.unwrap_or(*inputs);
                if i < last {
                    *outputs = change(*outputs);
                }
                width = Some(*outputs);
            }
            Layer::BatchNorm(features) | Layer::LayerNorm(features) => {
                *features = width.unwrap_or(*features);
            }
            _ => {}
        }
    }
    layers
}

/// Dropout of this share where there is some, or else behind each hidden activation.
fn dropping(layers: Vec<Layer>, share: f64) -> Vec<Layer> {
    if !layers
        .iter()
        .any(|layer| matches!(layer, Layer::Dropout(_)))
    {
        return behind_each_act(layers, || Layer::Dropout(share));
    }
    let change = |layer| match layer {
        Layer::Dropout(_) => Layer::Dropout(share),
        layer => layer,
    };
    layers.into_iter().map(change).collect()
}
