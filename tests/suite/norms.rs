//! Batch norms: PyTorch's numbers, neutral settings, records, and statistics that nothing trains.

use crate::devices::training_devices;
use crate::models::{Net, alone, values};
use crate::oracle::{case, largest, numbers, off, read};
use burn::config::Config;
use burn::module::{Module, ModuleMapper, Param, ParamGroup};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::ConfigError;
use burn_tricks::nn::{
    Affine, BatchVariance, FrozenBatchNorm, GhostBatchNorm, GhostBatchNormConfig, TorchBatchNorm,
    TorchBatchNormConfig, freeze_batch_norms,
};
use serde_json::Value;

/// The numbers of `grid` in `tests/oracle/norms.py`.
pub(crate) fn grid<const D: usize>(
    shape: [usize; D],
    step: f64,
    scale: f64,
    options: (&Device, DType),
) -> Tensor<D> {
    let n = shape.iter().product::<usize>();
    let number = |i: usize| scale * (step * i as f64).sin() + 0.1 * i as f64 / n as f64;
    let numbers: Vec<f64> = (1..=n).map(number).collect();
    Tensor::<1>::from_data(numbers.as_slice(), options).reshape(shape)
}

/// Fails unless the numbers agree within `relative`, measured by the largest of the expected.
pub(crate) fn assert_near(actual: &[f64], expected: &[f64], relative: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    let size = largest(expected).max(1e-3);
    for (at, (a, e)) in actual.iter().zip(expected).enumerate() {
        let error = off(*a, *e, size);
        assert!(error <= relative, "{what}[{at}]: {a}, expected {e}");
    }
}

/// `f64` on flex, for the oracle's numbers in full. Software Vulkan offers wgpu `f64` as well, and gets
/// gradients wrong in it.
pub(crate) fn precise(device: &Device) -> (DType, f64) {
    if *device == Device::flex() {
        (DType::F64, 1e-9)
    } else {
        (DType::F32, 3e-6)
    }
}

/// The module in another float type.
pub(crate) fn cast<M: Module>(module: M, dtype: DType) -> M {
    struct Cast(DType);
    impl ModuleMapper for Cast {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| {
                let require_grad = value.is_require_grad();
                value
                    .detach()
                    .cast(self.0)
                    .detach()
                    .set_require_grad(require_grad)
            })
        }
    }
    module.map(&mut Cast(dtype))
}

/// Through bytes into `target`.
pub(crate) fn recorded<A: Module, B: Module>(source: A, target: B) -> B {
    let bytes = source.into_record().into_bytes().unwrap();
    target.load_record(ModuleRecord::from_bytes(bytes).unwrap())
}

/// The derivative of `f` at `x` by central differences, against autodiff's.
pub(crate) fn assert_gradient<const D: usize>(
    f: impl Fn(Tensor<D>) -> Tensor<1>,
    shape: [usize; D],
    device: &Device,
    what: &str,
) {
    let (dtype, _) = precise(device);
    let (step, tolerance) = match dtype {
        DType::F64 => (1e-5, 1e-7),
        _ => (3e-3, 1e-2),
    };
    let x = values(grid(shape, 0.7, 1.0, (device, dtype)));
    let tensor = |x: &[f64]| Tensor::<1>::from_data(x, (device, dtype)).reshape::<D, _>(shape);
    let at = |x: &[f64]| values(f(tensor(x)))[0];
    let leaf = tensor(&x).require_grad();
    let grads = f(leaf.clone()).backward();
    let exact = values(leaf.grad(&grads).expect("a gradient"));
    let differences: Vec<f64> = (0..x.len())
        .map(|i| {
            let (mut above, mut below) = (x.clone(), x.clone());
            above[i] += step;
            below[i] -= step;
            (at(&above) - at(&below)) / (2.0 * step)
        })
        .collect();
    assert_near(&exact, &differences, tolerance, what);
}

/// A config that goes through JSON unchanged.
pub(crate) fn assert_json<C: Config + std::fmt::Debug>(config: &C) {
    let json = serde_json::to_string(config).unwrap();
    let back = C::load_binary(json.as_bytes()).unwrap();
    assert_eq!(format!("{back:?}"), format!("{config:?}"));
}

