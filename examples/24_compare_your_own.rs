//! Which tricks help *my* model? A comparison of one's own training in Burn's `Learner`; try `--help`, `--quick`.

use burn::{data::dataset::InMemDataset, prelude::*, train::Learner};
use burn_tricks::compare::{self, Recipe, Reporter, Study};
use burn_tricks::{optim::SgdConfig, prelude::*};
use burn_tricks_examples::classifier::{Classifier, Digits};
use burn_tricks_examples::data::{Samples, Source};
use std::{error::Error, process::ExitCode};

fn main() -> ExitCode {
    let study = Study::classification()
        .baseline("sgd", "SGD, learning rate 0.1")
        .variant("momentum", "sgd", "a momentum of 0.9")
        .variant("ema", "sgd", "a moving average of the weights");
    compare::main(study.with_epochs(10, 3), train)
}

fn train(arm: &Recipe, seed: u64, report: &mut Reporter) -> Result<(), Box<dyn Error>> {
    let momentum = if arm.name == "momentum" { 0.9 } else { 0.0 };
    let decay = if arm.name == "ema" { 0.98 } else { 0.0 };
    let (folder, device) = (tempfile::tempdir()?, Device::flex().autodiff());
    let (split, clock) = (Source::digits().split(seed).scaled(), EpochClock::new());
    let loader = |config: EpochLoaderConfig, samples: &Samples| {
        let indices = InMemDataset::new((0..samples.len()).collect());
        config.init(indices, Digits(samples.clone()), &device, &clock)
    };
    let batches = loader(EpochLoaderConfig::new(32, seed), &split.train)?;
    let valid = loader(EpochLoaderConfig::in_order(256), &split.valid)?;
    let model = seeded(&device, seed, || Classifier::init(&device));
    let ema = EmaConfig::new(decay).init(&model)?;
    let optimizer = SgdConfig::torch().with_momentum_factor(momentum).init()?;
    report.steps((split.train.len().div_ceil(32) * report.epochs()) as u64); // what a step costs
    let session = Session::new(folder.path(), batches, valid).num_epochs(report.epochs());
    let trained = session.launch(Learner::new(model.with_tricks(ema), optimizer, 0.1))?;
    let score = trained.last_model().score(&split.test);
    report.metric_and_no_model("accuracy", score.accuracy, 0.1);
    report.metric_and_no_model("loss", score.loss, 10f64.ln());
    Ok(())
}
