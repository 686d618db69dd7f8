"""The part in your hand: images scored by a fitted detector."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from anomalylib.detectors.base import Detector
from anomalylib.detectors.blocks import joined
from anomalylib.errors import UserError
from anomalylib.images.category import resize
from anomalylib.images.folders import files_below
from anomalylib.images.reading import has_checksums, read_image

AT_ONCE = 8  # images in memory at a time
SAME = 1e-3  # distance to a training image below which an image shows the same
ANOMALOUS, NORMAL, UNREADABLE = "anomalous", "normal", "unreadable"


@dataclass(frozen=True)
class Finding:
    """What a detector says of one image."""

    path: Path
    decision: str  # "anomalous", "normal", or "unreadable": then there is only a `reason`
    score: float = np.nan
    threshold: float = np.nan
    nearest: int = -1  # number of the training image that is most like it, in the gallery
    nearest_name: str = ""
    # to the nearest, in units of the largest such distance among the training images themselves:
    # far above 1 it is another kind of image
    distance: float = np.nan
    checked: bool = False  # whether the file's own checksums say that it is undamaged
    image: np.ndarray | None = None  # (S, S, 3), as the detector saw it, uint8
    map: np.ndarray | None = None  # (H, W), how anomalous each place is
    reason: str = ""

    @property
    def row(self) -> dict:
        """Its numbers and words, without arrays."""
        numbers = {"score": self.score, "threshold": self.threshold, "distance": self.distance}
        return {
            "image": str(self.path),
            "decision": self.decision,
            **{name: None if np.isnan(v) else float(v) for name, v in numbers.items()},
            "nearest": self.nearest_name,
            "checked": self.checked,
            "reason": self.reason,
        }


def images_of(given: Iterable[str | Path]) -> list[Path]:
    """The files that files and folders name, in that order, also those in folders inside.

    Whatever lies there is to be scored; what turns out to be no image is a finding too.
    """
    paths: list[Path] = []
    for path in map(Path, given):
        inside = files_below(path) if path.is_dir() else [path]
        if not inside:
            raise UserError(f"no images in {path}: give images or folders of them")
        if not path.exists():
            raise UserError(f"nothing at {path}: give images or folders of them")
        paths += inside
    if not paths:
        raise UserError("no image given: name files or folders")
    return list(dict.fromkeys(paths))


def inspect(detector: Detector, given: Iterable[str | Path]) -> list[Finding]:
    """Score images, in the order given; one that cannot be read is a finding too.

    Parameters
    ----------
    detector : Detector
        Fitted or loaded.
    given : iterable of str or Path
        Files, or folders of them.

    Raises
    ------
    UserError
        If a file or folder is not there.
    """
    paths = images_of(given)
    findings: list[Finding] = []
    with tqdm(total=len(paths), desc="inspecting", unit="image", disable=len(paths) < 2) as bar:
        for start in range(0, len(paths), AT_ONCE):
            some = paths[start : start + AT_ONCE]
            findings += scored(detector, some)
            bar.update(len(some))
    return findings


def as_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """One row an image: first those that cannot be read, then by falling score."""
    return pd.DataFrame([finding.row for finding in by_score(findings)])


def by_score(findings: Sequence[Finding]) -> list[Finding]:
    """First those that cannot be read, then by falling score."""
    return sorted(findings, key=lambda each: (each.decision != UNREADABLE, -each.score))


def as_json(findings: Sequence[Finding]) -> str:
    """The findings as a JSON array, in the order given."""
    return json.dumps([finding.row for finding in findings], indent=1, ensure_ascii=False)


def summary(findings: Sequence[Finding]) -> str:
    """How many of which decision, in one line."""
    decisions = [finding.decision for finding in findings]
    counts = {name: decisions.count(name) for name in (ANOMALOUS, NORMAL, UNREADABLE)}
    parts = [f"{count} {name}" for name, count in counts.items() if count or name != UNREADABLE]
    return f"{len(findings)} images: {', '.join(parts)}"


def scored(detector: Detector, paths: Sequence[Path]) -> list[Finding]:
    """Score as many files as fit into memory: the backbone sees each image once."""
    findings: dict[Path, Finding] = {}
    images: dict[Path, np.ndarray] = {}
    for path in paths:
        try:
            images[path] = resize(read_image(path, detector.bits_), detector.side)
        except UserError as error:
            findings[path] = Finding(path, UNREADABLE, reason=str(error))
    if images:
        inputs = detector.prepare(detector.checked(list(images.values())))
        maps = joined(detector.maps(inputs), len(images))  # (n, H, W)
        scores = detector.score_maps(maps)
        gallery = detector.gallery()
        scored = zip(images, maps, scores, detector.vectors(inputs), strict=True)
        for path, anomaly_map, score, vector in scored:
            nearest, distance = gallery.nearest(vector)
            findings[path] = Finding(
                path=path,
                decision=ANOMALOUS if score > detector.threshold_ else NORMAL,
                score=float(score),
                threshold=detector.threshold_,
                nearest=nearest,
                nearest_name=gallery.names[nearest],
                distance=distance,
                checked=has_checksums(path),
                image=images[path],
                map=anomaly_map,
            )
    return [findings[path] for path in paths]
