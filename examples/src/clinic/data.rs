//! The data of the clinic: the digits, and small sets that are drawn from a seed.

use crate::data::{Samples, Source};
use burn::tensor::{Device, Tensor, TensorData};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// What the targets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// One column with the number of a class, of so many.
    Classes(usize),
    /// Columns of numbers.
    Numbers,
}

/// Samples: a row of inputs and a row of targets each.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// What goes into the network.
    pub inputs: Vec<Vec<f32>>,
    /// What should come out.
    pub targets: Vec<Vec<f32>>,
}

impl Rows {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Inputs `[batch, width]` and targets `[batch, width]` of the samples at `indices`.
    pub fn batch(&self, indices: &[usize], device: &Device) -> (Tensor<2>, Tensor<2>) {
        let take = |rows: &[Vec<f32>]| {
            let values: Vec<f32> = indices.iter().flat_map(|i| rows[*i].clone()).collect();
            let width = values.len() / indices.len();
            Tensor::from_data(TensorData::new(values, [indices.len(), width]), device)
        };
        (take(&self.inputs), take(&self.targets))
    }

    /// All samples as one batch.
    pub fn all(&self, device: &Device) -> (Tensor<2>, Tensor<2>) {
        self.batch(&(0..self.len()).collect::<Vec<_>>(), device)
    }

    /// The samples at `indices`.
    pub fn at(&self, indices: &[usize]) -> Self {
        let take = |rows: &[Vec<f32>]| indices.iter().map(|i| rows[*i].clone()).collect();
        Self {
            inputs: take(&self.inputs),
            targets: take(&self.targets),
        }
    }

    /// The first `count` samples, or all.
    pub fn first(&self, count: usize) -> Self {
        let count = count.min(self.len());
        Self {
            inputs: self.inputs[..count].to_vec(),
            targets: self.targets[..count].to_vec(),
        }
    }

    fn push(&mut self, input: Vec<f32>, target: f32) {
        self.inputs.push(input);
        self.targets.push(vec![target]);
    }
}

/// What a program trains on, and what it validates on.
#[derive(Debug, Clone)]
pub struct Data {
    /// To train on.
    pub train: Rows,
    /// Held back.
    pub valid: Rows,
    /// What the targets are.
    pub task: Task,
}

impl Data {
    fn split(rows: Rows, train: usize, task: Task) -> Self {
        let valid = Rows {
            inputs: rows.inputs[train..].to_vec(),
            targets: rows.targets[train..].to_vec(),
        };
        let train = rows.first(train);
        Self { train, valid, task }
    }

    /// The width of the inputs.
    pub fn width(&self) -> usize {
        self.train.inputs[0].len()
    }

    /// Both parts.
    pub fn parts(&mut self) -> [&mut Rows; 2] {
        [&mut self.train, &mut self.valid]
    }

    /// Every input, changed.
    pub fn map_inputs(mut self, change: impl Fn(usize, f32) -> f32) -> Self {
        for rows in self.parts() {
            for row in &mut rows.inputs {
                let columns = row.iter_mut().enumerate();
                columns.for_each(|(column, value)| *value = change(column, *value));
            }
        }
        self
    }

    /// Every target, changed.
    pub fn map_targets(mut self, change: impl Fn(f32) -> f32) -> Self {
        for rows in self.parts() {
            let targets = rows.targets.iter_mut().flatten();
            targets.for_each(|value| *value = change(*value));
        }
        self
    }

    /// With each row of the inputs as its own targets.
    pub fn reconstructed(mut self) -> Self {
        for rows in self.parts() {
            rows.targets.clone_from(&rows.inputs);
        }
        self.task = Task::Numbers;
        self
    }

    /// Fewer training samples.
    pub fn with_train(mut self, count: usize) -> Self {
        self.train = self.train.first(count);
        self
    }

    /// Every column of the inputs with mean 0 and deviation 1 on the training part; constant ones at 0.
    pub fn standard_inputs(self) -> Self {
        let moments: Vec<_> = (0..self.width())
            .map(|column| moments(self.train.inputs.iter().map(|row| row[column])))
            .collect();
        self.map_inputs(|column, value| standard(value, moments[column]))
    }

    /// The targets with mean 0 and deviation 1 on the training part.
    pub fn standard_targets(self) -> Self {
        let moments = moments(self.train.targets.iter().flatten().copied());
        self.map_targets(|value| standard(value, moments))
    }
}

fn moments(values: impl Iterator<Item = f32> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / count;
    let squares = values.map(|value| (f64::from(value) - mean).powi(2));
    (mean, (squares.sum::<f64>() / count).sqrt())
}

