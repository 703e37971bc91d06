//! Oracles, twins, laws, edges, stacking, resume and backends, over every enabled backend.

mod backends;
mod best_weights;
mod clip_grad_norm;
mod devices;
mod drop_ins;
mod early_stopping;
mod ensemble;
mod exponential_decay;
mod kernels;
mod learner;
mod models;
mod normalize_grad;
mod normalized_gradient;
mod normalized_gradient_laws;
mod oracle;
mod stacking;
