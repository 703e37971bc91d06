//! Arithmetic with tensors of any rank.
//!
//! Burn's tensors have their rank in their type, and what is written with them is compiled for each rank. The operations of
//! [`Dispatch`], on which they are built, have not.

use crate::any_tensor::AnyTensor;
use crate::hidden::Hidden;
use crate::rank::reshaped;
use burn::backend::ops::{BoolTensorOps as _, FloatTensorOps as _};
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata as _, get_or_init_device_settings};
use burn::tensor::{Bool, BoolDType, FloatDType, Scalar, Shape, Tensor};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Truth values of any rank: what a comparison of an [`AnyTensor`] gives.
#[derive(Debug, Clone)]
pub struct AnyMask(Hidden);

impl AnyMask {
    fn new(mask: DispatchTensor) -> Self {
        Self(mask.into())
    }
}

impl AnyMask {
    /// Where both are true.
    pub fn bool_and(self, other: Self) -> Self {
        Self::new(Dispatch::bool_and(self.0.open(), other.0.open()))
    }

    /// Where at least one is true.
    pub fn bool_or(self, other: Self) -> Self {
        Self::new(Dispatch::bool_or(self.0.open(), other.0.open()))
    }

    /// Where exactly one is true.
    pub fn not_equal(self, other: Self) -> Self {
        Self::new(Dispatch::bool_not_equal(self.0.open(), other.0.open()))
    }

    /// 0 where true and 1 where false, in this element type.
    pub(crate) fn zero_where_true(self, dtype: FloatDType) -> AnyTensor {
        AnyTensor::new(Dispatch::bool_into_float(
            Dispatch::bool_not(self.0.open()),
            dtype,
        ))
    }

    /// Dimensions of length 1 repeated, to this shape.
    pub(crate) fn expand(self, shape: Shape) -> Self {
        Self::new(Dispatch::bool_expand(self.0.open(), shape))
    }

    /// One value for all places of a tensor of this shape.
    pub(crate) fn everywhere(value: Tensor<1, Bool>, shape: Shape) -> Self {
        let ones = Shape::from(vec![1; shape.rank()]);
        Self::new(Dispatch::bool_reshape(value.into_dispatch(), ones)).expand(shape)
    }
}

macro_rules! operators {
    ($($trait:ident, $name:ident, $tensors:ident, $scalar:ident;)*) => {$(
        impl $trait for AnyTensor {
            type Output = Self;

            fn $name(self, other: Self) -> Self {
                assert_compatible(&self, &other);
                Self::new(Dispatch::$tensors(self.0.open(), other.0.open()))
            }
        }

        impl $trait<f64> for AnyTensor {
            type Output = Self;

            fn $name(self, number: f64) -> Self {
                Self::new(Dispatch::$scalar(self.0.open(), Scalar::Float(number)))
            }
        }
    )*};
}
operators! {
    Add, add, float_add, float_add_scalar;
    Sub, sub, float_sub, float_sub_scalar;
    Mul, mul, float_mul, float_mul_scalar;
    Div, div, float_div, float_div_scalar;
}

/// Panics unless the tensors have one shape, apart from dimensions of length 1.
fn assert_compatible(a: &AnyTensor, b: &AnyTensor) {
    let (a, b) = (a.shape(), b.shape());
    let fit = |(a, b): (&usize, &usize)| a == b || *a == 1 || *b == 1;
    assert!(
        a.rank() == b.rank() && a.iter().zip(b.iter()).all(fit),
        "an operation with tensors of the shapes {a:?} and {b:?}"
    );
}

impl Neg for AnyTensor {
    type Output = Self;

    fn neg(self) -> Self {
        Self::new(Dispatch::float_neg(self.0.open()))
    }
}

impl AnyTensor {
    /// √x
    pub fn sqrt(self) -> Self {
        Self::new(Dispatch::float_sqrt(self.0.open()))
    }

    /// x²
    pub fn square(self) -> Self {
        Self::new(Dispatch::float_powi_scalar(self.0.open(), Scalar::Int(2)))
    }

    /// |x|
    pub fn abs(self) -> Self {
        Self::new(Dispatch::float_abs(self.0.open()))
    }

