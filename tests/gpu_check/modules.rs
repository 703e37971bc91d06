//! Modules, losses and scalers that are called by themselves, on one device: what they give, and their gradients.

use crate::problem::noise;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};
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

/// What a module, loss or scaler makes of the same weights and inputs on a device.
type Run = fn(&Device) -> Result<Numbers, Box<dyn Error>>;

/// Their names, and how to run them.
pub(crate) const MODULES: [(&str, Run); 13] = [
    ("global response normalisation", |device| {
        let config = GlobalResponseNormConfig::new(6);
        let norm = made(device, |device| config.init(device))?;
        let input = values([4, 6, 5, 5], device);
        Ok(passes(&norm, input, |norm, x| norm.forward(x)))
    }),
    ("squeeze-and-excitation alone", |device| {
        let config = SqueezeExciteConfig::new(8, 3);
        let layer = made(device, |device| config.init(device))?;
        let input = values([4, 8, 5, 5], device);
        Ok(passes(&layer, input, |layer, x| layer.forward(x)))
    }),
    ("layer scale", |device| {
        let config = LayerScaleConfig::new(8);
        let scale = made(device, |device| config.init(device))?;
        let input = values([4, 8, 5, 5], device);
        Ok(passes(&scale, input, |scale, x| scale.forward(x)))
    }),
    ("Inception", |device| {
        let config = InceptionConfig::for_8x8(3, 10);
        let net = made(device, |device| config.init(device))?;
        let input = values([8, 3, 8, 8], device);
        Ok(passes(&net, input, |net, x| net.forward(x)))
    }),
    ("penalty", |device| {
        let penalty = PenaltyConfig::new().with_l1(0.1).with_l2(0.3).init()?;
        let linear = |device: &Device| LinearConfig::new(20, 30).init(device);
        let linear = made(device, |device| Ok::<_, Infallible>(linear(device)))?;
        let input = values([3], device);
        Ok(passes(&linear, input, |linear, x| {
            penalty.forward(linear) + x.sum()
        }))
    }),
    ("activity penalty", |device| {
        let penalty = ActivityPenaltyConfig::new().with_l1(0.1).with_l2(0.3);
        let penalty = penalty.init()?;
        let input = values([16, 20], device);
        Ok(passes(&Relu {}, input, |_, x| penalty.forward(x)))
    }),
    ("sigmoid focal loss", |device| {
        let loss = SigmoidFocalLossConfig::new().init()?;
        let targets = values([16, 20], device).greater_elem(0.5).float();
        let input = values([16, 20], device) * 4.0;
        Ok(passes(&Relu {}, input, |_, x| {
            loss.forward(x, targets.clone())
        }))
    }),
    ("softmax focal loss", |device| {
        let weights = vec![1.0, 0.5, 2.0, 1.0, 1.0];
        let config = SoftmaxFocalLossConfig::new().with_class_weights(Some(weights));
        let device = device.clone().autodiff();
        let loss = config.init(&device)?;
        let labels = Tensor::<1, Int>::arange(0..16, &device) % 5;
        let input = values([16, 5], &device) * 4.0;
        Ok(passes(&Relu {}, input, |_, x| {
            loss.forward(x, labels.clone())
        }))
    }),
    ("standard scaling", |device| {
        scaled(ScalerConfig::standard(), device)
    }),
    ("min-max scaling", |device| {
        scaled(ScalerConfig::min_max(-1.0, 1.0), device)
    }),
    ("max-abs scaling", |device| {
        scaled(ScalerConfig::max_abs(), device)
    }),
    ("robust scaling", |device| {
        scaled(ScalerConfig::robust(), device)
    }),
    ("scaling with missing values", |device| {
        let config = ScalerConfig::standard().with_missing(Missing::Impute);
        let input = values([200, 7], device);
        let missing = input.clone().greater_elem(0.9);
        let input = input.mask_fill(missing, f64::NAN);
        let scaler = config.fit(&input)?;
        Ok(vec![read(scaler.forward(input))])
    }),
];

/// What a module gives on a device.
pub(crate) type OnDevice = dyn Fn(&Device) -> Result<Numbers, Box<dyn Error>>;

