//! Residual block.

use crate::block::forward::Forward;
use crate::block::layer_scale::{LayerScale, LayerScaleConfig};
use crate::block::projection::Projection;
use crate::block::projection::Shortcut;
use burn::module::{Module, ModuleDisplay};
use burn::nn::activation::{Activation, ActivationConfig};
use burn::tensor::{Device, Tensor};
use burn_tricks_core::{Config, ConfigError, InlineModule};
use serde::{Deserialize, Serialize};

/// Where the activation of a residual block stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placement {
    /// There is no activation outside the branch.
    None,
    /// In front of the branch; the shortcut takes the input as it is.
    Pre,
    /// Behind the sum.
    Post,
}

/// Configuration of [`Residual`]: a branch learns what to add to its input.
///
/// ```text
/// y = a(S(x) + γ ⊙ F(x))     Placement::Post   He et al. 2016
/// y = S(x) + γ ⊙ F(a(x))     Placement::Pre    He et al. 2016b
/// y = S(x) + γ ⊙ F(x)        Placement::None   ReZero, transformers
/// ```
///
/// F is the branch, any module; a an activation; S the shortcut, which is the identity, or a projection where
/// the shape changes; γ an optional factor ([`LayerScale`]). The derivative of y by x is S′ plus that of the
/// branch, so the gradient reaches the first block of a deep stack however small F′ is.
///
/// # Example
///
/// ```
/// use burn::nn::{LinearConfig, Relu};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::ResidualConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let layer = || LinearConfig::new(8, 8).init(&device);
/// let block = ResidualConfig::re_zero().init((layer(), Relu::new(), layer()), &device)?;
/// let x = Tensor::<2>::ones([4, 8], &device);
/// assert_eq!(block.forward(x.clone()).into_data(), x.into_data()); // at first the identity
/// # Ok(())
/// # }
/// ```
///
/// A block for images that doubles the channels and halves height and width:
///
/// ```
/// use burn::nn::{BatchNormConfig, PaddingConfig2d, Relu, conv::Conv2dConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::{Placement, ResidualConfig, Shortcut};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let conv = |channels, stride| {
///     Conv2dConfig::new(channels, [3, 3])
///         .with_stride([stride, stride])
///         .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
///         .init(&device)
/// };
/// let norm = || BatchNormConfig::new(16).init(&device);
/// let branch = (conv([8, 16], 2), norm(), Relu::new(), conv([16, 16], 1), norm());
/// let block = ResidualConfig::new()
///     .with_placement(Placement::Post)
///     .with_shortcut(Shortcut::Conv { channels: [8, 16], stride: 2, batch_norm: true })
///     .init(branch, &device)?;
/// let images = Tensor::<4>::ones([2, 8, 6, 6], &device);
/// assert_eq!(block.forward(images).dims(), [2, 16, 3, 3]);
/// # Ok(())
/// # }
/// ```
///
/// If the branch does not implement [`Forward`], give its forward pass as a closure: `block.forward_with(x,
/// |branch, x| ...)`.
///
/// # Order
///
/// Put a block around each layer or pair of layers of a deep network. Norms, dropout and stochastic depth
/// belong inside the branch. Leave γ out of weight decay.
///
/// # Cost
///
/// One addition of activations, and a projection if the shortcut has one. The addition keeps nothing for the backward pass.
/// There the branch gets its own copy of the gradient, one tensor, to which the gradient of the shortcut is added.
///
/// # Differences
///
/// - Burn adds tensors of shapes `[8, 1]` and `[8, 4]` by broadcasting the first; a block whose branch and
///   shortcut differ in shape panics instead.
/// - The projection of Keras's `ResNetV2` takes the normalised and activated input; that of He et al. (2016b)
///   takes the input itself, as here.
/// - With the activation behind the sum (`Post`), a block with γ = 0 is the identity only for inputs that the
///   activation does not change: with ReLU, for inputs of at least 0.
/// - On wgpu Burn computes wrong gradients with a [`Shortcut::Conv`] to one channel
///   ([`InceptionBlockConfig`](crate::InceptionBlockConfig)).
///
/// # Suggested values
///
/// `Post` with batch norm up to some fifty layers, `Pre` beyond (He et al. 2016b); [`ResidualConfig::re_zero`]
/// without normalisation layers.
///
/// # References
///
/// - He et al., *Deep residual learning for image recognition*, 2016, <https://arxiv.org/abs/1512.03385>
/// - He et al., *Identity mappings in deep residual networks*, 2016, <https://arxiv.org/abs/1603.05027>
#[derive(Config, Debug)]
pub struct ResidualConfig {
    /// Where the activation stands. Default: [`Placement::Post`].
    #[config(default = "Placement::Post")]
    pub placement: Placement,
    /// The activation. Default: ReLU.
    #[config(default = "ActivationConfig::Relu")]
    pub activation: ActivationConfig,
    /// How the input reaches the sum. Default: [`Shortcut::Identity`].
    #[config(default = "Shortcut::Identity")]
    pub shortcut: Shortcut,
    /// The learned factor of the branch. Default: none, so the branch is added unscaled.
    #[config(default = "None")]
    pub scale: Option<LayerScaleConfig>,
}

