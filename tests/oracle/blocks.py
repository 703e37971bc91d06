"""Write blocks.json beside this script: residual and Inception blocks and networks, computed by PyTorch.

Every weight is written down under the path that it has in Burn, in Burn's layout (linear weights are [in, out]). Values
come from a formula, so that the file can be read without a generator. Everything is float64.
"""

import math
from pathlib import Path

from oracle import plain, render, versions

import torch
from torch.nn import functional as F

TARGET = Path(__file__).resolve().with_suffix(".json")
torch.set_default_dtype(torch.float64)


class Weights:
    """Hands out weights by path, and remembers them."""

    def __init__(self):
        self.values = {}

    def take(self, path, shape, around=0.0, scale=0.4):
        start = 31 * len(self.values) + 7
        flat = [around + scale * math.sin(0.9 * (start + at) ** 1.1) for at in range(math.prod(shape))]
        flat = [round(value, 3) for value in flat]
        self.values[path] = flat
        return torch.tensor(flat).reshape(shape)

    def linear(self, path, inputs, outputs, bias=True):
        weight = self.take(f"{path}.weight", (inputs, outputs))
        return weight.T, self.take(f"{path}.bias", (outputs,)) if bias else None

    def unit(self, path, inputs, outputs, size, norm, stride=1):
        """A convolution with a batch norm in front, behind (which takes the bias), or none, as (linear, pre)."""
        weight = self.take(f"{path}.conv.weight", (outputs, inputs, size, size))
        bias = None if norm == "behind" else self.take(f"{path}.conv.bias", (outputs,))
        channels = {"front": inputs, "behind": outputs}.get(norm)
        normalise = self.norm(f"{path}.norm", channels) if channels else lambda x: x

        def conv(x):
            return F.conv2d(x, weight, bias, stride=stride, padding=size // 2)

        return lambda x: normalise(conv(x)), lambda x: conv(F.relu(normalise(x)))

    def norm(self, path, channels):
        gamma, beta = self.take(f"{path}.gamma", (channels,), 1.0), self.take(f"{path}.beta", (channels,))
        mean = self.take(f"{path}.running_mean", (channels,))
        variance = self.take(f"{path}.running_var", (channels,), 1.0)
        return lambda x: F.batch_norm(x, mean, variance, gamma, beta, training=False, eps=1e-5)


def signal(*shape):
    return torch.tensor([round(math.cos(1.7 * at**1.05), 6) for at in range(math.prod(shape))]).reshape(shape)


def entry(rule, settings, weights, inputs, output):
    return {
        "source": "torch", "rule": rule, "settings": settings, "weights": weights.values,
        "inputs": inputs.flatten().tolist(), "shape": list(output.shape),
        "values": output.flatten().tolist(),
    }


def residual_linear(placement, projection, scale):
    weights, outputs = Weights(), 4 if projection else 3
    first = weights.linear("branch.0", 3, 5)
    second = weights.linear("branch.2", 5, outputs)
    shortcut = weights.linear("shortcut.Linear", 3, 4, bias=False)[0] if projection else None
    gamma = weights.take("scale.gamma", (outputs if scale == "layer_scale" else 1,)) if scale else 1.0
    x = signal(2, 3)
    inner = torch.tanh(x) if placement == "Pre" else x
    y = (F.linear(x, shortcut) if projection else x) + gamma * F.linear(F.relu(F.linear(inner, *first)), *second)
    y = torch.tanh(y) if placement == "Post" else y
    settings = {"placement": placement, "projection": projection, "scale": scale}
    return entry("S(x) + gamma F(x), a = tanh", settings, weights, x, y)


def residual_images(stride):
    """A block of torchvision's ResNet-18 with a projection, in evaluation."""
    weights = Weights()
    conv1 = weights.take("branch.0.weight", (3, 2, 3, 3))
    norm1 = weights.norm("branch.1", 3)
    conv2 = weights.take("branch.3.weight", (3, 3, 3, 3))
    norm2 = weights.norm("branch.4", 3)
    project, _ = weights.unit("shortcut.Conv", 2, 3, 1, "behind", stride)
    x = signal(1, 2, 5, 4)
    branch = norm2(F.conv2d(F.relu(norm1(F.conv2d(x, conv1, stride=stride, padding=1))), conv2, padding=1))
    y = F.relu(project(x) + branch)
    return entry("relu(norm(conv1x1 x) + norm(conv(relu(norm(conv x)))))", {"stride": stride}, weights, x, y)


def inception_branches(weights, path, channels, one, three, five, pool, norm):
    def post(name, inputs, outputs, size):
        linear, _ = weights.unit(f"{path}{name}", inputs, outputs, size, norm)
        return lambda x: F.relu(linear(x))

    units = [
        post("one", channels, one, 1), post("three_reduce", channels, three[0], 1), post("three", *three, 3),
        post("five_reduce", channels, five[0], 1), post("five", *five, 5), post("pool_project", channels, pool, 1),
    ]

    def forward(x):
        a, b, c, d, e, f = units
        pooled = F.max_pool2d(x, 3, stride=1, padding=1)
        return torch.cat([a(x), c(b(x)), e(d(x)), f(pooled)], 1)

    return forward


def inception_block(batch_norm):
    weights, x = Weights(), signal(1, 2, 5, 4)
    norm = "behind" if batch_norm else None
    # Mostly negative: a pooling that pads with 0 would show.
    x = x - 1.5
    y = inception_branches(weights, "", 2, 2, [2, 3], [1, 2], 1, norm)(x)
    return entry("GoogLeNet's block with its 5x5", {"batch_norm": batch_norm}, weights, x, y)


TWO_STAGES = [(2, 1), (2, 1), (3, 2), (3, 1)]
THREE_STAGES = [(2, 1), (3, 2), (4, 2)]


def res_net(version, batch_norm, scale, stages=TWO_STAGES, images=(2, 1, 8, 8)):
    """`stages`: the width and the stride of each block."""
    weights, x = Weights(), signal(*images)
    norm = {"V1": "behind", "V2": "front"}[version] if batch_norm else None
    stem, _ = weights.unit("stem", 1, 2, 3, "behind" if batch_norm and version == "V1" else None)
    blocks, inputs = [], 2
    for at, (width, stride) in enumerate(stages):
        path = f"blocks.{at}"
        first = weights.unit(f"{path}.branch.first", inputs, width, 3, norm, stride)
        second = weights.unit(f"{path}.branch.second", width, width, 3, norm)
        project = None
        if inputs != width:
            behind = "behind" if batch_norm and version == "V1" else None
            project, _ = weights.unit(f"{path}.shortcut.Conv", inputs, width, 1, behind, stride)
        alpha = weights.take(f"{path}.scale.gamma", (1 if scale == "ReZero" else width,)) if scale else torch.ones(1)
        blocks.append((first, second, project, alpha.reshape(1, -1, 1, 1)))
        inputs = width
    last = weights.norm("last_norm", inputs) if batch_norm and version == "V2" else lambda x: x
    output = weights.linear("output", inputs, 4)

    y = F.relu(stem(x)) if version == "V1" else stem(x)
    for first, second, project, alpha in blocks:
        branch = second[0](F.relu(first[0](y))) if version == "V1" else second[1](first[1](y))
        y = (project(y) if project else y) + alpha * branch
        y = F.relu(y) if version == "V1" else y
    y = F.relu(last(y)) if version == "V2" else y
    y = F.linear(y.mean(dim=(2, 3)), *output)
    settings = {"version": version, "batch_norm": batch_norm, "scale": scale}
    rule = "He et al., two stages of two blocks, widths 2 and 3"
    if stages is THREE_STAGES:
        rule = "He et al., three stages of one block, widths 2, 3 and 4"
    return entry(rule, settings, weights, x, y)


def inception(batch_norm, images=(2, 1, 7, 6)):
    weights, x = Weights(), signal(*images)
    norm = "behind" if batch_norm else None
    stem, _ = weights.unit("stem", 1, 8, 3, norm)
    first = inception_branches(weights, "stages.0.0.", 8, 4, [6, 8], [1, 2], 2, norm)
    second = inception_branches(weights, "stages.1.0.", 16, 8, [12, 16], [2, 4], 4, norm)
    output = weights.linear("output", 32, 3)
    y = first(F.relu(stem(x)))
    y = second(F.max_pool2d(y, 3, stride=2, padding=1))
    y = F.linear(y.mean(dim=(2, 3)), *output)
    return entry("two stages of one block, width 4", {"batch_norm": batch_norm}, weights, x, y)


def inception_28x28():
    """A larger image, through the weights of the case `batch_norm`."""
    case = inception(True, (1, 1, 28, 28))
    case["weights"] = {}
    return case


def main():
    groups = {
        "residual": {
            "post": residual_linear("Post", False, None),
            "pre": residual_linear("Pre", False, None),
            "none": residual_linear("None", False, None),
            "post_projection": residual_linear("Post", True, None),
            "pre_projection_scaled": residual_linear("Pre", True, "layer_scale"),
            "re_zero": residual_linear("None", False, "re_zero"),
            "images_stride_1": residual_images(1),
            "images_stride_2": residual_images(2),
        },
        "inception_block": {"plain": inception_block(False), "batch_norm": inception_block(True)},
        "res_net": {
            "v1": res_net("V1", True, None),
            "v2": res_net("V2", True, None),
            "v1_re_zero_without_norm": res_net("V1", False, "ReZero"),
            "v2_layer_scale": res_net("V2", True, "LayerScale"),
            "v1_28x28": res_net("V1", True, None, THREE_STAGES, (1, 1, 28, 28)),
        },
        "inception": {
            "plain": inception(False), "batch_norm": inception(True), "batch_norm_28x28": inception_28x28(),
        },
    }
    TARGET.write_text(render(plain({"versions": versions(), **groups})) + "\n", encoding="utf-8")
    print(f"{TARGET.name}: " + ", ".join(f"{len(cases)} {group}" for group, cases in groups.items()))


if __name__ == "__main__":
    main()
