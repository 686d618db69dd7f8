"""The study's signature on the reference results: the red line in a histogram, and the ROC."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study.figures import style
from study.figures.histogram import histogram
from study.figures.style import COLOURS
from study.names import MODELS, label, plain
from study.tables.decisions import recall_by_alarms
from study.tables.reference import RULES, of_model, scores_of, seed_zero, select


def histograms(
    scores: pd.DataFrame, nominal: pd.DataFrame, decided: pd.DataFrame, category: str, backbone: str
) -> list[Figure]:
    """Seed 0 of every model with the report's threshold, one panel a model."""
    panels = style.separate(len(MODELS), 2.5)
    for model, axes in zip(MODELS, panels, strict=True):
        which = {"category": category} | of_model(model, backbone)
        labels, values, _, threshold = seed_zero(scores, nominal, RULES[0], **which)
        note = _rates(decided, threshold_rule=RULES[0].name, **which)
        histogram(axes, model, values, labels, threshold, note)
        axes.set_title(label(model), loc="left", pad=20)
    return [axes.figure for axes in panels]


def roc(
    scores: pd.DataFrame, summary: pd.DataFrame, decided: pd.DataFrame, category: str, backbone: str
) -> Figure:
    """ROC curve of every model: each seed thin, their mean thick, the report's threshold a dot."""
    figure, (axes,) = style.stack(1, 5.4)
    style.roc_frame(axes)
    for model in MODELS:
        which = {"category": category} | of_model(model, backbone)
        labels, values = scores_of(scores, **which)
        row = select(summary, variant="plain", **which).iloc[0]
        low, high = row.auroc_ci_low, row.auroc_ci_high
        text = f"{label(model)}  {row.auroc_mean:.3f}  [{low:.3f}, {high:.3f}]"
        curves = [recall_by_alarms(labels, each) for each in values]
        rate = np.linspace(0, 1, len(curves[0]))
        line = {"color": COLOURS[model], "drawstyle": "steps-post"}
        for curve in curves:
            axes.plot(rate, curve, linewidth=0.8, alpha=0.45, **line)
        axes.plot(rate, np.mean(curves, axis=0), linewidth=2.4, label=text, **line)
        point = select(decided, threshold_rule=RULES[0].name, **which).iloc[0]
        dot = {"color": COLOURS[model], "markersize": 8, "markeredgecolor": "white", "zorder": 5}
        axes.plot(point.fpr, point.recall, "o", **dot)
    axes.set_title(f"{plain(category)}: ROC", loc="left")
    style.roc_key(figure, axes)
    return figure


def rules(
    scores: pd.DataFrame, nominal: pd.DataFrame, decided: pd.DataFrame, category: str, **which: str
) -> list[Figure]:
    """One histogram a threshold rule, of seed 0: normal and test scores, the red line."""
    panels = style.separate(len(RULES), 2.3)
    which["category"] = category
    drawn = [seed_zero(scores, nominal, rule, **which) for rule in RULES]
    everything = [np.append([*values, *learned], at) for _, values, learned, at in drawn]
    shared = style.bins(np.concatenate(everything))
    for axes, rule, (labels, values, learned, threshold) in zip(panels, RULES, drawn, strict=True):
        note = _rates(decided, threshold_rule=rule.name, **which)
        histogram(axes, which["model"], values, labels, threshold, note, learned, shared)
        axes.set_title(rule.name, loc="left", pad=20)
        axes.set_xlim(shared[0][0], shared[0][-1])
    return [axes.figure for axes in panels]


def _rates(decided: pd.DataFrame, **which: str) -> str:
    """What a rule decides, beside its red line."""
    row = select(decided, **which).iloc[0]
    return f"recall {row.recall:.0%}\nfalse alarms {row.fpr:.0%}"
