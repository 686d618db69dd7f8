import dataclasses
import shlex
import shutil
import unicodedata

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from anomalylib.errors import UserError
from anomalylib.images.category import MARKER
from study.book import options as study
from study.book.notebooks import chapters
from study.book.options import Options, open_study, parse_parameters
from study.names import MODELS, alike
from study.settings import typed


@pytest.fixture
def opened(tiny_root, tmp_path, monkeypatch):
    """Open a study of the tiny parts in a build folder of its own."""
    monkeypatch.setattr(study, "BUILD", tmp_path / "build")

    def refuse(*args, **kwargs):
        raise OSError("network is unreachable")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    usual = {"categories": "metal_nut", "data_root": str(tiny_root)}
    return lambda **given: open_study(Options.read(usual | given))


def test_auto_chooses_once_and_every_page_says_so(opened, monkeypatch):
    first = opened()
    assert first.backbone.name == "efficientnet_lite0"
    assert "synthetic" in first.made_of and "chosen by auto" in first.made_of

    def never(*arguments):
        raise AssertionError("auto chose twice")

    monkeypatch.setattr("anomalylib.features.weights._choose", never)
    again = opened()
    assert again.backbone == first.backbone and again.made_of == first.made_of
    parameters = next(t for t in first.tasks if t.notebook == "resnet").parameters
    assert parameters["backbone"] == "efficientnet_lite0"
    assert parameters["chosen"] == first.backbone.chosen


def test_a_given_file_goes_before_an_earlier_choice(opened, resnet18_file):
    opened()
    given = opened(backbone="resnet18", weights=str(resnet18_file))
    assert given.backbone.name == "resnet18"
    assert given.backbone.layers == ("layer2",)


def test_other_data_backbones_and_profiles_are_built_apart(opened, resnet18_file):
    folders = {
        opened().folder,
        opened(profile="quick").folder,
        opened(backbone="resnet18", weights=str(resnet18_file)).folder,
        opened(backbone="resnet18", weights=str(resnet18_file), layers="layer1").folder,
    }
    assert len(folders) == 4


def test_images_that_differ_are_built_apart_though_all_names_are_the_same(
    opened, tiny_root, tmp_path
):
    shutil.copytree(tiny_root, tmp_path / "line1" / "parts")
    (tmp_path / "line1" / "parts" / MARKER).unlink()
    shutil.copytree(tmp_path / "line1", tmp_path / "line2")
    next((tmp_path / "line2" / "parts" / "metal_nut" / "train" / "good").iterdir()).unlink()
    roots = [str(tmp_path / line / "parts") for line in ("line1", "line2")]
    lines = [opened(data_root=root, categories="metal_nut screw") for root in roots]
    first, second = (
        {task.page: {task.output, task.makes} - {None} for task in line.tasks} for line in lines
    )
    assert lines[0].folder == lines[1].folder and lines[0].dataset == "parts"
    assert lines[0].book != lines[1].book
    shared = {page for page in first if first[page] & second[page]}
    chapters_and_screw = {page for page in first if "results" not in page or "screw" in page}
    assert shared == chapters_and_screw
    alone = opened(data_root=roots[0], categories="screw")
    one = {task.page: (task.output, task.key) for task in alone.tasks}
    two = {task.page: (task.output, task.key) for task in lines[0].tasks}
    differing = {page for page in one if one[page] != two[page]}
    assert differing == {"results/summary"} and alone.book not in {each.book for each in lines}
    assert one["results/summary"][0] != two["results/summary"][0]


def test_categories_of_two_data_sets_are_called_by_their_folder(opened, tiny_root, monkeypatch):
    real = study.load_category

    def mixed(root, name):
        own = {"dataset": "MVTec AD" if name == "screw" else "my nuts", "synthetic": False}
        return dataclasses.replace(real(root, name), **own)

    monkeypatch.setattr(study, "load_category", mixed)
    assert opened(categories="screw").dataset == "MVTec AD"
    assert opened(categories="metal_nut screw").dataset == tiny_root.name


