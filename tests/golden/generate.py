"""Makes the golden files beside it with PyTorch's values: python3 generate.py [OP ...] (no argument: all, and steps).

Needs PyTorch and NumPy; the tests need neither. Add an op: its cases to CASES, its call to CALLS, and run this.

OP.bin        little-endian: "LNGOLD1\\0", u32 cases, and for each
                char line[96], u32 images, u32 inputs, u32 shape[2][3], u32 seed, u32 coarse, f32 scale, u32 tensors,
                and for each tensor char name[16], u32 count, f64 torch32, f32 values[count].
              Values are PyTorch's in float64, rounded once; torch32 is the largest distance of PyTorch's own float32
              result from them. Names: out, din0, din1, a parameter's name, hit (losses: 1 where the answer is right);
              of ops with buffers eval, the output of prediction before the step, and a buffer's name, after it.
              Inputs are not stored: values() below and tests/test_golden.c make the same ones. Gradients are those of
              sum(out * dout); of the loss itself for losses.
steps_NET.bin "LNSTEP1\\0", u32 tensors, u32 steps, f64 loss[steps], f64 torch32 of the losses, and for each parameter
                and buffer char name[16], u32 count, f64 torch32, f32 before[count], f64 after[count].
              Training steps of images in file order; after and loss are the float64 run's, from the float32 weights
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
X, PARAM, DOUT, LABEL, BUFFER = 0, 2, 4, 5, 6  # slots of values(); an op has up to two inputs and two parameters


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
    """'op 7 kernel=5x3 slope=0.1 bias=false w=1,2' -> ('op', [7], {'kernel': (5, 3), 'slope': 0.1, 'bias': False,
    'w': [1, 2]})."""
    def value(text):
        if "," in text:
            return [value(part) for part in text.split(",")]
        if text in ("true", "false"):
            return text == "true"
        if "x" in text and text.replace("x", "").isdigit():
            return tuple(int(part) for part in text.split("x"))
        for number in (int, float):
            try:
                return number(text)
            except ValueError:
                pass
        return text
    words = line.split()
    keyed = dict(word.split("=") for word in words[1:] if "=" in word)
    return words[0], [value(w) for w in words[1:] if "=" not in w], {k: value(v) for k, v in keyed.items()}


def pair(x):
    return x if isinstance(x, tuple) else (x, x)


def conv2d_parameters(shape, out, kernel, groups=1, bias=True, **_):
    weight = ("weight", (out, shape[0] // groups, *pair(kernel)))
    return [weight, ("bias", (out,))] if bias else [weight]


def conv2d(x, p, out, kernel, stride=1, padding=0, dilation=1, groups=1, bias=True):
    return F.conv2d(x[0], p[0], p[1] if bias else None, stride, padding, dilation, groups)


def pool(function):
    return lambda x, p, kernel, stride=None, padding=0, **keyed: function(x[0], kernel, stride, padding, **keyed)


def linear_parameters(shape, out, bias=True):
    weight = ("weight", (out, int(np.prod(shape))))
    return [weight, ("bias", (out,))] if bias else [weight]


def linear(x, p, out, bias=True):
    return F.linear(x[0].flatten(1), p[0], p[1] if bias else None)


def batchnorm_parameters(shape, affine=True, **_):
    return [("weight", shape[:1]), ("bias", shape[:1])] if affine else []


def batchnorm(x, p, eps=1e-5, momentum=0.1, affine=True, buffers=(None, None), training=True):
    return F.batch_norm(x[0], *buffers, *(p or (None, None)), training, momentum, eps)


def layernorm_parameters(shape, elementwise_affine=True, bias=True, **_):
    size = shape if shape[1] * shape[2] > 1 else shape[:1]
    return ([("weight", size)] + [("bias", size)] * bias) * elementwise_affine


def layernorm(x, p, eps=1e-5, **_):
    shape = x[0].shape[1:]
    return F.layer_norm(x[0], shape, *(t.reshape(shape) for t in p), eps=eps)


BUFFERS = {  # op: (name, first value, size) of what training brings up to date and prediction goes by, from the shape
    op: lambda shape: [("running_mean", 0, shape[:1]), ("running_var", 1, shape[:1])]
    for op in ("batchnorm1d", "batchnorm2d")
}


def no_parameters(shape, *_, **__):
    return []


CALLS = {  # op: (parameter shapes of an input shape and arguments, output of inputs, parameters and arguments)
    "conv2d": (conv2d_parameters, conv2d),
    "maxpool2d": (no_parameters, pool(F.max_pool2d)),
    "avgpool2d": (no_parameters, pool(F.avg_pool2d)),
    "adaptive_avgpool2d": (no_parameters, lambda x, p, output: F.adaptive_avg_pool2d(x[0], output)),
    "upsample": (no_parameters, lambda x, p, scale=2: F.interpolate(x[0], scale_factor=scale)),
    "linear": (linear_parameters, linear),
    "relu": (no_parameters, lambda x, p: F.relu(x[0])),
    "sigmoid": (no_parameters, lambda x, p: torch.sigmoid(x[0])),
    "tanh": (no_parameters, lambda x, p: torch.tanh(x[0])),
    "leaky_relu": (no_parameters, lambda x, p, negative_slope=0.01: F.leaky_relu(x[0], float(negative_slope))),
    "elu": (no_parameters, lambda x, p, alpha=1: F.elu(x[0], float(alpha))),
    "gelu": (no_parameters, lambda x, p, approximate="none": F.gelu(x[0], approximate=approximate)),
    "silu": (no_parameters, lambda x, p: F.silu(x[0])),
    "softplus": (no_parameters, lambda x, p, beta=1, threshold=20: F.softplus(x[0], float(beta), float(threshold))),
    "hardtanh": (no_parameters, lambda x, p, min_val=-1, max_val=1: F.hardtanh(x[0], float(min_val), float(max_val))),
    "softmax": (no_parameters, lambda x, p: F.softmax(x[0], 1)),
    "log_softmax": (no_parameters, lambda x, p: F.log_softmax(x[0], 1)),
    "dropout": (no_parameters, lambda x, p, share: F.dropout(x[0], share)),
    "dropout2d": (no_parameters, lambda x, p, share: F.dropout2d(x[0], share)),
    "batchnorm1d": (batchnorm_parameters, batchnorm),
    "batchnorm2d": (batchnorm_parameters, batchnorm),
    "layernorm": (layernorm_parameters, layernorm),
    "flatten": (no_parameters, lambda x, p: x[0].flatten(1)),
    "add": (no_parameters, lambda x, p, other: x[0] + x[1]),
    "concat": (no_parameters, lambda x, p, other: torch.cat(x, 1)),
    **{loss: (no_parameters, None) for loss in ("cross_entropy", "mse", "half_squared", "bce", "bce_with_logits",
                                                "nll", "multi_margin")},
}


def numbers(x, weight):
    return None if weight is None else torch.tensor(np.atleast_1d(weight), dtype=x.dtype)


def by_class(function):
    """A loss of outputs and labels; reduction="none" gives each image's own."""
    return lambda x, label, reduction, whole, weight=None, **keyed: \
        function(x, label, reduction=reduction, weight=numbers(x, weight), **keyed)


