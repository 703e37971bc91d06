//! The optimizers that Burn lacks: PyTorch's, optax's and Keras's numbers, step by step.

use crate::devices::{devices, is_gpu};
use crate::models::{dtypes, tensor, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::optim::{Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::ConfigError;
use burn_tricks::optim::{
    AdaBeliefConfig, AdaDeltaConfig, AdaGradConfig, AdamConfig, AdamaxConfig, LarsConfig,
    LarsDivisor, MomentumForm, NAdamConfig, RAdamConfig, SgdConfig, SignumConfig, WeightDecayMode,
};

/// The oracle's case, on every device, in f32.
fn check<O: Optimizer>(name: &str, optim: Result<O, ConfigError>) {
    let (case, optim) = (case("optimizers", name), optim.expect(name));
    let lr = case["settings"]["lr"].as_f64().expect("a rate");
    let grads: Vec<Vec<f64>> = read(&case["gradients"]);
    let expected: Vec<Vec<f64>> = read(&case["weights"]);
    for (device_name, device) in devices() {
        let mut weight = tensor::<1>(&numbers(&case["start"]), DType::F32, &device);
        let mut state = None;
        for (step, grad) in grads.iter().enumerate() {
            let grad = tensor(grad, DType::F32, &device);
            (weight, state) = optim.step(lr, weight, grad, state);
            let what = format!("{name}, step {step}, on {device_name}");
            assert_close(&values(weight.clone()), &expected[step], 1e-6, &what);
        }
    }
}

#[test]
fn n_adam_is_pytorchs_kerass_and_optaxs() {
    check("nadam", NAdamConfig::torch().build());
    let decayed = NAdamConfig::new().with_weight_decay(0.01);
    check("nadam_weight_decay", decayed.build());
    let decoupled = decayed.with_weight_decay_mode(WeightDecayMode::Decoupled);
    check("nadam_decoupled", decoupled.build());
    let fast = NAdamConfig::new().with_beta_1(0.95).with_beta_2(0.9);
    let fast = fast.with_momentum_decay(Some(2.0));
    check("nadam_momentum_decay", fast.build());
    check("nadam_keras", NAdamConfig::keras().build());
    check(
        "nadam_optax",
        NAdamConfig::optax().with_beta_2(0.99).build(),
    );
}

#[test]
fn r_adam_is_pytorchs_and_optaxs() {
    check("radam", RAdamConfig::torch().build());
    let short = |config: RAdamConfig| config.with_beta_2(0.95).with_epsilon(1e-3);
    let decayed = short(RAdamConfig::new()).with_weight_decay(0.01);
    check("radam_beta_2", decayed.build());
    check("radam_optax", short(RAdamConfig::optax()).build());
}

#[test]
fn adamax_is_pytorchs_kerass_and_optaxs() {
    check("adamax", AdamaxConfig::torch().build());
    let short = |config: AdamaxConfig| config.with_beta_1(0.8).with_beta_2(0.5);
    let decayed = short(AdamaxConfig::new()).with_weight_decay(0.01);
    check("adamax_weight_decay", decayed.build());
    check("adamax_optax", short(AdamaxConfig::optax()).build());
    let keras = short(AdamaxConfig::keras()).with_epsilon(1e-2);
    check("adamax_keras", keras.build());
}

#[test]
fn ada_delta_is_pytorchs_kerass_and_the_papers() {
    check("adadelta", AdaDeltaConfig::torch().build());
    let short = AdaDeltaConfig::new().with_rho(0.5).with_epsilon(1e-2);
    let decayed = short.with_weight_decay(0.01);
    check("adadelta_weight_decay", decayed.build());
    check("adadelta_keras", AdaDeltaConfig::keras().build());
    check("adadelta_paper", AdaDeltaConfig::paper().build());
}

#[test]
fn signum_is_optaxs_and_that_of_pytorch_optimizer() {
    check("sign_descent", SignumConfig::sign_sgd().build());
    check("signum_descent", SignumConfig::new().build());
    check("signum_pytorch_optimizer", SignumConfig::new().build());
}

#[test]
fn ada_belief_is_optaxs_timms_and_the_authors() {
    check("adabelief", AdaBeliefConfig::new().build());
    let other = AdaBeliefConfig::new().with_beta_1(0.8).with_beta_2(0.9);
    let other = other.with_epsilon(1e-2).with_epsilon_inside(1e-2);
    check("adabelief_eps", other.build());
    let decayed = other.with_weight_decay(0.05);
    check("adabelief_timm", decayed.build());
    check("adabelief_authors", decayed.with_rectify(true).build());
    assert!(AdaBeliefConfig::authors().rectify);
}

#[test]
fn lars_is_optaxs() {
    let decayed = LarsConfig::new()
        .with_coefficient(0.1)
        .with_weight_decay(0.01);
    check("lars", decayed.build());
    let nesterov = LarsConfig::new().with_coefficient(0.5).with_epsilon(0.1);
    check("lars_nesterov", nesterov.with_nesterov(true).build());
}

/// At one rate, timm's form of momentum and the paper's are one.
#[test]
fn lars_is_timms_and_the_papers() {
    let plain = LarsConfig::timm()
        .with_momentum(0.9)
        .with_weight_decay(0.3)
        .with_coefficient(0.1);
    check("lars_timm", plain.build());
    let nesterov = plain.clone().with_coefficient(0.5).with_epsilon(0.1);
    check("lars_timm_nesterov", nesterov.with_nesterov(true).build());
    let paper = LarsConfig::paper();
    assert_eq!(
        (paper.coefficient, paper.epsilon, paper.momentum),
        (0.001, 0.0, 0.9)
    );
    assert_eq!(paper.weight_decay, 5e-4);
    let paper = paper.with_coefficient(0.1).with_weight_decay(0.3);
    check("lars_timm", paper.with_epsilon(1e-8).build());
    let timm = LarsConfig::timm();
    assert_eq!(
        (timm.coefficient, timm.epsilon, timm.momentum),
        (0.001, 1e-8, 0.0)
    );
}

/// At one rate the two forms of momentum are one; and a vector that is spared is stepped by momentum SGD.
#[test]
fn both_forms_of_lars_and_what_it_spares() {
    for (name, device) in devices() {
        let of = |numbers: &[f64]| tensor::<1>(numbers, DType::F32, &device);
        let config = LarsConfig::new()
            .with_coefficient(0.1)
            .with_weight_decay(0.1);
        let form = config.clone().with_momentum_form(MomentumForm::OfGradient);
        let spared = config.clone().with_vectors(false).with_weight_decay(0.0);
        let momentum = SgdConfig::classical_momentum().build().unwrap();
        let mut run: [Vec<f64>; 4] = std::array::from_fn(|_| vec![1.0, -2.0]);
        fn walk<O: Optimizer>(
            optim: &O,
            grads: &[[f64; 2]],
            of: &dyn Fn(&[f64]) -> Tensor<1>,
        ) -> Vec<f64> {
            let (mut weight, mut state) = (of(&[1.0, -2.0]), None);
            for grad in grads {
                (weight, state) = optim.step(0.1, weight, of(grad), state);
            }
            values(weight)
        }
        let grads = [[0.5, 0.25], [-0.5, 1.0], [0.1, 0.1]];
        run[0] = walk(&config.build().unwrap(), &grads, &of);
        run[1] = walk(&form.build().unwrap(), &grads, &of);
        run[2] = walk(&spared.build().unwrap(), &grads, &of);
        run[3] = walk(&momentum, &grads, &of);
        assert_close(&run[1], &run[0], 1e-6, name);
        assert_eq!(run[2], run[3], "{name}");
        assert!((run[0][0] - run[3][0]).abs() > 1e-3, "{name}: {run:?}");
    }
}

/// The sum of a gradient and its decay overflows in `f16`, and what is left of it after rescaling does not.
#[test]
fn lars_sums_gradient_and_decay_in_f32() {
    for (name, device) in devices() {
        if !dtypes(&device).contains(&DType::F16) {
            continue;
        }
        for momentum in [0.0, 0.9] {
            for form in [MomentumForm::OfUpdate, MomentumForm::OfGradient] {
                let config = LarsConfig::new().with_momentum(momentum);
                let config = config.with_momentum_form(form).with_weight_decay(1.0);
                let large = || tensor::<1>(&[60_000.0; 4], DType::F16, &device);
                let optim = config.build().unwrap();
                let (stepped, _) = optim.step(1.0, large(), large(), None);
                // 60,000 less a thousandth of it, in a type whose numbers are 32 apart there.
                assert_eq!(values(stepped), [59_936.0; 4], "{form:?} on {name}");
            }
        }
    }
}

/// A ratio beyond the largest number would make NaN of the zeros in a gradient.
#[test]
fn the_ratio_of_a_tiny_gradient_is_finite() {
    for (name, device) in devices() {
        for (dtype, size, coefficient, tiny) in [
            (DType::F32, 1.0, 1e-3, 1e-42), // no normal number: a GPU may take it for 0
            (DType::F32, 1e4, 1.0, 2e-38),
            (DType::F64, 1e9, 1.0, 1e-300),
        ] {
            if !device.supports_dtype(dtype) || (tiny == 1e-42 && is_gpu(name)) {
                continue;
            }
            let config = LarsConfig::new().with_coefficient(coefficient);
            for divisor in [LarsDivisor::NormOfSum, LarsDivisor::SumOfNorms] {
                for form in [MomentumForm::OfUpdate, MomentumForm::OfGradient] {
                    for momentum in [0.0, 0.9] {
                        let config = config.clone().with_divisor(divisor);
                        let config = config.with_momentum_form(form).with_momentum(momentum);
                        let weight = tensor::<1>(&[size; 4], dtype, &device);
                        let grad = tensor(&[tiny, 0.0, 0.0, 0.0], dtype, &device);
                        let (stepped, _) = config.build().unwrap().step(1.0, weight, grad, None);
                        let stepped = values(stepped);
                        let what = format!("{tiny}, {config:?} on {name}: {stepped:?}");
                        assert!(stepped[0] < size, "{what}");
                        assert!(size - stepped[0] <= 2.0 * coefficient * size, "{what}");
                        assert_eq!(stepped[1..], [size; 3], "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_optimizer_of_one_parameter_does_not_leave_out_a_clipping() {
    use burn::grad_clipping::GradientClippingConfig;
    let clipped = LarsConfig::new().with_grad_clipping(Some(GradientClippingConfig::Norm(2.0)));
    let error = clipped.build().unwrap_err();
    assert_eq!((error.field, &*error.got), ("grad_clipping", "Norm(2.0)"));
    clipped.init().unwrap();
    let clipped = SgdConfig::new().with_gradient_clipping(Some(GradientClippingConfig::Value(2.0)));
    assert_eq!(clipped.build().unwrap_err().field, "gradient_clipping");
    clipped.init().unwrap();
}

/// Never rectified with a short memory: momentum with bias correction.
#[test]
fn r_adam_with_a_short_memory_is_momentum() {
    for (name, device) in devices() {
        let of = |numbers: &[f64]| tensor::<1>(numbers, DType::F32, &device);
        let optim = RAdamConfig::new().with_beta_2(0.6).build().unwrap();
        let (mut weight, mut state) = (of(&[1.0]), None);
        let (mut w, mut m) = (1.0, 0.0);
        for (step, grad) in [1.0, -0.5, 2.0, 0.25, 1.0, 1.0].into_iter().enumerate() {
            m = 0.9 * m + 0.1 * grad;
            w -= 0.01 * m / (1.0 - 0.9_f64.powi(step as i32 + 1));
            (weight, state) = optim.step(0.01, weight, of(&[grad]), state);
            assert_close(&values(weight.clone()), &[w], 1e-6, name);
        }
    }
}

/// As a damaged record may have it.
#[test]
fn no_number_of_steps_is_too_large() {
    fn check<O: Optimizer>(name: &str, optim: Result<O, ConfigError>) {
        let (optim, device) = (optim.unwrap(), Device::flex());
        let of = |number| tensor::<1>(&[number], DType::F32, &device);
        let (weight, state) = optim.step(0.1, of(1.0), of(1.0), None);
        let mut sink = StateSink::default();
        state.unwrap().state_flatten("p", &mut sink);
        let most = |(name, _)| (name, u64::MAX.into());
        let mut source = StateSource::new(sink.scalars.into_iter().map(most).collect());
        for (name, data) in sink.tensors {
            source.insert_tensor(name, data);
        }
        let state = O::State::<1>::state_unflatten("p", &mut source, &device);
        assert!(state.is_some(), "{name}");
        let (weight, _) = optim.step(0.1, weight, of(1.0), state);
        let weight = values(weight)[0];
        assert!(weight.is_finite(), "{name}: {weight}");
    }
    check("NAdam", NAdamConfig::new().build());
    check("NAdam, Keras", NAdamConfig::keras().build());
    check("RAdam", RAdamConfig::new().build());
    check("Adamax", AdamaxConfig::new().build());
    check("AdaBelief", AdaBeliefConfig::authors().build());
    check("Adam", AdamConfig::new().build());
    check("AdaGrad", AdaGradConfig::new().with_lr_decay(0.1).build());
}

/// A sign that hides a NaN would train on with a broken model.
#[test]
fn the_sign_of_a_nan_is_a_nan_and_that_of_zero_zero() {
    for (name, device) in devices() {
        let of = |numbers: &[f64]| tensor::<1>(numbers, DType::F32, &device);
        for config in [SignumConfig::new(), SignumConfig::sign_sgd()] {
            let optim = config.build().unwrap();
            let (weight, _) =
                optim.step(0.5, of(&[1.0, 1.0, 1.0]), of(&[f64::NAN, 0.0, -3.0]), None);
            let got = values(weight);
            assert!(got[0].is_nan(), "{name}: {got:?}");
            assert_eq!(got[1..], [1.0, 1.5], "{name}");
        }
    }
}

#[test]
fn settings_that_mean_nothing_are_errors() {
    fn field<O>(built: Result<O, ConfigError>) -> &'static str {
        built.err().expect("an error").field
    }
    assert_eq!(field(NAdamConfig::new().with_beta_1(1.0).build()), "beta_1");
    assert_eq!(
        field(NAdamConfig::new().with_beta_2(-0.1).build()),
        "beta_2"
    );
    let psi = NAdamConfig::new().with_momentum_decay(Some(-1.0));
    assert_eq!(field(psi.build()), "momentum_decay");
    assert_eq!(
        field(RAdamConfig::new().with_epsilon(0.0).build()),
        "epsilon"
    );
    assert_eq!(
        field(AdamaxConfig::new().with_epsilon(f64::NAN).build()),
        "epsilon"
    );
    assert_eq!(field(AdaDeltaConfig::new().with_rho(1.0).build()), "rho");
    assert_eq!(
        field(SignumConfig::new().with_momentum(1.0).build()),
        "momentum"
    );
    let belief = AdaBeliefConfig::new().with_epsilon_inside(-1.0);
    assert_eq!(field(belief.build()), "epsilon_inside");
    assert_eq!(
        field(LarsConfig::new().with_coefficient(0.0).build()),
        "coefficient"
    );
    assert_eq!(
        field(LarsConfig::new().with_weight_decay(-1.0).build()),
        "weight_decay"
    );
}
