//! Schedule-free learning: the two sets of weights of `schedulefree`, step by step.

use crate::devices::{devices, training_devices};
use crate::models::{Noise, Pair, dtypes, tensor, values};
use crate::oracle::{assert_close, case, numbers, read, worst};
use burn::module::{Module, ParamGroup};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::optim::{GradientsParams, ModuleOptimizer, Optimizer};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::average::{Average, AverageRule, ScheduleFreeAverageConfig};
use burn_tricks::optim::{
    AdamConfig, MasterWeightsConfig, MasterWeightsForm, ModuleOptimizerExt as _, OptimizerExt as _,
    OptimizerRecordError, ScheduleFreeConfig, Scheduled, SgdConfig, StateField, Wrap, WrappedStep,
    Wrapper,
};

/// Training and evaluation weights are the oracle's, on every device, in f32: those of the average, and those that are made of
/// model and optimizer.
fn check<O: Optimizer>(
    name: &str,
    (config, inner): (ScheduleFreeConfig, O),
    average: ScheduleFreeAverageConfig,
) {
    let (case, optim) = (case("wrappers", name), config.build(inner).expect(name));
    let settings = &case["settings"];
    let lr = settings["lr"].as_f64().expect("a rate");
    let warmup = settings["warmup_steps"].as_f64().unwrap_or(1.0);
    let grads: Vec<Vec<f64>> = read(&case["gradients"]);
    let training: Vec<Vec<f64>> = read(&case["weights"]);
    let evaluation: Vec<Vec<f64>> = read(&case["evaluation"]);
    for (device_name, device) in training_devices() {
        let mut model = Pair::new(&numbers(&case["start"]), &[0.0], DType::F32, &device);
        let mut optim = optim.clone().init();
        let mut average = average.init(&model).unwrap();
        for (step, grad) in grads.iter().enumerate() {
            let rate = lr * ((step + 1) as f64 / warmup).min(1.0);
            let grads = model.grads(grad, &[0.0]);
            model = optim.step(rate, model, grads);
            average.update_at(&model, rate);
            let what = format!("{name}, step {step}, on {device_name}");
            assert_close(&model.values().0, &training[step], 1e-6, &what);
            let evaluated = average.model().values().0;
            assert_close(
                &evaluated,
                &evaluation[step],
                1e-6,
                &format!("{what}, average"),
            );
            let made = ScheduleFreeConfig::evaluation_model(&model, optim.to_record()).unwrap();
            assert_close(
                &made.values().0,
                &evaluation[step],
                1e-6,
                &format!("{what}, made of the state"),
            );
        }
    }
}

fn sgd() -> burn_tricks::optim::Sgd {
    SgdConfig::torch().build().unwrap()
}

fn adam(beta_2: f64) -> burn_tricks::optim::Adam {
    let config = AdamConfig::torch().with_beta_1(0.0).with_beta_2(beta_2);
    config.build().unwrap()
}

/// As the oracle's cases with a warm-up have it.
fn powers(beta: f64) -> (ScheduleFreeConfig, ScheduleFreeAverageConfig) {
    let optim = ScheduleFreeConfig::new()
        .with_beta(beta)
        .with_step_power(0.5)
        .with_rate_power(1.0)
        .with_weight_decay(0.05);
    let average = ScheduleFreeAverageConfig::new()
        .with_beta(beta)
        .with_step_power(0.5)
        .with_rate_power(1.0);
    (optim, average)
}

#[test]
fn around_sgd_it_is_schedulefrees() {
    let average = ScheduleFreeAverageConfig::new();
    let config = ScheduleFreeConfig::new();
    check("schedule_free_sgd", (config, sgd()), average);
    let (config, average) = powers(0.8);
    check("schedule_free_sgd_warmup", (config, sgd()), average);
}