/// The means of what is random, which differs from device to device by chance.
pub(crate) fn random() -> Vec<(String, Box<OnDevice>)> {
    let mut random: Vec<(String, Box<OnDevice>)> = Vec::new();
    for (name, addition, _) in ADDITIONS {
        if addition.is_random() {
            let factors = move |device: &Device| factors(addition, device);
            random.push((format!("factors of {name}"), Box::new(factors)));
        }
    }
    random.push(("Monte Carlo dropout".to_owned(), Box::new(mc_dropout)));
    random
}

/// The mean and the mean square of what a dropout makes of ones: of activations, or of weights.
fn factors(addition: Addition, device: &Device) -> Result<Numbers, Box<dyn Error>> {
    device.seed(1);
    let device = device.clone().autodiff();
    let weights = Linear {
        weight: Param::from_tensor(Tensor::ones([16_384, 64], &device)),
        bias: None,
    };
    let weights = attached(Some(addition), weights)?;
    let layer = Between::new(Some(addition), 64, &device)?;
    let factors = layer.alone(weights.weight.val());
    let square = factors.clone().square();
    Ok(vec![read(factors.mean()), read(square.mean())])
}

/// The lengths of the mean and of the deviation of many predictions.
fn mc_dropout(device: &Device) -> Result<Numbers, Box<dyn Error>> {
    device.seed(1);
    let net = |device: &Device| AddedMlp::new(Some(Addition::Dropout), 20, 64, device);
    let mc = McDropoutConfig::new(100).init(&made(device, net)?)?;
    let input = values([64, 20], device);
    let (mean, deviation) = mc.moments(|net| net.forward(input.clone()));
    let length = |x: Tensor<2>| read(x.square().sum().sqrt());
    Ok(vec![length(mean), length(deviation)])
}

/// Scaled data, and the same scaled back.
fn scaled(config: ScalerConfig, device: &Device) -> Result<Numbers, Box<dyn Error>> {
    let input = values([200, 7], device) * 3.0 + 1.0;
    let scaler = config.fit(&input)?;
    let scaled = scaler.forward(input);
    Ok(vec![read(scaled.clone()), read(scaler.inverse(scaled))])
}

/// A module with the same weights on every device, none of which is the neutral one that it may begin with.
fn made<M: Module, E>(device: &Device, init: impl FnOnce(&Device) -> Result<M, E>) -> Result<M, E> {
    struct Shift;
    impl ModuleMapper for Shift {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|weight| {
                let shift = values(weight.dims(), &weight.device()) * 0.1;
                let is_trained = weight.is_require_grad();
                (weight + shift).detach().set_require_grad(is_trained)
            })
        }
    }
    Device::flex().seed(1);
    let module = init(&Device::flex().autodiff())?;
    Ok(module.map(&mut Shift).fork(&device.clone().autodiff()))
}

/// The output, the gradient of the input, and those of the parameters.
fn passes<M: Module, const I: usize, const O: usize>(
    module: &M,
    input: Tensor<I>,
    forward: impl Fn(&M, Tensor<I>) -> Tensor<O>,
) -> Numbers {
    let input = input.require_grad();
    let output = forward(module, input.clone());
    let weights = values(output.dims(), &output.device());
    let grads = (output.clone() * weights).sum().backward();
    let of_input = input.grad(&grads).expect("the output depends on the input");
    let mut all = vec![read(output), read(of_input)];
    let grads = GradientsParams::from_grads(grads, module);
    all.extend(gradients(module, &grads));
    all
}

/// The gradient of every parameter that has one.
pub(crate) fn gradients(module: &impl Module, grads: &GradientsParams) -> Numbers {
    struct Read<'a>(&'a GradientsParams, Numbers);
    impl ModuleVisitor for Read<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.0.get::<D>(param.id) {
                self.1.push(read(grad));
            }
        }
    }
    let mut all = Read(grads, Vec::new());
    module.visit(&mut all);
    all.1
}

/// Numbers in (-1, 1) on the device, with autodiff.
fn values<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let numbers = noise(shape.iter().product(), 11);
    Tensor::<1>::from_floats(&*numbers, &device.clone().autodiff()).reshape(shape)
}

pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}
