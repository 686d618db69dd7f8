"""The README's table and chart are those of the committed tables."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from anomalylib.errors import UserError
from study.book import readme as headline
from study.names import CLAIMS, CONTROL, LARGER, MAIN, MODELS, label, name_of, plain
from study.tables import reference as tables
from study.tables.claims import ranked, verdicts

SUMMARY, SCORES = tables.read_tables("summary", "scores")
TEXT = headline.README.read_text(encoding="utf-8")
BLOCK = TEXT.partition(headline.BEGIN)[2].partition(headline.END)[0]


PARTS = {plain(name): name for name in SUMMARY.category.unique()}


def cells():
    """The rows of the README's table, each cell by the name of its column, by part."""
    lines = [line for line in BLOCK.splitlines() if line.startswith("| ")]
    names, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in rows}


def chosen_row(category, model, variant="plain"):
    return {"category": category, "variant": variant} | tables.of_model(model, MAIN)


def test_the_readme_shows_what_the_tables_say():
    assert headline.put(TEXT, headline.block(SUMMARY, SCORES)) == TEXT


def test_the_table_has_a_row_a_part_and_their_mean():
    rows = cells()
    assert set(rows) == {*PARTS, "mean"}
    columns = [*map(label, MODELS), name_of("patchcore", LARGER), label(CONTROL)]
    assert all(list(row) == columns for row in rows.values())


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("model", [*MODELS, CONTROL])
def test_every_mean_of_the_readme_follows_from_the_scores(model, part):
    by_seed = tables.select(SCORES, **chosen_row(PARTS[part], model)).groupby("seed")
    aurocs = [roc_auc_score(seed.label, seed.score_top10) for _, seed in by_seed]
    cell = cells()[part][label(model)]
    assert re.fullmatch(r"\d\.\d{3}<br>\[\d\.\d{3}, \d\.\d{3}\]", cell)
    mean, low, high = map(float, re.findall(r"[\d.]+", cell))
    assert mean == pytest.approx(np.mean(aurocs), abs=5.1e-4)
    assert low <= mean <= high


def test_the_caption_has_the_fewest_and_the_most_seeds_of_the_table():
    chosen = [chosen_row(part, model) for part in PARTS.values() for model in MODELS]
    counts = [tables.select(SCORES, **which).seed.nunique() for which in chosen]
    assert f"mean over {min(counts)} to {max(counts)} seeds" in TEXT


def test_the_sentences_below_the_table_hold():
    decisions = tables.read_table("thresholds")
    found = verdicts(SCORES, SUMMARY, decisions, MAIN).set_index("claim")
    claim = found.loc["ResNet + FeatCAE: AUROC about 0.99"]
    assert {"grid", "screw"} <= set(claim.contradicted.split(", "))
    by_part = SUMMARY[(SUMMARY.variant == "plain") & SUMMARY.backbone.isin(["", MAIN])]
    auroc = by_part.pivot(index="category", columns="model", values="auroc_mean")
    for name in ("bottle", "metal_nut"):
        assert auroc.combined[name] > CLAIMS["combined"]
        assert name.replace("_", " ") not in claim.contradicted
    gain = auroc.patchcore - auroc.combined
    assert (gain > 0).sum() > (gain < 0).sum() > 0
    assert set(auroc.index[auroc[CONTROL] > 0.9]) == {"grid", "screw"}
    pairs = ranked(SCORES, SUMMARY, MAIN).pairs.set_index(["first", "second"])
    assert pairs.loc[(label("combined"), label("patchcore")), "p_holm"] > 0.05


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
    readme, image = tmp_path / "README.md", tmp_path / "headline.svg"
    readme.write_text(f"# Title\n\n{headline.BEGIN}\nold\n{headline.END}\n\nrest\n")
    drawn = []
    for _ in range(2):
        headline.write(readme, image)
        drawn.append((readme.read_bytes(), image.read_bytes()))
    assert drawn[0] == drawn[1]
    assert headline.block(SUMMARY, SCORES) in readme.read_text(encoding="utf-8")
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
    readme, image = tmp_path / "README.md", tmp_path / "headline.svg"
    readme.write_text(text)
    with pytest.raises(UserError, match="once each"):
        headline.write(readme, image)
    assert readme.read_text() == text and not image.exists()
