//! Reparameterizations of weights: PyTorch's numbers, records, LoRA, and modules that need not know.

use crate::devices::{devices, training_devices};
use crate::models::{alone, dtypes, values};
use crate::norms::{
    assert_gradient, assert_json, assert_near, assert_refused, cast, grid, precise, recorded,
};
use crate::norms_weight_oracles::start_at_cosines;
use crate::oracle::{case, numbers};
use burn::module::{Lora, Module, Param, ParamGroup, Reparameterization};
use burn::nn::{Linear, LinearConfig, LinearLayout};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{
    Deviation, DropConnect, DropConnectConfig, SpectralNorm, SpectralNormConfig, WeightNorm,
    WeightNormConfig, WeightStandardization, WeightStandardizationConfig,
};

/// A layer that holds the oracle's weight, which is `[out, in]` for a linear one.
pub(crate) trait Layer: Module {
    fn with_grid(device: &Device, dtype: DType) -> Self;
    fn weight(&self) -> Vec<f64>;
    /// `Σ w k` with the oracle's k, and the weight's gradient of it.
    fn gradient(&self, device: &Device, dtype: DType) -> (burn::tensor::Gradients, Vec<f64>);
    fn stored(&self) -> Vec<f64>;
    fn attached<R: Reparameterization>(&self) -> &R;
}

/// Every reparameterization, attached to `model`.
fn all<M: Module>(model: &M) -> Vec<(&'static str, M)> {
    let standard = WeightStandardizationConfig::new();
    vec![
        (
            "weight_norm",
            WeightNormConfig::new().attach(model.clone()).unwrap(),
        ),
        (
            "spectral_norm",
            SpectralNormConfig::new().attach(model.clone()).unwrap(),
        ),
        (
            "weight_standardization",
            standard.attach(model.clone()).unwrap(),
        ),
        (
            "drop_connect",
            DropConnectConfig::new(0.3).attach(model.clone()).unwrap(),
        ),
    ]
}

#[test]
fn saved_and_loaded_at_any_step_a_model_goes_on_identically() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let x = grid([5, 3], 0.3, 1.0, (&device, DType::F32));
        let plain = Linear::with_grid(&device, DType::F32);
        for (which, model) in all(&plain) {
            let step = |model: Linear, seed: u64| {
                device.seed(seed);
                let y = model.forward(x.clone());
                let grads =
                    GradientsParams::from_grads((y - 1.0).square().mean().backward(), &model);
                burn::optim::SgdConfig::new().init().step(0.1, model, grads)
            };
            let mut model = model;
            for at in 0..3 {
                model = step(model, at);
                // Into another model of the same kind, whose vectors and lengths are others.
                let other = all(&LinearConfig::new(3, 4).init(&device));
                let other = other
                    .into_iter()
                    .find(|(kind, _)| *kind == which)
                    .unwrap()
                    .1;
                let restored = recorded(model.valid(), other);
                let again = recorded(model.clone(), model.valid().train());
                for mut copy in [restored, again] {
                    let mut whole = model.valid().train();
                    for seed in 10..12 {
                        whole = step(whole, seed);
                        copy = step(copy, seed);
                        assert_eq!(copy.stored(), whole.stored(), "{name} {which} {at}");
                    }
                }
            }
            assert_ne!(model.stored(), plain.stored(), "{name} {which}: it learns");
        }
    }
}

#[test]
fn records_have_the_paths_that_the_docs_name() {
    let device = Device::flex();
    let paths = |model: &Linear| {
        let mut paths: Vec<String> = burn_tricks_paths(model);
        paths.sort();
        paths
    };
    let plain = Linear::with_grid(&device, DType::F32);
    let own = |extra: &[&str]| {
        let mut paths = vec!["bias".to_owned(), "weight".to_owned()];
        paths.extend(extra.iter().map(|path| (*path).to_owned()));
        paths.sort();
        paths
    };
    for (which, model) in all(&plain) {
        let extra: &[&str] = match which {
            "weight_norm" => &["weight.weight_norm.g"],
            "spectral_norm" => &["weight.spectral_norm.u", "weight.spectral_norm.v"],
            _ => &[],
        };
        assert_eq!(paths(&model), own(extra), "{which}");
        // Without state of their own, records are those of the plain model.
        if extra.is_empty() {
            let loaded = recorded(plain.clone(), model.clone());
            assert_eq!(loaded.stored(), plain.stored(), "{which}");
            assert_eq!(
                recorded(model, plain.clone()).weight(),
                plain.weight(),
                "{which}"
            );
        }
    }
}

