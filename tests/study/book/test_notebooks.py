import ast
import json

import pytest

from anomalylib import sources
from anomalylib.detectors.registry import DETECTORS
from anomalylib.errors import UserError
from anomalylib.images.category import load_category
from study.book import notebooks
from study.book.notebooks import chapters, code_key, names, plan, split_parameters, tables_read
from study.names import MODELS
from study.tables.reference import parts


def test_parameters_go_to_those_who_know_them():
    given = split_parameters({"epochs": 3, "combined.epochs": 5, "seed": 1})
    assert given["autoencoder"] == {"epochs": 3, "seed": 1}
    assert given["combined"] == {"epochs": 5, "seed": 1}
    assert given["resnet"] == {"seed": 1}
    with pytest.raises(UserError, match=r"unknown parameter 'epoch'.*did you mean epochs"):
        split_parameters({"epoch": 3})
    with pytest.raises(UserError, match=r"unknown parameter 'resnet\.epochs'"):
        split_parameters({"resnet.epochs": 3})


def keys(tmp_path, root, sha="w", **given):
    parameters = {name: dict(given.get(name, {})) for name in names()}
    categories = [load_category(root, name) for name in ("metal_nut", "screw")]
    stages = plan(tmp_path / "build", categories, sha, parameters)
    return {(task.notebook, task.subject): task.key for stage in stages for task in stage}


def changed(before, after):
    return {
        notebook for (notebook, subject), key in after.items() if before[notebook, subject] != key
    }


def test_the_plan_has_every_notebook_and_follows_what_it_depends_on(tiny_root, tmp_path):
    before = keys(tmp_path, tiny_root)
    of_a_category = len(MODELS) + 3  # the look at the data, the learning curve, the ablation
    assert len(before) == 2 * of_a_category + 1 + len(chapters()) - 1 + len(parts())
    assert keys(tmp_path, tiny_root) == before
    builds = {*MODELS, "learning_curve", "ablation", "summary"}
    assert changed(before, keys(tmp_path, tiny_root, "v")) == builds
    after = keys(tmp_path, tiny_root, combined={"latent": 9})
    assert changed(before, after) == {"combined", "ablation", "summary"}
    after = keys(tmp_path, tiny_root, learning_curve={"repeats": 9})
    assert changed(before, after) == {"learning_curve"}


def test_chapters_follow_the_tables_that_they_read(tiny_root, tmp_path):
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "scores.csv").write_text("a\n1\n")
    given = {"claims": {"reference_dir": str(tables)}}
    before = keys(tmp_path, tiny_root, **given)
    (tables / "places.csv").write_text("not read by this chapter")
    assert keys(tmp_path, tiny_root, **given) == before
    (tables / "scores.csv").write_text("a\n2\n")
    assert changed(before, keys(tmp_path, tiny_root, **given)) == {"claims"}


def test_a_wrong_parameter_stops_the_plan(tiny_root, tmp_path):
    with pytest.raises(UserError, match="latent=0"):
        keys(tmp_path, tiny_root, combined={"latent": 0})


@pytest.fixture
def reads(monkeypatch):
    """Which tables a piece of code reads."""

    def reads(code):
        monkeypatch.setattr(notebooks, "code_of", lambda name: ast.parse(code))
        tables_read.cache_clear()
        return tables_read("any")

    yield reads
    tables_read.cache_clear()


def test_what_a_chapter_reads_is_read_off_its_code(reads):
    code = "a, b = read_tables('scores', 'runs', folder=s.dir)\nread_table('places', s.dir)"
    assert reads(code) == ("scores.csv", "runs.csv", "places.csv")
    assert reads("reference.read_table('scores')") == ("scores.csv",)
    assert reads("benchmarks.read_benchmarks(s.dir)") == ("benchmarks.json",)
    assert reads("read_arrays('maps', s.dir)") == ("maps.npz",)
    assert reads("print('scores')") == ()


@pytest.mark.parametrize(
    "call", ["read_tables(*NAMES)", "read_table(name)", "read_table(name='x')"]
)
def test_a_chapter_must_name_its_tables(reads, call):
    with pytest.raises(UserError, match="must name its tables as plain text"):
        reads(call)


def test_the_chapters_read_committed_tables_and_only_those():
    files = {name: tables_read(name) for name in chapters()}
    folder = notebooks.ROOT / "data" / "reference"
    assert all((folder / name).is_file() for name in set().union(*files.values()))
    assert {name for name, tables in files.items() if not tables} == {"methods_in_code"}
    assert files["cost"] == ("benchmarks.json",)


@pytest.fixture
def edited(tiny_root, tmp_path, monkeypatch):
    """Which notebooks are made again after an edit of one module."""
    before = keys(tmp_path, tiny_root)

    def edit(module):
        path, read = sources._file(module), sources.sha256_of
        with monkeypatch.context() as patch:
            patch.setattr(sources, "sha256_of", lambda p: "edited" if p == path else read(p))
            return changed(before, keys(tmp_path, tiny_root))

    return edit


def test_an_edit_of_a_figure_makes_again_the_pages_that_draw_it(edited):
    assert edited("study.figures.cost") == {"cost", "published", "your_parts"}
    assert edited("study.figures.networks") == {"methods_in_code"}
    assert edited("study.figures.build") >= set(MODELS)
    assert edited("study.figures.style") >= {*chapters(), *MODELS} - {"category"}
    assert edited("study.book.pdf") == set()


def test_an_edit_of_a_detector_makes_again_what_uses_it_and_no_autoencoder(edited):
    again = edited("anomalylib.detectors.patchcore")
    assert again >= {"patchcore", "ablation", "summary", "your_parts"}
    assert not again & {"autoencoder", "resnet", "combined", "learning_curve", "data", "claims"}
    assert "learning_curve" in edited("anomalylib.detectors.combined")


@pytest.mark.parametrize("name", MODELS)
def test_what_a_detector_has_learned_depends_on_no_code_of_the_study(name):
    depends = sources.closure([DETECTORS.module(name)], notebooks.PACKAGES)
    assert depends and not [module for module in depends if module.startswith("study")]


def test_a_learning_curve_follows_the_model_that_its_parameter_names(tiny_root, tmp_path):
    assert code_key("learning_curve", "patchcore") != code_key("learning_curve", "combined")


def test_a_damaged_notebook_is_stale(tmp_path):
    task = notebooks.Task("data", "nut", {}, tmp_path / "x.ipynb", "k")
    assert task.stale
    task.output.write_text("{")
    assert task.stale
    task.output.write_text(json.dumps({"metadata": {"study": {"key": "k"}}}))
    assert not task.stale
