//! Runs of gradient transforms that have a state, for `resume`: in a loop, as tricks around a model, and, here, in a
//! session. Each is saved at every phase of its cycle.

use crate::loss_scaler::{OfGiven, scaler_of};
use crate::models::{Net, Pair, alone, numbers, tensor, values};
use crate::net_training::session;
use crate::resume::{Case, case};
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, DType, Device, Tensor};
use burn::train::{Interrupter, Learner};
use burn_tricks::grad::{
    AutoClip, AutoClipConfig, ClipGradNormConfig, GradAccumulator, GradAccumulatorConfig,
    GradNoise, GradNoiseConfig, GradientTransform, LossScalerConfig, NonFinite, NormKind,
    NormsByPath, PolyakStepConfig, Prodigy, ProdigyConfig, SamConfig, StepGuard,
};
use burn_tricks::optim::{AdamConfig, ModuleOptimizerExt as _, SgdConfig};
use burn_tricks::prelude::*;
use burn_tricks::train::{
    AsTrick, EpochClock, StepContext, StopAfterMarked, StopAfterSkips, Trick,
};
use std::path::Path;
use std::process::Command;

/// A run in a loop: its model, which is out of it during a step, its optimizer, and whatever else has a state.
struct Run<T> {
    model: Option<Pair>,
    optim: ModuleOptimizer,
    other: T,
}

impl<T> Run<T> {
    fn new(make: impl FnOnce(&Pair) -> (T, ModuleOptimizer)) -> Self {
        let device = Device::flex().autodiff();
        let model = Pair::new(&[1.0, -0.5], &[0.25], DType::F32, &device);
        let (other, optim) = make(&model);
        Self {
            model: Some(model),
            optim,
            other,
        }
    }

    fn model(&self) -> &Pair {
        self.model.as_ref().expect("between two steps")
    }

    /// The optimizer's step, and the weights after it.
    fn step(&mut self, lr: f64, grads: GradientsParams) -> Vec<f64> {
        let model = self.model.take().expect("put back below");
        let model = self.optim.step(lr, model, grads);
        let (a, b) = model.values();
        self.model = Some(model);
        [a, b].concat()
    }

    fn save(&self, file: &Path, other: &[u8]) {
        self.model().clone().into_record().save(file).unwrap();
        self.optim.save(file.with_extension("optim")).unwrap();
        std::fs::write(file.with_extension("other"), other).unwrap();
    }

    /// With the saved model and optimizer, and the saved state of the rest.
    fn load(mut self, file: &Path) -> (Self, Vec<u8>) {
        let model = self.model.take().expect("of a new run");
        let model = model.load_record(ModuleRecord::load(file).unwrap());
        let saved = file.with_extension("optim");
        self.optim = self.optim.try_load(&model, saved).unwrap();
        self.model = Some(model);
        let other = std::fs::read(file.with_extension("other")).unwrap();
        (self, other)
    }
}

/// A loss with its minimum at other weights in every step.
fn loss(model: &Pair, at: usize) -> Tensor<1> {
    let at = at as f64;
    let device = Device::flex().autodiff();
    let a: Tensor<1> = tensor(&[at.sin(), (at * 0.7).cos()], DType::F32, &device);
    let b: Tensor<1> = tensor(&[(at * 2.1).sin()], DType::F32, &device);
    (model.a.val() - a).square().sum() + (model.b.val() - b).square().sum()
}

fn gradients(model: &Pair, at: usize) -> GradientsParams {
    GradientsParams::from_grads(loss(model, at).backward(), model)
}

/// A window of five micro-batches, of one to three samples: twelve of them end in the middle of the third.
fn accumulator() -> Case {
    type Accumulating = Run<GradAccumulator>;
    let make = || {
        Accumulating::new(|_| {
            let window = GradAccumulatorConfig::new(5).init().unwrap();
            (window, AdamConfig::torch().init().unwrap())
        })
    };
    case(
        "accumulated gradients",
        make,
        |run: &mut Accumulating, at| {
            let model = run.model().clone();
            let gradients = loss(&model, at).backward();
            match run.other.add(&model, gradients, 1 + at % 3) {
                Some(grads) => {
                    drop(model);
                    run.step(0.05, grads)
                }
                None => vec![run.other.samples() as f64],
            }
        },
        |run, file| run.save(file, &run.other.state(run.model())),
        |run, file| {
            let (mut run, state) = run.load(file);
            let model = run.model().clone();
            run.other.load_state(&model, &state).unwrap();
            run
        },
    )
}

