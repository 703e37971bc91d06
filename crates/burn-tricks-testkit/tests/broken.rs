//! Each law notices what breaks it.

use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::module::{Module, Param, ParamId};
use burn::optim::{
    GradientsParams, LearningRate, ModuleOptimizer, Optimizer, RecordState, SgdConfig, StateSink,
    StateSource,
};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks_testkit::{
    AverageLaws, CriterionDecision, CriterionLaws, OptimizerLaws, Report, ScheduleLaws,
    TransformLaws, TrickLaws, TrickStep, Weights,
};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// The laws that do not hold.
fn broken(report: &Report) -> Vec<&'static str> {
    report.broken().iter().map(|broken| broken.law).collect()
}

/// Plain SGD with one fault.
#[derive(Debug, Clone)]
struct Faulty(Fault, Arc<AtomicUsize>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    OtherType,
    ForgetsItsState,
    SharesItsState,
    DividesByTheNorm,
    TrustRatio,
    Climbs,
    LosesItsStateOnMoving,
    AlwaysFirst,
}

#[derive(Debug, Clone)]
struct Sum<const D: usize>(Tensor<D>, Fault);

impl<const D: usize> RecordState for Sum<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        let forgets = self.1 == Fault::ForgetsItsState;
        let kept = if forgets {
            self.0.zeros_like()
        } else {
            self.0.clone()
        };
        out.push_tensor(prefix, "sum", kept.into_data());
        out.push_scalar(prefix, "fault", (self.1 as u64).into());
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let sum = source.take_tensor(prefix, "sum")?;
        let dtype = sum.dtype();
        let fault = u64::try_from(source.take_scalar(prefix, "fault")?).ok()?;
        let fault = match fault {
            fault if fault == Fault::ForgetsItsState as u64 => Fault::ForgetsItsState,
            _ => Fault::None,
        };
        Some(Self(Tensor::from_data(sum, (device, dtype)), fault))
    }
}

impl Optimizer for Faulty {
    type State<const D: usize> = Sum<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Sum<D>>,
    ) -> (Tensor<D>, Option<Sum<D>>) {
        let steps = self.1.fetch_add(1, Relaxed);
        let sum = match state {
            Some(Sum(sum, _)) if self.0 != Fault::AlwaysFirst => sum + grad,
            _ => grad,
        };
        let step = match self.0 {
            Fault::DividesByTheNorm => sum.clone() / sum.clone().square().sum().sqrt().unsqueeze(),
            // The norm of the weights over that of the gradients, which may be zero while that of the weights is not.
            Fault::TrustRatio => {
                let norm = |numbers: &Tensor<D>| numbers.clone().square().sum().sqrt();
                let weights = norm(&tensor);
                let ratio = (weights.clone() / norm(&sum)).mask_fill(weights.equal_elem(0.0), 1.0);
                sum.clone() * ratio.unsqueeze::<D>()
            }
            Fault::Climbs => -sum.clone(),
            Fault::SharesItsState => sum.clone().mul_scalar(1.0 / (1.0 + steps as f64)),
            _ => sum.clone(),
        };
        let mut tensor = tensor - step.mul_scalar(lr);
        if self.0 == Fault::OtherType {
            tensor = tensor.cast(DType::F64);
        }
        (tensor, Some(Sum(sum, self.0)))
    }

    fn to_device<const D: usize>(Sum(sum, fault): Sum<D>, device: &Device) -> Sum<D> {
        let sum = sum.to_device(device);
        match fault {
            Fault::LosesItsStateOnMoving => Sum(sum.zeros_like(), fault),
            _ => Sum(sum, fault),
        }
    }
}

fn of_optimizer(fault: Fault) -> Report {
    let counter = Arc::new(AtomicUsize::new(0));
    let build = move || Faulty(fault, counter.clone());
    // A sum of gradients swings about the minimum: it is not asked to find it, unless it climbs.
    let laws = OptimizerLaws::new("faulty", build, &Device::flex());
    match fault {
        Fault::Climbs => laws.descends(0.05, 100).check(),
        _ => laws.check(),
    }
}

