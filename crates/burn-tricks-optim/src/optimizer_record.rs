//! Loading an optimizer's record for a model, with every mismatch an error.

use crate::fused_step::FusedStep;
use crate::known_states::accepted_shapes;
use crate::optimizer_record_error::{Names, OptimizerRecordError};
use crate::record_entries::{Entries, Entry, RANK, entries, entries_of, of_parameter};
use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Bytes, DType};
use burn_pack::{Reader, Writer};
use burn_tricks_core::{ParamInfo, params};
use std::any::Any;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Loads an optimizer's record for a model, with every mismatch an error: into Burn's `ModuleOptimizer`, and into a
/// [`FusedStep`](crate::FusedStep).
///
/// Burn's `ModuleOptimizer::load_record` does not get the model. If a state has another shape than its
/// parameter, the next step broadcasts it silently or panics without naming the parameter. A state that belongs
/// to no parameter, or that the optimizer cannot read, is dropped silently. A damaged record can make Burn
/// panic. These methods check the record against the model first:
///
/// | found | error |
/// | --- | --- |
/// | a file that cannot be read | [`File`](OptimizerRecordError::File) |
/// | bytes that are no record, or a damaged one | [`NoRecord`](OptimizerRecordError::NoRecord), [`DamagedEntry`](OptimizerRecordError::DamagedEntry), [`Panicked`](OptimizerRecordError::Panicked) |
/// | a state of another shape or rank than its parameter's, or of numbers that are no floats | [`Mismatch`](OptimizerRecordError::Mismatch): the path and both shapes |
/// | a state that belongs to no parameter | [`UnknownParameters`](OptimizerRecordError::UnknownParameters), with the parameters that have none |
/// | a state that this optimizer cannot read | [`NotRestored`](OptimizerRecordError::NotRestored) |
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::{GradientsParams, ModuleOptimizer};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_optim::{AdamConfig, ModuleOptimizerExt as _};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex().autodiff();
/// let model = LinearConfig::new(4, 2).init(&device);
/// let mut optim: ModuleOptimizer = AdamConfig::new().init()?;
/// let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
/// let grads = GradientsParams::from_grads(loss.backward(), &model);
/// let model = optim.step(1e-2, model, grads);
///
/// let record = optim.to_record();
/// let resumed = AdamConfig::new().init()?.try_load_record(&model, record)?;
///
/// let other = LinearConfig::new(4, 2).init(&device); // the weights of another run
/// let refused = AdamConfig::new().init()?.try_load_record(&other, resumed.to_record());
/// let error = refused.err().unwrap().to_string();
/// assert!(error.contains("parameters that the model does not have"));
/// # Ok(())
/// # }
/// ```
///
/// Load the model's record first: it restores the ids of the parameters, by which the states are found. A state goes to the
/// optimizer whose group has the path that its parameter has in `model`, whatever path it had when it was recorded: make the
/// groups for the model that is trained now, and pass the module that `step` takes. If the optimizer steps two modules in turn,
/// pass a tuple of both: the paths within each module count. (Burn's `load_record` goes by the recorded paths.)
///
/// For that, the recorded path is kept where the present one is the same behind a number, as in a tuple, a `Vec` or an array: a
/// state that was recorded for `b`, and whose parameter is now `0.b`, goes to the optimizer whose group has `b`. If the tuple,
/// `Vec` or array is stepped as one module, make the group with both paths: `ParamGroup::from_paths(vec!["b", "0.b"])`.
///
/// # What is checked
///
/// The shapes of the states are checked for the optimizers of this crate and of Burn, which are known by all the names in
/// a parameter's state. For other optimizers, whose states may have any shape, only the rank that Burn records is
/// checked. An optimizer of your own whose state has the names of one of these, for example a tensor `momentum` and
/// nothing else as that of Lion, is taken for it: if the shape may differ, choose another name. Damage that changes only
/// the values of numbers cannot be detected here: keep a checksum. Nor can another
/// [`scope`](crate::NormalizedGradientConfig::scope) of `NormalizedGradientConfig`: the first step then panics, and
/// names the setting. A parameter without a state is no error, since frozen and unused parameters have none;
/// [`check_optimizer_record`] lists these parameters.
///
/// # Cost
///
/// While a record is loaded, its numbers are in memory three times.
pub trait ModuleOptimizerExt: Sized {
    /// This optimizer with the state of `record`, which must have been saved for `model`. Never panics.
    ///
    /// # Errors
    ///
    /// If the record does not fit the model or this optimizer.
    fn try_load_record<M: Module>(
        self,
        model: &M,
        record: OptimizerRecord,
    ) -> Result<Self, OptimizerRecordError> {
        let bytes = guarded(|| Ok(record.into_bytes()?))?;
        self.try_from_bytes(model, bytes)
    }

    /// Like [`try_load_record`](Self::try_load_record), from the bytes of `ModuleOptimizer::into_bytes`.
    ///
    /// # Errors
    ///
    /// If the bytes are no record, or one that does not fit the model or this optimizer.
    fn try_from_bytes<M: Module>(
        self,
        model: &M,
        bytes: Bytes,
    ) -> Result<Self, OptimizerRecordError>;

