//! Prodigy: its authors' numbers, resuming, and steps that its two parts do not share.

use crate::devices::{devices, training_devices};
use crate::models::{Net, Pair, alone, dtypes, numbers, values};
use crate::oracle::{assert_close, case, read};
use crate::sharpness_aware::Small;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder, batcher::Batcher};
use burn::data::dataset::InMemDataset;
use burn::module::{Module, Param, ParamGroup};
use burn::optim::{GradientsParams, ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Bytes, DType, Device, Tensor};
use burn::train::{InferenceStep, Learner, SupervisedTraining, TrainOutput, TrainStep};
use burn_tricks::grad::{GradientTransform, Only, Prodigy, ProdigyConfig, StepGuard};
use burn_tricks::optim::{OptimizerExt as _, SgdConfig};
use burn_tricks::train::TrickedExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// In `f64` d has to be within 1e-10 and the weights within 1e-12.
///
/// In `f32` the way from the first weights is a difference of nearly equal numbers, of which the rounding of the
/// weights leaves few digits as long as d is small: the authors' program in `f32` is up to 0.2 % away from itself in
/// `f64` (`f32_off` of the oracle). Ours must not be further away than `TIMES` as much, and 1e-6.
fn matches_the_authors(name: &str, config: &ProdigyConfig) {
    const TIMES: f64 = 2.0;
    let case = case("prodigy", name);
    let rates: Vec<f64> = read(&case["rates"]);
    let rows: Vec<Vec<f64>> = read(&case["weights"]);
    let distances: Vec<f64> = read(&case["d"]);
    let off_f32 = |of: &str| -> Vec<f64> { read(&case["f32_off"][of]) };
    let (d_off, weights_off) = (off_f32("d"), off_f32("weights"));
    for (backend, device) in training_devices() {
        for dtype in [DType::F64, DType::F32] {
            if !device.supports_dtype(dtype) {
                continue;
            }
            let mut model = Small::new(dtype, &device);
            let mut prodigy = config.init(&model).unwrap();
            let mut optim = prodigy.optimizer();
            for (step, lr) in rates.iter().enumerate() {
                let loss = model.loss(step % 4, dtype, &device);
                let grads = GradientsParams::from_grads(loss.backward(), &model);
                let grads = prodigy.apply(&model, grads);
                model = optim.step(*lr, model, grads);
                let what = format!("{name}, step {step}, {dtype:?} on {backend}");
                let d = values(prodigy.distance().unwrap())[0];
                let off = (d / distances[step] - 1.0).abs();
                let (most, tolerance) = match dtype {
                    DType::F64 => (1e-10, 1e-12),
                    _ => (1e-6 + TIMES * d_off[step], 1e-6 + TIMES * weights_off[step]),
                };
                assert!(off < most, "{what}: d is off by {off:e}");
                model.is_near(&rows[step], tolerance, &what);
            }
        }
    }
}

/// The estimate sees the rounded weights of the model, which stay where they began.
#[test]
fn master_weights_do_not_help_the_estimate_in_half_precision() {
    for (name, device) in training_devices() {
        if !dtypes(&device).contains(&DType::BF16) {
            continue;
        }
        let distance = |dtype: DType| {
            let mut model = Pair::new(&[0.5, -0.75], &[1.0], dtype, &device);
            let config = ProdigyConfig::new();
            let mut prodigy = config.init(&model).unwrap();
            let mut optim = prodigy.build().master_weights().init();
            // Of half the squared distance to (3, 3, 3).
            for _ in 0..50 {
                let slope = |numbers: Vec<f64>| numbers.iter().map(|x| x - 3.0).collect::<Vec<_>>();
                let (a, b) = model.values();
                let grads = model.grads(&slope(a), &slope(b));
                let grads = prodigy.apply(&model, grads);
                model = optim.step(1.0, model, grads);
            }
            values(prodigy.distance().unwrap())[0] / config.first_distance
        };
        let [half, full] = [DType::BF16, DType::F32].map(distance);
        assert!((half - 1.0).abs() < 1e-6, "{name}: {half}");
        assert!(full > 1e3, "{name}: {full}");
    }
}

