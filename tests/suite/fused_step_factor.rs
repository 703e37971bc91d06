//! The factor of a clipping by norm, by which the kernel of the steps on a GPU multiplies the gradients: as if they were
//! multiplied before. With plain SGD and momentum too, whose steps grow with the gradient.

use crate::devices::{devices, is_gpu, is_software, rounds_once, training_devices};
use crate::fused_step::{Many, adam, assert_same, bits, pair, same};
use crate::kernels::{assert_twin, random};
use crate::kernels_together::Mixed;
use crate::models::{Pair, dtypes, tensor, values};
use crate::oracle::{largest, off, worst};
use burn::grad_clipping::GradientClipping;
use burn::module::{Module, ParamGroup};
use burn::optim::{GradientsParams, ModuleOptimizer, Optimizer};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::average::EmaConfig;
use burn_tricks::grad::{
    AutoClipConfig, ClipGradNormConfig, GradientTransform, ListTransform, NonFinite,
    NormalizeGradConfig, scale_gradients,
};
use burn_tricks::kernels::{
    AdamStep, AnyTensor, Factor, MomentumStep, Multiple, PlannedStep, SgdStep, Step, TensorList,
    WeightDecayTerm, scale, scale_or_nan, scale_or_zero, take_together,
};
use burn_tricks::optim::{
    AdamConfig, FusedStep, LarsConfig, NormalizedGradientConfig, OptimizerExt as _, Sgd, SgdConfig,
};

fn gpus() -> impl Iterator<Item = (&'static str, Device)> {
    devices().into_iter().filter(|(name, _)| is_gpu(name))
}

type Of<T> = fn(Tensor<1>) -> T;
type Now = fn(TensorList, &Tensor<1>) -> TensorList;
type Change = fn(PlannedStep) -> PlannedStep;

/// A step of each weight, all taken together: the new weights and their states.
fn taken<const S: usize>(
    step: impl Step<S>,
    (weights, grads): (Vec<Tensor<2>>, Vec<Multiple>),
    change: Change,
) -> Vec<Tensor<2>> {
    let plan = |(weight, grad): (Tensor<2>, Multiple)| {
        let weight = AnyTensor::from(weight);
        let planned = grad.plan(|grad| step.plan(&weight, grad, None));
        change(planned.expect("there is a kernel"))
    };
    let taken = take_together(weights.into_iter().zip(grads).map(plan).collect());
    let each = taken.into_iter().flat_map(|(weight, state)| {
        let all = [weight].into_iter().chain(state);
        all.map(AnyTensor::into_tensor)
    });
    each.collect()
}

/// The same numbers to the bit, where the device does not round a product and a sum at once. One NaN is as good as another.
fn assert_bits(one: Tensor<2>, other: Tensor<2>, of: DType, what: &str) {
    if of != DType::F32 && !is_software(&one.device()) {
        return assert_half(&values(one), &values(other), of, what);
    }
    if rounds_once(&one.device()) {
        return assert_twin(one, other, what);
    }
    let bits = |tensor| -> Vec<u64> {
        let numbers = values(tensor).into_iter();
        let numbers = numbers.map(|number| if number.is_nan() { f64::NAN } else { number });
        numbers.map(f64::to_bits).collect()
    };
    assert_eq!(bits(one), bits(other), "{what}");
}

/// Of gradients in half precision. A compiler may leave out the rounding of the product to that type, as NVIDIA's does with
/// SPIR-V: the gradients then differ by half an epsilon, their squares by one, and what is beyond the range of the type is not
/// infinite.
fn assert_half(one: &[f64], other: &[f64], of: DType, what: &str) {
    let epsilon = if of == DType::F16 { 9.8e-4 } else { 7.9e-3 };
    assert_eq!(one.len(), other.len(), "{what}");
    let largest = largest(other);
    for (a, b) in one.iter().zip(other) {
        let near = off(*a, *b, b.abs().max(0.1 * largest)) <= 2.0 * epsilon;
        let is_beyond = !b.is_finite() && of == DType::F16 && what.ends_with(" 1000000");
        assert!(near || is_beyond, "{what}: {a} and {b}");
    }
}

