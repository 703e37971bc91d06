"""Our optimizer steps against PyTorch's fused ones, on the same tensors.

    pip install torch
    cargo build --release --locked --example bench_step
    python examples/bench_step.py [--cases a,b,c] [--alternations 7] [--threads 2] [--json]

The two programs run in turn, each in a process of its own, and each goes first every other time. An optimizer's time in
one run is the median of its rounds. The table has the median over the alternations of the times in milliseconds, and of
the ratio ours / PyTorch's of one alternation, with the least and the largest ratio, and PyTorch's least and largest time.

Cases: (a) 8 tensors of 1024x1024, (b) 2,000 of 64x16, (c) one of 50 million numbers. Gradients stay where they are, and
one optimizer runs after the other, as in `bench_step --only pytorch-a`. In (b) a `FusedStep` is compared with the
optimizer of its name, and the walk of Burn's `ModuleOptimizer` with an optimizer that leaves the weights as they are
with SGD. PyTorch is several GB, so nothing runs this but a person.
"""

import argparse
import glob
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

CASES = {"a": (8, (1024, 1024)), "b": (2000, (64, 16)), "c": (1, (50_000, 1000))}
# What a ratio must not exceed.
LIMITS = {"a": 1.0, "b": 1.2, "c": 1.0}
# PyTorch has no fused RMSProp: its time is that of `foreach`, and there is no limit.
NOT_FUSED = ("RMSProp", "RMSProp, momentum")
# What every step through Burn's `ModuleOptimizer` takes: compared with PyTorch's plain SGD.
WALK = "Burn's walk without a step"


def optimizers(torch):
    optim = torch.optim
    return {
        "SGD": lambda p: optim.SGD(p, lr=1e-3, fused=True),
        "SGD, momentum": lambda p: optim.SGD(p, lr=1e-3, momentum=0.9, dampening=0.1, fused=True),
        "AdaGrad": lambda p: optim.Adagrad(p, lr=1e-3, eps=1e-5, fused=True),
        "RMSProp": lambda p: optim.RMSprop(p, lr=1e-3, eps=1e-5, foreach=True),
        "RMSProp, momentum": lambda p: optim.RMSprop(p, lr=1e-3, eps=1e-5, momentum=0.9, foreach=True),
        "Adam": lambda p: optim.Adam(p, lr=1e-3, eps=1e-5, fused=True),
        "AdamW": lambda p: optim.AdamW(p, lr=1e-3, eps=1e-5, weight_decay=1e-4, fused=True),
    }


def median_ms(work, rounds, warm_up=2):
    times = []
    for _ in range(rounds + warm_up):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[warm_up:])


def run_torch(case, threads, rounds):
    """Prints the times of PyTorch as one JSON object. Runs in a process of its own."""
    import torch

    torch.set_num_threads(threads)
    count, shape = CASES[case]
    params = [torch.nn.Parameter(torch.rand(shape) * 0.2 - 0.1) for _ in range(count)]
    for param in params:
        param.grad = torch.rand(shape) * 0.02 - 0.01
    times = {"torch": torch.__version__}
    for name, make in optimizers(torch).items():
        times[name] = median_ms(make(params).step, rounds)
    # It multiplies the gradients by one if their norm is below the threshold. The first clipping takes them to a norm of 1, and
    # further ones multiply by about one. With a threshold of 1e-9 each would multiply by 1e-3, since PyTorch adds 1e-6 to the norm.
    clip = torch.nn.utils.clip_grad_norm_
    for name, threshold in (("clip, nothing clipped", 1e9), ("clip, all clipped", 1.0)):
        times[name] = median_ms(lambda: clip(params, threshold), rounds)
    norm = float(clip(params, 1e9))
    assert 0.9 <= norm <= 1.0, f"clipping to a norm of 1 has left one of {norm}"
    mean = [param.detach().clone() for param in params]
    live = [param.detach() for param in params]
    times["average"] = median_ms(lambda: torch._foreach_lerp_(mean, live, 0.001), rounds)
    print(json.dumps(times))


