//! Gradients accumulated in Burn's `Learner`, weighted by the samples that the epoch loader counts, are those of the
//! large batch.

use crate::devices::training_devices;
use crate::models::{Noise, alone, dtypes, shown, tensor, values};
use crate::oracle::{largest, worst};
use burn::data::dataloader::{DataLoader as _, batcher::Batcher};
use burn::data::dataset::InMemDataset;
use burn::module::{Module, Param, ParamId};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsAccumulator, GradientsParams, MultiGradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burn::train::{
    ExecutionStrategy, InferenceStep, Learner, MultiDeviceOptim, RegressionOutput,
    SupervisedTraining, TrainOutput, TrainStep, TrainingStrategy,
};
use burn_tricks::grad::{GradientOrder, GradientTransform, NormKind, global_norm, scale_gradients};
use burn_tricks::prelude::*;
use burn_tricks::train::{
    AsTrick, EpochClock, EpochLoader, EpochLoaderConfig, MeanOfAccumulated, StepContext, Trick,
};
use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

#[derive(Module, Debug)]
struct Line {
    layer: Linear,
}

impl Line {
    fn loss(&self, input: Tensor<2>) -> Tensor<1> {
        let target = input.clone().sum_dim(1).square();
        (self.layer.forward(input) - target).square().mean()
    }

    fn read(&self, grads: &GradientsParams) -> Vec<f64> {
        let weight = grads.get::<2>(self.layer.weight.id).expect("a gradient");
        let bias = self.layer.bias.as_ref().expect("a bias");
        let bias = grads.get::<1>(bias.id).expect("a gradient");
        [values(weight), values(bias)].concat()
    }

    /// The gradient of one batch of these samples.
    fn of_batch(&self, samples: &[usize]) -> Vec<f64> {
        let batch = Points.batch(samples.to_vec(), &Device::flex().autodiff());
        self.read(&GradientsParams::from_grads(
            self.loss(batch).backward(),
            self,
        ))
    }
}

impl TrainStep for Line {
    type Input = Tensor<2>;
    type Output = RegressionOutput;

    fn step(&self, input: Tensor<2>) -> TrainOutput<RegressionOutput> {
        let loss = self.loss(input);
        TrainOutput::new(self, loss.backward(), shown(loss))
    }
}

impl InferenceStep for Line {
    type Input = Tensor<2>;
    type Output = RegressionOutput;

    fn step(&self, input: Tensor<2>) -> RegressionOutput {
        shown(self.loss(input))
    }
}

#[derive(Clone)]
struct Points;

impl Batcher<usize, Tensor<2>> for Points {
    fn batch(&self, items: Vec<usize>, device: &Device) -> Tensor<2> {
        let all = Noise(7).take(64);
        let rows = items
            .iter()
            .flat_map(|item| all[2 * item..2 * item + 2].to_vec());
        let numbers: Vec<f64> = rows.collect();
        Tensor::<1>::from_floats(numbers.as_slice(), device).reshape([items.len(), 2])
    }
}

type Loader = Arc<EpochLoader<usize, Tensor<2>>>;

fn loader(samples: usize, batch: usize, workers: usize) -> Loader {
    EpochLoaderConfig::new(batch, 0)
        .with_shuffle(false)
        .with_workers(workers)
        .init(
            InMemDataset::new((0..samples).collect()),
            Points,
            &Device::flex(),
            &EpochClock::new(),
        )
        .unwrap()
}

/// How far the gradients of each step are from those of one batch of its samples, relative to the largest.
#[derive(Debug, Clone)]
struct Compare {
    /// The samples of each step of an epoch.
    steps: Vec<Vec<usize>>,
    off: Arc<Mutex<Vec<f64>>>,
    /// Gone through in every step, as a measurement on the training data does.
    nested: Loader,
}

impl Trick<Line> for Compare {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(
        &mut self,
        model: &Line,
        grads: GradientsParams,
        step: &StepContext,
    ) -> GradientsParams {
        assert!(self.nested.iter().count() > 0);
        let samples = &self.steps[(step.step() as usize - 1) % self.steps.len()];
        let (got, right) = (model.read(&grads), model.of_batch(samples));
        let largest = largest(&right);
        let off = worst(&got, &right, |_| largest);
        self.off.lock().unwrap().push(off);
        grads
    }
}

