//! Dynamic loss scaling by PyTorch's rule.

use crate::devices::{devices, training_devices};
use crate::models::{Pair, tensor, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::module::{Module, ParamGroup};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::grad::{
    ClipGradNormConfig, GradAccumulator, GradAccumulatorConfig, GradientOrder, GradientTransform,
    LossScaler, LossScalerConfig, Only, SamConfig, StateError, StepGuard,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A scaler of gradients that are given: at each step as if their loss had been multiplied by its scale.
#[derive(Debug, Clone)]
pub(crate) struct OfGiven(pub(crate) LossScaler);

pub(crate) fn scaler_of(config: &LossScalerConfig) -> OfGiven {
    OfGiven(config.init().unwrap())
}

/// Multiplies some loss.
pub(crate) fn scale_a_loss(scaler: &LossScaler) {
    let _ = scaler.scale(tensor::<1>(&[1.0], DType::F32, &Device::flex()));
}

impl GradientTransform for OfGiven {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        scale_a_loss(&self.0);
        self.0.apply(model, grads)
    }

    fn apply_scaled<M: Module>(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
    ) -> GradientsParams {
        scale_a_loss(&self.0);
        self.0.apply_scaled(model, grads, factor)
    }

    fn marks_non_finite(&self) -> bool {
        self.0.marks_non_finite()
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        self.0.gradient_order(order);
    }

    fn describe(&self) -> Vec<String> {
        self.0.describe()
    }

    fn restart(&mut self) {
        self.0.restart();
    }

    fn state(&self) -> Option<Vec<u8>> {
        GradientTransform::state(&self.0)
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.0.load_state(state)
    }

    fn roll_back_state(&self) -> Option<Vec<u8>> {
        self.0.roll_back_state()
    }

    fn load_roll_back_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.0.load_roll_back_state(state)
    }
}

fn config(case: &serde_json::Value) -> LossScalerConfig {
    let settings = &case["settings"];
    LossScalerConfig::new()
        .with_init_scale(read::<f64>(&settings["init_scale"]) as f32)
        .with_growth_interval(read(&settings["growth_interval"]))
}

#[test]
fn the_scale_and_the_weights_are_pytorchs_step_by_step() {
    for (device_name, device) in training_devices() {
        for name in ["short", "to_the_top", "from_the_start"] {
            let case = case("loss_scale", name);
            let finite: Vec<bool> = read(&case["finite"]);
            let (scales, weights) = (numbers(&case["scales"]), numbers(&case["weights"]));
            // Uninterrupted, and resumed before each step.
            for resumes in [false, true] {
                let mut scaler = config(case).init().unwrap();
                let mut optim = SgdConfig::new().init();
                let mut model = Pair::new(&[0.0], &[0.0], DType::F32, &device);
                for (i, is_finite) in finite.iter().enumerate() {
                    if resumes {
                        let state = GradientTransform::state(&scaler).unwrap();
                        scaler = config(case).init().unwrap();
                        scaler.load_state(&state).unwrap();
                    }
                    let factor = if *is_finite { 0.25 } else { f64::INFINITY };
                    let loss = (model.a.val() * factor).sum();
                    let grads = GradientsParams::from_grads(scaler.scale(loss).backward(), &model);
                    if let Some(grads) = scaler.unscale(&model, grads) {
                        model = optim.step(1.0, model, grads);
                    }
                    let what = format!("{name} on {device_name}, step {i}");
                    assert_eq!(f64::from(scaler.loss_scale()), scales[i], "{what}");
                    assert_eq!(values(model.a.val()), [weights[i]], "{what}");
                }
                let skipped = finite.iter().filter(|is_finite| !**is_finite).count() as u64;
                assert_eq!(scaler.skipped(), skipped);
                assert_eq!(scaler.skips().get(), skipped);
            }
        }
    }
}

