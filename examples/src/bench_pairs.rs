//! The optimizers that `bench_step` times.

use burn::optim::{self as burns, ModuleOptimizer, momentum::MomentumConfig};
use burn_tricks::optim as ours;

/// An optimizer of both, and the bytes that a step must at least move per `f32` weight.
#[derive(Debug)]
pub struct Pair {
    /// Its name.
    pub name: &'static str,
    /// Ours.
    pub ours: fn() -> ModuleOptimizer,
    /// Burn's.
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

/// What Burn calls it.
pub fn burns_name(name: &str) -> &str {
    match name {
        "sign SGD" | "normalised, per tensor" => "SGD",
        "normalised, Adam's corner" => "Adam",
        name => name,
    }
}
