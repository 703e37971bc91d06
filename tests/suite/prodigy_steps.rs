//! Which steps Prodigy's optimizer takes and which it refuses; tied parameters, groups, and wrappers around it.

use crate::devices::training_devices;
use crate::models::Pair;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::ParamGroup;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Device};
use burn_tricks::grad::{FreezeConfig, GradientTransform as _, Prodigy, ProdigyConfig};
use burn_tricks::optim::{ModuleOptimizerExt as _, OptimizerExt as _};
use burn_tricks_testkit::Weights;
use std::panic::{AssertUnwindSafe, catch_unwind};

const UNSEEN: &str = "Prodigy has not seen the gradients of this step";

/// The message of the panic of a step, if there is one.
fn panic_of<T>(step: impl FnOnce() -> T) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(step)) else {
        return String::new();
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => other.downcast::<&str>().unwrap().to_string(),
    }
}

fn config() -> ProdigyConfig {
    ProdigyConfig::new().with_first_distance(0.01)
}

fn pair() -> Pair {
    Pair::new(&[1.0], &[-2.0], DType::F32, &Device::flex().autodiff())
}

fn only_a(model: &Pair, grad: f64) -> GradientsParams {
    let mut grads = model.grads(&[grad], &[1.0]);
    grads.remove::<1>(model.b.id);
    grads
}

fn only_b(model: &Pair, grad: f64) -> GradientsParams {
    let mut grads = model.grads(&[1.0], &[grad]);
    grads.remove::<1>(model.a.id);
    grads
}

#[test]
fn a_rate_of_zero_for_some_parameters_is_refused() {
    for (path, text) in [("a", "has got 0 and 1"), ("b", "has got 1 and 0")] {
        let mut rates = ModuleLrScheduler::new(1.0).with_group(ParamGroup::from_path(path), 0.0);
        // In the first step, and where only `a` has a state.
        for steps_before in 0..2 {
            let mut model = pair();
            let mut prodigy = config().init(&model).unwrap();
            let mut optim = prodigy.optimizer();
            for _ in 0..steps_before {
                let grads = prodigy.apply(&model, only_a(&model, 1.0));
                model = optim.step(1.0, model, grads);
            }
            let grads = prodigy.apply(&model, model.grads(&[1.0], &[1.0]));
            let panic = panic_of(|| optim.step(rates.step(), model.clone(), grads));
            assert!(panic.contains(text), "{path}, {steps_before}: {panic}");
        }
    }
}

/// The way to leave a parameter as it is: as in the authors' program, a parameter at rate 0 does not count in the estimate.
#[test]
fn a_frozen_parameter_does_not_count_in_the_estimate() {
    let (mut both, mut alone) = (pair(), pair());
    let freeze = FreezeConfig::for_paths(["a"]).init(&both).unwrap();
    let mut frozen = freeze.then(config().init(&both).unwrap());
    let mut optim = frozen.second().optimizer();
    let mut prodigy = config().init(&alone).unwrap();
    let mut optim_alone = prodigy.optimizer();
    for step in 0..4 {
        let grad = 1.0 + f64::from(step);
        let grads = frozen.apply(&both, both.grads(&[-3.0], &[grad]));
        both = optim.step(1.0, both, grads);
        let grads = prodigy.apply(&alone, only_b(&alone, grad));
        alone = optim_alone.step(1.0, alone, grads);
    }
    assert_eq!(both.values(), alone.values());
    assert_eq!(both.values().0, [1.0]);
    assert_ne!(both.values().1, [-2.0]);
}

#[test]
fn a_parameter_without_a_state_does_not_step_on_the_numbers_of_the_step_before() {
    let model = pair();
    let mut prodigy = config().init(&model).unwrap();
    let mut optim = prodigy.optimizer();
    let grads = prodigy.apply(&model, only_a(&model, 1.0));
    let model = optim.step(1.0, model, grads);
    let panic = panic_of(|| optim.step(1.0, model.clone(), only_b(&model, 1.0)));
    assert!(panic.starts_with(UNSEEN), "{panic}");
    // Seen, it steps, and so it does after the panic.
    let grads = prodigy.apply(&model, only_b(&model, 1.0));
    let stepped = optim.step(1.0, model.clone(), grads);
    assert_ne!(stepped.values().1, model.values().1);
}

