//! Initial weights of a model that exists, drawn from a distribution or fitted to data.

pub(crate) mod draw_weights;
pub(crate) mod init_error;
pub mod init_weights;
pub(crate) mod layer_weights;
pub mod lsuv;
pub(crate) mod nonlinearity;
pub(crate) mod parameter_role;
pub(crate) mod replace_parameters;
pub mod seeded;
pub(crate) mod weight_init;