#[test]
fn each_fault_of_an_optimizer_breaks_its_law() {
    assert_eq!(broken(&of_optimizer(Fault::None)), [""; 0]);
    for (fault, law) in [
        (Fault::OtherType, "keeps shape, element type and device"),
        (Fault::ForgetsItsState, "resumes after every step"),
        (Fault::SharesItsState, "goes its own way as a clone"),
        (Fault::SharesItsState, "repeats itself"),
        (Fault::SharesItsState, "steps a tied parameter once"),
        (
            Fault::DividesByTheNorm,
            "stays finite where gradients are zero",
        ),
        (Fault::TrustRatio, "stays finite where gradients are zero"),
        (Fault::Climbs, "finds the minimum of a parabola"),
        (Fault::LosesItsStateOnMoving, "moves its state to a device"),
    ] {
        let report = of_optimizer(fault);
        assert!(broken(&report).contains(&law), "{fault:?}: {report}");
    }
    let report = OptimizerLaws::new("neutral", || SgdConfig::new().build(), &Device::flex());
    let other = || Faulty(Fault::None, Arc::default());
    let report = report.equals("a sum of gradients", other).check();
    assert_eq!(broken(&report), ["equals the optimizers named"]);
    let same = OptimizerLaws::new("neutral", || SgdConfig::new().build(), &Device::flex());
    let first_steps_only = || Faulty(Fault::AlwaysFirst, Arc::default());
    same.equals("SGD by hand", first_steps_only)
        .check()
        .assert();
}

/// A sum of gradients, in a place that its clones share.
#[derive(Debug, Clone)]
struct SharedSum<const D: usize>(Arc<Mutex<Tensor<D>>>);

impl<const D: usize> SharedSum<D> {
    fn new(sum: Tensor<D>) -> Self {
        Self(Arc::new(Mutex::new(sum)))
    }

    fn get(&self) -> Tensor<D> {
        self.0.lock().unwrap().clone()
    }
}

impl<const D: usize> RecordState for SharedSum<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "sum", self.get().into_data());
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let sum = source.take_tensor(prefix, "sum")?;
        let dtype = sum.dtype();
        Some(Self::new(Tensor::from_data(sum, (device, dtype))))
    }
}

/// SGD along the sum of the gradients, of which a clone is no copy.
#[derive(Debug, Clone)]
struct SharesTheStateOfAParameter;

impl Optimizer for SharesTheStateOfAParameter {
    type State<const D: usize> = SharedSum<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<SharedSum<D>>,
    ) -> (Tensor<D>, Option<SharedSum<D>>) {
        let state = state.unwrap_or_else(|| SharedSum::new(tensor.zeros_like()));
        let sum = state.get() + grad;
        *state.0.lock().unwrap() = sum.clone();
        (tensor - sum.mul_scalar(lr), Some(state))
    }

    fn to_device<const D: usize>(state: SharedSum<D>, device: &Device) -> SharedSum<D> {
        let moved = state.get().to_device(device);
        *state.0.lock().unwrap() = moved;
        state
    }
}

#[test]
fn a_clone_that_shares_the_state_of_a_parameter_breaks_its_law() {
    let laws = OptimizerLaws::new("shares", || SharesTheStateOfAParameter, &Device::flex());
    assert_eq!(broken(&laws.check()), ["goes its own way as a clone"]);
}

#[test]
#[should_panic(
    expected = "faulty: 1 of 9 laws do not hold\n- faulty resumes after every step: no,"
)]
fn a_broken_law_is_told() {
    of_optimizer(Fault::ForgetsItsState).assert();
}

/// Halves with each step.
#[derive(Debug, Clone)]
struct Halving {
    lr: Arc<AtomicUsize>,
    shared: bool,
    recorded: bool,
    sign: f64,
}

impl Halving {
    fn boxed(shared: bool, recorded: bool, sign: f64) -> Box<dyn LrScheduler> {
        let lr = Arc::new(AtomicUsize::new(0));
        Box::new(Self {
            lr,
            shared,
            recorded,
            sign,
        })
    }
}

impl LrScheduler for Halving {
    fn step(&mut self) -> f64 {
        if !self.shared {
            self.lr = Arc::new(AtomicUsize::new(self.lr.load(Relaxed)));
        }
        self.sign * 0.5f64.powi(self.lr.fetch_add(1, Relaxed) as i32)
    }

    fn to_record(&self) -> LrSchedulerRecord {
        let steps = if self.recorded {
            self.lr.load(Relaxed)
        } else {
            0
        };
        LrSchedulerRecord::new().with_scalar("steps", steps as u64)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        self.lr = Arc::new(AtomicUsize::new(
            record.scalar::<u64>("steps").unwrap() as usize
        ));
    }
}

