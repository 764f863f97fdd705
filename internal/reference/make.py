#!/usr/bin/env python3
"""Writes the reference files that the Go tests compare against, with PyTorch.

    apt-get install python3-torch          # Debian 12: PyTorch 1.13
    /usr/bin/python3 internal/reference/make.py            # all families
    python3 internal/reference/make.py second_order        # some; each file names its versions
    pip install lion-pytorch                               # for optimizers_long

Each family of cases is one file, testdata/FAMILY.npz. Its member "meta" holds
JSON as bytes: the versions that made the file and the list of cases, each with
its name, its settings and the name of the group of inputs that it shares with
other cases. Every other member is an array, named CASE/DTYPE/ARRAY or
GROUP/DTYPE/ARRAY. Weights are [in, out], the transpose of PyTorch's. The files
are the same bytes every time with the same versions.
"""

import json
import pathlib
import platform
import sys
import warnings

import numpy
import torch
from torch.nn import functional as F
from torch.optim import lr_scheduler

SEED = 1
DTYPES = {"float32": torch.float32, "float64": torch.float64}
DIRECTORY = pathlib.Path(__file__).parent / "testdata"


class Family:
    """The cases and arrays of one file."""

    def __init__(self, name):
        self.name, self.cases, self.arrays = name, [], {}
        self.random = torch.Generator().manual_seed(SEED)

    def case(self, name, inputs="", **settings):
        """Adds a case to the list; inputs names the group of arrays it shares."""
        self.cases.append({"name": name, "inputs": inputs, "settings": settings})

    def store(self, group, dtype, **arrays):
        for name, tensor in arrays.items():
            key = f"{group}/{dtype}/{name}"
            assert key not in self.arrays, key
            self.arrays[key] = numpy.atleast_1d(tensor.detach().numpy()).copy()

    def normal(self, *shape):
        """Draws in float64; a case rounds the same draw to each of its types."""
        return torch.randn(*shape, generator=self.random, dtype=torch.float64)

    def uniform(self, *shape):
        return torch.rand(*shape, generator=self.random, dtype=torch.float64)

    def write(self):
        meta = {
            "versions": {
                "torch": torch.__version__,
                "numpy": numpy.__version__,
                "python": platform.python_version(),
            },
            "seed": SEED,
            "cases": self.cases,
        }
        text = json.dumps(meta, indent=1).encode()
        path = DIRECTORY / f"{self.name}.npz"
        numpy.savez_compressed(path, meta=numpy.frombuffer(text, numpy.uint8), **self.arrays)
        print(f"{path.name}: {len(self.cases)} cases, {path.stat().st_size} bytes")


def leaf(tensor, dtype):
    """A copy of the tensor that gathers a gradient."""
    return tensor.detach().clone().to(dtype).requires_grad_()


ACTIVATIONS = {
    "identity": ({}, lambda z: z),
    "relu": ({}, F.relu),
    "leaky_relu_0.01": ({"alpha": 0.01}, lambda z: F.leaky_relu(z, 0.01)),
    "leaky_relu_0.2": ({"alpha": 0.2}, lambda z: F.leaky_relu(z, 0.2)),
    "tanh": ({}, torch.tanh),
    "sigmoid": ({}, torch.sigmoid),
    "gelu": ({}, F.gelu),  # the exact form, with erf
    "silu": ({}, F.silu),
}


def linear():
    """Y = act(X·W + b) and the gradients of Σ Y ⊙ dY by X, W and b."""
    family = Family("linear")
    for shape in [(1, 1, 1), (5, 3, 4), (1, 7, 2), (33, 17, 9), (2, 3, 5, 4)]:
        *leading, n_in, n_out = shape
        group = "x".join(map(str, shape))
        drawn = {
            "X": family.normal(*leading, n_in),
            "W": family.normal(n_in, n_out) / n_in**0.5,
            "b": family.normal(n_out),
            "dY": family.normal(*leading, n_out),
        }
        for dtype, torch_dtype in DTYPES.items():
            family.store(group, dtype, **{k: v.to(torch_dtype) for k, v in drawn.items()})
        for act, (settings, function) in ACTIVATIONS.items():
            for bias in [True, False]:
                name = f"{act}/{group}/" + ("bias" if bias else "nobias")
                kind = "leaky_relu" if "alpha" in settings else act
                family.case(name, group, activation=kind, bias=bias, **settings)
                for dtype, torch_dtype in DTYPES.items():
                    x, w = leaf(drawn["X"], torch_dtype), leaf(drawn["W"], torch_dtype)
                    b = leaf(drawn["b"], torch_dtype) if bias else None
                    y = function(F.linear(x, w.T, b))
                    y.backward(drawn["dY"].to(torch_dtype))
                    family.store(name, dtype, Y=y, dX=x.grad, dW=w.grad)
                    if bias:
                        family.store(name, dtype, db=b.grad)
    return family


