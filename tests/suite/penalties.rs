//! Penalties in the loss, and constraints after the step, against Keras, on the axis of each layer.

use crate::devices::{devices, training_devices};
use crate::models::{Net, alone, dtypes, values};
use crate::norms::{assert_gradient, assert_json, assert_near, assert_refused, grid, precise};
use crate::oracle::{case, numbers, read};
use burn::module::{Lora, Module, Param, ParamGroup, ParamId};
use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
use burn::nn::{EmbeddingConfig, Linear, LinearConfig, LinearLayout};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{
    MaxNorm, MaxNormConfig, Penalty, PenaltyConfig, Spare, UnitNorm, UnitNormConfig,
};

#[derive(Module, Debug)]
struct Weight<const D: usize> {
    weight: Param<Tensor<D>>,
}

impl<const D: usize> Weight<D> {
    fn new(weight: Tensor<D>) -> Self {
        let grad = weight.is_autodiff();
        let weight = weight.detach().set_require_grad(grad);
        Self {
            weight: Param::initialized(ParamId::new(), weight),
        }
    }
}

/// The oracle's weight for penalties: a grid with a zero in it.
fn with_zero(device: &Device, dtype: DType) -> Weight<2> {
    let mut numbers = values(grid([3, 4], 0.7, 2.0, (device, dtype)));
    numbers[6] = 0.0;
    Weight::new(Tensor::<1>::from_data(numbers.as_slice(), (device, dtype)).reshape([3, 4]))
}

fn number(tensor: Tensor<1>) -> f64 {
    values(tensor)[0]
}

