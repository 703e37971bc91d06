//! Every wrapper of an optimizer around every other.

use crate::devices::training_devices;
use crate::models::dtypes;
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::{DType, Device};
use burn_tricks::ConfigError;
use burn_tricks::optim::{
    Adam, AdamConfig, MasterWeightsConfig, MasterWeightsForm, ModuleOptimizerExt as _,
    OptimizerExt as _, Scheduled,
};
use burn_tricks_testkit::Weights;

fn adam() -> Result<Adam, ConfigError> {
    AdamConfig::torch().build()
}

/// A wrapper with settings of its own, around any optimizer.
trait Wraps {
    const NAME: &'static str;

    fn wrap(inner: impl Optimizer) -> impl Optimizer;
}

macro_rules! wrapped {
    ($($name:ident: |$inner:ident| $wrapped:expr;)*) => {$(
        struct $name;

        impl Wraps for $name {
            const NAME: &'static str = stringify!($name);

            fn wrap($inner: impl Optimizer) -> impl Optimizer {
                $wrapped
            }
        }
    )*};
}
wrapped! {
    Lookahead: |inner| inner.lookahead(2, 0.5).unwrap();
    Decay: |inner| inner.decoupled_weight_decay(0.1).unwrap();
    Cautious: |inner| inner.cautious();
    Ratio: |inner| inner.trust_ratio();
    Free: |inner| inner.schedule_free(0.9).unwrap();
    Master: |inner| inner.master_weights();
    Kahan: |inner| MasterWeightsConfig::new().with_form(MasterWeightsForm::Kahan).build(inner);
    Timed: |inner| Scheduled::build(move |step| {
        let inner = inner.clone();
        inner.decoupled_weight_decay(0.3 / step as f64)
    }).unwrap();
}

/// The numbers after seven steps; read back from its bytes before step `at`.
fn run(
    make: &dyn Fn() -> ModuleOptimizer,
    at: Option<u64>,
    dtype: DType,
    device: &Device,
) -> Vec<f64> {
    let (mut optim, mut weights) = (make(), Weights::new(1, dtype, device));
    for step in 0..7 {
        if at == Some(step) {
            let bytes = optim.into_bytes().expect("its state can be written");
            optim = make().try_from_bytes(&weights, bytes).expect("its own");
        }
        let grads = weights.grads(step);
        weights = optim.step(0.05, weights, grads);
    }
    weights.numbers()
}

/// After seven steps in which the matrix has no gradient, it is what it was.
fn leaves_what_has_no_gradient(
    make: &dyn Fn() -> ModuleOptimizer,
    (dtype, device): (DType, &Device),
    name: &str,
) {
    let (mut optim, mut weights) = (make(), Weights::new(1, dtype, device));
    let before = weights.numbers();
    for step in 0..7 {
        let mut grads = weights.grads(step);
        let _ = grads.remove::<2>(weights.matrix.id).expect("it is there");
        weights = optim.step(0.05, weights, grads);
    }
    let after = weights.numbers();
    assert_eq!(after[3..], before[3..], "{name}: the matrix");
    assert_ne!(after[..3], before[..3], "{name}: the vector");
}

/// At the first of its two places a tied parameter goes where it goes alone, and the tensor of the other place stays.
fn steps_a_tied_parameter_once(
    make: &dyn Fn() -> ModuleOptimizer,
    alone: &[f64],
    (dtype, device): (DType, &Device),
    name: &str,
) {
    let (mut optim, first) = (make(), Weights::new(1, dtype, device));
    let mut places = vec![first.clone(), first];
    for step in 0..7 {
        let (grads, before) = (places[0].grads(step), places[1].numbers());
        places = optim.step(0.05, places, grads);
        assert_eq!(places[1].numbers(), before, "{name}: the other place");
        places[1] = places[0].clone();
    }
    assert_eq!(places[0].numbers(), alone, "{name}: tied at two places");
}

