//! The step of a whole module in one: the same bits as three separate calls on a CPU. A GPU takes the steps with other
//! kernels, whose roots and quotients differ by a few units of the last place: there the numbers are equal to 1e-5.

use crate::devices::{is_gpu, training_devices};
use crate::models::{Net, Noise, Pair, alone, dtypes, tensor, values};
use crate::oracle::off;
use burn::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::{GradientsParams, ModuleOptimizer, Optimizer, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device, GradientCheckpointingStrategy, Tensor};
use burn_tricks::average::{
    Buffers, Ema, EmaConfig, EmaSet, EmaWarmup, LawaConfig, ScheduleFreeAverageConfig, SwaConfig,
};
use burn_tricks::grad::{
    AutoClipConfig, ClipGradNormConfig, ClipGradValueConfig, GradientTransform, ListTransform,
    NoTransform, NonFinite, NormScope, NormalizeGradConfig,
};
use burn_tricks::kernels::TensorList;
use burn_tricks::optim::{
    AdaGradConfig, Adam, AdamConfig, AdamWConfig, FusedStep, LarsConfig, ModuleOptimizerExt as _,
    NAdamConfig, NormalizedGradientConfig, OptimizerExt as _, RmsPropConfig, SgdConfig,
    StepAverage, WeightDecayScope,
};
use burn_tricks::{Snapshot, force_init};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Parameters of several ranks: one without a gradient, one that is frozen, and one at two places.
#[derive(Module, Debug)]
pub(crate) struct Many {
    matrices: Vec<Param<Tensor<2>>>,
    pub(crate) bias: Param<Tensor<1>>,
    filters: Param<Tensor<4>>,
    idle: Param<Tensor<3>>,
    frozen: Param<Tensor<1>>,
    again: Param<Tensor<1>>,
}

impl Many {
    /// Of some 70 times `rows²` numbers: with 32 rows enough to be shared between threads.
    pub(crate) fn new(rows: usize, dtype: DType, device: &Device) -> Self {
        let mut noise = Noise(1);
        let bias = param([7, 0, 0, 0], &mut noise, dtype, device);
        Self {
            matrices: (0..70)
                .map(|_| param([rows, rows, 0, 0], &mut noise, dtype, device))
                .collect(),
            filters: param([3, 2, 2, 2], &mut noise, dtype, device),
            idle: param([2, 3, 2, 0], &mut noise, dtype, device),
            frozen: param::<1>([5, 0, 0, 0], &mut noise, dtype, device).set_require_grad(false),
            again: bias.clone(),
            bias,
        }
    }

    pub(crate) fn grads(&self, step: u64) -> GradientsParams {
        struct Grads(GradientsParams, Noise, ParamId);
        impl ModuleVisitor for Grads {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let value = param.val();
                if value.is_require_grad() && param.id != self.2 {
                    let numbers = self.1.take(value.shape().num_elements());
                    let grad = tensor::<1>(&numbers, value.dtype(), &value.inner().device());
                    self.0.register(param.id, grad.reshape(param.val().dims()));
                }
            }
        }
        let mut grads = Grads(GradientsParams::new(), Noise(step + 2), self.idle.id);
        self.visit(&mut grads);
        grads.0
    }
}

fn param<const D: usize>(
    shape: [usize; 4],
    noise: &mut Noise,
    dtype: DType,
    device: &Device,
) -> Param<Tensor<D>> {
    let shape: [usize; D] = std::array::from_fn(|at| shape[at]);
    let numbers = noise.take(shape.iter().product());
    let value = tensor::<1>(&numbers, dtype, device).reshape(shape);
    Param::initialized(ParamId::new(), value.set_require_grad(device.is_autodiff()))
}

/// The bits of all floats.
pub(crate) fn bits<M: Module>(model: &M) -> Vec<u64> {
    struct Bits(Vec<u64>);
    impl ModuleVisitor for Bits {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0
                .extend(values(param.val()).into_iter().map(f64::to_bits));
        }
    }
    let mut bits = Bits(Vec::new());
    model.visit(&mut bits);
    bits.0
}

