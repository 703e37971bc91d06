"""Write networks.json beside this script: layers that gate, normalise or drop feature maps, by timm, torchvision and Keras.

Inputs and weights are sine waves, which the tests make again. Everything is float64 but for Keras, which is float32.
"""

import math
from pathlib import Path
from unittest import mock

from oracle import plain, render, versions  # first: it tells Keras which backend to use

import keras
import numpy as np
import torch
import torchvision
from timm.layers import SEModule, make_divisible
from timm.layers.grn import GlobalResponseNorm
from torch import nn

TARGET = Path(__file__).resolve().with_suffix(".json")
torch.set_default_dtype(torch.float64)


def grid(*shape, step=0.7, scale=2.0):
    """scale sin(step i) + 0.1 i / n, the numbers of the tests."""
    n = math.prod(shape)
    return torch.tensor([scale * math.sin(step * i) + 0.1 * i / n for i in range(1, n + 1)]).reshape(shape)


def flat(value):
    return value.detach().flatten().tolist()


def with_gradient(layer, x):
    x = x.clone().requires_grad_()
    y = layer(x)
    (y * grid(*y.shape, step=0.9)).sum().backward()
    return {"output": flat(y), "gradient": flat(x.grad)}


def drop_block(shape, p, block):
    """torchvision's function, with the blocks that begin at the places given here in place of random ones."""
    begin, seen = None, {}

    def draw(noise, gamma):
        nonlocal begin
        seen["gamma"] = gamma
        places = torch.arange(noise.numel(), dtype=noise.dtype)
        begin = ((places * 7 + 4) % 11 == 0).to(noise.dtype).reshape(noise.shape)
        return noise.copy_(begin)

    with mock.patch.object(torch.Tensor, "bernoulli_", draw):
        y = torchvision.ops.drop_block2d(grid(*shape), p, block, eps=0.0)
    return {
        "source": "torchvision", "settings": {"shape": list(shape), "prob": p, "block_size": block},
        "begin": flat(begin), "gamma": seen["gamma"], "output": flat(y),
    }


def response_norm(channels_last, shape):
    layer = GlobalResponseNorm(3, channels_last=channels_last)
    with torch.no_grad():
        layer.weight.copy_(grid(3, step=1.3))
        layer.bias.copy_(grid(3, step=0.4))
    x = grid(*shape)
    if channels_last:
        x[0, :, :, 1] = 0.0
    else:
        x[0, 1] = 0.0
    return {"source": "timm", "input": flat(x), **with_gradient(layer, x)}


class HardSigmoid(nn.Module):
    """PyTorch's, whose own backward pass rounds the slope 1/6 to `float32`, also for `float64`."""

    def forward(self, x):
        return torch.clamp(x / 6 + 0.5, 0.0, 1.0)


def gates():
    def filled(fc1, fc2, layer):
        with torch.no_grad():
            for step, param in zip([0.3, 0.5, 0.7, 1.1], [fc1.weight, fc1.bias, fc2.weight, fc2.bias]):
                param.copy_(grid(*param.shape, step=step, scale=0.8))
        return layer

    timm = SEModule(6, rd_channels=2)
    hard = torchvision.ops.SqueezeExcitation(6, 2, scale_activation=HardSigmoid)
    x = grid(2, 6, 3, 2)
    return {
        "timm": {"source": "timm", **with_gradient(filled(timm.fc1, timm.fc2, timm), x)},
        "torchvision_hard": {"source": "torchvision", **with_gradient(filled(hard.fc1, hard.fc2, hard), x)},
        "timm_widths": {
            "source": "timm", "channels": [8, 16, 64, 96, 100, 256, 1000],
            "squeezed": [make_divisible(c / 16, 8, round_limit=0.0) for c in [8, 16, 64, 96, 100, 256, 1000]],
        },
    }


def activity(l1, l2):
    layer = keras.layers.ActivityRegularization(l1=l1, l2=l2)
    layer(np.asarray(grid(4, 3, 2), dtype=np.float32))
    return {"source": "keras", "settings": {"l1": l1, "l2": l2}, "penalty": float(layer.losses[0])}


def one_to_one():
    return {
        "eye": {"source": "torch", "shape": [3, 5], "values": flat(nn.init.eye_(torch.empty(3, 5)))},
        **{
            name: {
                "source": "torch", "shape": shape, "groups": groups,
                "values": flat(nn.init.dirac_(torch.empty(shape), groups)),
            }
            for name, shape, groups in [
                ("dirac_1d", [3, 2, 3], 1),
                ("dirac_2d", [4, 3, 3, 5], 1),
                ("dirac_2d_groups", [4, 2, 3, 3], 2),
                ("dirac_3d", [2, 2, 2, 3, 1], 1),
            ]
        },
    }


def main():
    groups = {
        "drop_block": {
            "torchvision": drop_block((2, 3, 7, 6), 0.3, 3),
            "one_pixel": drop_block((1, 2, 4, 5), 0.4, 1),
            "larger_than_the_map": drop_block((2, 2, 5, 5), 0.2, 7),
        },
        "global_response_norm": {
            "second": response_norm(False, (2, 3, 4, 2)),
            "last": response_norm(True, (2, 4, 2, 3)),
        },
        "squeeze_excite": gates(),
        "activity_penalty": {"l1": activity(0.3, 0.0), "l2": activity(0.0, 0.2), "both": activity(0.3, 0.2)},
        "one_to_one": one_to_one(),
    }
    TARGET.write_text(render(plain({"versions": {**versions(), "torchvision": torchvision.__version__}, **groups})) + "\n")
    print(f"{TARGET.name}: " + ", ".join(f"{len(cases)} {group}" for group, cases in groups.items()))


if __name__ == "__main__":
    main()
