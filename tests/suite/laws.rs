//! The published laws, over every schedule, average, criterion and trick: one line for each. Those of
//! optimizers are in `laws_optimizers`, those of gradient transforms in `laws_transforms`.

use crate::devices::devices;
use crate::loss_scaler::scaler_of;
use crate::schedules_laws::everything;
use burn::module::{Module, ParamGroup};
use burn::optim::GradientsParams;
use burn::store::ModuleRecord;
use burn::tensor::Device;
use burn::train::Interrupter;
use burn::train::metric::store::Split;
use burn_tricks::MinDelta;
use burn_tricks::average::{
    Average, AverageOn, AverageRule, Ema, EmaSet, EmaWarmup, LawaConfig, ScheduleFreeAverageConfig,
    Swag, SwagConfig, TrainedAverage,
};
use burn_tricks::diagnose::DoctorConfig;
use burn_tricks::grad::{
    AgcConfig, AutoClipConfig, CentralizeGradConfig, ClipGradValueConfig, FreezeConfig,
    GradNoiseConfig, LossScalerConfig, NoTransform, NormKind, NormsByPath, Only, PolyakStep,
    PolyakStepConfig, ProdigyConfig, Sam, SamConfig,
};
use burn_tricks::nn::{ClampWeightsConfig, TiedWeights, UnitNormConfig};
use burn_tricks::prelude::*;
use burn_tricks::schedule::LinearRampConfig;
use burn_tricks::stop::{
    All, Any, CheckLimitConfig, GeneralizationLossConfig, NoiseAwareConfig, NonFiniteMetric,
    Observation, ProgressQuotientConfig, RisingStripsConfig, RollBackConfig, SmoothedConfig,
    StopCriterion, TimeLimitConfig,
};
use burn_tricks::train::{
    AsTrick, DoctorTrick, EpochContext, GradNorm, GradualUnfreezingConfig, MeanOfAccumulated,
    RollBackTrick, SaveBest, ScheduledDropout, SnapshotTrickConfig, StepContext, StopAfterMarked,
    StopAfterSkips, UpdateRatio,
};
use burn_tricks_testkit::{
    AverageLaws, CriterionDecision, CriterionLaws, ScheduleLaws, TrickLaws, TrickStep, Weights,
};

#[test]
fn every_schedule_keeps_the_laws() {
    for (name, schedule) in everything() {
        let laws = ScheduleLaws::new(name, || schedule.clone());
        laws.check().assert();
    }
}

/// A record as a file holds it.
fn through_bytes(record: ModuleRecord) -> ModuleRecord {
    ModuleRecord::from_bytes(record.into_bytes().expect("it can be written"))
        .expect("it can be read")
}

/// The laws of averages of weights by this rule.
fn average<R: AverageRule + Clone + 'static>(name: &str, on: &(&'static str, Device), rule: R) {
    let init =
        move |first: &Weights| Average::init(rule.clone(), first).expect("a valid configuration");
    let anew = init.clone();
    AverageLaws::new(
        format!("{name} on {}", on.0),
        init,
        |average, model| average.update(model),
        Average::model,
        &on.1,
    )
    .saved(move |average, first| {
        let record = through_bytes(average.to_record());
        anew(first).load_record(record).expect("its own record")
    })
    .check()
    .assert();
}

