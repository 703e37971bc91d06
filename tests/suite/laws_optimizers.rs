//! The published laws over every optimizer and every wrapper of one: one line for each.

use crate::devices::{devices, is_gpu};
use burn::optim::Optimizer;
use burn::optim::decay::WeightDecayConfig;
use burn::tensor::Device;
use burn_tricks::ConfigError;
use burn_tricks::optim::{
    AdaBeliefConfig, AdaDeltaConfig, AdaGradConfig, AdamConfig, AdamWConfig, AdamaxConfig,
    CautiousConfig, DecoupledWeightDecayConfig, LarsConfig, LookaheadConfig, MasterWeightsConfig,
    MasterWeightsForm, MomentumMemory, NAdamConfig, NormScope, OptimizerExt, RAdamConfig,
    RmsPropConfig, ScheduleFreeConfig, Scheduled, SgdConfig, SignumConfig, TrustRatioConfig,
    WeightDecayMode,
};
use burn_tricks::prelude::*;
use burn_tricks_testkit::OptimizerLaws;

/// The laws of one optimizer. With `lr`, falling to 0 over 300 steps, it is to find a minimum; not on a
/// software renderer, which takes some 15 ms for a step.
pub(crate) fn optimizer<O: Optimizer>(
    name: &str,
    lr: f64,
    build: impl Fn() -> Result<O, ConfigError>,
    on: &(&'static str, Device),
) {
    let name = format!("{name} on {}", on.0);
    crate::fused_step::is_the_same_fused(&name, build().expect("a valid configuration"), &on.1);
    let laws = OptimizerLaws::new(name, || build().expect("a valid configuration"), &on.1);
    if is_gpu(on.0) {
        laws.check().assert();
    } else {
        laws.descends(lr, 300).check().assert();
    }
}

#[test]
fn every_optimizer_keeps_the_laws() {
    use NormalizedGradientConfig as Family;
    let decay = || Some(WeightDecayConfig { penalty: 0.01 });
    for on in &devices() {
        optimizer("SGD", 0.1, || SgdConfig::new().build(), on);
        optimizer(
            "SGD, momentum",
            0.1,
            || SgdConfig::torch().with_momentum_factor(0.9).build(),
            on,
        );
        optimizer(
            "SGD, classical momentum",
            0.1,
            || {
                SgdConfig::classical_momentum()
                    .with_momentum_factor(0.9)
                    .build()
            },
            on,
        );
        optimizer(
            "SGD, decay",
            0.1,
            || SgdConfig::new().with_weight_decay(decay()).build(),
            on,
        );
        optimizer("AdaGrad", 0.5, || AdaGradConfig::new().build(), on);
        optimizer(
            "AdaGrad, decoupled",
            0.5,
            || {
                AdaGradConfig::new()
                    .with_weight_decay(decay())
                    .with_weight_decay_mode(WeightDecayMode::Decoupled)
                    .build()
            },
            on,
        );
        optimizer("RMSProp", 0.05, || RmsPropConfig::new().build(), on);
        optimizer(
            "RMSProp, centred",
            0.05,
            || RmsPropConfig::torch().with_centered(true).build(),
            on,
        );
        optimizer("Adam", 0.05, || AdamConfig::new().build(), on);
        optimizer(
            "Adam, AMSGrad",
            0.05,
            || AdamConfig::torch().with_amsgrad(true).build(),
            on,
        );
        optimizer("Adam of Keras", 0.05, || AdamConfig::keras().build(), on);
        let amsgrad = || AdamConfig::optax().with_amsgrad(true);
        optimizer("AMSGrad of optax", 0.05, || amsgrad().build(), on);
        optimizer(
            "AdaGrad of Keras",
            0.5,
            || AdaGradConfig::keras().build(),
            on,
        );
        optimizer(
            "Adam, skipping",
            0.05,
            || AdamConfig::new().with_skip_marked(true).build(),
            on,
        );
        optimizer("AdamW", 0.05, || AdamWConfig::new().build(), on);
        optimizer(
            "AdamW, cautious",
            0.05,
            || {
                AdamWConfig::torch()
                    .with_cautious_weight_decay(true)
                    .build()
            },
            on,
        );
        optimizer("NAdam", 0.05, || NAdamConfig::new().build(), on);
        optimizer("NAdam of optax", 0.05, || NAdamConfig::optax().build(), on);
        optimizer("RAdam", 0.05, || RAdamConfig::new().build(), on);
        let short = || RAdamConfig::optax().with_beta_2(0.9);
        optimizer("RAdam of optax", 0.05, || short().build(), on);
        optimizer("Adamax", 0.05, || AdamaxConfig::new().build(), on);
        optimizer(
            "Adamax of Keras",
            0.05,
            || AdamaxConfig::keras().build(),
            on,
        );
        // Its steps begin small, whatever the rate.
        optimizer("AdaDelta", 10.0, || AdaDeltaConfig::new().build(), on);
        optimizer("sign SGD", 0.05, || SignumConfig::sign_sgd().build(), on);
        optimizer("Signum", 0.05, || SignumConfig::new().build(), on);
        optimizer("AdaBelief", 0.05, || AdaBeliefConfig::new().build(), on);
        let lars = || LarsConfig::new().with_coefficient(0.1);
        optimizer("LARS", 0.5, || lars().build(), on);
        let timm = || LarsConfig::timm().with_coefficient(0.1).with_momentum(0.9);
        optimizer("LARS of timm", 0.5, || timm().build(), on);
        optimizer("normalised gradient", 0.05, || Family::new().build(), on);
        optimizer("AdaGrad-Norm", 0.5, || Family::adagrad_norm().build(), on);
        optimizer("Adam of the family", 0.05, || Family::adam().build(), on);
        optimizer(
            "normalised, element, momentum",
            0.05,
            || {
                Family::new()
                    .with_scope(NormScope::Element)
                    .with_momentum(MomentumMemory::OfUpdate { mu: 0.5 })
                    .build()
            },
            on,
        );
    }
}

/// The laws of a wrapper, which with these settings takes the steps of `inner` to the last bit.
fn neutral<O: Optimizer, I: Optimizer>(
    name: &str,
    build: impl Fn() -> Result<O, ConfigError>,
    inner: impl Fn() -> Result<I, ConfigError>,
    on: &(&'static str, Device),
) {
    let name = format!("{name} on {}", on.0);
    let build = || build().expect("a valid configuration");
    OptimizerLaws::new(name, build, &on.1)
        .equals("the inner optimizer", || {
            inner().expect("a valid configuration")
        })
        .check()
        .assert();
}

fn momentum() -> Result<burn_tricks::optim::Sgd, ConfigError> {
    SgdConfig::torch().with_momentum_factor(0.9).build()
}

fn sgd() -> Result<burn_tricks::optim::Sgd, ConfigError> {
    SgdConfig::torch().build()
}

fn adam() -> Result<burn_tricks::optim::Adam, ConfigError> {
    AdamConfig::torch().build()
}

#[test]
fn every_wrapper_keeps_the_laws() {
    let burns = || burn::optim::AdamWConfig::new().build();
    for on in &devices() {
        optimizer("lookahead", 0.1, || momentum()?.lookahead(3, 0.5), on);
        optimizer(
            "lookahead of Burn's",
            0.05,
            || burns().lookahead(2, 0.8),
            on,
        );
        let reset = || {
            LookaheadConfig::new(3)
                .with_reset_inner(true)
                .build(adam()?)
        };
        optimizer("lookahead that forgets", 0.1, reset, on);
        optimizer("decay", 0.1, || momentum()?.decoupled_weight_decay(0.1), on);
        let decay = || DecoupledWeightDecayConfig::new(0.1).with_initial_lr(Some(0.5));
        optimizer("fully decoupled", 0.05, || decay().build(adam()?), on);
        optimizer("cautious", 0.05, || Ok(adam()?.cautious()), on);
        optimizer("cautious Burn's", 0.05, || Ok(burns().cautious()), on);
        let plain = || Ok(CautiousConfig::new().with_rescale(false).build(momentum()?));
        optimizer("cautious, not rescaled", 0.1, plain, on);
        optimizer("trust ratio", 0.05, || Ok(adam()?.trust_ratio()), on);
        let matrices = || TrustRatioConfig::new().with_vectors(false).build(adam()?);
        optimizer("trust ratio, matrices", 0.05, matrices, on);
        optimizer("schedule-free", 0.2, || sgd()?.schedule_free(0.9), on);
        let adam_w = || {
            let config = ScheduleFreeConfig::new().with_weight_decay(0.01);
            config.build(AdamConfig::torch().with_beta_1(0.0).build()?)
        };
        optimizer("schedule-free AdamW", 0.05, adam_w, on);
        optimizer("master weights", 0.05, || Ok(adam()?.master_weights()), on);
        let kahan = || MasterWeightsConfig::new().with_form(MasterWeightsForm::Kahan);
        optimizer("Kahan", 0.05, || Ok(kahan().build(adam()?)), on);
        let scheduled = || {
            Scheduled::build(|step| {
                let factor = 0.9 - 0.5 / step as f64;
                SgdConfig::torch().with_momentum_factor(factor).build()
            })
        };
        optimizer("scheduled", 0.1, scheduled, on);
        optimizer(
            "scheduled lookahead",
            0.1,
            || scheduled()?.lookahead(4, 0.5),
            on,
        );
        let stack = || {
            let lamb = adam()?.decoupled_weight_decay(0.01)?.trust_ratio();
            Ok(lamb.lookahead(2, 0.5)?.master_weights())
        };
        optimizer("a stack of four", 0.1, stack, on);
    }
}

#[test]
fn a_wrapper_with_neutral_settings_is_its_inner_optimizer() {
    let burns = || burn::optim::AdamWConfig::new().build();
    for on in &devices() {
        neutral("lookahead", || adam()?.lookahead(2, 1.0), adam, on);
        neutral(
            "lookahead of Burn's",
            || burns().lookahead(3, 1.0),
            || Ok(burns()),
            on,
        );
        neutral(
            "no decay",
            || momentum()?.decoupled_weight_decay(0.0),
            momentum,
            on,
        );
        neutral(
            "schedule-free, β = 0",
            || adam()?.schedule_free(0.0),
            adam,
            on,
        );
        neutral("cautious SGD", || Ok(sgd()?.cautious()), sgd, on);
        let around = || sgd()?.cautious().lookahead(2, 1.0);
        neutral("lookahead around cautious SGD", around, sgd, on);
        let inside = || Ok(sgd()?.lookahead(2, 1.0)?.cautious());
        neutral("cautious SGD with lookahead", inside, sgd, on);
        neutral("master weights", || Ok(adam()?.master_weights()), adam, on);
        neutral("constant", || Scheduled::build(|_| adam()), adam, on);
        let four = || {
            let inner = Scheduled::build(|_| adam())?.decoupled_weight_decay(0.0)?;
            Ok(inner.lookahead(2, 1.0)?.master_weights())
        };
        neutral("four", four, adam, on);
        let nested = || adam()?.lookahead(2, 1.0)?.lookahead(3, 1.0);
        neutral("nested lookahead", nested, adam, on);
    }
}

/// The wrappers that no setting makes neutral around Adam: they are left out to be turned off. A step up the gradient is no
/// cautious one, rescaled or not, and with a trust ratio the length of a step depends on that of the weight. All other laws
/// hold.
#[test]
fn cautious_steps_and_a_trust_ratio_are_never_neutral() {
    fn changes<O: Optimizer>(name: &str, wrapped: impl Fn() -> O, on: &(&'static str, Device)) {
        let inner = || adam().expect("a valid configuration");
        let laws = OptimizerLaws::new(name, wrapped, &on.1).equals("the inner optimizer", inner);
        let report = laws.check();
        let broken: Vec<_> = report.broken().iter().map(|broken| broken.law).collect();
        assert_eq!(
            broken,
            ["equals the optimizers named"],
            "{name} on {}",
            on.0
        );
    }
    for on in &devices() {
        for rescale in [true, false] {
            let config = CautiousConfig::new().with_rescale(rescale);
            changes("cautious", || config.build(adam().unwrap()), on);
        }
        for vectors in [true, false] {
            let config = TrustRatioConfig::new().with_vectors(vectors);
            changes("trust ratio", || config.build(adam().unwrap()).unwrap(), on);
        }
    }
}
