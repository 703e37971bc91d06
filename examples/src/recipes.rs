//! The recipes that `compare` compares: each a single change from a named baseline.

use crate::averaging::Averaging;
use crate::mlp::{HiddenNorm, Init, Skip};
use crate::optimizers::Optim;
use crate::rates::Rate;
use burn_tricks::compare;
use serde::Serialize;

/// All that distinguishes one way of training from another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setup {
    /// Whether pixels are scaled to [0, 1].
    pub scale_inputs: bool,
    /// How the weights start.
    pub init: Init,
    /// Sizes of the hidden layers.
    pub hidden: Vec<usize>,
    /// What follows each hidden layer's weights.
    pub norm: HiddenNorm,
    /// What each hidden layer's signal is added to.
    pub skip: Skip,
    /// The share of hidden activations dropped.
    pub dropout: f64,
    /// The share of samples for which the last of the layers with skips is dropped.
    pub drop_path: f64,
    /// Whether weights have a length and a direction of their own (weight norm).
    pub weight_norm: bool,
    /// The largest length of a unit's weights.
    pub max_norm: Option<f64>,
    /// The optimizer.
    pub optimizer: Optim,
    /// Samples in a batch.
    pub batch_size: usize,
    /// The learning rate, its first value, or its largest.
    pub learning_rate: f64,
    /// How it moves.
    pub rate: Rate,
    /// The threshold of clipping over the whole model.
    pub clip: Option<f64>,
    /// Whether the gradient of the whole model is normalised.
    pub normalize: bool,
    /// The checks without improvement after which to stop and take the best weights.
    pub patience: Option<usize>,
    /// The number of models trained from weights of their own, which predict together.
    pub members: usize,
    /// Which average of weights predicts.
    pub averaging: Averaging,
    /// The number of models that start from the weights at half of the run, and whose weights are
    /// then averaged, greedily by validation loss.
    pub soup: usize,
}

/// The learning rate of plain SGD.
const LEARNING_RATE: f64 = 0.1;
/// A learning rate at which plain SGD is unstable on the digits.
const TOO_HIGH: f64 = 1.0;
/// Samples in a batch of the small network.
pub const BATCH_SIZE: usize = 32;
/// Hidden layers of the deep network, and their size.
const DEEP: [usize; 2] = [20, 32];
/// Samples in a batch of the deep network, which takes time for each layer more than for each sample.
const DEEP_BATCH_SIZE: usize = 128;
/// A learning rate at which plain SGD is unstable on the deep network with He weights.
const DEEP_TOO_HIGH: f64 = 0.3;

impl Setup {
    /// Plain SGD on scaled inputs, with Burn's own initial weights.
    fn baseline() -> Self {
        Self {
            scale_inputs: true,
            init: Init::Default,
            hidden: vec![64, 64],
            norm: HiddenNorm::None,
            skip: Skip::None,
            dropout: 0.0,
            drop_path: 0.0,
            weight_norm: false,
            max_norm: None,
            optimizer: Optim::Sgd,
            batch_size: BATCH_SIZE,
            learning_rate: LEARNING_RATE,
            rate: Rate::Exponential(1.0),
            clip: None,
            normalize: false,
            patience: None,
            members: 1,
            averaging: Averaging::None,
            soup: 1,
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
    /// Its baseline, that one's baseline, and so on.
    pub fn baselines(&self) -> impl Iterator<Item = &'static str> {
        std::iter::successors(self.baseline, |name| find(name)?.baseline)
    }

    /// How it trains.
    pub fn setup(&self) -> Setup {
        let mut setup = match self.baseline.and_then(find) {
            Some(baseline) => baseline.setup(),
            None => Setup::baseline(),
        };
        (self.change)(&mut setup);
        setup
    }

    /// Whether it trains the network of 20 hidden layers.
    pub fn is_deep(&self) -> bool {
        self.setup().hidden.len() == DEEP[0]
    }

    /// The recipe as the comparison knows it, with every choice of its setup.
    ///
    /// # Errors
    ///
    /// None that a setup could cause.
    pub fn described(&self) -> serde_json::Result<compare::Recipe> {
        let described = match self.baseline {
            Some(baseline) => compare::Recipe::variant(self.name, baseline, self.about),
            None => compare::Recipe::baseline(self.name, self.about),
        };
        Ok(described.with_settings(serde_json::to_value(self.setup())?))
    }
}

/// The recipe of that name.
pub fn find(name: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|recipe| recipe.name == name)
}

