import numpy as np
import pytest

from anomalylib.detectors.base import aggregate
from anomalylib.detectors.pooled import Pooled
from anomalylib.images.category import load_category, mean_grey
from study.runs.evaluation import evaluate
from study.settings import make_settings


def test_a_result_notes_scores_settings_and_provenance(category_folder, extractor, tmp_path):
    category = load_category(category_folder, "bolt")
    given = {"category": "bolt", "seed": 2, "weights": "w.pth", "data_root": str(category_folder)}
    settings = make_settings("resnet", given)
    detector = Pooled(extractor, cache_folder=tmp_path / "cache")
    result, maps = evaluate(detector, category, settings, "resnet")
    assert maps.shape == (4, 1, 1)
    assert result.scores == aggregate(maps, 10).tolist()
    assert result.labels == category.test.labels.tolist()
    assert result.mean_grey == pytest.approx(mean_grey(category.test).tolist())
    assert np.array(result.nominal_scores).shape == (4,)
    assert result.threshold == detector.threshold_
    assert result.fingerprint == category.fingerprint
    assert result.backbone["sha256"] == extractor.backbone.sha256
    assert result.settings["seed"] == 2
    assert not {"weights", "data_root", "results_dir"} & set(result.settings)
    assert set(result.seconds) == {"fit", "score"}
    assert {"python", "torch", "numpy"} <= set(result.versions)
