#!/usr/bin/env python3
"""Prints the figures of reprise-bench from PyTorch: one JSON line {"name": ..., "ns": [...]} each.

The names, shapes and the order of the work are those of bench/*_bench.cpp. Works with PyTorch 1.13
(Debian 12) and later. --device cuda runs what reprise-bench --cuda runs (torch_cuda_bench.py). --hello
instead runs what bench/hello/main.cpp runs.
"""

import argparse
import json
import os
import re
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import torch
from torch import nn
from torch.nn import functional as F


class ToyResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3)
        self.second = nn.Conv2d(32, 64, 3)
        self.blocks = nn.ModuleList(nn.Conv2d(64, 64, 3, padding=1) for _ in range(4))
        self.last = nn.Conv2d(64, 64, 3)
        self.hidden = nn.Linear(64, 256)
        self.output = nn.Linear(256, 10)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        x = F.relu(self.second(F.relu(self.first(x))))
        x = F.max_pool2d(x, 3)
        for i in (0, 2):
            x = F.relu(self.blocks[i + 1](F.relu(self.blocks[i](x)))) + x
        x = F.relu(self.last(x))
        x = F.avg_pool2d(x, x.shape[2:]).flatten(1)
        return self.output(self.dropout(F.relu(self.hidden(x))))


def toy_resnet_forward(size):
    model, images = ToyResNet().eval(), torch.randn(size, 3, 32, 32)

    def run():
        with torch.no_grad():
            model(images)
    return run


def toy_resnet_train(size):
    model = ToyResNet().train()
    images, labels = torch.randn(size, 3, 32, 32), torch.randint(10, (size,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def run():
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return run


def linear_chain_forward(depth):
    model, x = nn.Sequential(*(nn.Linear(4, 4) for _ in range(depth))), torch.randn(4, 4)

    def run():
        with torch.no_grad():
            model(x)
    return run


def linear_chain_train(depth):
    model, x = nn.Sequential(*(nn.Linear(4, 4) for _ in range(depth))), torch.randn(4, 4)
    gradient = torch.ones(4, 4)

    def run():
        model.zero_grad()
        model(x).backward(gradient)
    return run


def eager_add(requires_grad):
    a, b = (torch.randn(4, requires_grad=requires_grad) for _ in range(2))
    return lambda: a + b


def memory(f):
    def make():
        x = torch.randn(128, 64, 28, 28)

        def run():
            with torch.no_grad():
                f(x)
        return run
    return make


def memory_add():
    x, y = torch.randn(128, 64, 28, 28), torch.randn(128, 64, 28, 28)
    return lambda: x + y


def all_benchmarks():
    """Name -> function that prepares the work and returns what is timed."""
    made = {
        "memory/max_pool2d/op": memory(lambda x: F.max_pool2d(x, 3)),
        "memory/relu/op": memory(torch.relu),
        "memory/add/op": memory_add,
        "memory/sum/op": memory(torch.sum),
        "memory/softmax/op": memory(lambda x: torch.softmax(x, 1)),
        "eager_add/plain": lambda: eager_add(False),
        "eager_add/requires_grad": lambda: eager_add(True),
    }
    for depth in (250, 1000):
        made[f"linear_chain/forward/{depth}"] = lambda depth=depth: linear_chain_forward(depth)
        made[f"linear_chain/train/{depth}"] = lambda depth=depth: linear_chain_train(depth)
    for size in (1, 4, 32, 128):
        made[f"toy_resnet/forward/{size}"] = lambda size=size: toy_resnet_forward(size)
        made[f"toy_resnet/train/{size}"] = lambda size=size: toy_resnet_train(size)
    return made


def seconds(run, times):
    start = time.perf_counter()
    for _ in range(times):
        run()
    return time.perf_counter() - start


def measure(run, min_time, repetitions):
    """Nanoseconds per call, one figure per repetition of at least min_time seconds."""
    run()
    times, took = 1, seconds(run, 1)
    while took < min_time / 2:
        times = min(10 * times, int(times * min_time / max(took, 1e-9)) + 1)
        took = seconds(run, times)
    times = max(1, round(times * min_time / took))
    return [seconds(run, times) / times * 1e9 for _ in range(repetitions)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--filter", default="", help="regular expression on the names")
    parser.add_argument("--min-time", type=float, default=0.1, help="seconds per repetition")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--version", action="store_true", help="print PyTorch's version and stop")
    parser.add_argument("--hello", action="store_true", help="one matrix product, and stop")
    options = parser.parse_args()
    if options.version:
        return print(torch.__version__)
    if options.hello:
        a = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        print(a @ a)
        with open("/proc/self/status") as status:
            return print(*(line for line in status if line.startswith("VmHWM")))
    torch.manual_seed(1)
    if options.device == "cuda":
        import torch_cuda_bench
        return torch_cuda_bench.run(options.filter)
    torch.set_num_threads(options.threads)
    for name, make in all_benchmarks().items():
        if not re.search(options.filter, name):
            continue
        ns = measure(make(), options.min_time, options.repetitions)
        print(json.dumps({"name": name, "ns": ns}), flush=True)


if __name__ == "__main__":
    main()
