//! No schedule, average, criterion, optimizer, wrapper, transform or trick is without its laws: what the crates define
//! is searched for in the tables.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The tables of laws.
const LAWS: &str = include_str!("laws.rs");
const OPTIMIZERS: &str = include_str!("laws_optimizers.rs");
const TRANSFORMS: &str = include_str!("laws_transforms.rs");
const SCHEDULES: &str = include_str!("schedules_laws.rs");

/// What `gpu_check` trains with.
const ON_A_GPU: [&str; 2] = [
    include_str!("../gpu_check/cases.rs"),
    include_str!("../../examples/bench_step/pairs.rs"),
];

/// What `gpu_check` calls otherwise: layers, losses, scalers, changes of batches, models made of others.
const MODULES_ON_A_GPU: [&str; 4] = [
    include_str!("../gpu_check/modules.rs"),
    include_str!("../gpu_check/models.rs"),
    include_str!("../gpu_check/compare.rs"),
    include_str!("../../examples/src/additions.rs"),
];

/// The source without its comments, its imports and its tests.
fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut statements = text.split("\nuse ");
    let mut code = statements.next().unwrap_or_default().to_owned();
    for rest in statements {
        code.push('\n');
        code.push_str(rest.split_once(';').map_or("", |(_, after)| after));
    }
    code
}

fn words(text: &str) -> Vec<String> {
    let parts = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    parts
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names of the types for which a crate implements one of `traits`, and of those of its macros that define one.
fn implementors(crate_name: &str, traits: &[&str], macros: &[&str]) -> BTreeSet<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    sources(
        &workspace.join(format!("crates/burn-tricks-{crate_name}/src")),
        &mut files,
    );
    let mut names = BTreeSet::new();
    for file in files {
        let code = code(&std::fs::read_to_string(file).expect("a source"));
        for part in code.split("\nimpl").skip(1) {
            let header = part.split('{').next().unwrap_or_default();
            let Some((of, name)) = header.rsplit_once(" for ") else {
                continue;
            };
            let of = of.rsplit("> ").next().unwrap_or(of);
            let of = of.split('<').next().unwrap_or(of).trim();
            if traits.contains(&of)
                && let Some(name) = words(name).first()
            {
                names.insert(name.clone());
            }
        }
        for name in macros {
            for part in code.split(&format!("\n{name}!")).skip(1) {
                names.extend(words(part).first().cloned());
            }
        }
    }
    names
}

/// Whether the code of a table names the type: itself, its configuration, or its constructor's method in a call.
fn is_named(name: &str, table: &str) -> bool {
    let bare = ["Wrap", "Rule", "Config", "Trick"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    let mut method = String::new();
    for letter in bare.chars() {
        if letter.is_uppercase() && !method.is_empty() {
            method.push('_');
        }
        method.extend(letter.to_lowercase());
    }
    let (config, bare_config) = (format!("{name}Config"), format!("{bare}Config"));
    let types = [name, bare, &config, &bare_config];
    words(table).iter().any(|word| types.contains(&&**word))
        || table.contains(&format!(".{method}("))
}

/// A crate, the traits of a kind, the macros that implement them, the least number of types, and their table of laws.
type Kind<'a> = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    usize,
    &'a str,
);

#[test]
fn everything_that_is_defined_is_in_a_table_of_laws() {
    // What is not checked under its own name, and why.
    let elsewhere = [
        ("RuleOptimizer", "each rule is"),
        ("Wrapper", "each wrap is"),
        (
            "ProdigyAdam",
            "it steps only behind `Prodigy`: see `prodigy`",
        ),
        ("AverageRule", "a shared rule is the rule"),
        ("Arc", "a shared rule is the rule"),
        ("Option", "`Some` and `None` of a kind are in its table"),
        ("A", "a tuple: pairs and a stack of four are in its table"),
        (
            "Added",
            "what a closed-form schedule of Burn's becomes: `of_burn`",
        ),
        ("RepeatSkipped", "`repeating_skipped` makes it"),
        (
            "GroupLr",
            "`GroupLrConfig` makes one for each group: see `schedules_groups`",
        ),
        ("ReduceOnPlateau", "`reduced_on_plateau` makes it"),
    ];
    let kinds: [Kind<'_>; 9] = [
        ("optim", &["Rule", "Optimizer"], &[], 13, OPTIMIZERS),
        ("optim", &["Wrap"], &[], 6, OPTIMIZERS),
        (
            "grad",
            &["GradientTransform"],
            &["transforms_in_order"],
            17,
            TRANSFORMS,
        ),
        ("grad", &["Optimizer"], &[], 1, OPTIMIZERS),
        (
            "train",
            &["Trick"],
            &["transform_is_a_trick", "tricks_in_order"],
            30,
            LAWS,
        ),
        ("train", &["LrScheduler"], &[], 1, SCHEDULES),
        ("average", &["AverageRule"], &[], 4, LAWS),
        ("stop", &["StopCriterion"], &["several"], 6, LAWS),
        (
            "schedule",
            &["LrScheduler"],
            &["steps_along_its_curve"],
            19,
            SCHEDULES,
        ),
    ];
    let missing = missing(&kinds, &elsewhere);
    assert!(missing.is_empty(), "no law is checked for {missing:#?}");
}

