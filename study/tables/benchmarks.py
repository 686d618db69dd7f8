"""The committed benchmarks: rows of measurements to the numbers that the chapter shows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from anomalylib.errors import UserError
from study.checkout import ROOT
from study.names import MODELS

FILE = "benchmarks.json"
PEER = "anomalib"
LITERAL = "literal"
FEW = "few"


def read_benchmarks(folder: str | Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """The rows of each section, and the machine that each was measured on, by its name.

    Raises
    ------
    UserError
        If there is no such file or it is unreadable.
    """
    path = ROOT / folder / FILE
    try:
        found = json.loads(path.read_text())
        sections = {name: pd.DataFrame(section["rows"]) for name, section in found.items()}
        machines = {name: section["machine"] for name, section in found.items()}
        return sections, {"category": machines.pop("category")} | machines
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"cannot read {path} ({error!r}): make bench writes it") from None


def machine_rows(machines: dict[str, Any]) -> dict[str, str]:
    """What was measured on which machine, as the foot of a page lists it."""
    sections: dict[str, list[str]] = {}
    for name, on in machines.items():
        words = f"{on['processor']}, {on['cores']} cores, PyTorch {on['torch']}"
        sections.setdefault(words, []).append(name.replace("_", " "))
    return {f"measured: {', '.join(names)}": words for words, names in sections.items()}


def extraction_speeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Images per second of each variant, against the original in the same round.

    One row for ``layers`` and ``variant``: ``speed``, its ratio to the original as
    ``ratio``, ``ratio_low`` and ``ratio_high``, ``gflops``, and ``share``, the arithmetic
    done in a second over that of a large matrix product in the same precision.
    """
    found = []
    for layers, own in rows.groupby("layers", sort=False):
        products = own.variant.str.startswith("product")
        by, best = (part.set_index("variant") for part in (own[~products], own[products]))
        for variant, row in by.iterrows():
            seconds = np.array(row.seconds)
            ratio = np.array(by.seconds["original"]) / seconds
            product = best.loc["product bfloat16" if variant == "bfloat16" else "product float32"]
            reached = row.gflop / seconds / (product.gflop / np.array(product.seconds))
            speed = {"speed": row["images"] / np.median(seconds), "ratio": np.median(ratio)}
            speed |= {"ratio_low": ratio.min(), "ratio_high": ratio.max()}
            speed |= {"share": np.median(reached), "gflops": np.median(row.gflop / seconds)}
            found.append({"layers": layers, "variant": variant} | speed)
    return pd.DataFrame(found)


def times_to_quality(rows: pd.DataFrame) -> pd.DataFrame:
    """When the study's recipe is as good as the literal one at its end.

    One row for each ``category``, ``seed``, ``literal`` recipe and ``precision``: the
    literal's last ``error``, its ``literal_seconds`` and ``literal_auroc``; and
    ``epochs``, ``seconds``, ``auroc`` of the shortest schedule of this study whose
    held-out error is no higher, with ``ratio``, of the seconds. Empty where none is.
    """
    found = []
    for (category, seed), own in rows.groupby(["category", "seed"], sort=False):
        literal = own[own.recipe.str.startswith(LITERAL)]
        for recipe, curve in literal.groupby("recipe", sort=False):
            last = curve.sort_values("epochs").iloc[-1]
            for precision in ("float32", "bfloat16"):
                ours = own[own.recipe == f"shuffled vectors, {precision}"].sort_values("epochs")
                good = ours[ours.held_out_error <= last.held_out_error]
                row = {"category": category, "seed": seed, "literal": recipe}
                row |= {"precision": precision, "error": last.held_out_error}
                row |= {"literal_seconds": last.seconds, "literal_auroc": last.auroc}
                if len(good):
                    first = good.iloc[0]
                    row |= {"epochs": first.epochs, "seconds": first.seconds}
                    row |= {"auroc": first.auroc, "ratio": first.seconds / last.seconds}
                found.append(row)
    return pd.DataFrame(found)


