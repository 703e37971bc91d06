//! Stops a training whose optimizer skips too many marked steps in a row.

use crate::trick::Trick;
use crate::trick::epoch_context::EpochContext;
use crate::trick::step_context::StepContext;
use crate::trick::trick_error::TrickError;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};
use burn_tricks_core::{ConfigError, StateError, state_from_bytes, state_to_bytes};
use burn_tricks_kernels::numbers;
use burn_tricks_stop::StopReason;

/// Stops a training whose optimizer skips too many marked steps in a row, at the end of an epoch.
///
/// With [`NonFinite::SkipStep`](burn_tricks_grad::NonFinite::SkipStep) a gradient that is not finite marks all
/// gradients, and an optimizer with `skip_marked` skips the step without the host knowing. This trick counts such steps on the
/// device, and at the end of each epoch reads how many there were in a row at most.
///
/// # Example
///
/// ```
/// use burn_tricks_grad::{ClipGradNormConfig, NonFinite};
/// use burn_tricks_train::StopAfterMarked;
///
/// # fn main() -> Result<(), burn_tricks_train::ConfigError> {
/// let clip = ClipGradNormConfig::new(1.0).with_non_finite(NonFinite::SkipStep).init()?;
/// let tricks = (clip, StopAfterMarked::init(10)?);
/// // model.with_tricks(tricks), in a `Session`
/// # let _ = tricks;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// After the trick that marks the gradients.
///
/// # With a roll-back
///
/// If a [`RollBackTrick`](crate::RollBackTrick) goes back at the end of the same epoch, the roll-back wins: the weights that
/// led to the marks are gone, so the run continues from the best epoch, and the marked steps are counted anew. Once the
/// roll-backs are used up, this trick ends the run.
///
/// # Cost
///
/// A comparison of one number of one gradient on the device per step, and one number read from the device per epoch,
/// by a [`Session`](crate::Session).
///
/// # Several devices
///
/// Under Burn's `ddp` the workers share this trick, which counts each step once per worker: with k workers, give it k
/// times the limit.
///
/// # Differences
///
/// [`StopAfterSkips`](crate::StopAfterSkips) can also stop at once. It counts steps that are skipped on the host, as a
/// `StepGuard` does.
#[derive(Debug, Clone)]
pub struct StopAfterMarked {
    limit: u32,
    /// The marked steps in a row so far, and the most in a row in this epoch, each as a tensor.
    row: Option<[Tensor<1>; 2]>,
    /// The marked steps in a row when the state was saved.
    loaded: f32,
}

impl StopAfterMarked {
    /// Stops after `limit` marked steps in a row.
    ///
    /// # Errors
    ///
    /// If `limit` is 0.
    pub fn init(limit: u32) -> Result<Self, ConfigError> {
        if limit == 0 {
            return Err(ConfigError::new("limit", "be at least 1", limit));
        }
        Ok(Self {
            limit,
            row: None,
            loaded: 0.0,
        })
    }

    fn read(&self) -> [f32; 2] {
        let read = |tensor: &Tensor<1>| {
            #[allow(clippy::disallowed_methods)] // at the end of an epoch
            let data = tensor.to_data();
            numbers(&data).first().map_or(0.0, |number| *number as f32)
        };
        match &self.row {
            Some(row) => row.each_ref().map(read),
            None => [self.loaded, 0.0],
        }
    }
}

impl<M: Module> Trick<M> for StopAfterMarked {
    fn sees_gradients(&self) -> bool {
        true
    }

    fn before(&mut self, model: &M, grads: GradientsParams, _: &StepContext) -> GradientsParams {
        let mut first = First {
            grads: &grads,
            number: None,
        };
        model.visit(&mut first);
        let Some(number) = first.number else {
            return grads;
        };
        let marked = number.is_nan().float().cast(DType::F32);
        let (row, most) = match self.row.take() {
            Some([row, most]) => (
                row.to_device(&marked.device()),
                most.to_device(&marked.device()),
            ),
            // A row that reached the limit in an earlier epoch counts only if it continues.
            None => (marked.full_like(self.loaded), marked.zeros_like()),
        };
        let row = (row + 1.0) * marked;
        let most = most.max_pair(row.clone());
        self.row = Some([row, most]);
        grads
    }

    fn epoch_end(&mut self, model: M, epoch: &mut EpochContext<'_, M>) -> Result<M, TrickError> {
        let [row, most] = self.read();
        if most >= self.limit as f32 {
            epoch.stop(StopReason::NonFinite);
        }
        (self.row, self.loaded) = (None, row);
        Ok(model)
    }

    fn rolled_back(&mut self, _model: &M) {
        (self.row, self.loaded) = (None, 0.0);
    }

    fn restart(&mut self, _model: &M) {
        (self.row, self.loaded) = (None, 0.0);
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("StopAfterMarked {}", self.limit)]
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(state_to_bytes(&self.read()[0]))
    }

    fn load_state(&mut self, state: &[u8]) -> Result<(), StateError> {
        (self.row, self.loaded) = (None, state_from_bytes(state)?);
        Ok(())
    }
}

/// A number of a gradient: a mark is in all of them.
struct First<'a> {
    grads: &'a GradientsParams,
    number: Option<Tensor<1>>,
}

impl ModuleVisitor for First<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.number.is_none()
            && let Some(grad) = self.grads.get::<D>(param.id)
            && !grad.dims().contains(&0)
        {
            let flat: Tensor<1> = grad.flatten(0, -1);
            self.number = Some(flat.narrow(0, 0, 1));
        }
    }
}
