//! Steps that a guard skips: in a loop, for a schedule, and in the `Learner`.

use crate::counter::{Counter, counting, learner, weight};
use crate::devices::training_devices;
use crate::models::{Net, Noise, Pair, alone, dtypes, numbers};
use crate::net_training::{Batch, training};
use crate::skipped_steps::{BAD, GOOD};
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::module::{Module, ParamGroup};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor};
use burn::train::{Learner, TrainStep};
use burn_tricks::grad::{GradientTransform, NonFinite, NormKind, NormsByPath, Only};
use burn_tricks::optim::AdamConfig;
use burn_tricks::prelude::*;
use burn_tricks::schedule::{LinearRampConfig, SkipCount};
use burn_tricks::stop::StopReason;
use burn_tricks::train::{AsTrick, EpochContext, StepContext, StopAfterMarked};
use std::path::Path;
use std::sync::{Arc, Mutex};

fn losses() -> [f64; 6] {
    [0.5, f64::NAN, 0.4, f64::INFINITY, f64::NEG_INFINITY, 0.3]
}

/// Burn's Adam, a schedule and an average: as if the bad steps had never been.
#[test]
fn a_guard_skips_for_any_optimizer() {
    for (_, device) in training_devices() {
        let run = |grads: &[f64]| {
            let mut pair = Pair::new(&[1.0, 2.0], &[3.0], DType::F32, &device);
            let mut optim = burn::optim::AdamConfig::new().init();
            let mut schedule = CosineConfig::new(0.1, 10).init().unwrap();
            let mut ema = EmaConfig::new(0.9).init(&pair).unwrap();
            let mut guard = StepGuard::new();
            for grad in grads {
                let grads = pair.grads(&[*grad, 0.1], &[0.2]);
                let Some(grads) = guard.admit(&pair, grads) else {
                    continue;
                };
                pair = optim.step(schedule.step(), pair, grads);
                ema.update(&pair);
            }
            (pair.values(), ema.model().values(), guard)
        };
        let (weights, average, guard) = run(&losses());
        let (alone, average_alone, _) = run(&[0.5, 0.4, 0.3]);
        assert_eq!((weights, average), (alone, average_alone));
        assert_eq!((guard.taken(), guard.skipped()), (3, 3));
        assert_eq!(guard.skipped_in_a_row(), 0);
        assert_eq!(guard.state(), [3, 3, 0]);
    }
}

#[test]
fn a_guard_that_sees_no_gradient_of_its_model_counts_apart() {
    let (_, device) = training_devices().remove(0);
    let [pair, other] = [(); 2].map(|()| Pair::new(&[1.0, 2.0], &[3.0], DType::F32, &device));
    let mut guard = StepGuard::new();
    let given = guard.admit(&pair, other.grads(&[f64::NAN, 0.1], &[0.2]));
    assert_eq!(given.expect("as they are").len(), 2);
    assert!(guard.admit(&pair, GradientsParams::new()).is_some());
    assert_eq!((guard.without_gradients(), guard.state()), (2, [0, 0, 0]));
    assert!(
        guard
            .admit(&pair, pair.grads(&[0.5, 0.1], &[0.2]))
            .is_some()
    );
    assert_eq!((guard.without_gradients(), guard.state()), (2, [1, 0, 0]));
}

/// A session that takes over weights without a state restarts all transforms.
#[test]
fn a_restarted_guard_counts_from_zero() {
    let (_, device) = training_devices().remove(0);
    let pair = Pair::new(&[1.0, 2.0], &[3.0], DType::F32, &device);
    let mut guard = StepGuard::new();
    let skips = guard.skips();
    for grad in losses() {
        let _ = guard.admit(&pair, pair.grads(&[grad, 0.1], &[0.2]));
    }
    let _ = guard.admit(&pair, pair.grads(&[f64::NAN, 0.1], &[0.2]));
    assert_eq!(guard.state(), [3, 4, 1]);
    GradientTransform::restart(&mut guard);
    assert_eq!(guard.state(), [0, 0, 0]);
    assert_eq!(skips.get(), 0, "a schedule's handle sees it");
}

