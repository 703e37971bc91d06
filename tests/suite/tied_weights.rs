//! Parameters that stand in several places. The oracle is the same network with one parameter that is
//! used twice: it must train alike, to the bit.

use crate::models::{alone, numbers, shown, values};
use crate::net_training::{Batch, EPOCHS, schedule, session, train_loader};
use crate::oracle::assert_close;
use burn::data::dataloader::Progress;
use burn::lr_scheduler::LrScheduler as _;
use burn::module::{Module, ModuleDisplay, ModuleMapper, Param, ParamGroup};
use burn::nn::{BatchNormConfig, Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Tensor, activation::tanh};
use burn::train::metric::{Metric as _, MetricMetadata, Numeric as _};
use burn::train::{InferenceStep, Learner, RegressionOutput, TrainOutput, TrainStep};
use burn_tricks::Snapshot;
use burn_tricks::average::{Ema, Predict, SnapshotEnsembleConfig, SwaConfig, TrainedAverage};
use burn_tricks::grad::ClipGradNorm;
use burn_tricks::nn::{
    InitError, LsuvConfig, Penalty, SpectralNormConfig, TiedWeights, WeightInit, WeightNorm,
};
use burn_tricks::prelude::*;
use burn_tricks::train::{EpochClock, Trick, UpdateRatio};

/// One layer, used twice.
#[derive(Module, Debug)]
pub(crate) struct Once {
    layer: Linear,
    last: Linear,
}

/// The same as a layer and its clone.
#[derive(Module, Debug)]
pub(crate) struct Tied {
    layer: Linear,
    again: Linear,
    last: Linear,
}

impl Once {
    pub(crate) fn new(device: &Device) -> Self {
        device.seed(7);
        let once = Self {
            layer: LinearConfig::new(4, 4).init(device),
            last: LinearConfig::new(4, 3).init(device),
        };
        force_init(&once);
        once
    }

    pub(crate) fn tied(&self) -> Tied {
        Tied {
            layer: self.layer.clone(),
            again: self.layer.clone(),
            last: self.last.clone(),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = tanh(self.layer.forward(input));
        self.last.forward(tanh(self.layer.forward(hidden)))
    }
}

impl Tied {
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = tanh(self.layer.forward(input));
        self.last.forward(tanh(self.again.forward(hidden)))
    }

    /// As the network of one layer, if the two places are equal.
    pub(crate) fn once(self) -> Once {
        assert_eq!(numbers(&self.layer), numbers(&self.again));
        Once {
            layer: self.layer,
            last: self.last,
        }
    }
}

macro_rules! learns {
    ($model:ident) => {
        impl $model {
            fn loss(&self, batch: Batch) -> Tensor<1> {
                (self.forward(batch.input) - batch.target).square().mean()
            }
        }

        impl TrainStep for $model {
            type Input = Batch;
            type Output = RegressionOutput;

            fn step(&self, batch: Batch) -> TrainOutput<RegressionOutput> {
                let loss = penalty().add_to(self.loss(batch), self);
                TrainOutput::new(self, loss.backward(), shown(loss))
            }
        }

        impl InferenceStep for $model {
            type Input = Batch;
            type Output = RegressionOutput;

            fn step(&self, batch: Batch) -> RegressionOutput {
                shown(self.loss(batch))
            }
        }

        impl Predict for $model {
            type Input = Tensor<2>;

            fn predict(&self, input: Tensor<2>) -> Tensor<2> {
                self.forward(input)
            }
        }
    };
}

learns!(Once);
learns!(Tied);

pub(crate) fn flex() -> Device {
    Device::flex().autodiff()
}

fn penalty() -> Penalty {
    PenaltyConfig::new()
        .with_l1(1e-3)
        .with_l2(1e-2)
        .init()
        .unwrap()
}

fn max_norm() -> burn_tricks::nn::MaxNorm {
    MaxNormConfig::new(0.6).init().unwrap()
}

fn clip() -> ClipGradNorm {
    ClipGradNormConfig::new(0.05).init().unwrap()
}

fn ema<M: Module>(model: &M) -> Ema<M> {
    EmaConfig::new(0.9).init(model).unwrap()
}

