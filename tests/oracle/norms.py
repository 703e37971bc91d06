"""Write norms.json beside this script: reference values for normalisation, weight norms, penalties and constraints.

Where a library has the rule, the library computes the value (PyTorch, Keras); where none here has it, PyTorch computes
the formula in the entry. Everything is float64 but for Keras, which is float32. README.md has the layout and how to run.
"""

from pathlib import Path

from oracle import plain, render, versions  # first: it tells jax to calculate in float64

import keras
import numpy as np
import torch
from torch.nn.utils import parametrizations

TARGET = Path(__file__).resolve().with_suffix(".json")
torch.set_default_dtype(torch.float64)


def grid(*shape, step=0.7, scale=2.0):
    """Numbers without pattern or chance, the same ones that the tests make: scale sin(step i) + 0.1 i / n."""
    n = int(np.prod(shape))
    return torch.tensor([scale * np.sin(step * i) + 0.1 * i / n for i in range(1, n + 1)]).reshape(shape)


def entry(source, rule, settings, **values):
    return {"source": source, "rule": rule, "settings": settings, "values": {k: flat(v) for k, v in values.items()}}


def flat(value):
    return value.detach().flatten().tolist() if isinstance(value, torch.Tensor) else np.asarray(value).flatten().tolist()


def batch_norm(layer, batches, parts=None):
    """Trains on the batches, cut into parts, and evaluates the last one."""
    with torch.no_grad():
        layer.weight.copy_(grid(layer.num_features, step=1.3) + 3.0)
        layer.bias.copy_(grid(layer.num_features, step=0.4))
    outputs, means, variances, gradient = [], [], [], None
    for batch in batches:
        x = batch.clone().requires_grad_()
        y = torch.cat([layer(part) for part in (x.split(parts) if parts else [x])])
        outputs.append(y)
        means.append(layer.running_mean.clone())
        variances.append(layer.running_var.clone())
        layer.zero_grad()
        (y * grid(*y.shape, step=0.9)).sum().backward()
        gradient = x.grad
    evaluated = layer.eval()(batches[-1])
    return dict(
        outputs=torch.cat([y.flatten() for y in outputs]), means=torch.cat(means), variances=torch.cat(variances),
        input_gradient=gradient, gamma_gradient=layer.weight.grad, beta_gradient=layer.bias.grad, evaluated=evaluated,
    )


def batch_norm_cases():
    flat_batches = [grid(4, 3, step=0.3 + 0.2 * i) for i in range(3)]
    maps = [grid(2, 3, 2, 2, step=0.3 + 0.2 * i) for i in range(3)]
    ghosts = [grid(10, 3, step=0.3 + 0.2 * i) for i in range(3)]
    one = {"momentum": 0.1, "epsilon": 1e-5}
    other = {"momentum": 0.3, "epsilon": 1e-3}
    return {
        "vectors": entry("torch BatchNorm1d", "unbiased running variance", one | {"shape": [4, 3]},
                         **batch_norm(torch.nn.BatchNorm1d(3), flat_batches)),
        "maps": entry("torch BatchNorm2d", "unbiased running variance", other | {"shape": [2, 3, 2, 2]},
                      **batch_norm(torch.nn.BatchNorm2d(3, eps=1e-3, momentum=0.3), maps)),
        "ghosts": entry("torch BatchNorm1d on parts of 3, 3 and 4", "each part updates the statistics",
                        one | {"shape": [10, 3], "ghost_size": 4},
                        **batch_norm(torch.nn.BatchNorm1d(3), ghosts, parts=[3, 3, 4])),
    }


def weight_norm(layer, dim):
    with torch.no_grad():
        layer.weight.copy_(grid(*layer.weight.shape))
    parametrizations.weight_norm(layer, dim=dim)
    g, v = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    with torch.no_grad():
        g.mul_(grid(*g.shape, step=1.1, scale=0.5) + 1.5)
    w = layer.weight
    (w * grid(*w.shape, step=0.9)).sum().backward()
    return dict(v=v, g=g, weight=w, v_gradient=v.grad, g_gradient=g.grad)


