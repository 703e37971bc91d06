//! AutoClip.

use crate::gradient_order::GradientOrder;
use crate::norm::{NormKind, ScaledNorm};
use crate::rescale::{NonFinite, of_multiple, rescale, rescale_list, rescale_up_to_factor, signed};
use crate::stored::Stored;
use crate::transform::GradientTransform;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Bool, DType, Device, IntDType, Tensor, s};
use burn_tricks_core::{
    Config, ConfigError, ListTransform, NormScope, StateError, named_state_from_bytes,
    named_state_to_bytes,
};
use burn_tricks_kernels::{Factor, TensorList};

/// By which a recorded state shows whose it is.
const NAME: &str = "AutoClip";

/// Configuration of [`AutoClip`]: clipping at a percentile of the gradient norms so far, instead of at a chosen
/// threshold.
///
/// ```text
/// θₜ = the p-th percentile of ‖g₁‖, ..., ‖gₜ‖        of the last `history` of them
/// g  ← g · min(1, θₜ / ‖g‖)
/// ```
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::AutoClipConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let mut model = LinearConfig::new(4, 2).init(&device);
/// let mut optim = SgdConfig::new().init();
/// let mut clip = AutoClipConfig::new().with_percentile(50.0).init()?;
///
/// for size in [1.0, 2.0, 1000.0, 1.5] {
///     let loss = model.forward(Tensor::<2>::full([8, 4], size, &device)).mean();
///     let grads = GradientsParams::from_grads(loss.backward(), &model);
///     let grads = clip.apply(&model, grads); // the third is cut to the length of the second
///     model = optim.step(0.1, model, grads);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Apply it once, after accumulating and unscaling, like [`ClipGradNormConfig`](crate::ClipGradNormConfig).
///
/// # Cost
///
/// The cost of clipping by norm, and `2 · history` numbers on the device: the norms in the order of the steps, and
/// sorted. Each step replaces the oldest of the norms by the new one in a few passes over them, without a sort and without
/// a read from the device. With a million norms ([`AutoClipConfig::paper`]) a pass is 4 MB, or 8 in `f64`.
///
/// # State
///
/// The norms of the history, in the type in which they were computed: `f64` on the CPU backend and for `f64` gradients,
/// otherwise `f32`. A resumed run clips at the same thresholds. If the configured history is longer than the saved one,
/// it fills up in the next steps; if it is shorter, loading is an error.
///
/// # Several devices
///
/// Under Burn's `ddp` the first step panics, since the workers would share one history, and each would clip at another
/// threshold. `multi` works.
///
/// # Differences
///
/// - The paper remembers every norm of the run; [`AutoClipConfig::paper`] remembers the last million.
/// - The percentile is computed as in numpy, by interpolation between two norms. The present norm is included,
///   so the first step is not clipped.
/// - The authors' program remembers a norm that is not finite, so that percentiles become infinite or NaN. Here it is
///   remembered as the largest number of the norms' type, which lies above every percentile that finite norms reach. With
///   [`NonFinite::SkipStep`] it is not remembered: all later steps are clipped as in a run without the skipped one.
///
/// # Suggested values
///
/// The 10th percentile (the paper's best). It clips nine steps of ten, so most gradients are normalised to the
/// threshold. The 90th percentile clips only outliers.
///
/// # References
///
/// - Seetharaman, Wichern, Pardo, Le Roux, *AutoClip: adaptive gradient clipping for source separation networks*,
///   2020, <https://arxiv.org/abs/2007.14469>
#[derive(Config, Debug, PartialEq)]
pub struct AutoClipConfig {
    /// The percentile p, in per cent, above 0 and at most 100; 100 never clips. Default: 10.
    #[config(default = 10.0)]
    pub percentile: f64,
    /// The number of steps whose norms are remembered, at least 1. Default: 1000.
    #[config(default = 1000)]
    pub history: usize,
    /// Which norm. Default: [`NormKind::L2`].
    #[config(default = "NormKind::L2")]
    pub norm: NormKind,
    /// What happens to an infinity or a NaN. Default: [`NonFinite::Propagate`].
    #[config(default = "NonFinite::Propagate")]
    pub non_finite: NonFinite,
}

impl AutoClipConfig {
    /// The setting of the paper: the 10th percentile of all norms, up to a million of them.
    pub fn paper() -> Self {
        Self::new().with_history(1_000_000)
    }