#[test]
fn around_adam_without_momentum_it_is_schedulefrees_adamw() {
    let average = ScheduleFreeAverageConfig::new();
    let config = ScheduleFreeConfig::new();
    check("schedule_free_adamw", (config, adam(0.999)), average);
    let (config, average) = powers(0.95);
    check("schedule_free_adamw_warmup", (config, adam(0.9)), average);
}

/// One step of both, at a rate that changes.
fn step(
    step: usize,
    model: Pair,
    optim: &mut ModuleOptimizer,
    average: &mut Average<Pair, impl AverageRule>,
) -> Pair {
    let rate = 0.1 * (1 + step % 3) as f64;
    let at = step as f64;
    let grads = model.grads(&[at.sin(), at.cos()], &[0.5 * at.sin()]);
    let model = optim.step(rate, model, grads);
    average.update_at(&model, rate);
    model
}

/// A run that is saved and resumed in the middle of a warm-up has the same two sets of weights, to the bit.
#[test]
fn both_sets_of_weights_resume_to_the_bit() {
    let device = Device::flex().autodiff();
    let (config, average) = powers(0.9);
    let start = || Pair::new(&[1.0, -1.0], &[0.5], DType::F32, &device);
    let make = || config.init(adam(0.99)).unwrap();
    let (mut model, mut optim) = (start(), make());
    let mut mean = average.init(&model).unwrap();
    for at in 0..4 {
        model = step(at, model, &mut optim, &mut mean);
    }
    let mut resumed = model.clone();
    let mut other = make()
        .try_from_bytes(&model, optim.into_bytes().unwrap())
        .unwrap();
    let mut other_mean = average.init(&start()).unwrap();
    other_mean = other_mean.load_record(mean.to_record()).unwrap();
    for at in 4..9 {
        model = step(at, model, &mut optim, &mut mean);
        resumed = step(at, resumed, &mut other, &mut other_mean);
        assert_eq!(model.values(), resumed.values(), "step {at}");
        assert_eq!(
            mean.model().values(),
            other_mean.model().values(),
            "step {at}"
        );
    }
    assert_ne!(mean.model().values(), model.values());
}

/// In a long run, resumed in its middle, the weights to evaluate are those of the average up to the rounding of both.
#[test]
fn weights_made_of_the_state_are_the_average() {
    for (name, device) in training_devices() {
        let (config, average) = powers(0.9);
        let start = || Pair::new(&[1.0, -1.0], &[0.5], DType::F32, &device);
        let make = || config.init(adam(0.99)).unwrap();
        let (mut model, mut optim) = (start(), make());
        let mut mean = average.init(&model).unwrap();
        let before = ScheduleFreeConfig::evaluation_model(&model, optim.to_record()).unwrap();
        assert_eq!(before.values(), model.values(), "{name}: no step so far");
        for at in 0..60 {
            if at == 30 {
                let bytes = optim.into_bytes().unwrap();
                let weights = model.clone().into_record();
                model = start().load_record(weights);
                optim = make().try_from_bytes(&model, bytes).unwrap();
            }
            model = step(at, model, &mut optim, &mut mean);
            let made = ScheduleFreeConfig::evaluation_model(&model, optim.to_record()).unwrap();
            let (made, average) = (made.values(), mean.model().values());
            let what = format!("{name}, step {at}");
            assert_close(&made.0, &average.0, 2e-6, &what);
            assert_close(&made.1, &average.1, 2e-6, &what);
        }
        assert_ne!(mean.model().values(), model.values());
    }
}

/// The steps of a module, with the same rates as those of [`step`].
fn stepped<M: Module>(
    model: M,
    grads: impl Fn(&M, f64) -> GradientsParams,
    optim: &mut ModuleOptimizer,
) -> M {
    (0..8).fold(model, |model, at| {
        let grads = grads(&model, f64::from(at));
        optim.step(0.1 * f64::from(1 + at % 3), model, grads)
    })
}