#[test]
fn everything_that_acts_in_a_step_is_checked_on_a_gpu() {
    let elsewhere = [
        ("RuleOptimizer", "each rule is"),
        ("Wrapper", "each wrap is"),
        (
            "ProdigyAdam",
            "it steps only behind `Prodigy`: see `prodigy`",
        ),
        ("AverageRule", "a shared rule is the rule"),
        ("Arc", "a shared rule is the rule"),
        ("Option", "`Some` of a trick is the trick"),
        ("A", "a tuple: the stacks are made of them"),
        ("Box", "a boxed trick is the trick"),
        ("NoTransform", "it does nothing"),
        ("Average", "each rule is"),
        ("RollBackTrick", "at the end of an epoch"),
        ("SnapshotTrick", "at the end of an epoch"),
        ("GradualUnfreezing", "at the end of an epoch"),
        ("SaveBest", "at the end of an epoch"),
        ("ScheduledDropout", "it sets a number on the host"),
    ];
    let table = ON_A_GPU.concat();
    let kinds: [Kind<'_>; 5] = [
        ("optim", &["Rule", "Optimizer"], &[], 13, &table),
        ("optim", &["Wrap"], &[], 6, &table),
        (
            "grad",
            &["GradientTransform"],
            &["transforms_in_order"],
            17,
            &table,
        ),
        (
            "train",
            &["Trick"],
            &["transform_is_a_trick", "tricks_in_order"],
            30,
            &table,
        ),
        ("average", &["AverageRule"], &[], 4, &table),
    ];
    let missing = missing(&kinds, &elsewhere);
    assert!(
        missing.is_empty(),
        "no case in `gpu_check` for {missing:#?}"
    );
}

/// Whatever is made of a configuration that the prelude, or the crate of layers or of data, exports.
#[test]
fn every_layer_and_whatever_the_prelude_names_is_checked_on_a_gpu() {
    let elsewhere = [
        ("ResidualConfig", "a `ResNet` is made of them"),
        ("InceptionBlockConfig", "an `Inception` is made of them"),
        ("EpochLoaderConfig", "it orders samples on the host"),
        ("WarmupConfig", "a schedule: numbers on the host"),
        ("CosineConfig", "a schedule: numbers on the host"),
        ("OneCycleConfig", "a schedule: numbers on the host"),
        ("ExponentialDecayConfig", "a schedule: numbers on the host"),
        ("PlateauConfig", "a schedule: numbers on the host"),
        ("EarlyStoppingConfig", "it sees metrics on the host"),
    ];
    let facade = include_str!("../../crates/burn-tricks/src/lib.rs");
    let (_, prelude) = facade.split_once("pub mod prelude {").expect("a prelude");
    let layers = include_str!("../../crates/burn-tricks-nn/src/lib.rs");
    let data = include_str!("../../crates/burn-tricks-data/src/lib.rs");
    let exported = [prelude, layers, data].into_iter().flat_map(words);
    let exported: BTreeSet<_> = exported
        .filter(|name| name.ends_with("Config") && name != "Config")
        .collect();
    assert!(exported.len() >= 40, "only {exported:?}");
    let used: Vec<_> = ON_A_GPU
        .iter()
        .chain(&MODULES_ON_A_GPU)
        .flat_map(|source| words(&code(source)))
        .collect();
    let is_elsewhere = |name: &str| elsewhere.iter().any(|(other, _)| *other == name);
    let missing: Vec<_> = exported
        .iter()
        .filter(|name| !used.contains(name) && !is_elsewhere(name))
        .collect();
    assert!(
        missing.is_empty(),
        "no case in `gpu_check` for {missing:#?}"
    );
    let needless = elsewhere
        .iter()
        .filter(|(name, _)| !exported.contains(*name) || used.iter().any(|used| used == name));
    let needless: Vec<_> = needless.collect();
    assert!(needless.is_empty(), "exempt without need: {needless:#?}");
}

/// What the crates define and the tables do not name.
fn missing(kinds: &[Kind<'_>], elsewhere: &[(&str, &str)]) -> Vec<String> {
    let mut missing = Vec::new();
    for &(crate_name, traits, macros, least, table) in kinds {
        let table = code(table);
        let found = implementors(crate_name, traits, macros);
        assert!(
            found.len() >= least,
            "only {} of {traits:?} in {crate_name}: {found:?}",
            found.len()
        );
        for name in found {
            let exempt = elsewhere.iter().any(|(other, _)| *other == name);
            if !exempt && !is_named(&name, &table) {
                missing.push(format!("{name} ({traits:?} of burn-tricks-{crate_name})"));
            }
        }
    }
    missing
}
