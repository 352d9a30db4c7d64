#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repeats float runs of bitsweep in PyTorch: the same first weights, batches and settings on CIFAR, then compares the losses
of the first steps and the accuracy at the end. How far PyTorch's own losses lie apart with another memory layout, which only
rounds differently, is the measure of what agreement can be had.

The runs are those with mode fp and allocator none that were trained with `record_start: true`, without augmentation. Given a
folder, all such runs below it are repeated. Prints JSON.
Example: BITSWEEP_DATA=data bench/peers/equivalence.py results/validation-cifar"""

import argparse
import glob
import hashlib
import json
import math
import os
import statistics
import sys

try:
    import h5py
    import numpy
    import torch
    from torch import nn

    from networks import decaying_groups, load_weights, networks
except ImportError as missing:
    sys.exit(f"equivalence.py: {sys.executable}: {missing}; apt-get install python3-torch python3-h5py installs what "
             "/usr/bin/python3 needs")

PLACES = ("datasets/data", "/usr/share/datasets")
PIXELS = 3 * 32 * 32
# folders, training files, test file, label bytes of a record
SETS = {
    "cifar10": (("cifar-10-batches-bin", "cifar10"), [f"data_batch_{i}.bin" for i in range(1, 6)], "test_batch.bin", 1),
    "cifar100": (("cifar-100-binary", "cifar100"), ["train.bin"], "test.bin", 2),
}


class Unfit(Exception):
    """A run that cannot be repeated, and why."""


# ---- what a run file says ----


def text_of(value):
    return value.decode() if isinstance(value, bytes) else str(value)


class Run:
    def __init__(self, path):
        self.path = path
        try:
            self.read(path)
        except KeyError as missing:
            raise Unfit(f"{path} is no finished run file: {missing.args[0]}") from missing

    def read(self, path):
        with h5py.File(path, "r") as file:
            self.settings = {key: text_of(item[()]) for key, item in file["settings"].items()}
            self.check(file)
            self.sha256 = text_of(file["dataset/sha256"][()])
            self.mean = file["standardisation/mean"][:] if "standardisation" in file else numpy.zeros(3)
            self.deviation = file["standardisation/deviation"][:] if "standardisation" in file else numpy.ones(3)
            self.weights = {name: item[()] for name, item in file["start/weights"].items()}
            self.order = file["start/order"][()].astype(numpy.int64)
            self.losses = file["curves/step_loss"][()]
            self.accuracy = float(file["metrics/test_accuracy"][()])

    def check(self, file):
        wanted = {"mode": ("fp",), "allocator": ("none",), "dataset": SETS, "model": ("resnet20", "resnet32"),
                  "schedule": ("cosine", "constant"), "augment_crop": ("0",), "augment_flip": ("false",),
                  "augment_brightness": ("0",)}
        for key, valid in wanted.items():
            if self.settings.get(key) not in valid:
                raise Unfit(f"{self.path}: {key} is {self.settings.get(key)}; this script knows {', '.join(valid)}")
        if text_of(file["status"][()]) != "done":
            raise Unfit(f"{self.path}: the run is not done")
        if "start" not in file:
            raise Unfit(f"{self.path}: the run was not trained with record_start: true")

    def real(self, key):
        return float(self.settings[key])


def run_files(paths):
    """The given files, and of a folder those that can be repeated."""
    for path in paths:
        if not os.path.isdir(path):
            yield Run(path)
            continue
        found = []
        for name in sorted(glob.glob(f"{path}/**/*.h5", recursive=True)):
            try:
                found.append(Run(name))
            except Unfit:
                continue
        if not found:
            raise Unfit(f"{path}: no run there can be repeated; needed are finished runs with mode fp, allocator none and "
                        "record_start: true, without augmentation")
        yield from found


# ---- the data ----


def find_folder(names):
    places = [os.environ["BITSWEEP_DATA"], *PLACES] if os.environ.get("BITSWEEP_DATA") else PLACES
    for place in places:
        for name in names:
            if os.path.isdir(f"{place}/{name}"):
                return f"{place}/{name}"
    raise Unfit(f"no folder {' or '.join(names)} in {', '.join(places)}; set BITSWEEP_DATA")


def read_set(run):
    """Training and test part as (images, labels), standardised as the run's were."""
    folders, train, test, label_bytes = SETS[run.settings["dataset"]]
    folder, checksum, parts = find_folder(folders), hashlib.sha256(), []
    label = 0 if run.settings.get("labels") == "coarse" else label_bytes - 1
    mean, deviation = (torch.tensor(v, dtype=torch.float64).reshape(3, 1, 1) for v in (run.mean, run.deviation))
    for names in (train, [test]):
        content = b""
        for name in names:
            with open(f"{folder}/{name}", "rb") as file:
                content += file.read()
        checksum.update(content)
        records = numpy.frombuffer(content, dtype=numpy.uint8).reshape(-1, label_bytes + PIXELS)
        pixels = torch.from_numpy(records[:, label_bytes:].reshape(-1, 3, 32, 32).copy())
        images = torch.empty(pixels.shape, dtype=torch.float32)
        for first in range(0, len(pixels), 1000):
            raw = pixels[first:first + 1000].to(torch.float32) / 255
            images[first:first + 1000] = ((raw.to(torch.float64) - mean) / deviation).to(torch.float32)
        parts.append((images, torch.from_numpy(records[:, label].astype(numpy.int64))))
    if checksum.hexdigest() != run.sha256:
        raise Unfit(f"{folder} does not hold the data that {run.path} was trained on (its SHA-256 is another)")
    return parts


