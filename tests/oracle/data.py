"""Writes `data.json`: augmented batches and targets by timm and torchvision, for given draws."""

import json
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import torchvision.transforms.functional as F
from sklearn.utils.class_weight import compute_class_weight
from timm.data import mixup as timm_mixup
from timm.data import random_erasing as timm_erasing
from torchvision.ops import sigmoid_focal_loss
from torchvision.transforms import RandomErasing
from torchvision.transforms import v2

HEIGHT, WIDTH, CLASSES = 6, 5, 3


def images(batch, channels=2):
    """Numbers that f32 holds exactly."""
    count = batch * channels * HEIGHT * WIDTH
    return ((torch.arange(count) * 37) % 101 / 64.0 - 0.75).reshape(batch, channels, HEIGHT, WIDTH)


def flat(tensor):
    return [float(x) for x in tensor.detach().flatten()]


class Given:
    """Calls get the given values, one after the other."""

    def __init__(self, values):
        self.values = list(values)

    def __call__(self, *args, **kwargs):
        return self.values.pop(0)


def mixes():
    """timm's Mixup with given λ, choices and centres (row, column)."""
    cases = {
        "mixup_batch": dict(mode="batch", lam=0.7, cut=False, centers=[]),
        "cutmix_batch": dict(mode="batch", lam=0.6, cut=True, centers=[1, 4]),
        "pair": dict(mode="pair", lam=[0.3, 0.55], cut=[False, True], centers=[5, 0]),
        "elem": dict(mode="elem", lam=[0.9, 0.2, 1.0, 0.35], cut=[False, True, False, True], centers=[3, 2, 0, 3]),
    }
    out = {}
    labels = torch.tensor([2, 0, 1, 2])
    for name, case in cases.items():
        for corrected in (True, False):
            mix = timm_mixup.Mixup(1.0, 1.0, mode=case["mode"], num_classes=CLASSES, label_smoothing=0.1, correct_lam=corrected)
            batch = lambda: (case["lam"], case["cut"])
            each = lambda n: (np.array(case["lam"], dtype=np.float32), np.array(case["cut"]))
            with mock.patch.object(mix, "_params_per_batch", batch), mock.patch.object(
                mix, "_params_per_elem", each
            ), mock.patch.object(np.random, "randint", Given(case["centers"])):
                x, y = mix(images(4), labels)
            out[name + ("" if corrected else "_uncorrected")] = dict(images=flat(x), targets=flat(y), **case)
    # torchvision: the partner is the sample before.
    x, hot = images(3), torch.eye(3)[torch.tensor([2, 0, 1])]
    y = torch.tensor([2, 0, 1])
    mixup = v2.MixUp(num_classes=CLASSES)
    params = dict(labels=y, batch_size=3, lam=0.3)
    out["torchvision_mixup"] = dict(images=flat(mixup.transform(x, params)), targets=flat(mixup.transform(y, params)))
    cutmix = v2.CutMix(num_classes=CLASSES)
    box = (1, 2, 4, 6)  # x1, y1, x2, y2
    params = dict(labels=y, batch_size=3, box=box, lam_adjusted=1.0 - 12 / 30)
    out["torchvision_cutmix"] = dict(images=flat(cutmix.transform(x, params)), targets=flat(cutmix.transform(y, params)))
    return out