/// The errors of two epochs with `accumulate` batches per step.
fn errors(
    train: &Loader,
    accumulate: usize,
    mean: MeanOfAccumulated,
    steps: Vec<Vec<usize>>,
    devices: Option<Vec<Device>>,
) -> Vec<f64> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let model = Line {
        layer: LinearConfig::new(2, 1).init(&device),
    };
    force_init(&model);
    let off = Arc::default();
    let compare = Compare {
        steps,
        off: Arc::clone(&off),
        nested: train.clone(),
    };
    let folder = tempfile::tempdir().unwrap();
    let mut training = SupervisedTraining::new(folder.path(), train.clone(), loader(2, 2, 0))
        .num_epochs(2)
        .grads_accumulation(accumulate)
        .with_application_logger(None);
    if let Some(devices) = devices {
        let strategy = ExecutionStrategy::multi(devices, MultiDeviceOptim::OptimMainDevice);
        training = training.with_training_strategy(TrainingStrategy::Default(strategy));
    }
    let model = model.with_tricks((compare, mean));
    training.launch(Learner::new(model, SgdConfig::new().init(), 0.05));
    off.lock().unwrap().clone()
}

/// The steps of an epoch in order.
fn windows(ends: &[Range<usize>]) -> Vec<Vec<usize>> {
    ends.iter().map(|range| range.clone().collect()).collect()
}

#[test]
fn the_loader_tells_how_many_samples_each_micro_batch_counts() {
    let _alone = alone();
    // A short last batch in a full window, a short last window of a short batch, a short window of a full batch.
    let cases = [
        (10, 3, 2, windows(&[0..6, 6..10])),
        (7, 3, 2, windows(&[0..6, 6..7])),
        (9, 3, 2, windows(&[0..6, 6..9])),
        (5, 2, 1, windows(&[0..2, 2..4, 4..5])),
        (11, 2, 4, windows(&[0..8, 8..11])),
    ];
    for (samples, batch, accumulate, steps) in cases {
        for workers in [0, 2] {
            let train = loader(samples, batch, workers);
            let mean = MeanOfAccumulated::weighted_by_loader(&train);
            let off = errors(&train, accumulate, mean, steps.clone(), None);
            let what = format!("{samples} samples, batches of {batch}, {accumulate} per step");
            assert_eq!(off.len(), 2 * steps.len(), "{what}");
            assert!(off.iter().all(|off| *off < 5e-7), "{what}: off by {off:?}");
        }
    }
    // The batch itself tells the same, and without weights the short batch counts too much.
    let train = loader(10, 3, 0);
    let steps = || windows(&[0..6, 6..10]);
    let of_batch = MeanOfAccumulated::weighted(|batch: &Tensor<2>| batch.dims()[0]);
    let off = errors(&train, 2, of_batch, steps(), None);
    assert!(off.iter().all(|off| *off < 5e-7), "{off:?}");
    let off = errors(&train, 2, MeanOfAccumulated::new(), steps(), None);
    assert!(off[0] < 5e-7 && off[1] > 0.01, "{off:?}");
}

#[test]
fn with_several_devices_every_sample_counts_once() {
    let _alone = alone();
    let train = loader(16, 4, 0);
    let steps: Vec<Vec<usize>> = [0..4, 4..8]
        .map(|range| range.flat_map(|at| [at, at + 8]).collect())
        .into();
    let mean = MeanOfAccumulated::weighted_by_loader(&train);
    let devices = vec![Device::flex(), Device::flex()];
    let off = errors(&train, 1, mean, steps, Some(devices));
    assert_eq!(off.len(), 4);
    assert!(off.iter().all(|off| *off < 5e-7), "{off:?}");
}

#[test]
fn a_batch_of_another_loader_is_refused() {
    let _alone = alone();
    let (train, other) = (loader(4, 2, 0), loader(4, 2, 0));
    let device = Device::flex().autodiff();
    let line = Line {
        layer: LinearConfig::new(2, 1).init(&device),
    };
    let model = line.with_tricks((MeanOfAccumulated::weighted_by_loader(&train),));
    let batch = |loader: &Loader| {
        let loader = loader.to_device(&device);
        loader.iter().next().unwrap().unwrap()
    };
    TrainStep::step(&model, batch(&train));
    let strange = batch(&other);
    let panic = catch_unwind(AssertUnwindSafe(|| TrainStep::step(&model, strange)));
    let text = *panic.err().unwrap().downcast::<String>().unwrap();
    assert!(
        text.contains("its loader has given no batch for a model on"),
        "{text}"
    );
}

