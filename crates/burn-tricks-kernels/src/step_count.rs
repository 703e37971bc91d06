//! The number of steps taken, of which the device may have skipped some.

use crate::number::Number;
use crate::numbers::numbers;
use crate::skip::Skip;
use burn::tensor::{DType, Device, FloatDType, Tensor};

/// The number of steps taken: the steps that the host asked for, minus those that the device skipped without
/// the host's knowledge.
#[derive(Debug, Clone)]
pub struct StepCount {
    asked: u64,
    /// The number of skipped steps, an `f32` tensor of one element; `None` before the first step that may have
    /// been skipped.
    skipped: Option<Box<Tensor<1>>>, // seldom there, and large
}

impl StepCount {
    /// A count of `taken` steps, as read from a record.
    pub fn new(taken: u64) -> Self {
        Self {
            asked: taken,
            skipped: None,
        }
    }

    /// The count with the step that begins now: Adam's `t` of this step, from 1.
    pub fn begun(mut self) -> Self {
        self.asked = self.asked.saturating_add(1);
        self
    }

    /// The count after that step, without it if it was skipped.
    pub fn ended(mut self, skip: &Skip) -> Self {
        match skip {
            Skip::Known(false) => {}
            Skip::Known(true) => self.asked = self.asked.saturating_sub(1),
            Skip::OnDevice(skip) => {
                let now = skip.clone().float().cast(FloatDType::F32);
                self.skipped = Some(Box::new(match self.skipped {
                    Some(skipped) => *skipped + now,
                    None => now,
                }));
            }
        }
        self
    }

    /// The number, if the host knows it.
    pub fn known(&self) -> Option<u64> {
        match self.skipped {
            None => Some(self.asked),
            Some(_) => None,
        }
    }

    /// The number, to be recorded. This may wait for the device.
    pub fn read(&self) -> u64 {
        let skipped = self.skipped.as_ref().map_or(0.0, |skipped| {
            #[allow(clippy::disallowed_methods)] // what this method is for, off the step path
            let skipped = Tensor::clone(skipped).into_data();
            numbers(&skipped).first().copied().unwrap_or(0.0)
        });
        // A whole number: a count.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let skipped = skipped as u64;
        self.asked.saturating_sub(skipped)
    }

    /// The same on another device.
    pub fn moved_to(self, device: &Device) -> Self {
        Self {
            asked: self.asked,
            skipped: self
                .skipped
                .map(|skipped| Box::new(skipped.to_device(device))),
        }
    }

    /// Whether this is the first step; call it after [`begun`](Self::begun).
    pub fn is_first(&self) -> Skip {
        match &self.skipped {
            None => Skip::Known(self.asked <= 1),
            Some(skipped) => Skip::OnDevice(time(self.asked, skipped).lower_elem(1.5)),
        }
    }

    /// A number that is computed from the count `t`: on the host if it knows `t`, otherwise on the device, from
    /// a tensor of one element, in `f64` if the device has `f64`.
    pub fn number(
        &self,
        known: impl FnOnce(u64) -> f64,
        on_device: impl FnOnce(Tensor<1>) -> Tensor<1>,
    ) -> Number {
        match &self.skipped {
            None => Number::Known(known(self.asked)),
            Some(skipped) => Number::OnDevice(on_device(time(self.asked, skipped))),
        }
    }

    /// `1 + (t − 1) δ`, the divisor of a learning rate with this decay.
    pub fn slowdown(&self, delta: f64) -> Number {
        self.number(
            |t| 1.0 + (t - 1) as f64 * delta,
            |t| (t - 1.0) * delta + 1.0,
        )
    }

    /// `1 − βᵗ`, the divisor of a decaying mean that started at 0.
    pub fn bias_correction(&self, beta: f64) -> Number {
        self.number(
            |t| bias_correction(beta, t),
            |t| one_minus_exp(t * beta.ln()),
        )
    }
}

pub(crate) fn bias_correction(beta: f64, time: u64) -> f64 {
    1.0 - beta.powf(time as f64)
}

