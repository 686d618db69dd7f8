import pandas as pd

from study.datacheck import page as check_figures
from study.datacheck.check import LOOK, OK, STOP, Check


def test_every_verdict_has_a_shape_beside_its_colour():
    found = [Check("light", verdict, "a < b", pd.DataFrame()) for verdict in (OK, LOOK, STOP)]
    text = check_figures.summary_table(found).data
    for check in found:
        sign, colour = check_figures.MARKS[check.verdict]
        assert text.count(sign) == text.count(colour) == 1
    assert "a &lt; b" in text


def test_a_check_is_shown_with_its_table_cut_where_it_is_long():
    long = Check(
        "files", STOP, "Bad & ugly.", pd.DataFrame({"file": [f"<{i}>" for i in range(25)]})
    )
    text = check_figures.shown(long).data
    assert "Bad &amp; ugly." in text and "&lt;19&gt;" in text and "&lt;20&gt;" not in text
    assert "and 5 more" in text
    assert "<table" not in check_figures.shown(Check("x", OK, "Fine.", long.table.head(0))).data