    /// The clipper.
    ///
    /// # Errors
    ///
    /// If the percentile is not in `(0, 100]`, the history 0, or the `p` of [`NormKind::Lp`] not a finite number of
    /// at least 1.
    pub fn init(&self) -> Result<AutoClip, ConfigError> {
        if !(self.percentile > 0.0 && self.percentile <= 100.0) {
            return Err(ConfigError::new(
                "percentile",
                "lie in (0, 100]",
                self.percentile,
            ));
        }
        ConfigError::at_least_one("history", self.history)?;
        self.norm.validated()?;
        Ok(AutoClip {
            config: self.clone(),
            norms: History::default(),
        })
    }
}

/// Clips gradients at a percentile of their norms so far. Made by [`AutoClipConfig::init`].
#[derive(Debug, Clone)]
pub struct AutoClip {
    config: AutoClipConfig,
    norms: History,
}

impl AutoClip {
    /// The clipped gradients. Their norm is remembered.
    ///
    /// Gradients of parameters that `module` does not have do not count in the norm and are not changed.
    #[must_use]
    pub fn apply<M: Module>(&mut self, module: &M, grads: GradientsParams) -> GradientsParams {
        self.apply_to_multiple(module, grads, 1.0)
    }

    /// [`apply`](Self::apply) to `times` the gradients.
    fn apply_to_multiple<M: Module>(
        &mut self,
        module: &M,
        grads: GradientsParams,
        times: f64,
    ) -> GradientsParams {
        let (norm, non_finite) = (self.config.norm, self.config.non_finite);
        let (grads, times) = signed(module, grads, times);
        let mut factor = of_multiple(|norm: &ScaledNorm| self.factor(norm), times);
        let scope = NormScope::Model;
        rescale(module, grads, norm, scope, non_finite, &mut factor).0
    }

    fn factor(&mut self, norm: &ScaledNorm) -> Tensor<1> {
        let AutoClipConfig {
            percentile,
            history,
            non_finite,
            ..
        } = self.config;
        let value = norm.clone().value(norm.scale.dtype().into());
        let beyond = value.clone().is_finite().bool_not();
        let largest = largest(value.dtype());
        let value = value.mask_fill(beyond, largest);
        let skipped = (non_finite == NonFinite::SkipStep).then(|| norm.is_bad());
        self.norms.push(value.clone(), skipped, history);
        let threshold = self
            .norms
            .percentile(percentile, non_finite, &value.device());
        // A norm that is not finite propagates, also where the threshold is the largest number.
        let is_finite = norm.is_bad().bool_not();
        let unclipped = value.lower_equal(threshold.clone()).bool_and(is_finite);
        norm.share(threshold).mask_fill(unclipped, 1.0)
    }

    /// The threshold at the last step, as a tensor of one element; the largest number of its type if all steps so far were
    /// skipped, and `None` before the first step.
    pub fn threshold(&self) -> Option<Tensor<1>> {
        let device = self.norms.values.as_ref()?.sorted.device();
        let AutoClipConfig {
            percentile,
            non_finite,
            ..
        } = self.config;
        Some(self.norms.percentile(percentile, non_finite, &device))
    }

    /// The state that a resumed run needs: the norms of the history. Waits for the device.
    pub fn state(&self) -> Vec<u8> {
        named_state_to_bytes(NAME, &(self.norms.read(), 0_usize))
    }

    /// Continues from a state that [`state`](Self::state) returned.
    ///
    /// # Errors
    ///
    /// If it is not such a state, or if its history is longer than the configured one.
    pub fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        // The number is the place of the oldest norm, which was not always the first.
        let (mut norms, oldest): (Stored, usize) = named_state_from_bytes(NAME, state)?;
        let (count, history) = (norms.len(), self.config.history);
        if count > history {
            return Err(
                format!("it has {count} norms, and the history holds at most {history}").into(),
            );
        }
        if oldest > 0 && oldest >= count {
            return Err(
                format!("it has {count} norms, and the oldest would be that at {oldest}").into(),
            );
        }
        if let Some(norm) = norms.first_that_is_no_norm() {
            return Err(format!("it has a norm of {norm}").into());
        }
        norms.rotate_left(oldest);
        self.norms = History::loaded(norms);
        Ok(())
    }
}

impl GradientTransform for AutoClip {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        Self::apply(self, model, grads)
    }

    fn apply_scaled<M: Module>(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
    ) -> GradientsParams {
        self.apply_to_multiple(model, grads, factor)
    }

    fn marks_non_finite(&self) -> bool {
        self.config.non_finite == NonFinite::SkipStep
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        order.add_memory::<Self>(false);
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{:?}", self.config)]
    }

    fn restart(&mut self) {
        self.norms = History::default();
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(Self::state(self))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        Self::load_state(self, state)
    }
}

impl ListTransform for AutoClip {
    fn apply_to_list(&mut self, grads: TensorList) -> TensorList {
        let (norm, non_finite) = (self.config.norm, self.config.non_finite);
        let mut factor = |norm: &ScaledNorm| self.factor(norm);
        rescale_list(grads, norm, NormScope::Model, non_finite, &mut factor).0
    }

