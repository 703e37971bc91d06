//! The prelude next to all public modules of Burn: a name that both export would be ambiguous, and this file
//! would not compile.

use std::collections::BTreeSet;

/// Imports each name from the scope that all globs share, and lists it.
macro_rules! unambiguous {
    ($($name:ident),* $(,)?) => {
        #[deny(ambiguous_glob_imports, ambiguous_glob_reexports)]
        #[allow(unused_imports, reason = "to resolve the names is the test")]
        mod with_all_of_burn {
            use burn::backend::*;
            use burn::config::*;
            use burn::data::dataloader::batcher::*;
            use burn::data::dataloader::*;
            use burn::data::dataset::transform::*;
            use burn::data::dataset::*;
            use burn::grad_clipping::*;
            use burn::lr_scheduler::{
                composed::*, constant::*, cosine::*, exponential::*, linear::*, module_lr_scheduler::*,
                noam::*, sequential::*, step::*, *,
            };
            use burn::module::*;
            use burn::nn::{
                activation::*, attention::*, cache::*, conv::*, interpolate::*, loss::*, norm::*, pool::*,
                transformer::*, *,
            };
            use burn::optim::{decay::*, momentum::*, *};
            use burn::prelude::*;
            use burn::store::*;
            use burn::tensor::{
                activation::*, container::*, grid::*, loss::*, module::*, ops::*, quantization::*, *,
            };
            use burn::train::{
                checkpoint::*, logger::*, metric::state::*, metric::store::*, metric::*, renderer::*, *,
            };
            use burn::*;
            use burn_tricks::prelude::*;

            $(use self::$name as _;)*
        }

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

unambiguous!(
    Checkpoints,
    ClipGradNormConfig,
    CosineConfig,
    DropPathConfig,
    EarlyStoppingConfig,
    EmaConfig,
    EnsembleConfig,
    EpochClock,
    EpochLoaderConfig,
    ExponentialDecayConfig,
    Goal,
    InitWeightsConfig,
    MaxNormConfig,
    NormalizeGradConfig,
    NormalizedGradientConfig,
    OneCycleConfig,
    PenaltyConfig,
    PlateauConfig,
    RecalibrationConfig,
    Run,
    ScalerConfig,
    Session,
    StepGuard,
    StopWithBest,
    SwaConfig,
    Trick,
    WarmupConfig,
    WeightNormConfig,
    force_init,
    seeded,
);

/// The names that the source of the prelude re-exports, without those of traits that are left unnamed.
fn exported() -> BTreeSet<&'static str> {
    let source = include_str!("../../crates/burn-tricks/src/lib.rs");
    let (_, prelude) = source.split_once("pub mod prelude {").unwrap();
    let (prelude, _) = prelude.split_once("\n}").unwrap();
    let imports = prelude.split("pub use ").skip(1);
    imports
        .map(|import| import.split_once(';').unwrap().0)
        .flat_map(|import| import.rsplit("::").next().unwrap().split([',', '{', '}']))
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.ends_with(" as _"))
        .collect()
}

#[test]
fn no_name_is_one_of_burns() {
    assert_eq!(exported(), NAMES.iter().copied().collect());
}

#[test]
fn the_prelude_stays_small_and_each_name_is_in_its_table() {
    assert!(NAMES.len() <= 30, "{}", NAMES.len());
    let source = include_str!("../../crates/burn-tricks/src/lib.rs");
    let (docs, _) = source.split_once("pub mod prelude {").unwrap();
    let table: String = (docs.lines())
        .filter(|line| line.starts_with("/// |"))
        .collect();
    for name in NAMES {
        assert!(
            table.contains(&format!("`{name}`")),
            "{name} is not in the table"
        );
    }
}

/// The methods of our schedules and of Burn's are there without another import.
#[test]
fn a_schedule_of_ours_and_of_burn_steps_with_the_prelude_alone() {
    use burn::lr_scheduler::linear::LinearLrSchedulerConfig;
    use burn_tricks::prelude::*;

    let mut ours = CosineConfig::new(1.0, 2)
        .init()
        .unwrap()
        .at_least(0.25)
        .unwrap();
    let burns = LinearLrSchedulerConfig::new(1.0, 0.5, 2).init().unwrap();
    let mut burns = burns.at_least(0.8).unwrap();
    assert_eq!((ours.step(), ours.step(), ours.step()), (1.0, 0.5, 0.25));
    assert_eq!((burns.step(), burns.step()), (1.0, 0.8));
}
