"""Repeats a comparison of `compare` in PyTorch, and says whether the quality effects have the same sign there.

    pip install torch numpy
    cargo run --release --example compare -- --json all.json
    python examples/replicate.py all.json [--seeds 14] [--only NAME,NAME] [--threads 1]

It reads recipes and verdicts from the file, and nothing else: network, data splits, initial weights, batches, steps and
scores are PyTorch's, NumPy's or written here from the published formula. So a mistake of burn-tricks or of Burn that
changes what a trick does shows as an effect of another sign. The random numbers are others, so that effects are equal in
distribution, not number by number. All seeds of a recipe are trained at once: every tensor has the models as its first
dimension, `[models, ...]`.

It prints each decided quality effect (*helps*, *hurts*, *slightly better*, *slightly worse*) here and there, a mean over
seeds, and in how many seeds the variant's value is higher in PyTorch. It ends with a failure if the signs of fewer than
90 % of them agree. A row that was found equivalent or undecided has no sign to compare. PyTorch is several GB, so
nothing runs this but a person.
"""

import argparse
import copy
import gzip
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

DIGITS = Path(__file__).resolve().parent / "data" / "digits.csv.gz"
PROMISED = 0.9
FAILED = 0.99  # a loss of at least this share of that without a model


# Data


def digits():
    with gzip.open(DIGITS, "rt") as file:
        rows = np.array([[int(number) for number in line.split(",")] for line in file])
    return rows[:, :64].astype(np.float32), rows[:, 64]


def split(labels, seed):
    """Indices of the training, validation and test part: three fifths, a fifth and a fifth of each class."""
    rng = np.random.default_rng([seed, 0])

    def halves(indices, share):
        first, second = [], []
        for label in range(10):
            members = rng.permutation(indices[labels[indices] == label])
            cut = int(len(members) * share + 0.5)
            first.append(members[:cut])
            second.append(members[cut:])
        return np.concatenate(first), np.concatenate(second)

    train, rest = halves(np.arange(len(labels)), 0.6)
    return train, *halves(rest, 0.5)


class Part:
    """The samples of one part for all models: `[models, samples, 64]` and `[models, samples]`."""

    def __init__(self, pixels, labels, indices):
        self.x, self.y = torch.from_numpy(pixels[indices]), torch.from_numpy(labels[indices])

    def repeat(self, times):
        other = copy.copy(self)
        other.x, other.y = (tensor.repeat_interleave(times, 0) for tensor in (self.x, self.y))
        return other

    def batch(self, indices):
        model = torch.arange(len(self.y))[:, None]
        return self.x[model, indices], self.y[model, indices]


# The network


INITS = {
    "default": lambda w, g: torch.nn.init.kaiming_uniform_(w, a=math.sqrt(5), generator=g),  # that of nn.Linear
    "normal": lambda w, g: torch.nn.init.normal_(w, generator=g),
    "over-n": lambda w, g: torch.nn.init.normal_(w, std=1 / w.shape[1], generator=g),
    "over-sqrt-n": lambda w, g: torch.nn.init.normal_(w, std=w.shape[1] ** -0.5, generator=g),
    "uniform": lambda w, g: torch.nn.init.uniform_(w, -0.05, 0.05, generator=g),
    "xavier": lambda w, g: torch.nn.init.xavier_normal_(w, generator=g),
    "he": lambda w, g: torch.nn.init.kaiming_normal_(w, generator=g),
    "orthogonal": lambda w, g: torch.nn.init.orthogonal_(w, generator=g),
}


def unit_norms(weight):
    """The length of the weights into each unit, `[models, 1, out]`."""
    return weight.norm(dim=1, keepdim=True)


