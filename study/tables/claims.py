"""The report's claims against every part: met, contradicted or undecided, and what holds across."""

from collections.abc import Mapping, Sequence

import pandas as pd

from anomalylib.metrics.intervals import lower_bound, upper_bound
from study.names import CLAIMS, CONTROL, LARGER, MEASURED, plain
from study.tables.across_parts import (
    Judged,
    ModelComparison,
    compare_models,
    difference_over_parts,
    mean_over_parts,
)
from study.tables.comparisons import compare
from study.tables.reference import RULES, of_model, scores_of, select
from study.tables.text import Numbers, interval_text, p_value, with_interval
from study.tables.verdicts import Verdict, order_verdict, threshold_verdict, value_verdict

VERDICTS = ("met", "undecided", "contradicted")
RULE = f"{RULES[0].name.split(',')[0]} of the errors: a threshold to work with"


def judged(
    scores: pd.DataFrame,
    model: str,
    backbone: str,
    parts: Sequence[str] | None = None,
    **which: str,
) -> dict[str, Judged]:
    """Labels and scores of one model on some parts, all where it was measured by default."""
    shared = of_model(model, backbone) | which
    parts = parts or parts_of(scores, model, backbone, **which)
    return {name: scores_of(scores, category=name, **shared) for name in parts}


def parts_of(scores: pd.DataFrame, model: str, backbone: str, **which: str) -> list[str]:
    """The parts on which a model was measured with a backbone."""
    columns = {"variant": "plain"} | of_model(model, backbone) | which
    return list(select(scores, **columns).category.unique())


def verdicts(
    scores: pd.DataFrame, summary: pd.DataFrame, decisions: pd.DataFrame, backbone: str
) -> pd.DataFrame:
    """Each claim of the report with the parts where it is met, undecided or contradicted.

    One row a claim; ``across parts`` is the mean over parts, of an AUROC or of a difference with
    its interval, of the rates that a threshold gives. For the rules see `study.tables.verdicts`.
    """
    parts = parts_of(scores, "combined", backbone)

    def about(who: str, model: str) -> dict[str, str]:
        rows = select(summary, variant="plain", **of_model(model, backbone)).set_index("category")
        ends = {name: rows.loc[name, ["auroc_ci_low", "auroc_ci_high"]] for name in parts}
        decided = {name: value_verdict(*each, CLAIMS[model]) for name, each in ends.items()}
        across = mean_over_parts(judged(scores, model, backbone, parts))
        claim = f"{who}: AUROC about {CLAIMS[model]:g}"
        page = "below_chance" if model == "autoencoder" else "measured"
        return _row(claim, decided, interval_text(across), page)

    def better(words: str, *models: str) -> dict[str, str]:
        decided = {}
        for name in parts:
            both = ({"category": name} | of_model(model, backbone) for model in models)
            found = compare(scores, *both)
            decided[name] = order_verdict(found.low, found.high)
        across = difference_over_parts(
            *(judged(scores, model, backbone, parts) for model in models)
        )
        return _row(words, decided, interval_text(across, "+"), "measured")

    def works() -> dict[str, str]:
        which = of_model("combined", backbone) | {"threshold_rule": RULES[0].name}
        used = select(decisions, **which).set_index("category")
        across = f"recall {used.recall.mean():.0%}, false alarms {used.fpr.mean():.0%}"
        return _row(RULE, {name: _works(used.loc[name]) for name in parts}, across, "thresholds")

    return pd.DataFrame(
        [
            about("autoencoder alone", "autoencoder"),
            better("ResNet features alone: better than the autoencoder", "resnet", "autoencoder"),
            about("combined", "combined"),
            better("combined: better than ResNet features alone", "combined", "resnet"),
            works(),
        ]
    )


def ranked(scores: pd.DataFrame, summary: pd.DataFrame, backbone: str) -> ModelComparison:
    """The models, patchcore at both sizes among them, compared over all parts."""
    columns = {}
    for model, variant in kinds():
        rows = select(summary, variant=variant, **of_model(model, backbone))
        columns[name_of(model, variant)] = rows.set_index("category").auroc_mean
    return compare_models(pd.DataFrame(columns).dropna(axis=1))


def compared(found: ModelComparison) -> tuple[Numbers, pd.DataFrame, pd.DataFrame]:
    """Of models over parts: for the text, the mean ranks, and the pairs as a page shows them."""
    clear = found.pairs[found.pairs.p_holm < 0.05]
    said = [f"{row.first} over {row.second}" for row in clear.itertuples()]
    numbers = {"friedman": p_value(found.friedman_p), "pairs": str(len(found.pairs))}
    numbers |= {"smallest": f"{found.smallest_p:.3f}", "holm": f"{found.smallest_p_holm:.2f}"}
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
    for model, variant in (*kinds(), (CONTROL, "plain")):
        rows = select(summary, variant=variant, **of_model(model, backbone))
        cells = {row.category: with_interval(row) for row in rows.itertuples()}
        if len(cells) == summary.category.nunique():
            mean = mean_over_parts(judged(scores, model, backbone, variant=variant))
            columns[name_of(model, variant)] = cells | {"mean": interval_text(mean)}
    return pd.DataFrame(columns)


def kinds() -> list[tuple[str, str]]:
    """Every model with its variant, patchcore a second time with larger images."""
    at = MEASURED.index("patchcore") + 1
    plain_ones = [(model, "plain") for model in MEASURED]
    return [*plain_ones[:at], ("patchcore", LARGER), *plain_ones[at:]]


def name_of(model: str, variant: str) -> str:
    """What a table calls a model, with its variant where that is not the plain one."""
    return plain(model) if variant == "plain" else f"{plain(model)}, {variant}"


def _row(claim: str, decided: Mapping[str, Verdict], across: str, page: str) -> dict[str, str]:
    where = {
        verdict: ", ".join(plain(name) for name, each in decided.items() if each == verdict) or "–"
        for verdict in VERDICTS
    }
    return {"claim": claim} | where | {"across parts": across, "page": page}


def _works(row: pd.Series) -> Verdict:
    """The threshold's verdict, from one-sided bounds at mean counts rounded to either side."""
    least, most = (bounds(row.hits, row.n_anomalous) for bounds in (_lower, _upper))
    alarms = (bounds(row.false_alarms, row.n_normal) for bounds in (_lower, _upper))
    return threshold_verdict((least, most), tuple(alarms))


def _lower(count: float, total: int) -> float:
    return lower_bound(int(count // 1), int(total))


def _upper(count: float, total: int) -> float:
    return upper_bound(int(-(-count // 1)), int(total))
