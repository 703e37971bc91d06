//! Loads a record also where Burn compares it with the wrong shape.

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Tensor;
use std::any::Any;
use std::cell::Cell;

/// `module` with the values of `record`, as Burn's `try_load_record` loads them, also into layers that are recorded in
/// another shape than they have.
///
/// A linear layer of `LinearLayout::Col` is recorded as `[out, in]`, and its weight is `[in, out]`. Once the weight has
/// been drawn, Burn 0.22.1 compares the record with the shape of the weight, and refuses it.
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{LinearConfig, LinearLayout};
/// use burn::tensor::Device;
/// use burn_tricks_core::{force_init, load_record};
///
/// # fn main() -> Result<(), burn::store::RecordError> {
/// let config = LinearConfig::new(3, 2).with_layout(LinearLayout::Col);
/// let (saved, drawn) = (config.init(&Device::flex()), config.init(&Device::flex()));
/// force_init(&drawn);
/// assert!(drawn.clone().try_load_record(saved.clone().into_record()).is_err());
/// let loaded = load_record(drawn, saved.clone().into_record())?;
/// assert_eq!(loaded.weight.val().into_data(), saved.weight.val().into_data());
/// # Ok(())
/// # }
/// ```
///
/// Running statistics are loaded in place, as Burn loads them: clones of `module` get those of the record too, and an update
/// that the last training step left pending replaces those of the record at the next step. To load into a model that is
/// being trained, call `module.valid()` before, which applies that update.
///
/// # Errors
///
/// Burn's error, if the record does not fit the module.
pub fn load_record<M: Module>(module: M, record: ModuleRecord) -> Result<M, RecordError> {
    let Some(_loading) = Loading::begin() else {
        return module.try_load_record(record); // The outer module has the shapes of the record already.
    };
    let mut recorded = RecordedShapes::default();
    let module = module.map(&mut recorded).try_load_record(record)?;
    if recorded.before.is_empty() {
        return Ok(module);
    }
    recorded.is_loaded = true;
    Ok(module.map(&mut recorded))
}

thread_local! {
    /// Whether this thread is in a `load_record`.
    static IS_LOADING: Cell<bool> = const { Cell::new(false) };
}

/// A call of `load_record` that no other has made: a module may load the model that it holds by calling it again.
struct Loading;

impl Loading {
    fn begin() -> Option<Self> {
        // Only then: a `Loading` that is dropped ends the outer call's.
        (!IS_LOADING.replace(true)).then(|| Self)
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        IS_LOADING.set(false);
    }
}

/// Before a record is loaded, gives each drawn parameter the shape in which it is recorded. Afterwards, gives back those
/// that the record of a part of a module has not loaded.
#[derive(Default)]
struct RecordedShapes {
    /// The parameters whose shape was changed, by the ids that they have until they are loaded.
    before: Vec<(ParamId, Box<dyn Any>)>,
    is_loaded: bool,
}

impl ModuleMapper for RecordedShapes {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.is_loaded {
            let unloaded = self.before.iter().position(|(id, _)| *id == param.id);
            return unloaded.map_or(param, |at| {
                let (_, before) = self.before.swap_remove(at);
                *before.downcast().expect("a parameter of the same rank")
            });
        }
        if !param.is_initialized() {
            return param; // Burn knows the shape of its record.
        }
        let (_, value, mapper) = param.clone().consume();
        let recorded = mapper.on_save(value.clone());
        if recorded.shape() == value.shape() {
            return param;
        }
        let id = ParamId::new();
        self.before.push((id, Box::new(param)));
        Param::from_mapped_value(id, recorded, mapper)
    }
}
