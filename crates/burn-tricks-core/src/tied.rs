//! Tied parameters: parameters that a module holds at several places.
//!
//! Places with the same [`ParamId`] hold one tied parameter: the weights of a layer and its clone, or of an
//! encoder and a decoder that share a weight. Burn keeps a tensor at each place, and an optimizer's step
//! changes only the first of them.

use crate::leaf::Leaf;
use crate::params::{ParamInfo, params};
use crate::place::{ValueKind, places};
use crate::walk::visit_floats;
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::Tensor;
use burn_tricks_kernels::numbers;
use std::any::Any;
use std::collections::{HashMap, HashSet};

/// The tied float parameters of `module`: the paths of each, in the module's own order. Running statistics of
/// cloned layers and [derived](crate::Derived) state are not parameters and are left out.
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_core::tied_paths;
///
/// let layer = LinearConfig::new(2, 2).with_bias(false).init(&Device::flex());
/// let other = LinearConfig::new(2, 2).with_bias(false).init(&Device::flex());
/// let model = vec![layer.clone(), other, layer];
/// assert_eq!(tied_paths(&model), [["0.weight", "2.weight"]]);
/// ```
pub fn tied_paths<M: Module>(module: &M) -> Vec<Vec<String>> {
    let tied = tied_ids(module);
    let mut groups: Vec<(ParamId, Vec<String>)> = Vec::new();
    for ParamInfo { id, path, .. } in params(module) {
        match groups.iter_mut().find(|(group, _)| *group == id) {
            Some((_, paths)) => paths.push(path),
            None if tied.contains(&id) => groups.push((id, vec![path])),
            None => {}
        }
    }
    groups.into_iter().map(|(_, paths)| paths).collect()
}

/// `model` with the value of each tied parameter's first place at all its places that are trained, which then share one
/// autodiff leaf. In a model without autodiff, these are all places. A model without tied parameters is returned as it is.
///
/// A place that requires no gradient keeps its value if the first place requires one: it is the copy of a network at an earlier
/// time, such as the teacher in a distillation.
///
/// The shared leaf makes the gradients right. Burn keeps one gradient for each parameter id: if each place is a
/// leaf of its own, the last place's gradient replaces those of the others. Devices, gradient requirements and
/// ids stay. The cost is a walk over the module, without copies.
#[must_use]
pub fn tie<M: Module>(model: M) -> M {
    tie_if(model, |_| true)
}

/// Like [`tie`], but without changing a value: places that hold other numbers than the first place keep them.
/// Reads the places of tied parameters from their device.
pub(crate) fn tie_where_equal<M: Module>(model: M) -> M {
    tie_if(model, |equal| equal())
}

fn tie_if<M: Module>(model: M, is_tied: fn(&dyn Fn() -> bool) -> bool) -> M {
    let tied = tied_ids(&model);
    if tied.is_empty() {
        return model;
    }
    model.map(&mut Tie {
        tied,
        first: HashMap::new(),
        is_tied,
    })
}

/// The ids that occur at several places, without those of running statistics and derived values.
fn tied_ids<M: Module>(module: &M) -> HashSet<ParamId> {
    let mut ids = Vec::new();
    // Frozen, or a running statistic.
    let mut has_untracked = false;
    visit_floats(module, |_, param| {
        ids.push(param.id());
        has_untracked |= !param.is_require_grad();
    });
    let mut seen = HashSet::new();
    let again = ids.iter().filter(|id| !seen.insert(**id));
    let mut tied: HashSet<ParamId> = again.copied().collect();
    if !tied.is_empty() && has_untracked {
        let kinds = places(module).into_iter().map(|place| place.kind);
        let kinds = kinds.filter(|kind| kind.is_float());
        for (id, kind) in ids.iter().zip(kinds) {
            if kind != ValueKind::Weight {
                tied.remove(id);
            }
        }
    }
    tied
}

struct Tie {
    tied: HashSet<ParamId>,
    /// The tensor at the first place of each tied parameter.
    first: HashMap<ParamId, Box<dyn Any>>,
    /// Whether a place takes on the numbers of the first place, given a function that compares the two.
    is_tied: fn(&dyn Fn() -> bool) -> bool,
}

impl ModuleMapper for Tie {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        if !self.tied.contains(&id) {
            return param;
        }
        let Some(first) = self.first.get(&id) else {
            self.first.insert(id, Box::new(param.val()));
            return param;
        };
        let own = param.val();
        let Some(first) = first
            .downcast_ref::<Tensor<D>>()
            .filter(|first| first.dims() == own.dims())
            // A copy that is not trained, as the teacher in a distillation, is not the network that is.
            .filter(|first| own.is_require_grad() || !first.is_require_grad())
            .filter(|first| (self.is_tied)(&|| equal(first, &own)))
        else {
            return param;
        };
        let leaf = Leaf::new(&own);
        let shared = if leaf == Leaf::new(first) {
            first.clone()
        } else {
            // On another device, or frozen there: a leaf of its own.
            leaf.with_value(first.clone().without_autodiff(), id)
        };
        param.map(|_| shared)
    }
}

