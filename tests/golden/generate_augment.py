"""Makes augment.bin beside it: what every augmentation makes of some images, by NumPy in float64 from the formulas in
src/data/augment_NAME.c: python3 generate_augment.py. Nothing of it is Linnet's code, the random numbers neither.

augment.bin  little-endian: "LNAUGM1\\0", u32 cases, and for each char line[64], u32 c, h, w, is_float, image, epoch,
             u64 seed, and c·h·w f32 values before and after. Bytes are floats there, rounded as they would be stored.
"""
import os
import struct

import numpy as np

AUGMENT = 7  # the purpose of the stream, in src/base/random.h
M32 = 0xFFFFFFFF


def philox(counter, key):
    """Philox4x32-10 (Salmon et al., 2011)."""
    x, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [(p1 >> 32) ^ x[1] ^ k[0], p1 & M32, (p0 >> 32) ^ x[3] ^ k[1], p0 & M32]
        k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
    return x


class Stream:
    def __init__(self, seed, image, epoch):
        self.key = philox([AUGMENT, image, 0, 0], [seed & M32, seed >> 32])[:2]
        self.epoch, self.count, self.words = epoch, 0, []

    def word(self):
        if not self.words:
            self.words = philox([self.count, 0, self.epoch, 0], self.key)
            self.count += 1
        return self.words.pop(0)

    def u64(self):
        high = self.word()
        return high << 32 | self.word()

    def uniform(self):
        return (self.u64() >> 11) * 2.0 ** -53

    def between(self, low, high):
        return low + (high - low) * self.uniform()

    def below(self, n):
        x = self.u64()
        while x < (1 << 64) % n:
            x = self.u64()
        return x % n

    def normals(self, n):
        m = (n + 1) // 2
        w = np.array([self.word() for _ in range(m)])
        far = np.sqrt(-2 * np.log(((w >> 16) + 0.5) / 65536))
        angle = ((w & 0x3FFF) - 8191.5) * (np.pi / 2 / 16384)
        c, s = np.where(w & 0x4000, -np.cos(angle), np.cos(angle)), np.sin(angle)
        x, y = np.where(w & 0x8000, s, c), np.where(w & 0x8000, c, s)
        return np.concatenate([far * x, far * y])[:n]


def sample(x, u, v):
    """Bilinear with zeros outside: the sum over all pixels of their hat functions, as it is defined."""
    c, h, w = x.shape
    hat = lambda at, n: np.maximum(0, 1 - np.abs(at[..., None] - np.arange(n)))
    return np.einsum("cba,ijb,ija->cij", x, hat(v, h), hat(u, w))


def affine(x, m):
    c, h, w = x.shape
    i, j = np.meshgrid(np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2, indexing="ij")
    return sample(x, m[0][0] * j + m[0][1] * i + (w - 1) / 2, m[1][0] * j + m[1][1] * i + (h - 1) / 2)


def shift(r, x, h, w):
    dy, dx = r.below(2 * h + 1) - h, r.below(2 * w + 1) - w
    y = np.zeros_like(x)
    _, H, W = x.shape
    for i in range(H):
        for j in range(W):
            if 0 <= i - dy < H and 0 <= j - dx < W:
                y[:, i, j] = x[:, i - dy, j - dx]
    return y


