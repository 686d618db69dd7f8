"""Drawn tables that several rooms of the study are tested with."""

import pandas as pd
import pytest

AUROCS = {10: (0.5, 0.7), 20: (0.8, 0.9), 40: (0.9, 0.9)}


@pytest.fixture
def learning_curve_table():
    """Two models, three sizes and two seeds of a category with 40 training images."""
    rows = []
    for model in ("combined", "patchcore"):
        for images, aurocs in AUROCS.items():
            for seed, auroc in enumerate(aurocs):
                own = {"category": "screw", "model": model, "backbone": "x", "seed": seed}
                own |= {"images": images, "train_images": 40, "auroc": auroc}
                own |= {"threshold": 100 / images + seed, "n_unlearned": 40 - images}
                own |= {"unlearned_alarms": min(seed, 40 - images), "n_normal": 8}
                own |= {"false_alarms": seed, "n_anomalous": 4, "hits": 3}
                rows.append(own)
    return pd.DataFrame(rows)