/// In half precision y is the exact weight, of which the model has the rounded one: with an `f32` copy to the bit what it is
/// in `f32`, and in Kahan's form with the 16 bits that are kept.
#[test]
fn weights_made_of_the_state_have_the_digits_of_master_weights() {
    let device = Device::flex().autodiff();
    let config = ScheduleFreeConfig::new();
    let free = || config.build(sgd()).unwrap();
    // Numbers and gradients that `bf16` has.
    let draw = |seed: u64| values(tensor::<1>(&Noise(seed).take(64), DType::BF16, &device));
    let grads = |model: &Pair, at: f64| model.grads(&draw(at as u64 + 2), &[0.25]);
    let trained = |dtype: DType, mut optim: ModuleOptimizer| {
        let model = Pair::new(&draw(1), &[0.5], dtype, &device);
        let model = stepped(model, grads, &mut optim);
        let made = ScheduleFreeConfig::evaluation_model(&model, optim.to_record()).unwrap();
        assert_eq!(made.a.val().dtype(), dtype);
        made.values().0
    };
    let wide = trained(DType::F32, free().init());
    let rounded = values(tensor::<1>(&wide, DType::BF16, &device));
    let copy = trained(DType::BF16, free().master_weights().init());
    assert_eq!(copy, rounded);
    // A number near the middle of two may be rounded to the other one.
    let kahan = MasterWeightsConfig::new().with_form(MasterWeightsForm::Kahan);
    let kahan = trained(DType::BF16, kahan.init(free()));
    let others = kahan.iter().zip(&rounded).filter(|(a, b)| a != b).count();
    assert!(others <= 2, "{others} of 64: {kahan:?} and {rounded:?}");
}

/// Frozen parameters, those of another optimizer, tied ones, and running statistics.
#[test]
fn weights_without_a_state_stay_and_tied_ones_are_equal() {
    let device = Device::flex().autodiff();
    let config = ScheduleFreeConfig::new();
    let start = Pair::new(&[1.0, -1.0], &[0.5], DType::F32, &device);
    let grads = |model: &Pair, at: f64| model.grads(&[at.sin(), 0.5], &[at.cos()]);
    let alone = |model: &Pair, at: f64| {
        let mut grads = grads(model, at);
        let _ = grads.remove::<1>(model.b.id);
        grads
    };
    let free = || config.init(sgd()).unwrap();
    let whole = |mut optim: ModuleOptimizer| {
        let model = stepped(start.clone(), grads, &mut optim);
        let made = ScheduleFreeConfig::evaluation_model(&model, optim.to_record()).unwrap();
        (model.values(), made.values())
    };
    let (_, made) = whole(free());
    // Without a gradient.
    let mut optim = free();
    let model = stepped(start.clone(), alone, &mut optim);
    let frozen = ScheduleFreeConfig::evaluation_model(&model, optim.to_record()).unwrap();
    assert_eq!(frozen.values(), (made.0.clone(), start.values().1));
    // In a group of plain Adam.
    let group = ParamGroup::from_path("b");
    let (model, grouped) = whole(free().with_group(group, adam(0.9), None));
    assert_eq!(grouped, (made.0.clone(), model.1));
    // In a fused step.
    let mut fused = config.build(sgd()).unwrap().fused();
    let model = (0..8).fold(start.clone(), |model, at| {
        let grads = grads(&model, f64::from(at));
        fused.step(0.1 * f64::from(1 + at % 3), model, grads)
    });
    let of_fused = ScheduleFreeConfig::evaluation_model(&model, fused.to_record()).unwrap();
    assert_eq!(of_fused.values(), made);
    // At two places, of which the second was not stepped.
    let mut optim = free();
    let both = vec![start.clone(), start.clone()];
    let both = stepped(both, |both, at| grads(&both[0], at), &mut optim);
    let tied = ScheduleFreeConfig::evaluation_model(&both, optim.to_record()).unwrap();
    assert_eq!(both[1].values(), start.values());
    assert_eq!([tied[0].values(), tied[1].values()], [made.clone(), made]);
    // The statistics are copies.
    let norm: BatchNorm = BatchNormConfig::new(2).init(&device);
    let shown = ScheduleFreeConfig::evaluation_model(&norm, free().to_record()).unwrap();
    let mean = |norm: &BatchNorm| values(norm.running_mean.value());
    norm.forward(Tensor::<2>::full([4, 2], 10.0, &device));
    assert_eq!(mean(&shown), [0.0, 0.0]);
    assert_ne!(mean(&norm.valid()), [0.0, 0.0]);
}