fn all_options() -> ProdigyConfig {
    ProdigyConfig::new()
        .with_beta_1(0.8)
        .with_beta_2(0.99)
        .with_beta_3(Some(0.98))
        .with_epsilon(1e-4)
        .with_weight_decay(0.05)
        .with_bias_correction(true)
        .with_safeguard_warmup(true)
        .with_first_distance(1e-5)
        .with_distance_factor(40.0)
        .with_growth_rate(Some(1.5))
}

#[test]
fn the_steps_are_those_of_the_authors_program() {
    matches_the_authors("default", &ProdigyConfig::new());
    let large = ProdigyConfig::new().with_first_distance(1e-2);
    matches_the_authors("large_d0", &large);
    matches_the_authors("all", &all_options());
}

/// A step of `model`.
fn stepped(model: Small, prodigy: &mut Prodigy, optim: &mut ModuleOptimizer, at: usize) -> Small {
    let loss = model.loss(at, DType::F32, &Device::flex().autodiff());
    let grads = GradientsParams::from_grads(loss.backward(), &model);
    let grads = prodigy.apply(&model, grads);
    optim.step(1.0, model, grads)
}

#[test]
fn a_run_resumes_to_the_bit_after_every_step() {
    let device = Device::flex().autodiff();
    let config = ProdigyConfig::new()
        .with_first_distance(1e-3)
        .with_growth_rate(Some(1.5));
    let start = Small::new(DType::F32, &device);
    let whole = || {
        let mut prodigy = config.init(&start).unwrap();
        let mut optim = prodigy.optimizer();
        (0..6).fold(start.clone(), |model, at| {
            stepped(model, &mut prodigy, &mut optim, at)
        })
    };
    for saved_at in 0..6 {
        let (mut model, mut prodigy) = (start.clone(), config.init(&start).unwrap());
        let mut optim = prodigy.optimizer();
        for at in 0..6 {
            if at == saved_at {
                let state = prodigy.state();
                let record = optim.to_record().into_bytes().unwrap();
                // Of a model that was made anew, with other ids.
                let weights = model.clone().into_record();
                model = Small::new(DType::F32, &device).load_record(weights);
                prodigy = config.init(&model).unwrap();
                prodigy.load_state(&state).unwrap();
                let record = Bytes::from_bytes_vec(record.to_vec());
                let record = OptimizerRecord::from_bytes(record).unwrap();
                optim = prodigy.optimizer();
                optim = optim.load_record(record);
            }
            model = stepped(model, &mut prodigy, &mut optim, at);
        }
        assert_eq!(
            model.numbers(),
            whole().numbers(),
            "saved before step {saved_at}"
        );
    }
}

/// Both parts of the state, in `f32` where the device has no `f64`.
#[test]
fn a_run_in_f64_goes_on_on_every_device() {
    let step = |model: Pair, prodigy: &mut Prodigy, optim: &mut ModuleOptimizer| {
        let grads = prodigy.apply(&model, model.grads(&[1.0], &[0.5]));
        optim.step(1.0, model, grads)
    };
    let config = ProdigyConfig::new().with_first_distance(1e-2);
    let start = Pair::new(&[1.0], &[2.0], DType::F64, &Device::flex().autodiff());
    let mut prodigy = config.init(&start).unwrap();
    let mut optim = prodigy.optimizer();
    let saved = step(start, &mut prodigy, &mut optim);
    let (state, (a, b)) = (prodigy.state(), saved.values());
    let record = optim.to_record().into_bytes().unwrap().to_vec();
    let ids = (saved.a.id, saved.b.id);
    let expected = step(saved, &mut prodigy, &mut optim).values();
    let expected_distance = values(prodigy.distance().unwrap());
    for (name, device) in training_devices() {
        let mut model = Pair::new(&a, &b, dtypes(&device)[0], &device);
        (model.a.id, model.b.id) = ids;
        let mut resumed = config.init(&model).unwrap();
        resumed.load_state(&state).unwrap();
        let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(record.clone()));
        let mut optim = resumed.optimizer().load_record(record.unwrap());
        let got = step(model, &mut resumed, &mut optim).values();
        assert_close(&got.0, &expected.0, 1e-5, name);
        assert_close(&got.1, &expected.1, 1e-5, name);
        let distance = values(resumed.distance().unwrap());
        assert_close(&distance, &expected_distance, 1e-4, name);
    }
}