def losses():
    """Each loss, and the gradient of factor·loss by its first argument."""
    family = Family("losses")

    def add(name, function, prediction, targets, factor=1.0):
        kind = name.split("/")[0]
        family.case(name, loss=kind, factor=factor)
        for dtype, torch_dtype in DTYPES.items():
            p, t = leaf(prediction, torch_dtype), targets.to(torch_dtype)
            loss = function(p, t)
            (factor * loss).backward()
            family.store(name, dtype, prediction=p, targets=t, loss=loss, gradient=p.grad)

    def one_hot(n, classes):
        labels = torch.randint(classes, (n,), generator=family.random)
        return F.one_hot(labels, classes).double()

    def extreme(*shape):
        """Logits among ±1e4 and 0, where exp overflows unless it is shifted."""
        return 1e4 * torch.randint(-1, 2, shape, generator=family.random).double()

    entropy, binary = F.cross_entropy, F.binary_cross_entropy_with_logits
    for n, classes in [(1, 1), (1, 2), (4, 3), (33, 10)]:
        size = f"{n}x{classes}"
        soft = torch.softmax(family.normal(n, classes), 1)
        logits = 3 * family.normal(n, classes)
        add(f"cross_entropy/soft/{size}", entropy, logits, soft)
        add(f"cross_entropy/one_hot/{size}", entropy, logits, one_hot(n, classes))
        add(f"cross_entropy/soft/{size}/half", entropy, logits, soft, factor=0.5)
        add(f"cross_entropy/extreme/{size}", entropy, extreme(n, classes), soft, factor=-3.0)
        add(f"cross_entropy/extreme_one_hot/{size}", entropy, extreme(n, classes), one_hot(n, classes))
    add("cross_entropy/targets_not_summing_to_one", entropy, family.normal(5, 4), family.uniform(5, 4))
    for n, columns in [(1, 1), (5, 1), (7, 3)]:
        size = f"{n}x{columns}"
        pred, target = family.normal(n, columns), family.normal(n, columns)
        add(f"mse/{size}", F.mse_loss, pred, target)
        add(f"mse/{size}/half", F.mse_loss, pred, target, factor=0.5)
        add(f"mse/large/{size}", F.mse_loss, 1e4 * pred, -1e4 * target)
        logits, soft = 3 * family.normal(n, columns), family.uniform(n, columns)
        add(f"binary_cross_entropy/soft/{size}", binary, logits, soft)
        add(f"binary_cross_entropy/hard/{size}", binary, logits, soft.round())
        add(f"binary_cross_entropy/soft/{size}/half", binary, logits, soft, factor=0.5)
        add(f"binary_cross_entropy/extreme/{size}", binary, extreme(n, columns), soft.round())
    return family


STEPS = 30
OPTIMIZERS = {
    "sgd": {
        "plain": dict(lr=0.1),
        "weight_decay": dict(lr=0.1, weight_decay=0.05),
        "momentum": dict(lr=0.05, momentum=0.9),
        "momentum_dampening": dict(lr=0.05, momentum=0.9, dampening=0.3),
        "nesterov": dict(lr=0.05, momentum=0.9, nesterov=True),
        "nesterov_weight_decay": dict(lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.05),
    },
    "adam": {
        "default": dict(),
        "weight_decay": dict(lr=0.01, weight_decay=0.05),
        "betas_eps": dict(lr=0.02, betas=(0.8, 0.95), eps=1e-4),
    },
    "adamw": {
        "default": dict(),
        "weight_decay": dict(lr=0.02, weight_decay=0.2),
        "betas_eps": dict(lr=0.02, betas=(0.8, 0.95), eps=1e-4),
    },
    "rmsprop": {
        "default": dict(),
        "alpha_eps": dict(lr=0.02, alpha=0.9, eps=1e-4),
        "centered": dict(centered=True),
        "momentum": dict(lr=0.005, momentum=0.9),
        "centered_momentum": dict(lr=0.005, momentum=0.9, centered=True),
        "weight_decay": dict(weight_decay=0.05),
    },
    "adagrad": {
        "default": dict(),
        "lr_decay": dict(lr=0.1, lr_decay=0.05),
        "weight_decay": dict(lr=0.1, weight_decay=0.05),
        "initial_accumulator_value": dict(lr=0.1, initial_accumulator_value=0.5, eps=1e-4),
    },
}
OPTIMIZER_CLASSES = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}


