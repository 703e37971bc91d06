//! Input scaling: why numbers belong near 1, what unscaled inputs cost, and a fit over ten million rows.
//!
//!     cargo run --release --example 10_input_scaling

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::activation::{relu, softmax};
use burn_tricks::nn::{InputScaler, ScalerConfig, seeded};
use burn_tricks_examples::{
    data::{Samples, Source, Split},
    score::Score,
};
use peak_alloc::PeakAlloc;
use std::io::Write;
use std::time::Instant;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Half decades, well beyond what is best for unscaled inputs on either side.
const RATES: [f64; 10] = [1.0, 0.3, 0.1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5];

/// A classifier that carries its scaling, so that whoever loads it cannot forget it.
#[derive(Module, Debug)]
struct Classifier {
    scaler: InputScaler,
    hidden: Linear,
    output: Linear,
}

impl Classifier {
    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let scaled = self.scaler.forward(images);
        self.output.forward(relu(self.hidden.forward(scaled)))
    }
}

/// What comes of 20 epochs of plain SGD.
struct Outcome {
    rate: f64,
    training_loss: f64,
    /// In per cent, to choose the learning rate by.
    valid: f64,
    /// In per cent, of the rate that was chosen alone.
    test: f64,
}

fn train(scaler: &InputScaler, split: &Split, rate: f64) -> Outcome {
    let train = &split.train;
    let device = Device::flex().autodiff();
    let mut model = seeded(&device, 1, || Classifier {
        scaler: scaler.clone(),
        hidden: LinearConfig::new(train.features, 64).init(&device),
        output: LinearConfig::new(64, 10).init(&device),
    });
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    for epoch in 1..=20 {
        for batch in train.batches(32, 1, epoch) {
            let (images, labels) = train.batch(&batch, &device);
            let loss = loss.forward(model.forward(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(rate, model, grads);
        }
    }
    let model = model.valid();
    let score = |samples: &Samples| {
        let images = samples.images(&Device::flex());
        Score::of(softmax(model.forward(images), 1), &samples.labels)
    };
    Outcome {
        rate,
        training_loss: score(train).loss,
        valid: 100.0 * score(&split.valid).accuracy,
        test: 100.0 * score(&split.test).accuracy,
    }
}

/// The digits with pixels in the units of three different instruments, as measurements come.
fn in_other_units(mut samples: Samples) -> Samples {
    for row in samples.pixels.chunks_mut(samples.features) {
        for (at, pixel) in row.iter_mut().enumerate() {
            *pixel *= [1.0, 100.0, 0.01][at % 3];
        }
    }
    samples
}

/// Rows of eight features that no memory holds at once.
///
/// # Errors
///
/// If the fit keeps anything of a batch, or needs more beside it than the batch once more as `f64`.
fn stream(rows: usize) -> Result<(), Box<dyn std::error::Error>> {
    const FEATURES: usize = 8;
    const BATCH: usize = 1000;
    let mut fit = ScalerConfig::standard().unfitted()?;
    let mut state = 1u64;
    let mut batch = || -> Vec<f32> {
        let mut number = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        (0..BATCH * FEATURES)
            .map(|at| 100.0 * (at % FEATURES) as f32 + number())
            .collect()
    };
    // One batch, to have whatever is allocated once.
    fit.update_data(&TensorData::new(batch(), [BATCH, FEATURES]))?;
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let start = Instant::now();
    let mut fitting = std::time::Duration::ZERO;
    for _ in 1..rows / BATCH {
        let data = TensorData::new(batch(), [BATCH, FEATURES]);
        let start = Instant::now();
        fit.update_data(&data)?;
        fitting += start.elapsed();
    }
    let held = MEMORY.current_usage().abs_diff(before);
    let peak = MEMORY.peak_usage().saturating_sub(before);
    println!(
        "{} rows of {FEATURES} features in batches of {BATCH}: {:.1} s, of which {:.1} s fitting; \
         memory {held} bytes more at the end, at most {} kB more on the way",
        fit.samples(),
        start.elapsed().as_secs_f64(),
        fitting.as_secs_f64(),
        peak / 1000
    );
    // The batch as f32 and as f64, and a tenth for whatever is small.
    let bound = BATCH * FEATURES * (4 + 8) * 11 / 10;
    if held != 0 || peak > bound {
        return Err(format!("{held} bytes held and {peak} at most, not 0 and {bound}").into());
    }
    let scaler = fit.fitted(&Device::flex())?;
    println!("means {}", scaler.shift().into_data());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sum = 1e10_f32 + 1e-10_f32;
    println!("in f32, 1e10 + 1e-10 = 1e10: {}", sum == 1e10_f32);

    let split = Source::digits().split(1);
    let split = Split {
        train: in_other_units(split.train),
        valid: in_other_units(split.valid),
        test: in_other_units(split.test),
    };
    let digits = &split.train;
    println!(
        "\ndigits in mixed units, plain SGD, 20 epochs: validation accuracy in % (training loss)"
    );
    let device = Device::flex();
    let images = digits.images(&device);
    let unscaled = ScalerConfig::standard().init(digits.features, &device)?;
    let scalers = [
        ("unscaled", unscaled),
        ("standard", ScalerConfig::standard().fit(&images)?),
        ("[0, 1]", ScalerConfig::min_max(0.0, 1.0).fit(&images)?),
        ("[-1, 1]", ScalerConfig::min_max(-1.0, 1.0).fit(&images)?),
        ("max-abs", ScalerConfig::max_abs().fit(&images)?),
        ("robust", ScalerConfig::robust().fit(&images)?),
    ];
    print!("{:13}", "learning rate");
    for (name, _) in &scalers {
        print!("{name:>14}");
    }
    let mut best: Vec<Option<Outcome>> = scalers.iter().map(|_| None).collect();
    for rate in RATES {
        print!("\n{rate:<13}");
        for ((_, scaler), best) in scalers.iter().zip(&mut best) {
            let outcome = train(scaler, &split, rate);
            let cell = format!("{:.1} ({:.2})", outcome.valid, outcome.training_loss);
            print!("{cell:>14}");
            std::io::stdout().flush()?;
            if best.as_ref().is_none_or(|best| outcome.valid > best.valid) {
                *best = Some(outcome);
            }
        }
    }
    print!("\n{:13}", "test");
    for best in best.iter().flatten() {
        let cell = format!("{:.1} ({})", best.test, best.rate);
        print!("{cell:>14}");
    }
    println!("\nthe last line: the test accuracy at the learning rate of the best validation\n");
    stream(10_000_000)
}