#[test]
fn small_gradients_survive_the_backward_pass_in_f16() {
    let device = Device::flex().autodiff();
    let model = Pair::new(&[1.0; 8], &[0.0], DType::F16, &device);
    // The gradient of each hidden number is 1e-8, which f16 rounds to 0; their sum over 4096 is not.
    let loss = || {
        let hidden = model.a.val().unsqueeze::<2>().repeat_dim(0, 4096);
        hidden.cast(DType::F32).sum() * 1e-8
    };
    let plain = GradientsParams::from_grads(loss().backward(), &model);
    assert_eq!(model.read_grads_a(&plain), [0.0; 8]);
    let mut scaler = LossScalerConfig::new().init().unwrap();
    let grads = GradientsParams::from_grads(scaler.scale(loss()).backward(), &model);
    let grads = scaler.unscale(&model, grads).expect("finite");
    for grad in model.read_grads_a(&grads) {
        assert!((grad / 4.096e-5 - 1.0).abs() < 5e-3, "{grad}");
    }
}

#[test]
fn the_scale_is_constant_between_unscalings_and_clones_share_it() {
    let device = Device::flex().autodiff();
    let model = Pair::new(&[1.0], &[0.0], DType::F32, &device);
    let mut scaler = LossScalerConfig::new()
        .with_growth_interval(1)
        .init()
        .unwrap();
    let of_the_model = scaler.clone();
    let loss: Tensor<1> = tensor(&[1.0], DType::F32, &device);
    for _ in 0..3 {
        assert_eq!(values(of_the_model.scale(loss.clone())), [65536.0]);
    }
    let grads = |number: f64| model.grads(&[number], &[0.0]);
    assert!(scaler.unscale(&model, grads(1.0)).is_some());
    assert_eq!(values(of_the_model.scale(loss.clone())), [131072.0]);
    for expected in 1..4 {
        let _ = of_the_model.scale(loss.clone());
        assert!(scaler.unscale(&model, grads(f64::NAN)).is_none());
        assert_eq!(of_the_model.skipped_in_a_row(), expected);
    }
    assert_eq!(of_the_model.loss_scale(), 16384.0);
    scaler.restart();
    assert_eq!(
        (of_the_model.loss_scale(), of_the_model.skipped()),
        (65536.0, 0)
    );
}

/// As where every parameter of the loss is frozen for a while.
#[test]
fn a_step_without_gradients_counts_as_none() {
    for (name, device) in devices() {
        let pair = Pair::new(&[1.0], &[0.0], DType::F32, &device);
        let config = LossScalerConfig::new().with_growth_interval(1);
        let mut scaler = config.init().unwrap();
        scale_a_loss(&scaler);
        let bad = pair.grads(&[f64::NAN], &[0.0]);
        assert!(scaler.unscale(&pair, bad).is_none(), "{name}");
        for _ in 0..2 {
            let none = scaler.unscale(&pair, GradientsParams::new());
            assert!(none.expect("no step is skipped").is_empty(), "{name}");
            let counts = (scaler.skipped(), scaler.skipped_in_a_row());
            assert_eq!((scaler.loss_scale(), counts), (32768.0, (1, 1)), "{name}");
        }
    }
    // Nor does a step whose gradients have no numbers; they are kept.
    let (empty, grads) = Pair::with_grads(&[], &[], DType::F32, &Device::flex());
    let mut scaler = LossScalerConfig::new()
        .with_growth_interval(1)
        .init()
        .unwrap();
    scale_a_loss(&scaler);
    let kept = scaler.unscale(&empty, grads).expect("no step is skipped");
    assert_eq!((kept.len(), scaler.loss_scale()), (2, 65536.0));
}