/// With one gradient in half precision, whatever the batch.
#[derive(Module, Debug)]
struct Half {
    weight: Param<Tensor<1>>,
    gradient: f64,
}

impl Half {
    fn new(gradient: f64, dtype: DType) -> Self {
        let device = Device::flex().autodiff();
        let weight = tensor::<1>(&[1.0], dtype, &device).require_grad();
        Self {
            weight: Param::initialized(ParamId::new(), weight),
            gradient,
        }
    }
}

impl TrainStep for Half {
    type Input = usize;
    type Output = ();

    fn step(&self, _samples: usize) -> TrainOutput<()> {
        let loss = (self.weight.val().cast(DType::F32) * self.gradient).sum();
        TrainOutput::new(self, loss.backward(), ())
    }
}

/// 300 times the number of samples is more than an `f16` can hold.
#[test]
fn the_samples_of_a_batch_make_no_gradient_of_half_precision_infinite() {
    let mean = MeanOfAccumulated::weighted(|samples: &usize| *samples);
    let mut model = Half::new(300.0, DType::F16).with_tricks(mean);
    let mut optim = SgdConfig::new().init();
    for (window, batches) in [[256, 256], [1000, 24], [0, 256], [24, 1000], [1, 1000]]
        .iter()
        .enumerate()
    {
        let mut sum = GradientsAccumulator::new();
        for samples in batches {
            let grads = TrainStep::step(&model, *samples).grads;
            let Some(grad) = grads.get::<1>(model.model().weight.id) else {
                assert_eq!(*samples, 0, "{batches:?}");
                continue;
            };
            let grad = values(grad)[0];
            assert!(grad.is_finite(), "{samples} of {batches:?}: {grad}");
            if *batches == [256, 256] {
                assert_eq!(grad, 300.0, "256 samples are the unit");
            }
            sum.accumulate(&model, grads);
        }
        let lr: f64 = 0.25 / 300.0;
        model = model.optimize(&mut optim, lr.into(), sum.grads());
        let expected = 1.0 - 0.25 * (window + 1) as f64;
        let weight = values(model.model().weight.val())[0];
        assert!((weight - expected).abs() < 2e-3, "{batches:?}: {weight}");
    }
}

/// What a trick sees of each window, in the type in which it sees it.
#[derive(Debug, Default, Clone)]
struct Seen(Arc<Mutex<Vec<(f64, DType)>>>);

impl Trick<Half> for Seen {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(&mut self, model: &Half, grads: GradientsParams, _: &StepContext) -> GradientsParams {
        let grad = grads.get::<1>(model.weight.id).expect("a gradient");
        let dtype = grad.dtype();
        self.0.lock().unwrap().push((values(grad)[0], dtype));
        grads
    }
}

/// The gradients that a trick sees after each of these windows.
fn seen(half: Half, mean: MeanOfAccumulated, windows: &[&[usize]]) -> Vec<(f64, DType)> {
    let seen = Seen::default();
    let mut model = half.with_tricks((mean, seen.clone()));
    let mut optim = SgdConfig::new().init();
    for window in windows {
        let mut sum = GradientsAccumulator::new();
        for samples in *window {
            sum.accumulate(&model, TrainStep::step(&model, *samples).grads);
        }
        model = model.optimize(&mut optim, 0.0.into(), sum.grads());
    }
    std::mem::take(&mut *seen.0.lock().unwrap())
}

/// The mean of a window does not depend on the batches of earlier ones: small gradients do not vanish behind a large
/// batch, and a run that is resumed between the two rounds as one that is not.
#[test]
fn the_mean_of_a_window_does_not_depend_on_earlier_windows() {
    let by_samples = || MeanOfAccumulated::weighted(|samples: &usize| *samples);
    for (dtype, gradient) in [
        (DType::F16, 9e-7),
        (DType::F16, 1e-6),
        (DType::F16, 0.3),
        (DType::BF16, 0.3),
        (DType::F32, 0.3),
    ] {
        let rounded = values(tensor::<1>(&[gradient], dtype, &Device::flex()))[0];
        let last = |windows: &[&[usize]]| {
            let seen = seen(Half::new(gradient, dtype), by_samples(), windows);
            *seen.last().expect("a window")
        };
        assert_eq!(last(&[&[2, 2]]), (rounded, dtype));
        assert_eq!(last(&[&[64], &[2, 2]]), (rounded, dtype));
        let cases: [&[&[usize]]; 2] = [&[&[64], &[3, 2, 7]], &[&[1000, 24], &[0, 5, 1]]];
        for windows in cases {
            let (mean, of) = last(windows);
            assert_eq!((mean, of), last(&windows[1..]), "resumed before the last");
            assert_eq!(of, dtype);
            assert!((mean / rounded - 1.0).abs() < 1e-6, "{mean} for {rounded}");
        }
    }
    // A sum of many micro-batches is more than an `f16` can hold.
    let equal = seen(
        Half::new(300.0, DType::F16),
        MeanOfAccumulated::new(),
        &[&[1; 256]],
    );
    assert_eq!(equal, [(300.0, DType::F16)]);
}

