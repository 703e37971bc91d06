//! `FusedStep` where a model changes in a run, or is not as others are: as a `ModuleOptimizer`, or a panic.

use crate::devices::{devices, is_gpu, is_software, training_devices};
use crate::models::{Pair, numbers, tensor, values};
use crate::oracle::assert_close;
use burn::grad_clipping::GradientClipping;
use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::{
    GradientsParams, LearningRate, ModuleOptimizer, MultiGradientsParams, Optimizer,
    OptimizerRecord,
};
use burn::tensor::{Bytes, DType, Device, Tensor};
use burn_pack::{Reader, Writer};
use burn_tricks::average::{AverageOn, EmaConfig, EmaSet, EmaWarmup, SwagConfig, TrainedAverage};
use burn_tricks::grad::{
    ClipGradNorm, ClipGradNormConfig, ClipGradValueConfig, GradientTransform as _, NoTransform,
};
use burn_tricks::optim::{
    Adam, AdamConfig, FusedStep, ListTransform as _, ModuleOptimizerExt as _, OptimizerExt as _,
    SgdConfig,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn adam() -> Adam {
    AdamConfig::torch().build().unwrap()
}

fn pair(device: &Device) -> Pair {
    Pair::new(&[1.0, -2.0], &[3.0], DType::F32, device)
}

/// Gradients of `model` on `device`.
fn grads_on(model: &Pair, device: &Device) -> GradientsParams {
    let mut grads = GradientsParams::new();
    grads.register(model.a.id, tensor::<1>(&[0.5, -0.25], DType::F32, device));
    grads.register(model.b.id, tensor::<1>(&[-1.0], DType::F32, device));
    grads
}

fn panics(step: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(step)).unwrap_err();
    *panic.downcast::<String>().expect("a message")
}

/// Between each two devices, which are several where other backends are compiled in.
#[test]
fn gradients_on_another_device_take_the_parameter_along_and_it_is_trained_further() {
    for (of, here) in training_devices() {
        for (to, there) in devices() {
            let mut one = pair(&here);
            let mut other = one.clone();
            let (mut optim, mut fused): (ModuleOptimizer, FusedStep) =
                (adam().into(), adam().fused());
            for step in 0..3 {
                let what = format!("from {of} to {to}, step {step}");
                let grads = grads_on(&one, &there);
                one = optim.step(0.1, one, grads);
                let grads = grads_on(&other, &there);
                other = fused.step(0.1, other, grads);
                if is_gpu(to) && !is_software(&there) {
                    // Kernel and twins may round a product and a sum apart or at once.
                    let (a, b) = one.values();
                    assert_close(&values(other.a.val()), &a, 1e-6, &what);
                    assert_close(&values(other.b.val()), &b, 1e-6, &what);
                } else {
                    assert_eq!(other.values(), one.values(), "{what}");
                }
                for param in [&other.a, &other.b] {
                    assert!(param.val().is_require_grad(), "{what}");
                    assert_eq!(param.val().device(), there, "{what}");
                    let loss = param.val().square().sum();
                    let grad = param.val().grad(&loss.backward());
                    assert!(grad.is_some(), "{what}");
                }
            }
        }
    }
}

/// Between each two devices, as above.
#[test]
fn gradients_of_several_devices_are_summed_as_by_a_module_optimizer() {
    for (of, here) in training_devices() {
        for (to, there) in devices() {
            let mut one = pair(&here);
            let mut other = one.clone();
            // Adam does not see how large the gradients are.
            let sgd = || SgdConfig::new().build().unwrap();
            let (mut optim, fused) = (ModuleOptimizer::from(sgd()), sgd().fused());
            // Transform and average get the sums.
            let clip = ClipGradValueConfig::new(1e9).init().unwrap();
            let ema = || EmaConfig::new(0.5).init(&one).unwrap();
            let (mut mean, mut fused) = (ema(), fused.with_transform(clip).with_average(ema()));
            for step in 0..3 {
                let what = format!("from {of} to {to}, step {step}");
                let both = |model: &Pair| {
                    let on = |device: &Device| (grads_on(model, device), device.clone());
                    let mut second = on(&here.clone().without_autodiff());
                    // One that a single device has.
                    second.0.remove::<1>(model.b.id);
                    MultiGradientsParams {
                        grads: vec![on(&there), second],
                    }
                };
                let grads = both(&one);
                one = optim.step_multi(0.1, one, grads);
                mean.update(&one);
                let grads = both(&other);
                other = fused.step_multi(0.1, other, grads);
                assert_eq!(other.values(), one.values(), "{what}");
                let (averaged, expected): (Pair, Pair) = (fused.average().model(), mean.model());
                assert_eq!(averaged.values(), expected.values(), "{what}");
                for (of_fused, of_optim) in [(&other.a, &one.a), (&other.b, &one.b)] {
                    assert_eq!(of_fused.val().device(), of_optim.val().device(), "{what}");
                }
            }
        }
    }
}

