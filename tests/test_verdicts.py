import pandas as pd

from anomalylib.verdicts import LOOK, OK, STOP, Check, summary, worst

CHECKS = [Check(name, name, f"{name}.", pd.DataFrame()) for name in (LOOK, OK, STOP)]


def test_the_gravest_verdict_counts():
    assert worst(CHECKS) == STOP
    assert worst(CHECKS[:2]) == LOOK
    assert worst(CHECKS[1:2]) == OK


def test_the_summary_has_a_row_a_check():
    found = summary(CHECKS)
    assert found.verdict.tolist() == [LOOK, OK, STOP]
    assert found["what it says"].tolist() == ["look.", "ok.", "stop."]
