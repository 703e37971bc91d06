//! Inception blocks and networks: PyTorch's values, and refusals.

use crate::devices::devices;
use crate::models::{alone, tensor, values};
use crate::oracle::{assert_close, case, numbers, read};
use crate::weights_by_path::{floats, with_weights};
use burn::module::Module;
use burn::prelude::Config as _;
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{InceptionBlockConfig, InceptionConfig};
use serde_json::Value;

fn images(case: &Value, shape: [usize; 4], device: &Device) -> Tensor<4> {
    tensor::<1>(&numbers(&case["inputs"]), DType::F32, device).reshape(shape)
}

fn assert_output<const D: usize>(case: &Value, output: Tensor<D>, what: &str) {
    let shape: Vec<usize> = read(&case["shape"]);
    assert_eq!(output.dims().as_slice(), shape, "{what}");
    // Sums of up to 75 products in f32, a few layers of them.
    assert_close(&values(output), &numbers(&case["values"]), 2e-5, what);
}

fn small_block() -> InceptionBlockConfig {
    InceptionBlockConfig::new(2, 2, [2, 3], [1, 2], 1)
}

#[test]
fn a_block_is_that_of_pytorch_with_the_papers_five_by_five() {
    // torchvision's GoogLeNet has a 3×3 convolution there (pytorch/vision#906).
    let _alone = alone();
    for (name, device) in devices() {
        for (case_name, batch_norm) in [("plain", false), ("batch_norm", true)] {
            let case = case("inception_block", case_name);
            let block = small_block().with_batch_norm(batch_norm);
            let block = with_weights(block.init(&device).unwrap(), &case["weights"]);
            let output = block.forward(images(case, [1, 2, 5, 4], &device));
            assert_output(case, output, &format!("{name}: {case_name}"));
        }
    }
}

#[test]
fn a_network_is_that_of_pytorch() {
    let _alone = alone();
    for (name, device) in devices() {
        for (case_name, batch_norm) in [("plain", false), ("batch_norm", true)] {
            let case = case("inception", case_name);
            let config = InceptionConfig::for_8x8(1, 3).with_width(4);
            let config = config.with_batch_norm(batch_norm);
            let model = with_weights(config.init(&device).unwrap(), &case["weights"]);
            let output = model.forward(images(case, [2, 1, 7, 6], &device));
            assert_output(case, output, &format!("{name}: {case_name}"));
            if batch_norm {
                // The same weights on a larger image.
                let case = crate::oracle::case("inception", "batch_norm_28x28");
                let output = model.forward(images(case, [1, 1, 28, 28], &device));
                assert_output(case, output, &format!("{name}: 28×28"));
            }
        }
    }
    let model = InceptionConfig::for_28x28(1, 10);
    let model = model.init(&Device::flex()).unwrap();
    let images = Tensor::<4>::ones([2, 1, 28, 28], &Device::flex());
    assert_eq!(model.forward(images).dims(), [2, 10]);
}

#[test]
fn the_block_of_googlenet_has_its_proportions() {
    let _alone = alone();
    let paper = InceptionBlockConfig::new(192, 64, [96, 128], [16, 32], 32);
    assert_eq!(InceptionBlockConfig::google_net(192, 64), paper);
    let rounded_up = InceptionBlockConfig::new(7, 5, [8, 10], [2, 3], 3);
    assert_eq!(InceptionBlockConfig::google_net(7, 5), rounded_up);
    for (one, w) in [(8, 8.0), (64, 64.0)] {
        let block = InceptionBlockConfig::google_net(4 * one, one);
        assert_eq!(block.outputs(), 4 * one);
        let model = block.with_batch_norm(false).init(&Device::flex()).unwrap();
        // Without its biases, which a norm takes away.
        let biases = 4 * one + 3 * one / 2 + one / 4;
        assert_eq!((model.num_params() - biases) as f64, 43.125 * w * w);
    }
}

#[test]
fn networks_are_as_large_as_the_docs_say() {
    let _alone = alone();
    for (config, weights) in [
        (InceptionConfig::for_8x8(1, 10), 12_822),
        (InceptionConfig::for_28x28(1, 10), 51_334),
    ] {
        let model = config.init(&Device::flex()).unwrap();
        let trained: usize = floats(&model)
            .iter()
            .filter(|floats| !floats.path.contains("running_"))
            .map(|floats| floats.values.len())
            .sum();
        assert_eq!(trained, weights);
    }
}

#[test]
fn configurations_survive_json_and_refusals_quote_the_field() {
    let _alone = alone();
    let config = InceptionConfig::for_28x28(3, 10).with_dropout(0.4);
    let text = config.to_string();
    assert_eq!(
        InceptionConfig::load_binary(text.as_bytes()).unwrap(),
        config
    );
    let text = small_block().to_string();
    assert_eq!(
        InceptionBlockConfig::load_binary(text.as_bytes()).unwrap(),
        small_block()
    );

    let net = |change: fn(&mut InceptionConfig)| {
        let mut config = InceptionConfig::for_8x8(1, 10);
        change(&mut config);
        config.init(&Device::flex()).unwrap_err().to_string()
    };
    let block = |change: fn(&mut InceptionBlockConfig)| {
        let mut config = small_block();
        change(&mut config);
        config.init(&Device::flex()).unwrap_err().to_string()
    };
    let refused = [
        (net(|c| c.channels = 0), "`channels`", "0"),
        (net(|c| c.classes = 0), "`classes`", "0"),
        (net(|c| c.stages = 0), "`stages`", "0"),
        (net(|c| c.blocks = 0), "`blocks`", "0"),
        (net(|c| c.width = 0), "`width`", "0"),
        (net(|c| c.width = 6), "`width`", "6"),
        (net(|c| c.dropout = 1.0), "`dropout`", "1.0"),
        (net(|c| c.dropout = f64::NAN), "`dropout`", "NaN"),
        (block(|c| c.channels = 0), "`channels`", "0"),
        (block(|c| c.one = 0), "`one`", "0"),
        (block(|c| c.three[0] = 0), "`three`", "0"),
        (block(|c| c.three[1] = 0), "`three`", "0"),
        (block(|c| c.five[1] = 0), "`five`", "0"),
        (block(|c| c.pool = 0), "`pool`", "0"),
    ];
    for (error, field, got) in refused {
        assert!(error.starts_with(field) && error.ends_with(got), "{error}");
    }
}
