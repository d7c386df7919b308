#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets: small files of every kind that a parser reads, in corpus/NAME/."""

import gzip
import io
import json
import os
import struct
import tarfile
import zipfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))


def put(target, name, data):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def idx(*sizes):
    count = 1
    for size in sizes:
        count *= size
    header = struct.pack(f">BBBB{len(sizes)}I", 0, 0, 8, len(sizes), *sizes)
    return header + bytes(i % 256 for i in range(count))


def png(width, height, depth, colour, rows, *extra, interlace=0):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


def safetensors(header, values):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + values


def npy(descr, shape, values, order=False, version=1):
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + values


def npz(method, **arrays):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, array in arrays.items():
            archive.writestr(zipfile.ZipInfo(name + ".npy"), array, method)
    return file.getvalue()


def tarball(form, *entries):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, data in entries:
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.REGTYPE if data is not None else tarfile.DIRTYPE
            entry.size = len(data or b"")
            archive.addfile(entry, io.BytesIO(data or b""))
    return file.getvalue()[:4096]


def tensor(begin, *shape):
    count = 1
    for size in shape:
        count *= size
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, begin + 4 * count]}


def main():
    put("idx", "labels", idx(5))
    put("idx", "grey", idx(2, 3, 4))
    put("idx", "colour", idx(1, 3, 2, 2))
    put("idx", "labels.gz", gzip.compress(idx(5), mtime=0))
    put("idx", "grey.gz", gzip.compress(idx(2, 3, 4), mtime=0))
    put("idx", "two_members.gz", gzip.compress(idx(5)[:6], mtime=0) + gzip.compress(idx(5)[6:], mtime=0))
    put("idx", "promise.gz", gzip.compress(idx(2, 3, 4)[:4] + b"\x00\x00\xff\xff" * 3, mtime=0))

    record = bytes([3]) + bytes(range(256)) * 12
    put("cifar", "one", record)
    put("cifar", "cut", record[:2000])
    put("cifar", "label", b"\x0a" + record[1:] + record)
    put("cifar", "names", b"airplane\r\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n")

    put("picture", "plain.ppm", b"P3 2 1 255 255 0 0 1 2 3\n")
    put("picture", "plain.pgm", b"P2\n# a comment\n3 2 255\n0 1 2\n253 254 255\n")
    put("picture", "raw.pgm", b"P5 3 2 255\n\x00\x01\x02\xfd\xfe\xff")
    put("picture", "raw16.pgm", b"P5 2 1 65535\n\x00\x01\xff\xff")
    put("picture", "grey1.png", png(4, 1, 1, 0, b"\x00\xa0"))
    put("picture", "grey16.png", png(2, 1, 16, 0, b"\x00\x80\x00\x7f\xff"))
    put("picture", "rgb.png", png(2, 1, 8, 2, b"\x00\xff\x00\x00\x01\x02\x03"))
    put("picture", "palette.png", png(2, 1, 8, 3, b"\x00\x01\x00", (b"PLTE", b"\x0a\x0a\x0a\x14\x14\x14"), (b"tRNS", b"\x80")))
    put("picture", "grey_alpha.png", png(3, 1, 8, 4, b"\x00\x64\x00\x64\xff\x00\x33"))
    put("picture", "rgba16.png", png(1, 1, 16, 6, b"\x00\x00\x00\xff\xff\x00\x00\x80\x00"))
    put("picture", "interlaced.png", png(2, 2, 8, 0, b"\x00\x10\x00\x20\x00\x30\x40", interlace=1))
    put("picture", "text.png", png(2, 1, 8, 0, b"\x00\x10\xf0", (b"tEXt", b"Title\x00x"), (b"gAMA", b"\x00\x00\xb1\x8f")))

    put("safetensors", "empty", safetensors({}, b""))
    put("safetensors", "one", safetensors({"0.weight": tensor(0, 2, 1)}, bytes(8)))
    put("safetensors", "two", safetensors(
        {"__metadata__": {"model": "{\"layers\": []}", "classes": "0,1\u00e9"}, "b": tensor(8, 1), "a": tensor(0, 1, 2, 1, 1)},
        bytes(range(12))))
    put("safetensors", "scalar", safetensors({"s": tensor(0), "none": tensor(4, 0, 7)}, bytes(4)))
    put("safetensors", "half", safetensors({"h": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}, bytes(4)))
    put("safetensors", "overlap", safetensors({"a": tensor(0, 2), "b": tensor(4, 1)}, bytes(8)))
    put("safetensors", "deep", safetensors(b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", b""))

    place = {"checkpoint": "1", "train.epochs": "3", "at.step": "12", "at.steps_per_epoch": "6", "at.epoch_done": "1",
             "at.finished": "0", "own": "1", "own.0": "3ff0000000000000"}
    put("checkpoint", "measured", safetensors({"__metadata__": place}, b""))
    put("checkpoint", "within", safetensors(
        {"__metadata__": {**place, "at.step": "7", "at.epoch_done": "0", "own": "0"}, "0.weight": tensor(0, 1)}, bytes(4)))

    put("csv", "kaggle.csv", b"label,pixel0,pixel1\n3,0,255\n1,9,17\n")
    put("csv", "points.csv", b"x,y,label\r\n0.5,-1.25,1\r\n-3e-2,.5,0\r\n")
    put("csv", "bare.csv", b"0,1,2.5\n1,1,3\n\n0,300,1e5")
    put("csv", "quoted.csv", b"\xef\xbb\xbf\"a,b\";\"label\"\n \"1\" ;\"2\"\n")
    put("csv", "zipped.csv.gz", gzip.compress(b"a\tb\n1\t2\n", mtime=0))

    put("results", "plain.csv", b"epoch,step,train_loss\n,4,2.5\n1,5,2.25e-1\n")
    put("results", "strange.csv", b"a , b_2\r\n nan,\r\n\r\n-inf , 0x1p-3")
    put("results", "ragged.csv", b"a,b\n1,2,3\n")

    whole = tarball(tarfile.USTAR_FORMAT, ("in/", None), ("in/one", bytes(600)), ("in/two", b"names"))
    put("tar", "whole", whole)
    put("tar", "cut", whole[:1300])
    put("tar", "long", tarball(tarfile.USTAR_FORMAT, (120 * "a" + "/" + 80 * "b", b"x")))
    put("tar", "pax", tarball(tarfile.PAX_FORMAT, (300 * "a", b"x")))
    put("tar", "sum", whole[:512].replace(b"0", b"1", 1) + whole[512:])

    put("npz", "bytes.npy", npy("|u1", "(2, 3)", bytes(6)))
    put("npz", "floats.npy", npy("<f8", "(1, 2, 1, 3)", bytes(48), version=2))
    put("npz", "fortran.npy", npy("<i4", "(2, 2)", bytes(16), order=True))
    put("npz", "wide.npy", npy("<i8", "(2,)", b"\xff" * 16))
    put("npz", "zipped.npy.gz", gzip.compress(npy("|b1", "(2,)", b"\x00\x01"), mtime=0))
    put("npz", "stored.npz", npz(zipfile.ZIP_STORED, x_train=npy("|u1", "(2, 2)", bytes(4)), y_train=npy("<i8", "(2,)", bytes(16))))
    put("npz", "deflated.npz", npz(zipfile.ZIP_DEFLATED, test_x012=npy("<f4", "(1, 1, 1, 2)", bytes(8)),
                                   test_y012=npy("|u1", "(1, 2)", b"\x00\x01")))
    put("npz", "names.npz", npz(zipfile.ZIP_STORED, x=npy("|u1", "(2, 2)", bytes(4)), y=npy("|u1", "(2,)", bytes(2)),
                                class_names=npy("<U2", "(2,)", "aübc".encode("utf-32-le"))))
    put("npz", "bytes_names.npz", npz(zipfile.ZIP_STORED, x=npy("|u1", "(1, 1)", bytes(1)), y=npy("|u1", "(1,)", bytes(1)),
                                      class_names=npy("|S2", "(1,)", b"ab")))


if __name__ == "__main__":
    main()
