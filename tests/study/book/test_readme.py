"""The README's table and chart are those of the committed tables."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anomalylib.errors import UserError
from study.book import readme as headline
from study.names import CLAIMS, CONTROL, MODELS
from study.tables import comparisons
from study.tables import reference as tables

SUMMARY, SCORES = tables.read_tables("summary", "scores")
TEXT = headline.README.read_text(encoding="utf-8")
BLOCK = TEXT.partition(headline.BEGIN)[2].partition(headline.END)[0]


def cells():
    """The rows of the README's table, each cell by the name of its column."""
    lines = [line for line in BLOCK.splitlines() if line.startswith("| ")]
    names, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {
        row[0].lower().replace("knn ", "knn_"): dict(zip(names, row, strict=True)) for row in rows
    }


def chosen_row(category, model):
    backbone = headline.BACKBONE if model in MODELS[1:] else ""
    return {"category": category, "variant": "plain", "model": model, "backbone": backbone}


def test_the_readme_shows_what_the_tables_say():
    assert headline.put(TEXT, headline.block(SUMMARY)) == TEXT


@pytest.mark.parametrize("category", ["metal_nut", "screw"])
@pytest.mark.parametrize("model", [*MODELS, CONTROL])
def test_every_mean_of_the_readme_follows_from_the_scores(model, category):
    by_seed = tables.select(SCORES, **chosen_row(category, model)).groupby("seed")
    aurocs = [roc_auc_score(seed.label, seed.score_top10) for _, seed in by_seed]
    cell = cells()[model][category.replace("_", " ")]
    assert re.fullmatch(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", cell)
    mean, low, high = map(float, re.findall(r"[\d.]+", cell))
    assert mean == pytest.approx(np.mean(aurocs), abs=5.1e-4)
    assert low <= mean <= high


def test_the_table_has_the_claims_and_one_row_an_model():
    rows = cells()
    assert list(rows) == [*MODELS, CONTROL]
    claimed = {model: row["claimed"] for model, row in rows.items()}
    assert claimed == dict.fromkeys(rows, "–") | {a: f"{v:.2f}" for a, v in CLAIMS.items()}


def test_the_sentences_below_the_table_hold():
    rows = {
        (part, model): comparisons.row_of(SUMMARY, **chosen_row(part, model))
        for part in ("metal_nut", "screw")
        for model in (*MODELS, CONTROL)
    }
    pairs = comparisons.between_models(SCORES, headline.BACKBONE).set_index(["category", "first"])
    better = (pairs.difference > 0) & (pairs.p < comparisons.CERTAIN)
    for model, claim in CLAIMS.items():
        row = rows["metal_nut", model]
        assert row.auroc_ci_low <= claim <= row.auroc_ci_high
    assert better["metal_nut", "resnet"] and better["metal_nut", "combined"]
    assert rows["screw", "combined"].auroc_ci_high < CLAIMS["combined"]
    assert better["screw", "patchcore"]
    brightness = rows["screw", CONTROL].auroc_mean
    assert all(rows["screw", model].auroc_mean < brightness for model in MODELS)


def test_the_chart_was_drawn_from_these_tables():
    text = headline.PICTURE.read_text(encoding="utf-8")
    assert re.findall(r"SHA-256 ([0-9a-f]{64})", text) == [headline.digest()]
    assert headline.PICTURE.stat().st_size < 200_000
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "<image" not in text and "dc:date" not in text


def test_the_readme_shows_the_chart_and_describes_it():
    place = headline.PICTURE.relative_to(headline.README.parent).as_posix()
    (alt,) = re.findall(rf"!\[([^\]]+)\]\({re.escape(place)}\)", BLOCK)
    assert "AUROC" in alt


def test_the_same_tables_give_the_same_bytes(tmp_path):
    readme, picture = tmp_path / "README.md", tmp_path / "headline.svg"
    readme.write_text(f"# Title\n\n{headline.BEGIN}\nold\n{headline.END}\n\nrest\n")
    drawn = []
    for _ in range(2):
        headline.write(readme, picture)
        drawn.append((readme.read_bytes(), picture.read_bytes()))
    assert drawn[0] == drawn[1]
    assert headline.block(SUMMARY) in readme.read_text(encoding="utf-8")
    assert readme.read_text(encoding="utf-8").endswith(f"{headline.END}\n\nrest\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "headline.svg"]


@pytest.mark.parametrize(
    "text",
    [
        "no marker\n",
        f"{headline.BEGIN}\n",
        f"{headline.END}\n{headline.BEGIN}\n",
        f"{headline.BEGIN}\n{headline.BEGIN}\n{headline.END}\n",
    ],
)
def test_a_readme_without_its_markers_is_left_alone(text, tmp_path):
    readme, picture = tmp_path / "README.md", tmp_path / "headline.svg"
    readme.write_text(text)
    with pytest.raises(UserError, match="once each"):
        headline.write(readme, picture)
    assert readme.read_text() == text and not picture.exists()
