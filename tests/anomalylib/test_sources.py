from anomalylib.sources import code_hash


def test_a_module_depends_on_what_it_imports_and_on_its_templates(tmp_path, monkeypatch):
    room = tmp_path / "drawn_house" / "room"
    (room / "templates").mkdir(parents=True)
    (tmp_path / "drawn_house" / "__init__.py").touch()
    files = {
        "page.py": "import jinja2",
        "templates/page.j2": "<p>",
        "user.py": "from drawn_house.room import page",
        "other.py": "import json",
    }
    for name, text in files.items():
        (room / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    def hashes():
        modules = (f"drawn_house.room.{name}" for name in ("page", "user", "other"))
        return [code_hash(module, packages=("drawn_house",)) for module in modules]

    before = hashes()
    assert hashes() == before
    (room / "templates/page.j2").write_text("<div>")
    after = hashes()
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, True, False]