/// Whether two tensors hold the same numbers. Waits for the device.
fn equal<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> bool {
    let (a, b) = (a.clone().without_autodiff(), b.clone().without_autodiff());
    let b = b.to_device(&a.device()).cast(a.dtype());
    #[allow(clippy::disallowed_methods)] // where a model is restored, off the step path
    let equal = a.equal(b).all().into_data();
    numbers(&equal).iter().all(|equal| *equal == 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::force_init;
    use burn::nn::{BatchNormConfig, Linear, LinearConfig};
    use burn::optim::{GradientsParams, SgdConfig};
    use burn::tensor::Device;

    fn layer() -> Linear {
        let config = LinearConfig::new(2, 2).with_bias(false);
        let layer = config.init(&Device::flex().autodiff());
        force_init(&layer);
        layer
    }

    /// Of both layers, one after the other.
    fn loss(model: &[Linear]) -> Tensor<1> {
        let input = Tensor::<2>::ones([1, 2], &Device::flex().autodiff());
        let output = model
            .iter()
            .fold(input, |signal, layer| layer.forward(signal));
        output.square().sum()
    }

    #[allow(clippy::disallowed_methods)] // not on the step path
    fn numbers(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn after_a_step_the_places_are_one_and_their_gradient_is_the_sum() {
        let layer = layer();
        let mut model = vec![layer.clone(), layer];
        let mut optim = SgdConfig::new().init();
        for _ in 0..3 {
            let grads = GradientsParams::from_grads(loss(&model).backward(), &model);
            model = optim.step(0.01, model, grads);
            assert_ne!(
                numbers(model[0].weight.val()),
                numbers(model[1].weight.val()),
                "Burn steps the first place"
            );
            model = tie(model);
            assert_eq!(
                numbers(model[0].weight.val()),
                numbers(model[1].weight.val())
            );
            let tied = GradientsParams::from_grads(loss(&model).backward(), &model);
            // The same weights as two parameters.
            let apart = [0, 1].map(|at| {
                let weight = model[at].weight.val().detach().require_grad();
                Linear {
                    weight: Param::initialized(ParamId::new(), weight),
                    bias: None,
                }
            });
            let apart = apart.to_vec();
            let grads = GradientsParams::from_grads(loss(&apart).backward(), &apart);
            let of = |at: usize| grads.get::<2>(apart[at].weight.id).unwrap();
            assert_eq!(
                numbers(tied.get(model[0].weight.id).unwrap()),
                numbers(of(0) + of(1))
            );
        }
    }

    #[test]
    fn statistics_of_cloned_norms_are_no_parameters() {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let norm = BatchNormConfig::new(2).init(&device);
            let model = vec![norm.clone(), norm];
            assert_eq!(
                tied_paths(&model),
                [["0.gamma", "1.gamma"], ["0.beta", "1.beta"]]
            );
        }
    }

    #[test]
    fn a_place_keeps_its_gradient_requirement() {
        let layer = layer();
        let model = tie(vec![layer.clone(), layer.clone().freeze(), layer]);
        let tracked = |at: usize| model[at].weight.is_require_grad();
        assert_eq!([tracked(0), tracked(1), tracked(2)], [true, false, true]);
    }

    #[test]
    fn other_numbers_stay_where_only_equal_places_are_tied() {
        let layer = layer();
        let other = Linear {
            weight: layer
                .weight
                .clone()
                .map(|weight| (weight.inner() + 1.0).autodiff().require_grad()),
            bias: None,
        };
        let model = vec![layer.clone(), other, layer.fork(&Device::flex().autodiff())];
        let before: Vec<_> = model
            .iter()
            .map(|layer| numbers(layer.weight.val()))
            .collect();
        let model = tie_where_equal(model);
        let after: Vec<_> = model
            .iter()
            .map(|layer| numbers(layer.weight.val()))
            .collect();
        assert_eq!(before, after);
        // The first and the last share a leaf: the gradient is that of both uses.
        let shared = vec![model[0].clone(), model[2].clone()];
        let grads = loss(&shared).backward();
        let both = shared[0].weight.val().grad(&grads).unwrap();
        assert_eq!(
            numbers(shared[1].weight.val().grad(&grads).unwrap()),
            numbers(both)
        );
    }
}
