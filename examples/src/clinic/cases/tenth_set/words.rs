//! Texts of the tenth set, things with vectors, and the programs that learn them.

use super::super::bases::made;
use super::tables::{bit, happens};
use crate::clinic::data::{Dice, Rows, Task};
use crate::clinic::layer::{Act, GLOROT, HE, Layer, dense, mlp};
use crate::clinic::loss::{CROSS_ENTROPY, MEAN_SQUARED};
use crate::clinic::program::{Pretrained, Program, Rule};

/// Which of four desks a letter is for, of two hundred words, each weighed by how rare it is, in rows of length 1: one
/// layer, a decay, and an early stop.
pub(super) fn letters(seed: u64) -> Program {
    const WORDS: usize = 200;
    let mut dice = Dice::new(seed + 10_080);
    let mut data = made(3200, 2600, Task::Classes(4), || {
        let desk = dice.below(4);
        let mut row = vec![0.0; WORDS];
        for _ in 0..20 + dice.below(20) {
            let share = dice.uniform(0.0, 1.0);
            let word = (WORDS as f32 * share * share) as usize;
            // A quarter of the words belong to the desk.
            let word = match dice.below(4) {
                0 => 4 * (word / 4) + desk,
                _ => word,
            };
            row[word] += 1.0;
        }
        (row, vec![desk as f32])
    });
    let rows = data.train.len() as f32;
    let rarity: Vec<f32> = (0..WORDS)
        .map(|word| {
            let with = data.train.inputs.iter().filter(|row| row[word] > 0.0);
            ((1.0 + rows) / (1.0 + with.count() as f32)).ln() + 1.0
        })
        .collect();
    for rows in data.parts() {
        for row in &mut rows.inputs {
            row.iter_mut()
                .zip(&rarity)
                .for_each(|(x, rarity)| *x *= rarity);
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            row.iter_mut().for_each(|x| *x /= length);
        }
    }
    Program {
        rule: Rule::AdamW,
        rate: 1e-2,
        decay: Some(0.1),
        epochs: 15,
        patience: Some(3),
        ..Program::new(data, vec![dense(WORDS, 4, GLOROT)], CROSS_ENTROPY)
    }
}

