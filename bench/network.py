"""A recipe's network in PyTorch: from the lines that bench/side.c tells, with the same names of arguments."""
import math
import re

import torch
from torch import nn
from torch.nn import functional as F


class Unknown(Exception):
    """What cannot be built; the words say why."""


def value(text):
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch("[0-9]+x[0-9]+", text):
        return tuple(int(part) for part in text.split("x"))
    if "," in text:
        return [float(part) for part in text.split(",")]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            pass
    return text


def parse(line):
    """'conv2d 7 kernel=5x3 from a as b' -> ('conv2d', [7], {'kernel': (5, 3), 'from': 'a', 'as': 'b'})."""
    op, *words = line.split()
    positional, keyed = [], {}
    while words:
        word = words.pop(0)
        if word in ("from", "as"):
            keyed[word] = words.pop(0)
        elif "=" in word:
            key, text = word.split("=")
            keyed[key] = value(text)
        else:
            positional.append(word if op in JOINS else value(word))
    return op, positional, keyed


def conv2d(shape, out_channels, kernel, stride=1, padding=0, dilation=1, groups=1, bias=True):
    return nn.Conv2d(shape[0], out_channels, kernel, stride, padding, dilation, groups, bias)


def linear(shape, out_features, bias=True):
    return nn.Linear(math.prod(shape), out_features, bias)


def maxpool2d(_, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
    return nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil_mode)


def avgpool2d(_, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    return nn.AvgPool2d(kernel, stride, padding, ceil_mode, count_include_pad)


class Layernorm(nn.LayerNorm):
    def __init__(self, shape, **keyed):
        super().__init__(shape if shape[1] * shape[2] > 1 else shape[:1], **keyed)


def plain(module):
    """For layers whose arguments are PyTorch's, in its order, and that no shape changes."""
    return lambda _, *positional, **keyed: module(*positional, **keyed)


LAYERS = {  # of the input's shape (c, h, w) and the line's arguments
    "conv2d": conv2d, "linear": linear, "maxpool2d": maxpool2d, "avgpool2d": avgpool2d,
    "adaptive_avgpool2d": lambda _, output: nn.AdaptiveAvgPool2d(output),
    "upsample": lambda _, scale=2: nn.Upsample(scale_factor=scale),
    "batchnorm1d": lambda shape, **keyed: nn.BatchNorm1d(shape[0], **keyed),
    "batchnorm2d": lambda shape, **keyed: nn.BatchNorm2d(shape[0], **keyed),
    "layernorm": Layernorm,
    "dropout": plain(nn.Dropout), "dropout2d": plain(nn.Dropout2d), "flatten": plain(nn.Flatten),
    "relu": plain(nn.ReLU), "sigmoid": plain(nn.Sigmoid), "tanh": plain(nn.Tanh), "leaky_relu": plain(nn.LeakyReLU),
    "elu": plain(nn.ELU), "gelu": plain(nn.GELU), "silu": plain(nn.SiLU), "softplus": plain(nn.Softplus),
    "hardtanh": plain(nn.Hardtanh), "softmax": plain(lambda: nn.Softmax(1)),
    "log_softmax": plain(lambda: nn.LogSoftmax(1)),
}
JOINS = {"add": torch.add, "concat": lambda a, b: torch.cat((a, b), 1)}
OVERWRITTEN = ("conv2d", "linear", "batchnorm1d", "batchnorm2d", "add")  # not needed to go back: ReLU works in place
INITIAL = ("init", "std", "bias_std", "lr_factor")  # what a step's time does not depend on


class Layer:
    """One line: op, its inputs' places among all layers (-1: the network's input) and shapes, its module, None where it
    joins."""

    def __init__(self, place, description, names, shapes):
        self.op, positional, keyed = parse(description["line"])
        keyed.pop("as", None)
        self.inputs = [names[keyed.pop("from")] if "from" in keyed else place - 1]
        frozen = keyed.pop("frozen", False)
        self.module = None
        if self.op in JOINS:
            self.inputs.append(names[positional[0]])
        elif self.op in LAYERS:
            own = {k: v for k, v in keyed.items() if k not in INITIAL}
            self.module = LAYERS[self.op](shapes[self.inputs[0]], *positional, **own)
            self.module.requires_grad_(not frozen)
        else:
            raise Unknown(f"layer {self.op} has no PyTorch layer here")
        self.shapes = [shapes[i] for i in self.inputs]

    def flat(self, x):
        return x.flatten(1) if self.op == "linear" and x.dim() > 2 else x

    def __call__(self, *x):
        return JOINS[self.op](*x) if self.module is None else self.module(self.flat(x[0]))


def layers_of(network):
    """The Layers of a network as bench/side.c describes it."""
    names, shapes, layers = {"input": -1}, {-1: tuple(network["input"])}, []
    for i, description in enumerate(network["layers"]):
        layers.append(Layer(i, description, names, shapes))
        names[description["name"]] = i
        shapes[i] = tuple(description["shape"])
    return layers


class Network(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.layers = layers_of(network)
        self.own = nn.ModuleList(layer.module for layer in self.layers if layer.module is not None)
        readers = [i for layer in self.layers for i in layer.inputs]
        self.last = {i: reader for reader, layer in enumerate(self.layers) for i in layer.inputs}
        for layer in self.layers:
            before = layer.inputs[0]
            if layer.op == "relu" and before >= 0 and readers.count(before) == 1 and \
                    self.layers[before].op in OVERWRITTEN:
                layer.module.inplace = True

    def forward(self, x):
        out = {-1: x}
        for i, layer in enumerate(self.layers):
            out[i] = layer(*(out[j] for j in layer.inputs))
            for j in layer.inputs:
                if self.last[j] == i:
                    out.pop(j, None)
        return out[len(self.layers) - 1]


def loss_of(line):
    """The loss as a function of outputs and labels."""
    op, _, keyed = parse(line)
    if op != "cross_entropy":
        raise Unknown(f"loss {op} has no PyTorch loss here: loss=cross_entropy overrides it")
    if "weight" in keyed:
        keyed["weight"] = torch.tensor(keyed["weight"])
    return lambda x, label: F.cross_entropy(x, label, **keyed)


def optimizer_of(line, parameters, **how):
    op, _, keyed = parse(line)
    makers = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
              "rmsprop": torch.optim.RMSprop}
    if op not in makers:
        raise Unknown(f"optimizer {op} has no PyTorch optimizer here")
    if op.startswith("adam"):
        keyed["betas"] = keyed.pop("beta1", 0.9), keyed.pop("beta2", 0.999)
    return makers[op]([p for p in parameters if p.requires_grad], **keyed, **how)
