//! Whether a network is a linear map.

use burn::tensor::Tensor;

/// `‖f(a) + f(b) − 2 f((a+b)/2)‖ / ‖f(a) − f(b)‖`, which is 0 for a linear map up to rounding; the rows of b are those
/// of a in the opposite order. `None` for fewer than two rows.
pub(crate) fn nonlinearity<const D: usize>(
    inputs: &Tensor<D>,
    mut forward: impl FnMut(Tensor<D>) -> Tensor<2>,
) -> Option<Tensor<1>> {
    if inputs.dims().first().is_none_or(|rows| *rows < 2) {
        return None;
    }
    let (a, b) = (inputs.clone(), inputs.clone().flip([0]));
    let middle = (a.clone() + b.clone()) * 0.5;
    let [at_a, at_b, at_middle] = [a, b, middle].map(|x| forward(x).without_autodiff());
    let bend = (at_a.clone() + at_b.clone() - at_middle * 2.0)
        .square()
        .sum()
        .sqrt();
    let size = (at_a - at_b).square().sum().sqrt();
    Some(bend / size)
}
