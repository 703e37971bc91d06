//! From Burn's tensors of any backend to those of this one, and back.

use super::GpuKernels;
use crate::special_factor::SpecialFactor;
use crate::trace::{Change, NumberTrace, Program, Trace};
use crate::unit_clip::UnitClip;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    BackendTensor, Cube, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind,
    TensorMetadata as _,
};
use burn::tensor::{DType, Tensor};
use burn_cubecl::CubeDevice;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

static KERNELS: AtomicBool = AtomicBool::new(true);

pub(crate) fn set_kernels(on: bool) {
    KERNELS.store(on, Ordering::Relaxed);
}

type Primitive = FloatTensor<Cube>;

/// The tensor of this backend, if it is a float tensor that autodiff does not track.
fn look(tensor: &DispatchTensor) -> Option<&Primitive> {
    match tensor {
        DispatchTensor {
            kind: DispatchTensorKind::Cube(BackendTensor::Float(tensor)),
            autodiff: DispatchAutodiffContext::Disabled,
        } => Some(tensor),
        _ => None,
    }
}

fn open(tensor: DispatchTensor) -> Primitive {
    match tensor.kind {
        DispatchTensorKind::Cube(BackendTensor::Float(tensor)) => tensor,
        other => panic!("not a float tensor of a GPU backend: {other:?}"),
    }
}

fn close(tensor: Primitive) -> DispatchTensor {
    DispatchTensor {
        kind: DispatchTensorKind::Cube(BackendTensor::Float(tensor)),
        autodiff: DispatchAutodiffContext::Disabled,
    }
}

/// The device of a float tensor of this backend.
#[cfg(test)]
pub(super) fn device_of(tensor: &DispatchTensor) -> CubeDevice {
    look(tensor)
        .expect("a float tensor of a GPU backend")
        .device()
}

/// Whether every tensor is a float tensor of one GPU, in a type for which there are kernels.
pub(crate) fn are_on_cube<'a>(tensors: impl IntoIterator<Item = &'a DispatchTensor>) -> bool {
    let mut device = None;
    KERNELS.load(Ordering::Relaxed)
        && tensors.into_iter().all(|tensor| {
            look(tensor).is_some_and(|tensor| {
                let here = tensor.device();
                matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16)
                    && *device.get_or_insert_with(|| here.clone()) == here
            })
        })
}

/// `scale` and `Σ (x/scale)²`; `None` when there is no number. All tensors must be those of [`are_on_cube`].
pub(crate) fn sum_of_squares<'a>(
    tensors: impl IntoIterator<Item = &'a DispatchTensor>,
) -> Option<(Tensor<1>, Tensor<1>)> {
    let tensors = opened(tensors)?;
    let [scale, sum] = Cube::sum_of_squares(tensors);
    let tensor = |primitive| Tensor::from_dispatch(close(primitive));
    Some((tensor(scale), tensor(sum)))
}

/// The number that `trace` makes of `scale` and `√Σ (x/scale)²` of such tensors.
pub(crate) fn number_of_norm<'a>(
    trace: Trace,
    tensors: impl IntoIterator<Item = &'a DispatchTensor>,
) -> Option<Tensor<1>> {
    let number = Cube::number_of_norm(Arc::new(trace), opened(tensors)?);
    Some(Tensor::from_dispatch(close(number)))
}

/// Those that have elements; `None` if there are none.
fn opened<'a>(tensors: impl IntoIterator<Item = &'a DispatchTensor>) -> Option<Vec<Primitive>> {
    let some = tensors.into_iter();
    let some = some.filter(|tensor| tensor.shape().num_elements() > 0);
    let some: Vec<_> = some.map(|tensor| open(tensor.clone())).collect();
    (!some.is_empty()).then_some(some)
}

/// The tensors times the factor, all those of [`are_on_cube`].
pub(crate) fn scale(
    tensors: VecDeque<DispatchTensor>,
    factor: DispatchTensor,
    special: SpecialFactor,
) -> VecDeque<DispatchTensor> {
    let is_full = |tensor: &DispatchTensor| tensor.shape().num_elements() > 0;
    let full: Vec<bool> = tensors.iter().map(is_full).collect();
    let (some, empty): (Vec<_>, Vec<_>) = tensors.into_iter().partition(is_full);
    let some: Vec<_> = some.into_iter().map(open).collect();
    let scaled = if some.is_empty() {
        Vec::new()
    } else {
        Cube::scale(some, open(factor), special)
    };
    let (mut scaled, mut empty) = (scaled.into_iter().map(close), empty.into_iter());
    let in_order = full.into_iter().map(|full| {
        let next = if full { scaled.next() } else { empty.next() };
        next.expect("one for each")
    });
    in_order.collect()
}

