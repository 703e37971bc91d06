//! Operations that autodiff sees as one, with a backward pass of their own.

use super::FlexTensor;
use super::buffer::{close, on_flex, open};
use super::element_type::has_kernels;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::retro_forward::RetroForward;
use burn::backend::autodiff::checkpoint::state::BackwardStates;
use burn::backend::autodiff::checkpoint::strategy::{
    BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::{
    Autodiff, AutodiffBackend, BackendTensor, DispatchAutodiffContext, DispatchKindConversion,
    DispatchTensor, DispatchTensorKind, Flex, TensorMetadata as _,
};
use burn::tensor::GradientCheckpointingStrategy;
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
/// to autodiff only in part or with different strategies.
#[allow(clippy::result_large_err)]
pub(super) fn run<O: Operation<N>, const N: usize>(
    operation: O,
    inputs: [DispatchTensor; N],
) -> Result<(DispatchTensor, O::Extra), [DispatchTensor; N]> {
    if on_flex(&inputs) {
        let (output, _, extra) = operation.forward(inputs.map(open));
        return Ok((close(output), extra));
    }
    let operation = Arc::new(operation);
    let again = O::IS_LIGHT.then(|| {
        let operation = operation.clone();
        Forward(Arc::new(move |inputs| operation.forward(inputs).0))
    });
    let mut also = None;
    let mut forward = |inputs| {
        let (output, saved, extra) = operation.forward(inputs);
        also = Some(extra);
        let operation = operation.clone();
        let pass = move |grad, needed| operation.backward(&saved, grad, needed);
        (output, Pass(Arc::new(pass)))
    };
    let output = tracked(again, inputs, &mut forward)?;
    Ok((output, also.expect("the forward pass has run")))
}

// What follows does not know the type of the operation: it is compiled once for each number of inputs.

/// The gradients of the inputs that need one.
type OfInputs<const N: usize> = [Option<FlexTensor>; N];

/// The backward pass, in the graph of autodiff.
#[derive(Clone)]
struct Pass<const N: usize>(Arc<dyn Fn(FlexTensor, [bool; N]) -> OfInputs<N> + Send + Sync>);

/// The forward pass, to be repeated.
struct Forward<const N: usize>(Arc<dyn Fn([FlexTensor; N]) -> FlexTensor + Send + Sync>);

/// The output in the graph of autodiff, or the unchanged inputs.
#[allow(clippy::result_large_err)]
fn tracked<const N: usize>(
    again: Option<Forward<N>>,
    inputs: [DispatchTensor; N],
    forward: &mut dyn FnMut([FlexTensor; N]) -> (FlexTensor, Pass<N>),
) -> Result<DispatchTensor, [DispatchTensor; N]> {
    if !inputs.iter().all(is_tracked_on_flex) {
        return Err(inputs);
    }
    let context = inputs[0].autodiff;
    if inputs.iter().any(|input| input.autodiff != context) {
        return Err(inputs);
    }
    match context {
        DispatchAutodiffContext::Enabled(GradientCheckpointingStrategy::Disabled) => {
            Ok(in_graph::<NoCheckpointing, N>(again, inputs, forward))
        }
        DispatchAutodiffContext::Enabled(GradientCheckpointingStrategy::Balanced) => {
            Ok(in_graph::<BalancedCheckpointing, N>(again, inputs, forward))
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

fn in_graph<C: CheckpointStrategy, const N: usize>(
    again: Option<Forward<N>>,
    inputs: [DispatchTensor; N],
    forward: &mut dyn FnMut([FlexTensor; N]) -> (FlexTensor, Pass<N>),
) -> DispatchTensor
where
    DispatchTensor: DispatchKindConversion<Autodiff<Flex, C>>,
{
    type Tracked<C> = <Autodiff<Flex, C> as burn::backend::BackendTypes>::FloatTensorPrimitive;
    let inputs: [Tracked<C>; N] = inputs.map(|input| {
        let input =
            <DispatchTensor as DispatchKindConversion<Autodiff<Flex, C>>>::try_into_backend(input);
        input.expect("looked at above").float()
    });
    let nodes = inputs.each_ref().map(Tracked::<C>::node);
    let ids = nodes.each_ref().map(NodeGuard::id);
    let prepared = Backward::<Flex, N>::prepare::<C>(Operated, nodes);
    let prepared = match again {
        Some(forward) => prepared
            .memory_bound()
            .retro_forward(Again {
                forward,
                inputs: ids,
            })
            .parents(&inputs),
        None => prepared.compute_bound(),
    };
    let inputs = inputs.map(<Autodiff<Flex, C> as AutodiffBackend>::inner);
    let (output, pass) = forward(inputs);
    let output = match prepared.stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(pass, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    let output = BackendTensor::<Autodiff<Flex, C>>::Float(output);
    <DispatchTensor as DispatchKindConversion<Autodiff<Flex, C>>>::from_backend(output)
}

/// An operation whose output is computed again.
struct Again<const N: usize> {
    forward: Forward<N>,
    inputs: [NodeId; N],
}

impl<const N: usize> RetroForward for Again<N> {
    fn forward(&self, states: &mut BackwardStates, node: NodeId) {
        let inputs = self.inputs.each_ref();
        let inputs = inputs.map(|input| states.get_state::<FlexTensor>(input));
        states.save(node, (self.forward.0)(inputs));
    }
}

/// An operation in the graph of autodiff. Its backward pass is its state.
#[derive(Debug)]
struct Operated;

impl<const N: usize> Backward<Flex, N> for Operated {
    type State = Pass<N>;

    fn backward(self, ops: Ops<Pass<N>, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let needed = ops.parents.each_ref().map(Option::is_some);
        let of_inputs = (ops.state.0)(grad, needed);
        for (parent, grad) in ops.parents.into_iter().zip(of_inputs) {
            if let (Some(parent), Some(grad)) = (parent, grad) {
                grads.register::<Flex>(parent.id, grad);
            }
        }
    }
}

impl<const N: usize> Debug for Pass<N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Pass")
    }
}

impl<const N: usize> Debug for Again<N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Again")
    }
}
