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
use std::fmt::Debug;

/// An operation on `N` tensors of this backend.
pub(super) trait Operation<const N: usize>: Clone + Debug + Send + 'static {
    /// What the backward pass needs. Input tensors in it are shared, not copied.
    type Saved: Clone + Debug + Send + 'static;
    /// What the forward pass gives besides the output, without a gradient.
    type Extra;

    /// Whether the output is computed again in the backward pass under gradient checkpointing, rather than kept.
    const IS_LIGHT: bool = false;

    fn forward(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::Saved, Self::Extra);

    /// The gradients of the inputs, from the output's; of those that are not `needed`, `None` will do.
    fn backward(
        self,
        saved: Self::Saved,
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
    if !inputs.iter().all(is_tracked_on_flex) {
        return Err(inputs);
    }
    let context = inputs[0].autodiff;
    if inputs.iter().any(|input| input.autodiff != context) {
        return Err(inputs);
    }
    match context {
        DispatchAutodiffContext::Enabled(GradientCheckpointingStrategy::Disabled) => {
            Ok(tracked::<O, NoCheckpointing, N>(operation, inputs))
        }
        DispatchAutodiffContext::Enabled(GradientCheckpointingStrategy::Balanced) => {
            Ok(tracked::<O, BalancedCheckpointing, N>(operation, inputs))
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

fn tracked<O: Operation<N>, C: CheckpointStrategy, const N: usize>(
    operation: O,
    inputs: [DispatchTensor; N],
) -> (DispatchTensor, O::Extra)
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
    let prepared = Pass(operation.clone()).prepare::<C>(nodes);
    let prepared = if O::IS_LIGHT {
        let again = Again {
            operation: operation.clone(),
            inputs: ids,
        };
        prepared
            .memory_bound()
            .retro_forward(again)
            .parents(&inputs)
    } else {
        prepared.compute_bound()
    };
    let inputs = inputs.map(<Autodiff<Flex, C> as AutodiffBackend>::inner);
    let (output, saved, extra) = operation.forward(inputs);
    let output = match prepared.stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(saved, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    let output = BackendTensor::<Autodiff<Flex, C>>::Float(output);
    (
        <DispatchTensor as DispatchKindConversion<Autodiff<Flex, C>>>::from_backend(output),
        extra,
    )
}

/// An operation whose output is computed again.
#[derive(Debug)]
struct Again<O, const N: usize> {
    operation: O,
    inputs: [NodeId; N],
}

impl<O: Operation<N>, const N: usize> RetroForward for Again<O, N> {
    fn forward(&self, states: &mut BackwardStates, node: NodeId) {
        let inputs = self.inputs.each_ref();
        let inputs = inputs.map(|input| states.get_state::<FlexTensor>(input));
        let (output, ..) = self.operation.forward(inputs);
        states.save(node, output);
    }
}

/// An operation in the graph of autodiff.
#[derive(Debug)]
struct Pass<O>(O);

impl<O: Operation<N>, const N: usize> Backward<Flex, N> for Pass<O> {
    type State = O::Saved;

    fn backward(self, ops: Ops<O::Saved, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let needed = ops.parents.each_ref().map(Option::is_some);
        let of_inputs = self.0.backward(ops.state, grad, needed);
        for (parent, grad) in ops.parents.into_iter().zip(of_inputs) {
            if let (Some(parent), Some(grad)) = (parent, grad) {
                grads.register::<Flex>(parent.id, grad);
            }
        }
    }
}