def optimizers():
    """The parameters after each of 30 steps with the same given gradients."""
    family = Family("optimizers")
    initial = {"W": family.normal(4, 3), "b": family.normal(3)}
    # Gradients between 1e-5 and 10, so that eps matters to some and not to others;
    # one element of W never gets any.
    gradients = {k: family.normal(STEPS, *v.shape) * 10 ** (1 - 6 * family.uniform(*v.shape))
                 for k, v in initial.items()}
    gradients["W"][:, 1, 2] = 0
    for dtype, torch_dtype in DTYPES.items():
        for k in initial:
            family.store("given", dtype, **{
                f"{k}_initial": initial[k].to(torch_dtype), f"{k}_gradients": gradients[k].to(torch_dtype)})
    for kind, variants in OPTIMIZERS.items():
        for variant, options in variants.items():
            name = f"{kind}/{variant}"
            for dtype, torch_dtype in DTYPES.items():
                params = {k: leaf(v, torch_dtype) for k, v in initial.items()}
                optimizer = OPTIMIZER_CLASSES[kind](params.values(), **options)
                path = {k: [] for k in params}
                for step in range(STEPS):
                    for k, p in params.items():
                        p.grad = gradients[k][step].to(torch_dtype)
                    optimizer.step()
                    for k, p in params.items():
                        path[k].append(p.detach().clone())
                family.store(name, dtype, **{k: torch.stack(v) for k, v in path.items()})
            # Every setting is recorded, those that PyTorch filled in too.
            settings = {k: v for k, v in optimizer.defaults.items() if isinstance(v, (int, float, tuple))}
            family.case(name, "given", optimizer=kind, **settings)
    return family


LONG_STEPS = 1000
SNAPSHOTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
LONG_OPTIMIZERS = {
    kind: variants | {
        "amsgrad": dict(lr=0.02, amsgrad=True),
        "amsgrad_weight_decay": dict(lr=0.02, amsgrad=True, weight_decay=0.05),
    } if kind in ["adam", "adamw"] else dict(variants) for kind, variants in OPTIMIZERS.items()
}
for variants in LONG_OPTIMIZERS.values():
    variants["maximize"] = dict(lr=0.01, maximize=True, weight_decay=0.02)
# The group of b has options of its own.
GROUPS = {
    "sgd": (dict(lr=0.05, momentum=0.9), dict(lr=0.1, momentum=0.5, nesterov=True)),
    "adam": (dict(lr=0.01, weight_decay=0.05), dict(lr=0.03, amsgrad=True)),
    "adamw": (dict(lr=0.01, weight_decay=0.2), dict(weight_decay=0.0)),
}
LION = {
    "default": dict(),
    "weight_decay": dict(lr=0.001, weight_decay=0.1),
    "betas": dict(lr=0.002, betas=(0.95, 0.98)),
}


def counted(*shape):
    """Numbers that look random, are multiples of 1/1024 in [-1/2, 1/2) and can be
    made in any language: a mixed counter."""
    count = numpy.arange(int(numpy.prod(shape)), dtype=numpy.uint64)
    mixed = (count * numpy.uint64(2654435761)) % numpy.uint64(1 << 32)
    mixed = ((mixed ^ (mixed >> numpy.uint64(15))) * numpy.uint64(2246822519)) % numpy.uint64(1 << 32)
    mixed = (mixed ^ (mixed >> numpy.uint64(13))) % numpy.uint64(1024)
    return torch.tensor((mixed.astype(numpy.float64) / 1024 - 0.5).reshape(shape))


