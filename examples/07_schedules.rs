//! Draws every learning-rate schedule into one SVG.

use burn::lr_scheduler::LrScheduler;
use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn_tricks::Goal;
use burn_tricks::schedule::*;
use clap::Parser;
use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle};
use plotters_backend::{DrawingBackend, FontFamily};
use plotters_svg::SVGBackend;
use std::convert::Infallible;
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
const COLUMNS: usize = 4;

// The backend rounds to whole pixels: panels so large that it does not show.
const PANEL: (i32, i32) = (580, 380);
const HEADER: i32 = 80;
/// Room around a curve: left, top, right, bottom.
const MARGIN: [i32; 4] = [68, 100, 44, 48];

const WHITE: Ink = Ink::new(255, 255, 255);
const DARK: Ink = Ink::new(38, 44, 54);
const FAINT: Ink = Ink::new(110, 118, 130);
const GRID: Ink = Ink::new(222, 226, 232);
const SCHEDULE: Ink = Ink::new(31, 98, 178).wide(4);
const WRAPPER: Ink = Ink::new(192, 80, 20).wide(4);

/// The color and the width of a line.
#[derive(Clone, Copy)]
struct Ink {
    color: BackendColor,
    width: u32,
}

impl Ink {
    const fn new(red: u8, green: u8, blue: u8) -> Self {
        let rgb = (red, green, blue);
        let color = BackendColor { alpha: 1.0, rgb };
        Self { color, width: 2 }
    }

    const fn wide(self, width: u32) -> Self {
        Self { width, ..self }
    }
}

impl BackendStyle for Ink {
    fn color(&self) -> BackendColor {
        self.color
    }

    fn stroke_width(&self) -> u32 {
        self.width
    }
}

/// Text is left to whoever shows the SVG: no font is needed here.
struct Letters {
    size: f64,
    ink: Ink,
    anchor: Pos,
}

impl Letters {
    fn new(size: f64, ink: Ink, horizontal: HPos, vertical: VPos) -> Self {
        let anchor = Pos::new(horizontal, vertical);
        Self { size, ink, anchor }
    }
}

impl BackendTextStyle for Letters {
    type FontError = Infallible;

    fn color(&self) -> BackendColor {
        self.ink.color
    }

    fn size(&self) -> f64 {
        self.size
    }

    fn anchor(&self) -> Pos {
        self.anchor
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::SansSerif
    }

    fn layout_box(&self, _: &str) -> Result<((i32, i32), (i32, i32)), Infallible> {
        Ok(((0, 0), (0, 0)))
    }

    fn draw<E, D: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        _: &str,
        _: BackendCoord,
        _: D,
    ) -> Result<Result<(), E>, Infallible> {
        Ok(Ok(()))
    }
}

struct Panel {
    title: &'static str,
    note: &'static str,
    ink: Ink,
    rates: Vec<f64>,
}

impl Panel {
    fn schedule(title: &'static str, note: &'static str, schedule: impl LrScheduler) -> Self {
        Self::of(title, note, SCHEDULE, schedule, |_, schedule| {
            schedule.step()
        })
    }

    fn wrapper(title: &'static str, note: &'static str, schedule: impl LrScheduler) -> Self {
        Self::of(title, note, WRAPPER, schedule, |_, schedule| {
            schedule.step()
        })
    }

    fn of<S>(
        title: &'static str,
        note: &'static str,
        ink: Ink,
        mut schedule: S,
        mut rate: impl FnMut(usize, &mut S) -> f64,
    ) -> Self {
        let rates = (0..STEPS).map(|step| rate(step, &mut schedule)).collect();
        Self {
            title,
            note,
            ink,
            rates,
        }
    }
}

