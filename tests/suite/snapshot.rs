//! A snapshot stays what it was, and comes back without disturbing anything else.

use crate::devices::{devices, training_devices};
use crate::models::{Net, alone, tensor, values};
use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Bool, DType, Device, Int, Tensor};
use burn_tricks::{Buffers, Snapshot};

/// With an integer and a boolean besides.
#[derive(Module, Debug)]
pub(crate) struct Mixed {
    pub(crate) weight: Param<Tensor<1>>,
    pub(crate) count: Param<Tensor<1, Int>>,
    pub(crate) mask: Param<Tensor<1, Bool>>,
}

impl Mixed {
    pub(crate) fn new(weight: f64, count: i32, mask: bool, device: &Device) -> Self {
        let weight: Tensor<1> = tensor(&[weight], DType::F32, device);
        Self {
            weight: Param::initialized(
                ParamId::new(),
                weight.set_require_grad(device.is_autodiff()),
            ),
            count: Param::initialized(ParamId::new(), Tensor::from_ints([count], device)),
            mask: Param::initialized(ParamId::new(), Tensor::from_data([mask], device)),
        }
    }

    pub(crate) fn read(&self) -> (f64, i64, bool) {
        let count = self.count.val().into_data().iter::<i64>().next();
        let mask = self.mask.val().into_data().iter::<bool>().next();
        (values(self.weight.val())[0], count.unwrap(), mask.unwrap())
    }
}

fn input(device: &Device) -> Tensor<2> {
    let values: Vec<f32> = (0..32)
        .map(|i| (i as f32 * 0.7).sin() * 3.0 + 1.0)
        .collect();
    Tensor::<1>::from_floats(values.as_slice(), device).reshape([8, 4])
}

fn train(model: Net, optim: &mut ModuleOptimizer, device: &Device) -> Net {
    let loss = model.forward(input(device)).square().mean();
    let grads = GradientsParams::from_grads(loss.backward(), &model);
    optim.step(0.05, model, grads)
}

/// Weights and running statistics, as they are, without folding anything in.
fn everything(model: &Net) -> Vec<Vec<f64>> {
    vec![
        values(model.first.weight.val()),
        values(model.last.weight.val()),
        values(model.norm.gamma.val()),
        values(model.norm.running_mean.value()),
        values(model.norm.running_var.value()),
    ]
}

fn mean_of(model: &Net) -> Vec<f64> {
    values(model.norm.running_mean.value())
}

#[test]
fn a_clone_is_no_snapshot() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut optim = AdamConfig::new().init();
    let model = train(Net::new(0.0, &device), &mut optim, &device);
    let (clone, snapshot) = (model.clone(), Snapshot::new(&model));
    let before = mean_of(&snapshot.model());
    let model = train(model, &mut optim, &device);
    let _ = model.valid();
    assert_ne!(mean_of(&clone), before, "the clone has gone on");
    assert_eq!(mean_of(&snapshot.model()), before);

    // Loading into one clone loads into all.
    let other = model.clone().load_record(snapshot.model().into_record());
    assert_eq!(mean_of(&other), before);
    assert_eq!(mean_of(&model), before, "although nobody loaded into it");
}

#[test]
fn it_stays_as_it_was_and_copies_of_it_do() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let mut optim = AdamConfig::new().init();
        let mut model = train(Net::new(0.3, &device), &mut optim, &device);
        let snapshot = Snapshot::new(&model);
        let copy = snapshot.clone();
        let before = everything(&snapshot.model());
        assert_eq!(before, everything(&model.valid()), "{name}: all of it");
        for _ in 0..3 {
            model = train(model, &mut optim, &device);
        }
        let mut on = train(snapshot.model().train(), &mut optim, &device);
        on = train(on, &mut optim, &device);
        assert_ne!(everything(&on.valid()), before, "{name}: it trains");
        assert_eq!(everything(&snapshot.model()), before, "{name}");
        assert_eq!(everything(&copy.model()), before, "{name}: the copy");
    }
}

