import pytest

from anomalylib.errors import UserError
from anomalylib.images.category import load_category
from anomalylib.images.reading import read_image
from study.parts import bracket
from study.parts.new_images import new_images


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    counts = {"normal": 10, "defect": 2}
    return bracket.ensure_bracket(tmp_path_factory.mktemp("own") / "parts", counts)


def test_new_images_are_none_of_the_set(root, tmp_path):
    folder = new_images(tmp_path / "new")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["a nut.png", "cut short.png", "scratched.png", "sound.png", "undrilled.png"]
    with pytest.raises(UserError, match=r"cut short\.png"):
        read_image(folder / "cut short.png")
    category = load_category(root, "bracket")
    known = [image.tobytes() for images in (category.train, category.test) for image in images]
    assert read_image(folder / "sound.png").tobytes() not in known
