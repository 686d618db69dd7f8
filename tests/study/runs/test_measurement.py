import numpy as np
import pytest

from anomalylib.detectors.autoencoder import Autoencoder
from anomalylib.detectors.pooled import Pooled
from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import load_category, mean_grey
from anomalylib.metrics.pixel import SIZE, au_pro, enlarge
from study.runs import measurement
from study.runs.measurement import Run, cell_mask, divide, make_detector, measure, record, split_off
from study.settings import make_settings

SMALL = {"image_size": 64}
LEARNED = SMALL | {"epochs": 1, "latent": 4}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where features are kept."""
    monkeypatch.setattr(measurement, "FEATURES", tmp_path)
    return tmp_path


@pytest.fixture
def backbone(resnet18_file):
    return resolve_backbone("resnet18", str(resnet18_file), "layer2")


@pytest.fixture
def nuts(tiny_root):
    return load_category(tiny_root, "metal_nut")


@pytest.fixture
def screws(tiny_root):
    return load_category(tiny_root, "screw")


def test_every_setting_has_a_name_of_its_own():
    given = {"category": "screw", "model": "combined", "backbone": "resnet50"}
    changes = [{}, {"seed": 1}, {"changes": {"latent": 9}}, {"variant": "held-out"}, {"images": 9}]
    assert len({Run(**given, **change).name for change in changes}) == 5


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("autoencoder", {"code": 7, "epochs": 3, "learning_rate": 0.01, "batch_size": 5}),
        ("resnet", {"top_k": 2, "seed": 9}),
        ("combined", {"latent": 5, "batch_norm": False, "scale": False, "sigma": 1.0}),
        ("patchcore", {"coreset": 0.3}),
    ],
)
def test_a_detector_takes_its_settings_by_their_names(model, changes, backbone, folder):
    given = backbone if model != "autoencoder" else None
    detector = make_detector(model, make_settings(model, changes), given)
    assert {name: getattr(detector, name) for name in changes} == changes
    assert detector.cache == folder and not detector.keep
    default = {"resnet": 224, "combined": 224, "patchcore": 224}
    assert detector.side == default.get(model, 128)


def test_a_run_is_scored_by_every_aggregation_and_at_the_pixels(nuts, backbone, tmp_path):
    run = Run(category="metal_nut", model="patchcore", backbone="x")
    found, maps = measure(run, nuts, backbone, tmp_path)
    flat = maps.reshape(len(maps), -1)
    assert found.scores_by_k["1"] == pytest.approx(flat.max(axis=1))
    assert found.scores_by_k["all"] == pytest.approx(flat.mean(axis=1), rel=1e-5)
    assert found.scores_by_k["10"] == found.result.scores
    masks = np.stack([nuts.test.mask(i, SIZE) for i in range(len(nuts.test))])
    assert found.au_pro == pytest.approx(au_pro(enlarge(maps), masks))
    assert found.result.machine.endswith("1 threads, cpu")
    assert found.held_out_scores == [] and found.watched == []


@pytest.mark.parametrize(("which", "learned"), [({"variant": "held-out"}, 5), ({"images": 2}, 2)])
def test_held_out_images_are_not_learned_from(which, learned, nuts, backbone, tmp_path):
    shared = {"category": "metal_nut", "model": "resnet", "backbone": "x", "changes": SMALL}
    found, _ = measure(Run(**shared, **which), nuts, backbone, tmp_path)
    assert (len(found.result.normal_scores), len(found.held_out_scores)) == (learned, 6 - learned)
    assert min(found.held_out_scores) > 0  # distance 0 would mean that it is in the bank
    assert found.pixel_auroc is None


def test_a_changed_layer_is_the_one_recorded(nuts, backbone, tmp_path):
    run = Run(category="metal_nut", model="resnet", changes=SMALL | {"layers": "layer1,layer2"})
    found, _ = measure(run, nuts, backbone, tmp_path)
    assert found.result.backbone["layers"] == ["layer1", "layer2"]


def test_the_split_follows_the_seed_and_loses_nothing(screws):
    rest, held_out = split_off(screws, seed=0, share=0.34)
    together = np.concatenate([rest.train.chosen, held_out.chosen])
    assert sorted(together) == list(range(6)) and len(held_out) == 2
    others = [split_off(screws, seed, 0.34)[1].chosen.tolist() for seed in range(9)]
    assert others[0] == held_out.chosen.tolist()
    assert len({tuple(chosen) for chosen in others}) > 1


def test_the_subsets_of_a_seed_are_nested_and_nothing_is_lost(nuts):
    kept = [divide(nuts.train, images, seed=3) for images in (2, 4, 6)]
    for learned_from, held_out in kept:
        assert sorted([*learned_from.chosen, *held_out.chosen]) == list(range(6))
        assert list(learned_from.chosen) == sorted(learned_from.chosen)
    chosen = [set(learned_from.chosen.tolist()) for learned_from, _ in kept]
    assert chosen[0] < chosen[1] < chosen[2]
    assert len({tuple(divide(nuts.train, 2, seed)[0].chosen) for seed in range(9)}) > 1


def test_a_cell_that_touches_the_defect_belongs_to_it(screws):
    index = int(np.flatnonzero(screws.test.labels)[0])
    fine = screws.test.mask(index, 252)
    coarse = cell_mask(screws, index, 28)
    for row, column in np.ndindex(28, 28):
        block = fine[9 * row : 9 * row + 9, 9 * column : 9 * column + 9]
        assert coarse[row, column] == block.any()


def test_brightness_normalised_parts_are_what_is_scored(screws, backbone, tmp_path):
    shared = {"category": "screw", "model": "combined", "backbone": "x", "changes": LEARNED}
    matched, _ = measure(Run(**shared, variant="brightness-normalised"), screws, backbone, tmp_path)
    plain, _ = measure(Run(**shared), screws, backbone, tmp_path)
    assert np.ptp(matched.result.mean_grey) < 1 < np.ptp(plain.result.mean_grey)
    assert matched.result.fingerprint != plain.result.fingerprint
    assert matched.result.scores != plain.result.scores


def test_watching_notes_both_aggregations_at_the_epochs_named(screws):
    noted = []
    detector = Autoencoder(epochs=2, on_epoch=measurement._watcher(screws, noted), keep=False)
    detector.fit(screws.train)
    assert [seen["epoch"] for seen in noted] == [1, 2]
    maps = detector.anomaly_maps(screws.test)
    assert noted[-1]["all"] == pytest.approx(maps.mean(axis=(1, 2)))
    assert noted[-1]["top"] == pytest.approx(detector.score_samples(screws.test))


def test_a_record_notes_scores_settings_and_provenance(category_folder, extractor, folder):
    category = load_category(category_folder, "bolt")
    given = {"category": "bolt", "seed": 2, "weights": "w.pth", "data_root": str(category_folder)}
    detector = Pooled(extractor, cache=folder).fit(category.train)
    maps = detector.anomaly_maps(category.test)
    result = record(detector, category, maps, make_settings("resnet", given))
    assert maps.shape == (4, 1, 1) and result.model == "resnet"
    assert result.scores == detector.score_samples(category.test).tolist()
    assert result.labels == category.test.labels.tolist()
    assert result.mean_grey == pytest.approx(mean_grey(category.test).tolist())
    assert result.normal_scores == detector.normal_scores_.tolist()
    assert result.threshold == detector.threshold_
    assert result.fingerprint == category.fingerprint
    assert result.backbone["sha256"] == extractor.backbone.sha256
    assert result.settings["seed"] == 2
    assert not {"weights", "data_root", "results_dir"} & set(result.settings)
    assert set(result.seconds) == {"fit", "score"}
    assert {"python", "torch", "numpy"} <= set(result.versions)