#[test]
fn a_state_of_another_model_is_refused() {
    let device = Device::flex().autodiff();
    let small = Small::new(DType::F32, &device);
    let mut prodigy = ProdigyConfig::new().init(&small).unwrap();
    let mut optim = prodigy.optimizer();
    stepped(small, &mut prodigy, &mut optim, 0);
    let state = prodigy.state();
    let pair = Pair::new(&[0.0], &[0.0], DType::F32, &device);
    let mut other = ProdigyConfig::new().init(&pair).unwrap();
    let error = other.load_state(&state).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the saved state does not fit: the model has no parameter `first.bias`"
    );
    assert!(other.load_state(&state[..7]).is_err());
    let longer = Pair::new(&[0.0, 1.0], &[0.0], DType::F32, &device);
    let mut longer_prodigy = ProdigyConfig::new().init(&longer).unwrap();
    let _ = longer_prodigy.apply(&longer, longer.grads(&[1.0, 2.0], &[1.0]));
    let _ = longer_prodigy
        .optimizer()
        .step(1.0, longer.clone(), longer.grads(&[1.0, 2.0], &[1.0]));
    let error = other.load_state(&longer_prodigy.state()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the saved state does not fit: `a` has 1 numbers, and the state 2"
    );
    // Its name; one step; d, the largest d and three numbers for r; no parameters.
    let one = || [0, 1].into_iter().chain(0.5_f32.to_le_bytes());
    let three = [0, 3]
        .into_iter()
        .chain([0.5_f32; 3].into_iter().flat_map(f32::to_le_bytes));
    let name = [7].into_iter().chain(*b"Prodigy");
    let damaged: Vec<u8> = name
        .chain([1, 1])
        .chain(one())
        .chain(one())
        .chain(three)
        .chain([0])
        .collect();
    let error = other.load_state(&damaged).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the saved state does not fit: the estimate's numerator is 3 numbers, expected 1"
    );
}

fn panic_of(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => other.downcast::<&str>().unwrap().to_string(),
    }
}

#[test]
fn a_step_whose_gradients_were_not_seen_is_a_panic() {
    let device = Device::flex().autodiff();
    let pair = || Pair::new(&[1.0], &[1.0], DType::F32, &device);
    let mut prodigy = ProdigyConfig::new().init(&pair()).unwrap();
    let mut optim = prodigy.optimizer();
    let model = pair();
    let unseen = panic_of(|| {
        optim.step(1.0, model.clone(), model.grads(&[1.0], &[1.0]));
    });
    assert!(
        unseen.starts_with("Prodigy has not seen the gradients of this step"),
        "{unseen}"
    );
    let grads = prodigy.apply(&model, model.grads(&[1.0], &[1.0]));
    let model = optim.step(1.0, model, grads);
    let again = panic_of(|| {
        optim.step(1.0, model.clone(), model.grads(&[1.0], &[1.0]));
    });
    assert_eq!(again, unseen);
}

#[test]
fn two_rates_in_one_step_are_a_panic() {
    use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
    let device = Device::flex().autodiff();
    let model = Pair::new(&[1.0], &[1.0], DType::F32, &device);
    let mut prodigy = ProdigyConfig::new().init(&model).unwrap();
    let mut optim = prodigy.optimizer();
    let rates = ModuleLrScheduler::new(1.0)
        .with_group(ParamGroup::from_path("b"), 0.5)
        .step();
    let grads = prodigy.apply(&model, model.grads(&[1.0], &[1.0]));
    let text = panic_of(|| {
        optim.step(rates, model.clone(), grads);
    });
    assert_eq!(
        text,
        "Prodigy needs one learning rate for all parameters, and has got 1 and 0.5 in one step"
    );
}

