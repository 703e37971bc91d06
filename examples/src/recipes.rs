//! The recipes that `compare` compares: each a single change from a named baseline.

use crate::mlp::Init;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdaGradConfig, AdamConfig, ModuleOptimizer, RmsPropConfig, SgdConfig};
use burn_tricks::ConfigError;
use burn_tricks::prelude::*;

/// All that distinguishes one way of training from another.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Whether pixels are scaled to [0, 1].
    pub scale_inputs: bool,
    /// How the weights start.
    pub init: Init,
    /// Whether batch norm follows each hidden layer's weights.
    pub batch_norm: bool,
    /// The share of hidden activations dropped.
    pub dropout: f64,
    /// Makes the optimizer.
    pub optimizer: fn() -> Result<ModuleOptimizer, ConfigError>,
    /// The learning rate, or its first value.
    pub learning_rate: f64,
    /// The factor of the learning rate per epoch.
    pub gamma: f64,
    /// The threshold of clipping over the whole model.
    pub clip: Option<f64>,
    /// Whether the gradient of the whole model is normalised.
    pub normalize: bool,
    /// The checks without improvement after which to stop and take the best weights.
    pub patience: Option<usize>,
    /// The number of models averaged.
    pub members: usize,
}

/// The learning rate of plain SGD.
const LEARNING_RATE: f64 = 0.1;
/// A learning rate at which plain SGD is unstable on the digits.
const TOO_HIGH: f64 = 1.0;
/// Samples in a batch.
pub const BATCH_SIZE: usize = 32;

impl Setup {
    /// Plain SGD on scaled inputs, with Burn's own initial weights.
    fn baseline() -> Self {
        Self {
            scale_inputs: true,
            init: Init::Default,
            batch_norm: false,
            dropout: 0.0,
            optimizer: || Ok(SgdConfig::new().init()),
            learning_rate: LEARNING_RATE,
            gamma: 1.0,
            clip: None,
            normalize: false,
            patience: None,
            members: 1,
        }
    }
}

/// A named way of training.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// The name to ask for it by.
    pub name: &'static str,
    /// The name of the recipe that it changes in one respect; none for a baseline.
    pub baseline: Option<&'static str>,
    /// What it changes.
    pub about: &'static str,
    change: fn(&mut Setup),
}

impl Recipe {
    /// How it trains.
    pub fn setup(&self) -> Setup {
        let mut setup = match self.baseline.and_then(find) {
            Some(baseline) => baseline.setup(),
            None => Setup::baseline(),
        };
        (self.change)(&mut setup);
        setup
    }
}

/// The recipe of that name.
pub fn find(name: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|recipe| recipe.name == name)
}

const fn from_baseline(name: &'static str, about: &'static str, change: fn(&mut Setup)) -> Recipe {
    Recipe {
        name,
        baseline: Some("baseline"),
        about,
        change,
    }
}

/// Every recipe, baselines before what is compared with them.
pub const RECIPES: &[Recipe] = &[
    Recipe {
        name: "baseline",
        baseline: None,
        about: "plain SGD, learning rate 0.1, inputs in [0, 1], Burn's initial weights",
        change: |_| {},
    },
    from_baseline("no-scaling", "pixels from 0 to 16 as they are", |setup| {
        setup.scale_inputs = false;
    }),
    from_baseline("init-normal", "weights from N(0, 1)", |setup| {
        setup.init = Init::Normal;
    }),
    from_baseline("init-1/n", "weights from N(0, 1/n)", |setup| {
        setup.init = Init::OverN;
    }),
    from_baseline("init-1/sqrt-n", "weights from N(0, 1/√n_in)", |setup| {
        setup.init = Init::OverSqrtN;
    }),
    from_baseline("init-uniform", "weights uniform in ±0.05", |setup| {
        setup.init = Init::Uniform;
    }),
    from_baseline("init-xavier", "Xavier weights", |setup| {
        setup.init = Init::Xavier;
    }),
    from_baseline("batch-norm", "batch norm before activations", |setup| {
        setup.batch_norm = true;
    }),
    from_baseline("dropout", "dropout of 20 % after activations", |setup| {
        setup.dropout = 0.2;
    }),
    from_baseline("weight-decay", "an L2 penalty of 1e-3", |setup| {
        setup.optimizer = || {
            let decay = Some(WeightDecayConfig::new(1e-3));
            Ok(SgdConfig::new().with_weight_decay(decay).init())
        };
    }),
    from_baseline("momentum", "momentum of 0.9, not dampened", |setup| {
        setup.optimizer = || {
            let momentum = MomentumConfig::new().with_dampening(0.0);
            Ok(SgdConfig::new().with_momentum(Some(momentum)).init())
        };
    }),
    from_baseline(
        "normalized-model",
        "the lesson's rule: the whole gradient over its norm",
        |setup| setup.normalize = true,
    ),
    from_baseline(
        "normalized-tensor",
        "the lesson's rule, tensor by tensor",
        |setup| setup.optimizer = || NormalizedGradientConfig::lesson().init(),
    ),
    from_baseline("adagrad", "AdaGrad, learning rate 0.01", |setup| {
        setup.optimizer = || Ok(AdaGradConfig::new().init());
        setup.learning_rate = 0.01;
    }),
    from_baseline("rms-prop", "RMSProp, learning rate 0.001", |setup| {
        setup.optimizer = || Ok(RmsPropConfig::new().with_momentum(0.0).init());
        setup.learning_rate = 0.001;
    }),
    from_baseline("adam", "Adam, learning rate 0.001", |setup| {
        setup.optimizer = || Ok(AdamConfig::new().init());
        setup.learning_rate = 0.001;
    }),
    Recipe {
        name: "unstable",
        baseline: None,
        about: "the baseline at ten times its learning rate, 1.0",
        change: |setup| setup.learning_rate = TOO_HIGH,
    },
    Recipe {
        name: "clip",
        baseline: Some("unstable"),
        about: "gradients clipped to a norm of 1",
        change: |setup| setup.clip = Some(1.0),
    },
    from_baseline("decay", "learning rate × 0.98 per epoch", |setup| {
        setup.gamma = 0.98;
    }),
    from_baseline(
        "early-stopping",
        "stops after 5 epochs without improvement, best weights",
        |setup| setup.patience = Some(5),
    ),
    from_baseline("ensemble", "five models, mean of probabilities", |setup| {
        setup.members = 5;
    }),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_makes_an_optimizer_and_baselines_come_first() {
        for (at, recipe) in RECIPES.iter().enumerate() {
            assert!((recipe.setup().optimizer)().is_ok(), "{}", recipe.name);
            if let Some(baseline) = recipe.baseline {
                let earlier = &RECIPES[..at];
                assert!(earlier.iter().any(|earlier| earlier.name == baseline));
            }
        }
    }

    #[test]
    fn a_change_stands_on_its_baseline() {
        let clip = find("clip").unwrap().setup();
        assert_eq!((clip.learning_rate, clip.clip), (TOO_HIGH, Some(1.0)));
        assert_eq!(find("baseline").unwrap().setup().clip, None);
    }
}
