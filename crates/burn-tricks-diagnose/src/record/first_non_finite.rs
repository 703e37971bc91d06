//! The first step whose gradients are not finite, found without a read from the device.

use crate::history::position::FirstNonFinite;
use crate::numbers::{finite_if_all_are, join, read};
use crate::record::params::Params;
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};
use burn_tricks_core::walk::{Location, Visitor, visit};

/// A step's number is kept as two numbers below 2^24, which are whole in `f32`.
const DIGIT: usize = 1 << 24;

/// The number of a step, the larger digit first, and for each of its gradients a number that is finite if and only if all of the
/// gradient's are, by the place of the parameter: of the last step, or of the first in which one of them was not finite.
#[derive(Debug, Default)]
pub(crate) struct NonFiniteWatch {
    kept: Option<Tensor<1>>,
}

impl NonFiniteWatch {
    /// Looks at the checks of the gradients of a step, by position of the parameter, of which there are `count`.
    pub(crate) fn push(&mut self, count: usize, step: usize, checks: Vec<(usize, Tensor<1>)>) {
        let mut found = vec![None; count];
        for (position, check) in checks {
            found[position] = Some(check);
        }
        let Some(device) = found.iter().flatten().next().map(Tensor::device) else {
            return;
        };
        let zero = Tensor::<1>::zeros([1], &device);
        let mut parts: Vec<_> = (found.into_iter())
            .map(|check| check.unwrap_or_else(|| zero.clone()))
            .collect();
        let number = [(step / DIGIT) as f32, (step % DIGIT) as f32];
        // Whatever the float type of the device is, in one that holds both digits.
        parts.insert(0, Tensor::from_data(number, (&device, DType::F32)));
        let Some(now) = join(parts) else { return };
        self.kept = Some(match self.kept.take() {
            Some(kept) => {
                let has_found = kept.clone().is_finite().all().bool_not();
                now.mask_where(has_found.expand(kept.dims()), kept)
            }
            None => now,
        });
    }

    /// Waits for the device.
    pub(crate) fn read(&self, params: &Params) -> Option<FirstNonFinite> {
        let kept = read(self.kept.as_ref()?);
        let ([larger, smaller], checks) = kept.split_first_chunk()?;
        let bad = params
            .list
            .iter()
            .zip(checks)
            .filter(|(_, check)| !check.is_finite());
        let paths: Vec<String> = bad.map(|(param, _)| param.path.clone()).collect();
        (!paths.is_empty()).then_some(FirstNonFinite {
            step: *larger as usize * DIGIT + *smaller as usize,
            paths,
        })
    }
}

/// For each gradient a number that is finite if and only if all of the gradient's are, by position of the parameter. Nothing is
/// read from the device.
pub(crate) fn checks<M: Module>(
    params: &Params,
    model: &M,
    grads: &GradientsParams,
) -> Vec<(usize, Tensor<1>)> {
    let mut checks = Checks {
        params,
        grads,
        found: Vec::new(),
    };
    visit(model, &mut checks);
    checks.found
}

struct Checks<'a> {
    params: &'a Params,
    grads: &'a GradientsParams,
    found: Vec<(usize, Tensor<1>)>,
}

impl Visitor for Checks<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if let Some(position) = self.params.position(at.path())
            && let Some(grad) = self.grads.get::<D>(param.id)
        {
            self.found.push((position, finite_if_all_are(&grad)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    #[test]
    fn a_step_beyond_the_whole_numbers_of_f32_keeps_its_number() {
        let device = Device::flex().autodiff();
        let model = LinearConfig::new(2, 1).init(&device);
        let params = Params::of(&model);
        let mut watch = NonFiniteWatch::default();
        let bad = (1 << 24) + 1;
        for step in bad - 1..=bad + 1 {
            let root = if step < bad { 1.0 } else { 0.0 };
            let outputs = model.forward(Tensor::<2>::ones([3, 2], &device));
            let loss = (outputs * root).square().sqrt().sum();
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            watch.push(params.list.len(), step, checks(&params, &model, &grads));
        }
        let first = watch.read(&params).unwrap();
        assert_eq!(first.step, bad);
        assert_eq!(first.paths, ["weight", "bias"]);
    }
}
