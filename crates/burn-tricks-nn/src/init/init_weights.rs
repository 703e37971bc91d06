//! New initial weights for an existing module.

use crate::init::draw_weights::draw;
use crate::init::init_error::InitError;
use crate::init::init_rule::InitRule;
use crate::init::layer_weights::{refuse_reparameterized, reparameterized};
use crate::init::parameter_role::{Role, weight_paths};
use crate::init::replace_parameters::{Rewrite, rewrite};
use crate::init::weight_init::WeightInit;
use burn::module::Module;
use burn::tensor::Tensor;
use burn_tricks_core::walk::Location;
use burn_tricks_core::{
    Config, ConfigError, UnitAxis, accumulation_dtype, force_init, near_names, params,
};
use serde::{Deserialize, Serialize};

/// What happens to the biases of linear layers and convolutions. Biases of the gates of recurrent cells stay in
/// either case, unless a rule gives their own path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Biases {
    /// They become zero.
    Zero,
    /// They stay.
    Keep,
}

/// What happens to parameters that no rule names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Others {
    /// Weights of layers are drawn, their biases zeroed.
    Draw,
    /// They stay.
    Keep,
}

/// Configuration of [`InitWeights`], which draws new initial weights for an existing module: for all layers of any
/// model, or for those under a path.
///
/// ```text
/// LeCun    std = 1/√n_in                     keeps the signal's size: linear layers, SELU
/// Xavier   std = √(2/(n_in + n_out))         a compromise between signal and gradient: tanh
/// He       std = √(2/n_in)                   keeps it through ReLU
/// ```
///
/// The sum of n products of independent inputs and weights, of variances 1 and s², has variance n s²:
/// N(0, 1) weights let a signal grow √n-fold in each layer.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_nn::{InitWeightsConfig, WeightInit};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex();
/// let layers: Vec<_> = (0..3).map(|_| LinearConfig::new(8, 8).init(&device)).collect();
/// let layers = InitWeightsConfig::new(WeightInit::HE_NORMAL)
///     .with_seed(Some(7))
///     .init()?
///     .apply(&layers)?;
/// assert_eq!(layers[0].bias.as_ref().unwrap().val().sum().into_scalar::<f32>(), 0.0);
/// # Ok(())
/// # }
/// ```
///
/// A rule gives the layers at and below its path another distribution. In a path, `*` stands for one part and
/// `**` for any number of parts. If several rules fit a layer, the last one counts. Here the last layer of each
/// residual block starts at zero, so that each block starts as the identity:
///
/// ```
/// use burn_tricks_nn::{InitWeightsConfig, WeightInit};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let init = InitWeightsConfig::new(WeightInit::HE_NORMAL)
///     .with_rule("output", WeightInit::XAVIER_UNIFORM)
///     .with_zero("blocks.*.second")
///     .init()?;
/// # let _ = init;
/// # Ok(())
/// # }
/// ```
///
/// Orthogonal recurrent weights (Saxe et al.), a matrix for each gate, wherever recurrent layers are in a model:
///
/// ```
/// use burn::nn::LstmConfig;
/// use burn::tensor::Device;
/// use burn_tricks_nn::InitWeightsConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lstm = LstmConfig::new(4, 8, true).init(&Device::flex());
/// let lstm = InitWeightsConfig::orthogonal_recurrent().init()?.apply(&lstm)?;
/// # let _ = lstm;
/// # Ok(())
/// # }
/// ```
///
/// # What is drawn
///
/// | parameters | without a rule | with a rule |
/// | --- | --- | --- |
/// | weights of Burn's linear layers and convolutions, those inside attention and recurrent cells too | drawn | drawn |
/// | weights of embeddings, which have no fans | drawn, if one distribution is right for any shape: constant, uniform, normal, truncated normal | drawn |
/// | biases of these layers | zero, as [`biases`](InitWeightsConfig::biases) says | the same; drawn by a rule with the bias's own path |
/// | biases of the gates of recurrent cells, such as a forget gate's 1, and of your own modules | stay | drawn by a rule with the bias's own path |
/// | everything else: scales and shifts of normalisation layers, factors of residual blocks, position embeddings, other parameters of your own modules | stay | drawn by a rule with the parameter's own path, or with that of the module that holds it if no layer of the first two rows is in there |
/// | running statistics | stay | stay |
///
/// [`InitWeights::paths`] lists the parameters that would change. The fans follow from the layout of the layer
/// ([`UnitAxis`]), and are right for both layouts of Burn's linear layers. For a grouped transposed convolution
/// the standard deviation is too small, by the root of the number of groups: give it a rule with
/// [`WeightInit::Normal`] (see [`UnitAxis`]). A [tied](crate::TiedWeights) parameter is drawn
/// once, for the first layer that holds it; a rule may name any of its paths. Clones of one layer are tied:
/// `vec![layer; 3]` remains three layers with the same weights, as it is for Burn's optimizers. Frozen clones of a part
/// that is trained, such as the teacher of a distillation, are not tied to it: a rule for that part leaves them as they are,
/// and where they are to be drawn, they get numbers of their own. If a teacher is to start as a copy of the student, clone
/// the student afterwards. In a model without autodiff frozen clones cannot be recognised, and count as tied.
///
/// # Order
///
/// Apply it after the model is made, before anything is
/// [attached](crate#one-reparameterization-for-each-parameter) to its weights (a reparameterized parameter is
/// an error) and before the optimizer's first step. Parameter ids, devices, element types, trainability and
/// training flags stay. In a model with pretrained parts, use [`InitWeightsConfig::only`] with the path of the
/// new part. Linear layers in column layout [need `load_record`](crate#column-layout) to load a record afterwards.
///
/// # Cost
///
/// One draw of each weight. An orthogonal matrix of m rows of length n ≥ m takes about 2 m² n operations
/// in `f64` on the host: at 1,000 × 1,000 a second or two optimised, and twenty unoptimised.
///
/// # Differences
///
/// Burn's `Initializer` is chosen while a module is made; it swaps the fans of column-major linear layers, and
/// its `Orthogonal` panics at the bias. PyTorch's functions take one tensor each, so their user has to find the
/// weights of the layers, and they swap the fans of transposed convolutions. The standard deviations and bounds
/// of the scaled distributions are those of PyTorch and Keras.
///
/// Keras's default for recurrent weights is one orthogonal matrix for all gates: `[u, 4u]` for an LSTM of u units, `[u, 3u]`
/// for a GRU. There the weights of a single gate are not orthogonal, and have the standard deviation 1/√(4u) or 1/√(3u).
/// [`InitWeightsConfig::orthogonal_recurrent`] draws an orthogonal `[u, u]` matrix for each gate, whose standard deviation
/// is 1/√u. The two agree for a recurrent layer without gates.
///
/// # Suggested values
///
/// He with ReLU, Xavier with tanh, LeCun with SELU; gain 1 for the output layer. Zero for the last layer
/// of each residual block (Goyal et al.: the scale of its last batch norm).
///
/// # References
///
/// - LeCun, Bottou, Orr & Müller, *Efficient BackProp*, 1998, section 4.6
/// - Glorot & Bengio, *Understanding the difficulty of training deep feedforward neural networks*, 2010
/// - He et al., *Delving deep into rectifiers*, 2015, <https://arxiv.org/abs/1502.01852>
/// - Saxe et al., *Exact solutions to the nonlinear dynamics of learning in deep linear neural networks*,
///   2013, <https://arxiv.org/abs/1312.6120>
/// - Goyal et al., *Accurate, large minibatch SGD*, 2017, <https://arxiv.org/abs/1706.02677>
/// - Mezzadri, *How to generate random matrices from the classical compact groups*, 2006
#[derive(Config, Debug, PartialEq)]
pub struct InitWeightsConfig {
    /// The distribution of all weights that no rule names.
    pub weights: WeightInit,
    /// What happens to biases. Default: they become zero.
    #[config(default = "Biases::Zero")]
    pub biases: Biases,
    /// What happens to parameters that no rule names. Default: they are drawn.
    #[config(default = "Others::Draw")]
    pub others: Others,
    /// Distributions by path; the last rule that fits counts. Default: none.
    #[config(default = "Vec::new()")]
    pub rules: Vec<InitRule>,
    /// The seed given to the device before the first weight is drawn, and after lazy parameters have been
    /// initialised. Default: none, the generator continues from its present state.
    #[config(default = "None")]
    pub seed: Option<u64>,
}