/// The number of steps on the device, in `f64` if the device has it.
fn time(asked: u64, skipped: &Tensor<1>) -> Tensor<1> {
    let wide = if skipped.device().supports_dtype(FloatDType::F64) {
        FloatDType::F64
    } else {
        FloatDType::F32
    };
    skipped.clone().cast(wide).neg() + asked as f64
}

/// `1 − eˣ` for x ≤ 0, to the precision of the type also for small x.
pub(crate) fn one_minus_exp(x: Tensor<1>) -> Tensor<1> {
    // At the rate β = 0 this is ln 0, and 1 is right.
    let x = x.clamp_min(-100.0);
    if x.dtype() == DType::F64 {
        // Without `exp`, which GPUs do not have in `f64` and then give wrong numbers for: from x/2⁹, with
        // 1 − e²ˣ = s (2 − s) of s = 1 − eˣ.
        let s = one_minus_exp_near_zero(x / 512.0);
        return (0..9).fold(s, |s, _| s.clone() * (s.neg() + 2.0));
    }
    let far = x.clone().exp().neg() + 1.0;
    far.mask_where(x.clone().greater_elem(-0.3), one_minus_exp_near_zero(x))
}

/// The Padé approximant of order [3/3], with an error below 1e-8 up to 0.3. It serves where the plain
/// difference would lose digits.
fn one_minus_exp_near_zero(x: Tensor<1>) -> Tensor<1> {
    let square = x.clone().square();
    let odd = x.clone() * (square.clone() / 60.0 + 1.0);
    let below = x * (square.clone() / 120.0 + 0.5);
    odd.neg() / (square / 10.0 + 1.0 - below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_device(asked: u64, skips: u64) -> StepCount {
        let device = Device::flex();
        let skip = Skip::OnDevice(Tensor::<1>::ones([1], &device).equal_elem(1.0));
        (0..skips).fold(StepCount::new(asked), |count, _| count.ended(&skip))
    }

    fn value(number: Number) -> f64 {
        match number {
            Number::Known(number) => number,
            Number::OnDevice(number) =>
            {
                #[allow(clippy::disallowed_methods)]
                number.into_data().iter::<f64>().next().unwrap()
            }
        }
    }

    #[test]
    fn the_device_counts_what_it_skipped() {
        let device = Device::flex();
        let mark =
            |skip: f64| Skip::OnDevice(Tensor::<1>::from_floats([skip], &device).equal_elem(1.0));
        let count = StepCount::new(3).begun().ended(&mark(1.0));
        assert_eq!((count.known(), count.read()), (None, 3));
        let count = count.begun().ended(&mark(0.0));
        assert_eq!(count.read(), 4);
        let count = StepCount::new(3).begun().ended(&Skip::Known(true));
        assert_eq!(count.known(), Some(3));
        let count = count.begun().ended(&Skip::Known(false));
        assert_eq!((count.known(), count.read()), (Some(4), 4));
    }

    #[test]
    fn corrections_on_the_device_are_those_of_the_host() {
        for beta in [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999] {
            for taken in [1, 2, 3, 10, 100, 1_000, 30_000, 1_000_000] {
                let host = value(StepCount::new(taken).bias_correction(beta));
                let device = value(on_device(taken + 2, 2).bias_correction(beta));
                assert!(
                    (host - device).abs() <= 2e-8 * host,
                    "β = {beta}, t = {taken}: {host} and {device}"
                );
            }
        }
        assert_eq!(value(on_device(5, 2).slowdown(0.5)), 2.0);
        assert_eq!(value(StepCount::new(3).slowdown(0.5)), 2.0);
    }

    /// What devices without `f64` have.
    #[test]
    fn in_f32_too() {
        for x in [
            -1e-4_f32, -1e-3, -0.01, -0.1, -0.29, -0.31, -1.0, -20.0, -1e6,
        ] {
            let device = Device::flex();
            let got = value(Number::OnDevice(one_minus_exp(Tensor::from_floats(
                [x],
                &device,
            ))));
            let right = -f64::from(x).exp_m1();
            assert!(
                (got - right).abs() <= 3e-7 * right,
                "{x}: {got} and {right}"
            );
        }
    }
}
