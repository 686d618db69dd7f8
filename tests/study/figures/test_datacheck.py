import shutil

import pytest
from PIL import Image

from anomalylib.images.category import load_category
from study.datacheck import checks
from study.datacheck.survey import survey
from study.figures import datacheck as check_figures
from study.figures.style import THRESHOLD


@pytest.fixture(scope="module")
def nut(tiny_root):
    return survey(load_category(tiny_root, "metal_nut"))


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def test_a_sample_has_images_of_every_kind_and_follows_the_seed(nut):
    found = titles(check_figures.sample(nut, 0))
    assert found[:6] == ["train, good"] * 4 + ["test, good"] * 2
    assert len(found) == 8 and "good" not in "".join(found[6:])
    again = titles(check_figures.sample(nut, 0))
    assert found == again
    assert any(titles(check_figures.sample(nut, seed)) != found for seed in range(1, 6))


def test_the_light_has_a_dot_an_image_and_the_medians(nut):
    upper, _ = check_figures.light(nut).axes
    assert [len(line.get_xdata()) for line in upper.lines[:3]] == [6, 3, 4]
    greys = nut.images.groupby(["set", "label"]).mean_grey.median()
    shown = [line.get_xdata()[0] for line in upper.lines[3:]]
    assert shown == [greys["train", 0], greys["test", 0], greys["test", 1]]


def test_copies_are_shown_first_and_in_red(tiny_root, tmp_path):
    (tmp_path / "bolt" / "normal").mkdir(parents=True)
    drawn = sorted((tiny_root / "metal_nut" / "train" / "good").iterdir())
    for number, path in enumerate([*drawn, drawn[0]]):
        with Image.open(path) as image:
            image.save(
                tmp_path / "bolt" / "normal" / f"{number}.bmp"
                if number
                else tmp_path / "bolt" / "normal" / "0.png"
            )
    figure = check_figures.most_alike(survey(load_category(tmp_path, "bolt")))
    colours = [axes.title.get_color() for axes in figure.axes if axes.get_title()]
    assert colours[:2] == [THRESHOLD] * 2 and THRESHOLD not in colours[2:]
    assert {name.splitlines()[1] for name in titles(figure)[:2]} == {"0.png", "6.bmp"}


def test_the_least_usual_are_ordered(nut):
    by_name = {check.name: check for check in checks.check_all(nut)}
    given = by_name["sharpness"], by_name["outliers"]
    found = titles(check_figures.least_usual(nut, *given))
    sharp = [float(name.split("\n")[1]) for name in found[:4]]
    far = [float(name.split("\n")[1]) for name in found[4:]]
    assert sharp == sorted(sharp) and far == sorted(far, reverse=True)


def test_masks_are_outlined_and_their_absence_is_said(nut, tmp_path):
    figure = check_figures.outlined(nut)
    assert len(titles(figure)) == 4
    assert all(axes.collections for axes in figure.axes if axes.get_title())
    (tmp_path / "bolt" / "normal").mkdir(parents=True)
    for number in range(5):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(tmp_path / f"bolt/normal/{number}.png")
    empty = survey(load_category(tmp_path, "bolt"))
    assert check_figures.outlined(empty).axes[0].texts[0].get_text() == "no masks to show"
    assert len(titles(check_figures.sample(empty, 0))) == 5


def test_names_that_look_like_formulas_are_shown_as_they_are(tiny_root, tmp_path):
    folder = shutil.copytree(tiny_root / "metal_nut", tmp_path / "metal_nut")
    for kind in [path for path in (folder / "test").iterdir() if path.name != "good"]:
        kind.rename(kind.with_name(f"{kind.name} $\\frac{{$"))
    shutil.rmtree(folder / "ground_truth")
    train = folder / "train" / "good"
    shutil.copy(sorted(train.iterdir())[0], train / "$a_b^{$.png")
    odd = survey(load_category(tmp_path, "metal_nut"))
    for figure in (check_figures.sample(odd, 0), check_figures.most_alike(odd)):
        figure.canvas.draw()
        assert any("{$" in title for title in titles(figure))
