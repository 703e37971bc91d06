"""Write oracle.json beside this script: reference values for the tests of burn-tricks.

Where a library has the rule, the library computes the value (PyTorch, optax, Keras); where none has it, a few lines of
numpy below do, with the formula in the entry. Everything is float64 except the cases whose point is f32.
Each entry says where its numbers come from, with which settings and inputs. README.md has the layout and how to run.
"""

import json
import math
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import scipy
import torch
from numpy.linalg import norm
from scipy.special import softmax

TARGET = Path(__file__).resolve().parent / "oracle.json"


# ---------------------------------------------------------------- gradient clipping

A, B = [1.0, 2.0, 2.0], [3.0, 4.0]  # norms 3 and 5, together sqrt(34)


def clip_entry(source, rule, settings, total_norm, clipped_a, clipped_b, a=A, b=B, dtype="f64", **more):
    return {
        "source": source, "rule": rule, "settings": settings, "dtype": dtype,
        "a": a, "b": b, "norm": total_norm, "clipped_a": clipped_a, "clipped_b": clipped_b, **more,
    }


def clip_with_torch(max_norm, norm_type=2.0, a=A, b=B, dtype=torch.float64):
    parameters = [torch.nn.Parameter(torch.zeros(len(values), dtype=dtype)) for values in (a, b)]
    for parameter, values in zip(parameters, (a, b)):
        parameter.grad = torch.tensor(values, dtype=dtype)
    total_norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type=norm_type)
    return clip_entry(
        "torch.nn.utils.clip_grad_norm_", "g * min(1, max_norm / (norm + 1e-6)), norm over a and b together",
        {"max_norm": max_norm, "norm_type": norm_type}, total_norm, *(p.grad for p in parameters),
        a=a, b=b, dtype="f32" if dtype == torch.float32 else "f64",
    )


def clip_with_optax(max_norm):
    gradients = {"a": jnp.array(A), "b": jnp.array(B)}
    clip = optax.clip_by_global_norm(max_norm)
    clipped, _ = clip.update(gradients, clip.init(gradients))
    return clip_entry(
        "optax.clip_by_global_norm", "g if norm < max_norm else g / norm * max_norm, norm over a and b together",
        {"max_norm": max_norm}, optax.tree.norm(gradients), clipped["a"], clipped["b"],
    )


def clip_by_rule(rule, settings, factor, a=A, b=B, dtype="f64"):
    """Multiply both tensors by `factor(norm)`, the norm taken over both together, in float64."""
    a, b = np.array(a), np.array(b)
    total_norm = math.sqrt(a @ a + b @ b)
    return clip_entry("numpy", rule, settings, total_norm, a * factor(total_norm), b * factor(total_norm), a, b, dtype)


def clip_to_unit_norm(theta, **inputs):
    return clip_by_rule(
        "rule: g / norm if norm > theta else g (above theta the norm becomes 1)",
        {"theta": theta}, lambda n: 1 / n if n > theta else 1.0, **inputs,
    )


def clip_by_standard_rule(theta, rule="g * theta / norm if norm > theta else g", **inputs):
    return clip_by_rule(rule, {"theta": theta}, lambda n: theta / n if n > theta else 1.0, **inputs)


def clip_each_tensor(max_norm):
    a, b = np.array(A), np.array(B)
    clipped = [g * min(1.0, max_norm / norm(g)) for g in (a, b)]
    return clip_entry(
        "numpy", "each tensor alone: g * min(1, max_norm / norm(g))", {"max_norm": max_norm},
        math.sqrt(a @ a + b @ b), *clipped, tensor_norms=[norm(a), norm(b)],
    )


def clip_cases():
    huge_a, small_b = [2e19, 2e19, 2e19], [1.0, 1.0]  # the square of 2e19 is beyond f32
    as_f32 = [np.array(values, dtype=np.float32).astype(np.float64) for values in (huge_a, small_b)]
    return {
        "torch_l1_max1": clip_with_torch(1.0, 1.0),
        "torch_l2_max1": clip_with_torch(1.0, 2.0),
        "torch_l3_max1": clip_with_torch(1.0, 3.0),
        "torch_linf_max1": clip_with_torch(1.0, math.inf),
        "torch_l2_max10_noop": clip_with_torch(10.0, 2.0),
        "torch_l2_max1_with_inf": clip_with_torch(1.0, a=[1.0, math.inf, 2.0]),
        "torch_l2_max1_with_nan": clip_with_torch(1.0, a=[1.0, math.nan, 2.0]),
        "torch_l2_max1_f32_overflow": clip_with_torch(1.0, a=huge_a, b=small_b, dtype=torch.float32),
        "safe_l2_max1_f32_overflow": clip_by_standard_rule(
            1.0, "g * theta / norm if norm > theta else g, in f64 from the inputs rounded to f32",
            a=as_f32[0], b=as_f32[1], dtype="f32",
        ),
        "optax_global_max1": clip_with_optax(1.0),
        "per_tensor_max1": clip_each_tensor(1.0),
        "unit_norm_theta2": clip_to_unit_norm(2.0),
        "unit_norm_theta0.5": clip_to_unit_norm(0.5),
        "unit_norm_theta0.5_enlarges": clip_to_unit_norm(0.5, a=[0.36, 0.0, 0.0], b=[0.0, 0.48]),
        "standard_theta2": clip_by_standard_rule(2.0),
    }


