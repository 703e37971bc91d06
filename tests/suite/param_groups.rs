//! Groups of parameters: by role for weight decay, by path for learning rates and for freezing.

use crate::models::{Net, alone, values};
use crate::oracle::worst;
use burn::lr_scheduler::LrScheduler as _;
use burn::module::{Module, Param, ParamId};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig, Lstm, LstmConfig, PRelu, PReluConfig,
};
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor};
use burn_tricks::grad::{FreezeConfig, GradientTransform as _};
use burn_tricks::nn::{LayerScale, LayerScaleConfig};
use burn_tricks::optim::{AdamWConfig, SelectiveDecayConfig};
use burn_tricks::schedule::{CosineConfig, LayerLr, LayerWiseLrConfig};
use burn_tricks::{ParamPaths, ParamRole, force_init};
use std::collections::BTreeMap;

#[derive(Module, Debug)]
struct Block {
    norm: LayerNorm,
    mix: Linear,
    scale: LayerScale,
}

/// A parameter of every role.
#[derive(Module, Debug)]
struct Model {
    tokens: Embedding,
    pos_embed: Param<Tensor<2>>,
    blocks: Vec<Block>,
    conv: Conv2d,
    batch_norm: BatchNorm,
    lstm: Lstm,
    activation: PRelu,
    mixture: Param<Tensor<2>>,
    temperature: Param<Tensor<1>>,
    head: Linear,
}

impl Model {
    fn new(device: &Device) -> Self {
        fn own<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
            Param::from_tensor(Tensor::ones(shape, device))
        }
        let block = || Block {
            norm: LayerNormConfig::new(4).init(device),
            mix: LinearConfig::new(4, 4).init(device),
            scale: LayerScaleConfig::new(4).init(device).unwrap(),
        };
        let model = Self {
            tokens: EmbeddingConfig::new(5, 4).init(device),
            pos_embed: own([3, 4], device),
            blocks: vec![block(), block(), block()],
            conv: Conv2dConfig::new([2, 2], [1, 1]).init(device),
            batch_norm: BatchNormConfig::new(2).init(device),
            lstm: LstmConfig::new(2, 2, true).init(device),
            activation: PReluConfig::new().init(device),
            mixture: own([2, 2], device),
            temperature: own([1], device),
            head: LinearConfig::new(4, 2).init(device),
        };
        force_init(&model);
        model
    }
}

/// Every float of a model by its path.
fn floats<M: Module>(model: &M) -> BTreeMap<String, Vec<f64>> {
    #[derive(Default)]
    struct Read {
        path: Vec<String>,
        read: BTreeMap<String, Vec<f64>>,
    }
    impl burn::module::ModuleVisitor for Read {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let (path, value) = (self.path.join("."), values(param.val()));
            self.read.insert(path, value);
        }

        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
    }
    let mut read = Read::default();
    model.visit(&mut read);
    read.read
}

/// Gradients of this value for everything that is trained.
fn all_grads<M: Module>(model: &M, value: f64) -> GradientsParams {
    struct Give(f64, GradientsParams);
    impl burn::module::ModuleVisitor for Give {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                let value = param.val().inner().full_like(self.0);
                self.1.register(param.id, value);
            }
        }
    }
    let mut give = Give(value, GradientsParams::new());
    model.visit(&mut give);
    give.1
}

const MATRICES: [&str; 7] = [
    "blocks.0.mix.weight",
    "blocks.1.mix.weight",
    "blocks.2.mix.weight",
    "conv.weight",
    "lstm.input_gate.input_transform.weight",
    "mixture",
    "head.weight",
];