#[test]
fn each_fault_of_a_schedule_breaks_its_law() {
    ScheduleLaws::new("halving", || Halving::boxed(false, true, 1.0))
        .check()
        .assert();
    let shared = ScheduleLaws::new("shared", || Halving::boxed(true, true, 1.0));
    assert_eq!(broken(&shared.check()), ["goes its own way as a clone"]);
    shared.shared().check().assert();
    let forgets = ScheduleLaws::new("forgets", || Halving::boxed(false, false, 1.0)).over(9);
    assert_eq!(broken(&forgets.check()), ["resumes after every step"]);
    let negative = ScheduleLaws::new("negative", || Halving::boxed(false, true, -1.0));
    let law = "gives rates that are finite and not negative";
    assert_eq!(broken(&negative.check()), [law]);
    assert_eq!(
        broken(&negative.over(0).check()),
        ["is stepped at least once"]
    );
}

/// An exponential average in the form that drifts, or with another fault.
fn of_average(fault: &'static str) -> Report {
    let init = move |model: &Weights| match fault {
        "tape" => model.clone(),
        _ => model.valid(),
    };
    let update = move |average: &mut Weights, live: &Weights| {
        let model = if fault == "tape" {
            live.clone()
        } else {
            live.valid()
        };
        let (a, b) = (0.9f32, 1.0f32 - 0.9f32);
        let blend = |x: Tensor<1>, y: Tensor<1>| match fault {
            // The shares sum to 1.01, by more than a few roundings of `f16`.
            "drifts in f16" if x.dtype() == DType::F16 => x.mul_scalar(a) + y.mul_scalar(b + 0.01),
            "drifts" => x.mul_scalar(a) + y.mul_scalar(b + 1e-6),
            "beyond" => y.clone() + (y - x).mul_scalar(0.5),
            _ => x.clone() + (y - x).mul_scalar(b),
        };
        let vector = blend(average.vector.val(), model.vector.val());
        average.vector = Param::initialized(ParamId::new(), vector);
        average.matrix = model.matrix;
        average.frozen = match fault {
            "frozen tape" => live.frozen.clone(),
            _ => model.frozen,
        };
    };
    let laws = AverageLaws::new("average", init, update, Weights::clone, &Device::flex());
    laws.saved(move |average, first| {
        if fault == "forgets" {
            first.valid()
        } else {
            average
        }
    })
    .check()
}

#[test]
fn each_fault_of_an_average_breaks_its_law() {
    assert_eq!(broken(&of_average("none")), [""; 0]);
    for (fault, law) in [
        ("drifts", "leaves weights that do not change as they are"),
        (
            "drifts in f16",
            "leaves weights that do not change as they are",
        ),
        ("beyond", "lies between the weights it saw"),
        ("tape", "gives a model that is a value"),
        ("frozen tape", "gives a model that is a value"),
        ("forgets", "resumes after every update"),
    ] {
        let report = of_average(fault);
        assert!(broken(&report).contains(&law), "{fault}: {report}");
    }
}

/// What an average shows before the update after it was loaded.
#[test]
fn an_average_that_forgets_what_it_shows_breaks_a_law() {
    /// The newest weights, and a copy of them, which is the model that is shown.
    struct Cached {
        newest: Weights,
        shown: Weights,
    }
    let laws = |forgets: bool| {
        let init = |first: &Weights| Cached {
            newest: first.valid(),
            shown: first.valid(),
        };
        let update = |average: &mut Cached, model: &Weights| {
            average.newest = model.valid();
            average.shown = average.newest.clone();
        };
        let model = |average: &Cached| average.shown.clone();
        let laws = AverageLaws::new("cached", init, update, model, &Device::flex());
        let reload = move |average: Cached, first: &Weights| Cached {
            newest: average.newest,
            shown: if forgets {
                first.valid()
            } else {
                average.shown
            },
        };
        broken(&laws.saved(reload).check())
    };
    assert_eq!(laws(false), [""; 0]);
    assert_eq!(laws(true), ["resumes after every update"]);
}

