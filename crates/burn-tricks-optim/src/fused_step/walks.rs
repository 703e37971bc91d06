//! The two walks of a step: one gathers the gradients, and the other puts the stepped parameters back.

use super::groups::Groups;
use super::slots::Slots;
use super::turn::{Turn, Turns};
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{Param, ParamId};
use burn::optim::GradAdaptor;
use burn::tensor::kind::BridgeTensor;
use burn::tensor::{Device, Tensor};
use burn_tricks_core::walk::{Location, Mapper, Visitor};
use burn_tricks_core::{Leaf, WeightTaker};
use burn_tricks_kernels::{AnyTensor, Factor, Multiple, TensorList, without_autodiff};

/// Takes the gradients in the module's order, that of a tied parameter at its first place; those of several devices
/// summed.
pub(super) struct Gather<'a> {
    from: GradAdaptor,
    lr: &'a ModuleLearningRate,
    groups: &'a Groups,
    slots: &'a mut Slots,
    next_slot: usize,
    turns: Turns,
    grads: TensorList,
}

impl<'a> Gather<'a> {
    pub(super) fn new(
        from: GradAdaptor,
        lr: &'a ModuleLearningRate,
        (groups, slots): (&'a Groups, &'a mut Slots),
    ) -> Self {
        Self {
            from,
            lr,
            groups,
            slots,
            next_slot: 0,
            turns: Turns::new(),
            grads: TensorList::new(),
        }
    }

    /// The turns of the parameters that have a gradient, still without it, and the gradients.
    pub(super) fn into_parts(self) -> (Turns, TensorList) {
        (self.turns, self.grads)
    }
}

impl Visitor for Gather<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if let Some((grad, _device)) = self.from.remove::<D>(param.id) {
            let weight = without_autodiff(param.base()).into_bridge();
            self.found(at.path(), param.id, D, weight);
            self.grads.push(grad);
        }
    }
}

impl Gather<'_> {
    /// A parameter with a gradient. Not part of the walk, which is compiled for each rank.
    fn found(&mut self, path: &str, id: ParamId, rank: usize, weight: BridgeTensor) {
        let number = (self.slots).number(self.next_slot, id, path, self.groups);
        self.next_slot = number + 1;
        let group = self.slots.get_mut(number).group;
        let lr = self.lr.lr_from_param(id, Some(path));
        let mut turn = Turn::new(id, (number, group), lr, rank);
        turn.weight = Some(weight);
        self.turns.push(Box::new(turn));
    }
}

/// Gives the gradients to the turns.
pub(super) struct Prepare<'a> {
    groups: &'a Groups,
    slots: &'a mut Slots,
    turns: std::slice::IterMut<'a, Box<Turn>>,
    /// Whether another thread may take the turn before the walk comes to the parameter.
    small: std::vec::IntoIter<bool>,
    /// Whether the parameter is on a GPU, which takes many steps together.
    on_gpu: std::slice::Iter<'a, bool>,
}

impl<'a> Prepare<'a> {
    /// Prepares these turns, with these gradients, in their order, which are to be multiplied by the factor if there is one.
    pub(super) fn turns(
        turns: &'a mut [Box<Turn>],
        ((mut grads, factor), on_gpu): ((TensorList, Option<Factor>), &'a [bool]),
        (groups, slots): (&'a Groups, &'a mut Slots),
    ) {
        // By the kernels of the steps, where these are all that reads the gradient.
        let left = factor.map(|factor| {
            let turns = turns.iter().zip(on_gpu);
            let left = turns.map(|(turn, on_gpu)| *on_gpu && groups.multiply(turn.group));
            (factor, left.collect::<Vec<_>>())
        });
        let mut prepare = Self {
            groups,
            slots,
            turns: turns.iter_mut(),
            small: grads.are_small_on_cpu().into_iter(),
            on_gpu: on_gpu.iter(),
        };
        match left {
            None => {
                while let Some(grad) = grads.pop_any() {
                    prepare.take(grad.into());
                }
            }
            Some((factor, left)) => {
                let grads = factor.times_later(grads, &left).into_iter();
                grads.for_each(|grad| prepare.take(grad));
            }
        }
    }

    fn take(&mut self, grad: Multiple) {
        let turn = self.turns.next().expect("a turn for each gradient");
        let is_small = self.small.next() == Some(true);
        let is_together =
            self.on_gpu.next() == Some(&true) && self.groups.planner(turn.group).is_some();
        let device = grad.device();
        let slot = self.slots.get_mut(turn.slot);
        turn.state = slot.state.take();
        // A weight of which the module has the only handle is stepped in place, and where the walk comes to it. A small
        // one on the CPU is stepped ahead, in the buffer of its gradient; without a state, as by plain SGD, its step takes
        // less time than to hand it over.
        let is_worth = is_together || (is_small && turn.state.is_some());
        let weight = turn.weight.take().filter(|_| is_worth);
        turn.weight = weight.filter(|weight| device_of(weight) == device);
        turn.grad = Some(self.groups.clipped(turn.group, grad));
        turn.moves_state = slot.moves_to(&device);
        turn.device = Some(device);
    }
}

/// The device of a float tensor of any rank, at which Burn does not look here.
fn device_of(tensor: &BridgeTensor) -> Device {
    Tensor::<1>::from_bridge(tensor.clone()).device()
}

/// Gives each parameter that has a gradient its new value, and all float tensors of the module to an average.
pub(super) struct PutBack<'a, U> {
    /// The parameters of `turns`.
    ids: std::iter::Peekable<std::vec::IntoIter<ParamId>>,
    turns: &'a mut dyn FnMut() -> Option<Box<Turn>>,
    groups: &'a Groups,
    slots: &'a mut Slots,
    average: &'a mut Option<U>,
}

