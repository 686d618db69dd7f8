import numpy as np
import pandas as pd
import pytest

from anomalylib.errors import UserError
from study.names import CONTROL
from study.tables.results import (
    Result,
    as_html,
    image_table,
    load_maps,
    load_result,
    provenance_table,
    read_maps,
    result_path,
    tabulate,
)

BACKBONE = {"name": "net", "layers": ["a"], "path": "f.pth", "sha256": "ab" * 32, "chosen": "me"}


def make(arm="combined", **changes):
    values = dict(
        category="metal_nut",
        arm=arm,
        dataset="drawings",
        seed=0,
        synthetic=True,
        settings={"sigma": 3.0},
        backbone=None if arm == "autoencoder" else BACKBONE,
        fingerprint="cd" * 32,
        names=["a", "b", "c", "d"],
        defect_types=["good", "good", "bent", "bent"],
        labels=[0, 0, 1, 1],
        scores=[0.1, 0.3, 0.2, 0.9],
        mean_grey=[1.0, 1.0, 1.0, 1.0],
        nominal_scores=[0.1, 0.2],
        threshold=0.25,
        seconds={"fit": 1.0},
        versions={"python": "3"},
        machine="cpu",
        date="2026-01-01",
    )
    return Result(**values | changes)


def test_numbers_follow_from_the_scores():
    result = make()
    assert result.auroc == 0.75
    assert result.control_auroc == 0.5
    assert tuple(result.confusion) == (1, 1, 1, 1)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    result, maps = make(), np.arange(16, dtype=float).reshape(4, 2, 2)
    path = result.save(tmp_path, maps)
    assert path == result_path(tmp_path, "metal_nut", "combined", 0)
    assert load_result(tmp_path, "metal_nut", "combined", 0) == result
    assert (load_maps(tmp_path, result) == maps).all()
    assert sorted(p.suffix for p in path.parent.iterdir()) == [".json", ".npz"]


def test_what_is_missing_or_half_is_said(tmp_path):
    with pytest.raises(UserError, match=r"run notebooks/combined\.ipynb for metal_nut first"):
        load_result(tmp_path, "metal_nut", "combined", 0)
    path = make().save(tmp_path, np.zeros((4, 1, 1)))
    path.write_text(path.read_text()[:50])
    with pytest.raises(UserError, match="delete it and rerun"):
        load_result(tmp_path, "metal_nut", "combined", 0)


def test_the_table_has_every_arm_and_the_control():
    table = tabulate([make("autoencoder"), make(), make("combined_plus")])
    assert table["arm"].tolist() == ["autoencoder", "combined", "combined+", CONTROL]
    assert table["AUROC"].tolist() == ["0.750"] * 3 + ["0.500"]
    assert table["false alarms"].tolist() == ["1 of 2"] * 3 + ["–"]
    assert "metal nut" in as_html(table).data


def test_drawn_and_real_parts_or_two_backbones_never_share_a_table():
    with pytest.raises(UserError, match="do not belong in one table"):
        tabulate([make(), make(dataset="MVTec AD", synthetic=False)])
    with pytest.raises(UserError, match="two backbones"):
        tabulate([make(), make("patchcore", backbone=BACKBONE | {"sha256": "ef" * 32})])


def test_shared_provenance_is_said_once():
    said = provenance_table([make("autoencoder"), make(), make("patchcore")])
    assert said["machine"] == "cpu"
    none, file = said["weights"].split("\n")
    assert none == "metal nut autoencoder: none"
    assert file.startswith("metal nut combined, metal nut patchcore: f.pth, SHA-256 abab")


def test_every_image_has_its_score_by_each_arm():
    table = image_table([make("autoencoder"), make(scores=[1.0, 2.0, 3.0, 4.0])])
    assert list(table.combined) == [1.0, 2.0, 3.0, 4.0]
    assert list(table.autoencoder) == make().scores
    assert set(table.combined_threshold) == {0.25} and list(table.label) == [0, 0, 1, 1]


def test_a_line_break_in_a_cell_is_kept():
    assert "a<br>&lt;b" in as_html(pd.DataFrame({"x": ["a\n<b"]})).data


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"noise" * 99])
def test_a_damaged_file_of_maps_is_one_line_that_says_what_to_delete(tmp_path, content):
    path = tmp_path / "combined-seed0.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match="holds no anomaly maps: delete it and combined-seed0"):
        read_maps(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xc4noise", b"[1]"])
def test_a_damaged_result_is_one_line_that_says_what_to_delete(tmp_path, content):
    path = result_path(tmp_path, "metal_nut", "combined", 0)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"combined-seed0\.json is no result .* delete it"):
        load_result(tmp_path, "metal_nut", "combined", 0)
