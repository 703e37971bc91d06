//! Normalisation of layers and of weights: one network without, and one with each.

use burn::module::ParamGroup;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn_tricks::average::Predict;
use burn_tricks::nn::{
    Affine, SpectralNormConfig, WeightNormConfig, WeightStandardizationConfig, freeze_batch_norms,
};
use burn_tricks::prelude::*;
use burn_tricks_examples::{
    data::{Source, Split},
    mlp::{HiddenNorm, Mlp, MlpConfig},
    score::Score,
};

const EPOCHS: usize = 5;
const BATCH: usize = 32;

fn train(mut model: Mlp, split: &Split, rate: f64, device: &Device) -> Mlp {
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(device);
    for epoch in 1..=EPOCHS {
        for batch in split.train.batches(BATCH, 1, epoch) {
            let (images, labels) = split.train.batch(&batch, device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(rate, model, grads);
        }
    }
    model
}

fn show(what: &str, model: &Mlp, split: &Split) {
    let (images, _) = split.test.all(&Device::flex());
    let score = Score::of(softmax(model.predict(images), 1), &split.test.labels);
    let (accuracy, loss) = (100.0 * score.accuracy, score.loss);
    println!("{what:42} accuracy {accuracy:.1} %, loss {loss:.3}");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    let start = |norm| {
        let config = MlpConfig {
            norm,
            ..MlpConfig::new(split.train.features)
        };
        device.seed(1);
        let model = config.init(&device);
        force_init(&model);
        model
    };
    // The last layer is left as it is: its outputs are logits, whose scale means something.
    let hidden = || ParamGroup::from_predicate("hidden");
    let run =
        |what: &str, model: Mlp| show(what, &train(model, &split, 0.1, &device).valid(), &split);

    run("plain", start(HiddenNorm::None));
    run("batch norm", start(HiddenNorm::Batch));
    let weight_norm = WeightNormConfig::new().with_group(hidden());
    run("weight norm", weight_norm.attach(start(HiddenNorm::None))?);
    let standardized = WeightStandardizationConfig::new().with_group(hidden());
    run(
        "weight standardisation, batch norm",
        standardized.attach(start(HiddenNorm::Batch))?,
    );
    let spectral = SpectralNormConfig::new().with_group(hidden());
    run("spectral norm", spectral.attach(start(HiddenNorm::None))?);

    let trained = train(start(HiddenNorm::Batch), &split, 0.1, &device);
    let tuned = freeze_batch_norms(trained, Affine::Trainable);
    // Statistics that do not follow the weights allow smaller steps only: at 0.1 this diverges.
    let tuned = train(tuned, &split, 0.01, &device).valid();
    show("batch norm, tuned with frozen statistics", &tuned, &split);

    let model = train(
        weight_norm.attach(start(HiddenNorm::None))?,
        &split,
        0.1,
        &device,
    );
    let normed = model.num_params();
    let plain = model.valid().materialize();
    println!(
        "weight norm learns {normed} numbers and leaves {}",
        plain.num_params()
    );
    Ok(())
}
