//! The clinic: its programs show the symptoms that their stories tell, and the doctor finds the cause.

use burn_tricks::diagnose::{Finding, FindingKind, InitScheme, Prescription};
use burn_tricks_examples::clinic::{
    CarriedOut, Case, Floor, Half, Origin, Program, RandomProgram, Seen, Share, Tally,
    TreatmentCounts, Validation, Verdict, cases, core_set, examine, treated,
};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Burn's random generators are global to the process.
fn alone() -> MutexGuard<'static, ()> {
    static GENERATORS: Mutex<()> = Mutex::new(());
    GENERATORS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn case(name: &str) -> &'static Case {
    cases().find(|case| case.name == name).expect(name)
}

/// One or two of each group, which take little time.
const SOME: [&str; 14] = [
    "three-raw-columns",
    "one-step-into-the-flat",
    "rate-below-zero",
    "sigmoids-at-zero",
    "relus-born-dead",
    "recurrent-relu-explodes",
    "first-layer-of-zeros",
    "softmax-of-one",
    "gradient-of-a-length-of-zero",
    "images-shuffled-labels-not",
    "labels-scaled-like-pixels",
    "freezing-inverted",
    "gradients-never-cleared",
    "dropout-of-95-percent",
];

#[test]
fn sick_programs_show_their_symptoms_and_their_twins_do_not() {
    let _alone = alone();
    for name in SOME {
        let case = case(name);
        let sick = (case.program)(1).run(1, &mut ());
        assert!(case.seen.is_in(&sick), "{name}: {:?}", sick.result());
        let twin = case.twin.expect(name);
        let healthy = twin(1).run(1, &mut ());
        assert!(!case.seen.is_in(&healthy), "{name}: {:?}", healthy.result());
    }
}

#[test]
fn a_program_is_repeatable() {
    let _alone = alone();
    // With dropout, so that the device's generator is used too.
    let program = (case("scores-where-probabilities-go").twin.unwrap())(3);
    let program = Program {
        epochs: 1,
        ..program
    };
    let [one, same] = [3, 3].map(|seed| program.run(seed, &mut ()).epochs);
    assert_eq!(one, same);
    assert_ne!(program.run(4, &mut ()).epochs, one);
}

#[test]
fn a_doctor_who_looks_on_changes_nothing() {
    let _alone = alone();
    let program = Program {
        epochs: 2,
        ..(case("layer-norm").program)(1)
    };
    let examined = examine(&program, 1);
    assert_eq!(examined.outcome.epochs, program.run(1, &mut ()).epochs);
}

#[test]
fn the_clinic_is_large_and_its_halves_are_fixed() {
    let names: BTreeSet<_> = cases().map(|case| case.name).collect();
    assert_eq!(names.len(), cases().count(), "a name is given twice");
    let (healthy, sick): (Vec<_>, Vec<_>) = cases().partition(|case| case.is_healthy());
    let published = |case: &&&Case| case.origin == Origin::Published;
    assert!(sick.len() >= 60 && healthy.len() >= 24);
    assert!(sick.iter().filter(published).count() >= 30);
    for part in [&sick, &healthy] {
        // Later programs are all of the report half.
        let split = |case: &&&Case| matches!(case.origin, Origin::Published | Origin::Made);
        let report = (part.iter().filter(split)).filter(|case| case.half() == Half::Report);
        let share = report.count() as f64 / part.iter().filter(split).count() as f64;
        assert!((0.3..0.6).contains(&share), "{share}");
    }
    // Nobody moves a case from half to half unseen.
    assert_eq!(case("softmax-of-one").half(), Half::Report);
    assert_eq!(case("log-of-zero").half(), Half::Fitting);
}

#[test]
fn what_a_case_expects_does_not_contradict_itself() {
    for case in cases() {
        let expect = &case.expect;
        for kind in expect.not {
            assert!(!expect.allows(*kind), "{}: {kind}", case.name);
        }
        assert_eq!(
            matches!(case.seen, Seen::Learns(_)) && expect.causes.is_empty(),
            case.is_healthy(),
            "{}",
            case.name
        );
    }
}

/// Seeds of sound programs at random that take little time.
const SOUND: [u64; 2] = [1001, 1002];

