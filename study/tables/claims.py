"""The report's claims against every part: met, contradicted or undecided, and what holds across."""

from collections.abc import Mapping, Sequence

import pandas as pd

from anomalylib.metrics.intervals import lower_bound, upper_bound
from study.names import CLAIMS, CONTROL, KINDS, MAIN, MODELS, NORMALISED, label, name_of, plain
from study.tables.across_parts import (
    ModelComparison,
    Scored,
    compare_models,
    difference_over_parts,
    mean_over_parts,
)
from study.tables.comparisons import compare
from study.tables.reference import RULES, of_model, scores_of, select
from study.tables.text import Numbers, interval_text, p_value, with_interval
from study.tables.verdicts import Verdict, order_verdict, threshold_verdict, value_verdict

VERDICTS = ("met", "undecided", "contradicted")
WORDS = {
    "autoencoder": (f"autoencoder: AUROC about {CLAIMS['autoencoder']:g}", "below_chance"),
    "features": ("ResNet features: better than the autoencoder", "tables"),
    "combined": (f"{label('combined')}: AUROC about {CLAIMS['combined']:g}", "tables"),
    "featcae": (f"{label('combined')}: better than ResNet features", "illumination"),
    "threshold": (
        f"{RULES[0].name.split(',')[0]} of the errors: a working threshold",
        "thresholds",
    ),
}
"""Each claim by a short name, and the page that shows it."""


def scored(
    scores: pd.DataFrame,
    model: str,
    backbone: str,
    parts: Sequence[str] | None = None,
    **which: str,
) -> dict[str, Scored]:
    """Labels and scores of one model on some parts, all where it was measured by default."""
    shared = of_model(model, backbone) | which
    parts = parts or parts_of(scores, model, backbone, **which)
    return {name: scores_of(scores, category=name, **shared) for name in parts}


def parts_of(scores: pd.DataFrame, model: str, backbone: str, **which: str) -> list[str]:
    """The parts on which a model was measured with a backbone."""
    columns = {"variant": "plain"} | of_model(model, backbone) | which
    return list(select(scores, **columns).category.unique())


def decide(
    scores: pd.DataFrame,
    summary: pd.DataFrame,
    decisions: pd.DataFrame,
    backbone: str,
    variant: str = "plain",
) -> dict[str, dict[str, Verdict]]:
    """The verdict on each claim of the report, part by part; for the rules see `verdicts`.

    Of another variant than the plain one the claims about AUROC alone, on its seeds.
    """
    parts = parts_of(scores, "combined", backbone, variant=variant)

    def value(model: str) -> dict[str, Verdict]:
        which = {"variant": variant} | of_model(model, backbone)
        rows = select(summary, **which).set_index("category")
        ends = {name: rows.loc[name, ["auroc_ci_low", "auroc_ci_high"]] for name in parts}
        return {name: value_verdict(*each, CLAIMS[model]) for name, each in ends.items()}

    def order(*models: str) -> dict[str, Verdict]:
        decided = {}
        for name in parts:
            same = {"category": name, "variant": variant}
            found = compare(scores, *(same | of_model(model, backbone) for model in models))
            decided[name] = order_verdict(found.low, found.high)
        return decided

    def works() -> dict[str, Verdict]:
        which = of_model("combined", backbone) | {"threshold_rule": RULES[0].name}
        used = select(decisions, **which).set_index("category")
        return {name: _works(used.loc[name]) for name in parts}

    decided = {
        "autoencoder": value("autoencoder"),
        "features": order("resnet", "autoencoder"),
        "combined": value("combined"),
        "featcae": order("combined", "resnet"),
    }
    return decided | ({"threshold": works()} if variant == "plain" else {})


def verdicts(
    scores: pd.DataFrame, summary: pd.DataFrame, decisions: pd.DataFrame, backbone: str
) -> pd.DataFrame:
    """Each claim of the report with the parts where it is met, undecided or contradicted.

    One row a claim; ``across parts`` is the mean over parts, of an AUROC or of a difference with
    its interval, of the rates that a threshold gives; ``one mean grey`` says where the verdict is
    another with all images at one mean grey value. For the rules see `study.tables.verdicts`.
    """
    decided = decide(scores, summary, decisions, backbone)
    matched: dict[str, dict[str, Verdict]] = {}
    if _measured(scores, "combined", backbone, NORMALISED):
        matched = decide(scores, summary, decisions, backbone, NORMALISED)
    parts = list(decided["combined"])
    of = {model: scored(scores, model, backbone, parts) for model in MODELS[:3]}
    used = select(
        decisions, **of_model("combined", backbone), threshold_rule=RULES[0].name
    ).set_index("category")
    rates = f"recall {used.recall.mean():.0%}, false alarms {used.fpr.mean():.0%}"
    across = {
        "autoencoder": interval_text(mean_over_parts(of["autoencoder"])),
        "features": interval_text(difference_over_parts(of["resnet"], of["autoencoder"]), "+"),
        "combined": interval_text(mean_over_parts(of["combined"])),
        "featcae": interval_text(difference_over_parts(of["combined"], of["resnet"]), "+"),
        "threshold": rates,
    }
    rows = []
    for name, (claim, page) in WORDS.items():
        changed = [
            f"{plain(part)}: {verdict}"
            for part, verdict in matched.get(name, {}).items()
            if verdict != decided[name][part]
        ]
        same = "as measured" if name in matched else "–"
        row = _row(claim, decided[name], across[name])
        rows.append(row | {"one mean grey": ", ".join(changed) or same, "page": page})
    return pd.DataFrame(rows)