#[test]
fn what_decays_goes_by_the_role() {
    let _alone = alone();
    for device in [Device::flex(), Device::flex().autodiff()] {
        let model = Model::new(&device);
        let decaying = |config: SelectiveDecayConfig| {
            let decay = config.init(&model).unwrap();
            let paths = decay.decaying_paths().to_vec();
            assert!(
                paths
                    .iter()
                    .all(|path| !decay.spared_paths().contains(path))
            );
            assert!(!paths.iter().any(|path| path.contains("running")));
            // Of the eight matrices of the gates one will do.
            let gates = paths.into_iter().filter(|path| {
                !path.starts_with("lstm") || path == "lstm.input_gate.input_transform.weight"
            });
            gates.collect::<Vec<_>>()
        };
        let decaying = |config| {
            let mut paths: Vec<String> = decaying(config);
            paths.sort();
            paths
        };
        let with = |more: &[&str]| {
            let mut paths: Vec<_> = MATRICES.iter().chain(more).map(|p| p.to_string()).collect();
            paths.sort();
            paths
        };
        assert_eq!(decaying(SelectiveDecayConfig::new()), with(&[]));
        assert_eq!(
            decaying(SelectiveDecayConfig::timm()),
            with(&["tokens.weight"])
        );
        assert_eq!(
            decaying(SelectiveDecayConfig::nano_gpt()),
            with(&["tokens.weight", "pos_embed"])
        );
        assert_eq!(
            decaying(SelectiveDecayConfig::hugging_face()),
            with(&[
                "tokens.weight",
                "pos_embed",
                "blocks.0.scale.gamma",
                "blocks.1.scale.gamma",
                "blocks.2.scale.gamma",
                "activation.alpha",
                "temperature",
            ])
        );
        let mut without_head = with(&[]);
        without_head.retain(|path| path != "head.weight" && path != "conv.weight");
        assert_eq!(
            decaying(SelectiveDecayConfig::new().sparing(["head", "conv.weight"])),
            without_head
        );
        let error = SelectiveDecayConfig::new()
            .sparing(["haed"])
            .init(&model)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"`spared_paths` must name parameters of the model, or modules that hold some, got "haed"; similar names are "head""#
        );
    }
}

#[test]
fn the_groups_of_a_selective_decay_are_its_paths() {
    let _alone = alone();
    let model = Model::new(&Device::flex());
    let decay = SelectiveDecayConfig::new().init(&model).unwrap();
    let (decaying, spared) = (decay.decaying_group(), decay.spared_group());
    let is_in = |path: &String| {
        let id = ParamId::new();
        [&decaying, &spared].map(|group| group.matches(&id, Some(path.as_str())))
    };
    for (paths, expected) in [
        (decay.decaying_paths(), [true, false]),
        (decay.spared_paths(), [false, true]),
    ] {
        assert!(!paths.is_empty());
        for path in paths {
            assert_eq!(is_in(path), expected, "{path}");
        }
    }
}

#[test]
fn every_parameter_has_its_role() {
    let _alone = alone();
    let model = Model::new(&Device::flex());
    let of = |role| {
        let config = SelectiveDecayConfig::new().with_spared_roles(vec![role]);
        let decay = config.with_spare_vectors(false).init(&model).unwrap();
        decay.spared_paths().to_vec()
    };
    let each = |name: &str| {
        (0..3)
            .map(|at| format!("blocks.{at}.{name}"))
            .collect::<Vec<_>>()
    };
    let with = |each: Vec<String>, more: &[&str]| {
        let more = more.iter().map(|path| path.to_string());
        each.into_iter().chain(more).collect::<Vec<_>>()
    };
    assert_eq!(of(ParamRole::Embedding), ["tokens.weight"]);
    assert_eq!(of(ParamRole::Position), ["pos_embed"]);
    assert_eq!(
        of(ParamRole::NormGain),
        with(each("norm.gamma"), &["batch_norm.gamma"])
    );
    assert_eq!(
        of(ParamRole::NormOffset),
        with(each("norm.beta"), &["batch_norm.beta"])
    );
    assert_eq!(
        of(ParamRole::Scale),
        with(each("scale.gamma"), &["activation.alpha"])
    );
    assert_eq!(
        of(ParamRole::Bias),
        with(each("mix.bias"), &["conv.bias", "head.bias"])
    );
    assert_eq!(of(ParamRole::Other), ["mixture", "temperature"]);
    let gates = of(ParamRole::OtherBias);
    assert_eq!(gates.len(), 8);
    assert!(gates.iter().all(|path| path.starts_with("lstm.")));
    assert_eq!(of(ParamRole::Weight).len(), 3 + 1 + 8 + 1);
}

