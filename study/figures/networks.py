"""How an image becomes a map in each model, side by side."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from study.figures import style
from study.figures.style import BLACK, COLOURS, NORMAL, SMALL
from study.names import label

Step = tuple[str, tuple[int, ...]]


def pipelines(models: Mapping[str, Sequence[Step]]) -> Figure:
    """A row a model, a box a station: its name and the shape of the data there.

    `models` is of `study.runs.shapes.stations`.
    """
    figure, (axes,) = style.stack(1, 1.12 * len(models) + 0.1)
    columns = max(map(len, models.values()))
    for y, (model, steps) in enumerate(models.items()):
        axes.annotate(label(model), (-0.45, y - 0.4), color=style.ink(model), fontweight="bold")
        for x, (name, shape) in enumerate(steps):
            own = COLOURS[model] if x else NORMAL
            box = FancyBboxPatch((x - 0.42, y - 0.22), 0.84, 0.6, boxstyle="round,pad=0")
            box.set(facecolor=own, edgecolor=own, alpha=0.22, mutation_aspect=1)
            axes.add_patch(box)
            shown = " × ".join(f"{side:,}" for side in shape)
            middle = {"ha": "center", "va": "center", "color": BLACK, "linespacing": 1.05}
            axes.annotate(name, (x, y), fontsize=SMALL - 2, **middle)
            axes.annotate(shown, (x, y + 0.26), fontsize=SMALL - 2.5, **middle)
            if x:
                arrow = FancyArrowPatch((x - 0.58, y + 0.08), (x - 0.42, y + 0.08))
                arrow.set(arrowstyle="-|>", mutation_scale=6, color=BLACK, linewidth=0.7)
                axes.add_patch(arrow)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(len(models) - 0.5, -0.55))
    axes.set_axis_off()
    return figure