impl InitWeightsConfig {
    /// Adds a rule: `weights` for the layers at and below `path`. If there are none, the rule is for the
    /// parameters that the module at this path holds itself, for example those of a norm, or for the parameter
    /// at this path.
    #[must_use]
    pub fn with_rule(mut self, path: &str, weights: WeightInit) -> Self {
        let path = path.to_owned();
        self.rules.push(InitRule { path, weights });
        self
    }

    /// Adds a rule of zeros: for the last layer of each residual block, or the scale (`gamma`) of its
    /// last norm.
    #[must_use]
    pub fn with_zero(self, path: &str) -> Self {
        self.with_rule(path, WeightInit::ZEROS)
    }

    /// Orthogonal matrices for the recurrent weights of Burn's `Lstm`, `BiLstm`, `Gru` and `Rnn`, wherever they
    /// are in the module; everything else stays. In the gates of these layers the recurrent weights are
    /// called `hidden_transform`.
    pub fn orthogonal_recurrent() -> Self {
        Self::only("**.hidden_transform", WeightInit::ORTHOGONAL).with_biases(Biases::Keep)
    }

    /// A distribution for the layers at and below `path` alone, whose biases become zero; everything else
    /// stays. This suits a new head on a pretrained model.
    pub fn only(path: &str, weights: WeightInit) -> Self {
        Self::new(weights)
            .with_others(Others::Keep)
            .with_rule(path, weights)
    }

