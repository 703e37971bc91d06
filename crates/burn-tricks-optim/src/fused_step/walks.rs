//! The two walks of a step: one gathers the gradients, and the other steps the parameters.

use super::groups::Groups;
use super::slots::Slots;
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{ModuleVisitor, Param, ParamId};
use burn::optim::GradAdaptor;
use burn::tensor::{Device, Tensor};
use burn_tricks_core::walk::{Location, Mapper};
use burn_tricks_core::{Leaf, WeightTaker};
use burn_tricks_kernels::TensorList;

/// Takes the gradients in the module's order, that of a tied parameter at its first place; those of several devices
/// summed.
pub(super) struct Gather {
    from: GradAdaptor,
    ids: Vec<ParamId>,
    grads: TensorList,
}

impl Gather {
    pub(super) fn new(from: impl Into<GradAdaptor>) -> Self {
        Self {
            from: from.into(),
            ids: Vec::new(),
            grads: TensorList::new(),
        }
    }

    pub(super) fn into_parts(self) -> (Vec<ParamId>, TensorList) {
        (self.ids, self.grads)
    }
}

impl ModuleVisitor for Gather {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some((grad, _device)) = self.from.remove::<D>(param.id) {
            self.ids.push(param.id);
            self.grads.push(grad);
        }
    }
}

/// Steps the parameters that have a gradient, and gives all float tensors of the module to an average.
pub(super) struct StepEach<'a, U> {
    /// The parameters of `grads`.
    ids: std::iter::Peekable<std::vec::IntoIter<ParamId>>,
    grads: TensorList,
    lr: &'a ModuleLearningRate,
    groups: &'a Groups,
    slots: &'a mut Slots,
    next_slot: usize,
    average: &'a mut Option<U>,
}

impl<'a, U: WeightTaker> StepEach<'a, U> {
    pub(super) fn new(
        (ids, grads): (Vec<ParamId>, TensorList),
        lr: &'a ModuleLearningRate,
        (groups, slots): (&'a Groups, &'a mut Slots),
        average: &'a mut Option<U>,
    ) -> Self {
        Self {
            ids: ids.into_iter().peekable(),
            grads,
            lr,
            groups,
            slots,
            next_slot: 0,
            average,
        }
    }

    /// # Panics
    ///
    /// If the walk has not come to each parameter that has a gradient, in the order of the gradients.
    pub(super) fn finish(mut self) {
        if let Some(id) = self.ids.peek().copied() {
            panic!(
                "`map` of a module must come to the parameters in the order of its `visit`: of those \
                 with a gradient {} were not stepped, the first with the id {}",
                self.ids.len(),
                id.val()
            );
        }
    }

    /// The new weight, on the device of the gradient.
    fn stepped<const D: usize>(
        &mut self,
        at: &Location,
        id: ParamId,
        (weight, grad): (Tensor<D>, Tensor<D>),
        device: Device,
    ) -> Tensor<D> {
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
        let grad = self.groups.clipped(slot.group, grad);
        let (weight, grad) = (weight.into_bridge(), grad.into_bridge());
        let (weight, state) = optim.step_dyn(D, lr, weight, grad, state);
        slot.state = state;
        Tensor::from_bridge(weight)
    }
}

impl<U: WeightTaker> Mapper for StepEach<'_, U> {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        let id = param.id;
        if self.ids.next_if_eq(&id).is_none() {
            if let Some(average) = self.average {
                average.take(at, &param.val().without_autodiff());
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
            let weight = self.stepped(at, id, (weight, grad), device);
            if let Some(average) = self.average {
                average.take(at, &weight);
            }
            leaf.with_value(weight, id)
        })
    }
}
