"""What the committed tables are compared with: AUROC and thresholds by formulas of the tests."""

import math

import numpy as np
from scipy import stats


def by_group(table, group, score):
    """Labels (N,) and scores (S, N) of every group, one row a seed, images in one order."""
    ordered = table.sort_values([*group, "seed", "image"])
    for key, rows in ordered.groupby(group, sort=False):
        scores = rows[score].to_numpy().reshape(rows.seed.nunique(), -1)
        yield key, rows.label.to_numpy()[: scores.shape[1]], scores


def rank_auroc(labels, scores):
    """AUROC of each row (S,) from the sum of the anomalous images' ranks."""
    count = labels.sum()
    ranks = stats.rankdata(scores, axis=1)[:, labels == 1].sum(axis=1)
    return (ranks - count * (count + 1) / 2) / (count * (len(labels) - count))


def threshold(rule, scores):
    """What a rule of that name learns from scores of normal images."""
    scores = np.sort(scores)
    if rule.startswith("mean"):
        return scores.mean() + 3 * scores.std()
    if rule.startswith("99"):
        place = 0.99 * (len(scores) - 1)
        below = int(place)
        return scores[below] + (place - below) * (scores[below + 1] - scores[below])
    return scores[math.ceil((len(scores) + 1) * 0.95) - 1]
