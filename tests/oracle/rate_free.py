"""Steps whose length is not a setting, in float64: `rate_free.json`.

Prodigy subtracts weights that hardly differ while d is small, so in float32 a few digits of the difference are left.
`f32_off` says how far the authors' own program is from itself there: for each step the largest distance so far between
its runs in float32 and in float64, of d relative to d, of the weights relative to the largest weight, about 1.

Polyak's step by optax, Prodigy by its authors' `prodigyopt`, on the network and the data of `sam.py`.
"""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
import prodigyopt
import torch

jax.config.update("jax_enable_x64", True)

SHAPES = [(4, 3), (3,), (3, 2), (2,)]


def wave(shape, phase, dtype=torch.float64):
    count = math.prod(shape)
    numbers = [math.sin(1.7 * i + phase) for i in range(count)]
    return torch.tensor(numbers, dtype=torch.float64).to(dtype).reshape(shape)


def batch(step, dtype=torch.float64):
    return wave((5, 4), step + 0.1, dtype), wave((5, 2), step + 0.2, dtype)


def start(dtype=torch.float64):
    return [wave(s, k + 0.5, dtype) for k, s in enumerate(SHAPES)]


def flat(params):
    return [float(number) for p in params for number in p.flatten().tolist()]


def polyak(steps=10, **options):
    params = [jnp.asarray(p.numpy()) for p in start()]

    def loss(params, inputs, targets):
        w1, b1, w2, b2 = params
        return ((jnp.tanh(inputs @ w1 + b1) @ w2 + b2 - targets) ** 2).mean()

    solver = optax.polyak_sgd(**options)
    state = solver.init(params)
    rows = []
    for step in range(steps):
        inputs, targets = (jnp.asarray(t.numpy()) for t in batch(step))
        value, grads = jax.value_and_grad(loss)(params, inputs, targets)
        updates, state = solver.update(grads, state, params, value=value)
        params = optax.apply_updates(params, updates)
        rows.append(flat(params))
    return rows


def run_prodigy(dtype, rates, **options):
    params = [p.requires_grad_() for p in start(dtype)]
    optimizer = prodigyopt.Prodigy(params, lr=1.0, **options)
    rows, estimates = [], []
    for step, lr in enumerate(rates):
        inputs, targets = batch(step % 4, dtype)
        w1, b1, w2, b2 = params
        optimizer.zero_grad()
        ((torch.tanh(inputs @ w1 + b1) @ w2 + b2 - targets) ** 2).mean().backward()
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        rows.append(flat(params))
        estimates.append(optimizer.param_groups[0]["d"])
    return rows, estimates


def prodigy(rates, **options):
    rows, estimates = run_prodigy(torch.float64, rates, **options)
    rows_f32, estimates_f32 = run_prodigy(torch.float32, rates, **options)
    of_d = [abs(one / other - 1.0) for one, other in zip(estimates_f32, estimates)]
    of_weights = [max(abs(a - b) for a, b in zip(one, other)) for one, other in zip(rows_f32, rows)]
    so_far = lambda numbers: [max(numbers[: step + 1]) for step in range(len(numbers))]
    off = {"d": so_far(of_d), "weights": so_far(of_weights)}
    return {"rates": rates, "weights": rows, "d": estimates, "f32_off": off}


def main():
    polyak_cases = {
        "default": {},
        "long_steps": {"max_learning_rate": 10.0},
        "all": {"max_learning_rate": 0.7, "f_min": 0.3, "eps": 0.05, "variant": "sps+"},
    }
    ramp = [min(1.0, (step + 1) / 5) * (1.0 - step / 30) for step in range(25)]
    out = {
        "versions": {
            "torch": torch.__version__.split("+")[0],
            "optax": optax.__version__,
            "prodigyopt": "1.1.2",
        },
        "polyak": {
            name: {"source": "optax.polyak_sgd", "settings": settings, "weights": polyak(**settings)}
            for name, settings in polyak_cases.items()
        },
        "prodigy": {
            "default": prodigy([1.0] * 25),
            "large_d0": prodigy([1.0] * 25, d0=1e-2),
            "all": prodigy(
                ramp,
                betas=(0.8, 0.99),
                beta3=0.98,
                eps=1e-4,
                weight_decay=0.05,
                use_bias_correction=True,
                safeguard_warmup=True,
                d0=1e-5,
                d_coef=40.0,
                growth_rate=1.5,
            ),
        },
    }
    Path(__file__).with_name("rate_free.json").write_text(json.dumps(out, indent=1) + "\n")


main()
