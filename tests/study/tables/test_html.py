import numpy as np
import pandas as pd

from study.tables import html as prose
from study.tables.html import show
from tests.study.drawn import make_result


def test_a_table_has_plain_names_rounded_numbers_and_dashes():
    frame = pd.DataFrame({"category": ["metal_nut"], "auroc_mean": [0.12345], "fpr": [np.nan]})
    text = prose.table(frame).data
    assert all(part in text for part in ("metal nut", "auroc mean", "0.123", "–"))
    assert "metal_nut" not in text and "nan" not in text


def test_verdicts_link_to_their_pages():
    found = pd.DataFrame({"claim": ["a > b"], "page": ["thresholds"]})
    text = prose.verdict_table(found, "chapters/").data
    assert '<td><a href="chapters/thresholds.html">a &gt; b</a></td>' in text
    assert "<th>page</th>" not in text


def test_a_published_row_says_who_with_what_and_where():
    row = {"method": "A", "backbone": "net", "metal_nut": 0.99, "screw": 0.98, "mean15": 0.9}
    row |= {"paper": "Q 2020", "source": "site", "note": np.nan}
    mine = row | {"method": "combined", "backbone": "none", "source": "this study", "paper": np.nan}
    text = prose.published_table(pd.DataFrame([row, mine])).data
    assert "<td>A, net</td>" in text and "<td>Q 2020; site</td>" in text
    assert "<td>ResNet + FeatCAE</td>" in text and "<td>this study</td>" in text
    assert "nan" not in text


def test_a_rule_stands_in_one_line_with_its_bounds():
    row = {"category": "metal_nut", "model": "combined", "threshold_rule": "a rule", "recall": 0.55}
    row |= {"recall_ci_low": 0.46, "fpr": 0.0, "fpr_ci_high": 0.127, "n_learned": 44}
    text = prose.rule_table(pd.DataFrame([row | {"skewness": 4.778}])).data.replace("\u00a0", " ")
    for cell in ("metal nut", "a rule", "55% [≥ 46%]", "0% [≤ 13%]", "44", "4.8"):
        assert f"<td>{cell}</td>" in text


def test_a_table_is_escaped_and_keeps_its_lines():
    text = prose.as_html(pd.DataFrame({"a": ["x\ny", "<b>"], "b": [1, None]}), after="c & d").data
    assert "x<br>y" in text and "&lt;b&gt;" in text and "<p>c &amp; d</p>" in text
    assert text.count("<tr") == 3 and 'class="dataframe"' in text
    assert "<table" not in prose.as_html(pd.DataFrame(), before="alone").data


def test_what_cannot_be_known_is_said_of_a_part_without_anomalous_images():
    bare = make_result(labels=[0] * 4, defect_types=["good"] * 4)
    text = show([bare]).data
    assert "<strong>metal nut</strong>: no anomalous image was given" in text
    assert "no anomalous image" not in show([make_result()]).data
