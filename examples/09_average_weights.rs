//! Averages of weights: one training at a rate too high to settle, and what its averages make of it.

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn_tricks::average::{
    LawaConfig, SnapshotEnsembleConfig, average_checkpoints, disagreement,
    expected_calibration_error,
};
use burn_tricks::prelude::*;
use burn_tricks_examples::{
    data::{Samples, Source},
    mlp::{HiddenNorm, Mlp, MlpConfig},
    score::Score,
};

const EPOCHS: usize = 30;
const BATCH: usize = 32;

fn show(what: &str, probabilities: Tensor<2>, test: &Samples) {
    let (_, classes) = test.all(&Device::flex());
    let score = Score::of(probabilities.clone(), &test.labels);
    let ece = expected_calibration_error(probabilities, classes, 15);
    println!(
        "{what:38} accuracy {:.1} %, loss {:.3}, calibration error {:.3}",
        100.0 * score.accuracy,
        score.loss,
        ece.into_scalar::<f32>()
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    let (images, _) = split.test.all(&Device::flex());
    device.seed(1);
    let config = MlpConfig {
        norm: HiddenNorm::Batch,
        ..MlpConfig::new(split.train.features)
    };
    let mut model = config.init(&device);
    force_init(&model);
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);

    let steps_per_epoch = split.train.len().div_ceil(BATCH);
    let start = EPOCHS * steps_per_epoch / 2;
    let mut ema = EmaConfig::from_half_life(50.0, 1)?.init(&model)?;
    let mut swa = SwaConfig::new(steps_per_epoch)
        .with_start_after(start)
        .init(&model)?;
    let mut lawa = LawaConfig::new(5, steps_per_epoch).init(&model)?;
    let mut snapshots = SnapshotEnsembleConfig::new(5).init(&model)?;
    let directory = tempfile::tempdir()?;
    let mut files = Vec::new();

    for epoch in 1..=EPOCHS {
        for batch in split.train.batches(BATCH, 1, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(0.5, model, grads);
            ema.update(&model);
            swa.update(&model);
            lawa.update(&model);
        }
        if epoch % 5 == 0 {
            snapshots.collect(&model); // with a cyclic schedule: at the end of each cycle
        }
        if epoch > EPOCHS - 5 {
            let file = directory.path().join(format!("model-{epoch}.bpk"));
            model.valid().save_file(&file)?;
            files.push(file);
        }
    }

    let test = |what: &str, model: &Mlp| {
        show(what, softmax(model.predict(images.clone()), 1), &split.test);
    };
    test("the model as trained", &model.valid());
    test("EMA, half-life 50 steps", &ema.model());
    test("LAWA, last 5 epochs", &lawa.model());
    test(
        "mean of the last 5 checkpoint files",
        &average_checkpoints(config.init(&Device::flex()), &files)?,
    );
    test("SWA of 15 epochs, statistics averaged", &swa.model());
    let batches = split.train.batches(BATCH, 1, 0);
    let measured = RecalibrationConfig::new().apply(&swa.model(), batches, |model, batch| {
        let (images, _) = split.train.batch(&batch, &device);
        model.predict(images);
        batch.len()
    })?;
    test("SWA, statistics measured", &measured);

    let ensemble = snapshots.into_ensemble(&EnsembleConfig::new())?;
    show(
        "ensemble of 5 snapshots",
        ensemble.predict(images.clone()),
        &split.test,
    );
    let members = ensemble.predict_each(images);
    println!(
        "two of its members disagree on {:.1} % of the digits",
        100.0 * disagreement(&members).into_scalar::<f32>()
    );
    Ok(())
}
