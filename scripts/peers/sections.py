"""What is measured. Every section takes the sides, the report, the folders and whether to be quick."""

import os

import numpy

import data
from quality import quality
from sides import CACHE, progress

SOLVERS = ("cg", "block", "cholesky")
"""Ours, by the names that `Solver` knows; `implicit` has conjugate gradients."""
SEARCHED = (64, 128)
OBJECTIVE = {"regularization": 0.1, "confidence": 20.0}
GRID = [(confidence, r) for confidence in (400.0, 1_600.0, 6_400.0, 25_600.0) for r in (1.0, 10.0, 100.0)]
"""Wide enough for the best to lie within."""


class Place:
    """Where the matrices are: RetailRocket's in a temporary folder, synthetic ones kept between runs."""

    def __init__(self, folder, temporary, quick):
        self.folder, self.temporary, self.quick = folder, temporary, quick

    def file(self, name):
        return os.path.join(self.temporary, name)

    def retailrocket(self):
        lists, numbers = data.sessions(self.folder)
        return data.of_sessions(self.file("retailrocket"), lists, len(numbers))

    def synthetic(self, users, items, pairs):
        if self.quick:
            users, items, pairs = users // 50, items // 20, pairs // 50
        progress(f"synthetic pairs: {users} users, {items} items, {pairs} pairs")
        return data.synthetic(os.path.join(CACHE, f"synthetic-{users}-{items}-{pairs}"), users, items, pairs)


def als(sides, report, place, matrix, iterations):
    """Seconds until our loss is what theirs is after so many iterations, seconds an iteration, peak memory."""
    for factors in (64,) if place.quick else (64, 128, 256):
        case = {"matrix": matrix, "factors": factors, **OBJECTIVE}
        model = place.file("model")
        there = sides.implicit(what="train", iterations=iterations, model=model, **case)
        goal = sides.ours(what="loss", model=model, **case)["loss"]
        os.remove(model)
        for solver in SOLVERS:
            until = {"iterations": 2 * iterations, "goal": goal, "limit": 2 * there["seconds"]}
            here = sides.ours(what="train", solver=solver, **until, **case)
            steps = here["steps"]
            seconds, loss = steps[-1]
            reached = loss <= goal
            note = f"loss {goal:.8g}: implicit after {iterations} iterations, clickrec after {len(steps)}"
            if not reached:
                note = f"GIVEN UP after {seconds:.0f} s, {len(steps)} iterations: loss {loss:.8g}, not {goal:.8g}"
            name = f"{factors} factors, {solver}"
            report.row(f"{name}: to the same loss", there["seconds"], seconds if reached else None, "s", note)
            report.row(f"{name}: an iteration", there["seconds"] / iterations, seconds / len(steps), "s")
            note = f"the matrix too, which takes clickrec {here['matrix_seconds']:.2f} s beforehand"
            report.row(f"{name}: peak memory", there["peak_mib"], here["peak_mib"], "MiB", note)


def als_retailrocket(sides, report, place):
    report.start("als-retailrocket", "ALS on RetailRocket's sessions, 2 cores")
    als(sides, report, place, place.retailrocket(), 3 if place.quick else 15)


def als_synthetic(sides, report, place):
    matrix = place.synthetic(500_000, 100_000, 20_000_000)
    users, items, _, columns = data.read(matrix)
    size = f"{len(columns):,} synthetic pairs of {users:,} users and {items:,} items"
    report.start("als-synthetic", f"ALS on {size}, power laws, 2 cores")
    als(sides, report, place, matrix, 3)


def spark(sides, report, place):
    report.start("spark", "ALS on RetailRocket's sessions, the peer is Spark MLlib, 2 cores")
    matrix, pairs = place.retailrocket(), place.file("pairs.csv")
    _, _, starts, items = data.read(matrix)
    users = numpy.repeat(numpy.arange(len(starts) - 1), numpy.diff(starts))
    numpy.savetxt(pairs, numpy.column_stack([users, items, numpy.ones(len(items), "int32")]), "%d", ",")
    ranks = (16,) if place.quick else SEARCHED
    seconds = sides.spark(pairs=pairs, folder=place.temporary, factors=ranks, **OBJECTIVE)
    for factors, there in zip(ranks, seconds, strict=True):
        for solver in SOLVERS:
            here = sides.ours(what="train", matrix=matrix, factors=factors, solver=solver, iterations=5, **OBJECTIVE)
            name = f"{factors} factors, {solver}: an iteration"
            report.row(name, there, here["steps"][-1][0] / 5, "s", "Spark without a native LAPACK, as PyPI has it")