/// A refusal that names the field and what it got.
pub(crate) fn assert_refused<T>(result: Result<T, ConfigError>, field: &str, got: &str) {
    let error = result.err().expect("a refusal");
    assert_eq!(error.field, field);
    assert!(
        error.to_string().ends_with(&format!("got {got}")),
        "{error}"
    );
}

fn assert_send_sync_clone<T: Send + Sync + Clone>() {}

/// The three layers that have the fields of batch norm.
trait Norm: Module {
    fn run<const D: usize>(&self, input: Tensor<D>) -> Tensor<D>;
    fn affine(&self) -> (&Param<Tensor<1>>, &Param<Tensor<1>>);
    fn statistics(&self) -> (Vec<f64>, Vec<f64>);
}

/// Mean and variance of both up to rounding.
fn assert_near_statistics(a: &impl Norm, b: &impl Norm, what: &str) {
    let (a, b) = (a.statistics(), b.statistics());
    assert_near(&a.0, &b.0, 2e-6, what);
    assert_near(&a.1, &b.1, 2e-6, what);
}

macro_rules! norm {
    ($layer:ty) => {
        impl Norm for $layer {
            fn run<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
                self.forward(input)
            }
            fn affine(&self) -> (&Param<Tensor<1>>, &Param<Tensor<1>>) {
                (&self.gamma, &self.beta)
            }
            fn statistics(&self) -> (Vec<f64>, Vec<f64>) {
                let read = |state: Tensor<1>| values(state);
                let variance = self.running_var.value_sync();
                (read(self.running_mean.value_sync()), read(variance))
            }
        }
    };
}

norm!(BatchNorm);
norm!(TorchBatchNorm);
norm!(GhostBatchNorm);

fn with_affine<N: Norm>(norm: N, dtype: DType, device: &Device) -> N {
    struct Set(Vec<Tensor<1>>);
    impl ModuleMapper for Set {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.0.is_empty() {
                param
            } else {
                let value = self.0.remove(0);
                param.map(|old| value.reshape(old.shape()).detach().require_grad())
            }
        }
    }
    let gamma = grid([3], 1.3, 2.0, (device, dtype)) + 3.0;
    let beta = grid([3], 0.4, 2.0, (device, dtype));
    cast(norm, dtype).map(&mut Set(vec![gamma, beta]))
}

fn against_pytorch<N: Norm, const D: usize>(norm: N, shape: [usize; D], case: &Value, name: &str) {
    let device = norm.devices().remove(0);
    let (dtype, tolerance) = precise(&device);
    let norm = with_affine(norm, dtype, &device);
    let near = |actual: Vec<f64>, field: &str| {
        let expected = numbers(&case["values"][field]);
        assert_near(&actual, &expected, tolerance, &format!("{name}: {field}"));
    };
    let (mut outputs, mut means, mut variances) = (vec![], vec![], vec![]);
    for i in 0..3 {
        let x = grid(shape, 0.3 + 0.2 * f64::from(i), 2.0, (&device, dtype)).require_grad();
        let y = norm.run(x.clone());
        outputs.extend(values(y.clone()));
        let grads = (y * grid(shape, 0.9, 2.0, (&device, dtype)))
            .sum()
            .backward();
        let (mean, variance) = norm.statistics();
        means.extend(mean);
        variances.extend(variance);
        if i == 2 {
            let (gamma, beta) = norm.affine();
            near(values(x.grad(&grads).unwrap()), "input_gradient");
            near(values(gamma.val().grad(&grads).unwrap()), "gamma_gradient");
            near(values(beta.val().grad(&grads).unwrap()), "beta_gradient");
            near(values(norm.valid().run(x.inner())), "evaluated");
        }
    }
    near(outputs, "outputs");
    near(means, "means");
    near(variances, "variances");
}

fn torch(features: usize, settings: &Value, device: &Device) -> TorchBatchNorm {
    TorchBatchNormConfig::new(features)
        .with_momentum(read(&settings["momentum"]))
        .with_epsilon(read(&settings["epsilon"]))
        .init(device)
        .unwrap()
}

