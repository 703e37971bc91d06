//! Every wrapper of an optimizer around every other.

use crate::devices::training_devices;
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::{DType, Device};
use burn_tricks::ConfigError;
use burn_tricks::optim::{Adam, AdamConfig, ModuleOptimizerExt as _, OptimizerExt as _, Scheduled};
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
    Timed: |inner| Scheduled::build(move |step| {
        let inner = inner.clone();
        inner.decoupled_weight_decay(0.3 / step as f64)
    }).unwrap();
}

/// The numbers after seven steps; read back from its bytes before step `at`.
fn run(make: &dyn Fn() -> ModuleOptimizer, at: Option<u64>, device: &Device) -> Vec<f64> {
    let (mut optim, mut weights) = (make(), Weights::new(1, DType::F32, device));
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

/// Both act, and the two together resume to the bit after every step.
fn pair<A: Wraps, B: Wraps>(device: &Device) {
    let name = format!("{} in {}", A::NAME, B::NAME);
    let whole = |make: &dyn Fn() -> ModuleOptimizer| run(make, None, device);
    let both = || B::wrap(A::wrap(adam().unwrap())).init();
    let numbers = whole(&both);
    assert!(
        numbers.iter().all(|number| number.is_finite()),
        "{name}: {numbers:?}"
    );
    for at in 0..7 {
        assert_eq!(
            run(&both, Some(at), device),
            numbers,
            "{name}, saved before step {at}"
        );
    }
    // On f32 weights the master is the weight itself.
    let bare = whole(&|| adam().unwrap().init());
    let of_both = [A::NAME, B::NAME].map(|name| name == "Master");
    if of_both != [true, true] {
        assert_ne!(numbers, bare, "{name}");
    }
    if of_both == [false, true] {
        assert_eq!(
            numbers,
            whole(&|| A::wrap(adam().unwrap()).init()),
            "{name}"
        );
    }
    if of_both == [true, false] {
        assert_eq!(
            numbers,
            whole(&|| B::wrap(adam().unwrap()).init()),
            "{name}"
        );
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
        pair::<A, Timed>(device);
    }
    for (_, device) in training_devices() {
        around::<Lookahead>(&device);
        around::<Decay>(&device);
        around::<Cautious>(&device);
        around::<Ratio>(&device);
        around::<Free>(&device);
        around::<Master>(&device);
        around::<Timed>(&device);
    }
}
