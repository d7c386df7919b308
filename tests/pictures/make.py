#!/usr/bin/env python3
"""Makes the pictures of this folder with Pillow, and beside each NAME what Pillow says it shows: NAME.values, bytes in
channel, row, column order. Seeds of the fuzz target fuzz_picture are taken from them too."""

import io
import os
import shutil

import numpy as np
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
SEEDS = os.path.join(HERE, "..", "fuzz", "corpus", "picture")
H, W = 9, 13


def put(name, data, shown):
    values = np.asarray(shown, np.uint8)
    if values.ndim == 3:
        values = values.transpose(2, 0, 1)
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(data)
    with open(os.path.join(HERE, name + ".values"), "wb") as file:
        file.write(values.tobytes())
    shutil.copyfile(os.path.join(HERE, name), os.path.join(SEEDS, name))


def written(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def colours():
    y, x = np.mgrid[0:H, 0:W]
    return np.stack([x * 255 // (W - 1), y * 255 // (H - 1), (x * y * 7) % 256], 2).astype(np.uint8)


def main():
    rgb = Image.fromarray(colours())
    grey = rgb.convert("L")
    put("grey.png", written(grey, "PNG"), grey)
    put("grey.pgm", written(grey, "PPM"), grey)
    put("colour.png", written(rgb, "PNG"), rgb)
    put("colour.ppm", written(rgb, "PPM"), rgb)
    bits = grey.convert("1")
    put("bits.png", written(bits, "PNG"), bits.convert("L"))
    palette = rgb.quantize(16)
    put("palette.png", written(palette, "PNG"), palette.convert("RGB"))
    greys = Image.fromarray(np.asarray(grey) // 16)
    greys.putpalette([v for i in range(16) for v in (17 * i,) * 3])
    put("grey_palette.png", written(greys, "PNG"), greys.convert("L"))

    deep = np.asarray(grey, np.uint16) * 251 + 77
    put("deep.png", written(Image.fromarray(deep), "PNG"), (deep * 510.0 + 65535) // 131070)
    put("deep.ppm", b"P6 %d %d 65535\n" % (W, H) + (colours().astype(">u2") * 257).tobytes(), rgb)

    alpha = np.dstack([colours(), np.linspace(0, 255, H * W).reshape(H, W).astype(np.uint8)])
    share = alpha[..., 3:] / 255.0
    put("alpha.png", written(Image.fromarray(alpha, "RGBA"), "PNG"), alpha[..., :3] * share + 255 * (1 - share) + 0.5)

    def jpeg(name, image, **options):
        data = written(image, "JPEG", quality=85, **options)
        shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        put(name, data, shown.convert("RGB") if shown.mode == "CMYK" else shown)

    jpeg("grey.jpg", grey)
    jpeg("colour.jpg", rgb)
    jpeg("full.jpg", rgb, subsampling=0)
    jpeg("progressive.jpg", rgb, progressive=True)
    jpeg("cmyk.jpg", rgb.convert("CMYK"))
    for how in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = how
        jpeg(f"turned{how}.jpg", rgb, subsampling=0, exif=exif)


if __name__ == "__main__":
    main()
