//! Temperature scaling.

use crate::calibration::calibration_error::CalibrationError;
use crate::ensemble::Predict;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Int, Tensor};
use burn_tricks_core::{ConfigError, InlineModule};
use burn_tricks_kernels::numbers;

/// Temperature scaling: all logits are divided by one number, so that the probabilities are as high as the predictions
/// are often right.
///
/// ```text
/// p = softmax(z / T)     T: the temperature that minimises the mean of −ln p of the true classes
/// ```
///
/// Modern networks are too sure of themselves: of the samples that they are 90 % sure of, they get fewer than 90 % right.
/// T > 1 makes them less sure. Which class is predicted does not change.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor, activation::softmax};
/// use burn_tricks_average::{ReliabilityDiagram, Temperature};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex();
/// // Of validation data. Each row is 98 % sure of a class, and three of four are right.
/// let rows = [[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [0.0, 4.0]];
/// let logits = Tensor::<2>::from_data(rows, &device);
/// let classes = Tensor::<1, Int>::from_data([0, 0, 0, 0], &device);
///
/// let temperature = Temperature::fit(logits.clone(), classes.clone())?;
/// // 1 / (1 + e^(−4 / T)) = 3/4
/// assert!((temperature.value() - 4.0 / 3f64.ln()).abs() < 1e-6);
/// let before = ReliabilityDiagram::of(softmax(logits.clone(), 1), classes.clone(), 10)?;
/// let after = ReliabilityDiagram::of(softmax(temperature.apply(logits), 1), classes, 10)?;
/// assert!(before.calibration_error() > 0.2 && after.calibration_error() < 1e-6);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Fit it after the training, on data that the model was not trained on, and measure on yet other data. For an
/// ensemble, either fit one temperature to the logarithms of the combined probabilities, or give each member its own
/// before they are combined: only the first calibrates the ensemble. [`Calibrated`] is a model and its temperature,
/// which predicts.
///
/// # Cost
///
/// The logits are read from the device once. Then about ten passes over them on the host, in `f64`, by Newton's method.
///
/// # Differences
///
/// Guo et al. fit T with L-BFGS from 1.5 for 50 iterations at a learning rate of 0.01, and torch-uncertainty with
/// L-BFGS for 100. Here 1/T is fitted, in which the mean of −ln p is convex, until the derivative is 0 in `f64`. If
/// there is no best temperature, because each sample is classified right, they stop at some temperature; here it is an
/// error.
///
/// # References
///
/// - Guo et al., *On calibration of modern neural networks*, 2017, <https://arxiv.org/abs/1706.04599>
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperature {
    value: f64,
}

impl Temperature {
    /// A temperature that is known, such as one that was fitted before.
    ///
    /// # Errors
    ///
    /// If `value` is not finite and positive.
    pub fn of(value: f64) -> Result<Self, ConfigError> {
        let value = ConfigError::positive("temperature", value)?;
        Ok(Self { value })
    }

    /// The temperature that makes the true classes of these validation samples the most likely. It waits for the device.
    /// A logit of −∞, of a class that is masked, is legal unless the class is the true one.
    ///
    /// # Shapes
    ///
    /// `logits` `[samples, classes]`, `classes` `[samples]`.
    ///
    /// # Errors
    ///
    /// If there is no sample, or no class for each sample; if a logit is not finite; if no temperature is the best, because
    /// each sample is classified right or the logits are no better than chance.
    pub fn fit(logits: Tensor<2>, classes: Tensor<1, Int>) -> Result<Self, CalibrationError> {
        let samples = Samples::read(logits, classes)?;
        let likelihood = Likelihood::new(&samples)?;
        Ok(Self {
            value: 1.0 / likelihood.maximum()?,
        })
    }

    /// T.
    pub fn value(self) -> f64 {
        self.value
    }

    /// `logits / T`, of any shape.
    pub fn apply<const D: usize>(self, logits: Tensor<D>) -> Tensor<D> {
        // The backward pass of Burn's `div_scalar` rounds to `f32`.
        logits.mul_scalar(1.0 / self.value)
    }
}

/// Rows of numbers and the true class of each, on the host.
pub(crate) struct Samples {
    pub(crate) rows: Vec<Vec<f64>>,
    pub(crate) classes: Vec<usize>,
}