#[test]
fn burns_clipping_of_each_gradient_by_group() {
    for (name, device) in training_devices() {
        let a = || ParamGroup::from_path("a");
        let mut one = pair(&device);
        let mut other = one.clone();
        let sgd = || SgdConfig::new().build().unwrap();
        let norm = || GradientClipping::Norm(0.1);
        let mut optim = ModuleOptimizer::from(sgd())
            .with_grad_clipping(norm())
            .with_group(a(), sgd(), Some(GradientClipping::Value(0.3)));
        let mut fused = sgd().fused().with_grad_clipping(norm()).with_group(
            a(),
            sgd(),
            Some(GradientClipping::Value(0.3)),
        );
        for step in 0..2 {
            let grads = one.grads(&[0.5, -0.25], &[-1.0]);
            one = optim.step(1.0, one, grads);
            let grads = other.grads(&[0.5, -0.25], &[-1.0]);
            other = fused.step(1.0, other, grads);
            assert_eq!(other.values(), one.values(), "{name}, step {step}");
        }
        let (a, b) = other.values();
        let near = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-6, "{got}");
        near(a[0], 1.0 - 2.0 * 0.3);
        near(a[1], -2.0 + 2.0 * 0.25);
        near(b[0], 3.0 + 2.0 * 0.1);
    }
}

/// A record whose parameters have no paths, which older programs have written.
#[test]
fn a_record_without_paths_is_loaded_by_the_ids() {
    let device = Device::flex().autodiff();
    let b = || ParamGroup::from_path("b");
    let sgd = || {
        let config = SgdConfig::torch().with_momentum_factor(0.9);
        config.build().unwrap()
    };
    let model = pair(&device);
    let grads = |model: &Pair| model.grads(&[0.5, -0.25], &[-1.0]);
    let mut optim = ModuleOptimizer::from(sgd()).with_group(b(), sgd(), None);
    let first = grads(&model);
    let model = optim.step(0.1, model, first);
    let reader = Reader::from_bytes(optim.into_bytes().unwrap()).unwrap();
    assert_eq!(reader.metadata().len(), 2);
    let scalars = reader.scalars().clone();
    let mut writer = Writer::new(reader.into_tensors().unwrap());
    for (name, scalar) in scalars {
        writer = writer.with_scalar(&name, scalar);
    }
    let bytes = writer.into_bytes().unwrap().to_vec();
    let record = || OptimizerRecord::from_bytes(Bytes::from_bytes_vec(bytes.clone())).unwrap();
    let mut optim = ModuleOptimizer::from(sgd())
        .with_group(b(), sgd(), None)
        .try_load_record(&model, record())
        .unwrap();
    let mut fused = sgd().fused().with_group(b(), sgd(), None);
    fused = fused.try_load_record(&model, record()).unwrap();
    let (mut one, mut other, begun) = (model.clone(), model.clone(), model);
    for step in 0..3 {
        let gradients = grads(&one);
        one = optim.step(0.1, one, gradients);
        let gradients = grads(&other);
        other = fused.step(0.1, other, gradients);
        assert_eq!(other.values(), one.values(), "step {step}");
    }
    // With the momentum of the record the first step is longer than without.
    let gradients = grads(&begun);
    let anew = sgd().fused().step(0.1, begun.clone(), gradients);
    let gradients = grads(&begun);
    let loaded = fused.try_load_record(&begun, record()).unwrap();
    let resumed = loaded.clone().step(0.1, begun, gradients);
    assert_ne!(resumed.values(), anew.values());
    // The next record has the paths of the step.
    let mut loaded = loaded;
    let gradients = grads(&resumed);
    let _ = loaded.step(0.1, resumed, gradients);
    let record = loaded.to_record().into_bytes().unwrap();
    let reader = Reader::from_bytes(record).unwrap();
    let paths: Vec<_> = reader.metadata().values().cloned().collect();
    assert!(
        paths.iter().all(|path| path == "a" || path == "b"),
        "{paths:?}"
    );
    assert_eq!(paths.len(), 2);
}

