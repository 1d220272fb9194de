"""How well item factors tell the next item: the same code for whoever trained them."""

import numpy

TOP = 20
BATCH = 512


def users(items, prefixes, regularization, confidence):
    """The exact factors of users with these items, by Woodbury's identity: a system as large as the prefix is long."""
    items = items.astype("float64")
    gramian = items.T @ items + regularization * numpy.eye(items.shape[1])
    solved = numpy.linalg.solve(gramian, items.T).T
    found = numpy.zeros((len(prefixes), items.shape[1]), "float32")
    distinct = [sorted(set(prefix)) for prefix in prefixes]
    lengths = numpy.array([len(prefix) for prefix in distinct])
    for length in numpy.unique(lengths[lengths > 0]):
        of_length = numpy.flatnonzero(lengths == length)
        for rows in numpy.array_split(of_length, -(-len(of_length) * length // 10_000)):
            chosen = numpy.array([distinct[row] for row in rows])
            products = items[chosen] @ solved[chosen].transpose(0, 2, 1)
            system = numpy.eye(length) + (confidence - 1) * products
            weights = numpy.linalg.solve(system, numpy.full((len(rows), length, 1), confidence))
            found[rows] = (solved[chosen].transpose(0, 2, 1) @ weights)[:, :, 0]
    return found


def quality(items, rows, regularization, confidence):
    """HR@20 and MRR@20 in percent over all items, those of the prefix among them; equal scores count against us."""
    prefixes, targets = zip(*rows, strict=True)
    found, targets = users(items, prefixes, regularization, confidence), numpy.array(targets)
    ranks = numpy.full(len(rows), numpy.inf)
    known = numpy.flatnonzero(targets >= 0)
    for batch in numpy.array_split(known, -(-len(known) // BATCH)):
        scores = found[batch] @ items.T
        own = scores[numpy.arange(len(batch)), targets[batch]]
        ranks[batch] = (scores >= own[:, None]).sum(axis=1)
    hits = ranks <= TOP
    return 100 * hits.mean(), 100 * (hits / ranks).mean()
