//! The clinic: training programs with a known fault, and healthy ones that look as if they had one.
//!
//! Each is a [`Case`]: a [`Program`] in a few lines, its story with its source, and what a doctor should
//! find. [`Program::run`] trains it while a [`Watch`] looks on.

mod case;
mod cases;
mod core_set;
pub mod data;
mod edit;
mod examination;
mod floor;
pub mod layer;
pub mod loss;
mod net;
mod penalty;
mod program;
mod random;
mod random_data;
mod run;
mod scores;
mod slips;
mod treatment;
mod treatment_counts;
mod verdict;

pub use case::{Case, Expect, Half, Origin, Seen};
pub use cases::cases;
pub use core_set::core_set;
pub use examination::{Examined, examine};
pub use floor::Floor;
pub use net::{Activation, Block, Image, Net, NoTap, Recurrent, Tap};
pub use program::{Precision, Pretrained, Program, Rule, Validation};
pub use random::{Judged, RandomProgram};
pub use run::{Epoch, Outcome, Step, Watch};
pub use treatment::{CarriedOut, treated};
pub use treatment_counts::TreatmentCounts;
pub use verdict::{Share, Tally, Verdict};