def test_a_command_for_notebooks_alone_has_no_chapter(opened, tiny_root):
    options = Options.read({"categories": "screw", "data_root": str(tiny_root)})
    planned = [task.notebook for task in open_study(options, with_chapters=False).tasks]
    assert planned == ["data", *MODELS, "learning_curve", "ablation", "summary"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("latent=010", "latent='010': write a plain decimal number"),
        ("combined.latent=0x10", r"combined\.latent='0x10': write a plain"),
        ("sigma=1:30", "sigma='1:30': write"),
        ("top_k=1_000", "top_k='1_000': write"),
        ("latent=yes", "latent='yes': write"),
        ("latent=", "latent='': write"),
        ("sigma=1e999", "sigma='1e999': write"),
        ("latent=१०", "latent='१०': write"),
        ("sigma=.inf", r"sigma='\.inf': write"),
        ("normalise=1", "normalise='1': write true or false"),
        ("latent=1.5", "latent=1.5 .combined.: input should be a valid integer"),
        ("patchcore.image_size=64", "patchcore.image_size=64 beside resnet.image_size=224: no"),
        ("resnet.normalise=false", "normalise=True beside resnet.normalise=False: no table"),
    ],
)
def test_a_parameter_that_is_read_in_two_ways_or_parts_the_models_is_one_line(
    opened, params, message
):
    with pytest.raises(UserError, match=message) as caught:
        opened(params=params)
    assert "\n" not in str(caught.value)


def test_a_parameter_is_taken_as_it_was_typed(opened, tmp_path):
    (tmp_path / "provenance.json").write_text('{"data": {}}')
    params = f"reference_dir={tmp_path} learning_curve.sizes=10 latent=9 sigma=1e-1 normalise=FALSE"
    params += " learning_curve.image_size=96 coreset=+0.5 model=resnet"
    tasks = {task.notebook: task.parameters for task in opened(params=params).tasks}
    curve = {"sizes": "10", "sigma": 0.1, "normalise": False, "image_size": 96, "model": "resnet"}
    assert tasks["learning_curve"] | curve == tasks["learning_curve"]
    assert (tasks["combined"]["latent"], tasks["patchcore"]["coreset"]) == (9, 0.5)
    assert "image_size" not in tasks["resnet"]
    assert tasks["claims"]["reference_dir"] == str(tmp_path)


@given(st.one_of(st.integers(1, 10**9), st.floats(1e-6, 1e6)))
def test_a_plain_number_is_read_as_python_and_yaml_read_it(number):
    assert typed("x", float, str(number)) == number == float(yaml.safe_load(str(number)))


def test_the_quick_profile_gives_way_to_what_is_asked_for(opened):
    tasks = opened(profile="quick", seed=3, params="combined.epochs=7").tasks
    epochs = {task.notebook: task.parameters.get("epochs") for task in tasks}
    assert epochs["combined"] == 7
    assert epochs["autoencoder"] == study.QUICK["autoencoder.epochs"]
    assert tasks[0].parameters["seed"] == 3
    assert "seed3" in str(tasks[0].output)


def test_weights_are_checked_before_the_notebooks(resnet18_file):
    backbone = study.resolve_backbone("resnet18", str(resnet18_file), "layer3")
    with pytest.raises(UserError, match="lacks"):
        study.check_weights(backbone, "cpu")


def test_a_parameter_of_the_whole_study_has_one_place(opened):
    for name in ("seed", "combined.seed", "layers", "results_dir"):
        with pytest.raises(UserError, match=f"{name} holds for the whole study"):
            opened(params={name: 1})
    with pytest.raises(UserError, match="SEED='x'"):
        opened(seed="x")


