//! The trick that keeps tied parameters equal, with every optimizer and every wrapper: the model trains, to the bit, as the
//! same network with one parameter that is used twice. On other backends than `flex`, nearly so: they may add in another order.

use crate::devices::training_devices;
use crate::models::{alone, numbers};
use crate::net_training::train_loader;
use crate::tied_weights::{Once, flex};
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::Module;
use burn::optim::{self as burns, ModuleOptimizer};
use burn::tensor::Device;
use burn::train::TrainStep;
use burn_tricks::nn::TiedWeights;
use burn_tricks::optim::{
    AdaBeliefConfig, AdaDeltaConfig, AdaGradConfig, Adam, AdamConfig, AdamWConfig, AdamaxConfig,
    LarsConfig, MasterWeightsConfig, MasterWeightsForm, NAdamConfig, NormalizedGradientConfig,
    OptimizerExt as _, RAdamConfig, RmsPropConfig, ScheduleFreeConfig, Scheduled, SgdConfig,
    SignumConfig,
};
use burn_tricks::prelude::*;
use burn_tricks::train::{EpochClock, Trick, Tricked};

/// The weights of a tricked model after three epochs on this device.
fn trained<M, H>(mut model: Tricked<M, H>, optim: &mut ModuleOptimizer, device: &Device) -> M
where
    M: Module + TrainStep<Input = crate::net_training::Batch>,
    H: Trick<M>,
{
    let clock = EpochClock::new();
    let loader = train_loader(&clock).to_device(device);
    for epoch in 1..=3 {
        clock.set(epoch);
        for batch in loader.iter() {
            let grads = TrainStep::step(&model, batch.unwrap()).grads;
            let lr = 0.05 / epoch as f64;
            model = model.optimize(optim, ModuleLearningRate::from(lr), grads);
        }
    }
    model.into_parts().0
}

fn check(name: &str, make: impl Fn() -> ModuleOptimizer) {
    for (on, device) in training_devices() {
        let once = Once::new(&device);
        let tied = trained(once.tied().with_tricks(TiedWeights), &mut make(), &device);
        let begun = numbers(&once);
        let once = trained(once.with_tricks(()), &mut make(), &device);
        let (tied, once) = (numbers(&tied.once()), numbers(&once));
        assert_ne!(once, begun, "{name} trains on {on}");
        if on == "flex" {
            assert_eq!(tied, once, "{name} on {on}");
            continue;
        }
        for (tied, once) in tied.iter().zip(&once) {
            let near = (tied - once).abs() <= 1e-4 * once.abs().max(0.1);
            assert!(near, "{name} on {on}: {tied} and {once}");
        }
    }
}

fn adam() -> Adam {
    AdamConfig::torch().build().unwrap()
}

#[test]
fn tied_parameters_stay_equal_under_every_optimizer() {
    let _alone = alone();
    use NormalizedGradientConfig as Family;
    check("Burn's Adam", || burns::AdamConfig::new().init());
    check("SGD", || SgdConfig::new().init().unwrap());
    check("momentum", || {
        let momentum = SgdConfig::torch().with_momentum_factor(0.9);
        momentum.init().unwrap()
    });
    check("momentum of updates", || {
        SgdConfig::classical_momentum().init().unwrap()
    });
    check("AdaGrad", || AdaGradConfig::new().init().unwrap());
    check("RMSProp", || RmsPropConfig::new().init().unwrap());
    check("Adam", || AdamConfig::new().init().unwrap());
    check("AMSGrad", || {
        AdamConfig::torch().with_amsgrad(true).init().unwrap()
    });
    check("AdamW", || AdamWConfig::new().init().unwrap());
    check("NAdam", || NAdamConfig::new().init().unwrap());
    check("RAdam", || RAdamConfig::new().init().unwrap());
    check("Adamax", || AdamaxConfig::new().init().unwrap());
    check("AdaDelta", || AdaDeltaConfig::new().init().unwrap());
    check("AdaBelief", || AdaBeliefConfig::new().init().unwrap());
    check("Signum", || SignumConfig::new().init().unwrap());
    check("sign SGD", || SignumConfig::sign_sgd().init().unwrap());
    check("LARS", || LarsConfig::new().init().unwrap());
    check("normalised gradient", || Family::new().init().unwrap());
    check("AdaGrad-Norm", || Family::adagrad_norm().init().unwrap());
    check("Adam of the family", || Family::adam().init().unwrap());
}

#[test]
fn tied_parameters_stay_equal_under_every_wrapper() {
    let _alone = alone();
    check("lookahead", || adam().lookahead(2, 0.5).unwrap().init());
    check("decoupled decay", || {
        adam().decoupled_weight_decay(0.01).unwrap().init()
    });
    check("cautious", || adam().cautious().init());
    check("trust ratio", || adam().trust_ratio().init());
    check("schedule-free", || {
        ScheduleFreeConfig::new().init(adam()).unwrap()
    });
    check("master weights", || adam().master_weights().init());
    check("Kahan", || {
        let config = MasterWeightsConfig::new().with_form(MasterWeightsForm::Kahan);
        config.init(adam())
    });
    check("scheduled", || {
        let optim = Scheduled::build(|step| {
            let factor = 0.9 - 0.4 / step as f64;
            SgdConfig::torch().with_momentum_factor(factor).build()
        });
        optim.unwrap().init()
    });
    check("a stack of four", || {
        let lamb = adam().decoupled_weight_decay(0.01).unwrap().trust_ratio();
        lamb.lookahead(3, 0.5).unwrap().master_weights().init()
    });
}

/// The comparison is one that can fail.
#[test]
#[should_panic(expected = "left == right")]
fn without_the_trick_they_do_not() {
    let _alone = alone();
    let once = Once::new(&flex());
    let optim = &mut AdamConfig::new().init().unwrap();
    trained(once.tied().with_tricks(()), optim, &flex()).once();
}
