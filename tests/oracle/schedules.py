"""Write schedules.json beside this script: learning rates of PyTorch, optax and Keras, step by step.

Where a library has the schedule, the library computes the rates; elsewhere a few lines of Python do, by the formula
in the entry. Everything is float64, except Keras, which computes schedules in float32. Steps count from 0.
README.md has the layout and how to run.
"""

import math
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import keras
import optax
import torch
from pytorch_optimizer.lr_scheduler import REXScheduler
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

from oracle import render

TARGET = Path(__file__).resolve().parent / "schedules.json"


def entry(source, rule, settings, values, **more):
    return {"source": source, "rule": rule, "settings": settings, "values": [float(v) for v in values], **more}


# ---------------------------------------------------------------- schedules

def optimizer(lr=1.0):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def with_torch(make, count, settings, rule="the rate used at step 0, 1, ...", lr=1.0):
    sgd = optimizer(lr)
    schedule = make(sgd)
    values = []
    for step in range(count):
        values.append(sgd.param_groups[0]["lr"])
        sgd.step()
        if step + 1 < count:
            schedule.step()
    return entry(f"torch.optim.{type(schedule).__name__}", rule, {"lr": lr, **settings}, values)


def torch_case(schedule_class, count, lr=1.0, **settings):
    return with_torch(lambda sgd: schedule_class(sgd, **settings), count, settings, lr=lr)


def with_optax(name, count, **settings):
    schedule = getattr(optax, name)(**settings)
    return entry(f"optax.{name}", "the rate at step 0, 1, ...", settings, [schedule(step) for step in range(count)])


def with_keras(name, count, **settings):
    schedule = getattr(keras.optimizers.schedules, name)(**settings)
    return entry(f"keras.optimizers.schedules.{name}", "the rate at step 0, 1, ...; float32", settings,
                 [schedule(step) for step in range(count)])


def with_pytorch_optimizer(count, **settings):
    schedule = REXScheduler(optimizer(), **settings)
    rates = [schedule.get_lr(), *(schedule.step() for _ in range(count - 1))]  # its constructor takes the first step
    return entry("pytorch_optimizer", "REX, the rate at step 0, 1, ...", {"steps": settings["total_steps"], **settings}, rates)


def by_rule(rule, settings, values):
    return entry("python", rule, settings, values)


def sequence(sgd, milestone):
    first = lr_scheduler.LinearLR(sgd, start_factor=0.1, total_iters=5)
    then = lr_scheduler.CosineAnnealingLR(sgd, T_max=5)
    return lr_scheduler.SequentialLR(sgd, [first, then], milestones=[milestone])


def fge(t, high=0.05, low=1e-4):
    return high * (1 - 2 * t) + low * 2 * t if t < 0.5 else low * (2 - 2 * t) + high * (2 * t - 1)


def wsd(step, warmup=2, steps=10, decay=4, shape=lambda p: 1 - p):
    if step < warmup:
        return (step + 1) / warmup
    return shape(max(0.0, (step - (steps - decay)) / decay))


