"""Write optim.json beside this script: reference values for optimizers that Burn lacks and for optimizer wrappers.

PyTorch, optax, timm and schedulefree calculate them; numpy does where none has the rule, and for timm's Lars, with
the formula in the entry. Everything is float64. README.md has the layout and how to run; `pip install --no-deps
timm==1.0.31 schedulefree==1.4.1 pytorch_optimizer==4.1.0
adabelief_pytorch==0.2.1 tabulate colorama` is needed besides.
"""

import importlib.metadata
from pathlib import Path

from oracle import START, plain, render, versions  # first: it tells jax to calculate in float64

import jax.numpy as jnp
import keras
import numpy as np
import optax
import torch
from adabelief_pytorch import AdaBelief as AuthorsAdaBelief
from pytorch_optimizer import SignSGD
from schedulefree import AdamWScheduleFree, SGDScheduleFree
from timm.optim import AdaBelief, AdamWLegacy, SGDW

TARGET = Path(__file__).resolve().with_suffix(".json")
GRADIENTS = [
    [1.0, -0.5], [0.5, 0.25], [-0.25, 1.0], [0.1, -2.0], [0.75, 0.5], [-1.5, 0.125], [0.25, -0.75], [1.0, 1.0],
    [-0.5, 0.25],
]


def entry(source, rule, settings, weights, **more):
    return {
        "source": source, "rule": rule, "settings": settings,
        "start": START, "gradients": GRADIENTS, "weights": weights, **more,
    }


def run_torch(optimizer_class, rule, source="torch.optim", **settings):
    weight = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = optimizer_class([weight], **settings)
    weights = []
    for gradient in GRADIENTS:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        weights.append(weight.detach().clone())
    return entry(f"{source}.{optimizer_class.__name__}", rule, settings, weights)


def run_optax(optimizer, name, rule, **settings):
    weight = jnp.array(START)
    state = optimizer.init(weight)
    weights = []
    for gradient in GRADIENTS:
        update, state = optimizer.update(jnp.array(gradient), state, weight)
        weight = optax.apply_updates(weight, update)
        weights.append(weight)
    return entry(f"optax.{name}", rule, settings, weights)


def of_optax(name, rule, **settings):
    return run_optax(getattr(optax, name)(settings["lr"], **{k: v for k, v in settings.items() if k != "lr"}),
                     name, rule, **settings)


def run_keras(optimizer_class, rule, **settings):
    keras.config.set_floatx("float64")
    weight = keras.Variable(np.array(START), dtype="float64")
    options = {key: value for key, value in settings.items() if key != "lr"}
    optimizer = optimizer_class(learning_rate=settings["lr"], **options)
    optimizer.build([weight])
    weights = []
    for gradient in GRADIENTS:
        optimizer.apply([jnp.array(gradient)])
        weights.append(np.array(weight))
    return entry(f"keras.optimizers.{optimizer_class.__name__}", rule, settings, weights)


