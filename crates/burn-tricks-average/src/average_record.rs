//! Modules and counters as one of Burn's records, with a checksum. Burn's format has none: of its files with
//! random damage, half load without an error.

use burn::module::{Module, ModuleDisplay, Param, ParamId};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burn_pack::Reader;
use burn_tricks_core::{InlineModule, Snapshot};
use burn_tricks_kernels::numbers;

/// The contents of the record: `members.0...`, `counters`, `checksum`.
#[derive(InlineModule, Debug)]
struct Recorded<M: Module + ModuleDisplay> {
    members: Vec<M>,
    counters: Param<Tensor<1, Int>>,
    /// The upper and the lower 16 bits of a CRC-32 of all other numbers.
    checksum: Param<Tensor<1, Int>>,
}

/// The numbers alone: the counters say how many members there are.
#[derive(InlineModule, Debug)]
struct Numbers {
    counters: Param<Tensor<1, Int>>,
    checksum: Param<Tensor<1, Int>>,
}

/// The name of the checksum, in a record.
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
}

/// The contents of a record that was read.
pub(crate) struct Members<M> {
    pub(crate) members: Vec<Snapshot<M>>,
    pub(crate) counters: Vec<u64>,
}

pub(crate) fn record_members<M: Module + ModuleDisplay>(
    kind: AverageKind,
    members: Vec<M>,
    counters: &[u64],
) -> ModuleRecord {
    let device = device_of(members.first());
    let numbers: Vec<i32> = [u64::from(kind.number), members.len() as u64]
        .iter()
        .chain(counters)
        .flat_map(|counter| [(counter / HALF % HALF) as i32, (counter % HALF) as i32])
        .collect();
    let recorded = Recorded {
        members,
        counters: numbers_of(numbers, &device),
        checksum: numbers_of(vec![0; 2], &device),
    };
    let sum = checksum(recorded.clone().into_record()).expect("a record can be read back");
    let halves = vec![(sum >> 16) as i32, (sum & 0xffff) as i32];
    Recorded {
        checksum: numbers_of(halves, &device),
        ..recorded
    }
    .into_record()
}

/// The members and `count` counters of a record of this kind, the members as snapshots like `like`.
pub(crate) fn read_members<M: Module + ModuleDisplay>(
    kind: AverageKind,
    like: &Snapshot<M>,
    count: usize,
    record: ModuleRecord,
) -> Result<Members<M>, RecordError> {
    let template = like.held_model();
    let device = device_of(Some(&template));
    let counters = numbers_of(vec![0; 2 * (2 + count)], &device);
    let halves = numbers_of(vec![0; 2], &device);
    let recorded = Numbers {
        counters: counters.clone(),
        checksum: halves.clone(),
    }
    .try_load_record(record.clone().allow_unused(true))?;
    #[allow(clippy::disallowed_methods)] // records are read off the step path
    // Of 31 bits each, which `f64` holds.
    let read = |recorded: &Param<Tensor<1, Int>>| -> Vec<i64> {
        let recorded = numbers(&recorded.val().into_data()).into_iter();
        recorded.map(|number| number as i64).collect()
    };
    let (numbers, recorded) = (read(&recorded.counters), read(&recorded.checksum));
    let sum = checksum(record.clone())?;
    if recorded != [i64::from(sum >> 16), i64::from(sum & 0xffff)] {
        let text = "the record is damaged: its checksum is another one".to_owned();
        return Err(RecordError::Validation(text));
    }
    if let Some(damaged) = (numbers.iter()).find(|number| !(0..HALF as i64).contains(*number)) {
        let text = format!("the record's counters are damaged: one is {damaged}");
        return Err(RecordError::Validation(text));
    }
    let mut read = (numbers.chunks(2)).map(|half| half[0] as u64 * HALF + half[1] as u64);
    let found = read.next().unwrap_or_default();
    if found != u64::from(kind.number) {
        return Err(RecordError::Validation(format!(
            "the record is of kind {found}, expected {} ({})",
            kind.number, kind.name
        )));
    }
    let members = read.next().unwrap_or_default();
    // Before room is made for them: a damaged number may ask for more than there is memory.
    let each = like.places().len() as u64;
    let tensors = members.checked_mul(each).and_then(|all| all.checked_add(2));
    if tensors != Some(record.len() as u64) || each == 0 && members > 1 {
        return Err(RecordError::Validation(format!(
            "{members} members of {each} tensors, counters and checksum are not the {} tensors of the record",
            record.len()
        )));
    }
    let values = read.collect();
    let recorded = Recorded {
        // `valid`, not `clone`: each with running statistics of its own.
        members: (0..members).map(|_| template.valid()).collect(),
        counters,
        checksum: halves,
    }
    .try_load_record(record)?;
    let snapshot = |member: &M| {
        like.with_held_model(member)
            .map_err(|mismatch| RecordError::Validation(mismatch.to_string()))
    };
    let members = recorded.members.iter().map(snapshot);
    Ok(Members {
        members: members.collect::<Result<_, _>>()?,
        counters: values,
    })
}

/// A checksum of everything in a record except its checksum.
fn checksum(record: ModuleRecord) -> Result<u32, RecordError> {
    let tensors = Reader::from_bytes(record.into_bytes()?)?.into_tensors()?;
    let parts = tensors.into_iter().map(|tensor| tensor.into_parts());
    let mut parts = parts.collect::<Result<Vec<_>, _>>()?;
    parts.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let mut sum = crc32fast::Hasher::new();
    for (name, dtype, shape, _, bytes) in parts {
        if name != CHECKSUM {
            sum.update(format!("{name} {dtype:?} {shape:?} ").as_bytes());
            sum.update(&bytes);
        }
    }
    Ok(sum.finalize())
}

fn numbers_of(numbers: Vec<i32>, device: &Device) -> Param<Tensor<1, Int>> {
    let shape = [numbers.len()];
    let data = TensorData::new(numbers, shape);
    Param::initialized(
        ParamId::new(),
        Tensor::from_data(data, (device, DType::I32)),
    )
}

/// The device of a module, on which the record's numbers are while they are written.
fn device_of<M: Module>(module: Option<&M>) -> Device {
    module
        .and_then(|module| module.devices().into_iter().next())
        .unwrap_or_default()
}
