#![doc = include_str!("../README.md")]

/// Makes an error's `Debug` the text of its `Display`, so that `unwrap` and `main` print the sentence.
macro_rules! as_displayed {
    ($error:ty) => {
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

mod ablate;
mod campaign;
mod changes;
mod claims;
mod comparison;
mod float;
mod outcome;
mod program;
mod report;
mod runner;
mod statistics;
mod store;
mod tune;

/// The version of clap whose traits [`main_with`] takes.
pub use clap;

pub use ablate::{
    ablation::ablation,
    combine::{CombineRecipesError, combine},
    interactions::{Interaction, Interactions, InteractionsError, factorial},
};
pub use campaign::{Campaign, CampaignError};
pub use claims::{
    claim::{Claim, ClaimRow, Expected},
    finding::{ClaimError, ClaimFinding, Conclusion, NotCompared, RowFinding},
};
pub use comparison::{
    answer::{Answer, Effect, Unit},
    arm::Arm,
    comparison::{Comparison, Row, Speed},
    error::CompareError,
    plan::{Plan, PlannedRun},
    stability::Stability,
    verdict::Verdict,
};
pub use outcome::{
    examination::{Examination, ExaminationFinding},
    metric::{Better, QualityMetric, Scale},
    protocol::{Protocol, ProtocolError},
    recipe::Recipe,
    run::{Arrival, Cost, FailedRun, Point, Quality, RUN_PREFIX, TrainingRun},
};
pub use program::{
    lab::LabOptions,
    main::{main, main_with},
    options::Options,
    reporter::Reporter,
    study::Study,
};
pub use report::html::page::PageInfo;
pub use runner::runner::{Job, JobResults, Runner, worker_command};
pub use statistics::{
    bootstrap::bootstrap_95,
    family::{Family, Reading},
    holm::holm,
    interval::Interval,
    looks::{ALPHA, Looks, LooksError, TooFewSeeds, least_seeds},
    moments::{interquartile_mean, mean, probability_of_improvement, sample_sd},
    paired_test::{PairedTest, equivalence_p, paired_test, paired_test_to_level},
    proportions::{mcnemar_p, share_upper_bound},
    sign_flips::{sign_flip_p, sign_flip_p_greater},
};
pub use store::{
    lines::UnreadableLine,
    merge::{Merged, merge},
    program_hash::program_hash,
    shard::{Shard, ShardError},
    store::{Store, StoreError},
};
pub use tune::{
    error::TuningError,
    tuned::{Candidate, Tuned, TunedArm},
    tuning::Tuning,
};
