//! The parts of a checkpoint: what is missing, of another kind, or cannot be written is an error that names it.

use crate::loop_checkpoint::{loaded, opened, pair};
use crate::models::{Net, alone, numbers};
use crate::net_training::{Batch, Samples};
use burn::data::dataloader::batcher::Batcher as _;
use burn::lr_scheduler::LrScheduler as _;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::Module;
use burn::nn::LinearConfig;
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::Device;
use burn::train::TrainStep;
use burn_tricks::checkpoint::{CheckpointError, Checkpoints, PartKind};
use burn_tricks::prelude::*;
use burn_tricks::schedule::{GroupLrConfig, LrGroup};
use std::collections::BTreeMap;

#[test]
fn parts_that_are_not_there_or_do_not_fit_are_errors_that_name_them() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let sgd = SgdConfig::new().init();
    let schedule = CosineConfig::new(0.1, 5).init().unwrap();
    let mut checkpoints = opened(folder.path());
    let step = checkpoints.step(3).module("model", &pair());
    let step = step.optimizer("optimizer", &sgd).state("loss", &0.25);
    step.schedule("schedule", &schedule).save().unwrap();

    let saved = loaded(folder.path());
    assert_eq!(saved.unread(), ["model", "optimizer", "loss", "schedule"]);
    let text = |error: CheckpointError| error.to_string();
    let missing = text(saved.record::<ModuleRecord>("ema").unwrap_err());
    let has = "has no part `ema`: its parts are `model`, `optimizer`, `loss`, `schedule`";
    assert!(missing.ends_with(has), "{missing}");
    let error = saved.optimizer("schedule", sgd, &pair()).err().unwrap();
    assert!(matches!(
        error,
        CheckpointError::OtherKind {
            wanted: PartKind::Optimizer,
            got: PartKind::Schedule,
            ..
        }
    ));
    let kind = "is a record of a schedule, and was to be loaded as a record of an optimizer";
    assert!(text(error).ends_with(kind));
    assert!(text(saved.state::<f64>("model").unwrap_err()).ends_with("loaded as a state"));
    assert!(text(saved.state::<Vec<u8>>("loss").unwrap_err()).contains("`loss` in "));
    assert_eq!(saved.state::<f64>("loss").unwrap(), 0.25);
    let other = LinearConfig::new(2, 2).init(&Device::flex());
    let unfit = text(saved.module("model", other).unwrap_err());
    assert!(
        unfit.contains("`model` in ") && unfit.contains("does not fit"),
        "{unfit}"
    );
    assert_eq!(
        saved.module("model", pair()).unwrap().values(),
        pair().values()
    );
    assert_eq!(saved.unread(), ["optimizer", "schedule"]);

    let twice = checkpoints.step(4).state("x", &1).state("x", &2).save();
    assert_eq!(
        text(twice.unwrap_err()),
        "two parts of a checkpoint have the name `x`: give one of them another name"
    );
    let keys = std::collections::HashMap::from([((1, 2), 3)]); // JSON's are text
    let unwritable = text(checkpoints.step(4).state("x", &keys).save().unwrap_err());
    assert!(
        unwritable.starts_with("`x` cannot be saved"),
        "{unwritable}"
    );
    assert_eq!(loaded(folder.path()).step(), 3, "neither was written");

    let file = folder.path().join("step-3.checkpoint");
    let error = text(Checkpoints::open(&file, 2).unwrap_err());
    assert!(error.contains("step-3.checkpoint: "), "{error}");
}

#[test]
fn bytes_are_written_as_they_are() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..100_000).map(|i: u32| (i % 251) as u8).collect();
    let mut checkpoints = opened(folder.path());
    let step = checkpoints.step(1).bytes("clip", bytes.clone());
    step.state("loss", &0.25).save().unwrap();

    let saved = loaded(folder.path());
    assert_eq!(saved.bytes("clip").unwrap(), bytes);
    let size = std::fs::metadata(saved.path()).unwrap().len();
    assert!(size < 101_000, "as JSON they would take 350 kB: {size}");
    let error = saved.bytes("loss").unwrap_err().to_string();
    assert!(
        error.ends_with("is a state, and was to be loaded as bytes"),
        "{error}"
    );
    let error = saved.state::<f64>("clip").unwrap_err().to_string();
    assert!(
        error.ends_with("is bytes, and was to be loaded as a state"),
        "{error}"
    );
}

