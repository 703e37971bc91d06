//! Draws every learning-rate schedule: as lines of text, and as panels of one SVG.

use burn::lr_scheduler::LrScheduler;
use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn_tricks::Goal;
use burn_tricks::schedule::*;
use clap::Parser;
use std::error::Error;
use std::path::PathBuf;

/// Draw every learning-rate schedule into one SVG.
#[derive(Parser)]
struct Args {
    /// The file to write.
    #[arg(long, default_value = "target/schedules.svg")]
    out: PathBuf,
}

/// Optimizer steps of the runs drawn, in 20 epochs.
const STEPS: usize = 1000;

fn schedules(preview: LrPreview) -> Result<LrPreview, Box<dyn Error>> {
    let decay = ExponentialDecayConfig::new(1.0).with_gamma(0.85);
    let steps_down = MultiStepConfig::new(1.0, vec![500, 750]).with_gamma(1.0 / 3.0);
    let restarts = CosineRestartsConfig::new(1.0, 143).with_multiplier(2);
    let wave = CyclicConfig::new(0.1, 1.0, 100);
    let ranges = CyclicMode::ExpRange { gamma: 0.998 };
    let optax = OneCycleConfig::optax_linear(1.0, STEPS).with_rise(0.4);
    let stable = WarmupStableDecayConfig::new(1.0, STEPS, 300).with_warmup_steps(100);
    let one_minus_sqrt = stable.clone().with_shape(LrDecayShape::OneMinusSqrt);
    Ok(preview
        .curve(
            "ExponentialDecay, per epoch",
            &decay.with_steps_per_epoch(50).init()?,
        )
        .curve("MultiStep, ÷ 3 twice", &steps_down.init()?)
        .curve(
            "LinearRamp to 0.1, held",
            &LinearRampConfig::new(1.0, 0.1, 800).init()?,
        )
        .curve(
            "Polynomial, power 2",
            &PolynomialConfig::new(1.0, STEPS).with_power(2.0).init()?,
        )
        .curve(
            "InverseSqrt, time scale 50",
            &InverseSqrtConfig::new(1.0).with_timescale(50).init()?,
        )
        .curve("Rex", &RexConfig::new(1.0, STEPS).init()?)
        .curve(
            "Cosine to 0.1, held",
            &CosineConfig::new(1.0, 800).with_min_lr(0.1).init()?,
        )
        .curve(
            "CosineRestarts, growing",
            &restarts.with_peak_decay(0.7).init()?,
        )
        .curve(
            "CosineRestarts, 5 equal cycles",
            &CosineRestartsConfig::new(1.0, 200).init()?,
        )
        .curve(
            "OneCycle, PyTorch's",
            &OneCycleConfig::torch(1.0, STEPS).init()?,
        )
        .curve("OneCycle, optax's, linear", &optax.init()?)
        .curve("Cyclic, triangular", &wave.clone().init()?)
        .curve(
            "Cyclic, triangular2",
            &wave.clone().with_mode(CyclicMode::Triangular2).init()?,
        )
        .curve("Cyclic, exp_range", &wave.with_mode(ranges).init()?)
        .curve("WarmupStableDecay, linear", &stable.init()?)
        .curve("WarmupStableDecay, 1 − √p", &one_minus_sqrt.init()?))
}

fn wrappers(preview: LrPreview) -> Result<LrPreview, Box<dyn Error>> {
    let warmup = WarmupConfig::new(150);
    let over = warmup.clone().with_mode(WarmupMode::Over);
    let half_cosine = over.clone().with_shape(Anneal::Cosine);
    let start = WarmupStart::Factor(1.0 / 150.0);
    let cosine = |steps| CosineConfig::new(1.0, steps).init();
    let of_burn = CosineAnnealingLrSchedulerConfig::new(1.0, STEPS - 150).init()?;
    let noam = InverseSqrtConfig::new(1.0).with_timescale(150).init()?;
    let noam = noam.with_warmup(warmup.clone().with_start(start))?;
    let wave = CyclicConfig::new(0.0, 1.0, 125).init()?;
    let last = MultiStepConfig::new(0.4, vec![150])
        .with_gamma(0.5)
        .init()?;
    let sequence = LinearRampConfig::new(0.2, 1.0, 200)
        .init()?
        .then(300, cosine(400)?)?
        .then(700, last)?;
    Ok(preview
        .curve(
            "Warmup, then Cosine",
            &cosine(STEPS - 150)?.with_warmup(warmup.clone())?,
        )
        .curve(
            "Warmup over Cosine",
            &cosine(STEPS)?.with_warmup(half_cosine)?,
        )
        .curve("Warmup, then InverseSqrt", &noam)
        .curve("Warmup, then Burn's cosine", &of_burn.with_warmup(warmup)?)
        .curve("PerEpoch, Cosine of 20 epochs", &cosine(20)?.per_epoch(50)?)
        .curve(
            "Floor and Ceiling of Cyclic",
            &wave.at_least(0.3)?.at_most(0.8)?,
        )
        .curve("Sequence of three", &sequence)
        .with_rates("ReduceOnPlateau of a slow Cosine", on_plateaus(over)?))
}

/// One check per epoch of a loss that falls for six epochs after each reduction, at first.
fn on_plateaus(warmup: WarmupConfig) -> Result<Vec<f64>, Box<dyn Error>> {
    let loss = |epoch: usize| 1.0 / (1 + epoch.min(6) + epoch.saturating_sub(10).min(3)) as f64;
    let plateau = PlateauConfig::new(Goal::Minimize)
        .with_patience(Patience::Reached(2))
        .with_factor(0.5);
    let cosine = CosineConfig::new(1.0, 4 * STEPS).init()?;
    let mut schedule = cosine.with_warmup(warmup)?.reduced_on_plateau(&plateau)?;
    let rate = |step| {
        if step > 0 && step % 50 == 0 {
            schedule.observe(loss(step / 50));
        }
        schedule.step()
    };
    Ok((0..STEPS).map(rate).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { out } = Args::parse();
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let preview = wrappers(schedules(LrPreview::new(STEPS))?)?;
    println!("{preview}");
    std::fs::write(&out, preview.to_svg_panels(4))?;
    let curves = preview.to_string().lines().count();
    println!("{curves} curves in {}", out.display());
    Ok(())
}
