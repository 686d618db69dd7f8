"""Features that stay on an accelerator, where there is room for them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from tqdm import tqdm

from anomalylib.devices import room_for, to_numpy
from anomalylib.features.batches import batch_size, check_finite, loaded
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.images.category import Subset


def resident_features(
    extractor: FeatureExtractor, images: Sequence[np.ndarray], compute: Callable
) -> torch.Tensor | None:
    """Features that stay on the extractor's device, or None where they have no room."""
    if isinstance(images, Subset):
        whole = resident_features(extractor, images.whole, compute)
        return None if whole is None else whole[torch.from_numpy(images.chosen)]
    fingerprint = getattr(images, "fingerprint", None)
    if fingerprint in extractor.resident:
        return extractor.resident[fingerprint]
    whole, finite, start = None, None, 0
    batches = tqdm(
        loaded(images, extractor.image_size, extractor.device),
        total=-(-len(images) // batch_size(extractor.image_size)),
        desc="features",
        unit="batch",
        disable=fingerprint is None,  # a few, in memory already
    )
    for batch in batches:
        part = compute(batch)  # (n, H, W, C)
        if whole is None:
            size = part[0].nbytes * len(images)
            if not room_for(extractor.device, size):
                extractor.resident.clear()  # of other images
            if not room_for(extractor.device, size):
                return None
            whole = part.new_empty((len(images), *part.shape[1:]))  # (N, H, W, C)
            finite = torch.empty(len(images), dtype=torch.bool, device=part.device)  # (N,)
        whole[start : start + len(part)] = part
        finite[start : start + len(part)] = part.isfinite().flatten(1).all(dim=1)
        start += len(part)
    check_finite(to_numpy(finite), images, extractor.key)
    if fingerprint is not None:
        extractor.resident[fingerprint] = whole
    return whole