/// Type, shape and device of the parameters stay in each type.
fn keeps_kind(make: &dyn Fn() -> ModuleOptimizer, device: &Device, name: &str) {
    for dtype in dtypes(device) {
        let (mut optim, mut weights) = (make(), Weights::new(1, dtype, device));
        let kind = |weights: &Weights| {
            let (vector, matrix) = (weights.vector.val(), weights.matrix.val());
            let dims = (vector.dims(), matrix.dims());
            (dims, vector.dtype(), matrix.dtype(), matrix.device())
        };
        let before = kind(&weights);
        for step in 0..3 {
            let grads = weights.grads(step);
            weights = optim.step(0.05, weights, grads);
        }
        assert_eq!(kind(&weights), before, "{name} in {dtype:?}");
    }
}

/// Master weights keep the digits that a weight in half precision cannot hold.
fn is_master(name: &str) -> bool {
    matches!(name, "Master" | "Kahan")
}

/// Both act, and the two together resume to the bit after every step: in `f32`, and in `bf16` with master weights.
fn pair<A: Wraps, B: Wraps>(device: &Device) {
    acts::<A, B>(DType::F32, device);
    let half = is_master(A::NAME) || is_master(B::NAME);
    if half && dtypes(device).contains(&DType::BF16) {
        acts::<A, B>(DType::BF16, device);
    }
}

fn acts<A: Wraps, B: Wraps>(dtype: DType, device: &Device) {
    let name = format!("{} in {} in {dtype:?}", A::NAME, B::NAME);
    let whole = |make: &dyn Fn() -> ModuleOptimizer| run(make, None, dtype, device);
    let both = || B::wrap(A::wrap(adam().unwrap())).init();
    let numbers = whole(&both);
    assert!(
        numbers.iter().all(|number| number.is_finite()),
        "{name}: {numbers:?}"
    );
    for at in 0..7 {
        assert_eq!(
            run(&both, Some(at), dtype, device),
            numbers,
            "{name}, saved before step {at}"
        );
    }
    leaves_what_has_no_gradient(&both, (dtype, device), &name);
    steps_a_tied_parameter_once(&both, &numbers, (dtype, device), &name);
    if dtype == DType::F32 {
        keeps_kind(&both, device, &name);
    }
    let alone = [
        whole(&|| A::wrap(adam().unwrap()).init()),
        whole(&|| B::wrap(adam().unwrap()).init()),
    ];
    if dtype != DType::F32 {
        // The inner optimizer of master weights has weights in `f32`, where a second copy would be the first.
        match [A::NAME, B::NAME].map(is_master) {
            [true, true] => assert_eq!(numbers, alone[1], "{name}"),
            // Inside another wrapper, which moves the rounded weight, they take over that weight at each step; and a
            // schedule-free step has exact weights of its own in its state.
            [true, false] => {}
            _ if A::NAME == "Free" => {}
            _ => assert_ne!(numbers, alone[0], "{name}: the master weights"),
        }
        return;
    }
    // In `f32` the master is the weight itself.
    let bare = whole(&|| adam().unwrap().init());
    match [A::NAME, B::NAME].map(is_master) {
        [true, true] => assert_eq!(numbers, bare, "{name}"),
        [true, false] => assert_eq!(numbers, alone[1], "{name}"),
        [false, true] => assert_eq!(numbers, alone[0], "{name}"),
        [false, false] => assert_ne!(numbers, bare, "{name}"),
    }
}

#[test]
fn wrappers_go_together_in_every_pair() {
    fn around<A: Wraps>(device: &Device) {
        pair::<A, Lookahead>(device);
        pair::<A, Decay>(device);
        pair::<A, Cautious>(device);
        pair::<A, Ratio>(device);
        pair::<A, Free>(device);
        pair::<A, Master>(device);
        pair::<A, Kahan>(device);
        pair::<A, Timed>(device);
    }
    for (_, device) in training_devices() {
        around::<Lookahead>(&device);
        around::<Decay>(&device);
        around::<Cautious>(&device);
        around::<Ratio>(&device);
        around::<Free>(&device);
        around::<Master>(&device);
        around::<Kahan>(&device);
        around::<Timed>(&device);
    }
}
