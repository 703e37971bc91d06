"""Our modules against PyTorch's: how much longer a training step of a network takes with one of them.

    pip install torch
    cargo build --release --locked --example bench_modules
    python examples/bench_modules.py [--cases mlp,small] [--alternations 7] [--threads 2] [--json]

The two programs run in turn, each in a process of its own, and each goes first every other time. Within its process each
times a step with the module and one of the plain network in turn: both medians over the rounds, and their ratio. The
table has the medians over the alternations, and the least and the largest ratio. Its last columns are the ratio of the
times of both programs' steps with the module, ours / PyTorch's, in one alternation.

Cases: mlp (784-512-512-10, batches of 64), small (784-64-64-10, batches of 32), as in `bench_modules`, with ReLU and plain
SGD. PyTorch is not compiled (`torch.compile`) and has fused SGD. What PyTorch lacks is written here with its operations, as
users do: weight standardisation, DropConnect, Gaussian dropout, drop-path and ghost batch norm. DropBlock has no
counterpart. How much memory the C library keeps decides the time of our small network: set `MALLOC_MMAP_THRESHOLD_` and
`MALLOC_TRIM_THRESHOLD_` as `BENCHMARKS.md` of `burn-tricks-nn` says. PyTorch is several GB, so nothing runs this but a
person.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

from bench_step import at_least_one, lines_of, load, machine, need_torch, spread

# Width of the hidden layers, and samples of a batch.
CASES = {"mlp": (512, 64), "small": (64, 32)}
# Which module of PyTorch is compared with one of ours that has another name.
COUNTERPARTS = {
    "Burn's dropout": "dropout",
    "PyTorch's batch norm": "batch norm",
    "Burn's batch norm": "batch norm",
    "Burn's layer norm": "layer norm",
}
# As in `src/additions.rs`: of every dropout, of ghost batch norm's parts, and of spatial dropout's maps.
PROB, GHOST, PLACES = 0.2, 16, 16


def torch_networks():
    """The names of PyTorch's modules, and a function that makes a network with one of them, or with `None`."""
    import torch
    from torch import nn
    from torch.nn.utils import parametrizations, parametrize

    class GhostBatchNorm(nn.BatchNorm1d):
        def forward(self, x):
            return torch.cat([super(GhostBatchNorm, self).forward(part) for part in x.split(GHOST)])

    class GaussianDropout(nn.Module):
        def forward(self, x):
            return x * torch.empty_like(x).normal_(1.0, (PROB / (1 - PROB)) ** 0.5)

    class SpatialDropout(nn.Dropout1d):
        def forward(self, x):
            return super().forward(x.view(len(x), -1, PLACES)).flatten(1)

    class DropPath(nn.Module):
        def forward(self, x):
            return x * x.new_empty(len(x), 1).bernoulli_(1 - PROB).div_(1 - PROB)

    class Standardized(nn.Module):
        def forward(self, weight):
            variance, mean = torch.var_mean(weight, dim=1, keepdim=True, unbiased=False)
            return (weight - mean) * torch.rsqrt(variance + 1e-5)

    of_weights = {
        "weight norm": parametrizations.weight_norm,
        "spectral norm": parametrizations.spectral_norm,
        "weight standardisation": lambda layer: parametrize.register_parametrization(layer, "weight", Standardized()),
        "DropConnect": lambda layer: parametrize.register_parametrization(layer, "weight", nn.Dropout(PROB)),
    }
    after_activation = {
        "dropout": lambda: nn.Dropout(PROB),
        "alpha dropout": lambda: nn.AlphaDropout(PROB),
        "Gaussian dropout": GaussianDropout,
        "spatial dropout": lambda: SpatialDropout(PROB),
        "drop-path": DropPath,
    }
    before_activation = {
        "ghost batch norm": GhostBatchNorm,
        "batch norm": nn.BatchNorm1d,
        "frozen batch norm": lambda width: nn.BatchNorm1d(width).eval().requires_grad_(False),
        "layer norm": nn.LayerNorm,
    }

    def network(name, width):
        layers, inputs = [], 784
        for _ in range(2):
            layers.append(nn.Linear(inputs, width))
            if name in before_activation:
                layers.append(before_activation[name](width))
            layers.append(nn.ReLU())
            if name in after_activation:
                layers.append(after_activation[name]())
            inputs = width
        layers.append(nn.Linear(width, 10))
        if name in of_weights:
            for layer in layers:
                if isinstance(layer, nn.Linear):
                    of_weights[name](layer)
        return nn.Sequential(*layers)

    return [*of_weights, *after_activation, *before_activation], network


