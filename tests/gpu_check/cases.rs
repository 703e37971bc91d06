//! Every trick that acts in a step, with what it may differ by from one device to another, and what it reads.

use crate::pairs::{FAMILY, LACKING, PAIRS, Pair, WRAPPERS};
use crate::problem::{Net, Problem};
use crate::recipe::{Fused, Gradients, OfLoss, Recipe, Tricked};
use burn::module::ParamGroup;
use burn::optim::{ModuleOptimizer, Optimizer};
use burn::tensor::Device;
use burn_tricks::average::{
    AverageOn, EmaSet, LawaConfig, ScheduleFreeAverageConfig, SwagConfig, TrainedAverage,
};
use burn_tricks::diagnose::DoctorConfig;
use burn_tricks::grad::{
    AgcConfig, AutoClipConfig, CentralizeGradConfig, ClipGradValueConfig, FreezeConfig,
    GradAccumulatorConfig, GradNoiseConfig, LossScalerConfig, NonFinite, NormKind, NormScope,
    NormsByPath, Only, PolyakStepConfig, ProdigyConfig, SamConfig,
};
use burn_tricks::kernels::use_gpu_kernels;
use burn_tricks::nn::{ClampWeightsConfig, TiedWeights, UnitNormConfig};
use burn_tricks::optim::{
    Adam, AdamConfig, AdamWConfig, FusedStep, LarsConfig, LookaheadConfig, MasterWeightsConfig,
    MasterWeightsForm, NormalizedGradientConfig, OptimizerExt as _, ScheduleFreeConfig,
    SelectiveDecayConfig, SgdConfig,
};
use burn_tricks::prelude::*;
use burn_tricks::train::{
    AsTrick, DoctorTrick, GradNorm, MeanOfAccumulated, StopAfterMarked, StopAfterSkips, UpdateRatio,
};

/// How a device may differ from `flex`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Tolerance {
    /// In `f32` by this share of what the training changes, in the Euclidean norm; in half precision by the rounding of the
    /// weights.
    Update(f64),
    /// It draws other random numbers: the sizes of what they change, beyond SGD alone, differ by this share.
    Size(f64),
}

/// What the host reads in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Nothing: a step never waits for the device.
    None,
    /// Whether all gradients are finite.
    OneNumber,
    /// Every weight, which goes to another device, every second step.
    WeightsEverySecondStep,
}

impl Reads {
    /// How many tensors in `steps` steps of a network with so many weights.
    pub(crate) fn of(self, steps: usize, weights: usize) -> usize {
        match self {
            Self::None => 0,
            Self::OneNumber => steps,
            Self::WeightsEverySecondStep => weights * steps / 2,
        }
    }
}

/// Begins a training of a network.
type Make = dyn Fn(&Net) -> Box<dyn Recipe>;

/// A trick and how it is checked.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) lr: f64,
    pub(crate) tolerance: Tolerance,
    /// Whether it needs the loss, not only the gradients.
    pub(crate) needs_loss: bool,
    /// What the host reads, as the documentation says.
    pub(crate) reads: Reads,
    make: Box<Make>,
}

impl Case {
    /// A training of this network with it.
    pub(crate) fn recipe(&self, net: &Net) -> Box<dyn Recipe> {
        (self.make)(net)
    }

    fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    fn needs_loss(mut self) -> Self {
        self.needs_loss = true;
        self
    }

    fn reads(mut self, reads: Reads) -> Self {
        self.reads = reads;
        self
    }
}

/// Sums in another order, and functions of the device's own: 4e-6 of what is seen on software Vulkan at most.
const ROUNDING: Tolerance = Tolerance::Update(1e-4);
/// The learning rate of a case: such that six steps move the weights by more than a device may round them, which in `bf16`
/// is much.
fn lr(name: &str) -> f64 {
    match name {
        "LARS" | "LARS, FusedStep" => 20.0,
        "AdaDelta" => 6.0,
        "Prodigy" => 1.0,
        "Polyak's step" => 0.1,
        "normalised, per tensor" | "normalised, per tensor, FusedStep" => 0.15,
        "normalised" => 10.0,
        "clipping" => 100.0,
        "clipping by value" => 0.5,
        "AGC" => 1.0,
        "a chain" => 10.0,
        _ => 0.05,
    }
}

fn case(name: &'static str, make: impl Fn(&Net) -> Box<dyn Recipe> + 'static) -> Case {
    Case {
        name,
        lr: lr(name),
        tolerance: ROUNDING,
        needs_loss: false,
        reads: Reads::None,
        make: Box::new(make),
    }
}

