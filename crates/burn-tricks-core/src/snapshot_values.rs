//! How the values of a snapshot change: cast, and moved towards others.

use crate::buffers::Buffers;
use crate::module_tensors::ModuleTensors;
use crate::place::{Place, ValueKind};
use burn::module::{ModuleMapper, Param};
use burn::tensor::{Bool, DType, Int, Tensor};
use burn_tricks_kernels::{TensorList, TensorTaker, accumulation_dtype, lerp};
use std::collections::VecDeque;

/// The tensors, each in the type given for it.
pub(crate) fn cast_to(tensors: TensorList, dtypes: VecDeque<DType>) -> TensorList {
    if tensors.dtypes().eq(dtypes.iter().copied()) {
        return tensors;
    }
    struct CastEach(VecDeque<DType>, TensorList);
    impl TensorTaker for CastEach {
        fn take<const D: usize>(&mut self, tensor: Tensor<D>) {
            let dtype = self.0.pop_front().expect("a type for each tensor");
            self.1.push(tensor.cast(dtype));
        }
    }
    let mut cast = CastEach(dtypes, TensorList::new());
    tensors.take_each(&mut cast);
    cast.1
}

/// Casts the floats of a module, one after the other.
pub(crate) struct Cast(pub(crate) VecDeque<DType>);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let dtype = self.0.pop_front().expect("a type for each float");
        param.map(|value| value.cast(dtype))
    }
}

/// The type in which a float of type `dtype` is held.
pub(crate) fn held_dtype(dtype: DType, wide: bool) -> DType {
    if wide {
        accumulation_dtype(dtype).into()
    } else {
        dtype
    }
}

/// Moves the values of a module towards others.
pub(crate) struct Lerp<'a> {
    pub(crate) share: f64,
    pub(crate) buffers: Buffers,
    pub(crate) values: ModuleTensors,
    pub(crate) places: std::slice::Iter<'a, Place>,
    pub(crate) wide: bool,
}

impl Lerp<'_> {
    fn next_place(&mut self) -> &Place {
        self.places.next().expect("a place for each tensor")
    }
}

impl ModuleMapper for Lerp<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let &Place { kind, dtype, .. } = self.next_place();
        let dtype = held_dtype(dtype, self.wide);
        let copied = match kind {
            ValueKind::Derived => true,
            ValueKind::Buffer => self.buffers == Buffers::Copy,
            _ => false,
        };
        let new = self.values.float::<D>().cast(dtype);
        param.map(|held| {
            if copied {
                new
            } else {
                lerp(held.to_device(&new.device()).cast(dtype), new, self.share)
            }
        })
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        self.next_place();
        let new: Tensor<D, Int> = self.values.other();
        param.map(|_| new)
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        self.next_place();
        let new: Tensor<D, Bool> = self.values.other();
        param.map(|_| new)
    }
}
