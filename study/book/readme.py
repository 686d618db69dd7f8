"""The headline of the README: its chart and its table, made of the committed tables."""

import hashlib
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from anomalylib.errors import UserError
from anomalylib.files import sha256_of, written_whole
from anomalylib.sources import code_hash
from study.checkout import ROOT
from study.figures.reference import parts
from study.names import CLAIMS, CONTROL, LARGER, MAIN, MODELS, label, plain
from study.tables.claims import matrix
from study.tables.reference import REFERENCE, read_tables, select

README = ROOT / "README.md"
PICTURE = ROOT / "book" / "_static" / "headline.svg"
BEGIN = "<!-- headline: make headline writes what follows -->"
END = "<!-- headline: end -->"
SOURCES = ("summary", "scores")
# Not the fonts of this machine, no random names: the same tables, the same bytes.
STYLE = {
    "svg.hashsalt": "anomalylib",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.sans-serif": "DejaVu Sans",
}


def write(readme: Path = README, image: Path = PICTURE) -> None:
    """Draw the chart and put it, with the table, into the README."""
    summary, scores = read_tables(*SOURCES)
    text = put(readme.read_text(encoding="utf-8"), block(summary, scores))
    draw(image, summary)
    with written_whole(readme) as beside:
        beside.write_text(text, encoding="utf-8")


def put(text: str, made: str) -> str:
    """The text with `made` between the two markers, which stand there once and in order."""
    before, begun, rest = text.partition(f"{BEGIN}\n")
    _, ended, after = rest.partition(f"{END}\n")
    if not begun or not ended or BEGIN in rest or END in before + after:
        raise UserError(f"README.md must hold the lines {BEGIN} and {END} once each")
    return f"{before}{begun}\n{made}\n{ended}{after}"


def block(summary: pd.DataFrame, scores: pd.DataFrame) -> str:
    """The chart's place, the table, and what they show, as Markdown."""
    table = rows(summary, scores)
    count = summary.category.nunique()
    alt = f"Image-level AUROC of every model and of brightness alone on {count} parts"
    chart = f"![{alt}, with intervals and the claims of the report](book/_static/{PICTURE.name})"
    shown = select(summary, model="combined", variant="plain", backbone=MAIN).iloc[0]
    in_table = summary.model.isin(MODELS) & summary.variant.isin(["plain", LARGER])
    seeds = summary[in_table & summary.backbone.isin(["", MAIN])].n_seeds
    counted = f"{seeds.min()} to {seeds.max()} seeds".replace("1 to 1 seeds", "one seed")
    caption = (
        f"*Image-level AUROC with ResNet-50 of He et al., {shown.layers}: mean over "
        f"{counted}, in brackets the 95 % interval over test "
        f"images, in the last row over parts, seeds and images; 0.5 is guessing. The report claims "
        f"{CLAIMS['autoencoder']:g} for the autoencoder and {CLAIMS['combined']:g} for "
        f"{label('combined')}. Models on features see {shown.image_size:.0f} pixels a side. "
        f"{label(CONTROL).capitalize()}: the image's mean grey value, with no model at all.*"
    )
    lines = [table.columns, ["---"] * len(table.columns), *table.itertuples(index=False)]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{chart}\n\n{text}\n\n{caption}\n"


def rows(summary: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """A row a part and one for their mean; a column a model, each interval in a line of its own."""
    table = matrix(summary, scores, MAIN).rename(index=plain).rename_axis("part").reset_index()
    return table.map(lambda cell: cell.replace(" [", "<br>["))


def draw(image: Path, summary: pd.DataFrame) -> None:
    """Save the chart, without a date and with the hash of the tables it was drawn from."""
    metadata = {
        "Title": "Image-level AUROC of every model and of brightness alone, part by part",
        "Source": f"data/reference: {', '.join(SOURCES)}; SHA-256 {digest()}",
        "Creator": "anomalylib",
        "Rights": "CC BY 4.0, The anomalylib authors",
        "Date": None,
    }
    with plt.rc_context(STYLE):
        figure = parts(summary, MAIN)
        with written_whole(image) as beside:
            figure.savefig(beside, format="svg", metadata=metadata)
        plt.close(figure)


def digest() -> str:
    """SHA-256 over the tables that the headline is made of, and the code that draws it."""
    files = [REFERENCE / f"{name}.csv" for name in SOURCES]
    code = code_hash(parts.__module__, packages=("anomalylib", "study"))
    text = "".join(f"{path.name} {sha256_of(path)}\n" for path in files)
    return hashlib.sha256(f"{text}{code}".encode()).hexdigest()