# ---------------------------------------------------------------- optimizers: given gradients, weights after each step

START = [1.0, -1.0]
GRADIENTS = [[1.0, -0.5], [0.5, 0.25], [-0.25, 1.0], [0.1, -2.0]]


def optimizer_entry(source, rule, settings, weights):
    return {
        "source": source, "rule": rule, "settings": settings,
        "start": START, "gradients": GRADIENTS, "weights": weights,
    }


RATES = [0.1, 0.1, 0.01, 0.01]  # for the cases whose point is a learning rate that changes


def run_torch_with_rates(optimizer_class, rule, **settings):
    weight = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = optimizer_class([weight], lr=RATES[0], **settings)
    weights = []
    for gradient, rate in zip(GRADIENTS, RATES):
        optimizer.param_groups[0]["lr"] = rate
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        weights.append(weight.detach().clone())
    return optimizer_entry(f"torch.optim.{optimizer_class.__name__}", rule, {"lrs": RATES, **settings}, weights)


def run_keras_with_rates(rule, **settings):
    keras.config.set_floatx("float64")
    weight = keras.Variable(np.array(START), dtype="float64")
    optimizer = keras.optimizers.SGD(learning_rate=RATES[0], **settings)
    optimizer.build([weight])
    weights = []
    for gradient, rate in zip(GRADIENTS, RATES):
        optimizer.learning_rate = rate
        optimizer.apply([jnp.array(gradient)])
        weights.append(np.array(weight))
    return optimizer_entry("keras.optimizers.SGD", rule, {"lrs": RATES, **settings}, weights)


def run_torch(optimizer_class, rule, **settings):
    weight = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = optimizer_class([weight], **settings)
    weights = []
    for gradient in GRADIENTS:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        weights.append(weight.detach().clone())
    return optimizer_entry(f"torch.optim.{optimizer_class.__name__}", rule, settings, weights)


def run_optax(name, rule, **settings):
    optimizer = getattr(optax, name)(**settings)
    weight = jnp.array(START)
    state = optimizer.init(weight)
    weights = []
    for gradient in GRADIENTS:
        update, state = optimizer.update(jnp.array(gradient), state, weight)
        weight = optax.apply_updates(weight, update)
        weights.append(weight)
    return optimizer_entry(f"optax.{name}", rule, settings, weights)


def walk(start, updates):
    """The weights after each step of w -= update."""
    weights, weight = [], np.array(start)
    for update in updates:
        weight = weight - update
        weights.append(weight)
    return weights


def run_rule(updates, rule, **settings):
    gradients = [np.array(gradient) for gradient in GRADIENTS]
    return optimizer_entry("numpy", rule, settings, walk(START, updates(gradients, **settings)))


# Rules that no library has: each yields what a step subtracts from the weights. Norms are over the whole tensor.

def normalized_gradient(gradients, lr):
    for g in gradients:
        yield lr * g / norm(g)


def adagrad_norm(gradients, lr, initial_accumulator):
    b_squared = initial_accumulator
    for g in gradients:
        b_squared += g @ g
        yield lr * g / math.sqrt(b_squared)


def layer_wise_rmsprop(gradients, lr, beta, eps, bias_correction):
    v = 0.0
    for step, g in enumerate(gradients, start=1):
        v = beta * v + (1 - beta) * (g @ g)
        v_hat = v / (1 - beta**step) if bias_correction else v
        yield lr * g / (math.sqrt(v_hat) + eps)


def normalized_momentum(gradients, lr, beta):
    m = np.zeros_like(gradients[0])
    for g in gradients:
        m = beta * m + (1 - beta) * g
        yield lr * m / norm(m)


