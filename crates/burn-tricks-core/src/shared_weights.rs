//! The weights of a model at one moment, collected in one walk and used by several snapshots.

use crate::module_tensors::ModuleTensors;
use crate::place::{Mismatch, Place, ValueKind, places};
use crate::walk::{Location, Visitor, visit};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, Int, Tensor};
use std::borrow::Cow;
use std::sync::Arc;

/// The weights of a model, shared with it and not copied. Made by
/// [`Snapshot::weights_of`](crate::Snapshot::weights_of); drop it before the next optimizer step, which cannot update
/// the weights in place while it exists.
#[derive(Clone)]
pub struct SharedWeights<'a, M: Module> {
    pub(crate) model: Cow<'a, M>,
    pub(crate) values: ModuleTensors,
    /// The places with which the model was compared.
    places: Arc<[Place]>,
}

impl<M: Module> std::fmt::Debug for SharedWeights<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedWeights")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

impl<'a, M: Module> SharedWeights<'a, M> {
    /// The weights of `model`, if it has these places, whatever the element types. It builds no list of places,
    /// so it can be called at every step.
    pub(crate) fn of(model: &'a M, expected: &Arc<[Place]>) -> Result<Self, Mismatch> {
        // Running statistics have pending updates, which `valid` applies; weights are as they are.
        let model = if expected.iter().all(|place| place.kind == ValueKind::Weight) {
            Cow::Borrowed(model)
        } else {
            Cow::Owned(model.valid())
        };
        let mut look = Look {
            rest: expected,
            same: true,
            values: ModuleTensors::with_capacity(expected.len()),
        };
        visit(&*model, &mut look);
        let same = look.same && look.rest.is_empty();
        let values = look.values;
        if !same && let Some(mismatch) = Mismatch::apart_from_dtype(expected, &places(&*model)) {
            return Err(mismatch);
        }
        Ok(Self {
            model,
            values,
            places: expected.clone(),
        })
    }

    /// Whether a snapshot with the places `expected` matches too.
    pub(crate) fn check(&self, expected: &Arc<[Place]>) -> Result<(), Mismatch> {
        if Arc::ptr_eq(expected, &self.places) {
            return Ok(());
        }
        Mismatch::apart_from_dtype(expected, &self.places).map_or(Ok(()), Err)
    }
}

struct Look<'a> {
    rest: &'a [Place],
    same: bool,
    values: ModuleTensors,
}

impl Look<'_> {
    /// All kinds of floats are treated alike here: the walk cannot tell a weight from a running statistic.
    fn next(&mut self, at: &Location, kind: ValueKind, dims: &[usize]) {
        let Some((place, rest)) = self.rest.split_first() else {
            self.same = false;
            return;
        };
        let expected = match place.kind {
            kind if kind.is_float() => ValueKind::Weight,
            kind => kind,
        };
        self.same &= kind == expected && place.shape == dims && place.path == at.path();
        self.rest = rest;
    }
}

impl Visitor for Look<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        self.next(at, ValueKind::Weight, &param.lazy_shape());
        self.values.visit_float(param);
    }

    fn int<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D, Int>>) {
        self.next(at, ValueKind::Int, &param.lazy_shape());
        self.values.visit_int(param);
    }

    fn bool<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D, Bool>>) {
        self.next(at, ValueKind::Bool, &param.lazy_shape());
        self.values.visit_bool(param);
    }
}
