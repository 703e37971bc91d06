//! A small ResNet on a few digits with a whole modern recipe, and then without each of its tricks: what each is worth
//! in this company.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn::tensor::loss::cross_entropy_with_logits;
use burn_tricks::ConfigError;
use burn_tricks::data::{
    Augmentations, LabelSmoothingConfig, MixSamplesConfig, RandomCropConfig, sample_seed,
    soft_targets,
};
use burn_tricks::nn::{ResNet, ResNetConfig};
use burn_tricks::optim::{SgdConfig, WeightDecayScope};
use burn_tricks::prelude::*;
use burn_tricks_examples::{
    data::{Samples, Source, Split},
    score::Score,
};

const SAMPLES: usize = 300;
const EPOCHS: usize = 60;
const BATCH: usize = 32;
const LEARNING_RATE: f64 = 0.1;
const SEEDS: [u64; 2] = [1, 2];

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Crop,
    Mix,
    Smoothing,
    SqueezeExcite,
    DropPath,
    Nesterov,
    Decay,
    Schedule,
    Ema,
}
use Part::*;

const ALL: [(Part, &str); 9] = [
    (Crop, "shifts by a pixel"),
    (Mix, "mixup and cutmix"),
    (Smoothing, "label smoothing"),
    (SqueezeExcite, "squeeze-and-excitation"),
    (DropPath, "drop-path"),
    (Nesterov, "Nesterov momentum"),
    (Decay, "weight decay"),
    (Schedule, "warm-up and cosine"),
    (Ema, "average of weights (EMA)"),
];

/// The test score of a training with these parts of the recipe.
fn train(parts: &[Part], seed: u64, split: &Split) -> Result<Score, ConfigError> {
    let has = |part| parts.contains(&part);
    let device = Device::flex().autodiff();

    let mut augmentations = Augmentations::new();
    if has(Crop) {
        augmentations = augmentations.with(RandomCropConfig::new([8, 8]).with_padding(1).init()?);
    }
    if has(Smoothing) {
        augmentations = augmentations.with(LabelSmoothingConfig::new(0.1).init()?);
    }
    if has(Mix) {
        let mix = MixSamplesConfig::mixup_or_cutmix(0.2, 1.0).with_prob(0.5);
        augmentations = augmentations.with(mix.init()?);
    }

    let model = ResNetConfig::for_8x8(1, 10)
        .with_widths(vec![8, 16])
        .with_squeeze_excite(has(SqueezeExcite).then_some(4))
        .with_drop_path(if has(DropPath) { 0.1 } else { 0.0 });
    model.init(&device)?;
    let mut model: ResNet = seeded(&device, seed, || model.init(&device).expect("checked"));

    let nesterov = MomentumConfig::new()
        .with_dampening(0.0)
        .with_nesterov(true);
    let mut optim: ModuleOptimizer = SgdConfig::torch()
        .with_momentum(has(Nesterov).then_some(nesterov))
        .with_weight_decay(has(Decay).then(|| WeightDecayConfig::new(5e-4)))
        .with_weight_decay_scope(WeightDecayScope::Matrices)
        .init()?;
    let steps = EPOCHS * split.train.len().div_ceil(BATCH);
    let warmup = steps / 10;
    let schedule = CosineConfig::new(LEARNING_RATE, steps - warmup).init()?;
    let schedule = schedule.with_warmup(warmup)?;
    let mut ema = EmaConfig::new(0.98).init(&model)?;

    for epoch in 1..=EPOCHS {
        for indices in split.train.batches(BATCH, seed, epoch) {
            let (images, labels) = split.train.batch(&indices, &device);
            let batch = (square(images), soft_targets(labels, 10));
            let seeds = indices.iter().map(|at| sample_seed(seed, epoch, *at));
            let (images, targets) = augmentations.apply(batch, &seeds.collect::<Vec<_>>());
            let loss = cross_entropy_with_logits(model.forward(images), targets);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            let lr = if has(Schedule) {
                schedule.at(ema.updates())
            } else {
                LEARNING_RATE
            };
            model = optim.step(lr, model, grads);
            ema.update(&model);
        }
    }
    let model = if has(Ema) { ema.model() } else { model.valid() };
    let (images, _) = split.test.all(&Device::flex());
    let probabilities = softmax(model.forward(square(images)), 1);
    Ok(Score::of(probabilities, &split.test.labels))
}

/// `[batch, 64]` to `[batch, 1, 8, 8]`.
fn square(images: Tensor<2>) -> Tensor<4> {
    let [batch, _] = images.dims();
    images.reshape([batch, 1, 8, 8])
}

/// Images from the whole training part, which has one class after the other.
fn few(samples: &Samples) -> Samples {
    let indices = (0..SAMPLES).map(|at| at * samples.len() / SAMPLES);
    let indices: Vec<usize> = indices.collect();
    let row = |at: &usize| &samples.pixels[at * samples.features..(at + 1) * samples.features];
    Samples {
        pixels: indices.iter().flat_map(row).copied().collect(),
        labels: samples.labels_of(&indices).collect(),
        ..samples.clone()
    }
}

fn main() -> Result<(), ConfigError> {
    let runs = SEEDS.len();
    println!(
        "{SAMPLES} digits, {EPOCHS} epochs; means of {runs} seeds, and the change of the accuracy in each"
    );
    let splits = SEEDS.map(|seed| {
        let mut split = Source::digits().split(seed).scaled();
        split.train = few(&split.train);
        split
    });
    let scores = |parts: &[Part]| -> Result<Vec<Score>, ConfigError> {
        let runs = SEEDS.iter().zip(&splits);
        runs.map(|(seed, split)| train(parts, *seed, split))
            .collect()
    };
    let all = ALL.map(|(part, _)| part);
    let whole = scores(&all)?;
    let show = |what: String, scores: &[Score]| {
        let mean = |number: fn(&Score) -> f64| scores.iter().map(number).sum::<f64>() / runs as f64;
        let (accuracy, loss) = (100.0 * mean(|s| s.accuracy), mean(|s| s.loss));
        print!("{what:33} accuracy {accuracy:.1} %, loss {loss:.3}");
        for (score, whole) in scores.iter().zip(&whole) {
            print!(" {:+.1}", 100.0 * (score.accuracy - whole.accuracy));
        }
        println!();
    };
    show("the whole recipe".to_owned(), &whole);
    for (left_out, name) in ALL {
        let parts: Vec<Part> = all.into_iter().filter(|part| *part != left_out).collect();
        show(format!("without {name}"), &scores(&parts)?);
    }
    show("without any of them".to_owned(), &scores(&[])?);
    Ok(())
}
