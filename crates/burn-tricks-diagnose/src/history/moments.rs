//! Numbers in few numbers.

/// At most `most` of the numbers below `count`, at equal distances.
pub(crate) fn spread(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let kept = count.min(most);
    (0..kept).map(move |at| at * count / kept)
}

/// Mean, standard deviation, minimum and maximum of the finite numbers, and the share of the others.
pub(crate) fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64, f64, f64, f64) {
    let all = values.clone().count();
    let finite = values.filter(|value| value.is_finite());
    let count = finite.clone().count();
    if count == 0 {
        return (0.0, 0.0, 0.0, 0.0, if all > 0 { 1.0 } else { 0.0 });
    }
    let count = count as f64;
    let mean = finite.clone().sum::<f64>() / count;
    let square = finite.clone().map(|value| (value - mean).powi(2));
    let deviation = (square.sum::<f64>() / count).sqrt();
    let min = finite.clone().fold(f64::INFINITY, f64::min);
    let max = finite.fold(f64::NEG_INFINITY, f64::max);
    (mean, deviation, min, max, 1.0 - count / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_not_finite_is_of_all_numbers() {
        let share = |values: &[f64]| moments(values.iter().copied()).4;
        assert_eq!(share(&[]), 0.0);
        assert_eq!(share(&[f64::NAN]), 1.0);
        assert_eq!(share(&[f64::NAN; 2]), 1.0);
        assert_eq!(share(&[f64::INFINITY, 2.0]), 0.5);
        assert_eq!(share(&[2.0]), 0.0);
    }
}
