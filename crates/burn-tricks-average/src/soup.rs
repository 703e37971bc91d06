//! Model soups.

use crate::combine_error::CombineError;
use burn::module::Module;
use burn_tricks_core::{Buffers, Config, Goal, Snapshot};
use serde::{Deserialize, Serialize};

/// A model with the mean weights and running statistics of all models, to predict with.
///
/// # Errors
///
/// If there is no model, or one has another architecture than the first.
pub fn uniform_soup<M: Module>(models: &[M]) -> Result<M, CombineError> {
    let (first, rest) = models.split_first().ok_or(CombineError::Empty)?;
    let mut soup = Snapshot::new(first).widened();
    for (model, ingredient) in (1..).zip(rest) {
        stir(&mut soup, model, ingredient, model)?;
    }
    Ok(soup.model())
}

/// The mean of `count` models and one more, which is number `model` in the errors.
fn stir<M: Module>(
    soup: &mut Snapshot<M>,
    count: usize,
    ingredient: &M,
    model: usize,
) -> Result<(), CombineError> {
    let share = 1.0 / (count + 1) as f64;
    soup.lerp(ingredient, share, Buffers::Average)
        .map_err(|mismatch| CombineError::DifferentArchitecture { model, mismatch })
}

/// What to do with a model that does not change the score of the soup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ties {
    /// Take it in: the paper.
    Keep,
    /// Leave it out: the authors' script.
    Skip,
}

/// Configuration of a greedy model soup: the mean of the weights of models that were fine-tuned from the same
/// start, as far as each improves the mean.
///
/// ```text
/// uniform   w̄ = 1/K Σ wₖ
/// greedy    from the best model down: take a model in if the mean with it scores no worse
/// ```
///
/// A soup can gain as much accuracy as an ensemble, at the inference cost of one model, if all models lie in
/// one basin of the loss. Models that were fine-tuned from the same weights, with other settings, sample orders
/// or seeds, usually do. Models from different initial weights do not.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burn_tricks_average::{GreedySoupConfig, uniform_soup};
/// use burn_tricks_core::Goal;
///
/// # fn main() -> Result<(), burn_tricks_average::CombineError> {
/// # let models = vec![LinearConfig::new(2, 2).init(&Device::flex()); 3];
/// # let accuracy = |_: &Linear| 0.9;
/// let soup = uniform_soup(&models)?;
///
/// let soup = GreedySoupConfig::new(Goal::Maximize).select(&models, accuracy)?;
/// println!("models {:?} score {}", soup.ingredients, soup.score);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Make the soup after the trainings. Score on validation data, and report results on other data, since the
/// choice of the models is fitted to the score. [Recalibrate](crate::RecalibrationConfig) batch norms afterwards, or
/// inside the score.
///
/// # Cost
///
/// One more copy of the weights for the mean (two while a greedy soup tries a model); a greedy soup of K models
/// calls the score at most 2K − 1 times.
///
/// # Differences
///
/// The authors' script takes a model in if the mean becomes *strictly* better, their paper if it does not
/// become worse: [`Ties`] chooses. A model whose score is not finite is never taken.
///
/// # Suggested values
///
/// The greedy soup, if there are validation data to score on (Wortsman et al.).
///
/// # References
///
/// - Wortsman et al., *Model soups: averaging weights of multiple fine-tuned models improves accuracy
///   without increasing inference time*, 2022, <https://arxiv.org/abs/2203.05482>
#[derive(Config, Debug, PartialEq)]
pub struct GreedySoupConfig {
    /// Whether a larger or a smaller score is better.
    pub goal: Goal,
    /// What to do with a model that does not change the score. Default: [`Ties::Keep`].
    #[config(default = "Ties::Keep")]
    pub ties: Ties,
}

/// A greedy soup. Made by [`GreedySoupConfig::select`].
#[derive(Debug, Clone)]
pub struct GreedySoup<M> {
    /// The model with the mean weights, to predict with.
    pub model: M,
    /// The indices of the models in the soup, in the order in which they were taken in.
    pub ingredients: Vec<usize>,
    /// The score of the soup.
    pub score: f64,
}

impl GreedySoupConfig {
    /// Scores each model, then the means. `score` gets models in validation mode.
    ///
    /// # Errors
    ///
    /// If there is no model, one has another architecture than the first, or no score is finite.
    pub fn select<M: Module>(
        &self,
        models: &[M],
        mut score: impl FnMut(&M) -> f64,
    ) -> Result<GreedySoup<M>, CombineError> {
        let (first, rest) = models.split_first().ok_or(CombineError::Empty)?;
        let first = Snapshot::new(first);
        // Before anything is scored, which takes long.
        for (model, other) in (1..).zip(rest) {
            first
                .check(other)
                .map_err(|mismatch| CombineError::DifferentArchitecture { model, mismatch })?;
        }
        let scores: Vec<f64> = models.iter().map(|model| score(&model.valid())).collect();
        let mut order: Vec<usize> = (0..models.len())
            .filter(|model| scores[*model].is_finite())
            .collect();
        order.sort_by(|a, b| {
            let ascending = scores[*a].total_cmp(&scores[*b]);
            match self.goal {
                Goal::Minimize => ascending,
                Goal::Maximize => ascending.reverse(),
            }
        });
        let Some((&best, others)) = order.split_first() else {
            return Err(CombineError::NoFiniteScore { scores });
        };
        let mut soup = Snapshot::new(&models[best]).widened();
        let mut ingredients = vec![best];
        let mut best_score = scores[best];
        for &model in others {
            let mut tasted = soup.clone();
            stir(&mut tasted, ingredients.len(), &models[model], model)?;
            let new = score(&tasted.model());
            if self.takes(new, best_score) {
                soup = tasted;
                best_score = new;
                ingredients.push(model);
            }
        }
        Ok(GreedySoup {
            model: soup.model(),
            ingredients,
            score: best_score,
        })
    }

    fn takes(&self, score: f64, best: f64) -> bool {
        let tie = score == best && self.ties == Ties::Keep;
        score.is_finite() && (tie || self.goal.is_better(score, best))
    }
}