/// Trains by hand with penalty, clip, constraint and average. The model and its average.
fn by_hand<M>(mut model: M, after: impl Fn(M) -> M) -> (M, M)
where
    M: Module + TrainStep<Input = Batch>,
{
    let (mut optim, mut schedule, clock) =
        (AdamConfig::new().init(), schedule(), EpochClock::new());
    let mut ema = ema(&model);
    let loader = train_loader(&clock).to_device(&flex());
    for epoch in 1..=EPOCHS {
        clock.set(epoch);
        for batch in loader.iter() {
            let grads = TrainStep::step(&model, batch.unwrap()).grads;
            let grads = clip().apply(&model, grads);
            model = after(optim.step(schedule.step(), model, grads));
            ema.update(&model);
        }
    }
    (model, ema.model())
}

/// The same in Burn's `Learner`.
fn learned<M, H>(model: M, constraint: H) -> (M, M)
where
    M: TrainStep<Input = Batch, Output = RegressionOutput>
        + InferenceStep<Input = Batch, Output = RegressionOutput>
        + Module
        + ModuleDisplay
        + std::fmt::Display
        + 'static,
    H: Trick<M> + 'static,
{
    let folder = tempfile::tempdir().unwrap();
    let clock = EpochClock::new();
    let session = session(folder.path(), &clock);
    let tricks = (clip(), constraint, ema(&model));
    let learner = Learner::new(
        model.with_tricks(tricks),
        AdamConfig::new().init(),
        schedule(),
    );
    let model = session.launch(learner).unwrap().model;
    (model.model().clone(), model.into_validated())
}

#[test]
fn a_tied_layer_trains_as_one_that_is_used_twice() {
    let _alone = alone();
    let once = Once::new(&flex());
    let tied = once.tied();
    let begun = numbers(&once);
    let expected = by_hand(once.clone(), |model| max_norm().apply(model));
    let expected = [numbers(&expected.0.valid()), numbers(&expected.1)];
    assert_ne!(expected[0], begun, "it trains");

    let (model, average) = by_hand(tied.clone(), |model| {
        max_norm().apply(TiedWeights.apply(model))
    });
    let by_hand = [numbers(&model.once().valid()), numbers(&average.once())];
    assert_eq!(by_hand, expected);

    // The `Learner` copies its model to the device first, which makes each place a leaf of its own.
    let (model, average) = learned(tied.clone(), (TiedWeights, max_norm()));
    assert_eq!([numbers(&model.once()), numbers(&average.once())], expected);
    let (model, average) = learned(once, max_norm());
    assert_eq!([numbers(&model), numbers(&average)], expected);
}

#[test]
fn burns_step_alone_leaves_the_later_places_behind() {
    let _alone = alone();
    let tied = Once::new(&flex()).tied();
    let mut optim = AdamConfig::new().init();
    let batch = train_loader(&EpochClock::new())
        .to_device(&flex())
        .iter()
        .next()
        .unwrap()
        .unwrap();
    let grads = TrainStep::step(&tied, batch).grads;
    let stepped = optim.step(0.1, tied, grads);
    assert_ne!(numbers(&stepped.layer), numbers(&stepped.again));
    let stepped = TiedWeights.apply(stepped);
    assert_eq!(numbers(&stepped.layer), numbers(&stepped.again));
    assert_eq!(stepped.layer.weight.id, stepped.again.weight.id);
    assert!(stepped.again.weight.is_require_grad());
}

#[test]
fn penalties_count_a_tied_parameter_once() {
    let _alone = alone();
    let device = flex();
    let mut once = Once::new(&device);
    once.layer = InitWeightsConfig::new(WeightInit::Constant { value: 1.0 })
        .init()
        .unwrap()
        .apply(&LinearConfig::new(2, 2).init(&device))
        .unwrap();
    let pair = vec![once.layer.clone(), once.layer];
    let of = |config: PenaltyConfig| config.init().unwrap();
    let number = |penalty: &Penalty| values(penalty.forward(&pair))[0];
    let l2 = of(PenaltyConfig::new().with_l2(1.0));
    assert_eq!(number(&l2), 4.0);
    assert_eq!(number(&of(PenaltyConfig::new().with_l1(1.0))), 4.0);
    assert_eq!(values(l2.forward(&pair.valid())), [4.0]);
    assert_eq!(l2.paths(&pair), ["0.weight"]);
    let grads = GradientsParams::from_grads(l2.forward(&pair).backward(), &pair);
    assert_eq!(values(grads.get::<2>(pair[0].weight.id).unwrap()), [2.0; 4]);
    // A group may name either place.
    let group = ParamGroup::from_regex("^1").unwrap();
    let second = of(PenaltyConfig::new().with_l2(1.0).with_group(group));
    assert_eq!(
        (number(&second), second.paths(&pair)),
        (4.0, vec!["1.weight".to_owned()])
    );
}