/// The weight times the sum of the samples, which is not a number without samples: 0 / 0.
#[derive(Module, Debug)]
struct Mean {
    weight: Param<Tensor<1>>,
}

impl Mean {
    fn new() -> Self {
        Self::on(&Device::flex().autodiff(), DType::F32)
    }

    fn on(device: &Device, dtype: DType) -> Self {
        let weight = tensor::<1>(&[1.0], dtype, device).require_grad();
        Self {
            weight: Param::initialized(ParamId::new(), weight),
        }
    }

    fn gradient(&self, grads: &GradientsParams) -> f64 {
        values(grads.get::<1>(self.weight.id).expect("a gradient"))[0]
    }
}

impl TrainStep for Mean {
    type Input = Vec<f64>;
    type Output = ();

    fn step(&self, samples: Vec<f64>) -> TrainOutput<()> {
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        let loss = (self.weight.val() * mean).sum();
        TrainOutput::new(self, loss.backward(), ())
    }
}

/// The gradient after a window of these micro-batches, as the optimizer gets it.
fn of_window<H: Trick<Mean>>(tricks: H, batches: &[Vec<f64>]) -> f64 {
    of_window_with(Mean::new(), tricks, batches)
}

fn of_window_with<H: Trick<Mean>>(model: Mean, tricks: H, batches: &[Vec<f64>]) -> f64 {
    let model = model.with_tricks(tricks);
    let mut sum = GradientsAccumulator::new();
    for batch in batches {
        sum.accumulate(&model, TrainStep::step(&model, batch.clone()).grads);
    }
    let model = model.optimize(&mut SgdConfig::new().init(), 1.0.into(), sum.grads());
    1.0 - values(model.model().weight.val())[0]
}

#[test]
fn a_batch_without_samples_is_left_out_whatever_its_gradient_is() {
    let mean = || MeanOfAccumulated::weighted(|samples: &Vec<f64>| samples.len());
    let batches = [vec![], vec![1.0, 2.0], vec![], vec![6.0]];
    assert_eq!(of_window(mean(), &batches), 3.0);
    assert_eq!(of_window(mean(), &[vec![]]), 0.0);
}

/// Notes by what it is to multiply the gradients, and does so.
#[derive(Debug, Default, Clone)]
struct Notes(Arc<Mutex<Vec<f64>>>);

impl<M: Module> Trick<M> for Notes {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before_scaled(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
        _: &StepContext,
    ) -> GradientsParams {
        self.0.lock().unwrap().push(factor);
        scale_gradients(model, grads, factor)
    }
}

/// Sees no gradients, and says so.
#[derive(Debug)]
struct Blind;

impl<M: Module> Trick<M> for Blind {
    fn gradient_order(&self, _order: &mut GradientOrder) {}
}

/// Sees the gradients of [`Mean`], and says nothing of it.
#[derive(Debug, Default, Clone)]
struct Silent(Arc<Mutex<Vec<f64>>>);

impl Trick<Mean> for Silent {
    fn before(&mut self, model: &Mean, grads: GradientsParams, _: &StepContext) -> GradientsParams {
        self.0.lock().unwrap().push(model.gradient(&grads));
        grads
    }
}

/// A transform of a user, whose state is all that it declares.
#[derive(Debug, Default, Clone)]
struct Remembers(Arc<Mutex<Vec<f64>>>);

impl GradientTransform for Remembers {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        let norm = global_norm(model, &grads, NormKind::L2);
        self.0
            .lock()
            .unwrap()
            .extend(norm.map(values).expect("gradients"));
        grads
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        order.add_memory::<Self>(false);
    }
}