fn schedules() -> Result<Vec<Panel>, Box<dyn Error>> {
    let steps = STEPS;
    let decay = ExponentialDecayConfig::new(1.0).with_gamma(0.85);
    let restarts = CosineRestartsConfig::new(1.0, 143).with_multiplier(2);
    let wave = CyclicConfig::new(0.1, 1.0, 100);
    let optax = OneCycleConfig::optax_linear(1.0, steps).with_rise(0.4);
    let stable = WarmupStableDecayConfig::new(1.0, steps, 300).with_warmup_steps(100);
    Ok(vec![
        Panel::schedule(
            "ExponentialDecay",
            "per epoch, × 0.85",
            decay.with_steps_per_epoch(50).init()?,
        ),
        Panel::schedule(
            "MultiStep",
            "÷ 3 at 50 % and 75 %",
            MultiStepConfig::new(1.0, vec![500, 750])
                .with_gamma(1.0 / 3.0)
                .init()?,
        ),
        Panel::schedule(
            "Linear",
            "to 0.1 in 80 %, held",
            LinearRampConfig::new(1.0, 0.1, 800).init()?,
        ),
        Panel::schedule(
            "Polynomial",
            "power 2",
            PolynomialConfig::new(1.0, steps).with_power(2.0).init()?,
        ),
        Panel::schedule(
            "InverseSqrt",
            "time scale 50",
            InverseSqrtConfig::new(1.0).with_timescale(50).init()?,
        ),
        Panel::schedule(
            "Cosine",
            "to 0.1 in 80 %, held",
            CosineConfig::new(1.0, 800).with_min_lr(0.1).init()?,
        ),
        Panel::schedule(
            "CosineRestarts",
            "cycles × 2, peaks × 0.7",
            restarts.with_peak_decay(0.7).init()?,
        ),
        Panel::schedule(
            "CosineRestarts",
            "5 equal cycles, for snapshots",
            CosineRestartsConfig::new(1.0, 200).init()?,
        ),
        Panel::schedule(
            "OneCycle",
            "PyTorch's, cosine",
            OneCycleConfig::torch(1.0, steps).init()?,
        ),
        Panel::schedule("OneCycle", "optax's, linear, three phases", optax.init()?),
        Panel::schedule("Cyclic", "triangular", wave.clone().init()?),
        Panel::schedule(
            "Cyclic",
            "triangular2",
            wave.clone().with_mode(CyclicMode::Triangular2).init()?,
        ),
        Panel::schedule(
            "Cyclic",
            "exp_range",
            wave.with_mode(CyclicMode::ExpRange { gamma: 0.998 })
                .init()?,
        ),
        Panel::schedule("WarmupStableDecay", "linear", stable.clone().init()?),
        Panel::schedule(
            "WarmupStableDecay",
            "1 − √p",
            stable.with_shape(LrDecayShape::OneMinusSqrt).init()?,
        ),
    ])
}

fn wrappers() -> Result<Vec<Panel>, Box<dyn Error>> {
    let warmup = WarmupConfig::new(150);
    let half_cosine = warmup.clone().with_shape(Anneal::Cosine);
    let start = WarmupStart::Factor(1.0 / 150.0);
    let cosine = |steps| CosineConfig::new(1.0, steps).init();
    let of_burn = CosineAnnealingLrSchedulerConfig::new(1.0, STEPS - 150).init()?;
    let noam = InverseSqrtConfig::new(1.0).with_timescale(150).init()?;
    let over = warmup.clone().with_mode(WarmupMode::Over);
    let sequence = LinearRampConfig::new(0.2, 1.0, 200)
        .init()?
        .then(300, cosine(400)?)?
        .then(
            700,
            MultiStepConfig::new(0.4, vec![150])
                .with_gamma(0.5)
                .init()?,
        )?;
    let plateau = PlateauConfig::new(Goal::Minimize)
        .with_patience(Patience::Reached(2))
        .with_factor(0.5);
    // One check per epoch of a loss that falls for six epochs after each reduction, at first.
    let loss = |epoch: usize| 1.0 / (1 + epoch.min(6) + epoch.saturating_sub(10).min(3)) as f64;
    Ok(vec![
        Panel::wrapper(
            "Warmup",
            "linear, then Cosine",
            cosine(STEPS - 150)?.with_warmup(warmup.clone())?,
        ),
        Panel::wrapper(
            "Warmup",
            "half a cosine, over Cosine",
            cosine(STEPS)?.with_warmup(half_cosine.with_mode(WarmupMode::Over))?,
        ),
        Panel::wrapper(
            "Warmup",
            "then InverseSqrt: the Transformer's",
            noam.with_warmup(warmup.clone().with_start(start))?,
        ),
        Panel::wrapper("Warmup", "then Burn's cosine", of_burn.with_warmup(warmup)?),
        Panel::wrapper(
            "PerEpoch",
            "Cosine of 20 epochs",
            cosine(20)?.per_epoch(50)?,
        ),
        Panel::wrapper(
            "Floor and Ceiling",
            "of Cyclic, 0.3 to 0.8",
            CyclicConfig::new(0.0, 1.0, 125)
                .init()?
                .at_least(0.3)?
                .at_most(0.8)?,
        ),
        Panel::wrapper("Sequence", "Linear, Cosine, MultiStep", sequence),
        Panel::of(
            "ReduceOnPlateau",
            "× 0.5, of Warmup over a slow Cosine",
            WRAPPER,
            cosine(4 * STEPS)?
                .with_warmup(over)?
                .reduced_on_plateau(&plateau)?,
            |step, schedule| {
                if step > 0 && step % 50 == 0 {
                    schedule.observe(loss(step / 50));
                }
                schedule.step()
            },
        ),
    ])
}

