"""Makes the golden files beside it with PyTorch's values: python3 generate.py [OP ...] (no argument: all, and steps).

Needs PyTorch and NumPy; the tests need neither. Add an op: its cases to CASES, its call to CALLS, and run this.

OP.bin        little-endian: "LNGOLD1\\0", u32 cases, and for each
                char line[96], u32 images, u32 inputs, u32 shape[2][3], u32 seed, u32 coarse, f32 scale, u32 tensors,
                and for each tensor char name[16], u32 count, f64 torch32, f32 values[count].
              Values are PyTorch's in float64, rounded once; torch32 is the largest distance of PyTorch's own float32
              result from them. Names: out, din0, din1, a parameter's name, hit (losses: 1 where the answer is right).
              Inputs are not stored: values() below and tests/test_golden.c make the same ones. Gradients are those of
              sum(out * dout); of the loss itself for losses.
steps_NET.bin "LNSTEP1\\0", u32 parameters, u32 steps, f64 loss[steps], f64 torch32 of the losses, and for each
                parameter char name[16], u32 count, f64 torch32, f32 before[count], f64 after[count].
              Training steps of 64 images in file order; after and loss are the float64 run's, from the float32 weights
              before; torch32 is the Euclidean distance of PyTorch's float32 run from them.
"""
import gzip
import os
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
MNIST = os.path.join(HERE, "..", "..", "data", "mnist")
X, PARAM, DOUT, LABEL = 0, 2, 4, 5  # slots of values(); an op has up to two inputs and two parameters


# ---------------------------------------------------------------------------------------------------- inputs

def bits(seed, slot, count):
    """count uint32, mixed from position, slot and seed."""
    h = np.arange(count, dtype=np.uint64) * 0x9E3779B1 + (seed * 8 + slot) * 0x85EBCA77
    h &= 0xFFFFFFFF
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h ^= h >> np.uint64(shift)
        h = h * factor & 0xFFFFFFFF
    return h ^ h >> np.uint64(16)


def values(seed, slot, shape, coarse=False):
    """Uniform in [-1, 1) on a grid of 2^-23, or (coarse: many ties and zeros) of 1/4."""
    h = bits(seed, slot, int(np.prod(shape)))
    x = ((h >> np.uint64(29)).astype(np.int64) - 4) / 4 if coarse else \
        ((h >> np.uint64(8)).astype(np.int64) - (1 << 23)) / (1 << 23)
    return torch.tensor(x, dtype=torch.float32).reshape(shape)


def labels(seed, n, classes):
    return torch.tensor((bits(seed, LABEL, n) % classes).astype(np.int64))


# ------------------------------------------------------------------------------------------------------ ops

def parse(line):
    """'conv2d 7 kernel=5x3 bias=false' -> ('conv2d', [7], {'kernel': (5, 3), 'bias': False})."""
    def value(text):
        if text in ("true", "false"):
            return text == "true"
        if "x" in text and text.replace("x", "").isdigit():
            return tuple(int(part) for part in text.split("x"))
        return int(text) if text.isdigit() else text
    words = line.split()
    keyed = dict(word.split("=") for word in words[1:] if "=" in word)
    return words[0], [value(w) for w in words[1:] if "=" not in w], {k: value(v) for k, v in keyed.items()}


def pair(x):
    return x if isinstance(x, tuple) else (x, x)


