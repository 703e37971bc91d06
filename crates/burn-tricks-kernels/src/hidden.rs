//! Burn's tensors of any backend behind types that do not name them.
//!
//! To drop a [`DispatchTensor`], a crate compiles what each of its backends does then, and the GPU backends compile their
//! search for fusions: half of the code of a small crate. Burn's own `Tensor` hides it, and so do these.

use burn::backend::DispatchTensor;
use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};

burn_std::obfuscate!(
    type: DispatchTensor,
    module: one,
    derives: [Send, Sync, Debug, Clone],
);

burn_std::obfuscate!(
    type: VecDeque<DispatchTensor>,
    module: list,
    derives: [Send, Sync, Debug, Clone, Default],
);

// What the macros take on trust.
const _: fn() = || {
    fn moves_and_is_shared<T: Send + Sync>() {}
    moves_and_is_shared::<DispatchTensor>();
};

/// A tensor of Burn's lowest layer.
#[derive(Clone)]
pub(crate) struct Hidden(one::Opaque);

/// A list of them.
#[derive(Clone, Default)]
pub(crate) struct HiddenList(list::Opaque);

macro_rules! hides {
    ($hidden:ident, $opaque:path, $inner:ty) => {
        impl $hidden {
            pub(crate) fn open(self) -> $inner {
                self.0.into_inner()
            }
        }

        impl fmt::Debug for $hidden {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(to)
            }
        }

        impl From<$inner> for $hidden {
            fn from(inner: $inner) -> Self {
                Self($opaque(inner))
            }
        }

        impl Deref for $hidden {
            type Target = $inner;

            fn deref(&self) -> &$inner {
                self.0.as_ref()
            }
        }

        impl DerefMut for $hidden {
            fn deref_mut(&mut self) -> &mut $inner {
                self.0.as_mut()
            }
        }
    };
}
hides!(Hidden, one::Opaque::new, DispatchTensor);
hides!(HiddenList, list::Opaque::new, VecDeque<DispatchTensor>);

impl IntoIterator for HiddenList {
    type Item = DispatchTensor;
    type IntoIter = std::collections::vec_deque::IntoIter<DispatchTensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.open().into_iter()
    }
}

impl<'a> IntoIterator for &'a HiddenList {
    type Item = &'a DispatchTensor;
    type IntoIter = std::collections::vec_deque::Iter<'a, DispatchTensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
