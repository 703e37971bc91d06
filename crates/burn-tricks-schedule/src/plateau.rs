//! Detects a plateau of a metric.

use burn_tricks_core::{Config, ConfigError, Goal, Improvement, MinDelta};
use serde::{Deserialize, Serialize};

/// How many checks in a row may pass without improvement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Patience {
    /// Reduce at the check with this number, at least 1: Keras, optax.
    Reached(usize),
    /// Reduce at the check after this number: PyTorch.
    Exceeded(usize),
}

impl Patience {
    fn is_used_up(self, bad: usize) -> bool {
        match self {
            Self::Reached(patience) => bad >= patience,
            Self::Exceeded(patience) => bad > patience,
        }
    }
}

/// Configuration of [`Plateau`], which detects a plateau of a metric, and says by how much to reduce the rate: the
/// logic alone, on numbers.
///
/// Give it the metric after each check of the model. It returns whether to reduce the learning rate now, and holds
/// the product of all reductions so far, the scale. The rules for the value x of a check, in this order:
///
/// ```text
/// x improves on r            r ← x, bad ← 0;  else bad ← bad + 1
/// cooldown left              cooldown ← cooldown − 1, bad ← 0
/// bad has used up patience   scale ← max(scale · factor, min_scale), bad ← 0, cooldown begins
/// ```
///
/// The reference r, which PyTorch and Keras call the best, is the last value that was better than the r before
/// it by more than `min_delta`.
///
/// [`ReduceOnPlateau`](crate::ReduceOnPlateau) multiplies the learning rate of any schedule by the scale.
///
/// # Example
///
/// ```
/// use burn_tricks_core::Goal;
/// use burn_tricks_schedule::{Patience, PlateauConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut plateau = PlateauConfig::new(Goal::Minimize)
///     .with_patience(Patience::Reached(2))
///     .with_factor(0.5)
///     .init()?;
/// let reduced = [1.0, 0.8, 0.9, 0.8].map(|loss| plateau.observe(loss));
/// assert_eq!(reduced, [false, false, false, true]);
/// assert_eq!(plateau.scale(), 0.5);
/// # Ok(())
/// # }
/// ```
///
/// PyTorch's `ReduceLROnPlateau(mode="max", cooldown=2)`:
///
/// ```
/// use burn_tricks_core::Goal;
/// use burn_tricks_schedule::PlateauConfig;
///
/// let plateau = PlateauConfig::torch(Goal::Maximize).with_cooldown(2).init()?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// Call `observe` after validation, before early stopping. Its patience must be shorter than that of early
/// stopping, or the run ends before the first reduction.
///
/// # Cost
///
/// Its state is a few numbers, which serde can save.
///
/// # Differences
///
/// - PyTorch's and optax's relative thresholds are wrong for negative metrics: with the threshold `best · (1 −
///   δ)`, every repetition of a negative best value counts as an improvement, so the learning rate is never reduced.
///   Here the margin is `δ · |best|`.
/// - PyTorch reduces at the check after `patience` checks without improvement ([`Patience::Exceeded`]). Keras
///   and optax reduce at the last of these checks ([`Patience::Reached`], the default here), and early stopping
///   stops there.
/// - A cooldown of c ignores c checks, as in PyTorch and optax. Keras counts the last of them, so a cooldown of
///   c in Keras is c − 1 here.
/// - PyTorch leaves out a reduction that lowers the learning rate by at most its `eps`, 10⁻⁸ unless set: with factor 0.1 a
///   rate of 10⁻³ ends at 10⁻⁸. Here it is reduced further, down to `min_scale` or `floor`.
/// - At the smallest scale nothing is reduced any more, and no cooldown begins.
/// - optax with a patience of 0 reduces when the metric improves; here `Patience::Reached(0)` is an error.
/// - optax can average several values into one check; here, average them before you call `observe`.
///
/// # Suggested values
///
/// Factor 0.1, patience 10, threshold 10⁻⁴ (the same in PyTorch, Keras and optax).
///
/// # References
///
/// - PyTorch, `ReduceLROnPlateau`, issue 38622; Keras, `callbacks.ReduceLROnPlateau`
/// - optax, `contrib.reduce_on_plateau`, pull request 1767
#[derive(Config, Debug, PartialEq)]
pub struct PlateauConfig {
    /// Whether the metric is to be minimised or maximised.
    pub goal: Goal,
    /// The scale is multiplied by this, in `(0, 1]`. Default: 0.1. With 1 nothing changes.
    #[config(default = 0.1)]
    pub factor: f64,
    /// How many checks in a row may pass without improvement. Default: the learning rate is reduced at the tenth.
    #[config(default = "Patience::Reached(10)")]
    pub patience: Patience,
    /// How much better than the reference r a value must be to count as an improvement. Default: by more than
    /// 10⁻⁴ of the size of r.
    #[config(default = "MinDelta::Relative(1e-4)")]
    pub min_delta: MinDelta,
    /// The number of checks after a reduction that do not count against the patience. Default: 0.
    #[config(default = 0)]
    pub cooldown: usize,
    /// The smallest scale, in `[0, 1]`, as in optax. Default: 0.
    #[config(default = 0.0)]
    pub min_scale: f64,
    /// The smallest learning rate, ≥ 0, to which [`ReduceOnPlateau`](crate::ReduceOnPlateau) reduces: `min_lr` of
    /// PyTorch and Keras. Default: 0.
    #[config(default = 0.0)]
    pub floor: f64,
}

