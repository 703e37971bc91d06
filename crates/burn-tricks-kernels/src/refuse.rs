//! Numbers with which nothing can be calculated: kernels and twins refuse them alike.

/// Panics unless the number is finite and not negative.
pub(crate) fn assert_not_negative(what: &str, number: f64) {
    assert!(
        number.is_finite() && number >= 0.0,
        "{what} must be finite and not negative, got {number}"
    );
}

/// Panics unless there is such an axis.
pub(crate) fn assert_axis(rank: usize, axis: usize) {
    assert!(axis < rank, "a tensor of rank {rank} has no axis {axis}");
}