class Network:
    """A multi-layer perceptron for digits, once for each name in `models`, a pair of seed and member."""

    def __init__(self, setup, models):
        self.setup, self.params, self.buffers = setup, {}, {}
        self.sizes = list(zip([64, *setup["hidden"]], [*setup["hidden"], 10]))
        count = len(models)
        for layer, (inputs, outputs) in enumerate(self.sizes):
            weights = []
            for seed, member in models:
                generator = torch.Generator().manual_seed(1_000_000 * seed + 1000 * member + layer)
                weights.append(INITS[setup["init"]](torch.empty(outputs, inputs), generator).T)
            self.add(layer, "weight", torch.stack(weights).contiguous())
            self.add(layer, "bias", torch.zeros(count, 1, outputs))
            if setup["weight_norm"]:
                self.add(layer, "length", unit_norms(self.params[layer, "weight"].detach()))
            if self.is_output(layer):
                continue
            if setup["norm"] != "none":
                self.add(layer, "gain", torch.ones(count, 1, outputs))
                self.add(layer, "shift", torch.zeros(count, 1, outputs))
            if setup["norm"] == "batch":
                self.buffers[layer, "mean"] = torch.zeros(count * outputs)
                self.buffers[layer, "var"] = torch.ones(count * outputs)
            if setup["skip"] == "re-zero" and inputs == outputs:
                self.add(layer, "alpha", torch.zeros(count, 1, 1))

    def add(self, layer, name, tensor):
        self.params[layer, name] = tensor.requires_grad_()

    def is_output(self, layer):
        return layer == len(self.sizes) - 1

    def forward(self, x, training=False):
        """Images `[models, samples, 64]` to logits `[models, samples, 10]`."""
        setup = self.setup
        for layer, (inputs, outputs) in enumerate(self.sizes):
            weight = self.params[layer, "weight"]
            if setup["weight_norm"]:
                weight = weight * (self.params[layer, "length"] / unit_norms(weight))
            signal = torch.baddbmm(self.params[layer, "bias"], x, weight)
            if self.is_output(layer):
                return signal
            signal = F.dropout(F.relu(self.normalise(layer, signal, training)), setup["dropout"], training)
            if setup["skip"] == "none" or inputs != outputs:
                x = signal
                continue
            signal = self.drop_path(layer, signal, training)
            x = x + self.params.get((layer, "alpha"), 1.0) * signal

    def normalise(self, layer, signal, training):
        models, samples, units = signal.shape
        if self.setup["norm"] == "batch":
            # Each unit of each model is a channel.
            flat = signal.transpose(0, 1).reshape(samples, models * units)
            mean, var = self.buffers[layer, "mean"], self.buffers[layer, "var"]
            flat = F.batch_norm(flat, mean, var, training=training)
            signal = flat.reshape(samples, models, units).transpose(0, 1)
        elif self.setup["norm"] == "layer":
            signal = F.layer_norm(signal, (units,))
        else:
            return signal
        return signal * self.params[layer, "gain"] + self.params[layer, "shift"]

    def drop_path(self, layer, signal, training):
        """Stochastic depth: the share of samples that lose the layer rises from 0 in the first to that of the last."""
        share = self.setup["drop_path"] * layer / (len(self.sizes) - 2)
        if not training or share == 0.0:
            return signal
        return signal * (torch.rand(*signal.shape[:2], 1) >= share) / (1.0 - share)

    def map(self, change):
        """A copy with every tensor changed; those of the running statistics are `[models · units]`."""
        other = copy.copy(self)
        other.params = {name: change(param.detach()).requires_grad_() for name, param in self.params.items()}
        models = len(self.params[0, "bias"])
        other.buffers = {
            name: change(buffer.reshape(models, -1)).reshape(-1) for name, buffer in self.buffers.items()
        }
        return other

    def copy(self):
        return self.map(torch.clone)

    @torch.no_grad()
    def mix(self, other, share):
        """Moves to `other` by that share of the way: a number, or one for each model."""

        def move(mine, theirs):
            theirs = theirs.reshape(mine.shape)
            way = share if isinstance(share, float) else share.reshape(-1, *[1] * (mine.dim() - 1))
            mine.copy_(torch.where(torch.as_tensor(way) == 1, theirs, mine + way * (theirs - mine)))

        for name, param in self.params.items():
            move(param, other.params[name])
        models = len(self.params[0, "bias"])
        for name, buffer in self.buffers.items():
            move(buffer.view(models, -1), other.buffers[name].view(models, -1))


# A step


def losses(network, x, y):
    """The mean cross-entropy of each model."""
    logits = network.forward(x, training=True)
    return F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view(y.shape).mean(1)


