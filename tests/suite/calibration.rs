//! Temperature scaling against scipy, reliability diagrams, and ensembles trained in one call.

use crate::devices::devices;
use crate::models::{Net, alone, values};
use crate::oracle::{assert_close, case, numbers, read};
use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{DType, Device, Distribution, Int, Tensor, TensorData};
use burn_tricks::average::{
    Bootstrap, Calibrated, CalibrationError, CombineError, EnsembleConfig, Member, Predict,
    ReliabilityDiagram, Temperature, expected_calibration_error, negative_log_likelihood,
};
use serde_json::Value;

fn table(rows: &Value, device: &Device) -> Tensor<2> {
    let rows: Vec<Vec<f64>> = rows.as_array().unwrap().iter().map(numbers).collect();
    let shape = [rows.len(), rows[0].len()];
    Tensor::from_data(TensorData::new(rows.concat(), shape), (device, DType::F32))
}

fn classes(classes: &Value, device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(read::<Vec<i64>>(classes).as_slice(), device)
}

#[test]
fn the_temperature_is_that_of_scipy_and_lowers_the_likelihood_s_logarithm() {
    let _alone = alone();
    for (name, device) in devices() {
        for case_name in ["sure", "unsure", "masked"] {
            let case = case("temperature", case_name);
            let (logits, classes) = (
                table(&case["logits"], &device),
                classes(&case["classes"], &device),
            );
            let fitted = Temperature::fit(logits.clone(), classes.clone()).unwrap();
            let expected: f64 = read(&case["temperature"]);
            let what = format!("{name} {case_name}");
            // The logits are in `f32`.
            assert_close(&[fitted.value()], &[expected], 2e-6, &what);
            let likelihoods = [Temperature::of(1.0).unwrap(), fitted].map(|temperature| {
                let p = softmax(temperature.apply(logits.clone()), 1);
                values(negative_log_likelihood(p, classes.clone()))[0]
            });
            assert_close(&likelihoods, &numbers(&case["nll"]), 2e-5, &what);
            assert!(likelihoods[1] < likelihoods[0], "{what}");
        }
    }
}

