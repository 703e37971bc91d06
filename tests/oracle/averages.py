"""Write averages.json beside this script: reference values for averages of weights, ensembles and calibration.

Where a library has the rule, the library computes the value (PyTorch, optax, timm); where none has it, numpy does, with
the formula in the entry. Everything is float64. README.md has the layout and how to run; timm 1.0.31 is needed besides
(`pip install --no-deps timm==1.0.31`: one file of it is loaded, which needs PyTorch alone).
"""

import importlib.metadata
import importlib.util
from pathlib import Path

from oracle import plain, render, versions  # first: it tells jax to calculate in float64

import jax.numpy as jnp
import numpy as np
import optax
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, update_bn

TARGET = Path(__file__).resolve().with_suffix(".json")
WEIGHTS = [1.0, 2.0, 6.0, 9.0]  # after each step; 10.0 before the first


def timm_model_ema():
    package = Path(importlib.util.find_spec("timm").origin).parent
    spec = importlib.util.spec_from_file_location("model_ema", package / "utils" / "model_ema.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ModelEmaV3


def entry(source, rule, settings, values, initial=10.0, weights=WEIGHTS):
    return {
        "source": source, "rule": rule, "settings": settings, "initial": initial, "weights": weights, "values": values,
    }


def one_weight(value):
    layer = torch.nn.Linear(1, 1, bias=False).double()
    torch.nn.init.constant_(layer.weight, value)
    return layer


def averaged_by_torch(avg_fn):
    average, values = AveragedModel(one_weight(10.0), avg_fn=avg_fn), []
    for weight in WEIGHTS:
        average.update_parameters(one_weight(weight))
        values.append(average.module.weight.item())
    return values


def averaged_by_timm(steps, **settings):
    ema, values = timm_model_ema()(one_weight(10.0), **settings), []
    for step, weight in zip(steps, WEIGHTS):
        ema.update(one_weight(weight), step=step)
        values.append(ema.module.weight.item())
    return values


def averaged_by_optax(decay):
    ema, values = optax.ema(decay, debias=True), []
    state = ema.init(jnp.array(10.0))
    for weight in WEIGHTS:
        value, state = ema.update(jnp.array(weight), state)
        values.append(value)
    return values


def averaged_with(decays):
    mean, values = 10.0, []
    for decay, weight in zip(decays, WEIGHTS):
        mean = decay * mean + (1.0 - decay) * weight
        values.append(mean)
    return values


def average_cases():
    tensorflow = [min(0.999, (1 + n) / (10 + n)) for n in range(len(WEIGHTS))]
    timm = {"decay": 0.9999, "use_warmup": True, "warmup_gamma": 1.0, "warmup_power": 2 / 3}
    return {
        "swa": entry("torch AveragedModel", "mean of all weights so far", {}, averaged_by_torch(None)),
        "ema_none": entry("timm ModelEmaV3, not told the step", "decay * mean + (1 - decay) * weight", {"decay": 0.9},
                          averaged_by_timm([None] * 4, decay=0.9)),
        "ema_first_update_copies": entry("torch AveragedModel, get_ema_avg_fn", "the first update copies",
                                         {"decay": 0.9}, averaged_by_torch(get_ema_avg_fn(0.9))),
        "ema_bias_corrected": entry("optax.ema(debias=True)", "from zero, divided by 1 - decay^n", {"decay": 0.9},
                                    averaged_by_optax(0.9)),
        "ema_timm": entry("timm ModelEmaV3", "decay at update n from 0: min(decay, 1 - (1 + n / gamma)^-power)",
                          {"decay": 0.9999, "gamma": 1.0, "power": 2 / 3}, averaged_by_timm([1, 2, 3, 4], **timm)),
        "ema_tensorflow": entry("rule of tf.train.ExponentialMovingAverage",
                                "decay at update n from 0: min(decay, (1 + n) / (10 + n))", {"decay": 0.999},
                                averaged_with(tensorflow)),
        "lawa": entry("numpy", "mean of the last two weights", {"last": 2},
                      [np.mean(WEIGHTS[max(0, at - 1) : at + 1]) for at in range(len(WEIGHTS))]),
    }


def decay_cases():
    n = [0, 1, 9, 99, 999, 9999, 1000000]
    ema = timm_model_ema()(one_weight(0.0), decay=0.9999, use_warmup=True)
    return {
        "timm": {"source": "timm ModelEmaV3.get_decay(n + 1)", "decay": 0.9999, "n": n,
                 "values": [float(ema.get_decay(at + 1)) for at in n]},
        "tensorflow": {"source": "rule of tf.train.ExponentialMovingAverage", "decay": 0.999, "n": n,
                       "values": [min(0.999, (1 + at) / (10 + at)) for at in n]},
        "half_life": {"source": "formula", "rule": "2^(-update_every / half_life)", "half_life": [100.0, 100.0],
                      "update_every": [1, 10], "values": [2 ** (-1 / 100), 2 ** (-10 / 100)]},
    }


def stall_cases():
    def stall(dtype, decay, steps=5000):
        mean, weight = torch.tensor(1.0, dtype=dtype), torch.tensor(2.0, dtype=dtype)
        for _ in range(steps):
            mean = decay * mean + (1.0 - decay) * weight
        return {"source": "torch", "rule": "an average from 1 to 2 held in the type of the weights, and exactly",
                "decay": decay, "steps": steps, "held_in_its_type": mean.item(), "exact": 2.0 - decay**steps}

    return {"bf16": stall(torch.bfloat16, 0.999), "f16": stall(torch.float16, 0.9999)}


def recalibration_cases():
    batches = [[[1.0, 2.0], [3.0, 6.0]], [[5.0, 0.0], [7.0, 4.0], [9.0, 2.0]]]
    norm = torch.nn.BatchNorm1d(2).double()
    update_bn([torch.tensor(batch, dtype=torch.float64) for batch in batches], norm)
    pooled = np.concatenate([np.array(batch) for batch in batches])

    def case(source, mean, variance):
        return {"source": source, "batches": batches, "mean": mean, "variance": variance}

    biased = np.mean([np.array(batch).var(axis=0) for batch in batches], axis=0)
    return {
        "torch": case("torch.optim.swa_utils.update_bn", norm.running_mean, norm.running_var),
        "cumulative_biased": case("numpy, means of batch statistics", norm.running_mean, biased),
        "pooled": case("numpy, all samples as one batch", pooled.mean(axis=0), pooled.var(axis=0)),
        "pooled_unbiased": case("numpy, all samples as one batch", pooled.mean(axis=0), pooled.var(axis=0, ddof=1)),
    }


def calibration_cases():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.25, 0.35, 0.4], [0.05, 0.05, 0.9], [0.5, 0.3, 0.2],
                              [0.2, 0.5, 0.3]])
    classes = np.array([0, 2, 2, 2, 1, 1])
    p = torch.tensor(probabilities)
    nll = torch.nn.functional.nll_loss(p.log(), torch.tensor(classes))
    brier = np.mean(((probabilities - np.eye(3)[classes]) ** 2).sum(axis=1))
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == classes

    def ece(bins):
        total, edges = 0.0, np.linspace(0.0, 1.0, bins + 1)
        for low, high in zip(edges, edges[1:]):
            inside = (confidence > low) & (confidence <= high)
            if inside.any():
                total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
        return total

    members = [[0, 1, 2, 0], [0, 2, 2, 1], [1, 1, 2, 0]]
    differ = [np.mean(np.array(a) != np.array(b)) for at, a in enumerate(members) for b in members[at + 1 :]]
    common = {"probabilities": probabilities, "classes": classes}
    return {
        "nll": {"source": "torch.nn.functional.nll_loss", **common, "value": nll},
        "brier": {"source": "numpy", "rule": "mean over samples of the sum over classes", **common, "value": brier},
        "ece": {"source": "numpy", "rule": "bins (low, high]", **common, "bins": [1, 4, 15],
                "values": [ece(bins) for bins in (1, 4, 15)]},
        "disagreement": {"source": "numpy", "choices": members, "value": np.mean(differ)},
    }


def main():
    groups = {
        "averages": average_cases(),
        "ema_decays": decay_cases(),
        "ema_stall": stall_cases(),
        "recalibration": recalibration_cases(),
        "calibration": calibration_cases(),
    }
    known = {**versions(), "timm": importlib.metadata.version("timm")}
    TARGET.write_text(render(plain({"versions": known, **groups})) + "\n", encoding="utf-8")
    print(f"{TARGET.name}: " + ", ".join(f"{len(cases)} {group}" for group, cases in groups.items()))


if __name__ == "__main__":
    main()
