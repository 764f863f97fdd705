#!/usr/bin/env python3
"""Writes the files that the tests of datasets/ read, with scikit-learn and NumPy.

    pip install scikit-learn==1.9.1 numpy==2.4.6
    python3 datasets/testdata/make_reference.py

generators.npz  noise-free points of scikit-learn's generators, in its order
dtypes.npz      the same small matrix in every type and memory order
digits.npz      six tiny images with labels, as Keras ships MNIST
flowers.csv     six rows of iris, for the examples
../iris.csv     the whole of iris, which the package embeds

The files are the same bytes every time with the same versions.
"""

import csv
import gzip
import io
import math
import pathlib
import struct
import zipfile

import numpy
from sklearn import datasets

HERE = pathlib.Path(__file__).parent


def write_npz(name, arrays):
    """numpy.savez_compressed without the time of day."""
    with zipfile.ZipFile(HERE / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays.items():
            content = io.BytesIO()
            numpy.lib.format.write_array(content, numpy.asanyarray(array))
            archive.writestr(zipfile.ZipInfo(key + ".npy"), content.getvalue(), zipfile.ZIP_DEFLATED)


def lang_witbrock(points=97):
    """The two spirals of 1988, from the formula in their paper."""
    first = []
    for i in range(points):
        angle, radius = i * math.pi / 16, 6.5 * (104 - i) / 104
        first.append([radius * math.sin(angle), radius * math.cos(angle)])
    first = numpy.array(first)
    return numpy.vstack([first, -first]), numpy.repeat([0, 1], points)


def generators():
    arrays = {}
    for n in (1, 2, 7, 50):
        for name, make, settings in (
            ("moons", datasets.make_moons, {}),
            ("circles", datasets.make_circles, {"factor": 0.5}),
        ):
            x, y = make(n_samples=n, shuffle=False, noise=None, **settings)
            arrays[f"{name}/{n}/x"], arrays[f"{name}/{n}/y"] = x, y
        x, y = datasets.make_blobs(
            n_samples=n, centers=[[-3, -2], [3, -2], [0, 3]], cluster_std=0.0, shuffle=False, random_state=0
        )
        arrays[f"blobs/{n}/x"], arrays[f"blobs/{n}/y"] = x, y
    arrays["spirals/194/x"], arrays["spirals/194/y"] = lang_witbrock()
    x, y = datasets.make_friedman1(n_samples=40, noise=0.0, random_state=0)
    arrays["friedman1/40/x"], arrays["friedman1/40/y"] = x, y
    write_npz("generators.npz", arrays)


def dtypes():
    matrix = numpy.array([[0, 1, 2], [3, 100, 127]])
    arrays = {}
    for dtype in ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
        for order in "<>":
            arrays[order + dtype] = matrix.astype(order + dtype)
    arrays["negative"] = (-matrix).astype("i2")
    arrays["bool"] = matrix > 2
    arrays["fortran"] = numpy.asfortranarray(matrix.astype("f4"))
    arrays["fortran3"] = numpy.asfortranarray(numpy.arange(24.0).reshape(2, 3, 4))
    write_npz("dtypes.npz", arrays)


def digits():
    images = numpy.zeros((6, 3, 3), "u1")
    labels = numpy.array([0, 1, 0, 1, 0, 1], "u1")
    images[labels == 0] = [[255, 255, 255], [255, 0, 255], [255, 255, 255]]
    images[labels == 1, :, 1] = 255
    write_npz(
        "digits.npz",
        {"x_train": images[:4], "y_train": labels[:4], "x_test": images[4:], "y_test": labels[4:]},
    )
    mnist = HERE / "mnist"
    mnist.mkdir(exist_ok=True)
    for part, rows in (("train", slice(0, 4)), ("t10k", slice(4, 6))):
        image_bytes = struct.pack(">4I", 0x803, len(labels[rows]), 3, 3) + images[rows].tobytes()
        label_bytes = struct.pack(">2I", 0x801, len(labels[rows])) + labels[rows].tobytes()
        if part == "t10k":
            image_bytes = gzip.compress(image_bytes, mtime=0)
            label_bytes = gzip.compress(label_bytes, mtime=0)
        suffix = ".gz" if part == "t10k" else ""
        (mnist / f"{part}-images-idx3-ubyte{suffix}").write_bytes(image_bytes)
        (mnist / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(label_bytes)


def iris():
    flowers = datasets.load_iris()
    header = [name.removesuffix(" (cm)") for name in flowers.feature_names] + ["species"]
    rows = [[*map(str, x), str(flowers.target_names[y])] for x, y in zip(flowers.data.tolist(), flowers.target)]
    for path, chosen in ((HERE.parent / "iris.csv", rows), (HERE / "flowers.csv", rows[::25])):
        with open(path, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *chosen])


generators()
dtypes()
digits()
iris()
