//! The moments of optimizers are means: in `f32` they stay as near to `f64` after thousands of steps as a
//! mean whose two shares add up to 1.

use crate::devices::devices;
use crate::models::{Noise, Pair, values};
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::kernels::{
    AdamStep, Mean, NormMemory, NormalizedStep, RmsPropStep, Step, UpdateMemory, WeightDecayTerm,
};
use burn_tricks::optim::{
    AdaBeliefConfig, AdaDeltaConfig, AdamConfig, AdamWConfig, Epsilon, Memory, MomentumMemory,
    NAdamConfig, NormScope, NormalizedGradientConfig, RAdamConfig, RmsPropConfig,
};

const BETA: f64 = 0.999;
const STEPS: usize = 6000;
const WEIGHTS: usize = 32;

/// Each number of the step's state is a mean of such a power of the gradient.
fn assert_near<S: Step<N>, const N: usize>(
    name: &str,
    device: &Device,
    step: impl Fn(u64) -> S,
    power: [i32; N],
) {
    let mut noise = Noise(3);
    let mut exact = vec![vec![0.0; WEIGHTS]; N];
    let mut weight = Tensor::<1>::zeros([WEIGHTS], device);
    let mut state = None;
    for time in 1..=STEPS {
        // Between 0.5 and 1.5, as `f32` has them.
        let grad = noise.take(WEIGHTS).into_iter();
        let grad: Vec<f64> = grad.map(|x| f64::from((1.0 + 0.5 * x) as f32)).collect();
        for (means, power) in exact.iter_mut().zip(power) {
            for (mean, grad) in means.iter_mut().zip(&grad) {
                *mean += (grad.powi(power) - *mean) * (1.0 - BETA);
            }
        }
        let grad = Tensor::from_floats(grad.as_slice(), device);
        let (next, of_step) = step(time as u64).apply(weight, grad, state);
        (weight, state) = (next, Some(of_step));
    }
    for (k, (got, exact)) in state.unwrap().into_iter().zip(exact).enumerate() {
        for (got, exact) in values(got).into_iter().zip(exact) {
            let error = (got - exact).abs() / exact;
            // A β and a 1 − β that are rounded apart give 1.3e-5.
            assert!(error < 5e-6, "{name}, state {k}: {got}, expected {exact}");
        }
    }
}

#[test]
fn moments_are_means_whose_shares_add_up_to_one() {
    for (name, device) in devices() {
        let adam = |time| AdamStep::new(1e-3, (BETA, BETA), 1e-8, WeightDecayTerm::None, time);
        assert_near(&format!("{name} Adam"), &device, adam, [1, 2]);
        let rms_prop = |_| RmsPropStep::<true, false> {
            lr: 1e-3,
            alpha: BETA,
            epsilon: 1e-8,
            momentum: 0.0,
            decay: WeightDecayTerm::None,
        };
        assert_near(&format!("{name} RMSProp"), &device, rms_prop, [2, 1]);
        let normalized = |time| {
            let mean = Mean::new(BETA, true, time);
            NormalizedStep::new(1e-3, WeightDecayTerm::None)
                .with_norm(NormMemory::Decay { mean, initial: 0.0 })
                .with_update(UpdateMemory::OfGradient(mean))
        };
        assert_near(&format!("{name} normalised"), &device, normalized, [2, 1]);
    }
}

/// Of a whole tensor: seen in what the last step moves, which is `m / √v` or `g / √v`.
#[test]
fn the_means_of_a_whole_tensor_are_too() {
    for (name, device) in devices() {
        for momentum in [
            MomentumMemory::None,
            MomentumMemory::OfGradient { beta: BETA },
        ] {
            let optim = NormalizedGradientConfig::new()
                .with_scope(NormScope::Tensor)
                .with_memory(Memory::Decay { beta: BETA })
                .with_momentum(momentum)
                .with_epsilon(Epsilon::OutsideRoot(0.0));
            let optim = optim.build().unwrap();
            let mut noise = Noise(3);
            let (mut exact_m, mut exact_v) = ([0.0; 4], 0.0);
            let (mut moved, mut expected) = (Vec::new(), [0.0; 4]);
            let mut state = None;
            for _ in 0..STEPS {
                let grad: Vec<f32> = noise
                    .take(4)
                    .iter()
                    .map(|x| (1.0 + 0.5 * x) as f32)
                    .collect();
                let square: f64 = grad.iter().map(|g| f64::from(*g).powi(2)).sum();
                exact_v += (square - exact_v) * (1.0 - BETA);
                for ((m, expected), grad) in exact_m.iter_mut().zip(&mut expected).zip(&grad) {
                    *m += (f64::from(*grad) - *m) * (1.0 - BETA);
                    *expected = -match momentum {
                        MomentumMemory::None => f64::from(*grad),
                        _ => *m,
                    } / exact_v.sqrt();
                }
                let weight = Tensor::<1>::zeros([4], &device);
                let grad = Tensor::from_floats(grad.as_slice(), &device);
                let (weight, next) = optim.step(1.0, weight, grad, state);
                (moved, state) = (values(weight), next);
            }
            for (got, expected) in moved.iter().zip(expected) {
                let error = (got / expected - 1.0).abs();
                // A β and a 1 − β that are rounded apart give 6.5e-6.
                assert!(
                    error < 3e-6,
                    "{name} {momentum:?}: {got}, expected {expected}"
                );
            }
        }
    }
}

/// As their documentation says: where the square of a gradient overflows, the mean square is infinite, and NaN a step later.
#[test]
fn a_gradient_whose_square_overflows_makes_its_weight_nan_in_the_next_step() {
    let device = Device::flex().autodiff();
    let steps = |mut optim: ModuleOptimizer| {
        let mut pair = Pair::new(&[1.0], &[1.0], DType::F32, &device);
        for grad in [1e30, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] {
            let grads = pair.grads(&[grad], &[0.5]);
            pair = optim.step(0.01, pair, grads);
        }
        let (a, b) = pair.values();
        (a[0], b[0])
    };
    let decay = Memory::Decay { beta: 0.9 };
    let of = |scope| {
        let config = NormalizedGradientConfig::new().with_memory(decay);
        config.with_scope(scope).init().unwrap()
    };
    for (name, optim) in [
        ("Adam", AdamConfig::new().init().unwrap()),
        ("AdamW", AdamWConfig::new().init().unwrap()),
        ("NAdam", NAdamConfig::new().init().unwrap()),
        ("RAdam", RAdamConfig::new().init().unwrap()),
        ("RMSProp", RmsPropConfig::new().init().unwrap()),
        ("AdaDelta", AdaDeltaConfig::new().init().unwrap()),
        ("AdaBelief", AdaBeliefConfig::new().init().unwrap()),
        ("elements", of(NormScope::Element)),
        ("tensors", of(NormScope::Tensor)),
    ] {
        let (a, b) = steps(optim);
        assert!(a.is_nan() && b.is_finite(), "{name}: {a}, {b}");
    }
    for (name, optim) in [
        ("Adam", burn::optim::AdamConfig::new().init()),
        ("RMSProp", burn::optim::RmsPropConfig::new().init()),
    ] {
        let (a, b) = steps(optim);
        assert!(a.is_finite() && b.is_finite(), "Burn's {name}: {a}, {b}");
    }
}