    /// 1 / x
    pub fn recip(self) -> Self {
        Self::new(Dispatch::float_recip(self.0.open()))
    }

    /// The larger of both, and `self` if one of them is NaN.
    pub fn max_pair(self, other: Self) -> Self {
        let type_of_mask = self.type_of_mask();
        let less =
            Dispatch::float_lower(self.0.clone().open(), other.0.clone().open(), type_of_mask);
        self.mask_where(AnyMask::new(less), other)
    }

    /// Where both are equal.
    pub fn equal(self, other: Self) -> AnyMask {
        let type_of_mask = self.type_of_mask();
        AnyMask::new(Dispatch::float_equal(
            self.0.open(),
            other.0.open(),
            type_of_mask,
        ))
    }

    /// Where this is more than `other`.
    pub fn greater(self, other: Self) -> AnyMask {
        let type_of_mask = self.type_of_mask();
        AnyMask::new(Dispatch::float_greater(
            self.0.open(),
            other.0.open(),
            type_of_mask,
        ))
    }

    /// Where this is less than `other`.
    pub fn lower(self, other: Self) -> AnyMask {
        let type_of_mask = self.type_of_mask();
        AnyMask::new(Dispatch::float_lower(
            self.0.open(),
            other.0.open(),
            type_of_mask,
        ))
    }

    /// Where it is this number.
    pub fn equal_elem(self, number: f64) -> AnyMask {
        let (type_of_mask, number) = (self.type_of_mask(), Scalar::Float(number));
        AnyMask::new(Dispatch::float_equal_elem(
            self.0.open(),
            number,
            type_of_mask,
        ))
    }

    /// Where it is less than this number.
    pub fn lower_elem(self, number: f64) -> AnyMask {
        let (type_of_mask, number) = (self.type_of_mask(), Scalar::Float(number));
        AnyMask::new(Dispatch::float_lower_elem(
            self.0.open(),
            number,
            type_of_mask,
        ))
    }

    /// Where it is at most this number.
    pub fn lower_equal_elem(self, number: f64) -> AnyMask {
        let (type_of_mask, number) = (self.type_of_mask(), Scalar::Float(number));
        AnyMask::new(Dispatch::float_lower_equal_elem(
            self.0.open(),
            number,
            type_of_mask,
        ))
    }

    /// Where it is at least this number.
    pub fn greater_equal_elem(self, number: f64) -> AnyMask {
        let (type_of_mask, number) = (self.type_of_mask(), Scalar::Float(number));
        AnyMask::new(Dispatch::float_greater_equal_elem(
            self.0.open(),
            number,
            type_of_mask,
        ))
    }

    /// `other` where the mask is true.
    pub fn mask_where(self, mask: AnyMask, other: Self) -> Self {
        Self::new(Dispatch::float_mask_where(
            self.0.open(),
            mask.0.open(),
            other.0.open(),
        ))
    }

    /// This number where the mask is true.
    pub fn mask_fill(self, mask: AnyMask, number: f64) -> Self {
        let number = Scalar::Float(number);
        Self::new(Dispatch::float_mask_fill(
            self.0.open(),
            mask.0.open(),
            number,
        ))
    }

    /// The mean of all numbers.
    pub(crate) fn mean(self) -> Tensor<1> {
        Tensor::from_dispatch(Dispatch::float_mean(self.0.open()))
    }

    /// The sum of all numbers.
    pub(crate) fn sum(self) -> Tensor<1> {
        Tensor::from_dispatch(Dispatch::float_sum(self.0.open()))
    }

    /// The largest magnitude.
    pub(crate) fn max_abs(self) -> Tensor<1> {
        Tensor::from_dispatch(Dispatch::float_max_abs(self.0.open()))
    }

    /// A number on the device that fits every tensor like this one: on its device, in its type and rank.
    pub(crate) fn fitted(&self, number: &Tensor<1>) -> Self {
        let number = Self::from(number.clone().to_device(&self.device()));
        let number = number.cast(self.dtype().into());
        Self::new(reshaped(number.0.open(), Shape::from(vec![1; self.rank()])))
    }

    /// The type of truth values on its device.
    fn type_of_mask(&self) -> BoolDType {
        get_or_init_device_settings::<Dispatch>(&self.0.device()).bool_dtype
    }
}