def torch_step(net, batch):
    """A function that trains the network by one step."""
    import torch
    from torch.nn.functional import cross_entropy

    optim = torch.optim.SGD(net.parameters(), lr=1e-3, fused=True)
    images, labels = torch.rand(batch, 784), torch.arange(batch) % 10

    def step():
        optim.zero_grad()
        cross_entropy(net(images), labels).backward()
        optim.step()

    return step


def in_turn(ours, other, rounds, warm_up=5):
    """The median milliseconds of two functions that run in turn."""
    times = ([], [])
    for i in range(rounds + warm_up):
        for work, into in [(ours, times[0]), (other, times[1])][:: 1 if i % 2 else -1]:
            start = time.perf_counter()
            work()
            into.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(into[warm_up:]) for into in times]


def run_torch(case, threads, rounds):
    """Prints, as one JSON object, a step's time with each module of PyTorch and without it. For a process of its own."""
    import torch

    torch.set_num_threads(threads)
    width, batch = CASES[case]
    names, network = torch_networks()
    times = {}
    for name in names:
        with_it, plain = (torch_step(network(of, width), batch) for of in (name, None))
        times[name] = in_turn(with_it, plain, rounds)
    print(json.dumps({"torch": torch.__version__, "times": times}))


def torch_times(case, options):
    command = [sys.executable, __file__, "--torch", "--cases", case]
    command += ["--threads", str(options.threads), "--rounds", str(options.rounds)]
    [line] = lines_of(command)
    return json.loads(line)


def our_times(case, options):
    command = [options.bench, "--json", "--only", case, "--rounds", str(options.rounds)]
    rows = map(json.loads, lines_of(command, env=os.environ | {"RAYON_NUM_THREADS": str(options.threads)}))
    return {"times": {row["module"]: (row["ms"], row["plain_ms"]) for row in rows}}


def side(runs, name):
    """One library's columns for a module, from its (time with it, plain time) in each run."""
    pairs = [run["times"][name] for run in runs]
    medians = {key: statistics.median(times) for key, times in zip(("ms", "plain_ms"), zip(*pairs))}
    return medians | spread([ms / plain for ms, plain in pairs])


def compare(case, options):
    ours, torch = [], []
    for alternation in range(options.alternations):
        programs = [(our_times, ours), (torch_times, torch)]
        for run, runs in programs if alternation % 2 == 0 else reversed(programs):
            runs.append(run(case, options))
    version = torch[0]["torch"]
    of_case = {"case": case, "machine": machine(options), "load_average": os.getloadavg()[0], "torch_version": version}
    if not options.json:
        width, batch = CASES[case]
        print(f"\n({case}) 784-{width}-{width}-10, batches of {batch}; PyTorch {version}; {load()}")
        print(f"{'':<24} {'ours':<39}  {'PyTorch':<39}  ours / PyTorch's")
        columns = f"{'ms':>8} {'plain':>8} {'ratio':>6} {'least':>6} {'most':>6}"
        print(f"{'':<24} {columns}  {columns}  {columns[18:]}")
    for name in ours[0]["times"]:
        theirs = COUNTERPARTS.get(name, name)
        row = {"module": name, "ours": side(ours, name), "torch": None, "ours_per_torch": None}
        if theirs in torch[0]["times"]:
            row["torch"] = side(torch, theirs)
            both = zip(ours, torch)
            row["ours_per_torch"] = spread([a["times"][name][0] / b["times"][theirs][0] for a, b in both])
        print(json.dumps(of_case | row) if options.json else table_row(row), flush=True)


def table_row(row):
    def ratios(of):
        return f"{of['ratio']:6.2f} {of['least']:6.2f} {of['most']:6.2f}"

    def columns(of):
        return f"{of['ms']:8.3f} {of['plain_ms']:8.3f} {ratios(of)}"

    text = f"{row['module']:<24} {columns(row['ours'])}"
    if row["torch"] is None:
        return text
    return f"{text}  {columns(row['torch'])}  {ratios(row['ours_per_torch'])}"


def main():
    target = os.environ.get("CARGO_TARGET_DIR", Path(__file__).parent.parent / "target")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default="mlp,small", help="of mlp, small; separated by commas")
    parser.add_argument("--alternations", type=at_least_one, default=7)
    parser.add_argument("--rounds", type=at_least_one, default=60, help="of one module in one run")
    parser.add_argument("--threads", type=at_least_one, default=os.cpu_count())
    parser.add_argument("--bench", default=Path(target) / "release/examples/bench_modules", help="our program")
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
        parser.error(f"{options.bench} is not there: cargo build --release --locked --example bench_modules")
    if not options.json:
        print(machine(options))
        print(f"{options.alternations} alternations of {options.rounds} rounds; before them the {load()}")
    for case in cases:
        compare(case, options)


if __name__ == "__main__":
    main()
