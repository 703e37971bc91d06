//! Several devices: the numbers are those of one device with accumulated gradients.

use crate::models::{Noise, alone, numbers, shown};
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::distributed::{DistributedConfig, ReduceOperation};
use burn::tensor::{Device, Int, Tensor, activation::tanh};
use burn::train::{
    ExecutionStrategy, InferenceStep, Learner, MultiDeviceOptim, RegressionOutput,
    SupervisedTraining, TrainOutput, TrainStep, TrainingStrategy,
};
use burn_tricks::average::Ema;
use burn_tricks::grad::{
    AgcConfig, AutoClipConfig, CentralizeGradConfig, ClipGradNorm, ClipGradValueConfig,
    GradNoiseConfig, GradientTransform as _, LossScalerConfig, NormKind, NormsByPath, Only,
    ProdigyConfig,
};
use burn_tricks::optim;
use burn_tricks::prelude::*;
use burn_tricks::train::{
    AsTrick, EpochClock, EpochContext, EpochLoaderConfig, MeanOfAccumulated, Outcome, SessionError,
    Trick, TrickError, Tricked,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Without batch norm, whose statistics each device would have of its own, and without dropout.
#[derive(Module, Debug)]
struct Small {
    first: Linear,
    last: Linear,
}

impl Small {
    fn seeded(device: &Device) -> Self {
        device.seed(3);
        let small = Self {
            first: LinearConfig::new(2, 5).init(device),
            last: LinearConfig::new(5, 1).init(device),
        };
        force_init(&small);
        small
    }

    fn loss(&self, input: Tensor<2>) -> Tensor<1> {
        let target = input.clone().sum_dim(1);
        let output = self.last.forward(tanh(self.first.forward(input)));
        (output - target).square().mean()
    }
}

impl TrainStep for Small {
    type Input = Tensor<2>;
    type Output = RegressionOutput;

    fn step(&self, input: Tensor<2>) -> TrainOutput<RegressionOutput> {
        let loss = self.loss(input);
        TrainOutput::new(self, loss.backward(), shown(loss))
    }
}

impl InferenceStep for Small {
    type Input = Tensor<2>;
    type Output = RegressionOutput;

    fn step(&self, input: Tensor<2>) -> RegressionOutput {
        shown(self.loss(input))
    }
}

struct Points;

impl Batcher<usize, Tensor<2>> for Points {
    fn batch(&self, items: Vec<usize>, device: &Device) -> Tensor<2> {
        let mut all = Noise(1);
        let all = all.take(2 * SAMPLES);
        let each = items
            .iter()
            .flat_map(|item| all[2 * item..2 * item + 2].to_vec());
        let numbers: Vec<f64> = each.collect();
        Tensor::<1>::from_floats(numbers.as_slice(), device).reshape([items.len(), 2])
    }
}

const SAMPLES: usize = 16;
const BATCH: usize = 2;

type Tricks = (ClipGradNorm, Ema<Small>);

type Training<H> = SupervisedTraining<Tricked<Small, H>>;

/// The weights of three epochs as they are trained, and their average.
fn run(
    order: Vec<usize>,
    ours: bool,
    prepare: impl FnOnce(Training<Tricks>) -> Training<Tricks>,
) -> [Vec<f64>; 2] {
    let optim = if ours {
        optim::AdamConfig::new().init().unwrap()
    } else {
        AdamConfig::new().init()
    };
    let tricks = |small: &Small| {
        let clip = ClipGradNormConfig::new(0.2).init().unwrap();
        (clip, EmaConfig::new(0.8).init(small).unwrap())
    };
    let model = trained(order, optim, tricks, prepare);
    [numbers(model.model()), numbers(&model.into_validated())]
}

/// Three epochs.
fn trained<H: Trick<Small> + 'static>(
    order: Vec<usize>,
    optim: ModuleOptimizer,
    tricks: impl FnOnce(&Small) -> H,
    prepare: impl FnOnce(Training<H>) -> Training<H>,
) -> Tricked<Small, H> {
    let folder = tempfile::tempdir().unwrap();
    let small = Small::seeded(&Device::flex().autodiff());
    let tricks = tricks(&small);
    let clock = EpochClock::new();
    let loader = |order| {
        EpochLoaderConfig::new(BATCH, 0)
            .with_shuffle(false)
            .init(InMemDataset::new(order), Points, &Device::flex(), &clock)
            .unwrap()
    };
    let session = Session::new(folder.path(), loader(order), loader(vec![0, 1]))
        .configure(|training| training.num_epochs(3).with_application_logger(None))
        .configure(prepare);
    let learner = Learner::new(small.with_tricks(tricks), optim, 0.05);
    let finished = session.launch(learner).unwrap();
    assert!(matches!(finished.outcome, Outcome::LastEpoch));
    finished.model
}

/// Burn gives each of two devices one half of the samples: the batches of one device, in turn.
fn interleaved() -> Vec<usize> {
    let half = SAMPLES / 2;
    let pairs = (0..half).step_by(BATCH);
    pairs
        .flat_map(|at| [at, at + 1, at + half, at + half + 1])
        .collect()
}

