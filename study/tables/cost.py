"""The numbers in the text of the chapter on what each model costs, from the benchmarks."""

import pandas as pd

from study.names import LARGER, label
from study.tables import benchmarks
from study.tables.text import Numbers

BEST = {"single": "smaller batches", "half": "bfloat16"}
"""The quickest extraction in either precision, by the names that the prose has."""
SINGLE, HALF = "float32", "bfloat16"


def overview(costs: pd.DataFrame, one: pd.DataFrame) -> pd.DataFrame:
    """What each model and the peer take of a category, as a page shows it."""
    cold = costs[costs.state == "cold"].set_index("who")
    table = {
        "learn, s": cold.fit.map("{:.0f}".format),
        "score 115, s": cold.score.map("{:.1f}".format),
        "peak memory, GB": cold.peak_gb.map("{:.2f}".format),
        "AUROC": cold.auroc.map("{:.3f}".format),
        "one image, ms": _single(one).map("{:.0f}".format).reindex(cold.index),
    }
    return pd.DataFrame(table).rename(index=label).reset_index(names="who")


def category(costs: pd.DataFrame) -> Numbers:
    """Seconds from nothing and from what is kept."""
    kept = costs.set_index(["who", "state"]).total
    names = [name for name in costs.who.unique() if benchmarks.PEER not in name]
    cold, warm = (sum(kept[who, state] for who in names) for state in ("cold", "all kept"))
    features = sum(kept[who, "features kept"] for who in names if who != "autoencoder")
    autoencoder = kept["autoencoder", "cold"]
    return {
        "autoencoder_cold": f"{autoencoder:.0f}",
        "cold_sum": f"{cold:.0f}",
        "warm_sum": f"{warm:.0f}",
        "warm_ratio": f"{cold / warm:.0f}",
        "features_ratio": f"{(cold - autoencoder) / features:.1f}",
    }


def extraction(speeds: pd.DataFrame, precision: pd.DataFrame) -> Numbers:
    """How much quicker the backbone has become, and what half the precision changes."""
    by, numbers = speeds.set_index(["layers", "variant"]), {}
    for layers, short in (("layer2", "two"), ("layer2 and layer3", "three")):
        for name, variant in BEST.items():
            row = by.loc[(layers, variant)]
            span = f"{row.ratio:.1f} ({row.ratio_low:.1f} to {row.ratio_high:.1f})"
            numbers |= {f"{short}_{name}": span, f"{short}_{name}_share": f"{row.share:.0%}"}
            numbers[f"{short}_{name}_gflops"] = f"{row.gflops:.0f}"
    change = benchmarks.precision_changes(precision)
    largest = f"{change.change.abs().max():.4f}"
    return numbers | {"half_change": largest, "half_runs": str(len(change))}


def training(rows: pd.DataFrame) -> Numbers:
    """When the study's recipe is as good as the literal one."""
    quality = benchmarks.times_to_quality(rows)
    whole = quality[quality.precision == "float32"]
    moved, numbers = whole.auroc - whole.literal_auroc, {}
    usual = whole.literal.str.contains("32")
    for name, ratios in (("as_good", whole[usual].ratio), ("as_good_8", whole[~usual].ratio)):
        times = 1 / ratios
        numbers[name] = f"{times.median():.2g} ({times.min():.2g} to {times.max():.2g})"
    times = quality.groupby(["category", "literal"]).literal_seconds
    last = rows.query("epochs == 4").set_index(["category", "seed"])
    fast, half = (last[last.recipe.str.contains(p)].seconds for p in ("float32", "bfloat16"))
    numbers |= {"schedule_seeds": str(quality.seed.nunique())}
    numbers |= {"drift": f"{(times.max() / times.min()).max():.1f}"}
    numbers |= {"least_change": f"{moved.min():+.3f}", "most_change": f"{moved.max():+.3f}"}
    return numbers | {"half_training": f"{(fast / half).median():.1f}"}


