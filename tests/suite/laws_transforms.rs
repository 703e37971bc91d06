//! The laws of gradient transforms: alone, in pairs, and in a stack of four; one line for each.

use crate::devices::{devices, is_gpu};
use crate::loss_scaler::{OfGiven, scale_a_loss, scaler_of};
use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::{GradientsParams, Optimizer as _};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::grad::{
    Agc, AgcConfig, AutoClip, AutoClipConfig, CentralizeGrad, CentralizeGradConfig, ClipGradNorm,
    ClipGradValue, ClipGradValueConfig, ConfigError, Freeze, FreezeConfig, GradNoise,
    GradNoiseConfig, GradientOrder, GradientTransform, LossScaler, LossScalerConfig, NoTransform,
    NormKind, NormalizeGrad, NormsByPath, Only, Prodigy, ProdigyConfig, StateError,
    scale_gradients,
};

use burn_tricks::prelude::*;
use burn_tricks::schedule::SkipCount;
use burn_tricks_testkit::{TransformLaws, Weights};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The transforms with a state that does not go back with the weights in a roll-back, and why.
const STAY: [(&str, &str); 2] = [
    (
        "StepGuard",
        "a schedule compares the number of skipped steps with what it has seen",
    ),
    (
        "LossScaler",
        "as a guard; and a scale at which gradients overflowed must not come back",
    ),
];

/// The laws of one gradient transform, whose state goes back with the weights.
fn transform<T: GradientTransform + 'static>(
    name: &str,
    on: &(&'static str, Device),
    init: impl Fn() -> T + 'static,
) -> TransformLaws<T> {
    let put_back = |transform: &mut T, state: &[u8]| {
        let put_back = transform.load_roll_back_state(state);
        put_back.expect("its own state");
    };
    staying(name, on, init).goes_back(T::roll_back_state, put_back)
}

/// The laws of one gradient transform, whose numbers after a roll-back depend on what was before.
fn staying<T: GradientTransform + 'static>(
    name: &str,
    on: &(&'static str, Device),
    init: impl Fn() -> T + 'static,
) -> TransformLaws<T> {
    let load = |transform: &mut T, state: &[u8]| {
        transform.load_state(state).expect("its own state");
    };
    apart_from_its_state(name, on, init).saved(T::state, load)
}

/// The laws of one gradient transform that are not about its state.
fn apart_from_its_state<T: GradientTransform + 'static>(
    name: &str,
    on: &(&'static str, Device),
    init: impl Fn() -> T + 'static,
) -> TransformLaws<T> {
    let apply = |transform: &mut T, model: &Vec<Weights>, grads: GradientsParams| {
        transform.apply(model, grads)
    };
    TransformLaws::new(format!("{name} on {}", on.0), init, apply, &on.1)
}

/// Any of the transforms, so that a list can hold two.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // a list of two is small
pub(crate) enum One {
    Guard(StepGuard),
    Scaler(LossScaler),
    Centralize(CentralizeGrad),
    Norm(ClipGradNorm),
    Value(ClipGradValue),
    Agc(Agc),
    AutoClip(AutoClip),
    Noise(GradNoise),
    Normalize(NormalizeGrad),
    Norms(NormsByPath),
    Freeze(Freeze),
    Prodigy(Stepped),
    OnlyGuard(Only<StepGuard>),
    OnlyAutoClip(Only<AutoClip>),
    OnlyProdigy(Only<Stepped>),
}

/// Prodigy, whose estimate moves in a step of its optimizer.
#[derive(Debug)]
pub(crate) struct Stepped(Prodigy);

impl Stepped {
    fn step<M: Module>(&self, model: &M, grads: GradientsParams) -> GradientsParams {
        let mut step = StepOne(&self.0, Some(&grads));
        model.visit(&mut step);
        grads
    }
}

