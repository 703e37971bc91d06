//! Models of which a part is not trained: a scaler and a body on a plain device, and a frozen clone with the same ids.

use crate::models::{alone, values};
use crate::norms::assert_near;
use burn::module::{Module, ModuleMapper, Param, ParamGroup};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use burn_tricks::average::{EmaConfig, TrainedAverage};
use burn_tricks::force_init;
use burn_tricks::nn::{
    ClampWeightsConfig, InitWeightsConfig, InputScaler, LsuvConfig, MaxNormConfig, PenaltyConfig,
    ScalerConfig, TiedWeights, UnitNormConfig, WeightInit, WeightNorm, WeightNormConfig,
};
use burn_tricks::optim::ScheduleFreeConfig;

/// What is trained comes last: Burn's `Module::devices` lists its device as the plain one.
#[derive(Module, Debug)]
struct Model {
    scaler: InputScaler,
    body: Linear,
    last: Linear,
}

impl Model {
    fn new() -> Self {
        let device = Device::flex();
        let data = Tensor::<2>::from_floats([[3.0, 1.0], [7.0, 5.0]], &device);
        let model = Self {
            scaler: ScalerConfig::standard().fit(&data).unwrap(),
            body: LinearConfig::new(2, 2).init(&device),
            last: LinearConfig::new(2, 2).init(&device.autodiff()),
        };
        force_init(&model);
        model
    }

    /// The numbers that no step may change.
    fn fixed(&self) -> [Vec<f64>; 4] {
        [
            values(self.scaler.shift()),
            values(self.scaler.scale()),
            values(self.body.weight.val()),
            values(self.last.weight.val()),
        ]
    }
}

#[test]
fn a_penalty_counts_what_is_trained_behind_a_plain_part() {
    let _alone = alone();
    let model = Model::new();
    let penalty = PenaltyConfig::new().with_l2(0.5).init().unwrap();
    assert_eq!(penalty.paths(&model), ["last.weight"]);
    let weight = model.last.weight.val();
    let grads = penalty.forward(&model).backward();
    let grad = weight.grad(&grads).expect("the penalty has a gradient");
    assert_eq!(values(grad), values(weight.clone()));
    let loss = Tensor::zeros([1], &Device::flex().autodiff());
    let grads = penalty.add_to(loss, &model).backward();
    let grad = weight.grad(&grads).expect("and so has the loss with it");
    assert_eq!(values(grad), values(weight));
    // Of a model without autodiff it is the number of all.
    let plain = model.valid();
    assert_eq!(penalty.paths(&plain), ["body.weight", "last.weight"]);
    assert!(!penalty.forward(&plain).is_autodiff());
}

#[test]
fn constraints_leave_what_is_on_a_plain_device() {
    let _alone = alone();
    let model = Model::new();
    let before = model.fixed();
    let clamp = ClampWeightsConfig::new(-0.01, 0.01).init().unwrap();
    let max_norm = MaxNormConfig::new(0.01).init().unwrap();
    let unit = UnitNormConfig::new().with_norm(0.01).init().unwrap();
    assert_eq!(clamp.paths(&model), ["last.weight", "last.bias"]);
    assert_eq!(max_norm.paths(&model), ["last.weight"]);
    assert_eq!(unit.paths(&model), ["last.weight"]);
    let applied = [
        clamp.apply(model.clone()),
        max_norm.apply(model.clone()),
        unit.apply(model.clone()),
    ];
    for after in applied {
        let after = after.fixed();
        assert_eq!(after[..3], before[..3]);
        assert_ne!(after[3], before[3]);
    }
    // The statistics of a scaler are shared by its clones.
    assert_eq!(model.fixed(), before);
}

#[test]
fn a_frozen_clone_stays_what_it_was() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let student = LinearConfig::new(2, 2).init(&device);
    force_init(&student);
    let teachers = [student.clone().no_grad(), student.valid()];
    for teacher in teachers {
        let old = values(teacher.weight.val());
        let mut model = vec![student.clone(), teacher];
        let input = Tensor::<2>::ones([1, 2], &device);
        let loss = model[0].forward(input).square().sum();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = SgdConfig::new().init().step(0.1, model, grads);
        let new = values(model[0].weight.val());
        assert_ne!(new, old);
        let none = ParamGroup::from_path("of.no.weight");
        let bound = MaxNormConfig::new(1e-3).with_group(none).init().unwrap();
        let clamp = ClampWeightsConfig::new(-1e-3, 1e-3).init().unwrap();
        for after in [
            bound.apply(model.clone()),
            TiedWeights.apply(model.clone()),
            clamp.apply(model.clone()),
        ] {
            assert_eq!(values(after[1].weight.val()), old);
        }
        let same = bound.apply(model);
        assert_eq!(values(same[0].weight.val()), new);
    }
}

