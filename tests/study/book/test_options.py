import shlex
import shutil

import pytest
import torch

from anomalylib.errors import UserError
from study.book import options as study
from study.book.notebooks import chapters
from study.book.options import Options, open_study, parse_parameters
from study.names import ARMS


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
    assert "Synthetic" in first.banner and "chosen by auto" in first.banner

    def never(*arguments):
        raise AssertionError("auto chose twice")

    monkeypatch.setattr("anomalylib.features.weights._choose", never)
    again = opened()
    assert again.backbone == first.backbone and again.banner == first.banner
    parameters = next(t for t in first.stages[0] if t.notebook == "resnet").parameters
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


def test_the_quick_profile_gives_way_to_what_is_asked_for(opened):
    tasks = opened(profile="quick", seed=3, params="combined.epochs=7").stages[0]
    epochs = {task.notebook: task.parameters.get("epochs") for task in tasks}
    assert epochs["combined"] == 7
    assert epochs["autoencoder"] == study.QUICK["autoencoder.epochs"]
    assert tasks[0].parameters["seed"] == 3
    assert "seed3" in str(tasks[0].output)


def test_weights_are_checked_before_the_notebooks(resnet18_file):
    backbone = study.resolve_backbone("resnet18", str(resnet18_file), "layer3")
    with pytest.raises(UserError, match="lacks"):
        study.check_weights(backbone)


def test_a_parameter_of_the_whole_study_has_one_place(opened):
    for name in ("seed", "combined.seed", "layers", "results_dir"):
        with pytest.raises(UserError, match=f"{name} holds for the whole study"):
            opened(params={name: 1})
    with pytest.raises(UserError, match="SEED='x'"):
        opened(seed="x")


def test_each_notebook_gets_the_seed_and_only_what_it_knows(opened):
    first, (ablation,), (summary,) = opened(seed="3").stages
    arms = [task for task in first if task.notebook not in chapters()]
    assert {task.parameters["seed"] for task in (*arms, ablation, summary)} == {3}
    given = [task.parameters for task in first if task.notebook in chapters()]
    assert {"category": "screw"} in given and all(set(names) <= {"category"} for names in given)
    assert "threads" not in ablation.parameters and "sigma" not in ablation.parameters
    assert [task.notebook for task in arms] == ["data", *ARMS, "learning_curve"]
    assert "weights" not in arms[0].parameters and "weights" not in arms[1].parameters


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


def test_words_are_read_as_yaml():
    words = ["a=1", "b=0.5", "c=true", "d=layer2,layer3", "e="]
    assert parse_parameters(words) == {"a": 1, "b": 0.5, "c": True, "d": "layer2,layer3", "e": None}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"categories": " , "}, "no category: give CATEGORIES"),
        ({"jobs": "0"}, "JOBS='0': input should be greater"),
        ({"profile": "slow"}, "PROFILE='slow': input should be 'full' or 'quick'"),
        ({"params": "latent"}, "'latent' is not name=value"),
        ({"nothing": "1"}, "NOTHING='1'"),
    ],
)
def test_a_wrong_option_is_one_line(given, message):
    with pytest.raises(UserError, match=message) as caught:
        Options.read(given)
    assert "\n" not in str(caught.value)


def test_categories_are_named_once_in_the_order_given():
    assert Options.read({"categories": "b, a  b"}).categories == ("b", "a")
    assert Options.read({"categories": "", "jobs": ""}) == Options()
