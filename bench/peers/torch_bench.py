#!/usr/bin/env python3
"""Prints the figures of reprise-bench from PyTorch: one JSON line {"name": ..., "ns": [...]} each.

The names, shapes and the order of the work are those of bench/*_bench.cpp. Works with PyTorch 1.13
(Debian 12) and later. --hello instead runs what bench/programs/hello.cpp runs; --device cuda what
bench/cuda_bench.cpp runs, with the suffixes /eager, /compile (torch.compile) and /graph (a CUDA graph
captured by hand).
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


# --- the first CUDA device ---

def resnet50():
    class Bottleneck(nn.Module):
        def __init__(self, channels, width, stride):
            super().__init__()
            out = 4 * width
            self.one, self.norm_1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
            self.two = nn.Conv2d(width, width, 3, stride, 1, bias=False)
            self.norm_2 = nn.BatchNorm2d(width)
            self.three, self.norm_3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
            fits = channels == out and stride == 1
            self.short = nn.Identity() if fits else nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

        def forward(self, x):
            y = F.relu(self.norm_1(self.one(x)))
            y = F.relu(self.norm_2(self.two(y)))
            return F.relu(self.norm_3(self.three(y)) + self.short(x))

    layers, channels = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
                        nn.MaxPool2d(3, 2, 1)], 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            layers.append(Bottleneck(channels, 64 << stage, 2 if block == 0 and stage > 0 else 1))
            channels = 4 * (64 << stage)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))


def captured(run):
    """The same as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def on_one_gibibyte(f):
    def make():
        x = torch.randn(1024, 2**18, device="cuda")

        def run():
            with torch.no_grad():
                f(x)
        return run
    return make


def matmul_on_cuda(size, dtype):
    a, b = (torch.randn(size, size, device="cuda").to(dtype) for _ in range(2))
    return lambda: a @ b


def forward_on_cuda(pixels, way):
    model = ToyResNet().eval().cuda()
    images = torch.randn(4, 3, pixels, pixels, device="cuda")
    call = torch.compile(model) if way == "compile" else model

    def run():
        with torch.no_grad():
            call(images)
    return captured(run) if way == "graph" else run


def train_on_cuda(model, size, pixels, classes, way):
    model = model.train().cuda()
    images = torch.randn(size, 3, pixels, pixels, device="cuda")
    labels = torch.randint(classes, (size,), device="cuda")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    call = torch.compile(model) if way == "compile" else model

    def run():
        optimizer.zero_grad(set_to_none=way != "graph")
        F.cross_entropy(call(images), labels).backward()
        optimizer.step()
    return captured(run) if way == "graph" else run


def cuda_benchmarks():
    softmax = lambda columns: lambda x: torch.softmax(x.view(-1, columns), 1)
    made = {
        "cuda/copy/eager": on_one_gibibyte(torch.clone),
        "cuda/relu/eager": on_one_gibibyte(torch.relu),
        "cuda/exp/eager": on_one_gibibyte(torch.exp),
        "cuda/add/eager": on_one_gibibyte(lambda x: x + x.view(x.shape)),
        "cuda/sum/eager": on_one_gibibyte(torch.sum),
        "cuda/sum_rows/eager": on_one_gibibyte(lambda x: torch.sum(x, 1)),
        "cuda/sum_columns/eager": on_one_gibibyte(lambda x: torch.sum(x, 0)),
        "cuda/softmax/1024/eager": on_one_gibibyte(softmax(1024)),
        "cuda/softmax/65536/eager": on_one_gibibyte(softmax(65536)),
        "cuda/matmul/float32/8192/eager": lambda: matmul_on_cuda(8192, torch.float32),
        "cuda/matmul/bfloat16/8192/eager": lambda: matmul_on_cuda(8192, torch.bfloat16),
    }
    for way in ("eager", "compile", "graph"):
        for pixels in (16, 32, 64):
            made[f"cuda/toy_resnet/forward/4/{pixels}/{way}"] = (
                lambda pixels=pixels, way=way: forward_on_cuda(pixels, way))
        made[f"cuda/toy_resnet/train/128/{way}"] = (
            lambda way=way: train_on_cuda(ToyResNet(), 128, 32, 10, way))
        made[f"cuda/resnet50/train/64/{way}"] = (
            lambda way=way: train_on_cuda(resnet50(), 64, 224, 1000, way))
    return made


def measure_on_cuda(run, batches):
    """Nanoseconds per call of each batch; a batch ends with one synchronization."""
    def batch(calls):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    for _ in range(3):
        run()
    torch.cuda.synchronize()
    calls = 1
    while batch(calls) < 0.05 and calls < 100000:
        calls *= 2
    return [batch(calls) / calls * 1e9 for _ in range(batches)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--filter", default="", help="regular expression on the names")
    parser.add_argument("--min-time", type=float, default=0.1, help="seconds per repetition")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--version", action="store_true", help="print PyTorch's version and stop")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--hello", action="store_true", help="one matrix product, and stop")
    options = parser.parse_args()
    if options.version:
        return print(torch.__version__)
    if options.hello:
        a = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        print(a @ a)
        with open("/proc/self/status") as status:
            return print(*(line for line in status if line.startswith("VmHWM")))
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    on_cuda = options.device == "cuda"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    for name, make in (cuda_benchmarks() if on_cuda else all_benchmarks()).items():
        if not re.search(options.filter, name):
            continue
        try:
            ns = (measure_on_cuda(make(), 7) if on_cuda
                  else measure(make(), options.min_time, options.repetitions))
            print(json.dumps({"name": name, "ns": ns}), flush=True)
        except Exception as error:  # torch.compile needs tools that may be missing
            print(f"torch_bench: {name}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