def conv2d_parameters(shape, out, kernel, groups=1, bias=True, **_):
    weight = ("weight", (out, shape[0] // groups, *pair(kernel)))
    return [weight, ("bias", (out,))] if bias else [weight]


def conv2d(x, p, out, kernel, stride=1, padding=0, groups=1, bias=True):
    return F.conv2d(x[0], p[0], p[1] if bias else None, stride, padding, 1, groups)


def pool(function):
    return lambda x, p, kernel, stride=None, padding=0: function(x[0], kernel, stride, padding)


def linear_parameters(shape, out):
    return [("weight", (out, int(np.prod(shape)))), ("bias", (out,))]


def no_parameters(shape, *_, **__):
    return []


CALLS = {  # op: (parameter shapes of an input shape and arguments, output of inputs, parameters and arguments)
    "conv2d": (conv2d_parameters, conv2d),
    "maxpool2d": (no_parameters, pool(F.max_pool2d)),
    "avgpool2d": (no_parameters, pool(F.avg_pool2d)),
    "linear": (linear_parameters, lambda x, p, out: F.linear(x[0].flatten(1), p[0], p[1])),
    "relu": (no_parameters, lambda x, p: F.relu(x[0])),
    "sigmoid": (no_parameters, lambda x, p: torch.sigmoid(x[0])),
    "tanh": (no_parameters, lambda x, p: torch.tanh(x[0])),
    "flatten": (no_parameters, lambda x, p: x[0].flatten(1)),
    "add": (no_parameters, lambda x, p, other: x[0] + x[1]),
    "cross_entropy": (no_parameters, None),
}

A, B, C = (7, 13, 11), (37, 5, 6), (2, 4, 5)  # odd sizes, many channels, small
D = (7, 5, 11)  # for what goes value by value


def case(line, shape, n, coarse=False, scale=1.0):
    return line, shape, n, coarse, scale


CASES = {
    "conv2d": [
        case("conv2d 6 kernel=5 padding=2", (1, 28, 28), 3),
        case("conv2d 16 kernel=5", (6, 14, 14), 17),
        case("conv2d 37 kernel=3 stride=2 padding=1", A, 17),
        case("conv2d 7 kernel=3 stride=2 padding=1", B, 17),
        case("conv2d 37 kernel=3 padding=1", B, 1),
        case("conv2d 7 kernel=3 stride=2 padding=1 groups=1", A, 1),
        case("conv2d 6 kernel=3 padding=1 groups=2", (4, 13, 11), 17),
        case("conv2d 14 kernel=5 stride=2 padding=2 groups=2", (10, 13, 11), 3),
        case("conv2d 7 kernel=3 padding=1 groups=7", A, 17),
        case("conv2d 14 kernel=3 stride=2 groups=7", A, 5),
        case("conv2d 37 kernel=1", A, 3),
        case("conv2d 5 kernel=1 stride=2", A, 17),
        case("conv2d 2 kernel=1 padding=1", C, 17),
        case("conv2d 3 kernel=7 stride=2 padding=3", (3, 13, 11), 17),
        case("conv2d 4 kernel=7", A, 3),
        case("conv2d 3 kernel=5x3 stride=1x2 padding=2x1", A, 17),
        case("conv2d 3 kernel=3x5 stride=3x1 padding=0x2", A, 3),
        case("conv2d 2 kernel=11 padding=3", (2, 13, 11), 17),
        case("conv2d 3 kernel=11 stride=3 padding=2", (1, 17, 19), 3),
        case("conv2d 5 kernel=13x11", (3, 13, 11), 17),
        case("conv2d 4 kernel=3 stride=3 padding=2 bias=false", A, 17),
        case("conv2d 3 kernel=2 stride=3", A, 17),
        case("conv2d 9 kernel=4 padding=1", (5, 9, 6), 17),
        case("conv2d 5 kernel=3 padding=1", (3, 1, 1), 17),
        case("conv2d 5 kernel=3 padding=1", (2, 3, 70), 3),
        case("conv2d 1 kernel=3", (1, 13, 11), 17),
        case("conv2d 33 kernel=5 padding=2 bias=false", (17, 7, 7), 2),
        case("conv2d 3 kernel=3 padding=1", C, 250),
    ],
    "maxpool2d": [
        case("maxpool2d 2", (6, 28, 28), 2),
        case("maxpool2d 2", A, 17),
        case("maxpool2d 2", A, 17, coarse=True),
        case("maxpool2d 3 stride=2 padding=1", B, 17, coarse=True),
        case("maxpool2d 3 stride=2 padding=1", A, 1),
        case("maxpool2d 2x3 stride=3x1 padding=1x0", A, 17),
        case("maxpool2d 2 stride=3", A, 5),
        case("maxpool2d 5 stride=1 padding=2", (3, 13, 11), 17, coarse=True),
        case("maxpool2d 3x2 stride=2x2 padding=1x1", (5, 9, 8), 17),
        case("maxpool2d 1", C, 3),
        case("maxpool2d 13x11", (3, 13, 11), 17),
        case("maxpool2d 2", C, 250),
    ],
    "avgpool2d": [
        case("avgpool2d 2", (6, 28, 28), 2),
        case("avgpool2d 2", A, 17),
        case("avgpool2d 3 stride=2 padding=1", B, 17),
        case("avgpool2d 3 stride=2 padding=1", A, 1),
        case("avgpool2d 2x3 stride=3x1 padding=1x0", A, 17),
        case("avgpool2d 2 stride=3", A, 5),
        case("avgpool2d 5 stride=1 padding=2", (3, 13, 11), 17),
        case("avgpool2d 3x2 stride=2x2 padding=1x1", (5, 9, 8), 17),
        case("avgpool2d 13x11", (3, 13, 11), 17),
        case("avgpool2d 2", C, 250),
    ],
    "linear": [
        case("linear 1", (1, 1, 1), 1),
        case("linear 37", (7, 1, 1), 17),
        case("linear 7", (37, 1, 1), 17),
        case("linear 37", (1, 1, 1), 250),
        case("linear 1", (37, 1, 1), 17),
        case("linear 120", (400, 1, 1), 17),
        case("linear 84", (120, 1, 1), 17),
        case("linear 10", (84, 1, 1), 250),
        case("linear 400", (7, 1, 1), 3),
        case("linear 37", (120, 1, 1), 1),
        case("linear 33", (65, 1, 1), 33),
    ],
    "relu": [
        case("relu", D, 17), case("relu", B, 1), case("relu", C, 250), case("relu", D, 5, coarse=True),
    ],
    "sigmoid": [
        case("sigmoid", D, 17), case("sigmoid", D, 5, scale=16.0), case("sigmoid", C, 250, scale=4.0),
        case("sigmoid", (7, 1, 1), 17, scale=128.0), case("sigmoid", (37, 1, 1), 1),
    ],
    "tanh": [
        case("tanh", D, 17), case("tanh", D, 5, scale=16.0), case("tanh", C, 250, scale=4.0),
        case("tanh", (7, 1, 1), 17, scale=128.0), case("tanh", (37, 1, 1), 1, scale=0.0078125),
    ],
    "flatten": [case("flatten", (7, 5, 3), 17), case("flatten", (37, 1, 1), 1)],
    "add": [case("add a", D, 17), case("add a", (37, 3, 1), 1), case("add a", C, 250)],
    "cross_entropy": [
        case(f"cross_entropy{reduction}", (classes, 1, 1), n, coarse, scale)
        for reduction in ("", " reduction=sum")
        for classes, n, coarse, scale in ((10, 1, False, 1.0), (10, 17, False, 8.0), (7, 250, False, 4.0),
                                          (37, 64, False, 64.0), (2, 17, True, 1.0), (2, 3, False, 1.0),
                                          (10, 250, True, 4.0))
    ],
}


def gradients_of(line, x, parameters, dout, label):
    """name -> tensor: the output and every gradient, in the type of x."""
    op, positional, keyed = parse(line)
    leaves = [t.clone().requires_grad_() for t in x]
    weights = [(name, t.clone().requires_grad_()) for name, t in parameters]
    tensors = {}
    if label is None:
        out = CALLS[op][1](leaves, [t for _, t in weights], *positional, **keyed)
        out.backward(dout.to(out.dtype).reshape(out.shape))
    else:
        logits = leaves[0].flatten(1)
        out = F.cross_entropy(logits, label, reduction="none")
        F.cross_entropy(logits, label, **keyed).backward()
        first = logits.detach().numpy().argmax(1)  # of equals, the first
        tensors["hit"] = (torch.tensor(first) == label).to(out.dtype)
    tensors["out"] = out
    tensors |= {f"din{i}": t.grad for i, t in enumerate(leaves)}
    return tensors | {name: t.grad for name, t in weights}


def pack_case(seed, line, shape, n, coarse, scale):
    op, positional, keyed = parse(line)
    n_inputs = 2 if op == "add" else 1
    x = [values(seed, X + i, (n, *shape), coarse) * scale for i in range(n_inputs)]
    parameters = [(name, values(seed, PARAM + i, size))
                  for i, (name, size) in enumerate(CALLS[op][0](shape, *positional, **keyed))]
    label = labels(seed, n, shape[0]) if CALLS[op][1] is None else None
    dout = None
    if label is None:
        with torch.no_grad():
            out = CALLS[op][1](x, [t for _, t in parameters], *positional, **keyed)
        dout = values(seed, DOUT, tuple(out.shape))
    exact = gradients_of(line, [t.double() for t in x], [(k, t.double()) for k, t in parameters], dout, label)
    float32 = gradients_of(line, x, parameters, dout, label)
    shapes = [*shape, *shape] if n_inputs == 2 else [*shape, 0, 0, 0]
    data = [struct.pack("<96sII6IIIfI", line.encode(), n, n_inputs, *shapes, seed, coarse, scale, len(exact))]
    for name, tensor in exact.items():
        far = (float32[name].double() - tensor).abs().max().item()
        data.append(struct.pack("<16sId", name.encode(), tensor.numel(), far))
        data.append(tensor.detach().numpy().astype("<f4").tobytes())
        limit = 1e-5 * tensor.abs().max().item()
        if far > limit:
            print(f"{line}: PyTorch's own float32 {name} is {far:.2e} away, more than {limit:.2e}")
    return b"".join(data)


def write_op(op):
    cases = CASES[op]
    with open(os.path.join(HERE, f"{op}.bin"), "wb") as file:
        file.write(b"LNGOLD1\0" + struct.pack("<I", len(cases)))
        for seed, arguments in enumerate(cases):
            file.write(pack_case(seed + 1, *arguments))


# ---------------------------------------------------------------------------------------------------- steps

def mnist(name, offset):
    with gzip.open(os.path.join(MNIST, name)) as file:
        return np.frombuffer(file.read(), np.uint8, offset=offset)


def lenet5(activation, pooling):
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), activation(), pooling(2), nn.Conv2d(6, 16, 5), activation(),
                         pooling(2), nn.Flatten(), nn.Linear(400, 120), activation(), nn.Linear(120, 84),
                         activation(), nn.Linear(84, 10))


