"""Trains on small tables with the program's defaults and with scikit-learn's
MLPClassifier and MLPRegressor, on the same five splits, and prints the test
accuracy or R² of both: mean and standard deviation.

    go build -o /tmp/train ./cmd/train
    python internal/peers/tables.py /tmp/train [flags of fit]

Both get the same four fifths of the rows. The program keeps a fifth of them for
validation, as it does by default; scikit-learn's default trains on all of them.
The tables are scikit-learn's and three with texts and holes made here, written
by pandas' to_csv with default arguments.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import pandas as pd
from sklearn import datasets, impute, model_selection, neural_network, pipeline, preprocessing
from sklearn.compose import make_column_selector, make_column_transformer


def bundled(load):
    d = load(as_frame=True)
    table = d.data.copy()
    regression = load is datasets.load_diabetes
    table["target"] = d.target if regression else d.target.map(lambda k: "class %d" % k)
    return table, regression


def made(seed, rows, regression, cities):
    """People with texts, booleans and holes; what is to be learnt is not linear."""
    r = np.random.default_rng(seed)
    t = pd.DataFrame({
        "age": r.integers(18, 80, rows).astype(float),
        "income": np.round(r.lognormal(10, 0.5, rows), 2),
        "city": r.choice(["city %d" % k for k in range(cities)], rows),
        "plan": r.choice(["basic", "plus", "pro"], rows, p=[0.6, 0.3, 0.1]),
        "member": r.random(rows) < 0.4,
        "visits": r.poisson(4, rows).astype(float),
    })
    worth = (np.abs(t.age - 45) / 15 + t.plan.map({"basic": 0.0, "plus": 1.0, "pro": 2.5}) * (1 + t.member)
             + 0.3 * np.sqrt(t.visits) + np.log(t.income) - 10 + t.city.map(lambda c: hash_of(c) % 5 / 4))
    noise = r.normal(0, 0.5, rows)
    t["target"] = np.round(worth + noise, 3) if regression else np.where(worth + noise > np.median(worth), "buys", "leaves")
    for column in ["age", "income", "city", "plan"]:
        t.loc[r.random(rows) < 0.1, column] = np.nan
    return t, regression


def hash_of(text):
    return sum(ord(c) * (i + 1) for i, c in enumerate(text))


TABLES = {
    "breast_cancer": lambda: bundled(datasets.load_breast_cancer),
    "wine": lambda: bundled(datasets.load_wine),
    "digits": lambda: bundled(datasets.load_digits),
    "diabetes": lambda: bundled(datasets.load_diabetes),
    "shoppers": lambda: made(1, 1500, False, 8),
    "shops": lambda: made(2, 400, False, 4),
    "spending": lambda: made(3, 1200, True, 12),
}


def peer(train, test, regression):
    """scikit-learn's default network after the usual preparation."""
    x, y = train.drop(columns="target"), train["target"]
    texts = make_column_selector(dtype_include=[object, "string", bool])
    prepared = make_column_transformer(
        (pipeline.make_pipeline(impute.SimpleImputer(strategy="median", add_indicator=True), preprocessing.StandardScaler()),
         make_column_selector(dtype_include=float)),
        (pipeline.make_pipeline(impute.SimpleImputer(strategy="most_frequent", add_indicator=True),
                                preprocessing.OneHotEncoder(handle_unknown="ignore")), texts))
    x, tx = ((t.astype({c: object for c in texts(t)}) if len(texts(t)) else t) for t in (x, test.drop(columns="target")))
    network = neural_network.MLPRegressor if regression else neural_network.MLPClassifier
    model = pipeline.make_pipeline(prepared, network(random_state=1))
    return model.fit(x, y).score(tx, test["target"])


def ours(program, folder, train, test, seed, flags):
    train.to_csv(folder / "train.csv")
    test.to_csv(folder / "test.csv")
    run = str(folder / "run")
    subprocess.run([program, "fit", "--dataset", f"csv:{folder}/train.csv", "--target", "target", "--test", "0", "--seed", str(seed),
                    "--out", run, "--force", "--no-plots", *flags], check=True, capture_output=True)
    out = subprocess.run([program, "eval", run, "--dataset", f"csv:{folder}/test.csv", "--json"], check=True, capture_output=True)
    found = json.loads(out.stdout)
    return found.get("accuracy", found.get("r2"))


def main(program, *flags):
    warnings.filterwarnings("ignore")
    print(f"{'table':14} {'metric':9} {'affine':16} {'scikit-learn':16} within one standard deviation, or better")
    with tempfile.TemporaryDirectory() as folder:
        for name, make in TABLES.items():
            table, regression = make()
            scores = []
            for seed in range(5):
                train, test = model_selection.train_test_split(
                    table, test_size=0.2, random_state=seed, stratify=None if regression else table["target"])
                scores.append((ours(program, pathlib.Path(folder), train, test, seed, flags), peer(train, test, regression)))
            a, b = np.array(scores).T
            good = a.mean() >= b.mean() - b.std()
            print(f"{name:14} {'R²' if regression else 'accuracy':9} {a.mean():.4f} ± {a.std():.4f}  {b.mean():.4f} ± {b.std():.4f}  {'yes' if good else 'no'}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