def optimizers():
    coupled, decoupled = "; g += wd w first", "; w -= lr wd w first"
    nadam = "Adam with m replaced by mu_t+1 m / (1 - prod mu) + (1 - mu_t) g / (1 - prod mu)"
    radam = "Adam times the rectification where rho > 5, else w -= lr m-hat"
    adamax = "m as Adam; u <- max(b2 u, |g| + eps); w -= lr / (1 - b1^t) m / u"
    adadelta = "s mean of g^2; d = sqrt(a + eps) / sqrt(s + eps) g; a mean of d^2; w -= lr d"
    belief = "s <- b2 s + (1 - b2) (g - m)^2 + eps_root; w -= lr m-hat / (sqrt(s-hat) + eps)"
    lars = "r = c |w| / |g + wd w|; v <- mu v - lr r (g + wd w); w += v"
    adam_keras = "m, v as Adam; w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)"
    adagrad = "s <- s + g^2 from the initial value; w -= lr g / sqrt(s + eps)"
    t = torch.optim
    return {
        "nadam": run_torch(t.NAdam, nadam, lr=0.1),
        "nadam_weight_decay": run_torch(t.NAdam, nadam + coupled, lr=0.1, weight_decay=0.01),
        "nadam_decoupled": run_torch(
            t.NAdam, nadam + decoupled, lr=0.1, weight_decay=0.01, decoupled_weight_decay=True,
        ),
        "nadam_momentum_decay": run_torch(t.NAdam, nadam, lr=0.1, betas=(0.95, 0.9), momentum_decay=2.0),
        "nadam_optax": of_optax("nadam", nadam + ", mu = b1 always", lr=0.1, b1=0.9, b2=0.99),
        "nadam_keras": run_keras(keras.optimizers.Nadam, nadam + ", psi 1", lr=0.1, epsilon=1e-7),
        "radam": run_torch(t.RAdam, radam, lr=0.1),
        "radam_beta_2": run_torch(t.RAdam, radam, lr=0.1, betas=(0.9, 0.95), eps=1e-3, weight_decay=0.01),
        "radam_optax": of_optax("radam", radam + "; eps beside the corrected root", lr=0.1, b2=0.95, eps=1e-3),
        "adamax": run_torch(t.Adamax, adamax, lr=0.1),
        "adamax_weight_decay": run_torch(t.Adamax, adamax + coupled, lr=0.1, betas=(0.8, 0.5), weight_decay=0.01),
        "adamax_optax": of_optax("adamax", adamax, lr=0.1, b1=0.8, b2=0.5),
        "adamax_keras": run_keras(
            keras.optimizers.Adamax, "m as Adam; u <- max(b2 u, |g|); w -= lr / (1 - b1^t) m / (u + eps)", lr=0.1,
            beta_1=0.8, beta_2=0.5, epsilon=1e-2,
        ),
        "adadelta": run_torch(t.Adadelta, adadelta, lr=1.0),
        "adadelta_weight_decay": run_torch(t.Adadelta, adadelta + coupled, lr=0.5, rho=0.5, eps=1e-2, weight_decay=0.01),
        "adadelta_paper": adadelta_of_the_paper(rho=0.95, eps=1e-6),
        "adadelta_keras": run_keras(keras.optimizers.Adadelta, adadelta, lr=0.1, rho=0.95, epsilon=1e-7),
        "sign_descent": of_optax("sign_sgd", "w -= lr sign(g)", lr=0.1),
        "signum_descent": of_optax("signum", "m <- b m + (1 - b) g; w -= lr sign(m)", lr=0.1, beta=0.9),
        "signum_pytorch_optimizer": run_torch(
            SignSGD, "m <- b m + (1 - b) g; w -= lr sign(m)", "pytorch_optimizer", lr=0.1, momentum=0.9,
        ),
        "adabelief_timm": run_torch(
            AdaBelief, belief + "; eps_root = eps" + decoupled, "timm.optim", lr=0.1, betas=(0.8, 0.9), eps=1e-2,
            weight_decay=0.05, rectify=False,
        ),
        "adabelief_authors": run_torch(
            AuthorsAdaBelief, belief + "; eps_root = eps; the weight's step is that of radam" + decoupled,
            "adabelief_pytorch", lr=0.1, betas=(0.8, 0.9), eps=1e-2, weight_decay=0.05, print_change_log=False,
        ),
        "adabelief": of_optax("adabelief", belief, lr=0.1),
        "adabelief_eps": of_optax("adabelief", belief, lr=0.1, b1=0.8, b2=0.9, eps=1e-2, eps_root=1e-2),
        "adam_keras": run_keras(keras.optimizers.Adam, adam_keras, lr=0.1, epsilon=0.05),
        "adam_keras_defaults": run_keras(keras.optimizers.Adam, adam_keras, lr=0.1),
        "adam_keras_amsgrad": run_keras(
            keras.optimizers.Adam, adam_keras + "; the largest v so far for v", lr=0.1, beta_2=0.5, epsilon=0.05,
            amsgrad=True,
        ),
        "adamw_keras": run_keras(keras.optimizers.AdamW, adam_keras + decoupled, lr=0.1),
        "adamw_optax": of_optax("adamw", "Adam" + decoupled, lr=0.1),
        "amsgrad_optax": of_optax("amsgrad", "Adam, with the largest v-hat so far for v-hat", lr=0.1, b2=0.5),
        "adagrad_keras": run_keras(
            keras.optimizers.Adagrad, adagrad, lr=0.1, initial_accumulator_value=0.1, epsilon=1e-7,
        ),
        "adagrad_keras_epsilon": run_keras(
            keras.optimizers.Adagrad, adagrad, lr=0.1, initial_accumulator_value=0.1, epsilon=0.5,
        ),
        "adagrad_optax_defaults": of_optax("adagrad", adagrad, lr=0.1),
        "lars": of_optax("lars", lars, lr=0.1, weight_decay=0.01, trust_coefficient=0.1),
        "lars_nesterov": of_optax("lars", lars + mu_nesterov, lr=0.1, trust_coefficient=0.5, nesterov=True, eps=0.1),
        "lars_timm": lars_of_timm(lr=0.1, momentum=0.9, weight_decay=0.3, trust_coeff=0.1, eps=1e-8),
        "lars_timm_nesterov": lars_of_timm(
            lr=0.1, momentum=0.9, weight_decay=0.3, trust_coeff=0.5, eps=0.1, nesterov=True,
        ),
    }