/// The verdict on the first seed.
fn verdict(name: &str) -> Verdict {
    let case = case(name);
    let examined = examine(&(case.program)(1), 1);
    let shown = case.seen.is_in(&examined.outcome);
    Verdict::of(case, 1, shown, &examined.diagnosis)
}

#[test]
fn the_doctor_names_the_causes_and_accuses_no_healthy_program() {
    let _alone = alone();
    for name in [
        "first-layer-of-zeros",
        "softmax-of-one",
        "dropout-of-95-percent",
    ] {
        let verdict = verdict(name);
        assert!(verdict.shown && verdict.named, "{verdict:?}");
        assert!(verdict.ruled_out.is_empty(), "{verdict:?}");
    }
    for name in ["mlp", "output-layer-of-zeros"] {
        let verdict = verdict(name);
        assert!(verdict.shown && !verdict.accused, "{verdict:?}");
    }
}

const ANEW: Prescription = Prescription::InitWeights {
    scheme: InitScheme::He,
};

#[test]
fn a_treated_program_trains_as_its_twin() {
    let _alone = alone();
    let case = case("sigmoids-at-zero");
    let examined = examine(&(case.program)(1), 1);
    let is_cause = |kind| case.expect.is_cause(kind);
    let findings = examined.diagnosis.findings.iter();
    let finding = findings.clone().find(|finding| is_cause(finding.kind));
    let finding = finding.expect("a cause is named");
    let program = treated(case, 1, finding, &ANEW);
    let (program, how) = program.expect("weights to draw");
    assert_eq!(how, CarriedOut::Configured);
    let healthy = program.run(1, &mut ());
    assert!(healthy.result().valid_score > 0.9, "{:?}", healthy.result());
    // What is left to the reader is done only where a cause is named.
    let text = text("another layer");
    let (_, how) = treated(case, 1, finding, &text).expect("a reader does it");
    assert_eq!(how, CarriedOut::ByHand);
    let mut wrong = finding.clone();
    wrong.kind = FindingKind::LeakingInput;
    assert!(treated(case, 1, &wrong, &text).is_none());
}

fn text(text: &str) -> Prescription {
    let text = text.to_owned();
    Prescription::Change { text }
}

/// The first finding of this case after so many epochs, seed 1.
fn first_finding(case: &Case, epochs: usize) -> Finding {
    let program = Program {
        epochs,
        ..(case.program)(1)
    };
    let examined = examine(&program, 1);
    examined.diagnosis.findings.into_iter().next().expect("one")
}

/// Each by the text that the doctor gives to this very program, and none with a look at the twin: where there is nothing to
/// change, in the twin, the text changes nothing.
#[test]
fn what_a_text_asks_for_is_changed_in_the_program() {
    type Is = fn(&Program) -> bool;
    let _alone = alone();
    let changes: [(&str, Is); 7] = [
        ("softmax-twice", |of| of.layers.len() == 3),
        ("gradients-never-cleared", |of| of.clears),
        ("validation-in-training-mode", |of| {
            of.validation == Validation::Inference
        }),
        ("optimizer-over-the-wrong-parameters", |of| {
            of.optimizes.is_none()
        }),
        ("average-that-begins-after-the-end", |of| {
            of.averages_after == Some(495)
        }),
        ("loss-scale-without-end", |of| {
            of.has_loss_scaler && of.loss_scale.is_none()
        }),
        ("validation-is-the-tail-of-sorted-data", |of| {
            let classes = of.data.train.targets.iter().flatten();
            let classes: BTreeSet<i32> = classes.map(|class| *class as i32).collect();
            (classes.len(), of.data.train.len()) == (10, 1440)
        }),
    ];
    for (name, is_changed) in changes {
        let case = case(name);
        // A scale that grows in every other step takes a while to overflow.
        let epochs = if name.starts_with("loss-scale") { 6 } else { 2 };
        let finding = first_finding(case, epochs);
        let prescription = &finding.prescriptions[0];
        assert!(!is_changed(&(case.program)(1)), "{name}");
        let (program, how) = treated(case, 1, &finding, prescription).expect(name);
        assert_eq!(how, CarriedOut::Edited, "{name}: {prescription}");
        assert!(is_changed(&program), "{name}");
        if name == "validation-is-the-tail-of-sorted-data" {
            continue;
        }
        // The same program without the fault.
        let twin = Case {
            program: case.twin.expect(name),
            twin: None,
            ..*case
        };
        assert!(
            treated(&twin, 1, &finding, prescription).is_none(),
            "{name}"
        );
    }
}