/// Whether steps of this program fit into a launch on the device of this tensor.
pub(crate) fn fit(program: &Program, tensor: &DispatchTensor) -> bool {
    look(tensor).is_some_and(|tensor| super::steps::fit(program, most_buffers(tensor.device())))
}

/// The same of steps that also multiply their gradients by a factor.
pub(crate) fn fit_times(program: &Program, tensor: &DispatchTensor) -> bool {
    look(tensor).is_some_and(|tensor| {
        super::steps::fit(program, most_buffers(tensor.device()).saturating_sub(1))
    })
}

/// How many buffers a launch on the device can have for the tensors. Each thread asks the device once, not for every tensor.
fn most_buffers(device: CubeDevice) -> usize {
    thread_local! {
        static KNOWN: RefCell<Vec<(CubeDevice, usize)>> = const { RefCell::new(Vec::new()) };
    }
    KNOWN.with_borrow_mut(|known| {
        if let Some((_, most)) = known.iter().find(|(other, _)| *other == device) {
            return *most;
        }
        let most = super::many::most_buffers(&device.client());
        known.push((device, most));
        most
    })
}

/// The number of each item: the tensors are those of an item, which have one shape and type, those of the next item, and so
/// on, none of them empty, at least one, all those of [`are_on_cube`].
fn tensor_numbers(trace: &NumberTrace, tensors: Vec<DispatchTensor>) -> DispatchTensor {
    let tensors = tensors.into_iter().map(open).collect();
    close(Cube::tensor_numbers(Arc::new(trace.clone()), tensors))
}

/// The new first tensor of each item, of such items.
pub(crate) fn change(change: &Change, mut tensors: Vec<DispatchTensor>) -> Vec<DispatchTensor> {
    if let Some(number) = change.number.as_ref().filter(|_| !tensors.is_empty()) {
        tensors.push(tensor_numbers(number, tensors.clone()));
    }
    steps(change.element.clone(), None, tensors)
}

/// The step of each weight after a change of its gradient.
pub(crate) fn steps_with(
    gradient: &Change,
    trace: Trace,
    mut tensors: Vec<DispatchTensor>,
) -> Vec<DispatchTensor> {
    let per_weight = trace.program.tensors + trace.program.states();
    let pairs = tensors.chunks(per_weight).flat_map(|one| &one[..2]);
    let number = gradient.number.as_ref().expect("a gradient with a number");
    let numbers = tensor_numbers(number, pairs.cloned().collect());
    tensors.push(numbers);
    steps(trace.with_gradient(gradient.element.clone()), None, tensors)
}

/// The step of each weight: the tensors are a weight, its gradient and its states, the next weight, and so on, none of
/// them empty, those of one weight in one shape, and all those of [`are_on_cube`], the states in `f32`; and the numbers of
/// the weights, if the step needs them. Of the result, the new weight and its states, and so on. With a factor, also one of
/// [`are_on_cube`], the gradients are multiplied by it first.
pub(crate) fn steps(
    trace: Trace,
    factor: Option<(DispatchTensor, SpecialFactor)>,
    tensors: Vec<DispatchTensor>,
) -> Vec<DispatchTensor> {
    let factor = factor.map(|(factor, special)| (open(factor), special));
    let tensors: Vec<_> = tensors.into_iter().map(open).collect();
    let stepped = if tensors.is_empty() {
        Vec::new()
    } else {
        Cube::steps(Arc::new(trace), factor, tensors)
    };
    stepped.into_iter().map(close).collect()
}

/// The clipped gradients; the tensors are a weight and its gradient, of one shape and type, the next weight, and so on, none
/// of them empty and all those of [`are_on_cube`], with an axis for each pair.
pub(crate) fn clip_units(
    clip: UnitClip,
    tensors: impl Iterator<Item = DispatchTensor>,
    axes: &[Option<usize>],
) -> Vec<DispatchTensor> {
    let clipped = Cube::clip_units(clip, tensors.map(open).collect(), axes.into());
    clipped.into_iter().map(close).collect()
}
