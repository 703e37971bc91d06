//! The micro-batches since the last optimizer step.

use crate::lock::lock;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, FloatDType, Tensor};
use burn_tricks_grad::scale_gradients;
use std::sync::{Arc, Mutex};

/// The micro-batches whose gradients Burn is adding up, if there are any. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct MicroBatches(Arc<Mutex<Option<Window>>>);

/// The micro-batches since the last step, of which there is at least one.
#[derive(Debug)]
pub(crate) struct Window {
    /// The weight of the first micro-batch that has one, rounded down to a power of two; 0 before.
    unit: f64,
    /// The sum of the weights, in units.
    total: f64,
    /// Whether parameters are in half precision, in which a sum could overflow, and the part of a small batch vanish: Burn
    /// adds their gradients in `f32`.
    in_half: bool,
}

impl MicroBatches {
    /// The gradients of another micro-batch of this weight, as Burn is to add them. They are multiplied by the weight in units
    /// of a power of two, so that the digits of the mean do not depend on which one of two devices comes first. Gradients whose
    /// weight is the unit are not multiplied, such as those of 32 samples if the first micro-batch has 32.
    ///
    /// # Panics
    ///
    /// If the weight is negative or not finite.
    pub(crate) fn add<M: Module>(
        &self,
        model: &M,
        grads: GradientsParams,
        weight: f64,
    ) -> GradientsParams {
        assert!(
            weight.is_finite() && weight >= 0.0,
            "a trick returned {weight} as its `micro_batch_weight`: the weight of a micro-batch must be finite and not negative"
        );
        let (units, in_half) = self.count(model, weight);
        if units == 0.0 {
            // Without samples the mean loss of a batch is no number, and its gradient neither.
            return GradientsParams::new();
        }
        let grads = if in_half {
            cast_half(model, grads, |_| DType::F32)
        } else {
            grads
        };
        scale_gradients(model, grads, units)
    }

    /// Counts a micro-batch. Its weight in units, and [`Window::in_half`].
    fn count<M: Module>(&self, model: &M, weight: f64) -> (f64, bool) {
        let mut window = lock(&self.0);
        let window = window.get_or_insert_with(|| Window {
            unit: 0.0,
            total: 0.0,
            in_half: is_in_half_precision(model),
        });
        if weight == 0.0 {
            return (0.0, window.in_half);
        }
        if window.unit == 0.0 {
            window.unit = power_of_two_in(weight);
        }
        let units = weight / window.unit;
        window.total += units;
        (units, window.in_half)
    }

    /// The micro-batches of a step, and none from now on.
    pub(crate) fn take(&self) -> Option<Window> {
        lock(&self.0).take()
    }

    /// Forgets a window that was never stepped.
    pub(crate) fn clear(&self) {
        *lock(&self.0) = None;
    }
}

impl Window {
    /// The sum that Burn has made of the gradients, in the types of the parameters, and what it is multiplied by to become
    /// their mean.
    pub(crate) fn into_sum<M: Module>(
        self,
        model: &M,
        sum: GradientsParams,
    ) -> (GradientsParams, f64) {
        // Without a sample there is no gradient but zero.
        let share = if self.total > 0.0 {
            1.0 / self.total
        } else {
            0.0
        };
        if !self.in_half {
            return (sum, share);
        }
        let mean = scale_gradients(model, sum, share);
        (cast_half(model, mean, |of_parameter| of_parameter), 1.0)
    }
}

/// The largest power of two that is not above `weight`, which is positive, but at least the smallest normal number. It is
/// rounded down so that the factor of [`Window::into_sum`] is at most 1, whichever weight comes first: a clip computes with
/// factors above 1 by another formula, whose last digit may differ.
fn power_of_two_in(weight: f64) -> f64 {
    let exponent = weight.to_bits() & f64::INFINITY.to_bits();
    f64::from_bits(exponent).max(f64::MIN_POSITIVE)
}

fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16)
}

fn is_in_half_precision<M: Module>(model: &M) -> bool {
    struct Half(bool);

    impl ModuleVisitor for Half {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 |= is_half(param.val().dtype());
        }
    }

    let mut half = Half(false);
    model.visit(&mut half);
    half.0
}

/// Casts the gradients of parameters in half precision to the type that `to` makes of that of the parameter.
fn cast_half<M: Module>(
    model: &M,
    grads: GradientsParams,
    to: fn(DType) -> DType,
) -> GradientsParams {
    struct Cast {
        grads: GradientsParams,
        to: fn(DType) -> DType,
    }

    impl ModuleVisitor for Cast {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let dtype = param.val().dtype();
            if is_half(dtype)
                && let Some(grad) = self.grads.remove::<D>(param.id)
            {
                let to = FloatDType::from((self.to)(dtype));
                self.grads.register(param.id, grad.cast(to));
            }
        }
    }

    let mut cast = Cast { grads, to };
    model.visit(&mut cast);
    cast.grads
}
