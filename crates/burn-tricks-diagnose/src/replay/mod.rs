//! Where the first number that is not finite comes from: the steps since the last good state, taken again.

pub(crate) mod hunt;
pub(crate) mod last_good;
pub(crate) mod origin;