/// A parameter that comes first in `visit` and last in `map`.
#[derive(Debug, Clone)]
struct Turned(Pair);

impl Module for Turned {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.0.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        Self(self.0.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        Self(self.0.to_device(device))
    }

    fn train(self) -> Self {
        Self(self.0.train())
    }

    fn valid(&self) -> Self {
        Self(self.0.valid())
    }

    fn materialize(self) -> Self {
        Self(self.0.materialize())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.0.visit(visitor);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let b = Module::map(self.0.b, mapper);
        let a = Module::map(self.0.a, mapper);
        Self(Pair { a, b })
    }
}

#[test]
fn a_module_that_maps_in_another_order_than_it_visits_is_refused() {
    let model = Turned(pair(&Device::flex().autodiff()));
    let grads = grads_on(&model.0, &Device::flex());
    let text = panics(|| drop(adam().fused().step(0.1, model.clone(), grads)));
    let id = model.0.b.id.val();
    let expected = format!("1 were not stepped, the first with the id {id}");
    assert!(text.contains(&expected), "{text}");
}

#[derive(Module, Debug)]
struct Wrapped {
    inner: Pair,
}

#[test]
fn a_parameter_without_a_state_has_the_optimizer_of_its_present_path() {
    let sgd = || SgdConfig::new().build().unwrap();
    // Another optimizer for a path that only the wrapped model has.
    let inner = || ParamGroup::from_path("inner.a");
    let mut optim = ModuleOptimizer::from(sgd()).with_group(inner(), adam(), None);
    let mut fused = sgd().fused().with_group(inner(), adam(), None);
    let device = Device::flex();
    let mut one = pair(&device.clone().autodiff());
    let mut other = one.clone();
    let grads = grads_on(&one, &device);
    one = optim.step(0.1, one, grads);
    let grads = grads_on(&other, &device);
    other = fused.step(0.1, other, grads);
    assert_eq!(other.values(), one.values());
    let (mut one, mut other) = (Wrapped { inner: one }, Wrapped { inner: other });
    for step in 0..2 {
        let grads = grads_on(&one.inner, &device);
        one = optim.step(0.1, one, grads);
        let grads = grads_on(&other.inner, &device);
        other = fused.step(0.1, other, grads);
        assert_eq!(other.inner.values(), one.inner.values(), "step {step}");
    }
    // And the record has the state of the present one, under the present path.
    let record = OptimizerRecord::from_bytes(fused.to_record().into_bytes().unwrap()).unwrap();
    let mut resumed = ModuleOptimizer::from(sgd())
        .with_group(inner(), adam(), None)
        .try_load_record(&other, record)
        .unwrap();
    let grads = grads_on(&one.inner, &device);
    one = optim.step(0.1, one, grads);
    let grads = grads_on(&other.inner, &device);
    other = resumed.step(0.1, other, grads);
    assert_eq!(other.inner.values(), one.inner.values());
}

/// A model whose type does not say what it has.
#[derive(Module, Debug)]
struct Either {
    left: Option<Param<Tensor<1>>>,
    right: Option<Param<Tensor<1>>>,
}

#[test]
fn the_average_of_a_model_with_other_paths_and_the_same_shapes_is_refused() {
    let device = Device::flex().autodiff();
    let weight = || {
        let value = tensor::<1>(&[1.0], DType::F32, &device).require_grad();
        Some(Param::initialized(ParamId::new(), value))
    };
    let model = |left, right| Either { left, right };
    let (left, right) = (model(weight(), None), model(None, weight()));
    let ema = |model: &Either| EmaConfig::new(0.9).init(model).unwrap();
    let mut fused = adam().fused().with_average(ema(&left));
    let none = GradientsParams::new;
    let text = panics(|| drop(fused.step(0.1, right.clone(), none())));
    assert!(
        text.contains("`left`") && text.contains("`right`"),
        "{text}"
    );
    // Also one that is put there later.
    let left = fused.step(0.1, left, none());
    *fused.average_mut() = ema(&right);
    let text = panics(|| drop(fused.step(0.1, left.clone(), none())));
    assert!(
        text.contains("`left`") && text.contains("`right`"),
        "{text}"
    );
}