def by_value(function):
    """A loss of outputs and what is wanted of them: a single one wants the label, several 1 at the label."""
    def loss(x, label, reduction, whole, **keyed):
        keyed = {name: numbers(x, value) for name, value in keyed.items()}
        wanted = (label[:, None] if x.shape[1] == 1 else F.one_hot(label, x.shape[1])).to(x.dtype)
        values = function(x, wanted, reduction=reduction, **keyed)
        if reduction != "none":
            return values
        return values.mean(1) if whole == "mean" else values.sum(1)
    return loss


def half_squared(x, label, reduction, whole):
    own = by_value(F.mse_loss)(x, label, "none", "sum") / 2
    return {"none": own, "mean": own.mean(), "sum": own.sum()}[reduction]


LOSSES = {  # loss: of outputs n x k, labels, reduction (none: each image's), the whole batch's reduction, and arguments
    "cross_entropy": by_class(F.cross_entropy),
    "nll": by_class(F.nll_loss),
    "multi_margin": by_class(F.multi_margin_loss),
    "mse": by_value(F.mse_loss),
    "bce": by_value(F.binary_cross_entropy),
    "bce_with_logits": by_value(F.binary_cross_entropy_with_logits),
    "half_squared": half_squared,
}

A, B, C = (7, 13, 11), (37, 5, 6), (2, 4, 5)  # odd sizes, many channels, small
D = (7, 5, 11)  # for what goes value by value
SEVEN = "0.5,1,2.25,0,3,0.125,1"  # of seven classes


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
        case("conv2d 4 kernel=4x3 stride=2x1 padding=1x2", (5, 12, 7), 17),
        case("conv2d 3 kernel=5x3 stride=2x1 padding=2x1 groups=3", (3, 10, 6), 17),
        case("conv2d 8 kernel=3 padding=2 dilation=2", A, 17),
        case("conv2d 19 kernel=3 padding=2 dilation=2", B, 1),
        case("conv2d 3 kernel=3x2 dilation=2x3 stride=2x1 padding=1x2", A, 17),
        case("conv2d 4 kernel=2x4 dilation=4x2 stride=3x2 padding=3x1 bias=false", A, 3),
        case("conv2d 6 kernel=3 dilation=3x1 stride=2x3 padding=3x1 groups=2", (4, 13, 11), 17),
        case("conv2d 10 kernel=3 padding=1", (9, 3, 3), 33),
        case("conv2d 7 kernel=3 dilation=2 padding=2 groups=7", A, 17),
        case("conv2d 14 kernel=2x3 dilation=3x2 stride=1x2 groups=7", A, 5),
        case("conv2d 3 kernel=3x2 dilation=4x6 stride=6x4 padding=4x3", (3, 13, 11), 17),
        case("conv2d 2 kernel=3x1 dilation=6x9", (3, 13, 11), 17),
        case("conv2d 5 kernel=2 dilation=2", C, 250),
        case("conv2d 5 kernel=5x1 padding=2x0", (16, 9, 7), 17),
        case("conv2d 12 kernel=1x7 stride=2x1 padding=0x3 groups=4", (8, 9, 11), 17),
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
        case("maxpool2d 2 ceil_mode=true", A, 17, coarse=True),
        case("maxpool2d 3 stride=2 ceil_mode=true", C, 250),
        case("maxpool2d 3x2 stride=2x3 padding=1x1 ceil_mode=true", (5, 8, 9), 17, coarse=True),
        case("maxpool2d 2 stride=3 padding=1 ceil_mode=true", (3, 7, 8), 5),
        case("maxpool2d 3 dilation=2", A, 17),
        case("maxpool2d 3x2 dilation=2x3 stride=1 padding=1", A, 17, coarse=True),
        case("maxpool2d 2 dilation=3 stride=2x5 padding=1 ceil_mode=true", A, 3),
        case("maxpool2d 17 stride=1 padding=8", (2, 13, 11), 1),
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
        case("avgpool2d 2 ceil_mode=true", A, 17),
        case("avgpool2d 3 stride=2 ceil_mode=true", C, 250),
        case("avgpool2d 3x2 stride=2x3 padding=1x1 ceil_mode=true", (5, 8, 9), 17),
        case("avgpool2d 2 stride=3 padding=1 ceil_mode=true", (3, 7, 8), 5),
        case("avgpool2d 3 stride=2 padding=1 count_include_pad=false", A, 17),
        case("avgpool2d 3x4 stride=2x3 padding=1x2 ceil_mode=true count_include_pad=false", (5, 8, 9), 1),
    ],
    "adaptive_avgpool2d": [
        case("adaptive_avgpool2d 1", A, 17), case("adaptive_avgpool2d 1", B, 1),
        case("adaptive_avgpool2d 5x4", A, 17), case("adaptive_avgpool2d 7", (3, 13, 14), 5),
        case("adaptive_avgpool2d 6x3", (5, 12, 9), 17), case("adaptive_avgpool2d output=3x9", C, 250),
        case("adaptive_avgpool2d 13x11", (2, 13, 11), 3),
    ],
    "upsample": [
        case("upsample", A, 17), case("upsample 3", B, 1), case("upsample scale=1x3", C, 250),
        case("upsample 4x1", (3, 5, 2), 5), case("upsample 1", C, 3),
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
        case("linear 37 bias=false", (65, 1, 1), 17),
        case("linear 7 bias=false", (120, 1, 1), 1),
        case("linear 1 bias=false", (37, 1, 1), 33),
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
    "leaky_relu": [
        case("leaky_relu", D, 17), case("leaky_relu 0.25", B, 1), case("leaky_relu negative_slope=1", C, 250),
        case("leaky_relu -0.5", D, 5, coarse=True), case("leaky_relu 0", D, 5, coarse=True),
    ],
    "elu": [
        case("elu", D, 17, scale=4.0), case("elu 0.25", B, 1), case("elu alpha=2", C, 250, scale=16.0),
        case("elu", D, 5, coarse=True), case("elu 0", D, 5, coarse=True), case("elu", (7, 1, 1), 17, scale=128.0),
    ],
    "gelu": [
        case(f"gelu{way}", shape, n, coarse, scale)
        for way in ("", " approximate=tanh")
        for shape, n, coarse, scale in ((D, 17, False, 4.0), (B, 1, False, 1.0), (C, 250, False, 8.0),
                                        (D, 5, True, 4.0), ((7, 1, 1), 17, False, 32.0))
    ],
    "silu": [
        case("silu", D, 17, scale=4.0), case("silu", B, 1), case("silu", C, 250, scale=16.0),
        case("silu", D, 5, coarse=True), case("silu", (7, 1, 1), 17, scale=128.0),
    ],
    "softplus": [
        case("softplus", D, 17, scale=4.0), case("softplus 2", B, 1), case("softplus", C, 250, scale=32.0),
        case("softplus beta=4 threshold=2", D, 5, coarse=True), case("softplus 0.5 1", D, 17),
        case("softplus", (7, 1, 1), 17, scale=128.0),
    ],
    "hardtanh": [
        case("hardtanh", D, 17, scale=2.0), case("hardtanh 0 6", B, 1, scale=8.0),
        case("hardtanh min_val=-0.5 max_val=0.25", C, 250), case("hardtanh -0.5 0.5", D, 5, coarse=True),
    ],
    "softmax": [
        case("softmax", (10, 1, 1), 17, scale=8.0), case("softmax", A, 17), case("softmax", B, 1, scale=32.0),
        case("softmax", C, 250, coarse=True), case("softmax", (2, 3, 2), 3),
    ],
    "log_softmax": [
        case("log_softmax", (10, 1, 1), 17, scale=8.0), case("log_softmax", A, 17),
        case("log_softmax", B, 1, scale=32.0), case("log_softmax", C, 250, coarse=True),
        case("log_softmax", (2, 3, 2), 3),
    ],
    "dropout": [case("dropout 0", D, 17), case("dropout 0", (37, 1, 1), 1), case("dropout 0", C, 250)],
    "dropout2d": [case("dropout2d 0", D, 17), case("dropout2d 0", (37, 1, 1), 1), case("dropout2d 0", C, 250)],
    "batchnorm1d": [
        case("batchnorm1d", (37, 1, 1), 17), case("batchnorm1d momentum=0.9", (5, 1, 1), 250, scale=4.0),
        case("batchnorm1d eps=0.001 affine=false", (16, 1, 1), 33), case("batchnorm1d momentum=1", (7, 1, 1), 16),
        case("batchnorm1d momentum=0", (33, 1, 1), 3, coarse=True), case("batchnorm1d", (3, 1, 1), 2, scale=0.00390625),
    ],
    "batchnorm2d": [
        case("batchnorm2d", A, 17), case("batchnorm2d", B, 1), case("batchnorm2d affine=false", C, 250),
        case("batchnorm2d momentum=0.3 eps=0.01", D, 16, scale=0.0625), case("batchnorm2d", D, 5, coarse=True),
        case("batchnorm2d", (1, 1, 2), 1, scale=0.00390625),
        case("batchnorm2d affine=false", (17, 6, 3), 33, scale=64.0),
        case("batchnorm2d", (5, 1, 1), 17), case("batchnorm2d momentum=1", (3, 9, 4), 40),
    ],
    "layernorm": [
        case("layernorm", A, 17), case("layernorm", B, 1), case("layernorm", C, 250),
        case("layernorm bias=false", D, 16, scale=0.0625),
        case("layernorm elementwise_affine=false", D, 5, coarse=True),
        case("layernorm", (37, 1, 1), 17), case("layernorm eps=0.01 bias=false", (1, 4, 7), 33, scale=4.0),
        case("layernorm elementwise_affine=false", (120, 1, 1), 3), case("layernorm", (2, 1, 1), 17, scale=0.0078125),
    ],
    "flatten": [case("flatten", (7, 5, 3), 17), case("flatten", (37, 1, 1), 1)],
    "add": [case("add a", D, 17), case("add a", (37, 3, 1), 1), case("add a", C, 250)],
    "concat": [case("concat a", D, 17), case("concat a", (37, 3, 1), 1), case("concat a", C, 250),
               case("concat a", (5, 1, 1), 17)],
    "cross_entropy": [
        case(f"cross_entropy{reduction}", (classes, 1, 1), n, coarse, scale)
        for reduction in ("", " reduction=sum")
        for classes, n, coarse, scale in ((10, 1, False, 1.0), (10, 17, False, 8.0), (7, 250, False, 4.0),
                                          (37, 64, False, 64.0), (2, 17, True, 1.0), (2, 3, False, 1.0),
                                          (10, 250, True, 4.0))
    ] + [
        case(f"cross_entropy {arguments}{reduction}", (7, 1, 1), n, coarse, scale)
        for reduction in ("", " reduction=sum")
        for arguments, n, coarse, scale in (
            ("label_smoothing=0.1", 17, False, 4.0), ("label_smoothing=1", 3, False, 1.0),
            (f"weight={SEVEN}", 17, False, 8.0), (f"weight={SEVEN}", 1, False, 1.0),
            (f"label_smoothing=0.3 weight={SEVEN}", 250, False, 2.0),
            (f"label_smoothing=0.3 weight={SEVEN}", 33, True, 4.0))
    ],
    "mse": [
        case(f"mse{reduction}", (k, 1, 1), n, coarse, scale)
        for reduction in ("", " reduction=sum")
        for k, n, coarse, scale in ((10, 17, False, 1.0), (37, 64, False, 4.0), (7, 250, True, 1.0),
                                    (1, 33, False, 2.0), (1, 17, True, 1.0), (2, 1, False, 1.0))
    ],
    "half_squared": [
        case(f"half_squared{reduction}", (k, 1, 1), n, coarse, scale)
        for reduction in ("", " reduction=sum")
        for k, n, coarse, scale in ((10, 17, False, 1.0), (37, 64, False, 4.0), (7, 250, True, 1.0),
                                    (1, 33, False, 2.0), (1, 17, True, 1.0), (2, 1, False, 1.0))
    ],
    "bce": [  # of the inputs' absolute values; coarse: 0 and 1, whose losses and slopes have a limit
        case(f"bce{reduction}", (k, 1, 1), n, coarse, 1.0)
        for reduction in ("", " reduction=sum")
        for k, n, coarse in ((10, 17, False), (37, 64, False), (7, 250, True), (1, 33, False), (1, 17, True),
                             (2, 1, False))
    ],
    "bce_with_logits": [
        case(f"bce_with_logits{arguments}{reduction}", (k, 1, 1), n, coarse, scale)
        for reduction in ("", " reduction=sum")
        for arguments, k, n, coarse, scale in (
            ("", 10, 17, False, 4.0), ("", 37, 64, False, 64.0), ("", 1, 33, False, 8.0), ("", 1, 17, True, 1.0),
            ("", 2, 1, False, 1.0), (" pos_weight=3", 1, 17, False, 2.0), (" pos_weight=0.5", 5, 17, False, 2.0),
            (f" pos_weight={SEVEN}", 7, 250, False, 4.0))
    ],
    "nll": [
        case(f"nll{arguments}{reduction}", (k, 1, 1), n, coarse, scale)
        for reduction in ("", " reduction=sum")
        for arguments, k, n, coarse, scale in (
            ("", 10, 17, False, 4.0), ("", 37, 64, False, 1.0), ("", 2, 1, False, 1.0), ("", 7, 250, True, 1.0),
            (f" weight={SEVEN}", 7, 33, False, 2.0))
    ],
    "multi_margin": [
        case(f"multi_margin{arguments}{reduction}", (k, 1, 1), n, coarse, scale)
        for reduction in ("", " reduction=sum")
        for arguments, k, n, coarse, scale in (
            ("", 10, 17, False, 1.0), ("", 37, 64, False, 4.0), ("", 2, 1, False, 1.0), (" p=2", 10, 17, False, 2.0),
            (" p=2", 7, 33, True, 1.0), (" margin=0.25", 7, 250, True, 1.0), (" p=2 margin=2.5", 2, 17, False, 1.0),
            (f" p=2 weight={SEVEN} margin=0.5", 7, 250, False, 1.0), (f" weight={SEVEN}", 7, 17, False, 1.0))
    ],
}