#[test]
fn torch_batch_norm_is_pytorchs() {
    for (name, device) in training_devices() {
        let vectors = case("batch_norm", "vectors");
        let norm = torch(3, &vectors["settings"], &device);
        against_pytorch::<_, 2>(norm, read(&vectors["settings"]["shape"]), vectors, name);
        let maps = case("batch_norm", "maps");
        let norm = torch(3, &maps["settings"], &device);
        against_pytorch::<_, 4>(norm, read(&maps["settings"]["shape"]), maps, name);
    }
}

#[test]
fn ghosts_are_pytorchs_batch_norm_on_even_parts() {
    // `torch.chunk` would cut 10 samples into 4, 4 and 2.
    for (name, device) in training_devices() {
        let ghosts = case("batch_norm", "ghosts");
        let norm = GhostBatchNormConfig::new(3, 4).init(&device).unwrap();
        against_pytorch::<_, 2>(norm, read(&ghosts["settings"]["shape"]), ghosts, name);
    }
}

#[test]
fn a_ghost_as_large_as_the_batch_is_plain_batch_norm() {
    for (name, device) in training_devices() {
        let burn = BatchNormConfig::new(3).init(&device);
        let torch = TorchBatchNormConfig::new(3).init(&device).unwrap();
        let ghost = |variance| {
            let config = GhostBatchNormConfig::new(3, 6).with_variance(variance);
            config.init(&device).unwrap()
        };
        let (biased, unbiased) = (ghost(BatchVariance::Biased), ghost(BatchVariance::Unbiased));
        let per_sample = ghost(BatchVariance::UnbiasedPerSample);
        for i in 0..3 {
            let x = grid([6, 3, 2], 0.3 + f64::from(i), 2.0, (&device, DType::F32));
            let y = values(torch.forward(x.clone()));
            assert_eq!(values(biased.forward(x.clone())), y, "{name}");
            assert_eq!(values(unbiased.forward(x.clone())), y, "{name}");
            assert_eq!(values(per_sample.forward(x.clone())), y, "{name}");
            // Burn's layer sums in another order.
            assert_near(&values(burn.forward(x)), &y, 2e-6, name);
        }
        assert_near_statistics(&biased, &burn, name);
        assert_eq!(unbiased.statistics(), torch.statistics(), "{name}");
        assert_eq!(per_sample.statistics(), torch.statistics(), "{name}");
        assert_ne!(torch.statistics().1, burn.statistics().1, "{name}");
    }
}

#[test]
fn records_of_all_batch_norms_load_each_other() {
    for (name, device) in training_devices() {
        let config = GhostBatchNormConfig::new(3, 3);
        let ghost = config.init(&device).unwrap();
        let x = grid([6, 3], 0.3, 2.0, (&device, DType::F32));
        for step in 0..3 {
            ghost.forward(x.clone() * f64::from(step + 1));
            let saved = ghost.valid();
            let expected = values(saved.forward(x.clone().inner()));
            let burn = recorded(saved.clone(), BatchNormConfig::new(3).init(&device));
            let torch = TorchBatchNormConfig::new(3).init(&device).unwrap();
            let torch = recorded(burn.valid(), torch);
            let frozen = FrozenBatchNorm::from(&BatchNormConfig::new(3).init(&device));
            let frozen = recorded(torch.valid(), frozen);
            assert_eq!(values(frozen.forward(x.clone())), expected, "{name}");
            // And it goes on from there as the one that was not interrupted.
            let on = recorded(frozen, config.init(&device).unwrap());
            let whole = saved.train();
            assert_eq!(
                values(on.forward(x.clone())),
                values(whole.forward(x.clone())),
                "{name}"
            );
            assert_eq!(on.statistics(), whole.statistics(), "{name}");
        }
    }
}

