//! What holds for every average of weights: batch norm, element types, records, several in one pass.

use crate::devices::is_gpu;
use crate::models::{Net, Pair, alone, values};
use crate::oracle::assert_close;
use crate::snapshot::Mixed;
use burn::module::{Module, ModuleDisplay, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::nn::LinearConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burn_tricks::average::{
    Buffers, Ema, EmaConfig, EmaSet, EmaWarmup, EnsembleConfig, GreedySoupConfig, Lawa, LawaConfig,
    SnapshotEnsemble, SnapshotEnsembleConfig, Swa, SwaConfig, average_checkpoints, uniform_soup,
};
use burn_tricks::{Goal, Snapshot};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Every float a number, of a type.
struct Fill(f64, DType);

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|held| Tensor::full(held.shape(), self.0, (&held.device(), self.1)))
    }
}

pub(crate) fn net(value: f64, dtype: DType) -> Net {
    Net::new(0.5, &Device::flex()).map(&mut Fill(value, dtype))
}

fn pair(value: f64, dtype: DType) -> Pair {
    Pair::new(&[value], &[value], dtype, &Device::flex())
}

/// A weight and a running statistic.
pub(crate) fn weight_and_statistic(net: &Net) -> [f64; 2] {
    let weight = values(net.first.weight.val());
    let statistics = [
        values(net.norm.running_mean.value()),
        values(net.norm.running_var.value()),
    ];
    assert!(weight.iter().all(|value| *value == weight[0]));
    assert!(
        statistics
            .iter()
            .flatten()
            .all(|value| *value == statistics[0][0])
    );
    [weight[0], statistics[0][0]]
}

const TRAINED: [f64; 4] = [3.0, 5.0, 8.0, 1.0];

