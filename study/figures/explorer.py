"""A histogram whose red line the reader moves, and the anomaly map of the image they click.

`book/_static/explorer.js` draws it from the data made here.
"""

import base64
from collections.abc import Mapping
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from IPython.display import HTML

from study.figures.style import COLOURS, bins
from study.names import MODELS, REPORTED, label, plain
from study.tables.reference import RULES, of_model, seed_zero, select

START = plain(REPORTED[0])
"""The category that is shown first, with the report's combined model."""


def panels(
    scores: pd.DataFrame,
    nominal: pd.DataFrame,
    maps: Mapping[str, np.ndarray],
    backbone: str,
) -> list[dict[str, Any]]:
    """What one histogram needs, for every category and model, of seed 0.

    ``category``, ``model``, ``colour``, ``scores`` and ``labels`` of the test images, ``edges``
    of the bins, whether the scale is ``log``, the report's ``threshold``, and, where `maps` has
    them, the ``maps`` as base64 of bytes, 255 for twice the threshold, with their ``side``.
    """
    made = []
    for category in scores.category.unique():
        for model in MODELS:
            which = {"category": category} | of_model(model, backbone)
            labels, values, _, threshold = seed_zero(scores, nominal, RULES[0], **which)
            edges, scale = bins(np.append(values, threshold))
            panel = {"category": plain(category), "model": label(model), "colour": COLOURS[model]}
            panel |= {"scores": _short(values), "labels": labels.tolist()}
            panel |= {"edges": _short(edges), "log": scale == "log"}
            panel["threshold"] = float(f"{threshold:.6g}")
            if (name := f"{category} {model}") in maps:
                panel["side"] = maps[name].shape[-1]
                panel["maps"] = base64.b64encode(maps[name].tobytes()).decode()
            made.append(panel)
    return made


def images(scores: pd.DataFrame) -> dict[str, list[str]]:
    """The test images of each category by name, sorted as the scores of `panels` are."""
    plain_ones = select(scores, variant="plain", model=MODELS[0], seed=0)
    names = plain_ones.sort_values("image").groupby("category").image
    return {plain(category): own.str[5:-4].tolist() for category, own in names}  # test/….png


def explorer(
    scores: pd.DataFrame, nominal: pd.DataFrame, maps: Mapping[str, np.ndarray], backbone: str
) -> HTML:
    """The histogram with a slider for the threshold, a choice of test image, and its map."""
    loader = jinja2.PackageLoader("study.figures", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True)
    template = environment.get_template("explorer.html.j2")
    made = panels(scores, nominal, maps, backbone)
    return HTML(template.render(panels=made, images=images(scores), start=START))


def _short(values: np.ndarray) -> list[float]:
    """Six digits are more than a figure shows."""
    return [float(f"{value:.6g}") for value in values]