def boxes():
    """timm's boxes for λ and a centre, and λ of the target."""
    out = []
    for image in ([8, 8], [7, 9], [32, 32]):
        for lam in (0.0, 0.13, 0.5, 0.75, 0.99, 1.0):
            for center in ([0, 0], [1, image[1] - 1], [image[0] // 2, image[1] // 3]):
                with mock.patch.object(np.random, "randint", Given(center)):
                    (top, bottom, left, right), corrected = timm_mixup.cutmix_bbox_and_lam((3, *image), lam)
                out.append(dict(image=image, lam=lam, center=center, rows=[int(top), int(bottom)], columns=[int(left), int(right)], corrected=float(corrected)))
    return out


def erasings():
    """Sizes of boxes, from the draws of torchvision and of timm; and erased images."""
    sizes = []
    image, uniform = torch.zeros(1, 32, 24), torch.Tensor.uniform_
    for seed in range(40):
        torch.manual_seed(seed)
        draws = []

        def recorded(tensor, low, high):
            draws.append(uniform(tensor, low, high).item())
            return tensor

        with mock.patch.object(torch.Tensor, "uniform_", recorded):
            _, _, height, width, _ = RandomErasing.get_params(image, (0.02, 0.33), (0.3, 3.3), [0.0])
        attempts = list(zip(draws[::2], draws[1::2]))
        for attempt, (share, log_aspect) in enumerate(attempts):
            size = [height, width] if attempt + 1 == len(attempts) else None
            aspect = torch.exp(torch.tensor(log_aspect)).item()
            sizes.append(dict(image=[32, 24], share=share, aspect=aspect, size=size, of="torchvision"))
    for share, log_aspect in ((0.02, 0.0), (0.33, -1.1), (0.1, 0.7), (0.2, -0.3), (0.31, 1.2), (0.05, 0.2)):
        eraser = timm_erasing.RandomErasing(probability=1.0, device="cpu")
        image = torch.ones(1, 16, 20)
        draws = mock.Mock(random=lambda: 0.0, uniform=Given([share, log_aspect] + [0.02, 0.0] * 9), randint=lambda low, high: low)
        with mock.patch.object(timm_erasing, "random", draws):
            eraser(image)
        erased = (image[0] == 0).nonzero()
        height, width = (int(n) + 1 for n in erased.max(0).values)
        fits = len(draws.uniform.values) == 18
        sizes.append(dict(image=[16, 20], share=share, aspect=float(np.exp(log_aspect)), size=[height, width] if fits else None, of="timm"))
    x = images(1)
    channels = torch.tensor([0.5, -0.25])[:, None, None]
    pixels = torch.arange(2 * 2 * 3).reshape(2, 2, 3) / 8.0
    return dict(
        sizes=sizes,
        constant=flat(F.erase(x[0], 1, 2, 3, 2, torch.tensor([1.5])[:, None, None])),
        channels=flat(F.erase(x[0], 1, 2, 3, 2, channels)),
        pixels=flat(F.erase(x[0], 3, 1, 2, 3, pixels)),
        flipped=flat(F.hflip(x)),
        crop_constant=flat(F.crop(F.pad(x, 2, 0.25, "constant"), 1, 3, 6, 5)),
        crop_edge=flat(F.crop(F.pad(x, 2, 0, "edge"), 4, 0, 6, 5)),
        crop_reflect=flat(F.crop(F.pad(x, 2, 0, "reflect"), 0, 2, 4, 3)),
    )


def smoothing():
    """PyTorch's cross-entropy of soft targets with label smoothing."""
    logits = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5]])
    targets = torch.tensor([[0.7, 0.0, 0.3], [0.0, 1.0, 0.0]])
    loss = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=0.2)
    return dict(logits=flat(logits), targets=flat(targets), loss=loss.item())


def focal():
    """torchvision's focal loss, and that of classes by PyTorch's softmax; values and gradients of the sum."""
    logits = torch.tensor([[0.5, -1.0, 2.0], [8.0, -9.0, 0.0], [-0.25, 3.0, -30.0], [40.0, 0.1, -2.0]])
    targets = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 1.0], [0.0, 0.25, 1.0], [1.0, 0.0, 0.7]])
    labels = torch.tensor([2, 0, 1, 0])
    out = dict(inputs=dict(logits=flat(logits), targets=flat(targets), labels=labels.tolist()))
    for gamma in (0.0, 1.0, 2.0, 3.5):
        for alpha in (-1.0, 0.25):
            z = logits.double().requires_grad_()
            loss = sigmoid_focal_loss(z, targets.double(), alpha, gamma)
            loss.sum().backward()
            out[f"sigmoid_{gamma}_{alpha}"] = dict(loss=flat(loss), grad=flat(z.grad))
        for weights in (None, [0.5, 1.0, 4.0]):
            z = logits.double().requires_grad_()
            log_p = torch.log_softmax(z, 1)
            p = log_p.exp()
            index = labels[:, None]
            miss = p.masked_fill(torch.nn.functional.one_hot(labels, 3).bool(), 0.0).sum(1)
            loss = -(miss**gamma) * log_p.gather(1, index)[:, 0]
            if weights:
                loss = loss * torch.tensor(weights).double()[labels]
            loss.sum().backward()
            out[f"softmax_{gamma}_{'weights' if weights else 'plain'}"] = dict(loss=flat(loss), grad=flat(z.grad))
    return out


def class_weights():
    """scikit-learn's balanced weights."""
    out = {}
    for name, counts in dict(two=[90, 10], four=[3, 50, 7, 1], even=[5, 5, 5]).items():
        labels = np.repeat(np.arange(len(counts)), counts)
        weights = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
        out[name] = dict(counts=counts, weights=[float(w) for w in weights])
    return out


GROUPS = dict(mix=mixes(), cutmix_boxes=dict(all=boxes()), erasing=erasings(), soft_targets=dict(smoothed=smoothing()), focal=focal(), class_weights=class_weights())
# One case per line.
text = "{" + ",\n".join(
    f'"{group}": {{\n' + ",\n".join(f'  "{name}": {json.dumps(case)}' for name, case in cases.items()) + "}"
    for group, cases in GROUPS.items()
)
Path(__file__).with_suffix(".json").write_text(text + "}\n")