    /// The initialiser.
    ///
    /// # Errors
    ///
    /// If a distribution is invalid or a path is empty.
    pub fn init(&self) -> Result<InitWeights, ConfigError> {
        self.weights.validated()?;
        for rule in &self.rules {
            rule.weights.validated()?;
            if rule.path.is_empty() {
                return Err(ConfigError::new("path", "name a part", &rule.path));
            }
        }
        Ok(InitWeights {
            config: self.clone(),
        })
    }
}

/// Gives initial weights to modules. Made by [`InitWeightsConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct InitWeights {
    config: InitWeightsConfig,
}

impl InitWeights {
    /// `model` with new weights, drawn in the module's own order from the generator of its device.
    /// `model` itself keeps its values.
    ///
    /// # Errors
    ///
    /// If a rule fits no parameter, there is nothing to draw, a distribution needs fans or dimensions that its
    /// parameter does not have, or a parameter that would change is reparameterized.
    pub fn apply<M: Module>(&self, model: &M) -> Result<M, InitError> {
        // Draws what is lazy first: what follows the seed is ours alone.
        force_init(model);
        if let Some(seed) = self.config.seed {
            for device in model.devices() {
                device.seed(seed);
            }
        }
        let (model, _) = self.run(model, false)?;
        Ok(model)
    }

    /// The paths of the parameters that [`apply`](Self::apply) would give new values, to check that the rules
    /// fit what they should. Of a tied parameter, the first path is listed.
    ///
    /// # Errors
    ///
    /// Those of [`apply`](Self::apply).
    pub fn paths<M: Module>(&self, model: &M) -> Result<Vec<String>, InitError> {
        let (_, changed) = self.run(model, true)?;
        Ok(changed)
    }

