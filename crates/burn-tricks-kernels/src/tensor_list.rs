//! A list of tensors of different ranks, which are processed together.

use crate::any_tensor::AnyTensor;
use crate::hidden::HiddenList;
use crate::rank::with_rank;
use burn::backend::{DispatchTensor, TensorMetadata as _};
use burn::tensor::{DType, FloatDType, Tensor};
use std::collections::VecDeque;

/// A list of float tensors of any ranks.
///
/// The functions of this crate that take a list work on many small tensors in parallel as well as
/// on large ones. Fill it from a walk over a module, and empty it in a second walk, in the same
/// order.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{TensorList, scale};
///
/// let device = Device::flex();
/// let mut list = TensorList::new();
/// list.push(Tensor::<2>::ones([2, 3], &device));
/// list.push(Tensor::<1>::ones([4], &device));
///
/// let mut list = scale(list, &Tensor::from_floats([0.5], &device));
/// let matrix: Tensor<2> = list.pop().unwrap();
/// let vector: Tensor<1> = list.pop().unwrap();
/// assert_eq!(matrix.sum().into_scalar::<f32>(), 3.0);
/// assert_eq!(vector.sum().into_scalar::<f32>(), 2.0);
/// ```
#[derive(Debug, Clone, Default)]
pub struct TensorList(pub(crate) HiddenList);

impl TensorList {
    pub(crate) fn of(tensors: VecDeque<DispatchTensor>) -> Self {
        Self(tensors.into())
    }

    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty list with room for `count` tensors.
    pub fn with_capacity(count: usize) -> Self {
        Self::of(VecDeque::with_capacity(count))
    }

    /// Adds a tensor at the end.
    pub fn push<const D: usize>(&mut self, tensor: Tensor<D>) {
        self.push_any(tensor.into());
    }

    /// Adds a tensor at the end, without autodiff: see [`without_autodiff`](crate::without_autodiff).
    pub fn push_without_autodiff<const D: usize>(&mut self, tensor: Tensor<D>) {
        self.push_any(AnyTensor::from(tensor).without_autodiff());
    }

    fn push_any(&mut self, tensor: AnyTensor) {
        self.0.push_back(tensor.0.open());
    }

    /// Takes the first tensor off; `None` when the list is empty.
    ///
    /// # Panics
    ///
    /// If the tensor does not have `D` dimensions.
    pub fn pop<const D: usize>(&mut self) -> Option<Tensor<D>> {
        let tensor = self.pop_any()?;
        assert_eq!(
            tensor.rank(),
            D,
            "the next tensor's rank, and the one asked for"
        );
        Some(tensor.into_tensor())
    }

    /// [`pop`](Self::pop) for a tensor of any rank.
    pub fn pop_any(&mut self) -> Option<AnyTensor> {
        self.0.pop_front().map(AnyTensor::new)
    }

    /// Adds the tensors of another list at the end.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Hands all tensors over, in order.
    pub fn take_each(mut self, to: &mut impl TensorTaker) {
        while let Some(tensor) = self.pop_any() {
            with_rank!(tensor.rank(), D => { to.take(tensor.into_tensor::<D>()) });
        }
    }

    /// Applies `work` to each tensor, one after the other; each is in a list of its own.
    pub fn map_each(mut self, mut work: impl FnMut(Self) -> Self) -> Self {
        let mut all = Self::with_capacity(self.len());
        while let Some(tensor) = self.pop_any() {
            all.append(work(tensor.into()));
        }
        all
    }

    /// Whether both lists have as many tensors, each of the same shape and on the same device as the one at its place
    /// in the other list. The element types may differ.
    pub fn is_like(&self, other: &Self) -> bool {
        let mut pairs = self.0.iter().zip(&other.0);
        self.len() == other.len()
            && pairs
                .all(|(one, other)| one.shape() == other.shape() && one.device() == other.device())
    }

