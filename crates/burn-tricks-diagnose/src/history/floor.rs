//! What models that need no training reach, and what the network reaches.

use crate::history::History;
use crate::history::data::DataHistory;
use crate::history::epoch::EpochMetrics;
use crate::history::measures::Outcome;
use crate::history::outliers::OUTLYING;
use crate::history::output_fit::OutputFit;
use crate::history::reference::ReferenceFit;
use crate::loss_kind::LossKind;

/// By how much the score of a model that needs no network may be above that of a network that has learned: more than in the
/// healthy programs of the clinic, but for one run of one of them.
pub(crate) const BEHIND: f64 = 0.1;

/// The same for a training whose loss still falls fast, and for a loss that does not aim at the variance.
const WIDE: f64 = 0.15;

/// The fall of the mean loss from the third quarter of the steps to the last one that is fast.
const FAST: f64 = 0.12;

/// The same as a share of what the better model does not tell either, up to the wide one: of noise, one model learns
/// more by chance.
const NOISE: f64 = 0.3;

/// The same where something else shows a fault too.
pub(crate) const EVIDENT: f64 = 0.06;

/// The same for a network that gives its inputs back through fewer numbers, which is not meant to give all of them.
const NARROW: f64 = 0.3;

/// By how much a network that has learned its rows by heart may be below it on them.
const FITTED: f64 = 0.05;

/// By how much the score of a model that needs no training must be above that of a constant prediction to say anything.
pub(crate) const INFORMED: f64 = 0.05;

/// The cross-entropy over that of a prediction of the shares of the classes, below which something is known.
const KNOWN: f64 = 0.95;

/// Fewer different validation rows tell nothing.
const ENOUGH: usize = 40;

/// Standard errors of its score by which it must be above it.
const ERRORS: f64 = 3.0;

/// The best one of the models that need no network, on the validation rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Floor {
    /// The accuracy, or the share of the variance that is explained.
    pub(crate) score: f64,
    /// Whether the score is an accuracy.
    pub(crate) is_accuracy: bool,
    /// The validation rows that were predicted.
    pub(crate) queries: usize,
    /// What reaches it.
    pub(crate) model: &'static str,
}

/// The variance of a score over so many rows: of an accuracy p that of a share, p(1 − p)/n, and of a share of explained
/// variance R² that of a squared correlation, 4R²(1 − R²)²/n (Olkin and Finn, 1995).
pub(crate) fn score_variance(score: f64, is_accuracy: bool, rows: usize) -> f64 {
    let score = score.clamp(0.0, 1.0);
    let rest = 1.0 - score;
    let of_one = if is_accuracy {
        score * rest
    } else {
        4.0 * score * rest * rest
    };
    of_one / rows.max(1) as f64
}

impl Floor {
    /// The standard error of its score.
    fn error(&self) -> f64 {
        score_variance(self.score, self.is_accuracy, self.queries).sqrt()
    }
}

/// The scores of the network on the training and the validation data, as those of a [`Floor`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scores {
    pub(crate) train: Option<f64>,
    pub(crate) valid: f64,
    /// Whether they are accuracies.
    pub(crate) is_accuracy: bool,
}

impl History {
    /// What the best one of the models that need no network reaches.
    pub(crate) fn floor(&self) -> Option<Floor> {
        let better = |one: Floor, other: Floor| if other.score > one.score { other } else { one };
        self.floors().reduce(better)
    }