/// β is that of the optimizer, for each group its own.
#[test]
fn weights_are_made_with_the_beta_of_their_own_optimizer() {
    let device = Device::flex().autodiff();
    let start = Pair::new(&[1.0, -1.0], &[0.5], DType::F32, &device);
    let made = |mut optim: ModuleOptimizer| {
        let grads = |model: &Pair, at: f64| model.grads(&[at.sin(), 0.5], &[at.cos()]);
        let model = stepped(start.clone(), grads, &mut optim);
        let record = optim.to_record();
        let made = ScheduleFreeConfig::evaluation_model(&model, record).unwrap();
        made.values()
    };
    let free = |beta| sgd().schedule_free(beta).unwrap();
    for beta in [0.5, 0.95] {
        let (mut model, mut optim) = (start.clone(), free(beta).init());
        let config = ScheduleFreeAverageConfig::new().with_beta(beta);
        let mut mean = config.init(&model).unwrap();
        for at in 0..8 {
            model = step(at, model, &mut optim, &mut mean);
        }
        let made = ScheduleFreeConfig::evaluation_model(&model, optim.to_record()).unwrap();
        let (made, average) = (made.values(), mean.model().values());
        assert_close(&made.0, &average.0, 2e-6, "made with β");
        assert_close(&made.1, &average.1, 2e-6, "made with β");
    }
    let (one, other) = (made(free(0.5).init()), made(free(0.95).init()));
    assert_ne!(one.1, other.1);
    let group = ParamGroup::from_path("b");
    let both = made(free(0.5).init().with_group(group, free(0.95), None));
    assert_eq!(both, (one.0, other.1));
}

/// The optimizer of a first step that is skipped has no average yet, and the weights are those of the model; after another
/// skipped step the average is what it was.
#[test]
fn skipped_steps_leave_the_weights_to_evaluate() {
    for (name, device) in training_devices() {
        let inner = SgdConfig::torch().with_skip_marked(true).build().unwrap();
        let free = ScheduleFreeConfig::new().with_skip_marked(true);
        let mut optim = free.init(inner).unwrap();
        let mut model = Pair::new(&[1.0, -1.0], &[0.5], DType::F32, &device);
        let nan = [f64::NAN; 2];
        let marked = |model: &Pair| model.grads(&nan, &nan[..1]);
        let evaluated = |model: &Pair, optim: &ModuleOptimizer| {
            let made = ScheduleFreeConfig::evaluation_model(model, optim.to_record());
            made.unwrap().values()
        };
        let grads = marked(&model);
        model = optim.step(0.1, model, grads);
        assert_eq!(model.values(), (vec![1.0, -1.0], vec![0.5]), "{name}");
        let made = evaluated(&model, &optim);
        if name == "flex" {
            assert_eq!(made, model.values(), "{name}");
        } else {
            // Only the device knows of the skip: there is a z, which is y, and x is made of both.
            assert_close(&made.0, &model.values().0, 1e-6, name);
            assert_close(&made.1, &model.values().1, 1e-6, name);
        }
        for at in [0.3, 0.9] {
            let grads = model.grads(&[at, 0.5], &[-at]);
            model = optim.step(0.1, model, grads);
        }
        let before = evaluated(&model, &optim);
        assert_ne!(before, model.values(), "{name}");
        let grads = marked(&model);
        model = optim.step(0.1, model, grads);
        assert_eq!(evaluated(&model, &optim), before, "{name}");
    }
}