/// Below the smallest normal number the gradients, which are divided by the scale, would be NaN.
#[test]
fn the_scale_never_becomes_zero() {
    for (name, device) in devices() {
        let (pair, _) = Pair::with_grads(&[1.0], &[1.0], DType::F32, &device);
        let mut scaler = LossScalerConfig::new().init().unwrap();
        for _ in 0..200 {
            let bad = pair.grads(&[f64::INFINITY], &[0.0]);
            scale_a_loss(&scaler);
            assert!(scaler.unscale(&pair, bad).is_none(), "{name}");
        }
        assert_eq!(scaler.loss_scale(), f32::MIN_POSITIVE);
        let state = GradientTransform::state(&scaler).unwrap();
        scaler.load_state(&state).unwrap();
        let good = pair.grads(&[0.0], &[f64::from(f32::MIN_POSITIVE)]);
        scale_a_loss(&scaler);
        let grads = scaler.unscale(&pair, good).expect("finite");
        assert_eq!(pair.read_grads(&grads), (vec![0.0], vec![1.0]), "{name}");
    }
}

#[test]
fn switched_off_it_does_nothing() {
    for (name, device) in devices() {
        let mut scaler = LossScalerConfig::new().with_enabled(false).init().unwrap();
        let (pair, grads) = Pair::with_grads(&[f64::NAN, 2.0], &[3.0], DType::F32, &device);
        let (a, b) = pair.read_grads(&scaler.unscale(&pair, grads).expect("never skipped"));
        assert!(a[0].is_nan() && a[1] == 2.0 && b == [3.0], "{name}");
        assert_eq!((scaler.loss_scale(), scaler.skipped()), (1.0, 0));
        let loss: Tensor<1> = tensor(&[0.5], DType::F16, &Device::flex());
        assert_eq!(values(scaler.scale(loss)), [0.5]);
    }
}

#[test]
#[should_panic(expected = "cast the logits to f32")]
fn a_loss_in_f16_is_refused() {
    let scaler = LossScalerConfig::new().init().unwrap();
    let loss: Tensor<1> = tensor(&[0.5], DType::F16, &Device::flex());
    let _ = scaler.scale(loss);
}

/// As of a `Learner` whose model does not scale the loss, or has a scaler of its own.
#[test]
fn gradients_that_nobody_scaled_are_refused() {
    let scaler = || LossScalerConfig::new().init().unwrap();
    let said = "`LossScaler` would divide the gradients by 65536, and has scaled no loss since the last step";
    assert!(refused(scaler()).starts_with(said));
    let (of_the_model, trick) = (scaler(), scaler());
    let loss = || tensor::<1>(&[1.0], DType::F32, &Device::flex());
    let _ = of_the_model.scale(loss());
    assert!(refused(trick).starts_with(said));
    // To look at the scale is not to use it.
    let trick = scaler();
    assert_eq!(trick.loss_scale(), 65536.0);
    assert!(refused(trick).starts_with(said));
    // By a clone.
    let trick = scaler();
    let _ = trick.clone().scale(loss());
    assert_eq!(refused(trick), "");
    // Nor do gradients that are not there, nor another run, need a loss.
    let pair = Pair::new(&[1.0], &[2.0], DType::F32, &devices()[0].1);
    let mut scaler = scaler();
    let none = scaler.unscale(&pair, GradientsParams::new());
    assert!(none.expect("nothing is not finite").is_empty());
    let _ = scaler.scale(loss());
    scaler.restart();
    assert_eq!(refused(scaler), "");
}

/// In every step, and not in the first alone; after a skipped step, too.
#[test]
fn a_loss_that_is_not_scaled_later_is_refused() {
    let device = Device::flex().autodiff();
    let model = Pair::new(&[1.0], &[2.0], DType::F32, &device);
    for number in [1.0, f64::NAN] {
        let scaler = LossScalerConfig::new().init().unwrap();
        let grads = || model.grads(&[number], &[2.0]);
        for step in 0..3 {
            scale_a_loss(&scaler);
            let taken = scaler.clone().unscale(&model, grads());
            assert_eq!(taken.is_some(), number == 1.0, "step {step}");
            let said = refused(scaler.clone());
            assert!(
                said.contains("scaled no loss since the last step"),
                "{said}"
            );
        }
        assert_eq!(scaler.skipped(), if number == 1.0 { 0 } else { 3 });
    }
}

