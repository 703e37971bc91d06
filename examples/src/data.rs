//! Samples with what is to be predicted, split and scaled.

use burn::tensor::{Device, Int, Tensor, TensorData};
use burn_tricks::nn::{ScaleBy, ScalerConfig};
use flate2::read::GzDecoder;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::io::Read;

/// Samples, flat, with what is to be predicted. Of images: `[samples, features]` pixels, and one label each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// Row-major pixels, or other inputs, as many per sample as `features` says.
    pub pixels: Vec<f32>,
    /// The class of each sample, or the same number of classes for each; none in a regression.
    pub labels: Vec<u8>,
    /// In a regression the number to predict for each sample; otherwise none.
    pub numbers: Vec<f32>,
    /// Inputs per sample.
    pub features: usize,
}

impl Samples {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.features.max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The samples at `indices`: images `[batch, features]` and labels `[batch]`.
    pub fn batch(&self, indices: &[usize], device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
        let labels: Vec<i32> = self.labels_of(indices).map(i32::from).collect();
        let rows = labels.len();
        let labels = Tensor::from_data(TensorData::new(labels, [rows]), device);
        (self.inputs(indices, device), labels)
    }

    /// The inputs of the samples at `indices`, `[batch, features]`.
    pub fn inputs(&self, indices: &[usize], device: &Device) -> Tensor<2> {
        let pixels: Vec<f32> = rows(&self.pixels, indices, self.features).collect();
        Tensor::from_data(
            TensorData::new(pixels, [indices.len(), self.features]),
            device,
        )
    }

    /// The labels of the samples at `indices`, one after the other.
    pub fn labels_of(&self, indices: &[usize]) -> impl Iterator<Item = u8> {
        rows(&self.labels, indices, self.labels.len() / self.len().max(1))
    }

    /// All images, `[samples, features]`.
    pub fn images(&self, device: &Device) -> Tensor<2> {
        let pixels = TensorData::new(self.pixels.clone(), [self.len(), self.features]);
        Tensor::from_data(pixels, device)
    }

    /// All samples as one batch.
    pub fn all(&self, device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
        self.batch(&(0..self.len()).collect::<Vec<_>>(), device)
    }

    /// Index lists of one epoch: every sample once, in an order that depends on `seed` and `epoch` only.
    pub fn batches(&self, size: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(epoch as u64);
        order.shuffle(&mut rng);
        order.chunks(size).map(<[_]>::to_vec).collect()
    }

    /// The samples at `indices`, in their order.
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            pixels: rows(&self.pixels, indices, self.features).collect(),
            labels: self.labels_of(indices).collect(),
            numbers: rows(
                &self.numbers,
                indices,
                self.numbers.len() / self.len().max(1),
            )
            .collect(),
            features: self.features,
        }
    }

    /// Splits by class, so that each part has its share of every class: the first part gets `share` of
    /// each, rounded. Samples without a class, or with several, are split as one class is.
    fn split(&self, share: f64, seed: u64) -> (Self, Self) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let has_classes = self.labels.len() == self.len();
        let last = self.labels.iter().copied().max().filter(|_| has_classes);
        for class in 0..=last.unwrap_or(0) {
            let is_class = |index: &usize| !has_classes || self.labels[*index] == class;
            let mut members: Vec<usize> = (0..self.len()).filter(is_class).collect();
            members.shuffle(&mut rng);
            let cut = (members.len() as f64 * share).round() as usize;
            first.extend_from_slice(&members[..cut]);
            second.extend_from_slice(&members[cut..]);
        }
        (self.select(&first), self.select(&second))
    }
}

/// What a flat list has of each of these samples.
fn rows<T: Copy>(flat: &[T], indices: &[usize], width: usize) -> impl Iterator<Item = T> {
    let row = move |index: &usize| &flat[index * width..(index + 1) * width];
    indices.iter().flat_map(row).copied()
}

