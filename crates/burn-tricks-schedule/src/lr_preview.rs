//! Learning rates of a run, drawn before the run.

use burn::lr_scheduler::LrScheduler;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::Module;
use burn::optim::LearningRate;
use burn_tricks_core::{Axis, Chart, ConfigError, near_names, params};
use std::fmt::Display;

/// The learning rates that schedules will give in a run: to look at as a line of text, as SVG or as a table, before the
/// run.
///
/// It steps copies of the schedules, so a schedule itself does not advance.
///
/// # Example
///
/// ```
/// use burn_tricks_schedule::{CosineConfig, LrPreview, LrSchedulerExt, OneCycleConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let cosine = CosineConfig::new(0.1, 900).init()?.with_warmup(100)?;
/// let cycle = OneCycleConfig::torch(0.4, 1_000).init()?;
/// let preview = LrPreview::new(1_000).curve("cosine", &cosine).curve("one cycle", &cycle);
/// println!("{preview}");
/// // cosine     ▁▃▅▇████████▇▇▇▇▆▆▆▅▅▅▄▄▄▃▃▃▂▂▂▂▁▁▁▁▁▁▁▁  0 to 0.1
/// // one cycle  ▁▁▂▂▃▄▅▆▇█████████▇▇▇▆▆▆▅▅▄▄▃▃▃▂▂▂▁▁▁▁▁▁  1.6e-6 to 0.4
/// let svg = preview.to_svg("Two schedules");
/// assert!(svg.starts_with("<svg"));
/// assert_eq!(preview.rates("cosine").unwrap()[50], 0.05);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Make a preview before a training. A schedule that reacts to a metric, such as a
/// [`ReduceOnPlateau`](crate::ReduceOnPlateau), is drawn as if it never reacted.
///
/// # Cost
///
/// One number for each curve and step.
#[derive(Debug, Clone, PartialEq)]
pub struct LrPreview {
    steps: usize,
    curves: Vec<(String, Vec<LearningRate>)>,
}

/// The characters of a sparkline, from the lowest to the highest.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// How many characters a sparkline has where it is displayed.
const WIDTH: usize = 40;
/// How many points a line of the SVG has at most.
const POINTS: usize = 1_000;

impl LrPreview {
    /// A preview of a run of `steps` optimizer steps, without curves.
    pub fn new(steps: usize) -> Self {
        Self {
            steps,
            curves: Vec::new(),
        }
    }

    /// Adds the learning rates of the next steps of `schedule`, under a name.
    #[must_use]
    pub fn curve(mut self, name: &str, schedule: &dyn LrScheduler) -> Self {
        let mut schedule = schedule.clone_box();
        let rates = (0..self.steps).map(|_| schedule.step()).collect();
        self.curves.push((name.to_owned(), rates));
        self
    }

    /// Adds the learning rates of one parameter of `model`, under the parameter's path: for schedules with groups of
    /// parameters, such as those of [`GroupLrConfig`](crate::GroupLrConfig) and
    /// [`LayerWiseLrConfig`](crate::LayerWiseLrConfig). A tied parameter has the same learning rates under each of its
    /// paths.
    ///
    /// # Errors
    ///
    /// If `model` has no parameter at `path`: the error suggests similar names.
    pub fn parameter<M: Module>(
        mut self,
        path: &str,
        schedule: &ModuleLrScheduler,
        model: &M,
    ) -> Result<Self, ConfigError> {
        let known = params(model);
        let Some(param) = known.iter().find(|param| param.path == path) else {
            let paths: Vec<String> = known.into_iter().map(|param| param.path).collect();
            let requirement = match near_names(path, &paths).as_slice() {
                [] => "be the path of a parameter".to_owned(),
                near => format!(
                    "be the path of a parameter, such as `{}`",
                    near.join("`, `")
                ),
            };
            return Err(ConfigError::new("path", requirement, path));
        };
        // Optimizers step the first place of a tied parameter.
        let first = known.iter().find(|other| other.id == param.id);
        let first = first.map(|first| first.path.as_str());
        let mut schedule = schedule.clone();
        let rate = |_| schedule.step().lr_from_param(param.id, first);
        let rates = (0..self.steps).map(rate).collect();
        self.curves.push((path.to_owned(), rates));
        Ok(self)
    }

    /// Adds learning rates that were computed elsewhere, as by a schedule that observes a metric. Those beyond the steps of
    /// the run are left out, and missing ones are NaN, which is drawn as a gap.
    #[must_use]
    pub fn with_rates(mut self, name: &str, rates: impl IntoIterator<Item = LearningRate>) -> Self {
        let missing = std::iter::repeat(f64::NAN);
        let rates = rates.into_iter().chain(missing).take(self.steps).collect();
        self.curves.push((name.to_owned(), rates));
        self
    }