/// Where a record puts the tensors of a module.
fn burn_tricks_paths<M: Module>(module: &M) -> Vec<String> {
    struct Paths(Vec<String>, Vec<String>);
    impl burn::module::ModuleVisitor for Paths {
        fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
            self.1.push(self.0.join("."));
        }
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
    }
    let mut paths = Paths(Vec::new(), Vec::new());
    module.visit(&mut paths);
    paths.1
}

#[test]
fn materialized_they_are_plain_layers_with_the_weights_in_use() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let x = grid([5, 3], 0.3, 1.0, (&device, DType::F32)).inner();
        for (which, model) in all(&Linear::with_grid(&device, DType::F32)) {
            let valid = model.valid();
            let expected = values(valid.forward(x.clone()));
            assert_eq!(
                values(valid.forward(x.clone())),
                expected,
                "{name} {which}: it is still"
            );
            let plain = valid.clone().materialize();
            assert_eq!(values(plain.forward(x.clone())), expected, "{name} {which}");
            assert_eq!(plain.num_params(), 3 * 4 + 4, "{name} {which}");
            let paths = burn_tricks_paths(&plain);
            assert_eq!(paths, ["weight", "bias"], "{name} {which}");
            // `train()` after `valid()` takes up where training was.
            let training = model.valid().train();
            assert!(training.weight.base().is_require_grad(), "{name} {which}");
        }
    }
}

#[test]
fn attaching_weight_norm_changes_nothing_and_zero_units_are_zeros() {
    // PyTorch divides 0 by 0.
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let mut model = Linear::with_grid(&device, dtype);
            model.weight = model.weight.map(|w| {
                let zero = Tensor::zeros([3, 1], (&w.device(), dtype));
                w.detach()
                    .slice_assign([0..3, 1..2], zero)
                    .detach()
                    .require_grad()
            });
            let before = values(model.weight.val());
            let model = WeightNormConfig::new().attach(model).unwrap();
            let after = values(model.weight.val());
            match dtype {
                // g has the type of the weight, and rounds once.
                DType::F16 | DType::BF16 => assert_near(&after, &before, 1e-2, name),
                _ => assert_eq!(after, before, "{name} {dtype:?}"),
            }
            assert_eq!(model.weight.val().dtype(), dtype);
            let (grads, v_gradient) = model.gradient(&device, dtype);
            let g = model.attached::<WeightNorm>().g.val().grad(&grads).unwrap();
            let all = [v_gradient, values(g)].concat();
            assert!(
                all.iter().all(|x| x.is_finite()),
                "{name} {dtype:?}: {all:?}"
            );
        }
    }
}

#[test]
fn norms_of_half_precision_do_not_overflow() {
    let _alone = alone();
    for (name, device) in training_devices() {
        if !device.supports_dtype(DType::F16) {
            continue;
        }
        let mut model = Linear::with_grid(&device, DType::F16);
        model.weight = model
            .weight
            .map(|w| (w.detach() * 1000.0).detach().require_grad());
        for (which, model) in all(&model) {
            let weight = model.weight();
            assert!(
                weight.iter().all(|w| w.is_finite()),
                "{name} {which}: {weight:?}"
            );
        }
    }
}

#[test]
fn a_weight_of_zeros_waits_for_its_first_direction() {
    // PyTorch's vectors become zero and stay so.
    for (name, device) in training_devices() {
        let mut model = Linear::with_grid(&device, DType::F32);
        model.weight = model
            .weight
            .map(|w| w.detach().mul_scalar(0.0).detach().require_grad());
        let model = SpectralNormConfig::new().attach(model).unwrap();
        assert_eq!(model.weight(), [0.0; 12], "{name}");
        let (_, gradient) = model.gradient(&device, DType::F32);
        assert!(
            gradient.iter().all(|x| x.is_finite()),
            "{name}: {gradient:?}"
        );
        let mut model = model;
        let grid = Linear::with_grid(&device, DType::F32);
        model.weight = {
            let full = recorded(grid.into_record_with(&model), model.clone());
            full.weight
        };
        for _ in 0..200 {
            model.weight();
        }
        let sigma = numbers(&case("spectral_norm", "linear")["values"]["sigma"])[0];
        let expected: Vec<f64> = model.stored().iter().map(|w| w / sigma).collect();
        assert_near(&model.weight(), &expected, 1e-5, name);
    }
}