/// Samples to train on, to choose by, and to test on once.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Three fifths of the digits, or five sixths of MNIST's training file.
    pub train: Samples,
    /// A fifth of the digits, or the rest of MNIST's training file.
    pub valid: Samples,
    /// A fifth of the digits, or MNIST's test file.
    pub test: Samples,
}

impl Split {
    /// Scales pixels to [0, 1] by the smallest and the largest pixel of the training part: the other
    /// parts are looked at by nothing that is fitted.
    ///
    /// # Panics
    ///
    /// If the training part is empty.
    pub fn scaled(self) -> Self {
        self.scaled_by(&ScalerConfig::min_max(0.0, 1.0).with_by(ScaleBy::Whole))
    }

    /// Scales the columns of a table to mean 0 and variance 1 on the training part.
    ///
    /// # Panics
    ///
    /// If the training part is empty.
    pub fn standardised(self) -> Self {
        self.scaled_by(&ScalerConfig::standard())
    }

    fn scaled_by(mut self, config: &ScalerConfig) -> Self {
        // Exact division on the host, where it is compiled in.
        #[cfg(feature = "flex")]
        let device = Device::flex();
        #[cfg(not(feature = "flex"))]
        let device = Device::default();
        let scaler = config
            .fit(&self.train.images(&device))
            .expect("inputs to fit on");
        for part in [&mut self.train, &mut self.valid, &mut self.test] {
            let scaled = scaler.forward(part.images(&device)).into_data();
            part.pixels = scaled.try_into_vec().expect("f32, as they came");
        }
        self
    }
}

/// Where the samples come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// One file, of which each seed has a split of its own, such as the handwritten digits that come with the
    /// examples: see `data/README.md`.
    OneFile(Samples),
    /// A training and a test file, as MNIST has.
    TrainAndTest(Samples, Samples),
}

impl Source {
    /// The 1,797 digits of 8×8 pixels from 0 to 16.
    pub fn digits() -> Self {
        let mut text = String::new();
        GzDecoder::new(&include_bytes!("../data/digits.csv.gz")[..])
            .read_to_string(&mut text)
            .expect("the packed digits are whole");
        let mut samples = Samples {
            features: 64,
            ..Samples::default()
        };
        for line in text.lines() {
            let mut numbers = line.split(',').map(|number| number.parse::<u8>());
            let row = numbers.by_ref().take(64).map(Result::unwrap).map(f32::from);
            samples.pixels.extend(row);
            let label = numbers.next().expect("65 numbers in a line");
            samples.labels.push(label.expect("a label"));
        }
        Self::OneFile(samples)
    }

    /// Numbers of a sample.
    pub fn features(&self) -> usize {
        match self {
            Self::OneFile(samples) | Self::TrainAndTest(samples, _) => samples.features,
        }
    }

    /// A number that is another one if any sample is: 64 bits of FNV-1a.
    pub fn checksum(&self) -> u64 {
        let parts = match self {
            Self::OneFile(samples) => vec![samples],
            Self::TrainAndTest(train, test) => vec![train, test],
        };
        let mut sum = 0xcbf2_9ce4_8422_2325;
        let mut add = |word: u64| sum = (sum ^ word).wrapping_mul(0x0100_0000_01b3);
        for samples in parts {
            add(samples.features as u64);
            let numbers = samples.pixels.iter().chain(&samples.numbers);
            numbers.for_each(|number| add(number.to_bits().into()));
            samples.labels.iter().for_each(|label| add((*label).into()));
        }
        sum
    }

