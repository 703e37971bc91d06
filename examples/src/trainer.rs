//! Trains one recipe from one seed, by hand: all that `compare` measures happens here.

mod examined;
mod image_tricks;
mod objective;
#[cfg(test)]
mod optimizer_tests;
#[cfg(test)]
mod recipe_tests;
#[cfg(test)]
mod task_tests;
#[cfg(test)]
pub(crate) mod tests;

use crate::averaging::Averages;
use crate::data::Samples;
use crate::network::{Network, NetworkConfig};
use crate::problem::Problem;
use crate::rates::Schedule;
use crate::recipes::Target;
use crate::setup::{Setup, StepTricks};
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use burn_tricks::ConfigError;
use burn_tricks::average::{CombineError, Ensemble, GreedySoupConfig};
use burn_tricks::compare::Reporter;
use burn_tricks::grad::GradAccumulatorConfig;
use burn_tricks::nn::WeightNormConfig;
use burn_tricks::prelude::*;
use burn_tricks::schedule::Run;
use burn_tricks::stop::BestWeights;
use examined::Examined;
use image_tricks::{Draw, ImageTricks, Shifts};
use objective::{Measured, Objective};
use std::error::Error;
use std::time::{Duration, Instant};

/// How often in an epoch the target is looked for in the first epochs, or one epoch would be the fastest
/// there is. An epoch of fewer batches has a look after each.
const EARLY_CHECKS: usize = 4;
/// The first epochs, in which learning curves have a point for each.
const EARLY_EPOCHS: usize = 10;
/// Learning curves have a point for so many of the later epochs.
const CURVE_EPOCHS: usize = 5;

/// A training to make.
#[derive(Debug)]
pub struct Training<'a> {
    /// How.
    pub setup: &'a Setup,
    /// On what.
    pub problem: &'a Problem,
    /// The seed of the order of batches and of the initial weights: two recipes with one seed differ in
    /// nothing but what they change.
    pub seed: u64,
    /// The seed of the split.
    pub split_seed: u64,
    /// The target of speed.
    pub target: Target,
    /// Without autodiff. Burn's generators are global to the process, so that a process must run one
    /// training at a time.
    pub device: &'a Device,
}

