//! How the values of a snapshot change: cast, and moved towards others.

use crate::buffers::Buffers;
use crate::module_tensors::ModuleTensors;
use crate::place::{Place, ValueKind};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, DType, Int, Tensor};
use burn_tricks_kernels::{TensorList, accumulation_dtype, lerp, lerp_all};
use std::borrow::Cow;
use std::collections::VecDeque;

/// The tensors, each in the type given for it.
pub(crate) fn cast_to<'a>(
    tensors: &'a TensorList,
    dtypes: &VecDeque<DType>,
) -> Cow<'a, TensorList> {
    if tensors.dtypes().eq(dtypes.iter().copied()) {
        return Cow::Borrowed(tensors);
    }
    let (mut rest, mut cast) = (tensors.clone(), TensorList::with_capacity(tensors.len()));
    for dtype in dtypes {
        let tensor = rest.pop_any().expect("a tensor for each type");
        cast.append(tensor.cast((*dtype).into()).into());
    }
    Cow::Owned(cast)
}

/// Casts the floats of a module, one after the other.
pub(crate) struct Cast(pub(crate) VecDeque<DType>);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let dtype = self.0.pop_front().expect("a type for each float");
        // Burn cannot cast a quantised tensor, not even to its own type.
        param.map(|value| {
            if value.dtype() == dtype {
                value
            } else {
                value.cast(dtype)
            }
        })
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
    share: f64,
    buffers: Buffers,
    values: ModuleTensors,
    /// Which of the float values are stale and therefore unknown; empty if none can be.
    stale: VecDeque<bool>,
    places: std::slice::Iter<'a, Place>,
    wide: bool,
    /// What is to be moved after the walk, and towards what. The CPU backend moves each value in the walk.
    later: Option<[TensorList; 2]>,
}

impl<'a> Lerp<'a> {
    pub(crate) fn new(
        (share, buffers): (f64, Buffers),
        (values, stale): (ModuleTensors, VecDeque<bool>),
        (places, wide): (&'a [Place], bool),
    ) -> Self {
        Self {
            share,
            buffers,
            later: (!values.floats().is_on_cpu()).then(Default::default),
            values,
            stale,
            places: places.iter(),
            wide,
        }
    }

    /// The module with its values moved.
    pub(crate) fn of<M: Module>(mut self, model: M) -> M {
        let places = self.places.clone();
        let model = model.map(&mut self);
        let Some([held, new]) = self.later else {
            return model;
        };
        model.map(&mut PutMoved {
            moved: lerp_all(held, &new, self.share),
            buffers: self.buffers,
            places,
        })
    }

    fn next_place(&mut self) -> &Place {
        self.places.next().expect("a place for each tensor")
    }
}

/// Whether a float of this kind is copied, not moved.
fn is_copied(kind: ValueKind, buffers: Buffers) -> bool {
    match kind {
        ValueKind::Derived => true,
        ValueKind::Buffer => buffers == Buffers::Copy,
        _ => false,
    }
}

/// Puts the values that were moved after the walk into the module.
struct PutMoved<'a> {
    moved: TensorList,
    buffers: Buffers,
    places: std::slice::Iter<'a, Place>,
}

impl ModuleMapper for PutMoved<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let floats = self.places.find(|place| place.kind.is_float());
        let place = floats.expect("a place for each tensor");
        if is_copied(place.kind, self.buffers) {
            return param;
        }
        let moved = self.moved.pop().expect("one for each that was taken");
        param.map(|_| moved)
    }
}

impl ModuleMapper for Lerp<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let &Place { kind, dtype, .. } = self.next_place();
        let dtype = held_dtype(dtype, self.wide);
        let copied = is_copied(kind, self.buffers);
        let new = self.values.float::<D>().cast(dtype);
        let is_stale = self.stale.pop_front().unwrap_or_default();
        param.map(|held| {
            if copied && !is_stale {
                return new;
            }
            let held = held.to_device(&new.device()).cast(dtype);
            if copied {
                return held;
            }
            match &mut self.later {
                None => lerp(held, new, self.share),
                Some([all_held, all_new]) => {
                    let nothing = Tensor::empty([1; D], &new.device());
                    all_held.push(held);
                    all_new.push(new);
                    nothing
                }
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
