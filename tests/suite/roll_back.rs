//! A run that diverges goes back to its best weights, with its optimizer and a smaller rate.

use crate::models::{Net, alone, values};
use burn::module::{Module, ParamGroup};
use burn::nn::{Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, OptimizerRecord, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Tensor};
use burn_tricks::stop::{
    All, Any, BestWeights, CheckLimitConfig, EarlyStopping, EarlyStoppingConfig,
    GeneralizationLossConfig, Goal, Restart, RollBack, RollBackConfig, StopCriterion, StopReason,
};

fn device() -> Device {
    Device::flex().autodiff()
}

fn sgd() -> ModuleOptimizer {
    SgdConfig::new()
        .with_momentum(Some(MomentumConfig::new().with_momentum(0.5)))
        .init()
}

/// Fits a linear layer, checked at every step.
struct Run {
    model: Linear,
    optim: ModuleOptimizer,
    stop: EarlyStopping,
    best: BestWeights<Linear, ModuleOptimizer>,
    back: RollBack,
    base: f64,
    losses: Vec<f64>,
}

impl Run {
    fn new(base: f64, times: usize) -> Self {
        let model = LinearConfig::new(3, 1).init(&device());
        burn_tricks::force_init(&model);
        let limit = EarlyStoppingConfig::new(Goal::Minimize).with_divergence_limit(Some(1e3));
        Self {
            model,
            optim: sgd(),
            stop: limit.with_patience(usize::MAX).init().unwrap(),
            best: BestWeights::new(),
            back: RollBackConfig::new(times).init().unwrap(),
            base,
            losses: Vec::new(),
        }
    }

    /// Whether the run goes on.
    fn step(&mut self) -> bool {
        let device = device();
        let inputs: Vec<f32> = (0..24).map(|i| (i as f32 * 0.9).sin() * 2.0).collect();
        let inputs = Tensor::<1>::from_floats(inputs.as_slice(), &device).reshape([8, 3]);
        let targets = inputs.clone().sum_dim(1) * 0.5 + 1.0;
        let loss = (self.model.forward(inputs) - targets).square().mean();
        let value = values(loss.clone().unsqueeze::<1>())[0];
        self.losses.push(value);
        let decision = self.stop.observe(value);
        self.best
            .keep_with(&decision, || (self.model.clone(), self.optim.clone()));
        let restart =
            (self.back).after_check(&decision, &self.best, &self.model, &mut self.stop, |_| ());
        if let Some(Restart { model, extra, .. }) = restart {
            (self.model, self.optim) = (model, extra);
            return true;
        }
        let rate = self.base * self.back.lr_scale();
        let grads = GradientsParams::from_grads(loss.backward(), &self.model);
        self.model = self.optim.step(rate, self.model.clone(), grads);
        !decision.should_stop()
    }

    fn weights(&self) -> Vec<f64> {
        values(self.model.weight.val())
    }

    /// Everything, through bytes, in another run.
    fn reloaded(&self) -> Self {
        let model = |model: &Linear| {
            let bytes = model.clone().into_record().into_bytes().unwrap();
            let fresh: Linear = LinearConfig::new(3, 1).init(&device());
            fresh.load_record(ModuleRecord::from_bytes(bytes).unwrap())
        };
        let optim =
            |optim: &ModuleOptimizer| sgd().from_bytes(optim.into_bytes().unwrap()).unwrap();
        let mut run = Self::new(self.base, 9);
        run.model = model(&self.model);
        run.optim = optim(&self.optim);
        let stop = serde_json::to_vec(self.stop.state()).unwrap();
        run.stop = run.stop.with_state(serde_json::from_slice(&stop).unwrap());
        let back = serde_json::to_vec(self.back.state()).unwrap();
        run.back = run.back.with_state(serde_json::from_slice(&back).unwrap());
        if let (Some(best), Some(check)) = (self.best.model(), self.best.check()) {
            let extra = optim(self.best.extra().unwrap());
            run.best = run.best.with_kept(&model(&best), check, extra);
        }
        run
    }
}