def buffers_of(line, x, parameters, buffers):
    """name -> tensor: the output of prediction, and the buffers after a step."""
    op, positional, keyed = parse(line)
    after = [t.clone() for _, t in buffers]
    with torch.no_grad():
        out = CALLS[op][1](x, [t for _, t in parameters], *positional, buffers=after, training=False, **keyed)
        CALLS[op][1](x, [t for _, t in parameters], *positional, buffers=after, **keyed)
    return {"eval": out} | {name: t for (name, _), t in zip(buffers, after)}


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
        outputs = leaves[0].flatten(1)
        whole = keyed.pop("reduction", "mean")
        out = LOSSES[op](outputs, label, "none", whole, **keyed)
        LOSSES[op](outputs, label, whole, whole, **keyed).backward()
        first = outputs.detach().numpy().argmax(1)  # of equals, the first
        if outputs.shape[1] == 1:
            first = (outputs.detach().numpy()[:, 0] > (0 if op == "bce_with_logits" else 0.5)).astype(np.int64)
        tensors["hit"] = (torch.tensor(first) == label).to(out.dtype)
    tensors["out"] = out
    tensors |= {f"din{i}": t.grad for i, t in enumerate(leaves)}
    return tensors | {name: t.grad for name, t in weights}


def pack_case(seed, line, shape, n, coarse, scale):
    op, positional, keyed = parse(line)
    inputs = {"add": [shape, shape], "concat": [shape, (shape[0] + 2, *shape[1:])]}.get(op, [shape])
    x = [values(seed, X + i, (n, *size), coarse) * scale for i, size in enumerate(inputs)]
    parameters = [(name, values(seed, PARAM + i, size))
                  for i, (name, size) in enumerate(CALLS[op][0](shape, *positional, **keyed))]
    label = labels(seed, n, max(2, shape[0])) if CALLS[op][1] is None else None
    if op == "bce":
        x = [t.abs() for t in x]
    dout = None
    if label is None:
        with torch.no_grad():
            out = CALLS[op][1](x, [t for _, t in parameters], *positional, **keyed)
        dout = values(seed, DOUT, tuple(out.shape))
    exact = gradients_of(line, [t.double() for t in x], [(k, t.double()) for k, t in parameters], dout, label)
    float32 = gradients_of(line, x, parameters, dout, label)
    if op in BUFFERS:
        buffers = [(name, first + values(seed, BUFFER + i, size) / 2)
                   for i, (name, first, size) in enumerate(BUFFERS[op](shape))]
        float32 |= buffers_of(line, x, parameters, buffers)
        exact |= buffers_of(line, [t.double() for t in x], *([(k, t.double()) for k, t in some]
                                                             for some in (parameters, buffers)))
    shapes = [*inputs[0], *(inputs[1] if len(inputs) == 2 else (0, 0, 0))]
    data = [struct.pack("<96sII6IIIfI", line.encode(), n, len(inputs), *shapes, seed, coarse, scale, len(exact))]
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


