//! Noise that multiplies activations or weights, and the dropouts.

use crate::precision::accumulation_dtype;
use crate::refuse::assert_not_negative;
use burn::tensor::{Distribution, Tensor};

/// −λα, what SELU gives for x → −∞.
const SATURATED: f64 = -1.758_099_340_847_376_6;

/// What happens to a number, at random.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Noise {
    /// It becomes 0 with probability `prob`, and is multiplied by `kept` otherwise.
    Dropout {
        /// The probability of a 0, in [0, 1].
        prob: f64,
        /// The factor of what stays, finite; 1 / (1 − p) keeps the mean. It does not count if nothing stays, with p = 1.
        kept: f64,
    },
    /// It is replaced by SELU's saturated value with probability `prob`; then everything is scaled and shifted so that mean
    /// 0 and variance 1 stay (alpha dropout).
    Alpha {
        /// The probability of being replaced, in [0, 1).
        prob: f64,
    },
    /// It is multiplied by a normally distributed number.
    Gaussian {
        /// The mean of the factor, finite.
        mean: f64,
        /// The standard deviation of the factor, finite and not negative.
        deviation: f64,
    },
}

impl Noise {
    fn assert_is_possible(self) {
        let (prob, is_possible, range) = match self {
            Self::Dropout { prob, .. } => (prob, (0.0..=1.0).contains(&prob), "[0, 1]"),
            Self::Alpha { prob } => (prob, (0.0..1.0).contains(&prob), "[0, 1)"),
            Self::Gaussian { mean, deviation } => {
                assert!(
                    mean.is_finite(),
                    "the mean of noise must be finite, got {mean}"
                );
                return assert_not_negative("the deviation of noise", deviation);
            }
        };
        assert!(
            is_possible,
            "the probability of a number to be dropped must lie in {range}, got {prob}"
        );
        if let Self::Dropout { prob, kept } = self {
            assert!(
                kept.is_finite() || prob == 1.0,
                "the factor of what stays must be finite, got {kept}"
            );
        }
    }

    /// `x m + s` for a number that stays, and for one that is dropped: `[(m, s), (m, s)]`.
    #[cfg(feature = "flex")]
    pub(crate) fn outcomes(self) -> [(f64, f64); 2] {
        match self {
            Self::Dropout { kept, .. } => [(kept, 0.0), (0.0, 0.0)],
            Self::Alpha { prob } => {
                let Alpha { a, b } = Alpha::of(prob);
                [(a, b), (0.0, a * SATURATED + b)]
            }
            Self::Gaussian { .. } => [(1.0, 0.0), (1.0, 0.0)],
        }
    }
}

/// Scale and shift of alpha dropout.
struct Alpha {
    a: f64,
    b: f64,
}

impl Alpha {
    fn of(prob: f64) -> Self {
        let a = ((1.0 - prob) * (1.0 + prob * SATURATED * SATURATED)).powf(-0.5);
        Self {
            a,
            b: -a * prob * SATURATED,
        }
    }
}