#[test]
fn statistics_get_no_gradient_and_survive_every_move() {
    for (name, device) in training_devices() {
        for dtype in crate::models::dtypes(&device) {
            let norm = cast(TorchBatchNormConfig::new(3).init(&device).unwrap(), dtype);
            let x = grid([4, 3], 0.3, 2.0, (&device, dtype)).require_grad();
            let y = norm.forward(x.clone());
            assert_eq!(y.dtype(), dtype, "{name}");
            let grads = y.square().sum().backward();
            assert!(x.grad(&grads).is_some() && norm.gamma.val().grad(&grads).is_some());
            let norm = norm.unfreeze().to_device(&device).valid().train();
            assert_eq!(norm.running_var.value_sync().dtype(), dtype, "{name}");
            for state in [&norm.running_mean, &norm.running_var] {
                assert!(!state.value_sync().is_require_grad(), "{name}");
            }
            let before = norm.statistics();
            norm.forward(x.clone().detach());
            assert_ne!(norm.statistics(), before, "{name}: it trains on");
            let valid = norm.valid();
            let before = valid.statistics();
            valid.forward(x.inner());
            assert_eq!(valid.statistics(), before, "{name}: inference leaves them");
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for (name, device) in training_devices() {
        let (dtype, _) = precise(&device);
        let loss = |y: Tensor<2>| {
            let weights = grid(y.dims(), 0.9, 1.0, (&device, dtype));
            (y * weights).sum()
        };
        let norm = cast(TorchBatchNormConfig::new(2).init(&device).unwrap(), dtype);
        assert_gradient(|x| loss(norm.forward(x)), [5, 2], &device, name);
        let norm = cast(
            GhostBatchNormConfig::new(2, 3).init(&device).unwrap(),
            dtype,
        );
        assert_gradient(|x| loss(norm.forward(x)), [7, 2], &device, name);
        let norm = cast(BatchNormConfig::new(2).init(&device), dtype);
        norm.forward(grid([5, 2], 0.3, 2.0, (&device, dtype)));
        let norm = FrozenBatchNorm::from(&norm);
        assert_gradient(|x| loss(norm.forward(x)), [5, 2], &device, name);
    }
}

#[test]
fn a_frozen_batch_norm_stays_what_it_was() {
    for (name, device) in training_devices() {
        let norm = BatchNormConfig::new(3).init(&device);
        let x = grid([6, 3], 0.3, 2.0, (&device, DType::F32));
        norm.forward(x.clone()); // pending, and to be folded in
        let frozen = FrozenBatchNorm::from(&norm).unfreeze();
        let expected = values(norm.valid().forward(x.clone().inner()));
        for _ in 0..3 {
            norm.forward(x.clone() * 5.0);
        }
        let leaf = x.clone().require_grad();
        let y = frozen.forward(leaf.clone());
        assert_near(&values(y.clone()), &expected, 2e-6, name);
        let expected = values(frozen.valid().forward(x.clone().inner()));
        assert_eq!(values(y.clone()), expected, "{name}: training or not");
        let grads = y.sum().backward();
        assert!(leaf.grad(&grads).is_some(), "{name}: the input's gradient");
        for state in [&frozen.gamma, &frozen.beta, &frozen.running_mean] {
            assert!(state.value().grad(&grads).is_none(), "{name}");
        }
        let frozen = recorded(frozen.clone(), frozen).valid();
        assert_eq!(values(frozen.forward(x.inner())), expected, "{name}");
    }
}

#[test]
fn freezing_the_batch_norms_of_a_model_leaves_the_rest() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let model = Net::new(0.5, &device);
        let x = grid([6, 4], 0.3, 2.0, (&device, DType::F32));
        model.forward(x.clone()); // pending
        let model = freeze_batch_norms(model, Affine::Fixed);
        let expected = values(model.norm.running_mean.value());
        assert_ne!(
            expected, [0.0; 8],
            "{name}: the pending update is folded in"
        );
        for model in [model.clone(), model.valid().train()] {
            model.forward(x.clone());
            let mean = values(model.norm.running_mean.value_sync());
            assert_eq!(mean, expected, "{name}");
            assert!(model.dropout.training.is_enabled(), "{name}: dropout draws");
            assert!(model.first.weight.is_require_grad(), "{name}");
            assert!(!model.norm.gamma.is_require_grad(), "{name}");
        }
        let thawed = freeze_batch_norms(model.unfreeze(), Affine::Trainable);
        assert!(thawed.norm.gamma.is_require_grad(), "{name}");
        let group = ParamGroup::from_predicate("norm.training");
        let thawed = thawed.unfreeze_group(group);
        thawed.forward(x.clone());
        let mean = values(thawed.norm.running_mean.value_sync());
        assert_ne!(mean, expected, "{name}: thawed by Burn's own means");
    }
}

