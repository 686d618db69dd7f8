import numpy as np
import pytest

from anomalylib.images.category import load_category
from anomalylib.metrics.pixel import SIZE, au_pro, enlarge
from study.runs import measurement
from study.runs.measurement import Run, measure

SMALL = {"image_size": 64, "epochs": 1, "latent": 4}


@pytest.fixture
def weights(resnet18_file):
    return ("resnet18", str(resnet18_file), "layer2")


def test_every_setting_has_a_name_of_its_own():
    runs = [
        Run(category="screw", arm="combined", backbone="resnet50"),
        Run(category="screw", arm="combined", backbone="resnet50", seed=1),
        Run(category="screw", arm="combined", backbone="resnet50", changes={"latent": 9}),
        Run(category="screw", arm="combined", backbone="resnet50", variant="held-out"),
    ]
    assert len({run.name for run in runs}) == 4


def test_a_run_is_scored_by_every_aggregation_and_at_the_pixels(tiny_root, weights, tmp_path):
    run = Run(category="metal_nut", arm="patchcore", backbone="x")
    found, maps = measure(run, str(tiny_root), weights, tmp_path)
    flat = maps.reshape(len(maps), -1)
    assert found.scores_by_k["1"] == pytest.approx(flat.max(axis=1))
    assert found.scores_by_k["all"] == pytest.approx(flat.mean(axis=1), rel=1e-5)
    assert found.scores_by_k["10"] == found.result.scores
    category = load_category(tiny_root, "metal_nut")
    masks = np.stack([category.test.mask(i, SIZE) for i in range(len(category.test))])
    assert found.au_pro == pytest.approx(au_pro(enlarge(maps), masks))
    assert found.result.machine.endswith("1 threads")
    assert found.held_out_scores == [] and found.watched == []


def test_held_out_images_are_not_learned_from(tiny_root, weights, tmp_path):
    run = Run(category="metal_nut", arm="resnet", backbone="x", variant="held-out", seed=2)
    found, _ = measure(run, str(tiny_root), weights, tmp_path)
    assert (len(found.result.nominal_scores), len(found.held_out_scores)) == (5, 1)
    assert min(found.held_out_scores) > 0  # distance 0 would mean that it is in the bank


def test_the_split_follows_the_seed_and_loses_nothing(tiny_root):
    category = load_category(tiny_root, "screw")
    rest, held_out = measurement.split_off(category, seed=0, share=0.34)
    together = np.concatenate([rest.train.chosen, held_out.chosen])
    assert sorted(together) == list(range(6)) and len(held_out) == 2
    others = [measurement.split_off(category, seed, 0.34)[1].chosen.tolist() for seed in range(9)]
    assert others[0] == held_out.chosen.tolist()
    assert len({tuple(chosen) for chosen in others}) > 1


def test_grey_matched_parts_are_what_is_judged(tiny_root, weights, tmp_path):
    run = Run(category="screw", arm="combined", backbone="x", variant="grey-matched", changes=SMALL)
    found, _ = measure(run, str(tiny_root), weights, tmp_path)
    assert np.ptp(found.result.mean_grey) < 1
    plain, _ = measure(
        run.model_copy(update={"variant": "plain"}), str(tiny_root), weights, tmp_path
    )
    assert np.ptp(plain.result.mean_grey) > 1
    assert found.result.fingerprint != plain.result.fingerprint
    assert found.result.scores != plain.result.scores


def test_an_untrained_backbone_says_what_it_is(tiny_root, tmp_path):
    weights = ("resnet50", "not used", "layer2")
    changes = {"image_size": 64}
    run = Run(category="screw", arm="resnet", backbone="x", variant="untrained", changes=changes)
    found, _ = measure(run, str(tiny_root), weights, tmp_path)
    assert found.result.backbone["chosen"] == "untrained, seed 0"


def test_watching_notes_both_aggregations_at_the_epochs_named(tiny_root):
    category, noted = load_category(tiny_root, "screw"), []
    watch = measurement._watcher(category, noted)
    detector = measurement.Autoencoder(epochs=2, on_epoch=watch)
    detector.fit(category.train)
    assert [seen["epoch"] for seen in noted] == [1, 2]
    maps = detector.anomaly_maps(category.test)
    assert noted[-1]["all"] == pytest.approx(maps.mean(axis=(1, 2)))
    assert noted[-1]["top"] == pytest.approx(detector.score_samples(category.test))
