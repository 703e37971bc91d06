//! The tensors of a module, and where two modules differ.

use crate::walk::{Location, Visitor, visit};
use burn::module::{Module, Param};
use burn::tensor::{Bool, DType, Int, Tensor};
use std::fmt::Display;

/// The kind of tensor at a [`Place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A float parameter, trained or frozen.
    Weight,
    /// A float value that no optimizer changes: a running statistic
    /// ([`RunningState`](burn::module::RunningState)).
    Buffer,
    /// A float value that is computed from the weights and is never averaged: [`Derived`](crate::Derived).
    Derived,
    /// Integers.
    Int,
    /// Booleans.
    Bool,
}

/// A tensor of a module, described without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The path of the value, as Burn's records name it: `encoder.layers.0.weight`.
    pub path: String,
    /// Its kind.
    pub kind: ValueKind,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its element type.
    pub dtype: DType,
}

impl Display for Place {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            path, shape, dtype, ..
        } = self;
        write!(f, "`{path}` {shape:?} {dtype:?}")
    }
}

/// All tensors of `module`, in the module's own order. Lazy parameters are initialised.
///
/// ```
/// use burn::nn::BatchNormConfig;
/// use burn::tensor::Device;
/// use burn_tricks_core::{ValueKind, places};
///
/// let places = places(&BatchNormConfig::new(3).init(&Device::flex()));
/// assert_eq!((places[0].path.as_str(), places[0].kind), ("gamma", ValueKind::Weight));
/// assert_eq!((places[2].path.as_str(), places[2].kind), ("running_mean", ValueKind::Buffer));
/// ```
pub fn places<M: Module>(module: &M) -> Vec<Place> {
    // A running statistic refuses to become trainable; every parameter obeys, frozen or not.
    let trainable = module.valid().train().set_require_grad(true);
    let mut list = List(Vec::new());
    visit(&trainable, &mut list);
    list.0
}

/// Two modules that do not match: the first place where they differ, and what each has there.
#[derive(Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What the first module has at that place, in words.
    pub expected: String,
    /// What the second module has there.
    pub got: String,
}

impl Display for Mismatch {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { expected, got } = self;
        write!(
            f,
            "the architectures differ: expected {expected}, got {got}"
        )
    }
}

/// Shows the text of `Display`, so that `unwrap` and `main` print it.
impl std::fmt::Debug for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Mismatch {}

impl ValueKind {
    /// Whether this is a float tensor: every kind but integers and booleans.
    pub fn is_float(self) -> bool {
        matches!(self, Self::Weight | Self::Buffer | Self::Derived)
    }
}

impl Mismatch {
    /// The first difference between lists of places that must agree in path, kind, shape and element type.
    pub fn between(expected: &[Place], got: &[Place]) -> Option<Self> {
        Self::first(expected, got, |a, b| a == b)
    }

    /// The first difference between lists of places that may differ in element type.
    pub fn apart_from_dtype(expected: &[Place], got: &[Place]) -> Option<Self> {
        Self::first(expected, got, |a, b| {
            (&a.path, a.kind, &a.shape) == (&b.path, b.kind, &b.shape)
        })
    }

    fn first(
        expected: &[Place],
        got: &[Place],
        same: impl Fn(&Place, &Place) -> bool,
    ) -> Option<Self> {
        (0..expected.len().max(got.len())).find_map(|at| match (expected.get(at), got.get(at)) {
            (Some(a), Some(b)) if same(a, b) => None,
            (a, b) => Some(Self::between_two(a, b)),
        })
    }

    /// Two places that differ; `None` is behind the last.
    pub(crate) fn between_two(expected: Option<&Place>, got: Option<&Place>) -> Self {
        let describe = |place: Option<&Place>| match place {
            Some(place) => place.to_string(),
            None => "no further parameter".to_owned(),
        };
        Self {
            expected: describe(expected),
            got: describe(got),
        }
    }
}

struct List(Vec<Place>);

impl List {
    fn add(&mut self, at: &Location, kind: ValueKind, shape: Vec<usize>, dtype: DType) {
        let path = at.path().to_owned();
        self.0.push(Place {
            path,
            kind,
            shape,
            dtype,
        });
    }
}

impl Visitor for List {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        let value = param.val();
        let kind = if at.is_derived() {
            ValueKind::Derived
        } else if value.is_require_grad() {
            ValueKind::Weight
        } else {
            ValueKind::Buffer
        };
        self.add(at, kind, value.dims().to_vec(), value.dtype());
    }

    fn int<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D, Int>>) {
        let value = param.val();
        self.add(at, ValueKind::Int, value.dims().to_vec(), value.dtype());
    }

    fn bool<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D, Bool>>) {
        let value = param.val();
        self.add(at, ValueKind::Bool, value.dims().to_vec(), value.dtype());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{BatchNormConfig, LinearConfig};
    use burn::tensor::Device;

    #[test]
    fn a_frozen_weight_is_a_weight_and_a_statistic_is_not() {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let module = (
                LinearConfig::new(2, 3).init(&device).freeze(),
                BatchNormConfig::new(3).init(&device),
            );
            let kinds: Vec<_> = places(&module).into_iter().map(|at| at.kind).collect();
            use ValueKind::{Buffer, Weight};
            assert_eq!(kinds, [Weight, Weight, Weight, Weight, Buffer, Buffer]);
            assert!(!module.0.weight.is_require_grad(), "it is still frozen");
        }
    }

    #[test]
    fn the_first_mismatch_is_named() {
        let device = Device::flex();
        let two = vec![LinearConfig::new(2, 3).init(&device); 2];
        let wide = vec![
            two[0].clone(),
            LinearConfig::new(3, 4).init(&device),
            two[1].clone(),
        ];
        let mismatch = Mismatch::between(&places(&two), &places(&wide)).unwrap();
        assert_eq!(
            mismatch.to_string(),
            "the architectures differ: expected `1.weight` [2, 3] F32, got `1.weight` [3, 4] F32"
        );
        let mismatch = Mismatch::between(&places(&two), &places(&two[..1].to_vec())).unwrap();
        assert_eq!(mismatch.got, "no further parameter");
        assert_eq!(Mismatch::between(&places(&two), &places(&two)), None);
    }
}