/// Numbers that are not finite are finite with the function that the text asks for, at the layer that the finding names.
#[test]
fn a_text_on_numbers_that_are_not_finite_mends_them() {
    let _alone = alone();
    for name in [
        "gradient-of-a-length-of-zero",
        "logarithm-within-the-network",
    ] {
        let case = case(name);
        let finding = first_finding(case, 1);
        let prescription = &finding.prescriptions[0];
        let (program, how) = treated(case, 1, &finding, prescription).expect(name);
        assert_eq!(how, CarriedOut::Edited, "{name}: {prescription}");
        let program = Program {
            epochs: 2,
            ..program
        };
        let sick = Program {
            epochs: 2,
            ..(case.program)(1)
        };
        assert!(!sick.run(1, &mut ()).result().train_loss.is_finite());
        assert!(program.run(1, &mut ()).result().train_loss.is_finite());
    }
    let case = case("logarithm-within-the-network");
    let mut elsewhere = first_finding(case, 1);
    let prescription = elsewhere.prescriptions[0].clone();
    elsewhere.paths = vec!["layers.0".to_owned()];
    let (_, how) = treated(case, 1, &elsewhere, &prescription).expect("a twin");
    assert_eq!(how, CarriedOut::ByHand);
}

/// Its scale is a power of two, so that multiplying by it and dividing again rounds nothing.
#[test]
fn a_loss_scaler_changes_nothing_in_a_sound_training() {
    let _alone = alone();
    let twin = case("loss-scale-without-end").twin.expect("a twin");
    let plain = Program {
        epochs: 1,
        ..twin(1)
    };
    let scaled = Program {
        has_loss_scaler: true,
        ..plain.clone()
    };
    let [one, same] = [plain, scaled].map(|program| program.run(1, &mut ()).epochs);
    assert_eq!(one, same);
}

#[test]
fn a_text_that_only_a_reader_can_carry_out_verifies_nothing() {
    let _alone = alone();
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/<profile>");
    let doctor = profile.join("examples").join("doctor");
    let output = Command::new(doctor.with_extension(std::env::consts::EXE_EXTENSION))
        .args(["labels-scaled-like-pixels", "--verify"])
        .output()
        .expect("`cargo test` without `--test` builds it");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let (_, said) = said.split_once("not verified: ").expect("no verdict");
    assert!(
        said.contains("no proof that the prescription helps"),
        "{said}"
    );
    assert!(!said.contains("helps ("), "{said}");
}

#[test]
fn the_pages_on_the_clinic_count_its_programs() {
    let (healthy, sick): (Vec<_>, Vec<_>) = cases().partition(|case| case.is_healthy());
    let published = |case: &&&Case| case.origin == Origin::Published;
    let of_examples = include_str!("../README.md").replace('\n', " ");
    let sentence = format!(
        "{} training programs with a known fault, {} of them published by people who asked what is wrong, and {} healthy ones",
        sick.len(),
        sick.iter().filter(published).count(),
        healthy.len()
    );
    assert!(of_examples.contains(&sentence), "{sentence}");
    let of_crate = include_str!("../../crates/burn-tricks-diagnose/README.md");
    let sentence = format!(
        "{} training programs with a known fault and {} healthy ones",
        sick.len(),
        healthy.len()
    );
    assert!(of_crate.contains(&sentence), "{sentence}");
}