def optimizers_long():
    """The parameters in the course of 1,000 steps down a noisy paraboloid. All that
    goes into a gradient is rounded at most twice, and the same everywhere: with
    the counted noise, element i of a parameter has

        g = scale * (slope * (w - target) + noise),  slope = 2**-(i % 3),  scale = 8**-(i % 4)

    Lion's steps follow the noise alone, since where it settles the sign of a
    difference decides, and so a rounding error does."""
    from lion_pytorch import Lion  # pip install lion-pytorch

    family = Family("optimizers_long")
    shapes = {"W": (4, 3), "b": (3,)}
    start = {k: counted(*s) for k, s in shapes.items()}
    noise = {k: counted(LONG_STEPS, *s) for k, s in shapes.items()}

    def run(name, make, feedback, sign, **settings):
        for dtype, torch_dtype in DTYPES.items():
            params = {k: leaf(v, torch_dtype) for k, v in start.items()}
            optimizer = make(params)
            path = {k: [] for k in params}
            for step in range(LONG_STEPS):
                for k, p in params.items():
                    i = torch.arange(p.numel()).reshape(p.shape)
                    slope, scale = 0.5 ** (i % 3), 0.125 ** (i % 4)
                    g = noise[k][step].to(torch_dtype)
                    if feedback:
                        target = (2.0 - 0.25 * i).to(torch_dtype)
                        g = slope.to(torch_dtype) * (p.detach() - target) + g
                    p.grad = sign * scale.to(torch_dtype) * g
                optimizer.step()
                if step + 1 in SNAPSHOTS:
                    for k, p in params.items():
                        path[k].append(p.detach().clone())
            family.store(name, dtype, **{k: torch.stack(v) for k, v in path.items()})
        family.case(name, snapshots=SNAPSHOTS, feedback=feedback, sign=sign, **settings)

    def recorded(options):
        return {k: v for k, v in options.items() if isinstance(v, (int, float, tuple))}

    for kind, variants in LONG_OPTIMIZERS.items():
        for variant, options in variants.items():
            defaults = OPTIMIZER_CLASSES[kind]([torch.zeros(1)], **options).defaults
            run(f"{kind}/{variant}", lambda p: OPTIMIZER_CLASSES[kind](p.values(), **options),
                True, -1 if "maximize" in options else 1, optimizer=kind, **recorded(defaults))
    for kind, (options, group) in GROUPS.items():
        defaults = OPTIMIZER_CLASSES[kind]([torch.zeros(1)], **options).defaults
        run(f"{kind}/groups", lambda p: OPTIMIZER_CLASSES[kind]([{"params": [p["W"]]}, {"params": [p["b"]]} | group], **options),
            True, 1, optimizer=kind, **recorded(defaults), group=recorded(defaults | group))
    for variant, options in LION.items():
        defaults = Lion([torch.zeros(1, requires_grad=True)], **options).defaults
        run(f"lion/{variant}", lambda p: Lion(p.values(), **options), False, 1, optimizer="lion", **recorded(defaults))
    return family


def optimizers_tiny():
    """Three steps with gradients so small that their squares are subnormal."""
    family = Family("optimizers_tiny")
    gradients = torch.tensor([1e-20, -1e-20, 1e-19, 3e-21, 0.5])
    for name, make in {
        "adam/eps_0": lambda p: torch.optim.Adam(p, lr=0.1, eps=0.0),
        "adamw/eps_0": lambda p: torch.optim.AdamW(p, lr=0.1, eps=0.0),
        "adam/eps_subnormal": lambda p: torch.optim.Adam(p, lr=0.1, eps=1e-40),
        "rmsprop/eps_0": lambda p: torch.optim.RMSprop(p, lr=0.1, eps=0.0),
        "adagrad/eps_0": lambda p: torch.optim.Adagrad(p, lr=0.1, eps=0.0),
        "sgd/momentum": lambda p: torch.optim.SGD(p, lr=1e-20, momentum=0.9),
    }.items():
        w = torch.ones(5, requires_grad=True)
        if name == "sgd/momentum":
            w = torch.zeros(5, requires_grad=True)
        family.store(name, "float32", w_initial=w, w_gradients=torch.stack(3 * [gradients]))
        optimizer = make([w])
        path = []
        for _ in range(3):
            w.grad = gradients.clone()
            optimizer.step()
            path.append(w.detach().clone())
        family.store(name, "float32", w=torch.stack(path))
        settings = {k: v for k, v in optimizer.defaults.items() if isinstance(v, (int, float, tuple))}
        family.case(name, optimizer=name.split("/")[0], **settings)
    return family


