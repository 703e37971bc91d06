//! The turn of one parameter in a step.

use super::groups::Groups;
use burn::module::ParamId;
use burn::optim::DynState;
use burn::tensor::kind::BridgeTensor;
use burn::tensor::{Device, Tensor};
use burn_tricks_kernels::Multiple;

/// Turns, which threads give to each other by their pointers.
#[allow(clippy::vec_box)]
pub(super) type Turns = Vec<Box<Turn>>;

/// The step of one parameter, which has been taken or not.
pub(super) struct Turn {
    /// The parameter.
    pub(super) id: ParamId,
    /// The number of its slot.
    pub(super) slot: usize,
    /// The number of its group.
    pub(super) group: usize,
    pub(super) lr: f64,
    pub(super) rank: usize,
    /// The weight before the step, if the step can be taken before the walk comes to it; and the weight after the step.
    pub(super) weight: Option<BridgeTensor>,
    /// There before the step, and not after it.
    pub(super) grad: Option<Multiple>,
    pub(super) state: Option<DynState>,
    /// The device of the gradient, if there has been one.
    pub(super) device: Option<Device>,
    /// Whether the state may be on another device.
    pub(super) moves_state: bool,
}

impl Turn {
    /// Of the parameter with this slot in this group, still without weight and gradient.
    pub(super) fn new(id: ParamId, (slot, group): (usize, usize), lr: f64, rank: usize) -> Self {
        Self {
            id,
            slot,
            group,
            lr,
            rank,
            weight: None,
            grad: None,
            state: None,
            device: None,
            moves_state: false,
        }
    }

    /// Whether the step is still to be taken, and can be before the walk comes to the parameter.
    pub(super) fn is_ready(&self) -> bool {
        self.weight.is_some() && self.grad.is_some()
    }

    /// With the step taken, if it [is ready](Self::is_ready).
    pub(super) fn taken_if_ready(mut self: Box<Self>, groups: &Groups) -> Box<Self> {
        if self.is_ready()
            && let Some(weight) = self.weight.take()
        {
            self.take(groups, weight);
        }
        self
    }

    /// The device of the gradient, and of the weight after the step.
    pub(super) fn device(&self) -> &Device {
        self.device.as_ref().expect("the turn has a gradient")
    }

    /// The weight after the step, and the state. `weight` is the one before the step.
    pub(super) fn end<const D: usize>(
        mut self,
        groups: &Groups,
        weight: Tensor<D>,
    ) -> (Tensor<D>, Option<DynState>) {
        if self.grad.is_some() {
            let device = self.device();
            let moves = weight.device() != *device;
            let weight = if moves {
                weight.to_device(device)
            } else {
                weight
            };
            self.take(groups, weight.into_bridge());
        }
        let weight = self.weight.expect("the step has been taken");
        (Tensor::from_bridge(weight), self.state)
    }

    fn take(&mut self, groups: &Groups, weight: BridgeTensor) {
        let (grad, state) = self.take_parts(groups);
        let optim = groups.optimizer(self.group);
        let grad = grad.multiplied().into_bridge();
        let (weight, state) = optim.step_dyn(self.rank, self.lr, weight, grad, state);
        self.end_with(weight, state);
    }

    /// The gradient, and the state on its device.
    pub(super) fn take_parts(&mut self, groups: &Groups) -> (Multiple, Option<DynState>) {
        let grad = self.grad.take().expect("the step is taken once");
        let mut state = self.state.take();
        if self.moves_state {
            let optim = groups.optimizer(self.group);
            state = state.map(|state| optim.to_device_dyn(state, self.device()));
        }
        (grad, state)
    }

    /// With this weight and state after the step.
    pub(super) fn end_with(&mut self, weight: BridgeTensor, state: Option<DynState>) {
        self.weight = Some(weight);
        self.state = state;
    }
}
