//! Trains one recipe from one seed, by hand: all that `compare` measures happens here.

use crate::averaging::Averages;
use crate::data::{Samples, Source};
use crate::mlp::{Mlp, MlpConfig};
use crate::rates::Schedule;
use crate::recipes::{Recipe, Setup};
use crate::score::Score;
use burn::module::Module;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use burn_tricks::ConfigError;
use burn_tricks::average::{Ensemble, GreedySoupConfig};
use burn_tricks::compare;
use burn_tricks::grad::{ClipGradNorm, NormalizeGrad};
use burn_tricks::nn::{MaxNorm, MaxNormConfig, WeightNormConfig};
use burn_tricks::prelude::*;
use burn_tricks::schedule::Run;
use std::error::Error;
use std::time::{Duration, Instant};

/// Samples predicted at a time, which bounds memory.
const CHUNK: usize = 1024;

/// The accuracy on the validation part whose arrival is the speed of a run.
const TARGET: f64 = 0.9;
/// How often in an epoch that is looked for in the first epochs, or one epoch would be the fastest there
/// is.
const EARLY_CHECKS: usize = 4;
/// The first epochs, in which learning curves have a point for each.
const EARLY_EPOCHS: usize = 10;
/// Learning curves have a point for so many of the later epochs.
const CURVE_EPOCHS: usize = 5;

/// Trains `recipe` for at most `epochs` epochs on `device` (without autodiff), and scores it on the test
/// part.
///
/// The seed decides the split, the order of batches and the initial weights: two recipes with one seed
/// differ in nothing but what they change. Burn's generators are global to the process, so that a
/// process must run one at a time.
///
/// # Errors
///
/// If a trick's configuration is refused.
pub fn run(
    recipe: &Recipe,
    seed: u64,
    epochs: usize,
    source: &Source,
    device: &Device,
) -> Result<compare::Run, Box<dyn Error>> {
    let setup = recipe.setup();
    let mut split = source.split(seed);
    if setup.scale_inputs {
        split = split.scaled();
    }
    let run = Run::of_batches(epochs, split.train.len(), setup.batch_size, 1)?;
    let mut trainer = Trainer::new(&setup, seed, split.train.features, run, device)?;

    let mut stop = match setup.patience {
        Some(patience) => Some(
            EarlyStoppingConfig::new(Goal::Minimize)
                .with_patience(patience)
                .init()?,
        ),
        None => None,
    };
    let mut best = BestWeights::new();
    let mut result = compare::Run::new(recipe.name, seed);
    let mut steps_to_target = None;
    let mut training_time = Duration::ZERO;
    for epoch in 1..=epochs {
        let parts = match epoch {
            ..=EARLY_EPOCHS if steps_to_target.is_none() => EARLY_CHECKS,
            _ => 1,
        };
        let mut last = None;
        for part in 0..parts {
            let start = Instant::now();
            trainer.train(&split.train, epoch, (part, parts));
            device.sync()?;
            training_time += start.elapsed();

            let predictor = trainer.predictor(&split.valid)?;
            let valid = score(&predictor, &split.valid, device);
            if valid.accuracy >= TARGET && steps_to_target.is_none() {
                steps_to_target = Some(trainer.steps as u64);
            }
            last = Some((predictor, valid));
        }
        let Some((predictor, valid)) = last else {
            continue;
        };
        if epoch <= EARLY_EPOCHS || epoch.is_multiple_of(CURVE_EPOCHS) {
            result.add_point(trainer.steps as u64, "validation accuracy", valid.accuracy);
            result.add_point(trainer.steps as u64, "validation loss", valid.loss);
        }
        if let Some(stop) = &mut stop {
            let decision = stop.observe(valid.loss);
            best.keep(&decision, || predictor);
            if decision.should_stop() {
                break;
            }
        }
    }

    let model = match best.model() {
        Some(model) => model,
        // There is no early stopping; or no loss was a number, and the last model's is not one either.
        None => trainer.predictor(&split.valid)?,
    };
    let test = score(&model, &split.test, device);
    let no_model = Score::without_model(&split.train.labels, &split.test.labels);
    Ok(result
        .with_metric_and_no_model("accuracy", test.accuracy, no_model.accuracy)
        .with_metric_and_no_model("loss", test.loss, no_model.loss)
        .with_arrival(steps_to_target, run.steps() as u64)
        .with_seconds_per_step(training_time.as_secs_f64() / trainer.steps as f64))
}

/// One model in training.
struct Member {
    model: Mlp,
    optim: ModuleOptimizer,
    averages: Averages,
    /// Of the order of its batches.
    seed: u64,
}

/// The models of a recipe, one or several, in training.
struct Trainer {
    members: Vec<Member>,
    setup: Setup,
    run: Run,
    schedule: Box<dyn Schedule>,
    steps: usize,
    clip: Option<ClipGradNorm>,
    normalize: Option<NormalizeGrad>,
    max_norm: Option<MaxNorm>,
    loss: CrossEntropyLoss,
    device: Device,
}