/// With these factors.
fn check<const S: usize>(
    what: &str,
    step: impl Step<S>,
    change: Change,
    factors: &[f64],
    device: &Device,
) {
    let kinds: [(Of<Factor>, Now); 3] = [
        (Factor::new, scale),
        (Factor::or_zero, scale_or_zero),
        (Factor::or_nan, scale_or_nan),
    ];
    let shapes = [[5, 7], [4, 16], [1, 1], [3, 300]];
    for dtype in dtypes(device).into_iter().filter(|one| *one != DType::F64) {
        let new = |first: u64| -> Vec<_> {
            let each = shapes.iter().zip(first..);
            each.map(|(shape, seed)| random::<2>(*shape, seed, dtype, device))
                .collect()
        };
        let grads = || {
            let mut list = TensorList::new();
            new(10).into_iter().for_each(|grad| list.push(grad));
            list
        };
        for number in factors {
            for (kind, (factor, now)) in kinds.iter().enumerate() {
                let what = format!("{what}, {dtype:?}, kind {kind}, {number}");
                let number = Tensor::<1>::from_data([*number as f32], device);
                let mut list = now(grads(), &number);
                let products = std::iter::from_fn(|| list.pop_any().map(Multiple::from));
                let products = products.collect();
                let expected = taken(step, (new(0), products), change);
                let factor = factor(number);
                for is_held in [true, false] {
                    let grads = factor.times_later(grads(), &[true, true, false, true]);
                    let weights = new(0);
                    let kept = is_held.then(|| weights.clone());
                    let stepped = taken(step, (weights, grads), change);
                    drop(kept);
                    assert_eq!(stepped.len(), expected.len(), "{what}");
                    for (one, other) in stepped.into_iter().zip(expected.clone()) {
                        assert_bits(one, other, dtype, &what);
                    }
                }
            }
        }
    }
}

/// Also where something else reads the gradient: a norm of weight and gradient, and a cautious step.
#[test]
fn a_step_multiplies_its_gradient_as_if_that_had_been_done_before() {
    for (name, device) in gpus() {
        let adam = AdamStep::new(0.01, (0.9, 0.99), 1e-8, WeightDecayTerm::Coupled(0.1), 3);
        // The largest is beyond the range of half precision.
        let factors = [1.0, 0.3, 0.0, -2.7, f64::NAN, 1e6];
        let what = format!("Adam on {name}");
        check(&what, adam, |step| step, &factors, &device);
        let momentum = MomentumStep {
            lr: 0.1,
            momentum: 0.9,
            dampening: 0.0,
            nesterov: true,
            first: false,
            decay: WeightDecayTerm::Decoupled(0.01),
        };
        let changes: [(&str, Change); 3] = [
            ("a ratio of norms", |step| step.then(Mixed).unwrap()),
            ("cautious", |step| step.then_cautious(Some(1e-3)).unwrap()),
            ("a norm of the gradient", |step| {
                step.with_gradient(Mixed).unwrap()
            }),
        ];
        for (what, change) in changes {
            let what = format!("{what} on {name}");
            check(&what, momentum, change, &[0.3], &device);
        }
    }
}

/// Two factors in one call, and one of another device.
#[test]
fn steps_with_other_factors_are_taken_in_one_call() {
    for (name, device) in gpus() {
        let sgd = SgdStep {
            lr: 1.0,
            decay: WeightDecayTerm::None,
        };
        let new = |seed| random::<2>([2, 3], seed, DType::F32, &device);
        let factors = [0.5, 2.0, 4.0].map(|number: f32| {
            let device = if number > 2.0 {
                &Device::flex()
            } else {
                &device
            };
            Factor::new(Tensor::from_data([number], device))
        });
        let plan = |number: usize| {
            let weight = AnyTensor::from(new(1));
            let grads = factors[number].times_later(TensorList::from(new(2)), &[true]);
            grads[0].plan(|grad| sgd.plan(&weight, grad, None)).unwrap()
        };
        let taken = take_together([0, 1, 2, 0].map(plan).into());
        for ((stepped, _), factor) in taken.into_iter().zip([0.5, 2.0, 4.0, 0.5]) {
            let stepped = values(stepped.into_tensor::<2>());
            let before = values(new(1)).into_iter().zip(values(new(2)));
            for (stepped, (weight, grad)) in stepped.into_iter().zip(before) {
                let expected = weight - factor * grad;
                let near = (stepped - expected).abs() < 1e-6 * expected.abs().max(1.0);
                assert!(near, "{name}, {factor}: {stepped} and {expected}");
            }
        }
    }
}