#[test]
fn restoring_leaves_the_live_model_and_its_clones_alone() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let mut optim = AdamConfig::new().init();
        let mut model = train(Net::new(0.0, &device), &mut optim, &device);
        let snapshot = Snapshot::new(&model);
        let before = everything(&snapshot.model());
        for _ in 0..3 {
            model = train(model, &mut optim, &device);
        }
        let clone = model.clone();
        let live = everything(&model.valid());
        let restored = snapshot.restore(&model).unwrap();
        assert_eq!(everything(&restored), before, "{name}");
        assert_eq!(everything(&model), live, "{name}: the live one");
        assert_eq!(everything(&clone), live, "{name}: its clone");
        let restored = train(restored, &mut optim, &device);
        let _ = restored.valid();
        assert_eq!(everything(&clone), live, "{name}: and stays so");
    }
}

#[test]
fn a_pending_update_does_not_come_through() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut optim = AdamConfig::new().init();
    let model = train(Net::new(0.0, &device), &mut optim, &device);
    let snapshot = Snapshot::new(&model);
    let before = mean_of(&snapshot.model());

    // The trap: a forward pass leaves an update that overwrites what is loaded after it.
    let naive = snapshot.model().train();
    naive.forward(input(&device) * 100.0);
    let naive = naive.load_record(snapshot.model().into_record());
    assert_ne!(mean_of(&naive.valid()), before);

    let live = snapshot.model().train();
    live.forward(input(&device) * 100.0);
    let restored = snapshot.restore(&live).unwrap();
    assert_eq!(mean_of(&restored.valid()), before);
    assert_ne!(mean_of(&live), before, "and is not lost for the live one");
}

#[test]
fn what_the_live_model_is_stays() {
    let _alone = alone();
    let device = Device::flex().autodiff().gradient_checkpointing();
    let group = |pattern| ParamGroup::from_regex(pattern).unwrap();
    let mut model = Net::new(0.5, &device).freeze_group(group("first"));
    model.norm.training = model.norm.training.with_value(false);
    let other = Net::new(0.5, &Device::flex());
    let ids = |model: &Net| {
        (
            model.first.weight.id,
            model.last.weight.id,
            model.norm.gamma.id,
        )
    };

    let restored = Snapshot::new(&other).restore(&model).unwrap();
    assert_eq!(everything(&restored), everything(&other));
    assert_eq!(ids(&restored), ids(&model), "the optimizer's state fits");
    assert!(!restored.first.weight.is_require_grad(), "frozen");
    assert!(restored.last.weight.is_require_grad(), "trained");
    assert!(
        !restored.norm.training.is_enabled(),
        "batch norm held still"
    );
    let ones = Tensor::<2>::ones([64, 64], &device);
    let dropped = values(restored.dropout.forward(ones));
    assert!(dropped.contains(&0.0), "dropout drops");
    // With another checkpointing strategy than its input's this would panic.
    let trained = train(restored, &mut AdamConfig::new().init(), &device);
    assert_ne!(
        values(trained.last.weight.val()),
        values(other.last.weight.val())
    );

    let predicting = Snapshot::new(&model).restore(&other.valid()).unwrap();
    assert!(!predicting.first.weight.val().is_autodiff());
    assert!(!predicting.dropout.training.is_enabled(), "still predicts");
}

#[test]
fn a_flag_that_was_switched_by_a_mapper_stays_switched() {
    let _alone = alone();
    let device = Device::flex().autodiff();
    let mut model = Net::new(0.5, &device);
    // Off for now, although `train()` would switch it on.
    model.dropout.training = model.dropout.training.map(|flag| flag.with(false));
    let restored = Snapshot::new(&model).restore(&model).unwrap();
    assert!(!restored.dropout.training.is_enabled());
    assert!(restored.valid().train().dropout.training.is_enabled());
}

#[test]
fn it_crosses_devices_and_element_types() {
    let _alone = alone();
    for (name, device) in devices() {
        let source = Net::new(0.0, &Device::flex());
        let target = Net::new(0.0, &device.clone().autodiff());
        let restored = Snapshot::new(&source).restore(&target).unwrap();
        assert_eq!(everything(&restored), everything(&source), "{name}");
        assert_eq!(restored.devices(), [device], "{name}");
    }
    let device = Device::flex();
    let half = |value| crate::models::Pair::new(&[value], &[value], DType::BF16, &device);
    let full = crate::models::Pair::new(&[1.001], &[2.0], DType::F32, &device);
    let restored = Snapshot::new(&full).restore(&half(0.0)).unwrap();
    assert_eq!(restored.a.val().dtype(), DType::BF16);
    assert_eq!(restored.values(), (vec![1.0], vec![2.0]), "rounded");
}

