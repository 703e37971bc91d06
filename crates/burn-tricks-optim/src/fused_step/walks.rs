//! The two walks of a step: one gathers the gradients, and the other steps the parameters.

use super::groups::Groups;
use super::slots::Slots;
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn_tricks_core::Leaf;
use burn_tricks_core::walk::{Location, Mapper};
use burn_tricks_kernels::TensorList;

/// Takes the gradients in the module's order, that of a tied parameter at its first place.
pub(super) struct Gather {
    from: GradientsParams,
    ids: Vec<ParamId>,
    grads: TensorList,
}

impl Gather {
    pub(super) fn new(from: GradientsParams) -> Self {
        Self {
            ids: Vec::with_capacity(from.len()),
            grads: TensorList::with_capacity(from.len()),
            from,
        }
    }

    pub(super) fn into_parts(self) -> (Vec<ParamId>, TensorList) {
        (self.ids, self.grads)
    }
}

impl ModuleVisitor for Gather {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.from.remove::<D>(param.id) {
            self.ids.push(param.id);
            self.grads.push(grad);
        }
    }
}

/// Steps the parameters that have a gradient.
pub(super) struct StepEach<'a> {
    /// The parameters of `grads`.
    ids: std::iter::Peekable<std::vec::IntoIter<ParamId>>,
    grads: TensorList,
    lr: &'a ModuleLearningRate,
    groups: &'a Groups,
    slots: &'a mut Slots,
    next_slot: usize,
    /// All float tensors of the module, if somebody takes them.
    weights: Option<TensorList>,
}

impl<'a> StepEach<'a> {
    pub(super) fn new(
        (ids, grads): (Vec<ParamId>, TensorList),
        lr: &'a ModuleLearningRate,
        (groups, slots): (&'a Groups, &'a mut Slots),
        collects: bool,
    ) -> Self {
        let weights = collects.then(|| TensorList::with_capacity(ids.len()));
        Self {
            ids: ids.into_iter().peekable(),
            grads,
            lr,
            groups,
            slots,
            next_slot: 0,
            weights,
        }
    }

    /// The float tensors of the module, if they were collected.
    ///
    /// # Panics
    ///
    /// If the walk has not come to each parameter that has a gradient, in the order of the gradients.
    pub(super) fn into_weights(mut self) -> TensorList {
        if let Some(id) = self.ids.peek().copied() {
            panic!(
                "`map` of a module must come to the parameters in the order of its `visit`: of those \
                 with a gradient {} were not stepped, the first with the id {}",
                self.ids.len(),
                id.val()
            );
        }
        self.weights.unwrap_or_default()
    }

    /// The new weight.
    fn stepped<const D: usize>(
        &mut self,
        at: &Location,
        id: ParamId,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        let device = grad.device();
        let number = (self.slots).number(self.next_slot, id, at.path(), self.groups);
        self.next_slot = number + 1;
        let slot = self.slots.get_mut(number);
        let optim = self.groups.optimizer(slot.group);
        let lr = self.lr.lr_from_param(id, Some(at.path()));
        let mut state = slot.state.take();
        if slot.device.as_ref() != Some(&device) {
            state = state.map(|state| optim.to_device_dyn(state, &device));
            slot.device = Some(device);
        }
        let (weight, grad) = (weight.into_bridge(), grad.into_bridge());
        let (weight, state) = optim.step_dyn(D, lr, weight, grad, state);
        slot.state = state;
        Tensor::from_bridge(weight)
    }
}

impl Mapper for StepEach<'_> {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        let id = param.id;
        if self.ids.next_if_eq(&id).is_none() {
            if let Some(weights) = &mut self.weights {
                weights.push(param.val().without_autodiff());
            }
            return param;
        }
        let grad = self.grads.pop::<D>().expect("one for each parameter");
        param.map(|weight| {
            // As Burn's optimizers do.
            let device = grad.device();
            // Before the move, after which a tensor that autodiff tracks is no leaf.
            let leaf = Leaf::new(&weight).moved_to(&device);
            let mut weight = weight.without_autodiff();
            if weight.device() != device {
                weight = weight.to_device(&device);
            }
            let weight = self.stepped(at, id, weight, grad);
            if let Some(weights) = &mut self.weights {
                weights.push(weight.clone());
            }
            leaf.with_value(weight, id)
        })
    }
}
