//! Initial weights of a model that exists, drawn from a distribution or fitted to data.

pub(crate) mod draw_weights;
pub(crate) mod init_error;
pub(crate) mod init_rule;
pub(crate) mod init_weights;
pub(crate) mod layer_weights;
pub(crate) mod lsuv;
pub(crate) mod nonlinearity;
pub(crate) mod parameter_role;
pub(crate) mod replace_parameters;
pub(crate) mod seeded;
pub(crate) mod weight_init;
