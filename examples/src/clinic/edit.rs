//! What a prescription in words asks for, as a change of a program.

use super::data::{Data, Dice, Rows};
use super::layer::{Act, Layer};
use super::loss::CROSS_ENTROPY;
use super::program::{Program, Validation};
use burn_tricks::diagnose::{Finding, LossKind};

/// Makes a change in a program that was run with this seed; `None` if the program has no place for it.
type Edit = fn(&mut Program, &Finding, seed: u64) -> Option<()>;

/// What is in a text, and the change of a program that it asks for.
const EDITS: [(&str, Edit); 10] = [
    ("without the softmax", hand_over_scores),
    ("make the gradients of each step anew", clear_gradients),
    ("validate `model.valid()`", validate_in_inference),
    (
        "make the gradients from the whole model",
        optimize_everything,
    ),
    (
        "let the optimizer step the whole model",
        optimize_everything,
    ),
    ("shuffle the data before it is split", split_anew),
    (
        "check the step at which it is configured to start",
        average_the_last_quarter,
    ),
    ("`LossScaler` of `burn-tricks-grad` lower it", scale_losses),
    ("add an epsilon within the norm", add_epsilon),
    ("replace the function before it", replace_function),
];

/// `program` as the text of a prescription of `finding` has it. `None` if no change is written down here for that text, as for
/// one that tells the reader to look at something, or if the program has no place for the change.
///
/// The change is the same in any program, and is made without a look at the program's healthy twin.
pub(super) fn edited(
    mut program: Program,
    finding: &Finding,
    text: &str,
    seed: u64,
) -> Option<Program> {
    let (_, edit) = EDITS.iter().find(|(part, _)| text.contains(part))?;
    edit(&mut program, finding, seed)?;
    Some(program)
}

fn hand_over_scores(program: &mut Program, _: &Finding, _: u64) -> Option<()> {
    let takes_scores = program.loss.kind == LossKind::CrossEntropyOfScores;
    let Some(Layer::Act(Act::Softmax)) = program.layers.last() else {
        return None;
    };
    program.layers.pop();
    program.loss = CROSS_ENTROPY;
    takes_scores.then_some(())
}

fn clear_gradients(program: &mut Program, _: &Finding, _: u64) -> Option<()> {
    let forgot = !std::mem::replace(&mut program.clears, true);
    forgot.then_some(())
}

fn validate_in_inference(program: &mut Program, _: &Finding, _: u64) -> Option<()> {
    let Validation::OneByOneInTraining(_) = program.validation else {
        return None;
    };
    program.validation = Validation::Inference;
    Some(())
}

fn optimize_everything(program: &mut Program, _: &Finding, _: u64) -> Option<()> {
    program.optimizes.take().map(|_| ())
}

/// All rows, shuffled, and as many of them to train on as before.
fn split_anew(program: &mut Program, _: &Finding, seed: u64) -> Option<()> {
    let Data { train, valid, task } = program.data.clone();
    let count = train.len();
    let inputs = train.inputs.into_iter().chain(valid.inputs);
    let mut rows: Vec<_> = inputs
        .zip(train.targets.into_iter().chain(valid.targets))
        .collect();
    Dice::new(seed).shuffle(&mut rows);
    let valid = rows.split_off(count);
    let part = |rows: Vec<_>| {
        let (inputs, targets) = rows.into_iter().unzip();
        Rows { inputs, targets }
    };
    program.data = Data {
        train: part(rows),
        valid: part(valid),
        task,
    };
    Some(())
}

/// Of an average that is to begin after the last step: over the last quarter of the steps, as in the paper on such averages
/// (Izmailov et al., 2018, <https://arxiv.org/abs/1803.05407>).
fn average_the_last_quarter(program: &mut Program, _: &Finding, _: u64) -> Option<()> {
    let steps = program.epochs * program.data.train.len().div_ceil(program.batch);
    program.averages_after.filter(|start| *start >= steps)?;
    program.averages_after = Some(steps * 3 / 4);
    Some(())
}

fn scale_losses(program: &mut Program, _: &Finding, _: u64) -> Option<()> {
    program.loss_scale.take()?;
    program.has_loss_scaler = true;
    Some(())
}

/// Within every root that has none.
fn add_epsilon(program: &mut Program, _: &Finding, _: u64) -> Option<()> {
    let mut found = None;
    for layer in &mut program.layers {
        if let Layer::Act(act @ Act::TimesLength) = layer {
            *act = Act::TimesSafeLength;
            found = Some(());
        }
    }
    found
}

/// The logarithm or exponential at the path of the finding becomes a ReLU: the text leaves open by what to replace it.
fn replace_function(program: &mut Program, finding: &Finding, _: u64) -> Option<()> {
    let place = finding.paths.first()?.strip_prefix("layers.")?;
    let layer = program.layers.get_mut(place.parse::<usize>().ok()?)?;
    let Layer::Act(act @ (Act::Log | Act::Exp)) = layer else {
        return None;
    };
    *act = Act::Relu;
    Some(())
}
