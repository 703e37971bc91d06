//! What one step does to each parameter.

use crate::flat::{Flat, flat};
use crate::numbers::{Said, join, norm, said};
use crate::record::params::Params;
use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{FloatDType, Tensor};
use burn_tricks_core::walk::{Location, Visitor, visit};
use burn_tricks_kernels::distance;
use std::collections::HashMap;

/// The numbers of a parameter before a step: norm, zeros and non-finite share of the gradient, and norm of the
/// weight.
pub(crate) const BEFORE: usize = 4;

/// What was measured before a step.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// The positions of the parameters that have a gradient.
    pub(crate) with_gradient: Vec<usize>,
    /// [`BEFORE`] numbers for each of them, and the cosine with the previous gradient if there was one.
    pub(crate) numbers: Option<Tensor<1>>,
    pub(crate) has_cosine: bool,
    /// The magnitudes of the gradient, summed for each unit, by position.
    pub(crate) units: Vec<(usize, Tensor<1>)>,
    /// The norms of the gradients, by position.
    pub(crate) norms: Vec<(usize, Tensor<1>)>,
    /// The weights before the step, by position.
    pub(crate) weights: Vec<(usize, Tensor<1>)>,
}

/// Measures the gradients and the weights before a step. Nothing is read from the device.
pub(crate) fn before<M: Module>(
    params: &Params,
    model: &M,
    grads: &GradientsParams,
    previous: Option<&Flat>,
) -> Before {
    let mut measure = Measure {
        params,
        grads,
        previous,
        seen: HashMap::new(),
        numbers: Vec::new(),
        dots: Vec::new(),
        squares: Vec::new(),
        before: Before::default(),
    };
    visit(model, &mut measure);
    let Measure {
        mut numbers,
        dots,
        squares,
        mut before,
        ..
    } = measure;
    if let (Some(dots), Some(squares)) = (join(dots), join(squares)) {
        // Both norms in one root, which may underflow to 0 and then gives NaN: no cosine.
        let [own, other] = [0, 1].map(|at| squares.clone().reshape([-1, 2]).narrow(1, at, 1));
        let product = own.square().sum().sqrt() * other.square().sum().sqrt();
        numbers.push(dots.sum() / product);
        before.has_cosine = true;
    }
    before.numbers = join(numbers);
    before
}

struct Measure<'a> {
    params: &'a Params,
    grads: &'a GradientsParams,
    previous: Option<&'a Flat>,
    /// The norms of the gradients so far.
    seen: HashMap<ParamId, Tensor<1>>,
    numbers: Vec<Tensor<1>>,
    dots: Vec<Tensor<1>>,
    /// Pairs: the norms of this gradient and of the previous one.
    squares: Vec<Tensor<1>>,
    before: Before,
}

impl Visitor for Measure<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        let Some(position) = self.params.position(at.path()) else {
            return;
        };
        let Some(grad) = self.grads.get::<D>(param.id) else {
            return;
        };
        if grad.dims().contains(&0) {
            return;
        }
        if let Some(size) = self.seen.get(&param.id) {
            self.before.norms.push((position, size.clone()));
            return;
        }
        let grad = grad.cast(FloatDType::F32);
        let weight = flat(param.val());
        self.before.with_gradient.push(position);
        let of_grad = said(&grad, &[Said::Norm, Said::Zeros, Said::NonFinite]);
        let size = of_grad[0].clone();
        self.numbers.extend(of_grad);
        self.numbers.push(norm(&weight));
        self.before.norms.push((position, size.clone()));
        self.seen.insert(param.id, size.clone());
        if let Some(previous) = self.previous.and_then(|all| all.get(&param.id)) {
            let previous = previous.clone().cast(FloatDType::F32);
            if previous.dims() == [grad.dims().iter().product::<usize>()] {
                self.dots
                    .push((flat(grad.clone()) * previous.clone()).sum());
                self.squares.extend([size, norm(&previous)]);
            }
        }
        if let Some(unit) = self.params.list[position].unit.filter(|_| D >= 2) {
            let sums = unit.sum_per_unit(grad.abs());
            self.before.units.push((position, flat(sums)));
        }
        self.before.weights.push((position, weight));
    }
}

/// The norms of the changes that a step made, in the order of `before.weights`. Nothing is read from the device.
pub(crate) fn after<M: Module>(
    params: &Params,
    model: &M,
    weights: Vec<(usize, Tensor<1>)>,
) -> Option<Tensor<1>> {
    struct After<'a> {
        params: &'a Params,
        before: HashMap<usize, Tensor<1>>,
        norms: HashMap<usize, Tensor<1>>,
    }

    impl Visitor for After<'_> {
        fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
            if let Some(position) = self.params.position(at.path())
                && let Some(before) = self.before.remove(&position)
            {
                let after = flat(param.val());
                if after.dims() == before.dims() {
                    let after = after.cast(before.dtype()).to_device(&before.device());
                    self.norms.insert(position, distance(&after, &before));
                }
            }
        }
    }

    let order: Vec<usize> = weights.iter().map(|(position, _)| *position).collect();
    let device = weights.first()?.1.device();
    let mut walk = After {
        params,
        before: weights.into_iter().collect(),
        norms: HashMap::new(),
    };
    visit(model, &mut walk);
    let missing = || Tensor::<1>::full([1], f32::NAN, &device);
    let norms = order
        .iter()
        .map(|at| walk.norms.remove(at).unwrap_or_else(missing));
    join(norms.collect())
}