#[test]
fn what_is_tied_is_listed_once_and_what_is_frozen_as_if_it_were_not() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let layer = || LinearConfig::new(2, 2).init(&device);
    let tied = layer();
    let model = vec![tied.clone(), layer().freeze(), tied];
    let decay = SelectiveDecayConfig::new().init(&model).unwrap();
    assert_eq!(decay.decaying_paths(), ["0.weight", "1.weight"]);
    assert_eq!(decay.spared_paths(), ["0.bias", "1.bias"]);
    // Any of its places may be named.
    let config = SelectiveDecayConfig::new().sparing(["2.weight"]);
    let decay = config.init(&model).unwrap();
    assert_eq!(decay.decaying_paths(), ["1.weight"]);
}

/// The groups are made while a part of the model is frozen.
#[test]
fn what_is_unfrozen_later_decays_by_its_role() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = Model::new(&device);
    let frozen = FreezeConfig::for_paths(["blocks", "batch_norm", "head"]);
    let group = frozen.init(&model).unwrap().group();
    let all = SelectiveDecayConfig::new().init(&model).unwrap();
    let model = model.freeze_group(group.clone());
    assert!(!model.head.weight.is_require_grad());
    assert_eq!(SelectiveDecayConfig::new().init(&model), Ok(all));
    let mut optim = adam_w(&model);
    let model = model.unfreeze_group(group);
    assert!(model.head.weight.is_require_grad());
    let (before, grads) = (floats(&model), all_grads(&model, 0.0));
    let after = floats(&optim.step(0.1, model, grads));
    for (path, factor) in [
        ("head.weight", 0.95),
        ("blocks.1.mix.weight", 0.95),
        ("head.bias", 1.0),
        ("blocks.1.norm.gamma", 1.0),
        ("batch_norm.gamma", 1.0),
        ("batch_norm.running_var", 1.0),
    ] {
        let expected: Vec<f64> = before[path].iter().map(|number| number * factor).collect();
        assert!(worst(&after[path], &expected, |_| 1.0) < 1e-6, "{path}");
    }
}

fn adam_w(model: &Model) -> ModuleOptimizer {
    let decay = SelectiveDecayConfig::new().init(model).unwrap();
    let adam_w = AdamWConfig::torch().with_weight_decay(0.5);
    let spared = adam_w.clone().with_weight_decay(0.0).build().unwrap();
    let optim = adam_w.init().unwrap();
    optim.with_group(decay.spared_group(), spared, None)
}

#[test]
fn spared_parameters_stay_where_others_decay_also_after_a_load() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let (model, other) = (Model::new(&device), Model::new(&device));
    let mut optim = adam_w(&model);
    // The ids become those of `other`: a group of ids would fit nothing.
    let record = ModuleRecord::from_bytes(other.clone().into_record().into_bytes().unwrap());
    let model = model.load_record(record.unwrap());
    assert_eq!(model.head.weight.id, other.head.weight.id);
    let before = floats(&model);
    let grads = all_grads(&model, 0.0);
    let after = floats(&optim.step(0.1, model, grads));
    for (path, before) in before {
        let is_gate = path.starts_with("lstm") && path.ends_with("weight");
        let factor = if is_gate || MATRICES.contains(&path.as_str()) {
            0.95
        } else {
            1.0
        };
        for (before, after) in before.iter().zip(&after[&path]) {
            assert!(
                (before * factor - after).abs() < 1e-6,
                "{path}: {before} became {after}"
            );
        }
    }
}