/// The same bits on a CPU. On a GPU, numbers that differ by 1e-5 of their size at most, or a few units of the last place of
/// half precision.
pub(crate) fn assert_same(is_gpu: bool, dtype: DType, one: &[u64], other: &[u64], what: &str) {
    assert_eq!(one.len(), other.len(), "{what}");
    if !is_gpu {
        assert!(one == other, "{what}");
        return;
    }
    let relative = match dtype {
        DType::F16 => 4e-3,
        DType::BF16 => 3e-2,
        _ => 1e-5,
    };
    for (one, other) in one.iter().zip(other) {
        let (one, other) = (f64::from_bits(*one), f64::from_bits(*other));
        let off = off(one, other, other.abs().max(0.1));
        assert!(off <= relative, "{what}: {one} and {other}");
    }
}

/// An average, and what it does in a separate call.
pub(crate) trait Separate: StepAverage<Many> + Sized {
    fn update(&mut self, model: &Many, lr: f64);
    fn shown(&self) -> Vec<u64>;
}

impl Separate for () {
    fn update(&mut self, _model: &Many, _lr: f64) {}
    fn shown(&self) -> Vec<u64> {
        Vec::new()
    }
}

impl<R: burn_tricks::average::AverageRule> Separate for burn_tricks::average::Average<Many, R> {
    fn update(&mut self, model: &Many, lr: f64) {
        self.update_at(model, lr);
    }
    fn shown(&self) -> Vec<u64> {
        let mut shown = bits(&self.model());
        shown.extend([self.steps(), self.updates()]);
        shown
    }
}

impl Separate for EmaSet<Many> {
    fn update(&mut self, model: &Many, _lr: f64) {
        Self::update(self, model);
    }
    fn shown(&self) -> Vec<u64> {
        self.iter().flat_map(|ema| bits(&ema.model())).collect()
    }
}

/// Takes steps both ways, and compares after each.
pub(crate) fn same<T: GradientTransform + ListTransform, A: Separate>(
    name: &str,
    model: &Many,
    (optim, fused): (ModuleOptimizer, FusedStep),
    transform: impl Fn() -> T,
    average: impl Fn(&Many) -> A,
) {
    let is_gpu = TensorList::from(model.bias.val().inner()).are_on_gpu() == [true];
    let (mut one, mut other) = (model.clone(), model.clone());
    let (mut optim, mut separate, mut mean) = (optim, transform(), average(model));
    let mut fused = fused
        .with_transform(transform())
        .with_average(average(model));
    for step in 0..6_u32 {
        let lr = 0.01 * (1.0 + f64::from(step));
        let grads = one.grads(u64::from(step));
        let grads = separate.apply(&one, grads);
        one = optim.step(lr, one, grads);
        mean.update(&one, lr);

        let grads = other.grads(u64::from(step));
        other = fused.step(lr, other, grads);
        let (dtype, what) = (
            model.bias.dtype(),
            format!("{name}: weights at step {step}"),
        );
        assert_same(is_gpu, dtype, &bits(&one), &bits(&other), &what);
        let (mean, fused) = (mean.shown(), fused.average().shown());
        let what = format!("{name}: the average at step {step}");
        assert_same(is_gpu, dtype, &mean, &fused, &what);
    }
    assert!(bits(&one) != bits(model), "{name} does something");
}

pub(crate) fn pair<O: Optimizer>(optim: O) -> (ModuleOptimizer, FusedStep) {
    (ModuleOptimizer::from(optim.clone()), optim.fused())
}

/// A law of every optimizer: its steps in a `FusedStep` are those in a `ModuleOptimizer`.
pub(crate) fn is_the_same_fused<O: Optimizer>(name: &str, optim: O, device: &Device) {
    let model = Many::new(2, DType::F32, &device.clone().autodiff());
    same(name, &model, pair(optim), || NoTransform, |_| ());
}

