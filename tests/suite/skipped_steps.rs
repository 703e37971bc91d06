//! A step that must not happen moves nothing: on the device for this library's optimizers, by one read for
//! every other.

use crate::counter::{Counter, counting, learner, weight};
use crate::devices::{devices, training_devices};
use crate::models::{Net, Noise, Pair, alone, dtypes, numbers, tensor, values};
use crate::net_training::{Batch, training};
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, Optimizer, RecordState, StateSink};
use burn::tensor::{DType, Device, Tensor};
use burn::train::{Learner, TrainStep};
use burn_tricks::grad::{ClipGradNorm, NonFinite, NormScope, NormalizeGrad, mark_non_finite};
use burn_tricks::kernels::{TensorList, scale_or_nan, scale_or_nan_twin};
use burn_tricks::optim::{
    AdaBeliefConfig, AdaDeltaConfig, AdaGradConfig, AdamConfig, AdamWConfig, AdamaxConfig,
    DecoupledWeightDecayConfig, Epsilon, LarsConfig, Memory, MomentumForm, MomentumMemory,
    NAdamConfig, OptimizerExt as _, RAdamConfig, RmsPropConfig, SgdConfig, SignumConfig,
    WeightDecayMode,
};
use burn_tricks::prelude::*;
use burn_tricks::schedule::{LinearRampConfig, SkipCount};
use burn_tricks::train::StepContext;
use std::path::Path;
use std::sync::{Arc, Mutex};

const GOOD: bool = true;
const BAD: bool = false;

/// Runs that begin with a skipped step, have several in a row, and end with one.
const PLANS: [&[bool]; 3] = [
    &[GOOD, GOOD, BAD, GOOD, BAD, BAD, GOOD, GOOD],
    &[BAD, GOOD, GOOD, BAD, GOOD],
    &[BAD, BAD, GOOD, GOOD, GOOD, BAD],
];

fn bits(tensor: &Tensor<2>) -> Vec<u8> {
    tensor.to_data().as_bytes().to_vec()
}

/// What a record would hold.
fn recorded<S: RecordState>(state: &Option<S>) -> (Vec<(String, Vec<f64>)>, Option<u64>) {
    let mut sink = StateSink::default();
    if let Some(state) = state {
        state.state_flatten("p", &mut sink);
    }
    let time = |(name, value): &(String, _)| {
        let value: u64 = TryFrom::try_from(*value).ok()?;
        name.ends_with("time").then_some(value)
    };
    let time = sink.scalars.iter().find_map(time);
    let tensors = sink.tensors.into_iter();
    let tensors = tensors.map(|(name, data)| (name, data.iter::<f64>().collect()));
    (tensors.collect(), time)
}

/// The weights after a plan, with the bad steps skipped, and after its good steps alone.
fn both<O: Optimizer>(
    name: &str,
    optim: &O,
    plan: &[bool],
    dtype: DType,
    device: &Device,
    reload: bool,
) -> (Tensor<2>, Tensor<2>) {
    let make = |noise: &mut Noise| {
        let numbers: Tensor<1> = tensor(&noise.take(12), dtype, device);
        numbers.reshape([3, 4])
    };
    let mut noise = Noise(11);
    let mut weight = make(&mut noise);
    let mut alone = weight.clone();
    let (mut state, mut state_alone) = (None, None);
    let mut good_steps = 0;
    for (step, good) in plan.iter().enumerate() {
        let lr = 0.1;
        if *good {
            let grad = make(&mut noise);
            let next = optim.step(lr, alone, grad.clone(), state_alone);
            (alone, state_alone) = next;
            (weight, state) = optim.step(lr, weight, grad, state);
            good_steps += 1;
        } else {
            let before = (bits(&weight), recorded(&state));
            let marked = weight.full_like(f64::NAN);
            (weight, state) = optim.step(lr, weight, marked, state);
            let what = format!("{name}, {dtype:?}, step {step} of {plan:?}");
            assert_eq!(bits(&weight), before.0, "{what}");
            let now = recorded(&state);
            if !before.1.0.is_empty() {
                assert_eq!(now, before.1, "{what}");
            }
        }
        if let (_, Some(time)) = recorded(&state) {
            assert_eq!(time, good_steps, "{name}, step {step} of {plan:?}");
        }
        if reload && let Some(old) = &state {
            let mut sink = StateSink::default();
            old.state_flatten("p", &mut sink);
            let scalars = sink.scalars.into_iter().collect();
            let mut source = burn::optim::StateSource::new(scalars);
            for (name, data) in sink.tensors {
                source.insert_tensor(name, data);
            }
            let read = O::State::<2>::state_unflatten("p", &mut source, device);
            state = read.map(|state| O::to_device(state, device));
        }
    }
    (weight, alone)
}