class Residual(torch.nn.ModuleDict):
    """Two residual blocks, the second with a strided 1x1 convolution beside it. Named as in tests/test_steps.c."""

    def __init__(self):
        nn = torch.nn
        super().__init__({
            "0": nn.Conv2d(1, 8, 5, stride=4, padding=2, bias=False), "1": nn.BatchNorm2d(8),
            "3": nn.Conv2d(8, 8, 3, padding=1, bias=False), "4": nn.BatchNorm2d(8),
            "6": nn.Conv2d(8, 8, 3, padding=1, bias=False), "7": nn.BatchNorm2d(8),
            "10": nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), "11": nn.BatchNorm2d(16),
            "13": nn.Conv2d(16, 16, 3, padding=1, bias=False), "z": nn.BatchNorm2d(16),
            "15": nn.Conv2d(8, 16, 1, stride=2, bias=False), "16": nn.BatchNorm2d(16),
            "22": nn.Linear(16, 10)})
        self.nearest = float("inf")  # that a ReLU's input has been to 0

    def relu(self, x):
        self.nearest = min(self.nearest, x.detach().abs().min().item())
        return F.relu(x)

    def forward(self, x):
        x = self.relu(self["1"](self["0"](x)))
        y = self.relu(self["4"](self["3"](x)))
        y = self.relu(self["7"](self["6"](y)) + x)
        z = self.relu(self["11"](self["10"](y)))
        z = self["z"](self["13"](z))
        x = self.relu(self["16"](self["15"](y)) + z)
        return self["22"](x.mean((2, 3)))