impl GradientTransform for Stepped {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        let grads = self.0.apply(model, grads);
        self.step(model, grads)
    }

    fn apply_scaled<M: Module>(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
    ) -> GradientsParams {
        let grads = self.0.apply_scaled(model, grads, factor);
        self.step(model, grads)
    }

    fn marks_non_finite(&self) -> bool {
        self.0.marks_non_finite()
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        GradientTransform::gradient_order(&self.0, order);
    }

    fn describe(&self) -> Vec<String> {
        GradientTransform::describe(&self.0)
    }

    fn restart(&mut self) {
        GradientTransform::restart(&mut self.0);
    }

    fn state(&self) -> Option<Vec<u8>> {
        GradientTransform::state(&self.0)
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        self.0.load_state(state)
    }

    fn roll_back_state(&self) -> Option<Vec<u8>> {
        GradientTransform::roll_back_state(&self.0)
    }

    fn load_roll_back_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        GradientTransform::load_roll_back_state(&mut self.0, state)
    }
}

/// Steps the first parameter that has a gradient. The estimate takes the gradients of all that Prodigy has seen.
struct StepOne<'a>(&'a Prodigy, Option<&'a GradientsParams>);

impl ModuleVisitor for StepOne<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let grad = self.1.and_then(|grads| grads.get::<D>(param.id));
        if let Some(grad) = grad {
            self.1 = None;
            let weight = param.val().without_autodiff();
            let _ = self.0.build().step(1.0, weight, grad, None);
        }
    }
}

macro_rules! of_each {
    ($one:expr, $transform:ident => $value:expr) => {
        match $one {
            One::Guard($transform) => $value,
            One::Scaler($transform) => $value,
            One::Centralize($transform) => $value,
            One::Norm($transform) => $value,
            One::Value($transform) => $value,
            One::Agc($transform) => $value,
            One::AutoClip($transform) => $value,
            One::Noise($transform) => $value,
            One::Normalize($transform) => $value,
            One::Norms($transform) => $value,
            One::Freeze($transform) => $value,
            One::Prodigy($transform) => $value,
            One::OnlyGuard($transform) => $value,
            One::OnlyAutoClip($transform) => $value,
            One::OnlyProdigy($transform) => $value,
        }
    };
}

impl GradientTransform for One {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        if let One::Scaler(scaler) = self {
            scale_a_loss(scaler);
        }
        of_each!(self, one => GradientTransform::apply(one, model, grads))
    }

    fn apply_scaled<M: Module>(
        &mut self,
        model: &M,
        grads: GradientsParams,
        factor: f64,
    ) -> GradientsParams {
        if let One::Scaler(scaler) = self {
            scale_a_loss(scaler);
        }
        of_each!(self, one => GradientTransform::apply_scaled(one, model, grads, factor))
    }

    fn marks_non_finite(&self) -> bool {
        of_each!(self, one => GradientTransform::marks_non_finite(one))
    }

    fn gradient_order(&self, order: &mut GradientOrder) {
        of_each!(self, one => GradientTransform::gradient_order(one, order));
    }

    fn describe(&self) -> Vec<String> {
        of_each!(self, one => GradientTransform::describe(one))
    }

    fn restart(&mut self) {
        of_each!(self, one => GradientTransform::restart(one));
    }

    fn state(&self) -> Option<Vec<u8>> {
        of_each!(self, one => GradientTransform::state(one))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        of_each!(self, one => GradientTransform::load_state(one, state))
    }

    fn roll_back_state(&self) -> Option<Vec<u8>> {
        of_each!(self, one => GradientTransform::roll_back_state(one))
    }

    fn load_roll_back_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        of_each!(self, one => GradientTransform::load_roll_back_state(one, state))
    }
}

/// A model like that of the laws, for transforms that are made for one.
pub(crate) fn like(device: &Device) -> Vec<Weights> {
    vec![Weights::new(1, DType::F32, &device.clone().autodiff())]
}

fn freeze(device: &Device) -> Freeze {
    let config = FreezeConfig::for_paths(["0.matrix"]);
    config.init(&like(device)).expect("its path is there")
}

fn prodigy(device: &Device) -> Stepped {
    let prodigy = ProdigyConfig::new().init(&like(device));
    Stepped(prodigy.expect("a valid configuration"))
}

/// Makes one of the transforms. A loss scale grows after so many steps.
type Make = fn(u32, &Device) -> Result<One, ConfigError>;

