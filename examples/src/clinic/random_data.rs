//! Random data with a rule behind it: rows of inputs, and targets that a random function and noise make of them.

use super::data::{Data, Dice, Rows, Task, digits};
use super::scores::spread_in_columns;
use std::f32::consts::{PI, TAU};
use std::fmt::Debug;

/// What a row of inputs is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Table,
    /// So many pixels to a side.
    Picture(usize),
    Series,
    /// Whole numbers below this.
    Tokens(usize),
    /// Points with so many coordinates.
    Set(usize),
}

/// What the targets are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    Classes(usize),
    Numbers(usize),
    Counts,
    /// The inputs.
    Inputs,
}

/// Random choices, and a text of them.
pub(super) struct Draw {
    pub(super) dice: Dice,
    pub(super) text: String,
}

impl Draw {
    pub(super) fn note(&mut self, name: &str, value: impl Debug) {
        self.text += &format!("{name} {value:.4?}, ");
    }

    pub(super) fn pick<T: Clone + Debug>(&mut self, name: &str, all: &[T]) -> T {
        let chosen = all[self.dice.below(all.len())].clone();
        self.note(name, &chosen);
        chosen
    }

    /// Between `low` and `high`, and as often below their geometric mean as above it.
    pub(super) fn scale(&mut self, name: &str, low: f32, high: f32) -> f32 {
        let chosen = self.dice.uniform(low.ln(), high.ln()).exp();
        self.note(name, chosen);
        chosen
    }

    /// Once in so many times.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.dice.below(times) == 0
    }

    fn normals(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.dice.normal()).collect()
    }
}

fn dot(weights: &[f32], values: &[f32]) -> f32 {
    weights.iter().zip(values).map(|(a, b)| a * b).sum()
}

