//! The numbers of data on the host.

use burn::tensor::TensorData;

/// The numbers of `data`, whatever their type; `true` is 1 and `false` is 0.
///
/// `TensorData::iter` compiles a loop for every element type, in every crate that uses it; this is compiled once.
pub fn numbers(data: &TensorData) -> Vec<f64> {
    data.iter::<f64>().collect()
}
