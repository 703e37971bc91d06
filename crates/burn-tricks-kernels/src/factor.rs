//! A product with a number on the device that is left to what reads the tensors next.

use crate::any_tensor::AnyTensor;
use crate::scale::scaled;
use crate::special_factor::SpecialFactor;
use crate::steps_together::PlannedStep;
use crate::tensor_list::TensorList;
use burn::tensor::{Device, Tensor};
use std::collections::VecDeque;
use std::sync::Arc;

/// A number on the device by which tensors are to be multiplied: now, by [`times`](Self::times), or by a kernel that reads
/// them anyway, as that of [`take_together`](crate::take_together). The number of a clipping by norm is one.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{Factor, TensorList};
///
/// let device = Device::flex();
/// let half = Factor::new(Tensor::from_floats([0.5], &device));
/// let list = TensorList::from(Tensor::<1>::from_floats([2.0, 4.0], &device));
/// let product: Tensor<1> = half.times(list).pop().unwrap();
/// assert_eq!(product.into_data().to_vec::<f32>().unwrap(), [1.0, 2.0]);
/// ```
#[derive(Debug, Clone)]
pub struct Factor(Arc<Number>);

#[derive(Debug)]
struct Number {
    value: Tensor<1>,
    special: SpecialFactor,
}

/// Copies of one factor are equal; what number it is, only the device knows.
impl PartialEq for Factor {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Factor {
    /// The product is that of [`scale`](crate::scale).
    pub fn new(value: Tensor<1>) -> Self {
        Self::with(value, SpecialFactor::None)
    }

    /// The product is that of [`scale_or_zero`](crate::scale_or_zero): a factor of 0 makes everything 0, even NaN.
    pub fn or_zero(value: Tensor<1>) -> Self {
        Self::with(value, SpecialFactor::ZeroErases)
    }

    /// The product is that of [`scale_or_nan`](crate::scale_or_nan): a factor of NaN makes everything NaN.
    pub fn or_nan(value: Tensor<1>) -> Self {
        Self::with(value, SpecialFactor::NanMarks)
    }

    fn with(value: Tensor<1>, special: SpecialFactor) -> Self {
        Self(Arc::new(Number { value, special }))
    }

    /// The tensors times this number.
    pub fn times(&self, tensors: TensorList) -> TensorList {
        scaled(tensors, &self.0.value, self.0.special)
    }

    /// The products, of which those where `is_left` is true are left to what reads the tensors next.
    ///
    /// # Panics
    ///
    /// If the two have different lengths.
    pub fn times_later(&self, tensors: TensorList, is_left: &[bool]) -> Vec<Multiple> {
        let tensors = self.times_but(tensors, is_left).0.into_iter();
        let each = tensors.zip(is_left).map(|(tensor, is_left)| Multiple {
            tensor: AnyTensor::new(tensor),
            factor: is_left.then(|| self.clone()),
        });
        each.collect()
    }

    /// The tensors, of which those where `is_left` is true stay as they are, and the others are multiplied.
    pub(crate) fn times_but(&self, tensors: TensorList, is_left: &[bool]) -> TensorList {
        let (count, said) = (tensors.len(), is_left.len());
        assert_eq!(
            count, said,
            "tensors (left), and what is said about them (right)"
        );
        let (mut left, mut others) = (VecDeque::new(), VecDeque::new());
        for (tensor, is_left) in tensors.0.into_iter().zip(is_left) {
            let place = if *is_left { &mut left } else { &mut others };
            place.push_back(tensor);
        }
        let mut products = self.times(TensorList::of(others)).0;
        let each = is_left.iter().map(|is_left| {
            let next = if *is_left { &mut left } else { &mut *products };
            next.pop_front().expect("one for each")
        });
        TensorList::of(each.collect())
    }

    #[cfg(feature = "cube")]
    pub(crate) fn value(&self) -> &Tensor<1> {
        &self.0.value
    }

    #[cfg(feature = "cube")]
    pub(crate) fn special(&self) -> SpecialFactor {
        self.0.special
    }
}

/// A tensor that may still have to be multiplied by a [`Factor`].
#[derive(Debug, Clone)]
pub struct Multiple {
    tensor: AnyTensor,
    factor: Option<Factor>,
}

impl Multiple {
    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.tensor.is_empty()
    }

    /// Its device.
    pub fn device(&self) -> Device {
        self.tensor.device()
    }

    /// The product.
    pub fn multiplied(self) -> AnyTensor {
        match self.factor {
            None => self.tensor,
            Some(factor) => {
                let mut product = factor.times(self.tensor.into());
                product.pop_any().expect("a list of one")
            }
        }
    }

    /// The step that `plan` makes of the tensor, with the product as its gradient.
    pub fn plan(
        &self,
        plan: impl FnOnce(&AnyTensor) -> Option<PlannedStep>,
    ) -> Option<PlannedStep> {
        let step = plan(&self.tensor)?;
        Some(match &self.factor {
            None => step,
            Some(factor) => step.times(factor),
        })
    }
}

/// Nothing is to be multiplied.
impl From<AnyTensor> for Multiple {
    fn from(tensor: AnyTensor) -> Self {
        Self {
            tensor,
            factor: None,
        }
    }
}