pub(crate) fn adam() -> Adam {
    AdamConfig::torch().build().unwrap()
}

/// Some optimizers of each kind: alone, in a stack, Burn's, without a state, with decay of matrices.
fn optimizers() -> Vec<(&'static str, (ModuleOptimizer, FusedStep))> {
    use burn::optim::decay::WeightDecayConfig;
    let decay = AdamWConfig::torch().with_weight_decay_scope(WeightDecayScope::Matrices);
    let coupled = AdamConfig::torch().with_weight_decay(Some(WeightDecayConfig::new(0.1)));
    let momentum = SgdConfig::torch().with_momentum_factor(0.9);
    let stack = adam().decoupled_weight_decay(0.01).unwrap().trust_ratio();
    vec![
        ("SGD", pair(SgdConfig::new().build().unwrap())),
        ("momentum", pair(momentum.build().unwrap())),
        ("Adam", pair(adam())),
        ("Adam, decay", pair(coupled.build().unwrap())),
        ("AdamW", pair(decay.build().unwrap())),
        ("AdaGrad", pair(AdaGradConfig::new().build().unwrap())),
        ("RMSProp", pair(RmsPropConfig::torch().build().unwrap())),
        ("NAdam", pair(NAdamConfig::new().build().unwrap())),
        (
            "normalised",
            pair(NormalizedGradientConfig::new().build().unwrap()),
        ),
        ("stack", pair(stack.lookahead(2, 0.5).unwrap())),
        ("Burn's Adam", pair(burn::optim::AdamConfig::new().build())),
        ("Burn's Lion", pair(burn::optim::LionConfig::new().build())),
    ]
}

#[test]
fn every_optimizer_with_and_without_clipping_and_average() {
    let clip = || ClipGradNormConfig::new(0.5).init().unwrap();
    let ema = |model: &Many| EmaConfig::new(0.9).init(model).unwrap();
    for (device_name, device) in training_devices() {
        // On flex on all threads; elsewhere smaller, since it is slow there.
        let rows = if device_name == "flex" { 32 } else { 4 };
        let model = Many::new(rows, DType::F32, &device);
        for (name, optim) in optimizers() {
            let name = format!("{name} on {device_name}");
            same(&name, &model, optim.clone(), || NoTransform, |_| ());
            same(&name, &model, optim.clone(), clip, |_| ());
            same(&name, &model, optim.clone(), || NoTransform, ema);
            same(&name, &model, optim, clip, ema);
        }
    }
}