/// From which of five countries a surname is, letter by letter: each country has its own letters that follow each other.
/// Zeros stand before a short one. An LSTM.
pub(super) fn surnames(seed: u64) -> Program {
    const LETTERS: usize = 14;
    // The same countries whatever the seed.
    let mut dice = Dice::new(10_081);
    let follow: Vec<[usize; 3]> = (0..5 * LETTERS)
        .map(|_| [(); 3].map(|()| dice.below(LETTERS)))
        .collect();
    let mut dice = Dice::new(seed + 10_081);
    let data = made(4200, 3400, Task::Classes(5), || {
        let country = dice.below(5);
        let length = 4 + dice.below(5);
        let mut row = vec![0.0; 8 - length];
        let mut letter = dice.below(LETTERS);
        for _ in 0..length {
            row.push((1 + letter) as f32);
            letter = match dice.below(10) {
                0..7 => follow[LETTERS * country + letter][dice.below(3)],
                _ => dice.below(LETTERS),
            };
        }
        (row, vec![country as f32])
    });
    let layers = vec![
        Layer::Embedding {
            count: LETTERS + 1,
            width: 10,
        },
        Layer::TokenLstm {
            width: 10,
            hidden: 24,
        },
        dense(24, 5, GLOROT),
    ];
    Program {
        rate: 1e-2,
        batch: 128,
        epochs: 16,
        patience: Some(2),
        clips: Some(1.0),
        decay: Some(1e-3),
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// The next of ten notes, of the key and of eight notes before it: each key has its own way to go on, and one note of four
/// is anybody's guess. A block of a transformer.
pub(super) fn tunes(seed: u64) -> Program {
    const NOTES: usize = 10;
    // The same keys whatever the seed.
    let mut dice = Dice::new(10_082);
    let keys: Vec<usize> = (0..3 * NOTES).map(|_| dice.below(NOTES)).collect();
    let mut dice = Dice::new(seed + 10_082);
    let data = made(4800, 4000, Task::Classes(NOTES), || {
        let key = dice.below(3);
        let mut note = dice.below(NOTES);
        let mut row = vec![(NOTES + key) as f32];
        for _ in 0..8 {
            row.push(note as f32);
            note = match dice.below(4) {
                0 => dice.below(NOTES),
                _ => keys[NOTES * key + note],
            };
        }
        (row, vec![note as f32])
    });
    let width = 16;
    let layers = vec![
        Layer::Embedding {
            count: NOTES + 3,
            width,
        },
        Layer::Positions { width },
        Layer::Transformer { width, heads: 2 },
        dense(9 * width, NOTES, GLOROT),
    ];
    Program {
        rule: Rule::AdamW,
        rate: 3e-3,
        decay: Some(0.01),
        batch: 64,
        epochs: 6,
        warmup: Some(40),
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// The number of words in [`sentence`].
const VOCABULARY: usize = 60;

/// So many words about this one of six things: three of four words are about it, and some of them are frequent.
fn sentence(topic: usize, length: usize, dice: &mut Dice) -> Vec<f32> {
    let word = |_| {
        let share = dice.uniform(0.0, 1.0);
        let word = (10.0 * share * share * share) as usize;
        let topic = if dice.below(4) == 0 {
            dice.below(6)
        } else {
            topic
        };
        (10 * topic + word) as f32
    };
    (0..length).map(word).collect()
}

/// A word of the four around it: vectors of words, their mean, and a score for each word. The frequent word of the right
/// topic is the best that anybody can say.
pub(super) fn gaps(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_083);
    let data = made(6000, 5000, Task::Classes(VOCABULARY), || {
        let topic = dice.below(6);
        let mut words = sentence(topic, 5, &mut dice);
        let middle = words.remove(2);
        (words, vec![middle])
    });
    let layers = vec![
        Layer::Embedding {
            count: VOCABULARY,
            width: 12,
        },
        Layer::TokenMean { width: 12 },
        dense(12, VOCABULARY, GLOROT),
    ];
    Program {
        rate: 5e-3,
        batch: 64,
        epochs: 8,
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// On which of three pages a message of eight words belongs: two hundred and forty messages, and frozen vectors of words
/// from [`gaps`].
pub(super) fn messages(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_084);
    let data = made(1040, 240, Task::Classes(3), || {
        let topic = dice.below(6);
        (sentence(topic, 8, &mut dice), vec![(topic / 2) as f32])
    });
    let layers = vec![
        Layer::Embedding {
            count: VOCABULARY,
            width: 12,
        },
        Layer::TokenMean { width: 12 },
        dense(12, 16, HE),
        Layer::Act(Act::Relu),
        dense(16, 3, GLOROT),
    ];
    Program {
        rate: 1e-2,
        batch: 16,
        epochs: 12,
        decay: Some(1e-3),
        pretrained: Some(Pretrained {
            by: gaps,
            layers: 1,
        }),
        frozen: &["layers.0."],
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// How somebody likes a film, of the vectors of both: their product, number by number, and one layer. Eighty people, sixty
/// films, and most pairs to train on.
pub(super) fn films(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_085);
    let mut tastes = |count: usize| -> Vec<[f32; 4]> {
        let taste = |_| [0.5, 0.9, 0.9, 0.6].map(|size| size * dice.normal());
        (0..count).map(taste).collect()
    };
    let (people, films) = (tastes(80), tastes(60));
    let mut pairs: Vec<usize> = (0..80 * 60).collect();
    dice.shuffle(&mut pairs);
    let mut pairs = pairs.into_iter();
    let data = made(4800, 4000, Task::Numbers, || {
        let pair = pairs.next().expect("as many pairs as rows");
        let (person, film) = (pair % 80, pair / 80);
        let (one, other) = (people[person], films[film]);
        let liked = 0.8 * (one[0] + other[0])
            + (1..4).map(|i| one[i] * other[i]).sum::<f32>()
            + 0.4 * dice.normal();
        (vec![person as f32, (80 + film) as f32], vec![liked])
    });
    let layers = vec![
        Layer::Embedding {
            count: 140,
            width: 6,
        },
        Layer::TokenProduct { width: 6 },
        dense(6, 1, GLOROT),
    ];
    Program {
        rate: 1e-2,
        batch: 64,
        epochs: 40,
        decay: Some(1e-4),
        ..Program::new(data.standard_targets(), layers, MEAN_SQUARED)
    }
}

/// Which of two hotels somebody chooses: one network gives each of them a score, of the price, the stars, the distance, the
/// mark and the breakfast.
pub(super) fn choices(seed: u64) -> Program {
    let mut dice = Dice::new(seed + 10_086);
    let data = made(4000, 3000, Task::Classes(2), || {
        let mut hotel = || {
            let mut hotel = [(); 5].map(|()| dice.normal());
            hotel[4] = 2.0 * bit(hotel[4] > 0.0) - 1.0;
            hotel
        };
        let hotels = [hotel(), hotel()];
        let worth = |hotel: [f32; 5]| {
            let [price, stars, far, mark, breakfast] = hotel;
            -price + 0.5 * stars - 0.6 * far * (1.0 + 0.5 * (-far).tanh()) + 0.8 * mark
                - 0.5 * (mark - 0.5).powi(2)
                + 0.3 * breakfast
                + 0.4 * price * stars
        };
        let odds = 2.0 * (worth(hotels[1]) - worth(hotels[0]));
        let chosen = happens(odds, &mut dice);
        // Channel by channel.
        let row = (0..10).map(|i| hotels[i % 2][i / 2]);
        (row.collect(), vec![bit(chosen)])
    });
    let each = |channels| Layer::SeriesConv {
        channels,
        kernel: 1,
        weight: HE,
    };
    let layers = vec![
        each([5, 24]),
        Layer::Act(Act::Relu),
        each([24, 16]),
        Layer::Act(Act::Relu),
        each([16, 1]),
    ];
    Program {
        rate: 3e-3,
        epochs: 12,
        decay: Some(1e-4),
        ..Program::new(data, layers, CROSS_ENTROPY)
    }
}

/// Zero in place of a quarter of the numbers.
fn hidden(row: &mut [f32], dice: &mut Dice) {
    for value in row {
        if dice.below(4) == 0 {
            *value = 0.0;
        }
    }
}

/// Twelve readings of which a quarter is hidden, other ones each time, and all of them are asked for.
pub(super) fn blanks(seed: u64) -> Program {
    // The same machine whatever the seed.
    let mut dice = Dice::new(10_087);
    let mix: Vec<f32> = (0..36).map(|_| dice.normal()).collect();
    let mut dice = Dice::new(seed + 10_087);
    let data = made(2600, 2000, Task::Numbers, || {
        let causes: Vec<f32> = (0..3).map(|_| dice.normal()).collect();
        let reading = |i: usize| {
            let sum: f32 = (0..3).map(|k| mix[3 * i + k] * causes[k]).sum();
            sum + 0.2 * dice.normal()
        };
        ((0..12).map(reading).collect(), vec![0.0])
    });
    let mut data = data.standard_inputs().reconstructed();
    let Rows { inputs, .. } = &mut data.valid;
    inputs.iter_mut().for_each(|row| hidden(row, &mut dice));
    Program {
        rate: 3e-3,
        batch: 64,
        epochs: 30,
        augments: Some(hidden),
        // Thirty-two batches in an epoch.
        schedule: Some(|step| [1.0, 0.2][(step / 640).min(1)]),
        ..Program::new(data, mlp(&[12, 64, 64, 12], Act::Relu, HE), MEAN_SQUARED)
    }
}