fn optimizer(name: &'static str, optim: fn() -> ModuleOptimizer) -> Case {
    case(name, move |_| {
        let (optim, trick) = (optim(), ());
        Box::new(Tricked { optim, trick })
    })
}

fn adam_w() -> ModuleOptimizer {
    AdamWConfig::new().init().expect("a valid configuration")
}

/// SGD, whose steps show what a transform makes of the gradients.
fn sgd() -> ModuleOptimizer {
    SgdConfig::new().init().expect("a valid configuration")
}

/// A trick with SGD.
fn trick<T: Trick<Net> + 'static>(name: &'static str, init: impl Fn(&Net) -> T + 'static) -> Case {
    case(name, move |net| {
        let (optim, trick) = (sgd(), init(net));
        Box::new(Tricked { optim, trick })
    })
}

/// Gradients that are made of the loss, for SGD.
fn of_loss<G: Gradients + 'static>(name: &'static str, init: impl Fn() -> G + 'static) -> Case {
    let make = move |_: &Net| -> Box<dyn Recipe> {
        let (optim, gradients) = (sgd(), init());
        Box::new(OfLoss { optim, gradients })
    };
    case(name, make).needs_loss()
}

/// Our optimizers with Burn's, or the nearest that Burn has, and its name.
pub(crate) fn pairs() -> Vec<(Case, Case, String)> {
    let pairs = PAIRS.iter().chain(&FAMILY).chain(&LACKING).chain(&WRAPPERS);
    let pair = |pair: &Pair| {
        let (ours, other) = (
            optimizer(pair.name, pair.ours),
            optimizer(pair.name, pair.burns),
        );
        (ours, other, other_name(pair))
    };
    pairs.map(pair).collect()
}

fn other_name(pair: &Pair) -> String {
    if WRAPPERS.iter().any(|wrapper| wrapper.name == pair.name) {
        "our Adam".to_owned()
    } else {
        crate::pairs::other_name(pair.name)
    }
}

/// The plain training that tricks are compared with.
pub(crate) fn plain() -> Case {
    trick("SGD alone", |_| ())
}

/// The case in which clipping is not by this library's kernels.
pub(crate) const TWINS: &str = "AdamW + clip, twins";

/// AdamW alone, with clipping, with an average, and with both, as separate calls and as one.
pub(crate) fn aims() -> [Case; 7] {
    fn with<T: Trick<Net> + 'static>(
        name: &'static str,
        init: impl Fn(&Net) -> T + 'static,
    ) -> Case {
        case(name, move |net| {
            let (optim, trick) = (adam_w(), init(net));
            Box::new(Tricked { optim, trick })
        })
    }
    let clip = || ClipGradNormConfig::new(1.0).init().unwrap();
    let ema = |net: &Net| EmaConfig::new(0.999).init(net).unwrap();
    [
        with("AdamW", |_| ()),
        with("AdamW + clip + EMA", move |net| (clip(), ema(net))),
        case("AdamW + clip + EMA, FusedStep", move |net| {
            let adam_w = AdamWConfig::new().build().unwrap();
            let step = FusedStep::new(adam_w).with_transform(clip());
            Box::new(Fused(step.with_average(ema(net))))
        }),
        with("AdamW + clip", move |_| clip()),
        with("AdamW + EMA", ema),
        case("AdamW, FusedStep", |_| {
            Box::new(Fused(FusedStep::new(AdamWConfig::new().build().unwrap())))
        }),
        case(TWINS, move |_| {
            let (optim, trick) = (adam_w(), clip());
            Box::new(Twins(Tricked { optim, trick }))
        }),
    ]
}

/// Clipping with the tensor operations that the kernels of [`burn_tricks::kernels`] for GPUs stand for.
struct Twins<R>(R);

impl<R: Recipe> Recipe for Twins<R> {
    fn step(&mut self, problem: &Problem, net: Net, lr: f64, at: u64) -> Net {
        struct Again;
        impl Drop for Again {
            fn drop(&mut self) {
                use_gpu_kernels(true);
            }
        }
        use_gpu_kernels(false);
        // Also after a panic.
        let _again = Again;
        self.0.step(problem, net, lr, at)
    }
}

