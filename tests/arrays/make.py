#!/usr/bin/env python3
"""Makes the arrays of this folder with NumPy, as people save them. NAME.values are the values that a data set of NAME has
(bytes or float32, image after image in channel, row, column order), NAME.labels its labels. BACK-NAME.npz is what
`linnet data convert` makes of NAME: it is kept once NumPy has read the same arrays from it. x012.npz holds the digits 0,
1 and 2 of MNIST's first 200 training and 100 test images (Yann LeCun and Corinna Cortes, CC BY-SA 3.0), under the keys
that report C's file has.

make.py LINNET (the command)"""

import gzip
import os
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def path(name):
    return os.path.join(HERE, name)


def keep(name, images, labels=None):
    images = np.asarray(images)
    kind = np.uint8 if images.dtype.kind in "bui" and images.min() >= 0 and images.max() <= 255 else np.float32
    images.astype(kind).tofile(path(name + ".values"))
    if labels is not None:
        np.asarray(labels, np.uint8).tofile(path(name + ".labels"))


def back(name, wanted):
    made = path("back-" + name.split(".")[0] + ".npz")
    subprocess.run([sys.argv[1], "data", "convert", path(name), made], check=True, stdout=subprocess.DEVNULL)
    with np.load(made, allow_pickle=False) as arrays:
        assert sorted(arrays) == sorted(wanted), sorted(arrays)
        for key, value in wanted.items():
            assert arrays[key].dtype == value.dtype and np.array_equal(arrays[key], value), key


def mnist(part, n):
    """The first n images of a part of MNIST that show 0, 1 or 2, and their labels."""
    folder = os.path.join(HERE, "..", "..", "data", "mnist", part)
    with gzip.open(folder + "-images-idx3-ubyte.gz") as images, gzip.open(folder + "-labels-idx1-ubyte.gz") as labels:
        x = np.frombuffer(images.read(16 + 784 * n)[16:], np.uint8).reshape(n, 28, 28)
        y = np.frombuffer(labels.read(8 + n)[8:], np.uint8)
    return x[y <= 2], y[y <= 2]


def main():
    (x, y), (x_test, y_test) = mnist("train", 200), mnist("t10k", 100)
    np.savez_compressed(path("x012.npz"), train_x012=x, train_y012=y, test_x012=x_test, test_y012=y_test)

    draw = np.random.default_rng(5)
    grey = draw.integers(0, 256, (7, 4, 5), np.uint8)
    y = np.array([0, 2, 1, 1, 0, 2, 2])
    np.savez_compressed(path("bytes.npz"), x_train=grey[:5], y_train=y[:5], x_test=grey[5:], y_test=y[5:])
    keep("bytes.npz", grey[:5], y[:5])
    back("bytes.npz", {"x_train": grey[:5], "y_train": y[:5].astype("u1"), "x_test": grey[5:],
                       "y_test": y[5:].astype("u1")})

    floats = draw.standard_normal((6, 3, 4, 2)).astype(np.float32)
    np.savez(path("floats.npz"), images=floats, labels=np.eye(3)[y[:6]])
    keep("floats.npz", floats, y[:6])
    back("floats.npz", {"x": floats, "y": y[:6].astype("u1")})

    last = draw.integers(0, 256, (4, 6, 5, 3), np.uint8)
    np.save(path("channels_last.npy"), last)
    keep("channels_last.npy", last.transpose(0, 3, 1, 2))
    back("channels_last.npy", {"x": np.ascontiguousarray(last.transpose(0, 3, 1, 2))})

    doubles = draw.standard_normal((5, 8))
    np.save(path("doubles.npy"), doubles)
    keep("doubles.npy", doubles)
    back("doubles.npy", {"x": doubles.astype(np.float32)})

    signs = draw.integers(-300, 300, (3, 3, 3), np.int16)
    np.save(path("signs.npy"), signs)
    keep("signs.npy", signs)
    back("signs.npy", {"x": signs.astype(np.float32)})

    named = draw.integers(0, 256, (3, 2, 5), np.uint8)
    names = np.array(["Zürich", "ant", "\U0001f426 bird"])
    np.savez(path("names.npz"), x=named, y=np.array([2, 0, 2]), class_names=names)
    keep("names.npz", named, [2, 0, 2])
    back("names.npz", {"x": named, "y": np.array([2, 0, 2], "u1"), "class_names": names})


main()
