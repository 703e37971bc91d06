//! The steps that a GPU takes together, with one launch for dozens of parameters.

use super::groups::Groups;
use super::turn::Turn;
use crate::ada_belief::AdaBelief;
use crate::ada_delta::AdaDelta;
use crate::ada_grad::AdaGrad;
use crate::ada_max::Adamax;
use crate::adam::Adam;
use crate::cautious::Cautious;
use crate::lars::Lars;
use crate::n_adam::NAdam;
use crate::normalized_gradient::NormalizedGradient;
use crate::plan_steps::{Outcome, PlanSteps};
use crate::r_adam::RAdam;
use crate::rms_prop::RmsProp;
use crate::sgd::Sgd;
use crate::signum::Signum;
use crate::trust_ratio::TrustRatio;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::Optimizer;
use burn::tensor::Tensor;
use burn::tensor::kind::BridgeTensor;
use burn_tricks_kernels::{AnyTensor, TensorList, take_together, with_rank};
use std::any::Any;
use std::sync::Arc;

/// This optimizer as one that can plan its steps: those of this crate can, also with a trust ratio or as cautious ones. Other
/// wrappers change the new weight in ways of their own.
pub(super) fn planner(optim: &impl Optimizer) -> Option<Arc<dyn PlanSteps>> {
    fn found<P: PlanSteps + Clone + 'static>(optim: &dyn Any) -> Option<Arc<dyn PlanSteps>> {
        let optim = optim.downcast_ref::<P>()?;
        Some(Arc::new(optim.clone()))
    }
    macro_rules! one_of {
        ($optim:expr; $($name:ty),*) => {
            None$(
                .or_else(|| found::<$name>($optim))
                .or_else(|| found::<TrustRatio<$name>>($optim))
                .or_else(|| found::<Cautious<$name>>($optim))
            )*
        };
    }
    let optim: &dyn Any = optim;
    // AdamW is an Adam.
    one_of!(
        optim;
        AdaBelief, AdaDelta, AdaGrad, Adam, Adamax, Lars, NAdam, RAdam, RmsProp, Sgd, Signum
    )
    .or_else(|| found::<NormalizedGradient>(optim))
}

/// Whether the first float of the module is on a GPU.
pub(super) fn is_on_gpu<M: Module>(module: &M) -> bool {
    struct First(Option<bool>);
    impl ModuleVisitor for First {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.0.is_none() {
                let value = param.base().without_autodiff();
                self.0 = Some(TensorList::from(value).are_on_gpu() == [true]);
            }
        }
    }
    let mut first = First(None);
    module.visit(&mut first);
    first.0.unwrap_or_default()
}

/// Takes the steps of those turns whose weight is known and whose parameters are on a GPU: `on_gpu` says which.
pub(super) fn take(turns: &mut [Box<Turn>], on_gpu: &[bool], groups: &Groups) {
    let (mut planned, mut ends) = (Vec::new(), Vec::new());
    for (number, turn) in turns.iter_mut().enumerate() {
        let planner = groups.planner(turn.group).filter(|_| on_gpu[number]);
        let Some((planner, weight)) = planner.zip(turn.weight.take_if(|_| on_gpu[number])) else {
            continue;
        };
        let (grad, state) = turn.take_parts(groups);
        let rank = turn.rank;
        match planner.plan(turn.lr, any(rank, weight), grad, state) {
            Outcome::Taken(weight, state) => turn.end_with(bridge(weight), state),
            Outcome::Planned(step, end) => {
                planned.push(step);
                ends.push((number, end));
            }
        }
    }
    for ((number, end), (weight, state)) in ends.into_iter().zip(take_together(planned)) {
        turns[number].end_with(bridge(weight), end(state));
    }
}

fn any(rank: usize, tensor: BridgeTensor) -> AnyTensor {
    with_rank!(rank, D => { Tensor::<D>::from_bridge(tensor).into() })
}

fn bridge(tensor: AnyTensor) -> BridgeTensor {
    with_rank!(tensor.rank(), D => { tensor.into_tensor::<D>().into_bridge() })
}
