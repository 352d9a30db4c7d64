#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times bitsweep's float training steps beside PyTorch's: in turn on one CPU, several rounds, medians.

A ratio is the median over the rounds of (time of bitsweep) / (time of PyTorch in the same round).
Example: bench/peers/compare.py --rounds 5 --format json"""

import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# Bounds of the ratios: required, aim.
BOUNDS = {("resnet20", "default"): (0.80, 0.65), ("resnet20", "channels_last"): (1.00, 0.85)}


def run_rows(command, cpu):
    """What the command prints, by name; it runs on this CPU alone."""
    done = subprocess.run(["taskset", "-c", str(cpu), *command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"compare.py: {' '.join(command)} failed with exit code {done.returncode}")
    return {row["name"]: row for row in json.loads(done.stdout)}


def own_networks(rows):
    return [name.split("/")[1] for name in rows if name.startswith("step/") and name.endswith("/fp")]


def peers():
    """PyTorch's version and the networks that are written for it, or None."""
    try:
        import torch
        from networks import networks
    except ImportError:
        return None
    return torch.__version__, list(networks)


def row(name, value, unit, bounds=(None, None), **more):
    return {"name": name, "value": value, "unit": unit, "required": bounds[0], "aim": bounds[1], **more}


def summary(ours, theirs, version):
    """From the rounds' rows to medians and ratios."""
    rows = []
    for network in own_networks(ours[0]):
        own = [round_[f"step/{network}/fp"]["value"] for round_ in ours]
        rows.append(row(f"step/{network}/fp", statistics.median(own), "ms"))
        for name in theirs[0]:
            if name.split("/")[2] != network:
                continue
            layout = name.split("/")[3]
            peer = [round_[name]["value"] for round_ in theirs]
            ratio = statistics.median(a / b for a, b in zip(own, peer))
            rows.append(row(name, statistics.median(peer), "ms", version=version))
            bounds = BOUNDS.get((network, layout), (None, None))
            rows.append(row(f"ratio/{network}/fp/pytorch_{layout}", ratio, "x time", bounds))
    return rows


def print_text(rows, rounds, cpu, version):
    print(f"PyTorch {version}, CPU {cpu}, 1 thread, {rounds} rounds\n")
    print(f"{'name':52} {'value':>10} {'unit':9} {'required':>9} {'aim':>9}")
    for item in rows:
        bounds = [f"{bound:9.4g}" if bound is not None else " " * 9 for bound in (item["required"], item["aim"])]
        print(f"{item['name']:52} {item['value']:10.4g} {item['unit']:9} {bounds[0]} {bounds[1]}".rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bitsweep", default="build/bitsweep", metavar="PROGRAM", help="default: build/bitsweep")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of bitsweep and PyTorch in turn (default 3)")
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)), metavar="N",
                        help="CPU to run on (default: the last one allowed)")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds is out of range; valid: 1 or more")
    if arguments.cpu not in os.sched_getaffinity(0):
        parser.error(f"--cpu {arguments.cpu} cannot be used; valid: {sorted(os.sched_getaffinity(0))}")
    if not os.access(arguments.bitsweep, os.X_OK):
        parser.error(f"{arguments.bitsweep} is not there; make builds it")
    found = peers()
    if not found:
        sys.exit(f"compare.py: {sys.executable} has no PyTorch, so there is nothing to compare with; "
                 "apt-get install python3-torch installs it for /usr/bin/python3")

    version, known = found
    ours, theirs = [], []
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
        ours.append(run_rows([arguments.bitsweep, "bench", "steps", "--format", "json"], arguments.cpu))
        names = [name for name in own_networks(ours[0]) if name in known]
        theirs.append(run_rows([sys.executable, "-B", f"{HERE}/pytorch_steps.py", *names], arguments.cpu))
    rows = summary(ours, theirs, version)
    if arguments.format == "json":
        json.dump(rows, sys.stdout, indent=1)
        print()
    else:
        print_text(rows, arguments.rounds, arguments.cpu, version)


if __name__ == "__main__":
    main()