#[test]
fn statistics_are_averaged_or_copied_by_every_average_in_every_type() {
    let _alone = alone();
    for dtype in [DType::F32, DType::BF16] {
        for buffers in [Buffers::Average, Buffers::Copy] {
            for start in [0, 1, 2] {
                let first = net(1.0, dtype);
                let ema = EmaConfig::new(0.5)
                    .with_warmup(EmaWarmup::None)
                    .with_buffers(buffers);
                let mut ema = ema.with_start_after(start).init(&first).unwrap();
                let swa = SwaConfig::new(1).with_buffers(buffers);
                let mut swa = swa.with_start_after(start).init(&first).unwrap();
                let lawa = LawaConfig::new(2, 1).with_buffers(buffers);
                let mut lawa = lawa.with_start_after(start).init(&first).unwrap();
                let mut expected_ema = 1.0;
                for (step, live) in (1..).zip(TRAINED) {
                    let model = net(live, dtype);
                    ema.update(&model);
                    swa.update(&model);
                    lawa.update(&model);
                    let sampled = TRAINED.get(start..step).unwrap_or(&[]);
                    let mean = |samples: &[f64]| match samples {
                        [] => live,
                        samples => samples.iter().sum::<f64>() / samples.len() as f64,
                    };
                    expected_ema = if step <= start {
                        live
                    } else {
                        0.5 * (expected_ema + live)
                    };
                    let latest = &sampled[sampled.len().saturating_sub(2)..];
                    for (name, got, weight) in [
                        ("EMA", ema.model(), expected_ema),
                        ("SWA", swa.model(), mean(sampled)),
                        ("LAWA", lawa.model(), mean(latest)),
                    ] {
                        let statistic = match buffers {
                            Buffers::Average => weight,
                            Buffers::Copy => live,
                        };
                        let what = format!("{name} {dtype:?} {buffers:?} after {start}, {step}");
                        let expected = [weight, statistic];
                        assert_close(&weight_and_statistic(&got), &expected, 4e-3, &what);
                        assert_eq!(got.norm.running_var.value().dtype(), dtype, "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_half_precision_average_moves_after_a_late_start_too() {
    let config = EmaConfig::new(0.999)
        .with_warmup(EmaWarmup::None)
        .with_start_after(2);
    let mut ema = config.init(&pair(1.0, DType::BF16)).unwrap();
    for _ in 0..2 {
        ema.update(&pair(1.0, DType::BF16));
    }
    for _ in 0..1000 {
        ema.update(&pair(2.0, DType::BF16));
    }
    let expected = [2.0 - 0.999f64.powi(1000)];
    assert_close(&ema.model().values().0, &expected, 4e-3, "bf16");
}

#[test]
fn a_copied_statistic_is_held_as_the_others_are() {
    let _alone = alone();
    let mut snapshot = Snapshot::new(&net(1.0, DType::BF16)).widened();
    (snapshot.lerp(&net(2.0, DType::BF16), 0.5, Buffers::Copy)).unwrap();
    assert_eq!(
        snapshot.held_model().norm.running_mean.value().dtype(),
        DType::F32
    );
}

#[test]
fn an_average_follows_the_types_of_its_model() {
    let _alone = alone();
    let run = |types: &[DType]| {
        let first = net(1.0, types[0]);
        let mut ema = EmaConfig::new(0.5).init(&first).unwrap();
        let mut late = EmaConfig::new(0.5)
            .with_start_after(9)
            .init(&first)
            .unwrap();
        let mut swa = SwaConfig::new(1).init(&first).unwrap();
        let mut lawa = LawaConfig::new(2, 1).init(&first).unwrap();
        let mut members = SnapshotEnsembleConfig::new(1).init(&first).unwrap();
        for (dtype, live) in types.iter().zip(TRAINED) {
            let model = net(live, *dtype);
            ema.update(&model);
            late.update(&model);
            swa.update(&model);
            lawa.update(&model);
            members.collect(&model);
        }
        let ensemble = members.into_ensemble(&EnsembleConfig::new()).unwrap();
        let newest = ensemble.members()[0].clone();
        [ema.model(), late.model(), swa.model(), lawa.model(), newest]
    };
    use DType::{BF16, F32, F64};
    let expected = run(&[F32, F32, F32]).map(|model| weight_and_statistic(&model));
    for types in [
        [BF16, F32, F32],
        [F32, F32, BF16],
        [BF16, BF16, F64],
        [F64, BF16, F32],
    ] {
        for (got, expected) in run(&types).iter().zip(&expected) {
            let (weight, mean) = (got.first.weight.val(), got.norm.running_mean.value());
            assert_eq!(
                (weight.dtype(), mean.dtype()),
                (types[2], types[2]),
                "{types:?}"
            );
            let what = format!("{types:?}");
            assert_close(&weight_and_statistic(got), expected, 4e-3, &what);
        }
    }
    // Held in f32 still, when the model goes down to bf16 in the middle of a run.
    let mut ema = EmaConfig::new(0.999)
        .with_warmup(EmaWarmup::None)
        .init(&pair(1.0, F32))
        .unwrap();
    ema.update(&pair(1.0, F32));
    for _ in 0..1000 {
        ema.update(&pair(2.0, BF16));
    }
    let expected = [2.0 - 0.999f64.powi(1000)];
    assert_close(&ema.model().values().0, &expected, 4e-3, "down to bf16");
}

#[test]
fn integers_follow_the_device_too() {
    for (name, device) in crate::devices::devices() {
        let mut ema = EmaConfig::new(0.5)
            .with_warmup(EmaWarmup::None)
            .init(&Mixed::new(1.0, 1, false, &Device::flex()))
            .unwrap();
        ema.update(&Mixed::new(3.0, 2, true, &device));
        assert_eq!(ema.model().read(), (2.0, 2, true), "{name}");
        assert_eq!(
            ema.model().devices(),
            std::slice::from_ref(&device),
            "{name}"
        );
        if is_gpu(name) {
            continue; // Burn cannot bring the CPU's booleans to a GPU
        }
        let live = Mixed::new(3.0, 2, true, &device);
        let restored = Snapshot::new(&Mixed::new(5.0, 7, false, &Device::flex())).restore(&live);
        let restored = restored.unwrap();
        assert_eq!(restored.devices(), [device], "{name}: restored");
        assert_eq!(restored.read(), (5.0, 7, false), "{name}: restored");
    }
}

#[test]
fn soups_and_files_average_statistics() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let models = [1.0, 4.0].map(|value| net(value, DType::F32));
    let files: Vec<_> = (models.iter().enumerate())
        .map(|(at, model)| {
            let file = directory.path().join(format!("{at}.bpk"));
            model.clone().save_file(&file).unwrap();
            file
        })
        .collect();
    let greedy = GreedySoupConfig::new(Goal::Maximize)
        .select(&models, |_| 0.5)
        .unwrap();
    assert_eq!(greedy.ingredients.len(), 2);
    for (name, soup) in [
        ("uniform", uniform_soup(&models).unwrap()),
        ("greedy", greedy.model),
        (
            "files",
            average_checkpoints(net(0.0, DType::F32), &files).unwrap(),
        ),
    ] {
        assert_eq!(weight_and_statistic(&soup), [2.5, 2.5], "{name}");
    }
}

#[test]
fn means_of_many_halves_are_taken_in_f32() {
    let value = |at: usize| if at == 0 { 1.0 } else { 2.0 };
    let models: Vec<_> = (0..300).map(|at| pair(value(at), DType::BF16)).collect();
    let greedy = GreedySoupConfig::new(Goal::Maximize)
        .select(&models, |_| 0.5)
        .unwrap();
    assert_eq!(greedy.ingredients.len(), 300);
    let mut lawa = LawaConfig::new(300, 1).init(&models[0]).unwrap();
    models.iter().for_each(|model| lawa.update(model));
    for (name, mean) in [
        ("uniform", uniform_soup(&models).unwrap()),
        ("greedy", greedy.model),
        ("LAWA", lawa.model()),
    ] {
        assert_close(&mean.values().0, &[2.0 - 1.0 / 300.0], 4e-3, name);
    }
}

#[test]
fn a_bias_correction_is_exact_for_decays_near_one() {
    let config = EmaConfig::new(1.0 - 1e-10).with_warmup(EmaWarmup::BiasCorrected);
    let model = pair(1.0, DType::F32);
    let mut ema = config.init(&model).unwrap();
    ema.update(&model);
    // d (1 − d) / (1 − d²) = d / (1 + d)
    let d = config.decay;
    assert_close(&[ema.next_decay()], &[d / (1.0 + d)], 1e-14, "second");
}

#[test]
fn a_half_life_beyond_the_numbers_is_refused_by_its_name() {
    let error = EmaConfig::from_half_life(1e300, 1).unwrap_err();
    assert_eq!((error.field, error.got.as_str()), ("half_life", "1e300"));
}

fn training_step(model: Net, device: &Device) -> Net {
    let inputs: Vec<f32> = (0..16).map(|i| (i as f32 * 0.7).sin()).collect();
    let inputs = Tensor::<1>::from_floats(inputs.as_slice(), device).reshape([4, 4]);
    let loss = model.forward(inputs).square().mean();
    let grads = GradientsParams::from_grads(loss.backward(), &model);
    SgdConfig::new().init().step(0.1, model, grads)
}

#[test]
fn an_average_restored_into_the_live_model_trains_on_under_gradient_checkpointing() {
    let _alone = alone();
    let device = Device::flex().autodiff().gradient_checkpointing();
    let mut model = Net::new(0.5, &device);
    let mut ema = EmaConfig::new(0.5).init(&model).unwrap();
    let mut swa = SwaConfig::new(1).init(&model).unwrap();
    let mut lawa = LawaConfig::new(2, 1).init(&model).unwrap();
    for _ in 0..2 {
        model = training_step(model, &device);
        ema.update(&model);
        swa.update(&model);
        lawa.update(&model);
    }
    for (name, average, restored) in [
        ("EMA", ema.model(), ema.restore_into(&model)),
        ("SWA", swa.model(), swa.restore_into(&model)),
        ("LAWA", lawa.model(), lawa.restore_into(&model)),
    ] {
        let restored = restored.unwrap();
        let weight = |model: &Net| values(model.first.weight.val());
        assert_eq!(weight(&restored), weight(&average), "{name}");
        assert_eq!(restored.first.weight.id, model.first.weight.id, "{name}");
        assert_ne!(
            weight(&training_step(restored, &device)),
            weight(&average),
            "{name}"
        );
    }
    let layers = |width| vec![LinearConfig::new(2, width).init(&Device::flex())];
    let other = EmaConfig::new(0.5).init(&layers(3)).unwrap();
    assert!(other.restore_into(&layers(4)).is_err());
}

/// Counts the walks through it.
#[derive(Debug, Clone)]
struct Counted(Pair, Arc<AtomicUsize>);

impl Counted {
    fn new(value: f64) -> Self {
        Self(pair(value, DType::F32), Arc::default())
    }
}

impl Module for Counted {
    fn collect_devices(&self, devices: burn::module::Devices) -> burn::module::Devices {
        self.0.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        Self(self.0.fork(device), self.1)
    }

    fn to_device(self, device: &Device) -> Self {
        Self(self.0.to_device(device), self.1)
    }

    fn train(self) -> Self {
        Self(self.0.train(), self.1)
    }

    fn valid(&self) -> Self {
        Self(self.0.valid(), self.1.clone())
    }

    fn materialize(self) -> Self {
        Self(self.0.materialize(), self.1)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.1.fetch_add(1, Relaxed);
        self.0.visit(visitor);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        Self(self.0.map(mapper), self.1)
    }
}

#[test]
fn a_set_looks_through_its_model_once_per_step() {
    for count in [1, 3, 5] {
        let model = Counted::new(1.0);
        let configs: Vec<_> = (0..count)
            .map(|at| {
                EmaConfig::new(0.5)
                    .with_update_every(2)
                    .with_start_after(at / 2)
            })
            .collect();
        let mut set = EmaSet::init(&configs, &model).unwrap();
        for step in 1..=6 {
            model.1.store(0, Relaxed);
            set.update(&model);
            let walks = model.1.load(Relaxed);
            // The last of five starts after two steps; all take every second one.
            let starts = configs.iter().map(|config| config.start_after);
            let waits = starts.clone().any(|start| step <= start);
            let takes = starts
                .into_iter()
                .any(|start| step > start && (step - start) % 2 == 0);
            let expected = usize::from(waits || takes);
            assert_eq!(walks, expected, "{count} averages, step {step}");
        }
    }
}

#[test]
fn a_snapshot_ensemble_lets_go_of_the_first_weights() {
    let first = Counted::new(1.0);
    let mut members = SnapshotEnsembleConfig::new(1).init(&first).unwrap();
    let holders = first.1.clone();
    drop(first);
    assert!(Arc::strong_count(&holders) > 1, "until the first member");
    members.collect(&Counted::new(2.0));
    assert_eq!(Arc::strong_count(&holders), 1);
}

/// A record as the averages write them, with numbers of its own.
#[derive(Module, Debug)]
struct Forged<M: Module + ModuleDisplay> {
    members: Vec<M>,
    counters: Param<Tensor<1, Int>>,
    checksum: Param<Tensor<1, Int>>,
}

/// CRC-32, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), bit);
    !bytes.iter().fold(!0, byte)
}

/// What the checksum of a record is of: each entry, in the order of the names.
#[derive(Default)]
struct Entries {
    path: Vec<String>,
    entries: std::collections::BTreeMap<String, Vec<u8>>,
}

impl Entries {
    fn add(&mut self, data: TensorData) {
        let name = self.path.join(".");
        let head = format!("{name} {:?} {:?} ", data.dtype(), data.shape());
        let entry = [head.as_bytes(), data.as_bytes()].concat();
        self.entries.insert(name, entry);
    }
}

impl ModuleVisitor for Entries {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.add(param.val().into_data());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.add(param.val().into_data());
    }
}

fn forged<M: Module + ModuleDisplay>(members: Vec<M>, counters: &[i32]) -> ModuleRecord {
    let numbers = |numbers: &[i32]| {
        let numbers = Tensor::from_data(numbers, (&Device::flex(), DType::I32));
        Param::initialized(ParamId::new(), numbers)
    };
    let forged = Forged {
        members,
        counters: numbers(counters),
        checksum: numbers(&[0, 0]),
    };
    let mut entries = Entries::default();
    forged.visit(&mut entries);
    entries.entries.remove("checksum");
    let sum = crc32(&entries.entries.into_values().collect::<Vec<_>>().concat());
    Forged {
        checksum: numbers(&[(sum >> 16) as i32, (sum & 0xffff) as i32]),
        ..forged
    }
    .into_record()
}

#[test]
fn a_damaged_record_is_refused_and_makes_no_room_for_its_claims() {
    let load = |numbers: &[i32]| {
        let ema = EmaConfig::new(0.5).init(&pair(0.0, DType::F32)).unwrap();
        let record = forged(vec![pair(1.0, DType::F32)], numbers);
        ema.load_record(record)
            .map(|ema| (ema.steps(), ema.updates()))
    };
    // Kind, members, steps, updates, each as two numbers of 31 bits.
    assert_eq!(load(&[0, 1, 0, 1, 0, 7, 0, 5]).unwrap(), (7, 5));
    for (numbers, text) in [
        ([0, 1, 0, -1, 0, 0, 0, 0], "damaged: one is -1"),
        ([0, 1, 0, 1, 0, 7, i32::MIN, 0], "damaged"),
        (
            [0, 1, 1000, 0, 0, 0, 0, 0],
            "2147483648000 members of 2 tensors",
        ),
        ([0, 1, i32::MAX, i32::MAX, 0, 0, 0, 0], "members"),
        ([0, 1, 0, 0, 0, 0, 0, 0], "0 members"),
        ([0, 1, 0, 2, 0, 0, 0, 0], "2 members"),
        ([0, 9, 0, 1, 0, 0, 0, 0], "of kind 9, expected 1 (Ema)"),
    ] {
        let error = load(&numbers).unwrap_err().to_string();
        assert!(error.contains(text), "{numbers:?}: {error}");
    }
    assert!(load(&[0, 1, 0, 1]).is_err(), "too few numbers");
}

#[test]
fn counters_of_more_than_31_bits_come_back() {
    let record = forged(vec![pair(1.0, DType::F32)], &[0, 1, 0, 1, 3, 5, 2, 1]);
    let like = || EmaConfig::new(0.5).init(&pair(0.0, DType::F32)).unwrap();
    let expected = ((3 << 31) + 5, (2 << 31) + 1);
    let loaded = like().load_record(record).unwrap();
    assert_eq!((loaded.steps(), loaded.updates()), expected);
    let again = like().load_record(loaded.to_record()).unwrap();
    assert_eq!((again.steps(), again.updates()), expected);
}

#[test]
fn a_record_of_another_average_is_refused() {
    let model = pair(1.0, DType::F32);
    let ema = || EmaConfig::new(0.5).init(&model).unwrap();
    let swa = || SwaConfig::new(1).init(&model).unwrap();
    let lawa = || LawaConfig::new(2, 1).init(&model).unwrap();
    let members = || SnapshotEnsembleConfig::new(2).init(&model).unwrap();
    let set = || EmaSet::from(vec![ema()]);
    let records = || {
        let mut members = members();
        members.collect(&model);
        [
            ema().to_record(),
            swa().to_record(),
            lawa().to_record(),
            members.to_record(),
            set().to_record(),
        ]
    };
    for (at, record) in records().into_iter().enumerate() {
        let accepted = [
            ema().load_record(record.clone()).is_ok(),
            swa().load_record(record.clone()).is_ok(),
            lawa().load_record(record.clone()).is_ok(),
            members().load_record(record.clone()).is_ok(),
            set().load_record(record).is_ok(),
        ];
        let expected: [bool; 5] = std::array::from_fn(|own| own == at);
        assert_eq!(accepted, expected, "record {at}");
    }
    let two = EmaSet::from(vec![ema(), ema()]);
    assert!(two.clone().load_record(set().to_record()).is_err());
    assert!(set().load_record(two.to_record()).is_err());
}

#[test]
fn of_surplus_members_the_newest_are_kept() {
    let mut lawa = LawaConfig::new(3, 1).init(&pair(0.0, DType::F32)).unwrap();
    let mut members = SnapshotEnsembleConfig::new(3)
        .init(&pair(0.0, DType::F32))
        .unwrap();
    for value in [1.0, 2.0, 4.0, 8.0] {
        lawa.update(&pair(value, DType::F32));
        members.collect(&pair(value, DType::F32));
    }
    let two: Lawa<Pair> = LawaConfig::new(2, 1).init(&pair(0.0, DType::F32)).unwrap();
    let two = two.load_record(lawa.to_record()).unwrap();
    assert_eq!(
        (two.model().values().0, two.len(), two.updates()),
        (vec![6.0], 2, 4)
    );
    let two: SnapshotEnsemble<Pair> = SnapshotEnsembleConfig::new(2)
        .init(&pair(0.0, DType::F32))
        .unwrap();
    let two = two.load_record(members.to_record()).unwrap();
    assert_eq!((two.len(), two.collected()), (2, 4));
    let ensemble = two.into_ensemble(&EnsembleConfig::new()).unwrap();
    let kept: Vec<_> = ensemble
        .members()
        .iter()
        .map(|member| member.values().0)
        .collect();
    assert_eq!(kept, [[4.0], [8.0]]);
}

#[test]
fn a_resumed_collection_has_statistics_of_its_own_in_each_member() {
    let _alone = alone();
    let mut lawa = LawaConfig::new(3, 1).init(&net(0.0, DType::F32)).unwrap();
    for value in [1.0, 2.0, 6.0] {
        lawa.update(&net(value, DType::F32));
    }
    let fresh: Lawa<Net> = LawaConfig::new(3, 1).init(&net(0.0, DType::F32)).unwrap();
    let resumed = fresh.load_record(lawa.to_record()).unwrap();
    assert_close(
        &weight_and_statistic(&resumed.model()),
        &[3.0, 3.0],
        1e-6,
        "LAWA",
    );
}

#[test]
fn members_get_ids_of_their_own_in_all_places() {
    let model = Mixed::new(1.0, 2, true, &Device::flex());
    let mut members = SnapshotEnsembleConfig::new(2).init(&model).unwrap();
    members.collect(&model);
    members.collect(&model);
    let ensemble = members.into_ensemble(&EnsembleConfig::new()).unwrap();
    let ids = |at: usize| {
        let member = &ensemble.members()[at];
        [member.weight.id, member.count.id, member.mask.id]
    };
    for (a, b) in ids(0).into_iter().zip(ids(1)) {
        assert_ne!(a, b);
    }
}

#[test]
fn what_is_put_into_a_snapshot_is_compared_with_it() {
    let _alone = alone();
    let layers = |width| vec![LinearConfig::new(2, width).init(&Device::flex())];
    let error = Snapshot::new(&layers(3))
        .with_held_model(&layers(4))
        .unwrap_err();
    assert!(error.to_string().contains("`0.weight` [2, 4]"), "{error}");
    let mut snapshot = Snapshot::new(&layers(3));
    let wider = layers(4);
    let seen = Snapshot::new(&wider).weights_of(&wider).unwrap();
    assert!(snapshot.replace_weights(&seen).is_err());
    assert!(snapshot.lerp_weights(&seen, 0.5, Buffers::Copy).is_err());
}

#[test]
fn averages_are_values_that_threads_share() {
    fn value<T: Clone + Send + Sync + 'static>() {}
    value::<(
        Ema<Pair>,
        Swa<Pair>,
        Lawa<Pair>,
        EmaSet<Pair>,
        SnapshotEnsemble<Pair>,
    )>();
}