/// What is done with each optimizer.
trait Check {
    fn check<O: Optimizer>(&self, name: &str, optim: O);
}

fn every_optimizer(check: &impl Check) {
    let penalty = || Some(WeightDecayConfig::new(0.1));
    let dampened = |nesterov| {
        let momentum = MomentumConfig::new().with_dampening(0.3);
        let momentum = Some(momentum.with_nesterov(nesterov));
        SgdConfig::new()
            .with_momentum(momentum)
            .with_skip_marked(true)
    };
    let sgd = || SgdConfig::torch().with_skip_marked(true);
    check.check("sgd", sgd().build().unwrap());
    let decayed = sgd().with_weight_decay(penalty());
    check.check("sgd, decay", decayed.build().unwrap());
    let decoupled = decayed.with_weight_decay_mode(WeightDecayMode::Decoupled);
    check.check("sgd, decoupled", decoupled.build().unwrap());
    let momentum = sgd().with_momentum_factor(0.9);
    check.check("momentum", momentum.build().unwrap());
    check.check("dampened", dampened(false).build().unwrap());
    let decayed = dampened(true).with_weight_decay(penalty());
    check.check("dampened, nesterov", decayed.build().unwrap());
    let lesson = SgdConfig::lesson().with_skip_marked(true);
    check.check("lesson", lesson.build().unwrap());

    let adagrad = AdaGradConfig::new().with_skip_marked(true);
    check.check("adagrad", adagrad.build().unwrap());
    let slowed = adagrad.with_lr_decay(0.5).with_initial_accumulator(0.1);
    check.check("adagrad, slowed", slowed.build().unwrap());
    let decayed = slowed
        .with_weight_decay(penalty())
        .with_weight_decay_mode(WeightDecayMode::Decoupled);
    check.check("adagrad, decoupled", decayed.build().unwrap());

    for centered in [false, true] {
        for momentum in [0.0, 0.9] {
            let rms = RmsPropConfig::new()
                .with_skip_marked(true)
                .with_centered(centered)
                .with_momentum(momentum);
            let name = format!("rmsprop, {centered}, {momentum}");
            check.check(&name, rms.build().unwrap());
        }
    }

    for amsgrad in [false, true] {
        let adam = AdamConfig::new()
            .with_skip_marked(true)
            .with_amsgrad(amsgrad);
        check.check(&format!("adam, {amsgrad}"), adam.build().unwrap());
        let decayed = adam.with_weight_decay(penalty());
        check.check(&format!("adam, decay, {amsgrad}"), decayed.build().unwrap());
        let adam_w = AdamWConfig::new()
            .with_skip_marked(true)
            .with_weight_decay(0.1)
            .with_amsgrad(amsgrad);
        check.check(&format!("adamw, {amsgrad}"), adam_w.build().unwrap());
        let cautious = adam_w.with_cautious_weight_decay(true);
        check.check(&format!("cautious, {amsgrad}"), cautious.build().unwrap());
    }

    for psi in [None, Some(0.0), Some(0.5)] {
        let n_adam = NAdamConfig::new()
            .with_skip_marked(true)
            .with_momentum_decay(psi);
        let name = format!("nadam, {psi:?}");
        check.check(&name, n_adam.build().unwrap());
    }
    for beta_2 in [0.6, 0.8, 0.999] {
        for config in [RAdamConfig::new(), RAdamConfig::optax()] {
            let r_adam = config.with_skip_marked(true).with_beta_2(beta_2);
            check.check(&format!("radam, {beta_2}"), r_adam.build().unwrap());
        }
    }
    let adamax = AdamaxConfig::new().with_skip_marked(true);
    check.check("adamax", adamax.build().unwrap());
    let ada_delta = AdaDeltaConfig::new().with_skip_marked(true);
    check.check("adadelta", ada_delta.build().unwrap());
    let signum = SignumConfig::new().with_skip_marked(true);
    check.check("signum", signum.build().unwrap());
    let belief = AdaBeliefConfig::new().with_skip_marked(true);
    check.check("adabelief", belief.with_epsilon(1e-3).build().unwrap());
    for form in [MomentumForm::OfUpdate, MomentumForm::OfGradient] {
        let lars = LarsConfig::new()
            .with_skip_marked(true)
            .with_momentum_form(form);
        check.check(&format!("lars, {form:?}"), lars.build().unwrap());
    }

    let adam = || {
        let config = AdamConfig::new().with_skip_marked(true);
        config.build().unwrap()
    };
    check.check("cautious Adam", adam().cautious());
    check.check("trust ratio", adam().trust_ratio());
    check.check("master weights", adam().master_weights());
    let decay = DecoupledWeightDecayConfig::new(0.1).with_skip_marked(true);
    check.check("decoupled decay", decay.build(adam()).unwrap());

    let decay = Memory::Decay { beta: 0.9 };
    let of_gradient = MomentumMemory::OfGradient { beta: 0.8 };
    for scope in [NormScope::Element, NormScope::Tensor] {
        for memory in [Memory::None, Memory::Sum, decay] {
            for momentum in [
                MomentumMemory::None,
                of_gradient,
                MomentumMemory::OfUpdate { mu: 0.7 },
            ] {
                let corrected = memory == decay || momentum == of_gradient;
                let family = NormalizedGradientConfig::new()
                    .with_scope(scope)
                    .with_memory(memory)
                    .with_momentum(momentum)
                    .with_bias_correction(corrected)
                    .with_weight_decay(0.1)
                    .with_weight_decay_mode(WeightDecayMode::Decoupled)
                    .with_skip_marked(true);
                let name = format!("{scope:?}, {memory:?}, {momentum:?}");
                check.check(&name, family.build().unwrap());
                let coupled = family
                    .with_weight_decay(0.1)
                    .with_weight_decay_mode(WeightDecayMode::Coupled)
                    .with_epsilon(Epsilon::OutsideRoot(1e-3));
                check.check(&name, coupled.build().unwrap());
            }
        }
    }
}

