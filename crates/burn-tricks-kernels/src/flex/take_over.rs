//! A master weight takes over what others have changed, in one read.

use super::buffer::{close, dense, look, numbers, open};
use super::element_type::{Stored, with_element_type};
use super::vector::Wide;
use super::{FlexTensor, GRAIN};
use crate::precision::accumulation_dtype;
use burn::backend::DispatchTensor;
use burn::tensor::DType;
use rayon::prelude::*;

/// How many numbers are rounded and compared at a time.
const BLOCK: usize = 256;

/// Whether both are tensors of this backend, in a half-precision type and in the type in which it is accumulated.
pub(crate) fn takes_over(master: &DispatchTensor, weight: &DispatchTensor) -> bool {
    match (look(master), look(weight)) {
        (Some(master), Some(weight)) => {
            let dtype = weight.dtype();
            matches!(dtype, DType::F16 | DType::BF16)
                && DType::from(accumulation_dtype(dtype)) == master.dtype()
        }
        _ => false,
    }
}

/// The new master weights.
pub(crate) fn take_over(master: DispatchTensor, weight: DispatchTensor) -> DispatchTensor {
    let (master, weight) = (open(master), open(weight));
    close(with_element_type!(weight.dtype(), E => taken_over::<E>(master, &weight)))
}

fn taken_over<E: Stored>(master: FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let mut master = dense(master);
    let weight = numbers::<E>(weight);
    // Master weights that somebody else holds too are copied here.
    let numbers = master.storage_mut::<E::Wide>();
    let parts = numbers.par_chunks_mut(GRAIN).zip(weight.par_chunks(GRAIN));
    parts.for_each(|(master, weight)| {
        let mut rounded = [E::zeroed(); BLOCK];
        let mut wide = [[E::Wide::ZERO; BLOCK]; 2];
        for (master, weight) in master.chunks_mut(BLOCK).zip(weight.chunks(BLOCK)) {
            let count = master.len();
            let [before, now] = wide.each_mut().map(|block| &mut block[..count]);
            E::store(master, &mut rounded[..count]);
            E::load(&rounded[..count], before);
            E::load(weight, now);
            if before == now {
                continue;
            }
            for ((master, before), now) in master.iter_mut().zip(before).zip(now) {
                if before != now {
                    *master = *now;
                }
            }
        }
    });
    master
}
