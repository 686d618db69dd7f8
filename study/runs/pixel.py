"""How well the maps of a run find the place, with intervals over images; and maps to look at."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.ndimage import label as connected_regions

from anomalylib.images.category import Category
from anomalylib.metrics.intervals import LEVEL, RESAMPLES
from anomalylib.metrics.pixel import EIGHT, FPR_LIMIT, SIZE, enlarge
from study.runs.experiment import Experiment
from study.runs.measurement import Run

BINS = 1500  # of map values, of normal and of anomalous pixels each
SHOWN = 32  # cells a side; of a finer map the largest value of each cell is kept
BRIGHT = 2  # thresholds that the brightest value of a kept map stands for


def pixel_rows(experiment: Experiment, runs: Sequence[Run], category: Category) -> pd.DataFrame:
    """Pixel AUROC and AU-PRO of a category's runs, with the ends of their 95 % intervals."""
    masks = [category.test.mask(i, SIZE) for i in range(len(category.test))]
    if any(mask is None for mask in masks) or not any(category.test.labels):
        return pd.DataFrame()
    truth = np.stack(masks)  # (N, S, S)
    rows = []
    for run in [run for run in runs if run.category == category.name]:
        maps = experiment.maps(run)
        if maps[0].size > 1:
            which = run.model_dump(include={"category", "variant", "model", "backbone", "seed"})
            rows.append(which | pixel_intervals(enlarge(maps), truth))
    return pd.DataFrame(rows)


def pixel_intervals(maps: np.ndarray, masks: np.ndarray) -> dict[str, float]:
    """Pixel AUROC and AU-PRO of maps and masks (N, S, S), bootstrapped over images.

    Images are drawn anew among those with a defect and among those without. Map values are
    counted in bins that hold about as many pixels each, so that a draw is a sum of counts.
    """
    normal, anomalous = maps[~masks], maps[masks]
    shares = np.linspace(0, 1, BINS)
    edges = np.unique([np.quantile(each, shares) for each in (normal, anomalous)])
    places = np.searchsorted(edges, maps)  # (N, S, S)
    counted = np.zeros((3, len(maps), len(edges) + 1))  # normal, anomalous, by region
    for i, (place, mask) in enumerate(zip(places, masks, strict=True)):
        regions, _ = connected_regions(mask, structure=EIGHT)
        weights = 1 / np.bincount(regions.ravel())[regions[mask]]
        size = len(edges) + 1
        counted[0, i] = np.bincount(place[~mask], minlength=size)
        counted[1, i] = np.bincount(place[mask], minlength=size)
        counted[2, i] = np.bincount(place[mask], weights, minlength=size)
    random, drawn = np.random.default_rng(0), np.zeros((RESAMPLES + 1, len(maps)))
    drawn[0] = 1  # as they are
    touched = masks.any(axis=(1, 2))
    for these in (np.flatnonzero(touched), np.flatnonzero(~touched)):
        if len(these):
            even = np.full(len(these), 1 / len(these))
            drawn[1:, these] = random.multinomial(len(these), even, RESAMPLES)
    false, true, overlap = (_shares(drawn @ each) for each in counted)  # (R + 1, bins + 1)
    found = {}
    for name, rates, limit in (("pixel_auroc", true, 1.0), ("aupro", overlap, FPR_LIMIT)):
        areas = np.array([_area(x, y, limit) for x, y in zip(false, rates, strict=True)])
        low, high = np.quantile(areas[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found |= {name: areas[0], f"{name}_low": low, f"{name}_high": high}
    return found


def _shares(counts: np.ndarray) -> np.ndarray:
    """The share above each edge, from the highest down, beginning with 0: (R, bins + 1)."""
    above = np.cumsum(counts[:, ::-1], axis=1)
    return np.pad(above / above[:, -1:], ((0, 0), (1, 0)))


def _area(x: np.ndarray, y: np.ndarray, limit: float) -> float:
    """The area under a curve up to a limit, as a share of the limit."""
    inside = x <= limit
    ends = np.append(x[inside], limit), np.append(y[inside], np.interp(limit, x, y))
    return float(np.trapezoid(ends[1], ends[0]) / limit)


def kept_maps(
    experiment: Experiment, runs: Sequence[Run], category: Category
) -> dict[str, np.ndarray]:
    """Maps of all test images (N, H, W), sorted by name, in bytes: 255 is twice the threshold.

    By ``<category> <model>``, with the scores of the same run as ``<category> <model> scores``.
    """
    order, kept = np.argsort(category.test.names), {}
    for run in [run for run in runs if run.category == category.name]:
        maps, result = experiment.maps(run)[order], experiment.load(run).result
        if maps[0].size == 1:
            continue
        if (fine := maps.shape[-1] // SHOWN) > 1:
            cells = maps.reshape(len(maps), SHOWN, fine, SHOWN, fine)
            maps = cells.max(axis=(2, 4))  # (N, H, W)
        name = f"{run.category} {run.model}"
        bright = np.clip(maps / (BRIGHT * result.threshold), 0, 1)
        kept[name] = np.round(255 * bright).astype(np.uint8)
        kept[f"{name} scores"] = np.array(result.scores, dtype=np.float32)[order]
    return kept