struct OnEveryDevice;

impl Check for OnEveryDevice {
    fn check<O: Optimizer>(&self, name: &str, optim: O) {
        for (device_name, device) in devices() {
            for plan in PLANS {
                for dtype in dtypes(&device) {
                    let (skipped, alone) = both(name, &optim, plan, dtype, &device, false);
                    if device_name == "flex" {
                        // The host sees the mark there: the same run, to the bit.
                        assert_eq!(bits(&skipped), bits(&alone), "{name}, {dtype:?}, {plan:?}");
                    } else {
                        assert_close(name, skipped, alone);
                    }
                }
            }
        }
    }
}

/// The way of every backend but the CPU's: tensors that autodiff tracks have no kernels.
struct WithoutKernels {
    reload: bool,
}

impl Check for WithoutKernels {
    fn check<O: Optimizer>(&self, name: &str, optim: O) {
        for plan in PLANS {
            for (_, device) in training_devices() {
                for dtype in dtypes(&device) {
                    let (skipped, alone) = both(name, &optim, plan, dtype, &device, self.reload);
                    assert_close(name, skipped, alone);
                }
            }
        }
    }
}

fn assert_close(name: &str, skipped: Tensor<2>, alone: Tensor<2>) {
    let relative = match skipped.dtype() {
        DType::F64 => 1e-7,
        DType::F32 => 2e-6,
        DType::F16 => 2e-3,
        _ => 1.6e-2,
    };
    for (a, b) in values(skipped).into_iter().zip(values(alone)) {
        let close = (a - b).abs() <= relative * b.abs().max(0.1);
        assert!(close, "{name}: {a} with skipped steps, {b} without them");
    }
}

#[test]
fn a_marked_gradient_moves_nothing() {
    every_optimizer(&OnEveryDevice);
}

#[test]
fn nor_where_only_the_device_sees_the_mark() {
    every_optimizer(&WithoutKernels { reload: false });
}

#[test]
fn nor_in_a_run_that_is_resumed_at_every_step() {
    every_optimizer(&WithoutKernels { reload: true });
}

#[test]
fn without_being_asked_a_nan_shows() {
    for (_, device) in devices() {
        let weight = || tensor::<1>(&[1.0, 2.0, 3.0], DType::F32, &device);
        let nan = || tensor::<1>(&[f64::NAN; 3], DType::F32, &device);
        let adam = AdamConfig::new().build().unwrap();
        let (weight, _) = adam.step(0.1, weight(), nan(), None);
        assert!(values(weight).iter().all(|w| w.is_nan()));
    }
}