/// As a teacher or a target network is made.
#[test]
fn a_frozen_clone_keeps_its_statistics_while_the_model_is_trained() {
    for (name, device) in training_devices() {
        let x = grid([6, 3], 0.3, 2.0, (&device, DType::F32));
        let student = TorchBatchNormConfig::new(3).init(&device).unwrap();
        student.forward(x.clone()); // pending
        let teacher = freeze_batch_norms(student.clone(), Affine::Fixed);
        let mean = |norm: &TorchBatchNorm| values(norm.running_mean.value_sync());
        let expected = mean(&teacher);
        assert_eq!(expected, mean(&student), "{name}: at first those of both");
        let output = values(teacher.forward(x.clone()));
        for _ in 0..2 {
            student.forward(x.clone() * 5.0);
        }
        assert_ne!(mean(&student), expected, "{name}: the student learns");
        assert_eq!(mean(&teacher), expected, "{name}");
        assert_eq!(values(teacher.forward(x)), output, "{name}");
        assert_eq!(teacher.gamma.id, student.gamma.id, "{name}");
    }
}

#[test]
fn freezing_leaves_tied_parameters_tied_and_others_apart() {
    for (name, device) in training_devices() {
        let x = grid([6, 3], 0.3, 2.0, (&device, DType::F32));
        let norm = BatchNormConfig::new(3).init(&device);
        norm.forward(x.clone());
        // Loaded from records of one run, as members of an ensemble may be: one id, other numbers.
        let mut other = norm.clone();
        let twice = |gamma: Tensor<1>| (gamma.detach() * 2.0).detach().require_grad();
        other.gamma = other.gamma.map(twice);
        let model = freeze_batch_norms(vec![norm.clone(), norm, other], Affine::Trainable);
        let gamma = |at: usize| model[at].gamma.val();
        assert_eq!(values(gamma(1)), [1.0; 3], "{name}");
        assert_eq!(values(gamma(2)), [2.0; 3], "{name}");
        let grads = model[0].forward(x).square().sum().backward();
        assert!(gamma(1).grad(&grads).is_some(), "{name}: one leaf");
        assert!(gamma(2).grad(&grads).is_none(), "{name}: another leaf");
    }
}

#[test]
fn a_ghost_is_batch_norm_on_its_parts_with_its_own_settings() {
    for (name, device) in training_devices() {
        let (epsilon, momentum) = (0.3, 0.37);
        let ghost = |variance| {
            let config = GhostBatchNormConfig::new(3, 3).with_variance(variance);
            let config = config.with_epsilon(epsilon).with_momentum(momentum);
            config.init(&device).unwrap()
        };
        let torch = TorchBatchNormConfig::new(3)
            .with_epsilon(epsilon)
            .with_momentum(momentum)
            .init(&device)
            .unwrap();
        let burn = BatchNormConfig::new(3)
            .with_epsilon(epsilon)
            .with_momentum(momentum)
            .init(&device);
        let x = grid([9, 3], 0.3, 2.0, (&device, DType::F32));
        let in_parts = |norm: &dyn Fn(Tensor<2>) -> Tensor<2>| -> Vec<f64> {
            let parts = (0..3).map(|part| norm(x.clone().narrow(0, 3 * part, 3)));
            parts.flat_map(values).collect()
        };
        let (unbiased, biased) = (ghost(BatchVariance::Unbiased), ghost(BatchVariance::Biased));
        let expected = in_parts(&|part| torch.forward(part));
        assert_near(&values(unbiased.forward(x.clone())), &expected, 2e-6, name);
        let expected = in_parts(&|part| burn.forward(part));
        assert_near(&values(biased.forward(x.clone())), &expected, 2e-6, name);
        // The parts move the statistics at once, one after the other only in exact arithmetic.
        assert_near_statistics(&unbiased, &torch, name);
        assert_near_statistics(&biased, &burn, name);
        let x = x.inner();
        let expected = values(torch.valid().forward(x.clone()));
        assert_near(&values(unbiased.valid().forward(x)), &expected, 2e-6, name);
    }
}