fn standard(value: f32, (mean, deviation): (f64, f64)) -> f32 {
    let centred = f64::from(value) - mean;
    if deviation == 0.0 {
        return centred as f32;
    }
    (centred / deviation) as f32
}

/// Random numbers that depend on the seed and on nothing else in the process.
#[derive(Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform in [low, high).
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        self.0.random_range(low..high)
    }

    /// From N(0, 1), by Box and Muller.
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * self.uniform(f32::MIN_POSITIVE, 1.0).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.uniform(0.0, 1.0)).cos()
    }

    /// One of 0, ..., `count` - 1.
    pub fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    /// In a random order.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        values.shuffle(&mut self.0);
    }
}

/// The 1,797 handwritten digits, 64 pixels in [0, 1]: 1,400 to train on, 397 held back.
pub fn digits(seed: u64) -> Data {
    let Source::OneFile(Samples { pixels, labels, .. }) = Source::digits() else {
        unreachable!("the digits are one file")
    };
    let mut order: Vec<usize> = (0..labels.len()).collect();
    Dice::new(seed).shuffle(&mut order);
    let mut rows = Rows::default();
    for i in order {
        let image = pixels[64 * i..64 * (i + 1)].iter();
        rows.push(
            image.map(|pixel| pixel / 16.0).collect(),
            f32::from(labels[i]),
        );
    }
    Data::split(rows, 1400, Task::Classes(10))
}

/// Two circles about the origin, of radius 1 (class 0) and 0.8, with noise of deviation 0.1.
pub fn circles(seed: u64) -> Data {
    let mut dice = Dice::new(seed);
    let mut rows = Rows::default();
    for _ in 0..1000 {
        let class = dice.below(2) as f32;
        let radius = 1.0 - 0.2 * class;
        let angle = dice.uniform(0.0, std::f32::consts::TAU);
        let noise = [0.1 * dice.normal(), 0.1 * dice.normal()];
        let point = vec![
            radius * angle.cos() + noise[0],
            radius * angle.sin() + noise[1],
        ];
        rows.push(point, class);
    }
    Data::split(rows, 700, Task::Classes(2))
}

/// Three overlapping classes in the plane: the nearest centre is right for 83 %.
pub fn blobs(seed: u64) -> Data {
    const CENTRES: [[f32; 2]; 3] = [[-1.3, -9.6], [1.0, -1.4], [-1.5, -3.6]];
    let mut dice = Dice::new(seed);
    let mut rows = Rows::default();
    for _ in 0..1000 {
        let class = dice.below(3);
        let point = CENTRES[class].map(|centre| centre + 2.0 * dice.normal());
        rows.push(point.to_vec(), class as f32);
    }
    Data::split(rows, 700, Task::Classes(3))
}

/// `count` rows of numbers from N(0, 1) and what `target` makes of each, a fifth held back.
pub fn drawn(
    seed: u64,
    count: usize,
    width: usize,
    task: Task,
    target: impl Fn(&[f32], &mut Dice) -> f32,
) -> Data {
    let mut dice = Dice::new(seed);
    let mut rows = Rows::default();
    for _ in 0..count {
        let input: Vec<f32> = (0..width).map(|_| dice.normal()).collect();
        let target = target(&input, &mut dice);
        rows.push(input, target);
    }
    Data::split(rows, count * 4 / 5, task)
}

/// Sequences of so many numbers from U(-1, 1), and the sum of the last five.
pub fn sequences(seed: u64, length: usize) -> Data {
    let mut dice = Dice::new(seed);
    let mut rows = Rows::default();
    for _ in 0..1000 {
        let sequence: Vec<f32> = (0..length).map(|_| dice.uniform(-1.0, 1.0)).collect();
        let sum = sequence[length - 5..].iter().sum();
        rows.push(sequence, sum);
    }
    Data::split(rows, 800, Task::Numbers)
}

/// A curve: `count` points x from `low` to `high` at equal distances, and a target for each; the points half
/// way between are held back.
pub fn curve(count: usize, low: f32, high: f32, mut target: impl FnMut(f32) -> f32) -> Data {
    let mut points = |count: usize, shift: f32| {
        let distance = (high - low) / (count - 1) as f32;
        let mut rows = Rows::default();
        for i in 0..count {
            let x = low + distance * (i as f32 + shift);
            rows.push(vec![x], target(x));
        }
        rows
    };
    Data {
        train: points(count, 0.0),
        valid: points(count, 0.5).first(count - 1),
        task: Task::Numbers,
    }
}