/// Small, for a software renderer: optimizers that need a number of each tensor too, in a group of their own, a tied weight,
/// and a model and gradients that somebody holds.
#[test]
fn on_a_gpu_steps_are_taken_together() {
    for (name, device) in training_devices().into_iter().filter(|one| is_gpu(one.0)) {
        let model = Many::new(2, DType::F32, &device);
        let clip = || ClipGradNormConfig::new(0.5).init().unwrap();
        let ema = |model: &Many| EmaConfig::new(0.9).init(model).unwrap();
        let lars = || LarsConfig::new().with_coefficient(0.1).build().unwrap();
        let tensors = || NormalizedGradientConfig::per_tensor().build().unwrap();
        let lamb = || adam().trust_ratio();
        let biases = || ParamGroup::from_regex("bias$|filters").unwrap();
        let some = || ParamGroup::from_regex(r"^matrices\.1").unwrap();
        let (separate, fused) = pair(adam());
        let separate =
            (separate.with_group(biases(), lars(), None)).with_group(some(), lamb(), None);
        let fused = (fused.with_group(biases(), lars(), None)).with_group(some(), lamb(), None);
        let what = format!("groups on {name}");
        same(&what, &model, (separate, fused), clip, ema);
        let what = format!("cautious on {name}");
        same(
            &what,
            &model,
            pair(adam().cautious()),
            || NoTransform,
            |_| (),
        );
        same(
            &format!("normalised on {name}"),
            &model,
            pair(tensors()),
            clip,
            |_| (),
        );

        // Somebody holds the model and the gradients.
        for optim in [pair(lamb()), pair(lars()), pair(adam())] {
            let (mut separate, mut fused) = optim;
            let (mut one, mut other) = (model.clone(), model.clone());
            for step in 0..3 {
                let grads = other.grads(step);
                let kept = grads.get::<1>(other.bias.id).expect("a gradient");
                let (before, numbers) = (other.clone(), bits(&other));
                let gradient = values(kept.clone());
                one = separate.step(0.01, one, before.grads(step));
                other = fused.step(0.01, other, grads);
                let what = format!("held, step {step} on {name}");
                assert_same(true, DType::F32, &bits(&one), &bits(&other), &what);
                assert_eq!(bits(&before), numbers, "{what}: the model");
                assert_eq!(values(kept), gradient, "{what}: the gradient");
                // As Burn: a tied parameter at its first place.
                assert_ne!(bits(&before.bias), bits(&other.bias), "{what}");
                assert_eq!(bits(&before.again), bits(&other.again), "{what}");
            }
        }
    }
}

/// The bits do not depend on the number of threads, on who holds a weight or a gradient, or on where the step is called.
#[test]
fn threads_and_shared_buffers_change_nothing() {
    let device = Device::flex().autodiff();
    let steps = |held: bool| {
        let mut model = Many::new(32, DType::F32, &device);
        let average = EmaConfig::new(0.9).init(&model).unwrap();
        let mut fused = adam().fused().with_average(average);
        for step in 0..3 {
            let grads = model.grads(step);
            let of = |id| grads.get::<2>(id);
            let kept: Vec<_> = model.matrices.iter().map(|one| of(one.id)).collect();
            let before = model.clone();
            let numbers = bits(&before);
            if !held {
                drop((kept, before));
                model = fused.step(0.1, model, grads);
                continue;
            }
            let values_of = |grads: &[Option<Tensor<2>>]| -> Vec<_> {
                let grads = grads.iter().flatten();
                grads.map(|grad| values(grad.clone())).collect()
            };
            let gradients = values_of(&kept);
            model = fused.step(0.1, model, grads);
            assert_eq!(bits(&before), numbers, "the held model");
            assert_eq!(values_of(&kept), gradients, "the held gradients");
        }
        (bits(&model), bits(&fused.average().model()))
    };
    let expected = steps(false);
    assert_eq!(steps(true), expected);
    for threads in [1, 2, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        assert_eq!(pool.install(|| steps(false)), expected, "{threads} threads");
    }
}

/// An optimizer of one's own that panics at a weight in the middle of the model.
#[test]
fn a_panic_of_the_optimizer_on_another_thread_is_that_of_the_step() {
    #[derive(Debug, Clone)]
    struct Panics(Adam);
    impl Optimizer for Panics {
        type State<const D: usize> = <Adam as Optimizer>::State<D>;

        fn step<const D: usize>(
            &self,
            lr: f64,
            weight: Tensor<D>,
            grad: Tensor<D>,
            state: Option<Self::State<D>>,
        ) -> (Tensor<D>, Option<Self::State<D>>) {
            assert!(D != 4, "no filters");
            self.0.step(lr, weight, grad, state)
        }

        fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
            Adam::to_device::<D>(state, device)
        }
    }
    let model = Many::new(4, DType::F32, &Device::flex().autodiff());
    let mut fused = FusedStep::new(Panics(adam()));
    let step = AssertUnwindSafe(|| drop(fused.step(0.1, model.clone(), model.grads(0))));
    let panic = catch_unwind(step).unwrap_err();
    assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "no filters");
}

