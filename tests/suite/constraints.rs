//! Constraints after the step, against Keras, on the axis of each layer.

use crate::devices::{devices, training_devices};
use crate::models::{Net, alone, dtypes, values};
use crate::norms::{assert_near, grid};
use crate::oracle::{case, numbers, read};
use crate::penalties::Weight;
use burn::module::{Lora, Module, Param, ParamGroup};
use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
use burn::nn::{EmbeddingConfig, Linear, LinearConfig, LinearLayout};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{MaxNormConfig, UnitNormConfig};

#[test]
fn constraints_are_those_of_keras_on_the_axis_of_each_layer() {
    let _alone = alone();
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
        let unit = UnitNormConfig::new().with_norm(2.0).init().unwrap();
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
fn a_tied_weight_has_the_units_of_its_first_place() {
    let _alone = alone();
    for device in [Device::flex(), Device::flex().autodiff()] {
        let rows = [[1.0; 4], [0.0; 4], [0.0; 4]];
        let output = Weight::<2>::new(Tensor::from_data(rows, &device));
        let mut embedding = EmbeddingConfig::new(3, 4).init(&device);
        embedding.weight = output.weight.clone();
        let model = (embedding, output);
        let max_norm = MaxNormConfig::new(1.0).init().unwrap();
        let unit_norm = UnitNormConfig::new().init().unwrap();
        assert_eq!(max_norm.paths(&model), ["0.weight"]);
        // The first row has the norm 2. The norms of the columns, the units of `output`, are 1 already.
        let expected = [[0.5; 4], [0.0; 4], [0.0; 4]].concat();
        for (embedding, output) in [max_norm.apply(model.clone()), unit_norm.apply(model)] {
            assert_near(&values(embedding.weight.val()), &expected, 1e-6, "rows");
            assert_near(&values(output.weight.val()), &expected, 1e-6, "rows");
        }
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
fn lengths_are_right_as_far_as_squares_stay_in_the_type() {
    for (name, device) in devices() {
        let weight = |value: f64| {
            let full = Tensor::<2>::full([4, 2], value, (&device, DType::F32));
            Weight::new(full)
        };
        let length = |model: Weight<2>| {
            let column = values(model.weight.val()).into_iter().step_by(2);
            column.map(|w| w * w).sum::<f64>().sqrt()
        };
        let unit = UnitNormConfig::new().init().unwrap();
        // A column of 4 weights is twice as long as each.
        for start in [1e-15, 1e19] {
            let end = length(unit.apply(weight(start / 2.0)));
            assert_near(&[end], &[1.0], 1e-5, &format!("{name}: {start}"));
        }
        for (start, max) in [(1e19, 1.0), (1e19, 1e18), (2e-15, 1e-15)] {
            let bound = MaxNormConfig::new(max).init().unwrap();
            let end = length(bound.apply(weight(start / 2.0)));
            assert_near(
                &[end / max],
                &[1.0],
                1e-5,
                &format!("{name}: {start}, {max}"),
            );
        }
        // Beyond, as the docs say.
        let bound = MaxNormConfig::new(1.0).init().unwrap();
        assert_eq!(length(unit.apply(weight(1e20))), 0.0, "{name}");
        assert_eq!(length(bound.apply(weight(1e20))), 0.0, "{name}");
        let neutral = MaxNormConfig::new(f64::MAX).init().unwrap();
        let long = length(weight(1e20));
        assert_eq!(length(neutral.apply(weight(1e20))), long, "{name}");
        let short = length(weight(1e-25));
        assert_eq!(length(unit.apply(weight(1e-25))), short, "{name}");
        assert_eq!(length(bound.apply(weight(1e-25))), short, "{name}");
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
    let all = constraint(ParamGroup::all());
    let unit = UnitNormConfig::new().init().unwrap();
    assert_eq!(all.paths(&model), ["last.weight"]);
    assert_eq!(unit.paths(&model), ["last.weight"]);
    // Where it cannot be told what is frozen.
    let everywhere = ["first.weight", "last.weight"];
    assert_eq!(all.paths(&model.valid()), everywhere);
    assert_eq!(unit.paths(&model.valid()), everywhere);
    let cut = all.apply(model.clone());
    assert_eq!(values(cut.first.weight.val()), first, "frozen");
    assert!(!cut.first.weight.is_require_grad());
    assert_ne!(values(cut.last.weight.val()), last);
    let model = model.valid().train().set_require_grad(true);
    assert_eq!(constraint(group.clone()).paths(&model), ["last.weight"]);
    let unit = UnitNormConfig::new().with_group(group.clone());
    assert_eq!(unit.init().unwrap().paths(&model), ["last.weight"]);
    let cut = constraint(group).apply(model);
    assert_eq!(values(cut.first.weight.val()), first, "not of the group");

    let lora = LinearConfig::new(4, 3)
        .init(&device)
        .apply_lora(Lora::new(2, 4.0));
    let before = values(lora.weight.adapter().unwrap().a.val());
    assert_eq!(constraint(ParamGroup::all()).paths(&lora).len(), 0);
    let cut = constraint(ParamGroup::all()).apply(lora);
    assert_eq!(
        values(cut.weight.adapter().unwrap().a.val()),
        before,
        "no units of the layer"
    );
}