impl Trainer {
    fn new(
        setup: &Setup,
        seed: u64,
        inputs: usize,
        run: Run,
        device: &Device,
    ) -> Result<Self, Box<dyn Error>> {
        let device = device.clone().autodiff();
        let config = MlpConfig {
            init: setup.init,
            hidden: setup.hidden.clone(),
            norm: setup.norm,
            skip: setup.skip,
            dropout: setup.dropout,
            drop_path: setup.drop_path,
            ..MlpConfig::new(inputs)
        };
        // Far apart, so that no member of one seed has the batches of a member of the next.
        let first_seed = seed.wrapping_mul(1000);
        let models = EnsembleConfig::new()
            .init_seeded(setup.members, first_seed, &device, |device| {
                config.init(device)
            })?
            .into_members();
        // From here on the generator draws dropout masks only.
        device.seed(first_seed);
        let member = |(at, model): (u64, Mlp)| -> Result<Member, ConfigError> {
            let model = if setup.weight_norm {
                WeightNormConfig::new().attach(model)?
            } else {
                model
            };
            Ok(Member {
                optim: setup.optimizer.init()?,
                averages: setup.averaging.init(&model, &run)?,
                seed: first_seed.wrapping_add(at),
                model,
            })
        };
        Ok(Self {
            members: (0..).zip(models).map(member).collect::<Result<_, _>>()?,
            schedule: setup.rate.schedule(setup.learning_rate, &run)?,
            steps: 0,
            clip: match setup.clip {
                Some(max_norm) => Some(ClipGradNormConfig::new(max_norm).init()?),
                None => None,
            },
            normalize: if setup.normalize {
                Some(NormalizeGradConfig::new().init()?)
            } else {
                None
            },
            max_norm: match setup.max_norm {
                Some(max_norm) => Some(MaxNormConfig::new(max_norm).init()?),
                None => None,
            },
            loss: CrossEntropyLossConfig::new().init(&device),
            setup: setup.clone(),
            run,
            device,
        })
    }

    /// A part of an epoch, counted from 0, of so many, for every member, each with an order of batches of
    /// its own. An average or an ensemble is the same whatever the parts.
    fn train(&mut self, train: &Samples, epoch: usize, (part, parts): (usize, usize)) {
        if part == 0 && self.steps >= self.run.steps() / 2 {
            self.part();
        }
        let (schedule, steps) = (self.schedule.copy(), self.steps);
        for member in &mut self.members {
            (self.schedule, self.steps) = (schedule.copy(), steps);
            let batches = train.batches(self.setup.batch_size, member.seed, epoch);
            let [from, to] = [part, part + 1].map(|part| batches.len() * part / parts);
            for batch in &batches[from..to] {
                let (images, labels) = train.batch(batch, &self.device);
                let loss = self.loss.forward(member.model.predict(images), labels);
                let mut grads = GradientsParams::from_grads(loss.backward(), &member.model);
                if let Some(clip) = &self.clip {
                    grads = clip.apply(&member.model, grads);
                }
                if let Some(normalize) = &self.normalize {
                    grads = normalize.apply(&member.model, grads);
                }
                let learning_rate = self.schedule.step();
                member.model = member
                    .optim
                    .step(learning_rate, member.model.clone(), grads);
                if let Some(max_norm) = &self.max_norm {
                    member.model = max_norm.apply(member.model.clone());
                }
                let is_trough = self.schedule.is_trough(self.steps as u64);
                member.averages.update(&member.model, is_trough);
                self.steps += 1;
            }
        }
    }

    /// At half-time the ingredients of a soup part: each goes on with batches in an order of its own.
    fn part(&mut self) {
        while self.members.len() < self.setup.soup {
            let [first, ..] = self.members.as_slice() else {
                return;
            };
            let part = Member {
                // A copy of its own: clones share running statistics.
                model: first.model.valid().train(),
                optim: first.optim.clone(),
                averages: Averages::default(),
                seed: first.seed.wrapping_add(self.members.len() as u64),
            };
            self.members.push(part);
        }
    }

    /// What predicts: the models or averages as they are, together; or the soup of them, by their loss
    /// on `valid`.
    fn predictor(&self, valid: &Samples) -> Result<Ensemble<Mlp>, Box<dyn Error>> {
        let mut models = Vec::new();
        for member in &self.members {
            models.extend(member.averages.models(&member.model)?);
        }
        if self.setup.soup > 1 {
            let device = self.device.clone().without_autodiff();
            let loss = |model: &Mlp| {
                let alone = EnsembleConfig::new().init(vec![model.clone()]);
                alone.map_or(f64::NAN, |alone| score(&alone, valid, &device).loss)
            };
            models = vec![
                GreedySoupConfig::new(Goal::Minimize)
                    .select(&models, loss)?
                    .model,
            ];
        }
        Ok(EnsembleConfig::new().init(models)?)
    }
}

fn score(model: &Ensemble<Mlp>, samples: &Samples, device: &Device) -> Score {
    let indices: Vec<usize> = (0..samples.len()).collect();
    let (mut accuracy, mut loss) = (0.0, 0.0);
    for chunk in indices.chunks(CHUNK) {
        let (images, _) = samples.batch(chunk, device);
        let labels: Vec<u8> = chunk.iter().map(|index| samples.labels[*index]).collect();
        let score = Score::of(model.predict(images), &labels);
        accuracy += score.accuracy * chunk.len() as f64;
        loss += score.loss * chunk.len() as f64;
    }
    Score {
        accuracy: accuracy / samples.len() as f64,
        loss: loss / samples.len() as f64,
    }
}

#[cfg(test)]
mod recipe_tests;

#[cfg(test)]
pub(crate) mod tests;