/// A record of this weight with another model's vectors.
trait IntoRecordWith {
    fn into_record_with(self, model: &Linear) -> Linear;
}

impl IntoRecordWith for Linear {
    fn into_record_with(self, model: &Linear) -> Linear {
        let weight = self.weight.base();
        struct Put(Tensor<2>);
        impl burn::module::ModuleMapper for Put {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                if D == 2 {
                    param.map(|old| self.0.clone().reshape(old.shape()).detach().require_grad())
                } else {
                    param
                }
            }
        }
        model.clone().map(&mut Put(weight))
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for (name, device) in training_devices() {
        let (dtype, _) = precise(&device);
        let k = grid([3, 4], 0.9, 1.0, (&device, dtype));
        let model = Linear::with_grid(&device, dtype);
        let norm = WeightNormConfig::new().attach(model.clone()).unwrap();
        let norm = norm.attached::<WeightNorm>();
        assert_gradient(|w| (norm.apply(w) * k.clone()).sum(), [3, 4], &device, name);
        for deviation in [
            Deviation::Population,
            Deviation::PopulationPlus,
            Deviation::SamplePlus,
        ] {
            let config = WeightStandardizationConfig::new().with_deviation(deviation);
            let model = config.attach(model.clone()).unwrap();
            let norm = model.attached::<WeightStandardization>();
            assert_gradient(|w| (norm.apply(w) * k.clone()).sum(), [3, 4], &device, name);
        }
        // With the vectors held still: that is what the gradient is of.
        let model = SpectralNormConfig::new().attach(model).unwrap().freeze();
        let norm = model.attached::<SpectralNorm>();
        assert_gradient(|w| (norm.apply(w) * k.clone()).sum(), [3, 4], &device, name);
    }
}

#[test]
fn a_second_reparameterization_is_refused_and_burn_would_drop_it() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let plain = Linear::with_grid(&device, DType::F32);
    let lora = plain.clone().apply_lora(Lora::new(2, 4.0));
    let path = "\"weight.lora\"";
    let lora_path = burn_tricks_paths(&lora);
    assert!(
        lora_path.iter().any(|path| path.starts_with("weight.lora")),
        "{lora_path:?}"
    );
    assert_refused(WeightNormConfig::new().attach(lora.clone()), "model", path);
    assert_refused(
        SpectralNormConfig::new().attach(lora.clone()),
        "model",
        path,
    );
    assert_refused(
        DropConnectConfig::new(0.1).attach(lora.clone()),
        "model",
        path,
    );
    let merged = WeightNormConfig::new().attach(lora.materialize()).unwrap();
    assert_near(&merged.weight(), &plain.weight(), 1e-6, "as the error says");

    // The other way round is Burn's, and is what the docs warn of.
    let normed = WeightNormConfig::new().attach(plain).unwrap();
    let both = normed.apply_lora(Lora::new(2, 4.0));
    assert!(both.weight.adapter().is_none(), "the adapters are gone");
    assert!(
        !both.weight.base().is_require_grad(),
        "and the weight is frozen"
    );
}

#[test]
fn groups_choose_and_a_group_of_nothing_is_refused() {
    let device = Device::flex();
    let model = || {
        vec![
            Linear::with_grid(&device, DType::F32),
            Linear::with_grid(&device, DType::F32),
        ]
    };
    let group = ParamGroup::from_regex("^1\\.weight$").expect("a pattern");
    let normed = WeightNormConfig::new()
        .with_group(group.clone())
        .attach(model())
        .unwrap();
    assert!(
        normed[0]
            .weight
            .reparameterization::<WeightNorm>()
            .is_none()
    );
    assert!(
        normed[1]
            .weight
            .reparameterization::<WeightNorm>()
            .is_some()
    );
    let typo = ParamGroup::from_predicate("wieght");
    let error = WeightNormConfig::new()
        .with_group(typo)
        .attach(model())
        .unwrap_err();
    assert_eq!(error.field, "group");
    assert!(error.got.contains("wieght"), "{error}");
    let biases = ParamGroup::from_predicate("bias");
    let config = WeightStandardizationConfig::new().with_group(biases);
    assert_eq!(config.attach(model()).unwrap_err().field, "group");

    assert_json(&WeightNormConfig::new().with_group(group.clone()));
    assert_json(
        &SpectralNormConfig::new()
            .with_iterations(3)
            .with_group(group.clone()),
    );
    assert_json(&WeightStandardizationConfig::new().with_deviation(Deviation::SamplePlus));
    assert_json(&DropConnectConfig::new(0.2).with_group(group));
    assert_refused(
        SpectralNormConfig::new().with_iterations(0).attach(model()),
        "iterations",
        "0",
    );
    let standard = WeightStandardizationConfig::new().with_epsilon(-1.0);
    assert_refused(standard.attach(model()), "epsilon", "-1.0");
    assert_refused(DropConnectConfig::new(1.0).attach(model()), "prob", "1.0");
    assert_refused(
        DropConnectConfig::new(f64::NAN).attach(model()),
        "prob",
        "NaN",
    );
}