fn sgd() -> Sgd {
    SgdConfig::new().build().unwrap()
}

fn momentum() -> Sgd {
    SgdConfig::torch()
        .with_momentum_factor(0.9)
        .build()
        .unwrap()
}

/// What multiplies all gradients, alone and after something else.
#[test]
fn every_transform_that_multiplies_with_and_without_an_average() {
    let clip = |norm| ClipGradNormConfig::new(norm).init().unwrap();
    let ema = |model: &Many| EmaConfig::new(0.9).init(model).unwrap();
    for (device_name, device) in training_devices() {
        let model = &Many::new(2, DType::F32, &device);
        let name = |name: &str| format!("{name} on {device_name}");
        same(&name("clipped"), model, pair(sgd()), || clip(0.5), ema);
        same(
            &name("not clipped"),
            model,
            pair(momentum()),
            || clip(1e6),
            ema,
        );
        let normalize = || NormalizeGradConfig::new().init().unwrap();
        same(&name("normalised"), model, pair(sgd()), normalize, |_| ());
        let auto = || AutoClipConfig::new().with_history(3).init().unwrap();
        same(&name("AutoClip"), model, pair(momentum()), auto, |_| ());
        let twice = || clip(0.5).then(normalize());
        same(&name("twice"), model, pair(momentum()), twice, |_| ());
    }
}

#[test]
fn half_precision_is_rounded_as_by_a_separate_product() {
    for (name, device) in training_devices() {
        for dtype in dtypes(&device.clone().inner()) {
            let model = &Many::new(2, dtype, &device);
            let clip = || ClipGradNormConfig::new(0.5).init().unwrap();
            let name = format!("{dtype:?} on {name}");
            same(&name, model, pair(momentum()), clip, |_| ());
        }
    }
}

/// Some parameters each with an optimizer that plans no steps, with Burn's clipping of each gradient, with a norm of the
/// gradient, with one of the step, and cautious.
#[test]
fn groups_whose_kernels_do_not_multiply() {
    for (name, device) in training_devices() {
        let model = &Many::new(2, DType::F32, &device);
        let groups = |begin: u8| {
            let of = |digit: u8| ParamGroup::from_regex(format!(r"^matrices\.{digit}")).unwrap();
            (of(begin), of(begin + 1), of(begin + 2))
        };
        let own = || momentum().lookahead(2, 0.5).unwrap();
        let lars = || LarsConfig::new().with_coefficient(0.1).build().unwrap();
        let tensors = || NormalizedGradientConfig::per_tensor().build().unwrap();
        let clipping = || Some(GradientClipping::Value(0.01));
        let (mut separate, mut fused) = pair(momentum());
        macro_rules! group {
            ($group:expr, $optim:expr, $clipping:expr) => {
                separate = separate.with_group($group, $optim, $clipping);
                fused = fused.with_group($group, $optim, $clipping);
            };
        }
        group!(groups(1).0, own(), None);
        group!(groups(1).1, momentum(), clipping());
        group!(groups(1).2, lars(), None);
        group!(groups(4).0, momentum().trust_ratio(), None);
        group!(groups(4).1, momentum().cautious(), None);
        group!(groups(4).2, tensors(), None);
        group!(
            ParamGroup::from_regex("filters").unwrap(),
            lars(),
            clipping()
        );
        let clip = || ClipGradNormConfig::new(0.5).init().unwrap();
        same(name, model, (separate, fused), clip, |_| ());
    }
}

/// From the third step on all gradients are infinite.
#[derive(Debug, Clone, Default)]
struct Spoils(usize);

