import pandas as pd

from study.figures import matrices
from study.names import MODELS, label


def test_each_defect_type_has_a_row_with_its_images_and_a_number_a_model():
    rows = [
        {"category": "nut", "defect_type": kind, "model": model, "auroc": at / 10, "images": count}
        for kind, count in (("bent", 3), ("combined", 5))  # the name of a type, not of the model
        for at, model in enumerate(MODELS)
    ]
    (axes,) = matrices.by_type(pd.DataFrame(rows), "nut").axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["bent (3)", "combined (5)"]
    columns = [text.get_text().replace("\n", " ") for text in axes.get_xticklabels()]
    assert columns == list(map(label, MODELS))
    assert [text.get_text() for text in axes.texts] == ["0.000", "0.100", "0.200", "0.300"] * 2
