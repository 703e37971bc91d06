//! A number of a step that the host may not know.

use burn::tensor::Tensor;

/// A number that tensors are multiplied or divided by: known to the host, or one on the device (a tensor of
/// one element), which nobody waits for.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // one per step, never in a list
pub enum Number {
    /// The host knows it.
    Known(f64),
    /// Only the device does.
    OnDevice(Tensor<1>),
}

impl Number {
    /// `x n`
    pub fn times<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Known(number) => x * *number,
            Self::OnDevice(number) => {
                let number = beside(number, &x);
                x * number
            }
        }
    }

    /// `x / n`; `x` itself where `n` is known to be 1.
    pub fn under<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Known(1.0) => x,
            Self::Known(number) => x / *number,
            Self::OnDevice(number) => {
                let number = beside(number, &x);
                x / number
            }
        }
    }

    /// `x + n`
    pub fn plus<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Known(number) => x + *number,
            Self::OnDevice(number) => {
                let number = beside(number, &x);
                x + number
            }
        }
    }
}

/// The number where `x` is, in its type and rank.
fn beside<const D: usize>(number: &Tensor<1>, x: &Tensor<D>) -> Tensor<D> {
    let number = number.clone().to_device(&x.device());
    number.cast(x.dtype()).unsqueeze()
}