/// Each micro-batch of a window is scaled, and the window is unscaled once.
#[test]
fn a_window_of_scaled_losses_is_one_step() {
    let device = Device::flex().autodiff();
    let mut model = Pair::new(&[1.0], &[0.5], DType::F32, &device);
    let mut scaler = LossScalerConfig::new().init().unwrap();
    let mut accumulator = GradAccumulatorConfig::new(3).init().unwrap();
    let mut optim = SgdConfig::new().init();
    let mut steps = 0;
    for at in 0..6 {
        let loss = (model.a.val() * f64::from(at)).sum() + model.b.val().square().sum();
        let Some(grads) = accumulator.add(&model, scaler.scale(loss).backward(), 1) else {
            continue;
        };
        let grads = scaler.unscale(&model, grads).expect("finite");
        let expected = [1.0, 4.0][steps];
        let mean = model.read_grads_a(&grads);
        assert_close(&mean, &[expected], 1e-6, "the mean of the window");
        model = optim.step(0.1, model, grads);
        steps += 1;
    }
    assert_eq!((steps, scaler.skipped()), (2, 0));
}

/// The state says that losses have been scaled since the last step, or that none has.
#[test]
fn a_window_that_was_begun_before_a_save_is_finished_after_it() {
    let device = Device::flex().autodiff();
    let model = Pair::new(&[1.0], &[0.5], DType::F32, &device);
    let new = || {
        let window = GradAccumulatorConfig::new(4).init().unwrap();
        (LossScalerConfig::new().init().unwrap(), window)
    };
    let finish = |scaler: &mut LossScaler, window: &mut GradAccumulator| {
        let grads = window.finish(&model).expect("a short window");
        let grads = scaler.unscale(&model, grads).expect("finite");
        model.read_grads(&grads)
    };
    let (mut scaler, mut window) = new();
    for factor in [1.0, 2.0] {
        let loss = (model.a.val() * factor).sum() + model.b.val().square().sum();
        let gradients = scaler.scale(loss).backward();
        assert!(window.add(&model, gradients, 1).is_none());
    }
    let (state, state_of_window) = (scaler.state(), window.state(&model));
    let whole = finish(&mut scaler, &mut window);
    assert_eq!(whole, (vec![1.5], vec![1.0]));
    let (mut resumed, mut window) = new();
    resumed.load_state(&state).unwrap();
    window.load_state(&model, &state_of_window).unwrap();
    assert_eq!(finish(&mut resumed, &mut window), whole);
    // After that step no loss has been scaled.
    let (mut later, _) = new();
    later.load_state(&resumed.state()).unwrap();
    let grads = model.grads(&[1.0], &[1.0]);
    let refused = catch_unwind(AssertUnwindSafe(|| later.unscale(&model, grads)));
    assert!(refused.is_err());
}

/// Both backward passes of sharpness-aware minimisation are of the scaled loss.
#[test]
fn two_backward_passes_are_one_step() {
    let device = Device::flex().autodiff();
    let start = || Pair::new(&[1.0, -0.5], &[0.5], DType::F32, &device);
    let sam = SamConfig::new(0.125).init().unwrap();
    let loss = |model: &Pair| model.a.val().square().sum() + model.b.val().powf_scalar(4.0).sum();
    let (mut plain, mut scaled) = (start(), start());
    let mut scaler = LossScalerConfig::new().init().unwrap();
    let (mut optim, mut other) = (SgdConfig::new().init(), SgdConfig::new().init());
    for _ in 0..3 {
        let grads = sam.gradients(&plain, loss).0;
        plain = optim.step(0.1, plain, grads);
        let grads = sam.gradients(&scaled, |model| scaler.scale(loss(model))).0;
        let grads = scaler.unscale(&scaled, grads).expect("finite");
        scaled = other.step(0.1, scaled, grads);
    }
    let (plain, scaled) = (plain.values(), scaled.values());
    assert_close(&scaled.0, &plain.0, 1e-6, "a");
    assert_close(&scaled.1, &plain.1, 1e-6, "b");
}