def schedule_cases():
    S = lr_scheduler
    sgdr = [
        {"init_value": 0.0, "peak_value": 1.0, "decay_steps": 5, "warmup_steps": 1},
        {"init_value": 0.0, "peak_value": 0.5, "decay_steps": 5, "warmup_steps": 1},
    ]
    cyclic = {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 2, "cycle_momentum": False}
    wide = {"base_lr": 0.2, "max_lr": 0.8, "step_size_up": 2, "step_size_down": 3, "cycle_momentum": False}
    one_cycle = {"max_lr": 1.0, "cycle_momentum": False}
    three = {**one_cycle, "anneal_strategy": "linear", "three_phase": True}
    return {
        "torch_multistep": torch_case(S.MultiStepLR, 10, milestones=[2, 5], gamma=0.1),
        "torch_cosine": torch_case(S.CosineAnnealingLR, 10, T_max=5, eta_min=0.1),
        "torch_restarts": torch_case(S.CosineAnnealingWarmRestarts, 22, T_0=3, T_mult=2),
        "torch_restarts_equal_min": torch_case(S.CosineAnnealingWarmRestarts, 12, T_0=4, T_mult=1, eta_min=0.2),
        "torch_poly": torch_case(S.PolynomialLR, 10, total_iters=5, power=2.0),
        "torch_linear": torch_case(S.LinearLR, 10, start_factor=0.1, total_iters=5),
        "torch_sequence": with_torch(lambda sgd: sequence(sgd, 5), 10, {"milestone": 5}),
        "torch_onecycle": torch_case(S.OneCycleLR, 10, total_steps=10, **one_cycle),
        "torch_onecycle_37": torch_case(S.OneCycleLR, 37, total_steps=37, pct_start=0.27, **one_cycle),
        "torch_onecycle_three": torch_case(S.OneCycleLR, 10, total_steps=10, **three),
        "torch_onecycle_three_37": torch_case(S.OneCycleLR, 37, total_steps=37, pct_start=0.27, **three),
        "torch_cyclic": torch_case(S.CyclicLR, 12, **cyclic),
        "torch_cyclic_wide": torch_case(S.CyclicLR, 12, **wide),
        "torch_cyclic2": torch_case(S.CyclicLR, 12, mode="triangular2", **cyclic),
        "torch_cyclic_exp": torch_case(S.CyclicLR, 12, mode="exp_range", gamma=0.9, **cyclic),
        "torch_swalr_cos": torch_case(SWALR, 10, swa_lr=0.1, anneal_epochs=5),
        "torch_swalr_linear": torch_case(SWALR, 10, swa_lr=0.1, anneal_epochs=5, anneal_strategy="linear"),
        "optax_warmup_cosine": with_optax(
            "warmup_cosine_decay_schedule", 10,
            init_value=0.0, peak_value=1.0, warmup_steps=3, decay_steps=8, end_value=0.1,
        ),
        "optax_cosine": with_optax("cosine_decay_schedule", 10, init_value=0.7, decay_steps=6, alpha=0.1),
        "optax_poly": with_optax(
            "polynomial_schedule", 10, init_value=1.0, end_value=0.1, power=2, transition_steps=5,
        ),
        "optax_onecycle": with_optax("cosine_onecycle_schedule", 12, transition_steps=10, peak_value=1.0),
        "optax_onecycle_37": with_optax(
            "cosine_onecycle_schedule", 39, transition_steps=37, peak_value=1.0, pct_start=0.27,
        ),
        "optax_onecycle_linear": with_optax("linear_onecycle_schedule", 12, transition_steps=10, peak_value=1.0),
        "optax_onecycle_linear_37": with_optax(
            "linear_onecycle_schedule", 39, transition_steps=37, peak_value=1.0, pct_start=0.27,
        ),
        "optax_sgdr": entry("optax.sgdr_schedule", "two cycles, each with a warm-up of one step", {},
                            [optax.sgdr_schedule(sgdr)(step) for step in range(10)]),
        "optax_join": entry(
            "optax.join_schedules", "linear 0.1 to 1 in 4 steps, until 6; then cosine 1 to 0 in 5", {},
            [optax.join_schedules([optax.linear_schedule(0.1, 1.0, 4), optax.cosine_decay_schedule(1.0, 5)], [6])(step)
             for step in range(12)],
        ),
        "keras_restarts": with_keras(
            "CosineDecayRestarts", 20, initial_learning_rate=1.0, first_decay_steps=3, t_mul=2.0, m_mul=0.5, alpha=0.1,
        ),
        "keras_poly": with_keras(
            "PolynomialDecay", 10, initial_learning_rate=1.0, decay_steps=6, end_learning_rate=0.2, power=0.5,
        ),
        "noam": by_rule("d^-0.5 min(s^-0.5, s w^-1.5), s = step + 1", {"d": 512, "w": 4},
                        [512**-0.5 * min(s**-0.5, s * 4**-1.5) for s in range(1, 13)]),
        "wsd_linear": by_rule("warm-up 2, decay over the last 4 of 10, linear to 0", {},
                              [wsd(step) for step in range(11)]),
        "wsd_sqrt": by_rule("warm-up 2, decay over the last 4 of 10, 1 - sqrt(p)", {},
                            [wsd(step, shape=lambda p: 1 - math.sqrt(p)) for step in range(11)]),
        "wsd_cosine": by_rule("warm-up 2, decay over the last 4 of 10, (1 + cos(pi p)) / 2", {},
                              [wsd(step, shape=lambda p: (1 + math.cos(math.pi * p)) / 2) for step in range(11)]),
        "snapshot_cosine": by_rule("Huang et al. 2017: (cos(pi mod(t, T/M) / (T/M)) + 1) / 2", {"T": 10, "M": 2},
                                   [0.5 * (math.cos(math.pi * (t % 5) / 5) + 1) for t in range(10)]),
        "rex": with_pytorch_optimizer(13, total_steps=10, max_lr=0.3, min_lr=0.01),
        "fge": by_rule("Garipov et al. 2018: a triangle from 0.05 to 1e-4 and back in 4 steps", {},
                       [fge(t % 4 / 4) for t in range(9)]),
    }