const fn from_deep(name: &'static str, about: &'static str, change: fn(&mut Setup)) -> Recipe {
    Recipe {
        name,
        baseline: Some("deep"),
        about,
        change,
    }
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
    from_baseline("init-he", "He weights", |setup| {
        setup.init = Init::He;
    }),
    from_baseline("init-orthogonal", "orthogonal weights", |setup| {
        setup.init = Init::Orthogonal;
    }),
    from_baseline("batch-norm", "batch norm before activations", |setup| {
        setup.norm = HiddenNorm::Batch;
    }),
    from_baseline("layer-norm", "layer norm before activations", |setup| {
        setup.norm = HiddenNorm::Layer;
    }),
    from_baseline(
        "weight-norm",
        "a length and a direction per unit",
        |setup| {
            setup.weight_norm = true;
        },
    ),
    from_baseline("dropout", "dropout of 20 % after activations", |setup| {
        setup.dropout = 0.2;
    }),
    from_baseline("weight-decay", "an L2 penalty of 1e-3", |setup| {
        setup.optimizer = Optim::SgdL2(1e-3);
    }),
    from_baseline("max-norm", "units' weights of length 1 at most", |setup| {
        setup.max_norm = Some(1.0);
    }),
    from_baseline("momentum", "momentum of 0.9, not dampened", |setup| {
        setup.optimizer = Optim::Momentum(0.9);
    }),
    from_baseline(
        "normalized-model",
        "normalised gradient descent: the whole gradient over its norm",
        |setup| setup.normalize = true,
    ),
    from_baseline(
        "normalized-tensor",
        "normalised gradient descent, tensor by tensor",
        |setup| setup.optimizer = Optim::NormalizedTensor,
    ),
    from_baseline("adagrad", "AdaGrad, learning rate 0.01", |setup| {
        setup.optimizer = Optim::AdaGrad;
        setup.learning_rate = 0.01;
    }),
    from_baseline("rms-prop", "RMSProp, learning rate 0.001", |setup| {
        setup.optimizer = Optim::RmsProp;
        setup.learning_rate = 0.001;
    }),
    from_baseline("adam", "Adam, learning rate 0.001", |setup| {
        setup.optimizer = Optim::Adam;
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
        setup.rate = Rate::Exponential(0.98);
    }),
    from_baseline("warm-up", "learning rate from 0 over 5 epochs", |setup| {
        setup.rate = Rate::Warmup(5);
    }),
    from_baseline("cosine", "learning rate along a cosine to 0", |setup| {
        setup.rate = Rate::Cosine;
    }),
    from_baseline(
        "one-cycle",
        "learning rate up to 0.5 and down, once",
        |setup| {
            setup.learning_rate = 0.5;
            setup.rate = Rate::OneCycle;
        },
    ),
    from_baseline(
        "ema",
        "moving average of the weights, decay 0.99",
        |setup| {
            setup.averaging = Averaging::Ema(0.99);
        },
    ),
    from_baseline(
        "swa",
        "mean of the weights of the last quarter's epochs",
        |setup| setup.averaging = Averaging::Swa(0.75),
    ),
    from_baseline(
        "soup",
        "three models from half-time on, greedy mean of their weights",
        |setup| setup.soup = 3,
    ),
    from_baseline(
        "snapshot-ensemble",
        "five cosine cycles from 0.2, the last three ends predict",
        |setup| {
            setup.learning_rate = 0.2;
            setup.rate = Rate::Restarts(5);
            setup.averaging = Averaging::Snapshots(3);
        },
    ),
    from_baseline(
        "early-stopping",
        "stops after 5 epochs without improvement, best weights",
        |setup| setup.patience = Some(5),
    ),
    from_baseline("ensemble", "five models, mean of probabilities", |setup| {
        setup.members = 5;
    }),
    Recipe {
        name: "deep",
        baseline: None,
        about: "the baseline with 20 hidden layers of 32 and batches of 128",
        change: |setup| {
            let [layers, width] = DEEP;
            setup.hidden = vec![width; layers];
            setup.batch_size = DEEP_BATCH_SIZE;
        },
    },
    from_deep("deep-init-xavier", "Xavier weights", |setup| {
        setup.init = Init::Xavier;
    }),
    from_deep("deep-init-he", "He weights", |setup| {
        setup.init = Init::He;
    }),
    from_deep(
        "deep-batch-norm",
        "batch norm before activations",
        |setup| {
            setup.norm = HiddenNorm::Batch;
        },
    ),
    from_deep(
        "deep-layer-norm",
        "layer norm before activations",
        |setup| {
            setup.norm = HiddenNorm::Layer;
        },
    ),
    from_deep(
        "deep-residual",
        "each layer's signal added to its input",
        |setup| {
            setup.skip = Skip::Residual;
        },
    ),
    from_deep(
        "deep-rezero",
        "the same, times a number from 0 on",
        |setup| {
            setup.skip = Skip::ReZero;
        },
    ),
    Recipe {
        name: "deep-drop-path",
        baseline: Some("deep-rezero"),
        about: "layers dropped, the last for 20 % of the samples",
        change: |setup| setup.drop_path = 0.2,
    },
    Recipe {
        name: "deep-unstable",
        baseline: None,
        about: "`deep` with He weights at three times its learning rate, 0.3",
        change: |setup| {
            *setup = find("deep").map_or(setup.clone(), Recipe::setup);
            setup.init = Init::He;
            setup.learning_rate = DEEP_TOO_HIGH;
        },
    },
    Recipe {
        name: "deep-clip",
        baseline: Some("deep-unstable"),
        about: "gradients clipped to a norm of 1",
        change: |setup| setup.clip = Some(1.0),
    },
    Recipe {
        name: "deep-normalized",
        baseline: Some("deep-unstable"),
        about: "normalised gradient descent: the whole gradient over its norm",
        change: |setup| setup.normalize = true,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_makes_an_optimizer_and_baselines_come_first() {
        for (at, recipe) in RECIPES.iter().enumerate() {
            assert!(recipe.setup().optimizer.init().is_ok(), "{}", recipe.name);
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