RATES = 60
BASE_RATE = 0.1


def schedules():
    """The learning rate of each of 60 steps, the first included."""
    family = Family("schedules")

    def add(name, make, **settings):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE_RATE)
        scheduler = make(optimizer)
        rates = []
        for _ in range(RATES):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        family.case(name, schedule=name.split("/")[0], lr=BASE_RATE, **settings)
        family.store(name, "float64", rates=torch.tensor(rates, dtype=torch.float64))

    for k in [dict(step_size=10, gamma=0.1), dict(step_size=7, gamma=0.5)]:
        add(f"step/{k['step_size']}", lambda o: lr_scheduler.StepLR(o, **k), **k)
    for k in [dict(T_max=60, eta_min=0.0), dict(T_max=59, eta_min=0.002)]:
        add(f"cosine/{k['T_max']}", lambda o: lr_scheduler.CosineAnnealingLR(o, **k), **k)
    for k in [dict(start_factor=1 / 3, total_iters=5), dict(start_factor=0.1, total_iters=10)]:
        add(f"warmup/{k['total_iters']}", lambda o: lr_scheduler.LinearLR(o, **k), **k)

    warmup, cosine = dict(start_factor=0.1, total_iters=10), dict(T_max=50, eta_min=0.001)
    add("warmup_cosine/10", lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, **warmup), lr_scheduler.CosineAnnealingLR(o, **cosine)], [10]),
        **warmup, **cosine)

    # cycle_momentum is off: the rate alone is compared.
    one_cycle = dict(max_lr=BASE_RATE, total_steps=RATES, pct_start=0.3, div_factor=25.0, final_div_factor=1e4)
    for name, change in {
        "cos": dict(anneal_strategy="cos"),
        "linear": dict(anneal_strategy="linear"),
        "cos_other": dict(anneal_strategy="cos", pct_start=0.25, div_factor=10.0, final_div_factor=100.0),
        "linear_other": dict(anneal_strategy="linear", pct_start=0.25, div_factor=10.0, final_div_factor=100.0),
    }.items():
        k = one_cycle | change
        add(f"one_cycle/{name}", lambda o: lr_scheduler.OneCycleLR(o, cycle_momentum=False, **k), **k)
    return family


def schedules_long():
    """The learning rate of each of 1,000 steps, as in schedules."""
    family = Family("schedules_long")
    total = 1000
    for strategy in ["cos", "linear"]:
        for three in [False, True]:
            for start in [0.0, 0.3, 0.5]:
                if three and start == 0.5:
                    continue  # leaves no third phase
                k = dict(max_lr=BASE_RATE, total_steps=total, pct_start=start, three_phase=three, anneal_strategy=strategy)
                optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE_RATE)
                scheduler = lr_scheduler.OneCycleLR(optimizer, cycle_momentum=False, **k)
                rates = []
                for step in range(total):
                    rates.append(optimizer.param_groups[0]["lr"])
                    optimizer.step()
                    if step + 1 < total:
                        scheduler.step()
                name = f"one_cycle/{strategy}/{start}" + ("/three_phase" if three else "")
                family.case(name, schedule="one_cycle", **k)
                family.store(name, "float64", rates=torch.tensor(rates, dtype=torch.float64))
    return family


def clipping():
    """Gradients before and after clipping, and their global norm before."""
    family = Family("clipping")
    drawn = {"a": family.normal(4, 3), "b": family.normal(3), "c": 5 * family.normal(2, 2)}

    def add(name, clip, scale=1.0, **settings):
        family.case(name, clip=name.split("/")[0], **settings)
        for dtype, torch_dtype in DTYPES.items():
            params = {k: leaf(torch.zeros_like(v), torch_dtype) for k, v in drawn.items()}
            for k, p in params.items():
                p.grad = (scale * drawn[k]).to(torch_dtype)
                family.store(name, dtype, **{f"{k}_before": p.grad})
            norm = clip(list(params.values()))
            family.store(name, dtype, **{f"{k}_after": p.grad for k, p in params.items()})
            if norm is not None:
                family.store(name, dtype, norm=norm)

    for case, max_norm, scale in [("above", 1.0, 1.0), ("below", 100.0, 1.0), ("tiny", 1e-6, 1e-6), ("zero", 1.0, 0.0)]:
        add(f"norm/{case}", lambda p: torch.nn.utils.clip_grad_norm_(p, max_norm), scale, limit=max_norm)
    for case, limit in [("some", 0.5), ("none", 100.0)]:
        add(f"value/{case}", lambda p: torch.nn.utils.clip_grad_value_(p, limit), limit=limit)
    return family


