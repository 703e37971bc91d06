//! Batch norm: of parts of a batch, or with fixed statistics.

#[cfg(feature = "flex")]
use crate::any_tensor::AnyTensor;
use crate::refuse::assert_not_negative;
use burn::tensor::module::{batch_norm, batch_norm_train};
use burn::tensor::{DType, FloatDType, Tensor};

/// A normalised batch, and the statistics of its parts, which have no gradient.
#[derive(Debug, Clone)]
pub struct BatchNormed<const D: usize> {
    /// `γ (x − μ) / √(σ² + ε) + β`, in the shape of x.
    pub output: Tensor<D>,
    /// The means μ, `[parts, channels]`.
    pub means: Tensor<2>,
    /// The variances σ², `[parts, channels]`: sums of squared deviations, divided by their number.
    pub variances: Tensor<2>,
}

/// Batch norm, in training, of `parts` of a batch, each with its own mean and variance: `γ (x − μ) / √(σ² + ε) + β`. The
/// sizes of the parts differ by one sample at most. `x` is `[samples, channels, ...]`, γ and β have a number for each
/// channel.
///
/// On the CPU backend one read for means and variances and one pass for the output, whose buffer is filled with zeros first;
/// backwards one read and one pass too, in the buffer of the gradient. Eight terms at a time are added in the precision of
/// the calculation, and their sums in `f64`. Autodiff sees one operation. If γ or β is of another type than `x`, all is
/// computed in `f32` (`f64` if one of them is), with the output in the type of `x` and the statistics in that of the
/// calculation; beside an `f64` vector, a narrower `x` is converted as a whole before.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::ghost_batch_norm;
///
/// let device = Device::flex();
/// let x = Tensor::<2>::from_floats([[1.0], [3.0], [10.0], [30.0]], &device);
/// let (gamma, beta) = (Tensor::ones([1], &device), Tensor::zeros([1], &device));
/// let normed = ghost_batch_norm(x, gamma, beta, 1e-9, 2);
/// assert_eq!(normed.output.into_data().to_vec::<f32>().unwrap(), [-1.0, 1.0, -1.0, 1.0]);
/// assert_eq!(normed.means.into_data().to_vec::<f32>().unwrap(), [2.0, 20.0]);
/// ```
///
/// # Panics
///
/// If there are more parts than samples or none, if `x` has rank 1, if γ or β have another number of channels, or if ε is
/// negative, infinite or NaN.
pub fn ghost_batch_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    parts: usize,
) -> BatchNormed<D> {
    check_parts(&x, [&gamma, &beta], epsilon, parts);
    #[cfg(feature = "flex")]
    let (x, gamma, beta) = {
        let inputs = [x.into(), gamma.into(), beta.into()];
        match crate::flex::ghost_batch_norm(inputs, epsilon, parts) {
            Ok((output, statistics)) => {
                let [means, variances] = statistics.map(AnyTensor::into_tensor);
                return BatchNormed {
                    output: output.into_tensor(),
                    means,
                    variances,
                };
            }
            Err([x, gamma, beta]) => (x.into_tensor(), gamma.into_tensor(), beta.into_tensor()),
        }
    };
    if let Some(wide) = common_dtype(&x, &[&gamma, &beta]) {
        let dtype = x.dtype();
        let [gamma, beta] = [gamma, beta].map(|vector| vector.cast(wide));
        let normed = ghost_batch_norm(x.cast(wide), gamma, beta, epsilon, parts);
        let output = normed.output.cast(dtype);
        return BatchNormed { output, ..normed };
    }
    ghost_batch_norm_twin(x, gamma, beta, epsilon, parts)
}

