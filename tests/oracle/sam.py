"""Weights of a small network under SAM and ASAM, step by step, in float64: `sam.json`.

The steps uphill are those of davda54/sam (`SAM.first_step`) and of SamsungLabs/ASAM (`ASAM.ascent_step`), with
PyTorch's gradients. Weights have Burn's layout, `[in, out]`.
"""

import json
import math
from pathlib import Path

import torch

NAMES = ["first.weight", "first.bias", "last.weight", "last.bias"]
SHAPES = [(4, 3), (3,), (3, 2), (2,)]


def wave(count, phase):
    return torch.tensor([math.sin(1.7 * i + phase) for i in range(count)], dtype=torch.float64)


def loss(params, inputs, targets):
    w1, b1, w2, b2 = params
    return ((torch.tanh(inputs @ w1 + b1) @ w2 + b2 - targets) ** 2).mean()


def davda54(params, rho, adaptive):
    """SAM.first_step; the norm of SAM._grad_norm."""
    norm = torch.norm(
        torch.stack([((torch.abs(p) if adaptive else 1.0) * p.grad).norm(p=2) for p in params]), p=2
    )
    scale = rho / (norm + 1e-12)
    return [(torch.pow(p, 2) if adaptive else 1.0) * p.grad * scale for p in params]


def samsung(params, rho, eta):
    """ASAM.ascent_step."""
    scaled, scales = [], []
    for name, p in zip(NAMES, params):
        t_w = p.abs() + eta if "weight" in name else torch.ones_like(p)
        scales.append(t_w)
        scaled.append(p.grad * t_w)
    norm = torch.norm(torch.stack([g.norm(p=2) for g in scaled]), p=2) + 1.0e-16
    return [g * t * rho / norm for g, t in zip(scaled, scales)]


def run(ascent, lr=0.1, steps=10):
    params = [wave(math.prod(s), k + 0.5).reshape(s).requires_grad_() for k, s in enumerate(SHAPES)]
    rows = []
    for step in range(steps):
        inputs, targets = wave(20, step + 0.1).reshape(5, 4), wave(10, step + 0.2).reshape(5, 2)
        loss(params, inputs, targets).backward()
        with torch.no_grad():
            old = [p.clone() for p in params]
            for p, e in zip(params, ascent(params)):
                p.add_(e)
                p.grad = None
        loss(params, inputs, targets).backward()
        with torch.no_grad():
            for p, w in zip(params, old):
                p.copy_(w - lr * p.grad)
                p.grad = None
        rows.append([number for p in params for number in p.flatten().tolist()])
    return rows


def main():
    cases = {
        "davda54": ("davda54/sam", lambda ps: davda54(ps, 0.05, False)),
        "davda54_adaptive": ("davda54/sam, adaptive=True", lambda ps: davda54(ps, 2.0, True)),
        "asam": ("SamsungLabs/ASAM", lambda ps: samsung(ps, 0.5, 0.01)),
    }
    sam = {name: {"source": source, "weights": run(ascent)} for name, (source, ascent) in cases.items()}
    out = {"versions": {"torch": torch.__version__.split("+")[0]}, "sam": sam}
    path = Path(__file__).with_name("sam.json")
    path.write_text(json.dumps(out, indent=1) + "\n")


main()