/// The authors' program leaves parameters of a rate of 0 out of the estimate, whose part here does not see the rates.
#[test]
fn a_rate_of_zero_for_some_parameters_is_a_panic_that_names_both_rates() {
    use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
    let device = Device::flex().autodiff();
    for (zero, both) in [("a", "0 and 1"), ("b", "1 and 0")] {
        let model = Pair::new(&[1.0], &[1.0], DType::F32, &device);
        let mut prodigy = ProdigyConfig::new().init(&model).unwrap();
        let mut optim = prodigy.optimizer();
        // At first of both parameters, so that each has a state.
        let grads = prodigy.apply(&model, model.grads(&[1.0], &[1.0]));
        let model = optim.step(1.0, model, grads);
        let rates = ModuleLrScheduler::new(1.0)
            .with_group(ParamGroup::from_path(zero), 0.0)
            .step();
        let grads = prodigy.apply(&model, model.grads(&[1.0], &[1.0]));
        let text = panic_of(|| {
            optim.step(rates, model.clone(), grads);
        });
        let said = format!(
            "Prodigy needs one learning rate for all parameters, and has got {both} in one step"
        );
        assert_eq!(text, said, "`{zero}` at 0");
        // A step whose rates are all 0 changes nothing, and the next one is taken.
        let grads = prodigy.apply(&model, model.grads(&[1.0], &[1.0]));
        let still = optim.step(0.0, model.clone(), grads);
        assert_eq!(still.values(), model.values());
        let grads = prodigy.apply(&still, still.grads(&[1.0], &[1.0]));
        assert_ne!(optim.step(1.0, still, grads).values(), model.values());
    }
}

/// The weights after six steps with a large first distance; `grads` are those of step `at`.
fn six_steps<M: Module>(
    model: M,
    grads: impl Fn(&M, usize) -> GradientsParams,
    optim: impl Fn(&Prodigy) -> ModuleOptimizer,
) -> M {
    let config = ProdigyConfig::new().with_first_distance(1e-2);
    let mut prodigy = config.init(&model).unwrap();
    let mut optim = optim(&prodigy);
    (0..6).fold(model, |model, at| {
        let seen = prodigy.apply(&model, grads(&model, at));
        optim.step(1.0, model, seen)
    })
}

/// The laws of optimizers, whose table makes them without gradients that a transform has seen.
#[test]
fn its_optimizer_keeps_the_laws_of_optimizers() {
    for (name, device) in training_devices() {
        let start = Pair::new(&[1.0, -0.5], &[0.25], DType::F32, &device);
        let wave = |at: usize| (at as f64).sin();
        let all = |pair: &Pair, at| pair.grads(&[wave(at), 0.5], &[wave(at + 7)]);
        let of_a = |pair: &Pair, at| {
            let mut grads = all(pair, at);
            let _ = grads.remove::<1>(pair.b.id);
            grads
        };
        let plain = |prodigy: &Prodigy| prodigy.optimizer();
        let whole = six_steps(start.clone(), all, plain).values();

        // A parameter without a gradient is left alone.
        let alone = six_steps(start.clone(), of_a, plain).values();
        assert_eq!(alone.1, start.values().1, "{name}");
        assert_ne!(alone.0, start.values().0, "{name}");

        // A tied one is stepped at its first place, as if it were there alone, and counts once in the estimate.
        let places = vec![start.clone(), start.clone()];
        let tied = six_steps(places, |places, at| all(&places[0], at), plain);
        assert_eq!(tied[0].values(), whole, "{name}");
        assert_eq!(tied[1].values(), start.values(), "{name}");

        // In a group whose gradients alone it sees, it takes the steps that it takes alone, while another optimizer steps
        // the others.
        let group = || ParamGroup::from_path("a");
        let config = ProdigyConfig::new().with_first_distance(1e-2);
        let prodigy = config.init(&start).unwrap();
        let sgd = SgdConfig::torch().init().unwrap();
        let mut optim = sgd.with_group(group(), prodigy.build(), None);
        let mut of_group = Only::new(group(), prodigy);
        let grouped = (0..6).fold(start.clone(), |model, at| {
            let grads = GradientTransform::apply(&mut of_group, &model, all(&model, at));
            optim.step(1.0, model, grads)
        });
        let by_sgd = (0..6).fold(0.25, |b, at| b - wave(at + 7));
        assert_close(&grouped.values().1, &[by_sgd], 1e-5, name);
        assert_eq!(grouped.values().0, alone.0, "{name}");

        // Neutral wrappers around it change nothing, and others something.
        let neutral = six_steps(start.clone(), all, |prodigy| {
            let slow = prodigy.build().lookahead(2, 1.0).unwrap();
            slow.decoupled_weight_decay(0.0)
                .unwrap()
                .master_weights()
                .init()
        });
        assert_eq!(neutral.values(), whole, "{name}");
        let slower = six_steps(start.clone(), all, |prodigy| {
            prodigy.build().lookahead(2, 0.5).unwrap().init()
        });
        assert_ne!(slower.values(), whole, "{name}");
    }
}