# ---- training ----


def evaluate(network, images, labels):
    network.eval()
    with torch.no_grad():
        found = torch.cat([network(some).argmax(1) for some in images.split(500)])
    return float((found == labels).double().mean())


def repeat(run, parts, limit, layout=torch.contiguous_format):
    """The losses of the steps and the test accuracy; with a limit only so many steps, and no accuracy."""
    (images, labels), test = parts
    classes = {"cifar10": 10, "cifar100": 20 if run.settings.get("labels") == "coarse" else 100}[run.settings["dataset"]]
    network = networks[run.settings["model"]][1](classes)
    load_weights(network, run.weights)
    network.to(memory_format=layout).train()
    batch, rate = int(run.settings["batch"]), run.real("lr")
    descent = torch.optim.SGD(decaying_groups(network, run.real("weight_decay")), lr=rate, momentum=run.real("momentum"))
    cross_entropy, losses = nn.CrossEntropyLoss(), []
    batches = [torch.from_numpy(epoch[i:i + batch]) for epoch in run.order for i in range(0, run.order.shape[1], batch)]
    for step, indices in enumerate(batches[:limit]):
        if run.settings["schedule"] == "cosine":
            descent.param_groups[0]["lr"] = descent.param_groups[1]["lr"] = \
                rate * 0.5 * (1 + math.cos(math.pi * step / len(batches)))
        descent.zero_grad(set_to_none=True)
        loss = cross_entropy(network(images[indices].contiguous(memory_format=layout)), labels[indices])
        loss.backward()
        descent.step()
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            print(f"{run.path}: step {step + 1} of {len(batches[:limit])}, loss {loss.item():.4f}", file=sys.stderr)
    return losses, evaluate(network, *test) if limit is None or limit >= len(batches) else None


def apart(some, others):
    return max(abs(a - b) for a, b in zip(some, others))


def compare(run, arguments):
    parts = read_set(run)
    losses, accuracy = repeat(run, parts, arguments.steps)
    count = min(arguments.compared, len(losses), len(run.losses))
    others, _ = repeat(run, parts, count, torch.channels_last)
    return {"run": run.path, "model": run.settings["model"], "seed": int(run.settings["seed"]), "steps_compared": count,
            "lr": run.real("lr"), "loss_difference_limit": 1e-3,
            "largest_loss_difference": apart(losses[:count], run.losses[:count].tolist()),
            "pytorch_own_difference": apart(losses[:count], others[:count]),
            "first_losses": {"bitsweep": run.losses[:count].tolist(), "pytorch": losses[:count]},
            "test_accuracy": {"bitsweep": run.accuracy, "pytorch": accuracy}}


def over_seeds(runs, results):
    """Of runs that differ by the seed alone: mean accuracies, and two standard errors of their difference."""
    groups = {}
    for run, result in zip(runs, results):
        others = tuple(sorted((key, value) for key, value in run.settings.items() if key != "seed"))
        groups.setdefault(others, []).append(result["test_accuracy"])
    rows = []
    for group in groups.values():
        own, peer = [pair["bitsweep"] for pair in group], [pair["pytorch"] for pair in group]
        if len(group) < 2 or None in peer:
            continue
        error = math.sqrt((statistics.variance(own) + statistics.variance(peer)) / len(group))
        rows.append({"runs": len(group), "bitsweep": statistics.mean(own), "pytorch": statistics.mean(peer),
                     "difference": statistics.mean(own) - statistics.mean(peer), "two_standard_errors": 2 * error})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run file, or a folder with run files")
    parser.add_argument("--compared", type=int, default=50, metavar="N",
                        help="first steps whose losses are compared (default 50)")
    parser.add_argument("--steps", type=int, metavar="N", help="stop after so many steps, without an accuracy")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of PyTorch (default 1)")
    arguments = parser.parse_args()
    for key in ("compared", "steps", "threads"):
        if getattr(arguments, key) is not None and getattr(arguments, key) < 1:
            parser.error(f"--{key} is out of range; valid: 1 or more")
    torch.set_num_threads(arguments.threads)
    try:
        runs = list(run_files(arguments.runs))
        results = [compare(run, arguments) for run in runs]
    except (Unfit, OSError) as problem:
        sys.exit(f"equivalence.py: {problem}")
    except KeyError as missing:
        sys.exit(f"equivalence.py: the recorded weights lack {missing}")
    json.dump({"pytorch": torch.__version__, "runs": results, "over_seeds": over_seeds(runs, results)}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
