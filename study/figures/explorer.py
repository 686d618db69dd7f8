"""A histogram whose red line the reader moves: its data; `book/_static/explorer.js` draws it."""

import jinja2
import numpy as np
import pandas as pd
from IPython.display import HTML

from study.figures.style import COLOURS, bins
from study.names import MEASURED, plain
from study.tables.reference import RULES, of_model, seed_zero

START = MEASURED.index("combined")
"""The panel that is shown first: the report's model on the first category."""


def panels(scores: pd.DataFrame, nominal: pd.DataFrame, backbone: str) -> list[dict]:
    """What one histogram needs, for every category and model, of seed 0.

    ``name``, ``colour``, ``scores`` and ``labels`` of the test images, ``edges`` of
    the bins, whether the scale is ``log``, and the report's ``threshold``.
    """
    made = []
    for category in scores.category.unique():
        for model in MEASURED:
            which = {"category": category} | of_model(model, backbone)
            labels, values, _, threshold = seed_zero(scores, nominal, RULES[0], **which)
            edges, scale = bins(np.append(values, threshold))
            panel = {"name": f"{plain(category)}, {plain(model)}", "colour": COLOURS[model]}
            panel |= {"scores": _short(values), "labels": labels.tolist()}
            panel |= {"edges": _short(edges), "log": scale == "log"}
            made.append(panel | {"threshold": float(f"{threshold:.6g}")})
    return made


def explorer(scores: pd.DataFrame, nominal: pd.DataFrame, backbone: str) -> HTML:
    """The histogram, a choice of category and model, and a slider for the threshold."""
    loader = jinja2.PackageLoader("study.figures", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True)
    template = environment.get_template("explorer.html.j2")
    return HTML(template.render(panels=panels(scores, nominal, backbone), start=START))


def _short(values: np.ndarray) -> list[float]:
    """Six digits are more than a figure shows."""
    return [float(f"{value:.6g}") for value in values]
