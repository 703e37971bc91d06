//! What several rules ask of a history.

use crate::history::History;
use crate::history::floor::{EVIDENT, score_variance};
use crate::history::param::ParamHistory;
use crate::loss_kind::LossKind;

/// Whether the training has succeeded, as far as losses and accuracies tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There is neither a loss nor an accuracy to tell it from.
    Unknown,
    /// No better than a constant prediction, or not finite.
    Stuck,
    /// Better than a constant prediction, but not by much.
    Partial,
    /// Much better than a constant prediction.
    Learned,
}

/// The share of the way from chance to a perfect accuracy below which a network is stuck, and from which it has
/// learned.
const ACCURACY: [f64; 2] = [0.15, 0.5];

/// The same for the loss, as a share of the first loss or of the variance of the target.
const LOSS: [f64; 2] = [0.9, 0.6];

/// The shares of the loss of an untrained network, and of the variance of a target, from which there is much left to learn.
const LEFT: [f64; 2] = [0.3, 0.2];

/// The share of the way from chance to a perfect accuracy from which there is not, whatever the loss is.
const NEARLY_RIGHT: f64 = 0.85;

/// The accuracy, or the share of explained variance, from which hardly anything is left to learn.
const NEARLY_ALL: f64 = 0.95;

/// The share of the loss of a constant prediction below which a network was trained before its first step.
const TRAINED: f64 = 0.5;

/// The relative difference of the loss that is handed over from the mean of squares up to which it is that mean.
const CONVENTION: f64 = 0.1;

/// The factor of the loss that is handed over, over the mean loss of outputs and targets, below which it is scaled down and is no
/// other convention, such as half of a square.
const SCALED_DOWN: f64 = 1.0 / 3.0;

/// The share of the cross-entropy of equal probabilities from which a loss is no better.
const EVEN: f64 = 0.98;

/// The losses at the beginning that tell it.
const BEGINNING: usize = 10;

/// Fewer rows do not tell a share of explained variance.
const ENOUGH: usize = 40;

/// The share of a class from which an accuracy says little about the others, and fewer rows of a class do not tell how many are
/// recognised.
const FREQUENT: f64 = 0.8;
const FEW: usize = 8;