impl Samples {
    pub(crate) fn read(rows: Tensor<2>, classes: Tensor<1, Int>) -> Result<Self, CalibrationError> {
        let ([samples, columns], [labels]) = (rows.dims(), classes.dims());
        if samples == 0 || columns < 2 {
            let classes = columns;
            return Err(CalibrationError::Empty { samples, classes });
        }
        if samples != labels {
            return Err(CalibrationError::Count {
                predictions: samples,
                classes: labels,
            });
        }
        #[allow(clippy::disallowed_methods)] // after the training
        let (rows, classes) = (rows.into_data(), classes.into_data());
        let rows = numbers(&rows);
        let class = |(sample, class): (usize, i64)| {
            let known = usize::try_from(class).ok().filter(|class| *class < columns);
            known.ok_or(CalibrationError::Class {
                sample,
                class,
                columns,
            })
        };
        let classes = numbers(&classes).into_iter().map(|class| class as i64);
        let classes = classes.enumerate().map(class);
        Ok(Self {
            rows: rows.chunks(columns).map(<[_]>::to_vec).collect(),
            classes: classes.collect::<Result<_, _>>()?,
        })
    }
}

/// The mean of −ln softmax(βz) of the true classes as a function of β = 1/T.
struct Likelihood<'a> {
    samples: &'a Samples,
}

impl<'a> Likelihood<'a> {
    fn new(samples: &'a Samples) -> Result<Self, CalibrationError> {
        for (sample, (row, class)) in samples.rows.iter().zip(&samples.classes).enumerate() {
            let is_bad = |score: f64| score.is_nan() || score == f64::INFINITY;
            let bad = row.iter().copied().find(|score| is_bad(*score));
            let masked = Some(row[*class]).filter(|score| *score == f64::NEG_INFINITY);
            if let Some(score) = bad.or(masked) {
                return Err(CalibrationError::Score { sample, score });
            }
        }
        Ok(Self { samples })
    }

    /// The first and the second derivative at β: the means of E[z] − z_y and of Var[z], under softmax(βz).
    fn derivatives(&self, beta: f64) -> (f64, f64) {
        let (mut slope, mut curvature) = (0.0, 0.0);
        for (row, class) in self.samples.rows.iter().zip(&self.samples.classes) {
            let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let (mut sum, mut mean, mut square) = (0.0, 0.0, 0.0);
            // Relative to the highest score, which keeps the powers in range. A masked class has no weight.
            for score in row.iter().filter(|score| score.is_finite()) {
                let below = score - highest;
                let weight = (beta * below).exp();
                sum += weight;
                mean += weight * below;
                square += weight * below * below;
            }
            mean /= sum;
            slope += mean - (row[*class] - highest);
            curvature += square / sum - mean * mean;
        }
        let count = self.samples.rows.len() as f64;
        (slope / count, curvature / count)
    }

    /// The β > 0 at which the first derivative is 0: Newton's method, within an interval that is halved where a step
    /// leaves it.
    fn maximum(&self) -> Result<f64, CalibrationError> {
        if self.derivatives(0.0).0 >= 0.0 {
            return Err(CalibrationError::NoBetterThanChance);
        }
        if self.is_all_right() {
            return Err(CalibrationError::AllRight);
        }
        // A sample that is classified wrong makes the slope positive somewhere.
        let (mut low, mut high) = (0.0, 1.0);
        while self.derivatives(high).0 < 0.0 {
            (low, high) = (high, 2.0 * high);
        }
        let mut beta = 0.5 * (low + high);
        for _ in 0..200 {
            let (slope, curvature) = self.derivatives(beta);
            if slope < 0.0 {
                low = beta;
            } else {
                high = beta;
            }
            let step = beta - slope / curvature;
            let next = if step > low && step < high {
                step
            } else {
                0.5 * (low + high)
            };
            if (next - beta).abs() <= 4.0 * f64::EPSILON * beta {
                return Ok(next);
            }
            beta = next;
        }
        Ok(beta)
    }

    /// Whether no class has a higher score than the true one, for any sample.
    fn is_all_right(&self) -> bool {
        let mut samples = self.samples.rows.iter().zip(&self.samples.classes);
        samples.all(|(row, class)| row.iter().all(|score| *score <= row[*class]))
    }
}

/// A model and the temperature of its logits. Made by [`Calibrated::new`].
///
/// It is a Burn module; its record is that of the model with `model.` in front of each path. The temperature is not in the
/// record: save [`Temperature::value`] with it.
#[derive(InlineModule, Debug)]
pub struct Calibrated<M: Module + ModuleDisplay> {
    model: M,
    #[module(skip)]
    temperature: f64,
}

impl<M: Module + ModuleDisplay> Calibrated<M> {
    /// `model`, whose logits are divided by `temperature`.
    pub fn new(model: M, temperature: Temperature) -> Self {
        Self {
            model,
            temperature: temperature.value,
        }
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The temperature.
    pub fn temperature(&self) -> Temperature {
        Temperature {
            value: self.temperature,
        }
    }
}

impl<M: Module + ModuleDisplay + Predict> Predict for Calibrated<M> {
    type Input = M::Input;

    /// The logits of the model, divided by the temperature.
    fn predict(&self, input: M::Input) -> Tensor<2> {
        self.temperature().apply(self.model.predict(input))
    }
}