#[test]
fn each_layer_has_its_own_rate() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = Model::new(&device);
    let config = LayerWiseLrConfig::over(0.5, ["tokens", "pos_embed", "blocks.*", "head"]);
    let rate = |path: &str, factor| LayerLr {
        path: path.to_owned(),
        factor,
    };
    assert_eq!(
        config.rates(&model).unwrap(),
        [
            rate("tokens", 0.03125),
            rate("pos_embed", 0.0625),
            rate("blocks.0", 0.125),
            rate("blocks.1", 0.25),
            rate("blocks.2", 0.5),
            rate("head", 1.0),
        ]
    );
    let cosine = || CosineConfig::new(1.0, 8).init().unwrap();
    let mut schedule = config.init(&model, cosine()).unwrap();
    let mut plain = cosine();
    // Loaded weights have other ids.
    let record = Model::new(&device).into_record();
    let mut model = model.load_record(record);
    let mut optim = SgdConfig::new().init();
    for _ in 0..3 {
        let (rates, lr) = (schedule.step(), plain.step());
        assert_eq!(rates.base(), lr);
        let before = floats(&model);
        let grads = all_grads(&model, 1.0);
        model = optim.step(rates, model, grads);
        for (path, after) in floats(&model) {
            let layers = [
                ("tokens.", 0.03125),
                ("pos_embed", 0.0625),
                ("blocks.0.", 0.125),
                ("blocks.1.", 0.25),
                ("blocks.2.", 0.5),
                ("batch_norm.running", 0.0),
            ];
            let layer = layers.iter().find(|(name, _)| path.starts_with(name));
            let expected = lr * layer.map_or(1.0, |(_, factor)| *factor);
            for (before, after) in before[&path].iter().zip(&after) {
                let moved = before - after;
                assert!(
                    (moved - expected).abs() < 1e-6,
                    "{path}: {moved} for {expected}"
                );
            }
        }
    }
    // A resumed schedule goes on.
    let record = schedule.to_record();
    let mut resumed = config.init(&model, cosine()).unwrap().load_record(record);
    let (one, other) = (schedule.step(), resumed.step());
    let of = |rates: &burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate| {
        rates.lr_from_param(ParamId::new(), Some("blocks.1.mix.bias"))
    };
    assert_eq!(of(&one), of(&other));
    assert_eq!(of(&one), plain.step() * 0.25);
}

#[test]
fn the_later_of_two_layers_counts_and_no_decay_is_the_schedule() {
    let _alone = alone();
    let model = Model::new(&Device::flex());
    let config = LayerWiseLrConfig::over(0.5, ["blocks", "blocks.1.norm"]);
    let rates = config.init(&model, 0.1).unwrap().step();
    let rate = |path| rates.lr_from_param(ParamId::new(), Some(path));
    assert_eq!(rate("blocks.1.mix.weight"), 0.05);
    assert_eq!(rate("blocks.1.norm.gamma"), 0.1);
    assert_eq!(rate("blocks.10.norm.gamma"), 0.05);
    let config = LayerWiseLrConfig::over(1.0, ["blocks.*"]);
    let rates = config.init(&model, 0.1).unwrap().step();
    assert_eq!(
        rates.lr_from_param(ParamId::new(), Some("blocks.0.mix.weight")),
        0.1
    );
}

#[test]
fn layers_that_mean_nothing_are_refused() {
    let _alone = alone();
    let model = Model::new(&Device::flex());
    let refusal = |config: LayerWiseLrConfig| config.init(&model, 0.1).err().unwrap().to_string();
    assert_eq!(
        refusal(LayerWiseLrConfig::over(0.5, ["blocks.3"])),
        r#"`layers` must name parameters of the model, or modules that hold some, got "blocks.3"; similar names are "blocks.0", "blocks.1", "blocks.2""#
    );
    assert_eq!(
        refusal(LayerWiseLrConfig::over(0.0, ["head"])),
        "`factor` must lie in (0, 1], got 0.0"
    );
    assert!(refusal(LayerWiseLrConfig::over(f64::NAN, ["head"])).starts_with("`factor`"));
}

#[test]
fn what_is_frozen_is_left_alone_by_every_optimizer() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let model = Model::new(&device);
    let freeze = FreezeConfig::for_paths(["tokens", "blocks.*.mix", "head.bias"]);
    let freeze = freeze.init(&model).unwrap();
    let mut model = model.load_record(Model::new(&device).into_record());
    let before = floats(&model);
    let mut optim = AdamWConfig::torch().with_weight_decay(0.5).init().unwrap();
    for _ in 0..2 {
        let grads = freeze.apply(&model, all_grads(&model, 0.25));
        model = optim.step(0.1, model, grads);
    }
    for (path, after) in floats(&model) {
        let is_frozen = path.starts_with("tokens.")
            || path.contains(".mix.")
            || path == "head.bias"
            || path.contains("running");
        assert_eq!(before[&path] == after, is_frozen, "{path}");
    }
    // Burn's way, with the same group.
    let frozen = model.freeze_group(freeze.group());
    assert!(!frozen.blocks[1].mix.weight.is_require_grad());
    assert!(frozen.blocks[1].norm.gamma.is_require_grad());
    assert!(frozen.head.weight.is_require_grad());
}