#[test]
fn every_average_keeps_the_laws() {
    for on in &devices() {
        average("EMA", on, EmaConfig::new(0.9));
        average(
            "EMA without a warm-up",
            on,
            EmaConfig::new(0.999).with_warmup(EmaWarmup::None),
        );
        average(
            "EMA, bias-corrected",
            on,
            EmaConfig::new(0.99).with_warmup(EmaWarmup::BiasCorrected),
        );
        average(
            "EMA, every second step, late",
            on,
            EmaConfig::new(0.9).with_update_every(2).with_start_after(2),
        );
        average("schedule-free", on, ScheduleFreeAverageConfig::new());
        average("SWA", on, SwaConfig::new(1));
        average(
            "SWA, every third step, late",
            on,
            SwaConfig::new(3).with_start_after(1),
        );
        average("LAWA", on, LawaConfig::new(3, 1));
        average("LAWA, every second step", on, LawaConfig::new(2, 2));
        let device = on.1.clone();
        let init = move |first: &Weights| {
            let rule = LawaConfig::new(2, 3).with_start_after(1);
            AverageOn::init(rule, first, &device).unwrap()
        };
        let anew = init.clone();
        AverageLaws::new(
            format!("LAWA elsewhere on {}", on.0),
            init,
            |average: &mut AverageOn<_, _>, model| average.update(model),
            AverageOn::model,
            &on.1,
        )
        .saved(move |average, first| {
            let record = through_bytes(average.to_record());
            anew(first).load_record(record).expect("its own record")
        })
        .check()
        .assert();
        for rank in [0, 3] {
            let init = move |first: &Weights| {
                let config = SwagConfig::new(2).with_start_after(1).with_rank(rank);
                config.init(first).unwrap()
            };
            AverageLaws::new(
                format!("SWAG of rank {rank} on {}", on.0),
                init,
                |swag: &mut Swag<Weights>, model| swag.update(model),
                Swag::model,
                &on.1,
            )
            .saved(move |swag, first| {
                let record = through_bytes(swag.to_record());
                init(first).load_record(record).expect("its own record")
            })
            .check()
            .assert();
        }
    }
}

/// The laws of one criterion, which is saved as JSON.
fn criterion<C: StopCriterion + 'static>(name: &str, init: impl Fn() -> C + Clone + 'static) {
    let anew = init.clone();
    let observe = |stop: &mut C, value: f64| {
        // Those that compare it with the training error get one too.
        let decision = stop.observe(Observation::from(value).with_training(value.abs()));
        CriterionDecision {
            best: decision.is_best,
            stop: decision.should_stop(),
        }
    };
    let reload = move |stop: C| {
        let state = serde_json::to_string(&stop.state()).expect("it can be written");
        anew().with_state(serde_json::from_str(&state).expect("it can be read"))
    };
    let uses = init().uses_metric();
    let laws = CriterionLaws::new(name, init, observe).saved(reload);
    let laws = if uses { laws } else { laws.without_metric() };
    laws.check().assert();
}

#[test]
fn every_criterion_keeps_the_laws() {
    let patience = || EarlyStoppingConfig::new(Goal::Minimize).with_patience(2);
    let noise = || {
        NoiseAwareConfig::new(Goal::Minimize)
            .with_patience(2)
            .init()
            .unwrap()
    };
    let limit = || CheckLimitConfig::new(4).init().unwrap();
    let time = || TimeLimitConfig::new(1e9).init().unwrap();
    criterion("patience", move || patience().init().unwrap());
    criterion("patience, least improvement", move || {
        patience()
            .with_min_delta(MinDelta::Absolute(0.01))
            .init()
            .unwrap()
    });
    criterion("patience, NaN counted", move || {
        patience()
            .with_non_finite(NonFiniteMetric::CountAsNoImprovement)
            .init()
            .unwrap()
    });
    criterion("Keras", || {
        EarlyStoppingConfig::keras(Goal::Minimize).init().unwrap()
    });
    criterion("Lightning", || {
        EarlyStoppingConfig::lightning(Goal::Minimize)
            .init()
            .unwrap()
    });
    criterion("noise-aware", noise);
    criterion("check limit", limit);
    criterion("time limit", time);
    criterion("generalisation loss", || {
        GeneralizationLossConfig::new(5.0).init().unwrap()
    });
    criterion("progress quotient", || {
        let config = ProgressQuotientConfig::new(1.0).with_strip(2);
        config.init().unwrap()
    });
    criterion("rising strips", || {
        RisingStripsConfig::new(2).with_strip(1).init().unwrap()
    });
    criterion("smoothed patience", move || {
        SmoothedConfig::new(0.0)
            .init(patience().init().unwrap())
            .unwrap()
    });
    criterion("any", move || {
        Any::init((time(), limit(), patience().init().unwrap())).unwrap()
    });
    criterion("all", move || {
        All::init((limit(), patience().init().unwrap())).unwrap()
    });
    criterion("any of all", move || {
        Any::init((
            All::init((limit(), noise())).unwrap(),
            patience().init().unwrap(),
        ))
        .unwrap()
    });
}

