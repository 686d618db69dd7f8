"""What the pages say without a number: their words, citations, commands and captions."""

import json
import re

import pytest
import yaml

from anomalylib.__main__ import _parser
from study.book.build import SOURCE
from study.checkout import ROOT
from tests.study.book.sources import everything, words

UNWANTED = [r"pictures?", r"judg\w+", r"light meter", r"yardstick", r"rivals?", r"nominal"]
UNWANTED += [r"pasted", r"lamps?", r"good (parts|ones|images|nuts|screws)", r"grey-matched"]
UNWANTED += [r"level with", r"about as well", r"drawn parts"]


def test_featcae_and_patchcore_are_never_compared_without_saying_how_they_differ():
    for name in ("claims", "featcae_on_screw", "methods_in_code", "patchcore"):
        text = words(name)
        assert re.search(r"FeatCAE (is shown )?scale[sd] channels and squares the error", text), (
            name
        )
        assert "PatchCore does neither" in text, name


def test_the_report_is_cited_and_said_to_be_unpublished():
    assert "{cite}`report`" in words("landing") and "{cite}`report`" in words("methods")
    assert "unpublished project report" in words("methods")
    assert "@unpublished{report," in (SOURCE / "references.bib").read_text()


def test_no_caption_names_a_command_and_no_page_has_a_banner():
    for name, text in everything().items():
        for caption in re.findall(r"^\*\*Figure\.\*\* (.*)$", text, re.MULTILINE):
            assert "`make " not in caption, name
    config = yaml.safe_load((SOURCE / "_config.yml").read_text())
    assert "announcement" not in json.dumps(config)


@pytest.mark.parametrize("name", sorted(everything()))
def test_pages_speak_the_words_of_the_field(name):
    text = re.sub(r"`[^`]*`|\$[^$]*\$", "", words(name))
    text = re.sub(r"\{[^}]*\}", "", text)
    found = [re.findall(rf"\b{each}\b", text, re.IGNORECASE) for each in UNWANTED]
    assert [each for each in found if each] == []


def test_the_commands_of_the_recipe_are_understood():
    lines = re.findall(r"^python -m anomalylib (.*)$", words("your_parts"), re.MULTILINE)
    assert [line.split()[0] for line in lines][:3] == ["fit", "calibrate", "inspect"]
    for line in lines:
        options = _parser().parse_args(line.split())
        assert options.detector == "bracket.safetensors"
        assert getattr(options, "image_size", 384) == 384


def test_the_methods_take_fewer_than_sixty_lines():
    cells = json.loads((ROOT / "notebooks" / "methods_in_code.ipynb").read_text())["cells"]
    lines, headings = 0, []
    for cell in cells:
        source = "".join(cell["source"])
        headings += re.findall(r"^## (.*)", source, re.MULTILINE)
        if "The library gives the same numbers" in headings:
            break
        if cell["cell_type"] == "code" and re.search(r"^(def|class) ", source, re.MULTILINE):
            lines += sum(bool(line.strip()) for line in source.splitlines())
    assert 40 <= lines < 60


def test_what_two_pages_say_of_one_thing_is_the_same():
    assert "three folders, of which only `normal` must be there" in words("your_parts")
    assert not re.search(r"two folders", " ".join(everything().values()), re.IGNORECASE)
    hours = [text for text in everything().values() if "half an hour" in text]
    assert hours == [] and "about an hour" in words("rerun")
