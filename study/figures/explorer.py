"""A histogram whose red line the reader moves: its data; `book/_static/explorer.js` draws it."""

import html
import json

import numpy as np
import pandas as pd
from IPython.display import HTML

from study.figures.style import COLOURS, bins
from study.names import ARMS, plain
from study.tables.reference import RULES, scores_of, select

START = ARMS.index("combined")
"""The panel that is shown first: the report's model on the first category."""


def panels(scores: pd.DataFrame, nominal: pd.DataFrame, backbone: str) -> list[dict]:
    """What one histogram needs, for every category and arm, of seed 0.

    Parameters
    ----------
    scores, nominal : DataFrame
        The tables of those names.
    backbone : str

    Returns
    -------
    list of dict
        ``name``, ``colour``, ``scores`` and ``labels`` of the test images,
        ``edges`` of the bins, whether the scale is ``log``, and the report's
        ``threshold``.
    """
    rule, found = RULES[0], []
    for category in scores.category.unique():
        for arm in ARMS:
            own = {"category": category, "arm": arm}
            own["backbone"] = "" if arm == "autoencoder" else backbone
            labels, values = scores_of(scores, **own)
            learned = select(nominal, seed=0, variant=rule.variant, **own).score.to_numpy()
            threshold = rule.rule.fit(learned).threshold_
            edges, scale = bins(np.append(values[0], threshold))
            panel = {"name": f"{plain(category)}, {plain(arm)}", "colour": COLOURS[arm]}
            panel |= {"scores": _short(values[0]), "labels": labels.tolist()}
            panel |= {"edges": _short(edges), "log": scale == "log"}
            found.append(panel | {"threshold": float(f"{threshold:.6g}")})
    return found


def explorer(scores: pd.DataFrame, nominal: pd.DataFrame, backbone: str) -> HTML:
    """The histogram, a choice of category and arm, and a slider for the threshold.

    Parameters
    ----------
    scores, nominal : DataFrame
    backbone : str
    """
    data = panels(scores, nominal, backbone)
    options = "".join(
        f"<option{' selected' if at == START else ''}>{html.escape(panel['name'])}</option>"
        for at, panel in enumerate(data)
    )
    return HTML(
        f'<div class="explorer" data-panels="{html.escape(json.dumps(data))}">'
        '<p class="explorer-asleep">The slider wakes up in the built book.</p>'
        f'<div hidden><label>Part and arm <select aria-label="part and arm">{options}</select>'
        '</label><svg viewBox="0 0 480 210" role="img"></svg>'
        '<label>Threshold <input type="range" min="0" max="1000" aria-label="threshold"></label>'
        '<button type="button">the report’s threshold</button>'
        '<output aria-live="polite"></output></div></div>'
    )


def _short(values: np.ndarray) -> list[float]:
    """Six digits are more than a picture shows."""
    return [float(f"{value:.6g}") for value in values]