#[test]
fn parameters_without_numbers_are_no_steps() {
    let device = Device::flex().autodiff();
    let mut model = Pair::new(&[], &[-2.0], DType::F32, &device);
    let mut prodigy = config().init(&model).unwrap();
    let mut optim = prodigy.optimizer();
    for _ in 0..3 {
        let grads = prodigy.apply(&model, model.grads(&[], &[1.0]));
        model = optim.step(1.0, model, grads);
    }
    assert_eq!(model.values().0, [0.0; 0]);
    assert_ne!(model.values().1, [-2.0]);
}

type Make = fn(&Prodigy) -> ModuleOptimizer;

/// The numbers of a model that is `places` times the same weights, after six steps; saved and loaded before step `at`.
fn run(make: Make, places: usize, at: Option<u64>, device: &Device) -> Vec<f64> {
    let first = Weights::new(1, DType::F32, device);
    let mut model = vec![first; places];
    let mut prodigy = config().init(&model).unwrap();
    let mut optim = make(&prodigy);
    for step in 0..6 {
        if at == Some(step) {
            let (state, bytes) = (prodigy.state(), optim.into_bytes().unwrap());
            prodigy = config().init(&model).unwrap();
            prodigy.load_state(&state).unwrap();
            optim = make(&prodigy).try_from_bytes(&model, bytes).unwrap();
        }
        let grads = prodigy.apply(&model, model[0].grads(step));
        let before: Vec<_> = model[1..].iter().map(Weights::numbers).collect();
        model = optim.step(1.0, model, grads);
        let after: Vec<_> = model[1..].iter().map(Weights::numbers).collect();
        assert_eq!(before, after, "the other places");
        model = vec![model.swap_remove(0); places];
    }
    model[0].numbers()
}

fn grouped(prodigy: &Prodigy, decay: f64) -> ModuleOptimizer {
    let other = prodigy.build().with_weight_decay(decay).unwrap();
    let group = ParamGroup::from_path("0.matrix");
    prodigy.optimizer().with_group(group, other, None)
}

#[test]
fn tied_parameters_groups_and_wrappers_step_as_the_optimizer_alone() {
    let bare: Make = |prodigy| prodigy.optimizer();
    let makes: [(&str, bool, Make); 7] = [
        ("bare", true, bare),
        ("a group", true, |prodigy| grouped(prodigy, 0.0)),
        ("a group that decays", false, |prodigy| {
            grouped(prodigy, 0.5)
        }),
        ("neutral lookahead", true, |prodigy| {
            prodigy.build().lookahead(2, 1.0).unwrap().init()
        }),
        ("lookahead", false, |prodigy| {
            prodigy.build().lookahead(2, 0.5).unwrap().init()
        }),
        ("master weights", true, |prodigy| {
            prodigy.build().master_weights().init()
        }),
        ("cautious", false, |prodigy| {
            prodigy.build().cautious().init()
        }),
    ];
    for (on, device) in training_devices() {
        let start = Weights::new(1, DType::F32, &device).numbers();
        let alone = run(bare, 1, None, &device);
        for (name, is_neutral, make) in &makes {
            let numbers = run(*make, 1, None, &device);
            assert_ne!(numbers[..9], start[..9], "{name} on {on}");
            assert_eq!(numbers == alone, *is_neutral, "{name} on {on}");
            assert_eq!(
                run(*make, 2, None, &device),
                numbers,
                "{name}, tied, on {on}"
            );
            for at in 0..6 {
                let resumed = run(*make, 1, Some(at), &device);
                assert_eq!(resumed, numbers, "{name}, saved before step {at}, on {on}");
            }
        }
    }
}

#[test]
fn what_has_no_gradient_stays_over_many_steps() {
    let wrapped: Make = |prodigy| prodigy.build().lookahead(2, 0.5).unwrap().init();
    let makes: [Make; 2] = [|prodigy| prodigy.optimizer(), wrapped];
    for make in makes {
        let device = Device::flex().autodiff();
        let mut weights = Weights::new(1, DType::F32, &device);
        let before = weights.numbers();
        let mut prodigy = config().with_weight_decay(0.1).init(&weights).unwrap();
        let mut optim = make(&prodigy);
        for step in 0..6 {
            let mut grads = weights.grads(step);
            let _ = grads.remove::<2>(weights.matrix.id).expect("it is there");
            let grads = prodigy.apply(&weights, grads);
            weights = optim.step(1.0, weights, grads);
        }
        let after = weights.numbers();
        assert_eq!(after[3..], before[3..], "the matrix");
        assert_ne!(after[..3], before[..3], "the vector");
    }
}
