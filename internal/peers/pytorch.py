"""Times PyTorch on request: one JSON object a line in, one a line out.

    {"peer", "threads", "adam", "prepare": {"op", "batch", "dims"}}  ->  {"checks": [...]}
    {"peer", "threads", "time": runs}                                ->  {"seconds": s}
    {"peer", "threads", "finish": true}                               ->  {}

peer is any name; the answers to a prepare and to the times after it belong
together by it. The first line, unasked, tells the versions.
"""

import base64
import json
import sys
import time

import torch
from torch.nn import functional as F

try:
    import onnxruntime
except ImportError:
    onnxruntime = None


def values(seed, n, scale):
    """The same numbers as values in cases.go."""
    u = (torch.arange(n, dtype=torch.int64) + (seed << 24)) * 2654435761 & 0xFFFFFFFF
    u = ((u ^ u >> 16) * 0x45D9F3B) & 0xFFFFFFFF
    u = ((u ^ u >> 16) * 0x45D9F3B) & 0xFFFFFFFF
    u = u ^ u >> 16
    return (scale * (u.double() / 2**31 - 1)).float()


def weight(seed, n_in, n_out):
    """Drawn as [in, out], laid out as PyTorch keeps it, [out, in]."""
    return values(seed, n_in * n_out, (6 / n_in) ** 0.5).view(n_in, n_out).T.contiguous()


class Linear:
    """Forward and all three gradients of one linear layer."""

    def __init__(self, batch, dims, adam):
        n_in, n_out = dims
        self.x = values(1, batch * n_in, 1.0).view(batch, n_in).requires_grad_()
        self.w = weight(2, n_in, n_out).requires_grad_()
        self.b = values(3, n_out, 1.0).requires_grad_()
        self.dy = values(4, batch * n_out, 1.0).view(batch, n_out)

    def restart(self):
        pass

    def run(self):
        y = F.linear(self.x, self.w, self.b)
        return y, *torch.autograd.grad(y, (self.x, self.w, self.b), self.dy)

    def checks(self):
        return [float((t.detach().double() ** 2).sum()) for t in self.run()]


class MLPStep:
    """Forward, backward and Adam of a ReLU classifier."""

    def __init__(self, batch, dims, adam):
        self.dims, self.adam = dims, adam
        self.x = values(1, batch * dims[0], 1.0).view(batch, dims[0])
        self.labels = (values(2, batch, 0.5) + 0.5).mul(dims[-1]).long()
        layers = []
        for n_in, n_out in zip(dims, dims[1:]):
            layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1])
        self.restart()

    def restart(self):
        with torch.no_grad():
            for i, layer in enumerate(self.model[::2]):
                layer.weight.copy_(weight(10 + 2 * i, layer.in_features, layer.out_features))
                layer.bias.copy_(values(11 + 2 * i, layer.out_features, 0.1))
        options = {} if self.adam == "default" else {self.adam: True}
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, **options)

    def run(self):
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(self.x), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def checks(self):
        losses = [float(self.run()) for _ in range(5)]
        self.restart()
        return losses


class Predict:
    """The probabilities of a ReLU classifier."""

    def __init__(self, case):
        dims, batch = case["dims"], case["batch"]
        self.x = values(1, batch * dims[0], 1.0).view(batch, dims[0])
        layers = []
        for i, (n_in, n_out) in enumerate(zip(dims, dims[1:])):
            linear = torch.nn.Linear(n_in, n_out)
            with torch.no_grad():
                linear.weight.copy_(weight(10 + 2 * i, n_in, n_out))
                linear.bias.copy_(values(11 + 2 * i, n_out, 0.1))
            layers += [linear, torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1], torch.nn.Softmax(1)).eval()

    def restart(self):
        pass

    def run(self):
        with torch.inference_mode():
            return self.model(self.x)

    def checks(self):
        return [float((self.run().double() ** 2).sum())]


class PredictONNX(Predict):
    """The same by ONNX Runtime, from the graph in the request."""

    def __init__(self, case):
        super().__init__(case)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(base64.b64decode(case["model"]), options)
        self.features = {"features": self.x.numpy()}

    def run(self):
        return torch.from_numpy(self.session.run(["probabilities"], self.features)[0])


def accuracy(rows, n_in, n_out):
    """How far float32 results are from float64, in units of the last place of the
    largest of them."""

    def results(dtype):
        x = values(1, rows * n_in, 1.0).view(rows, n_in).to(dtype).requires_grad_()
        w = values(2, n_in * n_out, 1.0).view(n_in, n_out).T.contiguous().to(dtype).requires_grad_()
        b = torch.zeros(n_out, dtype=dtype, requires_grad=True)
        dy = values(4, rows * n_out, 1.0).view(rows, n_out).to(dtype)
        y = F.linear(x, w, b)
        dx, dw, db = torch.autograd.grad(y, (x, w, b), dy)
        return {"Y": y.detach(), "dX": dx, "dW": dw, "db": db}

    single, double = results(torch.float32), results(torch.float64)
    found = {}
    for name, want in double.items():
        error = (single[name].double() - want).abs()
        unit = 2.0 ** (int(torch.frexp(want.abs().max()).exponent) - 24)
        found[name] = {"rms": float((error**2).mean().sqrt()) / unit, "max": float(error.max()) / unit}
    return found


def answer(message):
    print(json.dumps(message), flush=True)


def main():
    answer({
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "onnxruntime": onnxruntime.__version__ if onnxruntime else "",
    })
    prepared = {}
    for line in sys.stdin:
        request = json.loads(line)
        torch.set_num_threads(request["threads"])
        key = request["peer"]
        if "accuracy" in request:
            answer(accuracy(*request["accuracy"]))
            continue
        if "prepare" in request:
            case = request["prepare"]
            if case["op"].startswith("predict"):
                prepared[key] = PredictONNX(case) if "model" in case else Predict(case)
            else:
                kind = {"linear": Linear, "mlp-step": MLPStep}[case["op"]]
                prepared[key] = kind(case["batch"], case["dims"], request["adam"])
            answer({"checks": prepared[key].checks()})
        elif "time" in request:
            job, runs = prepared[key], request["time"]
            job.restart()
            for _ in range(1 + runs // 10):
                job.run()
            start = time.perf_counter()
            for _ in range(runs):
                job.run()
            answer({"seconds": time.perf_counter() - start})
        else:
            del prepared[key]
            answer({})


main()