#[test]
fn a_frozen_place_freezes_a_tied_parameter_and_all_frozen_is_no_step() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let layer = LinearConfig::new(2, 2).with_bias(false).init(&device);
    let model = vec![layer.clone(), layer];
    let mut freeze = FreezeConfig::for_paths(["1"]).init(&model).unwrap();
    let frozen = model.clone().freeze_group(freeze.group());
    assert!(frozen.iter().all(|layer| !layer.weight.is_require_grad()));
    let grads = all_grads(&model, 1.0);
    assert!(burn_tricks::grad::GradientTransform::apply(&mut freeze, &model, grads).is_empty());
    let mut chain = freeze.then(burn_tricks::grad::StepGuard::new());
    let _ = chain.apply(&model, all_grads(&model, 1.0));
    assert_eq!(
        chain.second().taken(),
        0,
        "what follows does not see a step without gradients"
    );
}

#[test]
fn a_frozen_clone_and_the_trained_part_are_frozen_apart() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let student: Linear = LinearConfig::new(2, 2).with_bias(false).init(&device);
    force_init(&student);
    for teacher in [student.clone().no_grad(), student.valid()] {
        let model = vec![student.clone(), teacher];
        let freeze = |path: &str| FreezeConfig::for_paths([path]).init(&model).unwrap();
        let left = |path: &str| freeze(path).apply(&model, all_grads(&model, 1.0)).len();
        assert_eq!(left("1"), 1, "the gradient of the student");
        assert_eq!(left("0"), 0);
        let after = model.clone().freeze_group(freeze("1").group());
        assert!(after[0].weight.is_require_grad());
        let group = || freeze("0").group();
        let after = model.clone().freeze_group(group()).unfreeze_group(group());
        assert!(after[0].weight.is_require_grad());
        assert!(!after[1].weight.is_require_grad());
    }
}

#[test]
fn a_path_that_fits_nothing_is_refused_with_near_names() {
    let _alone = alone();
    let net = Net::new(0.0, &Device::flex());
    let refusal = |path: &str| {
        FreezeConfig::for_paths([path])
            .init(&net)
            .unwrap_err()
            .to_string()
    };
    let text = "`paths` must name parameters of the model, or modules that hold some, got ";
    assert_eq!(
        refusal("frist"),
        format!(r#"{text}"frist"; similar names are "first""#)
    );
    let all = r#"; the parameters are "first.weight", "first.bias", "norm.gamma", "norm.beta", "norm.running_mean", "norm.running_var", "last.weight", "last.bias""#;
    assert_eq!(refusal("decoder.7"), format!(r#"{text}"decoder.7"{all}"#));
    assert_eq!(refusal(""), format!(r#"{text}""{all}"#));
    assert_eq!(
        refusal("last.weight.0"),
        format!(r#"{text}"last.weight.0"; similar names are "last.weight", "first.weight""#)
    );
}

#[test]
fn groups_by_path_take_whole_names_and_stars() {
    let _alone = alone();
    let device = Device::flex();
    let layers: Vec<Linear> = (0..11)
        .map(|_| LinearConfig::new(1, 1).init(&device))
        .collect();
    let check = |paths: &[&str], cases: &[(&str, bool)]| {
        let paths = ParamPaths::init(&layers, "paths", paths).unwrap();
        for (path, is_in) in cases {
            assert_eq!(paths.contains(path), *is_in, "{path}");
            let matches = paths.group().matches(&ParamId::new(), Some(path));
            assert_eq!(matches, *is_in, "the group, {path}");
        }
        paths.expanded(&layers)
    };
    let cases = [
        ("1.weight", true),
        ("1.bias", true),
        ("10.weight", false),
        ("1", true),
    ];
    assert_eq!(check(&["1"], &cases), ["1"]);
    let cases = [("10.bias", true), ("1.weight", false), ("bias", false)];
    let expanded = check(&["*.bias"], &cases);
    assert_eq!(expanded[1..3], ["1.bias", "2.bias"]);
    assert_eq!(expanded.len(), 11);
    // A model that is one parameter has the path "".
    assert!(check(&[], &[("1.weight", false), ("", false)]).is_empty());
}
