//! What one step does to each parameter.

use crate::flat::{Flat, flat};
use crate::numbers::{Said, finite_if_all_are, join, norm, said};
use crate::record::params::Params;
use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{DType, FloatDType, Tensor};
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
    /// A number for each gradient that is finite if and only if all of its numbers are, by position.
    pub(crate) checks: Vec<(usize, Tensor<1>)>,
    /// The weights before the step.
    pub(crate) weights: Vec<Open>,
}

/// A parameter before a step that has not been taken yet.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) position: usize,
    pub(crate) weight: Tensor<1>,
    /// The gradient and its norm, if the direction of the update is to be compared with it.
    pub(crate) gradient: Option<[Tensor<1>; 2]>,
}

/// Measures the gradients and the weights before a step, and keeps the gradients if asked to. Nothing is read from the device.
pub(crate) fn before<M: Module>(
    params: &Params,
    model: &M,
    grads: &GradientsParams,
    previous: Option<&Flat>,
    keeps_gradients: bool,
) -> Before {
    let mut measure = Measure {
        params,
        grads,
        previous,
        keeps_gradients,
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
    keeps_gradients: bool,
    /// The checks of the gradients so far.
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
        if let Some(check) = self.seen.get(&param.id) {
            self.before.checks.push((position, check.clone()));
            return;
        }
        // Of `f64`, numbers beyond `f32` are finite too.
        let exact = (grad.dtype() == DType::F64).then(|| finite_if_all_are(&grad));
        let grad = grad.cast(FloatDType::F32);
        let weight = flat(param.val());
        self.before.with_gradient.push(position);
        let mut of_grad = said(&grad, &[Said::Norm, Said::Zeros, Said::NonFinite]);
        let size = of_grad[0].clone();
        let check = if let Some(check) = exact {
            let is_finite = check.clone().is_finite();
            of_grad[2] = of_grad[2].clone().mask_fill(is_finite, 0.0);
            check
        } else {
            // The norm of finite numbers may exceed `f32`.
            let is_finite = of_grad[2].clone().equal_elem(0.0);
            size.clone().mask_fill(is_finite, 0.0)
        };
        self.numbers.extend(of_grad);
        self.numbers.push(norm(&weight));
        self.before.checks.push((position, check.clone()));
        self.seen.insert(param.id, check);
        if let Some(previous) = self.previous.and_then(|all| all.get(&param.id)) {
            let previous = previous.clone().cast(FloatDType::F32);
            if previous.dims() == [grad.dims().iter().product::<usize>()] {
                self.dots
                    .push((flat(grad.clone()) * previous.clone()).sum());
                self.squares.extend([size.clone(), norm(&previous)]);
            }
        }
        let gradient = self.keeps_gradients.then(|| [flat(grad.clone()), size]);
        if let Some(unit) = self.params.list[position].unit.filter(|_| D >= 2) {
            let sums = unit.sum_per_unit(grad.abs());
            self.before.units.push((position, flat(sums)));
        }
        self.before.weights.push(Open {
            position,
            weight,
            gradient,
        });
    }
}

/// What a step has changed.
#[derive(Debug)]
pub(crate) struct After {
    /// The norms of the changes, in the order of the weights before, and the cosine of the angle between the whole change and
    /// the negative gradient if gradients were kept.
    pub(crate) numbers: Tensor<1>,
    pub(crate) has_cosine: bool,
}

/// Measures what a step has changed. Nothing is read from the device.
pub(crate) fn after<M: Module>(params: &Params, model: &M, weights: Vec<Open>) -> Option<After> {
    struct Walk<'a> {
        params: &'a Params,
        before: HashMap<usize, Open>,
        norms: HashMap<usize, Tensor<1>>,
        dots: Vec<Tensor<1>>,
        /// Pairs: the norms of the change and of the gradient.
        sizes: Vec<Tensor<1>>,
    }

    impl Visitor for Walk<'_> {
        fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
            if let Some(position) = self.params.position(at.path())
                && let Some(Open {
                    weight, gradient, ..
                }) = self.before.remove(&position)
            {
                let after = flat(param.val());
                if after.dims() == weight.dims() {
                    let after = after.cast(weight.dtype()).to_device(&weight.device());
                    let moved = distance(&after, &weight);
                    if let Some([gradient, size]) = gradient {
                        let gradient = gradient.to_device(&weight.device());
                        let change = (weight - after).cast(FloatDType::F32);
                        self.dots.push((change * gradient).sum());
                        self.sizes.extend([moved.clone(), size]);
                    }
                    self.norms.insert(position, moved);
                }
            }
        }
    }

    let order: Vec<usize> = weights.iter().map(|open| open.position).collect();
    let device = weights.first()?.weight.device();
    let mut walk = Walk {
        params,
        before: weights
            .into_iter()
            .map(|open| (open.position, open))
            .collect(),
        norms: HashMap::new(),
        dots: Vec::new(),
        sizes: Vec::new(),
    };
    visit(model, &mut walk);
    let missing = || Tensor::<1>::full([1], f32::NAN, &device);
    let norms = order
        .iter()
        .map(|at| walk.norms.remove(at).unwrap_or_else(missing));
    let mut numbers: Vec<Tensor<1>> = norms.collect();
    let both = join(walk.dots).zip(join(walk.sizes));
    let has_cosine = both.is_some();
    if let Some((dots, sizes)) = both {
        let [change, gradient] = [0, 1].map(|at| sizes.clone().reshape([-1, 2]).narrow(1, at, 1));
        let product = change.square().sum().sqrt() * gradient.square().sum().sqrt();
        numbers.push(dots.sum() / product);
    }
    let numbers = join(numbers)?;
    Some(After {
        numbers,
        has_cosine,
    })
}