/// `x` with noise. All numbers that differ only in the last `shared` dimensions get the same: with 0 each number its own,
/// with D − 1 all numbers of a sample, with D all.
///
/// On the CPU backend the random numbers are those of a counter-based generator, Philox4x32-10, whose key is drawn from the
/// generator of the device: `Device::seed` determines them, whatever the number of threads. They are made in the pass
/// that uses them, and again in the backward pass, which has to remember nothing but the key. The pass writes into the
/// buffer of `x`, or, if another tensor shares that, into a new buffer that is filled with zeros first. But if 256 numbers
/// or more of `f32` or `f64` share theirs (not in alpha dropout), a new output of at most 32 MB is Burn's product of `x` and a
/// tensor of the factors, which one thread writes once. Both ways give equal numbers; the zeros of a dropout may have either
/// sign. Under gradient checkpointing
/// the output too is made again, not kept, if a later operation needs it. Normal numbers are computed in `f32`, also for
/// `f64`, from 31 random bits, and their magnitude is at most 6.7. On other backends [`noise_twin`] draws from the generator
/// of the device: other numbers from the same distribution.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{Noise, noise};
///
/// let ones = Tensor::<2>::ones([100, 100], &Device::flex());
/// let dropped = noise(ones, Noise::Dropout { prob: 0.25, kept: 4.0 / 3.0 }, 0);
/// let mean: f32 = dropped.mean().into_scalar();
/// assert!((mean - 1.0).abs() < 0.05);
/// ```
///
/// # Panics
///
/// If `shared` exceeds the number of dimensions, or if a number of the noise lies outside of its range.
pub fn noise<const D: usize>(x: Tensor<D>, noise: Noise, shared: usize) -> Tensor<D> {
    noise.assert_is_possible();
    assert_shared::<D>(shared);
    #[cfg(feature = "flex")]
    let x = match crate::flex::noise(x.into(), noise, shared) {
        Ok(x) => return x.into_tensor(),
        Err(x) => x.into_tensor(),
    };
    noise_twin(x, noise, shared)
}

/// [`noise`] with tensor operations alone, and with random numbers of the device's generator. Half precision is widened to
/// `f32` and rounded once, at the end.
///
/// # Panics
///
/// Like [`noise`].
pub fn noise_twin<const D: usize>(x: Tensor<D>, noise: Noise, shared: usize) -> Tensor<D> {
    noise.assert_is_possible();
    assert_shared::<D>(shared);
    let mut shape = x.dims();
    shape[D - shared..].fill(1);
    let dtype = x.dtype();
    let x = x.cast(accumulation_dtype(dtype));
    let options = (&x.device(), x.dtype());
    let draw = |distribution| Tensor::<D>::random(shape, distribution, options);
    let noisy = match noise {
        Noise::Dropout { prob, kept } => {
            // 1 / (1 − p) is infinite where nothing stays.
            let kept = if prob < 1.0 { kept } else { 0.0 };
            x * draw(Distribution::Bernoulli(1.0 - prob)).mul_scalar(kept)
        }
        Noise::Alpha { prob } => {
            let mask = draw(Distribution::Bernoulli(1.0 - prob));
            alpha_dropout_with(x, mask, prob)
        }
        Noise::Gaussian { mean, deviation } => x * draw(Distribution::Normal(mean, deviation)),
    };
    noisy.cast(dtype)
}

fn assert_shared<const D: usize>(shared: usize) {
    assert!(
        shared <= D,
        "a tensor of rank {D} has no {shared} last dimensions"
    );
}

/// Alpha dropout, given which numbers stay: 1, or 0 for those that are replaced.
fn alpha_dropout_with<const D: usize>(x: Tensor<D>, mask: Tensor<D>, prob: f64) -> Tensor<D> {
    let Alpha { a, b } = Alpha::of(prob);
    // a α′ (1 − m) + b, which is b where the number stays.
    let shift = mask.clone().mul_scalar(-a * SATURATED) + (a * SATURATED + b);
    x * mask.mul_scalar(a) + shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData, Tolerance};

    #[test]
    fn given_the_mask_alpha_dropout_is_the_formula_of_pytorch() {
        // torch 2.15: F.alpha_dropout's a, b for p = 0.25 and the mask [1, 0, 1, 1], by its formula.
        let device = Device::flex();
        let x = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0], &device);
        let mask = Tensor::<1>::from_floats([1.0, 0.0, 1.0, 1.0], &device);
        let expected = [1.248_439_3, -1.143_544_2, 2.982_955_2, 3.850_213];
        #[allow(clippy::disallowed_methods)] // not on the step path
        let got = alpha_dropout_with(x, mask, 0.25).into_data();
        got.assert_approx_eq::<f32>(&TensorData::from(expected), Tolerance::relative(1e-6));
    }
}
