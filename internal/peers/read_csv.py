"""Reads one CSV file with this module, pandas and polars, each in a process of its
own, and prints processor time, wall time and the most memory of each.

    go build -o /tmp/train ./cmd/train
    (cd internal/peers && go build -o /tmp/load ./load)
    python internal/peers/read_csv.py /tmp/train /tmp/load [rows]

The file has 20 columns of normally distributed numbers with all their digits.
The program also predicts a few rows and all of them, whose memory must not
depend on their number.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd


def run(command):
    """Runs a command and returns user seconds, wall seconds and peak MB."""
    probe = ("import resource, subprocess, sys, time; t = time.time(); p = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE);"
             "sys.exit(p.stderr.decode()) if p.returncode else None;"
             "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime, time.time() - t, u.ru_maxrss / 1000)")
    out = subprocess.run([sys.executable, "-c", probe, *command], check=True, capture_output=True, text=True)
    return [float(x) for x in out.stdout.split()]


def loaded(library):
    """The same for a call within Python, without the import of the library."""
    code = (f"import resource, sys, time, {library}; u = resource.getrusage(resource.RUSAGE_SELF); t = time.time();"
            f"d = {library}.read_csv(sys.argv[1]); v = resource.getrusage(resource.RUSAGE_SELF);"
            "print(v.ru_utime - u.ru_utime, time.time() - t, (v.ru_maxrss - u.ru_maxrss) / 1000)")
    return lambda path: [float(x) for x in subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True).stdout.split()]


def main(program, load, rows=1_000_000):
    rows = int(rows)
    columns = [f"x{i}" for i in range(19)] + ["y"]
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder, "big.csv"))
        small = str(pathlib.Path(folder, "small.csv"))
        numbers = np.random.default_rng(1).normal(size=(rows, 20))
        pd.DataFrame(numbers, columns=columns).to_csv(path, index=False)
        pd.DataFrame(numbers[:2000], columns=columns).to_csv(small, index=False)
        print(f"{rows} rows, {pathlib.Path(path).stat().st_size / 1e6:.0f} MB of text, {numbers.nbytes / 1e6:.0f} MB of numbers")
        print(f"{'':28} {'user s':>8} {'wall s':>8} {'MB':>8}")
        show = lambda name, found: print(f"{name:28} {found[0]:8.2f} {found[1]:8.2f} {found[2]:8.0f}", flush=True)
        show("affine, datasets.Open", run([load, "csv:" + path]))
        show("pandas.read_csv", loaded("pandas")(path))
        try:
            show("polars.read_csv", loaded("polars")(path))
        except subprocess.CalledProcessError:
            print("polars is not installed")
        model = str(pathlib.Path(folder, "run"))
        run([program, "fit", "--dataset", "csv:" + small, "--epochs", "1", "--out", model, "--no-plots"])
        show("affine, predict 2000 rows", run([program, "predict", model, "--input", small, "--output", "/dev/null"]))
        show("affine, predict all rows", run([program, "predict", model, "--input", path, "--output", "/dev/null"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