def gradients(network, x, y):
    params = network.params
    return dict(zip(params, torch.autograd.grad(losses(network, x, y).sum(), list(params.values()))))


def norms(grads):
    """The norm of all gradients of a model, `[models, 1, 1]`."""
    return sum(grad.square().sum(dim=(1, 2)) for grad in grads.values()).sqrt()[:, None, None]


def gradients_of_step(network, setup, x, y):
    """What the optimizer gets."""
    if setup["sam"] is not None:
        grads = gradients(network, x, y)
        uphill = setup["sam"] / norms(grads)
        above = network.copy()
        for name, param in above.params.items():
            param.data += uphill * grads[name]
        grads = gradients(above, x, y)
    elif setup["micro_batches"] > 1:
        size = -(-y.shape[1] // setup["micro_batches"])
        grads = {name: torch.zeros_like(param) for name, param in network.params.items()}
        for part_x, part_y in zip(x.split(size, 1), y.split(size, 1)):
            for name, grad in gradients(network, part_x, part_y).items():
                grads[name] += grad * (part_y.shape[1] / y.shape[1])
    else:
        grads = gradients(network, x, y)
    if setup["centralize"]:
        for layer in range(len(network.sizes)):
            weight = grads[layer, "weight"]
            grads[layer, "weight"] = weight - weight.mean(dim=1, keepdim=True)
    if setup["agc"] is not None:
        for (layer, name), grad in grads.items():
            if network.is_output(layer):
                continue
            param = network.params[layer, name].detach()
            axes = 1 if name == "weight" else (1, 2)  # a bias is one unit
            most = setup["agc"] * param.norm(dim=axes, keepdim=True).clamp(min=1e-3)
            grads[layer, name] = grad * (most / grad.norm(dim=axes, keepdim=True)).clamp(max=1.0)
    if setup["clip"] is not None:
        factor = (setup["clip"] / norms(grads)).clamp(max=1.0)
        grads = {name: grad * factor for name, grad in grads.items()}
    if setup["normalize"]:
        length = norms(grads)
        grads = {name: grad / length for name, grad in grads.items()}
    if setup["optimizer"] == "normalized-tensor":
        grads = {
            name: torch.nan_to_num(grad / grad.norm(dim=(1, 2), keepdim=True)) for name, grad in grads.items()
        }
    return grads


def optimizer(choice, params):
    """PyTorch's optimizers, with the settings of burn-tricks that are not PyTorch's defaults."""
    name, value = next(iter(choice.items())) if isinstance(choice, dict) else (choice, None)
    make = {
        "sgd": lambda: torch.optim.SGD(params, lr=0.0),
        "sgd-l2": lambda: torch.optim.SGD(params, lr=0.0, weight_decay=value),
        "momentum": lambda: torch.optim.SGD(params, lr=0.0, momentum=value),
        "normalized-tensor": lambda: torch.optim.SGD(params, lr=0.0),
        "ada-grad": lambda: torch.optim.Adagrad(params, lr=0.0, eps=1e-5),
        "rms-prop": lambda: torch.optim.RMSprop(params, lr=0.0, eps=1e-5),
        "adam": lambda: torch.optim.Adam(params, lr=0.0, eps=1e-5),
        "burn-adam": lambda: torch.optim.Adam(params, lr=0.0, eps=1e-5),
    }
    return make[name]()


def schedule(setup, steps, steps_per_epoch):
    """The learning rate of each step."""
    rate, top = setup["rate"], setup["learning_rate"]
    at = np.arange(steps)
    if rate == "cosine":
        return top * (1 + np.cos(math.pi * at / steps)) / 2
    if rate == "one-cycle":
        adapter = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=top)
        cycle = torch.optim.lr_scheduler.OneCycleLR(adapter, top, total_steps=steps)
        rates = []
        for _ in at:
            rates.append(cycle.get_last_lr()[0])
            adapter.step()
            if len(rates) < steps:
                cycle.step()
        return np.array(rates)
    kind, value = next(iter(rate.items()))
    if kind == "exponential":
        return top * value ** (at // steps_per_epoch)
    if kind == "warmup":
        return top * np.minimum(1.0, at / (value * steps_per_epoch))
    if kind == "restarts":
        period = steps // value
        return top * (1 + np.cos(math.pi * (at % period) / period)) / 2
    raise SystemExit(f"this script has no learning rate {rate!r}")


# A training


@torch.no_grad()
def predict(networks, part):
    """The probabilities `[models, samples, 10]` of the samples of a part, as the mean over `networks`."""
    probabilities = 0.0
    for network in networks:
        rows = network.forward(part.x).softmax(-1)
        probabilities = probabilities + rows / len(networks)
    return probabilities


def measure(probabilities, y):
    """Accuracy and loss, `[models]` each."""
    right = (probabilities.argmax(-1) == y) & probabilities.isfinite().all(-1)
    of_label = probabilities.gather(-1, y[..., None])[..., 0]
    loss = -of_label.clamp(min=1e-7).log()
    loss = torch.where(of_label.isnan(), of_label, loss)
    return right.double().mean(1).numpy(), loss.double().mean(1).numpy()


class Training:
    """All seeds of a recipe."""

    def __init__(self, setup, pixels, labels, seeds, epochs):
        self.setup, self.seeds, self.epochs = setup, seeds, epochs
        splits = [split(labels, seed) for seed in seeds]
        stacked = [np.stack(indices) for indices in zip(*splits)]
        if setup["scale_inputs"]:
            pixels = pixels / 16.0  # the smallest and the largest pixel of every training part are 0 and 16
        self.train, self.valid, self.test = (Part(pixels, labels, indices) for indices in stacked)
        self.members = setup["members"]
        self.models = [(seed, member) for seed in seeds for member in range(self.members)]

    def run(self):
        """Accuracy and loss on the test part, seed by seed."""
        setup = self.setup
        torch.manual_seed(1)  # of dropout
        network = Network(setup, self.models)
        samples, size = self.train.y.shape[1], setup["batch_size"]
        steps_per_epoch = -(-samples // size)
        steps = self.epochs * steps_per_epoch
        rates = schedule(setup, steps, steps_per_epoch)
        optim = optimizer(setup["optimizer"], list(network.params.values()))
        train, valid, models = self.train.repeat(self.members), self.valid, self.models
        kind, value = averaging(setup)
        average = network.copy()
        fast = network.copy() if setup["schedule_free"] is not None else None
        slow, snapshots, step, sampled = network.copy(), [], 0, 0
        best, best_loss, waited = network.copy(), np.full(len(models), np.inf), np.zeros(len(models), int)
        for epoch in range(1, self.epochs + 1):
            if setup["soup"] > 1 and step >= steps / 2 and len(models) == len(self.models):
                network = network.map(lambda tensor: tensor.repeat_interleave(setup["soup"], 0))
                optim = optimizer(setup["optimizer"], list(network.params.values()))
                train = self.train.repeat(setup["soup"])
                models = [(seed, part) for seed in self.seeds for part in range(setup["soup"])]
            orders = [np.random.default_rng([seed, 1, member, epoch]).permutation(samples) for seed, member in models]
            orders = torch.from_numpy(np.stack(orders))
            for indices in orders.split(size, 1):
                x, y = train.batch(indices)
                grads = gradients_of_step(network, setup, x, y)
                for group in optim.param_groups:
                    group["lr"] = rates[step]
                if fast is not None:
                    self.schedule_free(network, fast, average, grads, rates, step)
                else:
                    for name, param in network.params.items():
                        param.grad = grads[name]
                    optim.step()
                step += 1
                if setup["max_norm"] is not None:
                    for (_, name), param in network.params.items():
                        if name == "weight":
                            param.data *= (setup["max_norm"] / unit_norms(param.data)).clamp(max=1.0)
                if setup["lookahead"] is not None and step % setup["lookahead"]["k"] == 0:
                    slow.mix(network, setup["lookahead"]["alpha"])
                    network.mix(slow, 1.0)
                if kind == "ema":
                    decay = min(value, step / (9.0 + step))  # TensorFlow's warm-up
                    average.mix(network, 1.0 - decay)
                if kind == "swa" and step > value * steps and step % steps_per_epoch == 0:
                    sampled += 1
                    average.mix(network, 1.0 / sampled)
                if kind == "snapshots" and step % (steps // setup["rate"]["restarts"]) == 0:
                    snapshots.append(network.copy())
            if setup["patience"] is not None:
                _, loss = measure(predict([network], valid), valid.y)
                is_open = waited < setup["patience"]
                is_better = is_open & (loss < best_loss)
                best.mix(network, torch.from_numpy(is_better.astype(np.float32)))
                best_loss = np.where(is_better, loss, best_loss)
                waited = np.where(is_better, 0, waited + is_open)
                if (waited >= setup["patience"]).all():
                    break
        if setup["patience"] is not None:
            network = best
        elif kind in ("ema", "swa") or fast is not None:
            network = average
        elif setup["soup"] > 1:
            network = self.soup(network)
        networks = snapshots[-value:] if kind == "snapshots" else [network]
        probabilities = predict(networks, self.test.repeat(self.members))
        probabilities = probabilities.unflatten(0, (len(self.seeds), self.members)).mean(1)
        return self.with_failures(*measure(probabilities, self.test.y))

    def schedule_free(self, network, fast, average, grads, rates, step):
        """Schedule-free SGD: `fast` is z, `average` is x, and the network's weights are y."""
        beta = self.setup["schedule_free"]
        for name, param in fast.params.items():
            param.data -= rates[step] * grads[name]
        top = np.maximum.accumulate(rates[: step + 1]) ** 2
        average.mix(fast, float(top[-1] / top.sum()))
        network.mix(average, 1.0)
        network.mix(fast, 1.0 - beta)

    def soup(self, network):
        """The greedy mean of the parts of each seed, from the best down, by the loss on the validation part."""
        count, parts = len(self.seeds), self.setup["soup"]
        part = lambda at: network.map(lambda tensor: tensor.unflatten(0, (count, parts))[range(count), at])
        each = [part([at] * count) for at in range(parts)]
        loss_of = lambda model: measure(predict([model], self.valid), self.valid.y)[1]
        order = np.stack([loss_of(model) for model in each]).argsort(0)
        soup = part(order[0])
        least, taken = loss_of(soup), np.ones(count)
        for at in order[1:]:
            tried = soup.copy()
            tried.mix(part(at), torch.from_numpy(1.0 / (taken + 1)).float())
            loss = loss_of(tried)
            is_in = loss <= least
            soup.mix(tried, torch.from_numpy(is_in.astype(np.float32)))
            least, taken = np.where(is_in, loss, least), taken + is_in
        return soup

    def with_failures(self, accuracy, loss):
        """A run that ends no better than no model at all counts as none."""
        counts = np.stack([np.bincount(labels, minlength=10) for labels in self.train.y.numpy()])
        test = self.test.y.numpy()
        without = (test == counts.argmax(1)[:, None]).mean(1)
        frequencies = counts / counts.sum(1, keepdims=True)
        loss_without = -np.log(np.take_along_axis(frequencies, test, 1)).mean(1)
        has_failed = ~np.isfinite(loss) | (loss >= FAILED * loss_without)
        return {
            "accuracy": np.where(has_failed, without, accuracy),
            "loss": np.where(has_failed, loss_without, np.minimum(loss, loss_without)),
        }


def averaging(setup):
    choice = setup["averaging"]
    return (choice, None) if choice == "none" else next(iter(choice.items()))


# The comparison


def decided_effects(comparison, names):
    """The quality effects whose sign was decided: row, question, mean effect, verdict."""
    for row in comparison["rows"]:
        for answer in row["quality"]:
            verdict = answer["verdict"]
            if row["name"] in names and verdict not in (None, "undecided", "equivalent"):
                yield row, answer["question"], answer["effect"]["interval"]["mean"], verdict


# The settings of a recipe that this script follows, and the averages.
KNOWN = {
    "agc", "averaging", "batch_size", "centralize", "clip", "drop_path", "dropout", "hidden", "init", "learning_rate",
    "lookahead", "max_norm", "members", "micro_batches", "network", "norm", "normalize", "optimizer", "patience", "rate",
    "sam", "scale_inputs", "schedule_free", "skip", "soup", "weight_norm",
}  # fmt: skip
AVERAGES = {"none", "ema", "swa", "snapshots"}


def check(comparison):
    """Ends the program if there is something in the file that this script does not rebuild."""
    questions = {metric["name"] for metric in comparison["protocol"]["metrics"]}
    if questions != {"accuracy", "loss"}:
        raise SystemExit(f"this script repeats classifications of the digits, not a comparison by {sorted(questions)}")
    for recipe in comparison["recipes"]:
        if recipe["settings"]["network"] != "mlp":
            raise SystemExit(f"this script has no network {recipe['settings']['network']!r}: {recipe['name']!r}")
        for name, value in recipe["settings"].items():
            if name not in KNOWN and value not in (None, False):
                raise SystemExit(f"this script does not know {name!r}, which is {value!r} in {recipe['name']!r}")
        if averaging(recipe["settings"])[0] not in AVERAGES:
            raise SystemExit(f"this script has no average {recipe['settings']['averaging']!r}: {recipe['name']!r}")


def epochs_of(comparison):
    """From the steps of a full run: three fifths of the digits are 1,078 samples."""
    sizes = {recipe["name"]: recipe["settings"]["batch_size"] for recipe in comparison["recipes"]}
    run = next(run for run in comparison["runs"] if run.get("arrival"))
    return run["arrival"]["of"] // -(-1078 // sizes[run["variant"]])


def shown(question, mean):
    return f"{100 * mean:+.2f} points" if question == "accuracy" else f"×{math.exp(mean):.2f}"


def main():
    parser = argparse.ArgumentParser(description="Repeats a comparison of `compare` in PyTorch.")
    parser.add_argument("json", type=Path, help="what `compare --json` wrote, of tasks `mlp` and `deep-mlp`")
    parser.add_argument("--seeds", type=int, default=14, help="trainings of each recipe [14]")
    parser.add_argument("--only", default="", help="rows, separated by commas [all with a decided effect]")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch [1]")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error(f"--seeds must be at least 2, got {options.seeds}")
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    comparison = json.loads(options.json.read_text())
    check(comparison)
    recipes = {recipe["name"]: recipe["settings"] for recipe in comparison["recipes"]}
    rows = {row["name"] for row in comparison["rows"]}
    asked = set(filter(None, options.only.split(","))) or rows
    if not asked <= rows:
        parser.error(f"no row {', '.join(sorted(asked - rows))}; there are: {', '.join(sorted(rows))}")
    effects = list(decided_effects(comparison, asked))
    pixels, labels = digits()
    epochs, seeds = epochs_of(comparison), list(range(1, options.seeds + 1))
    measured, start = {}, time.time()

    def result(name):
        if name not in measured:
            measured[name] = Training(recipes[name], pixels, labels, seeds, epochs).run()
            print(f"{name} {time.time() - start:.0f} s", file=sys.stderr)
        return measured[name]

    for row, *_ in effects:
        result(row["name"]), result(row["baseline"])
    print(f"PyTorch {torch.__version__}, {epochs} epochs, {len(seeds)} seeds\n")
    print(f"{'row':17} {'question':8} {'verdict':29} {'compare':14} {'PyTorch':14} {'±95 %':6} higher  sign")
    same = 0
    for row, question, there, verdict in effects:
        variant, baseline = result(row["name"])[question], result(row["baseline"])[question]
        d = variant - baseline if question == "accuracy" else np.log(variant / baseline)
        half = 2.0 * d.std(ddof=1) / math.sqrt(len(d))
        agrees = d.mean() * there > 0.0
        same += agrees
        interval = f"{100 * half:.2f}" if question == "accuracy" else f"×{math.exp(half):.2f}"
        print(
            f"{row['name']:17} {question:8} {verdict:29} {shown(question, there):14} {shown(question, d.mean()):14} "
            f"{interval:6} {(d > 0).sum():2} of {len(d):2} {'same' if agrees else 'OTHER'}"
        )
    if not effects:
        raise SystemExit("no quality effect of these rows was decided: there is no sign to compare")
    share = same / len(effects)
    print(f"\nthe sign of {same} of {len(effects)} decided quality effects agrees, {100 * share:.1f} %")
    if share < PROMISED:
        raise SystemExit(f"fewer than {100 * PROMISED:.0f} %")


if __name__ == "__main__":
    main()
