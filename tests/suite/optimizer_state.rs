//! An optimizer's state that is not its parameter's: an error that names path and shapes where it is
//! loaded, a panic that names the shapes in the step, never a broadcast; and damage never panics.

use crate::devices::training_devices;
use crate::models::{Noise, Pair};
use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdafactorConfig, AdanConfig, GradientsParams, LambConfig, LionConfig, ModuleOptimizer,
    MuonConfig, Optimizer, OptimizerRecord, RecordState, StateSink, StateSource,
};
use burn::tensor::{Bytes, DType, Device, Tensor};
use burn_tricks::optim::{
    AdaGradConfig, AdamConfig, AdamWConfig, Memory, ModuleOptimizerExt as _, MomentumMemory,
    NormScope, NormalizedGradientConfig, OptimizerExt as _, OptimizerRecordError, RmsPropConfig,
    Scheduled, SgdConfig, SignumConfig, StateField, Wrap, WrappedStep, Wrapper,
    check_optimizer_record, check_optimizer_record_file,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[derive(Module, Debug)]
struct Layer {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Model {
    layer: Layer,
}

/// Parameters of the identities 7 and 8.
fn model(shape: [usize; 2]) -> Model {
    let device = Device::flex().autodiff();
    let numbers = Noise(5).take(shape[0] * shape[1]);
    let weight = Tensor::<1>::from_floats(numbers.as_slice(), &device).reshape(shape);
    let bias = Tensor::<1>::ones([shape[1]], &device);
    Model {
        layer: Layer {
            weight: Param::initialized(ParamId::from(7), weight.require_grad()),
            bias: Param::initialized(ParamId::from(8), bias.require_grad()),
        },
    }
}

fn grads(model: &Model) -> GradientsParams {
    let layer = &model.layer;
    let loss = layer.weight.val().square().sum() + layer.bias.val().square().sum();
    GradientsParams::from_grads(loss.backward(), model)
}

fn stepped(mut optim: ModuleOptimizer, shape: [usize; 2]) -> (ModuleOptimizer, Model) {
    let mut model = model(shape);
    for _ in 0..2 {
        let grads = grads(&model);
        model = optim.step(0.01, model, grads);
    }
    (optim, model)
}

fn weight(model: &Model) -> Vec<f32> {
    model.layer.weight.val().into_data().try_to_vec().unwrap()
}

type Make = fn() -> ModuleOptimizer;

/// Those of this library that have a state.
fn ours() -> Vec<(&'static str, Make)> {
    fn family(scope: NormScope) -> NormalizedGradientConfig {
        NormalizedGradientConfig::new()
            .with_scope(scope)
            .with_memory(Memory::Decay { beta: 0.9 })
            .with_momentum(MomentumMemory::OfGradient { beta: 0.9 })
            .with_bias_correction(true)
    }
    vec![
        ("momentum", || {
            SgdConfig::torch().with_momentum_factor(0.9).init().unwrap()
        }),
        ("classical momentum", || {
            SgdConfig::classical_momentum().init().unwrap()
        }),
        ("adagrad", || AdaGradConfig::new().init().unwrap()),
        ("rmsprop", || {
            RmsPropConfig::new().with_centered(true).init().unwrap()
        }),
        ("adam", || AdamConfig::new().init().unwrap()),
        ("amsgrad", || {
            AdamConfig::new().with_amsgrad(true).init().unwrap()
        }),
        ("amsgrad of optax", || {
            AdamConfig::optax().with_amsgrad(true).init().unwrap()
        }),
        ("adamw", || AdamWConfig::new().init().unwrap()),
        ("lookahead", || {
            let adam = AdamConfig::new().build().unwrap();
            adam.lookahead(2, 0.5).unwrap().init()
        }),
        ("scheduled", || {
            Scheduled::build(|_| AdamConfig::new().build())
                .unwrap()
                .init()
        }),
        ("family", || family(NormScope::Element).init().unwrap()),
        ("family of tensors", || {
            family(NormScope::Tensor).init().unwrap()
        }),
    ]
}

fn burns() -> Vec<(&'static str, Make)> {
    vec![
        ("sgd of Burn", || {
            let momentum = Some(MomentumConfig::new());
            burn::optim::SgdConfig::new().with_momentum(momentum).init()
        }),
        ("adagrad of Burn", || {
            burn::optim::AdaGradConfig::new().init()
        }),
        ("rmsprop of Burn", || {
            burn::optim::RmsPropConfig::new().init()
        }),
        ("adam of Burn", || burn::optim::AdamConfig::new().init()),
        ("adamw of Burn", || burn::optim::AdamWConfig::new().init()),
        ("lion", || LionConfig::new().init()),
        ("lamb", || LambConfig::new().init()),
        ("adan", || AdanConfig::new().init()),
    ]
}

fn text_of_panic(work: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(work)).expect_err("it must panic");
    let text = panic.downcast_ref::<String>().cloned();
    text.unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap()).to_owned())
}