/// Logits, true classes, and what the refusal says.
type NoTemperature = (&'static [[f64; 2]], &'static [i64], &'static str);

#[test]
fn what_has_no_temperature_is_refused() {
    let device = Device::flex();
    let fit = |rows: &[[f64; 2]], classes: &[i64]| {
        let shape = [rows.len(), 2];
        let logits = Tensor::from_data(TensorData::new(rows.concat(), shape), &device);
        Temperature::fit(logits, Tensor::from_data(classes, &device))
    };
    const NAN: f64 = f64::NAN;
    const INF: f64 = f64::INFINITY;
    let cases: [NoTemperature; 9] = [
        (
            &[[2.0, 1.0], [1.0, 3.0]],
            &[0, 1],
            "each sample is classified right",
        ),
        (
            &[[2.0, 1.0], [1.0, 1.0]],
            &[0, 1],
            "each sample is classified right",
        ),
        (&[[2.0, 1.0], [1.0, 3.0]], &[1, 0], "no better than chance"),
        (&[[1.0, 1.0]], &[1], "no better than chance"),
        (&[[2.0, 1.0]], &[0, 1], "got 2 for 1"),
        (
            &[[2.0, 1.0]],
            &[2],
            "sample 0 is of class 2, and there are 2 columns",
        ),
        (
            &[[2.0, 1.0], [NAN, 1.0]],
            &[0, 1],
            "sample 1 has a score of NaN",
        ),
        (&[[INF, 1.0]], &[0], "sample 0 has a score of inf"),
        (
            &[[2.0, -INF], [0.0, 1.0]],
            &[1, 0],
            "sample 0 has a score of -inf",
        ),
    ];
    for (rows, classes, text) in cases {
        let error = fit(rows, classes).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    let none = Temperature::fit(Tensor::zeros([0, 3], &device), Tensor::zeros([0], &device));
    let empty = CalibrationError::Empty {
        samples: 0,
        classes: 3,
    };
    assert_eq!(none, Err(empty));
    for bad in [0.0, -1.0, NAN, INF] {
        assert_eq!(Temperature::of(bad).unwrap_err().field, "temperature");
    }
    // One that is far from 1 is found too: p = 1 / (1 + e^(−z/T)) = 3/4.
    for z in [1e-6, 1e-3, 1e3, 1e6] {
        let rows = [[z, 0.0], [z, 0.0], [z, 0.0], [0.0, z]];
        let fitted = fit(&rows, &[0; 4]).unwrap();
        let expected = f64::from(z as f32) / 3f64.ln();
        assert_close(&[fitted.value() / expected], &[1.0], 1e-9, "far");
    }
}

#[test]
fn a_calibrated_model_predicts_divided_logits() {
    let _alone = alone();
    for (name, device) in devices() {
        let net = Net::new(0.0, &device);
        let input = Tensor::<2>::random([5, 4], Distribution::Default, &device);
        let logits = values(net.predict(input.clone()));
        let calibrated = Calibrated::new(net, Temperature::of(2.0).unwrap());
        let half: Vec<f64> = logits.iter().map(|logit| 0.5 * logit).collect();
        assert_close(&values(calibrated.predict(input)), &half, 1e-6, name);
        assert_eq!(
            calibrated.clone().valid().temperature().value(),
            2.0,
            "{name}"
        );
    }
}

#[test]
fn bins_are_those_of_the_calibration_error() {
    let _alone = alone();
    for (name, device) in devices() {
        for (case_name, bins) in [("ten", 10), ("three", 3)] {
            let case = case("reliability", case_name);
            let p = table(&case["probabilities"], &device);
            let classes = classes(&case["classes"], &device);
            let diagram = ReliabilityDiagram::of(p.clone(), classes.clone(), bins).unwrap();
            let expected = case["bins"].as_array().unwrap();
            assert_eq!(diagram.bins().len(), expected.len(), "{name}");
            for (bin, expected) in diagram.bins().iter().zip(expected) {
                let found = [bin.samples as f64, bin.confidence, bin.accuracy];
                assert_close(&found, &numbers(expected), 1e-6, &format!("{name} {bin:?}"));
            }
            let error = values(expected_calibration_error(p, classes, bins));
            assert_close(&[diagram.calibration_error()], &error, 1e-5, name);
        }
    }
}

#[test]
fn a_diagram_is_drawn_before_and_after() {
    let device = Device::flex();
    let case = case("reliability", "ten");
    let p = table(&case["probabilities"], &device);
    let of = |p: Tensor<2>| ReliabilityDiagram::of(p, classes(&case["classes"], &device), 10);
    let before = of(p.clone()).unwrap();
    let full = before.bins().iter().filter(|bin| bin.samples > 0).count();
    let svg = before.to_svg("Before");
    // The ground, and each full bin, filled and framed.
    assert_eq!(svg.matches("<rect").count(), 1 + 2 * full, "{svg}");
    let after = of(softmax(p.clone().log() * 0.5, 1)).unwrap();
    let svg = before.to_svg_with_after(&after, "Both");
    let text = format!("ECE after: {:.3}", after.calibration_error());
    assert!(svg.contains("ECE before") && svg.contains(&text), "{svg}");

    let error = of(p.clone() * 2.0).unwrap_err();
    assert!(
        matches!(error, CalibrationError::Probabilities { sample: 0, .. }),
        "{error}"
    );
    assert!(of(p.clone() * f64::NAN).is_err());
    // A confidence of exactly 1 lies in the last bin, and one of 1/2 in that below its edge.
    let sure = Tensor::<2>::from_data([[1.0, 0.0], [0.5, 0.5]], &device);
    let right = Tensor::<1, Int>::from_data([0, 0], &device);
    let diagram = ReliabilityDiagram::of(sure, right, 2).unwrap();
    let counts: Vec<usize> = diagram.bins().iter().map(|bin| bin.samples).collect();
    assert_eq!(counts, [1, 1]);
    // 0.8 in `f32` is larger than in `f64`, and still not above the edge of its bin.
    for bins in [5, 10, 100] {
        let edge = Tensor::<2>::from_data([[0.8, 0.2], [0.4, 0.6]], &device);
        let right = Tensor::<1, Int>::from_data([0, 0], &device);
        let diagram = ReliabilityDiagram::of(edge.clone(), right.clone(), bins).unwrap();
        let full = diagram.bins().iter().filter(|bin| bin.samples > 0);
        let ends: Vec<f64> = full.map(|bin| bin.to).collect();
        assert_eq!(ends, [0.6, 0.8], "{bins}");
        let error = values(expected_calibration_error(edge, right, bins));
        assert_close(&[diagram.calibration_error()], &error, 1e-6, "edges");
    }
}

#[test]
fn an_ensemble_is_trained_in_one_call() {
    let _alone = alone();
    for (name, device) in devices() {
        let device = device.autodiff();
        let config = EnsembleConfig::new();
        let init = |device: &Device| Net::new(0.5, device);
        let weight = |net: &Net| values(net.last.weight.val());
        let mut seen = Vec::new();
        // What is trained here is noise from the device's generator.
        let mut train = |count| {
            config.train(count, &device, 5, init, |member, mut net: Net| {
                seen.push(member);
                net.last.weight = net.last.weight.map(|weight| {
                    let noise = weight.random_like(Distribution::Default);
                    (weight + noise).detach().require_grad()
                });
                Ok::<_, CombineError>(net)
            })
        };
        let (two, three) = (train(2).unwrap(), train(3).unwrap());
        for member in 0..2 {
            let of = |ensemble: &[Net]| weight(&ensemble[member]);
            assert_eq!(
                of(two.members()),
                of(three.members()),
                "{name}: on its own seed"
            );
        }
        assert_ne!(
            weight(&three.members()[0]),
            weight(&three.members()[1]),
            "{name}"
        );
        let numbers: Vec<usize> = seen.iter().map(|member: &Member| member.number).collect();
        assert_eq!(numbers, [0, 1, 0, 1, 2], "{name}");
        assert_eq!(seen[0].seed, 5, "{name}");
        // Without training it is `init_seeded`, in validation mode: dropout does nothing.
        let untrained = config.train(3, &device, 5, init, |_, net| Ok::<_, CombineError>(net));
        let untrained = untrained.unwrap();
        let seeded = config.init_seeded(3, &device, 5, init).unwrap();
        for (one, other) in untrained.members().iter().zip(seeded.members()) {
            assert_eq!(weight(one), weight(other), "{name}");
        }
        let input = || Tensor::ones([6, 4], &device.clone().inner());
        let predicted = [(); 2].map(|()| values(untrained.predict(input())));
        assert_eq!(predicted[0], predicted[1], "{name}");

        let failed = config.train(3, &device, 5, init, |member, net| match member.number {
            1 => Err(CombineError::Empty),
            _ => Ok(net),
        });
        assert_eq!(failed.map(drop), Err(CombineError::Empty), "{name}");
    }
}

#[test]
fn each_member_has_a_bootstrap_sample_of_its_own() {
    let mut samples = Vec::new();
    let device = Device::flex();
    let init = |device: &Device| Net::new(0.0, device);
    let _alone = alone();
    let ensemble = EnsembleConfig::new().train(3, &device, 11, init, |member, net| {
        samples.push(member.bootstrap(500));
        Ok::<_, CombineError>(net)
    });
    assert!(ensemble.is_ok());
    assert_eq!(samples[0], Bootstrap::new(500, 11));
    for (at, sample) in samples.iter().enumerate() {
        assert!(!samples[..at].contains(sample));
        let outside = sample.out_of_bag();
        let inside: std::collections::BTreeSet<_> = sample.indices().iter().collect();
        assert_eq!(outside.len() + inside.len(), 500);
        // 500 / e is 184, and its standard deviation about 7.
        assert!((149..219).contains(&outside.len()), "{}", outside.len());
    }
    // Nor is one the other shifted: 500 / e³ is 25, and its standard deviation below 5.
    assert_ne!(samples[0].indices()[1..], samples[1].indices()[..499]);
    let outside_all = |index: &usize| {
        samples
            .iter()
            .all(|sample| !sample.indices().contains(index))
    };
    let outside_all = (0..500).filter(outside_all).count();
    assert!((5..45).contains(&outside_all), "{outside_all}");
}