/// Whatever a trick declares of itself or forgets to declare, it sees the mean, and so does the clip behind it.
#[test]
fn a_trick_that_does_not_declare_itself_sees_the_mean() {
    let batches = [vec![1.0], vec![2.0], vec![6.0]];
    let clip = || ClipGradNormConfig::new(2.0).init().unwrap();
    let mean = MeanOfAccumulated::new;
    let one = |seen: &Arc<Mutex<Vec<f64>>>| {
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        assert!(
            matches!(seen[..], [one] if (one - 3.0).abs() < 1e-6),
            "{seen:?}"
        );
    };
    let check = |got: f64| assert!((got - 2.0).abs() < 1e-6, "{got}");
    let (silent, remembers) = (Silent::default(), Remembers::default());
    check(of_window((mean(), silent.clone(), clip()), &batches));
    one(&silent.0);
    check(of_window(
        (mean(), AsTrick(remembers.clone()), clip()),
        &batches,
    ));
    one(&remembers.0);
    check(of_window(
        (mean(), (Blind, silent.clone()), vec![clip()]),
        &batches,
    ));
    one(&silent.0);
    check(of_window(
        vec![boxed(mean()), boxed(silent.clone()), boxed(clip())],
        &batches,
    ));
    one(&silent.0);
    check(of_window(
        (Some(AsTrick(remembers.clone().then(clip()))), mean()),
        &batches,
    ));
    one(&remembers.0);
    check(of_window(
        (silent.clone(), AsTrick(remembers.clone()), clip(), mean()),
        &batches,
    ));
    one(&silent.0);
    one(&remembers.0);
}

/// The batches of two devices come in any order, and the digits of their mean do not depend on it.
#[test]
fn the_mean_of_two_batches_does_not_depend_on_their_order() {
    let by_samples = || MeanOfAccumulated::weighted(|samples: &Vec<f64>| samples.len());
    let mean = |batches: [(f64, usize); 2]| {
        let silent = Silent::default();
        let batches = batches.map(|(gradient, samples)| vec![gradient; samples]);
        of_window((by_samples(), silent.clone()), &batches);
        let seen = silent.0.lock().unwrap();
        seen[0]
    };
    for [one, other] in [
        [(0.066_335_81, 8), (-0.764_543_65, 3)],
        [(0.3, 64), (0.7, 48)],
        [(0.1, 32), (-1.7, 17)],
    ] {
        assert_eq!(
            mean([one, other]),
            mean([other, one]),
            "{one:?} and {other:?}"
        );
    }
}

/// Weighs a sample by this number.
#[derive(Debug)]
struct PerSample(f64);

impl Trick<Mean> for PerSample {
    fn micro_batch_weight(&self, _model: &Mean, batch: &dyn Any) -> Option<f64> {
        let samples = batch.downcast_ref::<Vec<f64>>()?.len();
        Some(self.0 * samples as f64)
    }

    fn gradient_order(&self, _order: &mut GradientOrder) {}
}