def torch_optimizers():
    sgd, adagrad, rmsprop = torch.optim.SGD, torch.optim.Adagrad, torch.optim.RMSprop
    adam, adamw = torch.optim.Adam, torch.optim.AdamW
    coupled = "; weight decay coupled: g += weight_decay * w before anything else"
    sum_rule = "s += g^2; w -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps), t from 1"
    mean_rule = "v = alpha v + (1 - alpha) g^2; w -= lr g / (sqrt(v) + eps)"
    adam_rule = "m, v decaying means of g, g^2, both bias-corrected; w -= lr m / (sqrt(v) + eps)"
    adam_settings = {"lr": 0.1, "betas": [0.9, 0.999], "eps": 1e-8}
    return {
        "sgd": run_torch(sgd, "w -= lr g", lr=0.1),
        "sgd_momentum": run_torch(sgd, "v = momentum v + g (v = g at first); w -= lr v", lr=0.1, momentum=0.9),
        "sgd_dampening": run_torch(
            sgd, "v = momentum v + (1 - dampening) g (v = g at first); w -= lr v",
            lr=0.1, momentum=0.9, dampening=0.1,
        ),
        "sgd_nesterov": run_torch(
            sgd, "v = momentum v + g (v = g at first); w -= lr (g + momentum v)",
            lr=0.1, momentum=0.9, nesterov=True,
        ),
        "sgd_momentum_rates": run_torch_with_rates(
            sgd, "v = momentum v + g (v = g at first); w -= lr v", momentum=0.9,
        ),
        "sgd_weight_decay": run_torch(sgd, "w -= lr g" + coupled, lr=0.1, weight_decay=0.01),
        "sgd_momentum_weight_decay": run_torch(
            sgd, "v = momentum v + g (v = g at first); w -= lr v" + coupled, lr=0.1, momentum=0.9, weight_decay=0.01,
        ),
        "adagrad": run_torch(adagrad, sum_rule, lr=0.1, lr_decay=0.0, initial_accumulator_value=0.0, eps=1e-10),
        "adagrad_initial": run_torch(adagrad, sum_rule, lr=0.1, lr_decay=0.0, initial_accumulator_value=0.1, eps=1e-10),
        "adagrad_initial_lr_decay": run_torch(
            adagrad, sum_rule, lr=0.1, lr_decay=0.1, initial_accumulator_value=0.1, eps=1e-10,
        ),
        "rmsprop": run_torch(rmsprop, mean_rule, lr=0.01, alpha=0.9, eps=1e-8),
        "rmsprop_momentum": run_torch(
            rmsprop, "v = alpha v + (1 - alpha) g^2; m = momentum m + g / (sqrt(v) + eps); w -= lr m",
            lr=0.01, alpha=0.9, eps=1e-8, momentum=0.9, centered=False,
        ),
        "rmsprop_centered": run_torch(
            rmsprop, "as rmsprop_momentum, with v - mean(g)^2 for v in the step",
            lr=0.01, alpha=0.9, eps=1e-8, centered=True,
        ),
        "rmsprop_centered_momentum": run_torch(
            rmsprop, "as rmsprop_momentum, with v - mean(g)^2 for v in the step",
            lr=0.01, alpha=0.9, eps=1e-8, momentum=0.9, centered=True,
        ),
        "amsgrad": run_torch(
            adam, adam_rule + ", v the largest so far; beta_2 so low that it falls",
            lr=0.1, betas=[0.9, 0.5], eps=1e-8, amsgrad=True,
        ),
        "adam": run_torch(adam, adam_rule, **adam_settings),
        "adam_weight_decay": run_torch(adam, adam_rule + coupled, **adam_settings, weight_decay=0.01),
        "adamw_weight_decay": run_torch(
            adamw, adam_rule + "; weight decay decoupled: w -= lr * weight_decay * w first",
            **adam_settings, weight_decay=0.01,
        ),
    }


def keras_optimizers():
    rule = "v = momentum v - lr g; w += v"
    return {
        "sgd_update_momentum_rates": run_keras_with_rates(rule, momentum=0.9),
        "sgd_update_nesterov_rates": run_keras_with_rates(
            "v = momentum v - lr g; w += momentum v - lr g", momentum=0.9, nesterov=True,
        ),
    }


def optax_optimizers():
    return {
        "adagrad_optax": run_optax(
            "adagrad", "s += g^2; w -= lr g / sqrt(s + eps) (eps inside the root)",
            learning_rate=0.1, initial_accumulator_value=0.1, eps=1e-7,
        ),
        "sign_sgd": run_optax("sign_sgd", "w -= lr sign(g)", learning_rate=0.1),
        "signum": run_optax(
            "signum", "m = beta m + (1 - beta) g, from m = 0; w -= lr sign(m)", learning_rate=0.1, beta=0.9,
        ),
    }