/// The laws of one trick, made for the model that the laws are checked on.
fn trick<T: Trick<Weights> + 'static>(
    name: &str,
    on: &(&'static str, Device),
    init: impl Fn(&Weights) -> T + Clone + 'static,
) {
    let first = Weights::new(1, burn::tensor::DType::F32, &on.1.clone().autodiff());
    let (make, anew) = (init.clone(), init);
    let like = first.clone();
    let context =
        |step: &TrickStep| StepContext::new(step.step, step.lr).with_skipped(step.skipped);
    let before = move |trick: &mut T, model: &Weights, grads, step: &TrickStep| {
        trick.before(model, grads, &context(step))
    };
    let after = move |trick: &mut T, model, step: &TrickStep| trick.after(model, &context(step));
    let begin = move |trick: &mut T, model: &Weights, optim: &mut _, step: &TrickStep| {
        let mut context = context(step);
        trick.begin(model, optim, &mut context);
        context.lr()
    };
    // The losses of the three epochs: the second is the best, and after the third a roll-back goes back to it.
    let epoch_end = |trick: &mut T, model: Weights, epoch: usize| {
        let validated = model.valid();
        let losses = [2.0, 1.0, f64::NAN];
        let mut stop = EarlyStoppingConfig::new(Goal::Minimize).init().unwrap();
        let decisions = losses
            .iter()
            .cycle()
            .take(epoch)
            .map(|loss| stop.observe(*loss));
        let decision = decisions.last().expect("epochs begin at 1");
        let loss = losses[(epoch - 1) % 3];
        let end = EpochContext::new(epoch, &validated).with_decision(decision);
        let mut end = end.with_metric("Loss", Split::Valid, loss);
        let model = trick
            .epoch_end(model, &mut end)
            .expect("it has its metrics");
        if end.is_rolled_back() {
            trick.rolled_back(&model);
        }
        model
    };
    let reload = move |trick: T| {
        let mut loaded = anew(&like);
        if let Some(state) = trick.state() {
            loaded.load_state(&state).expect("its own state");
        }
        loaded
    };
    let name = format!("{name} on {}", on.0);
    TrickLaws::new(name, move || make(&first), before, after, &on.1)
        .begin(begin)
        .epoch_end(epoch_end)
        .validated(|trick: &T, model| trick.validated(model))
        .saved(reload)
        .check()
        .assert();
}

