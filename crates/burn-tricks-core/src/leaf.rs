//! The properties of an autodiff leaf, kept when the values of a tensor are replaced.

use burn::module::ParamId;
use burn::tensor::{DType, Device, GradientCheckpointingStrategy, Tensor};

/// The properties of a float tensor of a model in training, apart from its values. If the values of a parameter
/// are replaced outside of the optimizer, the new tensor must be an autodiff leaf with these properties;
/// otherwise it is not trained any more.
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
    /// The properties of `value`.
    pub fn new<const D: usize>(value: &Tensor<D>) -> Self {
        Self::on(value, value.device())
    }

    /// The properties of `value` apart from its device, and this device.
    pub fn on<const D: usize>(value: &Tensor<D>, device: Device) -> Self {
        // Each tensor on an autodiff device has a strategy. To ask the tensor for its device takes an allocation.
        let checkpointing = value.gradient_checkpointing_strategy();
        let autodiff = checkpointing.is_some();
        let dtype = value.dtype();
        // Burn panics where it is asked this of a quantised tensor.
        let is_quantized = matches!(dtype, DType::QFloat(_));
        Self {
            device: device.without_autodiff(),
            dtype,
            autodiff,
            require_grad: value.is_require_grad(),
            distributed: autodiff && !is_quantized && value.is_distributed(),
            checkpointing,
        }
    }

    /// Whether autodiff tracks the tensor with the strategy of gradient checkpointing that `Module::train` gives.
    pub(crate) fn is_as_train_makes_it(&self) -> bool {
        self.checkpointing == Some(GradientCheckpointingStrategy::Disabled)
    }

    /// `value`, which autodiff does not track, as a leaf with these properties: on their device, in their
    /// element type, with their gradient requirement and strategy of gradient checkpointing, for the parameter
    /// `id`.
    pub fn with_value<const D: usize>(self, value: Tensor<D>, id: ParamId) -> Tensor<D> {
        let value = if value.device() == self.device {
            value
        } else {
            value.to_device(&self.device)
        };
        // Burn cannot cast a quantised tensor, not even to its own type.
        let value = if value.dtype() == self.dtype {
            value
        } else {
            value.cast(self.dtype)
        };
        if !self.autodiff {
            return value;
        }
        let mut value = Tensor::from_inner(value);
        if let Some(strategy) = self.checkpointing
            && value.gradient_checkpointing_strategy() != self.checkpointing
        {
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