#[test]
fn every_transform_of_lists() {
    let clip = || ClipGradNormConfig::new(0.5);
    let ema = |model: &Many| EmaConfig::new(0.9).init(model).unwrap();
    for (device_name, device) in training_devices() {
        let model = &Many::new(4, DType::F32, &device);
        let name = |name: &str| format!("{name} on {device_name}");
        let optim = || pair(adam());
        let tensors = || clip().with_scope(NormScope::Tensor).init().unwrap();
        same(&name("by tensor"), model, optim(), tensors, ema);
        let unit = || ClipGradNormConfig::to_unit_norm(2.0).init().unwrap();
        same(&name("to norm 1"), model, optim(), unit, ema);
        let normalize = || NormalizeGradConfig::new().init().unwrap();
        same(&name("normalised"), model, optim(), normalize, ema);
        let value = || ClipGradValueConfig::new(0.3).init().unwrap();
        same(&name("by value"), model, optim(), value, ema);
        let auto = || AutoClipConfig::new().with_history(3).init().unwrap();
        same(&name("AutoClip"), model, optim(), auto, ema);
        let two = || value().then(clip().init().unwrap());
        same(&name("two"), model, optim(), two, ema);
        same(&name("some"), model, optim(), || Some(normalize()), ema);
        let none = || Some(value()).filter(|_| false);
        same(&name("none"), model, optim(), none, ema);
    }
}

#[test]
fn every_average() {
    let clip = || ClipGradNormConfig::new(0.5).init().unwrap();
    for (device_name, device) in training_devices() {
        let model = &Many::new(4, DType::F32, &device);
        let name = |name: &str| format!("{name} on {device_name}");
        let optim = || pair(adam());
        let ema = EmaConfig::new(0.9);
        let late = ema.clone().with_start_after(2).with_update_every(2);
        same(&name("late"), model, optim(), clip, |m| {
            late.init(m).unwrap()
        });
        let first = ema.clone().with_warmup(EmaWarmup::FirstUpdateCopies);
        same(&name("copies"), model, optim(), clip, |m| {
            first.init(m).unwrap()
        });
        let swa = SwaConfig::new(1);
        same(&name("SWA"), model, optim(), clip, |m| swa.init(m).unwrap());
        let lawa = LawaConfig::new(3, 1);
        same(&name("LAWA"), model, optim(), clip, |m| {
            lawa.init(m).unwrap()
        });
        let free = ScheduleFreeAverageConfig::new();
        same(&name("schedule-free"), model, optim(), clip, |m| {
            free.init(m).unwrap()
        });
        let set = [ema.clone(), late.clone(), EmaConfig::new(0.99)];
        let set = |m: &Many| EmaSet::init(&set, m).unwrap();
        same(&name("a set"), model, optim(), clip, set);
    }
}

#[test]
fn every_element_type() {
    let clip = || ClipGradNormConfig::new(0.5).init().unwrap();
    for (device_name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let model = Many::new(4, dtype, &device);
            let name = format!("{dtype:?} on {device_name}");
            let ema = |model: &Many| EmaConfig::new(0.9).init(model).unwrap();
            same(&name, &model, pair(adam()), clip, ema);
            let master = adam().master_weights();
            same(&name, &model, pair(master), clip, ema);
        }
    }
}

/// Everything about a parameter but its values.
#[derive(Debug, PartialEq)]
struct Kind {
    id: ParamId,
    device: Device,
    dtype: DType,
    dims: Vec<usize>,
    requires_grad: bool,
    checkpointing: Option<GradientCheckpointingStrategy>,
}

fn kinds<M: Module>(model: &M) -> Vec<Kind> {
    struct Kinds(Vec<Kind>);
    impl ModuleVisitor for Kinds {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            self.0.push(Kind {
                id: param.id,
                device: value.device(),
                dtype: value.dtype(),
                dims: value.dims().to_vec(),
                requires_grad: value.is_require_grad(),
                checkpointing: value.gradient_checkpointing_strategy(),
            });
        }
    }
    let mut kinds = Kinds(Vec::new());
    model.visit(&mut kinds);
    kinds.0
}