#[test]
fn every_trick_keeps_the_laws() {
    let folder = tempfile::tempdir().unwrap();
    for on in &devices() {
        trick("nothing", on, |_| ());
        trick("clipping", on, |_| {
            ClipGradNormConfig::new(0.1).init().unwrap()
        });
        trick("normalised", on, |_| {
            NormalizeGradConfig::new().init().unwrap()
        });
        // Of a parameter that has no gradient to take away.
        trick("frozen", on, |model| {
            FreezeConfig::for_paths(["frozen"]).init(model).unwrap()
        });
        trick("Prodigy's estimate", on, |model| {
            ProdigyConfig::new().init(model).unwrap()
        });
        trick("guard", on, |_| StepGuard::new());
        trick("AGC", on, |_| AgcConfig::new().init().unwrap());
        trick("centralised", on, |_| {
            CentralizeGradConfig::new().init().unwrap()
        });
        trick("clipping by value", on, |_| {
            ClipGradValueConfig::new(0.1).init().unwrap()
        });
        trick("noise", on, |_| GradNoiseConfig::new(0.01).init().unwrap());
        trick("loss scale", on, |_| {
            AsTrick(scaler_of(&LossScalerConfig::new()))
        });
        trick("norms", on, |_| NormsByPath::init(NormKind::L2).unwrap());
        trick("a group", on, |_| {
            let noise = GradNoiseConfig::new(0.01).init().unwrap();
            Only::new(ParamGroup::from_path("matrix"), noise)
        });
        trick("a chain of transforms", on, |_| {
            let noise = GradNoiseConfig::new(0.01).init().unwrap();
            AgcConfig::new().init().unwrap().then(noise)
        });
        trick("AutoClip", on, |_| AutoClipConfig::new().init().unwrap());
        trick("the mean of accumulated gradients", on, |_| {
            MeanOfAccumulated::new()
        });
        trick("a stop after skips", on, |_| {
            StopAfterSkips::init(2, &Interrupter::new()).unwrap()
        });
        trick("a doctor", on, |model| {
            DoctorTrick::init(&DoctorConfig::new(), model).unwrap()
        });
        trick("a stop after marked steps", on, |_| {
            StopAfterMarked::init(2).unwrap()
        });
        trick("a transform of one's own", on, |_| AsTrick(NoTransform));
        trick("tied weights", on, |_| TiedWeights);
        trick("max-norm", on, |_| MaxNormConfig::new(0.5).init().unwrap());
        trick("unit norm", on, |_| UnitNormConfig::new().init().unwrap());
        trick("EMA", on, |model| EmaConfig::new(0.9).init(model).unwrap());
        trick("SWA", on, |model| SwaConfig::new(2).init(model).unwrap());
        trick("trained weights", on, |model| {
            TrainedAverage::init(EmaConfig::new(0.9), model).unwrap()
        });
        let device = on.1.clone();
        trick("an average elsewhere", on, move |model| {
            let rule = EmaConfig::new(0.9).with_update_every(2);
            AverageOn::init(rule, model, &device).unwrap()
        });
        trick("SWAG", on, |model| SwagConfig::new(2).init(model).unwrap());
        trick("a dropout rate", on, |_| {
            let curve = LinearRampConfig::new(0.0, 0.5, 4).init().unwrap();
            ScheduledDropout::init(curve, 5, |_: &mut Weights, _| ()).unwrap()
        });
        trick("LAWA", on, |model| {
            LawaConfig::new(2, 1).init(model).unwrap()
        });
        trick("EMAs", on, |model| {
            EmaSet::init(&[0.5, 0.9].map(EmaConfig::new), model).unwrap()
        });
        trick("gradient norm", on, |_| GradNorm::new());
        trick("update ratio", on, |_| UpdateRatio::new());
        trick("clamp", on, |_| {
            ClampWeightsConfig::new(-0.5, 0.5).init().unwrap()
        });
        trick("roll-back", on, |_| {
            RollBackTrick::<Weights>::init(&RollBackConfig::new(2)).unwrap()
        });
        trick("snapshots", on, |model| {
            SnapshotTrickConfig::new(1, 2).init(model).unwrap()
        });
        trick("gradual unfreezing", on, |model| {
            let groups = ["vector", "matrix"].map(String::from);
            let config = GradualUnfreezingConfig::new(groups.to_vec());
            config.init(model).unwrap()
        });
        let path = folder.path().join("best.bpk");
        trick("the best in a file", on, move |_| SaveBest::new(&path));
        trick("boxed", on, |model| -> Box<dyn Trick<Weights>> {
            Box::new(EmaConfig::new(0.9).init(model).unwrap())
        });
        trick("three", on, |model| {
            let clip = ClipGradNormConfig::new(0.1).init().unwrap();
            let max_norm = MaxNormConfig::new(0.5).init().unwrap();
            (clip, max_norm, EmaConfig::new(0.9).init(model).unwrap())
        });
    }
}

#[test]
fn gradients_of_two_passes_keep_the_laws_of_tricks() {
    for (name, device) in &devices() {
        let loss =
            |model: &Weights| model.vector.val().exp().sum() + model.matrix.val().exp().sum();
        for config in [SamConfig::new(0.0), SamConfig::new(0.1), SamConfig::asam()] {
            let laws = format!("{config:?} on {name}");
            let init = move || config.init().expect("a valid configuration");
            // It makes the gradients of a step that is taken.
            let before = move |sam: &mut Sam, model: &Weights, grads: GradientsParams, _: &_| {
                if grads.is_empty() {
                    grads
                } else {
                    sam.gradients(model, loss).0
                }
            };
            TrickLaws::new(laws, init, before, |_, model, _| model, device)
                .check()
                .assert();
        }
    }
}

#[test]
fn polyak_s_step_keeps_the_laws_of_tricks() {
    for (name, device) in &devices() {
        let init = || {
            PolyakStepConfig::new()
                .init()
                .expect("a valid configuration")
        };
        let before = |polyak: &mut PolyakStep, model: &Weights, grads: GradientsParams, _: &_| {
            polyak.apply(model, grads, &model.vector.val().square().sum())
        };
        let name = format!("Polyak's step on {name}");
        TrickLaws::new(name, init, before, |_, model, _| model, device)
            .check()
            .assert();
    }
}