def test_each_notebook_gets_the_seed_and_only_what_it_knows(opened):
    looks, models, (ablation,), (summary,) = opened(seed="3").stages
    first = [*looks, *models]
    models = [task for task in first if task.notebook not in chapters()]
    assert {task.parameters["seed"] for task in (*models, ablation, summary)} == {3}
    given = [task.parameters for task in first if task.notebook in chapters()]
    assert {"category": "screw"} in given and all(
        set(names) <= {"category", "threads"} for names in given
    )
    assert "threads" not in ablation.parameters and "sigma" not in ablation.parameters
    assert [task.notebook for task in models] == ["data", *MODELS, "learning_curve"]
    assert "weights" not in models[0].parameters and "weights" not in models[1].parameters


def test_a_study_remembers_what_was_asked_for(opened, tiny_root):
    params = "latent=9 combined.epochs=2"
    asked = opened(seed="4", profile="quick", jobs="1", params=params).asked
    assert asked[:4] == (f"DATA_ROOT={tiny_root}", "SEED=4", "PROFILE=quick", "JOBS=1")
    assert asked[4] == "PARAMS='latent=9 combined.epochs=2'"


def test_what_was_asked_for_survives_a_shell(opened, tiny_root, tmp_path):
    odd = tmp_path / "my (new) parts & more"
    shutil.copytree(tiny_root, odd)
    words = shlex.split(" ".join(opened(data_root=str(odd)).asked))
    assert words == [f"DATA_ROOT={odd}"]


def test_words_stay_the_text_that_was_typed():
    words = ["a=010", "b=x=y", "c="]
    assert parse_parameters(words) == {"a": "010", "b": "x=y", "c": ""}
    with pytest.raises(UserError, match="a has two values, 1 and 2: give one"):
        parse_parameters(["a=1", "a=2"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"categories": " , "}, "no category: give CATEGORIES"),
        ({"jobs": "0"}, "JOBS=0: input should be greater"),
        ({"jobs": "9" * 30}, "JOBS=9+: input should be less than"),
        ({"jobs": "²"}, "JOBS='²': write a plain decimal number"),
        ({"jobs": "٣"}, "JOBS='٣': write a plain decimal number"),
        ({"seed": "1_000"}, "SEED='1_000': write a plain decimal number"),
        ({"profile": "slow"}, "PROFILE='slow': input should be 'full' or 'quick'"),
        ({"params": "latent"}, "'latent' is not name=value"),
        ({"nothing": "1"}, "NOTHING='1'"),
    ],
)
def test_a_wrong_option_is_one_line(given, message):
    with pytest.raises(UserError, match=message) as caught:
        Options.read(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "twins",
    [
        ("part_a", "part-a"),
        ("Nut", "nut"),
        ("schräubchen", "schra\u0308ubchen"),
        ("GROẞ", "gross"),
        ("ﬁn_1", "fin-1"),
        ("ΣΑΣ_1", "σας-1"),
    ],
)
def test_names_that_a_page_or_a_file_system_takes_for_one_are_refused(twins):
    one, other = twins
    for asked in (twins, ("bolt", other, "cap", one)):
        with pytest.raises(UserError, match=r"^CATEGORIES: .* are one name to pages") as caught:
            Options.read({"categories": " ".join(asked)})
        assert all(repr(name) in str(caught.value) for name in twins)
    assert Options.read({"categories": f"{one} bolt {one}"}).categories == (one, "bolt")


@given(st.lists(st.sampled_from(["a", "A", "ä", "a\u0308", "_", "-", "b", "ﬁ"]), min_size=1))
def test_a_name_is_the_twin_of_its_other_forms_and_of_no_longer_one(signs):
    name = "".join(signs)
    forms = [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    forms += [name.replace("_", "-"), name.replace("-", "_"), name.upper(), name.lower()]
    assert {alike(form) for form in forms} == {alike(name)} != {alike(name + "a")}


def test_categories_are_named_once_in_the_order_given():
    assert Options.read({"categories": "b, a  b"}).categories == ("b", "a")
    assert Options.read({"categories": "", "jobs": ""}) == Options()
