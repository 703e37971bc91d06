//! A master weight takes over what others have changed, in one read.

use super::buffer::{close, dense, look, numbers, open};
use super::element_type::Stored;
use super::share::share;
use super::vector::Wide;
use super::{FlexTensor, GRAIN};
use crate::any_tensor::AnyTensor;
use crate::precision::accumulation_dtype;
use burn::tensor::DType;
use half::{bf16, f16};

/// How many numbers are rounded and compared at a time.
pub(super) const BLOCK: usize = 256;

/// Whether both are tensors of this backend, in a half-precision type and in the type in which it is accumulated.
pub(crate) fn takes_over(master: &AnyTensor, weight: &AnyTensor) -> bool {
    match (look(&master.0), look(&weight.0)) {
        (Some(master), Some(weight)) => {
            let dtype = weight.dtype();
            matches!(dtype, DType::F16 | DType::BF16)
                && DType::from(accumulation_dtype(dtype)) == master.dtype()
        }
        _ => false,
    }
}

/// The new master weights of weights that this backend [takes over](takes_over).
pub(crate) fn take_over(master: AnyTensor, weight: AnyTensor) -> AnyTensor {
    let (master, weight) = (open(master.open()), open(weight.open()));
    AnyTensor::new(close(match weight.dtype() {
        DType::F16 => taken_over::<f16>(master, &weight),
        _ => taken_over::<bf16>(master, &weight),
    }))
}

fn taken_over<E: Stored>(master: FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let mut master = dense(master);
    let weight = numbers::<E>(weight);
    // Master weights that somebody else holds too are copied here.
    let numbers = master.storage_mut::<E::Wide>();
    let pieces = numbers.chunks_mut(GRAIN).zip(weight.chunks(GRAIN));
    share(pieces, |(master, weight)| {
        let mut rounded = [E::zeroed(); BLOCK];
        let mut wide = [[E::Wide::ZERO; BLOCK]; 2];
        for (master, weight) in master.chunks_mut(BLOCK).zip(weight.chunks(BLOCK)) {
            take_over_block(master, weight, &mut rounded, &mut wide);
        }
    });
    master
}

/// The same for at most a block. What is in the other two does not matter.
#[inline]
pub(super) fn take_over_block<E: Stored>(
    master: &mut [E::Wide],
    weight: &[E],
    rounded: &mut [E; BLOCK],
    wide: &mut [[E::Wide; BLOCK]; 2],
) {
    let rounded = &mut rounded[..master.len()];
    E::store(master, rounded);
    // Mostly all are the same, bit by bit. Others may be equal, as -0 and 0 are.
    if bytemuck::cast_slice::<_, u8>(rounded) == bytemuck::cast_slice::<_, u8>(weight) {
        return;
    }
    let [before, now] = wide.each_mut().map(|block| &mut block[..master.len()]);
    E::load(rounded, before);
    E::load(weight, now);
    for ((master, before), now) in master.iter_mut().zip(before).zip(now) {
        if before != now {
            *master = *now;
        }
    }
}