#[test]
fn only_the_values_of_parameters_with_a_gradient_change() {
    for (_, device) in training_devices() {
        for device in [device.clone(), device.gradient_checkpointing()] {
            let model = Many::new(4, DType::F32, &device);
            let mut fused = adam().fused();
            let grads = model.grads(0);
            let after = fused.step(0.1, model.clone(), grads);
            assert_eq!(kinds(&model), kinds(&after));
            assert_eq!(bits(&model.idle), bits(&after.idle));
            assert_eq!(bits(&model.frozen), bits(&after.frozen));
            // As Burn: a tied parameter at its first place.
            assert_ne!(bits(&model.bias), bits(&after.bias));
            assert_eq!(bits(&model.again), bits(&after.again));
            assert_ne!(bits(&model.filters), bits(&after.filters));
            // Without gradients nothing changes.
            let again = fused.step(0.1, after.clone(), GradientsParams::new());
            assert_eq!(bits(&after), bits(&again));
        }
    }
}

#[test]
fn groups_and_learning_rates_by_path() {
    let (name, device) = training_devices().remove(0);
    let model = Many::new(4, DType::F32, &device);
    let biases = || ParamGroup::from_regex("bias$").unwrap();
    let first = || ParamGroup::from_regex(r"^matrices\.1\d$").unwrap();
    let sgd = || {
        SgdConfig::torch()
            .with_momentum_factor(0.9)
            .build()
            .unwrap()
    };
    let lion = || burn::optim::LionConfig::new().build();
    let optim = ModuleOptimizer::from(adam())
        .with_group(biases(), sgd(), None)
        .with_group(first(), lion(), None);
    let fused = adam()
        .fused()
        .with_group(biases(), sgd(), None)
        .with_group(first(), lion(), None);
    let rates = || -> ModuleLearningRate {
        ModuleLrScheduler::new(0.01_f64)
            .with_group(ParamGroup::from_regex(r"\.2\d$").unwrap(), 0.05_f64)
            .with_group(ParamGroup::from_regex("filters").unwrap(), 0.0_f64)
            .step()
    };
    let (mut optim, mut fused, mut one, mut other) = (optim, fused, model.clone(), model.clone());
    for step in 0..4 {
        if step == 2 {
            // A group that comes late begins anew.
            optim = optim.with_group(ParamGroup::from_path("filters"), adam(), None);
            fused = fused.with_group(ParamGroup::from_path("filters"), adam(), None);
        }
        let (a, b) = (one.grads(step), other.grads(step));
        one = optim.step(rates(), one, a);
        other = fused.step(rates(), other, b);
        let what = format!("step {step} on {name}");
        assert_same(is_gpu(name), DType::F32, &bits(&one), &bits(&other), &what);
    }
    assert_eq!(bits(&one.filters), bits(&model.filters), "at a rate of 0");
    // The record names the groups' parameters.
    let record = fused.to_record();
    assert!(!record.is_empty());
    let mut resumed = ModuleOptimizer::from(adam())
        .with_group(biases(), sgd(), None)
        .with_group(first(), lion(), None)
        .with_group(ParamGroup::from_path("filters"), adam(), None)
        .try_load_record(&other, record)
        .unwrap();
    let (a, b) = (one.grads(9), other.grads(9));
    one = optim.step(rates(), one, a);
    other = resumed.step(rates(), other, b);
    assert_same(
        is_gpu(name),
        DType::F32,
        &bits(&one),
        &bits(&other),
        "resumed",
    );
}

