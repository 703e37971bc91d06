//! Modules and counters as one of Burn's records, with a checksum. Burn's format has none: of its files with
//! random damage, half load without an error.

use burn::module::{Module, ModuleDisplay, Param, ParamId};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burn_pack::Reader;
use burn_tricks_core::{InlineModule, Snapshot, load_record};
use burn_tricks_kernels::numbers;

/// The contents of the record: `members.0...`, `counters`, `checksum`, and `labels` if there are any.
#[derive(InlineModule, Debug)]
struct Recorded<M: Module + ModuleDisplay> {
    members: Vec<M>,
    counters: Param<Tensor<1, Int>>,
    /// Of what the members are, where their architecture does not say: the bytes of a text with one label in each line.
    labels: Option<Param<Tensor<1, Int>>>,
    /// The upper and the lower 16 bits of a CRC-32 of all other numbers.
    checksum: Param<Tensor<1, Int>>,
}

/// The names of the numbers in a record.
const COUNTERS: &str = "counters";
const LABELS: &str = "labels";
const CHECKSUM: &str = "checksum";

/// A counter is two numbers of 31 bits: `i32` is the integer that every backend has.
const HALF: u64 = 1 << 31;

/// The kind of average that a record holds: a number, which is part of the format, and a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AverageKind {
    number: u32,
    name: &'static str,
}

impl AverageKind {
    /// Those of this crate.
    const OWN: [Self; 7] = [
        Self::EMA,
        Self::SWA,
        Self::LAWA,
        Self::SNAPSHOT_ENSEMBLE,
        Self::EMA_SET,
        Self::SCHEDULE_FREE,
        Self::SWAG,
    ];
    pub(crate) const EMA: Self = Self::new(1, "Ema");
    pub(crate) const SWA: Self = Self::new(2, "Swa");
    pub(crate) const LAWA: Self = Self::new(3, "Lawa");
    pub(crate) const SNAPSHOT_ENSEMBLE: Self = Self::new(4, "SnapshotEnsemble");
    pub(crate) const EMA_SET: Self = Self::new(5, "EmaSet");
    pub(crate) const SCHEDULE_FREE: Self = Self::new(6, "ScheduleFreeAverage");
    pub(crate) const SWAG: Self = Self::new(7, "Swag");

    /// A kind of your own, with a number from 1000 on: those below are this library's.
    pub const fn new(number: u32, name: &'static str) -> Self {
        Self { number, name }
    }

    /// The name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// This number in an error, with the name if it is a kind of this crate.
    fn shown(number: u64) -> String {
        let own = Self::OWN.iter().find(|own| u64::from(own.number) == number);
        own.map_or(number.to_string(), |own| format!("{number} ({})", own.name))
    }
}

/// The contents of a record that was read.
pub(crate) struct Members<M> {
    pub(crate) members: Vec<Snapshot<M>>,
    pub(crate) counters: Vec<u64>,
}

/// The record of these members, whose numbers are on `device` while they are written.
pub(crate) fn record_members<M: Module + ModuleDisplay>(
    kind: AverageKind,
    labels: &[String],
    members: Vec<M>,
    counters: &[u64],
    device: &Device,
) -> ModuleRecord {
    let numbers: Vec<i32> = [u64::from(kind.number), members.len() as u64]
        .iter()
        .chain(counters)
        .flat_map(|counter| [(counter / HALF % HALF) as i32, (counter % HALF) as i32])
        .collect();
    let recorded = Recorded {
        members,
        counters: numbers_of(numbers, device),
        labels: labels_of(labels, device),
        checksum: numbers_of(vec![0; 2], device),
    };
    let tensors = tensors(recorded.clone().into_record()).expect("a record can be read back");
    let sum = checksum(&tensors);
    let halves = vec![(sum >> 16) as i32, (sum & 0xffff) as i32];
    Recorded {
        checksum: numbers_of(halves, device),
        ..recorded
    }
    .into_record()
}