#[test]
fn each_fault_of_a_criterion_breaks_its_law() {
    let laws = |fault: &'static str| {
        let observe = move |least: &mut f64, value: f64| {
            let best = value < *least && value.is_finite() || fault == "nan" && value.is_nan();
            if best {
                *least = value;
            }
            let told = fault != "no best";
            CriterionDecision {
                best: best && told,
                stop: !best,
            }
        };
        let laws = CriterionLaws::new("least", || f64::INFINITY, observe);
        let forgets = fault == "forgets";
        laws.saved(move |least| if forgets { f64::INFINITY } else { least })
    };
    let best = "calls the best what is better than all it called the best before";
    assert_eq!(broken(&laws("none").check()), [""; 0]);
    assert!(broken(&laws("nan").check()).contains(&best));
    assert_eq!(
        broken(&laws("forgets").check()),
        ["resumes after every check"]
    );
    assert_eq!(
        broken(&laws("no best").check()),
        ["calls the last of values that fall the best"]
    );
    // One that asks for a large improvement has no fault.
    let strict = |least: &mut f64, value: f64| {
        let best = value.is_finite() && value < *least - 0.15;
        if best {
            *least = value;
        }
        CriterionDecision { best, stop: false }
    };
    CriterionLaws::new("strict", || f64::INFINITY, strict)
        .check()
        .assert();
    // A limit, and what is said to be one.
    let limit = |fault| broken(&laws(fault).without_metric().check());
    assert_eq!(limit("no best"), [""; 0]);
    assert_eq!(limit("none"), ["knows of no best check"]);
}

#[test]
fn each_fault_of_a_trick_breaks_its_law() {
    /// A trick that counts the steps that were taken, and remembers the epoch.
    #[derive(Clone, Copy, Default)]
    struct Counts {
        steps: u64,
        epoch: usize,
    }
    let laws = |fault: &'static str| {
        let before =
            move |_: &mut Counts, model: &Weights, mut grads: GradientsParams, _: &TrickStep| {
                if fault == "loses" {
                    let _ = grads.remove::<1>(model.vector.id);
                }
                grads
            };
        let after = move |counts: &mut Counts, mut model: Weights, step: &TrickStep| {
            match (step.skipped, fault) {
                (true, "moves when skipped") => return model.shifted(0.5),
                (true, "counts skipped steps") => counts.steps += 1,
                (true, _) => return model,
                (false, _) => counts.steps += 1,
            }
            match fault {
                "freezes" => model.vector = model.vector.set_require_grad(false),
                "renames" => model.vector = renamed(model.vector),
                "reshapes" => {
                    let mean = |x: Tensor<2>| x.mean_dim(0).detach().set_require_grad(true);
                    model.matrix = model.matrix.map(mean);
                }
                _ => {}
            }
            model
        };
        let epoch_end = move |counts: &mut Counts, mut model: Weights, epoch: usize| {
            if fault == "renames at the end" {
                model.vector = renamed(model.vector);
            }
            let last = std::mem::replace(&mut counts.epoch, epoch);
            model.shifted(last as f64)
        };
        let shown =
            |counts: &Counts, model: &Weights| Some(model.clone().shifted(counts.steps as f64));
        let laws = TrickLaws::new("trick", Counts::default, before, after, &Device::flex());
        let laws = laws.begin(|_, _, _, step| step.lr).epoch_end(epoch_end);
        let reload = move |counts: Counts| match fault {
            "forgets its steps" => Counts { steps: 0, ..counts },
            "forgets its epoch" => Counts { epoch: 0, ..counts },
            _ => counts,
        };
        broken(&laws.validated(shown).saved(reload).check())
    };
    let skipping = "does nothing in a skipped step";
    let at_the_end = "keeps ids and modes at the end of an epoch";
    assert_eq!(laws("none"), [""; 0]);
    assert_eq!(laws("forgets its steps"), ["resumes after every step"]);
    assert_eq!(laws("forgets its epoch"), ["resumes after every step"]);
    assert_eq!(laws("loses"), ["neither adds nor loses a gradient"]);
    assert_eq!(laws("counts skipped steps"), [skipping]);
    assert_eq!(laws("moves when skipped"), [skipping]);
    assert_eq!(laws("renames at the end"), [at_the_end]);
    let kept = "keeps ids and modes of the parameters";
    for (fault, also) in [
        ("renames", at_the_end),
        ("reshapes", at_the_end),
        ("freezes", "gives back a model that can be trained on"),
    ] {
        let found = laws(fault);
        assert!(found.contains(&kept) && found.contains(&also), "{found:?}");
    }
}

