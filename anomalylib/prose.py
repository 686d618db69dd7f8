"""Numbers for a page's sentences: formatted here, put where the prose names them."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from IPython.display import HTML
from myst_nb import glue

from anomalylib.results import CONTROL, as_html
from anomalylib.settings import ARMS

TITLES = {
    "below_chance": "Why the autoencoder falls below chance",
    "measured": "The ablation, measured",
    "thresholds": "The threshold",
}


def put(numbers: Mapping[str, Any]) -> None:
    """Make numbers available to the page's text, as ``{glue:text}`` by their names."""
    for name, value in numbers.items():
        glue(name, value if isinstance(value, str) else f"{value:.3f}", display=False)


def with_interval(row: Any) -> str:
    """Mean AUROC and its bootstrap interval, from a row of the summary."""
    return f"{row.auroc_mean:.3f} [{row.auroc_ci_low:.3f}, {row.auroc_ci_high:.3f}]"


def p_value(p: float) -> str:
    """A p value as a page shows it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def table(frame: pd.DataFrame, digits: int = 3) -> HTML:
    """A table for a page: plain names, numbers rounded, a dash for what there is not."""

    def said(value: Any) -> str:
        if isinstance(value, str):
            return value
        if pd.isna(value):
            return "–"
        return f"{value:.{digits}f}" if isinstance(value, float) else str(value)

    shown = frame.rename(columns=lambda name: str(name).replace("_", " ")).map(said)
    for column in ("category", "defect type"):
        if column in shown:
            shown[column] = shown[column].str.replace("_", " ")
    return as_html(shown)


def decided(thresholds: pd.DataFrame, rules: Mapping[str, str]) -> dict[str, str]:
    """What some threshold rules decide, as text by ``<category>_<arm>_<rule>_<figure>``.

    Parameters
    ----------
    thresholds : DataFrame
        Rows of the table ``thresholds``, with one backbone.
    rules : mapping of str to str
        Short names of the rules to their names in the table.
    """
    said = {}
    for short, name in rules.items():
        for row in thresholds[thresholds.threshold_rule == name].itertuples():
            figures = {
                "recall": f"{row.recall:.0%}",
                "fpr": f"{row.fpr:.0%}",
                "bound": f"{row.fpr_ci_high:.0%}",
                "skew": f"{row.skewness:.1f}",
                "n": str(row.n_nominal),
                "normal": str(row.n_normal),
            }
            key = f"{row.category}_{row.arm}_{short}"
            said |= {f"{key}_{figure}": text for figure, text in figures.items()}
    return said


def verdict_table(verdicts: pd.DataFrame, folder: str = "") -> HTML:
    """Verdicts, with a link to the page that shows each; `folder` is where those pages lie."""
    text = table(verdicts).data
    for page, title in TITLES.items():
        link = f'<a href="{folder}{page}.html">{title}</a>'
        text = text.replace(f"<td>{page}</td>", f"<td>{link}</td>")
    return HTML(text)


def answer(summary: pd.DataFrame, backbone: str) -> HTML:
    """One sentence a category: every arm, and brightness alone."""
    lines = []
    shown = summary[(summary.variant == "plain") & summary.backbone.isin(["", backbone])]
    for category, rows in shown.groupby("category"):
        found = rows.set_index("arm").auroc_mean
        arms = ", ".join(f"{arm} {found[arm]:.2f}" for arm in ARMS)
        name = category.replace("_", " ")
        lines.append(f"<li><strong>{name}</strong>: {arms}; mean grey {found[CONTROL]:.2f}.</li>")
    return HTML(f"<ul>{''.join(lines)}</ul>")


def beside(published: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Published numbers and our own in one table, sorted by the harder part."""
    rows = published.drop(columns=["repository", "commit", "key"])
    own = summary[(summary.variant == "plain") & summary.arm.isin(ARMS)]
    ours = []
    for (arm, backbone), found in own.groupby(["arm", "backbone"], sort=False):
        by_part = {row.category: row for row in found.itertuples()}
        row = {"method": arm, "backbone": backbone or "none", "source": "this study"}
        row |= {name: by_part[name].auroc_mean for name in by_part}
        said = [f"[{by_part[n].auroc_ci_low:.3f}, {by_part[n].auroc_ci_high:.3f}]" for n in by_part]
        ours.append(row | {"note": f"{found.n_seeds.max()} seeds; {', '.join(said)}"})
    both = pd.concat([rows, pd.DataFrame(ours)], ignore_index=True)
    return both.sort_values("screw", ascending=False, ignore_index=True)


def provenance(said: Mapping[str, Any]) -> HTML:
    """What the reference results were made of, from their ``provenance.json``."""
    data = [
        f"{found['dataset']}, {name}, SHA-256 {found['sha256'][:16]}…, {found['images']}"
        for name, found in said["data"].items()
    ]
    backbones = [
        f"{name}: {found['path']}, SHA-256 {found['sha256'][:16]}…"
        for name, found in said["backbones"].items()
    ]
    settings = [
        f"{arm}: " + ", ".join(f"{key}={value}" for key, value in own.items())
        for arm, own in said["settings"].items()
    ]
    rows = {
        "data": "\n".join(data),
        "backbones": "\n".join(backbones),
        "parameters": "\n".join(settings),
        "versions": ", ".join(f"{key} {value}" for key, value in said["versions"].items()),
        "machine": "\n".join(said["machines"]),
        "runs": f"{said['runs']}, {said['processor_hours']} processor hours",
        "measured": " to ".join(said["measured"]),
        "commit": said["commit"],
    }
    return as_html(pd.Series(rows, name="provenance").to_frame(), index=True)