    fn apply_up_to_factor(&mut self, grads: TensorList) -> (TensorList, Option<Factor>) {
        let (norm, non_finite) = (self.config.norm, self.config.non_finite);
        let mut factor = |norm: &ScaledNorm| self.factor(norm);
        rescale_up_to_factor(grads, norm, NormScope::Model, non_finite, &mut factor)
    }
}

/// The last norms, on the device.
#[derive(Debug, Clone, Default)]
struct History {
    values: Option<Norms>,
    /// Norms that were loaded and are not yet on the device of the gradients.
    loaded: Option<Stored>,
}

/// The same norms twice, so that a percentile is found without a sort, which would be made on the host.
///
/// Only the device knows which steps were skipped, and the host how many numbers there are. So a skipped step adds
/// [`NONE`] as if it had been the first of all steps, or nothing if the history is full.
#[derive(Debug, Clone)]
struct Norms {
    /// From the oldest to the newest.
    in_time: Tensor<1>,
    /// From the smallest to the largest.
    sorted: Tensor<1>,
}

/// In the place of a norm that there is not; it is smaller than every norm.
const NONE: f64 = -1.0;

impl Norms {
    /// Norms from the host.
    fn loaded(stored: Stored, device: &Device) -> Self {
        Self {
            in_time: stored.clone().tensor(device),
            sorted: stored.sorted().tensor(device),
        }
    }

    /// In this type and on this device. The order stays: no number passes another one when it is rounded.
    fn moved_to(self, device: &Device, dtype: DType) -> Self {
        let moved = |values: Tensor<1>| {
            let values = if values.dtype() == dtype {
                values
            } else {
                values.clamp_max(largest(dtype)).cast(dtype)
            };
            values.to_device(device)
        };
        Self {
            in_time: moved(self.in_time),
            sorted: moved(self.sorted),
        }
    }

    /// With a place more, in which there is no norm.
    fn with_a_place_more(self) -> Self {
        let none = self.sorted.clone().slice(s![..1]).full_like(NONE);
        let with_none = |values| Tensor::cat(vec![none.clone(), values], 0);
        Self {
            in_time: with_none(self.in_time),
            sorted: with_none(self.sorted),
        }
    }

    /// With `norm` in the place of the oldest, unless the step is skipped.
    fn with(self, norm: Tensor<1>, skipped: Option<Tensor<1, Bool>>) -> Self {
        let Self { in_time, sorted } = self;
        let oldest = in_time.clone().slice(s![..1]);
        // A skipped step puts back what it has taken out.
        let new = match &skipped {
            Some(skipped) => norm.mask_where(skipped.clone(), oldest.clone()),
            None => norm,
        };
        if sorted.dims() == [1] {
            return Self {
                in_time: new.clone(),
                sorted: new,
            };
        }
        let next = Tensor::cat(vec![in_time.clone().slice(s![1..]), new.clone()], 0);
        Self {
            in_time: match skipped {
                Some(skipped) => next.mask_where(skipped.expand(in_time.shape()), in_time),
                None => next,
            },
            sorted: with_one_more(without_one(sorted, oldest), new),
        }
    }
}

/// The sorted numbers with one more: the number at each place is the middle one of its two neighbours and `x`.
fn with_one_more(sorted: Tensor<1>, x: Tensor<1>) -> Tensor<1> {
    let bound = largest(x.dtype());
    let before = Tensor::cat(vec![x.full_like(-bound), sorted.clone()], 0);
    let after = Tensor::cat(vec![sorted, x.full_like(bound)], 0);
    let x = x.expand(after.shape());
    before.max_pair(after.min_pair(x))
}

/// The sorted numbers without `x`, which is one of them.
fn without_one(sorted: Tensor<1>, x: Tensor<1>) -> Tensor<1> {
    let [count] = sorted.dims();
    let (before, after) = (sorted.clone().slice(s![..count - 1]), sorted.slice(s![1..]));
    let is_behind = before.clone().greater_equal(x.expand(before.shape()));
    before.mask_where(is_behind, after)
}

impl History {
    fn loaded(loaded: Stored) -> Self {
        Self {
            values: None,
            loaded: Some(loaded).filter(|loaded| loaded.len() > 0),
        }
    }