/// The members and `count` counters of a record of this kind and with these labels, the members as snapshots like `like`.
pub(crate) fn read_members<M: Module + ModuleDisplay>(
    kind: AverageKind,
    labels: &[String],
    like: &Snapshot<M>,
    count: usize,
    record: ModuleRecord,
) -> Result<Members<M>, RecordError> {
    let tensors = tensors(record.clone())?;
    let read = |name| match tensors.iter().find(|(there, _)| there == name) {
        // Of 31 bits each, which `f64` holds.
        Some((_, data)) => Ok(numbers(data).into_iter().map(|x| x as i64).collect()),
        None => Err(invalid(format!(
            "the record is not that of an average: it has no `{name}`"
        ))),
    };
    let (counters, sum): (Vec<i64>, Vec<i64>) = (read(COUNTERS)?, read(CHECKSUM)?);
    let expected = checksum(&tensors);
    if sum != [i64::from(expected >> 16), i64::from(expected & 0xffff)] {
        return Err(invalid(
            "the record is damaged: its checksum is another one",
        ));
    }
    if let Some(damaged) = (counters.iter()).find(|number| !(0..HALF as i64).contains(*number)) {
        let text = format!("the record's counters are damaged: one is {damaged}");
        return Err(invalid(text));
    }
    let whole = counters.chunks_exact(2);
    let mut whole = whole.map(|half| half[0] as u64 * HALF + half[1] as u64);
    let found = whole.next().unwrap_or_default();
    if found != u64::from(kind.number) {
        return Err(invalid(format!(
            "the record is of kind {}, expected {} ({})",
            AverageKind::shown(found),
            kind.number,
            kind.name
        )));
    }
    let recorded = to_labels(read(LABELS).unwrap_or_default());
    for at in 0..labels.len().max(recorded.len()) {
        let (recorded, expected) = (label(&recorded, at), label(labels, at));
        if recorded != expected {
            return Err(invalid(format!(
                "the record holds the average of {recorded}, expected that of {expected}"
            )));
        }
    }
    let numbers = 2 * (2 + count);
    if counters.len() != numbers {
        let got = counters.len();
        return Err(invalid(format!(
            "the record has {got} numbers, expected {numbers}"
        )));
    }
    let members = whole.next().unwrap_or_default();
    // Before room is made for them: a damaged number may ask for more than there is memory.
    let each = like.places().len() as u64;
    let others = 2 + u64::from(!labels.is_empty());
    let tensors = members
        .checked_mul(each)
        .and_then(|all| all.checked_add(others));
    if tensors != Some(record.len() as u64) || each == 0 && members > 1 {
        return Err(invalid(format!(
            "{members} members of {each} tensors, and {others} lists of numbers, are not the {} tensors of the record",
            record.len()
        )));
    }
    let values = whole.collect();
    let template = like.held_model();
    let device = device_of(&template);
    let recorded = Recorded {
        // `valid`, not `clone`: each with running statistics of its own.
        members: (0..members).map(|_| template.valid()).collect(),
        counters: numbers_of(vec![0; numbers], &device),
        labels: labels_of(labels, &device),
        checksum: numbers_of(vec![0; 2], &device),
    };
    let recorded = load_record(recorded, record)?;
    let snapshot = |member: &M| {
        like.with_held_model(member)
            .map_err(|mismatch| invalid(mismatch.to_string()))
    };
    let members = recorded.members.iter().map(snapshot);
    Ok(Members {
        members: members.collect::<Result<_, _>>()?,
        counters: values,
    })
}

/// The tensors of a record with their names, in the order of the names.
fn tensors(record: ModuleRecord) -> Result<Vec<(String, TensorData)>, RecordError> {
    let tensors = Reader::from_bytes(record.into_bytes()?)?.into_tensors()?;
    let mut all = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let (name, dtype, shape, _, bytes) = tensor.into_parts()?;
        let data = TensorData::try_from_bytes(bytes, shape, dtype);
        let damaged = |error| invalid(format!("`{name}` is damaged: {error}"));
        let data = data.map_err(damaged)?;
        all.push((name, data));
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(all)
}

/// A checksum of everything in a record except its checksum.
fn checksum(tensors: &[(String, TensorData)]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    for (name, data) in tensors {
        if name != CHECKSUM {
            let (dtype, shape) = (data.dtype(), data.shape());
            sum.update(format!("{name} {dtype:?} {shape:?} ").as_bytes());
            sum.update(data.as_bytes());
        }
    }
    sum.finalize()
}

fn labels_of(labels: &[String], device: &Device) -> Option<Param<Tensor<1, Int>>> {
    let lines = labels.iter().flat_map(|label| [label.as_str(), "\n"]);
    let numbers = lines.flat_map(str::bytes).map(i32::from).collect();
    (!labels.is_empty()).then(|| numbers_of(numbers, device))
}

fn to_labels(numbers: Vec<i64>) -> Vec<String> {
    let bytes: Vec<u8> = numbers.into_iter().map(|byte| byte as u8).collect();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().map(str::to_owned).collect()
}

fn label(labels: &[String], at: usize) -> String {
    match labels.get(at) {
        Some(label) => format!("`{label}`"),
        None if labels.is_empty() => "a whole model".to_owned(),
        None => "no other".to_owned(),
    }
}

fn invalid(text: impl Into<String>) -> RecordError {
    RecordError::Validation(text.into())
}

fn numbers_of(numbers: Vec<i32>, device: &Device) -> Param<Tensor<1, Int>> {
    let shape = [numbers.len()];
    let data = TensorData::new(numbers, shape);
    Param::initialized(
        ParamId::new(),
        Tensor::from_data(data, (device, DType::I32)),
    )
}

/// The device of a module; the default device if it has no tensors.
pub(crate) fn device_of<M: Module>(module: &M) -> Device {
    module.devices().into_iter().next().unwrap_or_default()
}
