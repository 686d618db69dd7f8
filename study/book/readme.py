"""The headline of the README: its chart and its table, made of the committed tables."""

import hashlib
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from anomalylib.errors import UserError
from anomalylib.files import sha256_of, written_whole
from anomalylib.sources import code_hash
from study.checkout import ROOT
from study.figures.reference import measured
from study.names import CLAIMS, CONTROL, MODELS, plain
from study.tables.comparisons import row_of
from study.tables.reference import REFERENCE, read_tables
from study.tables.text import with_interval

README = ROOT / "README.md"
PICTURE = ROOT / "book" / "_static" / "headline.svg"
BEGIN = "<!-- headline: make headline writes what follows -->"
END = "<!-- headline: end -->"
BACKBONE = "resnet50"
SOURCES = ("summary", "scores")
# Not the fonts of this machine, no random names: the same tables, the same bytes.
STYLE = {
    "svg.hashsalt": "anomalylib",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.sans-serif": "DejaVu Sans",
}


def write(readme: Path = README, picture: Path = PICTURE) -> None:
    """Draw the chart and put it, with the table, into the README."""
    summary, scores = read_tables(*SOURCES)
    text = put(readme.read_text(encoding="utf-8"), block(summary))
    draw(picture, summary, scores)
    with written_whole(readme) as beside:
        beside.write_text(text, encoding="utf-8")


def put(text: str, made: str) -> str:
    """The text with `made` between the two markers, which stand there once and in order."""
    before, begun, rest = text.partition(f"{BEGIN}\n")
    _, ended, after = rest.partition(f"{END}\n")
    if not begun or not ended or BEGIN in rest or END in before + after:
        raise UserError(f"README.md must hold the lines {BEGIN} and {END} once each")
    return f"{before}{begun}\n{made}\n{ended}{after}"


def block(summary: pd.DataFrame) -> str:
    """The chart's place, the table, and what they show, as Markdown."""
    table = rows(summary)
    parts = " and on ".join(plain(name) for name in summary.category.unique())
    alt = f"Image-level AUROC of every model and control on {parts}, with intervals"
    chart = f"![{alt} and the claims of the report](book/_static/{PICTURE.name})"
    plus = row_of(summary, model=MODELS[-1], backbone=BACKBONE)
    others = row_of(summary, model=MODELS[1], backbone=BACKBONE)
    caption = (
        f"*Image-level AUROC with ResNet-50's {plus.layers}: mean over {plus.n_seeds} seeds, in "
        f"brackets the 95 % interval over test images; 0.5 is guessing. {plain(MODELS[-1])} sees "
        f"{plus.image_size:.0f} pixels a side, other models on features {others.image_size:.0f}. "
        f"{CONTROL.capitalize()}: the image's brightness alone, with no detector.*"
    )
    lines = [table.columns, ["---"] * len(table.columns), *table.itertuples(index=False)]
    shown = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{chart}\n\n{shown}\n\n{caption}\n"


def rows(summary: pd.DataFrame) -> pd.DataFrame:
    """One row a model and one for the control: name, each category, what the report claims."""
    shown = summary[summary.backbone.isin(["", BACKBONE])]
    table = []
    for model in (*MODELS, CONTROL):
        row = {"model": plain(model)}
        for category in summary.category.unique():
            row[plain(category)] = with_interval(row_of(shown, category=category, model=model))
        table.append(row | {"claimed": f"{CLAIMS[model]:.2f}" if model in CLAIMS else "–"})
    return pd.DataFrame(table)


def draw(picture: Path, summary: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Save the chart, without a date and with the hash of the tables it was drawn from."""
    metadata = {
        "Title": "Image-level AUROC of every model and control",
        "Source": f"data/reference: {', '.join(SOURCES)}; SHA-256 {digest()}",
        "Creator": "anomalylib",
        "Rights": "CC BY 4.0, The anomalylib authors",
        "Date": None,
    }
    with plt.rc_context(STYLE):
        figure = measured(summary, scores, [BACKBONE])
        with written_whole(picture) as beside:
            figure.savefig(beside, format="svg", metadata=metadata)
        plt.close(figure)


def digest() -> str:
    """SHA-256 over the tables that the headline is made of, and the code that draws it."""
    files = [REFERENCE / f"{name}.csv" for name in SOURCES]
    code = code_hash(measured.__module__, packages=("anomalylib", "study"))
    text = "".join(f"{path.name} {sha256_of(path)}\n" for path in files)
    return hashlib.sha256(f"{text}{code}".encode()).hexdigest()
