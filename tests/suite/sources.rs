//! Where sources disagree: the guide's page names values that are there, and every preset that is named after a source
//! can be made.

use crate::oracle::case;
use burn::tensor::{DType, Device};
use burn_tricks::average::*;
use burn_tricks::data::RandomErasingConfig;
use burn_tricks::grad::*;
use burn_tricks::optim::*;
use burn_tricks::schedule::*;
use burn_tricks::stop::*;
use burn_tricks::{Goal, MinDelta};
use burn_tricks_testkit::Weights;
use std::path::Path;

const PAGE: &str = include_str!("../../crates/burn-tricks/src/guide/sources.md");

/// The rows of the tables of a page, cell by cell.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    page.lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| {
            let line = line.trim_matches('|');
            line.split(" | ").map(str::trim).collect()
        })
}

#[test]
fn the_values_that_the_page_of_sources_names_are_there() {
    let mut named = 0;
    let (here, without) = PAGE.split_once("# What has no reference values").unwrap();
    for row in rows(here).filter(|row| row[0] != "what differs" && row[0] != "---") {
        let [_, _, _, values] = row[..] else {
            panic!("four cells: {row:?}");
        };
        for value in values.split('`').filter(|part| part.contains('.')) {
            let (group, name) = value.split_once('.').unwrap();
            case(group, name); // fails where there is none
            named += 1;
        }
        assert!(values.contains('`'), "no values for {row:?}");
    }
    let differences = rows(here).count() - 2 * here.matches("| what differs").count();
    assert_eq!((differences, rows(without).count() - 2), (32, 2));
    assert!(named > 50, "{named}");
}

/// Names of libraries, papers and programs, and of the rules of the teaching text, by which presets are called.
const SOURCES: [&str; 16] = [
    "torch",
    "torchvision",
    "keras",
    "optax",
    "optax_linear",
    "timm",
    "lightning",
    "paper",
    "classical_momentum",
    "to_unit_norm",
    "per_tensor",
    "nano_gpt",
    "hugging_face",
    "davda54",
    "asam",
    "lars",
];

/// Every preset of these crates that is named after a source, as `Config::preset`.
fn defined() -> Vec<String> {
    let mut presets = Vec::new();
    for name in ["average", "data", "grad", "optim", "schedule", "stop"] {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut folders = vec![workspace.join(format!("crates/burn-tricks-{name}/src"))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let mut config = String::new();
                for line in std::fs::read_to_string(path).unwrap().lines() {
                    if let Some(name) = line.strip_prefix("impl ") {
                        config = name.trim_end_matches(" {").to_owned();
                    }
                    let function = line.trim_start().strip_prefix("pub fn ");
                    let function = function.and_then(|rest| rest.split_once('('));
                    if let Some((function, _)) = function
                        && SOURCES.contains(&function)
                    {
                        presets.push(format!("{config}::{function}"));
                    }
                }
            }
        }
    }
    presets
}

#[test]
fn every_preset_that_is_named_after_a_source_can_be_made() {
    let model = Weights::new(1, DType::F32, &Device::flex());
    let mut made = Vec::new();
    macro_rules! made {
        ($($config:ident::$preset:ident($($setting:expr),*) => $init:ident($($with:expr),*);)*) => {$(
            let preset = $config::$preset($($setting),*);
            let name = concat!(stringify!($config), "::", stringify!($preset));
            assert!(preset.$init($($with),*).is_ok(), "{name}");
            made.push(name.to_owned());
        )*};
    }
    made! {
        AdamConfig::torch() => build();
        AdamConfig::keras() => build();
        AdamConfig::optax() => build();
        AdamWConfig::torch() => build();
        AdamWConfig::keras() => build();
        AdamWConfig::optax() => build();
        AdaGradConfig::torch() => build();
        AdaGradConfig::keras() => build();
        AdaGradConfig::optax() => build();
        AdaDeltaConfig::paper() => build();
        AdaDeltaConfig::torch() => build();
        AdaDeltaConfig::keras() => build();
        AdamaxConfig::torch() => build();
        AdamaxConfig::keras() => build();
        AdamaxConfig::optax() => build();
        LarsConfig::paper() => build();
        LarsConfig::timm() => build();
        NAdamConfig::torch() => build();
        NAdamConfig::keras() => build();
        NAdamConfig::optax() => build();
        NormalizedGradientConfig::per_tensor() => build();
        RAdamConfig::torch() => build();
        RAdamConfig::optax() => build();
        RmsPropConfig::torch() => build();
        SgdConfig::torch() => build();
        SgdConfig::classical_momentum() => build();
        AutoClipConfig::paper() => init();
        ClipGradNormConfig::torch(1.0) => init();
        ClipGradNormConfig::keras(1.0) => init();
        ClipGradNormConfig::to_unit_norm(1.0) => init();
        SamConfig::asam() => init();
        SamConfig::davda54() => init();
        EmaConfig::torch(0.9) => init(&model);
        EmaConfig::keras(0.9) => init(&model);
        EmaConfig::timm(0.9) => init(&model);
        EmaConfig::optax(0.9) => init(&model);
        OneCycleConfig::torch(0.1, 10) => init();
        OneCycleConfig::optax(0.1, 10) => init();
        OneCycleConfig::optax_linear(0.1, 10) => init();
        PlateauConfig::torch(Goal::Minimize) => init();
        PlateauConfig::keras(Goal::Minimize) => init();
        PlateauConfig::optax() => init();
        EarlyStoppingConfig::keras(Goal::Minimize) => init();
        EarlyStoppingConfig::lightning(Goal::Minimize) => init();
        RandomErasingConfig::torchvision() => init();
        RandomErasingConfig::timm() => init();
    }
    // Those that have nothing to check when they are made.
    assert_eq!(RecalibrationConfig::torch().rule, BatchRule::Cumulative);
    made.push("RecalibrationConfig::torch".to_owned());
    for (name, config) in [
        ("timm", SelectiveDecayConfig::timm()),
        ("nano_gpt", SelectiveDecayConfig::nano_gpt()),
        ("hugging_face", SelectiveDecayConfig::hugging_face()),
    ] {
        assert_ne!(
            format!("{config:?}"),
            format!("{:?}", SelectiveDecayConfig::new())
        );
        made.push(format!("SelectiveDecayConfig::{name}"));
    }
    assert_ne!(
        TrustRatioConfig::lars().coefficient,
        TrustRatioConfig::new().coefficient
    );
    made.push("TrustRatioConfig::lars".to_owned());
    let mut missing = defined();
    assert!(missing.len() > 30, "{missing:?}");
    missing.retain(|preset| !made.contains(preset));
    assert!(missing.is_empty(), "not made here: {missing:#?}");
}

