"""Gradient transforms as PyTorch, optax, timm and numpy have them: writes gradients.json.

Run as README.md says, with timm as well (`pip install --no-deps timm==1.0.31`).
"""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import timm
import torch
from timm.utils.agc import adaptive_clip_grad

jax.config.update("jax_enable_x64", True)
torch.set_default_dtype(torch.float64)


def wave(shape, scale, shift):
    """Numbers that are no pattern: the tests make them again."""
    n = math.prod(shape)
    return (scale * np.sin(1.7 * np.arange(n) + shift)).reshape(shape)


def flat(array):
    return [float(x) for x in np.asarray(array).reshape(-1)]


def by_timm(weight, grad, factor, eps):
    param = torch.nn.Parameter(torch.tensor(weight))
    param.grad = torch.tensor(grad)
    adaptive_clip_grad([param], clip_factor=factor, eps=eps)
    return flat(param.grad.numpy())


def by_optax(weight, grad, factor, eps):
    clip = optax.adaptive_grad_clip(factor, eps)
    params = jnp.asarray(weight)
    return flat(clip.update(jnp.asarray(grad), clip.init(params), params)[0])


def agc():
    factor, eps = 0.1, 1e-3
    linear = wave((4, 3), 0.5, 0.3), wave((4, 3), 1.0, 1.0)
    linear[0][:, 1] = 0.0  # a unit of zeros
    linear[1][:, 2] *= 1e-3  # a gradient that is not clipped
    conv = wave((3, 2, 2, 2), 0.3, 0.1), wave((3, 2, 2, 2), 2.0, 0.7)
    bias = wave((5,), 0.2, 0.4), wave((5,), 1.0, 0.9)
    cases = {}
    # Burn's linear weight is [in, out], which is optax's layout and PyTorch's transposed.
    both = by_optax(*linear, factor, eps)
    timms = by_timm(linear[0].T, linear[1].T, factor, eps)
    assert np.allclose(both, np.array(timms).reshape(3, 4).T.reshape(-1), rtol=1e-12)
    cases["linear"] = ("optax 0.2.8 adaptive_grad_clip; timm on the transposed", linear, both)
    cases["conv"] = (f"timm {timm.__version__} adaptive_clip_grad", conv, by_timm(*conv, factor, eps))
    cases["bias"] = (f"timm {timm.__version__} adaptive_clip_grad", bias, by_timm(*bias, factor, eps))
    return {
        name: {
            "source": source,
            "rule": "g <- g min(1, factor max(|w|, eps) / |g|), unit by unit",
            "settings": {"clip_factor": factor, "epsilon": eps},
            "shape": list(weight.shape),
            "weight": flat(weight),
            "grad": flat(grad),
            "clipped": clipped,
        }
        for name, (source, (weight, grad), clipped) in cases.items()
    }


def clip_value():
    grad = np.array([0.1, -0.6, 3.0, -np.inf, 0.5, np.nan])
    param = torch.nn.Parameter(torch.zeros(6))
    param.grad = torch.tensor(grad)
    torch.nn.utils.clip_grad_value_([param], 0.5)
    text = lambda x: float(x) if math.isfinite(x) else str(x)
    return {
        "half": {
            "source": f"PyTorch {torch.__version__} clip_grad_value_",
            "rule": "g <- clamp(g, -c, c)",
            "settings": {"max_value": 0.5},
            "grad": [text(x) for x in grad],
            "clipped": [text(x) for x in param.grad.numpy()],
        }
    }


def centralize():
    conv = wave((3, 2, 2, 2), 2.0, 0.7)
    linear = wave((4, 3), 1.0, 1.0)
    update = optax.centralize().update
    # optax's mean is over all axes but the first, the units of PyTorch's layout.
    of_conv = flat(update(jnp.asarray(conv), None)[0])
    of_linear = flat(np.asarray(update(jnp.asarray(linear.T), None)[0]).T)
    rule = "g_u <- g_u - mean(g_u)"
    return {
        "conv": {"source": "optax 0.2.8 centralize", "rule": rule, "shape": list(conv.shape),
                 "grad": flat(conv), "centralized": of_conv},
        "linear": {"source": "optax 0.2.8 centralize, transposed", "rule": rule,
                   "shape": list(linear.shape), "grad": flat(linear), "centralized": of_linear},
    }


