"""``inspect --watch`` as a command: refusals, signals, a watcher that was killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from anomalylib.__main__ import main
from anomalylib.deploy import watch
from anomalylib.deploy.saving import load, save
from study.checkout import ROOT
from tests.anomalylib.deploy.watching import draw, kept, names


def ask(detector_file, *words):
    """The command's exit code."""
    return main(["inspect", "--detector", str(detector_file), *map(str, words)])


def test_what_does_not_go_together_is_refused_in_one_line(detector_file, folder, tmp_path, capsys):
    for words, said in (
        (["--watch", folder, "--json"], "leave out json"),
        (["--watch", folder, "--csv", "x.csv"], "leave out csv"),
        (["--watch", folder, "--html", "x.html"], "leave out html"),
        (["--watch", folder, "a.png"], "leave out images"),
        (["--watch", folder, "--every", "0"], "--every"),
        (["--watch", folder, "--patience", "nan"], "--patience"),
        (["--watch", tmp_path / "nothing"], "no folder"),
        (["--watch", detector_file], "no folder"),
        (["--watch", folder, "--record", tmp_path], "directory"),
        (["--record", "x.jsonl", folder], "--watch"),
    ):
        assert ask(detector_file, *words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ") and said in line
    with pytest.raises(SystemExit) as ended:
        ask(detector_file)
    assert ended.value.code == 2
    assert "inspect: error: the following arguments are required" in capsys.readouterr().err


def test_a_folder_that_may_not_be_read_or_a_record_not_written_is_one_line(
    detector_file, folder, capsys, monkeypatch
):
    def shut(path, inside=""):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(watch, "versions_in", shut)
    assert ask(detector_file, "--watch", folder) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no access" in line and str(folder) in line


@pytest.mark.parametrize("record", ["inspected.jsonl", "another.jsonl"])
def test_a_second_watcher_of_a_folder_is_refused(detector_file, folder, record, capsys):
    codes = []
    with watch.held(folder, folder / "inspected.jsonl"):
        words = ("--watch", folder, "--record", folder / record)
        second = threading.Thread(target=lambda: codes.append(ask(detector_file, *words)))
        second.start(), second.join()
    (line,) = capsys.readouterr().err.splitlines()
    assert codes == [2] and f"another process watches {folder}" in line
    with watch.held(folder, folder / record):  # and may, once the first has ended
        pass


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_after_the_current_image(
    number, code, detector_file, folder, monkeypatch, capsys
):
    usual = signal.getsignal(number)
    for index in range(3):
        draw(folder / f"{index}.png", index)
    scored = watch.scored
    stop = lambda *given: os.kill(os.getpid(), number) or scored(*given)  # noqa: E731
    monkeypatch.setattr(watch, "scored", stop)
    assert ask(detector_file, "--watch", folder, "--every", "0.01", "--threshold", "1e9") == code
    out, err = capsys.readouterr()
    assert [json.loads(line)["decision"] for line in out.splitlines()] == ["normal"]
    assert err == "stopped: 1 images scored\n" and len(kept(folder)) == 1
    assert signal.getsignal(number) is usual


def test_reminders_are_said_once_and_a_signal_ends_an_idle_watcher(
    detector_file, folder, tmp_path, capsys
):
    detector = load(detector_file)
    detector.remarks_ = ("the illumination is not the same",)
    path = save(detector, tmp_path / "x.safetensors")
    begun = time.monotonic()
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    monitor = threading.Thread(target=lambda: (wait_for(folder / "inspected.jsonl"), timer.start()))
    monitor.start()
    assert ask(path, "--watch", folder, "--every", "600") == 143
    monitor.join()
    assert time.monotonic() - begun < 60
    err = capsys.readouterr().err.splitlines()
    assert err == ["remember: the illumination is not the same", "stopped: 0 images scored"]


def wait_for(path):
    while not path.exists():
        time.sleep(0.01)


def test_what_a_killed_watcher_has_begun_another_ends(detector_file, folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "anomalylib", "inspect", "--detector", str(detector_file)]
    command += ["--watch", str(folder), "--every", "0.02"]

    def begin():
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    expected = {}
    for number in range(60):
        draw(folder / f"{number:02d}.png", number % 8, number + 1)
        expected[f"{number:02d}.png"] = "anomalous" if number % 2 else "normal"
    first = begin()
    printed = [json.loads(first.stdout.readline()) for _ in range(5)]
    first.kill()
    first.stdout.read(), first.wait()
    left = (folder / "inspected.jsonl").read_bytes()
    assert 5 <= left.count(b"\n") < 60
    with (folder / "inspected.jsonl").open("ab") as record:
        record.write(b'{"image": "59.p')  # as a kill within a write leaves it
    second = begin()
    missing = 60 - left.count(b"\n")
    printed += [json.loads(second.stdout.readline()) for _ in range(missing)]
    second.terminate()
    assert second.wait() == 143 and second.stdout.read() == ""
    rows = kept(folder)
    assert {row["image"]: row["decision"] for row in rows} == expected and len(rows) == 60
    assert names(printed[:5]) == names(rows[:5]) and names(printed[5:]) == names(rows[-missing:])