/// The first step of a parameter makes the estimate for all, under a lock. A thread of the pool that waited for others there
/// would take up the step of another parameter meanwhile, and wait for itself.
#[test]
fn a_fused_step_on_many_threads_ends_and_is_the_step() {
    /// How many parameters come before those with a gradient, to give the other threads time to begin.
    const FIRST: usize = 2000;

    fn trained(fuses: bool) -> Vec<f64> {
        let (device, dtype) = (Device::flex(), DType::BF16);
        // In half precision the estimate reads copies, so that other threads may take the gradients.
        let of = |shape: [usize; 2]| {
            let weight = Tensor::<2>::full(shape, 0.5, (&device.clone().autodiff(), dtype));
            Param::from_tensor(weight)
        };
        // Many small ones, and one that threads share.
        let shapes = [vec![[1, 1]; FIRST], vec![[8, 8]; 200], vec![[500, 400]]].concat();
        let mut model: Vec<Param<Tensor<2>>> = shapes.iter().map(|shape| of(*shape)).collect();
        let config = ProdigyConfig::new().with_first_distance(1e-2);
        let mut prodigy = config.init(&model).unwrap();
        let (mut fused, mut optim) = (prodigy.build().fused(), prodigy.optimizer());
        for step in 1..=20 {
            let mut grads = GradientsParams::new();
            for (param, shape) in model.iter().zip(&shapes).skip(FIRST) {
                let grad = 0.01 * f64::from(step);
                grads.register(param.id, Tensor::<2>::full(*shape, grad, (&device, dtype)));
            }
            let grads = prodigy.apply(&model, grads);
            model = if fuses {
                fused.step(1.0, model, grads)
            } else {
                optim.step(1.0, model, grads)
            };
        }
        numbers(&model)
    }

    let (send, done) = mpsc::channel();
    thread::spawn(move || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build();
        let _ = send.send(pool.unwrap().install(|| trained(true)));
    });
    let fused = done.recv_timeout(Duration::from_secs(120));
    let fused = fused.expect("the steps end");
    assert!(fused[FIRST] != 0.5, "it trains");
    assert!(
        fused == trained(false),
        "other weights than of separate calls"
    );
}

#[test]
fn a_rate_of_zero_and_a_gradient_of_zero_change_nothing() {
    for (name, device) in training_devices() {
        let start = Pair::new(&[1.0], &[-2.0], DType::F32, &device);
        let config = ProdigyConfig::new()
            .with_weight_decay(0.5)
            .with_first_distance(0.1);
        let mut prodigy = config.init(&start).unwrap();
        let mut optim = prodigy.optimizer();
        let mut model = start.clone();
        for (lr, size) in [(0.0, 1.0), (1.0, 0.0), (1.0, 0.0), (0.0, 3.0)] {
            let grads = prodigy.apply(&model, model.grads(&[size], &[size]));
            model = optim.step(lr, model, grads);
            assert_eq!(model.values(), start.values(), "{name}: {lr} {size}");
        }
        let grads = prodigy.apply(&model, model.grads(&[1.0], &[1.0]));
        model = optim.step(1.0, model, grads);
        assert!(model.a.val().is_require_grad());
        assert_ne!(model.values(), start.values());
        assert!(model.values().0[0].is_finite());
    }
}

#[test]
fn types_stay_and_parameters_without_a_gradient_too() {
    for (name, device) in devices() {
        for dtype in dtypes(&device) {
            let device = device.clone().autodiff();
            let model = Pair::new(&[1.0, 2.0], &[3.0], dtype, &device);
            let config = ProdigyConfig::new()
                .with_weight_decay(0.1)
                .with_first_distance(0.1);
            let mut prodigy = config.init(&model).unwrap();
            let mut optim = prodigy.optimizer();
            let mut grads = model.grads(&[0.5, -0.5], &[1.0]);
            grads.remove::<1>(model.b.id);
            let grads = prodigy.apply(&model, grads);
            let moved = optim.step(1.0, model.clone(), grads);
            assert_eq!(moved.a.val().dtype(), dtype, "{name}");
            assert_ne!(moved.values().0, model.values().0, "{dtype:?} on {name}");
            assert_eq!(moved.values().1, model.values().1);
        }
    }
}

