"""Write stopping.json beside this script: what Keras's and Lightning's EarlyStopping say, check by check.

The callbacks themselves are run, Keras's on a stand-in for a model and Lightning's by the method that its hooks call
(`_evaluate_stopping_criteria`, on float64). Besides oracle.py's environment it needs

    pip install lightning==2.6.6

Each case holds, per check until the run stops, the count of checks waited and whether the best value changed.
"""

import math
import os
import random
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import keras
import torch
from pytorch_lightning import __version__ as lightning_version
from pytorch_lightning.callbacks import EarlyStopping as LightningStopping

from oracle import EpochCounter, plain, render

TARGET = Path(__file__).resolve().parent / "stopping.json"

KERAS_RULE = ("wait += 1; an improvement, value + min_delta < best (mode min), is the new best, and wait = 0 if it beats the "
              "baseline as well; else stop at wait >= patience, not at epoch 0; epochs before start_from_epoch are not "
              "looked at")
LIGHTNING_RULE = ("not finite (if check_finite): stop; better than stopping_threshold: stop; worse than "
                  "divergence_threshold: stop; an improvement: wait = 0; else wait += 1, stop at wait >= patience")


def trace(source, rule, settings, vals, waited, improved, stop_index, best_index, best_value, reason=None):
    return {
        "source": source, "rule": rule, "settings": settings, "vals": vals, "waited": waited, "improved": improved,
        "stop_index": stop_index, "reason": reason, "best_index": best_index, "best_value": best_value,
    }


def with_keras(vals, patience=0, min_delta=0.0, mode="min", baseline=None, start_from_epoch=0):
    settings = {
        "patience": patience, "min_delta": min_delta, "mode": mode, "baseline": baseline,
        "start_from_epoch": start_from_epoch,
    }
    callback = keras.callbacks.EarlyStopping(monitor="val_loss", restore_best_weights=True, **settings)
    model = EpochCounter()
    callback.set_model(model)
    callback.on_train_begin()
    waited, improved, best_index, stop_index = [], [], None, None
    for epoch, value in enumerate(vals):
        model.weights, before = epoch, callback.best
        callback.on_epoch_end(epoch, {"val_loss": value})
        waited.append(callback.wait)
        improved.append(callback.best is not before)
        if improved[-1]:
            best_index = epoch
        if model.stop_training:
            stop_index = epoch
            break
    best_value = None if callback.best is None else float(callback.best)
    source = "keras.callbacks.EarlyStopping"
    return trace(source, KERAS_RULE, settings, vals, waited, improved, stop_index, best_index, best_value)


def with_lightning(vals, go_on=False, **settings):
    defaults = {
        "patience": 3, "min_delta": 0.0, "mode": "min", "check_finite": True, "stopping_threshold": None,
        "divergence_threshold": None,
    }
    settings = defaults | settings
    callback = LightningStopping(monitor="val_loss", **settings)
    waited, improved, best_index, stop_index = [], [], None, None
    for index, value in enumerate(vals):
        before = callback.best_score
        stop, _ = callback._evaluate_stopping_criteria(torch.tensor(value, dtype=torch.float64))
        waited.append(callback.wait_count)
        improved.append(callback.best_score is not before)
        if improved[-1]:
            best_index = index
        if stop:
            stop_index = index if stop_index is None else stop_index
            if not go_on:
                break
    best_value = None if best_index is None else float(callback.best_score)
    source = "lightning.pytorch.callbacks.EarlyStopping"
    return trace(source, LIGHTNING_RULE, settings, vals, waited, improved, stop_index, best_index, best_value,
                 callback.stopping_reason.name)


def walk(seed, count=30, nan=0.0):
    """A metric that falls and wavers, with a NaN here and there, not at first."""
    draw = random.Random(seed)
    level, values = 2.0, []
    for index in range(count):
        level *= draw.choice([0.8, 0.9, 1.0, 1.05, 1.3])
        values.append(math.nan if index > 0 and draw.random() < nan else level + draw.gauss(0.0, 0.05))
    return values