/// [`ghost_batch_norm`] with Burn's batch norm of each part: the specification, for tensors of one type.
///
/// # Panics
///
/// Like [`ghost_batch_norm`].
pub fn ghost_batch_norm_twin<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    parts: usize,
) -> BatchNormed<D> {
    check_parts(&x, [&gamma, &beta], epsilon, parts);
    let samples = x.dims()[0];
    let normed = bounds(samples, parts).map(|(start, end)| {
        let part = match parts {
            1 => x.clone(),
            _ => x.clone().narrow(0, start, end - start),
        };
        batch_norm_train(part, gamma.clone(), beta.clone(), epsilon)
    });
    let row = |vector: Tensor<1>| {
        let vector = if vector.is_autodiff() {
            vector.inner()
        } else {
            vector
        };
        vector.unsqueeze_dim::<2>(0)
    };
    let (mut outputs, mut means, mut variances) = (Vec::new(), Vec::new(), Vec::new());
    for part in normed {
        outputs.push(part.output);
        means.push(row(part.mean));
        variances.push(row(part.variance));
    }
    BatchNormed {
        output: Tensor::cat(outputs, 0),
        means: Tensor::cat(means, 0),
        variances: Tensor::cat(variances, 0),
    }
}

/// Where each part of the batch begins and ends.
pub(crate) fn bounds(samples: usize, parts: usize) -> impl Iterator<Item = (usize, usize)> {
    let bound = move |part: usize| part * samples / parts;
    (0..parts).map(move |part| (bound(part), bound(part + 1)))
}

/// Batch norm with given statistics: `γ (x − μ) / √(σ² + ε) + β`, with gradients of x, γ and β. `x` is
/// `[samples, channels, ...]`, all else has a number for each channel.
///
/// One pass on the CPU backend, into a buffer that is filled with zeros first; backwards one pass for the gradient of x, in
/// the buffer of the gradient, and one read for those of γ and β, if they are wanted. Autodiff sees one operation. If the
/// tensors are of several types, all is computed in `f32` (`f64` if one of them is), with the output in the type of `x`;
/// beside an `f64` vector, a narrower `x` is converted as a whole before.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::fixed_batch_norm;
///
/// let device = Device::flex();
/// let number = |number: f32| Tensor::<1>::from_floats([number], &device);
/// let x = Tensor::<2>::from_floats([[1.0], [3.0]], &device);
/// let y = fixed_batch_norm(x, number(2.0), number(0.5), number(1.0), number(4.0), 0.0);
/// assert_eq!(y.into_data().to_vec::<f32>().unwrap(), [0.5, 2.5]);
/// ```
///
/// # Panics
///
/// If `x` has rank 1, if something else has another number of channels, or if ε is negative, infinite or NaN.
pub fn fixed_batch_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    check(&x, &[&gamma, &beta, &mean, &variance], epsilon);
    #[cfg(feature = "flex")]
    let (x, gamma, beta) = {
        let statistics = [&mean, &variance].map(|vector| match vector.is_autodiff() {
            // The kernel has no gradient for these.
            true if vector.is_tracked() => None,
            true => Some(vector.clone().inner().into()),
            false => Some(vector.clone().into()),
        });
        let inputs = [x.into(), gamma.into(), beta.into()];
        match crate::flex::fixed_batch_norm(inputs, statistics, epsilon) {
            Ok(output) => return output.into_tensor(),
            Err([x, gamma, beta]) => (x.into_tensor(), gamma.into_tensor(), beta.into_tensor()),
        }
    };
    if let Some(wide) = common_dtype(&x, &[&gamma, &beta, &mean, &variance]) {
        let dtype = x.dtype();
        let [gamma, beta, mean, variance] =
            [gamma, beta, mean, variance].map(|vector| vector.cast(wide));
        return fixed_batch_norm(x.cast(wide), gamma, beta, mean, variance, epsilon).cast(dtype);
    }
    fixed_batch_norm_twin(x, gamma, beta, mean, variance, epsilon)
}

/// [`fixed_batch_norm`] by Burn's batch norm: the specification, for tensors of one type.
///
/// # Panics
///
/// Like [`fixed_batch_norm`].
pub fn fixed_batch_norm_twin<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    check(&x, &[&gamma, &beta, &mean, &variance], epsilon);
    batch_norm(x, gamma, beta, mean, variance, epsilon)
}