/// A wrapper of a user, with a state, a scalar and numbers of the names that schedule-free learning has.
#[derive(Debug, Clone)]
struct Namesake<const Z: bool, const BETA: bool, const NUMBERS: bool>;

type OtherZ = Namesake<true, false, false>;
type OtherBeta = Namesake<false, true, false>;
type OtherBoth = Namesake<true, true, false>;
type WithoutBeta = Namesake<true, false, true>;

const Z: StateField = StateField::optional("z");

impl<const WITH_Z: bool, const BETA: bool, const NUMBERS: bool> Wrap
    for Namesake<WITH_Z, BETA, NUMBERS>
{
    const STATE: &'static [StateField] = if WITH_Z { &[Z] } else { &[] };
    const SCALARS: &'static [&'static str] = if BETA { &["beta"] } else { &[] };
    const NUMBERS: &'static [&'static str] = if NUMBERS {
        &["lr_max", "weight_sum", "taken"]
    } else {
        &[]
    };

    fn step<O: Optimizer, const D: usize>(
        &self,
        step: &mut WrappedStep<'_, O, D>,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        if WITH_Z {
            let _ = step.take(Z, &weight);
            step.put(Z, weight.clone() * 2.0);
        }
        if BETA {
            step.scalars()[0] = 0.25;
        }
        step.inner(weight, grad)
    }
}

/// A user's wrapper may have a state `z` and a number `beta` of its own, around it or in another group.
#[test]
fn namesakes_of_its_state_do_not_hide_the_weights_to_evaluate() {
    let device = Device::flex().autodiff();
    let start = Pair::new(&[1.0, -1.0], &[0.5], DType::F32, &device);
    let grads = |model: &Pair, at: f64| model.grads(&[at.sin(), 0.5], &[at.cos()]);
    let both = |mut optim: ModuleOptimizer| {
        let model = stepped(start.clone(), grads, &mut optim);
        let made = ScheduleFreeConfig::evaluation_model(&model, optim.to_record());
        (model.values(), made.unwrap().values())
    };
    let free = || sgd().schedule_free(0.9).unwrap();
    let (trained, made) = both(free().init());
    assert_ne!(trained.1, made.1);
    for around in [
        Wrapper::new(OtherZ {}, free()).init(),
        Wrapper::new(OtherBeta {}, free()).init(),
        Wrapper::new(OtherBoth {}, free()).init(),
    ] {
        assert_eq!(both(around), (trained.clone(), made.clone()));
    }
    let group = ParamGroup::from_path("b");
    let other = Wrapper::new(OtherBoth {}, sgd());
    let (trained, grouped) = both(free().init().with_group(group, other, None));
    assert_eq!(grouped, (made.0, trained.1));
}

#[test]
fn weights_that_cannot_be_made_are_errors() {
    let device = Device::flex().autodiff();
    let start = Pair::new(&[1.0, -1.0], &[0.5], DType::F32, &device);
    let grads = |model: &Pair, at: f64| model.grads(&[at.sin(), 0.5], &[at.cos()]);
    let config = ScheduleFreeConfig::new();
    let refused = |mut optim: ModuleOptimizer| {
        let model = stepped(start.clone(), grads, &mut optim);
        let refused = ScheduleFreeConfig::evaluation_model(&model, optim.to_record());
        refused.unwrap_err().to_string()
    };
    let text = refused(adam(0.9).init());
    assert!(text.contains("is not schedule-free"), "{text}");
    let others = [
        Wrapper::new(OtherZ {}, sgd()).init(),
        Wrapper::new(OtherBeta {}, sgd()).init(),
        Wrapper::new(OtherBoth {}, sgd()).init(),
    ];
    for other in others {
        let text = refused(other);
        assert!(text.contains("is not schedule-free"), "{text}");
    }
    let text = refused(Wrapper::new(WithoutBeta {}, sgd()).init());
    assert!(text.contains("does not say with which β"), "{text}");
    assert!(text.contains("`a`"), "{text}");
    let zero = ScheduleFreeConfig::new().with_beta(0.0);
    let text = refused(zero.init(sgd()).unwrap());
    assert!(text.contains("with β = 0"), "{text}");
    assert!(text.contains("got 0 for `a`"), "{text}");
    let mut optim = config.init(sgd()).unwrap();
    stepped(start.clone(), grads, &mut optim);
    let other = Pair::new(&[1.0, -1.0], &[0.5], DType::F32, &device);
    let error = ScheduleFreeConfig::evaluation_model(&other, optim.to_record());
    assert!(matches!(
        error.unwrap_err(),
        OptimizerRecordError::UnknownParameters { .. }
    ));
}