def weight_norm_cases():
    rule = "g v / |v| for each unit; g is that of the weights times a grid"
    source = "torch parametrizations.weight_norm"
    return {
        "linear": entry(source, rule, {"shape": [4, 3]}, **weight_norm(torch.nn.Linear(3, 4), 0)),
        "convolution": entry(source, rule, {"shape": [4, 2, 3, 3]}, **weight_norm(torch.nn.Conv2d(2, 4, 3), 0)),
        "transposed": entry(source + ", dim=1", rule, {"shape": [2, 4, 3, 3]},
                            **weight_norm(torch.nn.ConvTranspose2d(2, 4, 3), 1)),
    }


def spectral_norm(layer, dim, iterations):
    with torch.no_grad():
        layer.weight.copy_(grid(*layer.weight.shape))
    parametrizations.spectral_norm(layer, dim=dim, n_power_iterations=iterations)
    norm = layer.parametrizations.weight[0]
    for vector in [norm._u, norm._v]:
        start = torch.cos(torch.arange(1, len(vector) + 1, dtype=torch.float64))
        vector.copy_(start / start.norm())
    norm.train()
    original, us, vs, weights = layer.parametrizations.weight.original, [], [], []
    for _ in range(3):
        w = layer.weight
        us.append(norm._u.clone())
        vs.append(norm._v.clone())
        weights.append(w.flatten())
        original.grad = None
        (w * grid(*w.shape, step=0.9)).sum().backward()
    matrix = original.detach().movedim(dim, 0).flatten(1)
    sigma = torch.linalg.matrix_norm(matrix, 2)
    return dict(u=torch.cat(us), v=torch.cat(vs), weights=torch.cat(weights), gradient=original.grad, sigma=sigma)


def spectral_norm_cases():
    rule = "three uses in training, from u and v of cos(1), cos(2), ... at length 1; the gradient at the last"
    source = "torch parametrizations.spectral_norm"
    return {
        "linear": entry(source, rule, {"shape": [4, 3], "iterations": 1}, **spectral_norm(torch.nn.Linear(3, 4), 0, 1)),
        "convolution": entry(source, rule, {"shape": [4, 2, 3, 3], "iterations": 2},
                             **spectral_norm(torch.nn.Conv2d(2, 4, 3), 0, 2)),
        "transposed": entry(source + ", dim=1", rule, {"shape": [2, 4, 3, 3], "iterations": 1},
                            **spectral_norm(torch.nn.ConvTranspose2d(2, 4, 3), 1, 1)),
    }


def standardized(denominator, epsilon):
    weight = grid(4, 2, 3, 3).requires_grad_()
    centred = weight - weight.mean(dim=(1, 2, 3), keepdim=True)
    w = centred / denominator(weight, epsilon)
    (w * grid(*w.shape, step=0.9)).sum().backward()
    return dict(weight=w, gradient=weight.grad)


def timm_standardized(epsilon):
    # The call of timm's StdConv2d: batch norm in training mode, of the weight with the units as channels.
    weight = grid(4, 2, 3, 3).requires_grad_()
    w = torch.nn.functional.batch_norm(
        weight.reshape(1, 4, -1), None, None, training=True, momentum=0.0, eps=epsilon
    ).reshape_as(weight)
    (w * grid(*w.shape, step=0.9)).sum().backward()
    return dict(weight=w, gradient=weight.grad)


def standardization_cases():
    def deviation(unbiased):
        return lambda w, eps: w.std(dim=(1, 2, 3), keepdim=True, unbiased=unbiased) + eps

    shape = {"shape": [4, 2, 3, 3]}
    return {
        "population": entry("torch, by the code of timm's StdConv2d", "(w - mean) / sqrt(var + eps)",
                            shape | {"epsilon": 1e-6}, **timm_standardized(1e-6)),
        "population_plus": entry("torch, by the code of Composer", "(w - mean) / (std + eps)",
                                 shape | {"epsilon": 1e-5}, **standardized(deviation(False), 1e-5)),
        "sample_plus": entry("torch, by the code of Qiao et al.", "(w - mean) / (sample std + eps)",
                             shape | {"epsilon": 1e-5}, **standardized(deviation(True), 1e-5)),
    }