#[test]
fn optional_tricks_and_lists_are_tricks() {
    for on in &devices() {
        trick("there", on, |model| {
            Some(EmaConfig::new(0.9).init(model).unwrap())
        });
        trick("not there", on, |_| None::<StepGuard>);
        trick("a list", on, |model| -> Vec<Box<dyn Trick<Weights>>> {
            vec![
                Box::new(ClipGradNormConfig::new(0.1).init().unwrap()),
                Box::new(MaxNormConfig::new(0.5).init().unwrap()),
                Box::new(EmaConfig::new(0.9).init(model).unwrap()),
            ]
        });
    }
    let model = Weights::new(1, burn::tensor::DType::F32, &Device::flex().autodiff());
    let clip = || ClipGradNormConfig::new(0.1).init().unwrap();
    let plain = |decay| EmaConfig::new(decay).with_warmup(EmaWarmup::None);
    let ema = |decay| plain(decay).init(&model).unwrap();
    // A list does what a tuple does, in the same order.
    type Boxed = Box<dyn Trick<Weights>>;
    let mut tuple = (
        clip(),
        ema(0.5),
        None::<StepGuard>,
        ema(0.9),
        (),
        clip(),
        (),
        (),
    );
    let mut list: Vec<Boxed> = vec![Box::new(clip()), Box::new(ema(0.5)), Box::new(ema(0.9))];
    assert!(Trick::<Weights>::sees_gradients(&tuple) && list.sees_gradients());
    for seed in 0..3 {
        let step = StepContext::new(seed + 1, 0.1);
        let (one, other) = (model.grads(seed), model.grads(seed));
        let one = tuple
            .before(&model, one, &step)
            .get::<1>(model.vector.id)
            .unwrap();
        let other = list
            .before(&model, other, &step)
            .get::<1>(model.vector.id)
            .unwrap();
        assert_eq!(one.into_data(), other.into_data());
        let moved = model.clone().shifted(seed as f64);
        let (one, other) = (tuple.after(moved.clone(), &step), list.after(moved, &step));
        assert_eq!(one.numbers(), other.numbers());
    }
    // The last that has a model to validate with gives it.
    let (one, other) = (
        tuple.validated(&model).unwrap(),
        list.validated(&model).unwrap(),
    );
    assert_eq!(one.numbers(), other.numbers());
    assert_ne!(one.numbers(), list[1].validated(&model).unwrap().numbers());
    // A state that belongs to nothing, or to another number of tricks, is an error.
    let state = Trick::<Weights>::state(&Some(ema(0.5))).unwrap();
    let error = Trick::<Weights>::load_state(&mut None::<Ema<Weights>>, &state).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the saved state does not fit: the state is that of a trick that is not there now"
    );
    let state = list.state().unwrap();
    list.pop();
    let error = list.load_state(&state).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the saved state does not fit: the state is that of 3 tricks, and there are 2"
    );
}

/// A set has no model to validate with, so that its averages are looked at here.
#[test]
fn a_set_of_averages_ignores_skipped_steps_and_begins_anew_after_a_roll_back() {
    let model = Weights::new(1, burn::tensor::DType::F32, &Device::flex().autodiff());
    let configs = [0.5, 0.9].map(|decay| EmaConfig::new(decay).with_warmup(EmaWarmup::None));
    let mut set = EmaSet::init(&configs, &model).unwrap();
    let numbers =
        |set: &EmaSet<Weights>| -> Vec<_> { set.iter().map(|ema| ema.model().numbers()).collect() };
    let (begun, moved) = (numbers(&set), model.clone().shifted(1.0));
    let step = StepContext::new(1, 0.1);
    set.after(moved.clone(), &step.clone().with_skipped(true));
    assert_eq!(numbers(&set), begun);
    set.after(moved.clone(), &step);
    assert_ne!(numbers(&set), begun);
    set.rolled_back(&moved);
    assert_eq!(numbers(&set), [moved.numbers(), moved.numbers()]);
    set.after(model.clone(), &step);
    Trick::restart(&mut set, &model);
    assert_eq!(numbers(&set), begun);
}
