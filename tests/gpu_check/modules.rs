//! Modules, losses and scalers that are called by themselves, in one place: what they give, and their gradients.

use crate::models::MODELS;
use crate::problem::{Cast, noise};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, FloatDType, Int, Tensor};
use burn_tricks::nn::{
    ActivityPenaltyConfig, GlobalResponseNormConfig, InceptionConfig, LayerScaleConfig,
    McDropoutConfig, Missing, ScalerConfig, SigmoidFocalLossConfig, SoftmaxFocalLossConfig,
    SqueezeExciteConfig,
};
use burn_tricks::prelude::*;
use burn_tricks_examples::additions::{ADDITIONS, AddedMlp, Addition, Between, Relu, attached};
use std::convert::Infallible;
use std::error::Error;

/// Several tensors, as numbers.
pub(crate) type Numbers = Vec<Vec<f64>>;

/// Where a module is called, and with numbers of which type.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) device: Device,
    /// The type of weights and inputs.
    pub(crate) dtype: FloatDType,
    /// A type with fewer digits, perhaps, to which weights and inputs have been rounded before.
    pub(crate) rounded_to: FloatDType,
}

impl Place {
    fn training(&self) -> Device {
        self.device.clone().autodiff()
    }

    fn cast<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D> {
        tensor.cast(self.rounded_to).cast(self.dtype)
    }
}

/// What is made of the same weights and inputs.
pub(crate) type Made = Result<Numbers, Box<dyn Error>>;

/// Makes it in a place.
type Run = dyn Fn(&Place) -> Made;

/// A module, loss or scaler that is called by itself.
pub(crate) struct Alone {
    pub(crate) name: String,
    /// Whether its gradient jumps where its input changes by a rounding, as that of rectifiers and maxima does.
    pub(crate) jumps: bool,
    pub(crate) run: Box<Run>,
}

/// What is the same on every device but for rounding.
pub(crate) fn determined() -> Vec<Alone> {
    let of_module = |(name, run): &(&str, fn(&Place) -> Made)| Alone {
        name: (*name).to_owned(),
        jumps: *name == INCEPTION,
        run: Box::new(*run),
    };
    let mut all: Vec<_> = MODULES.iter().chain(&MODELS).map(of_module).collect();
    for (name, addition, _) in ADDITIONS {
        if !addition.is_random() {
            all.push(Alone {
                name: format!("a layer with {name}"),
                jumps: false,
                run: Box::new(move |place| with_layer(addition, place)),
            });
        }
    }
    all
}

/// It has rectifiers and maxima.
const INCEPTION: &str = "Inception";