# ---------------------------------------------------------------- reduce on plateau: the rate after each check

FALLING = [5.0, 4.0, 4.0, 4.1, 3.0, 3.0, 3.0, 3.0, 2.9999, 3.2, 3.1, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
NEGATIVE = [-value for value in reversed(FALLING)]
WITH_NAN = [3.0, math.nan, 3.0, 2.0, math.nan, math.nan, 2.0, 2.0]


def plateau_entry(source, settings, metrics, values):
    metrics = [str(m) if math.isnan(m) else m for m in metrics]
    return entry(source, "the rate after each check of a metric, from 1", settings, values, metrics=metrics)


def plateau_with_torch(metrics, **settings):
    sgd = optimizer()
    schedule = lr_scheduler.ReduceLROnPlateau(sgd, **settings)
    values = []
    for metric in metrics:
        schedule.step(metric)
        values.append(sgd.param_groups[0]["lr"])
    return plateau_entry("torch.optim.lr_scheduler.ReduceLROnPlateau", settings, metrics, values)


def plateau_with_keras(metrics, **settings):
    class Model:
        def __init__(self):
            self.optimizer = keras.optimizers.SGD(learning_rate=1.0)

    callback = keras.callbacks.ReduceLROnPlateau(monitor="loss", verbose=0, **settings)
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    values = []
    for epoch, metric in enumerate(metrics):
        callback.on_epoch_end(epoch, {"loss": metric})
        values.append(float(model.optimizer.learning_rate))
    return plateau_entry("keras.callbacks.ReduceLROnPlateau", settings, metrics, values)


def plateau_with_optax(metrics, **settings):
    plateau = optax.contrib.reduce_on_plateau(**settings)
    weight = jnp.array([0.0])
    state = plateau.init(weight)
    values = []
    for metric in metrics:
        _, state = plateau.update(weight, state, value=jnp.asarray(metric))
        values.append(float(state.scale))
    return plateau_entry("optax.contrib.reduce_on_plateau", settings, metrics, values)


def plateau_cases():
    same = [1.0] * 10
    short = {"patience": 2, "factor": 0.5}
    return {
        "torch_constant": plateau_with_torch(same, **short),
        "torch_cooldown": plateau_with_torch(same, cooldown=2, **short),
        "torch_falling": plateau_with_torch(FALLING, cooldown=1, **short),
        "torch_default": plateau_with_torch([1.0] * 26),
        "torch_min_lr": plateau_with_torch([1.0] * 12, patience=0, factor=0.5, min_lr=0.1),
        "torch_max": plateau_with_torch([0.1, 0.5, 0.5, 0.4, 0.6, 0.6, 0.6, 0.6], mode="max", **short),
        "torch_nan": plateau_with_torch(WITH_NAN, patience=1, factor=0.5),
        "torch_absolute": plateau_with_torch(FALLING, threshold=0.05, threshold_mode="abs", **short),
        "torch_negative_absolute": plateau_with_torch(
            NEGATIVE, threshold_mode="abs", patience=0, factor=0.5),
        "torch_negative_relative_bug": plateau_with_torch([-1.0] * 5, patience=0, factor=0.5),
        "keras_constant": plateau_with_keras(same, **short),
        "keras_cooldown": plateau_with_keras(same, cooldown=3, **short),
        "keras_falling": plateau_with_keras(FALLING, cooldown=2, min_delta=0.05, **short),
        "keras_default": plateau_with_keras([1.0] * 23),
        "optax_constant": plateau_with_optax(same, **short),
        "optax_cooldown": plateau_with_optax(same, cooldown=2, **short),
        "optax_falling": plateau_with_optax(FALLING, cooldown=1, rtol=1e-2, **short),
        "optax_min_scale": plateau_with_optax([1.0] * 12, patience=1, factor=0.5, min_scale=0.1),
        "optax_default": plateau_with_optax([1.0] * 23),
        "optax_negative_bug": plateau_with_optax([-1.0] * 5, patience=1, factor=0.5),
    }


def main():
    groups = {"schedules": schedule_cases(), "plateau": plateau_cases()}
    versions = {library.__name__: library.__version__ for library in (torch, optax, jax, keras)}
    TARGET.write_text(render({"versions": versions, **groups}) + "\n", encoding="utf-8")
    print(f"{TARGET.name}: " + ", ".join(f"{len(cases)} {group}" for group, cases in groups.items()))


if __name__ == "__main__":
    main()