def lines_of(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{done.stderr}{' '.join(map(str, command))} ended with status {done.returncode}")
    return done.stdout.splitlines()


def torch_times(case, options):
    command = [sys.executable, __file__, "--torch", "--cases", case]
    command += ["--threads", str(options.threads), "--rounds", str(options.rounds)]
    [line] = lines_of(command)
    return json.loads(line)


def our_times(case, options):
    command = [options.bench, "--json", "--only", f"pytorch-{case}", "--rounds", str(options.rounds)]
    rows = map(json.loads, lines_of(command, env=os.environ | {"RAYON_NUM_THREADS": str(options.threads)}))
    return {row["name"]: row["ours_ms"] for row in rows}


def machine(options):
    def read(path):
        try:
            return Path(path).read_text().strip()
        except OSError:
            return ""

    info = [line.split(":", 1) for line in read("/proc/cpuinfo").splitlines() if ":" in line]
    info = {key.strip(): value.strip() for key, value in info}
    vectors = [name for name in ("avx2", "avx512f") if name in info.get("flags", "").split()]
    caches = {}
    for index in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*")):
        if read(f"{index}/type") != "Instruction":
            caches[f"L{read(f'{index}/level')}"] = read(f"{index}/size")
    name = info.get("model name", platform.processor() or platform.machine())
    caches = ", ".join(f"{level} {size}" for level, size in caches.items())
    return f"{name}, {os.cpu_count()} cores ({' '.join(vectors)}), caches of one core: {caches}; {options.threads} threads"


def load():
    # The programs themselves are part of the load average.
    return "load average of the last minute: %.2f" % os.getloadavg()[0]


def spread(ratios):
    return {"ratio": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}


def compare(case, options):
    ours, torch = {}, {}
    for alternation in range(options.alternations):
        programs = [(our_times, ours), (torch_times, torch)]
        for run, times in programs if alternation % 2 == 0 else reversed(programs):
            for name, ms in run(case, options).items():
                times.setdefault(name, []).append(ms)
    version = torch["torch"][0]
    of_case = {"case": case, "machine": machine(options), "load_average": os.getloadavg()[0], "torch_version": version}
    if not options.json:
        print(f"\n({case}) limit {LIMITS[case]}; PyTorch {version}; {load()}")
        print(f"{'':<26} {'ours':>9} {'PyTorch':>9} {'ratio':>6} {'least':>6} {'most':>6}  {'PyTorch: least':>14} {'most':>7}")
    for name, mine in ours.items():
        theirs = torch["SGD" if name == WALK else name.removeprefix("FusedStep, ")]
        row = {"name": name, "ours_ms": statistics.median(mine), "torch_ms": statistics.median(theirs)}
        row |= {"torch_least_ms": min(theirs), "torch_most_ms": max(theirs)}
        row |= spread([a / b for a, b in zip(mine, theirs)])
        row["note"] = note(name, row["ratio"], LIMITS[case])
        print(json.dumps(of_case | row) if options.json else table_row(row), flush=True)


def note(name, ratio, limit):
    if name in NOT_FUSED:
        return "not fused"
    if name == WALK:
        return "Burn's alone"
    return "OVER" if ratio > limit else ""


def table_row(row):
    medians = f"{row['ours_ms']:9.3f} {row['torch_ms']:9.3f}"
    ratios = f"{row['ratio']:6.2f} {row['least']:6.2f} {row['most']:6.2f}"
    torch = f"{row['torch_least_ms']:14.3f} {row['torch_most_ms']:7.3f}"
    return f"{row['name']:<26} {medians} {ratios}  {torch}  {row['note']}".rstrip()


def at_least_one(text):
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than one")
    return int(text)


def need_torch(parser):
    if importlib.util.find_spec("torch") is None:
        parser.error("PyTorch is not installed: pip install torch")


def main():
    target = os.environ.get("CARGO_TARGET_DIR", Path(__file__).parent.parent / "target")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default="a,b,c", help="of a, b, c; separated by commas")
    parser.add_argument("--alternations", type=at_least_one, default=7)
    parser.add_argument("--rounds", type=at_least_one, default=15, help="of one optimizer in one run")
    parser.add_argument("--threads", type=at_least_one, default=os.cpu_count())
    parser.add_argument("--bench", default=Path(target) / "release/examples/bench_step", help="our program")
    parser.add_argument("--json", action="store_true", help="one JSON object per line instead of the table")
    parser.add_argument("--torch", action="store_true", help="PyTorch's times of one case alone, as JSON")
    options = parser.parse_args()
    cases = options.cases.split(",")
    for case in cases:
        if case not in CASES:
            parser.error(f"there is no case {case!r}; there are: {', '.join(CASES)}")
    need_torch(parser)
    if options.torch and len(cases) > 1:
        parser.error("--torch times one case: --cases " + cases[0])
    if options.torch:
        return run_torch(options.cases, options.threads, options.rounds)
    if not Path(options.bench).exists():
        parser.error(f"{options.bench} is not there: cargo build --release --locked --example bench_step")
    if not options.json:
        print(machine(options))
        print(f"{options.alternations} alternations of {options.rounds} rounds; before them the {load()}")
    for case in cases:
        compare(case, options)


if __name__ == "__main__":
    main()