/// Nor do those of the mean that is clipped in the pass that divides it, whichever weight is the unit. The norm of `f64`
/// gradients shows it on the CPU backend, where that of `f32` gradients has digits to spare.
#[test]
fn the_clipped_mean_of_two_batches_does_not_depend_on_their_order() {
    for (name, device) in training_devices() {
        let in_half = |dtype: &DType| matches!(dtype, DType::F16 | DType::BF16);
        for dtype in dtypes(&device).into_iter().filter(|dtype| !in_half(dtype)) {
            let mut noise = Noise(5);
            for samples in [[33, 20], [48, 8], [5, 1], [64, 48]] {
                for per_sample in [1.0, 0.05] {
                    for _ in 0..16 {
                        let draws = noise.take(2);
                        let [one, other] = [0, 1].map(|at| vec![9.0 * draws[at]; samples[at]]);
                        let clipped = |batches: [&Vec<f64>; 2]| {
                            let (seen, model) = (Silent::default(), Mean::on(&device, dtype));
                            let clip = ClipGradNormConfig::torch(1.0).init().unwrap();
                            let tricks = (PerSample(per_sample), clip, seen.clone());
                            of_window_with(model, tricks, &batches.map(Clone::clone));
                            let seen = seen.0.lock().unwrap();
                            seen[0]
                        };
                        assert_eq!(
                            clipped([&one, &other]),
                            clipped([&other, &one]),
                            "{name}, {dtype:?}: {draws:?} of {samples:?} times {per_sample}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_weight_of_a_micro_batch_that_is_no_weight_is_refused() {
    let batches = [vec![1.0], vec![2.0]];
    for (weight, quoted) in [
        (-1.0, "returned -1 as"),
        (f64::NAN, "returned NaN as"),
        (f64::INFINITY, "returned inf as"),
        (f64::NEG_INFINITY, "returned -inf as"),
    ] {
        let step = || of_window(PerSample(weight), &batches);
        let panic = catch_unwind(AssertUnwindSafe(step));
        let text = *panic.unwrap_err().downcast::<String>().unwrap();
        assert!(
            text.contains(quoted) && text.contains("micro_batch_weight"),
            "{text}"
        );
    }
    // Those that are: the smallest and the largest, one next to a power of two, and none.
    let below = f64::from_bits(2f64.powi(53).to_bits() - 1);
    for weight in [f64::from_bits(1), 0.5, 33.0 / 20.0, 3.0, below, f64::MAX] {
        let got = of_window(PerSample(weight), &batches[1..]);
        assert!((got - 2.0).abs() < 1e-6, "{weight}: {got}");
    }
    assert_eq!(of_window(PerSample(0.0), &batches), 0.0);
}

/// Weights micro-batches, and does not look at gradients.
#[derive(Debug)]
struct Weighs;

impl<M: Module> Trick<M> for Weighs {
    fn micro_batch_weight(&self, _model: &M, _batch: &dyn Any) -> Option<f64> {
        Some(1.0)
    }
}

/// Also with several devices, where gradients that no trick sees are not gathered.
#[test]
fn who_weighs_micro_batches_without_a_look_at_gradients_gets_their_mean() {
    let batches = [vec![1.0], vec![2.0], vec![6.0]];
    assert!((of_window(Weighs, &batches) - 3.0).abs() < 1e-6);
    let model = Mean::new().with_tricks(Weighs);
    let device = Device::flex();
    let each = |batch: &Vec<f64>| (TrainStep::step(&model, batch.clone()).grads, device.clone());
    let grads = MultiGradientsParams {
        grads: batches.iter().map(each).collect(),
    };
    let model = model.optimize_multi(&mut SgdConfig::new().init(), 1.0.into(), grads);
    let got = 1.0 - values(model.model().weight.val())[0];
    assert!((got - 3.0).abs() < 1e-6, "{got}");
}

fn boxed(trick: impl Trick<Mean> + 'static) -> Box<dyn Trick<Mean>> {
    Box::new(trick)
}

/// Burn's sum is divided in the pass of the first trick that sees the gradients, wherever that stands.
#[test]
fn the_first_trick_that_sees_gradients_divides_them() {
    let mean = MeanOfAccumulated::new;
    let batches = [vec![1.0], vec![2.0], vec![6.0]];
    let third = 1.0 / 3.0;
    let (one, other) = (Notes::default(), Notes::default());
    let boxed: Box<dyn Trick<Mean>> = Box::new((Blind, one.clone()));
    let tricks = (
        Blind,
        mean(),
        (None::<Notes>, vec![boxed]),
        Some(other.clone()),
    );
    assert!((of_window(tricks, &batches) - 3.0).abs() < 1e-6);
    assert_eq!(*one.0.lock().unwrap(), [third]);
    assert!(other.0.lock().unwrap().is_empty(), "divided twice");
    // Without such a trick, and with one that does not know of it.
    assert!((of_window((Blind, mean()), &batches) - 3.0).abs() < 1e-6);
    let guard = (mean(), StepGuard::new(), Notes::default());
    assert!((of_window(guard, &batches) - 3.0).abs() < 1e-6);
}

/// A clip in the same pass clips the mean, not the sum.
#[test]
fn a_clip_that_divides_clips_the_mean() {
    let batches = [vec![1.0], vec![2.0], vec![6.0]];
    let clip = |max_norm| ClipGradNormConfig::new(max_norm).init().unwrap();
    for (max_norm, expected) in [(2.0, 2.0), (3.5, 3.0), (100.0, 3.0)] {
        let got = of_window((MeanOfAccumulated::new(), clip(max_norm)), &batches);
        assert!((got - expected).abs() < 1e-6, "{max_norm}: {got}");
        let chained = clip(max_norm).then(clip(1e6));
        let got = of_window((chained, MeanOfAccumulated::new()), &batches);
        assert!((got - expected).abs() < 1e-6, "{max_norm}: {got}");
    }
}
