"""What torch_bench.py --device cuda runs: the figures of reprise-bench --cuda from PyTorch.

Runs what bench/cuda_bench.cpp runs on the first CUDA device, with the suffixes /eager, /graph (a CUDA
graph captured by hand) and /compile (torch.compile); TF32 is off and cuDNN's algorithms are timed.
Mixed precision is torch.autocast with channels_last, where PyTorch is at its best.
"""

import json
import re
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

from torch_bench import ToyResNet


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


def on_one_gibibyte(f, operands=1):
    def make():
        x = [torch.randn(1024, 2**18, device="cuda") for _ in range(operands)]

        def run():
            with torch.no_grad():
                f(*x)
        return run
    return make


def memcpy():
    x = torch.randn(1024, 2**18, device="cuda")
    y = torch.empty_like(x)
    return lambda: y.copy_(x)


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


def train_on_cuda(model, size, pixels, classes, way, mixed=False):
    layout = torch.channels_last if mixed else torch.contiguous_format
    model = model.train().cuda().to(memory_format=layout)
    images = torch.randn(size, 3, pixels, pixels, device="cuda").to(memory_format=layout)
    labels = torch.randint(classes, (size,), device="cuda")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    call = torch.compile(model) if way == "compile" else model

    def run():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=mixed, cache_enabled=way != "graph"):
            loss = F.cross_entropy(call(images), labels)
        loss.backward()
        optimizer.step()
    return captured(run) if way == "graph" else run


def cuda_benchmarks():
    softmax = lambda columns: lambda x: torch.softmax(x.view(-1, columns), 1)
    made = {
        "cuda/memcpy/eager": memcpy,
        "cuda/copy/eager": on_one_gibibyte(torch.clone),
        "cuda/relu/eager": on_one_gibibyte(torch.relu),
        "cuda/exp/eager": on_one_gibibyte(torch.exp),
        "cuda/add/eager": on_one_gibibyte(torch.add, 2),
        "cuda/sum/eager": on_one_gibibyte(torch.sum),
        "cuda/sum_rows/eager": on_one_gibibyte(lambda x: torch.sum(x, 1)),
        "cuda/sum_columns/eager": on_one_gibibyte(lambda x: torch.sum(x, 0)),
        "cuda/softmax/1024/eager": on_one_gibibyte(softmax(1024)),
        "cuda/softmax/65536/eager": on_one_gibibyte(softmax(65536)),
        "cuda/matmul/float32/8192/eager": lambda: matmul_on_cuda(8192, torch.float32),
        "cuda/matmul/float16/8192/eager": lambda: matmul_on_cuda(8192, torch.float16),
        "cuda/matmul/bfloat16/8192/eager": lambda: matmul_on_cuda(8192, torch.bfloat16),
    }
    for way in ("eager", "graph", "compile"):  # the one that takes minutes to start comes last
        made[f"cuda/resnet50/train/bfloat16/64/{way}"] = (
            lambda way=way: train_on_cuda(resnet50(), 64, 224, 1000, way, mixed=True))
        made[f"cuda/toy_resnet/train/128/{way}"] = (
            lambda way=way: train_on_cuda(ToyResNet(), 128, 32, 10, way))
        for pixels in (16, 32, 64):
            made[f"cuda/toy_resnet/forward/4/{pixels}/{way}"] = (
                lambda pixels=pixels, way=way: forward_on_cuda(pixels, way))
    for way in ("eager", "graph"):
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


def run(pattern):
    """Prints a JSON line {"name": ..., "ns": [...]} for each benchmark whose name has the pattern."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    for name, make in cuda_benchmarks().items():
        if not re.search(pattern, name):
            continue
        try:
            print(json.dumps({"name": name, "ns": measure_on_cuda(make(), 7)}), flush=True)
        except Exception as error:  # torch.compile needs tools that may be missing
            print(f"torch_cuda_bench: {name}: {error}", file=sys.stderr)