#[test]
fn the_evaluated_weights_of_schedule_free_learning_leave_a_frozen_clone() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let student = LinearConfig::new(2, 2).init(&device);
    force_init(&student);
    let old = values(student.weight.val());
    let mut model = vec![student.clone(), student.no_grad()];
    let sgd = burn_tricks::optim::SgdConfig::torch().build().unwrap();
    let mut optim = ScheduleFreeConfig::new().init(sgd).unwrap();
    for _ in 0..2 {
        let input = Tensor::<2>::ones([1, 2], &device);
        let loss = model[0].forward(input).square().sum();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optim.step(0.1, model, grads);
    }
    let evaluated = ScheduleFreeConfig::evaluation_model(&model, optim.to_record()).unwrap();
    assert_ne!(
        values(evaluated[0].weight.val()),
        values(model[0].weight.val())
    );
    assert_eq!(values(evaluated[1].weight.val()), old);
}

#[test]
fn an_average_of_the_trained_weights_leaves_a_frozen_clone() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let student = LinearConfig::new(2, 2).init(&device);
    force_init(&student);
    let model = vec![student.clone(), student.clone().no_grad()];
    let mut average = TrainedAverage::init(EmaConfig::new(0.5), &model).unwrap();
    assert_eq!(average.paths(), ["0.weight", "0.bias"]);
    let old = values(student.weight.val());
    let stepped = student.clone().map(&mut Doubled);
    let model = vec![stepped, student.no_grad()];
    average.update(&model);
    for after in [average.model(&model), average.restore_into(&model)] {
        assert_ne!(values(after[0].weight.val()), old);
        assert_eq!(values(after[1].weight.val()), old);
    }
}

#[test]
fn new_weights_of_one_part_leave_a_frozen_clone() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let student = LinearConfig::new(2, 2).init(&device);
    force_init(&student);
    let input = Tensor::<2>::from_floats([[3.0, 0.0], [0.0, 0.0]], &Device::flex());
    let lsuv = LsuvConfig::new().init().unwrap();
    for teacher in [student.clone().no_grad(), student.valid()] {
        let stepped = student.clone().map(&mut Doubled);
        let model = vec![stepped, teacher, LinearConfig::new(2, 2).init(&device)];
        for at in [0_usize, 1, 2] {
            let part = at.to_string();
            let init = InitWeightsConfig::only(&part, WeightInit::Constant { value: 2.0 });
            let drawn = init.init().unwrap().apply(&model).unwrap();
            assert_eq!(values(drawn[at].weight.val()), [2.0; 4]);
            // The outputs are 6, 6, 0 and 0, and their variance is 9.
            let outcome = lsuv.apply(&drawn, &[part.as_str()], |model, _| {
                model[at].forward(input.clone())
            });
            let scaled = outcome.unwrap().model;
            assert_near(
                &values(scaled[at].weight.val()),
                &[2.0 / 3.0; 4],
                1e-6,
                &part,
            );
            for other in (0..3).filter(|other| *other != at) {
                let before = values(model[other].weight.val());
                assert_eq!(values(drawn[other].weight.val()), before, "{part}");
                assert_eq!(values(scaled[other].weight.val()), before, "{part}");
            }
        }
    }
}

#[test]
fn weight_norm_gives_a_frozen_clone_a_length_of_its_own() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let student = LinearConfig::new(2, 2).init(&device);
    force_init(&student);
    for teacher in [student.clone().no_grad(), student.valid()] {
        let plain = vec![student.clone().map(&mut Doubled), teacher];
        let model = WeightNormConfig::new().attach(plain.clone()).unwrap();
        for (layer, plain) in model.iter().zip(&plain) {
            let before = values(plain.weight.val());
            assert_near(&values(layer.weight.val()), &before, 1e-6, "weight");
        }
        let norm = |i: usize| model[i].weight.reparameterization::<WeightNorm>().unwrap();
        assert_ne!(norm(0).g.id, norm(1).g.id);
        assert!(norm(0).g.is_require_grad());
        assert!(!norm(1).g.is_require_grad());
    }
    // Units of zeros have a direction where they are trained, with weight norm in the clone and without.
    let zeros = Linear {
        weight: Param::from_tensor(Tensor::<2>::zeros([2, 2], &device)),
        bias: None,
    };
    for group in [ParamGroup::all(), ParamGroup::from_path("0.weight")] {
        let model = vec![zeros.clone(), zeros.clone().no_grad()];
        let config = WeightNormConfig::new().with_group(group);
        let model = config.attach(model).unwrap();
        let directions = values(model[0].weight.base());
        assert!(directions.iter().all(|v| v.abs() > 0.1), "{directions:?}");
        assert_eq!(values(model[1].weight.base()), [0.0; 4]);
        for layer in &model {
            assert_eq!(values(layer.weight.val()), [0.0; 4]);
        }
    }
}

/// A step.
struct Doubled;

impl ModuleMapper for Doubled {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| (value.inner() * 2.0).autodiff().require_grad())
    }
}