def mlp():
    """Ten full-batch steps of Adam on a 2-8-8-3 classifier, from given weights."""
    family = Family("mlp")
    dims, n, steps, rate = [2, 8, 8, 3], 16, 10, 0.01
    drawn = {"X": family.normal(n, dims[0])}
    for i, (n_in, n_out) in enumerate(zip(dims, dims[1:])):
        drawn[f"W{i}"] = family.normal(n_in, n_out) / n_in**0.5
        drawn[f"b{i}"] = 0.1 * family.normal(n_out)
    labels = torch.randint(dims[-1], (n,), generator=family.random)
    drawn["targets"] = F.one_hot(labels, dims[-1]).double()
    for dtype, torch_dtype in DTYPES.items():
        family.store("given", dtype, **{k: v.to(torch_dtype) for k, v in drawn.items()})
    for act in ["tanh", "relu"]:
        family.case(act, "given", activation=act, dims=dims, steps=steps, optimizer="adam", lr=rate)
        for dtype, torch_dtype in DTYPES.items():
            params = {k: leaf(v, torch_dtype) for k, v in drawn.items() if k[0] in "Wb"}
            optimizer = torch.optim.Adam(params.values(), lr=rate)
            losses = []
            for step in range(steps):
                h = drawn["X"].to(torch_dtype)
                for i in range(len(dims) - 1):
                    h = F.linear(h, params[f"W{i}"].T, params[f"b{i}"])
                    if i < len(dims) - 2:
                        h = ACTIVATIONS[act][1](h)
                loss = F.cross_entropy(h, drawn["targets"].to(torch_dtype))
                optimizer.zero_grad()
                loss.backward()
                if step == 0:
                    family.store(act, dtype, logits=h, **{f"d{k}": p.grad.clone() for k, p in params.items()})
                losses.append(loss.detach())
                optimizer.step()
            family.store(act, dtype, losses=torch.stack(losses))
    return family


class Drawn(torch.Tensor):
    """A tensor that notes what it is asked to be filled with."""

    def uniform_(self, low, high):
        self.arguments = {"distribution": "uniform", "low": float(low), "high": float(high)}
        return self

    def normal_(self, mean, std):
        self.arguments = {"distribution": "normal", "mean": float(mean), "std": float(std)}
        return self


def initializers():
    """The distribution that each initialiser draws from, as PyTorch asks for it."""
    family = Family("initializers")
    init = torch.nn.init

    def add(name, fill, n_in, n_out):
        weight = torch.empty(n_out, n_in).as_subclass(Drawn)
        fill(weight)
        note(name, weight, n_in, n_out)

    def note(name, drawn, n_in, n_out):
        family.case(f"{name}/{n_in}x{n_out}", initializer=name, fan_in=n_in, fan_out=n_out, **drawn.arguments)

    for n_in, n_out in [(1, 1), (3, 4), (784, 512), (512, 10)]:
        add("xavier_uniform", init.xavier_uniform_, n_in, n_out)
        add("xavier_normal", init.xavier_normal_, n_in, n_out)
        add("kaiming_uniform", lambda w: init.kaiming_uniform_(w, nonlinearity="relu"), n_in, n_out)
        add("kaiming_normal", lambda w: init.kaiming_normal_(w, nonlinearity="relu"), n_in, n_out)
        # torch.nn.Linear's own: its weight and bias are replaced to hear what it asks for.
        layer = torch.nn.Linear(n_in, n_out)
        parts = {"weight": torch.empty(n_out, n_in), "bias": torch.empty(n_out)}
        for part, tensor in parts.items():
            del layer._parameters[part]
            setattr(layer, part, tensor.as_subclass(Drawn))
        layer.reset_parameters()
        for part in parts:
            note(f"linear_{part}", getattr(layer, part), n_in, n_out)
    return family


