"""Write swag.json beside this script: the distribution of SWAG by its authors' formulas, and temperatures by scipy.

The formulas are those of https://github.com/wjmaddox/swa_gaussian (swag/posteriors/swag.py), in numpy and float64.
"""

from pathlib import Path

from oracle import plain, render, versions

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

TARGET = Path(__file__).resolve().with_suffix(".json")


def collected(weights, rank):
    """collect_model of the program: the mean, the mean of the squares, and the columns of the deviations."""
    mean, squares, columns = np.zeros_like(weights[0]), np.zeros_like(weights[0]), []
    for n, w in enumerate(weights):
        mean = mean * n / (n + 1.0) + w / (n + 1.0)
        squares = squares * n / (n + 1.0) + w**2 / (n + 1.0)
        columns = [*columns, w - mean][-rank:] if rank else []
    return mean, squares - mean**2, columns


def swag(rank, count):
    weights = [np.array([np.sin(0.9 * i + 1.7 * n) + 0.05 * n * i for i in range(6)]) for n in range(count)]
    mean, variance, columns = collected(weights, rank)
    covariance = np.diag(variance)
    if rank:
        # sample(scale=0.5, cov=True): half of both parts, the second divided by K - 1.
        deviations = np.array(columns).T
        covariance = 0.5 * covariance + 0.5 * deviations @ deviations.T / (len(columns) - 1)
    return {
        "source": "numpy", "rule": "swa_gaussian", "settings": {"rank": rank}, "weights": weights,
        "mean": mean, "variance": variance, "deviations": columns, "covariance": covariance,
    }


def temperature(samples, columns, scale, masked=False):
    rows = np.array([[scale * np.sin(0.7 * i * (j + 1.3) + j) for j in range(columns)] for i in range(samples)])
    classes = np.array([(3 * i + i // 4) % columns if i % 3 == 0 else int(rows[i].argmax()) for i in range(samples)])
    if masked:
        rows[0, (classes[0] + 1) % columns] = -np.inf

    def slope(beta):
        finite = np.where(np.isfinite(rows), rows, 0.0)
        return np.mean((softmax(beta * rows, axis=1) * finite).sum(axis=1) - rows[np.arange(samples), classes])

    t = 1.0 / brentq(slope, 1e-6, 1e3, xtol=1e-15, rtol=1e-14, maxiter=1000)
    nll = [-log_softmax(rows / at, axis=1)[np.arange(samples), classes].mean() for at in (1.0, t)]
    return {"source": "scipy.optimize.brentq", "logits": rows, "classes": classes, "temperature": t, "nll": nll}


def reliability(bins):
    rows = np.array([[2.0 * np.sin(0.9 * i * (j + 1.1) + j) for j in range(3)] for i in range(60)])
    probabilities = softmax(rows, axis=1)
    classes = np.array([(i + i // 5) % 3 if i % 2 else int(rows[i].argmax()) for i in range(60)])
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == classes
    found = []
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
        found.append([int(inside.sum()), *(float(x[inside].mean()) if inside.any() else np.nan for x in (confidence, right))])
    return {"source": "numpy", "probabilities": probabilities, "classes": classes, "bins": found}


def main():
    groups = {
        "swag": {"low_rank": swag(3, 6), "few_columns": swag(8, 4), "diagonal": swag(0, 6)},
        "temperature": {
            "sure": temperature(40, 4, 6.0), "unsure": temperature(40, 3, 0.4), "masked": temperature(30, 4, 3.0, masked=True),
        },
        "reliability": {"ten": reliability(10), "three": reliability(3)},
    }
    TARGET.write_text(render(plain({"versions": versions(), **groups})) + "\n", encoding="utf-8")
    print(f"{TARGET.name}: " + ", ".join(f"{len(cases)} {group}" for group, cases in groups.items()))


if __name__ == "__main__":
    main()