impl ResidualConfig {
    /// `x + α F(x)` with α initially 0 (Bachlechner et al.).
    pub fn re_zero() -> Self {
        Self::new()
            .with_placement(Placement::None)
            .with_scale(Some(LayerScaleConfig::re_zero()))
    }

    /// `x + F(a(x))` (He et al. 2016b).
    pub fn pre_activation() -> Self {
        Self::new().with_placement(Placement::Pre)
    }

    /// The block around `branch`.
    ///
    /// # Errors
    ///
    /// If a size or the stride of the shortcut is 0, or if the configuration of the factor is invalid
    /// ([`LayerScaleConfig::init`]).
    pub fn init<M: Module + ModuleDisplay>(
        &self,
        branch: M,
        device: &Device,
    ) -> Result<Residual<M>, ConfigError> {
        Ok(Residual {
            branch,
            shortcut: self.shortcut.init(device)?,
            scale: match &self.scale {
                Some(scale) => Some(scale.init(device)?),
                None => None,
            },
            activation: match self.placement {
                Placement::None => None,
                Placement::Pre | Placement::Post => Some(self.activation.init(device)),
            },
            placement: self.placement,
        })
    }
}

/// A module whose output is added to its input. Made by [`ResidualConfig`].
#[derive(InlineModule, Debug)]
pub struct Residual<M: Module + ModuleDisplay> {
    branch: M,
    shortcut: Option<Projection>,
    scale: Option<LayerScale>,
    activation: Option<Activation>,
    #[module(skip)]
    placement: Placement,
}

impl<M: Module + ModuleDisplay> Residual<M> {
    /// F.
    pub fn branch(&self) -> &M {
        &self.branch
    }

    /// γ, if there is one.
    pub fn scale(&self) -> Option<&LayerScale> {
        self.scale.as_ref()
    }

    /// The block's output, with `forward` as F: for a branch that does not implement [`Forward`].
    ///
    /// # Panics
    ///
    /// If shortcut and branch give different shapes, or if one of them does not take the input; in training
    /// with batch norm in the shortcut, if the shortcut's output has a single value per channel (one image, at
    /// 1×1).
    pub fn forward_with<const D: usize>(
        &self,
        input: Tensor<D>,
        forward: impl FnOnce(&M, Tensor<D>) -> Tensor<D>,
    ) -> Tensor<D> {
        let activate = |signal: Tensor<D>, at| match &self.activation {
            Some(activation) if self.placement == at => activation.forward(signal),
            _ => signal,
        };
        let branch = forward(&self.branch, activate(input.clone(), Placement::Pre));
        let branch = self.scale.forward(branch);
        let shortcut = match &self.shortcut {
            Some(projection) => projection.forward(input),
            None => input,
        };
        assert_eq!(
            branch.dims(),
            shortcut.dims(),
            "the branch and the shortcut of a residual block must give the same shape; a projection in \
             the shortcut changes its shape"
        );
        activate(shortcut + branch, Placement::Post)
    }

    /// The block's output, in the shape of the branch's output.
    ///
    /// # Panics
    ///
    /// As [`forward_with`](Self::forward_with).
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D>
    where
        M: Forward<D>,
    {
        self.forward_with(input, M::forward)
    }
}

impl<const D: usize, M: Module + ModuleDisplay + Forward<D>> Forward<D> for Residual<M> {
    fn forward(&self, input: Tensor<D>) -> Tensor<D> {
        self.forward(input)
    }
}
