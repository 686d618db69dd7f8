import numpy as np
import pandas as pd
import pytest

from study.figures import maps
from study.names import LARGER


def test_each_model_has_a_row_of_maps_in_units_of_its_threshold():
    names = {"nut combined plain": ("combined", "plain"), "nut patchcore x": ("patchcore", LARGER)}
    rows = [
        {"arrays": name, "model": model, "variant": variant, "kind": kind}
        | {"defect_type": "bent", "score": 3.0}
        for name, (model, variant) in names.items()
        for kind in maps.KINDS
    ]
    arrays = {f"{name} maps": np.full((4, 8, 8), 3.0, np.float16) for name in names}
    arrays |= {f"{name} masks": np.zeros((4, 4, 4), bool) for name in names}
    arrays["nut combined plain masks"][0, 1:3, 1:3] = True
    figure = maps.examples(pd.DataFrame(rows), arrays, dict(zip(names, (2.0, 4.0), strict=True)))
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.images[0].get_array().max() for axes in shown] == [1.5] * 4 + [0.75] * 4
    assert {axes.images[0].get_clim() for axes in shown} == {(0.0, 2.0)}
    outlined = [bool(axes.collections) for axes in shown]
    assert outlined == [True] + [False] * 7
    assert shown[0].images[0].get_extent() == pytest.approx([-0.5, 3.5, 3.5, -0.5])
    words = [text.get_text() for axes in shown for text in axes.texts]
    assert words == ["ResNet + FeatCAE", "PatchCore,\n384 pixels"]
