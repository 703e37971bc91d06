//! Trains one recipe from one seed, by hand: all that `compare` measures happens here.

use crate::data::{Samples, Source};
use crate::mlp::{Mlp, MlpConfig};
use crate::recipes::{BATCH_SIZE, Recipe, Setup};
use crate::score::Score;
use burn::lr_scheduler::LrScheduler as _;
use burn::module::Module;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use burn_tricks::grad::{ClipGradNorm, NormalizeGrad};
use burn_tricks::prelude::*;
use burn_tricks_compare::RunResult;
use std::error::Error;
use std::time::{Duration, Instant};

/// Samples predicted at a time, which bounds memory.
const CHUNK: usize = 1024;

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
) -> Result<RunResult, Box<dyn Error>> {
    let setup = recipe.setup();
    let mut split = source.split(seed);
    if setup.scale_inputs {
        split = split.scaled();
    }
    let steps_per_epoch = split.train.len().div_ceil(BATCH_SIZE);
    let mut trainer = Trainer::new(&setup, seed, split.train.features, steps_per_epoch, device)?;

    let mut stop = match setup.patience {
        Some(patience) => Some(
            EarlyStoppingConfig::new(Goal::Minimize)
                .with_patience(patience)
                .init()?,
        ),
        None => None,
    };
    let mut best = BestWeights::new();
    let mut epochs_to_90 = None;
    let mut training_time = Duration::ZERO;
    let mut epochs_run = 0;
    while epochs_run < epochs {
        epochs_run += 1;
        let start = Instant::now();
        trainer.epoch(&split.train, epochs_run);
        device.sync()?;
        training_time += start.elapsed();

        let valid = score(&trainer.ensemble()?, &split.valid, device);
        if epochs_to_90.is_none() && valid.accuracy >= 0.9 {
            epochs_to_90 = Some(epochs_run);
        }
        if let Some(stop) = &mut stop {
            let verdict = stop.observe(valid.loss);
            let ensemble = trainer.ensemble()?;
            best.keep(&verdict, || ensemble);
            if verdict.should_stop() {
                break;
            }
        }
    }

    let model = match best.model() {
        Some(model) => model,
        None => trainer.ensemble()?,
    };
    let train = score(&model, &split.train, device);
    let test = score(&model, &split.test, device);
    Ok(RunResult {
        variant: recipe.name.to_owned(),
        seed,
        test_accuracy: test.accuracy,
        test_loss: test.loss,
        epochs_to_90,
        gap: train.accuracy - test.accuracy,
        seconds_per_epoch: training_time.as_secs_f64() / epochs_run as f64,
    })
}

/// The models of a recipe, one or an ensemble's, in training.
struct Trainer {
    members: Vec<(Mlp, ModuleOptimizer)>,
    schedule: ExponentialDecay,
    clip: Option<ClipGradNorm>,
    normalize: Option<NormalizeGrad>,
    loss: CrossEntropyLoss,
    seed: u64,
    device: Device,
}

impl Trainer {
    fn new(
        setup: &Setup,
        seed: u64,
        inputs: usize,
        steps_per_epoch: usize,
        device: &Device,
    ) -> Result<Self, Box<dyn Error>> {
        let device = device.clone().autodiff();
        let config = MlpConfig {
            init: setup.init,
            batch_norm: setup.batch_norm,
            dropout: setup.dropout,
            ..MlpConfig::new(inputs)
        };
        // Far apart, so that no member of one seed is a member of the next.
        let first_seed = seed.wrapping_mul(1000);
        let members = EnsembleConfig::new()
            .build(setup.members, first_seed, &device, |device| {
                config.init(device)
            })?
            .into_members();
        // From here on the generator draws dropout masks only.
        device.seed(first_seed);
        Ok(Self {
            members: members
                .into_iter()
                .map(|member| Ok((member, (setup.optimizer)()?)))
                .collect::<Result<_, ConfigError>>()?,
            schedule: ExponentialDecayConfig::new(setup.learning_rate)
                .with_gamma(setup.gamma)
                .with_steps_per_epoch(steps_per_epoch)
                .init()?,
            clip: match setup.clip {
                Some(max_norm) => Some(ClipGradNormConfig::new(max_norm).init()?),
                None => None,
            },
            normalize: match setup.normalize {
                true => Some(NormalizeGradConfig::new().init()?),
                false => None,
            },
            loss: CrossEntropyLossConfig::new().init(&device),
            seed: first_seed,
            device,
        })
    }

    /// One epoch of every member, each with an order of batches of its own.
    fn epoch(&mut self, train: &Samples, epoch: usize) {
        let before = self.schedule.clone();
        for (at, (model, optim)) in self.members.iter_mut().enumerate() {
            self.schedule = before.clone();
            let seed = self.seed.wrapping_add(at as u64);
            for batch in train.batches(BATCH_SIZE, seed, epoch) {
                let (images, labels) = train.batch(&batch, &self.device);
                let loss = self.loss.forward(model.predict(images), labels);
                let mut grads = GradientsParams::from_grads(loss.backward(), model);
                if let Some(clip) = &self.clip {
                    grads = clip.apply(model, grads);
                }
                if let Some(normalize) = &self.normalize {
                    grads = normalize.apply(model, grads);
                }
                let learning_rate = self.schedule.step();
                *model = optim.step(learning_rate, model.clone(), grads);
            }
        }
    }

