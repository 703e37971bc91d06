//! First weights for what they are meant for: the weights and plain biases of layers, and nothing else
//! unless it is asked for by path.

use crate::devices::devices;
use crate::models::{alone, values};
use burn::module::{Initializer, Module, Param};
use burn::nn::attention::{MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, GateController, GruConfig, Linear,
    LinearConfig, Lstm, LstmConfig, PRelu, PReluConfig,
};
use burn::tensor::{Device, Tensor};
use burn_tricks::nn::{Biases, InitError, LayerScale, LayerScaleConfig, Others, WeightInit};
use burn_tricks::prelude::*;

/// A network with every kind of parameter that is not to be drawn.
#[derive(Module, Debug)]
struct Everything {
    words: Embedding,
    /// Of a rank from which a convolution would be inferred.
    position: Param<Tensor<3>>,
    conv: Conv2d,
    norm: BatchNorm,
    lstm: Lstm,
    attention: MultiHeadAttention,
    activation: PRelu,
    scale: LayerScale,
    own: Own,
    head: Linear,
}

/// A layer of the user's own, with the names of Burn's.
#[derive(Module, Debug)]
struct Own {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

fn filled<const D: usize>(shape: [usize; D], value: f64, device: &Device) -> Param<Tensor<D>> {
    Initializer::Constant { value }.init(shape, device)
}

impl Everything {
    fn new(device: &Device) -> Self {
        let mut lstm = LstmConfig::new(4, 3, true).init(device);
        let forget = lstm.forget_gate.as_mut().unwrap();
        forget.input_transform.bias = Some(filled([3], 1.0, device));
        forget.hidden_transform.bias = Some(filled([3], 0.5, device));
        let mut norm = BatchNormConfig::new(2).init(device);
        norm.gamma = filled([2], 0.25, device);
        norm.beta = filled([2], 0.75, device);
        Self {
            words: EmbeddingConfig::new(5, 4).init(device),
            position: filled([1, 3, 4], 0.1, device),
            conv: Conv2dConfig::new([2, 2], [3, 3]).init(device),
            norm,
            lstm,
            attention: MultiHeadAttentionConfig::new(4, 2).init(device),
            activation: PReluConfig::new().init(device),
            scale: LayerScaleConfig::re_zero().init(device).unwrap(),
            own: Own {
                weight: filled([2, 2], 0.3, device),
                bias: filled([2], 0.4, device),
            },
            head: LinearConfig::new(3, 2).init(device),
        }
    }
}

const GATES: [&str; 4] = ["input_gate", "forget_gate", "output_gate", "cell_gate"];

/// The weights of all layers and the biases that are zeroed, in the module's order.
fn layers() -> Vec<String> {
    let mut paths = vec!["conv.weight".to_owned(), "conv.bias".to_owned()];
    for gate in GATES {
        for transform in ["input_transform", "hidden_transform"] {
            paths.push(format!("lstm.{gate}.{transform}.weight"));
        }
    }
    for transform in ["query", "key", "value", "output"] {
        for field in ["weight", "bias"] {
            paths.push(format!("attention.{transform}.{field}"));
        }
    }
    paths.extend(["head.weight", "head.bias"].map(str::to_owned));
    paths
}

fn he() -> InitWeightsConfig {
    InitWeightsConfig::new(WeightInit::HE_NORMAL).with_seed(Some(5))
}

fn apply<M: Module>(config: &InitWeightsConfig, model: &M) -> Result<M, InitError> {
    config.init().unwrap().apply(model)
}

fn bias(layer: &Linear) -> Vec<f64> {
    values(layer.bias.as_ref().unwrap().val())
}

#[test]
fn what_carries_meaning_stays() {
    let _alone = alone();
    for (name, device) in devices() {
        let before = Everything::new(&device);
        assert_eq!(
            he().init().unwrap().paths(&before).unwrap(),
            layers(),
            "{name}"
        );
        let after = apply(&he(), &before).unwrap();
        let forget = after.lstm.forget_gate.as_ref().unwrap();
        assert_eq!(bias(&forget.input_transform), [1.0; 3], "{name}");
        assert_eq!(bias(&forget.hidden_transform), [0.5; 3], "{name}");
        assert_eq!(
            bias(&after.lstm.cell_gate.input_transform),
            bias(&before.lstm.cell_gate.input_transform)
        );
        assert_eq!(values(after.norm.gamma.val()), [0.25; 2], "{name}");
        assert_eq!(values(after.norm.beta.val()), [0.75; 2], "{name}");
        assert_eq!(values(after.scale.gamma.val()), [0.0], "{name}");
        let slope = |model: &Everything| values(model.activation.alpha.val());
        assert_eq!(slope(&after), slope(&before), "{name}");
        for value in values(after.position.val()) {
            assert!((value - 0.1).abs() < 1e-6, "{name}: {value}");
        }
        assert_eq!(
            values(after.own.weight.val()),
            values(before.own.weight.val())
        );
        assert_eq!(values(after.own.bias.val()), values(before.own.bias.val()));
        assert_eq!(
            values(after.words.weight.val()),
            values(before.words.weight.val())
        );

        assert_eq!(bias(&after.head), [0.0; 2], "{name}");
        assert_eq!(bias(&after.attention.query), [0.0; 4], "{name}");
        let gate = |model: &Everything| values(model.lstm.input_gate.hidden_transform.weight.val());
        assert_ne!(
            gate(&after),
            gate(&before),
            "{name}: recurrent weights are drawn"
        );
        let kept = he().with_biases(Biases::Keep);
        let weights = layers().into_iter().filter(|path| path.ends_with("weight"));
        let paths = kept.init().unwrap().paths(&before).unwrap();
        assert_eq!(paths, weights.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a_distribution_that_needs_no_fans_is_one_for_embeddings_too() {
    let _alone = alone();
    let model = Everything::new(&Device::flex());
    let normal = InitWeightsConfig::new(WeightInit::Normal { std: 0.02 });
    let paths = normal.init().unwrap().paths(&model).unwrap();
    assert_eq!(paths[0], "words.weight");
    assert_eq!(paths[1..], layers());
    let orthogonal = InitWeightsConfig::new(WeightInit::ORTHOGONAL);
    assert_eq!(orthogonal.init().unwrap().paths(&model).unwrap(), layers());
}

#[test]
fn what_is_asked_for_by_path_is_drawn() {
    let _alone = alone();
    let model = Everything::new(&Device::flex());
    let constant = |value| WeightInit::Constant { value };
    let config = he()
        .with_others(Others::Keep)
        .with_rule("lstm.*.hidden_transform", WeightInit::ORTHOGONAL)
        .with_rule("lstm.forget_gate.input_transform.bias", constant(2.0))
        .with_rule("norm.gamma", constant(3.0))
        .with_rule("scale", constant(4.0))
        .with_rule("position", constant(5.0))
        .with_rule("own", constant(6.0));
    let mut expected: Vec<_> = ["position", "norm.gamma"].map(str::to_owned).into();
    for gate in GATES {
        if gate == "forget_gate" {
            expected.push(format!("lstm.{gate}.input_transform.bias"));
        }
        expected.push(format!("lstm.{gate}.hidden_transform.weight"));
    }
    expected.extend(["scale.gamma", "own.weight"].map(str::to_owned));
    assert_eq!(config.init().unwrap().paths(&model).unwrap(), expected);
    let after = apply(&config, &model).unwrap();
    assert_eq!(
        bias(&after.lstm.forget_gate.as_ref().unwrap().input_transform),
        [2.0; 3]
    );
    assert_eq!(values(after.norm.gamma.val()), [3.0; 2]);
    assert_eq!(values(after.norm.beta.val()), [0.75; 2]);
    assert_eq!(values(after.scale.gamma.val()), [4.0]);
    assert_eq!(values(after.position.val()), [5.0; 12]);
    assert_eq!(values(after.own.weight.val()), [6.0; 4]);
    let square = after.lstm.cell_gate.hidden_transform.weight.val();
    let identity = values(square.clone().transpose().matmul(square));
    crate::norms::assert_near(
        &identity,
        &[1., 0., 0., 0., 1., 0., 0., 0., 1.],
        1e-5,
        "orthogonal",
    );
}

#[test]
fn a_rule_for_a_part_is_one_for_its_layers() {
    let _alone = alone();
    let model = vec![Everything::new(&Device::flex())];
    let rule = he()
        .with_others(Others::Keep)
        .with_rule("0", WeightInit::Normal { std: 0.02 });
    // Not what stands beside the layers, as `position` does.
    let mut expected = vec!["0.words.weight".to_owned()];
    expected.extend(layers().iter().map(|path| format!("0.{path}")));
    assert_eq!(rule.init().unwrap().paths(&model).unwrap(), expected);
    // By a star, too: one of the parts that it stands for has layers.
    let star = he()
        .with_others(Others::Keep)
        .with_rule("*", WeightInit::Normal { std: 0.02 });
    assert_eq!(star.init().unwrap().paths(&model).unwrap(), expected);
    // A module without layers is meant itself.
    let scale = he()
        .with_others(Others::Keep)
        .with_rule("0.scale", WeightInit::Normal { std: 0.02 });
    assert_eq!(
        scale.init().unwrap().paths(&model).unwrap(),
        ["0.scale.gamma"]
    );
}

#[test]
fn a_model_without_layers_is_an_error_and_so_is_a_rule_for_none() {
    let _alone = alone();
    let device = Device::flex();
    let own = || Own {
        weight: filled([2, 2], 0.3, &device),
        bias: filled([2], 0.4, &device),
    };
    let error = apply(&he(), &own()).unwrap_err();
    let path = String::new();
    assert_eq!(error, InitError::NothingToDraw { path });
    assert!(
        error
            .to_string()
            .starts_with("the module has no weight of Burn's"),
        "{error}"
    );
    let named = he().with_rule("weight", WeightInit::HE_NORMAL);
    assert_ne!(
        values(apply(&named, &own()).unwrap().weight.val()),
        values(own().weight.val())
    );

    let model = (vec![own()], LinearConfig::new(2, 2).init(&device));
    let rule = he().with_rule("0", WeightInit::HE_NORMAL);
    let error = apply(&rule, &model).unwrap_err();
    assert_eq!(error, InitError::NothingToDraw { path: "0".into() });
    assert!(error.to_string().contains("`0`"), "{error}");
    let rule = he().with_rule("2", WeightInit::HE_NORMAL);
    let error = apply(&rule, &model).unwrap_err();
    assert!(
        matches!(&error, InitError::NoSuchPath { path, .. } if path == "2"),
        "{error}"
    );
}

/// Whether the rows of a square matrix are orthogonal and of length 1.
fn is_orthogonal(weight: Tensor<2>) -> bool {
    let [rows, _] = weight.dims();
    let products = weight.clone().matmul(weight.clone().transpose());
    let identity = Tensor::eye(rows, &weight.device());
    let differences = values(products - identity);
    differences.iter().all(|difference| difference.abs() < 1e-5)
}

#[test]
fn recurrent_weights_are_orthogonal_in_one_call_wherever_they_are() {
    let _alone = alone();
    for (_, device) in devices() {
        let forget = |lstm: &Lstm| lstm.forget_gate.clone().unwrap();
        let init = InitWeightsConfig::orthogonal_recurrent().init().unwrap();
        let lstm = LstmConfig::new(3, 4, true).init(&device);
        let gru = GruConfig::new(3, 4, true).init(&device);
        let head = LinearConfig::new(4, 4).init(&device);
        // At the top, and below other modules.
        let alone = init.apply(&lstm).unwrap();
        let (inner, head_after) = init
            .apply(&(vec![(lstm.clone(), gru.clone())], head.clone()))
            .unwrap();
        let [(inner_lstm, inner_gru)] = &inner[..] else {
            panic!("one")
        };
        assert!(!is_orthogonal(forget(&lstm).hidden_transform.weight.val()));
        for lstm_after in [&alone, inner_lstm] {
            for (gate, before) in [
                (&lstm_after.input_gate, &lstm.input_gate),
                (&forget(lstm_after), &forget(&lstm)),
                (&lstm_after.output_gate, &lstm.output_gate),
                (&lstm_after.cell_gate, &lstm.cell_gate),
            ] {
                assert!(is_orthogonal(gate.hidden_transform.weight.val()));
                // Everything else stays.
                let bias = |gate: &GateController| {
                    values(gate.hidden_transform.bias.as_ref().unwrap().val())
                };
                assert_eq!(bias(gate), bias(before));
                let input = |gate: &GateController| values(gate.input_transform.weight.val());
                assert_eq!(input(gate), input(before));
            }
        }
        for gate in [
            &inner_gru.update_gate,
            &inner_gru.reset_gate,
            &inner_gru.new_gate,
        ] {
            assert!(is_orthogonal(gate.hidden_transform.weight.val()));
        }
        assert_eq!(values(head_after.weight.val()), values(head.weight.val()));
        let error = init.apply(&head).unwrap_err();
        assert!(matches!(error, InitError::NoSuchPath { .. }), "{error}");
    }
}

#[test]
fn two_stars_are_any_number_of_parts() {
    let _alone = alone();
    let device = Device::flex();
    let layer = || LinearConfig::new(2, 2).init(&device);
    let model = (layer(), vec![(layer(), layer())]);
    let paths = |path: &str| {
        let init = InitWeightsConfig::new(WeightInit::ZEROS).with_others(Others::Keep);
        let init = init
            .with_biases(Biases::Keep)
            .with_rule(path, WeightInit::ZEROS);
        init.init().unwrap().paths(&model)
    };
    assert_eq!(
        paths("**.0").unwrap(),
        ["0.weight", "1.0.0.weight", "1.0.1.weight"]
    );
    assert_eq!(paths("**.1.weight").unwrap(), ["1.0.1.weight"]);
    assert_eq!(paths("1.**.1").unwrap(), ["1.0.1.weight"]);
    assert!(paths("**.2").is_err());
}