#[test]
fn a_guard_lets_through_what_is_finite_in_every_type() {
    for (_, device) in training_devices() {
        for dtype in dtypes(&device) {
            let largest = match dtype {
                DType::F64 => 1e300,
                DType::F16 => 6e4,
                _ => 3e38,
            };
            let mut guard = StepGuard::new();
            let (pair, grads) = Pair::with_grads(&[largest, -largest], &[0.0], dtype, &device);
            assert!(guard.admit(&pair, grads).is_some(), "{dtype:?}");
            let (pair, grads) = Pair::with_grads(&[f64::NAN], &[0.0], dtype, &device);
            assert!(guard.admit(&pair, grads).is_none(), "{dtype:?}");
            assert_eq!(guard.skipped_in_a_row(), 1);
            assert!(guard.admit(&pair, GradientsParams::new()).is_some());
        }
    }
}

#[test]
fn the_schedule_repeats_the_rate_of_a_skipped_step_and_resumes() {
    let make = |skips: &SkipCount| {
        let schedule = CosineConfig::new(1.0, 8).init().unwrap();
        schedule.repeating_skipped(skips.clone())
    };
    let mut plain = CosineConfig::new(1.0, 8).init().unwrap();
    let mut skips = SkipCount::new();
    let mut schedule = make(&skips);
    for (step, good) in [GOOD, BAD, GOOD, BAD, BAD, GOOD, GOOD].iter().enumerate() {
        let rate = schedule.clone().step(); // looked ahead at: nothing is used up
        assert_eq!(schedule.step(), rate);
        if *good {
            assert_eq!(rate, plain.step(), "step {step}");
        } else {
            skips.add();
        }
        // Saved and resumed after each step, the guard's count too.
        let record = schedule.to_record();
        let count = skips.get();
        skips = SkipCount::new();
        schedule = make(&skips);
        skips.set(count);
        schedule.load_record(record);
    }
    assert_eq!(skips.get(), 3);
}

/// Whoever skips may do it several times between two rates: each is one step.
#[test]
fn several_skips_before_the_next_rate_repeat_it_once() {
    let skips = SkipCount::new();
    let schedule = LinearRampConfig::new(1.0, 0.0, 4).init().unwrap();
    let mut schedule = schedule.repeating_skipped(skips.clone());
    let mut rates = vec![schedule.step()];
    skips.add();
    skips.add();
    rates.extend([schedule.step(), schedule.step(), schedule.step()]);
    assert_eq!(rates, [1.0, 1.0, 0.75, 0.5]);
}

#[test]
fn a_schedule_takes_up_the_record_of_a_run_without_skips() {
    let mut plain = CosineConfig::new(1.0, 8).init().unwrap();
    plain.step();
    let mut schedule = CosineConfig::new(1.0, 8).init().unwrap();
    schedule.step();
    let mut wrapped = CosineConfig::new(1.0, 8)
        .init()
        .unwrap()
        .repeating_skipped(SkipCount::new());
    wrapped.load_record(schedule.to_record());
    assert_eq!(wrapped.step(), plain.step());
}

/// In the `Learner`'s hook: neither the optimizer nor the average takes part, and the state survives.
#[test]
fn a_guard_is_a_trick() {
    let _alone = alone();
    for (_, device) in training_devices() {
        let run = |sizes: &[f64]| {
            let net = Net::seeded(3, &device);
            let ema = EmaConfig::new(0.5).init(&net).unwrap();
            let clip = ClipGradNormConfig::new(1.0).init().unwrap();
            let mut tricked = net.with_tricks((StepGuard::new(), clip, ema));
            let mut optim = burn::optim::AdamConfig::new().init();
            for size in sizes {
                let seed = if size.is_finite() { size * 8.0 } else { 99.0 };
                let numbers = Noise(seed as u64).take(8);
                let input = Tensor::<1>::from_floats(numbers.as_slice(), &device).reshape([2, 4]);
                let target = Tensor::<2>::zeros([2, 3], &device);
                device.seed(7);
                let batch = Batch { input, target };
                let out = TrainStep::step(&tricked, batch);
                let grads = if size.is_finite() {
                    out.grads
                } else {
                    poisoned(tricked.model(), out.grads)
                };
                tricked = tricked.optimize(&mut optim, 0.01.into(), grads);
            }
            let state = Trick::<Net>::state(&*tricked.tricks()).unwrap();
            let counts = tricked.tricks().0.state();
            let average = numbers_of_weights(&tricked.tricks().2.model());
            (numbers_of_weights(tricked.model()), average, counts, state)
        };
        let (weights, average, counts, state) = run(&[0.5, f64::NAN, 0.25, f64::INFINITY]);
        let (alone, average_alone, ..) = run(&[0.5, 0.25]);
        assert_eq!(weights, alone);
        assert_eq!(average, average_alone);
        assert_eq!(counts, [2, 2, 1]);

        let net = Net::seeded(3, &device);
        let ema = EmaConfig::new(0.5).init(&net).unwrap();
        let guard = StepGuard::new();
        let skips = guard.skips();
        let clip = ClipGradNormConfig::new(1.0).init().unwrap();
        let mut resumed = (guard, clip, ema);
        Trick::<Net>::load_state(&mut resumed, &state).unwrap();
        assert_eq!(resumed.0.state(), [2, 2, 1]);
        assert_eq!(skips.get(), 2, "a schedule's handle sees it");
    }
}

