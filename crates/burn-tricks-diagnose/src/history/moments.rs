//! Numbers in few numbers.

/// At most `most` of the numbers below `count`, at equal distances.
pub(crate) fn spread(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let kept = count.min(most);
    (0..kept).map(move |at| at * count / kept)
}

/// Mean, standard deviation, minimum and maximum of the finite numbers, and the share of the others.
pub(crate) fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64, f64, f64, f64) {
    let all = values.clone().count().max(1) as f64;
    let finite = values.filter(|value| value.is_finite());
    let count = finite.clone().count();
    if count == 0 {
        return (0.0, 0.0, 0.0, 0.0, if all > 1.0 { 1.0 } else { 0.0 });
    }
    let count = count as f64;
    let mean = finite.clone().sum::<f64>() / count;
    let square = finite.clone().map(|value| (value - mean).powi(2));
    let deviation = (square.sum::<f64>() / count).sqrt();
    let min = finite.clone().fold(f64::INFINITY, f64::min);
    let max = finite.fold(f64::NEG_INFINITY, f64::max);
    (mean, deviation, min, max, 1.0 - count / all)
}