#[test]
fn penalties_are_those_of_keras_and_scikit_learn() {
    for (name, device) in training_devices() {
        let (dtype, tolerance) = precise(&device);
        let model = with_zero(&device, dtype);
        let expected = case("penalties", "l1_l2");
        let setting = |field: &str| read(&expected["settings"][field]);
        let config = PenaltyConfig::new()
            .with_l1(setting("l1"))
            .with_l2(setting("l2"));
        let penalty = config.init().unwrap();
        let value = penalty.of(&model);
        // Keras computes in f32.
        assert_near(
            &values(value.clone()),
            &numbers(&expected["values"]["value"]),
            1e-6,
            name,
        );
        let grads = value.backward();
        let gradient = values(model.weight.val().grad(&grads).unwrap());
        assert_eq!(gradient[6], 0.0, "{name}: |w| has the slope 0 at 0");
        assert_near(
            &gradient,
            &numbers(&expected["values"]["gradient"]),
            tolerance,
            name,
        );

        let expected = case("penalties", "elastic_net");
        let setting = |field: &str| read(&expected["settings"][field]);
        let config = PenaltyConfig::elastic_net(setting("alpha"), setting("l1_ratio"));
        let value = values(config.init().unwrap().of(&model));
        assert_near(
            &value,
            &numbers(&expected["values"]["value"]),
            tolerance,
            name,
        );
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for (name, device) in training_devices() {
        let config = PenaltyConfig::new().with_l1(0.3).with_l2(0.7);
        let penalty = config.init().unwrap();
        let f = |w: Tensor<2>| match w.is_require_grad() {
            // The leaf of the test itself is the parameter.
            true => penalty.of(&Weight {
                weight: Param::initialized(ParamId::new(), w),
            }),
            false => penalty.of(&Weight::new(w)),
        };
        assert_gradient(f, [3, 4], &device, name);
    }
}

#[test]
fn without_weight_the_loss_is_untouched() {
    for (name, device) in training_devices() {
        let model = with_zero(&device, DType::F32);
        let loss = Tensor::<1>::from_floats([0.123_456_79], &device);
        let penalty = PenaltyConfig::new().init().unwrap();
        let same = penalty.add_to(loss.clone(), &model);
        assert_eq!(values(same), values(loss.clone()), "{name}");
        assert_eq!(number(penalty.of(&model)), 0.0, "{name}");
        let penalty = PenaltyConfig::new().with_l2(0.1).init().unwrap();
        let sum = number(loss.clone()) + number(penalty.of(&model));
        assert_near(&values(penalty.add_to(loss, &model)), &[sum], 1e-6, name);
    }
}

#[test]
fn what_counts_is_trained_and_no_vector() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let model = Net::new(0.0, &device);
        model.forward(grid([6, 4], 0.3, 9.0, (&device, DType::F32)));
        let _ = model.valid();
        let penalty = |config: PenaltyConfig| config.with_l2(1.0).init().unwrap();
        let paths = |config: PenaltyConfig| penalty(config).paths(&model);
        let all = PenaltyConfig::new();
        assert_eq!(
            paths(all.clone()),
            ["first.weight", "last.weight"],
            "{name}"
        );
        let everything = all.clone().with_spare(Spare::Nothing);
        let vectors = [
            "first.weight",
            "first.bias",
            "norm.gamma",
            "norm.beta",
            "last.weight",
            "last.bias",
        ];
        assert_eq!(
            paths(everything.clone()),
            vectors,
            "{name}: no running statistics"
        );
        let squares = |param: &Param<Tensor<2>>| number(param.val().square().sum());
        let sum = squares(&model.first.weight) + squares(&model.last.weight);
        assert_near(&values(penalty(all.clone()).of(&model)), &[sum], 1e-6, name);
        // For the log: the same number without autodiff, and none of the statistics in it either.
        for config in [all.clone(), everything] {
            let (training, valid) = (
                penalty(config.clone()).of(&model),
                penalty(config).of(&model.valid()),
            );
            assert!(!valid.is_autodiff(), "{name}");
            assert_near(&values(valid), &values(training), 1e-6, name);
        }
        let group = ParamGroup::from_regex("^last").expect("a pattern");
        let last = all.clone().with_group(group);
        assert_eq!(paths(last.clone()), ["last.weight"], "{name}");
        let frozen = model
            .clone()
            .set_require_grad_group(ParamGroup::from_path("last.weight"), false);
        assert_eq!(number(penalty(last).of(&frozen)), 0.0, "{name}: frozen");
        let nothing = all.with_group(ParamGroup::from_predicate("no such path"));
        assert_eq!(number(penalty(nothing).of(&model)), 0.0, "{name}");
    }
}

#[test]
fn sums_of_half_precision_do_not_overflow() {
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let model = Weight::new(Tensor::<2>::full([30, 30], 300.0, (&device, dtype)));
            let penalty = PenaltyConfig::new().with_l2(1e-7).init().unwrap();
            let value = number(penalty.of(&model));
            assert!(
                (value - 900.0 * 9e4 * 1e-7).abs() < 0.05,
                "{name} {dtype:?}: {value}"
            );
            let loss = Tensor::<1>::ones([1], (&device, dtype));
            let loss = penalty.add_to(loss, &model);
            assert_eq!(loss.dtype(), dtype, "{name}");
            let grads = loss.backward();
            let gradient = values(model.weight.val().grad(&grads).unwrap());
            assert_near(&gradient[..1], &[6e-5], 2e-2, name);
        }
    }
}