#[test]
fn numbers_that_mean_nothing_are_refused() {
    let text = |config: LossScalerConfig| config.init().unwrap_err().to_string();
    let new = LossScalerConfig::new;
    assert_eq!(
        text(new().with_init_scale(0.0)),
        "`init_scale` must be a finite number greater than 0, got 0.0"
    );
    assert!(text(new().with_init_scale(1e-40)).contains("smallest normal number"));
    assert_eq!(
        text(new().with_init_scale(-0.1)),
        "`init_scale` must be a finite number greater than 0, got -0.1"
    );
    assert_eq!(
        text(new().with_growth_factor(1.0)),
        "`growth_factor` must be a finite number greater than 1, got 1.0"
    );
    assert_eq!(
        text(new().with_backoff_factor(1.0)),
        "`backoff_factor` must lie in (0, 1), got 1.0"
    );
    assert_eq!(
        text(new().with_growth_interval(0)),
        "`growth_interval` must be at least 1, got 0"
    );
    let mut scaler = new().init().unwrap();
    assert!(scaler.load_state(&[1, 2]).is_err());
}

/// The message of the panic, or nothing.
fn refused(mut transform: impl GradientTransform) -> String {
    let pair = Pair::new(&[1.0], &[2.0], DType::F32, &devices()[0].1);
    let grads = pair.grads(&[1.0], &[2.0]);
    let apply = AssertUnwindSafe(|| transform.apply(&pair, grads));
    let applied = catch_unwind(apply);
    let message = applied
        .err()
        .map(|panic| *panic.downcast::<String>().unwrap());
    message.unwrap_or_default()
}

/// A clip in front of it would clip gradients that are too large by the scale.
#[test]
fn a_scaler_that_is_not_the_first_is_refused() {
    let scaler = || scaler_of(&LossScalerConfig::new());
    let clip = || ClipGradNormConfig::new(1.0).init().unwrap();
    let only = || Only::new(ParamGroup::all(), scaler());
    let behind = |before: &str| {
        format!(
            "`{before}` stands before `LossScaler` and would see gradients that are not yet unscaled: `LossScaler` \
             must be the first that sees the gradients"
        )
    };
    assert_eq!(refused(clip().then(scaler())), behind("ClipGradNorm"));
    let three = (StepGuard::new(), clip(), Some(scaler()));
    assert_eq!(refused(three), behind("StepGuard"));
    assert_eq!(refused(vec![scaler(), scaler()]), behind("LossScaler"));
    for nested in [
        refused((clip(), scaler().then(clip()))),
        refused((clip(), (scaler(), clip()))),
        refused((clip(), vec![scaler()])),
        refused((clip(), only())),
        refused((clip().then(scaler()), clip())),
    ] {
        assert_eq!(nested, behind("ClipGradNorm"));
    }

    let off = LossScalerConfig::new().with_enabled(false).init().unwrap();
    assert_eq!(refused(scaler().then(clip())), "");
    assert_eq!(refused((scaler(), StepGuard::new(), clip())), "");
    assert_eq!(refused((scaler().then(clip()), clip())), "");
    assert_eq!(refused((clip(), off.clone(), None::<LossScaler>)), "");
    assert_eq!(refused((off, None::<StepGuard>, scaler())), "");
}

/// The gradients of the others would be too large by the scale.
#[test]
fn a_scaler_of_some_parameters_is_refused() {
    let scaler = || scaler_of(&LossScalerConfig::new());
    let clip = || ClipGradNormConfig::new(1.0).init().unwrap();
    let of = ParamGroup::from_path;
    let message = "`Only` would leave gradients of other parameters as they are, and `LossScaler` must see all of them";
    assert_eq!(refused(Only::new(of("a"), scaler())), message);
    assert_eq!(refused(Only::new(of("c"), scaler())), message);
    assert_eq!(refused(Only::new(of("a"), scaler().then(clip()))), message);
    let inner = Only::new(ParamGroup::all(), scaler());
    assert_eq!(refused(Only::new(of("a"), inner)), message);
    assert_eq!(refused(Only::new(ParamGroup::all(), scaler())), "");
    assert_eq!(refused(Only::new(of("a"), clip())), "");
    let off = LossScalerConfig::new().with_enabled(false).init().unwrap();
    assert_eq!(refused(Only::new(of("a"), off)), "");
    // The other parameter has no gradient.
    let pair = Pair::new(&[1.0], &[2.0], DType::F32, &devices()[0].1);
    let mut grads = pair.grads(&[65536.0], &[2.0]);
    grads.remove::<1>(pair.b.id);
    let grads = Only::new(of("a"), scaler()).apply(&pair, grads);
    assert_eq!(pair.read_grads_a(&grads), [1.0]);
}