/// A transform that counts its calls.
#[derive(Debug)]
struct Calls(usize);

impl GradientTransform for Calls {
    fn apply<M: Module>(&mut self, _model: &M, grads: GradientsParams) -> GradientsParams {
        self.0 += 1;
        grads
    }
}

/// As behind `then`, so behind a trick.
#[test]
fn a_transform_behind_a_guard_does_not_see_a_skipped_step() {
    for (_, device) in training_devices() {
        let pair = Pair::new(&[1.0, 2.0], &[3.0], DType::F32, &device);
        let norms = || NormsByPath::init(NormKind::LInf).unwrap();
        let [in_a_tuple, in_a_chain, in_a_list] = [norms(), norms(), norms()];
        let measured = [in_a_tuple.clone(), in_a_chain.clone(), in_a_list.clone()];
        let chain = StepGuard::new().then(in_a_chain).then(Calls(0));
        let list: Vec<Box<dyn Trick<Pair>>> = vec![Box::new(StepGuard::new()), Box::new(in_a_list)];
        let tuple = (StepGuard::new(), in_a_tuple, AsTrick(Calls(0)));
        let mut tricks = (tuple, chain, list);
        for scaled in [false, true] {
            for number in [4.0, f64::NAN] {
                let grads = || pair.grads(&[number, 0.5], &[-2.0]);
                let step = StepContext::new(1, 0.1);
                let apply = |trick: &mut dyn Trick<Pair>| {
                    if scaled {
                        trick.before_scaled(&pair, grads(), 1.0, &step)
                    } else {
                        trick.before(&pair, grads(), &step)
                    }
                };
                let skips = number.is_nan();
                assert_eq!(apply(&mut tricks.0).is_empty(), skips);
                assert_eq!(apply(&mut tricks.1).is_empty(), skips);
                assert_eq!(apply(&mut tricks.2).is_empty(), skips);
                for norms in &measured {
                    let last = norms.last().expect("of the step that was taken").read();
                    assert_eq!(last, [("a".to_owned(), 4.0), ("b".to_owned(), 2.0)]);
                }
            }
            let calls = [tricks.0.2.0.0, tricks.1.second().0];
            assert_eq!(
                calls,
                [1 + usize::from(scaled); 2],
                "of the steps that were taken"
            );
        }
        // In a loop of one's own, too.
        let mut norms = measured[0].clone();
        let _ = norms.apply(&pair, GradientsParams::new());
        assert!(norms.last().is_some());
    }
}

/// Without running statistics, which the forward pass moves.
fn numbers_of_weights(net: &Net) -> Vec<f64> {
    [numbers(&net.first), numbers(&net.last)].concat()
}

/// With one NaN in one gradient.
fn poisoned(net: &Net, mut grads: GradientsParams) -> GradientsParams {
    let id = net.last.weight.id;
    let grad = grads.remove::<2>(id).unwrap();
    let nan = Tensor::full([1, 1], f32::NAN, &grad.device());
    grads.register(id, grad.slice_assign([0..1, 0..1], nan));
    grads
}

/// Makes the gradients of some optimizer steps NaN, as an overflow would.
#[derive(Debug)]
struct Poison {
    at: &'static [u64],
}

impl Trick<Net> for Poison {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(&mut self, net: &Net, grads: GradientsParams, step: &StepContext) -> GradientsParams {
        if self.at.contains(&step.step()) {
            poisoned(net, grads)
        } else {
            grads
        }
    }
}

/// What rates Burn's `Learner` got.
#[derive(Debug, Clone)]
struct Heard<S>(S, Arc<Mutex<Vec<f64>>>);

impl<S: LrScheduler + Clone + 'static> LrScheduler for Heard<S> {
    fn step(&mut self) -> f64 {
        let rate = self.0.step();
        self.1.lock().unwrap().push(rate);
        rate
    }

    fn to_record(&self) -> LrSchedulerRecord {
        self.0.to_record()
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        self.0.load_record(record);
    }
}