    /// The learning rates of a curve, step by step; none if there is no curve of this name.
    pub fn rates(&self, name: &str) -> Option<&[LearningRate]> {
        let found = self.curves.iter().find(|(of, _)| of == name);
        found.map(|(_, rates)| rates.as_slice())
    }

    /// A curve as a line of `width` characters, from `▁` for 0 to `█` for the highest learning rate of this curve. Each
    /// character stands for the mean of its steps; with fewer steps than `width`, for one step. A step whose rate is not
    /// finite makes its character `?`. It is empty if there is no curve of this name.
    pub fn sparkline(&self, name: &str, width: usize) -> String {
        self.rates(name)
            .map_or_else(String::new, |rates| sparkline(rates, width))
    }

    /// All curves in one chart, as SVG: learning rates over optimizer steps.
    pub fn to_svg(&self, title: &str) -> String {
        self.chart(title, &self.curves).to_svg()
    }

    /// A chart for each curve, with the curve's name as its title, in one SVG: `columns` of them in a row. All have the
    /// same axes.
    pub fn to_svg_panels(&self, columns: usize) -> String {
        let curves = self.curves.iter();
        let charts: Vec<Chart> = curves
            .map(|curve| self.chart(&curve.0, std::slice::from_ref(curve)))
            .collect();
        Chart::panels_to_svg(&charts, columns)
    }

    fn chart(&self, title: &str, curves: &[(String, Vec<LearningRate>)]) -> Chart {
        let rates = self
            .curves
            .iter()
            .flat_map(|(_, rates)| rates.iter().copied());
        let highest = rates.filter(|rate| rate.is_finite()).fold(0.0, f64::max);
        let last = self.steps.saturating_sub(1) as f64;
        let chart = Chart::new(
            title,
            Axis::new("optimizer step", 0.0, last),
            Axis::new("learning rate", 0.0, highest),
        );
        // Two neighbours closer than a pixel cannot be told apart.
        let every = self.steps.div_ceil(POINTS).max(1);
        curves.iter().fold(chart, |chart, (name, rates)| {
            let points = rates.iter().enumerate();
            let points =
                points.filter(|(step, _)| step.is_multiple_of(every) || *step + 1 == rates.len());
            chart.line(name, points.map(|(step, rate)| (step as f64, *rate)))
        })
    }

    /// All curves as comma-separated values: a header, and a row for each step. Commas and line breaks in a name become
    /// spaces.
    pub fn to_csv(&self) -> String {
        let mut csv = "step".to_owned();
        for (name, _) in &self.curves {
            csv.push(',');
            csv.push_str(&name.replace([',', '\n', '\r', '"'], " "));
        }
        csv.push('\n');
        for step in 0..self.steps {
            csv.push_str(&step.to_string());
            for (_, rates) in &self.curves {
                csv.push_str(&format!(",{}", rates[step]));
            }
            csv.push('\n');
        }
        csv
    }
}

/// One row for each curve: its name, its sparkline, its lowest and its highest learning rate.
impl Display for LrPreview {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.curves.iter().map(|(name, _)| name.chars().count());
        let width = names.max().unwrap_or(0);
        for (row, (name, rates)) in self.curves.iter().enumerate() {
            let low = rates.iter().copied().fold(f64::INFINITY, f64::min);
            let high = rates.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if row > 0 {
                writeln!(f)?;
            }
            let line = sparkline(rates, WIDTH);
            write!(f, "{name:width$}  {line}")?;
            if low <= high {
                write!(f, "  {} to {}", short(low), short(high))?;
            }
        }
        Ok(())
    }
}

/// A learning rate in two digits, where it is not shorter anyway.
fn short(rate: f64) -> String {
    let (plain, rounded) = (rate.to_string(), format!("{rate:.1e}"));
    if plain.len() <= rounded.len() {
        plain
    } else {
        rounded
    }
}

fn sparkline(rates: &[LearningRate], width: usize) -> String {
    let highest = rates.iter().copied().filter(|rate| rate.is_finite());
    let highest = highest.fold(0.0, f64::max);
    let width = width.min(rates.len());
    let level = |place: usize| {
        let part = &rates[place * rates.len() / width..(place + 1) * rates.len() / width];
        let mean = part.iter().sum::<f64>() / part.len() as f64;
        if !mean.is_finite() {
            return '?';
        }
        let share = if highest > 0.0 { mean / highest } else { 0.0 };
        let level = (share * LEVELS.len() as f64) as usize;
        LEVELS[level.min(LEVELS.len() - 1)]
    };
    (0..width).map(level).collect()
}