def met(scores: pd.DataFrame, summary: pd.DataFrame, decisions: pd.DataFrame) -> Numbers:
    """The parts by claim and verdict with the main backbone, as ``<verdict>_<claim>``."""
    numbers: Numbers = {}
    for name, decided in decide(scores, summary, decisions, MAIN).items():
        for verdict in VERDICTS:
            there = [plain(part) for part, each in decided.items() if each == verdict]
            numbers[f"{verdict}_{name}"] = ", ".join(there) or "none"
    return numbers


def across(scores: pd.DataFrame) -> pd.DataFrame:
    """The mean AUROC over parts of every model and of brightness: a row each, with its interval."""
    rows = []
    for model, variant in (*KINDS, (CONTROL, "plain")):
        mean = mean_over_parts(scored(scores, model, MAIN, variant=variant))
        rows.append({"model": model, "variant": variant} | mean._asdict())
    return pd.DataFrame(rows)


def changing(
    scores: pd.DataFrame, summary: pd.DataFrame, decisions: pd.DataFrame, backbones: Sequence[str]
) -> Numbers:
    """Which verdicts change with the backbone: by claim, its parts; ``changed`` of ``compared``.

    The autoencoder, which has no backbone, is left out.
    """
    found = [decide(scores, summary, decisions, backbone) for backbone in backbones]
    numbers: Numbers = {}
    changed = compared = 0
    for name in list(WORDS)[1:]:
        parts = [part for part in found[0][name] if all(part in each[name] for each in found)]
        differ = [part for part in parts if len({each[name][part] for each in found}) > 1]
        changed, compared = changed + len(differ), compared + len(parts)
        numbers[f"changed_{name}"] = ", ".join(map(plain, differ)) or "none"
    return numbers | {"changed": str(changed), "compared": str(compared)}


def ranked(scores: pd.DataFrame, summary: pd.DataFrame, backbone: str) -> ModelComparison:
    """The models, patchcore at both sizes among them, compared over all parts."""
    columns = {}
    for model, variant in KINDS:
        rows = select(summary, variant=variant, **of_model(model, backbone))
        columns[name_of(model, variant)] = rows.set_index("category").auroc_mean
    return compare_models(pd.DataFrame(columns).dropna(axis=1))


def compared(found: ModelComparison) -> tuple[Numbers, pd.DataFrame, pd.DataFrame]:
    """Of models over parts: for the text, the mean ranks, and the pairs as a page shows them."""
    clear = found.pairs[found.pairs.p_holm < 0.05]
    said = [f"{row.first} over {row.second}" for row in clear.itertuples()]
    numbers = {"friedman": p_value(found.friedman_p), "pairs": str(len(found.pairs))}
    numbers |= {"smallest": f"{found.smallest_p:.3f}", "holm": f"{found.smallest_p_holm:.3f}"}
    numbers["clear"] = "; ".join(said) or "none"
    ranks = found.mean_ranks.sort_values().rename("mean rank").rename_axis("model").reset_index()
    return (
        numbers,
        ranks,
        found.pairs.assign(p=found.pairs.p.map(p_value), p_holm=found.pairs.p_holm.map(p_value)),
    )


def matrix(summary: pd.DataFrame, scores: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """AUROC with its interval, a row a part and a column a model, and the mean over parts last."""
    columns: dict[str, dict[str, str]] = {}
    for model, variant in (*KINDS, (CONTROL, "plain")):
        rows = select(summary, variant=variant, **of_model(model, backbone))
        cells = {row.category: with_interval(row) for row in rows.itertuples()}
        if len(cells) == summary.category.nunique():
            mean = mean_over_parts(scored(scores, model, backbone, variant=variant))
            columns[name_of(model, variant)] = cells | {"mean": interval_text(mean)}
    return pd.DataFrame(columns)


def _measured(scores: pd.DataFrame, model: str, backbone: str, variant: str) -> bool:
    """Whether a model was measured so."""
    same = (scores.model == model) & (scores.backbone == backbone) & (scores.variant == variant)
    return bool(same.any())


def _row(claim: str, decided: Mapping[str, Verdict], across: str) -> dict[str, str]:
    where = {
        verdict: ", ".join(plain(name) for name, each in decided.items() if each == verdict) or "–"
        for verdict in VERDICTS
    }
    return {"claim": claim} | where | {"across parts": across}


def _works(row: pd.Series) -> Verdict:
    """The threshold's verdict, from one-sided bounds of the seeds farthest to either side."""
    hits = (
        lower_bound(int(row.hits_least), int(row.n_anomalous)),
        upper_bound(int(row.hits_most), int(row.n_anomalous)),
    )
    alarms = (
        lower_bound(int(row.false_alarms_least), int(row.n_normal)),
        upper_bound(int(row.false_alarms_most), int(row.n_normal)),
    )
    return threshold_verdict(hits, alarms)