#[test]
fn what_is_carried_out_is_the_configuration_of_the_prescription() {
    let _alone = alone();
    let frozen = case("frozen-by-mistake");
    let columns = case("a-column-that-gives-it-away");
    let raw = case("three-raw-columns");
    let finding = examine(&(frozen.program)(1), 1)
        .diagnosis
        .findings
        .remove(0);
    let with = |case: &Case, prescription: &Prescription| {
        let treated = treated(case, 1, &finding, prescription);
        treated.map(|(program, how)| {
            assert_eq!(how, CarriedOut::Configured, "{prescription}");
            program
        })
    };
    let sick = (raw.program)(1);
    let changed = with(raw, &Prescription::ScaleLr { factor: 0.25 }).unwrap();
    assert_eq!(changed.rate, 0.25 * sick.rate);
    let changed = with(raw, &Prescription::ClipGradNorm { max_norm: 3.0 }).unwrap();
    assert_eq!(changed.clips, Some(3.0));
    let changed = with(raw, &Prescription::AverageWeights { decay: 0.9 }).unwrap();
    assert_eq!(changed.ema, Some(0.9));
    // Of mean 0 and deviation 1 on the training rows, and by the same numbers on the others.
    let scaled = with(raw, &Prescription::ScaleInputs).unwrap().data;
    let by_hand = sick.data.standard_inputs();
    for (one, other) in [
        (&scaled.train, &by_hand.train),
        (&scaled.valid, &by_hand.valid),
    ] {
        let numbers = one
            .inputs
            .iter()
            .flatten()
            .zip(other.inputs.iter().flatten());
        assert!(
            numbers
                .into_iter()
                .all(|(one, other)| (one - other).abs() < 1e-3)
        );
        assert_eq!(one.targets, other.targets);
    }
    // All that is frozen, or nothing.
    let named = |path: &str| Prescription::Unfreeze {
        paths: vec![path.to_owned()],
    };
    let parts = (frozen.program)(1).frozen;
    assert!(!parts.is_empty() && with(frozen, &named("elsewhere")).is_none());
    let all = Prescription::Unfreeze {
        paths: finding.paths.clone(),
    };
    assert!(with(frozen, &all).unwrap().frozen.is_empty());
    assert!(with(raw, &all).is_none());
    let width = (columns.program)(1).data.width();
    let removed = with(
        columns,
        &Prescription::RemoveInputs {
            features: vec![0, 2],
        },
    )
    .unwrap();
    assert_eq!(removed.data.width(), width - 2);
    let kept = &(columns.program)(1).data.train.inputs[0];
    assert_eq!(removed.data.train.inputs[0][..2], [kept[1], kept[3]]);
    let removed = Program {
        epochs: 1,
        ..removed
    };
    assert!(removed.run(1, &mut ()).result().valid_loss.is_finite());
}

#[test]
fn a_program_at_random_depends_on_its_seed_alone() {
    let text = |seed: u64| format!("{:?}", RandomProgram::new(seed));
    let texts: BTreeSet<_> = (0..20).map(text).collect();
    assert_eq!(texts.len(), 20);
    assert!((0..20).all(|seed| texts.contains(&text(seed))));
}

#[test]
fn a_fault_in_a_sound_program_at_random_is_seen() {
    let _alone = alone();
    for seed in SOUND {
        let sound = RandomProgram::new(seed);
        let judged = sound.judge(&sound.program.run(seed, &mut ()), seed);
        assert!(judged.is_sound(), "{seed}: {judged:?} {}", sound.text);
        let mut shuffled = sound.clone();
        shuffled.program.data.train.targets.rotate_left(7);
        let judged = shuffled.judge(&shuffled.program.run(seed, &mut ()), seed);
        assert!(!judged.is_sound(), "{seed}: {judged:?} {}", sound.text);
        // A rule of which nobody knows what it reaches is judged by other trainings, of which one is better than a standstill.
        let mut still = sound.clone();
        still.best = None;
        still.program.rate = 0.0;
        let judged = still.judge(&still.program.run(seed, &mut ()), seed);
        assert!(!judged.is_sound(), "{seed}: {judged:?} {}", sound.text);
    }
}

#[test]
fn the_core_has_thirty_kinds_of_fault_and_fifteen_healthy_networks() {
    let names: BTreeSet<_> = core_set().map(|(_, case)| case.name).collect();
    let kinds: BTreeSet<_> = core_set().map(|(kind, _)| kind).collect();
    assert_eq!((names.len(), kinds.len()), (45, 45));
    for (kind, case) in core_set() {
        let is_healthy = kind.starts_with("healthy: ");
        assert_eq!(case.is_healthy(), is_healthy, "{kind}: {}", case.name);
    }
    assert_eq!(core_set().filter(|(_, case)| case.is_healthy()).count(), 15);
}

