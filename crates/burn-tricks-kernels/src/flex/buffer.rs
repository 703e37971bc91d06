//! Converts a Burn tensor to the CPU backend's own tensor, and back.

use super::FlexTensor;
use super::element_type::{Stored, has_kernels, with_element_type};
use super::threads::{self, Threads};
use super::vector::Wide as _;
use burn::backend::{
    BackendTensor, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind, Flex,
};
use burn::tensor::{Element, Shape, Tensor};
use std::collections::VecDeque;
use std::hint::black_box;

/// The tensor's buffer.
///
/// # Panics
///
/// If it is on another backend: call [`look`] first.
pub(super) fn open(tensor: DispatchTensor) -> FlexTensor {
    match tensor.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(buffer)) => buffer,
        other => panic!("not a float tensor of the CPU backend: {other:?}"),
    }
}

/// The buffer of a tensor of integers.
///
/// # Panics
///
/// If it is on another backend.
pub(super) fn open_int(tensor: DispatchTensor) -> FlexTensor {
    match tensor.kind {
        DispatchTensorKind::Flex(BackendTensor::Int(buffer)) => buffer,
        other => panic!("not an integer tensor of the CPU backend: {other:?}"),
    }
}

/// The tensor's buffer, if it is a float tensor of the CPU backend that autodiff does not track.
pub(super) fn look(tensor: &DispatchTensor) -> Option<&FlexTensor> {
    match tensor {
        DispatchTensor {
            kind: DispatchTensorKind::Flex(BackendTensor::Float(buffer)),
            autodiff: DispatchAutodiffContext::Disabled,
        } => Some(buffer),
        _ => None,
    }
}

/// The shape of a tensor that [`look`] can see.
pub(crate) fn shape(tensor: &DispatchTensor) -> Option<&Shape> {
    look(tensor).map(|buffer| buffer.layout().shape())
}

/// Brings tensors into the cache before they are worked on. To begin with a tensor takes long: its numbers are found through
/// three pointers, one after the other. So each is followed one pointer further while the tensors before it are worked on,
/// and nothing waits for it.
fn load_ahead<'a>(tensor: impl Fn(usize) -> Option<&'a DispatchTensor>) {
    /// The bytes that the cache loads together, and how often: 4096 bytes.
    const LINE: usize = 64;
    const LINES: usize = 64;
    let buffer = |ahead| tensor(ahead).and_then(look);
    if let Some(buffer) = buffer(3) {
        black_box((buffer.is_unique(), buffer.layout().strides().first()));
    }
    if let Some(buffer) = buffer(2) {
        black_box(buffer.bytes());
    }
    if let Some(buffer) = buffer(1) {
        let lines = buffer.bytes().iter().step_by(LINE).take(LINES);
        black_box(lines.fold(0, |all, byte| all ^ byte));
    }
}

/// Calls `work` with the number of each tensor and with the tensor, while the next ones, and those beside them among `others`,
/// come into the cache.
pub(super) fn for_each_tensor(
    threads: Threads,
    tensors: &mut [DispatchTensor],
    others: &VecDeque<DispatchTensor>,
    work: &(dyn Fn(usize, &mut DispatchTensor) + Sync),
) {
    let some = match threads {
        Threads::One => tensors.len(),
        Threads::All => threads::at_a_time(tensors.len()),
    };
    threads::for_each_chunk(threads, tensors, some, &|chunk, tensors| {
        for at in 0..tensors.len() {
            let number = chunk * some + at;
            load_ahead(|ahead| tensors.get(at + ahead));
            load_ahead(|ahead| others.get(number + ahead));
            work(number, &mut tensors[at]);
        }
    });
}

/// Like [`look`], to change the buffer.
pub(super) fn look_mut(tensor: &mut DispatchTensor) -> Option<&mut FlexTensor> {
    match tensor {
        DispatchTensor {
            kind: DispatchTensorKind::Flex(BackendTensor::Float(buffer)),
            autodiff: DispatchAutodiffContext::Disabled,
        } => Some(buffer),
        _ => None,
    }
}

pub(super) fn close(buffer: FlexTensor) -> DispatchTensor {
    DispatchTensor {
        kind: DispatchTensorKind::Flex(BackendTensor::Float(buffer)),
        autodiff: DispatchAutodiffContext::Disabled,
    }
}

