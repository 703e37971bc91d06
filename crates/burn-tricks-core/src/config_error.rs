//! The error of an invalid configuration.

use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::ops::{Bound, RangeBounds};

/// A setting outside its range. It is found when the configuration is used (`init`, `build`, `attach`, `apply` or `fit`),
/// before anything is trained with it.
///
/// ```
/// use burn_tricks_core::ConfigError;
///
/// let error = ConfigError::positive("max_norm", -1.0).unwrap_err();
/// assert_eq!(error.to_string(), "`max_norm` must be a finite number greater than 0, got -1.0");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    /// The name of the field in its configuration.
    pub field: &'static str,
    /// What the field must be, completing the sentence "the field must ...".
    pub requirement: Cow<'static, str>,
    /// The value that the field has.
    pub got: String,
}

impl ConfigError {
    /// The error for `field`, which must satisfy `requirement` and has the value `got`.
    pub fn new(
        field: &'static str,
        requirement: impl Into<Cow<'static, str>>,
        got: impl Debug,
    ) -> Self {
        Self {
            field,
            requirement: requirement.into(),
            got: format!("{got:?}"),
        }
    }

    /// `value` when it is finite and greater than zero. NaN is refused. The error quotes it in its own type: an `f32` of 0.1
    /// is not 0.10000000149011612.
    pub fn positive<T: Copy + Debug + Into<f64>>(field: &'static str, value: T) -> Result<T, Self> {
        let number = value.into();
        if number.is_finite() && number > 0.0 {
            return Ok(value);
        }
        Err(Self::new(field, "be a finite number greater than 0", value))
    }

    /// `value` when it is finite and zero or greater. NaN is refused.
    pub fn non_negative<T: Copy + Debug + Into<f64>>(
        field: &'static str,
        value: T,
    ) -> Result<T, Self> {
        let number = value.into();
        if number.is_finite() && number >= 0.0 {
            return Ok(value);
        }
        Err(Self::new(field, "be a finite number of at least 0", value))
    }

    /// `value` when it lies within `interval` and is finite. NaN and infinities are refused, whatever the interval.
    ///
    /// ```
    /// use burn_tricks_core::ConfigError;
    ///
    /// let error = ConfigError::within("prob", 1.0, 0.0..1.0).unwrap_err();
    /// assert_eq!(error.to_string(), "`prob` must lie in [0, 1), got 1.0");
    /// ```
    pub fn within<T: Copy + Debug + Into<f64>>(
        field: &'static str,
        value: T,
        interval: impl RangeBounds<f64>,
    ) -> Result<T, Self> {
        let number = value.into();
        if number.is_finite() && interval.contains(&number) {
            return Ok(value);
        }
        let low = match interval.start_bound() {
            Bound::Included(low) => format!("[{low}"),
            Bound::Excluded(low) => format!("({low}"),
            Bound::Unbounded => "(-∞".to_owned(),
        };
        let high = match interval.end_bound() {
            Bound::Included(high) => format!("{high}]"),
            Bound::Excluded(high) => format!("{high})"),
            Bound::Unbounded => "∞)".to_owned(),
        };
        Err(Self::new(field, format!("lie in {low}, {high}"), value))
    }

    /// `value` when it lies in `[0, 1)`, the range of the decay of a moving average. NaN is refused.
    pub fn decay_rate<T: Copy + Debug + Into<f64>>(
        field: &'static str,
        value: T,
    ) -> Result<T, Self> {
        Self::within(field, value, 0.0..1.0)
    }

    /// `value` when it lies in `(0, 1]`, the range of a reducing factor. NaN is refused.
    pub fn factor<T: Copy + Debug + Into<f64>>(field: &'static str, value: T) -> Result<T, Self> {
        Self::within(field, value, (Bound::Excluded(0.0), Bound::Included(1.0)))
    }

