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
    data::{Samples, Source},
    score::Score,
};
use peak_alloc::PeakAlloc;
use std::time::Instant;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

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

/// The loss on the training images after each tenth epoch of plain SGD, and the test accuracy.
fn train(scaler: &ScalerConfig, fit: bool, train: &Samples, test: &Samples, rate: f64) -> String {
    let device = Device::flex().autodiff();
    let scaler = match fit {
        true => scaler.fit(&train.images(&device)).expect("pixels"),
        false => scaler.init(train.features, &device).expect("64 pixels"),
    };
    let mut model = seeded(&device, 1, || Classifier {
        scaler: scaler.clone(),
        hidden: LinearConfig::new(train.features, 64).init(&device),
        output: LinearConfig::new(64, 10).init(&device),
    });
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let mut line = String::new();
    for epoch in 1..=20 {
        for batch in train.batches(32, 1, epoch) {
            let (images, labels) = train.batch(&batch, &device);
            let loss = loss.forward(model.forward(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(rate, model, grads);
        }
        if epoch % 10 == 0 {
            let model = model.valid();
            let score = |samples: &Samples| {
                let images = samples.images(&Device::flex());
                Score::of(softmax(model.forward(images), 1), &samples.labels)
            };
            let (fitted, unseen) = (score(train), score(test));
            line += &format!(
                "  epoch {epoch}: training loss {:7.3}, test accuracy {:5.1} %",
                fitted.loss,
                100.0 * unseen.accuracy
            );
        }
    }
    line
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
    let scaler = fit.fitted(&Device::flex())?;
    println!("means {}", scaler.shift().into_data());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sum = 1e10_f32 + 1e-10_f32;
    println!("in f32, 1e10 + 1e-10 = 1e10: {}", sum == 1e10_f32);

    let split = Source::digits().split(1);
    let (digits, test) = (in_other_units(split.train), in_other_units(split.test));
    println!("\ndigits in mixed units, plain SGD, 20 epochs");
    for (name, config, fit) in [
        ("unscaled", ScalerConfig::standard(), false),
        ("standard", ScalerConfig::standard(), true),
        ("min-max [0, 1]", ScalerConfig::min_max(0.0, 1.0), true),
        ("min-max [-1, 1]", ScalerConfig::min_max(-1.0, 1.0), true),
        ("max-abs", ScalerConfig::max_abs(), true),
        ("robust", ScalerConfig::robust(), true),
    ] {
        for rate in [1e-1, 1e-2, 1e-5] {
            let line = train(&config, fit, &digits, &test, rate);
            println!("{name:15} rate {rate:<7}{line}");
        }
    }

    println!();
    stream(10_000_000)
}
