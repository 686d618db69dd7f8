"""New images to inspect, for the chapter on one's own parts."""

from pathlib import Path

from study.parts import bracket, synthetic
from study.parts.synthetic import random_of, save_png

NEW = {"sound": "good", "scratched": "scratch", "undrilled": "missing_hole"}


def new_images(folder: Path) -> Path:
    """Draw brackets that no detector has seen, a nut, and an image that is cut short."""
    for name, kind in NEW.items():
        image, _ = bracket.photograph(kind, random_of(f"new/{name}"))
        save_png(image, folder / f"{name}.png")
    nut, _ = synthetic.photograph("metal_nut", "good", random_of("new/nut"))
    save_png(nut, folder / "a nut.png")
    whole = (folder / "sound.png").read_bytes()
    (folder / "cut short.png").write_bytes(whole[: len(whole) // 2])
    return folder
