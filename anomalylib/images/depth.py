"""How many bits of deep images are used: one number for all images of a category.

A sensor of 12 bits is often saved with 16. Where the upper 8 of all 16 bits were
kept, 16 of its 4,096 values would be left.
"""

from collections.abc import Iterable
from pathlib import Path

from anomalylib.errors import UserError
from anomalylib.images.reading import is_deep, read_values


def bits_of(train: Iterable[Path], others: Iterable[Path] = ()) -> int:
    """Bits a channel that the images of a category use, to be given to `read_image`.

    They are the fewest of 8, 10, 12, 14 and 16 with which the largest value of
    the images to learn from fits; such depths have sensors. Only images of
    more than 8 bits count, and only these are read.

    Parameters
    ----------
    train : iterable of Path
        The images to learn from. What cannot be read is passed over: it is
        refused when it is asked for.
    others : iterable of Path
        The other images of the category, whose values count for nothing.

    Returns
    -------
    int
        8 where no image has more bits, 16 where only `others` have.
    """
    deep = list(filter(is_deep, train))
    if not deep:
        return 16 if any(map(is_deep, others)) else 8
    bits = 8
    for path in deep:
        try:
            bits = max(bits, bits_for(int(read_values(path).max())))
        except UserError:
            continue
        if bits == 16:
            break
    return bits


def bits_for(largest: int) -> int:
    """The fewest of 8, 10, 12, 14 and 16 bits that hold a value, 16 for what none holds."""
    used = largest.bit_length()
    return min(16, max(8, used + used % 2))
