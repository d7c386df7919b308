"""Makes the photos of digits in this folder: python tests/photos/generate.py (needs Pillow, NumPy and some fonts).

Digits of MNIST's test images (Yann LeCun and Corinna Cortes, CC BY-SA 3.0) and of fonts (DejaVu), drawn dark on light
paper, off the middle, of several sizes, slanted, with noise, and a shadow across: what a telephone sees. The name of
each file begins with the digit that it shows.
"""
import gzip
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

HERE = pathlib.Path(__file__).parent
MNIST = HERE.parent.parent / "data" / "mnist"
FONTS = [pathlib.Path("/usr/share/fonts/truetype/dejavu") / f"DejaVu{kind}.ttf" for kind in ("Sans", "Serif", "SansMono-Bold")]


def mnist():
    with gzip.open(MNIST / "t10k-images-idx3-ubyte.gz") as f:
        pixels = np.frombuffer(f.read()[16:], np.uint8).reshape(-1, 28, 28)
    with gzip.open(MNIST / "t10k-labels-idx1-ubyte.gz") as f:
        return pixels, np.frombuffer(f.read()[8:], np.uint8)


def ink_of_mnist(pixels, size):
    """The digit alone, `size` pixels high."""
    rows, columns = np.nonzero(pixels > 40)
    cut = pixels[rows.min():rows.max() + 1, columns.min():columns.max() + 1]
    image = Image.fromarray(cut)
    scale = size / max(cut.shape)
    return image.resize((max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale))), Image.BICUBIC)


def ink_of_font(digit, font, size, angle):
    image = Image.new("L", (2 * size, 2 * size))
    ImageDraw.Draw(image).text((size // 2, size // 3), str(digit), fill=255,
                               font=ImageFont.truetype(str(font), round(size * 1.3)))
    image = image.rotate(angle, Image.BICUBIC)
    return image.crop(image.getbbox())


def photo(random, ink, h, w, light_ink=False):
    """Paper with a shadow across, lit from one side, the ink somewhere on it, grain."""
    y, x = np.mgrid[0:h, 0:w] / max(h, w)
    paper = random.uniform(150, 235) * (1 - random.uniform(0, 0.25) * y - random.uniform(0, 0.25) * x)
    angle, place = random.uniform(0, np.pi), random.uniform(0.3, 0.7)
    side = np.cos(angle) * (x - place) + np.sin(angle) * (y - place)
    paper = paper * (1 - random.uniform(0.2, 0.4) / (1 + np.exp(-side * random.uniform(8, 40))))
    mask = np.zeros((h, w))
    top, left = random.integers(2, h - ink.height - 2), random.integers(2, w - ink.width - 2)
    mask[top:top + ink.height, left:left + ink.width] = np.asarray(ink) / 255
    mask = np.asarray(Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))) / 255
    depth = random.uniform(0.55, 0.8)
    values = paper * (1 - depth * mask) + random.normal(0, 3, (h, w))
    if light_ink:
        values = 255 - values
    return Image.fromarray(np.clip(4 * np.round(values / 4), 0, 255).astype(np.uint8))  # fewer levels, smaller files


def main():
    random = np.random.default_rng(7)
    pixels, labels = mnist()
    for i in range(20):
        digit, size = i % 10, int(random.integers(30, 90))
        which = random.choice(np.nonzero(labels[:2000] == digit)[0])
        ink = ink_of_mnist(pixels[which], size)
        h, w = (int(n) for n in random.integers(110, 170, 2))
        photo(random, ink, h, w, light_ink=i in (3, 16)).save(HERE / f"{digit}_hand_{i // 10}.png", optimize=True)
    for digit in range(10):
        font = FONTS[digit % len(FONTS)]
        ink = ink_of_font(digit, font, int(random.integers(40, 90)), random.uniform(-8, 8))
        h, w = (int(n) for n in random.integers(130, 190, 2))
        photo(random, ink, h, w).save(HERE / f"{digit}_font.png", optimize=True)


if __name__ == "__main__":
    main()
