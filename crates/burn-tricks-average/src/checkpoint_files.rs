//! The mean of checkpoint files.

use crate::combine_error::CombineError;
use burn::module::Module;
use burn::store::ModuleRecord;
use burn_tricks_core::{Buffers, Snapshot, independent_copy, load_record};
use std::path::Path;

/// `model` with the mean of the weights and running statistics of checkpoint files of the same architecture, in the
/// memory of two models.
///
/// Devices, gradient requirements and training flags are those of `model`; parameter ids and element
/// types are those of the last file, as when Burn loads it. Clones of `model` keep their values, running statistics
/// too: Burn's `load_record` would load those into every clone.
///
/// ```text
/// w̄ = 1/K Σ wₖ
/// ```
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_average::average_checkpoints;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let checkpoints: Vec<_> = (1..=3).map(|epoch| directory.path().join(format!("model-{epoch}.bpk"))).collect();
/// let device = Device::flex();
/// # for file in &checkpoints { LinearConfig::new(2, 2).init(&device).save_file(file)?; }
/// // `checkpoint/model-{epoch}.bpk` of a Learner's run, or your own files.
/// let model = average_checkpoints(LinearConfig::new(2, 2).init(&device), &checkpoints)?;
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Use it after the training. The result is the uniform [soup](crate::GreedySoupConfig) of the files; for the last files of
/// a run, it is the run's [LAWA](crate::LawaConfig). [Recalibrate](crate::RecalibrationConfig) batch norms afterwards.
///
/// # Cost
///
/// However many files there are, memory for two models, the mean and the file being read, and for one more
/// tensor while it is read. Twenty files of 100 MB in eight tensors: a peak of 200 MB (`cargo run --release
/// --example bench_average`).
///
/// # Differences
///
/// fairseq's and `torch.optim.swa_utils`' averaging read whole files into memory, one at a time or all
/// together. Half-precision files are averaged in `f32`.
///
/// # Suggested values
///
/// The last 5 checkpoints for the base models of Vaswani et al., the last 20 for their big models.
///
/// # References
///
/// - Vaswani et al., *Attention is all you need*, 2017, section 6.1, <https://arxiv.org/abs/1706.03762>
/// - fairseq, `scripts/average_checkpoints.py`
///
/// # Errors
///
/// If there is no file, or one cannot be read as a checkpoint of the model.
pub fn average_checkpoints<M: Module, P: AsRef<Path>>(
    model: M,
    files: &[P],
) -> Result<M, CombineError> {
    // A record is loaded into running statistics that all clones share; and an update of them that is pending would
    // replace those of the record.
    let mut model = independent_copy(&model);
    let mut mean: Option<Snapshot<M>> = None;
    for (count, path) in files.iter().enumerate() {
        let path = path.as_ref();
        let failed = |error| CombineError::File {
            path: path.to_owned(),
            error,
        };
        let record = ModuleRecord::load(path).map_err(failed)?;
        model = load_record(model, record).map_err(failed)?;
        let share = 1.0 / (count + 1) as f64;
        match &mut mean {
            Some(mean) => mean.lerp(&model, share, Buffers::Average),
            None => {
                mean = Some(Snapshot::new(&model).widened());
                Ok(())
            }
        }
        .map_err(|mismatch| CombineError::DifferentArchitecture {
            model: count,
            mismatch,
        })?;
    }
    let mean = mean.ok_or(CombineError::Empty)?;
    mean.restore(&model)
        .map_err(|mismatch| CombineError::DifferentArchitecture {
            model: files.len() - 1,
            mismatch,
        })
}