/// The average moves in the walk of the step. It must not be used if the walk has not come to its end.
#[test]
fn a_model_that_changes_in_a_run_stops_the_average_at_the_first_other_place() {
    let device = Device::flex().autodiff();
    let weight = |number: f64| {
        let value = tensor::<1>(&[number], DType::F32, &device).require_grad();
        Some(Param::initialized(ParamId::new(), value))
    };
    let both = |left: f64, right: f64| Either {
        left: weight(left),
        right: weight(right),
    };
    let none = GradientsParams::new;
    let begun = || {
        let model = both(0.0, 0.0);
        let ema = EmaConfig::new(0.5).with_warmup(EmaWarmup::None);
        let mut fused = adam().fused().with_average(ema.init(&model).unwrap());
        let _ = fused.step(0.1, model, none());
        fused
    };
    for (changed, expected, got) in [
        (
            Either {
                right: None,
                ..both(8.0, 8.0)
            },
            "expected `right` [1] F32, got no further parameter",
            [4.0, 0.0],
        ),
        (
            Either {
                left: None,
                ..both(8.0, 8.0)
            },
            "expected `left` [1] F32, got `right` [1] F32",
            [0.0, 0.0],
        ),
    ] {
        let mut fused = begun();
        let text = panics(|| drop(fused.step(0.1, changed, none())));
        assert!(text.contains(expected), "{text}");
        let mean = fused.average().model();
        let value = |param: Option<Param<Tensor<1>>>| values(param.unwrap().val())[0];
        assert_eq!([value(mean.left), value(mean.right)], got);
    }
    // More parameters than the average has.
    let model = Either {
        right: None,
        ..both(0.0, 0.0)
    };
    let ema = EmaConfig::new(0.5).init(&model).unwrap();
    let mut fused = adam().fused().with_average(ema);
    let _ = fused.step(0.1, model, none());
    let text = panics(|| drop(fused.step(0.1, both(8.0, 8.0), none())));
    assert!(
        text.contains("expected no further parameter, got `right` [1] F32"),
        "{text}"
    );
}

#[derive(Debug, Clone)]
struct Panics;

impl Optimizer for Panics {
    type State<const D: usize> = burn_tricks::optim::AdamState;

    fn step<const D: usize>(
        &self,
        _lr: LearningRate,
        _weight: Tensor<D>,
        _grad: Tensor<D>,
        _state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        std::panic::panic_any("no step".to_owned())
    }

    fn to_device<const D: usize>(state: Self::State<D>, _device: &Device) -> Self::State<D> {
        state
    }
}

#[test]
fn an_average_is_not_used_after_a_panic_in_the_walk() {
    let model = pair(&Device::flex().autodiff());
    let ema = EmaConfig::new(0.5).init(&model).unwrap();
    let mut fused = Panics.fused().with_average(ema);
    // Without a gradient there is no step, and the average begins.
    let _ = fused.step(0.1, model.clone(), GradientsParams::new());
    let grads = model.grads(&[0.5, -0.25], &[1.0]);
    let text = panics(|| drop(fused.step(0.1, model.clone(), grads)));
    assert_eq!(text, "no step");
    let text = panics(|| drop(fused.average().model()));
    assert!(
        text.contains("unless a panic has interrupted an update"),
        "{text}"
    );
    // It can begin anew.
    fused.average_mut().restart(&model);
    let mean: Pair = fused.average().model();
    assert_eq!(mean.values(), model.values());
}

#[test]
fn a_set_with_averages_of_other_steps_moves_those_whose_turn_it_is() {
    let device = Device::flex().autodiff();
    let mut one = pair(&device);
    let mut other = one.clone();
    let ema = EmaConfig::new(0.5);
    let late = ema.clone().with_start_after(1).with_update_every(2);
    let configs = [ema, late];
    let mut set = EmaSet::init(&configs, &one).unwrap();
    let mut optim = ModuleOptimizer::from(adam());
    let mut fused = adam()
        .fused()
        .with_average(EmaSet::init(&configs, &one).unwrap());
    for step in 0..6 {
        let grads = one.grads(&[0.5, -0.25], &[1.0]);
        one = optim.step(0.1, one, grads);
        set.update(&one);
        let grads = other.grads(&[0.5, -0.25], &[1.0]);
        other = fused.step(0.1, other, grads);
        for (fused, alone) in fused.average().iter().zip(set.iter()) {
            let (fused_mean, mean): (Pair, Pair) = (fused.model(), alone.model());
            assert_eq!(fused_mean.values(), mean.values(), "step {step}");
            assert_eq!(
                (fused.steps(), fused.updates()),
                (alone.steps(), alone.updates())
            );
        }
    }
}

