//! Targets of a regression belong scaled, like inputs: an LSTM predicts a power load in megawatts, with its targets as
//! they are, alone and with each of five tricks, and with scaled targets and no trick.

use burn::nn::loss::{MseLoss, Reduction};
use burn::nn::{Linear, LinearConfig, Lstm, LstmConfig};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use burn_tricks::nn::{InputScaler, ScaleBy, ScalerConfig};
use burn_tricks::optim::AdamConfig;
use burn_tricks::prelude::*;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::error::Error;

/// Hours that the network sees.
const WINDOW: usize = 24;
const HOURS: usize = 1_500;
/// The hours before this one are for training.
const CUT: usize = 1_000;
const EPOCHS: usize = 10;
const BATCH: usize = 50;

#[derive(Module, Debug)]
struct Forecast {
    lstm: Lstm,
    output: Linear,
}

impl Forecast {
    /// Hours `[batch, WINDOW]` to the next, `[batch]`.
    fn forward(&self, hours: Tensor<2>) -> Tensor<1> {
        let (_, state) = self.lstm.forward(hours.unsqueeze_dim(2), None);
        self.output.forward(state.hidden).squeeze_dim(1)
    }
}

/// The load of each hour in megawatts: a day, a week, and noise.
fn load() -> Vec<f32> {
    let mut generator = ChaCha8Rng::seed_from_u64(7);
    let mut noise = 0.0;
    let hours = (0..HOURS).map(|hour| {
        let angle = |period: f64| hour as f64 * std::f64::consts::TAU / period;
        noise = 0.8 * noise + generator.random_range(-6.0..6.0);
        (500.0 + 20.0 * angle(24.0).sin() + 8.0 * angle(168.0).sin() + noise) as f32
    });
    hours.collect()
}

/// Windows of hours, and the hour after each.
fn windows(load: &[f32], device: &Device) -> (Tensor<2>, Tensor<1>) {
    let windows: Vec<f32> = load.windows(WINDOW + 1).flatten().copied().collect();
    let windows = Tensor::<1>::from_floats(windows.as_slice(), device);
    let windows = windows.reshape([-1, WINDOW as i32 + 1]);
    let [count, _] = windows.dims();
    let next = windows.clone().slice([0..count, WINDOW..WINDOW + 1]);
    (windows.slice([0..count, 0..WINDOW]), next.squeeze_dim(1))
}

/// What a training has besides Adam.
#[derive(Clone, Copy, Default)]
struct Tricks {
    scaled_targets: bool,
    learning_rate: f64,
    clip: bool,
    warmup_and_cosine: bool,
    ema: bool,
    normalize: bool,
}

/// The validation's RMSE in megawatts, and its mean squared error in the units of the training loss before the first
/// step and at the end.
fn train(tricks: Tricks, load: &[f32], scaler: &InputScaler) -> Result<[f64; 3], Box<dyn Error>> {
    let device = Device::flex().autodiff();
    let mut model = seeded(&device, 1, || Forecast {
        lstm: LstmConfig::new(1, 16, true).init(&device),
        output: LinearConfig::new(16, 1).init(&device),
    });
    let (train, valid) = load.split_at(CUT);
    let (hours, next) = windows(train, &device);
    let inputs = scaler.forward(hours); // the inputs are scaled in every case
    let targets = if tricks.scaled_targets {
        scaler.forward(next)
    } else {
        next
    };
    let [count] = targets.dims();
    let steps = EPOCHS * count.div_ceil(BATCH);
    let clip = ClipGradNormConfig::new(1.0).init()?;
    let normalize = NormalizeGradConfig::new().init()?;
    let warmup = steps / 10;
    let schedule = CosineConfig::new(tricks.learning_rate, steps - warmup).init()?;
    let schedule = schedule.with_warmup(warmup)?;
    let mut optim: ModuleOptimizer = AdamConfig::new().init()?;
    let mut ema = EmaConfig::new(0.98).init(&model)?;
    let before = measure(&model.valid(), tricks, valid, scaler);
    for step in 0..steps {
        let first = step % count.div_ceil(BATCH) * BATCH;
        let rows = first..(first + BATCH).min(count);
        let output = model.forward(inputs.clone().slice([rows.clone()]));
        let targets = targets.clone().slice([rows]);
        let loss = MseLoss::new().forward(output, targets, Reduction::Mean);
        let mut grads = GradientsParams::from_grads(loss.backward(), &model);
        if tricks.clip {
            grads = clip.apply(&model, grads);
        }
        if tricks.normalize {
            grads = normalize.apply(&model, grads);
        }
        let lr = if tricks.warmup_and_cosine {
            schedule.at(step as u64)
        } else {
            tricks.learning_rate
        };
        model = optim.step(lr, model, grads);
        ema.update(&model);
    }
    let model = if tricks.ema {
        ema.model()
    } else {
        model.valid()
    };
    let after = measure(&model, tricks, valid, scaler);
    Ok([after[0], before[1], after[1]])
}

/// The RMSE in megawatts, and the loss.
fn measure(model: &Forecast, tricks: Tricks, valid: &[f32], scaler: &InputScaler) -> [f64; 2] {
    let (hours, next) = windows(valid, &Device::flex());
    let output = model.forward(scaler.forward(hours));
    let square = |error: Tensor<1>| f64::from(error.square().mean().into_scalar::<f32>());
    if !tricks.scaled_targets {
        let loss = square(output - next);
        return [loss.sqrt(), loss];
    }
    let loss = square(output.clone() - scaler.forward(next.clone()));
    [square(scaler.inverse(output) - next).sqrt(), loss]
}

fn main() -> Result<(), Box<dyn Error>> {
    let load = load();
    // One scaler, fitted on the training part, for the inputs, the targets and the predictions.
    let history = Tensor::<1>::from_floats(&load[..CUT], &Device::flex());
    let scaler = ScalerConfig::standard()
        .with_by(ScaleBy::Whole)
        .fit(&history)?;
    let mean = scaler.shift().into_scalar::<f32>();
    let (_, next) = windows(&load[CUT..], &Device::flex());
    let without = (next - mean).square().mean().sqrt().into_scalar::<f32>();
    println!(
        "{EPOCHS} epochs, {WINDOW} hours to the next; the mean of {mean:.0} MW has an RMSE of {without:.1} MW"
    );
    let plain = Tricks {
        learning_rate: 0.003,
        ..Tricks::default()
    };
    let rows = [
        ("targets in MW, Adam", plain),
        (
            "  and clipped gradients",
            Tricks {
                clip: true,
                ..plain
            },
        ),
        (
            "  and normalised gradients",
            Tricks {
                normalize: true,
                ..plain
            },
        ),
        (
            "  and warm-up, cosine",
            Tricks {
                warmup_and_cosine: true,
                ..plain
            },
        ),
        ("  and an average of weights", Tricks { ema: true, ..plain }),
        (
            "  and ten times the learning rate",
            Tricks {
                learning_rate: 0.03,
                ..plain
            },
        ),
        (
            "scaled targets, Adam",
            Tricks {
                scaled_targets: true,
                ..plain
            },
        ),
    ];
    for (name, tricks) in rows {
        let [rmse, before, after] = train(tricks, &load, &scaler)?;
        println!("{name:34} loss {before:10.2} -> {after:9.2}; RMSE {rmse:6.1} MW");
    }
    Ok(())
}
