"""Settings, parameters, names and results that try to be code."""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pydantic

from anomalylib.errors import UserError
from study.checkout import ROOT
from tests.faults import common
from tests.faults.common import Setup, Tried

TEXTS = (
    '"; touch x; "',
    "'; touch x; '",
    "$(touch x)",
    "$(shell touch x)",
    "${shell touch x}",
    "`touch x`",
    "$$(touch x)",
    "x\ntouch x",
    "x && touch x",
    "| touch x",
    "\\$(touch x)",
    "$$$$(shell touch x)#",
    "*",
)
STRINGS = (
    'a"b',
    "a'b",
    '"""',
    "'''",
    "a\\",
    "a\nimport os",
    "{0}",
    "{category}",
    '"\nopen("x", "w")\n"',
    "%s",
    "\\N{DIGIT ONE}",
    "a\u2028b",
    "$x",
    "{{",
)


def settings_of_make(setup: Setup) -> Tried:
    """Settings of `make` with commands of a shell or of make in them"""
    folder = setup.folder("make")
    shutil.copyfile(ROOT / "Makefile", folder / "Makefile")
    speaker = folder / "speaker"
    speaker.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    speaker.chmod(speaker.stat().st_mode | stat.S_IXUSR)
    before = {path.name for path in folder.iterdir()}
    tried, passed, lost = 0, 0, 0
    for target in ("notebooks", "reference", "bench"):
        for text in TEXTS:
            for given in ([f"DATA_ROOT={text}"], []):
                tried += 1
                command = [
                    "make",
                    "--old-file=setup",
                    "--old-file=contributing",
                    "RUN=./speaker",
                    target,
                    *given,
                ]
                environment = {"PATH": "/usr/bin:/bin"} | ({} if given else {"DATA_ROOT": text})
                done = subprocess.run(
                    command,
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                ours = json.loads((done.stdout.splitlines() or ["[]"])[-1])  # after its self-check
                passed += text in ours
                lost += text not in ours
                lost += {path.name for path in folder.iterdir()} != before
    return Tried(tried, f"{passed} arrived as they were given, no command ran", lost)


def parameters_of_notebooks(setup: Setup) -> Tried:
    """Parameters with quotes, newlines, backslashes, braces"""
    from study.book.execute import execute
    from study.book.notebooks import Task
    from tests.faults.disks import _notebook

    folder = setup.folder("parameters")
    path = folder / "says.ipynb"
    out = folder / "said.json"
    names = [f"p{number}" for number in range(len(STRINGS))]
    say = f"import json\njson.dump([{', '.join(names)}], open({str(out)!r}, 'w'))"
    path.write_text(json.dumps(_notebook("; ".join(f"{name} = 0" for name in names), say)))
    given = dict(zip(names, STRINGS, strict=True))
    failed = execute(Task(str(path.with_suffix("")), "x", given, folder / "done.ipynb", "key"))
    said = [] if failed else json.loads(out.read_text())
    same = sum(one == other for one, other in zip(said, STRINGS, strict=False))
    return Tried(len(STRINGS), f"{same} arrived as they were given", len(STRINGS) - same)


def values_of_params(setup: Setup) -> Tried:
    """PARAMS with tags of YAML that call Python, and names of no parameter"""
    from study.book.options import Options, open_study

    flag = setup.folder("params") / "x"
    tags = ("object/apply:os.system", "object/new:os.system", "object/apply:builtins.eval")
    words = [f"latent=!!python/{tag}['touch,{flag}']" for tag in tags]
    words += ["latent=!!python/name:os.system", "latent=&a[*a]", "__class__=1", "latent.x=1"]
    words += ["latent={0}", "latent=1e999", "latent=.nan", "=1", "results_dir=/etc", "seed=1"]
    asked = {"categories": "metal_nut", "data_root": str(setup.drawn)}
    asked["backbone"] = "efficientnet_lite0"
    refused = 0
    for word in words:
        try:
            open_study(Options.read(asked | {"params": word}))
        except UserError as error:
            refused += "\n" not in str(error)
    lost = len(words) - refused + flag.exists()
    return Tried(len(words), f"{refused} refused in one line, no code ran", lost)


def names_on_pages(setup: Setup) -> Tried:
    """Names of data sets, defects and images with HTML, Markdown and formulas in them"""
    study = setup.study("names-on-pages")
    data = study / "data" / "parts <script>alert(1)</script>".replace("/", "∕")
    shutil.copytree(study / "data" / "parts" / "metal_nut", data / "metal_nut")
    test = data / "metal_nut" / "test"
    kinds = sorted(path for path in test.iterdir() if path.name != "good")
    names = ("<script>alert(1)", "$\\frac{$", "{raw} html", "`x` [a](javascript:alert(1))")
    for kind, name in zip(kinds, names, strict=False):
        kind.rename(test / name)
        masks = data / "metal_nut" / "ground_truth" / kind.name
        masks.rename(masks.with_name(name))
    good = sorted((test / "good").iterdir())
    good[0].rename(good[0].with_name("<img src=x onerror=alert(1)>.png"))
    good[1].rename(good[1].with_name("$a_b_c^{$.png"))
    own = {"data-root": str(data.relative_to(study))}
    done = common.run(study, "book", *common.small(**own))
    pages = [*(study / "build").glob("*parts-*/book-*/_build/html/**/*.html")]
    raw = [page for page in pages if _has_code(page)]
    tried = 3 + min(len(kinds), len(names))
    lost = (done.code != 0) + (not pages) + len(raw)
    return Tried(tried, f"the book is built, {len(raw)} of its pages took one for code", lost)


def results_with_other_fields(setup: Setup) -> Tried:
    """Results with fields that no result has, or lacking some"""
    from anomalylib.images.category import load_category
    from study.tables.results import Result, load_result, result_path

    folder = setup.folder("fields")
    category = load_category(setup.built / "data" / "parts", "metal_nut")
    path = result_path(folder, category, "combined", 0)
    path.parent.mkdir()
    found = next((setup.built / "build").glob("*/results/metal_nut-*/combined-seed0.json"))
    said = json.loads(found.read_text())
    variants: list[object] = [said | {"extra": 1}, said | {"scores": "<b>"}, [said], 1, None]
    needed = [name for name, field in Result.model_fields.items() if field.is_required()]
    variants += [{key: own for key, own in said.items() if key != left} for left in needed]
    refused = 0
    for variant in variants:
        path.write_text(json.dumps(variant))
        try:
            load_result(folder, category, "combined", 0)
        except (UserError, pydantic.ValidationError) as error:
            refused += isinstance(error, UserError) and "\n" not in str(error)
    return Tried(len(variants), f"{refused} refused in one line", len(variants) - refused)


FAULTS = (
    settings_of_make,
    parameters_of_notebooks,
    values_of_params,
    names_on_pages,
    results_with_other_fields,
)


def _has_code(page: Path) -> bool:
    """Whether a name stands on a page as HTML."""
    text = page.read_text()
    return any(sign in text for sign in ("<script>alert(1)", "<img src=x", 'href="javascript:'))
