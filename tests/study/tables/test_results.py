from types import SimpleNamespace

import numpy as np
import pytest

from anomalylib.errors import UserError
from study.names import CONTROL, label
from study.tables.results import (
    defect_table,
    image_table,
    load_maps,
    load_result,
    provenance_table,
    result_path,
    tabulate,
)
from tests.study.drawn import BACKBONE, make_result

NUT = SimpleNamespace(name="metal_nut", fingerprint="cd" * 32)
SETTINGS = {"sigma": 3.0, "image_size": 224, "normalise": True}
ABAB, CDCD = "ab" * 20, "cd" * 20  # as far as a message has them


def test_numbers_follow_from_the_scores():
    result = make_result()
    assert result.auroc == 0.75
    assert result.control_auroc == 0.5
    assert tuple(result.confusion) == (1, 1, 1, 1)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    result, maps = make_result(), np.arange(16, dtype=float).reshape(4, 2, 2)
    path = result.save(tmp_path, maps)
    assert path == tmp_path / "metal_nut-cdcdcdcd" / "combined-seed0.json"
    assert path == result_path(tmp_path, NUT, "combined", 0)
    assert load_result(tmp_path, NUT, "combined", 0) == result
    assert (load_maps(tmp_path, result) == maps).all()
    assert sorted(p.suffix for p in path.parent.iterdir()) == [".json", ".npz"]


def test_two_data_of_one_name_keep_a_result_each(tmp_path):
    for first in "cab":
        said = make_result(fingerprint=first * 64, threshold=ord(first))
        said.save(tmp_path, np.full((4, 1, 1), ord(first)))
    for first in "abc":
        data = SimpleNamespace(name="metal_nut", fingerprint=first * 64)
        found = load_result(tmp_path, data, "combined", 0)
        assert found.threshold == ord(first) == load_maps(tmp_path, found)[0, 0, 0]


def test_what_is_missing_half_or_of_other_things_is_said(tmp_path):
    with pytest.raises(UserError, match=r"run notebooks/combined\.ipynb for metal_nut first"):
        load_result(tmp_path, NUT, "combined", 0)
    path = make_result().save(tmp_path, np.zeros((4, 1, 1)))
    whole = path.read_text()
    path.write_text(whole[:50])
    with pytest.raises(UserError, match="delete it and rerun"):
        load_result(tmp_path, NUT, "combined", 0)
    for other in ({"fingerprint": "cd" * 4 + "0" * 56}, {"model": "resnet"}, {"seed": 1}):
        path.write_text(make_result(**other).model_dump_json())
        with pytest.raises(UserError, match="is of other images, model or seed: delete it"):
            load_result(tmp_path, NUT, "combined", 0)


def test_the_table_has_every_model_and_the_control():
    table = tabulate([make_result("autoencoder"), make_result(), make_result("knn_reconstruction")])
    assert table["model"].tolist() == [
        "autoencoder",
        *map(label, ("combined", "knn_reconstruction", CONTROL)),
    ]
    assert table["AUROC"].tolist() == ["0.750"] * 3 + ["0.500"]
    assert table["false alarms"].tolist() == ["1 of 2"] * 3 + ["–"]
    assert set(table["category"]) == {"metal nut"}


SHARED = [
    ({"fingerprint": "ab" * 32}, "data", ABAB, CDCD),
    ({"names": ["a", "b", "x", "d"]}, "image names", "x", "c"),
    ({"names": ["a", "b", "c", "d", "e"]}, "image names", "e", "None"),
    ({"labels": [0, 1, 1, 1]}, "labels", "1", "0"),
    ({"seed": 1}, "seed", "1", "0"),
    ({"synthetic": False}, "parts", "real", "synthetic"),
    ({"backbone": BACKBONE | {"sha256": "ef" * 32}}, "backbone, sha256", "ef" * 20, ABAB),
    ({"backbone": BACKBONE | {"layers": ["a", "b"]}}, "backbone, layers", "b", "None"),
    ({"settings": SETTINGS | {"image_size": 448}}, "image_size, usually None", "448", "224"),
    ({"settings": SETTINGS | {"normalise": False}}, "normalise", "False", "True"),
]


@pytest.mark.parametrize("make", [tabulate, image_table, provenance_table, defect_table])
@pytest.mark.parametrize(("change", "what", "own", "other"), SHARED)
def test_a_table_joins_what_is_equal_or_says_which_two_differ_in_what(
    make, change, what, own, other
):
    usual = {"settings": SETTINGS}
    results = [make_result("autoencoder", settings={"sigma": 3.0}), make_result("resnet", **usual)]
    assert len(make([*results, make_result("patchcore", **usual)]))
    with pytest.raises(UserError) as caught:
        make([*reversed(results), make_result("patchcore", **usual | change)])
    said = f"metal nut ResNet features ({other}) and metal nut PatchCore ({own})"
    assert str(caught.value) == f"{said} do not belong in one table, by {what}: rerun one of them"


def test_what_is_a_models_own_or_a_categorys_does_not_part_them():
    plus = {"settings": SETTINGS | {"image_size": 384}, "usual_size": 384}
    results = [
        make_result(settings=SETTINGS, usual_size=224),
        make_result("knn_reconstruction", **plus),
    ]
    other = {
        "category": "bolt",
        "dataset": "other",
        "fingerprint": "ee" * 32,
        "names": list("efgh"),
    }
    results.append(make_result(settings=SETTINGS, usual_size=224, **other))
    assert len(tabulate(results)) == 5
    with pytest.raises(UserError, match="by data"):
        image_table(results)


def test_each_defect_type_is_ranked_against_all_normal_images():
    own = {
        "names": list("abcde"),
        "labels": [0, 0, 1, 1, 1],
        "mean_grey": [1.0, 3.0, 2.0, 2.0, 4.0],
    }
    own["defect_types"] = ["good", "good", "bent", "cut", "bent"]
    results = [
        make_result("autoencoder", scores=[2.0, 4.0, 1.0, 3.0, 5.0], **own),
        make_result("knn_reconstruction", scores=[1.0, 2.0, 3.0, 4.0, 5.0], **own),
    ]
    table = defect_table(results)
    assert table.to_dict("list") == {
        "defect type": ["bent", "cut"],
        "images": [2, 1],
        "autoencoder": [0.5, 0.5],
        "kNN reconstruction": [1.0, 1.0],
        "brightness": [0.75, 0.5],
    }
    normal = {name: values[:2] for name, values in own.items()} | {"scores": [2.0, 4.0]}
    assert defect_table([make_result(**normal)]).empty


def test_shared_provenance_is_said_once():
    said = provenance_table([make_result("autoencoder"), make_result(), make_result("patchcore")])
    assert said["machine"] == "cpu"
    none, file = said["weights"].split("\n")
    assert none == "metal nut autoencoder: none"
    assert file.startswith("metal nut ResNet + FeatCAE, metal nut PatchCore: f.pth, SHA-256 abab")


def test_every_image_has_its_score_by_each_model():
    table = image_table([make_result("autoencoder"), make_result(scores=[1.0, 2.0, 3.0, 4.0])])
    assert list(table.combined) == [1.0, 2.0, 3.0, 4.0]
    assert list(table.autoencoder) == make_result().scores
    assert set(table.combined_threshold) == {0.25} and list(table.label) == [0, 0, 1, 1]