def auto_clip():
    """The paper's code: append the norm, clip at numpy's percentile of all norms."""
    norms = [float(x) for x in np.abs(wave((12,), 5.0, 0.2)) + 0.1]
    cases = {}
    for name, percentile, window in (("p10", 10.0, 100), ("p50", 50.0, 100), ("p90", 90.0, 100),
                                     ("p35_of_5", 35.0, 5), ("p100", 100.0, 100)):
        history, thresholds = [], []
        for norm in norms:
            history.append(norm)
            history = history[-window:]
            thresholds.append(float(np.percentile(history, percentile)))
        cases[name] = {
            "source": "numpy, as in github.com/pseeth/autoclip",
            "rule": "the threshold is the percentile of the norms so far, the present one among them",
            "settings": {"percentile": percentile, "window": window},
            "norms": norms,
            "thresholds": thresholds,
            "clipped_norms": [min(n, t) for n, t in zip(norms, thresholds)],
        }
    return cases


def noise():
    eta, gamma = 0.3, 0.55
    return {
        "eta0.3": {
            "source": "optax 0.2.8 add_noise, by its formula",
            "rule": "the standard deviation at step t = 0, 1, ... is sqrt(eta / (1 + t)^gamma)",
            "settings": {"eta": eta, "gamma": gamma},
            "sigmas": [math.sqrt(eta / (1 + t) ** gamma) for t in range(100)],
        }
    }


def loss_scale():
    """PyTorch's GradScaler on the CPU, step by step."""
    cases = {}
    plans = {
        "short": ([True, True, False, True, True, True, False, False, True, True, True, True], 2.0**16, 3),
        "to_the_top": ([True] * 4, 2.0**126, 1),
        "from_the_start": ([False, False, False, True, True], 2.0**16, 2),
    }
    for name, (finite, init, interval) in plans.items():
        scaler = torch.amp.GradScaler("cpu", init_scale=init, growth_interval=interval)
        param = torch.nn.Parameter(torch.zeros(1, dtype=torch.float32))
        optim = torch.optim.SGD([param], lr=1.0)
        scales, weights = [], []
        for ok in finite:
            optim.zero_grad()
            factor = 0.25 if ok else float("inf")
            scaler.scale((param * factor).sum()).backward()
            scaler.step(optim)
            scaler.update()
            scales.append(scaler.get_scale())
            weights.append(param.item())
        cases[name] = {
            "source": f"PyTorch {torch.__version__} torch.amp.GradScaler on the CPU",
            "rule": "the scale after each step; a step whose gradients are finite moves the weight by -0.25",
            "settings": {"init_scale": init, "growth_interval": interval},
            "finite": finite,
            "scales": scales,
            "weights": weights,
        }
    return cases


def accumulation():
    """The gradient of the mean loss of all samples, which micro-batches must add up to."""
    inputs, targets = wave((7, 3), 1.0, 0.2), wave((7, 2), 1.0, 0.5)
    weight = torch.nn.Parameter(torch.tensor(wave((3, 2), 0.5, 0.9)))
    loss = ((torch.tensor(inputs) @ weight - torch.tensor(targets)) ** 2).mean()
    loss.backward()
    return {
        "seven": {
            "source": f"PyTorch {torch.__version__}, one batch of 7",
            "rule": "the mean over samples and outputs of (x W - y)^2",
            "inputs": flat(inputs),
            "targets": flat(targets),
            "weight": flat(weight.detach().numpy()),
            "grad": flat(weight.grad.numpy()),
        }
    }


if __name__ == "__main__":
    groups = {
        "versions": {"torch": torch.__version__, "optax": optax.__version__,
                     "timm": timm.__version__, "numpy": np.__version__},
        "agc": agc(),
        "clip_value": clip_value(),
        "centralize": centralize(),
        "auto_clip": auto_clip(),
        "grad_noise": noise(),
        "loss_scale": loss_scale(),
        "accumulation": accumulation(),
    }
    path = Path(__file__).with_name("gradients.json")
    path.write_text(json.dumps(groups, indent=1) + "\n")