#[test]
fn another_architecture_is_refused_and_named() {
    let _alone = alone();
    let device = Device::flex();
    let layers = |widths: &[usize]| -> Vec<Linear> {
        let pairs = widths.windows(2);
        pairs
            .map(|pair| LinearConfig::new(pair[0], pair[1]).init(&device))
            .collect()
    };
    let mut snapshot = Snapshot::new(&layers(&[2, 3, 4]));
    for (other, message) in [
        (
            layers(&[2, 3, 5]),
            "expected `1.weight` [3, 4] F32, got `1.weight` [3, 5] F32",
        ),
        (
            layers(&[2, 3]),
            "expected `1.weight` [3, 4] F32, got no further parameter",
        ),
        (
            layers(&[2, 3, 4, 5]),
            "expected no further parameter, got `2.weight` [4, 5] F32",
        ),
    ] {
        let error = snapshot.restore(&other).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the architectures differ: {message}")
        );
        assert!(snapshot.lerp(&other, 0.5, Buffers::Average).is_err());
        assert!(snapshot.replace(&other).is_err());
    }
    assert_eq!(snapshot.places().len(), 4, "and is whole");
    assert_eq!(snapshot.model().len(), 2);
}

/// Two kinds of one shape, behind one type.
#[derive(Module, Debug)]
enum Either {
    Left(Linear),
    Right(Named),
}

#[derive(Module, Debug)]
struct Named {
    kernel: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

#[test]
fn equal_shapes_under_other_paths_are_another_architecture() {
    let _alone = alone();
    let device = Device::flex();
    let left = Either::Left(LinearConfig::new(2, 3).init(&device));
    let right = Either::Right(Named {
        kernel: Param::from_tensor(Tensor::zeros([2, 3], &device)),
        bias: Param::from_tensor(Tensor::zeros([3], &device)),
    });
    let error = Snapshot::new(&left).restore(&right).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("Left") && text.contains("kernel"), "{text}");
}

#[test]
fn a_blend_is_a_weighted_sum_and_copies_what_is_no_number() {
    for (name, device) in training_devices() {
        let mut snapshot = Snapshot::new(&Mixed::new(1.0, 3, false, &device));
        let other = Mixed::new(5.0, 7, true, &device);
        snapshot.lerp(&other, 0.25, Buffers::Average).unwrap();
        assert_eq!(snapshot.model().read(), (2.0, 7, true), "{name}");
        let third = Snapshot::new(&Mixed::new(-2.0, 9, false, &device));
        snapshot.lerp_with(&third, 0.5, Buffers::Average).unwrap();
        assert_eq!(snapshot.model().read(), (0.0, 9, false), "{name}");
        assert_eq!(other.read(), (5.0, 7, true), "{name}: untouched");
        let restored = snapshot.restore(&other).unwrap();
        assert_eq!(restored.read(), (0.0, 9, false), "{name}");
        assert!(restored.weight.is_require_grad(), "{name}");
    }
}

#[test]
fn running_statistics_are_averaged_or_copied() {
    let _alone = alone();
    for (name, device) in training_devices() {
        let fresh = Net::new(0.0, &device); // mean 0, variance 1
        let model = Net::new(0.0, &device);
        model.forward(input(&device));
        let after = mean_of(&model.valid());
        assert_ne!(after, mean_of(&fresh), "{name}");
        let blended = |buffers| {
            let mut snapshot = Snapshot::new(&fresh);
            snapshot.lerp(&model, 0.5, buffers).unwrap();
            mean_of(&snapshot.model())
        };
        assert_eq!(blended(Buffers::Copy), after, "{name}");
        let half: Vec<f64> = after.iter().map(|value| value / 2.0).collect();
        crate::oracle::assert_close(&blended(Buffers::Average), &half, 1e-6, name);
    }
}

#[test]
fn half_precision_is_held_wide_and_given_back_as_it_was() {
    for (name, device) in devices() {
        for dtype in crate::models::dtypes(&device) {
            let model = crate::models::Pair::new(&[1.5], &[-2.5], dtype, &device);
            let snapshot = Snapshot::new(&model).widened();
            let wide = match dtype {
                DType::F64 => DType::F64,
                _ => DType::F32,
            };
            assert_eq!(snapshot.held_model().a.val().dtype(), wide, "{name}");
            assert_eq!(snapshot.model().a.val().dtype(), dtype, "{name}");
            assert_eq!(snapshot.model().values(), (vec![1.5], vec![-2.5]), "{name}");
        }
    }
}