def penalty_cases():
    w = grid(3, 4).requires_grad_()
    with torch.no_grad():
        w[1, 2] = 0.0
    (0.03 * w.abs().sum() + 0.2 * w.square().sum()).backward()
    by_keras = float(keras.regularizers.L1L2(l1=0.03, l2=0.2)(w.detach().numpy().astype("float32")))
    alpha, ratio = 0.4, 0.25
    elastic = alpha * ratio * w.abs().sum() + 0.5 * alpha * (1 - ratio) * w.square().sum()
    return {
        "l1_l2": entry("keras L1L2; the gradient torch", "l1 |w| + l2 w^2; w[1, 2] is 0",
                       {"shape": [3, 4], "l1": 0.03, "l2": 0.2}, value=[by_keras], gradient=w.grad),
        "elastic_net": entry("torch, by the formula of scikit-learn", "alpha r |w| + alpha (1 - r) / 2 w^2; w[1, 2] is 0",
                             {"shape": [3, 4], "alpha": alpha, "l1_ratio": ratio}, value=[elastic.item()]),
    }


def constraint_cases():
    def by_keras(constraint, weight):
        return np.asarray(keras.ops.convert_to_numpy(constraint(weight.numpy().astype("float32"))))

    dense = grid(3, 4)  # [in, out] in Keras and in Burn
    filters = grid(4, 2, 3, 3)  # [out, in, ...] in Burn, [..., in, out] in Keras
    turned = filters.permute(2, 3, 1, 0)
    max_norm, unit_norm = keras.constraints.MaxNorm, keras.constraints.UnitNorm
    back = lambda weight: np.transpose(weight, (3, 2, 0, 1))
    return {
        "max_norm_dense": entry("keras MaxNorm", "axis=0", {"shape": [3, 4], "max_norm": 2.5},
                                weight=by_keras(max_norm(2.5, axis=0), dense)),
        "max_norm_filters": entry("keras MaxNorm, in Burn's layout", "axis=[0, 1, 2]",
                                  {"shape": [4, 2, 3, 3], "max_norm": 6.0},
                                  weight=back(by_keras(max_norm(6.0, axis=[0, 1, 2]), turned))),
        "unit_norm_dense": entry("keras UnitNorm", "axis=0", {"shape": [3, 4]},
                                 weight=by_keras(unit_norm(axis=0), dense)),
        "unit_norm_filters": entry("keras UnitNorm, in Burn's layout", "axis=[0, 1, 2]", {"shape": [4, 2, 3, 3]},
                                   weight=back(by_keras(unit_norm(axis=[0, 1, 2]), turned))),
    }


def depth_cases():
    rates = [x.item() for x in torch.linspace(0, 0.1, 5)]
    return {
        "from_zero": entry("torch.linspace, as timm calls it", "linspace(0, max, depth)", {"max": 0.1, "depth": 5}, probs=rates),
        "from_share": entry("numpy, by the paper's formula", "max (l + 1) / depth", {"max": 0.1, "depth": 5},
                            probs=[0.1 * (i + 1) / 5 for i in range(5)]),
    }


def main():
    norms = {
        "versions": versions(),
        "batch_norm": batch_norm_cases(),
        "weight_norm": weight_norm_cases(),
        "spectral_norm": spectral_norm_cases(),
        "weight_standardization": standardization_cases(),
        "penalties": penalty_cases(),
        "constraints": constraint_cases(),
        "drop_path": depth_cases(),
    }
    TARGET.write_text(render(plain(norms)) + "\n")


if __name__ == "__main__":
    main()