impl Training<'_> {
    /// Whether it can be made: everything but the steps.
    ///
    /// # Errors
    ///
    /// If a setting means nothing, does not go with another, or does not fit the samples.
    pub fn check(&self) -> Result<(), Box<dyn Error>> {
        let split = self.problem.split(self.split_seed, false);
        let run = Run::of_batches(1000, split.train.len(), self.setup.batch_size, 1)?;
        let objective = self.objective(&split.train)?;
        Trainer::new(self, objective, run)?;
        Ok(())
    }

    /// Trains for as many epochs as the reporter says, at most, and measures on the test part; where a recipe
    /// is tuned, on the validation part.
    ///
    /// # Errors
    ///
    /// As those of [`check`](Self::check).
    pub fn run(&self, report: &mut Reporter) -> Result<(), Box<dyn Error>> {
        let (setup, device) = (self.setup, self.device);
        let mut split = self.problem.split(self.split_seed, setup.scale_inputs);
        if report.is_tuning() {
            // Nothing can look at the test part.
            split.test = split.valid.clone();
        }
        let epochs = report.epochs();
        let run = Run::of_batches(epochs, split.train.len(), setup.batch_size, 1)?;
        let objective = self.objective(&split.train)?;
        let without_model = objective.without_model(&split.train, &split.valid);
        let mut trainer = Trainer::new(self, objective, run)?;
        if report.is_examined() {
            let [first, ..] = trainer.members.as_slice() else {
                return Err("there is no model to examine".into());
            };
            trainer.examined = Examined::init(&first.model, &trainer.pass.objective)?;
        }

        let mut stop = match setup.patience {
            Some(patience) => Some(
                EarlyStoppingConfig::new(Goal::Minimize)
                    .with_patience(patience)
                    .init()?,
            ),
            None => None,
        };
        let mut best = BestWeights::new();
        let mut steps_to_target = None;
        let mut training_time = Duration::ZERO;
        // Each part of an epoch has a batch, so that no run arrives before its first step.
        let batches = split.train.len().div_ceil(setup.batch_size);
        let early_checks = batches.clamp(1, EARLY_CHECKS);
        for epoch in 1..=epochs {
            let parts = match epoch {
                ..=EARLY_EPOCHS if steps_to_target.is_none() => early_checks,
                _ => 1,
            };
            let mut last = None;
            for part in 0..parts {
                let start = Instant::now();
                trainer.train(&split.train, epoch, (part, parts));
                device.sync()?;
                training_time += start.elapsed();

                let predictor = trainer.predictor(&split.valid)?;
                let valid = trainer
                    .pass
                    .objective
                    .measure(&predictor, &split.valid, device);
                if self.has_arrived(valid, without_model) && steps_to_target.is_none() {
                    steps_to_target = Some(trainer.steps as u64);
                }
                last = Some((predictor, valid));
            }
            let Some((predictor, valid)) = last else {
                continue;
            };
            let pass = &trainer.pass;
            let train = || pass.objective.measure(&predictor, &split.train, device);
            trainer.examined.epoch(|| [train(), valid]);
            if epoch <= EARLY_EPOCHS || epoch.is_multiple_of(CURVE_EPOCHS) {
                for (name, value) in valid.metrics() {
                    report.point(trainer.steps as u64, &format!("validation {name}"), value);
                }
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
        let objective = &trainer.pass.objective;
        let test = objective.measure(&model, &split.test, device).metrics();
        let without_model = objective.without_model(&split.train, &split.test).metrics();
        for ((name, value), (_, without)) in test.into_iter().zip(without_model) {
            report.metric_and_no_model(name, value, without);
        }
        report.arrival(steps_to_target, run.steps() as u64);
        if let [first, ..] = trainer.members.as_slice() {
            trainer.examined.report(&first.model, report);
        }
        report.seconds_per_step(training_time.as_secs_f64() / trainer.steps as f64);
        Ok(())
    }

    fn objective(&self, train: &Samples) -> Result<Objective, ConfigError> {
        let shifts = Shifts::init(self.setup, self.problem)?;
        Ok(Objective::new(train, self.problem.is_regression, shifts))
    }

    fn has_arrived(&self, measured: Measured, without_model: Measured) -> bool {
        match measured.accuracy {
            Some(accuracy) => accuracy >= self.target.accuracy,
            None => measured.loss <= self.target.share_of_rmse * without_model.loss,
        }
    }
}

/// One model in training.
struct Member {
    model: Network,
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
    pass: Pass,
    /// Who watches the first member.
    examined: Examined,
}

/// What makes gradients of a batch.
struct Pass {
    objective: Objective,
    image_tricks: Option<ImageTricks>,
    tricks: StepTricks,
    micro_batches: usize,
    device: Device,
}

impl Trainer {
    fn new(
        training: &Training<'_>,
        objective: Objective,
        run: Run,
    ) -> Result<Self, Box<dyn Error>> {
        let (setup, device) = (training.setup, training.device.clone().autodiff());
        setup.check()?;
        let config = NetworkConfig::check(setup, training.problem)?;
        // Far apart, so that no member of one seed has the batches of a member of the next.
        let first_seed = training.seed.wrapping_mul(1000);
        let models = EnsembleConfig::new()
            .init_seeded(setup.members, &device, first_seed, |device| {
                config.init(device)
            })?
            .into_members();
        // From here on the generator draws dropout masks only.
        device.seed(first_seed);
        let member = |(at, model): (u64, Network)| -> Result<Member, Box<dyn Error>> {
            let model = if setup.weight_norm {
                WeightNormConfig::new().attach(model)?
            } else {
                model
            };
            Ok(Member {
                optim: setup.optimizer()?,
                averages: setup.averages(&model, &run)?,
                seed: first_seed.wrapping_add(at),
                model,
            })
        };
        Ok(Self {
            members: (0..).zip(models).map(member).collect::<Result<_, _>>()?,
            schedule: setup.rate.schedule(setup.learning_rate, &run)?,
            steps: 0,
            pass: Pass {
                objective,
                image_tricks: ImageTricks::init(setup, training.problem)?,
                tricks: setup.step_tricks()?,
                micro_batches: setup.micro_batches,
                device,
            },
            examined: Examined::off(),
            setup: setup.clone(),
            run,
        })
    }

    /// A part of an epoch, counted from 0, of so many, for every member, each with an order of batches of
    /// its own. An average or an ensemble is the same whatever the parts.
    fn train(&mut self, train: &Samples, epoch: usize, (part, parts): (usize, usize)) {
        if part == 0 && self.steps >= self.run.steps() / 2 {
            self.part();
        }
        let (schedule, steps) = (self.schedule.copy(), self.steps);
        let mut off = Examined::off();
        for (at, member) in self.members.iter_mut().enumerate() {
            let examined = if at == 0 {
                &mut self.examined
            } else {
                &mut off
            };
            (self.schedule, self.steps) = (schedule.copy(), steps);
            let batches = train.batches(self.setup.batch_size, member.seed, epoch);
            let [from, to] = [part, part + 1].map(|part| batches.len() * part / parts);
            let draw = Draw {
                seed: member.seed,
                epoch,
            };
            for batch in &batches[from..to] {
                let pass = &self.pass;
                let grads = pass.gradients(&member.model, train, batch, draw, examined);
                let learning_rate = self.schedule.step();
                examined.before_step(&member.model, &grads, learning_rate);
                let model = member
                    .optim
                    .step(learning_rate, member.model.clone(), grads);
                member.model = self.pass.tricks.after(model);
                examined.after_step(&member.model);
                let is_trough = self.schedule.is_trough(self.steps as u64);
                member
                    .averages
                    .update(&member.model, learning_rate, is_trough);
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
    fn predictor(&self, valid: &Samples) -> Result<Ensemble<Network>, Box<dyn Error>> {
        let mut models = Vec::new();
        for member in &self.members {
            models.extend(member.averages.models(&member.model)?);
        }
        let objective = &self.pass.objective;
        let ensemble = EnsembleConfig::new().with_combine(objective.combine());
        if self.setup.soup > 1 {
            let device = self.pass.device.clone().without_autodiff();
            let loss = |model: &Network| {
                let alone = ensemble.init(vec![model.clone()]);
                alone.map_or(f64::NAN, |alone| {
                    objective.measure(&alone, valid, &device).loss
                })
            };
            match GreedySoupConfig::new(Goal::Minimize).select(&models, loss) {
                Ok(soup) => models = vec![soup.model],
                // A training that diverges has a result, which is not a number.
                Err(CombineError::NoFiniteScore { .. }) => models.truncate(1),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(ensemble.init(models)?)
    }
}

impl Pass {
    /// The gradients that the optimizer gets.
    fn gradients(
        &self,
        model: &Network,
        train: &Samples,
        batch: &[usize],
        draw: Draw,
        examined: &mut Examined,
    ) -> GradientsParams {
        // Of several passes in a step, the first is examined.
        let mut examined = Some(examined);
        let mut loss = |model: &Network, indices: &[usize]| {
            let forward = match &self.image_tricks {
                Some(tricks) => tricks.forward(model, train, indices, draw, &self.device),
                None => self.objective.forward(model, train, indices, &self.device),
            };
            if let Some(examined) = examined.take() {
                examined.forward(&forward);
            }
            forward.loss
        };
        let grads = if let Some(sam) = &self.tricks.sam {
            sam.gradients(model, |model| loss(model, batch)).0
        } else if self.micro_batches > 1 {
            let parts = batch.chunks(batch.len().div_ceil(self.micro_batches));
            let mut mean = GradAccumulatorConfig::new(parts.len())
                .init()
                .expect("a batch has samples");
            let last = parts
                .filter_map(|part| mean.add(model, loss(model, part).backward(), part.len()))
                .last();
            last.expect("the last part completes the mean")
        } else {
            GradientsParams::from_grads(loss(model, batch).backward(), model)
        };
        self.tricks.before(model, grads)
    }
}