    /// The element types of the tensors, in order.
    pub fn dtypes(&self) -> impl Iterator<Item = DType> {
        let all: Vec<_> = self.0.iter().map(|tensor| tensor.dtype()).collect();
        all.into_iter()
    }

    /// Each tensor, flattened to one dimension.
    pub fn flattened(&self) -> impl Iterator<Item = Tensor<1>> {
        // An iterator of the tensors themselves would not hide them. They are flattened one after the other: to flatten may copy.
        let all: Vec<AnyTensor> = self.0.iter().cloned().map(AnyTensor::new).collect();
        all.into_iter().map(AnyTensor::flatten)
    }

    /// Whether all tensors are on the CPU backend, without autodiff, in a type for which there are kernels. Any thread may
    /// work on such tensors; on other backends operations are queued by thread.
    pub fn is_on_cpu(&self) -> bool {
        #[cfg(feature = "flex")]
        let is_on_cpu = crate::flex::on_flex(&self.0);
        #[cfg(not(feature = "flex"))]
        let is_on_cpu = false;
        is_on_cpu
    }

    /// For each tensor, whether it is on the CPU backend, so small that a kernel works on it with one thread, and held by
    /// nobody else. Many such tensors are worth several threads: see [`ahead`](crate::ahead).
    pub fn are_small_on_cpu(&self) -> Vec<bool> {
        #[cfg(feature = "flex")]
        let is_small = |tensor| crate::flex::is_free(tensor) && crate::flex::is_little([tensor]);
        #[cfg(not(feature = "flex"))]
        let is_small = |_: &DispatchTensor| false;
        self.0.iter().map(is_small).collect()
    }

    /// For each tensor, whether it is on a GPU for which this crate has kernels, in a type that they work on: see
    /// [`take_together`](crate::take_together).
    pub fn are_on_gpu(&self) -> Vec<bool> {
        #[cfg(feature = "cube")]
        let is_on_gpu = |tensor| crate::cube::are_on_cube([tensor]);
        #[cfg(not(feature = "cube"))]
        let is_on_gpu = |_: &DispatchTensor| false;
        self.0.iter().map(is_on_gpu).collect()
    }

    /// The type in which to accumulate numbers of all tensors: `f64` if one of them is `f64`, otherwise `f32`.
    pub fn accumulation_dtype(&self) -> FloatDType {
        if self.0.iter().any(|tensor| tensor.dtype() == DType::F64) {
            FloatDType::F64
        } else {
            FloatDType::F32
        }
    }

    /// The narrowest of the types in which the numbers of these tensors are accumulated: `f64` if all of them
    /// are `f64`, otherwise `f32`.
    pub fn narrowest_dtype(&self) -> FloatDType {
        if self.0.iter().all(|tensor| tensor.dtype() == DType::F64) {
            FloatDType::F64
        } else {
            FloatDType::F32
        }
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Takes the tensors of a list, each with its own rank: see [`TensorList::take_each`].
pub trait TensorTaker {
    /// Takes the next tensor.
    fn take<const D: usize>(&mut self, tensor: Tensor<D>);
}

impl TensorList {
    /// Applies the same work to each tensor, in parallel if all are on the CPU backend. On other backends,
    /// operations are queued by thread, so one thread queues them all.
    pub(crate) fn map_all(self, work: &(dyn Fn(DispatchTensor) -> DispatchTensor + Sync)) -> Self {
        #[cfg(feature = "flex")]
        if crate::flex::on_flex(&self.0) && !crate::flex::is_little(&self.0) {
            let all = crate::flex::Threads::All;
            return Self::of(crate::flex::map_items(all, self.0.open().into(), work).into());
        }
        Self::of(self.0.into_iter().map(work).collect())
    }
}

impl<const D: usize> From<Tensor<D>> for TensorList {
    fn from(tensor: Tensor<D>) -> Self {
        AnyTensor::from(tensor).into()
    }
}

impl From<AnyTensor> for TensorList {
    fn from(tensor: AnyTensor) -> Self {
        let mut list = Self::with_capacity(1);
        list.push_any(tensor);
        list
    }
}