    /// The three parts, stratified by class. The same seed gives the same split.
    pub fn split(&self, seed: u64) -> Split {
        match self {
            Self::OneFile(samples) => {
                let (train, rest) = samples.split(0.6, seed);
                let (valid, test) = rest.split(0.5, seed);
                Split { train, valid, test }
            }
            Self::TrainAndTest(train, test) => {
                let (train, valid) = train.split(5.0 / 6.0, seed);
                let test = test.clone();
                Split { train, valid, test }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits() -> Samples {
        match Source::digits() {
            Source::OneFile(samples) => samples,
            Source::TrainAndTest(..) => unreachable!("the digits are one file"),
        }
    }

    fn frequencies(samples: &Samples) -> Vec<usize> {
        let count = |class| samples.labels.iter().filter(|l| **l == class).count();
        (0..10).map(count).collect()
    }

    #[test]
    fn the_digits_are_those_that_were_packed() {
        let digits = digits();
        assert_eq!(digits.len(), 1797);
        assert_eq!(digits.pixels.len(), 1797 * 64);
        // Sums of whole numbers below 2^24: exact in f32.
        assert_eq!(digits.pixels.iter().sum::<f32>(), 561_718.0);
        assert_eq!(digits.pixels.iter().copied().fold(0.0, f32::max), 16.0);
        assert_eq!(
            frequencies(&digits),
            [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
        );
    }

    #[test]
    fn a_split_is_stratified_whole_and_seeded() {
        let source = Source::digits();
        let split = source.split(1);
        let parts = [&split.train, &split.valid, &split.test];
        assert_eq!(parts.map(Samples::len).iter().sum::<usize>(), 1797);
        for (class, of_all) in frequencies(&digits()).iter().enumerate() {
            let of_train = frequencies(&split.train)[class];
            assert!((of_train as f64 - 0.6 * *of_all as f64).abs() <= 0.5);
            let difference =
                frequencies(&split.valid)[class].abs_diff(frequencies(&split.test)[class]);
            assert!(difference <= 1, "class {class}");
        }
        let mut rows: Vec<_> = parts
            .iter()
            .flat_map(|part| part.pixels.chunks(64))
            .map(|row| row.iter().map(|pixel| *pixel as u8).collect::<Vec<_>>())
            .collect();
        let mut all: Vec<_> = digits()
            .pixels
            .chunks(64)
            .map(|row| row.iter().map(|pixel| *pixel as u8).collect::<Vec<_>>())
            .collect();
        rows.sort();
        all.sort();
        assert_eq!(rows, all, "every image once");
        assert_eq!(source.split(1), split);
        assert_ne!(source.split(2), split);
    }

    #[test]
    fn scaling_is_fitted_on_the_training_part_only() {
        let samples = |pixels: &[f32]| Samples {
            pixels: pixels.to_vec(),
            labels: vec![0; pixels.len()],
            features: 1,
            ..Samples::default()
        };
        let split = Split {
            train: samples(&[2.0, 6.0]),
            valid: samples(&[0.0]),
            test: samples(&[10.0]),
        };
        let scaled = split.scaled();
        assert_eq!(scaled.train.pixels, [0.0, 1.0]);
        assert_eq!(scaled.valid.pixels, [-0.5]);
        assert_eq!(scaled.test.pixels, [2.0]);
    }

    /// The published comparisons were run on pixels that a loop over the numbers had scaled.
    #[test]
    fn the_scaler_gives_the_bits_of_the_formula() {
        let split = Source::digits().split(1);
        let pixels = &split.train.pixels;
        let low = pixels.iter().copied().fold(f32::MAX, f32::min);
        let high = pixels.iter().copied().fold(f32::MIN, f32::max);
        let by_hand = |samples: &Samples| -> Vec<f32> {
            let scale = |pixel| (pixel - low) / (high - low);
            samples.pixels.iter().copied().map(scale).collect()
        };
        let scaled = split.clone().scaled();
        assert_eq!(scaled.train.pixels, by_hand(&split.train));
        assert_eq!(scaled.valid.pixels, by_hand(&split.valid));
        assert_eq!(scaled.test.pixels, by_hand(&split.test));
    }

    #[test]
    fn an_epoch_has_every_sample_once_in_an_order_of_its_own() {
        let digits = digits();
        let first = digits.batches(32, 5, 1);
        assert_eq!(first.len(), 1797usize.div_ceil(32));
        let mut seen = first.concat();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..1797));
        assert_eq!(digits.batches(32, 5, 1), first);
        assert_ne!(digits.batches(32, 5, 2), first);
        assert_ne!(digits.batches(32, 6, 1), first);
    }
}
