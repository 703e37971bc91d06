//! A float tensor of any rank.

use crate::hidden::Hidden;
use crate::rank::{flattened, restored};
use burn::backend::ops::FloatTensorOps as _;
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata as _};
use burn::tensor::kind::BridgeTensor;
use burn::tensor::{DType, Device, FloatDType, Shape, Tensor, TensorData};

/// A float tensor whose rank is known only at run time.
///
/// A function with a `Tensor<D>` is compiled for each of Burn's nine ranks, in every crate that uses it. What does the
/// same for every rank takes an [`AnyTensor`], and is compiled once.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::AnyTensor;
///
/// let any = AnyTensor::from(Tensor::<2>::ones([2, 3], &Device::flex()));
/// assert_eq!(any.shape().to_vec(), [2, 3]);
/// let matrix: Tensor<2> = any.into_tensor();
/// # let _ = matrix;
/// ```
///
/// It has the elementwise arithmetic of an optimizer's step. For all other operations of Burn's tensors,
/// [`with_rank!`](crate::with_rank) gives the rank back.
#[derive(Debug, Clone)]
pub struct AnyTensor(pub(crate) Hidden);

impl AnyTensor {
    pub(crate) fn new(tensor: DispatchTensor) -> Self {
        Self(tensor.into())
    }

    pub(crate) fn open(self) -> DispatchTensor {
        self.0.open()
    }

    /// A tensor of this value.
    pub fn full(shape: Shape, value: f64, device: &Device, dtype: FloatDType) -> Self {
        let (options, len) = ((device, dtype.into()), [shape.num_elements()]);
        let flat = match value {
            0.0 => Tensor::<1>::zeros(len, options),
            value => Tensor::<1>::full(len, value, options),
        };
        Self::of_flat(flat, &shape)
    }

    /// A tensor of these numbers, in their type.
    pub fn from_data(data: TensorData, device: &Device) -> Self {
        let (bytes, shape, dtype) = data.into_parts();
        let flat = TensorData::from_bytes(bytes, [shape.num_elements()], dtype);
        Self::of_flat(Tensor::from_data(flat, (device, dtype)), &shape)
    }

    /// A tensor of this shape with these numbers, as [`flatten`](Self::flatten) gives them.
    pub fn of_flat(numbers: Tensor<1>, shape: &Shape) -> Self {
        Self::new(restored(numbers, shape.clone()))
    }

    /// The tensor with its rank.
    ///
    /// # Panics
    ///
    /// If it does not have `D` dimensions.
    pub fn into_tensor<const D: usize>(self) -> Tensor<D> {
        assert_rank(D, self.rank());
        Tensor::from_bridge(self.into_bridge())
    }

    /// What Burn hands between its layers, as [`Tensor::into_bridge`] gives it.
    pub fn into_bridge(self) -> BridgeTensor {
        self.of_some_rank().into_bridge()
    }

    /// For operations of Burn that do not look at the rank: the code of one rank serves all.
    fn of_some_rank(self) -> Tensor<1> {
        Tensor::from_dispatch(self.open())
    }

    /// The tensor with one dimension.
    pub fn flatten(self) -> Tensor<1> {
        flattened(self.open())
    }

    /// How many dimensions it has.
    pub fn rank(&self) -> usize {
        // To ask Burn for the rank or the shape takes a copy of the shape.
        #[cfg(feature = "flex")]
        if let Some(shape) = crate::flex::shape(&self.0) {
            return shape.num_dims();
        }
        self.0.rank()
    }

    /// Its shape.
    pub fn shape(&self) -> Shape {
        self.0.shape()
    }

    /// Whether both have the same shape.
    pub fn has_shape_of(&self, other: &Self) -> bool {
        #[cfg(feature = "flex")]
        if let (Some(one), Some(other)) =
            (crate::flex::shape(&self.0), crate::flex::shape(&other.0))
        {
            return one == other;
        }
        self.shape() == other.shape()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.shape().num_elements() == 0
    }

    /// Its element type.
    pub fn dtype(&self) -> DType {
        self.0.dtype()
    }

    /// Its device.
    pub fn device(&self) -> Device {
        self.clone().of_some_rank().device()
    }

    /// Whether it is on this device.
    pub fn is_on(&self, device: &Device) -> bool {
        #[cfg(feature = "flex")]
        if crate::flex::shape(&self.0).is_some() {
            return *device == Device::flex();
        }
        self.device() == *device
    }

    /// Whether it is on a GPU for which this crate has kernels, without autodiff, in a type that they work on: see
    /// [`take_together`](crate::take_together).
    pub fn is_on_gpu(&self) -> bool {
        #[cfg(feature = "cube")]
        let is_on_gpu = crate::cube::are_on_cube([&*self.0]);
        #[cfg(not(feature = "cube"))]
        let is_on_gpu = false;
        is_on_gpu
    }

    /// The tensor on this device.
    pub fn to_device(self, device: &Device) -> Self {
        self.of_some_rank().to_device(device).into()
    }

    /// The tensor in this element type.
    pub fn cast(self, dtype: FloatDType) -> Self {
        if self.dtype() == DType::from(dtype) {
            return self;
        }
        Self::new(Dispatch::float_cast(self.open(), dtype))
    }

    /// Its numbers. Waits for the device.
    #[allow(clippy::disallowed_methods)] // what this method is for, off the step path
    pub fn into_data(self) -> TensorData {
        self.of_some_rank().into_data()
    }
}

fn assert_rank(expected: usize, rank: usize) {
    assert_eq!(
        expected, rank,
        "the rank asked for (left), and the tensor's (right)"
    );
}

impl<const D: usize> From<Tensor<D>> for AnyTensor {
    fn from(tensor: Tensor<D>) -> Self {
        Self::new(tensor.into_dispatch())
    }
}
