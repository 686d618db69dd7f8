import os
import signal
import time
from types import SimpleNamespace

import pytest

from anomalylib.errors import UserError
from anomalylib.images.category import load_category
from study.__main__ import main
from study.book.options import Options
from study.datacheck.check import OK, STOP, Check, save
from study.datacheck.survey import survey
from study.runs.controls import random_resnet50

MEASURING = ("reference", "sensitivity", "curve")


@pytest.fixture
def complains(capsys, monkeypatch, tmp_path):
    """Run a command; give its only line on stderr."""
    monkeypatch.setattr("study.book.options.BUILD", tmp_path / "build")

    def run(*arguments):
        assert main(["notebooks", "--backbone", "efficientnet_lite0", *arguments]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: ")
        return lines[0]

    return run


def test_bad_input_is_one_line(complains, tiny_root, tmp_path):
    data = ["--data-root", str(tiny_root)]
    assert "found: metal_nut, screw" in complains(*data, "--categories", "bolt")
    assert "no data folder" in complains("--data-root", str(tmp_path / "nowhere"))
    assert "found: none" in complains("--data-root", str(tmp_path))
    assert "no category" in complains(*data, "--categories", " ")
    assert "latent=0" in complains(*data, "--params", "latent=0")
    assert "did you mean latent?" in complains(*data, "--params", "latnt=5")
    assert "layers holds for the whole study: LAYERS sets it" in complains(
        *data, "--params", "layers=layer1"
    )
    assert "latent='{': write a plain decimal number" in complains(*data, "--params", "latent={")
    assert "is not name=value" in complains(*data, "--params", "latent")
    assert "SEED='x'" in complains(*data, "--seed", "x")
    assert "JOBS" in complains(*data, "--jobs", "0")
    assert "no backbone 'vgg'" in complains(*data, "--backbone", "vgg")
    assert "no weights file" in complains(*data, "--backbone", "auto", "--weights", "x.pth")
    assert "one name to pages" in complains(*data, "--categories", "screw Screw")


@pytest.mark.parametrize("command", ["notebooks", "book", "pdf", *MEASURING])
def test_a_cluster_that_is_not_there_is_one_line(command, capsys, monkeypatch, tiny_root, tmp_path):
    monkeypatch.setattr("study.runs.workers.PATIENCE", 0.2)
    monkeypatch.setattr("study.book.pdf.find_browser", lambda: None)
    given = ["--data-root", str(tiny_root), "--scheduler", "tcp://127.0.0.1:1"]
    if command in MEASURING:
        given += ["--output", str(tmp_path), "--weights", str(random_resnet50(tmp_path, 0))]
    assert main([command, *given]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: no Dask scheduler answers at SCHEDULER=tcp://127.0.0.1:1")


def test_an_interrupt_is_one_line(capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("study.book.options.open_study", interrupted)
    assert main(["notebooks"]) == 130
    assert capsys.readouterr().err == "stopped; run again to go on from here\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_as_an_interrupt_does(number, capsys, monkeypatch):
    def asked_to_end(*_):
        os.kill(os.getpid(), number)
        time.sleep(60)

    monkeypatch.setattr("study.book.options.open_study", asked_to_end)
    usual = signal.signal(number, signal.SIG_DFL)  # a shell's background jobs ignore some
    try:
        assert main(["notebooks"]) == 128 + number
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, usual)
    assert capsys.readouterr().err == "stopped; run again to go on from here\n"


@pytest.mark.parametrize("fails", [False, True])
def test_what_must_be_mended_first_is_the_last_thing_said(
    fails, capsys, monkeypatch, category_folder, tmp_path
):
    category = load_category(category_folder, "bolt")
    opened = SimpleNamespace(folder=tmp_path, categories={"bolt": category}, tasks=[], stages=[])
    opened.options, opened.dataset, opened.backbone = Options(seed=3), "bolts", "net"

    def executed(stages, executor):
        found = [Check("a", STOP, "Mend this.", None), Check("b", OK, "Fine.", None)]
        found.append(Check("c", STOP, "And that.", None))
        save(survey(category), found, tmp_path / "results", 3)
        if fails:
            raise UserError("a notebook failed")
        return []

    monkeypatch.setattr("study.book.options.open_study", lambda *_: opened)
    monkeypatch.setattr("study.book.execute.run_stages", executed)
    assert main(["notebooks", "--seed", "3"]) == (2 if fails else 0)
    said = capsys.readouterr().out.splitlines()
    last = [] if fails else [str(tmp_path / "notebooks" / "seed3")]
    stops = ["stop: bolt: Mend this.", "stop: bolt: And that."]
    assert said[-2 - len(last) :] == [*stops, *last]
    assert fails or "data: bolts (bolt-" in "".join(said)


def test_without_a_checkout_one_line_says_where_the_study_runs(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("study.__main__.ROOT", tmp_path)
    assert main(["book"]) == 2
    line = "error: the study runs in its checkout: clone it, then `make book`\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("command", MEASURING)
def test_reference_results_are_not_made_of_the_wrong_things(command, capsys, tiny_root, tmp_path):
    def complaint(*arguments):
        assert main([command, *arguments]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        return line

    assert "real parts are needed" in complaint()
    data = ["--data-root", str(tiny_root)]
    assert "synthetic parts give no reference results" in complaint(*data)
    assert "of metal_nut and screw at least" in complaint(*data, "--categories", "screw")
    out = ["--output", str(tmp_path / "out")]
    assert "no weights file" in complaint(*data, *out, "--weights", "x.safetensors")
    assert "JOBS" in complaint(*data, *out, "--jobs", "none")
    assert not (tmp_path / "out").exists()
