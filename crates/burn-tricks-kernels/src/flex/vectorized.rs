//! Loops that are compiled for the processor that they run on.
//!
//! Each copy of a loop takes its time to compile, and most tensors are of `f32`, on a processor with AVX2. So a loop over
//! `f32` is compiled for such a processor alone. A loop over `f64` is compiled for every processor, and on one without AVX2
//! it also does the work of the loop over `f32`.
//!
//! A loop is inlined wherever it is dispatched. The functions here are not: there is one copy of each for each loop.

use pulp::{Arch, Scalar128b, WithSimd};

/// Whether loops over `f32` can run on this processor.
pub(super) fn has_vectors() -> bool {
    #[cfg(test)]
    if IS_OLD.get() {
        return false;
    }
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return pulp::x86::V3::is_available();
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    true
}

/// Runs a loop over `f32`, with the vector instructions that the processor [has](has_vectors).
#[inline(never)]
pub(super) fn with_vectors<L: WithSimd>(work: L) -> L::Output {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return match pulp::x86::V3::try_new() {
        Some(vectors) => pulp::Simd::vectorize(vectors, work),
        None => unreachable!("without AVX2, the loop over `f64` runs"),
    };
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    Arch::new().dispatch(work)
}

/// Runs a loop over `f64`, with the instructions that every processor has.
#[inline(never)]
pub(super) fn without_vectors<L: WithSimd>(work: L) -> L::Output {
    work.with_simd(Scalar128b)
}

/// Runs a loop that has no copy over `f64`, with the vector instructions that the processor has.
#[inline(never)]
pub(super) fn vectorized<L: WithSimd>(work: L) -> L::Output {
    Arch::new().dispatch(work)
}

#[cfg(test)]
thread_local! {
    /// Whether this thread takes the processor for one without AVX2.
    pub(super) static IS_OLD: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // tests read what they compare
mod tests {
    use super::IS_OLD;
    use crate::{
        AdamStep, UnitClip, UnitDeviation, WeightDecayTerm, blend, cautious, clip_units,
        ghost_batch_norm, scale, spectral_norm, standardize_units, weight_norm,
    };
    use crate::{Noise, Step as _, TensorList, noise, sum_of_squares};
    use burn::tensor::{Device, FloatDType, Tensor};

    /// Numbers between −2 and 2 that follow no pattern.
    fn numbers(seed: f32, shape: [usize; 2], dtype: FloatDType) -> Tensor<2> {
        let count = (shape[0] * shape[1]) as i64;
        let places = Tensor::arange(0..count, &Device::flex()).float();
        let numbers = (places + seed).square().sin() * 2.0;
        numbers.reshape(shape).cast(dtype)
    }

    /// Results of every loop that has a copy over `f64`.
    fn results(dtype: FloatDType) -> Vec<(&'static str, Tensor<2>)> {
        let shape = [13, 21];
        let [w, g, other] = [0.3, 0.7, 0.1].map(|seed| numbers(seed, shape, dtype));
        let vector = |seed, len| numbers(seed, [1, len], dtype).reshape([len]);
        let step = AdamStep::new(0.1, (0.9, 0.99), 1e-3, WeightDecayTerm::None, 1);
        let (weight, state) = step.apply(w.clone(), g.clone(), None);
        let step = AdamStep::new(0.1, (0.9, 0.99), 1e-3, WeightDecayTerm::Coupled(0.1), 2);
        // A shared weight: the new one is written over the gradient.
        let (over_grad, [moment, square]) = step.apply(weight.clone(), other.clone(), Some(state));
        let mut list = TensorList::default();
        list.push(g.clone());
        let factor = Tensor::from_floats([0.3], &Device::flex());
        let squares = sum_of_squares(&list).expect("there are numbers").sum;
        let scaled = scale(list, &factor).pop::<2>().expect("a list of one");
        let clip = UnitClip {
            clip_factor: 0.5,
            epsilon: 1e-3,
        };
        let deviation = UnitDeviation {
            freedom: 1.0,
            inside: 1e-5,
            outside: 0.0,
        };
        let (gamma, beta) = (vector(0.2, 21), vector(0.4, 21));
        let gaussian = Noise::Gaussian {
            mean: 1.0,
            deviation: 0.0,
        };
        let spectral = spectral_norm(w.clone(), 1, vector(0.5, 21), vector(0.6, 13), 2);
        let square_root = |squares: Tensor<1>| squares.sqrt().reshape([1, 1]);
        vec![
            ("a step", weight),
            ("a step over the gradient", over_grad),
            ("its first moment", moment),
            ("its second moment", square),
            ("a blend", blend(w.clone(), 0.3, g.clone(), 0.9)),
            ("a product", scaled),
            ("the norm", square_root(squares)),
            ("columns", clip_units(clip, w.clone(), g.clone(), Some(1))),
            ("rows", clip_units(clip, w.clone(), g.clone(), Some(0))),
            ("cautious", cautious(g.clone(), w.clone(), other, Some(0.1))),
            ("weight norm", weight_norm(w.clone(), vector(0.2, 21), 1)),
            ("of rows", weight_norm(w.clone(), vector(0.2, 13), 0)),
            ("standard", standardize_units(deviation, w.clone(), 1)),
            (
                "batch norm",
                ghost_batch_norm(w.clone(), gamma, beta, 1e-5, 2).output,
            ),
            ("spectral norm", spectral.weight),
            ("noise", noise(w, gaussian, 0)),
        ]
    }

    #[test]
    fn a_processor_without_avx2_gets_the_same_results() {
        let types = [
            (FloatDType::F32, 2e-6),
            (FloatDType::F16, 2e-3),
            (FloatDType::BF16, 2e-2),
            (FloatDType::F64, 0.0),
        ];
        for (dtype, tolerance) in types {
            let new = results(dtype);
            IS_OLD.set(true);
            let old = results(dtype);
            IS_OLD.set(false);
            for ((what, new), (_, old)) in new.into_iter().zip(old) {
                assert_eq!(new.dtype(), old.dtype(), "{what}");
                let [new, old] = [new, old].map(|x| x.cast(FloatDType::F64).into_data());
                let pairs = (new.iter::<f64>()).zip(old.iter::<f64>());
                for (new, old) in pairs {
                    let error = (new - old).abs();
                    assert!(
                        error <= tolerance * (1.0 + new.abs()),
                        "{what} in {dtype:?}: {old}, not {new}"
                    );
                }
            }
        }
    }
}