def one_image(costs: pd.DataFrame, one: pd.DataFrame) -> Numbers:
    """Milliseconds of one image, and the peer beside."""
    single = _single(one)
    cold, few = (costs[costs.state == s].set_index("who") for s in ("cold", benchmarks.FEW))
    full, tenth = benchmarks.peer_name(0.01), benchmarks.peer_name(0.1)
    return {
        "peer_one": f"{single[tenth]:.0f}",
        "peer_fit": f"{few.fit[tenth]:.0f}",
        "full_fit": f"{cold.fit[full]:.0f}",
        "ours_fit": f"{few.fit['combined']:.0f}",
        "ours_one": f"{single['combined']:.0f}",
        "peer_auroc": few.auroc[tenth],
        "ours_auroc": few.auroc["combined"],
        "bank_fit": f"{cold.fit['patchcore']:.0f}",
        "bank_one": f"{single['patchcore'] - single['resnet']:.0f}",
        "net_one": f"{single['combined'] - single['resnet']:.0f}",
    }


def growth(rows: pd.DataFrame) -> Numbers:
    """How peak memory grows with the images."""
    usual = rows[~rows.wide & (rows.side == rows.side.min())]
    peak = usual.pivot(index="images", columns="model", values="peak_mb")
    flat = peak.loc[6400] / peak.loc[400] - 1
    wide = rows[rows.wide].peak_mb / 1000
    large = rows[(rows.side == 448) & ~rows.wide].peak_mb / 1000
    return {
        "flat_low": f"{flat.min():+.0%}",
        "flat_high": f"{flat.max():+.0%}",
        "largest": str(flat.idxmax()),
        "wide_peak": f"{wide.max():.2f}",
        "large_peak": f"{large.max():.2f}",
    }


def forms(latencies: pd.DataFrame) -> pd.DataFrame:
    """Milliseconds of one image by model, form and threads: median and range, as text."""
    some = latencies.groupby("model").filter(lambda own: own.form.nunique() > 1)
    text = [f"{row.median:.0f} ({row.low:.0f}–{row.high:.0f})" for row in some.itertuples()]
    threads = some.threads.map({1: "one thread", 2: "two threads"})
    named = some.assign(text=text, threads=threads, model=some.model.map(label))
    return named.pivot(index=["model", "form"], columns="threads", values="text").reset_index()


def quickest(latencies: pd.DataFrame) -> Numbers:
    """The quickest form by model and threads: of all forms, and of those in full precision."""
    table = latencies.reset_index(drop=True)
    some = table.groupby("model").filter(lambda own: own.form.nunique() > 1)
    full = some[some.form != HALF]
    texts = []
    for rows in (some, full):
        best = rows.loc[rows.groupby(["model", "threads"])["median"].idxmin()]
        counts = best.form.value_counts()
        texts.append(", ".join(f"{form} in {n} of {len(best)}" for form, n in counts.items()))
    return {"quickest": texts[0], "quickest_full": texts[1]}


def larger(latencies: pd.DataFrame) -> Numbers:
    """One image of patchcore at its larger size against one of combined, thread by thread."""
    single = latencies[latencies.form == SINGLE]
    wide = single.pivot(index="threads", columns="model", values="median")
    large, usual = wide[f"patchcore, {LARGER}"], wide["combined"]
    ratio = (large / usual).map("{:.1f}".format)
    numbers = {"large_one": f"{large[1]:.0f}", "usual_one": f"{usual[1]:.0f}"}
    if "patchcore" in wide:
        numbers["patchcore_one"] = f"{wide.patchcore[1]:.0f}"
        numbers["large_same"] = f"{large[1] / wide.patchcore[1]:.1f}"
    return numbers | {"large_ratio": ratio[1], "large_ratio_two": ratio[2]}


def _single(one: pd.DataFrame) -> pd.Series:
    return one[one.threads == 1].set_index("who")["median"]