    /// `value` when it is finite. NaN is refused.
    pub fn finite<T: Copy + Debug + Into<f64>>(field: &'static str, value: T) -> Result<T, Self> {
        if value.into().is_finite() {
            return Ok(value);
        }
        Err(Self::new(field, "be a finite number", value))
    }

    /// `value` when it is at least one.
    pub fn at_least_one(field: &'static str, value: usize) -> Result<usize, Self> {
        if value >= 1 {
            return Ok(value);
        }
        Err(Self::new(field, "be at least 1", value))
    }
}

impl Display for ConfigError {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            field,
            requirement,
            got,
        } = self;
        write!(f, "`{field}` must {requirement}, got {got}")
    }
}

/// Shows the text of `Display`, so that `unwrap` and `main` print it.
impl std::fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_refuse_their_outside_and_nan() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(ConfigError::positive("x", bad).is_err(), "{bad}");
        }
        for bad in [-1e-300, f64::NAN, f64::INFINITY] {
            assert!(ConfigError::non_negative("x", bad).is_err(), "{bad}");
        }
        for bad in [-0.1, 1.0, f64::NAN] {
            assert!(ConfigError::decay_rate("x", bad).is_err(), "{bad}");
        }
        for bad in [0.0, 1.1, f64::NAN, f64::NEG_INFINITY] {
            assert!(ConfigError::factor("x", bad).is_err(), "{bad}");
        }
        for bad in [-0.1, 0.3, f64::NAN] {
            assert!(ConfigError::within("x", bad, 0.0..=0.2).is_err(), "{bad}");
        }
        assert!(ConfigError::within("x", f64::INFINITY, 0.0..).is_err());
        assert!(ConfigError::finite("x", f64::NEG_INFINITY).is_err());
        assert!(ConfigError::at_least_one("x", 0).is_err());
    }

    #[test]
    fn ranges_accept_their_ends() {
        assert_eq!(ConfigError::positive("x", f64::MAX), Ok(f64::MAX));
        assert_eq!(ConfigError::non_negative("x", 0.0), Ok(0.0));
        assert_eq!(ConfigError::decay_rate("x", 0.0), Ok(0.0));
        assert_eq!(ConfigError::factor("x", 1.0), Ok(1.0));
        assert_eq!(ConfigError::within("x", 0.2, 0.0..=0.2), Ok(0.2));
        assert_eq!(ConfigError::finite("x", -3.0), Ok(-3.0));
        assert_eq!(ConfigError::at_least_one("x", 1), Ok(1));
    }

    #[test]
    fn a_number_is_quoted_in_its_own_type() {
        let bad = -0.1_f32;
        for error in [
            ConfigError::positive("x", bad),
            ConfigError::non_negative("x", bad),
            ConfigError::within("x", bad, 0.0..=0.2),
            ConfigError::decay_rate("x", bad),
            ConfigError::factor("x", bad),
        ] {
            let text = error.unwrap_err().to_string();
            assert!(text.ends_with(", got -0.1"), "{text}");
        }
        assert_eq!(ConfigError::finite("x", 0.1_f32), Ok(0.1_f32));
    }

    #[test]
    fn the_text_quotes_what_it_got() {
        let error = ConfigError::decay_rate("beta", f64::NAN).unwrap_err();
        assert_eq!(error.to_string(), "`beta` must lie in [0, 1), got NaN");
        let error = ConfigError::factor("gamma", 0.0).unwrap_err();
        assert_eq!(error.to_string(), "`gamma` must lie in (0, 1], got 0.0");
        let error = ConfigError::within("min_lr", 0.3, 0.0..=0.1).unwrap_err();
        assert_eq!(error.to_string(), "`min_lr` must lie in [0, 0.1], got 0.3");
        let error = ConfigError::within("x", f64::NAN, ..).unwrap_err();
        assert_eq!(error.to_string(), "`x` must lie in (-∞, ∞), got NaN");
    }
}