#[test]
fn running_statistics_are_those_of_the_last_batch() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let device = Device::flex().autodiff();
    let model = Net::seeded(1, &device);
    let batch: Batch = Samples.batch((0..4).collect(), &device);
    let _: GradientsParams = TrainStep::step(&model, batch).grads;
    let mut checkpoints = opened(folder.path());
    checkpoints.step(1).module("net", &model).save().unwrap();
    let now = numbers(&model.valid());
    assert_ne!(now, numbers(&Net::seeded(1, &device).valid()), "they moved");

    // Into a model that a batch has gone through since.
    let batch: Batch = Samples.batch((4..8).collect(), &device);
    let _: GradientsParams = TrainStep::step(&model, batch).grads;
    let model = loaded(folder.path()).module("net", model).unwrap();
    assert_eq!(numbers(&model.valid()), now);
}

#[test]
fn an_optimizer_of_another_kind_or_another_model_is_refused_by_name() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let device = Device::flex().autodiff();
    let mut optim = AdamConfig::new().init();
    let step = |model: Net, optim: &mut burn::optim::ModuleOptimizer| {
        device.seed(5);
        let batch: Batch = Samples.batch((0..4).collect(), &device);
        let output = TrainStep::step(&model, batch);
        optim.step(0.1, model, output.grads)
    };
    let model = step(Net::seeded(1, &device), &mut optim);
    let mut checkpoints = opened(folder.path());
    let saving = checkpoints.step(1).optimizer("optimizer", &optim);
    saving.module("net", &model).save().unwrap();

    let saved = loaded(folder.path());
    let refused = |optim, model: &Net| {
        let loaded = saved.optimizer("optimizer", optim, model);
        let error = loaded.err().unwrap().to_string();
        assert!(error.starts_with("`optimizer` in "), "{error}");
        error
    };
    let momentum = burn::optim::momentum::MomentumConfig::new();
    let momentum = SgdConfig::new().with_momentum(Some(momentum)).init();
    let kind = refused(momentum, &model);
    assert!(
        kind.contains("cannot read the recorded state of `"),
        "{kind}"
    );
    let other = Net::seeded(2, &device);
    let parameters = refused(AdamConfig::new().init(), &other);
    assert!(
        parameters.contains("states of parameters that the model does not have"),
        "{parameters}"
    );
    // Of the model that was loaded before, it is right.
    let model = saved.module("net", other).unwrap();
    let loaded = saved.optimizer("optimizer", AdamConfig::new().init(), &model);
    let resumed = step(model, &mut loaded.unwrap());
    let whole = saved.module("net", Net::seeded(3, &device)).unwrap();
    assert_eq!(numbers(&resumed), numbers(&step(whole, &mut optim)));
}

#[test]
fn a_schedule_of_another_kind_does_not_begin_anew() {
    let folder = tempfile::tempdir().unwrap();
    let cosine = || CosineConfig::new(0.1, 100).init().unwrap();
    let mut schedule = cosine();
    for _ in 0..50 {
        schedule.step();
    }
    let mut checkpoints = opened(folder.path());
    let saving = checkpoints.step(1).schedule("schedule", &schedule);
    saving.schedule("constant", &0.1).save().unwrap();
    let saved = loaded(folder.path());
    assert_eq!(
        saved.schedule("schedule", cosine()).unwrap().step(),
        schedule.step()
    );
    assert_eq!(saved.schedule("constant", 0.2).unwrap().step(), 0.2);
    let warmed = || cosine().with_warmup(WarmupConfig::new(5)).unwrap();
    for error in [
        saved.schedule("schedule", warmed()).unwrap_err(),
        saved.schedule("schedule", 0.1).unwrap_err(),
        saved.schedule("constant", cosine()).unwrap_err(),
    ] {
        assert!(matches!(error, CheckpointError::Unfit { .. }), "{error}");
        assert!(error.to_string().contains("another kind of schedule"));
    }
    let text = saved
        .schedule("schedule", warmed())
        .unwrap_err()
        .to_string();
    for part in ["`steps`", "`inner.steps`"] {
        assert!(text.contains(part), "{text}");
    }
    let text = saved
        .schedule("constant", cosine())
        .unwrap_err()
        .to_string();
    assert!(text.contains("no numbers"), "{text}");
}