#[test]
fn a_nan_here_and_there_shows_and_is_no_mark() {
    for (_, device) in devices() {
        for numbers in [
            [f64::NAN, 1.0, 1.0],
            [1.0, f64::NAN, 1.0],
            [1.0, 1.0, f64::NAN],
        ] {
            let weight = tensor::<1>(&[1.0, 2.0, 3.0], DType::F32, &device);
            let grad = tensor::<1>(&numbers, DType::F32, &device);
            let sgd = SgdConfig::new().with_skip_marked(true).build().unwrap();
            let (weight, _) = sgd.step(0.1, weight, grad, None);
            for (w, g) in values(weight).into_iter().zip(numbers) {
                assert_eq!(w.is_nan(), g.is_nan());
            }
        }
    }
}

/// The step that should not have happened: two good ones at the rate 0.1, then a NaN.
#[test]
fn a_zeroed_gradient_moves_and_a_skipped_step_does_not() {
    let device = Device::flex().autodiff();
    let optims: [fn(bool) -> ModuleOptimizer; 3] = [
        |skip| AdamConfig::new().with_skip_marked(skip).init().unwrap(),
        |skip| AdamWConfig::new().with_skip_marked(skip).init().unwrap(),
        |skip| {
            let momentum = SgdConfig::torch().with_momentum_factor(0.9);
            momentum.with_skip_marked(skip).init().unwrap()
        },
    ];
    for optim in optims {
        for (policy, skip) in [
            (NonFinite::ZeroGradient, false),
            (NonFinite::SkipStep, true),
        ] {
            let clip = ClipGradNormConfig::new(10.0).with_non_finite(policy);
            let clip = clip.init().unwrap();
            let mut optim = optim(skip);
            let mut pair = Pair::new(&[1.0, 2.0], &[3.0], DType::F32, &device);
            let mut moved = 0.0;
            for grad in [0.5, 0.4, f64::NAN] {
                let before = pair.values();
                let grads = clip.apply(&pair, pair.grads(&[grad, 0.3], &[0.2]));
                pair = optim.step(0.1, pair, grads);
                let after = pair.values();
                moved = (after.0[0] - before.0[0])
                    .abs()
                    .max((after.1[0] - before.1[0]).abs());
            }
            assert_eq!(moved == 0.0, skip, "{policy:?}: {moved}");
        }
    }
}

#[test]
fn the_policy_marks_every_gradient_or_none() {
    for (_, device) in training_devices() {
        for dtype in dtypes(&device) {
            for scope in [NormScope::Model, NormScope::Tensor] {
                let policy = NonFinite::SkipStep;
                let clip = ClipGradNormConfig::new(2.0).with_scope(scope);
                let plain = clip.init().unwrap();
                let clip = clip.with_non_finite(policy).init().unwrap();
                let normalize = NormalizeGradConfig::new().with_scope(scope);
                let normalize = normalize.with_non_finite(policy).init().unwrap();
                for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                    let marks = [
                        |pair: &Pair, grads, clip: &ClipGradNorm, _: &NormalizeGrad| {
                            clip.apply(pair, grads)
                        },
                        |pair: &Pair, grads, _: &ClipGradNorm, normalize: &NormalizeGrad| {
                            normalize.apply(pair, grads)
                        },
                        |pair: &Pair, grads, _: &ClipGradNorm, _: &NormalizeGrad| {
                            mark_non_finite(pair, grads)
                        },
                    ];
                    for mark in marks {
                        let (pair, grads) =
                            Pair::with_grads(&[0.0, 1.0], &[2.0, bad, 0.0], dtype, &device);
                        let grads = mark(&pair, grads, &clip, &normalize);
                        let (a, b) = pair.read_grads(&grads);
                        assert!(a.iter().chain(&b).all(|g| g.is_nan()), "{a:?}, {b:?}");
                    }
                }
                let (pair, grads) = Pair::with_grads(&[3.0, 1.0], &[2.0, 0.5], dtype, &device);
                let marked = clip.apply(&pair, grads);
                let propagated = plain.apply(&pair, pair.grads(&[3.0, 1.0], &[2.0, 0.5]));
                assert_eq!(pair.read_grads(&marked), pair.read_grads(&propagated));
                let unmarked = mark_non_finite(&pair, pair.grads(&[3.0, 1.0], &[2.0, 0.5]));
                let plain = pair.grads(&[3.0, 1.0], &[2.0, 0.5]);
                assert_eq!(pair.read_grads(&unmarked), pair.read_grads(&plain));
            }
        }
    }
}

