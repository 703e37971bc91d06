//! Operations that autodiff sees as one, with a backward pass of their own.

use super::FlexTensor;
use super::buffer::{close, from_numbers, on_flex, open};
use super::element_type::has_kernels;
use crate::any_tensor::AnyTensor;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::retro_forward::RetroForward;
use burn::backend::autodiff::checkpoint::state::BackwardStates;
use burn::backend::autodiff::checkpoint::strategy::{
    BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{
    Autodiff, AutodiffBackend, BackendTensor, DispatchAutodiffContext, DispatchKindConversion,
    DispatchTensor, DispatchTensorKind, Flex, TensorMetadata as _,
};
use burn::tensor::{GradientCheckpointingStrategy, Shape};
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

/// An operation on `N` tensors of this backend.
pub(super) trait Operation<const N: usize>: Send + Sync + 'static {
    /// What the backward pass needs. Input tensors in it are shared, not copied.
    type Saved: Send + Sync + 'static;
    /// What the forward pass gives besides the output, without a gradient.
    type Extra;

    /// Whether the output is computed again in the backward pass under gradient checkpointing, rather than kept.
    const IS_LIGHT: bool = false;

    fn forward(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::Saved, Self::Extra);

    /// The gradients of the inputs, from the output's; of those that are not `needed`, `None` will do.
    fn backward(
        &self,
        saved: &Self::Saved,
        grad: FlexTensor,
        needed: [bool; N],
    ) -> [Option<FlexTensor>; N];
}

/// The output, with autodiff if the inputs have it; the unchanged inputs if there is no kernel for them, or if they belong
/// to autodiff only in part or with different strategies of checkpointing. The latter Burn refuses: the tensor operations that
/// stand for the kernel panic with its message.
#[allow(clippy::result_large_err)]
pub(super) fn run<O: Operation<N>, const N: usize>(
    operation: O,
    inputs: [AnyTensor; N],
) -> Result<(AnyTensor, O::Extra), [AnyTensor; N]> {
    const { assert!(N <= MOST) };
    let inputs = inputs.map(AnyTensor::open);
    if on_flex(&inputs) {
        let (output, _, extra) = operation.forward(inputs.map(open));
        return Ok((AnyTensor::new(close(output)), extra));
    }
    let operation = Arc::new(operation);
    let again = O::IS_LIGHT.then(|| {
        let operation = operation.clone();
        Forward(Arc::new(move |inputs| operation.forward(array(inputs)).0))
    });
    let mut also = None;
    let mut forward = |inputs| {
        let (output, saved, extra) = operation.forward(array(inputs));
        also = Some(extra);
        let operation = operation.clone();
        let pass = move |grad, needed: &[bool]| {
            let needed = needed.first_chunk().expect("as many as inputs");
            Vec::from(operation.backward(&saved, grad, *needed))
        };
        (output, Pass(Arc::new(pass)))
    };
    match tracked(again, inputs.into(), &mut forward) {
        Ok(output) => {
            let extra = also.expect("the forward pass has run");
            Ok((AnyTensor::new(output), extra))
        }
        Err(inputs) => Err(array(inputs).map(AnyTensor::new)),
    }
}

/// The tensors, of which there are `N`.
fn array<T, const N: usize>(tensors: Vec<T>) -> [T; N] {
    let Ok(tensors) = tensors.try_into() else {
        unreachable!("each pass has the inputs of the operation");
    };
    tensors
}

// What follows knows neither the type of the operation nor the number of its inputs: it is compiled once.

/// The most inputs that an operation has.
const MOST: usize = 3;

/// The backward pass, in the graph of autodiff: the gradients of the inputs that need one.
#[derive(Clone)]
struct Pass(Arc<Backwards>);

type Backwards = dyn Fn(FlexTensor, &[bool]) -> Vec<Option<FlexTensor>> + Send + Sync;

/// The forward pass, to be repeated.
struct Forward(Arc<dyn Fn(Vec<FlexTensor>) -> FlexTensor + Send + Sync>);