#[test]
fn a_state_of_another_shape_is_named_where_it_is_loaded() {
    for (name, make) in ours().into_iter().chain(burns()) {
        if name == "family of tensors" {
            continue; // a norm per tensor: its momentum is looked at below
        }
        for (recorded, now) in [([1, 2], [2, 2]), ([2, 2], [2, 3]), ([2, 3], [3, 2])] {
            let (optim, _) = stepped(make(), recorded);
            let error = make()
                .try_load_record(&model(now), optim.to_record())
                .map(|_| ())
                .expect_err(name);
            let OptimizerRecordError::Mismatch { .. } = error else {
                panic!("{name}: {error:?}")
            };
            let text = error.to_string();
            for part in [
                "`layer.weight`".to_owned(),
                format!("{recorded:?}"),
                format!("{now:?}"),
            ] {
                assert!(text.contains(&part), "{name}: `{text}` lacks {part}");
            }
        }
    }
}

#[test]
fn in_the_step_it_is_a_panic_with_both_shapes_and_never_a_broadcast() {
    for (name, make) in ours() {
        for (recorded, now) in [([1, 2], [2, 2]), ([2, 2], [2, 3])] {
            let (optim, _) = stepped(make(), recorded);
            let mut other = make().load_record(optim.to_record());
            let text = text_of_panic(|| {
                let model = model(now);
                let grads = grads(&model);
                other.step(0.01, model, grads);
            });
            for shape in [format!("{recorded:?}"), format!("{now:?}")] {
                assert!(text.contains(&shape), "{name}: `{text}` lacks {shape}");
            }
        }
    }
}

#[test]
fn a_norm_per_element_is_none_per_tensor() {
    let make = |scope| {
        let config = NormalizedGradientConfig::new().with_memory(Memory::Sum);
        config.with_scope(scope).init().unwrap()
    };
    for (from, to, shape) in [
        (NormScope::Tensor, NormScope::Element, "[1, 1]"),
        (NormScope::Element, NormScope::Tensor, "[2, 2]"),
    ] {
        let (optim, trained) = stepped(make(from), [2, 2]);
        let again = make(from).try_load_record(&trained, optim.to_record());
        assert!(again.is_ok(), "{from:?} again");
        // Neither the record nor the optimizer says what the scope was.
        let other = make(to).try_load_record(&trained, optim.to_record());
        let mut other = other.unwrap();
        let text = text_of_panic(|| {
            let grads = grads(&trained);
            other.step(0.01, trained, grads);
        });
        for part in [shape, "accumulator", "another `scope`"] {
            assert!(text.contains(part), "`{text}` lacks {part}");
        }
        assert!(!text.contains("try_load_record"), "{text}");
    }
}