def keras_cases():
    scripted = {
        "defaults": with_keras([1.0, 0.9, 0.95, 0.8]),
        "patience_1": with_keras([1.0, 0.9, 0.95, 0.8], patience=1),
        "baseline_never": with_keras([1.0, 0.9, 0.8, 0.7, 0.6], patience=2, baseline=0.5),
        "baseline_wavers": with_keras([1.0, 0.9, 0.8, 0.85, 0.4], patience=3, baseline=0.5),
        "baseline_beaten": with_keras([1.0, 0.9, 0.4, 0.45, 0.6, 0.3], patience=2, baseline=0.5),
        "baseline_equal": with_keras([1.0, 0.5, 0.6, 0.7], patience=2, baseline=0.5),
        "baseline_delta": with_keras([1.0, 0.45, 0.3, 0.35, 0.36], patience=2, baseline=0.5, min_delta=0.125),
        "baseline_max": with_keras([0.1, 0.2, 0.6, 0.5, 0.55], patience=2, baseline=0.5, mode="max"),
        "start_3_baseline": with_keras([0.1, 5.0, 4.0, 3.0, 2.0, 2.5, 2.6, 2.7], patience=2, start_from_epoch=3,
                                       baseline=2.5),
        "start_beyond": with_keras([1.0, 2.0, 3.0], start_from_epoch=9),
        "nan_first": with_keras([math.nan, 0.9, 0.8, 0.7, 0.6], patience=3),
        "inf_first": with_keras([math.inf, 0.9, 1.0, 1.1], patience=2),
        "minus_inf": with_keras([1.0, -math.inf, 0.5, 0.4], patience=2),
    }
    walks = {}
    for seed in range(40):
        settings = {
            "patience": seed % 5, "min_delta": [0.0, 0.1][seed % 2], "mode": ["min", "max"][seed // 7 % 2],
            "baseline": [None, 1.5, 0.7][seed % 3], "start_from_epoch": [0, 0, 4][seed // 3 % 3],
        }
        walks[f"walk_{seed}"] = with_keras(walk(seed, nan=0.1), **settings)
    return scripted | walks


def lightning_cases():
    scripted = {
        "defaults": with_lightning([1.0, 0.9, 0.95, 0.9, 0.92, 0.1]),
        "patience_0": with_lightning([1.0, 0.9, 0.95, 0.8], patience=0),
        "nan_first": with_lightning([math.nan, 0.9]),
        "nan_first_unchecked": with_lightning([math.nan, 0.9, 0.8, 0.7, 0.6], check_finite=False),
        "inf_unchecked": with_lightning([1.0, math.inf, math.inf, math.inf], check_finite=False, patience=2),
        "threshold_equal": with_lightning([1.0, 0.5, 0.6, 0.4], stopping_threshold=0.5),
        "threshold_max": with_lightning([0.5, 0.9, 0.91, 1.0], stopping_threshold=0.9, mode="max"),
        "threshold_before_patience": with_lightning([1.0, 1.1, 0.4], stopping_threshold=0.5, patience=1),
        "diverged_first": with_lightning([12.0, 1.0], divergence_threshold=10.0),
        "diverged_equal": with_lightning([1.0, 10.0, 10.5], divergence_threshold=10.0, patience=5),
        "diverged_goes_on": with_lightning([1.0, 1.1, 11.0, 12.0, 1.2, 1.3, 0.9], go_on=True, divergence_threshold=10.0),
        "infinity_diverged": with_lightning([1.0, math.inf], divergence_threshold=10.0, check_finite=False),
        "infinity_before_divergence": with_lightning([1.0, math.inf], divergence_threshold=10.0),
    }
    walks = {}
    for seed in range(40):
        settings = {
            "patience": seed % 5, "min_delta": [0.0, 0.1][seed % 2], "mode": ["min", "max"][seed // 7 % 2],
            "check_finite": seed % 4 == 0,
        }
        if settings["mode"] == "min":
            settings |= {"stopping_threshold": [None, 0.8][seed // 2 % 2],
                         "divergence_threshold": [None, 2.5][seed // 3 % 2]}
        walks[f"walk_{seed}"] = with_lightning(walk(100 + seed, nan=0.08), **settings)
    return scripted | walks


def main():
    groups = {"keras_stopping": keras_cases(), "lightning_stopping": lightning_cases()}
    versions = {"keras": keras.__version__, "lightning": lightning_version, "torch": torch.__version__}
    TARGET.write_text(render(plain({"versions": versions, **groups})) + "\n", encoding="utf-8")
    print(f"{TARGET.name}: " + ", ".join(f"{len(cases)} {group}" for group, cases in groups.items()))


if __name__ == "__main__":
    main()
