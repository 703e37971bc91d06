//! The error of a configuration that cannot mean anything.

use std::fmt::{Debug, Display};

/// A configuration value outside its range, found when the configuration is turned into the thing
/// it configures (`init` or `build`), never later.
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
    /// The field, as its configuration names it.
    pub field: &'static str,
    /// What the field must be, completing the sentence "the field must ...".
    pub requirement: &'static str,
    /// What it was.
    pub got: String,
}

impl ConfigError {
    /// The error for `field`, which must fulfil `requirement` and was `got`.
    pub fn new(field: &'static str, requirement: &'static str, got: impl Debug) -> Self {
        Self {
            field,
            requirement,
            got: format!("{got:?}"),
        }
    }

    /// `value` when it is finite and greater than zero. NaN is refused.
    pub fn positive(field: &'static str, value: f64) -> Result<f64, Self> {
        if value.is_finite() && value > 0.0 {
            return Ok(value);
        }
        Err(Self::new(field, "be a finite number greater than 0", value))
    }

    /// `value` when it is finite and zero or greater. NaN is refused.
    pub fn non_negative(field: &'static str, value: f64) -> Result<f64, Self> {
        if value.is_finite() && value >= 0.0 {
            return Ok(value);
        }
        Err(Self::new(field, "be a finite number of at least 0", value))
    }

    /// `value` when it lies in `[0, 1)`, the range of decay rates. NaN is refused.
    pub fn decay_rate(field: &'static str, value: f64) -> Result<f64, Self> {
        if (0.0..1.0).contains(&value) {
            return Ok(value);
        }
        Err(Self::new(field, "lie in [0, 1)", value))
    }

    /// `value` when it is finite. NaN is refused.
    pub fn finite(field: &'static str, value: f64) -> Result<f64, Self> {
        if value.is_finite() {
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
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            field,
            requirement,
            got,
        } = self;
        write!(f, "`{field}` must {requirement}, got {got}")
    }
}

/// As it is displayed, so that `unwrap` and `main` print the sentence.
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
        assert!(ConfigError::finite("x", f64::NEG_INFINITY).is_err());
        assert!(ConfigError::at_least_one("x", 0).is_err());
    }

    #[test]
    fn ranges_accept_their_ends() {
        assert_eq!(ConfigError::positive("x", f64::MAX), Ok(f64::MAX));
        assert_eq!(ConfigError::non_negative("x", 0.0), Ok(0.0));
        assert_eq!(ConfigError::decay_rate("x", 0.0), Ok(0.0));
        assert_eq!(ConfigError::finite("x", -3.0), Ok(-3.0));
        assert_eq!(ConfigError::at_least_one("x", 1), Ok(1));
    }

    #[test]
    fn the_text_quotes_what_it_got() {
        let error = ConfigError::decay_rate("beta", f64::NAN).unwrap_err();
        assert_eq!(error.to_string(), "`beta` must lie in [0, 1), got NaN");
    }
}
