//! Reliability diagrams.

use crate::calibration::calibration_error::CalibrationError;
use crate::calibration::temperature::Samples;
use burn::tensor::{FloatDType, Int, Tensor};
use burn_tricks_core::{Axis, Bar, Chart, accumulation_dtype, epsilon};

/// The samples whose highest probability lies in an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// The lower end of the interval, which does not belong to it.
    pub from: f64,
    /// The upper end of the interval, which belongs to it.
    pub to: f64,
    /// How many samples there are.
    pub samples: usize,
    /// The mean of their highest probabilities; NaN without samples.
    pub confidence: f64,
    /// The share of them whose predicted class is the true one; NaN without samples.
    pub accuracy: f64,
}

/// How often predictions are right, by how probable the model says they are: as numbers, and as a picture.
///
/// The highest probability of each sample, the confidence, is sorted into bins of equal width. A calibrated model is right
/// in as many of the samples of a bin as their mean confidence says.
///
/// # Example
///
/// ```
/// use burn::tensor::{Device, Int, Tensor};
/// use burn_tricks_average::ReliabilityDiagram;
///
/// # fn main() -> Result<(), burn_tricks_average::CalibrationError> {
/// let device = Device::flex();
/// let rows = [[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.4, 0.6]];
/// let probabilities = Tensor::<2>::from_data(rows, &device);
/// let classes = Tensor::<1, Int>::from_data([0, 1, 1, 1], &device);
/// let diagram = ReliabilityDiagram::of(probabilities, classes, 10)?;
/// let last = diagram.bins()[8]; // (0.8, 0.9]
/// assert_eq!((last.samples, last.accuracy), (2, 0.5));
/// let svg = diagram.to_svg("Validation, before temperature scaling");
/// # let _ = svg;
/// # Ok(())
/// # }
/// ```
///
/// Before and after a [`Temperature`](crate::Temperature), in one picture:
///
/// ```no_run
/// # use burn_tricks_average::ReliabilityDiagram;
/// # fn draw(before: &ReliabilityDiagram, after: &ReliabilityDiagram) -> std::io::Result<()> {
/// std::fs::write("reliability.svg", before.to_svg_with_after(after, "Validation"))
/// # }
/// ```
///
/// # Order
///
/// Make it after the training, on validation data.
///
/// # Cost
///
/// The probabilities are read from the device once.
///
/// # Differences
///
/// The bins are those of Guo et al. and of [`expected_calibration_error`](crate::expected_calibration_error), open below and
/// closed above.
///
/// # Suggested values
///
/// 10 or 15 bins (Guo et al.: 15).
///
/// # References
///
/// - Niculescu-Mizil, Caruana, *Predicting good probabilities with supervised learning*, 2005,
///   <https://doi.org/10.1145/1102351.1102430>
/// - Guo et al., *On calibration of modern neural networks*, 2017, <https://arxiv.org/abs/1706.04599>
#[derive(Debug, Clone, PartialEq)]
pub struct ReliabilityDiagram {
    bins: Vec<ReliabilityBin>,
}

impl ReliabilityDiagram {
    /// The diagram of these predictions, with `bins` bins of equal width, or 1 if that is 0. It waits for the device.
    ///
    /// # Shapes
    ///
    /// `probabilities` `[samples, classes]`, `classes` `[samples]`.
    ///
    /// # Errors
    ///
    /// If there is no sample, or no class for each sample, or if a row is no distribution of probabilities.
    pub fn of(
        probabilities: Tensor<2>,
        classes: Tensor<1, Int>,
        bins: usize,
    ) -> Result<Self, CalibrationError> {
        let bins = bins.max(1);
        // Half precision adds up to 1 within this.
        let tolerance = (8.0 * epsilon(probabilities.dtype())).max(1e-3);
        // An edge as the type of the probabilities has it, so that a probability of 0.8 is not above an edge of 0.8.
        let is_double = accumulation_dtype(probabilities.dtype()) == FloatDType::F64;
        let edge = |bin: usize| bin as f64 / bins as f64;
        let rounded = |bin: usize| {
            if is_double {
                edge(bin)
            } else {
                f64::from(edge(bin) as f32)
            }
        };
        let inner: Vec<f64> = (1..bins).map(rounded).collect();
        let samples = Samples::read(probabilities, classes)?;
        let (mut counts, mut sums, mut right) = (vec![0; bins], vec![0.0; bins], vec![0; bins]);
        for (sample, (row, class)) in samples.rows.iter().zip(&samples.classes).enumerate() {
            let sum: f64 = row.iter().sum();
            let is_probability = |p: &f64| (-tolerance..=1.0 + tolerance).contains(p);
            if !((sum - 1.0).abs() <= tolerance && row.iter().all(is_probability)) {
                return Err(CalibrationError::Probabilities { sample, sum });
            }
            // Of equal ones the first, as `argmax` has it.
            let (choice, confidence) = row.iter().copied().enumerate().fold(
                (0, f64::NEG_INFINITY),
                |best, (column, p)| {
                    if p > best.1 { (column, p) } else { best }
                },
            );
            let confidence = confidence.clamp(0.0, 1.0);
            let bin = inner.partition_point(|edge| *edge < confidence);
            counts[bin] += 1;
            sums[bin] += confidence;
            right[bin] += usize::from(choice == *class);
        }
        let bins = (0..bins).map(|bin| ReliabilityBin {
            from: edge(bin),
            to: edge(bin + 1),
            samples: counts[bin],
            confidence: sums[bin] / counts[bin] as f64,
            accuracy: right[bin] as f64 / counts[bin] as f64,
        });
        Ok(Self {
            bins: bins.collect(),
        })
    }

    /// The bins, from the lowest confidence to the highest.
    pub fn bins(&self) -> &[ReliabilityBin] {
        &self.bins
    }

    /// The expected calibration error: the mean over all samples of |accuracy − confidence| of their bin.
    pub fn calibration_error(&self) -> f64 {
        let all: usize = self.bins.iter().map(|bin| bin.samples).sum();
        let full = self.bins.iter().filter(|bin| bin.samples > 0);
        let gap = full.map(|bin| bin.samples as f64 * (bin.accuracy - bin.confidence).abs());
        gap.sum::<f64>() / all as f64
    }

    /// The diagram as SVG: the accuracy of each bin as a bar, and the diagonal on which a calibrated model lies.
    pub fn to_svg(&self, title: &str) -> String {
        chart(title).bars("accuracy", self.bars()).to_svg()
    }

    /// This diagram and that of the same samples after a calibration, as SVG: bars before, a line after. The legend has the
    /// calibration error of both.
    pub fn to_svg_with_after(&self, after: &Self, title: &str) -> String {
        let named = |when, diagram: &Self| format!("{when}: {:.3}", diagram.calibration_error());
        let middles = after.bins.iter().map(|bin| (bin.confidence, bin.accuracy));
        chart(title)
            .bars(&named("ECE before", self), self.bars())
            .line(&named("ECE after", after), middles)
            .to_svg()
    }

    fn bars(&self) -> impl Iterator<Item = Bar> {
        self.bins.iter().map(|bin| Bar {
            from: bin.from,
            to: bin.to,
            height: bin.accuracy,
        })
    }
}

fn chart(title: &str) -> Chart {
    let axes = ["confidence", "accuracy"].map(|label| Axis::new(label, 0.0, 1.0));
    let [across, up] = axes;
    Chart::new(title, across, up).reference((0.0, 0.0), (1.0, 1.0))
}