#[test]
fn a_step_broadcasts_no_gradient_either() {
    use burn_tricks::kernels::{SgdStep, Step, WeightDecayTerm, blend, descend};
    let device = Device::flex();
    let (x, row) = (
        Tensor::<2>::ones([2, 2], &device),
        Tensor::<2>::ones([1, 2], &device),
    );
    let decay = WeightDecayTerm::None;
    let step = SgdStep { lr: 0.1, decay };
    let one = Tensor::<1>::ones([1], &device);
    for work in [
        &(|| drop(step.apply(x.clone(), row.clone(), None))) as &dyn Fn(),
        &|| drop(step.apply_twin(x.clone(), row.clone(), None)),
        &|| drop(blend(x.clone(), 0.5, row.clone(), 0.5)),
        &|| drop(descend(x.clone(), 1.0, row.clone(), 0.5, &one)),
    ] {
        let text = text_of_panic(work);
        assert!(text.contains("must have one shape"), "{text}");
    }
}

#[test]
fn a_record_of_the_same_model_goes_on_to_the_bit() {
    for (name, make) in ours().into_iter().chain(burns()) {
        let (mut optim, trained) = stepped(make(), [3, 2]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("optim");
        optim.save(&file).unwrap();
        assert_eq!(
            check_optimizer_record_file(&trained, &file),
            Ok(vec![]),
            "{name}"
        );
        let bytes = optim.into_bytes().unwrap();
        let mut loaded = [
            make().try_load_record(&trained, optim.to_record()).unwrap(),
            make().try_from_bytes(&trained, bytes).unwrap(),
            make().try_load(&trained, &file).unwrap(),
        ];
        drop(folder); // nothing is read from it any more
        let next = optim.step(0.01, trained.clone(), grads(&trained));
        for loaded in &mut loaded {
            let again = loaded.step(0.01, trained.clone(), grads(&trained));
            assert_eq!(weight(&again), weight(&next), "{name}");
        }
    }
}

/// A network of an earlier run in another one: the groups name the present paths, and the record the earlier ones.
#[test]
fn a_state_goes_to_the_optimizer_of_the_present_path() {
    #[derive(Module, Debug)]
    struct Wrapped {
        inner: Pair,
    }

    let adam_w = |decay| {
        let config = AdamWConfig::torch().with_weight_decay(decay);
        config.build().unwrap()
    };
    let device = Device::flex().autodiff();
    let pair = Pair::new(&[1.0], &[1.0], DType::F32, &device);
    let grads = pair.grads(&[1.0], &[1.0]);
    let mut optim = adam_w(0.5).init();
    let inner = optim.step(0.1, pair, grads);
    let model = Wrapped { inner };

    let group = || ParamGroup::from_path("inner.b");
    let grads = || model.inner.grads(&[1.0], &[1.0]);
    let numbers = |model: Wrapped| model.inner.values();
    let load = |fresh: ModuleOptimizer| {
        let mut loaded = fresh.try_load_record(&model, optim.to_record()).unwrap();
        numbers(loaded.step(0.1, model.clone(), grads()))
    };
    let (decayed, none) = (load(adam_w(0.5).init()), load(adam_w(0.0).init()));
    assert_ne!(decayed.1, none.1);
    let in_groups = adam_w(0.5).init().with_group(group(), adam_w(0.0), None);
    let expected = (decayed.0, none.1);
    assert_eq!(load(in_groups), expected, "ModuleOptimizer");
    let fused = adam_w(0.5).fused().with_group(group(), adam_w(0.0), None);
    let mut fused = fused.try_load_record(&model, optim.to_record()).unwrap();
    let stepped = fused.step(0.1, model.clone(), grads());
    assert_eq!(numbers(stepped), expected, "FusedStep");
}

/// Each of two modules is stepped by itself, with paths of its own, and the record is loaded for a tuple of them.
#[test]
fn states_of_two_modules_stay_in_the_groups_of_their_paths() {
    let adam_w = |decay| {
        let config = AdamWConfig::torch().with_weight_decay(decay);
        config.build().unwrap()
    };
    let groups = || {
        let group = ParamGroup::from_path("b");
        adam_w(0.5).init().with_group(group, adam_w(0.0), None)
    };
    let step = |optim: &mut ModuleOptimizer, pairs: [Pair; 2]| {
        pairs.map(|pair| {
            let grads = pair.grads(&[1.0], &[1.0]);
            optim.step(0.1, pair, grads)
        })
    };
    let device = Device::flex().autodiff();
    let pairs = [1.0, 2.0].map(|x| Pair::new(&[x], &[x], DType::F32, &device));
    let mut optim = groups();
    let pairs = step(&mut optim, pairs);
    let [first, second] = pairs.clone();
    let loaded = groups().try_load_record(&(first, second), optim.to_record());
    let resumed = step(&mut loaded.unwrap(), pairs.clone());
    let expected = step(&mut optim, pairs);
    assert_eq!(
        resumed.map(|pair| pair.values()),
        expected.map(|pair| pair.values())
    );
}

/// Factored moments and orthogonalised momenta.
#[test]
fn shapes_that_are_meant_to_differ_are_accepted() {
    let (optim, trained) = stepped(AdafactorConfig::new().init(), [3, 2]);
    let loaded = AdafactorConfig::new().init();
    assert!(loaded.try_load_record(&trained, optim.to_record()).is_ok());

    let matrix = |shape| {
        let model = model(shape);
        let mut optim: ModuleOptimizer = MuonConfig::new().init();
        let mut grads = GradientsParams::new();
        grads.register(model.layer.weight.id, model.layer.weight.val().inner());
        let model = optim.step(0.01, model, grads);
        (optim, model)
    };
    let (optim, trained) = matrix([3, 2]);
    let muon = || MuonConfig::new().init();
    assert!(muon().try_load_record(&trained, optim.to_record()).is_ok());
    let without = check_optimizer_record(&trained, optim.into_bytes().unwrap());
    assert_eq!(without, Ok(vec!["layer.bias".to_owned()]));
    let error = muon().try_load_record(&model([3, 3]), optim.to_record());
    assert!(
        error
            .map(|_| ())
            .unwrap_err()
            .to_string()
            .contains("[3, 3]")
    );
}

#[test]
fn a_state_of_no_parameter_is_named_with_the_parameters_without_one() {
    for (name, make) in ours().into_iter().chain(burns()) {
        let (optim, _) = stepped(make(), [2, 2]);
        let mut other = model([2, 2]);
        other.layer.bias.id = ParamId::from(9);
        let error = make().try_load_record(&other, optim.to_record());
        assert_eq!(
            error.map(|_| ()),
            Err(OptimizerRecordError::UnknownParameters {
                unknown: vec!["layer.bias".to_owned()],
                without_state: vec!["layer.bias".to_owned()],
            }),
            "{name}"
        );
    }
}

#[test]
fn a_state_that_the_optimizer_cannot_read_is_no_silent_restart() {
    let momentum = || SgdConfig::torch().with_momentum_factor(0.9).init().unwrap();
    let adam = || AdamConfig::new().init().unwrap();
    let family = || NormalizedGradientConfig::adam().init().unwrap();
    let of_update = NormalizedGradientConfig::new()
        .with_momentum(MomentumMemory::OfUpdate { mu: 0.9 })
        .init();
    let (of_update, _) = stepped(of_update.unwrap(), [2, 2]);
    let (of_adam, trained) = stepped(adam(), [2, 2]);
    let (of_momentum, _) = stepped(momentum(), [2, 2]);
    for (record, into) in [
        (of_adam.to_record(), momentum()),
        (of_adam.to_record(), family()),
        (of_momentum.to_record(), adam()),
        (
            of_momentum.to_record(),
            burn::optim::AdamConfig::new().init(),
        ),
        // All its tensors are read, and its count of steps is not.
        (of_update.to_record(), SignumConfig::new().init().unwrap()),
    ] {
        let error = into.try_load_record(&trained, record).map(|_| ());
        let paths = vec!["layer.weight".to_owned(), "layer.bias".to_owned()];
        assert_eq!(error, Err(OptimizerRecordError::NotRestored { paths }));
    }
    // Burn's Adam, and one that begins to keep a maximum.
    let (of_burns, _) = stepped(burn::optim::AdamConfig::new().init(), [2, 2]);
    let amsgrad = AdamConfig::new().with_amsgrad(true).init().unwrap();
    assert!(
        amsgrad
            .try_load_record(&trained, of_burns.to_record())
            .is_ok()
    );
    // Nothing was to be remembered.
    let (of_sgd, _) = stepped(SgdConfig::torch().init().unwrap(), [2, 2]);
    assert!(adam().try_load_record(&trained, of_sgd.to_record()).is_ok());
}

/// Whatever numbers Burn has drawn for them, and whatever they sort like.
#[test]
fn parameters_are_named_in_the_order_of_the_model() {
    let mut first = model([2, 2]);
    first.layer.weight.id = ParamId::from(9);
    let mut adam = AdamConfig::new().init().unwrap();
    let grads = grads(&first);
    let trained = adam.step(0.01, first, grads);
    let momentum = SgdConfig::torch().with_momentum_factor(0.9).init().unwrap();
    let error = momentum.try_load_record(&trained, adam.to_record());
    let paths = vec!["layer.weight".to_owned(), "layer.bias".to_owned()];
    assert_eq!(
        error.map(|_| ()),
        Err(OptimizerRecordError::NotRestored { paths })
    );
}

#[test]
fn a_parameter_of_another_rank_is_an_error() {
    let (optim, _) = stepped(AdamConfig::new().init().unwrap(), [2, 2]);
    let mut other = model([2, 2]);
    other.layer.bias.id = ParamId::from(7);
    other.layer.weight.id = ParamId::from(8);
    let error = AdamConfig::new()
        .init()
        .unwrap()
        .try_load_record(&other, optim.to_record());
    let text = error.map(|_| ()).unwrap_err().to_string();
    for part in ["`layer.weight`", "`rank` was recorded as 1", "[2, 2]"] {
        assert!(text.contains(part), "{text}");
    }
}

/// A record's head names the type of each tensor.
#[test]
fn a_state_of_whole_numbers_is_an_error() {
    let (optim, trained) = stepped(AdamConfig::new().init().unwrap(), [2, 2]);
    let mut bytes = optim.into_bytes().unwrap().to_vec();
    let at = bytes.windows(3).position(|name| name == b"F32").unwrap();
    bytes[at] = b'I';
    let error = check_optimizer_record(&trained, Bytes::from_bytes_vec(bytes)).unwrap_err();
    assert!(
        matches!(&error, OptimizerRecordError::Mismatch { recorded, .. } if recorded.ends_with("of I32")),
        "{error}"
    );
}

#[test]
fn a_file_that_is_gone_is_an_error() {
    let (optim, trained) = stepped(AdamConfig::new().init().unwrap(), [2, 2]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("optim.bpk");
    optim.save(&file).unwrap();
    let lazy = OptimizerRecord::load(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let adam = || AdamConfig::new().init().unwrap();
    let error = adam().try_load_record(&trained, lazy).err().unwrap();
    assert!(
        matches!(error, OptimizerRecordError::Panicked { .. }),
        "{error}"
    );
    let gone = OptimizerRecordError::File {
        path: file.clone(),
        kind: std::io::ErrorKind::NotFound,
    };
    assert_eq!(adam().try_load(&trained, &file).err(), Some(gone.clone()));
    assert_eq!(
        check_optimizer_record_file(&trained, &file),
        Err(gone.clone())
    );
    assert!(gone.to_string().contains("optim.bpk"), "{gone}");
}

/// Burn saves `optim` to `optim.bpk`, whatever has the name without the extension.
#[test]
fn a_folder_or_another_file_of_the_name_is_not_read() {
    let (optim, trained) = stepped(AdamConfig::new().init().unwrap(), [2, 2]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("optim");
    optim.save(&file).unwrap();
    let assert_read = |what: &str| {
        let checked = check_optimizer_record_file(&trained, &file);
        assert_eq!(checked, Ok(vec![]), "{what}");
        let loaded = AdamConfig::new().init().unwrap().try_load(&trained, &file);
        assert_eq!(loaded.err(), None, "{what}");
    };
    std::fs::create_dir(&file).unwrap();
    assert_read("a folder");
    std::fs::remove_dir(&file).unwrap();
    std::fs::write(&file, "no record").unwrap();
    assert_read("a file");
}

/// Bytes changed, cut off or doubled anywhere (Burn's own load panics on 4 % of changed bits here): an error, or a
/// record of the right shapes, with which the next step is taken; never a panic.
#[test]
fn damage_never_panics() {
    let mut noise = Noise(2026);
    let mut draw = |below: usize| ((noise.next() + 1.0) / 2.0 * below as f64) as usize;
    let all = || ours().into_iter().chain(burns());
    let (mut errors, mut loads) = (0, 0);
    for (name, make) in all() {
        let (optim, trained) = stepped(make(), [2, 2]);
        let whole = optim.into_bytes().unwrap().to_vec();
        // The names and shapes stand in front of the numbers.
        let front = whole.len().min(900);
        for trial in 0..240 {
            let mut bytes = whole.clone();
            match trial % 6 {
                0 => bytes.truncate(draw(whole.len())),
                1 => {
                    let at = draw(front);
                    bytes.remove(at);
                }
                2 => {
                    let (from, to) = (draw(front), draw(front));
                    bytes[to] = bytes[from];
                }
                _ => {
                    let at = draw(front);
                    bytes[at] ^= 1 << draw(8);
                }
            }
            let bytes = Bytes::from_bytes_vec(bytes);
            let checked = check_optimizer_record(&trained, bytes.clone());
            match make().try_from_bytes(&trained, bytes) {
                Ok(mut loaded) => {
                    assert!(checked.is_ok(), "{name}, trial {trial}");
                    loaded.step(0.01, trained.clone(), grads(&trained));
                    loads += 1;
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    errors += 1;
                }
            }
        }
    }
    assert!(errors > 2000, "{errors} errors, {loads} loads");
}

/// What an optimizer of one's own remembers: a tensor that is smaller than the parameter, under a name that others use.
#[derive(Debug, Clone)]
struct Factored<const D: usize> {
    momentum: Tensor<D>,
    columns: Tensor<D>,
}

impl<const D: usize> RecordState for Factored<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "momentum", self.momentum.to_data());
        out.push_tensor(prefix, "columns", self.columns.to_data());
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self {
            momentum: Tensor::from_data(source.take_tensor(prefix, "momentum")?, device),
            columns: Tensor::from_data(source.take_tensor(prefix, "columns")?, device),
        })
    }
}