/// A run in `FusedStep` or in a `ModuleOptimizer`, which changes between the two.
#[test]
fn a_record_loads_into_either() {
    for (name, (optim, fused)) in optimizers() {
        let (on, device) = training_devices().remove(0);
        let model = Many::new(4, DType::F32, &device);
        let (mut whole, mut one) = (model.clone(), optim.clone());
        let (mut there, mut back) = (optim.clone(), fused.clone());
        let mut other = model;
        for step in 0..6 {
            let grads = whole.grads(step);
            whole = one.step(0.01, whole, grads);
            let grads = other.grads(step);
            if step % 2 == 0 {
                let record = OptimizerRecord::from_bytes(there.into_bytes().unwrap()).unwrap();
                back = fused.clone().try_load_record(&other, record).unwrap();
                other = back.step(0.01, other, grads);
            } else {
                let bytes = back.to_record().into_bytes().unwrap();
                // Also into itself.
                let again = fused.clone().try_from_bytes(&other, bytes).unwrap();
                there = optim
                    .clone()
                    .try_load_record(&other, again.to_record())
                    .unwrap();
                other = there.step(0.01, other, grads);
            }
            let what = format!("{name}, step {step} on {on}");
            assert_same(is_gpu(on), DType::F32, &bits(&whole), &bits(&other), &what);
        }
    }
}

#[test]
fn a_record_of_another_model_is_an_error() {
    let device = Device::flex().autodiff();
    let model = Many::new(4, DType::F32, &device);
    let mut fused = adam().fused();
    let grads = model.grads(0);
    let model = fused.step(0.1, model, grads);
    let error = |model: &Many, record| {
        let refused = adam().fused().try_load_record(model, record);
        refused.unwrap_err().to_string()
    };
    let other = Many::new(4, DType::F32, &device);
    let text = error(&other, fused.to_record());
    assert!(
        text.contains("parameters that the model does not have"),
        "{text}"
    );
    let mut sgd = SgdConfig::torch()
        .with_momentum_factor(0.9)
        .build()
        .unwrap()
        .fused();
    let grads = model.grads(0);
    let model = sgd.step(0.1, model, grads);
    let text = error(&model, sgd.to_record());
    assert!(text.contains("cannot read the recorded state"), "{text}");
    let missing = adam().fused().try_load(&model, "/nowhere/optim.bpk");
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("/nowhere/optim.bpk")
    );
    let damaged = fused.to_record().into_bytes().unwrap()[..100].to_vec();
    let damaged = burn::tensor::Bytes::from_bytes_vec(damaged);
    assert!(adam().fused().try_from_bytes(&model, damaged).is_err());
}

#[test]
fn a_marked_step_is_skipped() {
    for (name, device) in training_devices() {
        let adam = || AdamConfig::torch().with_skip_marked(true).build().unwrap();
        let clip = ClipGradNormConfig::new(1.0).with_non_finite(NonFinite::SkipStep);
        let mut fused = adam().fused().with_transform(clip.init().unwrap());
        let (mut model, mut without) = (Many::new(4, DType::F32, &device), adam().fused());
        let mut other = model.clone();
        let clip = ClipGradNormConfig::new(1.0).init().unwrap();
        for step in 0..4 {
            let mut grads = model.grads(step);
            if step == 2 {
                let bad = Tensor::<1>::full([7], f32::INFINITY, &device.clone().without_autodiff());
                grads.register(model.bias.id, bad);
            } else {
                let grads = clip.apply(&other, other.grads(step));
                other = without.step(0.1, other, grads);
            }
            model = fused.step(0.1, model, grads);
            let what = format!("step {step} on {name}");
            assert_same(
                is_gpu(name),
                DType::F32,
                &bits(&model),
                &bits(&other),
                &what,
            );
        }
    }
}

