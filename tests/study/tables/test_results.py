import numpy as np
import pytest

from anomalylib.errors import UserError
from study.names import CONTROL
from study.tables.results import (
    image_table,
    load_maps,
    load_result,
    provenance_table,
    result_path,
    tabulate,
)
from tests.study.drawn import BACKBONE, make_result


def test_numbers_follow_from_the_scores():
    result = make_result()
    assert result.auroc == 0.75
    assert result.control_auroc == 0.5
    assert tuple(result.confusion) == (1, 1, 1, 1)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    result, maps = make_result(), np.arange(16, dtype=float).reshape(4, 2, 2)
    path = result.save(tmp_path, maps)
    assert path == result_path(tmp_path, "metal_nut", "combined", 0)
    assert load_result(tmp_path, "metal_nut", "combined", 0) == result
    assert (load_maps(tmp_path, result) == maps).all()
    assert sorted(p.suffix for p in path.parent.iterdir()) == [".json", ".npz"]


def test_what_is_missing_or_half_is_said(tmp_path):
    with pytest.raises(UserError, match=r"run notebooks/combined\.ipynb for metal_nut first"):
        load_result(tmp_path, "metal_nut", "combined", 0)
    path = make_result().save(tmp_path, np.zeros((4, 1, 1)))
    path.write_text(path.read_text()[:50])
    with pytest.raises(UserError, match="delete it and rerun"):
        load_result(tmp_path, "metal_nut", "combined", 0)


def test_the_table_has_every_arm_and_the_control():
    table = tabulate([make_result("autoencoder"), make_result(), make_result("combined_plus")])
    assert table["arm"].tolist() == ["autoencoder", "combined", "combined+", CONTROL]
    assert table["AUROC"].tolist() == ["0.750"] * 3 + ["0.500"]
    assert table["false alarms"].tolist() == ["1 of 2"] * 3 + ["–"]
    assert set(table["category"]) == {"metal nut"}


def test_drawn_and_real_parts_or_two_backbones_never_share_a_table():
    with pytest.raises(UserError, match="do not belong in one table"):
        tabulate([make_result(), make_result(dataset="MVTec AD", synthetic=False)])
    with pytest.raises(UserError, match="two backbones"):
        tabulate(
            [make_result(), make_result("patchcore", backbone=BACKBONE | {"sha256": "ef" * 32})]
        )


def test_shared_provenance_is_said_once():
    said = provenance_table([make_result("autoencoder"), make_result(), make_result("patchcore")])
    assert said["machine"] == "cpu"
    none, file = said["weights"].split("\n")
    assert none == "metal nut autoencoder: none"
    assert file.startswith("metal nut combined, metal nut patchcore: f.pth, SHA-256 abab")


def test_every_image_has_its_score_by_each_arm():
    table = image_table([make_result("autoencoder"), make_result(scores=[1.0, 2.0, 3.0, 4.0])])
    assert list(table.combined) == [1.0, 2.0, 3.0, 4.0]
    assert list(table.autoencoder) == make_result().scores
    assert set(table.combined_threshold) == {0.25} and list(table.label) == [0, 0, 1, 1]