#[test]
fn a_run_that_diverges_ends_well_and_without_it_does_not() {
    let _alone = alone();
    let device = device();
    device.seed(5);
    let mut rolled = Run::new(2.0, 9);
    for _ in 0..400 {
        assert!(rolled.step());
    }
    assert!(
        rolled.back.done() >= 1 && rolled.back.done() <= 4,
        "{}",
        rolled.back.done()
    );
    assert!(rolled.losses[399] < 1e-3, "{}", rolled.losses[399]);
    assert!(rolled.weights().iter().all(|weight| weight.is_finite()));
    device.seed(5);
    let mut plain = Run::new(2.0, 0);
    while plain.step() {}
    assert!(plain.losses.len() < 100);
    assert!(*plain.losses.last().unwrap() > 1e3, "the same run diverges");
    assert_eq!(plain.losses[..], rolled.losses[..plain.losses.len()]);
}

#[test]
fn a_run_that_does_not_diverge_is_the_same_with_it() {
    let _alone = alone();
    let device = device();
    let [with, without] = [9, 0].map(|times| {
        device.seed(6);
        let mut run = Run::new(0.1, times);
        for _ in 0..60 {
            assert!(run.step());
        }
        (run.losses.clone(), run.weights(), run.back.done())
    });
    assert_eq!(with, without);
    assert_eq!(with.2, 0);
}

#[test]
fn a_resumed_run_is_the_same_run_at_every_check() {
    let _alone = alone();
    device().seed(5);
    let mut whole = Run::new(2.0, 9);
    let mut saved = Vec::new();
    for _ in 0..70 {
        saved.push(whole.reloaded());
        assert!(whole.step());
    }
    assert!(
        whole.back.done() >= 2,
        "it goes back between the first and the last"
    );
    for (at, mut run) in saved.into_iter().enumerate() {
        while run.losses.len() < 70 - at {
            run.step();
        }
        assert_eq!(run.losses, whole.losses[at..], "saved before check {at}");
        assert_eq!(run.weights(), whole.weights(), "saved before check {at}");
    }
}

fn stop() -> EarlyStopping {
    EarlyStoppingConfig::new(Goal::Minimize)
        .with_patience(3)
        .with_divergence_limit(Some(10.0))
        .init()
        .unwrap()
}

/// The restarts and the scales that the closure was told, of a script of losses.
fn script(times: usize, factor: f64, losses: &[f64]) -> (Vec<Option<usize>>, Vec<f64>) {
    let model: Linear = LinearConfig::new(2, 2).init(&device());
    let (mut stop, mut best) = (stop(), BestWeights::new());
    let back = RollBackConfig::new(times).with_lr_factor(factor);
    let mut back = back.init().unwrap();
    let mut scales = Vec::new();
    let restarts = losses
        .iter()
        .map(|loss| {
            let decision = stop.observe(*loss);
            best.keep(&decision, || model.clone());
            let restart = back.after_check(&decision, &best, &model, &mut stop, |scale| {
                scales.push(scale)
            });
            restart.map(|restart| {
                assert_eq!(Some(restart.reason), decision.stop);
                assert_eq!(Some(restart.check), decision.best_check);
                assert_eq!(restart.lr_scale, *scales.last().unwrap());
                restart.time
            })
        })
        .collect();
    (restarts, scales)
}

#[test]
fn it_goes_back_a_bounded_number_of_times_at_ever_smaller_rates() {
    let _alone = alone();
    let losses = [1.0, f64::NAN, 11.0, 0.5, f64::INFINITY, f64::NAN];
    let (restarts, scales) = script(3, 0.5, &losses);
    assert_eq!(restarts, [None, Some(1), Some(2), None, Some(3), None]);
    assert_eq!(scales, [0.5, 0.25, 0.125]);
    assert_eq!(script(0, 0.5, &losses), (vec![None; 6], vec![]));
    let (restarts, scales) = script(9, 1.0, &losses);
    assert_eq!((restarts[5], scales), (Some(4), vec![1.0; 4]));
}

#[test]
fn only_a_divergence_with_a_best_model_is_a_reason() {
    let _alone = alone();
    // Nothing to go back to; then a stop for want of improvement.
    for losses in [[f64::NAN, 12.0, f64::NAN, 11.0], [1.0, 2.0, 2.0, 2.0]] {
        assert_eq!(script(9, 0.5, &losses), (vec![None; 4], vec![]));
    }
}