    fn push(&mut self, norm: Tensor<1>, skipped: Option<Tensor<1, Bool>>, history: usize) {
        let (device, dtype) = (norm.device(), norm.dtype());
        // Of a run on another device, which may have computed its norms in `f64`, where this one has no `f64`.
        let loaded = self.loaded.take().map(|loaded| loaded.narrowed(dtype));
        let loaded = loaded.map(|loaded| Norms::loaded(loaded, &device));
        let values = self.values.take().or(loaded);
        let values = match values.map(|values| values.moved_to(&device, dtype)) {
            None => {
                let none = norm.full_like(NONE);
                Norms {
                    in_time: none.clone(),
                    sorted: none,
                }
            }
            Some(values) if values.sorted.dims()[0] < history => values.with_a_place_more(),
            Some(values) => values,
        };
        self.values = Some(values.with(norm, skipped));
    }

    /// The percentile as in numpy, of the norms that there are.
    fn percentile(&self, percentile: f64, non_finite: NonFinite, device: &Device) -> Tensor<1> {
        let Some(Norms { sorted, .. }) = &self.values else {
            return Tensor::from_data([largest(DType::F32)], (device, DType::F32));
        };
        let places = sorted.dims()[0];
        if non_finite != NonFinite::SkipStep {
            // There is a norm in every place.
            let rank = percentile / 100.0 * (places - 1) as f64;
            let at = |place: usize| sorted.clone().slice(s![place..place + 1]);
            let low = at(rank.floor() as usize);
            if rank.fract() == 0.0 {
                return low;
            }
            let next = at((rank.floor() as usize + 1).min(places - 1));
            return low.clone() + (next - low) * rank.fract();
        }
        let is_none = sorted.clone().lower_elem(0.0);
        let missing = sorted.zeros_like().mask_fill(is_none, 1.0).sum();
        // Counted from 0 among the norms, which stand behind the places without one.
        let rank = (missing.clone().neg() + (places - 1) as f64) * (percentile / 100.0);
        // The rank of a norm may be beside its whole number, by the rounding of the quotient and of the product.
        let rounding = match rank.dtype() {
            DType::F64 => f64::EPSILON,
            _ => f64::from(f32::EPSILON),
        };
        let nearest = (rank.clone() + 0.5).floor();
        let is_whole = (rank.clone() - nearest.clone()).abs();
        let is_whole = is_whole.lower_equal(nearest.clone() * (2.0 * rounding));
        let rank = rank.mask_where(is_whole, nearest);
        let (below, share) = (rank.clone().floor(), rank.clone() - rank.floor());
        let at = (below + missing).clamp_max((places - 1) as f64);
        let number_at = |at: Tensor<1>| sorted.clone().select(0, at.cast(IntDType::I32));
        let next = (at.clone() + 1.0).clamp_max((places - 1) as f64);
        let low = number_at(at);
        let threshold = low.clone() + (number_at(next) - low) * share;
        let is_none = threshold.clone().lower_elem(0.0);
        let bound = largest(threshold.dtype());
        threshold.mask_fill(is_none, bound)
    }

    /// Waits for the device.
    fn read(&self) -> Stored {
        match (&self.values, &self.loaded) {
            (Some(values), _) => Stored::of(values.in_time.clone()).without_negative(),
            (None, Some(loaded)) => loaded.clone(),
            (None, None) => Stored::F32(Vec::new()),
        }
    }
}

/// A norm that is not finite counts as this one.
fn largest(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::MAX,
        _ => f64::from(f32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods)] // a test may wait
    fn number(tensor: Tensor<1>) -> f64 {
        let data = tensor.into_data();
        data.iter::<f64>().next().expect("one element")
    }

    /// A percentile between two norms is one between them also where its rank is large and the fraction of it small.
    #[test]
    fn a_small_fraction_of_a_large_rank_counts() {
        let device = Device::flex();
        let norms = [vec![1.0_f64; 10_001], vec![1e6; 9_999]].concat();
        // The rank is 20,000 · 0.50000025 = 10,000.005, between the last norm of 1 and the first of 10⁶.
        let (percentile, expected) = (50.000_025, 1.0 + 0.005 * (1e6 - 1.0));
        // In `f32` numbers of this size are 0.001 apart.
        for (dtype, tolerance) in [(DType::F64, 1e-6), (DType::F32, 0.1)] {
            let threshold = |non_finite, skipped: Option<Tensor<1, Bool>>| {
                let mut history = History::loaded(Stored::F64(norms.clone()));
                let norm = Tensor::from_data([1e6_f64], (&device, dtype));
                history.push(norm, skipped, 20_001);
                number(history.percentile(percentile, non_finite, &device))
            };
            let taken = Tensor::<1>::zeros([1], &device).equal_elem(1.0);
            for got in [
                threshold(NonFinite::Propagate, None),
                threshold(NonFinite::SkipStep, Some(taken)),
            ] {
                let off = (got / expected - 1.0).abs();
                assert!(off < tolerance, "{dtype:?}: {got}, expected {expected}");
            }
        }
    }
}