/// Optimizers that need a number of each tensor, and clipping that needs one of each unit; with what each is compared with. A
/// `FusedStep` takes such steps for all tensors together.
pub(crate) fn norms() -> [(Case, Case); 12] {
    fn fused<O: Optimizer>(name: &'static str, optim: impl Fn() -> O + 'static) -> Case {
        case(name, move |_| Box::new(Fused(FusedStep::new(optim()))))
    }
    fn of_pair(name: &'static str) -> Case {
        let pairs = PAIRS.iter().chain(&FAMILY).chain(&LACKING).chain(&WRAPPERS);
        let pair = pairs.into_iter().find(|pair| pair.name == name);
        let pair = pair.unwrap_or_else(|| panic!("no pair {name}"));
        optimizer(pair.name, pair.ours)
    }
    let sgd = || fused("SGD, FusedStep", || SgdConfig::new().build().unwrap());
    let adam = || AdamConfig::new().build().unwrap();
    let momentum = || {
        let momentum = burn::optim::momentum::MomentumConfig::new();
        let config = SgdConfig::new().with_momentum(Some(momentum));
        fused("SGD, momentum, FusedStep", move || config.build().unwrap())
    };
    let plain = move || fused("Adam, FusedStep", adam);
    let lars = LarsConfig::new();
    let normalised = NormalizedGradientConfig::per_tensor();
    let agc = trick("AGC", |_| {
        AgcConfig::new().with_clip_factor(0.1).init().unwrap()
    });
    let tensors = || {
        let config = ClipGradNormConfig::new(0.1).with_scope(NormScope::Tensor);
        trick("clipping, per tensor", move |_| config.init().unwrap())
    };
    [
        (
            fused("LARS, FusedStep", move || lars.build().unwrap()),
            momentum(),
        ),
        (
            fused("normalised, per tensor, FusedStep", move || {
                normalised.build().unwrap()
            }),
            sgd(),
        ),
        (
            fused("trust ratio, FusedStep", move || adam().trust_ratio()),
            plain(),
        ),
        (
            fused("cautious, FusedStep", move || adam().cautious()),
            plain(),
        ),
        (agc, self::plain()),
        (tensors(), self::plain()),
        (of_pair("LARS"), of_pair("SGD, momentum")),
        (of_pair("normalised, per tensor"), of_pair("SGD")),
        (of_pair("trust ratio"), of_pair("Adam")),
        (of_pair("cautious"), of_pair("Adam")),
        (momentum(), sgd()),
        (plain(), sgd()),
    ]
}

/// The path of one parameter, or of one layer.
fn a_path(net: &Net) -> &'static str {
    match net {
        Net::Matrices(_) => "Matrices.weights.1",
        Net::Mlp(_) => "Mlp.output.weight",
        Net::ResNet(_) => "ResNet.output.weight",
    }
}

/// Every optimizer, wrapper and trick.
pub(crate) fn every() -> Vec<Case> {
    let pairs = PAIRS.iter().chain(&FAMILY).chain(&LACKING).chain(&WRAPPERS);
    let mut every: Vec<_> = pairs.map(|pair| optimizer(pair.name, pair.ours)).collect();
    every.extend(master_weights());
    every.push(case("selective decay", |net| {
        let decay = SelectiveDecayConfig::new().sparing([a_path(net)]);
        let decay = decay.init(net).unwrap();
        let adam_w = AdamWConfig::new().with_weight_decay(0.1);
        let spared = adam_w.clone().with_weight_decay(0.0).build().unwrap();
        let optim = adam_w.init().unwrap();
        let optim = optim.with_group(decay.spared_group(), spared, None);
        let trick = ();
        Box::new(Tricked { optim, trick })
    }));
    let accumulator = || GradAccumulatorConfig::new(2).init().unwrap();
    every.push(of_loss("accumulated gradients", accumulator));
    let prodigy = case("Prodigy", |net| {
        let config = ProdigyConfig::new().with_first_distance(0.01);
        let trick = config.init(net).unwrap();
        let optim = trick.optimizer();
        Box::new(Tricked { optim, trick })
    });
    every.push(prodigy);
    every.extend(skipping());
    for (name, config) in [("SAM", SamConfig::new(0.05)), ("ASAM", SamConfig::asam())] {
        let sam = config.init().unwrap();
        every.push(of_loss(name, move || sam.clone()));
    }
    let polyak = || PolyakStepConfig::new().init().unwrap();
    every.push(of_loss("Polyak's step", polyak));
    let scaler = || LossScalerConfig::new().init().unwrap();
    every.push(of_loss("loss scale", scaler).reads(Reads::OneNumber));
    every.extend(aims());
    let together = norms().into_iter().map(|(case, _)| case);
    every.extend(together.filter(|case| case.name.ends_with("FusedStep")));
    every.extend(tricks());
    every
}

/// Optimizers that do something else for weights in half precision, and step those in `f32` as the optimizer inside does.
fn master_weights() -> [Case; 2] {
    fn master(form: MasterWeightsForm) -> ModuleOptimizer {
        let adam_w = AdamWConfig::new().build().unwrap();
        MasterWeightsConfig::new().with_form(form).init(adam_w)
    }
    [
        optimizer("master weights", || master(MasterWeightsForm::F32)),
        optimizer("master weights, Kahan", || master(MasterWeightsForm::Kahan)),
    ]
}

