"""The method, entry by entry, in plain Python: the reference of every loss and determination."""

import math
from dataclasses import dataclass


@dataclass
class Anchor:
    """c_ip of an anchor and c_ij of its negatives by column."""

    positive: float
    negatives: dict[int, float]


def unit(rows):
    return [[x / (math.sqrt(sum(y * y for y in row)) or 1) for x in row] for row in rows.tolist()]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def in_batch(view1, view2):
    rows, n = unit(view1) + unit(view2), len(view1)
    anchors = []
    for i, row in enumerate(rows):
        p = (i + n) % (2 * n)
        anchors.append(Anchor(dot(row, rows[p]), {j: dot(row, rows[j]) for j in range(2 * n) if j not in (i, p)}))
    return anchors


def with_queue(query, key, queue, excluded=None):
    queries, keys, places = unit(query), unit(key), unit(queue)
    return [
        Anchor(
            dot(q, k),
            {j: dot(q, place) for j, place in enumerate(places) if excluded is None or not excluded[i][j]},
        )
        for i, (q, k) in enumerate(zip(queries, keys, strict=True))
    ]


def distance(anchor, j, tau):
    return abs(math.exp(anchor.negatives[j] / tau) - math.exp(anchor.positive / tau))


def released(anchors, tau):
    d = {(i, j): 3.0 for i in range(len(anchors)) for j in range(len(anchors))}
    for i, anchor in enumerate(anchors):
        d.update({(i, j): distance(anchor, j, tau) for j in anchor.negatives if j > i})
    least = min(d.values())
    return [{j for j in anchor.negatives if d[i, j] == least} for i, anchor in enumerate(anchors)]


def batch_nearest(anchors, tau):
    least = min((distance(anchor, j, tau) for anchor in anchors for j in anchor.negatives), default=0)
    return [{j for j in anchor.negatives if distance(anchor, j, tau) == least} for anchor in anchors]


def anchor_nearest(anchors, tau, k=1, floor=-2):
    found = []
    for anchor in anchors:
        eligible = [j for j, c in anchor.negatives.items() if c >= floor]
        found.append(set(sorted(eligible, key=lambda j, anchor=anchor: distance(anchor, j, tau))[:k]))
    return found


def most_similar(anchor, k):
    return sorted(anchor.negatives, key=lambda j: -anchor.negatives[j])[:k]


def margin(anchors, tau, margin=0.1, max_pairs=5):
    return [{j for j in most_similar(a, max_pairs) if a.negatives[j] >= a.positive - margin} for a in anchors]


def topk(anchors, tau, k=5, floor=0.7):
    return [{j for j in most_similar(a, k) if a.negatives[j] > floor} for a in anchors]


def mutual(anchors, tau, k=5):
    near = [most_similar(anchor, k) for anchor in anchors]
    return [{j for j in near[i] if i in near[j]} for i in range(len(anchors))]


def oracle(anchors, row_labels, column_labels):
    return [{j for j in a.negatives if column_labels[j] == row_labels[i]} for i, a in enumerate(anchors)]


def overlap(a, b):
    return sum(min(x, y) for x, y in zip(a, b, strict=True))


def agreement(a, b):
    return 1 - sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a)


def evidence(anchors, row_shares, column_shares, level, most=None, compare=overlap):
    found = []
    for a, row in zip(anchors, row_shares, strict=True):
        shared = [j for j in a.negatives if compare(row, column_shares[j]) > level]
        found.append(set(sorted(shared, key=lambda j, a=a: -a.negatives[j])[:most]))
    return found


def gap(a, b):
    """Between two windows (raster, top, left, bottom, right) of one raster; negative where they overlap."""
    return max(max(b[1] - a[3], a[1] - b[3]), max(b[2] - a[4], a[2] - b[4]))


def place(anchors, rows, columns, distance):
    return [
        {j for j in a.negatives if row[0] == columns[j][0] and 0 <= gap(row, columns[j]) <= distance}
        for a, row in zip(anchors, rows, strict=True)
    ]


def other_place(anchors, rows, columns, distance):
    return [
        {j for j in a.negatives if row[0] != columns[j][0] or gap(row, columns[j]) > distance}
        for a, row in zip(anchors, rows, strict=True)
    ]


def nearest_features(anchors, features, k):
    rows = unit(features)
    return [
        set(sorted(a.negatives, key=lambda j, row=row: -dot(row, rows[j]))[:k])
        for a, row in zip(anchors, rows, strict=True)
    ]


def of_rules(anchors, tau, rules):
    for rule in rules:
        arguments = dict(rule)
        yield globals()[arguments.pop('type')](anchors, tau, **arguments)


def all_of(anchors, tau, rules):
    return [set.intersection(*found) for found in zip(*of_rules(anchors, tau, rules), strict=True)]


def any_of(anchors, tau, rules):
    return [set.union(*found) for found in zip(*of_rules(anchors, tau, rules), strict=True)]


def gated(found, anchors, threshold):
    return [f if anchor.positive >= threshold else set() for f, anchor in zip(found, anchors, strict=True)]


def false_loss(anchors, found, tau, alpha, floor=None, graded=None):
    """Section 2 of the method; with a floor the confidence grows with the pair's cosine, or it is graded[i][j]."""
    losses = []
    for i, (a, f) in enumerate(zip(anchors, found, strict=True)):
        e = {j: math.exp(c / tau) for j, c in a.negatives.items()}
        share = dict.fromkeys(e, alpha)
        if graded is not None:
            share = {j: alpha * graded[i][j] for j in e}
        if floor is not None:
            for j, c in a.negatives.items():
                grown = (c - floor) / (a.positive - floor) if a.positive > floor else float(c > floor)
                share[j] = alpha * min(1, max(0, grown))
        positive = math.exp(a.positive / tau) + sum(share[j] * e[j] for j in f)
        negative = sum(e[j] for j in e if j not in f) + sum((1 - share[j]) * e[j] for j in f)
        losses.append(-math.log(positive / (positive + negative)))
    return sum(losses) / len(losses)


def elimination(anchors, found, tau):
    losses = []
    for a, f in zip(anchors, found, strict=True):
        negative = sum(math.exp(c / tau) for j, c in a.negatives.items() if j not in f)
        losses.append(-math.log(math.exp(a.positive / tau) / (math.exp(a.positive / tau) + negative)))
    return sum(losses) / len(losses)


def attraction(anchors, found, tau):
    losses = []
    for a, f in zip(anchors, found, strict=True):
        everybody = math.exp(a.positive / tau) + sum(math.exp(c / tau) for c in a.negatives.values())
        attracted = [a.positive / tau] + [a.negatives[j] / tau for j in f]
        losses.append(math.log(everybody) - sum(attracted) / len(attracted))
    return sum(losses) / len(losses)


def debiased(anchors, tau, tau_plus=0.1, beta=0.0):
    losses = []
    for a in anchors:
        m, e_positive = len(a.negatives), math.exp(a.positive / tau)
        e = [math.exp(c / tau) for c in a.negatives.values()]
        mean = sum(x**beta for x in e) / m if m else 1
        weighted = sum(x**beta / mean * x for x in e)
        least = m * math.exp(-1 / tau)
        corrected = max((-tau_plus * m * e_positive + weighted) / (1 - tau_plus), least)
        losses.append(-math.log(e_positive / (e_positive + corrected)))
    return sum(losses) / len(losses)
