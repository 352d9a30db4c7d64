#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times float training steps in PyTorch on one thread: forward, loss, backward, SGD with momentum on a batch of 128.

Prints a JSON list of rows as `bitsweep bench --format json` does: peer/pytorch/NETWORK/LAYOUT, median milliseconds.
Example: taskset -c 1 bench/peers/pytorch_steps.py resnet20"""

import argparse
import json
import statistics
import sys
import time

try:
    import torch
    from torch import nn

    from networks import decaying_groups, networks
except ImportError as missing:
    sys.exit(f"pytorch_steps.py: {sys.executable}: {missing}; apt-get install python3-torch installs it for /usr/bin/python3")

BATCH, CLASSES = 128, 10
LAYOUTS = {"default": torch.contiguous_format, "channels_last": torch.channels_last}


class Step:
    """One network in one layout, ready to be stepped."""

    def __init__(self, name, layout):
        torch.manual_seed(1)
        shape, make = networks[name]
        self.network = make(CLASSES).to(memory_format=LAYOUTS[layout])
        self.images = torch.randn(BATCH, *shape).contiguous(memory_format=LAYOUTS[layout])
        self.labels = torch.arange(BATCH) % CLASSES
        self.loss = nn.CrossEntropyLoss()
        self.descent = torch.optim.SGD(decaying_groups(self.network, 2e-4), lr=1e-6, momentum=0.9)

    def seconds(self):
        start = time.perf_counter()
        self.descent.zero_grad(set_to_none=True)
        self.loss(self.network(self.images), self.labels).backward()
        self.descent.step()
        return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="of: " + ", ".join(networks) + " (default: all)")
    parser.add_argument("--steps", type=int, default=5, metavar="N", help="timed steps of each, in turn (default 5)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.networks if name not in networks]
    if unknown:
        parser.error(f"unknown network '{unknown[0]}'; valid: {', '.join(networks)}")
    if arguments.steps < 1:
        parser.error("--steps is out of range; valid: 1 or more")
    torch.set_num_threads(1)

    rows = []
    for name in arguments.networks or networks:
        layouts = [layout for layout in LAYOUTS if layout == "default" or networks[name][0][0] > 1]
        steps = [Step(name, layout) for layout in layouts]
        for step in steps:  # the first allocates
            step.seconds()
        times = [[step.seconds() for step in steps] for _ in range(arguments.steps)]
        for layout, seconds in zip(layouts, zip(*times)):
            rows.append({"name": f"peer/pytorch/{name}/{layout}", "value": 1e3 * statistics.median(seconds), "unit": "ms",
                         "required": None, "aim": None, "version": torch.__version__})
    json.dump(rows, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