/// What a trick shows before the step after it was loaded.
#[test]
fn a_trick_that_forgets_what_it_shows_breaks_a_law() {
    /// A count of steps, and a copy of it that is shown.
    #[derive(Default)]
    struct Shows {
        steps: u64,
        shown: u64,
    }
    let laws = |forgets: bool| {
        let before = |_: &mut Shows, _: &Weights, grads: GradientsParams, _: &TrickStep| grads;
        let after = |trick: &mut Shows, model: Weights, step: &TrickStep| {
            if !step.skipped {
                trick.steps += 1;
                trick.shown = trick.steps;
            }
            model
        };
        let shown =
            |trick: &Shows, model: &Weights| Some(model.clone().shifted(trick.shown as f64));
        let laws = TrickLaws::new("shows", Shows::default, before, after, &Device::flex());
        let reload = move |trick: Shows| Shows {
            shown: if forgets { 0 } else { trick.shown },
            ..trick
        };
        broken(&laws.validated(shown).saved(reload).check())
    };
    assert_eq!(laws(false), [""; 0]);
    assert_eq!(laws(true), ["resumes after every step"]);
}

/// As in a training, a step begins before its gradients are shown, and has the learning rate that the beginning returned.
#[test]
fn a_trick_is_called_as_in_a_training() {
    let begin =
        |begun: &mut Option<u64>, _: &Weights, _: &mut ModuleOptimizer, step: &TrickStep| {
            *begun = Some(step.step);
            step.lr / 2.0
        };
    let before =
        |begun: &mut Option<u64>, _: &Weights, grads: GradientsParams, step: &TrickStep| {
            assert_eq!((*begun, step.lr), (Some(step.step), 0.1 / 2.0));
            grads
        };
    let after = |begun: &mut Option<u64>, model: Weights, step: &TrickStep| {
        assert_eq!((begun.take(), step.lr), (Some(step.step), 0.1 / 2.0));
        model
    };
    TrickLaws::new("halves the rate", || None, before, after, &Device::flex())
        .begin(begin)
        .check()
        .assert();
}

/// The same parameter under another id.
fn renamed(param: Param<Tensor<1>>) -> Param<Tensor<1>> {
    let (_, value, mapper) = param.consume();
    Param::from_mapped_value(ParamId::new(), value, mapper)
}

