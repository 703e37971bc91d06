//! Distributions of initial weights.

use crate::init::nonlinearity::Nonlinearity;
use burn_tricks_core::{ConfigError, Fans};
use serde::{Deserialize, Serialize};

/// Which number of connections determines the standard deviation of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fan {
    /// The inputs of a unit: the signal keeps its size on the way forward.
    In,
    /// The units that an input reaches: the gradient keeps its size on the way back.
    Out,
    /// The mean of both: a compromise.
    Mean,
}

/// The shape of a distribution whose standard deviation is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Draw {
    /// Normal.
    Normal,
    /// Uniform in ±√3 standard deviations.
    Uniform,
    /// Normal, cut off at two standard deviations and then widened by 1/0.8796, so that the result has the
    /// given standard deviation (Keras, JAX, timm).
    TruncatedNormal,
}

/// A distribution of initial weights. `n_in` and `n_out` are a layer's [fans](Fans).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum WeightInit {
    /// The same number everywhere.
    Constant {
        /// The number.
        value: f64,
    },
    /// Uniform in `[low, high)`, whose length is at most the largest `f32`.
    Uniform {
        /// The smallest value.
        low: f64,
        /// The end of the interval.
        high: f64,
    },
    /// N(0, std).
    Normal {
        /// The standard deviation.
        std: f64,
    },
    /// N(0, std) without the values beyond `bound` standard deviations. The result has a smaller standard
    /// deviation than `std`: 0.8796 `std` for a bound of 2.
    TruncatedNormal {
        /// The standard deviation before truncation.
        std: f64,
        /// Where it is cut off on both sides, in standard deviations, at least 0.1. PyTorch's `trunc_normal_`
        /// takes its bounds in units of the weights.
        bound: f64,
    },
    /// N(0, 1/n_in), a standard deviation of 1/n_in: too narrow for a deep network, whose signal
    /// shrinks by √n_in in each layer.
    InverseFanIn,
    /// A standard deviation of gain/√fan.
    Scaled {
        /// The factor on the standard deviation.
        gain: f64,
        /// Which fan.
        fan: Fan,
        /// The shape of the distribution.
        draw: Draw,
    },
    /// `gain` times a matrix whose rows (or columns, if there are more rows than columns) are orthogonal and of
    /// length 1. A weight of a rank above 2 is that matrix with all its axes but the first flattened into one.
    Orthogonal {
        /// The factor, and every singular value of the result.
        gain: f64,
    },
    /// `gain` where the index of the input is that of the output, 0 elsewhere: a linear layer hands its inputs on. For
    /// weights of two dimensions, square or not.
    Identity {
        /// The factor on the inputs.
        gain: f64,
    },
    /// 1 in the middle of the kernel where the index of the input channel is that of the output channel, 0 elsewhere:
    /// a convolution hands its input channels on. For weights of three to five dimensions; PyTorch's `dirac_`.
    Dirac {
        /// The groups of the convolution, each of which hands on its own input channels: the same number as the
        /// layer's. A divisor of the first dimension of the weight.
        groups: usize,
    },
    /// N(0, std), with a share of the weights of each unit at 0 (Martens). Which ones is drawn for each unit. The weight
    /// must be that of a layer whose units sum inputs.
    Sparse {
        /// The share of zeros, in [0, 1]; their number is rounded up.
        sparsity: f64,
        /// The standard deviation of the others. PyTorch's default is 0.01.
        std: f64,
    },
}

impl WeightInit {
    /// Zeros.
    pub const ZEROS: Self = Self::Constant { value: 0.0 };

    /// N(0, 1). The signal grows √n_in-fold in each layer.
    pub const STANDARD_NORMAL: Self = Self::Normal { std: 1.0 };

    /// N(0, 1/√n_in) (LeCun): keeps the size of the signal before a linear layer or SELU.
    pub const LECUN_NORMAL: Self = scaled(1.0, Fan::In, Draw::Normal);

    /// Uniform with a standard deviation of 1/√n_in (LeCun).
    pub const LECUN_UNIFORM: Self = scaled(1.0, Fan::In, Draw::Uniform);

    /// N(0, √(2/(n_in + n_out))) (Xavier, Glorot): for tanh, the logistic function and linear layers.
    pub const XAVIER_NORMAL: Self = scaled(1.0, Fan::Mean, Draw::Normal);

    /// Uniform in ±√(6/(n_in + n_out)) (Xavier, Glorot).
    pub const XAVIER_UNIFORM: Self = scaled(1.0, Fan::Mean, Draw::Uniform);

    /// N(0, √(2/n_in)) (He, Kaiming): for ReLU.
    pub const HE_NORMAL: Self = scaled(std::f64::consts::SQRT_2, Fan::In, Draw::Normal);

    /// Uniform in ±√(6/n_in) (He, Kaiming): for ReLU.
    pub const HE_UNIFORM: Self = scaled(std::f64::consts::SQRT_2, Fan::In, Draw::Uniform);

