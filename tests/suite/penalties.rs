//! Penalties in the loss, against Keras and scikit-learn; refusals of penalties and constraints.

use crate::devices::training_devices;
use crate::models::{Net, alone, dtypes, values};
use crate::norms::{assert_gradient, assert_json, assert_near, assert_refused, grid, precise};
use crate::oracle::{case, numbers, read};
use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::tensor::{DType, Device, Tensor};
use burn_tricks::nn::{
    MaxNorm, MaxNormConfig, Penalty, PenaltyConfig, UnitNorm, UnitNormConfig, WeightDecayScope,
};

#[derive(Module, Debug)]
pub(crate) struct Weight<const D: usize> {
    pub(crate) weight: Param<Tensor<D>>,
}

impl<const D: usize> Weight<D> {
    pub(crate) fn new(weight: Tensor<D>) -> Self {
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
        let value = penalty.forward(&model);
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
        let config = PenaltyConfig::elastic_net(setting("alpha"), setting("l1_ratio")).unwrap();
        let value = values(config.init().unwrap().forward(&model));
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
        let f = |w: Tensor<2>| {
            if w.is_require_grad() {
                penalty.forward(&Weight {
                    weight: Param::initialized(ParamId::new(), w),
                })
            } else {
                penalty.forward(&Weight::new(w))
            }
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
        assert_eq!(number(penalty.forward(&model)), 0.0, "{name}");
        let penalty = PenaltyConfig::new().with_l2(0.1).init().unwrap();
        let sum = number(loss.clone()) + number(penalty.forward(&model));
        let penalised = penalty.add_to(loss.clone(), &model);
        assert_near(&values(penalised), &[sum], 1e-6, name);
        // Of a plain loss autodiff stays away only if the model has none.
        let plain = |model: &Weight<2>| penalty.add_to(loss.clone().inner(), model).is_autodiff();
        assert_eq!(
            [plain(&model), plain(&model.valid())],
            [true, false],
            "{name}"
        );
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
        let everything = all.clone().with_scope(WeightDecayScope::Every);
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
        assert_near(
            &values(penalty(all.clone()).forward(&model)),
            &[sum],
            1e-6,
            name,
        );
        // For the log: the same number without autodiff, and none of the statistics in it either.
        for config in [all.clone(), everything] {
            let (training, valid) = (
                penalty(config.clone()).forward(&model),
                penalty(config).forward(&model.valid()),
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
        assert_eq!(
            number(penalty(last).forward(&frozen)),
            0.0,
            "{name}: frozen"
        );
        let nothing = all.with_group(ParamGroup::from_predicate("no such path"));
        assert_eq!(number(penalty(nothing).forward(&model)), 0.0, "{name}");
    }
}

#[test]
fn sums_of_half_precision_do_not_overflow() {
    for (name, device) in training_devices() {
        for dtype in dtypes(&device) {
            let model = Weight::new(Tensor::<2>::full([30, 30], 300.0, (&device, dtype)));
            let penalty = PenaltyConfig::new().with_l2(1e-7).init().unwrap();
            let value = number(penalty.forward(&model));
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
fn configs_go_through_json_and_refuse_nonsense() {
    let group = || ParamGroup::from_regex("^head\\.").expect("a pattern");
    assert_json(
        &PenaltyConfig::new()
            .with_l1(0.5)
            .with_scope(WeightDecayScope::Every)
            .with_group(group()),
    );
    assert_json(&MaxNormConfig::new(f64::MAX).with_group(group()));
    assert_json(&UnitNormConfig::new().with_norm(3.0));
    for bad in [-0.1, f64::NAN, f64::INFINITY] {
        let got = format!("{bad:?}");
        assert_refused(PenaltyConfig::new().with_l1(bad).init(), "l1", &got);
        assert_refused(PenaltyConfig::new().with_l2(bad).init(), "l2", &got);
        assert_refused(PenaltyConfig::elastic_net(bad, 0.5), "alpha", &got);
        assert_refused(PenaltyConfig::elastic_net(1.0, bad), "l1_ratio", &got);
        assert_refused(MaxNormConfig::new(bad).init(), "max_norm", &got);
        assert_refused(UnitNormConfig::new().with_norm(bad).init(), "norm", &got);
    }
    assert_refused(MaxNormConfig::new(0.0).init(), "max_norm", "0.0");
    assert_refused(PenaltyConfig::elastic_net(1.0, 1.5), "l1_ratio", "1.5");
    for end in [0.0, 1.0] {
        assert!(PenaltyConfig::elastic_net(0.0, end).is_ok());
    }
    fn check<T: Send + Sync + Clone>() {}
    check::<(Penalty, MaxNorm, UnitNorm)>();
}
