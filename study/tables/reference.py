"""From per-image scores to the tables of the study: nothing here runs a model."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from anomalylib.detectors.thresholds import Conformal, MeanPlusSigma, Quantile
from anomalylib.errors import UserError
from anomalylib.metrics import image as metrics
from anomalylib.metrics import intervals
from study.checkout import ROOT
from study.tables.across_parts import mean_over_parts

REFERENCE = ROOT / "data" / "reference"
GROUP = ["category", "variant", "model", "backbone"]
CONTROLS = ("mean grey", "contrast", "file size")
SCORE = "score_top10"
"""The score of the study; `score_mean` and `score_max` aggregate otherwise."""


class Rule(NamedTuple):
    """A threshold rule and the scores of normal images it learns from."""

    name: str
    variant: str
    rule: MeanPlusSigma | Quantile | Conformal

    @property
    def images(self) -> str:
        """Which normal images it learns from."""
        return "held-out" if self.variant == "held-out" else "training"


RULES = (
    Rule("mean + 3σ, training", "plain", MeanPlusSigma(sigma=3)),
    Rule("99 % quantile, training", "plain", Quantile(share=0.99)),
    Rule("mean + 3σ, held-out", "held-out", MeanPlusSigma(sigma=3)),
    Rule("99 % quantile, held-out", "held-out", Quantile(share=0.99)),
    Rule("conformal 5 %, held-out", "held-out", Conformal(alpha=0.05)),
)
"""The first is the original's."""


def read_table(name: str, folder: str | Path = REFERENCE) -> pd.DataFrame:
    """One of the committed tables, such as ``"scores"``.

    Raises
    ------
    UserError
        If it is not there.
    """
    path = ROOT / folder / f"{name}.csv"
    if not path.is_file():
        raise UserError(f"no reference results at {path}: `make reference` makes them")
    table = pd.read_csv(path)
    if "backbone" in table:
        table["backbone"] = table["backbone"].fillna("")
    return table


def read_tables(*names: str, folder: str | Path = REFERENCE) -> list[pd.DataFrame]:
    """Several of the committed tables, in the order asked for."""
    return [read_table(name, folder) for name in names]


def read_arrays(name: str, folder: str | Path = REFERENCE) -> dict[str, np.ndarray]:
    """The committed arrays of one file, such as ``"examples"``, by their names."""
    path = ROOT / folder / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as held:
            return dict(held)
    except (OSError, ValueError):
        raise UserError(f"no reference results at {path}: `make reference` makes them") from None


def read_provenance(folder: str | Path = REFERENCE) -> dict[str, Any]:
    """What the reference results were made of; an error where there are none."""
    path = ROOT / folder / "provenance.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(f"no reference results at {path}: `make reference` makes them") from None


def parts(folder: str | Path = REFERENCE) -> list[str]:
    """The categories that the reference results are of, in order."""
    return sorted(read_provenance(folder)["data"])


def select(table: pd.DataFrame, **which: str) -> pd.DataFrame:
    """The rows whose columns have the given values.

    Raises
    ------
    UserError
        If there are none.
    """
    for column, value in which.items():
        table = table[table[column] == value]
    if table.empty:
        said = ", ".join(f"{column}={value}" for column, value in which.items())
        raise UserError(f"the reference results have no rows of {said}: make them again")
    return table


def of_model(model: str, backbone: str) -> dict[str, str]:
    """The columns that say a model, or a control, with a backbone where it has one."""
    without = ("autoencoder", *CONTROLS)
    return {"model": model, "backbone": "" if model in without else backbone}