#[test]
fn constraints_give_all_places_one_value_and_one_gradient() {
    let _alone = alone();
    let tied = Once::new(&flex()).tied();
    let group = ParamGroup::from_regex("^again").unwrap();
    let bound = MaxNormConfig::new(0.1).with_group(group).init().unwrap();
    assert_eq!(bound.paths(&tied), ["again.weight"]);
    let bounded = bound.apply(tied);
    let lengths = values(bounded.layer.weight.val().square().sum_dim(0).sqrt());
    assert_close(&lengths, &[0.1; 4], 1e-6, "both places are bounded");
    let input = Tensor::<2>::ones([2, 4], &flex());
    let both = gradient(&bounded, &input);
    let once = bounded.once();
    let loss = once.forward(input).square().sum();
    let grads = GradientsParams::from_grads(loss.backward(), &once);
    let expected = values(grads.get::<2>(once.layer.weight.id).unwrap());
    assert_close(&both, &expected, 1e-6, "of both uses");
}

/// Of the tied weight.
fn gradient(tied: &Tied, input: &Tensor<2>) -> Vec<f64> {
    let loss = tied.forward(input.clone()).square().sum();
    let grads = GradientsParams::from_grads(loss.backward(), tied);
    values(grads.get::<2>(tied.layer.weight.id).unwrap())
}

#[test]
fn a_restored_model_is_tied_again_and_no_number_is_changed() {
    let _alone = alone();
    let tied = Once::new(&flex()).tied();
    let input = Tensor::<2>::random([3, 4], Distribution::Default, &flex());
    let expected = gradient(&tied, &input);
    let restored = Snapshot::new(&tied).restore(&tied).unwrap();
    assert_eq!(gradient(&restored, &input), expected);
    let average = TrainedAverage::init(SwaConfig::new(1), &tied).unwrap();
    assert_eq!(gradient(&average.restore_into(&tied), &input), expected);
    // Of places that differ both keep their values, as they were validated.
    let apart = Tied {
        again: Once::new(&flex()).layer.map(&mut Plus),
        ..tied.clone()
    };
    let restored = Snapshot::new(&apart).restore(&tied).unwrap();
    assert_eq!(numbers(&restored), numbers(&apart));
}

struct Plus;

impl ModuleMapper for Plus {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| (value.inner() + 1.0).autodiff().require_grad())
    }
}

#[test]
fn first_weights_are_drawn_once_and_a_rule_may_name_any_place() {
    let _alone = alone();
    let tied = Once::new(&flex()).tied();
    let he = InitWeightsConfig::new(WeightInit::HE_NORMAL).with_seed(Some(3));
    let drawn = he.init().unwrap().apply(&tied).unwrap();
    assert_ne!(numbers(&drawn.layer), numbers(&tied.layer));
    let once = he.init().unwrap().apply(&tied.once()).unwrap();
    assert_eq!(
        numbers(&drawn.clone().once()),
        numbers(&once),
        "no draw is lost"
    );

    let init = he
        .with_rule("again", WeightInit::Constant { value: 2.0 })
        .init()
        .unwrap();
    assert_eq!(
        init.paths(&drawn).unwrap(),
        ["layer.weight", "layer.bias", "last.weight", "last.bias"]
    );
    let drawn = init.apply(&drawn).unwrap();
    assert_eq!(values(drawn.once().layer.weight.val()), [2.0; 16]);
}

#[test]
fn a_tied_weight_that_is_reparameterized_anywhere_is_refused() {
    let _alone = alone();
    let tied = Once::new(&flex()).tied();
    let again = ParamGroup::from_regex("^again").unwrap();
    let tied = WeightNormConfig::new()
        .with_group(again)
        .attach(tied)
        .unwrap();
    let refused = InitError::Reparameterized {
        path: "again.weight".to_owned(),
    };
    let he = InitWeightsConfig::new(WeightInit::HE_NORMAL)
        .init()
        .unwrap();
    assert_eq!(he.apply(&tied).unwrap_err(), refused);
    let lsuv = LsuvConfig::new().init().unwrap();
    let output = |_: &Tied, _: &str| Tensor::<1>::ones([1], &Device::flex());
    assert_eq!(lsuv.apply(&tied, &["layer"], output).unwrap_err(), refused);
}