/// A number that tells whether a training has succeeded, up to where it is stuck and from where it has learned, and what it
/// is.
enum Judged {
    /// Of what there is to learn: more is better.
    Share(f64, [f64; 2], &'static str),
    /// Of what is left to learn: less is better.
    Rest(f64, [f64; 2], &'static str),
}

impl Judged {
    fn is_stuck(&self) -> bool {
        match self {
            Self::Share(share, [stuck, _], _) => share < stuck,
            Self::Rest(rest, [stuck, _], _) => rest > stuck,
        }
    }

    fn has_learned(&self) -> bool {
        match self {
            Self::Share(share, [_, learned], _) => share >= learned,
            Self::Rest(rest, [_, learned], _) => rest <= learned,
        }
    }
}

impl History {
    /// The optimizer steps; of a program that hands over losses alone, as many as losses.
    pub(crate) fn steps_seen(&self) -> usize {
        match self.steps_taken {
            0 => self.losses.len(),
            steps => steps,
        }
    }

    /// The mean of the first losses.
    pub(crate) fn first_loss(&self) -> Option<f64> {
        if self.losses.is_empty() {
            return self.epochs.first()?.train_loss;
        }
        let count = (self.losses.len() / 50).clamp(1, 10);
        Some(self.losses[..count].iter().sum::<f64>() / count as f64)
    }

    /// The mean of the last losses.
    pub(crate) fn last_loss(&self) -> Option<f64> {
        if self.losses.is_empty() {
            return self.epochs.last()?.train_loss;
        }
        let count = (self.losses.len() / 10).clamp(1, 50);
        let last = &self.losses[self.losses.len() - count..];
        Some(last.iter().sum::<f64>() / count as f64)
    }

    /// The share of the most frequent class in the training data.
    pub(crate) fn chance(&self) -> Option<f64> {
        self.train.as_ref()?.most_frequent()
    }

    /// The last accuracy on the training data, or on the validation data.
    pub(crate) fn last_accuracy(&self) -> Option<f64> {
        let last = self.epochs.last()?;
        last.train_accuracy.or(last.valid_accuracy)
    }

    /// The loss of the best prediction that does not depend on the input: the entropy of the labels, or the variance of
    /// the target.
    fn constant_loss(&self) -> Option<f64> {
        let train = self.train.as_ref()?;
        let loss = match self.loss_kind? {
            LossKind::MeanSquaredError => train.target?.variance(),
            LossKind::OtherRegression => return None,
            _ => {
                let rows = train.classes.values().sum::<usize>() as f64;
                let shares = train.classes.values().map(|count| *count as f64 / rows);
                shares.map(|share| -share * share.ln()).sum()
            }
        };
        Some(loss).filter(|loss| *loss > 0.0)
    }

    /// The cross-entropy of equal probabilities of all classes, if the loss that is minimised is, as far as it was checked, a mean
    /// cross-entropy. That of the shares of the classes is smaller, and a sound network may have a larger loss than that if the
    /// rows of its rare classes weigh more.
    fn even_loss(&self) -> Option<f64> {
        use LossKind::{MeanSquaredError, OtherRegression};
        let seen = self.train.as_ref()?.classes.len();
        // The rows that are kept may hold only some of many classes.
        let outputs = self.loss_checks.iter().map(|check| check.columns).max()?;
        let is_regression = matches!(self.loss_kind?, MeanSquaredError | OtherRegression);
        let is_own = seen >= 2 && !is_regression && self.has_own_loss();
        is_own.then(|| (seen.max(outputs) as f64).ln())
    }

    /// Whether the weights were trained before the first step: the first losses are far below that of a constant
    /// prediction, and the first accuracy, if there is one, is far above its. Of a loss that is scaled down, so must the mean loss
    /// be that the first outputs and targets have.
    pub(crate) fn begins_trained(&self) -> bool {
        let first = &self.losses[..self.losses.len().min(BEGINNING)];
        let mean = first.iter().sum::<f64>() / first.len() as f64;
        let accuracy = self.epochs.first();
        let accuracy = accuracy.and_then(|of| of.train_accuracy.or(of.valid_accuracy));
        let is_good = accuracy
            .zip(self.chance())
            .is_none_or(|(accuracy, chance)| accuracy - chance >= ACCURACY[1] * (1.0 - chance));
        let scale = self.usual_scale();
        let is_scaled_down = scale.is_some_and(|scale| scale > 0.0 && scale < SCALED_DOWN);
        let own = self.loss_checks.iter().take(BEGINNING);
        let own = median(own.map(|check| check.own)).filter(|_| is_scaled_down);
        let is_small = |constant: f64| {
            let is_below = |loss: f64| loss < TRAINED * constant;
            is_below(mean) && own.is_none_or(is_below)
        };
        is_good && self.constant_loss().is_some_and(is_small)
    }

    /// The loss of a network that has learned nothing: the first one, or that of a constant prediction if the weights
    /// were trained before.
    pub(crate) fn untrained_loss(&self) -> Option<f64> {
        match self.constant_loss() {
            Some(constant) if self.begins_trained() => Some(constant),
            // One that knows nothing yet has no smaller loss than a constant prediction: this one was trained before,
            // if only a little.
            Some(constant) if self.has_own_loss() => self
                .first_loss()
                .map(|of| if of < constant { constant } else { of }),
            _ => self.first_loss(),
        }
    }

    /// Whether the loss that is minimised is, as far as it was checked, the mean loss of outputs and targets.
    fn has_own_loss(&self) -> bool {
        let usual = self.usual_scale();
        usual.is_some_and(|usual| (usual - 1.0).abs() <= CONVENTION)
    }

    /// The usual factor of the loss that is minimised, over the mean loss of outputs and targets, as far as it was checked.
    fn usual_scale(&self) -> Option<f64> {
        let ratios = self.loss_checks.iter().map(|check| check.given / check.own);
        median(ratios.filter(|ratio| ratio.is_finite()))
    }

    /// Whether the training has succeeded. Whoever is far worse than a model that needs no training has not learned much.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.by_itself() {
            Outcome::Learned if self.is_behind() => Outcome::Partial,
            // As much as the inputs tell, as far as other models know.
            Outcome::Partial | Outcome::Stuck if self.is_level() && self.is_finite() => {
                Outcome::Learned
            }
            // Little, and as much as other models know, is more than nothing.
            Outcome::Stuck
                if self.is_finite() && self.is_beyond_chance() && self.is_at_least(EVIDENT) =>
            {
                Outcome::Partial
            }
            outcome => outcome,
        }
    }

