"""Write inputs.json beside this script: what scikit-learn's and Keras's scalers and the initialisers of PyTorch and Keras say.

The scalers are fitted on `train` and applied to `test`, in float64. The initialisers are run with their draws intercepted: an
entry holds the bound or the standard deviation that they ask of their random generator. Besides oracle.py's environment it
needs

    pip install scikit-learn==1.9.1
"""

import json
import math
import os
from pathlib import Path
from unittest import mock

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import keras
import numpy as np
import scipy.stats
import sklearn
import torch
from keras.src.initializers import random_initializers
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

TARGET = Path(__file__).resolve().parent / "inputs.json"

# Two features, one that never varies, one that is always zero, and one of small numbers.
TRAIN = np.array([
    [1.0, -1.0, 5.0, 0.0, 0.002], [2.0, 0.0, 5.0, 0.0, -0.001], [4.0, 3.0, 5.0, 0.0, 0.0005],
    [9.0, 8.0, 5.0, 0.0, 0.001], [3.0, -6.0, 5.0, 0.0, -0.003],
])
TEST = np.array([[5.0, -2.0, 6.0, 0.25, 0.001], [-1.0, 12.0, 4.5, -0.5, 0.004]])
# [batch, channels, height, width]
IMAGES = np.round(np.random.default_rng(3).normal(size=(4, 3, 2, 3)) * [[[1.0]], [[4.0]], [[0.25]]], 3)
# [batch, time, features]
SERIES = np.round(np.random.default_rng(4).normal(size=(3, 4, 2)) * [2.0, 0.5] + [1.0, -0.5], 3)


def moved(images, axis):
    """Rows of channels."""
    return np.moveaxis(images, axis, -1).reshape(-1, images.shape[axis])


def scaler_entry(source, rule, settings, train, test, forward, inverse):
    return {
        "source": source, "rule": rule, "settings": settings, "shape": list(train.shape), "train": train.ravel(),
        "test_shape": list(test.shape), "test": test.ravel(), "scaled": np.asarray(forward).ravel(),
        "inverse": np.asarray(inverse).ravel(),
    }


def with_sklearn(scaler, rule, train=TRAIN, test=TEST, axis=1):
    if axis is None:
        rows, apply = train.reshape(-1, 1), lambda f: f(test.reshape(-1, 1)).reshape(test.shape)
    else:
        rest = np.moveaxis(test, axis, -1).shape
        rows = moved(train, axis)
        apply = lambda f: np.moveaxis(f(moved(test, axis)).reshape(rest), -1, axis)
    scaler.fit(rows)
    settings = {"axis": axis, **{k: v for k, v in scaler.get_params().items() if k in ("feature_range", "quantile_range")}}
    return scaler_entry(
        f"sklearn.preprocessing.{type(scaler).__name__}", rule, settings, train, test,
        apply(scaler.transform), apply(scaler.inverse_transform),
    )


def with_keras(train, test, axis):
    layer, back = (keras.layers.Normalization(axis=axis, dtype="float64") for _ in range(2))
    layer.adapt(train)
    back = keras.layers.Normalization(
        axis=axis, mean=np.asarray(layer.mean).ravel(), variance=np.asarray(layer.variance).ravel(), invert=True,
        dtype="float64",
    )
    return scaler_entry(
        "keras.layers.Normalization", "(x - mean) / sqrt(variance)", {"axis": axis}, train, test, layer(test), back(test))


def scaler_cases():
    standard, ranged = "(x - mean) / population std", "low + (x - min) / (max - min) * (high - low)"
    robust = "(x - median) / (difference of two percentiles)"
    return {
        "standard": with_sklearn(StandardScaler(), standard),
        "min_max_01": with_sklearn(MinMaxScaler(), ranged),
        "min_max_11": with_sklearn(MinMaxScaler((-1, 1)), ranged),
        "max_abs": with_sklearn(MaxAbsScaler(), "x / max |x|"),
        "robust": with_sklearn(RobustScaler(), robust),
        "robust_10_90": with_sklearn(RobustScaler(quantile_range=(10.0, 90.0)), robust),
        "standard_channels": with_sklearn(StandardScaler(), standard, IMAGES[:3], IMAGES[3:]),
        "robust_channels": with_sklearn(RobustScaler(), robust, IMAGES[:3], IMAGES[3:]),
        "min_max_whole": with_sklearn(MinMaxScaler(), ranged, IMAGES[:3], IMAGES[3:], axis=None),
        "standard_series": with_sklearn(StandardScaler(), standard, SERIES[:2], SERIES[2:], axis=2),
        "keras_features": with_keras(TRAIN[:, [0, 1, 4]], TEST[:, [0, 1, 4]], 1),
        "keras_channels": with_keras(IMAGES[:3], IMAGES[3:], 1),
    }