#[test]
fn marking_is_its_twin() {
    for (_, device) in devices() {
        for dtype in dtypes(&device) {
            for factor in [0.5, 1.0, 0.0, f64::NAN] {
                let numbers = Noise(1).take(1000);
                let factor = tensor::<1>(&[factor], DType::F32, &device);
                let list = TensorList::from(tensor::<1>(&numbers, dtype, &device));
                let kernel: Tensor<1> = scale_or_nan(list, &factor).pop().unwrap();
                let twin = scale_or_nan_twin(tensor::<1>(&numbers, dtype, &device), &factor);
                let bits = |tensor: Tensor<1>| -> Vec<u64> {
                    let canonical = |x: f64| if x.is_nan() { f64::NAN } else { x };
                    let all = values(tensor).into_iter();
                    all.map(|x| canonical(x).to_bits()).collect()
                };
                assert_eq!(bits(kernel), bits(twin));
            }
        }
    }
}

fn losses() -> [f64; 6] {
    [0.5, f64::NAN, 0.4, f64::INFINITY, f64::NEG_INFINITY, 0.3]
}

/// Burn's Adam, a schedule and an average: as if the bad steps had never been.
#[test]
fn a_guard_skips_for_any_optimizer() {
    for (_, device) in training_devices() {
        let run = |grads: &[f64]| {
            let mut pair = Pair::new(&[1.0, 2.0], &[3.0], DType::F32, &device);
            let mut optim = burn::optim::AdamConfig::new().init();
            let mut schedule = CosineConfig::new(0.1, 10).init().unwrap();
            let mut ema = EmaConfig::new(0.9).init(&pair).unwrap();
            let mut guard = StepGuard::new();
            for grad in grads {
                let grads = pair.grads(&[*grad, 0.1], &[0.2]);
                let Some(grads) = guard.admit(&pair, grads) else {
                    continue;
                };
                pair = optim.step(schedule.step(), pair, grads);
                ema.update(&pair);
            }
            (pair.values(), ema.model().values(), guard)
        };
        let (weights, average, guard) = run(&losses());
        let (alone, average_alone, _) = run(&[0.5, 0.4, 0.3]);
        assert_eq!((weights, average), (alone, average_alone));
        assert_eq!((guard.taken(), guard.skipped()), (3, 3));
        assert_eq!(guard.skipped_in_a_row(), 0);
        assert_eq!(guard.state(), [3, 3, 0]);
    }
}

#[test]
fn a_guard_lets_through_what_is_finite_in_every_type() {
    for (_, device) in training_devices() {
        for dtype in dtypes(&device) {
            let largest = match dtype {
                DType::F64 => 1e300,
                DType::F16 => 6e4,
                _ => 3e38,
            };
            let mut guard = StepGuard::new();
            let (pair, grads) = Pair::with_grads(&[largest, -largest], &[0.0], dtype, &device);
            assert!(guard.admit(&pair, grads).is_some(), "{dtype:?}");
            let (pair, grads) = Pair::with_grads(&[f64::NAN], &[0.0], dtype, &device);
            assert!(guard.admit(&pair, grads).is_none(), "{dtype:?}");
            assert_eq!(guard.skipped_in_a_row(), 1);
            assert!(guard.admit(&pair, GradientsParams::new()).is_some());
        }
    }
}

#[test]
fn the_schedule_repeats_the_rate_of_a_skipped_step_and_resumes() {
    let make = |skips: &SkipCount| {
        let schedule = CosineConfig::new(1.0, 8).init().unwrap();
        schedule.repeating_skipped(skips.clone())
    };
    let mut plain = CosineConfig::new(1.0, 8).init().unwrap();
    let mut skips = SkipCount::new();
    let mut schedule = make(&skips);
    for (step, good) in [GOOD, BAD, GOOD, BAD, BAD, GOOD, GOOD].iter().enumerate() {
        let rate = schedule.clone().step(); // looked ahead at: nothing is used up
        assert_eq!(schedule.step(), rate);
        if *good {
            assert_eq!(rate, plain.step(), "step {step}");
        } else {
            skips.add();
        }
        // Saved and resumed after each step, the guard's count too.
        let record = schedule.to_record();
        let count = skips.get();
        skips = SkipCount::new();
        schedule = make(&skips);
        skips.set(count);
        schedule.load_record(record);
    }
    assert_eq!(skips.get(), 3);
}

