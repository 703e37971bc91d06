//! What the recipes learn: samples, their shape, and what is to be predicted.

use crate::csv_table::{Kind, Table};
#[cfg(test)]
use crate::data::Samples;
use crate::data::{Source, Split};
use crate::{idx, made_up};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt::{Display, Formatter};
use std::path::Path;

/// The samples that come with the examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataSet {
    /// 1,797 handwritten digits of 8×8 pixels.
    Digits,
    /// The adding problem: the sum of two marked numbers of a sequence.
    Adding,
    /// Friedman's first regression problem: ten columns, five of which matter.
    Friedman,
    /// What follows each character of a text, the Apache License 2.0.
    Characters,
}

/// What a flat sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A grey image, row by row.
    Image {
        /// Rows.
        height: usize,
        /// Pixels of a row.
        width: usize,
    },
    /// Numbers over time, all channels of a step one after the other.
    Sequence {
        /// Steps.
        steps: usize,
        /// Numbers of a step.
        channels: usize,
    },
    /// Whole numbers below the size of the vocabulary.
    Tokens {
        /// Their number in a sample.
        steps: usize,
        /// The number of different ones.
        vocabulary: usize,
    },
    /// The columns of a row.
    Table {
        /// Their number.
        columns: usize,
    },
}

impl Shape {
    /// Numbers of a sample.
    pub fn features(self) -> usize {
        match self {
            Self::Image { height, width } => height * width,
            Self::Sequence { steps, channels } => steps * channels,
            Self::Tokens { steps, .. } => steps,
            Self::Table { columns } => columns,
        }
    }
}

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Image { height, width } => write!(f, "images of {height}×{width} pixels"),
            Self::Sequence { steps, channels } => {
                write!(f, "sequences of {steps} steps of {channels} numbers")
            }
            Self::Tokens { steps, vocabulary } => {
                write!(f, "sequences of {steps} of {vocabulary} tokens")
            }
            Self::Table { columns } => write!(f, "a table of {columns} columns"),
        }
    }
}

/// Samples, and what is to be predicted.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What it is, for titles.
    pub about: String,
    /// What a sample is.
    pub shape: Shape,
    /// The number of classes, or of numbers to predict.
    pub outputs: usize,
    /// Whether numbers are predicted, not classes.
    pub is_regression: bool,
    source: Source,
}

impl Problem {
    /// The samples that come with the examples.
    pub fn of(data: DataSet) -> Self {
        match data {
            DataSet::Digits => Self {
                about: "1,797 handwritten digits".to_owned(),
                shape: Shape::Image {
                    height: 8,
                    width: 8,
                },
                outputs: 10,
                is_regression: false,
                source: Source::digits(),
            },
            DataSet::Adding => Self {
                about: "the adding problem: the sum of two marked numbers among 10".to_owned(),
                shape: Shape::Sequence {
                    steps: made_up::STEPS,
                    channels: 2,
                },
                outputs: 1,
                is_regression: true,
                source: Source::OneFile(made_up::adding()),
            },
            DataSet::Friedman => Self {
                about: "Friedman's first regression problem, 1,000 samples".to_owned(),
                shape: Shape::Table { columns: 10 },
                outputs: 1,
                is_regression: true,
                source: Source::OneFile(made_up::friedman()),
            },
            DataSet::Characters => {
                let (samples, vocabulary) = made_up::characters();
                Self {
                    about: "the next character in a text of 9,723".to_owned(),
                    shape: Shape::Tokens {
                        steps: samples.features,
                        vocabulary,
                    },
                    outputs: vocabulary,
                    is_regression: false,
                    source: Source::OneFile(samples),
                }
            }
        }
    }

    /// A folder with MNIST's four IDX files. An image whose number of pixels is no square is a table.
    ///
    /// # Errors
    ///
    /// As those of [`idx::read_folder`].
    pub fn idx(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let source = idx::read_folder(folder)?;
        let features = source.features();
        let side = features.isqrt();
        let shape = if side * side == features {
            Shape::Image {
                height: side,
                width: side,
            }
        } else {
            Shape::Table { columns: features }
        };
        Ok(Self {
            about: format!("the images in `{}`", folder.display()),
            shape,
            outputs: 10,
            is_regression: false,
            source,
        })
    }

    /// A CSV file, of which a column is to be predicted.
    ///
    /// # Errors
    ///
    /// As those of [`Table::read`].
    pub fn csv(file: &Path, target: &str, kind: Option<Kind>) -> Result<Self, Box<dyn Error>> {
        let table = Table::read(file, target, kind)?;
        let what = match table.classes.len() {
            0 => format!("regression of `{target}`"),
            classes => format!("classification of `{target}` into {classes} classes"),
        };
        Ok(Self {
            about: format!("`{}`, {what}", file.display()),
            shape: Shape::Table {
                columns: table.samples.features,
            },
            outputs: table.classes.len().max(1),
            is_regression: table.classes.is_empty(),
            source: Source::OneFile(table.samples),
        })
    }

    /// A number that is another one if any sample is.
    pub fn checksum(&self) -> u64 {
        self.source.checksum()
    }

    /// Whether each seed has a test part of its own.
    pub fn redraws_test_part(&self) -> bool {
        matches!(self.source, Source::OneFile(_))
    }

    /// The three parts of the split with this seed; pixels and columns are scaled if asked for.
    pub fn split(&self, seed: u64, scale: bool) -> Split {
        let split = self.source.split(seed);
        match (self.shape, scale) {
            (Shape::Image { .. }, true) => split.scaled(),
            (Shape::Table { .. }, true) => split.standardised(),
            _ => split,
        }
    }

    /// The first samples of the training part, for tests.
    #[cfg(test)]
    pub(crate) fn first(&self, count: usize) -> Samples {
        let mut train = self.split(1, true).train;
        let per_sample = |all: usize, samples: usize| all / samples * count;
        let samples = train.len();
        train
            .labels
            .truncate(per_sample(train.labels.len(), samples));
        train
            .numbers
            .truncate(per_sample(train.numbers.len(), samples));
        train.pixels.truncate(count * train.features);
        train
    }
}