#[test]
fn a_frozen_weight_stays_frozen_with_its_lengths() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = Linear::with_grid(&device, DType::F32).no_grad();
    let model = WeightNormConfig::new().attach(model).unwrap();
    assert!(!model.attached::<WeightNorm>().g.is_require_grad());
    // Where nothing requires a gradient, it is known in training.
    for frozen in [false, true] {
        let model: Linear = LinearConfig::new(3, 4).init(&Device::flex());
        let model = if frozen { model.freeze() } else { model };
        let model = WeightNormConfig::new().attach(model).unwrap().train();
        let g = &model.attached::<WeightNorm>().g;
        let trained = (model.weight.base().is_require_grad(), g.is_require_grad());
        assert_eq!(trained, (!frozen, !frozen));
    }
    // Frozen as a layer, spectral norm stops following.
    let model = SpectralNormConfig::new()
        .attach(Linear::with_grid(&device, DType::F32))
        .unwrap();
    start_at_cosines(model.attached());
    let model = model.freeze();
    assert_eq!(model.weight(), model.weight());
    let frozen = model.weight();
    assert_ne!(model.unfreeze().weight(), frozen);
}

#[test]
fn a_column_layout_has_the_same_units() {
    let _alone = alone();
    for (name, device) in devices() {
        let row = Linear::with_grid(&device, DType::F32);
        let column = LinearConfig::new(3, 4)
            .with_layout(LinearLayout::Col)
            .init(&device);
        let column = Linear {
            weight: column.weight.map(|_| row.weight.val()),
            bias: column.bias,
        };
        let [row, column] =
            [row, column].map(|model| WeightNormConfig::new().attach(model).unwrap());
        let g = |model: &Linear| values(model.attached::<WeightNorm>().g.val());
        assert_eq!(g(&row), g(&column), "{name}");
        assert_eq!(g(&row).len(), 4, "{name}");
    }
}

#[test]
fn statistics_move_with_the_model_and_are_not_trained() {
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let model = SpectralNormConfig::new()
                .attach(Linear::with_grid(&device, DType::F32))
                .unwrap();
            let model = cast(model, dtype).fork(&device).unfreeze();
            let y = model.forward(grid([2, 3], 0.3, 1.0, (&device, dtype)));
            assert_eq!(y.dtype(), dtype, "{name}");
            let grads = y.sum().backward();
            let norm = model.attached::<SpectralNorm>();
            for state in [&norm.u, &norm.v] {
                assert_eq!(state.value().dtype(), dtype, "{name}");
                assert!(!state.value().is_require_grad(), "{name}");
                assert!(state.value().grad(&grads).is_none(), "{name}");
            }
        }
    }
}

#[test]
fn an_unmodified_model_learns_under_each() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let x = grid([16, 3], 0.3, 1.0, (&device, DType::F32));
    let target = x.clone().sum_dim(1).tanh().repeat_dim(1, 4);
    device.seed(3);
    for (which, mut model) in all(&Linear::with_grid(&device, DType::F32)) {
        let mut optim = AdamConfig::new().init();
        let mut losses = Vec::new();
        for _ in 0..100 {
            let loss = (model.forward(x.clone()) - target.clone()).square().mean();
            losses.push(values(loss.clone())[0]);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(0.05, model, grads);
        }
        let (first, last) = (losses[0], losses[95..].iter().sum::<f64>() / 5.0);
        assert!(last < 0.8 * first, "{which}: {first} {last}");
    }
}

#[test]
fn they_are_send_sync_clone() {
    fn check<T: Send + Sync + Clone>() {}
    check::<(WeightNorm, SpectralNorm, WeightStandardization, DropConnect)>();
}