    fn is_finite(&self) -> bool {
        self.last_loss().is_none_or(f64::is_finite)
    }

    /// Whether the training has succeeded, by its own loss or accuracy.
    pub(crate) fn by_itself(&self) -> Outcome {
        if !self.is_finite() {
            return Outcome::Stuck;
        }
        match self.judged_by() {
            None => Outcome::Unknown,
            Some(judged) if judged.is_stuck() => Outcome::Stuck,
            Some(judged) if judged.has_learned() => Outcome::Learned,
            Some(_) => Outcome::Partial,
        }
    }

    /// The number that tells whether the training has succeeded.
    fn judged_by(&self) -> Option<Judged> {
        if let Some(share) = self.accuracy_share() {
            let what = "share of the way from chance to a perfect accuracy; clinic";
            return Some(Judged::Share(share, ACCURACY, what));
        }
        // The outputs say more than a loss without a natural scale.
        let is_other = self.loss_kind == Some(LossKind::OtherRegression) || self.has_another_loss();
        let scores = self
            .scores()
            .filter(|scores| is_other && !scores.is_accuracy);
        if let Some(scores) = scores {
            // What it was trained on, as a loss is; how it carries over is another question.
            let has_rows = (self.train_fit.as_ref()).is_some_and(|fit| fit.rows >= ENOUGH);
            let (share, what) = match scores.train.filter(|_| has_rows) {
                Some(train) => (
                    train,
                    "share of the variance of the training targets that the outputs explain; clinic",
                ),
                None => (
                    scores.valid,
                    "share of the variance of the validation targets that the outputs explain; clinic",
                ),
            };
            return Some(Judged::Share(share, LOSS.map(|share| 1.0 - share), what));
        }
        let last = self.last_loss()?;
        let (mut reference, mut what) = self.reference_loss()?;
        // A network that begins with a large loss and comes down to that of equal probabilities tells the classes no better.
        let even = self.even_loss().filter(|even| last >= EVEN * even);
        if let Some(even) = even.filter(|even| *even < reference) {
            reference = even;
            what = "last loss over that of equal probabilities of all classes; clinic";
        }
        // A loss below zero has no natural scale.
        (reference > 0.0 && last >= 0.0).then(|| Judged::Rest(last / reference, LOSS, what))
    }

    /// The share of the way from chance to a perfect accuracy, or, where a class is frequent, to the recognition of
    /// every class, which counts for as much there as the accuracy.
    fn accuracy_share(&self) -> Option<f64> {
        let (accuracy, chance) = (self.last_accuracy()?, self.chance()?);
        let share = (chance < 1.0).then(|| (accuracy - chance) / (1.0 - chance))?;
        let recall = self.informed().filter(|_| chance > FREQUENT);
        Some(recall.map_or(share, |recall| share.max(recall)))
    }

    /// By how many standard errors the sum of the recalls of the classes of the validation is above that of predictions that do
    /// not depend on the inputs, which is 1.
    pub(crate) fn informed_by_errors(&self) -> Option<f64> {
        let recall = &self.valid_outputs.as_ref()?.recall;
        let share = |[rows, right]: [usize; 2]| right as f64 / rows.max(1) as f64;
        let sum: f64 = recall.values().map(|of| share(*of)).sum();
        let variance: f64 = (recall.values())
            .map(|of| score_variance(share(*of), true, of[0]))
            .sum();
        (recall.len() >= 2 && variance > 0.0).then(|| (sum - 1.0) / variance.sqrt())
    }

    /// The share of the way from a prediction that does not depend on the inputs to one that recognises each row of each class
    /// in the validation: the mean of the recalls, above that of chance.
    fn informed(&self) -> Option<f64> {
        let recall = &self.valid_outputs.as_ref()?.recall;
        let is_told = recall.len() >= 2 && recall.values().all(|[rows, _]| *rows >= FEW);
        let shares = recall
            .values()
            .map(|[rows, right]| *right as f64 / *rows as f64);
        is_told.then(|| (shares.sum::<f64>() - 1.0) / (recall.len() - 1) as f64)
    }