#[test]
fn averages_that_walk_themselves_are_updated_too() {
    for (name, device) in training_devices() {
        let start = pair(&device);
        let rule = || EmaConfig::new(0.5);
        let on = || AverageOn::init(rule(), &start, &Device::flex()).unwrap();
        let trained = || TrainedAverage::init(rule(), &start).unwrap();
        let swag = || SwagConfig::new(1).init(&start).unwrap();
        let mut fused = (
            adam().fused().with_average(on()),
            adam().fused().with_average(trained()),
            adam().fused().with_average(swag()),
        );
        let (mut on, mut trained, mut swag) = (on(), trained(), swag());
        let (mut one, mut two, mut three) = (start.clone(), start.clone(), start.clone());
        let grads = |model: &Pair| model.grads(&[0.5, -0.25], &[1.0]);
        for _ in 0..3 {
            let all = [grads(&one), grads(&two), grads(&three)];
            let [a, b, c] = all;
            one = fused.0.step(0.1, one, a);
            two = fused.1.step(0.1, two, b);
            three = fused.2.step(0.1, three, c);
            on.update(&one);
            trained.update(&two);
            swag.update(&three);
            assert_eq!(
                numbers(&fused.0.average().model()),
                numbers(&on.model()),
                "{name}"
            );
            let averaged = fused.1.average().model(&two);
            assert_eq!(numbers(&averaged), numbers(&trained.model(&two)), "{name}");
            assert_ne!(numbers(&averaged), numbers(&two), "{name}");
            assert_eq!(
                numbers(&fused.2.average().model()),
                numbers(&swag.model()),
                "{name}"
            );
        }
        assert_eq!(fused.2.average().updates(), 3);
    }
}

/// The weights of `model` in another type, as leaves.
fn cast(model: Pair, dtype: DType) -> Pair {
    struct Cast(DType);
    impl ModuleMapper for Cast {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|weight| Tensor::from_inner(weight.inner().cast(self.0)).require_grad())
        }
    }
    model.map(&mut Cast(dtype))
}

#[test]
fn a_model_that_is_cast_in_a_run_is_averaged_as_by_a_separate_call() {
    let device = Device::flex().autodiff();
    let mut one = pair(&device);
    let mut other = one.clone();
    let sgd = || SgdConfig::new().build().unwrap();
    let mut ema = EmaConfig::new(0.9).init(&one).unwrap();
    let mut fused = sgd()
        .fused()
        .with_average(EmaConfig::new(0.9).init(&one).unwrap());
    let mut optim = ModuleOptimizer::from(sgd());
    for step in 0..6 {
        if step == 2 || step == 4 {
            let dtype = if step == 2 { DType::BF16 } else { DType::F64 };
            (one, other) = (cast(one, dtype), cast(other, dtype));
        }
        let grads = one.grads(&[0.5, -0.25], &[1.0]);
        one = optim.step(0.1, one, grads);
        ema.update(&one);
        let grads = other.grads(&[0.5, -0.25], &[1.0]);
        other = fused.step(0.1, other, grads);
        assert_eq!(other.values(), one.values(), "step {step}");
        let (mean, separate): (Pair, Pair) = (fused.average().model(), ema.model());
        assert_eq!(mean.values(), separate.values(), "step {step}");
        assert_eq!(mean.a.val().dtype(), one.a.val().dtype(), "step {step}");
    }
    assert!(values(one.a.val())[0] < 1.0);
}

#[test]
fn a_transform_says_whether_it_changes_anything() {
    let clip = || ClipGradNormConfig::new(1.0).init().unwrap();
    assert!(().is_identity() && NoTransform.is_identity());
    assert!(NoTransform.then(NoTransform).is_identity());
    assert!(None::<ClipGradNorm>.is_identity());
    assert!(!clip().is_identity() && !Some(clip()).is_identity());
    assert!(!NoTransform.then(clip()).is_identity());
    assert!(!clip().then(NoTransform).is_identity());
}