#[test]
fn presets_have_the_numbers_of_their_sources() {
    let adam = AdamConfig::keras();
    assert_eq!(
        (adam.epsilon, adam.epsilon_form),
        (1e-7, AdamEpsilon::ToPlainRoot)
    );
    assert_eq!(AdamConfig::torch().epsilon, 1e-8);
    assert_eq!(AdamConfig::new().epsilon, 1e-5);
    let decays = [
        AdamWConfig::torch(),
        AdamWConfig::keras(),
        AdamWConfig::optax(),
    ];
    assert_eq!(decays.map(|config| config.weight_decay), [1e-2, 4e-3, 1e-4]);
    assert_eq!(TrustRatioConfig::lars().coefficient, 1e-3);
    let clip = AutoClipConfig::paper();
    assert_eq!((clip.percentile, clip.history), (10.0, 1_000_000));
    assert_eq!(ClipGradNormConfig::torch(1.0).epsilon, 1e-6);
    assert_eq!(ClipGradNormConfig::keras(1.0).scope, NormScope::Tensor);
    let torch = EmaConfig::torch(0.9);
    assert_eq!(
        (torch.warmup, torch.buffers),
        (EmaWarmup::FirstUpdateCopies, Buffers::Copy)
    );
    assert_eq!(EmaConfig::keras(0.9), EmaConfig::torch(0.9));
    assert_eq!(EmaConfig::timm(0.9).warmup, EmaWarmup::None);
    assert_eq!(EmaConfig::optax(0.9).warmup, EmaWarmup::BiasCorrected);
    let plateau = PlateauConfig::torch(Goal::Minimize);
    assert_eq!(plateau.patience, Patience::Exceeded(10));
    let plateau = PlateauConfig::keras(Goal::Minimize);
    assert_eq!(plateau.min_delta, MinDelta::Absolute(1e-4));
}

/// The configurations that a crate exports.
fn exported(lib: &str) -> Vec<&str> {
    let words = lib.split(|letter: char| !letter.is_alphanumeric());
    let mut configs: Vec<&str> = words.filter(|word| word.ends_with("Config")).collect();
    configs.retain(|word| *word != "Config");
    configs
}

#[test]
fn the_guide_names_every_optimizer_wrapper_and_transform() {
    const OPTIM: &str = include_str!("../../crates/burn-tricks-optim/src/lib.rs");
    const GRAD: &str = include_str!("../../crates/burn-tricks-grad/src/lib.rs");
    const CHOOSING: &str = include_str!("../../crates/burn-tricks/src/guide/choosing.md");
    const PEERS: &str = include_str!("../../crates/burn-tricks/src/guide/from_other_libraries.md");
    let names = |page: &str, name: &str| {
        let mut words = page.split(|letter: char| !letter.is_alphanumeric());
        words.any(|word| word == name)
    };
    let (optimizers, transforms) = (exported(OPTIM), exported(GRAD));
    assert!(optimizers.len() > 18 && transforms.len() > 12);
    for name in optimizers.iter().chain(["Scheduled"].iter()) {
        // It chooses groups of parameters, not a step.
        let is_step = *name != "SelectiveDecayConfig";
        assert!(
            !is_step || names(CHOOSING, name),
            "choosing.md lacks {name}"
        );
        assert!(names(PEERS, name), "from_other_libraries.md lacks {name}");
    }
    for name in transforms
        .iter()
        .chain(["StepGuard", "NormsByPath", "Only"].iter())
    {
        assert!(names(PEERS, name), "from_other_libraries.md lacks {name}");
    }
    for name in ["ProdigyConfig", "PolyakStepConfig", "SamConfig"] {
        assert!(names(CHOOSING, name), "choosing.md lacks {name}");
    }
}