impl Spoils {
    fn factor(&mut self) -> f64 {
        self.0 += 1;
        if self.0 >= 3 { f64::INFINITY } else { 1.0 }
    }
}

impl GradientTransform for Spoils {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        scale_gradients(model, grads, self.factor())
    }
}

impl ListTransform for Spoils {
    fn apply_to_list(&mut self, grads: TensorList) -> TensorList {
        let device = grads.flattened().next().expect("a gradient").device();
        scale(grads, &Tensor::from_floats([self.factor() as f32], &device))
    }
}

#[test]
fn gradients_that_are_not_finite() {
    let skipping = || AdamConfig::torch().build().unwrap().with_skip_marked(true);
    for (device_name, device) in training_devices() {
        let model = &Many::new(2, DType::F32, &device);
        for non_finite in [
            NonFinite::Propagate,
            NonFinite::ZeroGradient,
            NonFinite::SkipStep,
        ] {
            let clip = || {
                let clip = ClipGradNormConfig::new(0.5).with_non_finite(non_finite);
                Spoils::default().then(clip.init().unwrap())
            };
            let name = |name: &str| format!("{name}, {non_finite:?} on {device_name}");
            same(&name("momentum"), model, pair(momentum()), clip, |_| ());
            if non_finite == NonFinite::SkipStep {
                same(&name("skipping"), model, pair(skipping()), clip, |_| ());
            }
        }
    }
}

#[test]
fn a_model_and_gradients_that_somebody_holds_stay_as_they_are() {
    for (name, device) in training_devices() {
        let model = Many::new(2, DType::F32, &device);
        let clip = || ClipGradNormConfig::new(0.5).init().unwrap();
        let (mut separate, fused) = pair(momentum());
        let average = EmaConfig::new(0.9).init(&model).unwrap();
        let mut fused = fused.with_transform(clip()).with_average(average.clone());
        let (mut one, mut other, mut mean) = (model.clone(), model.clone(), average);
        for step in 0..3 {
            let grads = other.grads(step);
            let kept = grads.get::<1>(other.bias.id).expect("a gradient");
            let (before, numbers) = (other.clone(), bits(&other));
            let (held, average) = (fused.average().model(), bits(&fused.average().model()));
            let gradient = values(kept.clone());
            let clipped = clip().apply(&one, one.grads(step));
            one = separate.step(0.01, one, clipped);
            mean.update(&one);
            other = fused.step(0.01, other, grads);
            let what = format!("{name}, step {step}");
            let same = |one: &[u64], other: &[u64]| {
                assert_same(is_gpu(name), DType::F32, one, other, &what);
            };
            same(&bits(&one), &bits(&other));
            same(&bits(&mean.model()), &bits(&fused.average().model()));
            assert_eq!(bits(&before), numbers, "{what}: the model");
            assert_eq!(bits(&held), average, "{what}: the average");
            assert_eq!(values(kept), gradient, "{what}: the gradient");
        }
    }
}

/// Each step moves the parameter to the device of its gradient, between each two that there are.
#[test]
fn gradients_on_another_device_are_multiplied_too() {
    fn check(what: &str, optim: impl Optimizer, here: &Device, there: &Device) {
        let mut one = Pair::new(&[1.0, -2.0], &[3.0], DType::F32, here);
        let mut other = one.clone();
        let clip = ClipGradNormConfig::new(0.5).init().unwrap();
        let mut fused = FusedStep::new(optim.clone()).with_transform(clip.clone());
        let mut optim = ModuleOptimizer::from(optim);
        for step in 0..2 {
            let grads = || {
                let mut grads = GradientsParams::new();
                grads.register(one.a.id, tensor::<1>(&[5.0, -0.25], DType::F32, there));
                grads.register(one.b.id, tensor::<1>(&[-1.0], DType::F32, there));
                grads
            };
            let (separate, together) = (grads(), grads());
            let separate = clip.apply(&one, separate);
            one = optim.step(0.1, one, separate);
            other = fused.step(0.1, other, together);
            let (a, b) = (one.values(), other.values());
            let pairs = a.0.iter().chain(&a.1).zip(b.0.iter().chain(&b.1));
            for (one, other) in pairs {
                let near = (one - other).abs() <= 1e-6 * one.abs();
                assert!(near, "{what}, step {step}: {a:?} and {b:?}");
            }
        }
    }
    for (of, here) in training_devices() {
        for (to, there) in devices() {
            check(&format!("SGD from {of} to {to}"), sgd(), &here, &there);
            check(&format!("Adam from {of} to {to}"), adam(), &here, &there);
        }
    }
}

