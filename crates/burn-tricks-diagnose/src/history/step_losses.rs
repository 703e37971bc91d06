//! The optimizer steps to which losses belong.

use crate::history::History;

impl History {
    /// The number of the step of the loss at this place of the list.
    fn step_of_loss(&self, at: usize) -> usize {
        self.loss_steps.get(at).copied().unwrap_or(at + 1)
    }

    /// The first loss that is not finite: the number of its step, and the losses before it.
    pub(crate) fn first_bad_loss(&self) -> Option<(usize, &[f64])> {
        let at = self.losses.iter().position(|loss| !loss.is_finite())?;
        Some((self.step_of_loss(at), &self.losses[..at]))
    }

    /// The number of each step that has a loss, and the mean of its losses.
    pub(crate) fn step_losses(&self) -> Vec<(usize, f64)> {
        let losses = self.losses.iter().enumerate();
        let losses: Vec<(usize, f64)> = losses
            .map(|(at, loss)| (self.step_of_loss(at), *loss))
            .collect();
        let of_step = losses.chunk_by(|(one, _), (other, _)| one == other);
        let mean = |part: &[(usize, f64)]| {
            let sum: f64 = part.iter().map(|(_, loss)| loss).sum();
            (part[0].0, sum / part.len() as f64)
        };
        of_step.map(mean).collect()
    }
}
