//! The optimizers that `bench_step` times.

use burn::optim::{self as burns, ModuleOptimizer, momentum::MomentumConfig};
use burn_tricks::optim::{self as ours, OptimizerExt as _};

/// An optimizer of both, and the bytes that a step must at least move per `f32` weight.
#[derive(Debug)]
pub struct Pair {
    /// Its name.
    pub name: &'static str,
    /// Ours.
    pub ours: fn() -> ModuleOptimizer,
    /// Burn's, or for a wrapper our own without it.
    pub burns: fn() -> ModuleOptimizer,
    /// Bytes per weight.
    pub bytes: f64,
}

/// Ours that Burn has too, with the same settings.
pub const PAIRS: [Pair; 7] = [
    Pair {
        name: "SGD",
        ours: || ours::SgdConfig::new().init().unwrap(),
        burns: || burns::SgdConfig::new().init(),
        bytes: 12.0,
    },
    Pair {
        name: "SGD, momentum",
        ours: || {
            ours::SgdConfig::new()
                .with_momentum(Some(MomentumConfig::new()))
                .init()
                .unwrap()
        },
        burns: || {
            burns::SgdConfig::new()
                .with_momentum(Some(MomentumConfig::new()))
                .init()
        },
        bytes: 20.0,
    },
    Pair {
        name: "AdaGrad",
        ours: || ours::AdaGradConfig::new().init().unwrap(),
        burns: || burns::AdaGradConfig::new().init(),
        bytes: 20.0,
    },
    Pair {
        name: "RMSProp",
        ours: || {
            ours::RmsPropConfig::new()
                .with_momentum(0.0)
                .init()
                .unwrap()
        },
        burns: || burns::RmsPropConfig::new().with_momentum(0.0).init(),
        bytes: 20.0,
    },
    Pair {
        name: "RMSProp, momentum",
        ours: || ours::RmsPropConfig::new().init().unwrap(),
        burns: || burns::RmsPropConfig::new().init(),
        bytes: 28.0,
    },
    Pair {
        name: "Adam",
        ours: || ours::AdamConfig::new().init().unwrap(),
        burns: || burns::AdamConfig::new().init(),
        bytes: 28.0,
    },
    Pair {
        name: "AdamW",
        ours: || ours::AdamWConfig::new().init().unwrap(),
        burns: || burns::AdamWConfig::new().init(),
        bytes: 28.0,
    },
];

/// The normalised-gradient family, beside the nearest that Burn has.
pub const FAMILY: [Pair; 3] = [
    Pair {
        name: "sign SGD",
        ours: || ours::NormalizedGradientConfig::new().init().unwrap(),
        burns: || burns::SgdConfig::new().init(),
        bytes: 12.0,
    },
    Pair {
        name: "normalised, per tensor",
        ours: || ours::NormalizedGradientConfig::lesson().init().unwrap(),
        burns: || burns::SgdConfig::new().init(),
        bytes: 16.0,
    },
    Pair {
        name: "normalised, Adam's corner",
        ours: || ours::NormalizedGradientConfig::adam().init().unwrap(),
        burns: || burns::AdamConfig::new().init(),
        bytes: 28.0,
    },
];

/// What Burn lacks, beside Burn's Adam or SGD, and wrappers beside what they are around.
pub const LACKING: [Pair; 14] = [
    Pair {
        name: "NAdam",
        ours: || ours::NAdamConfig::new().init().unwrap(),
        burns: || burns::AdamConfig::new().init(),
        bytes: 28.0,
    },
    Pair {
        name: "RAdam",
        ours: || ours::RAdamConfig::new().init().unwrap(),
        burns: || burns::AdamConfig::new().init(),
        bytes: 28.0,
    },
    Pair {
        name: "Adamax",
        ours: || ours::AdamaxConfig::new().init().unwrap(),
        burns: || burns::AdamConfig::new().init(),
        bytes: 28.0,
    },
    Pair {
        name: "AdaDelta",
        ours: || ours::AdaDeltaConfig::new().init().unwrap(),
        burns: || burns::AdamConfig::new().init(),
        bytes: 28.0,
    },
    Pair {
        name: "AdaBelief",
        ours: || ours::AdaBeliefConfig::new().init().unwrap(),
        burns: || burns::AdamConfig::new().init(),
        bytes: 28.0,
    },
    Pair {
        name: "Signum",
        ours: || ours::SignumConfig::new().init().unwrap(),
        burns: || burns::SgdConfig::new().init(),
        bytes: 20.0,
    },
    Pair {
        name: "LARS",
        ours: || ours::LarsConfig::new().init().unwrap(),
        burns: || burns::SgdConfig::new().init(),
        bytes: 48.0,
    },
    Pair {
        name: "lookahead",
        ours: || adam().lookahead(5, 0.5).unwrap().init(),
        burns: || adam().init(),
        bytes: 32.0,
    },
    Pair {
        name: "decoupled decay",
        ours: || adam().decoupled_weight_decay(0.01).unwrap().init(),
        burns: || adam().init(),
        bytes: 40.0,
    },
    Pair {
        name: "cautious",
        ours: || adam().cautious().init(),
        burns: || adam().init(),
        bytes: 52.0,
    },
    Pair {
        name: "trust ratio",
        ours: || adam().trust_ratio().init(),
        burns: || adam().init(),
        bytes: 60.0,
    },
    Pair {
        name: "schedule-free",
        ours: || adam().schedule_free(0.9).unwrap().init(),
        burns: || adam().init(),
        bytes: 72.0,
    },
    Pair {
        name: "master weights",
        ours: || adam().master_weights().init(),
        burns: || adam().init(),
        bytes: 28.0,
    },
    Pair {
        name: "scheduled",
        ours: || {
            ours::Scheduled::build(|_| ours::AdamConfig::new().build())
                .unwrap()
                .init()
        },
        burns: || adam().init(),
        bytes: 28.0,
    },
];

/// What the wrappers are around.
fn adam() -> ours::Adam {
    ours::AdamConfig::new().build().unwrap()
}

/// What it is timed beside.
pub fn other_name(name: &str) -> String {
    let burns = match name {
        "sign SGD" | "normalised, per tensor" | "Signum" | "LARS" => "SGD",
        "normalised, Adam's corner" | "NAdam" | "RAdam" | "Adamax" | "AdaDelta" | "AdaBelief" => {
            "Adam"
        }
        "lookahead" | "decoupled decay" | "cautious" | "trust ratio" | "schedule-free"
        | "master weights" | "scheduled" => return "our Adam".to_owned(),
        name => name,
    };
    format!("Burn's {burns}")
}