/// Prodigy's two parts, with the estimate in what is shown.
fn prodigy() -> Case {
    type Rated = Run<Prodigy>;
    let make = || {
        Rated::new(|model| {
            let config = ProdigyConfig::new().with_first_distance(1e-3);
            let config = config.with_growth_rate(Some(1.5)).with_weight_decay(0.01);
            let prodigy = config.init(model).unwrap();
            let optim = prodigy.optimizer();
            (prodigy, optim)
        })
    };
    case(
        "Prodigy",
        make,
        |run: &mut Rated, at| {
            let model = run.model().clone();
            let grads = GradientTransform::apply(&mut run.other, &model, gradients(&model, at));
            drop(model);
            let mut shown = run.step(1.0, grads);
            shown.extend(values(run.other.distance().unwrap()));
            shown
        },
        |run, file| run.save(file, &run.other.state()),
        |run, file| {
            let (mut run, state) = run.load(file);
            run.other.load_state(&state).unwrap();
            run.optim = {
                let optim = run.other.optimizer();
                let record = run.optim.to_record().into_bytes().unwrap();
                let record = Bytes::from_bytes_vec(record.to_vec());
                optim.load_record(OptimizerRecord::from_bytes(record).unwrap())
            };
            run
        },
    )
}

/// Steps that have no state of their own, before an optimizer that has one.
fn of_optimizer(
    name: &str,
    grads: impl Fn(&Pair, usize) -> GradientsParams + Clone + 'static,
) -> Case {
    let make = || {
        Run::new(|_| {
            let sgd = SgdConfig::torch().with_momentum_factor(0.9);
            ((), sgd.init().unwrap())
        })
    };
    case(
        name,
        make,
        move |run: &mut Run<()>, at| {
            let grads = grads(run.model(), at);
            run.step(0.05, grads)
        },
        |run, file| run.save(file, &[]),
        |run, file| run.load(file).0,
    )
}

/// Tricks in the order of a session's calls, with a gradient that is sometimes not finite.
fn tricks<T: Trick<Pair> + 'static>(name: &str, init: impl Fn() -> T + Clone + 'static) -> Case {
    let make = move || {
        Run::new(|_| {
            let adam = AdamConfig::torch().with_skip_marked(true);
            (init(), adam.init().unwrap())
        })
    };
    case(
        name,
        make,
        |run: &mut Run<T>, at| {
            let model = run.model().clone();
            let grads = if at % 4 > 1 {
                model.grads(&[f64::INFINITY, 1.0], &[0.5])
            } else {
                gradients(&model, at)
            };
            let step = StepContext::new(at as u64 + 1, 0.05);
            let grads = run.other.before(&model, grads, &step);
            let skipped = grads.is_empty();
            drop(model);
            let mut shown = run.step(0.05, grads);
            let model = run.model.take().expect("between two steps");
            run.model = Some(run.other.after(model, &step.with_skipped(skipped)));
            // What the tricks know and the weights do not show.
            let state = run.other.state().expect("a state");
            shown.extend(state.into_iter().map(f64::from));
            shown
        },
        |run, file| run.save(file, &run.other.state().expect("a state")),
        |run, file| {
            let (mut run, state) = run.load(file);
            run.other.load_state(&state).unwrap();
            run
        },
    )
}

fn noise() -> GradNoise {
    GradNoiseConfig::new(0.3).with_seed(3).init().unwrap()
}

fn clip() -> AutoClip {
    let config = AutoClipConfig::new().with_percentile(70.0);
    config.with_history(4).init().unwrap()
}

fn scaler() -> AsTrick<OfGiven> {
    AsTrick(scaler_of(&LossScalerConfig::new().with_growth_interval(2)))
}

