"""The figures of a learning curve: what comes of fewer images, over the seeds."""

from typing import Any

import numpy as np
import pandas as pd

from anomalylib.metrics import intervals
from study.names import label
from study.tables.text import NARROW

GROUP = ["category", "model", "backbone", "images"]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """One row a category, model and size, over its seeds; `table` has a row a fit.

    ``spread`` is the deviation of the threshold over seeds as a share of
    its mean, ``swing`` its highest value by its lowest, ``ratio`` its mean
    as a share of the mean with all images. ``unlearned_rate`` is the rate
    of false alarms on the training images not learned from; its bound is
    Clopper and Pearson's, one-sided 95 %, of the seed with most.
    Where there is nothing to count: not a number.
    """
    rows = []
    for which, fits in table.groupby(GROUP, sort=False):
        first, auroc, threshold = fits.iloc[0], fits.auroc, fits.threshold
        rows.append(
            dict(zip(GROUP, which, strict=True))
            | {"train_images": first.train_images, "n_seeds": len(fits)}
            | {"auroc_mean": auroc.mean(), "auroc_sd": auroc.std(), "auroc_low": auroc.min()}
            | {"threshold_mean": threshold.mean(), "spread": threshold.std() / threshold.mean()}
            | {"swing": threshold.max() / threshold.min(), "n_unlearned": first.n_unlearned}
            | _rate("unlearned", fits.unlearned_alarms, first.n_unlearned)
            | _rate("test", fits.false_alarms, first.n_normal)
            | {"recall": fits.hits.mean() / first.n_anomalous if first.n_anomalous else np.nan}
        )
    made, models = pd.DataFrame(rows), ["category", "model"]
    whole = made[made.images == made.train_images].set_index(models).threshold_mean
    made["ratio"] = made.threshold_mean / made.set_index(models).index.map(whole)
    return made.sort_values(GROUP, ignore_index=True)


def enough(summary: pd.DataFrame, within: float) -> pd.DataFrame:
    """The fewest images from which on the mean AUROC is at most `within` below that with all.

    By category and model, as the column ``images``; `summary` is of `summarise`.
    """

    def fewest(sizes: pd.DataFrame) -> int:
        sizes = sizes.sort_values("images")
        near = sizes.auroc_mean >= sizes.auroc_mean.iloc[-1] - within
        return sizes.images[near[::-1].cummin()[::-1]].min()

    groups = summary.groupby(["category", "model"], sort=False)
    return groups[["images", "auroc_mean"]].apply(fewest).to_frame("images")


def overview(table: pd.DataFrame) -> pd.DataFrame:
    """The figures of a learning curve as a page shows them, a row a model and size."""

    def text(form: str, *columns: pd.Series) -> list[str]:
        rows = zip(*columns, strict=True)
        return ["–" if np.isnan(values[0]) else form.format(*values) for values in rows]

    rows, rate = summarise(table), f"{{:.1%}}{NARROW}[≤{NARROW}{{:.0%}}]"
    return pd.DataFrame(
        {
            "model": rows.model.map(label),
            "images": rows.images,
            "AUROC": text("{:.3f}", rows.auroc_mean),
            "lowest": text("{:.3f}", rows.auroc_low),
            "threshold": text("{:.2f}", rows.ratio),
            "spread": text("{:.1%}", rows.spread),
            "false alarms, not learned": text(rate, rows.unlearned_rate, rows.unlearned_bound),
            "false alarms, test": text(rate, rows.test_rate, rows.test_bound),
            "recall": text("{:.0%}", rows.recall),
        }
    )


def numbers(runs: pd.DataFrame, equal: pd.DataFrame, within: float = 0.01) -> dict[str, str]:
    """The numbers in the text of the chapter on how many images are needed.

    Of the tables ``learning_curve`` and ``equal_steps``; an AUROC at most `within`
    below that with all images is near enough.
    """
    summary, texts = summarise(runs), {"within": f"{within:.2f}"}
    for row in summary.itertuples():
        size = "all" if row.images == row.train_images else row.images
        texts |= _texts(f"{row.category}_{row.model}_{size}", row, ".1f")
    for (category, model), row in enough(summary, within).iterrows():
        texts[f"{category}_{model}_enough"] = str(row.images)
    for category, total in runs.groupby("category").images.max().items():
        texts[f"{category}_total"] = str(total)
    trained = runs[runs.model.isin(equal.model) & (runs.images == runs.train_images)]
    again = summarise(pd.concat([equal, trained]))  # with all images the steps are equal anyway
    for row in again.itertuples():
        texts |= _texts(f"{row.category}_equal_{row.images}", row, ".2f")
    for (category, _), row in enough(again, within).iterrows():
        texts[f"{category}_equal_enough"] = str(row.images)
    for (category, images), fits in equal.groupby(["category", "images"]):
        texts[f"{category}_equal_{images}_passes"] = str(fits.epochs.iloc[0])
    return texts


def _texts(key: str, row: Any, ratio: str) -> dict[str, str]:
    """What the prose says of one model and size."""
    texts = {"auroc": f"{row.auroc_mean:.3f}", "recall": f"{row.recall:.0%}"}
    texts |= {"alarms": f"{row.unlearned_rate:.0%}", "bound": f"{row.unlearned_bound:.0%}"}
    texts |= {"times": f"{row.ratio:{ratio}}", "spread": f"{row.spread:.0%}"}
    return {f"{key}_{name}": text for name, text in texts.items()}


def _rate(name: str, alarms: pd.Series, total: int) -> dict[str, float]:
    """Rate of false alarms, mean over seeds, with the bound of the worst."""
    if not total:
        return {f"{name}_rate": np.nan, f"{name}_bound": np.nan}
    bound = intervals.upper_bound(int(alarms.max()), int(total))
    return {f"{name}_rate": alarms.mean() / total, f"{name}_bound": bound}