    /// Like [`try_load_record`](Self::try_load_record), from a file that `ModuleOptimizer::save` wrote. The
    /// whole file is read, and not needed afterwards.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, holds no record, or one that does not fit the model or this optimizer.
    fn try_load<M: Module>(
        self,
        model: &M,
        path: impl AsRef<Path>,
    ) -> Result<Self, OptimizerRecordError> {
        self.try_from_bytes(model, read(path.as_ref())?)
    }
}

impl ModuleOptimizerExt for ModuleOptimizer {
    fn try_from_bytes<M: Module>(
        self,
        model: &M,
        bytes: Bytes,
    ) -> Result<Self, OptimizerRecordError> {
        load_checked(
            model,
            bytes,
            |record| self.load_record(record),
            Self::to_record,
        )
    }
}

impl<T, A> ModuleOptimizerExt for FusedStep<T, A> {
    fn try_from_bytes<M: Module>(
        self,
        model: &M,
        bytes: Bytes,
    ) -> Result<Self, OptimizerRecordError> {
        load_checked(
            model,
            bytes,
            |record| self.with_record(record),
            Self::to_record,
        )
    }
}

/// Loads a record that fits the model, and sees whether all of it has been read.
fn load_checked<M: Module, O>(
    model: &M,
    bytes: Bytes,
    load: impl FnOnce(OptimizerRecord) -> O,
    to_record: impl FnOnce(&O) -> OptimizerRecord,
) -> Result<O, OptimizerRecordError> {
    guarded(|| {
        let bytes = bytes.shared();
        let mut recorded = entries(bytes.clone())?;
        check(model, &recorded)?;
        // From here on the names are enough.
        for entry in recorded.values_mut() {
            entry.tensors.clear();
        }
        let bytes = with_present_paths(model, &recorded, bytes)?;
        let optim = load(OptimizerRecord::from_bytes(bytes)?);
        let loaded = entries(to_record(&optim).into_bytes()?)?;
        all_restored(model, &recorded, &loaded)?;
        Ok(optim)
    })
}

/// The record with the paths that the parameters have in this model. The recorded path chooses the optimizer of a state; but
/// since then a field may have been renamed, or the model may have become a part of another one.
fn with_present_paths<M: Module>(
    model: &M,
    recorded: &Entries,
    bytes: Bytes,
) -> Result<Bytes, OptimizerRecordError> {
    let mut moved = untied(model);
    moved.retain(|param| {
        let entry = recorded.get(&param.id.val());
        entry.is_some_and(|entry| !is_path_of(&param.path, entry.path.as_deref()))
    });
    if moved.is_empty() {
        return Ok(bytes);
    }
    let reader = Reader::from_bytes(bytes)?;
    let (scalars, paths) = (reader.scalars().clone(), reader.metadata().clone());
    let mut writer = Writer::new(reader.into_tensors()?);
    for (name, scalar) in scalars {
        writer = writer.with_scalar(&name, scalar);
    }
    for (name, path) in paths {
        writer = writer.with_metadata(&name, &path);
    }
    for param in moved {
        writer = writer.with_metadata(&param.id.val().to_string(), &param.path);
    }
    Ok(writer.into_bytes()?)
}

/// Whether `recorded` is the path with which the parameter is stepped: `present`, or in a tuple of modules that are stepped by
/// themselves, that within its module.
fn is_path_of(present: &str, recorded: Option<&str>) -> bool {
    let part = present
        .split_once('.')
        .filter(|(number, _)| number.parse::<usize>().is_ok());
    recorded.is_some_and(|recorded| {
        recorded == present || part.is_some_and(|(_, path)| path == recorded)
    })
}

/// The bytes of a file that Burn has saved to this path.
fn read(path: &Path) -> Result<Bytes, OptimizerRecordError> {
    let path = as_saved(path);
    let bytes = std::fs::read(&path).map_err(|error| unreadable(path, &error))?;
    Ok(Bytes::from_bytes_vec(bytes))
}

/// Checks a record (the bytes of `ModuleOptimizer::into_bytes`) against a model, without an optimizer. Returns
/// the paths of the parameters without a state in the record: frozen parameters, those that never had a
/// gradient, and after plain SGD all of them. Never panics.
///
/// # Errors
///
/// Those of [`ModuleOptimizerExt::try_from_bytes`] except [`NotRestored`](OptimizerRecordError::NotRestored),
/// which needs the optimizer.
pub fn check_optimizer_record<M: Module>(
    model: &M,
    bytes: Bytes,
) -> Result<Vec<String>, OptimizerRecordError> {
    guarded(|| check(model, &entries(bytes)?))
}