#[test]
fn lsuv_scales_a_tied_weight_for_one_layer_only() {
    let _alone = alone();
    let tied = Once::new(&Device::flex()).tied();
    let input = Tensor::<2>::random([64, 4], Distribution::Normal(0.0, 9.0), &Device::flex());
    let lsuv = LsuvConfig::new().init().unwrap();
    let output = |tied: &Tied, _: &str| tied.again.forward(input.clone());
    let outcome = lsuv.apply(&tied, &["again"], output).unwrap();
    assert!((outcome.layers[0].variance - 1.0).abs() < 0.1);
    assert_ne!(
        numbers(&outcome.model.clone().once()),
        numbers(&tied.clone().once())
    );
    let error = lsuv.apply(&tied, &["layer", "again"], output).unwrap_err();
    let [path, other] = ["layer.weight", "again.weight"].map(str::to_owned);
    assert_eq!(error, InitError::Tied { path, other });
    assert!(
        error
            .to_string()
            .contains("`layer.weight` and `again.weight`"),
        "{error}"
    );
}

#[test]
fn weight_norm_gives_tied_weights_one_length() {
    let _alone = alone();
    let once = Once::new(&flex());
    let tied = WeightNormConfig::new().attach(once.tied()).unwrap();
    let once = WeightNormConfig::new().attach(once).unwrap();
    let g = |layer: &Linear| {
        layer
            .weight
            .reparameterization::<WeightNorm>()
            .unwrap()
            .g
            .id
    };
    assert_eq!(g(&tied.layer), g(&tied.again));
    let (tied, _) = by_hand(tied, |model| TiedWeights.apply(model));
    let (once, _) = by_hand(once, |model| model);
    assert_eq!(numbers(&tied.layer), numbers(&tied.again));
    assert_eq!(numbers(&tied.once()), numbers(&once));
}

#[test]
fn what_follows_from_the_weights_is_no_parameter() {
    let _alone = alone();
    let device = flex();
    let layer = LinearConfig::new(3, 3).init(&device);
    let layer = SpectralNormConfig::new().attach(layer).unwrap();
    let norm = BatchNormConfig::new(3).init(&device);
    let model = (layer.clone(), norm.clone(), norm.clone());
    let norms = [["1.gamma", "2.gamma"], ["1.beta", "2.beta"]];
    assert_eq!(TiedWeights.paths(&model), norms);
    assert_eq!(TiedWeights.paths(&model.valid()), norms);
    let layers = [["0.weight", "1.weight"], ["0.bias", "1.bias"]];
    assert_eq!(TiedWeights.paths(&vec![layer.clone(), layer]), layers);
}

#[test]
fn members_of_a_snapshot_ensemble_stay_tied() {
    let _alone = alone();
    let tied = Once::new(&flex()).tied();
    let mut snapshots = SnapshotEnsembleConfig::new(2).init(&tied).unwrap();
    snapshots.collect(&tied);
    snapshots.collect(&tied);
    let ensemble = snapshots.into_ensemble(&EnsembleConfig::new()).unwrap();
    let ids = |member: &Tied| [&member.layer, &member.again].map(|layer| layer.weight.id);
    let [a, b] = [0, 1].map(|member| ids(&ensemble.members()[member]));
    assert_eq!((a[0], b[0]), (a[1], b[1]));
    assert_ne!(a[0], b[0]);
}

#[test]
fn the_update_ratio_counts_a_tied_parameter_once() {
    let _alone = alone();
    let once = Once::new(&flex());
    let before = numbers(&once);
    let measure = UpdateRatio::new();
    let mut metric = measure.metric();
    let model = once.tied().with_tricks((TiedWeights, measure));
    let batches = train_loader(&EpochClock::new()).to_device(&flex());
    let batch = batches.iter().next().unwrap().unwrap();
    let grads = TrainStep::step(&model, batch).grads;
    let model = model.optimize(&mut AdamConfig::new().init(), 0.1.into(), grads);
    let after = numbers(&model.into_parts().0.once());

    let norm = |numbers: &[f64]| numbers.iter().map(|x| x * x).sum::<f64>().sqrt();
    let update: Vec<f64> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
    let metadata = MetricMetadata {
        progress: Progress {
            items_processed: 1,
            items_total: 1,
            unit: None,
        },
        iteration: Some(1),
        lr: None,
    };
    metric.update(&(), &metadata).unwrap();
    let shown = metric.value().unwrap().current();
    assert_close(&[shown], &[norm(&update) / norm(&before)], 1e-5, "ratio");
}
