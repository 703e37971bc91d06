//! The targets of a batch.

use burn::tensor::{Int, Tensor};

/// The targets of a batch: labels of a classification, or numbers of a regression.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Targets {
    /// The class of each row, `[rows]`.
    Classes(Tensor<1, Int>),
    /// The numbers of each row, `[rows, columns]`.
    Values(Tensor<2>),
}

impl From<Tensor<1, Int>> for Targets {
    fn from(classes: Tensor<1, Int>) -> Self {
        Self::Classes(classes)
    }
}

impl From<&Tensor<1, Int>> for Targets {
    fn from(classes: &Tensor<1, Int>) -> Self {
        Self::Classes(classes.clone())
    }
}

impl From<Tensor<1>> for Targets {
    fn from(values: Tensor<1>) -> Self {
        Self::Values(values.unsqueeze_dim(1))
    }
}

impl From<&Tensor<1>> for Targets {
    fn from(values: &Tensor<1>) -> Self {
        values.clone().into()
    }
}

impl From<Tensor<2>> for Targets {
    fn from(values: Tensor<2>) -> Self {
        Self::Values(values)
    }
}

impl From<&Tensor<2>> for Targets {
    fn from(values: &Tensor<2>) -> Self {
        Self::Values(values.clone())
    }
}