/// A name, and how to run what has it.
pub(crate) type Named = (&'static str, fn(&Place) -> Made);

const MODULES: [Named; 13] = [
    ("global response normalisation", |place| {
        let config = GlobalResponseNormConfig::new(6);
        let norm = made(place, |device| config.init(device))?;
        let input = values([4, 6, 5, 5], place);
        Ok(passes(&norm, input, |norm, x| norm.forward(x)))
    }),
    ("squeeze-and-excitation alone", |place| {
        let config = SqueezeExciteConfig::new(8, 3);
        let layer = made(place, |device| config.init(device))?;
        let input = values([4, 8, 5, 5], place);
        Ok(passes(&layer, input, |layer, x| layer.forward(x)))
    }),
    ("layer scale", |place| {
        let config = LayerScaleConfig::new(8);
        let scale = made(place, |device| config.init(device))?;
        let input = values([4, 8, 5, 5], place);
        Ok(passes(&scale, input, |scale, x| scale.forward(x)))
    }),
    (INCEPTION, |place| {
        let config = InceptionConfig::for_8x8(3, 10);
        let net = made(place, |device| config.init(device))?;
        let input = values([8, 3, 8, 8], place);
        Ok(passes(&net, input, |net, x| net.forward(x)))
    }),
    ("penalty", |place| {
        let penalty = PenaltyConfig::new().with_l1(0.1).with_l2(0.3).init()?;
        let linear = |device: &Device| LinearConfig::new(20, 30).init(device);
        let linear = made(place, |device| Ok::<_, Infallible>(linear(device)))?;
        let input = values([3], place);
        Ok(passes(&linear, input, |linear, x| {
            penalty.add_to(x.sum(), linear)
        }))
    }),
    ("activity penalty", |place| {
        let penalty = ActivityPenaltyConfig::new().with_l1(0.1).with_l2(0.3);
        let penalty = penalty.init()?;
        let input = values([16, 20], place);
        Ok(passes(&Relu {}, input, |_, x| penalty.forward(x)))
    }),
    ("sigmoid focal loss", |place| {
        let loss = SigmoidFocalLossConfig::new().init()?;
        let targets = values([16, 20], place).greater_elem(0.5).float();
        let targets = targets.cast(place.dtype);
        let input = values([16, 20], place) * 4.0;
        Ok(passes(&Relu {}, input, |_, x| {
            loss.forward(x, targets.clone())
        }))
    }),
    ("softmax focal loss", |place| {
        let weights = vec![1.0, 0.5, 2.0, 1.0, 1.0];
        let config = SoftmaxFocalLossConfig::new().with_class_weights(Some(weights));
        let device = place.training();
        let loss = config.init(&device)?;
        let labels = Tensor::<1, Int>::arange(0..16, &device) % 5;
        let input = values([16, 5], place) * 4.0;
        Ok(passes(&Relu {}, input, |_, x| {
            loss.forward(x, labels.clone())
        }))
    }),
    ("standard scaling", |place| {
        scaled(ScalerConfig::standard(), place)
    }),
    ("min-max scaling", |place| {
        scaled(ScalerConfig::min_max(-1.0, 1.0), place)
    }),
    ("max-abs scaling", |place| {
        scaled(ScalerConfig::max_abs(), place)
    }),
    ("robust scaling", |place| {
        scaled(ScalerConfig::robust(), place)
    }),
    ("scaling with missing values", |place| {
        let config = ScalerConfig::standard().with_missing(Missing::Impute);
        let input = values([200, 7], place);
        let missing = input.clone().greater_elem(0.9);
        let input = input.mask_fill(missing, f64::NAN);
        let scaler = config.fit(&input)?;
        Ok(vec![read(scaler.forward(input))])
    }),
];

/// What is random, and therefore gives means alone, which differ from device to device by chance.
pub(crate) fn random() -> Vec<Alone> {
    let alone = |name, run| {
        let jumps = false;
        Alone { name, jumps, run }
    };
    let mut random = Vec::new();
    for (name, addition, _) in ADDITIONS {
        if addition.is_random() {
            let factors = move |place: &Place| factors(addition, place);
            random.push(alone(format!("factors of {name}"), Box::new(factors)));
        }
    }
    random.push(alone(
        "Monte Carlo dropout".to_owned(),
        Box::new(mc_dropout),
    ));
    random
}

/// A linear layer and what may stand behind it, without an activation.
#[derive(Module, Debug)]
struct Layer {
    linear: Linear,
    between: Between,
}

/// What such a layer makes of a batch.
fn with_layer(addition: Addition, place: &Place) -> Made {
    let layer = |device: &Device| {
        let linear = LinearConfig::new(20, 64).init(device);
        let between = Between::new(Some(addition), 64, device)?;
        attached(Some(addition), Layer { linear, between })
    };
    let layer = made(place, layer)?;
    let input = values([32, 20], place);
    Ok(passes(&layer, input, |layer, x| {
        layer.between.alone(layer.linear.forward(x))
    }))
}

/// The mean and the mean square of what a dropout makes of ones: of activations, or of weights.
fn factors(addition: Addition, place: &Place) -> Made {
    place.device.seed(1);
    let device = place.training();
    let weights = Linear {
        weight: Param::from_tensor(place.cast(Tensor::ones([16_384, 64], &device))),
        bias: None,
    };
    let weights = attached(Some(addition), weights)?;
    let layer = Between::new(Some(addition), 64, &device)?;
    let factors = layer.alone(weights.weight.val()).cast(FloatDType::F32);
    let square = factors.clone().square();
    Ok(vec![read(factors.mean()), read(square.mean())])
}

/// The lengths of the mean and of the deviation of many predictions.
fn mc_dropout(place: &Place) -> Made {
    place.device.seed(1);
    let net = |device: &Device| AddedMlp::new(Some(Addition::Dropout), 20, 64, device);
    let mc = McDropoutConfig::new(100).init(&made(place, net)?)?;
    let input = values([64, 20], place);
    let (mean, deviation) = mc.moments(|net| net.forward(input.clone()));
    let length = |x: Tensor<2>| read(x.cast(FloatDType::F32).square().sum().sqrt());
    Ok(vec![length(mean), length(deviation)])
}

/// Scaled data, and the same scaled back.
fn scaled(config: ScalerConfig, place: &Place) -> Made {
    let input = values([200, 7], place) * 3.0 + 1.0;
    let scaler = config.fit(&input)?;
    let scaled = scaler.forward(input);
    Ok(vec![read(scaled.clone()), read(scaler.inverse(scaled))])
}

/// A module with the same weights in every place, none of which is the neutral one that it may begin with.
pub(crate) fn made<M: Module, E>(
    place: &Place,
    init: impl FnOnce(&Device) -> Result<M, E>,
) -> Result<M, E> {
    struct Shift(Place);
    impl ModuleMapper for Shift {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|weight| {
                let shift = values(weight.dims(), &self.0) * 0.1;
                let is_trained = weight.is_require_grad();
                (weight + shift).detach().set_require_grad(is_trained)
            })
        }
    }
    Device::flex().seed(1);
    let flex = Place {
        device: Device::flex(),
        dtype: FloatDType::F32,
        rounded_to: FloatDType::F32,
    };
    let module = init(&flex.training())?.map(&mut Shift(flex));
    let module = module.map(&mut Cast(place.rounded_to));
    Ok(module.map(&mut Cast(place.dtype)).fork(&place.training()))
}