/// Gradients of one size, all times a number, with one number more.
fn grads_like(times: f64, last: f64, count: usize, dtype: DType, device: &Device) -> TensorList {
    let mut list = TensorList::new();
    let numbers = values(random::<1>([count], 7, DType::F32, &Device::flex()));
    let numbers: Vec<_> = numbers.into_iter().map(|number| number * times).collect();
    list.push(tensor::<1>(&numbers, dtype, device));
    list.push(tensor::<1>(&[last], dtype, device));
    list
}

/// Of few and of many numbers, whose squares leave the range of `f32` or not, of zeros, and of what is not finite. What is not
/// clipped is the same to the bit.
#[test]
fn a_factor_by_a_kernel_is_that_of_tensor_operations() {
    fn check(what: &str, mut transform: impl ListTransform, grads: &dyn Fn() -> TensorList) {
        let (list, factor) = transform.apply_up_to_factor(grads());
        let product = factor.expect("one is left").times(list);
        let expected = transform.apply_to_list(grads());
        assert_eq!(product.len(), expected.len(), "{what}");
        for (one, other) in product.flattened().zip(expected.flattened()) {
            let relative = if one.dtype() == DType::F32 {
                1e-5
            } else {
                2e-3
            };
            let (one, other) = (values(one), values(other));
            let worst = worst(&one, &other, f64::abs);
            assert!(worst <= relative, "{what}: {one:?} and {other:?}");
        }
    }
    for (name, device) in gpus() {
        for (count, dtype) in [(100, DType::F32), (100, DType::F16), (70_001, DType::F32)] {
            if !dtypes(&device).contains(&dtype) {
                continue;
            }
            let half = dtype == DType::F16;
            for (times, last) in [
                (1.0, 1.0),
                (1e-20, 0.0),
                (2e19, 0.0),
                (0.0, 0.0),
                (0.0, 0.5),
                (1.0, f64::INFINITY),
                (1.0, f64::NAN),
            ] {
                if half && !(1e-3..1e3).contains(&times) {
                    continue;
                }
                let grads = || grads_like(times, last, count, dtype, &device);
                for non_finite in [
                    NonFinite::Propagate,
                    NonFinite::ZeroGradient,
                    NonFinite::SkipStep,
                ] {
                    let what = format!("{name}, {count} {dtype:?} {times} {last} {non_finite:?}");
                    for clip in [
                        ClipGradNormConfig::new(0.1),
                        ClipGradNormConfig::new(f64::MAX),
                        ClipGradNormConfig::torch(0.1),
                        ClipGradNormConfig::to_unit_norm(0.1),
                        ClipGradNormConfig::to_unit_norm(1e6),
                    ] {
                        let what = format!("{what}, {clip:?}");
                        let clip = clip.with_non_finite(non_finite).init().unwrap();
                        check(&what, clip, &grads);
                    }
                    for epsilon in [0.0, 1e-3] {
                        let normalize = NormalizeGradConfig::new().with_epsilon(epsilon);
                        let normalize = normalize.with_non_finite(non_finite).init().unwrap();
                        check(&format!("{what}, normalised, {epsilon}"), normalize, &grads);
                    }
                }
            }
        }
        let grads = || grads_like(1.0, 0.0, 70_001, DType::F32, &device);
        let mut clip = ClipGradNormConfig::new(1e6).init().unwrap();
        let (list, factor) = clip.apply_up_to_factor(grads());
        let product = factor.expect("one is left").times(list);
        for (one, other) in product.flattened().zip(grads().flattened()) {
            assert_eq!(values(one), values(other), "{name}: not clipped");
        }
    }
}
