//! What happens to running statistics when modules are averaged.

use serde::{Deserialize, Serialize};

/// What happens to running statistics when modules are averaged. State that is computed from the weights
/// ([`Derived`](crate::Derived)) does not belong to them, and is never averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Buffers {
    /// Averaged like the weights.
    Average,
    /// Copied from the newest module.
    Copy,
}
