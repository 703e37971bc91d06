"""Steps whose length is not a setting, in float64: `rate_free.json`.

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


def wave(shape, phase):
    count = math.prod(shape)
    return torch.tensor([math.sin(1.7 * i + phase) for i in range(count)], dtype=torch.float64).reshape(shape)


def batch(step):
    return wave((5, 4), step + 0.1), wave((5, 2), step + 0.2)


def start():
    return [wave(s, k + 0.5) for k, s in enumerate(SHAPES)]


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


def prodigy(rates, **options):
    params = [p.requires_grad_() for p in start()]
    optimizer = prodigyopt.Prodigy(params, lr=1.0, **options)
    rows, estimates = [], []
    for step, lr in enumerate(rates):
        inputs, targets = batch(step % 4)
        w1, b1, w2, b2 = params
        optimizer.zero_grad()
        ((torch.tanh(inputs @ w1 + b1) @ w2 + b2 - targets) ** 2).mean().backward()
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        rows.append(flat(params))
        estimates.append(optimizer.param_groups[0]["d"])
    return {"rates": rates, "weights": rows, "d": estimates}


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