def asked_of_torch(fill, shape):
    """What an initialiser of PyTorch asks its generator for: half the width of a uniform distribution, or a std."""
    asked = {}
    tensor = torch.empty(shape, dtype=torch.float64)

    def uniform(self, low, high, generator=None):
        asked["bound"] = high
        assert low == -high
        return self

    def normal(self, mean, std, generator=None):
        asked["std"] = std
        assert mean == 0.0
        return self

    with mock.patch.object(torch.Tensor, "uniform_", uniform), mock.patch.object(torch.Tensor, "normal_", normal):
        fill(tensor)
    return asked


def asked_of_keras(initializer, shape):
    asked = {}

    def truncated(shape, mean, stddev, dtype, seed):
        asked.update(std_before_truncation=stddev)
        assert mean == 0.0

    def uniform(shape, minval, maxval, dtype, seed):
        asked.update(bound=maxval)
        assert minval == -maxval

    with mock.patch.object(random_initializers.random, "truncated_normal", truncated), \
            mock.patch.object(random_initializers.random, "uniform", uniform):
        initializer(shape, dtype="float64")
    return asked


def init_cases():
    init, he = torch.nn.init, {"a": 0, "nonlinearity": "relu"}
    fills = {
        "xavier_uniform": lambda t: init.xavier_uniform_(t),
        "xavier_normal": lambda t: init.xavier_normal_(t),
        "xavier_uniform_tanh": lambda t: init.xavier_uniform_(t, gain=init.calculate_gain("tanh")),
        "he_uniform": lambda t: init.kaiming_uniform_(t, **he),
        "he_normal": lambda t: init.kaiming_normal_(t, **he),
        "he_normal_fan_out": lambda t: init.kaiming_normal_(t, mode="fan_out", **he),
        "he_normal_leaky": lambda t: init.kaiming_normal_(t, a=0.2),
        "lecun_normal": lambda t: init.kaiming_normal_(t, nonlinearity="linear"),
        "lecun_uniform": lambda t: init.kaiming_uniform_(t, nonlinearity="linear"),
    }
    fills_keras = {
        "he_truncated": keras.initializers.HeNormal(), "lecun_truncated": keras.initializers.LecunNormal(),
        "xavier_truncated": keras.initializers.GlorotNormal(), "he_uniform": keras.initializers.HeUniform(),
    }
    # PyTorch's linear and convolution, [out, in, kernel...]; Keras's, [kernel..., in, out].
    shapes = {"linear": (4, 8), "conv1d": (6, 4, 5), "conv2d": (16, 3, 3, 3), "conv3d": (2, 3, 1, 2, 3)}
    cases = {}
    for name, shape in shapes.items():
        in_keras = (*shape[2:], shape[1], shape[0])
        cases[name] = {
            "source": "torch.nn.init, keras.initializers", "rule": "what is asked of the random generator",
            "settings": {"out": shape[0], "in": shape[1], "kernel": list(shape[2:])},
            "fans": list(init._calculate_fan_in_and_fan_out(torch.empty(shape))),
            "torch": {name: asked_of_torch(fill, shape) for name, fill in fills.items()},
            "keras": {name: asked_of_keras(fill, in_keras) for name, fill in fills_keras.items()},
        }
    return cases


def table_cases():
    gains = {name: torch.nn.init.calculate_gain(name) for name in ("linear", "sigmoid", "tanh", "relu", "selu")}
    gains |= {"leaky_relu_0.2": torch.nn.init.calculate_gain("leaky_relu", 0.2)}
    bounds = [0.5, 1.0, 2.0, 3.0]
    moments = [scipy.stats.truncnorm(-b, b).stats("mvk") for b in bounds]
    return {
        "gains": {"source": "torch.nn.init.calculate_gain", "rule": "gain", "settings": {}, **gains},
        "truncated": {
            "source": "scipy.stats.truncnorm", "rule": "moments of N(0, 1) cut off at +-bound", "settings": {},
            "bounds": bounds, "std": [math.sqrt(v) for _, v, _ in moments], "excess_kurtosis": [k for _, _, k in moments],
        },
    }


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else repr(float(value))
    return value.item() if isinstance(value, np.generic) else value


def main():
    groups = {"scalers": scaler_cases(), "init_scales": init_cases(), "init_tables": table_cases()}
    versions = {"keras": keras.__version__, "scikit-learn": sklearn.__version__, "scipy": scipy.__version__,
                "torch": torch.__version__}
    lines = ['{"versions": ' + json.dumps(versions)]
    for group, cases in groups.items():
        entries = ",\n".join(f"  {json.dumps(name)}: {json.dumps(plain(case))}" for name, case in cases.items())
        lines.append(f"{json.dumps(group)}: {{\n{entries}\n}}")
    TARGET.write_text(",\n".join(lines) + "}\n", encoding="utf-8")
    print(f"{TARGET.name}: " + ", ".join(f"{len(cases)} {group}" for group, cases in groups.items()))


if __name__ == "__main__":
    main()
