//! A master weight takes over what others have changed.

use burn::tensor::Tensor;

/// The master weights, with the value of the weight wherever a weight is not the rounded master weight: other code has
/// changed it.
///
/// On the CPU backend this is one read of both, and of the master weights only those are written that are near a changed
/// weight, in place if their buffer is not shared.
///
/// ```
/// use burn::tensor::{DType, Device, Tensor};
/// use burn_tricks_kernels::take_over;
///
/// let device = Device::flex();
/// let master = Tensor::<1>::from_floats([1.0001, 1.0001], &device);
/// let weight = Tensor::<1>::from_floats([1.0, 2.0], &device).cast(DType::BF16);
/// let master = take_over(master, weight);
/// assert_eq!(master.into_data().to_vec::<f32>().unwrap(), [1.0001, 2.0]);
/// ```
///
/// # Panics
///
/// If the tensors have different shapes.
pub fn take_over<const D: usize>(master: Tensor<D>, weight: Tensor<D>) -> Tensor<D> {
    assert_eq!(
        master.dims(),
        weight.dims(),
        "the shapes of master weight and weight"
    );
    #[cfg(feature = "flex")]
    let (master, weight) = {
        let (master, weight) = (master.into(), weight.into());
        if crate::flex::takes_over(&master, &weight) {
            return crate::flex::take_over(master, weight).into_tensor();
        }
        (master.into_tensor(), weight.into_tensor())
    };
    take_over_twin(master, weight)
}

/// [`take_over`] with tensor operations alone: the specification.
pub fn take_over_twin<const D: usize>(master: Tensor<D>, weight: Tensor<D>) -> Tensor<D> {
    let rounded = master.clone().cast(weight.dtype());
    let plain = weight.clone().cast(master.dtype());
    plain.mask_where(rounded.equal(weight), master)
}
