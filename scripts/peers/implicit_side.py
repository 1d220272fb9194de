"""The side of `implicit`: one measured case a process, as in benches/peers.rs."""

import json
import sys
import time

import numpy
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

import data

TOP = 20
SINGLE = 2_000


def peak_mib():
    """Not `getrusage`: that counts what the process was before it became this program."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def train(case, model, matrix):
    """The seconds of each iteration. Copying, scaling and transposing the matrix is not counted, but is in memory."""
    seconds = []
    model.fit(matrix, show_progress=False, callback=lambda _, taken, __: seconds.append(taken))
    answer = {"seconds": sum(seconds), "peak_mib": peak_mib()}
    if "model" in case:
        with open(case["model"], "wb") as file:
            model.user_factors.tofile(file)
            model.item_factors.tofile(file)
    return answer


def top(model, matrix):
    started = time.monotonic()
    users = numpy.arange(matrix.shape[0])
    _, scores = model.recommend(users, matrix, N=TOP, filter_already_liked_items=False)
    return {"seconds": time.monotonic() - started, "scores": float(scores.sum(dtype="float64"))}


def single(model, matrix):
    rows = [matrix[number * matrix.shape[0] // SINGLE] for number in range(SINGLE)]
    ask = {"N": TOP, "filter_already_liked_items": False, "recalculate_user": True}
    model.recommend(0, rows[0], **ask)
    milliseconds, total = [], 0.0
    for row in rows:
        started = time.monotonic()
        _, scores = model.recommend(0, row, **ask)
        milliseconds.append((time.monotonic() - started) * 1e3)
        total += float(scores.sum(dtype="float64"))
    return {"milliseconds": milliseconds, "scores": total}


def main(case):
    users, items, starts, columns = data.read(case["matrix"])
    matrix = csr_matrix((numpy.ones(len(columns), "float32"), columns, starts), shape=(users, items))
    model = AlternatingLeastSquares(
        factors=case["factors"],
        regularization=case["regularization"],
        alpha=case["confidence"],
        iterations=case.get("iterations", 15),
        num_threads=case["threads"],
        random_state=42,
    )
    if case["what"] == "train":
        return train(case, model, matrix)
    values = numpy.fromfile(case["model"], "float32").reshape(users + items, -1)
    model.user_factors, model.item_factors = values[:users], values[users:]
    return top(model, matrix) if case["what"] == "top" else single(model, matrix)


print(json.dumps(main(json.loads(sys.argv[1]))))