#[test]
fn patience_counts_anew_and_the_best_stays() {
    let _alone = alone();
    let model: Linear = LinearConfig::new(2, 2).init(&device());
    let (mut stop, mut best) = (stop(), BestWeights::new());
    let mut back = RollBackConfig::new(1).init().unwrap();
    for loss in [1.0, 2.0, 2.0] {
        best.keep(&stop.observe(loss), || model.clone());
    }
    let decision = stop.observe(f64::NAN);
    assert!(
        back.after_check(&decision, &best, &model, &mut stop, |_| ())
            .is_some()
    );
    let decision = stop.observe(2.0);
    assert_eq!(
        (decision.waited, decision.best, decision.stop),
        (1, Some(1.0), None)
    );
}

#[test]
fn a_divergence_shows_through_any_and_all() {
    let _alone = alone();
    let model: Linear = LinearConfig::new(2, 2).init(&device());
    let limit = |checks| CheckLimitConfig::new(checks).init().unwrap();
    fn goes_back(mut criterion: impl StopCriterion, model: &Linear) -> bool {
        let mut best = BestWeights::new();
        let mut back = RollBackConfig::new(1).init().unwrap();
        best.keep(&criterion.observe(1.0), || model.clone());
        let decision = criterion.observe(f64::NAN);
        assert_eq!(decision.divergence, Some(StopReason::NonFinite));
        back.after_check(&decision, &best, model, &mut criterion, |_| ())
            .is_some()
    }
    assert!(goes_back(Any::init((stop(), limit(3))).unwrap(), &model));
    // A limit that is reached ends the run, wherever it stands.
    assert!(!goes_back(Any::init((stop(), limit(2))).unwrap(), &model));
    assert!(!goes_back(Any::init((limit(2), stop())).unwrap(), &model));
    // Whether the least number of checks is reached or not.
    for least in [2, 9] {
        assert!(goes_back(
            All::init((stop(), limit(least))).unwrap(),
            &model
        ));
        assert!(goes_back(
            All::init((limit(least), stop())).unwrap(),
            &model
        ));
    }
    let nested = || All::init((stop(), limit(9))).unwrap();
    assert!(goes_back(Any::init((limit(8), nested())).unwrap(), &model));
    let ends = Any::init((limit(2), nested())).unwrap();
    assert!(!goes_back(ends, &model), "the run is at its end");
}

/// The reason of another criterion does not hide it, wherever that stands.
#[test]
fn a_divergence_of_one_criterion_goes_back_in_either_order() {
    let _alone = alone();
    let model: Linear = LinearConfig::new(2, 2).init(&device());
    fn check(mut criterion: impl StopCriterion, model: &Linear) {
        let mut best = BestWeights::new();
        let mut back = RollBackConfig::new(1).init().unwrap();
        for loss in [0.5, 0.4] {
            best.keep(&criterion.observe(loss), || model.clone());
        }
        let decision = criterion.observe(50.0);
        assert_eq!(decision.stop, Some(StopReason::Diverged { limit: 10.0 }));
        let restart = back.after_check(&decision, &best, model, &mut criterion, |_| ());
        assert_eq!(restart.map(|restart| restart.check), Some(2));
    }
    let loss = || GeneralizationLossConfig::new(5.0).init().unwrap();
    let limit = || {
        let config = EarlyStoppingConfig::new(Goal::Minimize).with_patience(usize::MAX);
        config.with_divergence_limit(Some(10.0)).init().unwrap()
    };
    check(Any::init((loss(), limit())).unwrap(), &model);
    check(Any::init((limit(), loss())).unwrap(), &model);
}

