import numpy as np
import pytest

from anomalylib.images.category import MARKER, load_category, mean_grey
from anomalylib.metrics.image import auroc
from study.parts import synthetic
from study.parts.drawing import DEFECTS, draw_part


@pytest.mark.parametrize("category", DEFECTS)
def test_brightness_does_not_tell_good_from_bad(category):
    def greys(kind, count):
        for i in range(count):
            yield synthetic.photograph(category, kind, np.random.default_rng([i, len(kind)]))[0]

    images = list(greys("good", 24))
    labels = [0] * len(images)
    for kind in DEFECTS[category]:
        images += greys(kind, 6)
        labels += [1] * 6
    # 24 against 24 at random: a deviation of 0.085 about one half
    assert abs(auroc(np.array(labels), mean_grey(images)) - 0.5) < 0.25


@pytest.mark.parametrize(("category", "kind"), [(c, k) for c in DEFECTS for k in DEFECTS[c]])
def test_a_defect_is_where_its_mask_is(category, kind):
    _, mask = synthetic.photograph(category, kind, np.random.default_rng(5))
    assert 0 < mask.mean() < 0.5
    part, sound = (draw_part(category, k, np.random.default_rng(9)) for k in (kind, "good"))
    assert np.abs(part - sound).max() > synthetic.VISIBLE


@pytest.mark.parametrize("category", DEFECTS)
def test_a_good_part_has_an_empty_mask_and_no_twin(category):
    first, mask = synthetic.photograph(category, "good", np.random.default_rng(0))
    second, _ = synthetic.photograph(category, "good", np.random.default_rng(1))
    assert not mask.any()
    assert first.shape == (256, 256, 3) and first.dtype == np.uint8
    assert np.abs(first.astype(int) - second).mean() > 2


def test_the_set_is_complete_seeded_and_not_drawn_twice(tiny_root, tmp_path):
    nut = load_category(tiny_root, "metal_nut")
    assert nut.synthetic
    assert nut.counts() == {
        "train/good": 6,
        "test/good": 3,
        **{f"test/{kind}": 1 for kind in DEFECTS["metal_nut"]},
    }
    fewer = {"train": 2, "good": 1, "defect": 1}
    again = load_category(synthetic.ensure_synthetic(tmp_path / "again", fewer), "metal_nut")
    assert (again.train[1] == nut.train[1]).all()
    stamp = (tiny_root / MARKER).stat().st_mtime_ns
    counts = {"train": 6, "good": 3, "defect": 1}
    assert synthetic.ensure_synthetic(tiny_root, counts) == tiny_root
    assert (tiny_root / MARKER).stat().st_mtime_ns == stamp


def test_drawings_cut_short_are_drawn_again(tmp_path):
    half = tmp_path / "drawn.partial" / "metal_nut"
    half.mkdir(parents=True)
    (half / "junk.png").write_text("half")
    root = synthetic.ensure_synthetic(tmp_path / "drawn", {"train": 2, "good": 1, "defect": 1})
    assert not list(root.rglob("junk.png"))
    assert not (tmp_path / "drawn.partial").exists()


def test_drawings_with_a_damaged_marker_are_drawn_again(tmp_path):
    counts = {"train": 2, "good": 1, "defect": 1}
    root = synthetic.ensure_synthetic(tmp_path / "drawn", counts)
    (root / MARKER).write_bytes(b"\xc4noise")
    assert synthetic.ensure_synthetic(root, counts) == root
    assert load_category(root, "metal_nut").synthetic
