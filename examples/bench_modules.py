"""PyTorch's training steps on the networks of `bench_modules`, to set its figures side by side.

    pip install torch
    python examples/bench_modules.py [threads]

Prints, for each module, the median time in milliseconds of a step of the network with it and without it, in turn, and
their ratio. PyTorch is several GB, so nothing runs this but a person.
"""

import statistics
import sys
import time

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)

PROB, GHOST, PLACES = 0.2, 16, 16


class GhostBatchNorm(nn.BatchNorm1d):
    def forward(self, x):
        return torch.cat([super(GhostBatchNorm, self).forward(part) for part in x.split(GHOST)])


class GaussianDropout(nn.Module):
    def forward(self, x):
        return x * torch.empty_like(x).normal_(1.0, (PROB / (1 - PROB)) ** 0.5)


class SpatialDropout(nn.Dropout1d):
    def forward(self, x):
        return super().forward(x.view(len(x), -1, PLACES)).flatten(1)


class DropPath(nn.Module):
    def forward(self, x):
        return x * x.new_empty(len(x), 1).bernoulli_(1 - PROB).div_(1 - PROB)


class Standardized(nn.Module):
    def forward(self, weight):
        variance, mean = torch.var_mean(weight, dim=1, keepdim=True, unbiased=False)
        return (weight - mean) * torch.rsqrt(variance + 1e-5)


class Dropped(nn.Module):
    def forward(self, weight):
        return nn.functional.dropout(weight, PROB)


WEIGHTS = {
    "weight norm": lambda layer: parametrizations.weight_norm(layer),
    "spectral norm": lambda layer: parametrizations.spectral_norm(layer),
    "weight standardisation": lambda layer: parametrize.register_parametrization(layer, "weight", Standardized()),
    "DropConnect": lambda layer: parametrize.register_parametrization(layer, "weight", Dropped()),
}
AFTER_ACTIVATION = {
    "dropout": lambda width: nn.Dropout(PROB),
    "alpha dropout": lambda width: nn.AlphaDropout(PROB),
    "Gaussian dropout": lambda width: GaussianDropout(),
    "spatial dropout": lambda width: SpatialDropout(PROB),
    "drop-path": lambda width: DropPath(),
}
BEFORE_ACTIVATION = {
    "ghost batch norm": lambda width: GhostBatchNorm(width),
    "batch norm": lambda width: nn.BatchNorm1d(width),
    "layer norm": lambda width: nn.LayerNorm(width),
}


def network(name, width):
    layers, inputs = [], 784
    for _ in range(2):
        layers.append(nn.Linear(inputs, width))
        if name in BEFORE_ACTIVATION:
            layers.append(BEFORE_ACTIVATION[name](width))
        layers.append(nn.ReLU())
        if name in AFTER_ACTIVATION:
            layers.append(AFTER_ACTIVATION[name](width))
        inputs = width
    layers.append(nn.Linear(width, 10))
    if name in WEIGHTS:
        for layer in layers:
            if isinstance(layer, nn.Linear):
                WEIGHTS[name](layer)
    return nn.Sequential(*layers)


def training(name, width, batch):
    net = network(name, width)
    optim = torch.optim.SGD(net.parameters(), lr=1e-3, fused=True)
    images, labels = torch.rand(batch, 784), torch.arange(batch) % 10

    def step():
        optim.zero_grad()
        nn.functional.cross_entropy(net(images), labels).backward()
        optim.step()

    return step


def in_turn(ours, other, rounds=60, warm_up=5):
    times = ([], [])
    for i in range(rounds + warm_up):
        for work, into in [(ours, times[0]), (other, times[1])][:: 1 if i % 2 else -1]:
            start = time.perf_counter()
            work()
            into.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(into[warm_up:]) for into in times]


def main():
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for case, (width, batch) in {"mlp": (512, 64), "small": (64, 32)}.items():
        for name in [*WEIGHTS, *AFTER_ACTIVATION, *BEFORE_ACTIVATION]:
            with_it, plain = in_turn(training(name, width, batch), training(None, width, batch))
            print(f"{case:<6} {name:<24} {with_it:9.3f} {plain:9.3f} {with_it / plain:6.2f}", flush=True)


if __name__ == "__main__":
    main()