def scores_of(
    scores: pd.DataFrame, column: str = SCORE, **which: str
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and scores (S, N) of the test images, one row a seed.

    `which` are values of the columns `GROUP`: plain runs where no variant is named.
    """
    mine = select(scores, **which, **({} if "variant" in which else {"variant": "plain"}))
    table = mine.pivot(index="image", columns="seed", values=column)  # (N, S), sorted by image
    labels = mine.drop_duplicates("image").set_index("image").label[table.index]
    return labels.to_numpy(), table.to_numpy().T


def seed_zero(
    scores: pd.DataFrame, nominal: pd.DataFrame, rule: Rule, **which: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Of seed 0: labels and scores (N,), scores of normal images (M,), the rule's threshold."""
    rows = which | {"variant": rule.variant}
    labels, values = scores_of(scores, **rows)
    learned = select(nominal, seed=0, images=rule.images, **rows).score.to_numpy()
    return labels, values[0], learned, rule.rule.fit(learned).threshold_


def seed_thresholds(nominal: pd.DataFrame, examples: pd.DataFrame) -> dict[str, float]:
    """The original rule's threshold of seed 0, by the name of the arrays of ``examples``."""
    found = {}
    for row in examples.drop_duplicates("arrays").itertuples():
        which = {"category": row.category, "model": row.model, "variant": row.variant}
        which |= {"backbone": row.backbone, "seed": 0, "images": RULES[0].images}
        learned = select(nominal, **which).score.to_numpy()
        found[row.arrays] = RULES[0].rule.fit(learned).threshold_
    return found


def wins_of(scores: pd.DataFrame, column: str = SCORE, **which: str) -> np.ndarray:
    """The win matrix (A, M) of a model's mean AUROC over its seeds; see `intervals`."""
    return intervals.win_matrix(*scores_of(scores, column, **which))


def summarise(scores: pd.DataFrame, nominal: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """One row a category, variant, model and backbone, over its seeds, of the tables so named.

    ``auroc_sd`` is the spread over seeds; ``auroc_ci_*`` bootstrap and
    ``auroc_delong_*`` DeLong intervals over the choice of test images;
    ``auroc_both_*`` a bootstrap over seeds and images together, which is the
    first where there is one seed. Bounds of rates are those of the worst seed.
    """
    rows = []
    for key in scores[GROUP].drop_duplicates().itertuples(index=False):
        which = key._asdict()
        labels, values = scores_of(scores, **which)
        wins = intervals.win_matrix(labels, values)
        low, high = intervals.auroc_interval(wins)[1:]
        both = mean_over_parts({"one": (labels, values)})
        single = len(values) == 1 or np.isnan(both.low)
        delong = intervals.delong(wins)
        own = runs.loc[(runs[GROUP] == list(key)).all(axis=1)]
        found = [metrics.auroc(labels, each) for each in values]
        row = which | {
            "layers": own.layers.iloc[0] if len(own) else "",
            "image_size": own.image_size.iloc[0] if len(own) else np.nan,
            "n_seeds": len(values),
            "n_normal": int((labels == 0).sum()),
            "n_anomalous": int((labels == 1).sum()),
            "auroc_mean": np.mean(found),
            "auroc_sd": np.std(found, ddof=1) if len(found) > 1 else np.nan,
            "auroc_ci_low": low,
            "auroc_ci_high": high,
            "auroc_both_low": low if single else both.low,
            "auroc_both_high": high if single else both.high,
            "auroc_delong_low": delong.low,
            "auroc_delong_high": delong.high,
            "pixel_auroc_mean": own.pixel_auroc.mean(),
            "aupro_mean": own.aupro.mean(),
            "ap_mean": np.mean([metrics.average_precision(labels, each) for each in values]),
            "f1max_mean": np.mean([metrics.f1_max(labels, each) for each in values]),
        }
        rows.append(row)
    decided = decisions(scores, nominal)
    if decided.empty:
        return pd.DataFrame(rows)
    decided = decided[decided.threshold_rule == RULES[0].name]
    kept = ["threshold_rule", "fpr", "fpr_ci_high", "recall", "recall_ci_low"]
    first = decided.assign(variant=RULES[0].variant)[[*GROUP, *kept]]
    return pd.DataFrame(rows).merge(first, how="left", on=GROUP)


def decisions(scores: pd.DataFrame, nominal: pd.DataFrame) -> pd.DataFrame:
    """What each threshold rule decides, one row a category, model, backbone and rule.

    Counts and rates are means over seeds, ``_least`` and ``_most`` those of single seeds. Bounds
    are Clopper and Pearson's, one-sided 95 %, of the seed that does worst.
    """
    keys, rows = ["category", "model", "backbone"], []
    for rule in RULES if len(nominal) else ():
        there = nominal[(nominal.variant == rule.variant) & (nominal.images == rule.images)]
        for key in there[keys].drop_duplicates().itertuples(index=False):
            own = key._asdict()
            learned = select(there, **own).groupby("seed").score.apply(np.array)
            labels, values = scores_of(scores, variant=rule.variant, **own)
            thresholds = [rule.rule.fit(each).threshold_ for each in learned]
            called = values > np.array(thresholds)[:, None]  # (S, N)
            alarms, hits = called[:, labels == 0].sum(axis=1), called[:, labels == 1].sum(axis=1)
            normal, anomalous = int((labels == 0).sum()), int((labels == 1).sum())
            row = own | {
                "threshold_rule": rule.name,
                "n_learned": len(learned.iloc[0]),
                "n_seeds": len(thresholds),
                "threshold": np.mean(thresholds),
                "skewness": np.mean([stats.skew(each) for each in learned]),
                "n_normal": normal,
                "false_alarms": alarms.mean(),
                "false_alarms_least": alarms.min(),
                "false_alarms_most": alarms.max(),
                "fpr": alarms.mean() / normal,
                "fpr_ci_high": intervals.upper_bound(int(alarms.max()), normal),
                "n_anomalous": anomalous,
                "hits": hits.mean(),
                "hits_least": hits.min(),
                "hits_most": hits.max(),
                "recall": hits.mean() / anomalous,
                "recall_ci_low": intervals.lower_bound(int(hits.min()), anomalous),
            }
            rows.append(row)
    return pd.DataFrame(rows)
