#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod block;
mod constraint;
mod dropout;
mod init;
mod loss;
mod norm;
mod reparam;
mod scaling;
mod statistics_for_input;

pub use block::forward::Forward;
pub use block::inception::{Inception, InceptionConfig};
pub use block::inception_block::{InceptionBlock, InceptionBlockConfig};
pub use block::layer_scale::{LayerScale, LayerScaleConfig};
pub use block::projection::Shortcut;
pub use block::res_net::{BranchScale, ResNet, ResNetConfig, ResNetVersion};
pub use block::residual::{Placement, Residual, ResidualConfig};
pub use block::squeeze_excite::{ChannelGate, SqueezeExcite, SqueezeExciteConfig};
pub use burn_tricks_core::{BatchVariance, ConfigError, Derived, Fans, UnitAxis, WeightDecayScope};
pub use constraint::activity_penalty::{ActivityPenalty, ActivityPenaltyConfig};
pub use constraint::clamp_weights::{ClampWeights, ClampWeightsConfig};
pub use constraint::max_norm::{MaxNorm, MaxNormConfig};
pub use constraint::penalty::{Penalty, PenaltyConfig};
pub use constraint::tied_weights::TiedWeights;
pub use constraint::unit_norm::{UnitNorm, UnitNormConfig};
pub use dropout::alpha_dropout::{AlphaDropout, AlphaDropoutConfig};
pub use dropout::drop_block::{DropBlock, DropBlockConfig, DropBlockUnit};
pub use dropout::drop_connect::{DropConnect, DropConnectConfig};
pub use dropout::drop_path::{
    DepthSchedule, DropPath, DropPathConfig, DropPathScale, DropPathUnit,
};
pub use dropout::element_dropout::{Dropout, DropoutConfig};
pub use dropout::gaussian_dropout::{GaussianDropout, GaussianDropoutConfig};
pub use dropout::mc_dropout::{McDropout, McDropoutConfig};
pub use dropout::spatial_dropout::{SpatialDropout, SpatialDropoutConfig};
pub use init::init_error::InitError;
pub use init::init_rule::InitRule;
pub use init::init_weights::{Biases, InitWeights, InitWeightsConfig, Others};
pub use init::lsuv::{Lsuv, LsuvConfig, LsuvLayer, LsuvOutcome};
pub use init::nonlinearity::Nonlinearity;
pub use init::seeded::{seeded, try_seeded};
pub use init::weight_init::{Draw, Fan, WeightInit};
pub use loss::sigmoid_focal_loss::{SigmoidFocalLoss, SigmoidFocalLossConfig};
pub use loss::softmax_focal_loss::{SoftmaxFocalLoss, SoftmaxFocalLossConfig};
pub use norm::frozen_batch_norm::{Affine, FrozenBatchNorm, freeze_batch_norms};
pub use norm::ghost_batch_norm::{GhostBatchNorm, GhostBatchNormConfig};
pub use norm::global_response_norm::{ChannelAxis, GlobalResponseNorm, GlobalResponseNormConfig};
pub use norm::torch_batch_norm::{TorchBatchNorm, TorchBatchNormConfig};
pub use reparam::spectral_norm::{SpectralNorm, SpectralNormConfig};
pub use reparam::weight_norm::{WeightNorm, WeightNormConfig};
pub use reparam::weight_standardization::{
    Deviation, WeightStandardization, WeightStandardizationConfig,
};
pub use scaling::given_constants::ImageStatistics;
pub use scaling::input_scaler::InputScaler;
pub use scaling::scaler_config::{Missing, ScaleBy, ScalerConfig, ScalerKind};
pub use scaling::scaler_error::ScalerError;
pub use scaling::unfitted_scaler::UnfittedScaler;
