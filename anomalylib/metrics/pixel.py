"""How well anomaly maps find the place: pixel AUROC and AU-PRO against the masks."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import label as connected_regions
from sklearn.metrics import auc, roc_auc_score, roc_curve

SIZE = 256  # side in pixels at which maps and masks are compared
FPR_LIMIT = 0.3
EIGHT = np.ones((3, 3), dtype=int)  # diagonal neighbours belong together


def enlarge(maps: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Maps (N, H, W) brought to (N, size, size), bilinearly."""
    x = torch.from_numpy(np.asarray(maps, dtype=np.float32))[:, None]  # (N, 1, H, W)
    return F.interpolate(x, (size, size), mode="bilinear", align_corners=False)[:, 0].numpy()


def pixel_auroc(maps: np.ndarray, masks: np.ndarray) -> float:
    """AUROC over all pixels of all images.

    Parameters
    ----------
    maps : ndarray, shape (N, S, S)
    masks : ndarray, shape (N, S, S), bool
        True on a defect.
    """
    return float(roc_auc_score(masks.ravel(), maps.ravel()))


def au_pro(maps: np.ndarray, masks: np.ndarray, limit: float = FPR_LIMIT) -> float:
    """Area under the per-region overlap curve up to a false-positive rate.

    A pixel weighs one over the area of its connected region, so that each
    region counts the same. Under these weights the true-positive rate is the
    mean overlap: this is the area under their ROC curve, divided by `limit`.

    Parameters
    ----------
    maps : ndarray, shape (N, S, S)
    masks : ndarray, shape (N, S, S), bool
    limit : float
        Largest false-positive rate of normal pixels.

    References
    ----------
    Bergmann et al., "The MVTec anomaly detection dataset", IJCV 2021.
    """
    weights = np.ones(masks.shape)
    for mask, weight in zip(masks, weights, strict=True):
        regions, _ = connected_regions(mask, structure=EIGHT)  # (S, S), 0 where normal
        areas = np.bincount(regions.ravel())
        weight[mask] = 1 / areas[regions[mask]]
    false_positive, overlap, _ = roc_curve(
        masks.ravel(), maps.ravel(), sample_weight=weights.ravel(), drop_intermediate=False
    )
    inside = false_positive <= limit
    x = np.append(false_positive[inside], limit)
    y = np.append(overlap[inside], np.interp(limit, false_positive, overlap))
    return float(auc(x, y) / limit)