def trained(sides, place, matrix, factors, iterations=15):
    """A case of both sides: they search the same factors, ours of conjugate gradients."""
    model = place.file(f"{os.path.basename(matrix)}-{factors}")
    case = {"matrix": matrix, "factors": factors, "model": model, **OBJECTIVE}
    sides.ours(what="train", iterations=2 if place.quick else iterations, **case)
    return case


def same_scores(there, here):
    return "" if abs(there["scores"] - here["scores"]) < 1e-3 * abs(there["scores"]) else "SCORES DIFFER"


def top(sides, report, place):
    report.start("top", "Top-20 of all 126,168 sessions, both with the same factors, 2 cores")
    matrix = place.retailrocket()
    for factors in SEARCHED[: 1 if place.quick else None]:
        case = trained(sides, place, matrix, factors)
        there, here = sides.implicit(what="top", **case), sides.ours(what="top", **case)
        report.row(f"{factors} factors", there["seconds"], here["seconds"], "s", same_scores(there, here))


def single(sides, report, place):
    report.start("single", "One session at a time, fold-in and top-20, both with the same factors, 1 core")
    matrix = place.retailrocket()
    for factors in SEARCHED[: 1 if place.quick else None]:
        case = trained(sides, place, matrix, factors)
        there, here = sides.implicit(what="single", threads=1, **case), sides.ours(what="single", threads=1, **case)
        quantiles(report, f"37,000 items, {factors} factors", there, here, same_scores(there, here))
    million = 50_000 if place.quick else 1_000_000
    large = data.enlarged(trained(sides, place, matrix, 64), place.file("large"), million)
    # 5 pairs a user and 10 an item, as in a stream of clicks.
    stream = place.synthetic(2_000_000, 1_000_000, 10_000_000)
    for name, case in (("real with noise", large), ("synthetic", trained(sides, place, stream, 64, 5))):
        here = sides.ours(what="single", threads=1, **case)
        note = f"{here['exact']} of {here['checked']} lists as of a full search"
        quantiles(report, f"{million:,} items, {name}", None, here, note)


def quantiles(report, name, there, here, note):
    def of(side, share):
        return side and float(numpy.quantile(side["milliseconds"], share))

    for share in (0.5, 0.99):
        report.row(f"{name}: p{100 * share:.0f}", of(there, share), of(here, share), "ms", note)


class Tuned:
    """The sessions that both sides are tuned and tested on."""

    def __init__(self, place):
        self.place = place
        lists, numbers = data.sessions(place.folder)
        self.items = len(numbers)
        split = len(lists) * 95 // 100
        self.part = data.of_sessions(place.file("part"), lists[:split], self.items)
        self.whole = data.of_sessions(place.file("whole"), lists, self.items)
        held_out = [(visited[:end], visited[end]) for visited in lists[split:] for end in range(1, len(visited))]
        self.held_out = held_out[:: 16 if place.quick else 4]
        self.test = data.tests(place.folder, numbers)

    def quality(self, side, factors, point, matrix, rows):
        """HR@20 and MRR@20 of a side that trains with these settings."""
        confidence, regularization = point
        case = {"factors": factors, "confidence": confidence, "regularization": regularization}
        path = self.place.file("model")
        side(what="train", matrix=matrix, model=path, iterations=3 if self.place.quick else 15, **case)
        items = numpy.fromfile(path, "float32").reshape(-1, factors)[-self.items :]
        found = quality(items, rows, regularization, confidence)
        progress(f"HR@20 {found[0]:.2f}, MRR@20 {found[1]:.2f}")
        return found

    def best(self, side, factors):
        """The settings that are best on the sessions left out, and the quality on the test file."""
        grid = GRID[: 2 if self.place.quick else None]
        point = max(grid, key=lambda point: self.quality(side, factors, point, self.part, self.held_out))
        return point, self.quality(side, factors, point, self.whole, self.test)


def tuning(sides, report, place):
    """Each side's best of the same grid on sessions left out of training, then the test file once."""
    report.start("quality", "HR@20 and MRR@20 on RetailRocket, each tuned over the same grid (here more is better)")
    tuned = Tuned(place)
    for factors in SEARCHED[: 1 if place.quick else None]:
        (their_point, there), (our_point, here) = (tuned.best(s, factors) for s in (sides.implicit, sides.ours))
        note = "; ".join(
            f"{name}: confidence {confidence:.0f}, regularization {regularization}"
            for name, (confidence, regularization) in (("implicit", their_point), ("clickrec", our_point))
        )
        for measure, theirs, ours in zip(("HR@20", "MRR@20"), there, here, strict=True):
            report.row(f"{factors} factors: {measure}", theirs, ours, "%", note)


SECTIONS = {
    "als-retailrocket": als_retailrocket,
    "als-synthetic": als_synthetic,
    "spark": spark,
    "top": top,
    "single": single,
    "quality": tuning,
}