    /// An orthogonal matrix.
    pub const ORTHOGONAL: Self = Self::Orthogonal { gain: 1.0 };

    /// An identity matrix: for the recurrent weights of a network of ReLU units (Le, Jaitly, Hinton), and for linear
    /// layers that are added to a trained network.
    pub const IDENTITY: Self = Self::Identity { gain: 1.0 };

    /// A convolution without groups that hands its input channels on.
    pub const DIRAC: Self = Self::Dirac { groups: 1 };

    /// A standard deviation of gain/√fan, with the gain of the activation that follows.
    pub fn for_nonlinearity(nonlinearity: Nonlinearity, fan: Fan, draw: Draw) -> Self {
        scaled(nonlinearity.gain(), fan, draw)
    }

    /// The standard deviation of the weights of a layer with these fans. It is `None` for
    /// [`TruncatedNormal`](Self::TruncatedNormal), and for an orthogonal matrix, an identity and a sparse weight, where
    /// it depends on the weight's size.
    pub fn std(self, fans: Fans) -> Option<f64> {
        match self {
            Self::Constant { .. } => Some(0.0),
            Self::Uniform { low, high } => Some((high - low) / 12f64.sqrt()),
            Self::Normal { std } => Some(std),
            Self::TruncatedNormal { .. }
            | Self::Orthogonal { .. }
            | Self::Identity { .. }
            | Self::Dirac { .. }
            | Self::Sparse { .. } => None,
            Self::InverseFanIn => Some(1.0 / fans.fan_in as f64),
            Self::Scaled { gain, fan, .. } => {
                let fan = match fan {
                    Fan::In => fans.fan_in as f64,
                    Fan::Out => fans.fan_out as f64,
                    Fan::Mean => (fans.fan_in + fans.fan_out) as f64 / 2.0,
                };
                Some(gain / fan.sqrt())
            }
        }
    }

    /// Whether it depends on a layer's fans.
    pub(crate) fn needs_fans(self) -> bool {
        matches!(
            self,
            Self::InverseFanIn | Self::Scaled { .. } | Self::Sparse { .. }
        )
    }

    /// Whether each number of a parameter has the same distribution, whatever the parameter's shape.
    pub(crate) fn fits_any_shape(self) -> bool {
        matches!(
            self,
            Self::Constant { .. }
                | Self::Uniform { .. }
                | Self::Normal { .. }
                | Self::TruncatedNormal { .. }
        )
    }

    /// Why a parameter of this shape cannot have it, for a reason other than its fans.
    pub(crate) fn unfit(self, shape: &[usize]) -> Option<&'static str> {
        let (rank, first) = (shape.len(), shape.first().copied().unwrap_or(0));
        match self {
            Self::Orthogonal { .. } if rank < 2 => {
                Some("an orthogonal matrix needs at least two dimensions")
            }
            Self::Identity { .. } if rank != 2 => {
                Some("an identity matrix has two dimensions; for a convolution there is `Dirac`")
            }
            Self::Dirac { .. } if !(3..=5).contains(&rank) => Some(
                "the weight of a convolution has three to five dimensions; for a linear layer there is `Identity`",
            ),
            Self::Dirac { groups } if !first.is_multiple_of(groups) => {
                Some("`groups` must divide the first dimension")
            }
            _ => None,
        }
    }

    pub(crate) fn validated(self) -> Result<(), ConfigError> {
        match self {
            Self::Constant { value } => ConfigError::finite("value", value).map(drop),
            Self::Uniform { low, high } => {
                ConfigError::finite("low", low)?;
                ConfigError::finite("high", high)?;
                let requirement = if low >= high {
                    "be less than `high`"
                } else if high - low > f64::from(f32::MAX) {
                    "be less than `high` by no more than the largest `f32`"
                } else {
                    return Ok(());
                };
                Err(ConfigError::new("low", requirement, (low, high)))
            }
            Self::Normal { std } => ConfigError::positive("std", std).map(drop),
            Self::TruncatedNormal { std, bound } => {
                ConfigError::positive("std", std)?;
                if bound.is_finite() && bound >= 0.1 {
                    Ok(())
                } else {
                    Err(ConfigError::new(
                        "bound",
                        "be a finite number of at least 0.1",
                        bound,
                    ))
                }
            }
            Self::InverseFanIn => Ok(()),
            Self::Scaled { gain, .. } | Self::Orthogonal { gain } => {
                ConfigError::positive("gain", gain).map(drop)
            }
            Self::Identity { gain } => ConfigError::finite("gain", gain).map(drop),
            Self::Dirac { groups } => ConfigError::at_least_one("groups", groups).map(drop),
            Self::Sparse { sparsity, std } => {
                ConfigError::within("sparsity", sparsity, 0.0..=1.0)?;
                ConfigError::positive("std", std).map(drop)
            }
        }
    }
}

const fn scaled(gain: f64, fan: Fan, draw: Draw) -> WeightInit {
    WeightInit::Scaled { gain, fan, draw }
}
