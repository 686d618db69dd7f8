import shutil

import numpy as np
import pytest

from anomalylib.detectors.knn_reconstruction import KNNReconstruction
from anomalylib.detectors.patchcore import PatchCore
from anomalylib.features.extractor import FeatureExtractor
from anomalylib.features.weights import resolve_backbone
from anomalylib.images.category import load_category
from study.tables import reference as tables
from study.trials import trials
from study.trials.pasted_defects import KINDS


@pytest.fixture(scope="module")
def collected(tiny_root, resnet18_file, tmp_path_factory):
    """Two quick trials on a drawn category, and the tables made of them."""
    folder = tmp_path_factory.mktemp("trials")
    backbone = resolve_backbone("resnet18", str(resnet18_file), "layer2")
    experiment = opened(tiny_root, {"small": backbone}, folder)
    small = [
        trials.Trial("patchcore", "224 pixels", PatchCore, 64, {"coreset": 0.1}),
        trials.Trial("kNN reconstruction", trials.CHOSEN, KNNReconstruction, 64, {"bank": 100}),
    ]
    runs = [trials.TrialRun(trial, "screw", "small") for trial in reversed(small)]
    return experiment, runs, measured(experiment, runs, folder), folder


def opened(root, backbones, folder):
    return trials.open_experiment(str(root), backbones, folder=folder / "runs")


def measured(experiment, runs, folder):
    for run in runs:
        experiment.work(run, experiment.path(run))
    return trials.collect(experiment, runs, folder / "tables")


def test_every_trial_has_a_name_of_its_own_and_one_is_chosen():
    names = [(trial.family, trial.name) for trial in trials.TRIALS]
    assert len(set(names)) == len(names)
    assert [family for family, name in names if name == trials.CHOSEN] == ["kNN reconstruction"]
    chosen = next(trial for trial in trials.TRIALS if trial.name == trials.CHOSEN)
    assert chosen.settings == {}  # the defaults of the model are what was chosen


def test_runs_that_share_an_image_size_follow_each_other(collected):
    experiment = collected[0]
    runs = trials.plan(experiment, ["metal_nut", "screw"])
    sizes = [run.trial.image_size for run in runs]
    assert sizes == sorted(sizes) and len(runs) == 2 * len(trials.TRIALS)
    assert len({run.name for run in runs}) == len(runs)


def test_the_rows_come_in_the_order_of_the_list(collected):
    made = collected[2]["trials"]
    assert made.family.tolist() == ["patchcore", "kNN reconstruction"]
    assert made[[*KINDS]].mean(axis=1).to_numpy() == pytest.approx(made.pasted.to_numpy())


def test_a_trial_is_measured_on_what_it_has_not_learned_from(tiny_root):
    category = load_category(tiny_root, "screw")
    learned, pasted, matched = trials.images_of(category)
    assert len(learned) + len(pasted) // (1 + len(KINDS)) == len(category.train)
    below = {tuple(image.ravel()[:500]) for image in learned}
    assert not below & {tuple(image.ravel()[:500]) for image in pasted.images}
    means = [matched[i].mean() for i in range(len(matched))]
    assert np.ptp(means) < 1


@pytest.fixture(scope="module")
def fitted(tiny_root, resnet18_file, tmp_path_factory):
    backbone = resolve_backbone("resnet18", str(resnet18_file), "layer2")
    features = FeatureExtractor(backbone, image_size=64)
    category = load_category(tiny_root, "screw")
    images = trials.images_of(category)
    folder = tmp_path_factory.mktemp("features")
    detector = PatchCore(features, coreset=0.1, keep=False, cache=folder)
    return detector.fit(images.learned_from), category, images


def share_of_wins(high, low):
    """The AUROC by counting pairs."""
    return np.mean([(a > b) + 0.5 * (a == b) for a in high for b in low])


def test_what_chooses_is_counted_on_pasted_defects(collected, fitted):
    detector, _, images = fitted
    scores = detector.score_samples(images.pasted)
    by_kind = {kind: scores[images.pasted.kinds == kind] for kind in ("", *KINDS)}
    expected = np.mean([share_of_wins(by_kind[kind], by_kind[""]) for kind in KINDS])
    row = collected[2]["trials"].set_index("family").loc["patchcore"]
    assert row.pasted == pytest.approx(expected)


def test_test_images_are_scored_bare_and_matched(collected, fitted):
    detector, category, known = fitted
    row = collected[2]["trials"].set_index("family").loc["patchcore"]
    labels = category.test.labels
    for images, column in ((category.test, "plain"), (known.matched, "brightness_normalised")):
        scores = detector.score_samples(images)
        expected = share_of_wins(scores[labels == 1], scores[labels == 0])
        assert row[column] == pytest.approx(expected), column


def test_no_test_image_touches_what_chooses(collected, tiny_root, tmp_path):
    experiment, runs, made, _ = collected
    shutil.copytree(tiny_root, tmp_path / "other")
    kinds = sorted(path for path in (tmp_path / "other/screw/test").iterdir())
    test = kinds[0].parent  # defects become good, and good ones a defect
    kinds[0].rename(test / "kept")
    (test / "good").rename(test / "swapped")
    (test / "kept").rename(test / "good")
    shutil.rmtree(test.parent / "ground_truth" / kinds[0].name)
    other = opened(tmp_path / "other", experiment.backbones, tmp_path)
    again = measured(other, runs, tmp_path)["trials"]
    assert again.pasted.tolist() == made["trials"].pasted.tolist()
    assert again.plain.tolist() != made["trials"].plain.tolist()


def test_another_setting_has_another_key(collected):
    experiment, runs, _, _ = collected
    other = runs[0]._replace(trial=runs[0].trial._replace(settings={"bank": 131}))
    assert experiment.path(other) != experiment.path(runs[0])


def test_the_tables_are_read_back(collected):
    _, _, made, folder = collected
    for name in ("trials", "rarity"):
        assert len(tables.read_table(name, folder / "tables")) == len(made[name]) > 0