#[test]
fn each_fault_of_a_transform_breaks_its_law() {
    let laws = |fault: &'static str| {
        let calls = AtomicUsize::new(0);
        let apply = move |steps: &mut u64, model: &Vec<Weights>, mut grads: GradientsParams| {
            *steps += 1;
            let (first, places) = (&model[0], model.len());
            let vector = grads.remove::<1>(first.vector.id).expect("it is there");
            let call = calls.fetch_add(1, Relaxed) as f64;
            let vector = match fault {
                "loses" | "loses as declared" => return grads,
                "loses later" if *steps > 1 => return grads,
                "another type" => vector.cast(DType::F64),
                "another shape" => vector.repeat_dim(0, 2),
                "a common stream" => vector + call,
                "at each place" => vector * 2f64.powi(places as i32),
                "neutral" => vector,
                _ => vector * *steps as f64,
            };
            grads.register(first.vector.id, vector);
            match fault {
                "others" => GradientsParams::new(),
                "adds" => {
                    let zeros = Tensor::<1>::zeros([2], &Device::flex());
                    grads.register(first.frozen.id, zeros);
                    grads
                }
                _ => grads,
            }
        };
        let forgets = fault == "forgets";
        let laws = TransformLaws::new("transform", || 0, apply, &Device::flex()).saved(
            |steps: &u64| Some(steps.to_le_bytes().to_vec()),
            move |steps: &mut u64, saved: &[u8]| {
                let saved = u64::from_le_bytes(saved.try_into().expect("a number"));
                *steps = if forgets { 0 } else { saved };
            },
        );
        match fault {
            "neutral" | "not neutral" => broken(&laws.neutral().check()),
            "goes back" => {
                let laws = laws.goes_back(
                    |steps| Some(steps.to_le_bytes().to_vec()),
                    |steps, kept| *steps = u64::from_le_bytes(kept.try_into().expect("a number")),
                );
                broken(&laws.check())
            }
            "stays ahead" => broken(&laws.goes_back(|_| None, |_, _| ()).check()),
            "loses as declared" | "keeps what it should lose" => broken(&laws.removes(1).check()),
            _ => broken(&laws.check()),
        }
    };
    assert_eq!(laws("none"), [""; 0]);
    assert_eq!(laws("neutral"), [""; 0]);
    assert_eq!(laws("not neutral"), ["changes nothing"]);
    assert_eq!(laws("forgets"), ["resumes after every step"]);
    assert_eq!(laws("goes back"), [""; 0]);
    assert_eq!(laws("stays ahead"), ["goes back with the weights"]);
    // A state that the gradients do not depend on: counted, and put back or not; and one that is never another.
    let counts = |steps: &mut u8, _: &Vec<Weights>, grads: GradientsParams| {
        *steps += 1;
        grads
    };
    let state = |puts_back: bool, counted: bool| {
        let laws = TransformLaws::new("counts", || 0, counts, &Device::flex()).goes_back(
            move |steps: &u8| Some(vec![if counted { *steps } else { 0 }]),
            move |steps: &mut u8, kept: &[u8]| *steps = if puts_back { kept[0] } else { *steps },
        );
        broken(&laws.check())
    };
    assert_eq!(state(true, true), [""; 0]);
    assert_eq!(state(false, true), ["goes back with the weights"]);
    assert_eq!(state(true, false), ["goes back with the weights"]);
    // A count that does not show in the gradients, and is not saved.
    let resumes = |saves: bool| {
        let laws = TransformLaws::new("counts", || 0, counts, &Device::flex()).goes_back(
            |steps: &u8| Some(vec![*steps]),
            |steps: &mut u8, kept: &[u8]| *steps = kept[0],
        );
        let laws = laws.saved(
            move |steps: &u8| saves.then_some(vec![*steps]),
            |steps: &mut u8, saved: &[u8]| *steps = saved[0],
        );
        broken(&laws.check())
    };
    assert_eq!(resumes(true), [""; 0]);
    assert_eq!(resumes(false), ["resumes after every step"]);
    // The same count, which does not go back, saved and not loaded.
    let stays = |loads: bool| {
        let laws = TransformLaws::new("counts", || 0, counts, &Device::flex()).saved(
            |steps: &u8| Some(vec![*steps]),
            move |steps: &mut u8, saved: &[u8]| *steps = if loads { saved[0] } else { *steps },
        );
        broken(&laws.check())
    };
    assert_eq!(stays(true), [""; 0]);
    assert_eq!(stays(false), ["resumes after every step"]);
    // A count that ends somewhere: only where it is said to rest, and where it rests indeed; not if it never moves.
    let ends = |at: u8, puts_back: bool, rests: fn(u64) -> bool| {
        let counts = move |steps: &mut u8, _: &Vec<Weights>, grads: GradientsParams| {
            *steps = at.min(*steps + 1);
            grads
        };
        let laws = TransformLaws::new("ends", || 0, counts, &Device::flex()).goes_back_but_rests(
            |steps: &u8| Some(vec![*steps]),
            move |steps: &mut u8, kept: &[u8]| *steps = if puts_back { kept[0] } else { *steps },
            rests,
        );
        broken(&laws.check())
    };
    let law = ["goes back with the weights"];
    assert_eq!(ends(3, true, |step| step >= 3), [""; 0]);
    assert_eq!(ends(3, false, |step| step >= 3), law);
    assert_eq!(ends(3, true, |_| false), law);
    assert_eq!(ends(3, true, |step| step >= 4), law);
    assert_eq!(ends(3, true, |step| step >= 2), law);
    assert_eq!(ends(0, true, |_| true), law);
    assert_eq!(
        laws("at each place"),
        ["changes a tied parameter's gradient once"]
    );
    let shape = "keeps shape, element type and device";
    assert_eq!(laws("another type"), [shape]);
    assert!(laws("another shape").contains(&shape));
    assert!(laws("a common stream").contains(&"repeats itself"));
    let count = "neither adds nor loses a gradient";
    assert!(laws("loses").contains(&count));
    assert_eq!(laws("loses later"), [count]);
    assert_eq!(laws("adds"), [count]);
    assert_eq!(laws("loses as declared"), [""; 0]);
    assert_eq!(laws("keeps what it should lose"), [count]);
    assert!(laws("others").contains(&"leaves the gradients of other modules"));
}