    /// Returns the new model, and the paths of the new parameters. In a rehearsal nothing is drawn.
    fn run<M: Module>(&self, model: &M, is_rehearsal: bool) -> Result<(M, Vec<String>), InitError> {
        let rules = &self.config.rules;
        let weights = weight_paths(model);
        let has_layers = |rule: &InitRule| weights.iter().any(|weight| rule.is_above(weight));
        let mut drawing = Drawing {
            config: &self.config,
            reparameterized: reparameterized(model),
            is_rehearsal,
            has_layers: rules.iter().map(has_layers).collect(),
            is_used: vec![false; rules.len()],
            changed: Vec::new(),
            error: None,
        };
        let drawn = rewrite(model, &mut drawing);
        let unused = rules.iter().zip(drawing.is_used).find(|(_, used)| !used);
        if let Some((rule, _)) = unused {
            let path = rule.path.clone();
            let known: Vec<String> = params(model).into_iter().map(|param| param.path).collect();
            return Err(if known.iter().any(|known| rule.is_above(known)) {
                InitError::NothingToDraw { path }
            } else {
                let similar = near_names(&path, &known);
                InitError::NoSuchPath { path, similar }
            });
        }
        if let Some(error) = drawing.error {
            return Err(error);
        }
        if drawing.changed.is_empty() {
            let path = String::new();
            return Err(InitError::NothingToDraw { path });
        }
        Ok((drawn, drawing.changed))
    }
}

struct Drawing<'a> {
    config: &'a InitWeightsConfig,
    reparameterized: Vec<String>,
    is_rehearsal: bool,
    /// For each rule, whether it is one for layers.
    has_layers: Vec<bool>,
    /// For each rule, whether it fits a parameter.
    is_used: Vec<bool>,
    /// The paths of the new parameters.
    changed: Vec<String>,
    error: Option<InitError>,
}

impl Drawing<'_> {
    /// How the parameter here is drawn; `None` if it stays.
    fn init_of(&mut self, at: &Location, paths: &[String]) -> Option<WeightInit> {
        let role = Role::of(at);
        let (mut fitting, mut is_below_one) = (None, false);
        let rules = self.config.rules.iter().zip(&self.has_layers);
        for ((rule, has_layers), is_used) in rules.zip(&mut self.is_used) {
            let places = paths.iter();
            let Some(levels) = places.filter_map(|path| rule.levels_above(path)).min() else {
                continue;
            };
            is_below_one = true;
            // The rule of a part with layers is for their weights; only the own path of anything else is for it.
            let fits = match role {
                Role::Weight | Role::Rows => true,
                Role::Bias | Role::OtherBias => levels == 0,
                Role::Other => levels == 0 || (levels == 1 && !has_layers),
            };
            if fits {
                fitting = Some(rule.weights);
                *is_used = true;
            }
        }
        if fitting.is_some() {
            return fitting;
        }
        let is_asked_for = is_below_one || self.config.others == Others::Draw;
        let init = match role {
            Role::Weight => Some(self.config.weights),
            Role::Rows => Some(self.config.weights).filter(|init| init.fits_any_shape()),
            Role::Bias => (self.config.biases == Biases::Zero).then_some(WeightInit::ZEROS),
            Role::OtherBias | Role::Other => None,
        };
        init.filter(|_| is_asked_for)
    }

    fn try_draw<const D: usize>(
        &mut self,
        at: &Location,
        paths: &[String],
        old: &Tensor<D>,
    ) -> Result<Option<Tensor<D>>, InitError> {
        let Some(init) = self.init_of(at, paths) else {
            return Ok(None);
        };
        let shape = old.dims();
        let unit = UnitAxis::for_weight(at.container(), D);
        let fans = unit.and_then(|unit| unit.fans(&shape));
        if init.unfit(&shape).is_some() || (init.needs_fans() && fans.is_none()) {
            return Err(InitError::Unfit {
                path: at.path().to_owned(),
                shape: shape.to_vec(),
                init,
            });
        }
        for path in paths {
            refuse_reparameterized(&self.reparameterized, path)?;
        }
        self.changed.push(at.path().to_owned());
        let dtype = accumulation_dtype(old.dtype()).into();
        Ok((!self.is_rehearsal).then(|| draw(init, shape, unit, (&old.device(), dtype))))
    }
}

impl Rewrite for Drawing<'_> {
    fn rewrite<const D: usize>(
        &mut self,
        at: &Location,
        paths: &[String],
        old: &Tensor<D>,
    ) -> Option<Tensor<D>> {
        let drawn = self.try_draw(at, paths, old);
        drawn.unwrap_or_else(|error| {
            self.error.get_or_insert(error);
            None
        })
    }
}