/// The type to compute in, if the tensors are not of one type.
fn common_dtype<const D: usize>(x: &Tensor<D>, vectors: &[&Tensor<1>]) -> Option<FloatDType> {
    let dtypes = || vectors.iter().map(|vector| vector.dtype());
    if dtypes().all(|dtype| dtype == x.dtype()) {
        return None;
    }
    let has_f64 = dtypes().chain([x.dtype()]).any(|dtype| dtype == DType::F64);
    Some(if has_f64 {
        FloatDType::F64
    } else {
        FloatDType::F32
    })
}

fn check_parts<const D: usize>(
    x: &Tensor<D>,
    vectors: [&Tensor<1>; 2],
    epsilon: f64,
    parts: usize,
) {
    check(x, &vectors, epsilon);
    let samples = x.dims()[0];
    assert!(
        (1..=samples).contains(&parts),
        "{samples} samples cannot be cut into {parts} parts"
    );
}

fn check<const D: usize>(x: &Tensor<D>, vectors: &[&Tensor<1>], epsilon: f64) {
    assert_not_negative("ε of batch norm", epsilon);
    let dims = x.dims();
    let fits = |vector: &&Tensor<1>| dims.get(1) == Some(&vector.dims()[0]);
    assert!(
        vectors.iter().all(fits),
        "an input {dims:?} has other channels than the layer: {:?}",
        vectors
            .iter()
            .map(|vector| vector.dims()[0])
            .collect::<Vec<_>>()
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Int};

    #[allow(clippy::disallowed_methods)] // not on the step path
    fn values<const D: usize>(x: Tensor<D>) -> Vec<f64> {
        x.into_data().convert::<f64>().try_into_vec().unwrap()
    }

    fn input(device: &Device) -> Tensor<3> {
        let numbers = Tensor::<1, Int>::arange(0..6 * 3 * 70, device);
        let numbers = numbers.float().mul_scalar(0.37).sin() + 0.2;
        numbers.reshape([6, 3, 70])
    }

    /// Scale and shift.
    fn vectors(device: &Device, dtype: DType) -> [Tensor<1>; 2] {
        [[0.7, 1.0, 1.3], [0.1, -0.2, 0.3]]
            .map(|numbers| Tensor::<1>::from_floats(numbers, device).cast(dtype))
    }

    #[test]
    fn half_precision_beside_wider_vectors_is_rounded_once_at_the_end() {
        let device = Device::flex();
        for half in [DType::F16, DType::BF16] {
            let x = input(&device).cast(half);
            let [gamma, beta] = vectors(&device, DType::F32);
            let of = |x: Tensor<3>| ghost_batch_norm(x, gamma.clone(), beta.clone(), 1e-3, 2);
            let (narrow, wide) = (of(x.clone()), of(x.clone().cast(DType::F32)));
            assert_eq!(narrow.output.dtype(), half);
            assert_eq!(values(narrow.output), values(wide.output.cast(half)));
            assert_eq!(narrow.variances.dtype(), DType::F32);
            assert_eq!(values(narrow.variances), values(wide.variances));
            let fixed = |x: Tensor<3>| {
                let [mean, variance] = [beta.clone(), gamma.clone()];
                fixed_batch_norm(x, gamma.clone(), beta.clone(), mean, variance, 1e-3)
            };
            let (narrow, wide) = (fixed(x.clone()), fixed(x.cast(DType::F32)));
            assert_eq!(narrow.dtype(), half);
            assert_eq!(values(narrow), values(wide.cast(half)));
        }
    }

    /// Statistics of `f32` numbers beside vectors of `f64` are those of `f64`.
    #[test]
    fn vectors_of_f64_widen_the_calculation() {
        let device = Device::flex();
        let x = input(&device);
        let [gamma, beta] = vectors(&device, DType::F64);
        let normed = ghost_batch_norm(x.clone(), gamma.clone(), beta.clone(), 1e-3, 1);
        let exact = ghost_batch_norm(x.clone().cast(DType::F64), gamma.clone(), beta, 1e-3, 1);
        assert_eq!(normed.output.dtype(), DType::F32);
        assert_eq!(normed.variances.dtype(), DType::F64);
        assert_eq!(values(normed.variances), values(exact.variances));
    }
}