/// Whoever skips may do it several times between two rates: each is one step.
#[test]
fn several_skips_before_the_next_rate_repeat_it_once() {
    let skips = SkipCount::new();
    let schedule = LinearRampConfig::new(1.0, 0.0, 4).init().unwrap();
    let mut schedule = schedule.repeating_skipped(skips.clone());
    let mut rates = vec![schedule.step()];
    skips.add();
    skips.add();
    rates.extend([schedule.step(), schedule.step(), schedule.step()]);
    assert_eq!(rates, [1.0, 1.0, 0.75, 0.5]);
}

#[test]
fn a_schedule_takes_up_the_record_of_a_run_without_skips() {
    let mut plain = CosineConfig::new(1.0, 8).init().unwrap();
    plain.step();
    let mut schedule = CosineConfig::new(1.0, 8).init().unwrap();
    schedule.step();
    let mut wrapped = CosineConfig::new(1.0, 8)
        .init()
        .unwrap()
        .repeating_skipped(SkipCount::new());
    wrapped.load_record(schedule.to_record());
    assert_eq!(wrapped.step(), plain.step());
}

/// In the `Learner`'s hook: neither the optimizer nor the average takes part, and the state survives.
#[test]
fn a_guard_is_a_trick() {
    let _alone = alone();
    for (_, device) in training_devices() {
        let run = |sizes: &[f64]| {
            let net = Net::seeded(3, &device);
            let ema = EmaConfig::new(0.5).init(&net).unwrap();
            let clip = ClipGradNormConfig::new(1.0).init().unwrap();
            let mut tricked = net.with_tricks((StepGuard::new(), clip, ema));
            let mut optim = burn::optim::AdamConfig::new().init();
            for size in sizes {
                let seed = if size.is_finite() { size * 8.0 } else { 99.0 };
                let numbers = Noise(seed as u64).take(8);
                let input = Tensor::<1>::from_floats(numbers.as_slice(), &device).reshape([2, 4]);
                let target = Tensor::<2>::zeros([2, 3], &device);
                device.seed(7);
                let batch = Batch { input, target };
                let out = TrainStep::step(&tricked, batch);
                let grads = if size.is_finite() {
                    out.grads
                } else {
                    poisoned(tricked.model(), out.grads)
                };
                tricked = tricked.optimize(&mut optim, 0.01.into(), grads);
            }
            let state = Trick::<Net>::state(&*tricked.tricks()).unwrap();
            let counts = tricked.tricks().0.state();
            let average = numbers_of_weights(&tricked.tricks().2.model());
            (numbers_of_weights(tricked.model()), average, counts, state)
        };
        let (weights, average, counts, state) = run(&[0.5, f64::NAN, 0.25, f64::INFINITY]);
        let (alone, average_alone, ..) = run(&[0.5, 0.25]);
        assert_eq!(weights, alone);
        assert_eq!(average, average_alone);
        assert_eq!(counts, [2, 2, 1]);

        let net = Net::seeded(3, &device);
        let ema = EmaConfig::new(0.5).init(&net).unwrap();
        let guard = StepGuard::new();
        let skips = guard.skips();
        let clip = ClipGradNormConfig::new(1.0).init().unwrap();
        let mut resumed = (guard, clip, ema);
        Trick::<Net>::load_state(&mut resumed, &state).unwrap();
        assert_eq!(resumed.0.state(), [2, 2, 1]);
        assert_eq!(skips.get(), 2, "a schedule's handle sees it");
    }
}

/// Without running statistics, which the forward pass moves.
fn numbers_of_weights(net: &Net) -> Vec<f64> {
    [numbers(&net.first), numbers(&net.last)].concat()
}

/// With one NaN in one gradient.
fn poisoned(net: &Net, mut grads: GradientsParams) -> GradientsParams {
    let id = net.last.weight.id;
    let grad = grads.remove::<2>(id).unwrap();
    let nan = Tensor::full([1, 1], f32::NAN, &grad.device());
    grads.register(id, grad.slice_assign([0..1, 0..1], nan));
    grads
}