#[derive(Debug, Clone)]
struct FactoredSgd;

impl Optimizer for FactoredSgd {
    type State<const D: usize> = Factored<D>;

    fn step<const D: usize>(
        &self,
        lr: f64,
        weight: Tensor<D>,
        grad: Tensor<D>,
        _state: Option<Factored<D>>,
    ) -> (Tensor<D>, Option<Factored<D>>) {
        let factored = Factored {
            momentum: grad.clone().mean_dim(0),
            columns: grad.clone().mean_dim(D - 1),
        };
        (weight - grad * lr, Some(factored))
    }

    fn to_device<const D: usize>(state: Factored<D>, _device: &Device) -> Factored<D> {
        state
    }
}

#[test]
fn another_shape_under_the_name_of_anothers_state_is_no_error() {
    let lookahead: Make = || FactoredSgd.lookahead(2, 0.5).unwrap().init();
    for make in [(|| ModuleOptimizer::from(FactoredSgd)) as Make, lookahead] {
        let (optim, trained) = stepped(make(), [3, 2]);
        let loaded = make().try_load_record(&trained, optim.to_record()).unwrap();
        assert_eq!(loaded.to_record().len(), optim.to_record().len());
    }
    // The state of the wrapper around it is still that of the parameter.
    let (optim, _) = stepped(lookahead(), [3, 2]);
    let error = lookahead().try_load_record(&model([2, 2]), optim.to_record());
    let text = error.map(drop).unwrap_err().to_string();
    assert!(text.contains("`slow` was recorded as [3, 2]"), "{text}");
}