def adadelta_of_the_paper(rho, eps):
    """Algorithm 1 of Zeiler (2012), which has no rate. PyTorch's, at the rate 1, is the same."""
    weight, squares, updates, weights = np.array(START), 0.0, 0.0, []
    for gradient in GRADIENTS:
        g = np.array(gradient)
        squares = rho * squares + (1 - rho) * g**2  # 4: accumulate the gradient
        update = -np.sqrt(updates + eps) / np.sqrt(squares + eps) * g  # 5: compute the update
        updates = rho * updates + (1 - rho) * update**2  # 6: accumulate the update
        weight = weight + update  # 7: apply it
        weights.append(weight)
    torchs = run_torch(torch.optim.Adadelta, "", lr=1.0, rho=rho, eps=eps)["weights"]
    np.testing.assert_allclose(weights, np.array([w.numpy() for w in torchs]), rtol=1e-12)
    rule = "s mean of g^2; d = RMS(a) / RMS(s) g; a mean of d^2; w -= d"
    return entry("numpy", rule, {"lr": 1.0, "rho": rho, "eps": eps}, weights)


def lars_of_timm(lr, momentum, weight_decay, trust_coeff, eps, nesterov=False):
    """timm 1.0.31's `Lars`, whose divisor is `g_norm + w_norm * weight_decay + eps`."""
    weight, buffer, weights = np.array(START), None, []
    for gradient in GRADIENTS:
        g = np.array(gradient)
        w_norm, g_norm = np.linalg.norm(weight), np.linalg.norm(g)
        ratio = trust_coeff * w_norm / (g_norm + w_norm * weight_decay + eps) if w_norm > 0 and g_norm > 0 else 1.0
        g = (g + weight_decay * weight) * ratio
        buffer = g if buffer is None else momentum * buffer + g
        weight = weight - lr * (g + momentum * buffer if nesterov else buffer)
        weights.append(weight)
    settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust_coeff": trust_coeff, "eps": eps,
                "nesterov": nesterov}
    rule = "timm's Lars: r = c |w| / (|g| + wd |w| + eps); v <- mu v + r (g + wd w); w -= lr v (Nesterov: r g + mu v)"
    return entry("numpy", rule, settings, weights)


mu_nesterov = " (Nesterov: w += mu v - lr r g)"


def run_lookahead(optimizer, name, k, alpha, lr, reset=False):
    lookahead = optax.lookahead(optimizer, sync_period=k, slow_step_size=alpha, reset_state=reset)
    params = optax.LookaheadParams.init_synced(jnp.array(START))
    state = lookahead.init(params)
    weights = []
    for gradient in GRADIENTS:
        updates, state = lookahead.update(jnp.array(gradient), state, params)
        params = optax.apply_updates(params, updates)
        weights.append(params.fast)
    rule = "slow += alpha (fast - slow), fast = slow every k steps; slow starts at the initial weights"
    return entry(f"optax.lookahead of {name}", rule, {"lr": lr, "k": k, "alpha": alpha, "reset": reset}, weights)