/// Whether every tensor is a float tensor of the CPU backend, in a type for which there are kernels.
pub(crate) fn on_flex<'a>(tensors: impl IntoIterator<Item = &'a DispatchTensor>) -> bool {
    tensors
        .into_iter()
        .all(|tensor| look(tensor).is_some_and(|buffer| has_kernels(buffer.dtype())))
}

/// Whether the tensor is a float tensor of the CPU backend whose buffer nobody else holds.
pub(crate) fn is_free(tensor: &DispatchTensor) -> bool {
    look(tensor).is_some_and(FlexTensor::is_unique)
}

/// The number of a tensor with one element. On this backend it is already in memory, so there is nothing to
/// wait for.
pub(crate) fn scalar(tensor: &DispatchTensor) -> Option<f64> {
    let buffer = look(tensor)?;
    if buffer.layout().num_elements() != 1 || !has_kernels(buffer.dtype()) {
        return None;
    }
    Some(with_element_type!(buffer.dtype(), E => first_number::<E>(buffer)))
}

fn first_number<E: Stored>(buffer: &FlexTensor) -> f64 {
    let mut wide = [E::Wide::ZERO];
    E::load(&numbers::<E>(buffer)[..1], &mut wide);
    wide[0].to_f64()
}

/// The tensor with its numbers in order, from the first byte of its buffer to the last. It is copied only if
/// they were not in order.
pub(super) fn dense(mut buffer: FlexTensor) -> FlexTensor {
    make_dense(&mut buffer);
    buffer
}

/// Like [`dense`], where it stands.
pub(super) fn make_dense(buffer: &mut FlexTensor) {
    let layout = buffer.layout();
    let len = layout.num_elements() * buffer.dtype().size();
    let is_dense =
        layout.is_contiguous() && layout.start_offset() == 0 && buffer.bytes().len() == len;
    if !is_dense {
        *buffer = buffer.to_contiguous();
    }
}

/// The numbers of the tensor, in order, to be changed. If somebody else holds them too, they are copied before.
///
/// # Panics
///
/// If the tensor is on another backend: call [`look`] first.
pub(super) fn numbers_mut<E: Element + bytemuck::Pod>(tensor: &mut DispatchTensor) -> &mut [E] {
    let buffer = look_mut(tensor).expect("a float tensor of the CPU backend");
    make_dense(buffer);
    buffer.storage_mut()
}

/// The tensor with its numbers in order, perhaps as a part of its buffer.
pub(super) fn ordered(buffer: &FlexTensor) -> std::borrow::Cow<'_, FlexTensor> {
    if buffer.is_contiguous() {
        std::borrow::Cow::Borrowed(buffer)
    } else {
        std::borrow::Cow::Owned(buffer.to_contiguous())
    }
}

/// The numbers, in order: the buffer's own, or a copy.
pub(super) fn numbers<E: Stored>(buffer: &FlexTensor) -> std::borrow::Cow<'_, [E]> {
    match buffer.as_slice::<E>() {
        Some(slice) => slice.into(),
        None => buffer.to_contiguous().storage::<E>().to_vec().into(),
    }
}

/// A tensor of this shape and type that nobody else holds, to be overwritten: this one, or a new one.
pub(super) fn room<E: Stored>(tensor: FlexTensor) -> FlexTensor {
    let mut tensor = tensor;
    let count = tensor.layout().num_elements();
    let is_dense =
        tensor.as_slice::<E>().is_some() && tensor.bytes().len() == count * size_of::<E>();
    if is_dense && tensor.try_storage_mut::<E>().is_some() {
        return tensor;
    }
    from_numbers(vec![E::zeroed(); count], tensor.layout().shape().clone())
}

/// A new tensor of these numbers.
pub(super) fn from_numbers<E: Stored>(numbers: Vec<E>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(burn::tensor::TensorData::new(numbers, shape))
}

/// Like [`from_numbers`], as a Burn tensor of one dimension.
pub(super) fn tensor_of(numbers: Vec<f64>) -> Tensor<1> {
    let shape = Shape::new([numbers.len()]);
    Tensor::from_primitive::<Flex>(from_numbers(numbers, shape))
}