fn largest(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// Draws a row of inputs, and what its targets depend on: some numbers of the size 1.
type Source = Box<dyn Fn(&mut Dice) -> (Vec<f32>, Vec<f32>)>;

fn source(draw: &mut Draw, shape: Shape) -> Source {
    match shape {
        Shape::Table => table(draw),
        Shape::Picture(side) => {
            let noise = draw.pick("noise of pixels", &[0.1, 0.3, 0.6]);
            let has_blobs = draw.pick("blobs", &[true, false]);
            Box::new(move |dice| {
                let place = [0, 1].map(|_| dice.uniform(2.0, side as f32 - 3.0));
                let (size, angle) = (dice.uniform(0.8, 2.5), dice.uniform(0.0, PI));
                let centred = |x: f32| (x - (side as f32 - 1.0) / 2.0) / (side as f32 - 5.0) * 3.5;
                let pixel = |i: usize| {
                    let (row, column) = ((i / side) as f32, (i % side) as f32);
                    let square = (row - place[0]).powi(2) + (column - place[1]).powi(2);
                    if has_blobs {
                        return 2.0 * (-square / (2.0 * size * size)).exp();
                    }
                    (1.4 * (row * angle.sin() + column * angle.cos()) + place[0]).sin()
                };
                let pixels = (0..side * side).map(|i| pixel(i) + noise * dice.normal());
                let told = if has_blobs {
                    let [row, column] = place.map(centred);
                    vec![row, column, 2.0 * (size - 1.65)]
                } else {
                    vec![1.4 * (2.0 * angle).cos(), 1.4 * (2.0 * angle).sin()]
                };
                (pixels.collect(), told)
            })
        }
        Shape::Series => {
            let length = draw.pick("length", &[8, 12, 16, 24]);
            let last = draw.pick("last", &[2, 4, 6]);
            let kind = draw.pick("series", &["noise", "wave", "walk"]);
            Box::new(move |dice| {
                let (phase, speed) = (dice.uniform(0.0, TAU), dice.uniform(0.2, 0.9));
                let mut state = 0.0;
                let numbers = (0..length).map(|t| match kind {
                    "noise" => dice.uniform(-1.7, 1.7),
                    "wave" => 1.4 * (phase + speed * t as f32).sin() + 0.1 * dice.normal(),
                    _ => {
                        state = 0.8 * state + 0.6 * dice.normal();
                        state
                    }
                });
                let numbers: Vec<f32> = numbers.collect();
                let sum = numbers[length - last..].iter().sum::<f32>() / (last as f32).sqrt();
                let told = match kind {
                    "wave" => vec![
                        5.0 * (speed - 0.55),
                        1.4 * (phase + speed * length as f32).sin(),
                    ],
                    _ => vec![sum, numbers[length - 1]],
                };
                (numbers, told)
            })
        }
        Shape::Tokens(count) => {
            let length = draw.pick("length", &[6, 10, 16]);
            let meanings = draw.normals(3 * count);
            Box::new(move |dice| {
                // Some are more common than others.
                let token =
                    |dice: &mut Dice| (dice.uniform(0.0, 1.0).powi(2) * count as f32) as usize;
                let tokens: Vec<usize> = (0..length).map(|_| token(dice)).collect();
                let sum = |i: usize| {
                    tokens
                        .iter()
                        .map(|token| meanings[3 * token + i])
                        .sum::<f32>()
                };
                let told = (0..3).map(|i| sum(i) / (length as f32).sqrt()).collect();
                (tokens.iter().map(|token| *token as f32).collect(), told)
            })
        }
        Shape::Set(width) => {
            let points = draw.pick("points", &[5, 8, 12]);
            Box::new(move |dice| {
                let shift: Vec<f32> = (0..width).map(|_| 0.9 * dice.normal()).collect();
                let number = |i: usize| shift[i % width] + dice.normal();
                let set: Vec<f32> = (0..points * width).map(number).collect();
                let mean = |i: usize| set[i..].iter().step_by(width).sum::<f32>() / points as f32;
                let told = (0..width.min(4)).map(mean).collect();
                (set, told)
            })
        }
    }
}

fn table(draw: &mut Draw) -> Source {
    const KINDS: [&str; 8] = [
        "normal",
        "uniform",
        "correlated",
        "of few dimensions",
        "mixed",
        "skewed",
        "rounded",
        "grouped",
    ];
    let width = draw.pick("columns", &[1, 2, 3, 4, 6, 8, 12, 16, 20]);
    let kind = draw.pick("table", &KINDS);
    let mix = draw.normals(width * width);
    let centres = draw.normals(width * 30);
    let few = 1 + width / 4;
    Box::new(move |dice| {
        let z: Vec<f32> = (0..width).map(|_| dice.normal()).collect();
        let group = dice.below(30);
        let mixed =
            |i: usize, of: usize| dot(&mix[i * width..][..of], &z[..of]) / (of as f32).sqrt();
        let number = |i: usize| match kind {
            "uniform" => dice.uniform(-1.7, 1.7),
            "correlated" => 0.5 * z[i] + 0.9 * mixed(i, width),
            "of few dimensions" => 0.2 * z[i] + mixed(i, few),
            "mixed" if i.is_multiple_of(3) => f32::from(u8::from(z[i] > 0.3)),
            "mixed" if i % 3 == 1 => (1.2 * z[i]).round().clamp(-2.0, 2.0),
            "skewed" if i.is_multiple_of(2) => (0.6 * z[i]).exp() - 1.2,
            "rounded" => z[i].round(),
            "grouped" => centres[group * width + i] + 0.4 * z[i],
            _ => z[i],
        };
        let row: Vec<f32> = (0..width).map(number).collect();
        (row.clone(), row)
    })
}

/// The numbers that a rule says of a row.
type Rule = Box<dyn Fn(&[f32]) -> Vec<f32>>;

/// A random function to so many numbers.
fn teacher(draw: &mut Draw, inputs: usize, outputs: usize) -> Rule {
    let kind = draw.pick(
        "rule",
        &["linear", "hidden", "additive", "product", "steps", "radial"],
    );
    let used = (1 + draw.dice.below(inputs)).min(8);
    let share = (used as f32).sqrt().recip();
    let w: Vec<Vec<f32>> = (0..outputs).map(|_| draw.normals(used)).collect();
    let hidden: Vec<Vec<f32>> = (0..8).map(|_| draw.normals(used)).collect();
    let v: Vec<Vec<f32>> = (0..outputs).map(|_| draw.normals(8)).collect();
    Box::new(move |x| {
        let sum = |of: &dyn Fn(usize) -> f32| (0..used).map(of).sum::<f32>() * share;
        let number = |o: usize| match kind {
            "hidden" => (0..8)
                .map(|h| 0.8 * v[o][h] * (1.5 * share * dot(&hidden[h], x)).tanh())
                .sum(),
            "additive" => sum(&|i| 2.0 * w[o][i] * (1.3 * x[i] + v[o][i]).sin()),
            "product" => share * dot(&w[o], x) + 0.7 * v[o][0].signum() * x[0] * x[used / 2],
            "steps" => sum(&|i| f32::from(u8::from(x[i] > 0.5 * v[o][i])) * 1.5 * w[o][i]),
            "radial" => sum(&|i| -0.7 * (x[i] - v[o][i]).powi(2)),
            _ => share * dot(&w[o], x),
        };
        (0..outputs).map(number).collect()
    })
}

/// Targets of a row, and what the rule alone says: the likeliest class, or the expectation.
type Target = Box<dyn Fn(&mut Dice, &[f32]) -> (Vec<f32>, Vec<f32>)>;

fn target(draw: &mut Draw, wanted: Wanted, told: usize) -> Target {
    match wanted {
        Wanted::Inputs => Box::new(|_, told| (told.to_vec(), told.to_vec())),
        Wanted::Classes(count) => {
            let rule = teacher(draw, told, count);
            let sharp = draw.scale("sharpness", 1.5, 10.0);
            let wrong = draw.pick("wrong labels", &[0.0, 0.0, 0.0, 0.0, 0.05, 0.2]);
            let mut prior = vec![0.0; count];
            prior[0] = draw.pick("prior", &[0.0, 0.0, 0.0, 1.0, 2.5]);
            Box::new(move |dice, told| {
                let scores = rule(told).into_iter().zip(&prior);
                let scores: Vec<f32> = scores.map(|(score, prior)| sharp * score + prior).collect();
                // The largest of scores and Gumbel noise is a class by its probability.
                let noisy = scores
                    .iter()
                    .map(|score| score - (-dice.uniform(1e-9, 1.0).ln()).ln());
                let mut class = largest(&noisy.collect::<Vec<f32>>());
                if dice.uniform(0.0, 1.0) < wrong {
                    class = dice.below(count);
                }
                (vec![class as f32], vec![largest(&scores) as f32])
            })
        }
        Wanted::Numbers(count) => {
            let rule = teacher(draw, told, count);
            let noise = draw.pick("noise", &[0.0, 0.1, 0.3, 0.6, 1.0]);
            let kind = draw.pick("of kind", &["normal", "normal", "heavy", "uneven"]);
            Box::new(move |dice, told| {
                let ideal = rule(told);
                let size = |dice: &mut Dice| match kind {
                    "heavy" if dice.below(20) == 0 => 3.0,
                    "uneven" => 0.3 + 0.7 * told[0].abs(),
                    _ => 1.0,
                };
                let numbers = ideal.iter().map(|y| y + noise * size(dice) * dice.normal());
                (numbers.collect(), ideal)
            })
        }
        Wanted::Counts => {
            let rule = teacher(draw, told, 1);
            let level = draw.pick("logarithm", &[0.0, 0.7, 1.4]);
            Box::new(move |dice, told| {
                let mean = (level + rule(told)[0].clamp(-3.0, 1.5)).exp();
                let (mut count, mut product) = (0.0, dice.uniform(0.0, 1.0));
                while product > (-mean).exp() && count < 200.0 {
                    count += 1.0;
                    product *= dice.uniform(0.0, 1.0);
                }
                (vec![count], vec![mean])
            })
        }
    }
}

/// The score of `ideal` for the targets of `rows`.
fn score(ideal: &[Vec<f32>], rows: &Rows, task: Task) -> f64 {
    let all: Vec<f32> = rows.targets.iter().flatten().copied().collect();
    let pairs = ideal.iter().flatten().zip(&all);
    if let Task::Classes(_) = task {
        return pairs.filter(|(a, b)| a == b).count() as f64 / all.len() as f64;
    }
    let error: f32 = pairs.map(|(a, b)| (a - b).powi(2)).sum();
    1.0 - f64::from(error) / spread_in_columns(&rows.targets)
}

/// The score of the best constant for the targets of `rows`.
pub(super) fn constant(rows: &Rows, task: Task) -> f64 {
    let Task::Classes(classes) = task else {
        return 0.0;
    };
    let labels = || rows.targets.iter().flatten();
    let of = |class: usize| labels().filter(|label| **label == class as f32).count();
    let most = (0..classes).map(of).max().unwrap_or(0);
    most as f64 / rows.len() as f64
}

/// Data that was drawn.
pub(super) struct Drawn {
    pub(super) data: Data,
    pub(super) shape: Shape,
    pub(super) wanted: Wanted,
    /// The score of the rule alone, on the validation rows; `None` if no rule is known.
    pub(super) best: Option<f64>,
}

/// Data from which something can be learned: the rule is better than the best constant by a tenth at least.
pub(super) fn drawn(draw: &mut Draw, seed: u64) -> Drawn {
    if draw.once_in(8) {
        return of_digits(draw, seed);
    }
    loop {
        let before = draw.text.len();
        let (drawn, best) = by_a_rule(draw);
        if best >= constant(&drawn.data.valid, drawn.data.task) + 0.1 {
            return drawn;
        }
        draw.text.truncate(before);
    }
}

/// Data, and the score of its rule.
fn by_a_rule(draw: &mut Draw) -> (Drawn, f64) {
    let shape = match draw.dice.below(8) {
        0..=3 => Shape::Table,
        4 => Shape::Series,
        5 => Shape::Picture(draw.pick("pixels to a side", &[8, 10, 12])),
        6 => Shape::Tokens(draw.pick("tokens", &[20, 60])),
        _ => Shape::Set(draw.pick("coordinates", &[2, 4, 8])),
    };
    draw.note("of", shape);
    let source = source(draw, shape);
    let told = source(&mut draw.dice).1.len();
    let wanted = match draw.dice.below(8) {
        0..=3 => Wanted::Classes(2 + draw.dice.below(5)),
        4 | 5 => Wanted::Numbers(draw.pick("outputs", &[1, 1, 1, 2, 4])),
        6 => Wanted::Counts,
        // Of what a row tells of itself, in a table: the row.
        _ if shape == Shape::Table && told >= 6 => Wanted::Inputs,
        _ => Wanted::Classes(2),
    };
    draw.note("for", wanted);
    let target = target(draw, wanted, told);
    let mut rows = |count: usize| {
        let (mut rows, mut ideal) = (Rows::default(), Vec::new());
        for _ in 0..count {
            let (inputs, told) = source(&mut draw.dice);
            let (targets, by_rule) = target(&mut draw.dice, &told);
            rows.inputs.push(inputs);
            rows.targets.push(targets);
            ideal.push(by_rule);
        }
        (rows, ideal)
    };
    let task = match wanted {
        Wanted::Classes(count) => Task::Classes(count),
        _ => Task::Numbers,
    };
    let (train, _) = rows(3000);
    let (valid, ideal) = rows(600);
    let best = score(&ideal, &valid, task);
    let mut data =
        Data { train, valid, task }.with_train(draw.pick("rows", &[200, 400, 800, 1500, 3000]));
    if draw.once_in(10) {
        // As a bootstrap draws them.
        draw.text += "drawn with repeats, ";
        let count = data.train.len();
        let again: Vec<usize> = (0..count).map(|_| draw.dice.below(count)).collect();
        data.train = data.train.at(&again);
    }
    if shape != Shape::Series && !matches!(shape, Shape::Tokens(_)) && draw.once_in(2) {
        draw.text += "standard inputs, ";
        data = data.standard_inputs();
    }
    data = match wanted {
        Wanted::Numbers(_) => data.standard_targets(),
        Wanted::Inputs => data.reconstructed(),
        _ => data,
    };
    let drawn = Drawn {
        data,
        shape,
        wanted,
        best: (wanted != Wanted::Inputs).then_some(best),
    };
    (drawn, best)
}

fn of_digits(draw: &mut Draw, seed: u64) -> Drawn {
    draw.text += "digits, ";
    let mut data = digits(seed).with_train(draw.pick("rows", &[400, 700, 1400, 1400]));
    if draw.once_in(3) {
        draw.text += "standard inputs, ";
        data = data.standard_inputs();
    }
    let mut wanted = Wanted::Classes(10);
    if draw.once_in(4) {
        wanted = Wanted::Inputs;
        data = data.reconstructed();
    } else {
        let wrong = draw.pick("wrong labels", &[0.0, 0.0, 0.05, 0.2]);
        let kept = draw.pick("of the first class kept", &[1.0, 1.0, 0.3]);
        for rows in data.parts() {
            let all = 0..rows.len();
            let is_kept =
                |i: &usize| rows.targets[*i][0] != 0.0 || draw.dice.uniform(0.0, 1.0) < kept;
            *rows = rows.at(&all.filter(is_kept).collect::<Vec<usize>>());
            for label in rows.targets.iter_mut().flatten() {
                if draw.dice.uniform(0.0, 1.0) < wrong {
                    *label = draw.dice.below(10) as f32;
                }
            }
        }
    }
    Drawn {
        data,
        shape: Shape::Picture(8),
        wanted,
        best: None,
    }
}