#[test]
fn a_program_counts_by_most_of_its_seeds_and_as_cured_by_those_without_the_twin() {
    use CarriedOut::{ByHand, Configured, Edited, Rebuilt};
    let share = |of, all| Share { of, all };
    let counted = |seeds: [Option<(CarriedOut, bool)>; 3]| {
        let mut counts = TreatmentCounts::default();
        let helped = counts.count(&seeds);
        let is = [counts.with_twins, counts.cured].map(|share| {
            assert_eq!(share.all, 1, "one program");
            share.of == 1
        });
        (helped, is)
    };
    let yes = |how| Some((how, true));
    let no = |how| Some((how, false));
    for (seeds, expected) in [
        // The last seed does not decide.
        (
            [yes(ByHand), yes(ByHand), yes(Configured)],
            (3, [true, false]),
        ),
        (
            [yes(Configured), yes(Configured), yes(ByHand)],
            (3, [true, true]),
        ),
        (
            [yes(Configured), yes(Configured), no(ByHand)],
            (2, [true, true]),
        ),
        ([yes(Rebuilt), yes(Rebuilt), None], (2, [true, true])),
        ([None, None, yes(Configured)], (1, [false, false])),
        (
            [no(Configured), no(Configured), yes(Configured)],
            (1, [false, false]),
        ),
        // Two seeds in different ways.
        (
            [yes(Configured), yes(Edited), no(ByHand)],
            (2, [true, true]),
        ),
        (
            [yes(Configured), yes(ByHand), no(ByHand)],
            (2, [true, false]),
        ),
    ] {
        assert_eq!(counted(seeds), expected, "{seeds:?}");
    }
    // A program stands in the row of most of its seeds, and each run in its own.
    let mut counts = TreatmentCounts::default();
    counts.count(&[yes(Configured), no(Configured), yes(Edited)]);
    counts.count(&[yes(Rebuilt), yes(Rebuilt), None]);
    counts.count(&[yes(Configured), yes(Edited), yes(ByHand)]);
    let rows = CarriedOut::ALL.map(|way| (counts.programs(way), counts.runs(way)));
    let expected = [
        (share(0, 1), share(2, 3)),
        (share(1, 1), share(2, 2)),
        (share(0, 0), share(2, 2)),
        (share(0, 0), share(1, 1)),
    ];
    assert_eq!(rows, expected);
    assert_eq!(counts.not_carried_out, share(0, 1));
    assert_eq!(
        (counts.with_twins, counts.cured),
        (share(3, 3), share(3, 3))
    );
    // Four of five runs after a configuration or other layers, and one without a prescription.
    let tally = counts.tally();
    assert_eq!((tally.helped, tally.cured), (share(4, 6), share(3, 3)));
}

#[test]
fn a_floor_is_met_or_missed_and_says_by_how_much() {
    let run = |healthy: bool, accused: bool| Verdict {
        case: "mlp".to_owned(),
        seed: 1,
        healthy,
        shown: true,
        accused,
        named: accused,
        located: None,
        said: Vec::new(),
        fair: 0,
        ruled_out: Vec::new(),
    };
    let runs = [run(false, true), run(false, false), run(true, false)];
    let tally = Tally::of(&runs);
    let missed = |text: &str| text.parse::<Floor>().unwrap().missed(&tally);
    assert_eq!(missed("sensitivity=0.5"), None);
    let text = missed("sensitivity=0.51").unwrap();
    assert_eq!(
        text,
        "sensitivity is 1 of 2 (50 %), and should be 0.51 at least"
    );
    assert!(missed("named=1").is_some() && missed("specificity=1").is_none());
    // No run has a layer at fault, and nothing was said.
    assert!(missed("located=0").is_some() && missed("precision=0").is_some());
    assert!(missed("helped=0").is_some() && missed("cured=0").is_some());
    for (text, part) in [
        ("sensitivity", "`sensitivity` is not"),
        ("recall=1", "`recall` is none of sensitivity, named"),
        ("named=1.1", "`1.1`"),
        ("named=NaN", "`NaN`"),
        ("named=all", "`all`"),
    ] {
        let error = text.parse::<Floor>().unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}