/// The largest distance, in 2,000 steps, between the weights of a run in `bf16` under `form` and those of a run in `f64`, in
/// units of a weight.
fn distance(form: MasterWeightsForm, device: &Device) -> f64 {
    let master = MasterWeightsConfig::new().with_form(form);
    let optim = master.build(adam(0.999).schedule_free(0.9).unwrap());
    let mut noise = Noise(3);
    let start = noise.take(64).into_iter().map(|x| 1.0 + 0.5 * x);
    let start: Vec<f64> = start.collect();
    let of = |dtype| tensor::<1>(&start, dtype, device);
    // Both from the same weights.
    let mut half = of(DType::BF16);
    let mut exact = tensor::<1>(&values(half.clone()), DType::F64, device);
    let (mut half_state, mut exact_state, mut farthest) = (None, None, 0.0_f64);
    for _ in 0..2_000 {
        let grad = noise.take(64);
        let grad = |dtype| tensor::<1>(&grad, dtype, device);
        let wide = tensor::<1>(&values(grad(DType::BF16)), DType::F64, device);
        (half, half_state) = optim.step(1e-3, half, grad(DType::BF16), half_state);
        (exact, exact_state) = optim.step(1e-3, exact, wide, exact_state);
        let (half, exact) = (values(half.clone()), values(exact.clone()));
        farthest = worst(&half, &exact, f64::abs).max(farthest);
    }
    farthest
}

/// To round a number to `bf16` changes it by up to 2⁻⁸ of itself.
#[test]
fn in_kahans_form_it_stays_as_near_as_with_an_f32_copy() {
    for (name, device) in devices() {
        if !dtypes(&device).contains(&DType::BF16) || !dtypes(&device).contains(&DType::F64) {
            continue;
        }
        let copy = distance(MasterWeightsForm::F32, &device);
        let kahan = distance(MasterWeightsForm::Kahan, &device);
        let rounding = 2.0_f64.powi(-8);
        assert!(copy <= 1.01 * rounding, "{name}: {copy}");
        assert!(kahan <= 1.1 * rounding, "{name}: {kahan}");
    }
}

#[test]
fn settings_that_mean_nothing_are_errors() {
    let field = |config: ScheduleFreeConfig| config.build(sgd()).unwrap_err().field;
    assert_eq!(field(ScheduleFreeConfig::new().with_beta(1.0)), "beta");
    assert_eq!(
        field(ScheduleFreeConfig::new().with_step_power(-1.0)),
        "step_power"
    );
    assert_eq!(
        field(ScheduleFreeConfig::new().with_rate_power(f64::NAN)),
        "rate_power"
    );
    assert_eq!(
        field(ScheduleFreeConfig::new().with_weight_decay(-1.0)),
        "weight_decay"
    );
    let model = Pair::new(&[1.0], &[1.0], DType::F32, &Device::flex());
    let average = ScheduleFreeAverageConfig::new().with_beta(1.0);
    assert_eq!(average.init(&model).unwrap_err().field, "beta");
}