def fully_decoupled(lrs, wd):
    weight, moments, weights = np.array(START), np.zeros((2, 2)), []
    for step, gradient in enumerate(GRADIENTS, start=1):
        g, lr = np.array(gradient), lrs[step - 1]
        moments[0] = 0.9 * moments[0] + 0.1 * g
        moments[1] = 0.999 * moments[1] + 0.001 * g * g
        m, v = moments[0] / (1 - 0.9**step), moments[1] / (1 - 0.999**step)
        weight = weight - lr / lrs[0] * wd * weight - lr * m / (np.sqrt(v) + 1e-8)
        weights.append(weight)
    return entry("numpy", "Adam; w -= lr / lr_0 wd w", {"lrs": lrs, "weight_decay": wd}, weights)


def schedule_free(optimizer_class, **settings):
    """The training weights y, and the evaluation weights x after each step."""
    weight = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = optimizer_class([weight], **settings)
    optimizer.train()
    training, evaluation = [], []
    for gradient in GRADIENTS:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        training.append(weight.detach().clone())
        optimizer.eval()
        evaluation.append(weight.detach().clone())
        optimizer.train()
    rule = "y is trained, x is evaluated"
    return entry(f"schedulefree.{optimizer_class.__name__}", rule, settings, training, evaluation=evaluation)


def wrappers():
    trust = "r = c |w| / (|u| + eps), u the inner update"
    caution = "steps whose sign is not that of the gradient left out, the others divided by the mean of the mask"
    lrs = [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.01, 0.01, 0.01]
    return {
        "lookahead_sgd": run_lookahead(optax.sgd(0.1), "sgd", 3, 0.5, 0.1),
        "lookahead_adam": run_lookahead(optax.adam(0.1), "adam", 2, 0.8, 0.1),
        "lookahead_reset": run_lookahead(optax.sgd(0.1, momentum=0.9), "sgd, momentum 0.9", 3, 0.5, 0.1, reset=True),
        "decoupled_adam": run_torch(torch.optim.AdamW, "AdamW", lr=0.1, weight_decay=0.05),
        "fully_decoupled_adam": fully_decoupled(lrs, 0.05),
        "cautious_adam": run_torch(AdamWLegacy, caution, "timm.optim", lr=0.1, weight_decay=0.05, caution=True),
        "cautious_momentum": run_torch(SGDW, caution, "timm.optim", lr=0.02, momentum=0.9, caution=True),
        "lamb": of_optax("lamb", trust + "; u of Adam with eps 1e-6 inside the sum, decoupled decay in u", lr=0.1,
                         weight_decay=0.01),
        "trust_ratio_sgd": of_optax("lars", trust, lr=0.1, trust_coefficient=0.1, eps=0.1, momentum=0.0),
        "schedule_free_sgd": schedule_free(SGDScheduleFree, lr=0.1, momentum=0.9),
        "schedule_free_sgd_warmup": schedule_free(
            SGDScheduleFree, lr=0.1, momentum=0.8, warmup_steps=4, weight_decay=0.05, r=0.5, weight_lr_power=1.0,
        ),
        "schedule_free_adamw": schedule_free(AdamWScheduleFree, lr=0.1, betas=(0.9, 0.999)),
        "schedule_free_adamw_warmup": schedule_free(
            AdamWScheduleFree, lr=0.1, betas=(0.95, 0.9), warmup_steps=4, weight_decay=0.05, r=0.5, weight_lr_power=1.0,
        ),
    }


def main():
    extra = {name: importlib.metadata.version(name) for name in ("timm", "schedulefree", "pytorch_optimizer", "adabelief_pytorch")}
    groups = {"optimizers": optimizers(), "wrappers": wrappers()}
    TARGET.write_text(render(plain({"versions": {**versions(), **extra}, **groups})) + "\n", encoding="utf-8")
    print(f"{TARGET.name}: " + ", ".join(f"{len(cases)} {group}" for group, cases in groups.items()))


if __name__ == "__main__":
    main()
