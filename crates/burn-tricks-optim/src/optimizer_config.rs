//! The fields and methods that the configurations of all optimizers have in common.

/// Defines the configuration `$config` of the optimizer `$optimizer`, a
/// [`RuleOptimizer`](crate::rule::RuleOptimizer): the common fields are added to the fields that are given. The
/// configuration then needs a method `rule(&self) -> Result<_, ConfigError>`, which checks its own fields.
///
/// The argument after the name says how the weight decay is configured: `Burn` (`Option<WeightDecayConfig>`,
/// coupled by default), `Coupled` or `Decoupled` (a number, 0 by default), or `Own` (a method `decay(&self) ->
/// Result<CheckedWeightDecay, ConfigError>`). The last argument is Burn's name of the clipping field.
macro_rules! optimizer_config {
    (
        $(#[$docs:meta])*
        pub struct $config:ident for $optimizer:ident, decay: Burn, clipping: $clipping:ident { $($fields:tt)* }
    ) => {
        optimizer_config! {
            $(#[$docs])*
            pub struct $config for $optimizer, decay: Own, clipping: $clipping {
                /// Weight decay, with λ ≥ 0. Default: none.
                pub weight_decay: Option<burn::optim::decay::WeightDecayConfig>,
                $($fields)*
                /// Where the decay enters a step. Default:
                /// [`WeightDecayMode::Coupled`](crate::WeightDecayMode::Coupled), as in Burn.
                #[config(default = "crate::weight_decay::WeightDecayMode::Coupled")]
                pub weight_decay_mode: crate::weight_decay::WeightDecayMode,
            }
        }

        impl $config {
            fn decay(
                &self,
            ) -> Result<crate::weight_decay::CheckedWeightDecay, burn_tricks_core::ConfigError> {
                let penalty = self.weight_decay.as_ref();
                let rate = penalty.map_or(0.0, |decay| decay.penalty.into());
                crate::weight_decay::CheckedWeightDecay::new(
                    rate,
                    self.weight_decay_mode,
                    self.weight_decay_scope,
                )
            }
        }
    };
    (
        $(#[$docs:meta])*
        pub struct $config:ident for $optimizer:ident, decay: Own, clipping: $clipping:ident { $($fields:tt)* }
    ) => {
        $(#[$docs])*
        pub struct $config {
            $($fields)*
            /// Which weights decay. Default: [`WeightDecayScope::Every`](crate::WeightDecayScope::Every), as in Burn.
            #[config(default = "burn_tricks_core::WeightDecayScope::Every")]
            pub weight_decay_scope: burn_tricks_core::WeightDecayScope,
            /// Whether a gradient that is marked as non-finite skips the step: weights, state and step count
            /// stay as they are. Otherwise such a gradient makes the weights NaN. It belongs to
            /// `NonFinite::SkipStep` of `burn-tricks-grad`; see [`skipped_steps`](crate::skipped_steps).
            /// Default: no.
            #[config(default = false)]
            pub skip_marked: bool,
            /// Burn's gradient clipping, tensor by tensor, which only the optimizer from `init` applies: `build` refuses
            /// it. Default: none.
            pub $clipping: Option<burn::grad_clipping::GradientClippingConfig>,
        }

        impl $config {
            /// The optimizer of one parameter, for wrappers and `ModuleOptimizer::with_group`.
            ///
            /// # Errors
            ///
            /// If a field has a value outside the range that its documentation gives, or if there is gradient clipping,
            /// which the optimizer of one parameter does not apply.
            pub fn build(&self) -> Result<$optimizer, burn_tricks_core::ConfigError> {
                if let Some(clipping) = &self.$clipping {
                    let requirement = "be none in `build`, since only the optimizer from `init` clips gradients";
                    let field = stringify!($clipping);
                    return Err(burn_tricks_core::ConfigError::new(field, requirement, clipping));
                }
                self.without_clipping()
            }

            fn without_clipping(&self) -> Result<$optimizer, burn_tricks_core::ConfigError> {
                Ok(crate::rule::RuleOptimizer::new(self.rule()?)
                    .with_checked_weight_decay(self.decay()?)
                    .with_skip_marked(self.skip_marked))
            }

            /// The optimizer of a whole module.
            ///
            /// # Errors
            ///
            /// If a field has a value outside the range that its documentation gives.
            #[inline] // Burn's code for each rank is compiled only in programs that use this optimizer.
            pub fn init(&self) -> Result<burn::optim::ModuleOptimizer, burn_tricks_core::ConfigError> {
                let optim = burn::optim::ModuleOptimizer::from(self.without_clipping()?);
                Ok(match &self.$clipping {
                    Some(clipping) => optim.with_grad_clipping(clipping.init()),
                    None => optim,
                })
            }
        }
    };
    (
        $(#[$docs:meta])*
        pub struct $config:ident for $optimizer:ident, decay: $mode:ident, clipping: $clipping:ident { $($fields:tt)* }
    ) => {
        optimizer_config! {
            $(#[$docs])*
            pub struct $config for $optimizer, decay: Own, clipping: $clipping {
                $($fields)*
                /// λ ≥ 0, the factor of the weight decay. Default: 0, no decay.
                #[config(default = 0.0)]
                pub weight_decay: f64,
                /// Where the decay enters a step. Default: as in the library or paper from which the
                /// optimizer is taken.
                #[config(default = crate::weight_decay::WeightDecayMode::$mode)]
                pub weight_decay_mode: crate::weight_decay::WeightDecayMode,
            }
        }

        impl $config {
            fn decay(
                &self,
            ) -> Result<crate::weight_decay::CheckedWeightDecay, burn_tricks_core::ConfigError> {
                crate::weight_decay::CheckedWeightDecay::new(
                    self.weight_decay,
                    self.weight_decay_mode,
                    self.weight_decay_scope,
                )
            }
        }
    };
}
pub(crate) use optimizer_config;