/// With another β in each step, the averages of the formulas in `f64`; a step that changes β and is skipped leaves x
/// and z.
#[test]
fn a_beta_that_changes_leaves_the_average() {
    const BETAS: [f64; 8] = [0.9, 0.5, 0.5, 0.8, 0.95, 0.2, 0.7, 0.9];
    const LR: f64 = 0.2;
    for (name, device) in training_devices() {
        for (skip_marked, skipped) in [(false, None), (true, None), (true, Some(4))] {
            let what = format!("{name}, {skip_marked}, {skipped:?}");
            let make = move |step: u64| {
                let inner = SgdConfig::torch().with_skip_marked(skip_marked).build()?;
                let beta = BETAS[step as usize - 1];
                let free = ScheduleFreeConfig::new()
                    .with_beta(beta)
                    .with_weight_decay(0.1);
                free.with_skip_marked(skip_marked).build(inner)
            };
            let mut optim = Scheduled::build(make).unwrap().init();
            let mut model = Pair::new(&[1.0], &[0.5], DType::F32, &device);
            let (mut x, mut y, mut z, mut taken) = (1.0, 1.0, 1.0, 0.0);
            for (at, beta) in BETAS.into_iter().enumerate() {
                let is_skipped = skipped == Some(at);
                let grad = if is_skipped {
                    f64::NAN
                } else {
                    (at as f64).sin() + 0.5
                };
                let grads = model.grads(&[grad], &[grad]);
                model = optim.step(LR, model, grads);
                if !is_skipped {
                    taken += 1.0;
                    z -= LR * (grad + 0.1 * y);
                    x += (z - x) / taken;
                    y = beta * x + (1.0 - beta) * z;
                    assert_close(&model.values().0, &[y], 2e-6, &format!("{what}: y, {at}"));
                }
                let made = ScheduleFreeConfig::evaluation_model(&model, optim.to_record());
                let made = made.unwrap().values().0;
                assert_close(&made, &[x], 1e-5, &format!("{what}: x, {at}"));
                y = model.values().0[0]; // where the next gradient is taken, also after a step that was skipped
            }
        }
    }
}

/// After a step without an average in its weights, the average begins anew at z.
#[test]
fn a_step_with_beta_0_begins_the_average_anew() {
    const BETAS: [f64; 6] = [0.9, 0.5, 0.0, 0.8, 0.8, 0.3];
    const LR: f64 = 0.2;
    for (name, device) in training_devices() {
        for skip_marked in [false, true] {
            let what = format!("{name}, {skip_marked}");
            let make = move |step: u64| {
                let inner = SgdConfig::torch().with_skip_marked(skip_marked).build()?;
                let free = ScheduleFreeConfig::new().with_beta(BETAS[step as usize - 1]);
                free.with_skip_marked(skip_marked).build(inner)
            };
            let mut optim = Scheduled::build(make).unwrap().init();
            let mut model = Pair::new(&[1.0], &[0.5], DType::F32, &device);
            let (mut x, mut z) = (1.0, 1.0);
            for (at, beta) in BETAS.into_iter().enumerate() {
                let grad = (at as f64).sin() + 0.5;
                let grads = model.grads(&[grad], &[grad]);
                model = optim.step(LR, model, grads);
                z -= LR * grad;
                x += (z - x) / (at as f64 + 1.0);
                let y = beta * x + (1.0 - beta) * z;
                assert_close(&model.values().0, &[y], 2e-6, &format!("{what}: y, {at}"));
                if beta == 0.0 {
                    x = z;
                    continue;
                }
                let made = ScheduleFreeConfig::evaluation_model(&model, optim.to_record());
                let made = made.unwrap().values().0;
                assert_close(&made, &[x], 1e-5, &format!("{what}: x, {at}"));
            }
        }
    }
}