/// The output, the gradient of the input, and those of the parameters.
fn passes<M: Module, const I: usize, const O: usize>(
    module: &M,
    input: Tensor<I>,
    forward: impl Fn(&M, Tensor<I>) -> Tensor<O>,
) -> Numbers {
    let input = input.require_grad();
    let output = forward(module, input.clone());
    let numbers = noise(output.dims().iter().product(), 11);
    let weights = Tensor::<1>::from_floats(&*numbers, &output.device()).reshape(output.dims());
    let loss = (output.clone().cast(FloatDType::F32) * weights).sum();
    let grads = loss.backward();
    let of_input = input.grad(&grads).expect("the output depends on the input");
    let mut all = vec![read(output), read(of_input)];
    let grads = GradientsParams::from_grads(grads, module);
    all.extend(gradients(module, &grads).into_iter().map(|(_, grad)| grad));
    all
}

/// The path and the gradient of every parameter that has one.
pub(crate) fn gradients(module: &impl Module, grads: &GradientsParams) -> Vec<(String, Vec<f64>)> {
    struct Read<'a> {
        grads: &'a GradientsParams,
        names: Vec<String>,
        all: Vec<(String, Vec<f64>)>,
    }
    impl ModuleVisitor for Read<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.names.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.names.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.grads.get::<D>(param.id) {
                self.all.push((self.names.join("."), read(grad)));
            }
        }
    }
    let mut read = Read {
        grads,
        names: Vec::new(),
        all: Vec::new(),
    };
    module.visit(&mut read);
    read.all
}

/// Numbers in (-1, 1) in this place, with autodiff.
pub(crate) fn values<const D: usize>(shape: [usize; D], place: &Place) -> Tensor<D> {
    let numbers = noise(shape.iter().product(), 11);
    place.cast(Tensor::<1>::from_floats(&*numbers, &place.training()).reshape(shape))
}

pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}