/// Optimizers that look for the mark of a gradient that is not finite, which is not there.
fn skipping() -> [Case; 3] {
    fn with(name: &'static str, optim: fn() -> ModuleOptimizer) -> Case {
        case(name, move |_| {
            let clip = ClipGradNormConfig::new(1.0).with_non_finite(NonFinite::SkipStep);
            let (optim, trick) = (optim(), clip.init().unwrap());
            Box::new(Tricked { optim, trick })
        })
    }
    fn adam() -> Adam {
        AdamConfig::new().with_skip_marked(true).build().unwrap()
    }
    [
        with("Adam that skips", || adam().init()),
        with("lookahead that skips", || {
            let config = LookaheadConfig::new(2).with_skip_marked(true);
            config.init(adam()).unwrap()
        }),
        with("schedule-free that skips", || {
            let config = ScheduleFreeConfig::new().with_skip_marked(true);
            config.init(adam()).unwrap()
        }),
    ]
}

fn tricks() -> Vec<Case> {
    let noise = || GradNoiseConfig::new(0.01).init().unwrap();
    vec![
        trick("clipping", |_| ClipGradNormConfig::new(0.1).init().unwrap()),
        trick("clipping by value", |_| {
            ClipGradValueConfig::new(0.1).init().unwrap()
        }),
        trick("AGC", |_| {
            AgcConfig::new().with_clip_factor(0.1).init().unwrap()
        }),
        trick("AutoClip", |_| {
            AutoClipConfig::new().with_history(3).init().unwrap()
        }),
        trick("normalised", |_| NormalizeGradConfig::new().init().unwrap()),
        trick("centralised", |_| {
            CentralizeGradConfig::new().init().unwrap()
        }),
        trick("noise", move |_| noise()).tolerance(Tolerance::Size(0.02)),
        // Of a matrix of 64×33, or less: chance alone makes 2 %.
        trick("noise of a group", move |net| {
            Only::new(ParamGroup::from_path(a_path(net)), noise())
        })
        .tolerance(Tolerance::Size(0.1)),
        trick("frozen", |net| {
            FreezeConfig::for_paths([a_path(net)]).init(net).unwrap()
        }),
        trick("guard", |_| StepGuard::new()).reads(Reads::OneNumber),
        trick("norms", |_| NormsByPath::init(NormKind::L2).unwrap()),
        trick("a chain", |_| {
            let agc = AgcConfig::new().init().unwrap();
            AsTrick(agc.then(CentralizeGradConfig::new().init().unwrap()))
        }),
        trick("the mean of accumulated gradients", |_| {
            MeanOfAccumulated::new()
        }),
        trick("a stop after skips", |_| {
            StopAfterSkips::init(2, &burn::train::Interrupter::new()).unwrap()
        }),
        trick("a stop after marked steps", |_| {
            StopAfterMarked::init(2).unwrap()
        }),
        trick("a doctor", |net| {
            DoctorTrick::init(&DoctorConfig::new(), net).unwrap()
        }),
        trick("gradient norm", |_| GradNorm::new()),
        trick("update ratio", |_| UpdateRatio::new()),
        trick("tied weights", |_| TiedWeights),
        trick("max-norm", |_| MaxNormConfig::new(0.5).init().unwrap()),
        trick("unit norm", |_| UnitNormConfig::new().init().unwrap()),
        trick("clamp", |_| {
            ClampWeightsConfig::new(-0.5, 0.5).init().unwrap()
        }),
        trick("EMA", |net| EmaConfig::new(0.9).init(net).unwrap()),
        trick("EMA, every second step", |net| {
            EmaConfig::new(0.9).with_update_every(2).init(net).unwrap()
        }),
        trick("EMAs", |net| {
            EmaSet::init(&[0.5, 0.9].map(EmaConfig::new), net).unwrap()
        }),
        trick("schedule-free average", |net| {
            ScheduleFreeAverageConfig::new().init(net).unwrap()
        }),
        trick("SWA", |net| SwaConfig::new(2).init(net).unwrap()),
        trick("LAWA", |net| LawaConfig::new(2, 1).init(net).unwrap()),
        trick("SWAG", |net| SwagConfig::new(2).init(net).unwrap()),
        trick("trained weights", |net| {
            TrainedAverage::init(EmaConfig::new(0.9), net).unwrap()
        }),
        trick("an average elsewhere", |net| {
            let flex = Device::flex();
            let rule = EmaConfig::new(0.9).with_update_every(2);
            AverageOn::init(rule, net, &flex).unwrap()
        })
        .reads(Reads::WeightsEverySecondStep),
    ]
}