/// Running statistics have updates that only a walk of the average itself sees.
#[test]
fn a_model_with_batch_norm_is_averaged_as_by_a_separate_call() {
    let _alone = alone();
    // In front of a batch norm the gradient of a bias is 0 but for rounding, which Adam takes for a direction.
    let devices = training_devices().into_iter();
    for (name, device) in devices.filter(|(name, _)| !is_gpu(name)) {
        for buffers in [Buffers::Average, Buffers::Copy] {
            device.seed(3);
            let start = Net::new(0.0, &device);
            force_init(&start);
            // A clone would share the statistics.
            let run = |fused: bool| -> (Vec<u64>, Vec<u64>) {
                let mut model = Snapshot::new(&start).restore(&start).unwrap();
                let config = EmaConfig::new(0.9).with_buffers(buffers);
                let mut ema = config.init(&model).unwrap();
                let (mut optim, mut one): (ModuleOptimizer, _) = (
                    adam().init(),
                    adam().fused().with_average(config.init(&model).unwrap()),
                );
                let mut noise = Noise(5);
                for _ in 0..4 {
                    let input = tensor::<1>(&noise.take(32), DType::F32, &device);
                    let loss = model.forward(input.reshape([8, 4])).square().mean();
                    let grads = GradientsParams::from_grads(loss.backward(), &model);
                    if fused {
                        model = one.step(0.01, model, grads);
                    } else {
                        model = optim.step(0.01, model, grads);
                        ema.update(&model);
                    }
                }
                let mean: Net = if fused {
                    one.average().model()
                } else {
                    ema.model()
                };
                (bits(&model.valid()), bits(&mean))
            };
            assert!(run(true) == run(false), "{buffers:?} on {name}");
        }
    }
}

#[test]
fn what_cannot_be_stepped_panics() {
    #[derive(Debug)]
    struct Loses;
    impl ListTransform for Loses {
        fn apply_to_list(&mut self, mut grads: TensorList) -> TensorList {
            grads.pop::<2>();
            grads
        }
    }
    let device = Device::flex().autodiff();
    let model = Many::new(4, DType::F32, &device);
    let panics = |step: &mut dyn FnMut()| {
        let panic = catch_unwind(AssertUnwindSafe(step)).unwrap_err();
        let text = panic.downcast_ref::<String>();
        text.expect("a message").clone()
    };
    let grads = || model.grads(0);
    let mut loses = adam().fused().with_transform(Loses);
    let text = panics(&mut || drop(loses.step(0.1, model.clone(), grads())));
    assert!(text.contains("as many gradients as it gets"), "{text}");
    // The average of a model with other shapes.
    let other: Ema<Many> = EmaConfig::new(0.9)
        .init(&Many::new(3, DType::F32, &device))
        .unwrap();
    let mut fused = adam().fused().with_average(other);
    let text = panics(&mut || drop(fused.step(0.1, model.clone(), grads())));
    assert!(text.contains("`matrices.0` [3, 3]"), "{text}");
}

#[test]
fn the_parts_can_be_reached_and_named() {
    let model = Pair::new(&[1.0], &[2.0], DType::F32, &Device::flex().autodiff());
    let clip = ClipGradNormConfig::new(1.0).init().unwrap();
    let mut fused = adam()
        .fused()
        .with_transform(AutoClipConfig::new().init().unwrap())
        .with_average(EmaConfig::new(0.9).init(&model).unwrap());
    let model = fused.step(0.1, model.clone(), model.grads(&[3.0], &[4.0]));
    assert_eq!(fused.average().steps(), 1);
    fused.average_mut().restart(&model);
    assert_eq!(fused.average().steps(), 0);
    let state = fused.transform().state();
    let fresh = AutoClipConfig::new().init().unwrap();
    assert_ne!(fresh.state(), state);
    let mut other = adam().fused().with_transform(fresh);
    other.transform_mut().load_state(&state).unwrap();
    assert_eq!(other.transform().state(), state);
    let text = format!("{:?}", adam().fused().with_transform(clip));
    assert!(text.contains("FusedStep { groups: 1, states: 0"), "{text}");
    let record: ModuleRecord = fused.average().to_record();
    assert!(record.len() > 2);
}