def rule_optimizers():
    adagrad_norm_rule = "Ward et al. 2019: s += ||g||^2; w -= lr g / sqrt(s)"
    rmsprop_rule = "v = beta v + (1 - beta) ||g||^2, from v = 0; w -= lr g / (sqrt(v) + eps)"
    return {
        "normalized_gradient": run_rule(normalized_gradient, "rule: w -= lr g / ||g||", lr=0.1),
        "adagrad_norm": run_rule(adagrad_norm, adagrad_norm_rule, lr=0.1, initial_accumulator=0.0),
        "adagrad_norm_initial": run_rule(adagrad_norm, adagrad_norm_rule, lr=0.1, initial_accumulator=0.1),
        "layer_wise_rmsprop": run_rule(
            layer_wise_rmsprop, rmsprop_rule, lr=0.01, beta=0.9, eps=1e-8, bias_correction=False,
        ),
        "layer_wise_rmsprop_bias_corrected": run_rule(
            layer_wise_rmsprop, rmsprop_rule + ", with v / (1 - beta^t) for v in the step",
            lr=0.01, beta=0.9, eps=1e-8, bias_correction=True,
        ),
        "normalized_momentum": run_rule(
            normalized_momentum, "Cutkosky & Mehta 2020: m = beta m + (1 - beta) g, from m = 0; w -= lr m / ||m||",
            lr=0.1, beta=0.9,
        ),
    }


def optimizer_cases():
    return {**torch_optimizers(), **keras_optimizers(), **optax_optimizers(), **rule_optimizers()}


# ---------------------------------------------------------------- the rule on two tensors

TWO_START = {"a": START, "b": [0.5, 0.0, -2.0]}
TWO_GRADIENTS = {"a": GRADIENTS, "b": [[3.0, 4.0, 0.0], [0.0, 0.0, -2.0], [1.0, 2.0, 2.0], [-0.6, 0.0, 0.8]]}


def two_tensor_entry(rule, lr, updates):
    return {
        "source": "numpy", "rule": rule, "settings": {"lr": lr}, "start": TWO_START, "gradients": TWO_GRADIENTS,
        "weights": {name: walk(TWO_START[name], updates[name]) for name in TWO_START},
    }


def two_tensor_cases(lr=0.1):
    gradients = {name: [np.array(g) for g in steps] for name, steps in TWO_GRADIENTS.items()}
    per_tensor = {name: normalized_gradient(steps, lr) for name, steps in gradients.items()}
    joint_norms = [math.sqrt(a @ a + b @ b) for a, b in zip(gradients["a"], gradients["b"])]
    whole_model = {name: [lr * g / n for g, n in zip(steps, joint_norms)] for name, steps in gradients.items()}
    return {
        "per_tensor": two_tensor_entry("w -= lr g / ||g||, the norm of each tensor alone", lr, per_tensor),
        "whole_model": two_tensor_entry("w -= lr g / ||g||, one norm over both tensors", lr, whole_model),
    }


# ---------------------------------------------------------------- learning rate decay

def decay_entry(source, rule, settings, values):
    return {"source": source, "rule": rule, "settings": settings, "values": values}


def decay_with_torch(gamma, count):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma)
    values = []
    for _ in range(count):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return decay_entry(
        "torch.optim.lr_scheduler.ExponentialLR", "lr *= gamma after each epoch; value used in epoch 0, 1, ...",
        {"lr": 1.0, "gamma": gamma}, values,
    )


def decay_with_optax(staircase, end_value=None, count=10):
    settings = {
        "init_value": 1.0, "transition_steps": 3, "decay_rate": 0.5, "staircase": staircase, "end_value": end_value,
    }
    schedule = optax.exponential_decay(**settings)
    rule = ("max(end_value, init_value * decay_rate^p), p = step / transition_steps (floored if staircase); "
            "step 0, 1, ...")
    return decay_entry("optax.exponential_decay", rule, settings, [float(schedule(step)) for step in range(count)])


def decay_cases():
    return {
        "power": decay_entry("python", "lr * gamma^epoch, epoch 0, 1, ...", {"lr": 1.0, "gamma": 0.98},
                             [0.98**epoch for epoch in range(5)]),
        "torch_exponential": decay_with_torch(0.98, 5),
        "optax_staircase": decay_with_optax(staircase=True),
        "optax_continuous": decay_with_optax(staircase=False),
        "optax_staircase_end_value": decay_with_optax(staircase=True, end_value=0.3),
        "optax_continuous_end_value": decay_with_optax(staircase=False, end_value=0.3),
    }


# ---------------------------------------------------------------- early stopping