impl PlateauConfig {
    /// PyTorch's default values, without its `eps`: see [the differences](Self#differences).
    pub fn torch(goal: Goal) -> Self {
        Self::new(goal).with_patience(Patience::Exceeded(10))
    }

    /// Keras's default values. Its `cooldown` of c ≥ 1 is `with_cooldown(c - 1)`.
    pub fn keras(goal: Goal) -> Self {
        Self::new(goal).with_min_delta(MinDelta::Absolute(1e-4))
    }

    /// optax's default values; optax only minimises.
    pub fn optax() -> Self {
        Self::new(Goal::Minimize)
    }

    /// The plateau detector before its first check.
    ///
    /// # Errors
    ///
    /// If the factor is not in `(0, 1]`, if `min_delta` or the floor is negative or not finite, if `min_scale`
    /// is not in `[0, 1]`, or if the patience is `Reached(0)`.
    pub fn init(&self) -> Result<Plateau, ConfigError> {
        ConfigError::factor("factor", self.factor)?;
        if self.patience == Patience::Reached(0) {
            let requirement = "bear at least one check (or be `Exceeded(0)`)";
            return Err(ConfigError::new("patience", requirement, self.patience));
        }
        self.min_delta.validated("min_delta")?;
        ConfigError::within("min_scale", self.min_scale, 0.0..=1.0)?;
        ConfigError::non_negative("floor", self.floor)?;
        Ok(Plateau {
            config: self.clone(),
            state: PlateauState::default(),
        })
    }
}

/// The part of [`Plateau`] that a resumed run needs. Every number in it is finite, so JSON can hold it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlateauState {
    /// The reference r: the last value that was an improvement, or the first finite value; `None` before that.
    /// The best value so far may be better than r by less than `min_delta`.
    pub best: Option<f64>,
    /// The number of checks in a row without improvement, without those of a cooldown.
    pub bad: usize,
    /// The number of coming checks that will not count.
    pub cooldown_left: usize,
    /// The number of reductions so far.
    pub reductions: usize,
}

/// Detects a plateau of a metric. Made by [`PlateauConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct Plateau {
    pub(crate) config: PlateauConfig,
    pub(crate) state: PlateauState,
}

impl Plateau {
    /// Takes the metric of the next check, and says whether the scale has just become smaller.
    ///
    /// A NaN or an infinity is no improvement and never the best.
    pub fn observe(&mut self, value: impl Into<f64>) -> bool {
        let value = value.into();
        let rule = Improvement {
            goal: self.config.goal,
            min_delta: self.config.min_delta,
        };
        let state = &mut self.state;
        if rule.improves(value, state.best) {
            state.best = Some(value);
            state.bad = 0;
        } else {
            state.bad = state.bad.saturating_add(1);
        }
        if state.cooldown_left > 0 {
            state.cooldown_left -= 1;
            state.bad = 0;
        }
        // A check that improved is none to reduce at, whatever the patience.
        if state.bad == 0 || !self.config.patience.is_used_up(state.bad) {
            return false;
        }
        state.bad = 0;
        let before = self.scale();
        self.state.reductions += 1;
        if self.scale() == before {
            self.state.reductions -= 1;
            return false;
        }
        self.state.cooldown_left = self.config.cooldown;
        true
    }

    /// The product of the reductions so far, by which the learning rate is to be multiplied. 1 at first.
    pub fn scale(&self) -> f64 {
        // In closed form: hundreds of reductions do not drift.
        let scale = self.config.factor.powf(self.state.reductions as f64);
        scale.max(self.config.min_scale)
    }

    /// The state to save with a checkpoint.
    pub fn state(&self) -> &PlateauState {
        &self.state
    }

    /// Resumes from a saved state.
    #[must_use]
    pub fn with_state(mut self, state: PlateauState) -> Self {
        self.state = state;
        self
    }
}