#[test]
fn constraints_are_those_of_keras_on_the_axis_of_each_layer() {
    for (name, device) in devices() {
        let options = (&device, DType::F32);
        let mut dense = LinearConfig::new(3, 4).init(&device);
        dense.weight = dense.weight.map(|_| grid([3, 4], 0.7, 2.0, options));
        let mut filters = Conv2dConfig::new([2, 4], [3, 3]).init(&device);
        filters.weight = filters
            .weight
            .map(|_| grid([4, 2, 3, 3], 0.7, 2.0, options));
        let expected = |which: &str| numbers(&case("constraints", which)["values"]["weight"]);
        let max = |which: &str| {
            let max_norm = read(&case("constraints", which)["settings"]["max_norm"]);
            MaxNormConfig::new(max_norm).init().unwrap()
        };
        let unit = UnitNormConfig::new().init().unwrap();
        let near =
            |weight: Vec<f64>, which: &str| assert_near(&weight, &expected(which), 1e-6, which);
        let cut = max("max_norm_dense").apply(dense.clone());
        near(values(cut.weight.val()), "max_norm_dense");
        assert_ne!(
            values(cut.weight.val()),
            values(dense.weight.val()),
            "{name}"
        );
        assert_eq!(cut.weight.id, dense.weight.id, "{name}");
        let bias = |model: &Linear| values(model.bias.as_ref().unwrap().val());
        assert_eq!(bias(&cut), bias(&dense), "{name}");
        near(
            values(max("max_norm_filters").apply(filters.clone()).weight.val()),
            "max_norm_filters",
        );
        near(values(unit.apply(dense).weight.val()), "unit_norm_dense");
        near(
            values(unit.apply(filters).weight.val()),
            "unit_norm_filters",
        );
    }
}

#[test]
fn every_layer_has_its_own_axis() {
    let _alone = alone();
    for (name, device) in devices() {
        let unit = UnitNormConfig::new().with_length(2.0).init().unwrap();
        let lengths =
            |weight: Tensor<2>, dim: usize| values(weight.square().sum_dim(1 - dim).sqrt());
        let is_two =
            |lengths: Vec<f64>| assert_near(&lengths, &vec![2.0; lengths.len()], 1e-6, name);
        for layout in [LinearLayout::Row, LinearLayout::Col] {
            let model = unit.apply(LinearConfig::new(5, 3).with_layout(layout).init(&device));
            assert_eq!(lengths(model.weight.val(), 1).len(), 3);
            is_two(lengths(model.weight.val(), 1));
        }
        let model = unit.apply(EmbeddingConfig::new(7, 3).init(&device));
        is_two(lengths(model.weight.val(), 0));
        let model = unit.apply(ConvTranspose2dConfig::new([4, 6], [3, 2]).init(&device));
        let weight = model.weight.val().swap_dims(0, 1).reshape([6, 24]);
        is_two(lengths(weight, 0));
    }
}

#[test]
fn neutral_settings_and_zero_units_change_no_bit() {
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let mut numbers = values(grid([3, 4], 0.7, 2.0, (&device, dtype)));
            for row in 0..3 {
                numbers[row * 4 + 1] = 0.0;
            }
            let weight =
                Tensor::<1>::from_data(numbers.as_slice(), (&device, dtype)).reshape([3, 4]);
            let model = Weight::<2>::new(weight);
            let before = values(model.weight.val());
            let neutral = MaxNormConfig::new(f64::MAX).init().unwrap();
            let same = neutral.apply(model.clone());
            assert_eq!(values(same.weight.val()), before, "{name} {dtype:?}");
            assert_eq!(same.weight.val().dtype(), dtype, "{name}");
            let inside = MaxNormConfig::new(100.0).init().unwrap();
            assert_eq!(
                values(inside.apply(model.clone()).weight.val()),
                before,
                "{name}"
            );
            let unit = values(
                UnitNormConfig::new()
                    .init()
                    .unwrap()
                    .apply(model)
                    .weight
                    .val(),
            );
            assert!(
                [1, 5, 9].iter().all(|i| unit[*i] == 0.0),
                "{name} {dtype:?}: {unit:?}"
            );
            assert!(
                unit.iter().all(|w| w.is_finite()),
                "{name} {dtype:?}: {unit:?}"
            );
        }
    }
}