    /// The members as they are, for prediction.
    fn ensemble(&self) -> Result<Ensemble<Mlp>, EnsembleError> {
        let members = self.members.iter().map(|(model, _)| model.valid());
        EnsembleConfig::new().init(members.collect())
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
mod tests {
    use super::*;
    use crate::mlp::Init;
    use crate::recipes::{self, RECIPES};
    use burn::module::{ModuleVisitor, Param};
    use burn::tensor::Tensor;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// The process's generators, for one test at a time.
    fn alone() -> MutexGuard<'static, ()> {
        static GENERATORS: Mutex<()> = Mutex::new(());
        GENERATORS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The weights and biases of each member.
    fn weights(trainer: &Trainer) -> Vec<Vec<f64>> {
        struct Read(Vec<f64>);
        impl ModuleVisitor for Read {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0.extend(param.val().into_data().iter::<f64>());
            }
        }
        let read = |(model, _): &(Mlp, ModuleOptimizer)| {
            let mut read = Read(Vec::new());
            model.visit(&mut read);
            read.0
        };
        trainer.members.iter().map(read).collect()
    }

    /// The weights at the start and after an epoch.
    fn first_epoch(setup: &Setup, seed: u64, train: &Samples) -> [Vec<Vec<f64>>; 2] {
        let steps = train.len().div_ceil(BATCH_SIZE);
        let device = Device::flex();
        let mut trainer = Trainer::new(setup, seed, train.features, steps, &device).unwrap();
        let start = weights(&trainer);
        trainer.epoch(train, 1);
        [start, weights(&trainer)]
    }

    fn setup(name: &str) -> Setup {
        recipes::find(name).unwrap().setup()
    }

    /// A seventh of the training part, in batches of which the last is smaller.
    fn samples() -> Samples {
        let mut train = Source::digits().split(1).scaled().train;
        let count = 5 * BATCH_SIZE - 7;
        train.pixels.truncate(count * train.features);
        train.labels.truncate(count);
        train
    }

    #[test]
    fn recipes_that_keep_the_network_start_from_the_same_weights() {
        let _alone = alone();
        let start = |setup: &Setup, seed| {
            let trainer = Trainer::new(setup, seed, 64, 34, &Device::flex()).unwrap();
            weights(&trainer)
        };
        let baseline = start(&setup("baseline"), 3);
        assert_eq!(
            baseline[0].len(),
            64 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10
        );
        let mut compared = Vec::new();
        for recipe in RECIPES {
            let setup = recipe.setup();
            if setup.init == Init::Default && !setup.batch_norm {
                // An ensemble's other members have seeds of their own.
                assert_eq!(start(&setup, 3)[0], baseline[0], "{}", recipe.name);
                compared.push(recipe.name);
            }
        }
        for name in ["unstable", "clip", "decay", "dropout", "adam", "ensemble"] {
            assert!(compared.contains(&name), "{name}");
        }
        assert_ne!(start(&setup("baseline"), 4), baseline);
        assert_ne!(start(&setup("init-xavier"), 3), baseline);
    }

    #[test]
    fn a_change_without_effect_is_its_baseline_bit_for_bit() {
        // Weights are equal after an epoch only if every batch was.
        let _alone = alone();
        let train = samples();
        let baseline = first_epoch(&setup("baseline"), 3, &train);
        assert_ne!(baseline[0], baseline[1], "it trains");
        type Change = fn(&mut Setup);
        let neutral: [(&str, Change); 5] = [
            ("the same again", |_| {}),
            ("a threshold that nothing reaches", |setup| {
                setup.clip = Some(f64::MAX);
            }),
            // It draws a mask, in which no element is 0, and divides by 1 − 1e-12, which is 1 in f32.
            ("dropout that drops nothing", |setup| setup.dropout = 1e-12),
            ("patience", |setup| setup.patience = Some(9)),
            ("an ensemble of one", |setup| setup.members = 1),
        ];
        for (what, change) in neutral {
            let mut setup = setup("baseline");
            change(&mut setup);
            assert_eq!(first_epoch(&setup, 3, &train), baseline, "{what}");
        }
        // The rate does not fall before the second epoch.
        assert_eq!(first_epoch(&setup("decay"), 3, &train), baseline);
        // What has an effect is seen.
        assert_ne!(first_epoch(&setup("dropout"), 3, &train), baseline);
        assert_ne!(first_epoch(&setup("baseline"), 4, &train), baseline);
    }

    #[test]
    fn a_run_is_the_same_again() {
        let _alone = alone();
        let source = Source::digits();
        let run = || {
            let recipe = recipes::find("dropout").unwrap();
            let result = run(recipe, 2, 1, &source, &Device::flex()).unwrap();
            RunResult {
                seconds_per_epoch: 0.0,
                ..result
            }
        };
        assert_eq!(run(), run());
    }
}
