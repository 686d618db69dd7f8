import numpy as np
import pytest

from study.parts.synthetic import photograph
from study.trials.pasted_defects import (
    GAIN,
    KINDS,
    PastedImages,
    aurocs,
    in_other_light,
    part_of,
    paste,
)


@pytest.fixture(scope="module", params=["metal_nut", "screw"])
def drawn(request):
    image, _ = photograph(request.param, "good", np.random.default_rng(4))
    return image


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_defect_changes_little_and_only_near_the_part(drawn, kind):
    near = np.argwhere(part_of(drawn))
    changed = []
    for seed in range(5):
        pasted = paste(drawn, kind, np.random.default_rng(seed))
        assert pasted.shape == drawn.shape and pasted.dtype == np.uint8
        where = np.argwhere((pasted.astype(int) - drawn).any(axis=-1))
        changed.append(len(where) / drawn[..., 0].size)
        for place in where[:: max(1, len(where) // 10)]:
            assert np.hypot(*(near - place).T).min() < 0.1 * len(drawn)
    assert min(changed) > 0 and max(changed) < 0.03


def test_a_seed_gives_one_defect(drawn):
    pasted = [paste(drawn, "piece", np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(pasted[0], pasted[1])
    assert not np.array_equal(pasted[0], pasted[2])


def test_the_part_is_what_differs_from_the_border():
    image = np.full((100, 100, 3), 200, dtype=np.uint8)
    image[30:60, 40:80] = 60
    assert part_of(image)[32:58, 42:78].all()
    assert not part_of(image)[:25].any() and not part_of(image)[:, :35].any()
    assert part_of(np.full((50, 50, 3), 9, dtype=np.uint8)).all()  # nothing stands out


def test_the_light_is_one_factor():
    image = np.full((4, 4, 3), 100, dtype=np.uint8)
    found = {in_other_light(image, np.random.default_rng(s))[0, 0, 0] for s in range(50)}
    assert min(found) >= 100 * GAIN[0] and max(found) <= 100 * GAIN[1] and len(found) > 5


def test_every_image_comes_bare_and_with_each_kind(drawn):
    images = PastedImages([drawn, drawn[::-1].copy()], seed=3)
    assert len(images) == 2 * (1 + len(KINDS))
    assert images.kinds.tolist()[:4] == ["", "", "piece", "piece"]
    assert np.array_equal(images[5], images[5])
    assert not np.array_equal(images[5], PastedImages(images.images, seed=4)[5])
    bare = images[1].astype(float)
    ratio = bare[drawn[::-1] > 100] / drawn[::-1][drawn[::-1] > 100]
    assert np.ptp(ratio[bare[drawn[::-1] > 100] < 255]) < 0.03  # nothing but the light


def test_every_kind_is_judged_against_the_bare_images():
    kinds = np.repeat(["", *KINDS], 10)
    scores = np.tile(np.arange(10), 1 + len(KINDS)) + 100 * ~np.isin(kinds, ["", "smear"])
    found = aurocs(scores, kinds)
    assert found.pop("smear") == 0.5
    assert list(found.values()) == [1.0] * 4
