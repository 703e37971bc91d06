//! What makes a tensor a leaf of autodiff, to be kept where its values are replaced.

use burn::module::ParamId;
use burn::tensor::{DType, Device, GradientCheckpointingStrategy, Tensor};

/// What a float tensor of a model in training is, apart from its values. A parameter whose values are
/// replaced outside of the optimizer has to be such a leaf of autodiff again, or it is not trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    device: Device,
    dtype: DType,
    autodiff: bool,
    require_grad: bool,
    distributed: bool,
    checkpointing: Option<GradientCheckpointingStrategy>,
}

impl Leaf {
    /// What `value` is.
    pub fn of<const D: usize>(value: &Tensor<D>) -> Self {
        let autodiff = value.is_autodiff();
        Self {
            device: value.device().without_autodiff(),
            dtype: value.dtype(),
            autodiff,
            require_grad: value.is_require_grad(),
            distributed: autodiff && value.is_distributed(),
            checkpointing: value.gradient_checkpointing_strategy(),
        }
    }

    /// Whether autodiff knows it.
    pub(crate) fn is_autodiff(&self) -> bool {
        self.autodiff
    }

    /// `value`, which autodiff does not track, as a leaf of this kind: on its device, in its element type,
    /// with its gradient requirement and its strategy of gradient checkpointing, for the parameter `id`.
    pub fn with_value<const D: usize>(self, value: Tensor<D>, id: ParamId) -> Tensor<D> {
        let value = value.to_device(&self.device).cast(self.dtype);
        if !self.autodiff {
            return value;
        }
        let mut value = Tensor::from_inner(value);
        if let Some(strategy) = self.checkpointing {
            value = value.with_gradient_checkpointing_strategy(strategy);
        }
        if self.require_grad {
            value = value.require_grad();
        }
        if self.distributed {
            value = value.set_distributed(id);
        }
        value
    }
}