#[test]
fn two_devices_train_as_one_with_accumulated_gradients() {
    let _alone = alone();
    for ours in [true, false] {
        let one = run(interleaved(), ours, |training| {
            training.grads_accumulation(2)
        });
        let other = run((0..SAMPLES).collect(), ours, |training| {
            training.grads_accumulation(2)
        });
        assert_ne!(one, other, "the order tells");
        for mode in [
            MultiDeviceOptim::OptimMainDevice,
            MultiDeviceOptim::OptimSharded,
        ] {
            let devices = vec![Device::flex(), Device::flex()];
            let name = format!("{mode:?}, ours: {ours}");
            let several = run((0..SAMPLES).collect(), ours, |training| {
                let strategy = ExecutionStrategy::multi(devices, mode);
                training.with_training_strategy(TrainingStrategy::Default(strategy))
            });
            // Which worker's gradient comes first is not certain, but a sum of two has no order.
            assert_eq!(several, one, "{name}");
        }
    }
}

/// Burn hands the gradients of several devices to a sharded optimizer: every transform sees their sum.
#[test]
fn every_transform_sees_the_sum_of_several_devices_gradients() {
    let _alone = alone();
    let transforms = |_: &Small| {
        let centralize = CentralizeGradConfig::new().init().unwrap();
        let agc = AgcConfig::new().with_clip_factor(0.5).init().unwrap();
        let value = ClipGradValueConfig::new(0.3).init().unwrap();
        let auto_clip = AutoClipConfig::new().with_percentile(60.0).init().unwrap();
        let noise = GradNoiseConfig::new(1e-3).init().unwrap();
        let normalize = NormalizeGradConfig::new().init().unwrap();
        let norms = NormsByPath::init(NormKind::L2).unwrap();
        let first = (StepGuard::new(), MeanOfAccumulated::new(), centralize, agc);
        (first, value, auto_clip, noise, (normalize, norms))
    };
    let sgd = || optim::SgdConfig::torch().with_momentum_factor(0.9);
    let one = trained(interleaved(), sgd().init().unwrap(), transforms, |one| {
        one.grads_accumulation(2)
    });
    let plain = trained(
        interleaved(),
        sgd().init().unwrap(),
        |_| (),
        |one| one.grads_accumulation(2),
    );
    let one = numbers(one.model());
    assert_ne!(one, numbers(plain.model()));
    for mode in [
        MultiDeviceOptim::OptimMainDevice,
        MultiDeviceOptim::OptimSharded,
    ] {
        let name = format!("{mode:?}");
        let order = (0..SAMPLES).collect();
        let several = trained(order, sgd().init().unwrap(), transforms, |training| {
            let strategy = ExecutionStrategy::multi(vec![Device::flex(); 2], mode);
            training.with_training_strategy(TrainingStrategy::Default(strategy))
        });
        assert_eq!(numbers(several.model()), one, "{name}");
    }
}

/// Should this fail because Burn has learnt it: a test of that mode is due, see the README.
#[test]
fn burns_data_parallel_strategy_does_not_know_the_cpu() {
    let _alone = alone();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        run((0..SAMPLES).collect(), true, |training| {
            let config = DistributedConfig {
                all_reduce_op: ReduceOperation::Mean,
            };
            let devices = vec![Device::flex(), Device::flex()];
            let strategy = ExecutionStrategy::ddp(devices, config);
            training.with_training_strategy(TrainingStrategy::Default(strategy))
        })
    }));
    let panic = panic.unwrap_err();
    let text = match panic.downcast_ref::<String>() {
        Some(text) => text.as_str(),
        None => panic.downcast_ref::<&str>().copied().unwrap_or_default(),
    };
    assert!(
        text.contains("Distributed operations are not supported for device Flex(Cpu)"),
        "{text}"
    );
}

/// A network that begins without a weight, which Burn can mark as a worker's on every backend.
#[derive(Module, Debug)]
struct Empty {
    /// Tells its device.
    count: Param<Tensor<1, Int>>,
    layers: Vec<Linear>,
}

impl Empty {
    fn new() -> Self {
        let count = Tensor::zeros([1], &Device::flex().autodiff());
        Self {
            count: Param::initialized(ParamId::new(), count),
            layers: Vec::new(),
        }
    }
}

impl TrainStep for Empty {
    type Input = Tensor<2>;
    type Output = RegressionOutput;

    fn step(&self, input: Tensor<2>) -> TrainOutput<RegressionOutput> {
        let loss = input.require_grad().sum();
        TrainOutput::new(self, loss.backward(), shown(loss))
    }
}

impl InferenceStep for Empty {
    type Input = Tensor<2>;
    type Output = RegressionOutput;

    fn step(&self, input: Tensor<2>) -> RegressionOutput {
        shown(input.sum())
    }
}

/// Adds a layer at the end of an epoch, or does not.
#[derive(Debug)]
struct Grow(bool);

