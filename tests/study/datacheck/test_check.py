import pandas as pd
import pytest

from anomalylib.errors import UserError
from anomalylib.images.category import load_category, mean_grey
from study.datacheck import checks
from study.datacheck.check import LOOK, OK, STOP, Check, load, save, stops, summary
from study.datacheck.survey import survey

CHECKS = [Check(name, name, f"{name}.", pd.DataFrame()) for name in (LOOK, OK, STOP)]


def test_the_summary_has_a_row_a_check():
    found = summary(CHECKS)
    assert found.verdict.tolist() == [LOOK, OK, STOP]
    assert found["what it says"].tolist() == ["look.", "ok.", "stop."]


def test_what_is_kept_comes_back(category_folder, tmp_path):
    category = load_category(category_folder, "bolt")
    found = survey(category)
    scored = checks.check_all(found)
    save(found, scored, tmp_path / "results", 3)
    said = load(tmp_path / "results", category, 3)
    assert said["fingerprint"] == category.fingerprint and said["counts"] == category.counts()
    assert said["verdicts"] == {check.name: check.verdict for check in scored}
    (table,) = (tmp_path / "results").rglob("data-seed3.csv")
    rows = table.read_text().splitlines()
    assert rows[0].startswith("image,set,defect_type,label,format") and len(rows) == 1 + 8
    assert float(rows[1].split(",")[10]) == pytest.approx(mean_grey(category.train)[0])
    with pytest.raises(UserError, match=r"run notebooks/data\.ipynb for bolt first"):
        load(tmp_path / "results", category, 4)
    for damage in (b"", b"\xc4noise"):
        next((tmp_path / "results").rglob("data-seed3.json")).write_bytes(damage)
        with pytest.raises(UserError, match=r"data-seed3\.json is damaged: delete it"):
            load(tmp_path / "results", category, 3)


def test_a_stop_is_kept_with_its_sentence_for_the_images_that_it_is_about(
    category_folder, tmp_path
):
    category = load_category(category_folder, "bolt")
    assert stops(tmp_path, category, 3) == ()
    more = [Check("more", STOP, "Mend it.", pd.DataFrame())]
    save(survey(category), CHECKS + more, tmp_path, 3)
    assert stops(tmp_path, category, 3) == ("stop.", "Mend it.")
    (category_folder / "bolt" / "train" / "good" / "000.png").unlink()
    assert stops(tmp_path, load_category(category_folder, "bolt"), 3) == ()