#[test]
fn the_returned_model_trains_and_its_optimizer_is_the_one_of_the_best_check() {
    let _alone = alone();
    let device = device();
    let train = |model: Net, optim: &mut ModuleOptimizer| {
        let input = Tensor::<2>::ones([8, 4], &device) * 0.3;
        let loss = model.forward(input).square().mean();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        optim.step(0.05, model, grads)
    };
    let mut optim = sgd();
    let mut model = train(Net::new(0.5, &device), &mut optim);
    let (mut stop, mut best) = (stop(), BestWeights::new());
    best.keep_with(&stop.observe(1.0), || (model.clone(), optim.clone()));
    let kept = optim.into_bytes().unwrap();
    for _ in 0..2 {
        model = train(model, &mut optim);
    }
    assert_ne!(
        sorted(&optim.into_bytes().unwrap()),
        sorted(&kept),
        "it moved on"
    );
    let mut back = RollBackConfig::new(1).init().unwrap();
    let decision = stop.observe(f64::NAN);
    let restart = back
        .after_check(&decision, &best, &model, &mut stop, |_| ())
        .unwrap();
    assert_eq!(restart.reason, StopReason::NonFinite);
    let momenta = OptimizerRecord::from_bytes(kept.clone()).unwrap().len();
    assert!(momenta > 0, "there is a state");
    assert_eq!(sorted(&restart.extra.into_bytes().unwrap()), sorted(&kept));
    let ones = Tensor::<2>::ones([64, 64], &device);
    let dropped = values(restart.model.dropout.forward(ones));
    assert!(dropped.contains(&0.0), "dropout drops");
    assert!(restart.model.first.weight.is_require_grad());
    let statistics = values(restart.model.norm.running_mean.value());
    let mut optim = restart.extra;
    let trained = train(restart.model, &mut optim);
    let after = values(trained.valid().norm.running_mean.value());
    assert_ne!(after, statistics, "running statistics learn");
}

#[test]
fn a_run_goes_on_where_the_live_model_is() {
    let _alone = alone();
    let device = device().gradient_checkpointing();
    let step = |model: Net| {
        let inputs: Vec<f32> = (0..32).map(|i| (i as f32 * 0.7).sin()).collect();
        let inputs = Tensor::<1>::from_floats(inputs.as_slice(), &device).reshape([8, 4]);
        let loss = model.forward(inputs).square().mean();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        sgd().step(0.05, model, grads)
    };
    let group = ParamGroup::from_regex("first").unwrap();
    let mut model = step(Net::new(0.5, &device).freeze_group(group));
    let (mut stop, mut best) = (stop(), BestWeights::new());
    best.keep(&stop.observe(1.0), || model.clone());
    let kept = values(model.last.weight.val());
    model = step(model);
    let decision = stop.observe(f64::NAN);
    let mut back = RollBackConfig::new(1).init().unwrap();
    let restart = back
        .after_check(&decision, &best, &model, &mut stop, |_| ())
        .unwrap();
    assert_eq!(values(restart.model.last.weight.val()), kept);
    assert!(
        !restart.model.first.weight.is_require_grad(),
        "still frozen"
    );
    assert_eq!(restart.model.last.weight.id, model.last.weight.id);
    // Without the strategy of the device's tensors this would panic.
    assert_ne!(values(step(restart.model).last.weight.val()), kept);
}

#[test]
#[should_panic(expected = "the architectures differ: expected `0.weight` [2, 3] F32")]
fn a_kept_model_of_another_architecture_panics() {
    let _alone = alone();
    let layers = |width| -> Vec<Linear> { vec![LinearConfig::new(2, width).init(&Device::flex())] };
    let (mut stop, mut best) = (stop(), BestWeights::new());
    best.keep(&stop.observe(1.0), || layers(3));
    let decision = stop.observe(f64::NAN);
    let mut back = RollBackConfig::new(1).init().unwrap();
    back.after_check(&decision, &best, &layers(4), &mut stop, |_| ());
}

/// Records are written in the order of a hash map.
fn sorted(bytes: &Bytes) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.sort_unstable();
    bytes
}

#[test]
fn meaningless_settings_are_refused_and_the_others_survive_json() {
    for (bad, got) in [
        (0.0, "0.0"),
        (-0.5, "-0.5"),
        (1.5, "1.5"),
        (f64::NAN, "NaN"),
    ] {
        let error = RollBackConfig::new(1)
            .with_lr_factor(bad)
            .init()
            .unwrap_err();
        assert_eq!((error.field, error.got.as_str()), ("lr_factor", got));
    }
    let config = RollBackConfig::new(7).with_lr_factor(0.3);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<RollBackConfig>(&json).unwrap(),
        config
    );
    fn value<T: Clone + Send + Sync + 'static>() {}
    value::<RollBack>();
    value::<BestWeights<Linear, ModuleOptimizer>>();
}
