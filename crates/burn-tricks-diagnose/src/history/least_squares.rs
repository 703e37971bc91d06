//! Linear least squares with a penalty.

/// The weights of `size` inputs for each of `columns`, from rows of inputs and targets, by Cholesky's decomposition of the
/// normal equations: those of a column lie one after the other. Each weight but the last has the penalty. `None` if they
/// are not finite.
pub(crate) fn solve(
    [rows, size, columns]: [usize; 3],
    penalty: f64,
    inputs_of: impl Fn(usize) -> Vec<f64>,
    target: impl Fn(usize, usize) -> f64,
) -> Option<Vec<f64>> {
    let mut products = vec![0.0; size * size];
    let mut sides = vec![0.0; columns * size];
    for row in 0..rows {
        let inputs = inputs_of(row);
        for (i, value) in inputs.iter().enumerate() {
            let line = &mut products[i * size..][..=i];
            line.iter_mut()
                .zip(&inputs)
                .for_each(|(sum, other)| *sum += value * other);
        }
        for column in 0..columns {
            let wanted = target(row, column);
            let side = &mut sides[column * size..][..size];
            side.iter_mut()
                .zip(&inputs)
                .for_each(|(sum, input)| *sum += wanted * input);
        }
    }
    // The last weight is that of the 1, which has no penalty.
    (0..size - 1).for_each(|i| products[i * size + i] += penalty);
    for i in 0..size {
        for j in 0..=i {
            let (before, rest) = products.split_at(i * size);
            let done: f64 = if i == j {
                rest[..j].iter().map(|value| value * value).sum()
            } else {
                let other = &before[j * size..][..j];
                rest[..j].iter().zip(other).map(|(a, b)| a * b).sum()
            };
            let rest = products[i * size + j] - done;
            products[i * size + j] = if i == j {
                rest.sqrt()
            } else {
                rest / products[j * size + j]
            };
        }
    }
    for side in sides.chunks_exact_mut(size) {
        for i in 0..size {
            let done: f64 = (0..i).map(|k| products[i * size + k] * side[k]).sum();
            side[i] = (side[i] - done) / products[i * size + i];
        }
        for i in (0..size).rev() {
            let done: f64 = (i + 1..size)
                .map(|k| products[k * size + i] * side[k])
                .sum();
            side[i] = (side[i] - done) / products[i * size + i];
        }
    }
    sides
        .iter()
        .all(|weight| weight.is_finite())
        .then_some(sides)
}