def state(model):
    """Parameters and buffers by name; BatchNorm's count of batches is nothing that Linnet has."""
    return {k: t for k, t in model.state_dict().items() if not k.endswith("num_batches_tracked")}


def run_steps(model, pixels, label, normalise, reduction, n_steps, batch, **sgd):
    """Mean losses, and parameters and buffers after the steps, in the model's type."""
    optimizer = torch.optim.SGD(model.parameters(), **sgd)
    dtype = next(model.parameters()).dtype
    losses = []
    for i in range(n_steps):
        at = slice(batch * i, batch * (i + 1))
        loss = F.cross_entropy(model(normalise(pixels[at].to(dtype))), label[at], reduction=reduction)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item() / (batch if reduction == "sum" else 1))
    return np.array(losses), [t.double().numpy() for t in state(model).values()]


def write_steps(name, make, init, normalise, reduction, batch=64, **sgd):
    """From the first seed with which no ReLU that the network watches comes so near to 0 that float32 may take the
    other side: a side once taken wrongly is no rounding, and grows from step to step."""
    n_steps = 10
    n = n_steps * batch
    pixels = torch.tensor(mnist("train-images-idx3-ubyte.gz", 16)[:n * 784].reshape(n, 1, 28, 28).copy())
    label = torch.tensor(mnist("train-labels-idx1-ubyte.gz", 8)[:n].astype(np.int64))
    for seed in range(1, 1000):
        torch.manual_seed(seed)
        model = make()
        init(model)
        before = {k: t.clone() for k, t in state(model).items()}
        double = make().double()
        double.load_state_dict(model.state_dict())
        losses, after = run_steps(double, pixels, label, normalise, reduction, n_steps, batch, **sgd)
        if getattr(double, "nearest", 1) >= 3e-6:
            break
    losses32, after32 = run_steps(model, pixels, label, normalise, reduction, n_steps, batch, **sgd)
    with open(os.path.join(HERE, f"steps_{name}.bin"), "wb") as file:
        file.write(b"LNSTEP1\0" + struct.pack("<II", len(before), n_steps) + losses.astype("<f8").tobytes())
        file.write(struct.pack("<d", np.linalg.norm(losses32 - losses)))
        for (key, t), exact, far in zip(before.items(), after, after32):
            file.write(struct.pack("<16sId", key.encode(), t.numel(), np.linalg.norm(far - exact)))
            file.write(t.numpy().astype("<f4").tobytes() + exact.astype("<f8").tobytes())
    print(name, "seed", seed, "losses", " ".join(f"{x:.4f}" for x in losses))


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
        for name, batch, decay in (("residual", 64, 0), ("residual_50", 50, 5e-4)):
            write_steps(name, Residual, lambda model: None, lambda x: (x / 255 - 0.1307) / 0.3081, "mean", batch,
                        lr=0.05, momentum=0.9, weight_decay=decay)


main()