/// The optimizer of the other network would step on gradients that are too large by the scale.
#[test]
fn a_module_without_some_of_the_parameters_is_refused() {
    let pair = Pair::new(&[1.0], &[2.0], DType::F32, &devices()[0].1);
    let mut scaler = LossScalerConfig::new().init().unwrap();
    scale_a_loss(&scaler);
    let grads = pair.grads(&[65536.0], &[65536.0]);
    let panic = catch_unwind(AssertUnwindSafe(|| scaler.unscale(&pair.a, grads))).unwrap_err();
    let text = *panic.downcast::<String>().unwrap();
    let said = "`LossScaler` would leave the gradients of 1 parameters multiplied by 65536";
    assert!(text.starts_with(said), "{text}");
    // Gradients that are none of the module's are no step that was taken.
    scale_a_loss(&scaler);
    let mut grads = pair.grads(&[65536.0], &[65536.0]);
    grads.remove::<1>(pair.a.id);
    assert!(catch_unwind(AssertUnwindSafe(|| scaler.unscale(&pair.a, grads))).is_err());
    // Nothing is multiplied by a scaler that is off, nor are there others.
    let mut off = LossScalerConfig::new().with_enabled(false).init().unwrap();
    assert!(off.unscale(&pair.a, pair.grads(&[1.0], &[1.0])).is_some());
    scale_a_loss(&scaler);
    let mut grads = pair.grads(&[65536.0], &[65536.0]);
    grads.remove::<1>(pair.b.id);
    let grads = scaler.unscale(&pair.a, grads).expect("finite");
    assert_eq!(pair.read_grads_a(&grads), [1.0]);
}

/// A transform of a user with a state, which declares that and nothing else.
#[derive(Debug)]
struct Remembers {
    must_be_first: bool,
}

impl GradientTransform for Remembers {
    fn apply<M: Module>(&mut self, _: &M, grads: GradientsParams) -> GradientsParams {
        grads
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        order.add_memory::<Self>(self.must_be_first);
    }
}

/// A transform that declares its memory also declares that it looks at the gradients.
#[test]
fn a_transform_with_a_memory_has_a_place_in_the_order() {
    let scaler = || scaler_of(&LossScalerConfig::new());
    let one = |must_be_first| Remembers { must_be_first };
    let mut order = GradientOrder::new();
    assert!(order.is_empty());
    one(false).gradient_order(&mut order);
    assert!(!order.is_empty());
    assert_eq!(order.memory(), Some("Remembers"));
    for first in [false, true] {
        let said = refused((one(first), scaler()));
        assert!(
            said.starts_with("`Remembers` stands before `LossScaler`"),
            "{said}"
        );
        assert_eq!(refused((one(first), StepGuard::new())), "");
        let said = refused((one(first), one(true)));
        assert!(
            said.starts_with("`Remembers` stands before `Remembers`"),
            "{said}"
        );
        assert_eq!(refused((one(first), one(false))), "");
    }
    let said = refused((StepGuard::new(), one(true)));
    assert!(
        said.starts_with("`StepGuard` stands before `Remembers`"),
        "{said}"
    );
    assert_eq!(refused((StepGuard::new(), one(false))), "");
    assert_eq!(refused((scaler(), one(false))), "");
}
