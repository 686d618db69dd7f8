"""What was found in some pictures, as one HTML file that needs no other."""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

from anomalylib.deploy.inspect import UNREADABLE, Finding, as_table
from anomalylib.deploy.saving import Card
from anomalylib.detectors.base import Detector
from anomalylib.files import written_whole
from anomalylib.images.category import resize

SHOWN = 40
"""Pictures that are shown; the table has all."""
RULES = {
    "MeanPlusSigma": "mean + {sigma:g}σ of the normal scores",
    "Quantile": "{share:.0%} quantile of the normal scores",
    "Conformal": "conformal, at most {alpha:.0%} false alarms",
}
"""What a threshold rule is called, by its class."""
COLUMNS = "From the left: the picture as the detector saw it, the anomaly map over it, the "
COLUMNS += "normal picture that is most like it."
HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
"""
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.45 system-ui, sans-serif; max-width: 72rem; margin: auto; padding: 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .2rem .7rem .2rem 0; text-align: left; vertical-align: top; }
tr { border-bottom: 1px solid #8884; }
.wide { overflow-x: auto; }
.anomalous, .unreadable { color: #d00000; font-weight: 600; }
@media (prefers-color-scheme: dark) { .anomalous, .unreadable { color: #ff7b72; } }
figure { display: inline-block; margin: 0 1rem 1.2rem 0; vertical-align: top; max-width: 100%; }
figure img { width: 12rem; max-width: 31%; vertical-align: top; }
figcaption { max-width: 36rem; overflow-wrap: anywhere; }
"""


def write_report(detector: Detector, findings: Sequence[Finding], path: Path) -> Path:
    """Write the findings as a page: a table of all, pictures of the highest scores.

    Parameters
    ----------
    detector : Detector
        What has judged.
    findings : sequence of Finding
    path : Path
        By custom ``….html``.

    Returns
    -------
    Path
        `path`.
    """
    order = sorted(findings, key=lambda found: (found.decision != UNREADABLE, -found.score))
    shown = [found for found in order if found.picture is not None][:SHOWN]
    body = [
        f"<h1>{summary(findings)}</h1>",
        f"<p>{html.escape(about(detector.card_))}</p>",
        f"<p>{COLUMNS}</p>",
        *(_figure(detector, found) for found in shown),
        '<h2>All pictures</h2><div class="wide">',
        _table(findings),
        "</div>",
    ]
    title = f"<title>{summary(findings)}</title>"
    head = f"{HEAD}{title}<style>{STYLE}</style>"
    with written_whole(path) as beside:
        beside.write_text(f"{head}{''.join(body)}", encoding="utf-8")
    return path


def summary(findings: Sequence[Finding]) -> str:
    """How many of which decision, in one line."""
    decisions = [found.decision for found in findings]
    counts = {name: decisions.count(name) for name in ("anomalous", "normal", "unreadable")}
    said = [f"{count} {name}" for name, count in counts.items() if count or name != "unreadable"]
    return f"{len(findings)} pictures: {', '.join(said)}"


def about(card: Card) -> str:
    """The detector, its threshold and what it has learned from, in a sentence or two."""
    rule = RULES[card.rule["name"]].format(**card.rule)
    backbone = f" on {card.backbone['name']}" if card.backbone else ""
    return (
        f"Detector: {card.arm.replace('_', ' ')}{backbone}, {len(card.images)} normal images "
        f"(SHA-256 {card.fingerprint[:12]}…). A score above {card.threshold:.4g} is called "
        f"anomalous ({rule}). A picture called normal is one like those, "
        "which is no proof that the part is sound."
    )


def overlay(found: Finding) -> np.ndarray:
    """The anomaly map in colour over the grey picture, (S, S, 3) `uint8`.

    Black is 0, the brightest twice the threshold or more.
    """
    side = len(found.picture)
    level = np.clip(found.map / (2 * found.threshold), 0, 1)  # (H, W)
    colour = matplotlib.colormaps["magma"](level)[..., :3]  # (H, W, 3)
    large = resize((colour * 255).astype(np.uint8), side)
    grey = found.picture.mean(axis=-1, keepdims=True)
    return (0.3 * grey + 0.7 * large).astype(np.uint8)


def nearest_picture(detector: Detector, found: Finding) -> np.ndarray:
    """The small copy of the training image that is most like it, (s, s, 3) `uint8`."""
    return detector.nominal_pictures_[detector.card_.images.index(found.nearest)]


def _figure(detector: Detector, found: Finding) -> str:
    """Picture, map and nearest training image side by side."""
    name = html.escape(found.path.name)
    images = [_img(found.picture, f"{name} as the detector saw it")]
    if found.map.size > 1:
        images.append(_img(overlay(found), f"anomaly map over {name}, bright where anomalous"))
    nearest = html.escape(found.nearest)
    images.append(_img(nearest_picture(detector, found), f"{nearest}, the nearest normal image"))
    said = f'<b class="{found.decision}">{found.decision}</b>, score {found.score:.4g}'
    caption = f"{name}: {said}; nearest normal image: {nearest}"
    return f"<figure>{' '.join(images)}<figcaption>{caption}</figcaption></figure>"


def _img(picture: np.ndarray, alt: str) -> str:
    held = io.BytesIO()
    Image.fromarray(picture).save(held, "JPEG", quality=88)
    data = base64.b64encode(held.getvalue()).decode()
    return f'<img alt="{alt}" src="data:image/jpeg;base64,{data}">'


def _table(findings: Sequence[Finding]) -> str:
    table = as_table(findings).drop(columns="threshold")
    return table.to_html(index=False, border=0, na_rep="–", float_format="{:.4g}".format)