#[test]
fn it_trains_a_network_without_a_rate() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    device.seed(5);
    let mut model = Net::new(0.0, &device);
    let input = Tensor::<2>::random([64, 4], burn::tensor::Distribution::Default, &device);
    let target = input.clone().slice([0..64, 0..3]) - input.clone().slice([0..64, 1..4]);
    let loss = |model: &Net| {
        (model.forward(input.clone()) - target.clone())
            .square()
            .mean()
    };
    let first = values(loss(&model))[0];
    let mut chain = StepGuard::new().then(ProdigyConfig::new().init(&model).unwrap());
    let mut optim = chain.second().optimizer();
    for _ in 0..300 {
        let grads = GradientsParams::from_grads(loss(&model).backward(), &model);
        let grads = chain.apply(&model, grads);
        model = optim.step(1.0, model, grads);
    }
    let last = values(loss(&model))[0];
    assert!(last < 0.1 * first, "{first} became {last}");
}

/// [`Small`] in the `Learner`.
#[derive(Module, Debug)]
struct Learned {
    net: Small,
}

impl TrainStep for Learned {
    type Input = ();
    type Output = ();

    fn step(&self, (): ()) -> TrainOutput<()> {
        let loss = self.net.loss(0, DType::F32, &Device::flex().autodiff());
        TrainOutput::new(self, loss.backward(), ())
    }
}

impl InferenceStep for Learned {
    type Input = ();
    type Output = ();

    fn step(&self, (): ()) {}
}

struct Nothing;

impl Batcher<(), ()> for Nothing {
    fn batch(&self, _items: Vec<()>, _device: &Device) {}
}

#[test]
fn in_the_learner_it_is_the_loop() {
    let device = Device::flex().autodiff();
    let config = ProdigyConfig::new().with_first_distance(1e-2);
    let start = Small::new(DType::F32, &device);
    let mut prodigy = config.init(&start).unwrap();
    let mut optim = prodigy.optimizer();
    let step = |model, _| stepped(model, &mut prodigy, &mut optim, 0);
    let by_hand = (0..6).fold(start.clone(), step);

    let loader = |count| -> Arc<dyn DataLoader<()>> {
        DataLoaderBuilder::new(Nothing)
            .batch_size(1)
            .set_device(Device::flex())
            .build(InMemDataset::new(vec![(); count]))
    };
    let folder = tempfile::tempdir().unwrap();
    let model = Learned { net: start };
    let prodigy = config.init(&model).unwrap();
    let optim = prodigy.optimizer();
    let result = SupervisedTraining::new(folder.path(), loader(3), loader(1))
        .num_epochs(2)
        .with_application_logger(None)
        .launch(Learner::new(model.with_tricks(prodigy), optim, 1.0));
    let learned = result.model.into_trained().net;
    assert_eq!(learned.numbers(), by_hand.numbers());
}

#[test]
fn what_means_nothing_is_refused() {
    let pair = Pair::new(&[0.0], &[0.0], DType::F32, &Device::flex());
    let field = |config: ProdigyConfig| config.init(&pair).unwrap_err().field;
    let config = ProdigyConfig::new;
    assert_eq!(field(config().with_beta_1(1.0)), "beta_1");
    assert_eq!(field(config().with_beta_2(-0.1)), "beta_2");
    assert_eq!(field(config().with_beta_3(Some(1.5))), "beta_3");
    assert_eq!(field(config().with_epsilon(0.0)), "epsilon");
    assert_eq!(field(config().with_weight_decay(-1.0)), "weight_decay");
    assert_eq!(field(config().with_first_distance(0.0)), "first_distance");
    assert_eq!(
        field(config().with_distance_factor(f64::NAN)),
        "distance_factor"
    );
    assert_eq!(field(config().with_growth_rate(Some(0.5))), "growth_rate");
    let prodigy = config().init(&pair).unwrap();
    assert!(prodigy.build().with_weight_decay(f64::INFINITY).is_err());
}