impl Trick<Empty> for Grow {
    fn epoch_end(
        &mut self,
        mut model: Empty,
        _: &mut EpochContext<'_, Empty>,
    ) -> Result<Empty, TrickError> {
        if self.0 {
            let layer = LinearConfig::new(2, 1).init(&Device::flex().autodiff());
            model.layers.push(layer);
        }
        Ok(model)
    }
}

/// Burn's `ddp` runs on GPUs alone. What each of its workers does first is known here as well.
#[test]
fn a_trick_may_not_change_the_model_of_a_worker() {
    let _alone = alone();
    for (worker, grows) in [(false, false), (false, true), (true, false), (true, true)] {
        let folder = tempfile::tempdir().unwrap();
        let clock = EpochClock::new();
        let loader = EpochLoaderConfig::new(BATCH, 0)
            .init(
                InMemDataset::new(vec![0, 1]),
                Points,
                &Device::flex(),
                &clock,
            )
            .unwrap();
        let single = ExecutionStrategy::single(Device::flex().autodiff());
        let session = Session::new(folder.path(), loader.clone(), loader).configure(|training| {
            training
                .with_training_strategy(TrainingStrategy::Default(single))
                .with_application_logger(None)
        });
        let model = Empty::new().with_tricks(Grow(grows));
        let mut learner = Learner::new(model, AdamConfig::new().init(), 0.1);
        if worker {
            learner.grad_sharded();
        }
        match session.launch(learner) {
            Ok(finished) => {
                assert!(!(worker && grows));
                let layers = finished.last_model().layers.len();
                assert_eq!(layers, usize::from(grows));
            }
            Err(error) => {
                assert!(worker && grows, "{error}");
                assert!(matches!(error.cause, SessionError::Trick(_)));
                assert!(
                    error.to_string().contains("one of the workers of `ddp`"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn micro_batches_are_not_counted_by_a_worker() {
    let step = |worker: bool| {
        let model = Empty::new().with_tricks(MeanOfAccumulated::new());
        let mut learner = Learner::new(model, AdamConfig::new().init(), 0.1);
        if worker {
            learner.grad_sharded();
        }
        let batch = Tensor::<2>::ones([1, 2], &Device::flex().autodiff());
        catch_unwind(AssertUnwindSafe(|| drop(learner.train_step(batch))))
    };
    assert!(step(false).is_ok());
    let panic = step(true).unwrap_err();
    let text = panic.downcast_ref::<&str>().copied().unwrap_or_default();
    assert!(
        text.contains("`MeanOfAccumulated` cannot be used with `ddp`"),
        "{text}"
    );
}

/// The message of the first step's panic, with this trick beside another one; empty if there is none.
fn refused<H: Trick<Empty> + 'static>(worker: bool, trick: H) -> String {
    let clip = ClipGradNormConfig::new(1.0).init().unwrap();
    let model = Empty::new().with_tricks(((trick, clip), ()));
    let mut learner = Learner::new(model, AdamConfig::new().init(), 0.1);
    if worker {
        learner.grad_sharded();
    }
    let optimize = move || learner.optimizer_step(GradientsParams::new());
    match catch_unwind(AssertUnwindSafe(optimize)) {
        Ok(_) => String::new(),
        Err(panic) => *panic.downcast::<String>().unwrap(),
    }
}

/// What a transform with a memory does to the gradients would be another thing in each worker.
#[test]
fn a_memory_is_not_shared_by_workers() {
    let noise = || GradNoiseConfig::new(0.1).init().unwrap();
    let scaler = || LossScalerConfig::new().init().unwrap();
    let auto_clip = || AutoClipConfig::new().init().unwrap();
    let prodigy = || ProdigyConfig::new().init(&Empty::new()).unwrap();
    let agc = || AgcConfig::new().init().unwrap();
    let all = ParamGroup::all;
    for (name, [alone, as_worker]) in [
        (
            "LossScaler",
            [false, true].map(|worker| refused(worker, scaler())),
        ),
        (
            "GradNoise",
            [false, true].map(|worker| refused(worker, noise())),
        ),
        (
            "AutoClip",
            [false, true].map(|worker| refused(worker, auto_clip())),
        ),
        (
            "Prodigy",
            [false, true].map(|worker| refused(worker, prodigy())),
        ),
        // In a combination.
        (
            "GradNoise",
            [false, true].map(|worker| refused(worker, agc().then(noise()))),
        ),
        (
            "GradNoise",
            [false, true].map(|worker| refused(worker, Only::new(all(), noise()))),
        ),
        (
            "GradNoise",
            [false, true].map(|worker| refused(worker, AsTrick((agc(), vec![noise()])))),
        ),
        (
            "AutoClip",
            [false, true].map(|worker| refused(worker, Some((agc(), auto_clip())))),
        ),
    ] {
        assert_eq!(alone, "", "{name}");
        let said = format!("`{name}` cannot be used with `ddp`");
        assert!(as_worker.starts_with(&said), "{as_worker}");
    }
    // Others do the same in each worker.
    let off = LossScalerConfig::new().with_enabled(false);
    let same = (
        StepGuard::new(),
        agc(),
        CentralizeGradConfig::new().init().unwrap(),
    );
    assert_eq!(refused(true, (off.init().unwrap(), same)), "");
}
