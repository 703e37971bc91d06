//! Parameter ids of its own for each member of an ensemble.

use burn::module::{ModuleMapper, Param, ParamId};
use burn::tensor::{Bool, Int, Tensor};
use std::collections::HashMap;

/// Gives each member its own parameter ids. Running statistics keep theirs, since no optimizer changes them.
/// Tied parameters stay tied.
#[derive(Default)]
pub(crate) struct NewIds(HashMap<ParamId, ParamId>);

impl NewIds {
    fn of(&mut self, id: ParamId) -> ParamId {
        *self.0.entry(id).or_default()
    }
}

impl ModuleMapper for NewIds {
    fn map_float<const D: usize>(&mut self, mut param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.id = self.of(param.id);
        param
    }

    fn map_int<const D: usize>(
        &mut self,
        mut param: Param<Tensor<D, Int>>,
    ) -> Param<Tensor<D, Int>> {
        param.id = self.of(param.id);
        param
    }

    fn map_bool<const D: usize>(
        &mut self,
        mut param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        param.id = self.of(param.id);
        param
    }
}