def category_costs(rows: pd.DataFrame, peers: pd.DataFrame) -> pd.DataFrame:
    """Median seconds and peak memory of a category, model by model, and of the peer.

    One row for ``who`` and ``state``, `FEW` where only some of the images were learned
    from: ``fit``, ``score`` and their ``total`` in seconds, with its ``low`` and
    ``high``, ``image`` in milliseconds an image scored, ``peak_gb``, ``auroc``.
    """
    whole = max(count for count, _ in rows["images"])
    names = [peer_name(share) for share in peers.coreset]
    states = ["cold" if count == whole else FEW for count, _ in peers["images"]]
    rows = rows[rows.model.isin(MODELS)]
    both = pd.concat([rows, peers.assign(model=names, state=states)], ignore_index=True)
    both["total"] = both.fit + both.score
    both["image"] = [1000 * s / n[1] for s, n in zip(both.score, both["images"], strict=True)]
    both["peak_gb"] = both.peak_mb / 1000
    found = both.rename(columns={"model": "who"}).groupby(["who", "state"], sort=False)
    return found.agg(
        fit=("fit", "median"),
        score=("score", "median"),
        total=("total", "median"),
        low=("total", "min"),
        high=("total", "max"),
        image=("image", "median"),
        peak_gb=("peak_gb", "max"),
        auroc=("auroc", "median"),
    ).reset_index()


def latencies(rows: pd.DataFrame, peers: pd.DataFrame) -> pd.DataFrame:
    """Milliseconds of one image: ``who``, ``threads``, ``median``, ``low``, ``high``.

    Low and high leave out a tenth of the repeats each. Of the peer, the run that
    has learned from most images counts.
    """
    own = rows[rows.model.isin(MODELS)]
    found = [(row.model, row.threads, row.milliseconds) for row in own.itertuples()]
    peers = peers.assign(learned=[count for count, _ in peers["images"]])
    most = peers[peers.learned == peers.groupby("coreset").learned.transform("max")]
    for share, own in most.groupby("coreset", sort=False):
        repeats = pd.DataFrame(own.milliseconds.tolist())
        for threads in repeats:
            found.append((peer_name(share), int(threads), np.concatenate(repeats[threads])))
    table = []
    for who, threads, values in found:
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
        table.append({"who": who, "threads": threads, "median": middle, "low": low, "high": high})
    return pd.DataFrame(table)


def form_latencies(rows: pd.DataFrame) -> pd.DataFrame:
    """Milliseconds of one image by ``model``, ``form`` and ``threads``, as `latencies` has them."""
    ends = np.array([np.quantile(values, [0.5, 0.1, 0.9]) for values in rows.milliseconds])
    named = dict(zip(("median", "low", "high"), ends.T, strict=True))
    return rows[["model", "form", "threads"]].assign(**named)


def live(rows: pd.DataFrame) -> pd.DataFrame:
    """Cold start and pace of either library, as a page shows it: median, and range in brackets."""
    texts = {"start_wall": ("first decision, s", 1), "start_cpu": ("processor time of it, s", 1)}
    texts |= {"per_second": ("then images a second", 1), "cpu_per_image": ("processor s each", 3)}
    texts["peak_mb"] = ("peak memory, MB", 0)
    named = rows.assign(
        who=rows.who.map({"ours": "anomalylib", "peer": f"{PEER}, TorchInferencer"})
    )
    table = {
        title: named.groupby("who")[column].apply(
            lambda own, digits=digits: (
                f"{own.median():.{digits}f} ({own.min():.{digits}f}–{own.max():.{digits}f})"
            )
        )
        for column, (title, digits) in texts.items()
    }
    return pd.DataFrame(table).reset_index()


def on_accelerator(rows: pd.DataFrame) -> pd.DataFrame:
    """What an accelerator does, as a page shows it; *not measured* where there was none."""
    there = rows.value.notna()
    texts = rows.value.astype(float).map("{:.3g} ".format) + rows.unit
    shown, where = texts.where(there, "not measured"), rows.device.where(there, rows.command)
    return pd.DataFrame({"what": rows.what, "measured": shown, "on, or by": where})


def precision_changes(rows: pd.DataFrame) -> pd.DataFrame:
    """AUROC with bfloat16 less that with float32, of the same seeds."""
    keys = ["category", "model", "seed"]
    wide = rows.pivot(index=keys, columns="precision", values="auroc").reset_index()
    return wide.assign(change=wide.bfloat16 - wide.float32)


def peer_name(share: float) -> str:
    """What a page calls the peer with this coreset."""
    return f"{PEER}, {share:.0%}"