/// The output in the graph of autodiff, or the unchanged inputs.
#[allow(clippy::result_large_err)]
fn tracked(
    again: Option<Forward>,
    inputs: Vec<DispatchTensor>,
    forward: &mut dyn FnMut(Vec<FlexTensor>) -> (FlexTensor, Pass),
) -> Result<DispatchTensor, Vec<DispatchTensor>> {
    if !inputs.iter().all(is_tracked_on_flex) {
        return Err(inputs);
    }
    let context = inputs[0].autodiff;
    if inputs.iter().any(|input| input.autodiff != context) {
        return Err(inputs);
    }
    match context {
        DispatchAutodiffContext::Enabled(GradientCheckpointingStrategy::Disabled) => {
            Ok(in_graph::<NoCheckpointing>(again, inputs, forward))
        }
        DispatchAutodiffContext::Enabled(GradientCheckpointingStrategy::Balanced) => {
            Ok(in_graph::<BalancedCheckpointing>(again, inputs, forward))
        }
        _ => Err(inputs),
    }
}

/// Whether there are kernels for the tensor, with or without autodiff.
pub(super) fn has_kernel(tensor: &DispatchTensor) -> bool {
    on_flex([tensor]) || is_tracked_on_flex(tensor)
}

/// Whether the tensor is a float tensor of this backend under autodiff, in a type for which there are kernels.
fn is_tracked_on_flex(tensor: &DispatchTensor) -> bool {
    let DispatchTensorKind::Autodiff(inner) = &tensor.kind else {
        return false;
    };
    matches!(
        &**inner,
        DispatchTensorKind::Flex(BackendTensor::Autodiff(tensor)) if has_kernels(tensor.dtype())
    )
}

fn in_graph<C: CheckpointStrategy>(
    again: Option<Forward>,
    inputs: Vec<DispatchTensor>,
    forward: &mut dyn FnMut(Vec<FlexTensor>) -> (FlexTensor, Pass),
) -> DispatchTensor
where
    DispatchTensor: DispatchKindConversion<Autodiff<Flex, C>>,
{
    type Tracked<C> = <Autodiff<Flex, C> as burn::backend::BackendTypes>::FloatTensorPrimitive;
    let mut tracked: Vec<Tracked<C>> = Vec::with_capacity(MOST);
    for input in inputs {
        let input =
            <DispatchTensor as DispatchKindConversion<Autodiff<Flex, C>>>::try_into_backend(input);
        tracked.push(input.expect("looked at above").float());
    }
    let ids = tracked.iter().map(|input| input.node().id()).collect();
    // Burn's graph wants to know how many parents there are when it is compiled: where there are fewer, a tensor without
    // numbers, which needs no gradient, stands for the others.
    let count = tracked.len();
    if count < MOST {
        let none = from_numbers(Vec::<f32>::new(), Shape::new([0]));
        tracked.push(<Autodiff<Flex, C> as AutodiffBackend>::from_inner(none));
    }
    let node = |at: usize| tracked[at.min(tracked.len() - 1)].node();
    let prepared = Backward::<Flex, MOST>::prepare::<C>(Operated, [node(0), node(1), node(2)]);
    tracked.truncate(count);
    let prepared = match again {
        Some(forward) => prepared
            .memory_bound()
            .retro_forward(Again {
                forward,
                inputs: ids,
            })
            .parents(&tracked),
        None => prepared.compute_bound(),
    };
    let mut inputs = Vec::with_capacity(count);
    for input in tracked {
        inputs.push(<Autodiff<Flex, C> as AutodiffBackend>::inner(input));
    }
    let (output, pass) = forward(inputs);
    let output = match prepared.stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(pass, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    let output = BackendTensor::<Autodiff<Flex, C>>::Float(output);
    <DispatchTensor as DispatchKindConversion<Autodiff<Flex, C>>>::from_backend(output)
}

/// An operation whose output is computed again.
struct Again {
    forward: Forward,
    inputs: Vec<NodeId>,
}

impl RetroForward for Again {
    fn forward(&self, states: &mut BackwardStates, node: NodeId) {
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            inputs.push(states.get_state::<FlexTensor>(input));
        }
        states.save(node, (self.forward.0)(inputs));
    }
}

/// An operation in the graph of autodiff. Its backward pass is its state.
#[derive(Debug)]
struct Operated;

impl Backward<Flex, MOST> for Operated {
    type State = Pass;

    fn backward(self, ops: Ops<Pass, MOST>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let needed = ops.parents.each_ref().map(Option::is_some);
        let of_inputs = (ops.state.0)(grad, &needed);
        for (parent, grad) in ops.parents.into_iter().zip(of_inputs) {
            if let (Some(parent), Some(grad)) = (parent, grad) {
                grads.register::<Flex>(parent.id, grad);
            }
        }
    }
}

impl Debug for Pass {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Pass")
    }
}

impl Debug for Again {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Again")
    }
}
