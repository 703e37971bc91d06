//! A common trait for the `forward` of layers.

use crate::dropout::alpha_dropout::AlphaDropout;
use crate::dropout::drop_block::DropBlock;
use crate::dropout::drop_path::DropPath;
use crate::dropout::element_dropout::Dropout;
use crate::dropout::gaussian_dropout::GaussianDropout;
use crate::dropout::spatial_dropout::SpatialDropout;
use crate::norm::frozen_batch_norm::FrozenBatchNorm;
use crate::norm::ghost_batch_norm::GhostBatchNorm;
use crate::norm::global_response_norm::GlobalResponseNorm;
use crate::norm::torch_batch_norm::TorchBatchNorm;
use crate::scaling::input_scaler::InputScaler;
use burn::nn::activation::{
    Activation, Celu, Elu, Gelu, HardSigmoid, HardSwish, LeakyRelu, Mish, PRelu, Relu, Selu,
    Sigmoid, Softplus, Softsign, SwiGlu, Tanh,
};
use burn::nn::conv::{Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
use burn::nn::norm::Normalization;
use burn::nn::pool::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d,
};
use burn::nn::{
    BatchNorm, Dropout as BurnsDropout, GaussianNoise, GroupNorm, Identity, InstanceNorm,
    LayerNorm, Linear, LocalResponseNorm, RmsNorm,
};
use burn::tensor::Tensor;

/// A layer from a tensor of rank D to one of rank D: a common trait for the `forward` of layers, so that layers can
/// be put into blocks.
///
/// Burn's layers each have a `forward` of their own and share no trait for it. Burn's linear and convolution
/// layers, norms, poolings, dropout and activations implement this trait, and so do this crate's layers.
/// Compositions implement it too: a tuple of up to ten modules or a `Vec` runs its modules one after the other,
/// and `None` returns its input.
///
/// ```
/// use burn::nn::{Linear, LinearConfig, Relu};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::{Dropout, DropoutConfig, Forward};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let layers: (Linear, Relu, Option<Dropout>, Linear) = (
///     LinearConfig::new(4, 8).init(&device),
///     Relu::new(),
///     Some(DropoutConfig::new(0.1).init()?),
///     LinearConfig::new(8, 3).init(&device),
/// );
/// assert_eq!(layers.forward(Tensor::<2>::ones([5, 4], &device)).dims(), [5, 3]);
/// # Ok(())
/// # }
/// ```
///
/// A module of your own:
///
/// ```
/// use burn::module::Module;
/// use burn::nn::Linear;
/// use burn::tensor::Tensor;
/// use burn_tricks_nn::Forward;
///
/// #[derive(Module, Debug)]
/// struct Gated {
///     gate: Linear,
///     value: Linear,
/// }
///
/// impl Forward<2> for Gated {
///     fn forward(&self, input: Tensor<2>) -> Tensor<2> {
///         self.value.forward(input.clone()) * burn::tensor::activation::sigmoid(self.gate.forward(input))
///     }
/// }
/// ```
pub trait Forward<const D: usize> {
    /// The layer's output. The layer's own documentation says which shapes it takes and returns, and when it
    /// panics.
    fn forward(&self, input: Tensor<D>) -> Tensor<D>;
}

macro_rules! any_rank {
    ($($layer:ty),* $(,)?) => {$(
        impl<const D: usize> Forward<D> for $layer {
            fn forward(&self, input: Tensor<D>) -> Tensor<D> {
                // The inherent method, which goes before the trait's.
                <$layer>::forward(self, input)
            }
        }
    )*};
}

macro_rules! of_rank {
    ($($rank:literal: $($layer:ty),*;)*) => {$($(
        impl Forward<$rank> for $layer {
            fn forward(&self, input: Tensor<$rank>) -> Tensor<$rank> {
                <$layer>::forward(self, input)
            }
        }
    )*)*};
}

any_rank!(
    Activation,
    BatchNorm,
    BurnsDropout,
    Celu,
    Elu,
    GaussianNoise,
    Gelu,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    Identity,
    InstanceNorm,
    LayerNorm,
    LeakyRelu,
    Linear,
    LocalResponseNorm,
    Mish,
    Normalization,
    PRelu,
    Relu,
    RmsNorm,
    Selu,
    Sigmoid,
    Softplus,
    Softsign,
    SwiGlu,
    Tanh,
);

any_rank!(
    AlphaDropout,
    DropPath,
    Dropout,
    FrozenBatchNorm,
    GaussianDropout,
    GhostBatchNorm,
    GlobalResponseNorm,
    InputScaler,
    SpatialDropout,
    TorchBatchNorm,
);

of_rank!(
    3: AdaptiveAvgPool1d, AvgPool1d, Conv1d, ConvTranspose1d, MaxPool1d;
    4: AdaptiveAvgPool2d, AvgPool2d, Conv2d, ConvTranspose2d, DropBlock, MaxPool2d;
    5: Conv3d, ConvTranspose3d;
);

impl<const D: usize, M: Forward<D>> Forward<D> for Option<M> {
    fn forward(&self, input: Tensor<D>) -> Tensor<D> {
        match self {
            Some(layer) => layer.forward(input),
            None => input,
        }
    }
}

impl<const D: usize, M: Forward<D>> Forward<D> for Vec<M> {
    fn forward(&self, input: Tensor<D>) -> Tensor<D> {
        self.iter()
            .fold(input, |signal, layer| layer.forward(signal))
    }
}

macro_rules! one_after_the_other {
    ($($layer:ident $at:tt),*) => {
        impl<const D: usize, $($layer: Forward<D>),*> Forward<D> for ($($layer,)*) {
            fn forward(&self, input: Tensor<D>) -> Tensor<D> {
                let signal = input;
                $(let signal = self.$at.forward(signal);)*
                signal
            }
        }
    };
}

// As many as Burn makes a module of.
one_after_the_other!(A 0, B 1);
one_after_the_other!(A 0, B 1, C 2);
one_after_the_other!(A 0, B 1, C 2, E 3);
one_after_the_other!(A 0, B 1, C 2, E 3, F 4);
one_after_the_other!(A 0, B 1, C 2, E 3, F 4, G 5);
one_after_the_other!(A 0, B 1, C 2, E 3, F 4, G 5, H 6);
one_after_the_other!(A 0, B 1, C 2, E 3, F 4, G 5, H 6, I 7);
one_after_the_other!(A 0, B 1, C 2, E 3, F 4, G 5, H 6, I 7, J 8);
one_after_the_other!(A 0, B 1, C 2, E 3, F 4, G 5, H 6, I 7, J 8, K 9);