def second_order():
    """Second derivatives by every pair of inputs, and some third ones.

    For inputs a and b, "d_a_b" is the gradient by b of Σ V_a ⊙ d_a with
    d_a = ∂cost/∂a, and "third_b" that of Σ U ⊙ d_X_X or d_prediction_prediction.
    """
    family = Family("second_order")

    def add(name, cost, drawn, first, **settings):
        family.case(name, **settings)
        vectors = {f"V_{k}": family.normal(*v.shape) for k, v in drawn.items()}
        vectors["U"] = family.normal(*drawn[first].shape)
        for dtype, torch_dtype in DTYPES.items():
            inputs = {k: leaf(v, torch_dtype) for k, v in drawn.items()}
            v = {k: t.to(torch_dtype) for k, t in vectors.items()}
            family.store(name, dtype, **inputs, **v)

            def grads(output):
                found = torch.autograd.grad(output, inputs.values(), create_graph=True, materialize_grads=True)
                return dict(zip(inputs, found))

            value = cost(**inputs)
            family.store(name, dtype, cost=value)
            gradients = grads(value)
            for a, gradient in gradients.items():
                family.store(name, dtype, **{f"d_{a}": gradient})
                second = grads((v[f"V_{a}"] * gradient).sum())
                family.store(name, dtype, **{f"d_{a}_{b}": t for b, t in second.items()})
                if a == first:
                    third = grads((v["U"] * second[a]).sum())
                    family.store(name, dtype, **{f"third_{b}": t for b, t in third.items()})

    activations = ACTIVATIONS | {
        "softplus": (dict(beta=1.0, threshold=20.0), F.softplus),
        "softplus_2.5": (dict(beta=2.5, threshold=1.0), lambda z: F.softplus(z, 2.5, 1.0)),
    }
    for shape in [(4, 3, 2), (2, 2, 3, 2)]:
        *leading, n_in, n_out = shape
        drawn = {
            "X": family.normal(*leading, n_in),
            "W": family.normal(n_in, n_out),
            "b": family.normal(n_out),
            "dY": family.normal(*leading, n_out),
        }
        for act, (settings, function) in activations.items():
            if len(leading) > 1 and act not in ["tanh", "gelu"]:
                continue
            kind = act.rsplit("_", 1)[0] if act[-1].isdigit() else act
            add(f"{act}/{'x'.join(map(str, shape))}",
                lambda X, W, b, dY: (function(F.linear(X, W.T, b)) * dY).sum(),
                drawn, "X", activation=kind, **settings)

    def loss(name, function, prediction, targets, **settings):
        # The square makes the derivatives depend on the loss itself.
        add(name, lambda prediction, targets: function(prediction, targets).square().sum() / 2,
            {"prediction": prediction, "targets": targets}, "prediction", loss=name.split("/")[0], **settings)

    for n, classes in [(1, 2), (4, 3)]:
        logits, soft = 2 * family.normal(n, classes), torch.softmax(family.normal(n, classes), 1)
        weights = (0.2 + family.uniform(classes)).tolist()
        for reduction in ["mean", "sum", "none"]:
            size = f"{n}x{classes}/{reduction}"
            loss(f"cross_entropy/{size}", lambda p, t: F.cross_entropy(p, t, reduction=reduction), logits, soft, reduction=reduction)
            loss(f"cross_entropy/weights/{size}",
                 lambda p, t: F.cross_entropy(p, t, torch.tensor(weights, dtype=p.dtype), reduction=reduction),
                 logits, soft, reduction=reduction, weights=weights)
            loss(f"mse/{size}", lambda p, t: F.mse_loss(p, t, reduction=reduction), logits, soft, reduction=reduction)
            loss(f"binary_cross_entropy/{size}",
                 lambda p, t: F.binary_cross_entropy_with_logits(p, t, reduction=reduction), logits, soft, reduction=reduction)
    return family