#[test]
fn a_constrained_model_trains_on() {
    let _alone = alone();
    let plain = |device: &Device| device.clone().autodiff();
    for (name, device) in devices() {
        // With checkpointing, a leaf of the default strategy would panic in the next pass.
        for device in [plain(&device), plain(&device).gradient_checkpointing()] {
            let constraint = MaxNormConfig::new(0.5).init().unwrap();
            let mut optim = SgdConfig::new().init();
            let mut model = Net::new(0.3, &device);
            let x = grid([6, 4], 0.3, 2.0, (&device, DType::F32));
            let mut statistics = Vec::new();
            for _ in 0..3 {
                let loss = (model.forward(x.clone()) - 3.0).square().mean();
                let grads = GradientsParams::from_grads(loss.backward(), &model);
                assert!(grads.get::<2>(model.first.weight.id).is_some(), "{name}");
                model = optim.step(0.5, model, grads);
                statistics = values(model.norm.running_mean.value_sync());
                model = constraint.apply(model);
            }
            let lengths =
                |weight: &Param<Tensor<2>>| values(weight.val().square().sum_dim(0).sqrt());
            let lengths = [lengths(&model.first.weight), lengths(&model.last.weight)].concat();
            assert!(
                lengths.iter().all(|length| *length < 0.5 + 1e-6),
                "{name}: {lengths:?}"
            );
            assert!(model.first.weight.is_require_grad(), "{name}");
            assert!(model.dropout.training.is_enabled(), "{name}");
            assert_eq!(
                values(model.norm.running_mean.value_sync()),
                statistics,
                "{name}"
            );
            assert!(model.norm.gamma.val().is_require_grad(), "{name}");
        }
    }
}

#[test]
fn frozen_weights_groups_and_adapters_are_left_alone() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let constraint = |group| MaxNormConfig::new(0.1).with_group(group).init().unwrap();
    let model =
        Net::new(0.0, &device).set_require_grad_group(ParamGroup::from_path("first.weight"), false);
    let (first, last) = (
        values(model.first.weight.val()),
        values(model.last.weight.val()),
    );
    let group = ParamGroup::from_regex("^last").expect("a pattern");
    let cut = constraint(ParamGroup::all()).apply(model.clone());
    assert_eq!(values(cut.first.weight.val()), first, "frozen");
    assert!(!cut.first.weight.is_require_grad());
    assert_ne!(values(cut.last.weight.val()), last);
    let model = model.valid().train().set_require_grad(true);
    let cut = constraint(group).apply(model);
    assert_eq!(values(cut.first.weight.val()), first, "not of the group");

    let lora = LinearConfig::new(4, 3)
        .init(&device)
        .apply_lora(Lora::new(2, 4.0));
    let before = values(lora.weight.adapter().unwrap().a.val());
    let cut = constraint(ParamGroup::all()).apply(lora);
    assert_eq!(
        values(cut.weight.adapter().unwrap().a.val()),
        before,
        "no units of the layer"
    );
}

#[test]
fn configs_go_through_json_and_refuse_nonsense() {
    let group = || ParamGroup::from_regex("^head\\.").expect("a pattern");
    assert_json(
        &PenaltyConfig::new()
            .with_l1(0.5)
            .with_spare(Spare::Nothing)
            .with_group(group()),
    );
    assert_json(&MaxNormConfig::new(f64::MAX).with_group(group()));
    assert_json(&UnitNormConfig::new().with_length(3.0));
    for bad in [-0.1, f64::NAN, f64::INFINITY] {
        let got = format!("{bad:?}");
        assert_refused(PenaltyConfig::new().with_l1(bad).init(), "l1", &got);
        assert_refused(PenaltyConfig::new().with_l2(bad).init(), "l2", &got);
        assert_refused(MaxNormConfig::new(bad).init(), "max_norm", &got);
        assert_refused(
            UnitNormConfig::new().with_length(bad).init(),
            "length",
            &got,
        );
    }
    assert_refused(MaxNormConfig::new(0.0).init(), "max_norm", "0.0");
    fn check<T: Send + Sync + Clone>() {}
    check::<(Penalty, MaxNorm, UnitNorm)>();
}
