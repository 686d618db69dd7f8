"""New images to inspect, for the chapter on one's own parts."""

from pathlib import Path

import numpy as np
from PIL import Image

from study.parts import bracket, synthetic
from study.parts.synthetic import random_of

NEW = {"sound": "good", "scratched": "scratch", "undrilled": "missing_hole"}
"""New brackets, and how they are drawn."""


def new_images(folder: Path) -> Path:
    """Draw brackets that no detector has seen, a nut, and an image that is cut short.

    Returns
    -------
    Path
        `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in NEW.items():
        image, _ = bracket.photograph(kind, random_of(f"new/{name}"))
        Image.fromarray(np.round(image * 255).astype(np.uint8)).save(folder / f"{name}.png")
    nut, _ = synthetic.photograph("metal_nut", "good", random_of("new/nut"))
    Image.fromarray(nut).save(folder / "a nut.png")
    whole = (folder / "sound.png").read_bytes()
    (folder / "cut short.png").write_bytes(whole[: len(whole) // 2])
    return folder
