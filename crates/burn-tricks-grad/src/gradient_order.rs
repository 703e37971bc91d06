//! The order in which several transforms see the gradients.

use std::error::Error;
use std::fmt::{Display, Formatter};

/// Finds out whether a transform that must see the gradients first, such as a [`LossScaler`](crate::LossScaler), comes
/// after another transform, which would see gradients that are not yet unscaled.
///
/// [`GradientTransform::gradient_order`](crate::GradientTransform::gradient_order) and `Trick::gradient_order` of
/// `burn-tricks-train` add transforms and tricks to it, from the first to the last.
///
/// ```
/// use burn_tricks_grad::{ClipGradNormConfig, GradientOrder, GradientTransform, LossScalerConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let clip = ClipGradNormConfig::new(1.0).init()?;
/// let scaler = LossScalerConfig::new().init()?;
/// let mut order = GradientOrder::new();
/// (clip, scaler).gradient_order(&mut order);
/// let error = order.check().unwrap_err();
/// assert_eq!((error.first, error.before), ("LossScaler", "ClipGradNorm"));
/// # Ok(())
/// # }
/// ```
///
/// It also finds a transform or trick with a memory, which Burn's `ddp` cannot use.
#[derive(Debug, Clone, Default)]
pub struct GradientOrder {
    first: Option<&'static str>,
    memory: Option<&'static str>,
    has_undeclared: bool,
    error: Option<GradientOrderError>,
}

impl GradientOrder {
    /// Without transforms.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next transform or trick, which is of type `T`.
    pub fn add<T: ?Sized>(&mut self, must_be_first: bool) {
        let name = name_of::<T>();
        match self.first {
            None => self.first = Some(name),
            Some(before) if must_be_first => {
                let error = GradientOrderError {
                    first: name,
                    before,
                };
                self.error.get_or_insert(error);
            }
            Some(_) => {}
        }
    }

    /// [Adds](Self::add) the next transform or trick, and notes that what it does to the gradients depends on the steps that
    /// it has seen.
    ///
    /// The workers of Burn's `ddp` share the tricks of a model: a transform with such a memory would see each step once
    /// per worker, and change the gradients of each worker differently, so that the weights of the workers would drift
    /// apart. Therefore the first step panics under `ddp`.
    pub fn add_memory<T: ?Sized>(&mut self, must_be_first: bool) {
        self.add::<T>(must_be_first);
        self.memory.get_or_insert(name_of::<T>());
    }

    /// Notes a trick that does not say whether it looks at the gradients: one whose `Trick::sees_gradients` of
    /// `burn-tricks-train` is false, and which has no `gradient_order` of its own. It may stand anywhere, and
    /// [`is_empty`](Self::is_empty) is false from then on.
    pub fn add_undeclared(&mut self) {
        self.has_undeclared = true;
    }

    /// The name of the first type that was [added](Self::add_memory) with a memory.
    pub fn memory(&self) -> Option<&'static str> {
        self.memory
    }

    /// Whether nothing has been added that looks at the gradients or may do so.
    pub fn is_empty(&self) -> bool {
        self.first.is_none() && !self.has_undeclared
    }

    /// Whether the order is right.
    ///
    /// # Errors
    ///
    /// If a transform that must be the first was added after another one.
    pub fn check(self) -> Result<(), GradientOrderError> {
        self.error.map_or(Ok(()), Err)
    }
}

/// The name of a type, without its path and parameters.
fn name_of<T: ?Sized>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

/// Two transforms or tricks are in the wrong order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GradientOrderError {
    /// The name of the type that must be the first to see the gradients.
    pub first: &'static str,
    /// The name of the first type that stands before it and sees the gradients.
    pub before: &'static str,
}

impl Display for GradientOrderError {
    #[inline]
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { first, before } = self;
        write!(
            f,
            "`{before}` stands before `{first}` and would see gradients that are not yet unscaled: `{first}` must be \
             the first that sees the gradients"
        )
    }
}

impl Error for GradientOrderError {}