/// Makes the gradients of some optimizer steps NaN, as an overflow would.
#[derive(Debug)]
struct Poison {
    at: &'static [u64],
}

impl Trick<Net> for Poison {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(&mut self, net: &Net, grads: GradientsParams, step: &StepContext) -> GradientsParams {
        if self.at.contains(&step.step()) {
            poisoned(net, grads)
        } else {
            grads
        }
    }
}

/// What rates Burn's `Learner` got.
#[derive(Debug, Clone)]
struct Heard<S>(S, Arc<Mutex<Vec<f64>>>);

impl<S: LrScheduler + Clone + 'static> LrScheduler for Heard<S> {
    fn step(&mut self) -> f64 {
        let rate = self.0.step();
        self.1.lock().unwrap().push(rate);
        rate
    }

    fn to_record(&self) -> LrSchedulerRecord {
        self.0.to_record()
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        self.0.load_record(record);
    }
}

/// Nine steps in Burn's `Learner` with Burn's optimizer; the third, fourth and eighth have a NaN.
#[test]
fn the_learner_trains_on_after_skipped_steps() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let net = Net::seeded(3, &Device::flex().autodiff());
    let ema = EmaConfig::new(0.5).init(&net).unwrap();
    let guard = StepGuard::new();
    let schedule = LinearRampConfig::new(1.0, 0.0, 8).init().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let schedule = Heard(schedule.repeating_skipped(guard.skips()), heard.clone());
    let at = &[3, 4, 8];
    let model = net.with_tricks((Poison { at }, guard, ema));
    let optim = burn::optim::SgdConfig::new().init();
    let clock = EpochClock::new();
    let learner = Learner::new(model, optim, schedule);
    let result = training(folder.path(), &clock).launch(learner);
    let tricks = result.model.tricks();
    assert_eq!((tricks.1.taken(), tricks.1.skipped()), (6, 3));
    let average = tricks.2.model();
    assert!(numbers(&average).iter().all(|w| w.is_finite()));
    drop(tricks);
    assert!(numbers(result.model.model()).iter().all(|w| w.is_finite()));
    assert_eq!(
        *heard.lock().unwrap(),
        [1.0, 0.875, 0.75, 0.75, 0.75, 0.625, 0.5, 0.375, 0.375]
    );
}

/// Makes the gradients of some steps NaN, whichever process takes them.
#[derive(Debug)]
struct Overflows {
    at: &'static [u64],
}

impl Trick<Counter> for Overflows {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(
        &mut self,
        model: &Counter,
        mut grads: GradientsParams,
        step: &StepContext,
    ) -> GradientsParams {
        // The session counts the steps, also those of the runs before.
        if self.at.contains(&step.step()) {
            let grad = grads.remove::<1>(model.weight.id).unwrap();
            grads.register(model.weight.id, grad * f32::NAN);
        }
        grads
    }
}

/// One step in each of eight epochs; the second, third and sixth are skipped. Interrupted after each.
#[test]
fn a_session_resumes_between_skipped_steps() {
    let _alone = alone();
    let run = |folder: &Path, epochs| {
        let guard = StepGuard::new();
        let schedule = LinearRampConfig::new(1.0, 0.0, 8).init().unwrap();
        let schedule = schedule.repeating_skipped(guard.skips());
        let at = &[2, 3, 6];
        let ema = EmaConfig::new(0.5).init(&Counter::new()).unwrap();
        let tricks = (Overflows { at }, guard, ema);
        let session = counting(folder).num_epochs(epochs);
        let session = session.without_clock().resumable(2).unwrap();
        let finished = session.launch(learner(tricks, schedule)).unwrap();
        let state = finished.model.tricks().1.state();
        let average = weight(&finished.last_model());
        (weight(finished.model.model()), average, state)
    };
    let folder = tempfile::tempdir().unwrap();
    let whole = run(folder.path(), 8);
    // The five rates from 1 down that were used, each once.
    assert_eq!(whole.0, 1.0 + 0.875 + 0.75 + 0.625 + 0.5);
    assert_eq!(whole.2, [5, 3, 0]);
    let folder = tempfile::tempdir().unwrap();
    for epochs in 1..8 {
        run(folder.path(), epochs);
    }
    assert_eq!(run(folder.path(), 8), whole);
}