/// Those that count steps too, and other wrappers: the error names both.
#[test]
fn a_schedule_of_each_kind_is_recognised_by_its_name() {
    use burn_tricks::schedule::*;
    let cosine = || CosineConfig::new(0.1, 100).init().unwrap();
    type Load = fn(&burn_tricks::checkpoint::Saved, &str) -> Result<(), CheckpointError>;
    macro_rules! kinds {
        ($($name:literal: $schedule:expr;)*) => {
            [$((
                $name,
                Boxed::new($schedule),
                (|saved, part| saved.schedule(part, $schedule).map(drop)) as Load,
            )),*]
        };
    }
    let kinds = kinds! {
        "`Cosine`": CosineConfig::new(0.1, 100).init().unwrap();
        "`OneCycle`": OneCycleConfig::new(0.1, 100).init().unwrap();
        "`ExponentialDecay`": ExponentialDecayConfig::new(0.1).init().unwrap();
        "`LinearRamp`": LinearRampConfig::new(0.1, 0.0, 100).init().unwrap();
        "`MultiStep`": MultiStepConfig::new(0.1, vec![5]).init().unwrap();
        "`Rex`": RexConfig::new(0.1, 100).init().unwrap();
        "`CosineRestarts`": CosineRestartsConfig::new(0.1, 10).init().unwrap();
        "`InverseSqrt`": InverseSqrtConfig::new(0.1).init().unwrap();
        "`Cyclic`": CyclicConfig::new(0.1, 1.0, 5).init().unwrap();
        "`Polynomial`": PolynomialConfig::new(0.1, 100).init().unwrap();
        "`WarmupStableDecay`": WarmupStableDecayConfig::new(0.1, 100, 10).init().unwrap();
        "`Warmup`, `inner`: `Cosine`": CosineConfig::new(0.1, 100).init().unwrap().with_warmup(5).unwrap();
        "`PerEpoch`, `inner`: `Rex`": RexConfig::new(0.1, 100).init().unwrap().per_epoch(5).unwrap();
        "`Sequence`, `first`: `Rex`, `next`: `Rex`": RexConfig::new(0.1, 100).init().unwrap()
            .then(5, RexConfig::new(0.1, 100).init().unwrap()).unwrap();
        "`ReduceOnPlateau`": 0.1.reduced_on_plateau(&PlateauConfig::new(burn_tricks::Goal::Minimize)).unwrap();
        "`RepeatSkipped`": 0.1.repeating_skipped(SkipCount::default());
    };
    let folder = tempfile::tempdir().unwrap();
    let mut checkpoints = opened(folder.path());
    let mut step = checkpoints.step(1);
    for (name, schedule, _) in &kinds {
        let mut schedule = schedule.clone();
        schedule.step();
        step = step.schedule(name, &schedule);
    }
    step.save().unwrap();
    let saved = loaded(folder.path());
    for (recorded, ..) in &kinds {
        for (present, _, load) in &kinds {
            let result = load(&saved, recorded);
            if recorded == present {
                result.unwrap();
                continue;
            }
            let error = result.expect_err(recorded).to_string();
            for part in [
                format!("it has {recorded}, "),
                format!("this schedule {present}, "),
            ] {
                assert!(error.contains(&part), "{part} in {error}");
            }
        }
    }
    // Another length or rate is the program's own change.
    let longer = CosineConfig::new(0.2, 200).init().unwrap();
    assert!(saved.schedule("`Cosine`", longer).is_ok());
    assert!(
        saved
            .schedule("`Cosine`", cosine().at_least(0.01).unwrap())
            .is_ok()
    );
}

