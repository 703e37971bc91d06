//! Class weights.

use burn_tricks_core::ConfigError;

/// The number of samples of each class, of labels in `0..classes`.
///
/// # Errors
///
/// If a label is not in `0..classes`.
///
/// ```
/// use burn_tricks_data::class_counts;
///
/// assert_eq!(class_counts([2, 0, 2, 2], 3)?, [1, 0, 3]);
/// assert_eq!(
///     class_counts([2, 7], 3).unwrap_err().to_string(),
///     "`labels` must be less than the number of classes, 3, got 7"
/// );
/// # Ok::<(), burn_tricks_data::ConfigError>(())
/// ```
pub fn class_counts(
    labels: impl IntoIterator<Item = usize>,
    classes: usize,
) -> Result<Vec<usize>, ConfigError> {
    let mut counts = vec![0; classes];
    for label in labels {
        match counts.get_mut(label) {
            Some(count) => *count += 1,
            None => {
                let requirement = format!("be less than the number of classes, {classes}");
                return Err(ConfigError::new("labels", requirement, label));
            }
        }
    }
    Ok(counts)
}

/// Weights of classes in a loss, such that every class has the same weight in all, whatever its number of samples:
/// `samples / (classes · count)`, as scikit-learn's `class_weight="balanced"`.
///
/// They are for Burn's `CrossEntropyLossConfig::weights` and for
/// `burn_tricks_nn::SoftmaxFocalLossConfig::class_weights`. The mean of the weights over all samples is 1. To draw rare
/// classes more often instead, see [`Draws::class_balanced`](crate::Draws::class_balanced); doing both counts rare
/// classes twice.
///
/// # Errors
///
/// If there is no class, or a class without a sample, whose weight would be infinite.
///
/// ```
/// use burn::nn::loss::CrossEntropyLossConfig;
/// use burn::tensor::Device;
/// use burn_tricks_data::balanced_class_weights;
///
/// let weights = balanced_class_weights(&[90, 10])?;
/// assert_eq!(weights, [100.0 / 180.0, 5.0]);
/// let loss = CrossEntropyLossConfig::new().with_weights(Some(weights)).init(&Device::flex());
/// # let _ = loss;
/// # Ok::<(), burn_tricks_data::ConfigError>(())
/// ```
pub fn balanced_class_weights(counts: &[usize]) -> Result<Vec<f32>, ConfigError> {
    ConfigError::at_least_one("counts.len()", counts.len())?;
    if let Some(class) = counts.iter().position(|count| *count == 0) {
        let requirement = format!("be at least 1 for each class, and class {class} has no sample");
        return Err(ConfigError::new("counts", requirement, counts));
    }
    let samples: usize = counts.iter().sum();
    let weight = |count: &usize| (samples as f64 / (counts.len() * count) as f64) as f32;
    Ok(counts.iter().map(weight).collect())
}