fn auto_clip() -> AutoClipConfig {
    AutoClipConfig::new().with_percentile(60.0).with_history(3)
}

fn vector() -> ParamGroup {
    ParamGroup::from_path("0.vector")
}

const EACH: [Make; 15] = [
    |_, _| Ok(One::Guard(StepGuard::new())),
    |growth, _| {
        let config = LossScalerConfig::new().with_growth_interval(growth);
        Ok(One::Scaler(config.init()?))
    },
    |_, _| Ok(One::Centralize(CentralizeGradConfig::new().init()?)),
    |_, _| Ok(One::Norm(ClipGradNormConfig::new(0.1).init()?)),
    |_, _| Ok(One::Value(ClipGradValueConfig::new(0.2).init()?)),
    |_, _| Ok(One::Agc(AgcConfig::new().with_clip_factor(0.1).init()?)),
    // Behind a clip that acts in every step the norms are equal, and the state of a full history would not change.
    |_, _| Ok(One::AutoClip(auto_clip().with_history(20).init()?)),
    |_, _| Ok(One::Noise(GradNoiseConfig::new(0.01).init()?)),
    |_, _| Ok(One::Normalize(NormalizeGradConfig::new().init()?)),
    |_, _| Ok(One::Norms(NormsByPath::init(NormKind::L2)?)),
    |_, device| Ok(One::Freeze(freeze(device))),
    |_, device| Ok(One::Prodigy(prodigy(device))),
    |_, _| Ok(One::OnlyGuard(Only::new(vector(), StepGuard::new()))),
    |_, _| Ok(One::OnlyAutoClip(Only::new(vector(), auto_clip().init()?))),
    |_, device| Ok(One::OnlyProdigy(Only::new(vector(), prodigy(device)))),
];

/// How many transforms there are.
pub(crate) const COUNT: usize = EACH.len();

/// The transform of this number, from 0.
pub(crate) fn one(at: usize, device: &Device) -> One {
    EACH[at](2, device).unwrap()
}

fn each(device: &Device) -> Vec<One> {
    (0..COUNT).map(|at| one(at, device)).collect()
}

#[test]
fn two_transforms_of_any_kind_keep_the_laws() {
    for on in &devices() {
        // On a GPU, where each pair takes a second, without those of a group: they are the same transforms.
        let of_groups = if is_gpu(on.0) { 3 } else { 0 };
        let count = COUNT - of_groups;
        let mut refused = 0;
        for (first, second) in (0..count * count).map(|at| (at / count, at % count)) {
            // A clone of a scaler, of norms or of Prodigy's estimate would share its state.
            let init_with = |growth| {
                let device = on.1.clone();
                let one = move |at: usize| EACH[at](growth, &device).unwrap();
                move || Vec::from([first, second].map(&one))
            };
            let init = init_with(2);
            let pair = init();
            let mut order = GradientOrder::new();
            pair.gradient_order(&mut order);
            if order.check().is_err() {
                let apply = || init().apply(&like(&on.1), like(&on.1)[0].grads(1));
                assert!(matches!(pair[1], One::Scaler(_)), "{pair:?}");
                assert!(catch_unwind(AssertUnwindSafe(apply)).is_err());
                refused += 1;
                continue;
            }
            let freezes = pair.iter().any(|one| matches!(one, One::Freeze(_)));
            let scales = pair.iter().any(|one| matches!(one, One::Scaler(_)));
            let name = format!("{pair:?}");
            let check = |laws: TransformLaws<Vec<One>>| {
                laws.removes(usize::from(freezes)).check().assert();
            };
            if scales {
                // The scale stays in a roll-back: here it grows in the steps before, and here it is the same after it.
                check(staying(&name, on, init));
                check(transform(&name, on, init_with(1000)));
            } else {
                check(transform(&name, on, init));
            }
        }
        assert_eq!(refused, count, "a scaler behind any");
    }
}