/// A state that has nothing to record, as after steps that the device has skipped.
#[derive(Debug, Clone)]
struct Nothing;

impl RecordState for Nothing {
    fn state_flatten(&self, _prefix: &str, _out: &mut StateSink) {}

    fn state_unflatten(_: &str, _: &mut StateSource, _: &Device) -> Option<Self> {
        None
    }
}

#[derive(Debug, Clone)]
struct Forgetful;

impl Optimizer for Forgetful {
    type State<const D: usize> = Nothing;

    fn step<const D: usize>(
        &self,
        _lr: f64,
        weight: Tensor<D>,
        _grad: Tensor<D>,
        _state: Option<Nothing>,
    ) -> (Tensor<D>, Option<Nothing>) {
        (weight, Some(Nothing))
    }

    fn to_device<const D: usize>(state: Nothing, _device: &Device) -> Nothing {
        state
    }
}

#[test]
fn a_state_with_nothing_in_it_is_loaded() {
    let (optim, trained) = stepped(ModuleOptimizer::from(Forgetful), [2, 2]);
    let again = ModuleOptimizer::from(Forgetful);
    assert!(again.try_load_record(&trained, optim.to_record()).is_ok());
    // All steps were skipped: on some devices only the device knows.
    for (name, device) in training_devices() {
        let adam = || AdamConfig::new().with_skip_marked(true).init().unwrap();
        let (mut optim, start) = (adam(), Pair::new(&[1.0], &[2.0], DType::F32, &device));
        let skipped = optim.step(0.1, start.clone(), start.grads(&[f64::NAN], &[f64::NAN]));
        assert_eq!(skipped.values(), start.values(), "{name}");
        let mut loaded = adam().try_load_record(&skipped, optim.to_record()).unwrap();
        let step = |optim: &mut ModuleOptimizer| {
            let grads = skipped.grads(&[1.0], &[-1.0]);
            optim.step(0.1, skipped.clone(), grads).values()
        };
        assert_eq!(step(&mut loaded), step(&mut optim), "{name}");
    }
}

const LAST: StateField = StateField::optional("last");

/// Puts its tensor at every step, and takes it at every third.
#[derive(Debug, Clone)]
struct Puts;

impl Wrap for Puts {
    const STATE: &'static [StateField] = &[LAST];
    const COUNTS: bool = true;

    fn step<O: Optimizer, const D: usize>(
        &self,
        step: &mut WrappedStep<'_, O, D>,
        weight: Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        if step.number().is_multiple_of(3) {
            let last = step.take(LAST, &weight).unwrap().into_data();
            let expected = (step.number() - 1) as f32;
            assert!(
                last.iter::<f32>().all(|number| number == expected),
                "{last:?}"
            );
        }
        step.put(LAST, weight.full_like(step.number() as f64));
        step.inner(weight, grad)
    }
}

#[test]
fn a_tensor_that_is_put_replaces_the_one_that_was_there() {
    let mut optim = Wrapper::new(Puts, SgdConfig::torch().build().unwrap()).init();
    let mut model = model([2, 2]);
    for _ in 0..7 {
        let grads = grads(&model);
        model = optim.step(0.01, model, grads);
        assert_eq!(optim.to_record().len(), 2, "one tensor for each parameter");
    }
}