#[test]
fn every_batch_norm_is_frozen_with_its_epsilon() {
    for (name, device) in training_devices() {
        let burn = BatchNormConfig::new(3).with_epsilon(0.3).init(&device);
        let torch = TorchBatchNormConfig::new(3).with_epsilon(0.4);
        let torch = torch.init(&device).unwrap();
        let ghost = GhostBatchNormConfig::new(3, 2).with_epsilon(0.5);
        let ghost = ghost.init(&device).unwrap();
        let x = grid([6, 3], 0.3, 2.0, (&device, DType::F32));
        burn.forward(x.clone());
        torch.forward(x.clone());
        ghost.forward(x.clone()); // all pending, and to be folded in
        for (frozen, epsilon, expected) in [
            (
                FrozenBatchNorm::from(&burn),
                0.3,
                burn.valid().run(x.clone().inner()),
            ),
            (
                FrozenBatchNorm::from(&torch),
                0.4,
                torch.valid().run(x.clone().inner()),
            ),
            (
                FrozenBatchNorm::from(&ghost),
                0.5,
                ghost.valid().run(x.clone().inner()),
            ),
        ] {
            assert_eq!(frozen.epsilon, epsilon, "{name}");
            let y = values(frozen.forward(x.clone()));
            assert_near(&y, &values(expected), 2e-6, name);
        }
    }
}

#[test]
fn every_batch_norm_of_a_model_is_found_and_frozen() {
    for (name, device) in training_devices() {
        let model = || {
            (
                BatchNormConfig::new(3).init(&device),
                TorchBatchNormConfig::new(3).init(&device).unwrap(),
                GhostBatchNormConfig::new(3, 2).init(&device).unwrap(),
            )
        };
        type All = (BatchNorm, TorchBatchNorm, GhostBatchNorm);
        let trainable = |(burn, torch, ghost): &All| {
            [&burn.gamma, &torch.gamma, &ghost.gamma].map(|gamma| gamma.is_require_grad())
        };
        let after_a_batch = |(burn, torch, ghost): &All| {
            let x = grid([6, 3], 0.3, 2.0, (&device, DType::F32));
            burn.forward(x.clone());
            torch.forward(x.clone());
            ghost.forward(x);
            [burn.statistics(), torch.statistics(), ghost.statistics()]
        };
        let still = || (vec![0.0; 3], vec![1.0; 3]);
        for learns in after_a_batch(&model()) {
            assert_ne!(learns, still(), "{name}");
        }
        for (affine, trains) in [(Affine::Trainable, true), (Affine::Fixed, false)] {
            let frozen = freeze_batch_norms(model(), affine);
            for statistics in after_a_batch(&frozen) {
                assert_eq!(statistics, still(), "{name} {affine:?}");
            }
            assert_eq!(trainable(&frozen), [trains; 3], "{name} {affine:?}");
            // `Trainable` thaws nothing.
            let again = freeze_batch_norms(frozen, Affine::Trainable);
            assert_eq!(trainable(&again), [trains; 3], "{name} {affine:?}");
        }
    }
}

#[test]
fn configs_go_through_json_and_refuse_nonsense() {
    assert_json(&TorchBatchNormConfig::new(3).with_momentum(0.25));
    assert_json(&GhostBatchNormConfig::new(3, 2).with_variance(BatchVariance::Biased));
    let device = Device::flex();
    let torch = TorchBatchNormConfig::new(3);
    assert_refused(
        TorchBatchNormConfig::new(0).init(&device),
        "num_features",
        "0",
    );
    assert_refused(
        torch.clone().with_epsilon(0.0).init(&device),
        "epsilon",
        "0.0",
    );
    for bad in [-0.1, 1.1, f64::NAN] {
        let result = torch.clone().with_momentum(bad).init(&device);
        assert_refused(result, "momentum", &format!("{bad:?}"));
    }
    assert_refused(
        GhostBatchNormConfig::new(3, 0).init(&device),
        "ghost_size",
        "0",
    );
    let ghost = GhostBatchNormConfig::new(3, 1).with_epsilon(f64::NAN);
    assert_refused(ghost.init(&device), "epsilon", "NaN");
    assert_send_sync_clone::<(TorchBatchNorm, GhostBatchNorm, FrozenBatchNorm)>();
}