    /// What the models that need no training reach.
    pub(crate) fn floors(&self) -> impl Iterator<Item = Floor> {
        let neighbours = self.neighbours.map(|of| Floor {
            score: of.score,
            is_accuracy: of.is_accuracy,
            queries: of.queries,
            model: "a vote of the five nearest training rows",
        });
        // Inputs are their own linear model.
        let linear = self.linear_fit.filter(|_| !self.gives_back());
        let linear = linear.map(|of| Floor {
            score: of.score,
            is_accuracy: of.is_accuracy,
            queries: of.queries,
            model: "a linear model of the inputs",
        });
        // Rows that are handed over in each epoch tell no more than once.
        let different = self.valid.as_ref().map_or(0, |valid| valid.distinct_rows);
        let count = move |floor: Floor| match different {
            0 => Some(floor),
            rows if rows < ENOUGH => None,
            rows => Some(Floor {
                queries: floor.queries.min(rows),
                ..floor
            }),
        };
        let fitted = |of: ReferenceFit, model: &'static str| Floor {
            score: of.score,
            is_accuracy: of.is_accuracy,
            queries: of.queries,
            model,
        };
        // They see whole rows, and in a series what comes after a place.
        let sees_more = (self.valid.as_ref()).is_some_and(|valid| {
            let columns = valid.target.map_or(0, |target| target.columns);
            (1..columns).contains(&valid.repeated_targets.len())
        });
        let trees = self.trees.map(|of| fitted(of, "a forest of random trees"));
        let radial = self.radial.filter(|_| !self.gives_back());
        let radial = radial.map(|of| fitted(of, "a sum of Gaussian bumps"));
        let floors = [neighbours, linear, trees, radial].into_iter().flatten();
        floors.filter(move |_| !sees_more).filter_map(count)
    }

    /// Whether targets have as many columns as inputs, as those of an autoencoder.
    pub(crate) fn gives_back(&self) -> bool {
        let train = self.train.as_ref();
        train.is_some_and(|train| {
            let columns = train.target.map_or(0, |target| target.columns);
            columns > 1 && columns == train.features
        })
    }

    /// What the network reaches at the end: accuracies of a classification, shares of explained variance of a regression,
    /// by its losses if they are squared errors, and or else by its outputs.
    pub(crate) fn scores(&self) -> Option<Scores> {
        self.scores_after(self.epochs.last()?)
    }

    /// As [`scores`](Self::scores), after another epoch.
    pub(crate) fn scores_after(&self, last: &EpochMetrics) -> Option<Scores> {
        if let Some(valid) = last.valid_accuracy {
            return Some(Scores {
                train: last.train_accuracy,
                valid,
                is_accuracy: true,
            });
        }
        // Of a few large targets the variance says nothing about the others.
        let is_drowned = |data: &DataHistory| {
            let target = data.target;
            target.is_some_and(|target| target.outlier_ratio > OUTLYING)
        };
        let data = [&self.train, &self.valid];
        if data.into_iter().flatten().any(is_drowned) {
            return None;
        }
        if self.loss_kind != Some(LossKind::MeanSquaredError) || self.has_another_loss() {
            // Another loss says nothing about shares of a variance: the outputs themselves do, at the end.
            let is_last = self.epochs.last().is_some_and(|end| end.step == last.step);
            let of = self.share_of()?;
            let valid = self.valid_fit.as_ref().filter(|_| is_last).map(&of)?;
            return Some(Scores {
                train: self.train_fit.as_ref().map(of),
                valid,
                is_accuracy: false,
            });
        }
        let explained = |loss: Option<f64>, data: Option<&DataHistory>| {
            let variance = data?.target?.variance();
            Some(1.0 - loss? / variance).filter(|share| share.is_finite())
        };
        let train = explained(last.train_loss, self.train.as_ref());
        let valid = explained(last.valid_loss, self.valid.as_ref())?;
        Some(Scores {
            train,
            valid,
            is_accuracy: false,
        })
    }

    /// How a fit of outputs is scored, where the outputs of the loss are predictions: the scores of a softmax are none, and
    /// nobody knows what an unknown loss takes. Another loss of a regression does not aim at the mean, as that of a quantile does
    /// not: its outputs are scored by the squared correlation. If some are negative, they may be logarithms of the targets, as
    /// those of a Poisson loss.
    fn share_of(&self) -> Option<impl Fn(&OutputFit) -> f64> {
        let kind = self.loss_kind?;
        if kind == LossKind::CrossEntropyOfScores {
            return None;
        }
        let is_other = kind == LossKind::OtherRegression;
        let is_signed = (self.outputs.as_ref()).is_none_or(|outputs| outputs.lowest < 0.0);
        Some(move |fit: &OutputFit| match (is_other, is_signed) {
            (true, true) => (fit.correlated)
                .max(fit.exponential)
                .max(fit.exponential_correlated),
            (true, false) => fit.correlated,
            (false, _) => fit.explained,
        })
    }

    /// The floor, and the scores of the network where they are of the same sort. The floor is of the rows that were kept, and the
    /// scores are of all: labels that were cut off in the order of a file are not compared. Numbers are, since the largest of
    /// many comes after the kept ones by chance; those in the order of a file should be shuffled.
    pub(crate) fn compared(&self) -> Option<(Floor, Scores)> {
        let is_cut = |valid: &DataHistory| valid.has_other_targets && !valid.classes.is_empty();
        if self.valid.as_ref().is_some_and(is_cut) {
            return None;
        }
        let pair = self.floor().zip(self.scores());
        pair.filter(|(floor, scores)| floor.is_accuracy == scores.is_accuracy)
    }

    /// Whether the network is so far below a model that needs no training that it has not learned much.
    pub(crate) fn is_behind(&self) -> bool {
        self.shortfall(BEHIND).is_some()
    }

    /// Whether a model that needs no training is better than chance, or the network knows probabilities: where a class
    /// is frequent, an accuracy can hardly be above chance, and a loss can be below it. The inputs tell something.
    pub(crate) fn is_told(&self) -> bool {
        let floor = self.floor();
        let is_told = |floor: Floor| floor.score > self.guessed(floor.is_accuracy) + INFORMED;
        floor.is_some_and(is_told) || self.knows_probabilities()
    }

    /// Whether the score of the network on the validation is, by three standard errors, above that of a constant prediction.
    pub(crate) fn is_beyond_chance(&self) -> bool {
        let rows = self.valid.as_ref().map_or(0, DataHistory::known_rows);
        self.scores().is_some_and(|scores| {
            let guessed = self.guessed(scores.is_accuracy);
            let error = score_variance(scores.valid, scores.is_accuracy, rows).sqrt();
            scores.valid > guessed + ERRORS * error && rows >= ENOUGH
        })
    }

    /// Whether the network is, within a standard error, as good as the best of the models that need no training, which are better
    /// than chance: what is left may be noise.
    pub(crate) fn is_level(&self) -> bool {
        self.is_level_within(1.0)
    }

    /// The same within so many standard errors of the score of that model.
    pub(crate) fn is_level_within(&self, errors: f64) -> bool {
        let Some((floor, scores)) = self.compared().filter(|_| !self.gives_back()) else {
            return false;
        };
        self.is_told() && scores.valid >= floor.score - errors * self.error(&floor)
    }

    /// Whether the cross-entropy of the validation is, by three standard errors, below that of a prediction of the shares of its
    /// classes, whose losses have the variance Σ p ln² p - (Σ p ln p)².
    fn knows_probabilities(&self) -> bool {
        let is_cross_entropy = matches!(
            self.loss_kind,
            Some(
                LossKind::CrossEntropyOfScores
                    | LossKind::CrossEntropyOfProbabilities
                    | LossKind::BinaryCrossEntropyOfScores
                    | LossKind::BinaryCrossEntropyOfProbabilities
            )
        );
        let loss = self.epochs.last().and_then(|last| last.valid_loss);
        let Some((valid, loss)) = self.valid.as_ref().zip(loss).filter(|_| is_cross_entropy) else {
            return false;
        };
        let all: usize = valid.classes.values().sum();
        let shares = || valid.classes.values().map(|rows| *rows as f64 / all as f64);
        let entropy: f64 = shares().map(|share| -share * share.ln()).sum();
        let square: f64 = shares().map(|share| share * share.ln().powi(2)).sum();
        let rows = valid.known_rows().min(all).max(1) as f64;
        let error = ((square - entropy * entropy).max(0.0) / rows).sqrt();
        loss < entropy - ERRORS * error
            && all > 0
            && valid.classes.len() >= 2
            && entropy > 0.0
            && loss < KNOWN * entropy
    }

    /// Whether the network has learned, and no model that needs no training is evidently better: a way of training that costs
    /// nothing may be meant.
    pub(crate) fn costs_nothing(&self) -> bool {
        self.outcome() == Outcome::Learned && self.is_at_least(EVIDENT)
    }

    /// The score of a constant prediction on the validation.
    fn guessed(&self, is_accuracy: bool) -> f64 {
        let most = self.valid.as_ref().and_then(DataHistory::most_frequent);
        if is_accuracy {
            most.unwrap_or(1.0)
        } else {
            0.0
        }
    }

    /// By how much the network is below a model that needs no training, on the validation and on the training data, and by
    /// how much it may be: by `least` at least; `None` if it is not.
    pub(crate) fn shortfall(&self, least: f64) -> Option<(f64, f64)> {
        let (gap, room, is_memorised) = self.gap(least)?;
        (gap > room && !is_memorised).then_some((gap, room))
    }

    /// The same for a network that is as good as that model on its training data: it has learned them by heart.
    pub(crate) fn memorised(&self, least: f64) -> Option<(f64, f64)> {
        let (gap, room, is_memorised) = self.gap(least)?;
        (gap > room && is_memorised).then_some((gap, room))
    }

    fn margin(&self, floor: &Floor, least: f64) -> f64 {
        let is_other = self.loss_kind == Some(LossKind::OtherRegression);
        let is_fast = self.fall().is_some_and(|fall| fall > FAST);
        let usual = if self.gives_back() {
            NARROW
        } else if least < BEHIND {
            least
        } else if is_other || is_fast {
            WIDE
        } else {
            (NOISE * (1.0 - floor.score)).clamp(BEHIND, WIDE)
        };
        usual.max(least)
    }

    fn room(&self, floor: &Floor, least: f64) -> f64 {
        least.max(ERRORS * self.error(floor))
    }

    /// As [`Floor::error`]. Of targets with a few large ones, as counts have, a share of explained variance is less certain: the
    /// variance of a variance is κ − 1 over the rows, of a kurtosis κ, and 2 of normal ones.
    fn error(&self, floor: &Floor) -> f64 {
        let target = self.valid.as_ref().and_then(|valid| valid.target);
        let kurtosis = target.map_or(3.0, |target| target.kurtosis);
        let factor = ((kurtosis - 1.0) / 2.0).max(1.0);
        let factor = if floor.is_accuracy { 1.0 } else { factor };
        factor.sqrt() * floor.error()
    }

    /// By how much it is below, whatever it knows by heart.
    pub(crate) fn below(&self, least: f64) -> Option<(f64, f64)> {
        let (gap, room, _) = self.gap(least)?;
        (gap > room).then_some((gap, room))
    }

    /// Whether it is compared, and is not below.
    pub(crate) fn is_at_least(&self, least: f64) -> bool {
        self.compared().is_some() && self.below(least).is_none()
    }

    /// The difference of the scores, how far it may be, and whether the network knows its training rows by heart.
    pub(crate) fn gap(&self, least: f64) -> Option<(f64, f64, bool)> {
        let (floor, scores) = self.compared()?;
        let gap = floor.score - scores.valid;
        let room = self.room(&floor, self.margin(&floor, least));
        // What it has learned by heart does not carry over: that is another fault.
        let is_memorised = (scores.train)
            .is_some_and(|train| train - scores.valid > 0.5 * gap && train > floor.score - FITTED);
        Some((gap, room, is_memorised))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_were_cut_off_in_the_order_of_a_file_are_not_compared() {
        let trees = ReferenceFit {
            is_accuracy: true,
            ..ReferenceFit::default()
        };
        let history = |has_other_targets: bool| History {
            valid: Some(DataHistory {
                classes: [(0, 2048)].into(),
                has_other_targets,
                ..DataHistory::default()
            }),
            trees: Some(trees),
            epochs: vec![EpochMetrics::new().with_valid_accuracy(0.8)],
            ..History::default()
        };
        assert!(history(false).compared().is_some());
        assert!(history(true).compared().is_none());
    }
}