/// Title, note, and the curve over a light grid. Steps run to the right, rates from 0 to 1 upwards.
fn draw(
    svg: &mut SVGBackend<'_>,
    (x, y): BackendCoord,
    panel: &Panel,
) -> Result<(), Box<dyn Error>> {
    let [left, top, right, bottom] = MARGIN;
    let (width, height) = (PANEL.0 - left - right, PANEL.1 - top - bottom);
    let place = |step: f64, rate: f64| {
        let across = step / STEPS as f64 * f64::from(width);
        let up = rate * f64::from(height);
        (
            x + left + across.round() as i32,
            y + top + height - up.round() as i32,
        )
    };
    let title = Letters::new(32.0, DARK, HPos::Left, VPos::Top);
    svg.draw_text(panel.title, &title, (x + left, y + 16))?;
    let note = Letters::new(26.0, FAINT, HPos::Left, VPos::Top);
    svg.draw_text(panel.note, &note, (x + left, y + 54))?;

    let beside = Letters::new(24.0, FAINT, HPos::Right, VPos::Center);
    for rate in [0.0, 0.5, 1.0] {
        let end = STEPS as f64;
        svg.draw_line(place(0.0, rate), place(end, rate), &GRID)?;
        let (at, line) = place(0.0, rate);
        svg.draw_text(&rate.to_string(), &beside, (at - 12, line))?;
    }
    let under = Letters::new(24.0, FAINT, HPos::Center, VPos::Top);
    for step in [0, STEPS / 2, STEPS] {
        let (at, line) = place(step as f64, 0.0);
        svg.draw_text(&step.to_string(), &under, (at, line + 12))?;
    }
    let points = panel.rates.iter().enumerate();
    let points = points.map(|(step, &rate)| place(step as f64, rate));
    svg.draw_path(points.collect::<Vec<_>>(), &panel.ink)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let Args { out } = Args::parse();
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut panels = schedules()?;
    // The wrappers begin on a row of their own.
    let first = panels.len().next_multiple_of(COLUMNS);
    let wrappers = wrappers()?;
    let rows = (first + wrappers.len()).div_ceil(COLUMNS);
    let places = (0..panels.len()).chain(first..);
    panels.extend(wrappers);

    let width = PANEL.0 * COLUMNS as i32;
    let size = (width, HEADER + PANEL.1 * rows as i32);
    let mut svg = SVGBackend::new(&out, (size.0 as u32, size.1 as u32));
    svg.draw_rect((0, 0), size, &WHITE, true)?;
    let caption = Letters::new(36.0, DARK, HPos::Left, VPos::Top);
    let text = "Learning rate by optimizer step: schedules in blue, wrappers in orange";
    svg.draw_text(text, &caption, (MARGIN[0], 28))?;
    for (place, panel) in places.zip(&panels) {
        let (row, column) = ((place / COLUMNS) as i32, (place % COLUMNS) as i32);
        draw(&mut svg, (column * PANEL.0, HEADER + row * PANEL.1), panel)?;
    }
    svg.present()?;
    println!("{} curves in {}", panels.len(), out.display());
    Ok(())
}
