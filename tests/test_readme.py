import re
import shutil

from anomalylib.__main__ import main
from study.checkout import ROOT
from study.parts.bracket import ensure_bracket

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(kind):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [text for language, text in fenced if language == kind]


def test_the_examples_of_the_readme_run_word_for_word(tmp_path, monkeypatch, capsys):
    ensure_bracket(tmp_path / "parts", {"normal": 30, "defect": 1})
    (tmp_path / "sound").mkdir()
    for path in sorted((tmp_path / "parts" / "bracket" / "normal").iterdir())[10:]:
        path.rename(tmp_path / "sound" / path.name)
    (tmp_path / "parts" / "bracket" / "abnormal" / "crack").rename(tmp_path / "new")
    (tmp_path / "parts" / "bracket" / "masks" / "crack").rename(tmp_path / "masks of new")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("anomalylib.features.cache.FOLDER", tmp_path / "cache")
    (example,) = blocks("python")
    exec(example, {})
    figure, decision = capsys.readouterr().out.splitlines()
    assert 0 <= float(figure.split()[0]) <= 1 and decision in ("[False]", "[ True]")
    lines = [line for block in blocks("") for line in block.splitlines()]
    commands = [line.split()[3:] for line in lines if line.startswith("python -m anomalylib")]
    assert [words[0] for words in commands] == ["fit", *["inspect"] * 2, "calibrate", "export"]
    shutil.copytree(tmp_path / "new", tmp_path / "incoming")
    monkeypatch.setattr("anomalylib.deploy.watch.looks", lambda every, asked: [0, 1])
    assert [main(words) in (0, 1) for words in commands] == [True] * 5
    assert (tmp_path / "incoming" / "inspected.jsonl").stat().st_size > 100
    for name in ("bracket.safetensors", "stricter.safetensors", "report.html", "bracket.onnx"):
        assert (tmp_path / name).stat().st_size > 1000
