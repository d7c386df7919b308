"""Makes mixup.bin beside it, from formulas by NumPy and PyTorch in float64: python3 generate_mixup.py. It holds which
image and share mixup draws, and what losses make of images with two labels.

mixup.bin  little-endian: "LNMIXUP1"; u32 draws, and for each f64 alpha, u64 seed, u32 image, epoch, images, place and
           f64 share; u32 cases, and for each char line[64], u32 n, k, i32 first[n], second[n], f32 share[n], x[n·k],
           f64 loss[n], gradient[n·k], u8 hit[n].
"""
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F

from generate_augment import Stream

DRAWS = [(alpha, seed, image, epoch, n) for alpha in (0.01, 0.2, 0.5, 1.0, 3.5, 1000.0)
         for seed, image, epoch, n in ((1, 0, 0, 60000), (1 << 40, 70000, 3, 100000), (7, 5, 2, 3))]


def draw(alpha, seed, image, epoch, n):
    r = Stream(seed, image, epoch)
    place = r.below(n)
    u, v = 1 - r.uniform(), r.uniform()
    w, c = np.exp(np.log(u) / alpha), np.cos(2 * np.pi * v)
    return place, (1 + c * np.sqrt(1 - w) / np.sqrt(w + (1 - w) * c * c)) / 2


W = torch.tensor([0.5, 2, 1, 0, 3, 0.25, 1], dtype=torch.float64)
P = torch.tensor([3.0], dtype=torch.float64)


def wanted(x, y):
    return (y[:, None] if x.shape[1] == 1 else F.one_hot(y, x.shape[1])).to(x.dtype)


def by_value(function, **keyed):
    return lambda x, y: function(x, wanted(x, y), reduction="none", **keyed).mean(1)


# A line; outputs; each image's loss by its labels; Σ over images of what weighs a mean (none: their number); of what
# kind x is.
CASES = [
    ("cross_entropy", 7, lambda x, y: F.cross_entropy(x, y, reduction="none"), None, "any"),
    ("cross_entropy label_smoothing=0.1", 7,
     lambda x, y: F.cross_entropy(x, y, reduction="none", label_smoothing=0.1), None, "any"),
    ("cross_entropy label_smoothing=0.3 weight=0.5,2,1,0,3,0.25,1", 7,
     lambda x, y: F.cross_entropy(x, y, W, reduction="none", label_smoothing=0.3), W, "any"),
    ("nll", 7, lambda x, y: F.nll_loss(x, y, reduction="none"), None, "log"),
    ("nll weight=0.5,2,1,0,3,0.25,1", 7, lambda x, y: F.nll_loss(x, y, W, reduction="none"), W, "log"),
    ("mse", 5, by_value(F.mse_loss), None, "any"),
    ("half_squared", 5, lambda x, y: F.mse_loss(x, wanted(x, y), reduction="none").sum(1) / 2, None, "any"),
    ("bce", 5, by_value(F.binary_cross_entropy), None, "share"),
    ("bce", 1, by_value(F.binary_cross_entropy), None, "share"),
    ("bce_with_logits pos_weight=3", 5, by_value(F.binary_cross_entropy_with_logits, pos_weight=P), None, "any"),
    ("bce_with_logits", 1, by_value(F.binary_cross_entropy_with_logits), None, "any"),
]
KINDS = {"any": lambda x: 2 * x, "log": lambda x: torch.log_softmax(x, 1), "share": lambda x: torch.sigmoid(x)}
HALF = {"mse": 0.5, "half_squared": 0.5, "bce": 0.5}


def case(number, n):
    line, k, loss, weights, kind = CASES[number]
    rng = np.random.default_rng(100 * number + n)
    first, second = (torch.tensor(rng.integers(0, max(k, 2), n)) for _ in range(2))
    share = (0.5 * rng.random(n)).astype(np.float32)
    share[:3] = 0, 0.5, 2.0 ** -20
    second[0] = first[0]
    s = torch.tensor(share, dtype=torch.float64)
    x = KINDS[kind](torch.tensor(rng.standard_normal((n, k)))).float().double().requires_grad_(True)
    own = (1 - s) * loss(x, first) + s * loss(x, second)
    total = n if weights is None else ((1 - s) * weights[first] + s * weights[second]).sum()
    (own.sum() / total).backward()
    answer = x.argmax(1) if k > 1 else (x[:, 0] > HALF.get(line.split()[0], 0)).long()
    return struct.pack("<64s2I", line.encode(), n, k) + b"".join(
        np.asarray(a).astype(t).tobytes() for a, t in
        ((first, "<i4"), (second, "<i4"), (share, "<f4"), (x.detach(), "<f4"), (own.detach(), "<f8"), (x.grad, "<f8"),
         (answer == first, "u1")))


def main():
    out = b"LNMIXUP1" + struct.pack("<I", len(DRAWS))
    for alpha, seed, image, epoch, n in DRAWS:
        place, share = draw(alpha, seed, image, epoch, n)
        out += struct.pack("<dQ4Id", alpha, seed, image, epoch, n, place, share)
    sizes = (3, 16, 37)
    out += struct.pack("<I", len(CASES) * len(sizes))
    out += b"".join(case(i, n) for i in range(len(CASES)) for n in sizes)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "mixup.bin"), "wb") as file:
        file.write(out)


if __name__ == "__main__":
    main()
