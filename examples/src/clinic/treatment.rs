//! What a prescription comes to in a program of the clinic.

use super::case::Case;
use super::data::{Data, Rows};
use super::edit::edited;
use super::layer::{Act, Dense, Layer, behind_each_act, normed};
use super::program::{Program, Rule};
use burn::tensor::{Device, Tensor};
use burn_tricks::diagnose::{Finding, Prescription, Treatment};
use burn_tricks::nn::ScalerConfig;

/// How a prescription is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarriedOut {
    /// With the configuration that [`Prescription::treatment`] gives.
    Configured,
    /// By other layers, as the prescription says: norms, skip connections, another activation, more or fewer layers or units.
    Rebuilt,
    /// By the change of the program that the text asks for, without a look at its healthy twin.
    Edited,
    /// By a reader, who is taken to do what the text says: this is the healthy twin, so that its training shows nothing of the
    /// prescription.
    ByHand,
}

impl CarriedOut {
    /// All ways, in the order of the variants.
    pub const ALL: [Self; 4] = [Self::Configured, Self::Rebuilt, Self::Edited, Self::ByHand];
}

/// `case`'s program with `prescription` of `finding` carried out, for this seed; `None` if it cannot be.
///
/// Settings and layers are changed in any program alike, and so is what a text asks for, where that is a change that can be
/// written down once for all programs. Any other text is carried out by hand, and only where the finding names a cause.
pub fn treated(
    case: &Case,
    seed: u64,
    finding: &Finding,
    prescription: &Prescription,
) -> Option<(Program, CarriedOut)> {
    let mut program = (case.program)(seed);
    if let Some(treatment) = prescription.treatment() {
        return configured(program, prescription, treatment)
            .map(|program| (program, CarriedOut::Configured));
    }
    let layers = program.layers;
    program.layers = match prescription {
        Prescription::NormLayers => normed(layers, Layer::BatchNorm),
        Prescription::Residual => with_skips(layers),
        Prescription::Activation { name } => bent_by(layers, activation(name)?),
        Prescription::Shallower => shallower(layers),
        Prescription::Smaller => wider(layers, 0.25),
        Prescription::Larger => wider(layers, 8.0),
        Prescription::Change { text } => {
            let program = Program { layers, ..program };
            if let Some(program) = edited(program, finding, text, seed) {
                return Some((program, CarriedOut::Edited));
            }
            let twin = case.twin.filter(|_| case.expect.is_cause(finding.kind));
            return twin.map(|twin| (twin(seed), CarriedOut::ByHand));
        }
        _ => return None,
    };
    Some((program, CarriedOut::Rebuilt))
}

/// `program` with this treatment; `None` if it has no place for it.
fn configured(
    mut program: Program,
    prescription: &Prescription,
    treatment: Treatment,
) -> Option<Program> {
    match treatment {
        Treatment::Scaler(scaler) => {
            let columns: fn(&mut Rows) -> &mut Vec<Vec<f32>> =
                if *prescription == Prescription::ScaleTargets {
                    |rows: &mut Rows| &mut rows.targets
                } else {
                    |rows: &mut Rows| &mut rows.inputs
                };
            scale(&mut program.data, &scaler, columns)?;
        }
        Treatment::InitWeights(init) => program.init = Some(init),
        Treatment::ClipGradNorm(clip) => program.clips = Some(clip.max_norm),
        Treatment::Warmup(warmup) => program.warmup = Some(warmup.steps),
        Treatment::LrFactor(factor) => program.rate *= factor,
        Treatment::BatchSize(size) => program.batch = size,
        Treatment::Momentum(0.0) => program.rule = Rule::Sgd,
        Treatment::Momentum(momentum) => program.rule = Rule::Momentum(momentum),
        Treatment::EpochFactor(factor) => {
            program.epochs = (program.epochs as f64 * factor).round() as usize;
        }
        Treatment::Dropout(dropout) => program.layers = dropping(program.layers, dropout.prob),
        Treatment::WeightDecay(decay) => program.decay = Some(decay as f32),
        Treatment::EarlyStopping(stopping) => program.patience = Some(stopping.patience),
        Treatment::Ema(ema) => program.ema = Some(ema.decay),
        Treatment::Unfreeze(paths) => {
            let is_named = |part: &&str| paths.iter().any(|path| path.contains(*part));
            if program.frozen.is_empty() || !program.frozen.iter().all(is_named) {
                return None;
            }
            program.frozen = &[];
        }
        Treatment::RemoveInputs(features) => {
            let Some(Layer::Dense(first)) = program.layers.first_mut() else {
                return None;
            };
            first.inputs -= features.len();
            for rows in program.data.parts() {
                for row in &mut rows.inputs {
                    let kept = row.iter().enumerate();
                    let kept = kept.filter(|(column, _)| !features.contains(column));
                    *row = kept.map(|(_, value)| *value).collect();
                }
            }
        }
        _ => return None,
    }
    Some(program)
}

/// Scales the inputs or the targets of both parts by what the scaler finds in the training part.
fn scale(
    data: &mut Data,
    scaler: &ScalerConfig,
    columns: fn(&mut Rows) -> &mut Vec<Vec<f32>>,
) -> Option<()> {
    let fitted = scaler
        .fit_samples(columns(&mut data.train), &Device::flex())
        .ok()?;
    for rows in data.parts() {
        for row in columns(rows) {
            let scaled = fitted.forward(
                Tensor::<1>::from_floats(row.as_slice(), &Device::flex()).unsqueeze::<2>(),
            );
            *row = scaled.into_data().iter::<f32>().collect();
        }
    }
    Some(())
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