/// Like [`check_optimizer_record`], for a file (which `ModuleOptimizer::save` wrote, or a `Learner`'s
/// `optim-3.bpk`). The values of its tensors are not read.
///
/// # Errors
///
/// Those of [`check_optimizer_record`], and an error if the file cannot be read.
pub fn check_optimizer_record_file<M: Module>(
    model: &M,
    path: impl AsRef<Path>,
) -> Result<Vec<String>, OptimizerRecordError> {
    guarded(|| {
        let path = as_saved(path.as_ref());
        // Burn's reader tells a file that is not there from a damaged one by its text alone.
        std::fs::File::open(&path).map_err(|error| unreadable(path.clone(), &error))?;
        check(model, &entries_of(Reader::from_file(&path)?)?)
    })
}

/// The path to which Burn writes when it is told to save to `path`; `path` itself if there is only that.
fn as_saved(path: &Path) -> PathBuf {
    let saved = path.with_extension(burn_pack::EXTENSION);
    // A folder, or a file from elsewhere, may have the name without the extension.
    if path.extension().is_none() && (saved.is_file() || !path.exists()) {
        saved
    } else {
        path.to_owned()
    }
}

/// Catches panics: code of Burn or another crate that reads a state may panic for reasons that are not checked
/// here.
pub(crate) fn guarded<T>(
    read: impl FnOnce() -> Result<T, OptimizerRecordError>,
) -> Result<T, OptimizerRecordError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let message = message(&*panic).unwrap_or("no message").to_owned();
        Err(OptimizerRecordError::Panicked { message })
    })
}

fn message(panic: &dyn Any) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
}

fn unreadable(path: PathBuf, error: &std::io::Error) -> OptimizerRecordError {
    let kind = error.kind();
    OptimizerRecordError::File { path, kind }
}

fn check<M: Module>(model: &M, entries: &Entries) -> Result<Vec<String>, OptimizerRecordError> {
    let params = untied(model);
    let ids: HashSet<u64> = params.iter().map(|param| param.id.val()).collect();
    let without_state: Names = params
        .iter()
        .filter(|param| !entries.contains_key(&param.id.val()))
        .map(|param| param.path.clone())
        .collect();
    let mut unknown: Names = entries
        .iter()
        .filter(|(id, _)| !ids.contains(id))
        .map(|(id, entry)| match &entry.path {
            Some(path) => path.clone(),
            None => format!("parameter {id}"),
        })
        .collect();
    if !unknown.is_empty() {
        unknown.sort();
        return Err(OptimizerRecordError::UnknownParameters {
            unknown,
            without_state,
        });
    }
    for param in &params {
        if let Some(entry) = entries.get(&param.id.val()) {
            fits(param, entry)?;
        }
    }
    Ok(without_state)
}

/// The parameters in the module's order; a tied parameter is listed once, under its first path.
fn untied<M: Module>(model: &M) -> Vec<ParamInfo> {
    let mut seen = HashSet::new();
    let mut all = params(model);
    all.retain(|param| seen.insert(param.id.val()));
    all
}

/// An error if a tensor of the state does not fit the parameter.
fn fits(param: &ParamInfo, entry: &Entry) -> Result<(), OptimizerRecordError> {
    let mismatch = |field: &str, recorded: String| OptimizerRecordError::Mismatch {
        path: param.path.clone(),
        field: field.to_owned(),
        recorded,
        expected: format!("{:?}", param.shape),
    };
    let rank = param.shape.len();
    if let Some(recorded) = entry.rank.filter(|recorded| *recorded != rank as u64) {
        return Err(mismatch("rank", recorded.to_string()));
    }
    for tensor in &entry.tensors {
        let (_, field) = of_parameter(&tensor.name)?;
        let (shape, dtype) = (tensor.shape.to_vec(), tensor.dtype);
        let known = accepted_shapes(field, &entry.fields, &param.shape);
        let float = matches!(dtype, DType::F16 | DType::BF16 | DType::F32 | DType::F64);
        let right = match known {
            Some(_) if !float => {
                return Err(mismatch(field, format!("{shape:?} of {dtype:?}")));
            }
            Some(accepted) => accepted.contains(&shape),
            // Burn takes the rank from a tensor where it is not recorded.
            None => entry.rank.is_some() || shape.len() == rank,
        };
        if !right {
            return Err(mismatch(field, format!("{shape:?}")));
        }
    }
    Ok(())
}

/// An error if the optimizer has not read every state: it silently drops states that it cannot read. One of which Burn has
/// recorded the rank alone has nothing in it: the device has skipped all its steps.
fn all_restored<M: Module>(
    model: &M,
    recorded: &Entries,
    loaded: &Entries,
) -> Result<(), OptimizerRecordError> {
    let paths: Names = untied(model)
        .into_iter()
        .filter(|param| {
            let id = param.id.val();
            let loaded = loaded.get(&id).map_or(&[][..], |entry| &entry.fields[..]);
            let is_lost = |field: &String| field != RANK && !loaded.contains(field);
            (recorded.get(&id)).is_some_and(|recorded| recorded.fields.iter().any(is_lost))
        })
        .map(|param| param.path)
        .collect();
    if paths.is_empty() {
        return Ok(());
    }
    Err(OptimizerRecordError::NotRestored { paths })
}
