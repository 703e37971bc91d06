"""PyTorch's fused optimizers on the tensors of `bench_step`, to set its figures side by side.

    pip install torch
    python examples/bench_step.py [threads]

Prints medians in milliseconds of 8 tensors of 1024x1024, 2,000 of 64x16 and one of 50 million numbers. Gradients stay
where they are, and one optimizer runs after the other, as in `bench_step --only pytorch`. PyTorch is several GB, so
nothing runs this but a person.
"""

import statistics
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)

OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=1e-3, fused=True),
    "SGD, momentum": lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9, dampening=0.1, fused=True),
    "AdaGrad": lambda p: torch.optim.Adagrad(p, lr=1e-3, eps=1e-5, fused=True),
    "RMSProp": lambda p: torch.optim.RMSprop(p, lr=1e-3, eps=1e-5, foreach=True),  # there is no fused one
    "RMSProp, momentum": lambda p: torch.optim.RMSprop(p, lr=1e-3, eps=1e-5, momentum=0.9, foreach=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=1e-3, eps=1e-5, fused=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1e-3, eps=1e-5, weight_decay=1e-4, fused=True),
}
CASES = {"a": (8, (1024, 1024)), "b": (2000, (64, 16)), "c": (1, (50_000, 1000))}


def median_ms(work, rounds=15, warm_up=2):
    times = []
    for _ in range(rounds + warm_up):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[warm_up:])


def parameters(count, shape):
    tensors = [torch.nn.Parameter(torch.rand(shape) * 0.2 - 0.1) for _ in range(count)]
    for tensor in tensors:
        tensor.grad = torch.rand(shape) * 0.02 - 0.01
    return tensors


def main():
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for case, (count, shape) in CASES.items():
        tensors = parameters(count, shape)
        for name, make in OPTIMIZERS.items():
            print(f"{case}  {name:<18} {median_ms(make(tensors).step):9.3f}", flush=True)
        clip = median_ms(lambda: torch.nn.utils.clip_grad_norm_(tensors, 1e9))
        print(f"{case}  {'clip_grad_norm_':<18} {clip:9.3f}", flush=True)
        mean = [tensor.detach().clone() for tensor in tensors]
        live = [tensor.detach() for tensor in tensors]
        blend = median_ms(lambda: torch._foreach_lerp_(mean, live, 0.001))
        print(f"{case}  {'_foreach_lerp_':<18} {blend:9.3f}", flush=True)


if __name__ == "__main__":
    main()