#[test]
fn a_restarted_transform_does_what_a_new_one_does() {
    let on = Device::flex();
    let model = like(&on);
    let used = each(&on).into_iter().zip(each(&on));
    for (used, new) in used {
        let name = format!("{new:?}");
        let (mut used, mut new) = (vec![used], vec![new]);
        for seed in 0..3 {
            let _ = used.apply(&model, model[0].grads(seed));
        }
        used.restart();
        for seed in 3..6 {
            let [one, other] = [&mut used, &mut new].map(|transform| {
                let grads = transform.apply(&model, model[0].grads(seed));
                let vector = grads.get::<1>(model[0].vector.id).map(Tensor::into_data);
                let matrix = grads.get::<2>(model[0].matrix.id).map(Tensor::into_data);
                (vector, matrix, transform.state())
            });
            assert_eq!(one, other, "{name}");
        }
    }
}

#[test]
fn every_state_goes_back_but_those_that_are_named() {
    let on = Device::flex();
    for one in each(&on) {
        let name = of_each!(&one, one => std::any::type_name_of_val(one));
        // Of a group, it is as of the transform inside.
        let name = name.trim_end_matches('>');
        let stays = (STAY.iter()).any(|(stays, _)| name.ends_with(&format!("::{stays}")));
        let goes_back = one.state() == one.roll_back_state();
        assert_eq!(goes_back, !stays, "{name}");
        assert!(goes_back || one.roll_back_state().is_none(), "{name}");
    }
}

/// Of a transform that counts skipped steps, alone and combined with another one.
fn counts_stay<C: GradientTransform>(make: impl Fn() -> C, skips: fn(&C) -> SkipCount) {
    /// Skips a step and goes back.
    fn go_back<T: GradientTransform>(mut transform: T) {
        let model = like(&Device::flex());
        let _ = transform.apply(&model, model[0].grads(1));
        let kept = transform.roll_back_state();
        let bad = scale_gradients(&model, model[0].grads(2), f64::INFINITY);
        assert!(transform.apply(&model, bad).is_empty(), "{transform:?}");
        if let Some(kept) = kept {
            transform.load_roll_back_state(&kept).expect("its own");
        }
    }

    let noise = || GradNoiseConfig::new(0.01).init().unwrap();
    macro_rules! each {
        ($($combined:expr),+) => {$(
            let counts = make();
            let skips_of_it = skips(&counts);
            go_back(($combined)(counts));
            assert_eq!(skips_of_it.get(), 1, stringify!($combined));
        )+};
    }
    each!(
        |counts: C| counts,
        |counts: C| counts.then(noise()),
        |counts: C| Only::new(ParamGroup::all(), counts),
        |counts: C| Only::new(ParamGroup::all(), counts.then(noise())),
        |counts: C| Some(counts),
        |counts: C| vec![counts],
        |counts: C| (counts, Some(noise()))
    );
}

#[test]
fn the_counts_of_skipped_steps_stay_in_a_roll_back_inside_a_combination() {
    counts_stay(StepGuard::new, StepGuard::skips);
    counts_stay(
        || scaler_of(&LossScalerConfig::new()),
        |scaler: &OfGiven| scaler.0.skips(),
    );
}