def rotate(r, x, degrees):
    a = np.deg2rad(r.between(-degrees, degrees))
    return affine(x, [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


def scale(r, x, low, high):
    f = r.between(low, high)
    return affine(x, [[1 / f, 0], [0, 1 / f]])


def shear(r, x, a, b):
    a, b = np.tan(np.deg2rad(r.between(-a, a))), np.tan(np.deg2rad(r.between(-b, b)))
    return affine(x, [[1, a], [b, 1]])


def field(r, h, w, alpha, sigma):
    s = int(sigma)
    reach = int(np.ceil(3 * sigma / s))
    rows, columns = (h + s - 2) // s + 2, (w + s - 2) // s + 2
    n = (rows + 2 * reach) * (columns + 2 * reach)
    noise = []
    for i in range(0, n, 256):  # a chunk begins with a new word
        m = min(256, n - i)
        words = [r.word() for _ in range((m + 3) // 4)]
        noise += [words[j // 4] >> 8 * (j % 4) & 255 for j in range(m)]
    noise = (np.array(noise).reshape(rows + 2 * reach, -1) + 0.5) / 128 - 1
    k = np.exp(-0.5 * (np.arange(-reach, reach + 1) * s / sigma) ** 2)
    k /= k.sum()
    for axis in (0, 1):
        noise = np.apply_along_axis(lambda line: np.convolve(line, k, "valid"), axis, noise)
    t, rho = np.arange(s) / s, np.exp(-s * s / (4 * sigma * sigma))
    kept = np.mean((1 - t) ** 2 + t ** 2 + 2 * t * (1 - t) * rho)
    between = lambda n, nodes: np.maximum(0, 1 - np.abs(np.arange(n)[:, None] / s - np.arange(nodes)))
    return alpha / s / kept * between(h, rows) @ noise @ between(w, columns).T


def elastic(r, x, alpha, sigma):
    _, h, w = x.shape
    u, v = field(r, h, w, alpha, sigma), field(r, h, w, alpha, sigma)
    return sample(x, u + np.arange(w), v + np.arange(h)[:, None])


def flip(r, x, p, vertical):
    return x[:, ::-1] if vertical and r.uniform() < p else x[:, :, ::-1] if not vertical and r.uniform() < p else x


def crop(r, x, h, w, mode):
    dy, dx = r.below(2 * h + 1), r.below(2 * w + 1)
    return np.pad(x, ((0, 0), (h, h), (w, w)), mode)[:, dy:dy + x.shape[1], dx:dx + x.shape[2]]


def erase(r, x, p, low, high, ratio_low, ratio_high, value):
    _, h, w = x.shape
    x = x.copy()
    if not r.uniform() < p:
        return x
    for _ in range(10):
        area = r.between(low, high) * h * w
        ratio = np.exp(r.between(np.log(ratio_low), np.log(ratio_high)))
        eh, ew = int(np.sqrt(area * ratio) + 0.5), int(np.sqrt(area / ratio) + 0.5)
        if eh < h and ew < w:
            top, left = r.below(h - eh + 1), r.below(w - ew + 1)
            x[:, top:top + eh, left:left + ew] = value
            return x
    return x


def noise(r, x, std):
    z = [r.normals(min(256, x.size - i)) for i in range(0, x.size, 256)]
    return x + std * np.concatenate(z).reshape(x.shape)


def brightness(r, x, low, high):
    return x * r.between(low, high)


def contrast(r, x, low, high):
    return x.mean() + r.between(low, high) * (x - x.mean())


CASES = [
    ("shift 2x3", [(shift, 2, 3)]), ("rotate 30", [(rotate, 30)]), ("rotate degrees=180", [(rotate, 180)]),
    ("scale 0.5 2", [(scale, 0.5, 2)]), ("shear 40", [(shear, 40, 0)]), ("shear 20 y=30", [(shear, 20, 30)]),
    ("elastic", [(elastic, 34, 4)]), ("elastic 8 1.9", [(elastic, 8, 1.9)]), ("elastic 60 5.5", [(elastic, 60, 5.5)]),
    ("flip 0.6", [(flip, 0.6, False)]), ("flip direction=vertical", [(flip, 0.5, True)]),
    ("crop 3x2", [(crop, 3, 2, "constant")]), ("crop 4 padding_mode=edge", [(crop, 4, 4, "edge")]),
    ("crop 4 padding_mode=reflect", [(crop, 4, 4, "reflect")]),
    ("erase", [(erase, 0.5, 0.02, 0.33, 0.3, 3.3, 0)]),
    ("erase 1 0.1 0.9 ratio_low=1 ratio_high=2 value=77", [(erase, 1, 0.1, 0.9, 1, 2, 77)]),
    ("noise 25", [(noise, 25)]), ("brightness 0.3 2", [(brightness, 0.3, 2)]), ("contrast 0 3", [(contrast, 0, 3)]),
    ("rotate 20, shift 1, noise 5", [(rotate, 20), (shift, 1, 1), (noise, 5)]),
]


def store(x, is_float):
    return x if is_float else np.floor(np.clip(x, 0, 255) + 0.5)


def main():
    out, n = b"", 0
    for line, kinds in CASES:
        for shape, is_float, image, epoch, seed in (((1, 13, 11), 0, 3, 0, 1), ((3, 9, 14), 1, 70000, 5, 1 << 40),
                                                    ((2, 12, 12), 0, 12, 2, 9), ((1, 28, 28), 0, 5, 1, 4)):
            draw = np.random.default_rng(n)
            before = draw.integers(0, 256, shape).astype(np.float64)
            x, r = before, Stream(seed, image, epoch)
            for call, *args in kinds:
                x = store(call(r, x, *args), is_float)
            out += struct.pack("<64s6IQ", line.encode(), *shape, is_float, image, epoch, seed)
            out += before.astype("<f4").tobytes() + x.astype("<f4").tobytes()
            n += 1
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "augment.bin"), "wb") as file:
        file.write(b"LNAUGM1\0" + struct.pack("<I", n) + out)


if __name__ == "__main__":
    main()