impl<'a, U: WeightTaker> PutBack<'a, U> {
    pub(super) fn new(
        (ids, turns): (Vec<ParamId>, &'a mut dyn FnMut() -> Option<Box<Turn>>),
        (groups, slots): (&'a Groups, &'a mut Slots),
        average: &'a mut Option<U>,
    ) -> Self {
        Self {
            ids: ids.into_iter().peekable(),
            turns,
            groups,
            slots,
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
}

impl<U: WeightTaker> Mapper for PutBack<'_, U> {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        let id = param.id;
        if self.ids.next_if_eq(&id).is_none() {
            return averaged(at, param, self.average);
        }
        let turn = (self.turns)().expect("one for each parameter");
        stepped(
            at,
            param,
            *turn,
            (self.groups, &mut *self.slots),
            self.average,
        )
    }
}

/// A parameter that is not stepped, given to the average.
fn averaged<const D: usize>(
    at: &Location,
    param: Param<Tensor<D>>,
    average: &mut Option<impl WeightTaker>,
) -> Param<Tensor<D>> {
    if let Some(average) = average {
        average.take(at, &without_autodiff(param.val()));
    }
    param
}

/// The parameter after its step.
fn stepped<const D: usize>(
    at: &Location,
    param: Param<Tensor<D>>,
    turn: Turn,
    (groups, slots): (&Groups, &mut Slots),
    average: &mut Option<impl WeightTaker>,
) -> Param<Tensor<D>> {
    let id = param.id;
    param.map(|weight| {
        // Before the move, after which a tensor that autodiff tracks is no leaf.
        let leaf = Leaf::on(&weight, turn.device().clone());
        let slot = slots.get_mut(turn.slot);
        let (weight, state) = turn.end(groups, without_autodiff(weight));
        slot.state = state;
        if let Some(average) = average {
            average.take(at, &weight);
        }
        leaf.with_value(weight, id)
    })
}

/// Steps each parameter that has a gradient in one walk, and gives all float tensors of the module to an average.
pub(super) struct InOneWalk<'a, U> {
    from: GradAdaptor,
    lr: &'a ModuleLearningRate,
    groups: &'a Groups,
    slots: &'a mut Slots,
    next_slot: usize,
    average: &'a mut Option<U>,
}

impl<'a, U: WeightTaker> InOneWalk<'a, U> {
    pub(super) fn new(
        from: GradAdaptor,
        lr: &'a ModuleLearningRate,
        (groups, slots): (&'a Groups, &'a mut Slots),
        average: &'a mut Option<U>,
    ) -> Self {
        Self {
            from,
            lr,
            groups,
            slots,
            next_slot: 0,
            average,
        }
    }
}

impl<U: WeightTaker> Mapper for InOneWalk<'_, U> {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        let id = param.id;
        let Some((grad, device)) = self.from.remove::<D>(id) else {
            return averaged(at, param, self.average);
        };
        let number = (self.slots).number(self.next_slot, id, at.path(), self.groups);
        self.next_slot = number + 1;
        let slot = self.slots.get_mut(number);
        let lr = self.lr.lr_from_param(id, Some(at.path()));
        let mut turn = Turn::new(id, (number, slot.group), lr, D);
        let grad = AnyTensor::from(grad);
        turn.grad = Some(self.groups.clipped(turn.group, grad.into()));
        turn.state = slot.state.take();
        turn.moves_state = slot.moves_to(&device);
        turn.device = Some(device);
        stepped(
            at,
            param,
            turn,
            (self.groups, &mut *self.slots),
            self.average,
        )
    }
}
