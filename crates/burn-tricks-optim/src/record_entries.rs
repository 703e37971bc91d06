//! The entries of an optimizer's record, parameter by parameter.

use crate::optimizer_record_error::OptimizerRecordError;
use burn::tensor::Bytes;
use burn_pack::{Reader, Scalar, Tensor as Recorded};
use std::collections::{BTreeMap, HashMap};

/// The name under which Burn records the rank of a parameter.
pub(crate) const RANK: &str = "__rank";

/// The entries of a record for one parameter.
#[derive(Default)]
pub(crate) struct Entry {
    /// The path that the parameter had.
    pub(crate) path: Option<String>,
    pub(crate) rank: Option<u64>,
    /// The names of the fields, without the parameter's number.
    pub(crate) fields: Vec<String>,
    /// The numbers, by the names of their fields.
    pub(crate) scalars: HashMap<String, Scalar>,
    pub(crate) tensors: Vec<Recorded>,
}

/// Entries by the numbers of the parameters.
pub(crate) type Entries = BTreeMap<u64, Entry>;

pub(crate) fn entries(bytes: Bytes) -> Result<Entries, OptimizerRecordError> {
    entries_of(Reader::from_bytes(bytes)?)
}

pub(crate) fn entries_of(reader: Reader) -> Result<Entries, OptimizerRecordError> {
    let mut entries = Entries::new();
    for (name, value) in reader.scalars() {
        let (id, field) = of_parameter(name)?;
        let entry = entries.entry(id).or_default();
        if field == RANK {
            let rank = u64::try_from(*value);
            entry.rank = Some(rank.map_err(|_| damaged(name))?);
        }
        entry.fields.push(field.to_owned());
        entry.scalars.insert(field.to_owned(), *value);
    }
    for (name, path) in reader.metadata() {
        let id = name.parse().map_err(|_| damaged(name))?;
        entries.entry(id).or_default().path = Some(path.clone());
    }
    for tensor in reader.into_tensors()? {
        let (id, field) = of_parameter(&tensor.name)?;
        if tensor.param_id != Some(id) {
            return Err(damaged(&tensor.name));
        }
        let entry = entries.entry(id).or_default();
        entry.fields.push(field.to_owned());
        entry.tensors.push(tensor);
    }
    Ok(entries)
}

/// The number of the parameter and the field, of `"17.momentum.moment_1"`.
pub(crate) fn of_parameter(name: &str) -> Result<(u64, &str), OptimizerRecordError> {
    name.split_once('.')
        .and_then(|(id, field)| Some((id.parse().ok()?, field)))
        .ok_or_else(|| damaged(name))
}

fn damaged(name: &str) -> OptimizerRecordError {
    let name = name.to_owned();
    OptimizerRecordError::DamagedEntry { name }
}
