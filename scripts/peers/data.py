"""The matrices that all sides read, each in one file of little-endian `u32`: users, items, pairs, where each user's
items start (users + 1), and the items of one user after another. Every pair has weight 1."""

import gzip
import os

import numpy

SEED = 42
TOPICS = 1_000
"""A user likes a few of them, so that the synthetic pairs have something to be learned."""


def write(path, users, items, keys):
    """Writes the pairs of `keys`: user · items + item, ascending, each once."""
    starts = numpy.searchsorted(keys, numpy.arange(users + 1, dtype="uint64") * numpy.uint64(items))
    with open(path + ".new", "wb") as file:
        numpy.array([users, items, len(keys)], "uint32").tofile(file)
        starts.astype("uint32").tofile(file)
        (keys % numpy.uint64(items)).astype("uint32").tofile(file)
    os.replace(path + ".new", path)


def read(path):
    """Users, items, and the compressed rows: views of the one array in memory."""
    numbers = numpy.fromfile(path, "uint32").view("int32")
    users, items = int(numbers[0]), int(numbers[1])
    return users, items, numbers[3 : users + 4], numbers[users + 4 :]


def sessions(folder):
    """RetailRocket's training sessions: the items of each, in order, renumbered from 0; and the numbers."""
    numbers, found = {}, {}
    with gzip.open(os.path.join(folder, "retailrocket", "train.csv.gz"), "rt") as lines:
        next(lines)
        for line in lines:
            session, _, item = line.strip().split(",")
            found.setdefault(session, []).append(numbers.setdefault(item, len(numbers)))
    return list(found.values()), numbers


def tests(folder, numbers):
    """RetailRocket's test rows: the items of each prefix that training knows, and the target, -1 if it does not."""
    with gzip.open(os.path.join(folder, "retailrocket", "test.csv.gz"), "rt") as lines:
        next(lines)
        rows = [line.strip().split(",") for line in lines]
    return [
        ([numbers[item] for item in prefix.split() if item in numbers], numbers.get(target, -1))
        for _, prefix, target in rows
    ]


def of_sessions(path, lists, items):
    """The pairs of these sessions, each once."""
    keys = [session * items + item for session, visited in enumerate(lists) for item in visited]
    write(path, len(lists), items, numpy.unique(numpy.array(keys, "uint64")))
    return path


def zipf(random, n, shift):
    """Ranks below `n`, the `r`-th about as often as 1 / (r + shift)."""
    ranks = shift * ((n + shift) / shift) ** random - shift
    return numpy.minimum(ranks, n - 1).astype("uint32")


def synthetic(path, users, items, pairs):
    """Power-law users and items; two of three pairs are of one of the user's three topics. Kept for the next run."""
    if os.path.exists(path):
        return path
    generator = numpy.random.default_rng(SEED)
    lengths = numpy.minimum((1 - generator.random(users)) ** (-1 / 1.5), 1_000)
    # Pairs that come twice count once: draw more than are wanted, and leave out some of the rest.
    lengths = numpy.ceil(lengths * (1.6 * pairs / lengths.sum())).astype("int64")
    user = numpy.repeat(numpy.arange(users, dtype="uint64"), lengths)
    topics = generator.integers(TOPICS, size=(users, 3), dtype="uint32")
    topic = topics[user, generator.integers(3, size=len(user), dtype="uint8")]
    ranks = zipf(generator.random(len(user), "float32"), items // TOPICS, 3) * numpy.uint32(TOPICS) + topic
    anywhere = generator.random(len(user), "float32") < 1 / 3
    ranks[anywhere] = zipf(generator.random(anywhere.sum(), "float32"), items, 50)
    item = generator.permutation(items)[ranks]
    keys = numpy.unique(user * numpy.uint64(items) + item.astype("uint64"))
    _, first = numpy.unique(keys // numpy.uint64(items), return_index=True)  # Every user keeps one.
    spare = generator.permutation(numpy.delete(numpy.arange(len(keys)), first))
    write(path, users, items, numpy.delete(keys, spare[: max(0, len(keys) - pairs)]))
    return path


def enlarged(case, path, total):
    """The case with so many items: a trained model's again and again, each copy turned and stretched a little."""
    users, items, _, _ = read(case["matrix"])
    values = numpy.fromfile(case["model"], "float32").reshape(users + items, -1)
    generator = numpy.random.default_rng(SEED)
    copies = values[users + numpy.arange(total - items) % items]
    turn = generator.standard_normal(copies.shape, "float32") * numpy.float32(0.3 / copies.shape[1] ** 0.5)
    stretch = numpy.exp(0.3 * generator.standard_normal((len(copies), 1), "float32"))
    copies = (copies + numpy.linalg.norm(copies, axis=1, keepdims=True) * turn) * stretch
    numbers = numpy.fromfile(case["matrix"], "uint32")
    numbers[1] = total
    numbers.tofile(path)
    with open(path + "-model", "wb") as file:
        values.tofile(file)
        copies.tofile(file)
    return {**case, "matrix": path, "model": path + "-model"}