#[test]
fn every_gradient_transform_keeps_the_laws() {
    let clip = |max_norm| ClipGradNormConfig::new(max_norm).init().unwrap();
    let value = |max_value| ClipGradValueConfig::new(max_value).init().unwrap();
    let agc = |factor| AgcConfig::new().with_clip_factor(factor).init().unwrap();
    let noise = |eta| GradNoiseConfig::new(eta).init().unwrap();
    let normalize = || NormalizeGradConfig::new().init().unwrap();
    let centralize = || CentralizeGradConfig::new().init().unwrap();
    let scaler = || scaler_of(&LossScalerConfig::new().with_growth_interval(2));
    let norms = || NormsByPath::init(NormKind::L2).unwrap();
    for on in &devices() {
        let stack = move || {
            StepGuard::new()
                .then(centralize())
                .then(agc(0.1))
                .then(noise(0.01))
        };
        let group = move || Only::new(ParamGroup::from_path("0.matrix"), noise(0.01));
        transform("clipping", on, move || clip(0.1))
            .check()
            .assert();
        transform("clipping by value", on, move || value(0.2))
            .check()
            .assert();
        transform("AGC", on, move || agc(0.1)).check().assert();
        transform("AutoClip", on, || auto_clip().init().unwrap())
            .check()
            .assert();
        transform("centralised", on, centralize).check().assert();
        transform("noise", on, move || noise(0.01)).check().assert();
        transform("normalised", on, normalize).check().assert();
        staying("loss scale", on, scaler).check().assert();
        transform("a group", on, group).check().assert();
        transform("two", on, move || (agc(0.1), noise(0.1)))
            .check()
            .assert();
        transform("a list", on, move || vec![noise(0.1), noise(0.2)])
            .check()
            .assert();
        transform("a stack of four", on, stack).check().assert();
        let device = on.1.clone();
        transform("frozen", on, move || freeze(&device))
            .removes(1)
            .check()
            .assert();
        // Set so that nothing changes, nothing does.
        let device = on.1.clone();
        transform("Prodigy's estimate", on, move || prodigy(&device))
            .neutral()
            .check()
            .assert();
        let off = || LossScalerConfig::new().with_enabled(false).init().unwrap();
        let never = || auto_clip().with_percentile(100.0).init().unwrap();
        transform("identity", on, || NoTransform)
            .neutral()
            .check()
            .assert();
        transform("guard", on, StepGuard::new)
            .neutral()
            .check()
            .assert();
        transform("norms", on, norms).neutral().check().assert();
        transform("not there", on, || None::<StepGuard>)
            .neutral()
            .check()
            .assert();
        transform("no clipping", on, move || clip(f64::MAX))
            .neutral()
            .check()
            .assert();
        transform("no clipping by value", on, move || value(f64::MAX))
            .neutral()
            .check()
            .assert();
        transform("no AGC", on, move || agc(f64::MAX))
            .neutral()
            .check()
            .assert();
        transform("never AutoClip", on, never)
            .neutral()
            .check()
            .assert();
        transform("no noise", on, move || noise(0.0))
            .neutral()
            .check()
            .assert();
        transform("no loss scale", on, off)
            .neutral()
            .check()
            .assert();
        transform("no parameter", on, move || {
            Only::new(ParamGroup::from_ids(Vec::new()), normalize())
        })
        .neutral()
        .check()
        .assert();
        transform("four that change nothing", on, move || {
            (clip(f64::MAX), agc(f64::MAX), noise(0.0), off())
        })
        .neutral()
        .check()
        .assert();
    }
}

/// Of each that can be set so that it changes nothing, one that is.
const EACH_NEUTRAL: [Make; 9] = [
    |_, _| Ok(One::Guard(StepGuard::new())),
    |_, _| {
        let config = LossScalerConfig::new().with_enabled(false);
        Ok(One::Scaler(config.init()?))
    },
    |_, _| Ok(One::Norm(ClipGradNormConfig::new(f64::MAX).init()?)),
    |_, _| Ok(One::Value(ClipGradValueConfig::new(f64::MAX).init()?)),
    |_, _| {
        let config = AgcConfig::new().with_clip_factor(f64::MAX);
        Ok(One::Agc(config.init()?))
    },
    |_, _| Ok(One::AutoClip(auto_clip().with_percentile(100.0).init()?)),
    |_, _| Ok(One::Noise(GradNoiseConfig::new(0.0).init()?)),
    |_, _| Ok(One::Norms(NormsByPath::init(NormKind::L2)?)),
    |_, device| Ok(One::Prodigy(prodigy(device))),
];

#[test]
fn two_transforms_that_change_nothing_change_nothing_together() {
    for on in &devices() {
        let count = EACH_NEUTRAL.len();
        for (first, second) in (0..count * count).map(|at| (at / count, at % count)) {
            let device = on.1.clone();
            let one = move |at: usize| EACH_NEUTRAL[at](2, &device).unwrap();
            let init = move || Vec::from([first, second].map(&one));
            let name = format!("{:?}", init());
            // What the states of a pair must do is checked above, of those that do something.
            let laws = if is_gpu(on.0) {
                apart_from_its_state(&name, on, init)
            } else {
                transform(&name, on, init)
            };
            laws.neutral().check().assert();
        }
    }
}
