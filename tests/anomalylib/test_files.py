import hashlib
import shutil
import subprocess

import pytest

from anomalylib.files import sha256_of, written_whole
from study.checkout import ROOT, commit, from_root


def test_a_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "folder" / "x.txt"
    with pytest.raises(RuntimeError), written_whole(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert list(path.parent.iterdir()) == []
    with written_whole(path) as beside:
        beside.write_text("first")
        assert not path.exists()
    with written_whole(path) as beside:
        beside.write_text("second")
        assert path.read_text() == "first"
    assert path.read_text() == "second"
    assert sha256_of(path) == hashlib.sha256(b"second").hexdigest()


def test_paths_are_seen_from_the_root():
    assert from_root(ROOT / "data" / "x") == "data/x"
    assert from_root(ROOT.parent / "y") == "../y"


def test_the_commit_is_told_where_there_is_one(monkeypatch, tmp_path):
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
        head = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert head.startswith(commit().removesuffix("-dirty"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert commit() == "unknown"


def test_the_commit_of_another_checkout_is_not_ours(monkeypatch, tmp_path):
    monkeypatch.setattr("study.checkout.ROOT", tmp_path)
    assert commit() == "unknown"


def test_only_what_dead_processes_have_left_is_cleared(tmp_path):
    path = tmp_path / "a.json"
    with written_whole(path) as first:
        first.write_text("1")
        dead = first.with_name(first.name.replace(f"-{first.name.split('-')[2]}-", "-999999999-"))
        dead.write_text("half")
        with written_whole(path) as second:
            second.write_text("2")
            assert first.exists() and not dead.exists()
    assert path.read_text() == "1" and list(tmp_path.iterdir()) == [path]
