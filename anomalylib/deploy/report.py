"""What was found in some images, as one HTML file that needs no other."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import jinja2
import matplotlib
import numpy as np
from PIL import Image

from anomalylib.deploy.inspect import Finding, as_table, by_score, summary
from anomalylib.deploy.saving import Card, describe
from anomalylib.detectors.base import Detector
from anomalylib.files import written_whole
from anomalylib.images.category import resize

SHOWN = 40  # images that are shown; the table has all


def write_report(detector: Detector, findings: Sequence[Finding], path: str | Path) -> Path:
    """Write the findings as a page: a table of all, images of the highest scores."""
    path, thumbnails = Path(path), detector.gallery().thumbnails
    shown = [finding for finding in by_score(findings) if finding.image is not None][:SHOWN]
    loader = jinja2.PackageLoader("anomalylib.deploy", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True)
    environment.filters["jpeg"] = _jpeg
    page = environment.get_template("report.html.j2").render(
        title=summary(findings),
        about=about(describe(detector), detector.rule_.origin),
        shown=[(each, overlay(each), thumbnails[each.nearest]) for each in shown],
        table=as_table(findings).drop(columns="threshold"),
    )
    with written_whole(path) as beside:
        beside.write_text(page, encoding="utf-8")
    return path


def about(card: Card, rule: str) -> str:
    """The detector, its threshold and what it has learned from, in a sentence or two."""
    backbone = f" on {card.backbone['name']}" if card.backbone else ""
    remarks = "".join(f" {remark}" for remark in card.remarks)
    return (
        f"Detector: {card.model.replace('_', ' ')}{backbone}, {len(card.images)} normal images "
        f"(SHA-256 {card.fingerprint[:12]}…). A score above {card.threshold:.4g} is called "
        f"anomalous ({rule}). An image called normal is one like those, "
        f"which is no proof that the part is sound.{remarks}"
    )


def overlay(finding: Finding) -> np.ndarray:
    """The anomaly map over the grey image, (S, S, 3) `uint8`; brightest at twice the threshold."""
    side = len(finding.image)
    brightest = max(2 * finding.threshold, np.finfo(np.float32).tiny)
    level = np.clip(finding.map / brightest, 0, 1)  # (H, W)
    colour = matplotlib.colormaps["magma"](level)[..., :3]  # (H, W, 3)
    large = resize((colour * 255).astype(np.uint8), side)
    grey = finding.image.mean(axis=-1, keepdims=True)
    return (0.3 * grey + 0.7 * large).astype(np.uint8)


def _jpeg(image: np.ndarray) -> str:
    """An image as the address of itself."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
