"""The tables of the chapter on one's own parts."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from anomalylib.detectors.thresholds import Conformal, MeanPlusSigma
from study.tables.results import Result


def tree(root: Path) -> str:
    """The folders below `root`, with how many images of which formats each holds."""
    lines = [f"{root.name}/"]
    for folder in sorted(path for path in root.rglob("*") if path.is_dir()):
        indent = "  " * len(folder.relative_to(root).parts)
        suffixes = [path.suffix for path in folder.iterdir() if path.is_file()]
        counts = [f"{suffixes.count(suffix)} {suffix}" for suffix in sorted(set(suffixes))]
        lines.append(f"{indent}{folder.name}/".ljust(26) + ", ".join(counts))
    return "\n".join(line.rstrip() for line in lines)


def normal_part(result: Result) -> Result:
    """The result as if no anomalous image had been given."""
    keep = [number for number, label in enumerate(result.labels) if label == 0]
    lists = ("names", "defect_types", "labels", "scores", "mean_grey")
    return result.model_copy(
        update={name: [getattr(result, name)[number] for number in keep] for name in lists}
    )


def choices(nominal: np.ndarray, held_out: np.ndarray, sigma: float) -> pd.DataFrame:
    """Thresholds by two rules: from training scores (N,), and from held-out ones (M,)."""
    rules = MeanPlusSigma(sigma=sigma).fit(nominal), Conformal(alpha=0.05).fit(held_out)
    thresholds = [rule.threshold_ for rule in rules]
    normal = f"{stats.norm.sf(sigma):.2%}, if scores are normally distributed"
    above = [f"{(held_out > threshold).sum()} of {len(held_out)}" for threshold in thresholds]
    return pd.DataFrame(
        {
            "rule": [f"mean + {sigma:g}σ, training images", "conformal 5 %, held-out images"],
            "threshold": thresholds,
            "promised false alarms": [normal, "at most 5 %, if new images are like these"],
            "held-out images above it": above,
        }
    )
