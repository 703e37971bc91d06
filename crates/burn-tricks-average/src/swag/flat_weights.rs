//! The weights of a model as lists of numbers.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use burn_tricks_core::{Place, ValueKind, accumulation_dtype};
use std::collections::HashMap;

/// The weights of a model, place by place, each as a list of numbers in `f32` (in `f64` for `f64` weights). Running
/// statistics and state that is computed from the weights are left out.
#[derive(Debug, Clone)]
pub(crate) struct FlatWeights(Vec<Tensor<1>>);

impl FlatWeights {
    /// The weights of a model that autodiff does not track, with these places.
    pub(crate) fn of<M: Module>(model: &M, places: &[Place]) -> Self {
        let mut read = Read {
            places: Floats::new(places),
            weights: Vec::new(),
        };
        model.visit(&mut read);
        Self(read.weights)
    }

    /// For each weight, the index of the first one with its id: that of another weight where a parameter is tied.
    pub(crate) fn owners<M: Module>(model: &M, places: &[Place]) -> Vec<usize> {
        let mut owners = Owners {
            places: Floats::new(places),
            first: HashMap::new(),
            owners: Vec::new(),
        };
        model.visit(&mut owners);
        owners.owners
    }

    /// `model` with these weights, in its own types and on its own devices.
    pub(crate) fn write<M: Module>(self, model: M, places: &[Place]) -> M {
        model.map(&mut Write {
            places: Floats::new(places),
            weights: self.0.into_iter(),
        })
    }

    /// The same weights on the devices and in the types of `others`.
    pub(crate) fn moved_to(self, others: &Self) -> Self {
        let pairs = self.0.into_iter().zip(&others.0);
        let moved = |(weight, other): (Tensor<1>, &Tensor<1>)| {
            weight.to_device(&other.device()).cast(other.dtype())
        };
        Self(pairs.map(moved).collect())
    }

    /// The results of `f` for each weight.
    pub(crate) fn map(self, f: impl Fn(Tensor<1>) -> Tensor<1>) -> Self {
        Self(self.0.into_iter().map(f).collect())
    }

    /// The results of `f` for each weight of both.
    pub(crate) fn zip(self, other: Self, f: impl Fn(Tensor<1>, Tensor<1>) -> Tensor<1>) -> Self {
        let pairs = self.0.into_iter().zip(other.0);
        Self(pairs.map(|(one, other)| f(one, other)).collect())
    }

    /// The results of `f` for the index of each weight and the weight.
    pub(crate) fn enumerate(self, f: impl Fn(usize, Tensor<1>) -> Tensor<1>) -> Self {
        let weights = self.0.into_iter().enumerate();
        Self(weights.map(|(at, weight)| f(at, weight)).collect())
    }
}

/// Goes through the float places of a model.
struct Floats<'a>(std::slice::Iter<'a, Place>);

impl<'a> Floats<'a> {
    fn new(places: &'a [Place]) -> Self {
        Self(places.iter())
    }

    /// Whether the next float is a weight.
    fn is_weight(&mut self) -> bool {
        let place = self.0.by_ref().find(|place| place.kind.is_float());
        place.expect("a place for each float").kind == ValueKind::Weight
    }
}

struct Read<'a> {
    places: Floats<'a>,
    weights: Vec<Tensor<1>>,
}

impl ModuleVisitor for Read<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.places.is_weight() {
            let weight = param.val();
            let count = weight.shape().num_elements();
            let wide = accumulation_dtype(weight.dtype());
            self.weights.push(weight.reshape([count]).cast(wide));
        }
    }
}

struct Owners<'a> {
    places: Floats<'a>,
    first: HashMap<ParamId, usize>,
    owners: Vec<usize>,
}

impl ModuleVisitor for Owners<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.places.is_weight() {
            let at = self.owners.len();
            self.owners.push(*self.first.entry(param.id).or_insert(at));
        }
    }
}

struct Write<'a> {
    places: Floats<'a>,
    weights: std::vec::IntoIter<Tensor<1>>,
}

impl ModuleMapper for Write<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !self.places.is_weight() {
            return param;
        }
        let weight = self.weights.next().expect("a list for each weight");
        param.map(|old| {
            let weight = weight.reshape(old.dims()).to_device(&old.device());
            weight.cast(old.dtype())
        })
    }
}
