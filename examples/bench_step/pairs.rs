//! The optimizers that are timed.

use burn::optim::{self as burns, ModuleOptimizer, momentum::MomentumConfig};
use burn_tricks::optim::{self as ours, OptimizerExt as _};

/// An optimizer of both, and the bytes that a step must at least move per `f32` weight.
#[derive(Debug)]
pub(crate) struct Pair {
    /// Its name.
    pub(crate) name: &'static str,
    /// Ours.
    pub(crate) ours: fn() -> ModuleOptimizer,
    /// Burn's, or for a wrapper our own without it.
    pub(crate) burns: fn() -> ModuleOptimizer,
    /// Bytes per weight.
    pub(crate) bytes: f64,
}

/// Ours that Burn has too, with the same settings.
pub(crate) const PAIRS: [Pair; 7] = [
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
pub(crate) const FAMILY: [Pair; 3] = [
    Pair {
        name: "sign SGD",
        ours: || ours::NormalizedGradientConfig::new().init().unwrap(),
        burns: || burns::SgdConfig::new().init(),
        bytes: 12.0,
    },
    Pair {
        name: "normalised, per tensor",
        ours: || ours::NormalizedGradientConfig::per_tensor().init().unwrap(),
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

/// Its members with a norm of each tensor and a memory.
pub(crate) const FAMILY_OF_TENSORS: [Pair; 3] = [
    Pair {
        name: "AdaGrad-Norm",
        ours: || {
            ours::NormalizedGradientConfig::adagrad_norm()
                .init()
                .unwrap()
        },
        burns: || burns::SgdConfig::new().init(),
        // The norm, and a step.
        bytes: 16.0,
    },
    Pair {
        name: "layer-wise RMSProp",
        ours: || layer_wise_rms_prop().init().unwrap(),
        burns: || burns::SgdConfig::new().init(),
        bytes: 16.0,
    },
    Pair {
        name: "layer-wise RMSProp, momentum of updates",
        ours: || {
            layer_wise_rms_prop()
                .with_momentum(ours::MomentumMemory::OfUpdate { mu: 0.9 })
                .init()
                .unwrap()
        },
        burns: || burns::SgdConfig::new().init(),
        bytes: 24.0,
    },
];

fn layer_wise_rms_prop() -> ours::NormalizedGradientConfig {
    ours::NormalizedGradientConfig::rms_prop(0.9).with_scope(ours::NormScope::Tensor)
}

/// What Burn lacks, beside Burn's Adam or SGD.
pub(crate) const LACKING: [Pair; 7] = [
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
        // Two norms, and a step with momentum.
        bytes: 28.0,
    },
];

/// Wrappers around our Adam, and beside it.
pub(crate) const WRAPPERS: [Pair; 6] = [
    Pair {
        // At every step, so that each is one of those that synchronise: a pass over three tensors.
        name: "lookahead, k = 1",
        ours: || adam().lookahead(1, 0.5).unwrap().init(),
        burns: || adam().init(),
        bytes: 40.0,
    },
    Pair {
        // One pass over three tensors.
        name: "decoupled decay",
        ours: || adam().decoupled_weight_decay(0.01).unwrap().init(),
        burns: || adam().init(),
        bytes: 40.0,
    },
    Pair {
        name: "cautious",
        ours: || adam().cautious().init(),
        burns: || adam().init(),
        // Two reads of three tensors, and a write.
        bytes: 56.0,
    },
    Pair {
        name: "trust ratio",
        ours: || adam().trust_ratio().init(),
        burns: || adam().init(),
        // The difference, two norms, the step.
        bytes: 60.0,
    },
    Pair {
        name: "schedule-free",
        ours: || adam().schedule_free(0.9).unwrap().init(),
        burns: || adam().init(),
        // Three passes over three tensors.
        bytes: 64.0,
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
pub(crate) fn adam() -> ours::Adam {
    ours::AdamConfig::new().build().unwrap()
}

/// What it is timed beside.
pub(crate) fn other_name(name: &str) -> String {
    let burns = match name {
        "sign SGD"
        | "normalised, per tensor"
        | "AdaGrad-Norm"
        | "layer-wise RMSProp"
        | "layer-wise RMSProp, momentum of updates"
        | "Signum"
        | "LARS" => "SGD",
        "normalised, Adam's corner" | "NAdam" | "RAdam" | "Adamax" | "AdaDelta" | "AdaBelief" => {
            "Adam"
        }
        name => name,
    };
    format!("Burn's {burns}")
}
