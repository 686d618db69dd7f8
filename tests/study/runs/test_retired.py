import json
from types import SimpleNamespace

import numpy as np
import pandas as pd

from study.runs.retired import RETIRED, kept_from
from study.tables import reference as tables
from study.tables.reference import REFERENCE


def category(name, fingerprint):
    return SimpleNamespace(name=name, fingerprint=fingerprint)


def test_what_the_reference_has_of_a_model_that_left_is_kept_whole():
    data = tables.read_provenance()["data"]
    kept = kept_from(REFERENCE, [category(name, each["sha256"]) for name, each in data.items()])
    assert set(kept.settings) == set(RETIRED) == {"knn_reconstruction"}
    assert {"scores", "nominal", "runs", "places", "examples"} <= set(kept.rows)
    for name, rows in kept.rows.items():
        whole = pd.read_csv(REFERENCE / f"{name}.csv")
        assert len(rows) == whole.model.isin(RETIRED).sum() and set(rows.model) == set(RETIRED)
    held = np.load(REFERENCE / "examples.npz")
    assert len(kept.arrays) == 2 * kept.rows["examples"].arrays.nunique()
    assert all(np.array_equal(held[name], each) for name, each in kept.arrays.items())


def test_of_other_images_nothing_is_kept(tmp_path):
    assert kept_from(tmp_path, []) == ({}, {}, {})
    rows = pd.DataFrame({"category": ["nut", "pill"], "model": RETIRED * 2, "score": [1.5, 2.5]})
    rows.to_csv(tmp_path / "scores.csv", index=False)
    said = {"data": {"nut": {"sha256": "a"}, "pill": {"sha256": "b"}}, "settings": {}}
    (tmp_path / "provenance.json").write_text(json.dumps(said))
    kept = kept_from(tmp_path, [category("nut", "a"), category("pill", "other")])
    assert kept.rows["scores"].score.tolist() == [1.5] and not kept.arrays
    assert kept_from(tmp_path, [category("pill", "other")]) == ({}, {}, {})
