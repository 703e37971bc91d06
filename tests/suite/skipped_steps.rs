//! A step that must not happen moves nothing: on the device for this library's optimizers, by one read for
//! every other.

use crate::devices::{devices, training_devices};
use crate::models::{Noise, Pair, dtypes, tensor, values};
use crate::oracle::off;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, Optimizer, RecordState, StateSink};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::grad::{ClipGradNorm, NonFinite, NormScope, NormalizeGrad, mark_non_finite};
use burn_tricks::kernels::{TensorList, scale_or_nan, scale_or_nan_twin};
use burn_tricks::optim::{
    AdaBeliefConfig, AdaDeltaConfig, AdaGradConfig, AdamConfig, AdamWConfig, AdamaxConfig,
    DecoupledWeightDecayConfig, Epsilon, LarsConfig, MasterWeightsConfig, MasterWeightsForm,
    Memory, MomentumForm, MomentumMemory, NAdamConfig, OptimizerExt as _, RAdamConfig,
    RmsPropConfig, ScheduleFreeConfig, SgdConfig, SignumConfig, WeightDecayMode,
};
use burn_tricks::prelude::*;

pub(crate) const GOOD: bool = true;
pub(crate) const BAD: bool = false;

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
        // The rate of a step that is skipped leaves no trace.
        let lr = if *good { 0.1 } else { 0.4 };
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
    let classical = SgdConfig::classical_momentum().with_skip_marked(true);
    check.check("classical momentum", classical.build().unwrap());

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
    let rectified = AdaBeliefConfig::authors().with_skip_marked(true);
    let rectified = rectified.with_epsilon(1e-3).with_beta_2(0.9);
    check.check("adabelief, rectified", rectified.build().unwrap());
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
    let kahan = MasterWeightsConfig::new().with_form(MasterWeightsForm::Kahan);
    check.check("master weights, Kahan", kahan.build(adam()));
    let decay = DecoupledWeightDecayConfig::new(0.1).with_skip_marked(true);
    check.check("decoupled decay", decay.build(adam()).unwrap());

    let sgd = || sgd().build().unwrap();
    let free = ScheduleFreeConfig::new().with_skip_marked(true);
    check.check("schedule-free Adam", free.build(adam()).unwrap());
    let powers = free.clone().with_step_power(0.5).with_rate_power(1.0);
    check.check("schedule-free, powers", powers.build(sgd()).unwrap());
    for beta in [0.0, 0.9] {
        let decayed = free.clone().with_beta(beta).with_weight_decay(0.1);
        check.check("schedule-free SGD", decayed.build(sgd()).unwrap());
    }

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
        let close = off(a, b, b.abs().max(0.1)) <= relative;
        assert!(close, "{name}: {a}, but {b} in the run to compare with");
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