pub(crate) fn transforms() -> Vec<Case> {
    let polyak = PolyakStepConfig::new().with_max_step(0.3).init().unwrap();
    let sam = SamConfig::new(0.1).init().unwrap();
    let marks = || {
        let clip = ClipGradNormConfig::new(0.5).with_non_finite(NonFinite::SkipStep);
        (clip.init().unwrap(), StopAfterMarked::init(100).unwrap())
    };
    vec![
        accumulator(),
        prodigy(),
        of_optimizer("Polyak's step before momentum", move |model, at| {
            let loss = loss(model, at);
            let grads = GradientsParams::from_grads(loss.clone().backward(), model);
            polyak.apply(model, grads, &loss)
        }),
        of_optimizer("SAM before momentum", move |model, at| {
            sam.gradients(model, |model| loss(model, at)).0
        }),
        of_optimizer("norms by path", |model, at| {
            let mut norms = NormsByPath::init(NormKind::L2).unwrap();
            let grads = GradientTransform::apply(&mut norms, model, gradients(model, at));
            assert_eq!(norms.last().expect("of this step").paths(), ["a", "b"]);
            grads
        }),
        tricks("gradient noise as a trick", || (StepGuard::new(), noise())),
        tricks("AutoClip as a trick", || (StepGuard::new(), clip())),
        tricks("loss scale as a trick", scaler),
        tricks("skips in a row", || {
            let stop = StopAfterSkips::init(100, &Interrupter::new()).unwrap();
            (StepGuard::new(), stop)
        }),
        tricks("marked steps in a row", marks),
        tricks("six tricks", || {
            let stop = StopAfterSkips::init(100, &Interrupter::new()).unwrap();
            let norms = NormsByPath::init(NormKind::L2).unwrap();
            (scaler(), StepGuard::new(), clip(), noise(), norms, stop)
        }),
    ]
}

const EPOCHS: usize = 5;
const DIRECTORY: &str = "BURN_TRICKS_RESUME_SESSIONS";

/// A session of so many epochs, of three steps each, with every transform that has a state, and Prodigy. The weights
/// after it.
fn trained(folder: &Path, epochs: usize) -> Vec<f64> {
    let clock = EpochClock::new();
    let net = Net::seeded(1, &Device::flex().autodiff());
    let config = ProdigyConfig::new().with_first_distance(1e-2);
    let prodigy = config.init(&net).unwrap();
    let optim = prodigy.optimizer();
    let session = session(folder, &clock).num_epochs(epochs);
    let session = session.resumable(2).unwrap();
    let stop = StopAfterSkips::init(100, &session.interrupter()).unwrap();
    let quiet = GradNoiseConfig::new(1e-3).init().unwrap();
    let norms = NormsByPath::init(NormKind::L2).unwrap();
    let tricks = (StepGuard::new(), clip(), quiet, norms, stop, prodigy);
    let learner = Learner::new(net.with_tricks(tricks), optim, 1.0);
    numbers(session.launch(learner).unwrap().model.model())
}

#[test]
fn a_session_of_transforms_resumes_in_a_fresh_process_to_the_bit() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let folder = |epochs: usize| directory.path().join(format!("{epochs}"));
    let whole = trained(&folder(EPOCHS), EPOCHS);
    for epochs in 1..EPOCHS {
        assert_ne!(trained(&folder(epochs), epochs), whole);
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "resume_transforms::the_sessions_of_the_fresh_process",
            "--ignored",
        ])
        .env(DIRECTORY, directory.path())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    for epochs in 1..EPOCHS {
        let file = folder(epochs).join("resumed.json");
        let text = std::fs::read_to_string(file).unwrap();
        let resumed: Vec<f64> = serde_json::from_str(&text).unwrap();
        assert_eq!(resumed, whole, "resumed after epoch {epochs}");
    }
}

/// Not a test: what the one above starts.
#[test]
#[ignore = "the other half of a_session_of_transforms_resumes_in_a_fresh_process_to_the_bit"]
fn the_sessions_of_the_fresh_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    for epochs in 1..EPOCHS {
        let folder = Path::new(&directory).join(format!("{epochs}"));
        let weights = trained(&folder, EPOCHS);
        let text = serde_json::to_string(&weights).unwrap();
        std::fs::write(folder.join("resumed.json"), text).unwrap();
    }
}
