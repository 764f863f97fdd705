"""Times the cases of cases.go in PyTorch, eager, as CUDA graphs and compiled; prints JSON."""

import json
import statistics
import sys
import time

import torch

SECONDS = float(sys.argv[1])
BATCHES = 15
LINEARS = [(128, 784, 512), (1024, 1024, 1024), (4096, 4096, 4096)]
MLPS = [(32, [2, 16, 16, 2]), (128, [784, 512, 256, 10])]


def measure(step):
    def timed(n):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(n):
            step()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    timed(5)
    n = max(1, min(5000, int(SECONDS / BATCHES * 10 / timed(10))))
    return statistics.median(timed(n) for _ in range(BATCHES)) / n * 1e6


def captured(step):
    """step as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def linear(rows, fan_in, out, wrap=lambda model: model):
    x = torch.randn(rows, fan_in, device="cuda", requires_grad=True)
    layer = torch.nn.Linear(fan_in, out, device="cuda")
    forward = wrap(layer)
    dy = torch.randn(rows, out, device="cuda")

    def step():
        x.grad = layer.weight.grad = layer.bias.grad = None
        forward(x).backward(dy)

    return step


def mlp(rows, dims, capturable, wrap=lambda model: model):
    modules = []
    for i, (fan_in, out) in enumerate(zip(dims, dims[1:])):
        modules.append(torch.nn.Linear(fan_in, out))
        if i < len(dims) - 2:
            modules.append(torch.nn.ReLU())
    model = torch.nn.Sequential(*modules).cuda()
    x = torch.randn(rows, dims[0], device="cuda")
    labels = torch.arange(rows, device="cuda") % dims[-1]
    targets = torch.nn.functional.one_hot(labels, dims[-1]).float()
    loss = torch.nn.CrossEntropyLoss()
    forward = wrap(model)
    # As fast as PyTorch's Adam goes: one fused kernel for all weights.
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True, capturable=capturable)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(forward(x), targets).backward()
        optimizer.step()

    return step


def main():
    results = []

    def add(case, mode, step):
        results.append({"case": case, "mode": mode, "us": measure(step)})

    for precision in ["highest", "high", "medium"]:
        torch.set_float32_matmul_precision(precision)
        for rows, fan_in, out in LINEARS:
            name = f"linear {rows}×{fan_in}×{out}, {precision}"
            add(name, "eager", linear(rows, fan_in, out))
            add(name, "graphs", captured(linear(rows, fan_in, out)))
            add(name, "compiled", linear(rows, fan_in, out, torch.compile))
        for rows, dims in MLPS:
            name = f"step of MLP {'-'.join(map(str, dims))}, batch {rows}, Adam, {precision}"
            add(name, "eager", mlp(rows, dims, False))
            add(name, "graphs", captured(mlp(rows, dims, True)))
            add(name, "compiled", mlp(rows, dims, False, torch.compile))
    version = f"PyTorch {torch.__version__}, {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    print(json.dumps({"version": version, "results": results}))


main()