class EpochCounter:
    """As much of a Keras model as the callback needs; its weights are the number of the epoch."""

    stop_training = False

    def __init__(self):
        self.weights = None

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


def early_stopping(vals, patience, min_delta=0.0, start_from_epoch=0):
    settings = {"patience": patience, "min_delta": min_delta, "start_from_epoch": start_from_epoch, "mode": "min"}
    callback = keras.callbacks.EarlyStopping(monitor="val_loss", restore_best_weights=True, **settings)
    model = EpochCounter()
    callback.set_model(model)
    callback.on_train_begin()
    stop_index = None
    for epoch, value in enumerate(vals):
        model.weights = epoch
        callback.on_epoch_end(epoch, {"val_loss": value})
        if model.stop_training:
            stop_index = epoch
            break
    callback.on_train_end()
    if model.weights != callback.best_epoch:
        raise RuntimeError("Keras restored other weights than those of its best epoch")
    return {
        "source": "keras.callbacks.EarlyStopping",
        "rule": "better means value + min_delta < best; stop at the max(patience, 1)-th check in a row that was not "
                "better; epochs before start_from_epoch are not looked at; indices from 0",
        "settings": settings, "vals": vals,
        "stop_index": stop_index, "best_index": callback.best_epoch, "best_value": float(callback.best),
    }


def early_stopping_cases():
    return {
        "p0": early_stopping([1.0, 0.9, 0.95, 0.8], patience=0),
        "p2": early_stopping([1.0, 0.9, 0.95, 0.96, 0.8], patience=2),
        "delta.1_p2": early_stopping([1.0, 0.95, 0.91, 0.89, 0.88], patience=2, min_delta=0.1),
        "start1_p2": early_stopping([0.1, 5.0, 4.0, 3.0, 3.5, 3.6, 3.7], patience=2, start_from_epoch=1),
        "nan_mid_p3": early_stopping([1.0, 0.9, math.nan, 0.7, 0.6], patience=3),
        "finishes": early_stopping([3.0, 1.0, 2.0], patience=5),
    }


# ---------------------------------------------------------------- combining the outputs of an ensemble

def ensemble_entry(logits, weights=(0.5, 0.25, 0.25)):
    """One row of `logits` per model, all for the same sample."""
    logits = np.array(logits)
    probabilities = softmax(logits, axis=1)
    votes = np.bincount(logits.argmax(axis=1), minlength=logits.shape[1])
    return {
        "source": "scipy.special.softmax and numpy",
        "rule": "one row of logits per model; votes: how many models have their largest logit in each class; "
                "majority: the class with most votes; weighted mean: sum of weights[i] * softmax(logits[i])",
        "logits": logits, "weights": weights,
        "mean_of_probabilities": probabilities.mean(axis=0),
        "softmax_of_mean_logits": softmax(logits.mean(axis=0)),
        "votes": votes, "majority": votes.argmax(),
        "weighted_mean_of_probabilities": np.array(weights) @ probabilities,
    }


def ensemble_cases():
    return {
        "agree": ensemble_entry([[2.0, 0.0, 0.0], [0.0, 1.9, 0.0], [0.0, 1.9, 0.0]]),
        "disagree": ensemble_entry([[4.0, 0.0, 0.0], [0.0, 1.5, 0.0], [0.0, 1.5, 0.0]]),
    }


# ---------------------------------------------------------------- the file

def plain(value):
    """Nested dicts and lists of plain Python numbers; inf and nan as strings, which JSON cannot hold as numbers."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (torch.Tensor, np.ndarray, jax.Array, np.generic)):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def render(value, indent=""):
    """JSON with each field of an object on a line of its own and each list on one line."""
    if not isinstance(value, dict):
        return json.dumps(value, allow_nan=False)
    inner = indent + "  "
    fields = [f"{inner}{json.dumps(key)}: {render(item, inner)}" for key, item in value.items()]
    return "{\n" + ",\n".join(fields) + f"\n{indent}}}"


def versions():
    return {library.__name__: library.__version__ for library in (torch, optax, jax, keras, np, scipy)}


def main():
    groups = {
        "clip": clip_cases(),
        "optimizers": optimizer_cases(),
        "two_tensors": two_tensor_cases(),
        "decay": decay_cases(),
        "early_stopping": early_stopping_cases(),
        "ensemble": ensemble_cases(),
    }
    TARGET.write_text(render(plain({"versions": versions(), **groups})) + "\n", encoding="utf-8")
    print(f"{TARGET.name}: " + ", ".join(f"{len(cases)} {group}" for group, cases in groups.items()))


if __name__ == "__main__":
    main()