/// Nine steps in Burn's `Learner` with Burn's optimizer; the third, fourth and eighth have a NaN.
#[test]
fn the_learner_trains_on_after_skipped_steps() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let net = Net::seeded(3, &Device::flex().autodiff());
    let ema = EmaConfig::new(0.5).init(&net).unwrap();
    let guard = StepGuard::new();
    let schedule = LinearRampConfig::new(1.0, 0.0, 8).init().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let schedule = Heard(schedule.repeating_skipped(guard.skips()), heard.clone());
    let at = &[3, 4, 8];
    let model = net.with_tricks((Poison { at }, guard, ema));
    let optim = burn::optim::SgdConfig::new().init();
    let clock = EpochClock::new();
    let learner = Learner::new(model, optim, schedule);
    let result = training(folder.path(), &clock).launch(learner);
    let tricks = result.model.tricks();
    assert_eq!((tricks.1.taken(), tricks.1.skipped()), (6, 3));
    let average = tricks.2.model();
    assert!(numbers(&average).iter().all(|w| w.is_finite()));
    drop(tricks);
    assert!(numbers(result.model.model()).iter().all(|w| w.is_finite()));
    assert_eq!(
        *heard.lock().unwrap(),
        [1.0, 0.875, 0.75, 0.75, 0.75, 0.625, 0.5, 0.375, 0.375]
    );
}

/// Makes the gradients of some steps NaN, whichever process takes them.
#[derive(Debug)]
struct Overflows {
    at: &'static [u64],
}

impl Trick<Counter> for Overflows {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(
        &mut self,
        model: &Counter,
        mut grads: GradientsParams,
        step: &StepContext,
    ) -> GradientsParams {
        // The session counts the steps, also those of the runs before.
        if self.at.contains(&step.step()) {
            let grad = grads.remove::<1>(model.weight.id).unwrap();
            grads.register(model.weight.id, grad * f32::NAN);
        }
        grads
    }
}

/// One step in each of eight epochs; the second, third and sixth are skipped. Interrupted after each.
#[test]
fn a_session_resumes_between_skipped_steps() {
    let _alone = alone();
    let run = |folder: &Path, epochs| {
        let guard = StepGuard::new();
        let schedule = LinearRampConfig::new(1.0, 0.0, 8).init().unwrap();
        let schedule = schedule.repeating_skipped(guard.skips());
        let at = &[2, 3, 6];
        let ema = EmaConfig::new(0.5).init(&Counter::new()).unwrap();
        let tricks = (Overflows { at }, guard, ema);
        let session = counting(folder).num_epochs(epochs);
        let session = session.without_clock().resumable(2).unwrap();
        let finished = session.launch(learner(tricks, schedule)).unwrap();
        let state = finished.model.tricks().1.state();
        let average = weight(&finished.last_model());
        (weight(finished.model.model()), average, state)
    };
    let folder = tempfile::tempdir().unwrap();
    let whole = run(folder.path(), 8);
    // The five rates from 1 down that were used, each once.
    assert_eq!(whole.0, 1.0 + 0.875 + 0.75 + 0.625 + 0.5);
    assert_eq!(whole.2, [5, 3, 0]);
    let folder = tempfile::tempdir().unwrap();
    for epochs in 1..8 {
        run(folder.path(), epochs);
    }
    assert_eq!(run(folder.path(), 8), whole);
}

/// A clip of some parameters that marks a step: the optimizer skips it for all, and the trick that looks for marks at the
/// first parameter sees it.
#[test]
fn a_step_that_a_group_marks_is_skipped_and_counted() {
    let device = Device::flex().autodiff();
    let clip = ClipGradNormConfig::new(1.0).with_non_finite(NonFinite::SkipStep);
    let mut clip = Only::new(ParamGroup::from_path("b"), clip.init().unwrap());
    let mut stop = StopAfterMarked::init(1).unwrap();
    let start = Pair::new(&[1.0], &[2.0], DType::F32, &device);
    let mut optim = AdamConfig::new().with_skip_marked(true).init().unwrap();
    let grads = GradientTransform::apply(&mut clip, &start, start.grads(&[0.5], &[f64::NAN]));
    let grads = stop.before(&start, grads, &StepContext::new(1, 0.1));
    let model = optim.step(0.1, start.clone(), grads);
    assert_eq!(model.values(), start.values());
    let mut epoch = EpochContext::new(1, &start);
    stop.epoch_end(model, &mut epoch).unwrap();
    assert_eq!(epoch.stop_reason(), Some(StopReason::NonFinite));
}