def gradient_penalty():
    """Ten steps of gradient descent on loss + λ·mean over rows of ‖∂out/∂x‖²."""
    family = Family("gradient_penalty")
    n, n_in, hidden, steps, rate, penalty = 12, 3, 8, 10, 0.2, 0.5
    drawn = {"X": family.normal(n, n_in), "targets": family.uniform(n, 1).round(),
             "W0": family.normal(n_in, hidden) / n_in**0.5, "b0": 0.1 * family.normal(hidden),
             "W1": family.normal(hidden, 1) / hidden**0.5, "b1": 0.1 * family.normal(1)}
    for dtype, torch_dtype in DTYPES.items():
        family.store("given", dtype, **{k: v.to(torch_dtype) for k, v in drawn.items()})
    for act in ["tanh", "gelu", "silu", "relu"]:
        family.case(act, "given", activation=act, steps=steps, lr=rate, penalty=penalty)
        for dtype, torch_dtype in DTYPES.items():
            params = {k: leaf(v, torch_dtype) for k, v in drawn.items() if k[0] in "Wb"}
            x, targets = leaf(drawn["X"], torch_dtype), drawn["targets"].to(torch_dtype)
            optimizer = torch.optim.SGD(params.values(), lr=rate)
            costs = []
            for _ in range(steps):
                h = ACTIVATIONS[act][1](F.linear(x, params["W0"].T, params["b0"]))
                out = F.linear(h, params["W1"].T, params["b1"])
                (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
                cost = F.binary_cross_entropy_with_logits(out, targets) + penalty * slope.square().sum() / n
                costs.append(cost.detach())
                optimizer.zero_grad()
                cost.backward(inputs=list(params.values()))
                optimizer.step()
            family.store(act, dtype, costs=torch.stack(costs), **{f"{k}_trained": p for k, p in params.items()})
    return family


def special():
    """What becomes of NaN, ±Inf, the largest, the smallest and subnormal numbers in X, W, b and dY, one at a time."""
    family = Family("special")
    acts = ACTIVATIONS | {"softplus": ({"beta": 1.0, "threshold": 20.0}, F.softplus)}
    for dtype, torch_dtype in DTYPES.items():
        info = torch.finfo(torch_dtype)
        sizes = [float("inf"), info.max, 1e20, 3.0, 1.0, 1e-20, info.tiny, info.tiny / 16, 0.0]
        values = torch.tensor([float("nan")] + [s * size for size in sizes for s in (1, -1)], dtype=torch_dtype)
        n = len(values)

        def fill(rows, cols, value):
            return torch.full((rows, cols), value, dtype=torch_dtype)

        # One column makes each row's dX, one row makes each column's dW and db.
        for act, (settings, function) in acts.items():
            kind = "leaky_relu" if "alpha" in settings else act
            for what, x, w, b in [
                ("X", values[:, None], fill(1, 1, 0.75), fill(1, 1, 0.125)),
                ("W", fill(1, 1, 0.875), values[None, :], fill(1, n, 0.0)),
                ("b", fill(1, 1, 0.875), fill(1, n, 0.5), values[None, :]),
                ("dY", fill(n, 1, 0.875), fill(1, 1, 0.75), fill(1, 1, 0.125)),
            ]:
                # PyTorch's softplus multiplies dY by e^z first, which overflows.
                gradients = torch.where(values.abs() == info.max, values / 4, values)
                for gradient in [gradients] if what == "dY" else [1.0, float("inf"), float("nan")]:
                    x, w, b = leaf(x, torch_dtype), leaf(w, torch_dtype), leaf(b[0], torch_dtype)
                    y = function(F.linear(x, w.T, b))
                    dy = gradient[:, None] if what == "dY" else torch.full_like(y, gradient)
                    y.backward(dy)
                    name = f"{act}/{what}" + ("" if what == "dY" else f"/dY={gradient}")
                    if dtype == "float32":
                        family.case(name, "", activation=kind, **settings)
                    family.store(name, dtype, X=x, W=w, b=b, dY=dy, Y=y, dX=x.grad, dW=w.grad, db=b.grad)
                    b = b[None, :]
    return family


if __name__ == "__main__":
    torch.set_num_threads(1)
    # SequentialLR calls its own schedules in a way that PyTorch discourages.
    warnings.filterwarnings("ignore", message="The epoch parameter in")
    DIRECTORY.mkdir(exist_ok=True)
    families = [linear, losses, optimizers, optimizers_long, optimizers_tiny, schedules,
                schedules_long, clipping, mlp, initializers, second_order, gradient_penalty,
                special]
    for make in families:
        if not sys.argv[1:] or make.__name__ in sys.argv[1:]:
            make().write()
