//! The laws of gradient transforms: alone, in pairs, and in a stack of four; one line for each.

use crate::devices::devices;
use crate::loss_scaler::scaler_of;
use burn::module::{Module, ParamGroup};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device};
use burn_tricks::grad::{
    Agc, AgcConfig, AutoClip, AutoClipConfig, CentralizeGrad, CentralizeGradConfig, ClipGradNorm,
    ClipGradValue, ClipGradValueConfig, ConfigError, Freeze, FreezeConfig, GradNoise,
    GradNoiseConfig, GradientTransform, LossScaler, LossScalerConfig, NoTransform, NormKind,
    NormalizeGrad, NormsByPath, Only, Prodigy, ProdigyConfig, StateError,
};

use burn_tricks::prelude::*;
use burn_tricks_testkit::{TransformLaws, Weights};

/// The laws of one gradient transform.
fn transform<T: GradientTransform + 'static>(
    name: &str,
    on: &(&'static str, Device),
    init: impl Fn() -> T + Clone + 'static,
) -> TransformLaws<T> {
    let anew = init.clone();
    let apply = |transform: &mut T, model: &Vec<Weights>, grads: GradientsParams| {
        transform.apply(model, grads)
    };
    let reload = move |transform: T| {
        let mut loaded = anew();
        if let Some(state) = transform.state() {
            loaded.load_state(&state).expect("its own state");
        }
        loaded
    };
    TransformLaws::new(format!("{name} on {}", on.0), init, apply, &on.1).saved(reload)
}

/// Any of the transforms, so that a list can hold two.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // a list of two is small
enum One {
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
    Prodigy(Prodigy),
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
        }
    };
}

impl GradientTransform for One {
    fn apply<M: Module>(&mut self, model: &M, grads: GradientsParams) -> GradientsParams {
        of_each!(self, one => GradientTransform::apply(one, model, grads))
    }

    fn state(&self) -> Option<Vec<u8>> {
        of_each!(self, one => GradientTransform::state(one))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        of_each!(self, one => GradientTransform::load_state(one, state))
    }
}

/// A model like that of the laws, for transforms that are made for one.
fn like(device: &Device) -> Vec<Weights> {
    vec![Weights::new(1, DType::F32, &device.clone().autodiff())]
}

fn freeze(device: &Device) -> Freeze {
    let config = FreezeConfig::for_paths(["0.matrix"]);
    config.init(&like(device)).expect("its path is there")
}

fn prodigy(device: &Device) -> Prodigy {
    let prodigy = ProdigyConfig::new().init(&like(device));
    prodigy.expect("a valid configuration")
}

fn each(device: &Device) -> Result<Vec<One>, ConfigError> {
    Ok(vec![
        One::Guard(StepGuard::new()),
        One::Scaler(scaler_of(&LossScalerConfig::new().with_growth_interval(2))),
        One::Centralize(CentralizeGradConfig::new().init()?),
        One::Norm(ClipGradNormConfig::new(0.1).init()?),
        One::Value(ClipGradValueConfig::new(0.2).init()?),
        One::Agc(AgcConfig::new().with_clip_factor(0.1).init()?),
        One::AutoClip(
            AutoClipConfig::new()
                .with_percentile(60.0)
                .with_history(3)
                .init()?,
        ),
        One::Noise(GradNoiseConfig::new(0.01).init()?),
        One::Normalize(NormalizeGradConfig::new().init()?),
        One::Norms(NormsByPath::init(NormKind::L2)?),
        One::Freeze(freeze(device)),
        One::Prodigy(prodigy(device)),
    ])
}

#[test]
fn two_transforms_of_any_kind_keep_the_laws() {
    for on in &devices() {
        let count = each(&on.1).unwrap().len();
        for (first, second) in (0..count * count).map(|at| (at / count, at % count)) {
            let device = on.1.clone();
            // A clone of a scaler, of norms or of Prodigy's estimate would share its state.
            let one = move |at| each(&device).unwrap().swap_remove(at);
            let init = move || Vec::from([first, second].map(&one));
            let freezes = init().iter().any(|one| matches!(one, One::Freeze(_)));
            let name = format!("{:?}", init());
            let laws = transform(&name, on, init).removes(usize::from(freezes));
            laws.check().assert();
        }
    }
}

#[test]
fn every_gradient_transform_keeps_the_laws() {
    let clip = |max_norm| ClipGradNormConfig::new(max_norm).init().unwrap();
    let value = |max_value| ClipGradValueConfig::new(max_value).init().unwrap();
    let agc = |factor| AgcConfig::new().with_clip_factor(factor).init().unwrap();
    let noise = |eta| GradNoiseConfig::new(eta).init().unwrap();
    let normalize = || NormalizeGradConfig::new().init().unwrap();
    let centralize = || CentralizeGradConfig::new().init().unwrap();
    let auto_clip = || AutoClipConfig::new().with_percentile(60.0).with_history(3);
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
        transform("AutoClip", on, move || auto_clip().init().unwrap())
            .check()
            .assert();
        transform("centralised", on, centralize).check().assert();
        transform("noise", on, move || noise(0.01)).check().assert();
        transform("normalised", on, normalize).check().assert();
        transform("loss scale", on, scaler).check().assert();
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
        let never = move || auto_clip().with_percentile(100.0).init().unwrap();
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