def run_steps(model, pixels, label, normalise, reduction, n_steps, **sgd):
    """Mean losses, and the weights after the steps, in the model's type."""
    optimizer = torch.optim.SGD(model.parameters(), **sgd)
    dtype = next(model.parameters()).dtype
    losses = []
    for i in range(n_steps):
        at = slice(64 * i, 64 * (i + 1))
        loss = F.cross_entropy(model(normalise(pixels[at].to(dtype))), label[at], reduction=reduction)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item() / (64 if reduction == "sum" else 1))
    return np.array(losses), [p.detach().double().numpy() for p in model.parameters()]


def write_steps(name, make, init, normalise, reduction, **sgd):
    n_steps = 10
    torch.manual_seed(1)
    model = make()
    init(model)
    before = {k: p.detach().clone() for k, p in model.named_parameters()}
    pixels = torch.tensor(mnist("train-images-idx3-ubyte.gz", 16)[:640 * 784].reshape(640, 1, 28, 28).copy())
    label = torch.tensor(mnist("train-labels-idx1-ubyte.gz", 8)[:640].astype(np.int64))
    double = make().double()
    double.load_state_dict({k: p.double() for k, p in before.items()})
    losses, after = run_steps(double, pixels, label, normalise, reduction, n_steps, **sgd)
    losses32, after32 = run_steps(model, pixels, label, normalise, reduction, n_steps, **sgd)
    with open(os.path.join(HERE, f"steps_{name}.bin"), "wb") as file:
        file.write(b"LNSTEP1\0" + struct.pack("<II", len(before), n_steps) + losses.astype("<f8").tobytes())
        file.write(struct.pack("<d", np.linalg.norm(losses32 - losses)))
        for (key, p), exact, far in zip(before.items(), after, after32):
            file.write(struct.pack("<16sId", key.encode(), p.numel(), np.linalg.norm(far - exact)))
            file.write(p.numpy().astype("<f4").tobytes() + exact.astype("<f8").tobytes())
    print(name, "losses", " ".join(f"{x:.4f}" for x in losses))


def normal_weights(model):
    for p in model.parameters():
        torch.nn.init.normal_(p)


def main():
    torch.set_num_threads(1)
    wanted = sys.argv[1:] or [*CASES, "steps"]
    for op in wanted:
        if op != "steps":
            write_op(op)
    if "steps" in wanted:
        nn = torch.nn
        write_steps("lenet5", lambda: lenet5(nn.ReLU, nn.MaxPool2d), lambda model: None,
                    lambda x: (x / 255 - 0.1307) / 0.3081, "mean", lr=0.05, momentum=0.9)
        write_steps("lenet5_1998", lambda: lenet5(nn.Sigmoid, nn.AvgPool2d), normal_weights,
                    lambda x: x / 256, "sum", lr=0.0015)


main()