#[test]
fn a_changed_configuration_is_refused_with_each_field() {
    let folder = tempfile::tempdir().unwrap();
    let config = burn_tricks::optim::AdamConfig::new();
    let mut checkpoints = opened(folder.path());
    checkpoints
        .step(1)
        .state("optimizer", &config)
        .state("rate", &0.1_f32)
        .save()
        .unwrap();
    let saved = loaded(folder.path());
    saved.unchanged("optimizer", &config).unwrap();
    saved.unchanged("rate", &0.1_f32).unwrap();
    assert!(saved.unread().is_empty());
    let error = saved.unchanged("optimizer", &config.with_beta_1(0.8).with_amsgrad(true));
    let error = error.unwrap_err();
    let CheckpointError::Changed { change, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(
        change.to_string(),
        "optimizer: `amsgrad` recorded false, now true, `beta_1` recorded 0.9, now 0.8"
    );
    let text = error.to_string();
    assert!(text.contains("step-1.checkpoint") && text.contains(&change.to_string()));
    let error = saved.unchanged("batch size", &32).unwrap_err();
    assert!(matches!(error, CheckpointError::NoPart { .. }), "{error}");
}

#[test]
fn a_state_with_a_number_that_json_has_not_is_refused_by_its_name() {
    #[derive(serde::Serialize)]
    struct Seen {
        values: BTreeMap<String, Vec<(u8, Option<f32>)>>,
    }

    let folder = tempfile::tempdir().unwrap();
    let mut checkpoints = opened(folder.path());
    let seen = |number| Seen {
        values: [("a".to_owned(), vec![(1, None), (2, Some(number))])].into(),
    };
    type Save<'a> = &'a dyn Fn(&mut Checkpoints) -> Result<(), CheckpointError>;
    let saves: [(&str, Save<'_>); 3] = [
        ("the value is inf,", &|checkpoints| {
            checkpoints.step(1).state("best", &f64::INFINITY).save()
        }),
        ("`1` is NaN,", &|checkpoints| {
            checkpoints.step(1).state("best", &[0.0, f64::NAN]).save()
        }),
        ("`values.a.1.1` is -inf,", &|checkpoints| {
            checkpoints
                .step(1)
                .state("best", &seen(f32::NEG_INFINITY))
                .save()
        }),
    ];
    for (number, save) in saves {
        let error = save(&mut checkpoints).unwrap_err();
        assert!(
            matches!(&error, CheckpointError::Unwritable { name, .. } if name == "best"),
            "{error}"
        );
        assert!(error.to_string().contains(number), "{error}");
    }
    let finite = (
        seen(f32::MAX),
        Some(f64::MIN_POSITIVE),
        -0.0,
        "text",
        'c',
        1u64 << 63,
    );
    checkpoints.step(1).state("best", &finite).save().unwrap();
    let saved = loaded(folder.path());
    assert!(saved.state::<serde_json::Value>("best").is_ok());
    // Not the `null` for which infinity would be mistaken.
    let error = saved.unchanged("best", &[f64::INFINITY]).unwrap_err();
    assert!(error.to_string().contains("`0` is inf,"), "{error}");
}

#[test]
fn a_schedule_with_groups_is_saved_and_compared() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let model = LinearConfig::new(2, 2).init(&Device::flex());
    let groups = |count: usize| {
        let group = || LrGroup::new(["bias"], 2.0).with_warmup(4);
        let groups = GroupLrConfig::of((0..count).map(|_| group()));
        let cosine = CosineConfig::new(0.1, 9).init().unwrap();
        groups.init(&model, cosine).unwrap()
    };
    let rates = |schedule: &mut ModuleLrScheduler| {
        let rates = schedule.step();
        (
            rates.base(),
            rates.lr_from_param(model.weight.id, Some("bias")),
        )
    };
    let mut schedule = groups(1);
    rates(&mut schedule);
    rates(&mut schedule);
    let mut checkpoints = Checkpoints::open(folder.path(), 2).unwrap();
    let step = checkpoints.step(1).grouped_schedule("schedule", &schedule);
    step.save().unwrap();
    let saved = checkpoints.newest().unwrap().unwrap();
    let mut resumed = saved.grouped_schedule("schedule", groups(1)).unwrap();
    assert_eq!(rates(&mut resumed), rates(&mut schedule));
    for other in [0, 2] {
        let error = saved.grouped_schedule("schedule", groups(other));
        let error = error.map(drop).unwrap_err().to_string();
        assert!(
            error.contains("another kind of schedule"),
            "{other}: {error}"
        );
    }
}