    /// The loss that a training has to fall below, and what the last loss over it is called.
    fn reference_loss(&self) -> Option<(f64, &'static str)> {
        if let Some(variance) = self.variance() {
            return Some((
                variance,
                "last loss over the variance of the target; clinic",
            ));
        }
        let untrained = self.untrained_loss().filter(|_| self.steps_seen() > 1)?;
        Some((
            untrained,
            "last loss over that of an untrained network; clinic",
        ))
    }

    /// Whether the last loss is still a large part of that of an untrained network, or of the variance of the target.
    pub(crate) fn has_much_left(&self) -> bool {
        // An autoencoder is not meant to explain everything.
        let is_told = self.variance().is_some() && !self.gives_back();
        let limit = if is_told { LEFT[1] } else { LEFT[0] };
        let is_nearly_right = (self.accuracy_share()).is_some_and(|share| share > NEARLY_RIGHT);
        if is_nearly_right {
            return false;
        }
        let reference = self.reference_loss().map(|(reference, _)| reference);
        let level = self.last_loss().zip(reference);
        level.is_some_and(|(last, reference)| last / reference > limit)
    }

    /// Whether the network is not nearly as good as it can be, by its score on the validation or by its loss.
    pub(crate) fn has_something_left(&self) -> bool {
        match self.scores() {
            Some(scores) => scores.valid < NEARLY_ALL,
            None => self.has_much_left(),
        }
    }

    /// Whether the loss is declared as the mean of squares and is another one, such as a sum with weights: it says nothing about
    /// shares of a variance.
    pub(crate) fn has_another_loss(&self) -> bool {
        let usual = self.usual_scale();
        self.loss_kind == Some(LossKind::MeanSquaredError)
            && usual.is_some_and(|usual| (usual - 1.0).abs() > CONVENTION)
    }

    /// The loss of a constant prediction, of a regression with squared errors.
    fn variance(&self) -> Option<f64> {
        let is_squared = self.loss_kind == Some(LossKind::MeanSquaredError);
        self.constant_loss().filter(|_| is_squared)
    }

    /// By which share the mean loss fell from the third quarter of the steps to the last one.
    pub(crate) fn fall(&self) -> Option<f64> {
        let losses = &self.losses;
        if losses.len() < 4 {
            let ends = self.first_loss().zip(self.last_loss());
            return ends.map(|(first, last)| 1.0 - last / first);
        }
        let quarter = losses.len() / 4;
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let end = losses.len();
        let (third, last) = (
            mean(&losses[end - 2 * quarter..end - quarter]),
            mean(&losses[end - quarter..]),
        );
        (third > 0.0).then(|| 1.0 - last / third)
    }

    /// The number by which a training is [stuck](Outcome::Stuck), its threshold, and what it is.
    pub(crate) fn stuck_by(&self) -> Option<(f64, f64, &'static str)> {
        let (Judged::Share(value, limits, what) | Judged::Rest(value, limits, what)) =
            self.judged_by()?;
        Some((value, limits[0], what))
    }

    /// Whether the first parameters are those of a norm layer, which scales the inputs whatever they are.
    pub(crate) fn begins_with_norm(&self) -> bool {
        let first = self.params.first();
        first.is_some_and(|param| param.layer.contains("Norm"))
    }

    /// The weights of layers that got gradients, in the module's order; each tied parameter once.
    pub(crate) fn weights(&self) -> Vec<&ParamHistory> {
        let of_layer = |param: &&ParamHistory| {
            param.is_weight() && param.tied_to.is_none() && !param.steps.is_empty()
        };
        self.params.iter().filter(of_layer).collect()
    }

    /// The recorded steps with the norm of the gradient over all parameters.
    pub(crate) fn gradient_norms(&self) -> Vec<(usize, f64)> {
        let mut norms: Vec<(usize, f64)> = self.steps.iter().map(|of| (of.step, 0.0)).collect();
        for at in self.params.iter().flat_map(|param| &param.steps) {
            if let Ok(place) = norms.binary_search_by_key(&at.step, |(step, _)| *step) {
                norms[place].1 += at.gradient.powi(2);
            }
        }
        norms.iter_mut().for_each(|(_, norm)| *norm = norm.sqrt());
        norms
    }

    /// The number of trained numbers.
    pub(crate) fn elements(&self) -> usize {
        let own = self.params.iter().filter(|param| param.tied_to.is_none());
        own.map(ParamHistory::elements).sum()
    }
}

/// The median; `None` of no numbers. NaN counts as larger than every number.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
