"""The part in your hand: pictures judged by a saved detector."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from anomalylib.detectors.base import Detector
from anomalylib.errors import UserError
from anomalylib.images.category import resize
from anomalylib.images.folders import pictures_in
from anomalylib.images.reading import SUFFIXES, has_checksums, read_image

AT_ONCE = 8
"""Pictures in memory at a time."""
ANOMALOUS, NORMAL, UNREADABLE = "anomalous", "normal", "unreadable"


@dataclass(frozen=True)
class Finding:
    """What a detector says of one picture.

    Parameters
    ----------
    path : Path
    decision : str
        ``"anomalous"``, ``"normal"``, or ``"unreadable"``: then `reason` says
        why, and there is nothing else.
    score, threshold : float
        Higher is more anomalous; above the threshold the decision is so.
    nearest : str
        The training image that is most like it.
    distance : float
        To the nearest, in units of the largest such distance among the
        training images themselves: far above 1 it is another kind of picture.
    checked : bool
        Whether the file's own checksums say that it is undamaged.
    picture : ndarray, shape (S, S, 3), uint8
        As the detector saw it.
    map : ndarray, shape (H, W)
        How anomalous each place is.
    reason : str
    """

    path: Path
    decision: str
    score: float = np.nan
    threshold: float = np.nan
    nearest: str = ""
    distance: float = np.nan
    checked: bool = False
    picture: np.ndarray | None = None
    map: np.ndarray | None = None
    reason: str = ""

    @property
    def row(self) -> dict:
        """Its numbers and words, without arrays."""
        numbers = {"score": self.score, "threshold": self.threshold, "distance": self.distance}
        rounded = {name: None if np.isnan(v) else float(v) for name, v in numbers.items()}
        words = {"image": str(self.path), "decision": self.decision}
        known = {"nearest": self.nearest, "checked": self.checked, "reason": self.reason}
        return words | rounded | known


def pictures_of(given: Iterable[str | Path]) -> list[Path]:
    """The pictures that files and folders name, in that order.

    Raises
    ------
    UserError
        If one is not there, or a folder has no pictures.
    """
    found: list[Path] = []
    for path in map(Path, given):
        if path.is_dir():
            inside = pictures_in(path)
            if not inside:
                raise UserError(f"no pictures in {path}: they end in {' '.join(sorted(SUFFIXES))}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise UserError(f"nothing at {path}: give pictures or folders of them")
    if not found:
        raise UserError("no picture given: name files or folders")
    return found


def inspect(detector: Detector, paths: Sequence[Path]) -> list[Finding]:
    """Judge pictures.

    Parameters
    ----------
    detector : Detector
        From `anomalylib.load`.
    paths : sequence of Path

    Returns
    -------
    list of Finding
        In the order given. One that cannot be read is a finding too.
    """
    spread = usual_distance(detector.nominal_vectors_)
    findings: list[Finding] = []
    with tqdm(total=len(paths), desc="inspecting", unit="image", disable=len(paths) < 2) as bar:
        for start in range(0, len(paths), AT_ONCE):
            some = paths[start : start + AT_ONCE]
            findings += _some(detector, some, spread)
            bar.update(len(some))
    return findings


def usual_distance(vectors: np.ndarray) -> float:
    """The largest distance from one of the vectors (N, D) to its nearest other."""
    return float(max(np.delete(_distances(vectors, v), i).min() for i, v in enumerate(vectors)))


def as_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """One row a picture: first those that cannot be read, then by falling score."""
    order = sorted(findings, key=lambda found: (found.decision != UNREADABLE, -found.score))
    return pd.DataFrame([found.row for found in order])


def as_json(findings: Sequence[Finding]) -> str:
    """The findings as a JSON array, in the order given."""
    return json.dumps([found.row for found in findings], indent=1, ensure_ascii=False)


def _some(detector: Detector, paths: Sequence[Path], spread: float) -> list[Finding]:
    """Judge as many as fit into memory."""
    found: dict[Path, Finding] = {}
    pictures: dict[Path, np.ndarray] = {}
    for path in paths:
        try:
            pictures[path] = resize(read_image(path), detector.side)
        except UserError as error:
            found[path] = Finding(path, UNREADABLE, reason=str(error))
    if pictures:
        images = list(pictures.values())
        maps = detector.anomaly_maps(images)
        judged = zip(pictures, maps, detector.score_samples(images), strict=True)
        for vector, (path, each, score) in zip(detector.embed(images), judged, strict=True):
            distances = _distances(detector.nominal_vectors_, vector)
            nearest = int(distances.argmin())
            found[path] = Finding(
                path=path,
                decision=ANOMALOUS if score > detector.threshold_ else NORMAL,
                score=float(score),
                threshold=detector.threshold_,
                nearest=detector.card_.images[nearest],
                distance=float(distances[nearest] / spread) if spread else np.nan,
                checked=has_checksums(path),
                picture=pictures[path],
                map=each,
            )
    return [found[path] for path in paths]


def _distances(vectors: np.ndarray, one: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors - one, axis=1)
