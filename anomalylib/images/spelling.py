"""What the name of a folder says, in whatever spelling."""

import difflib
import re
import unicodedata
from collections.abc import Iterable

GOOD, BAD, MASKS, VALIDATION, TRAIN, TEST = "good", "bad", "masks", "validation", "train", "test"

_WORDS = {
    MASKS: "masks?|groundtruths?|gt|labels?|annotations?|segmentations?",
    VALIDATION: "val|valid|validate|validation|dev|calib|calibration",
    BAD: "bad|ng|nok|nio|ko|defect(s|ive|ed|ives)?|anormal|abnormal(s|ity|ities)?"
    "|anomal(y|ies|ous)|fault(s|y)?|fail(s|ed|ures?)?|reject(s|ed)?|broken|damaged?"
    "|(no|not|non|un)(good|ok|okay|normal|acceptable|accepted|io)",
    GOOD: "goods?|gut|ok|oks|okay|io|normals?|nominal|usual|fine|pass(ed|es|ing)?|sound|intact"
    "|perfect|clean|healthy|flawless|faultless|undamaged|accept(ed|able)?|correct|negatives?"
    "|(no|non|not|without)(defects?|defective|anomal(y|ies|ous)|faults?|faulty|damaged?|errors?)"
    "|(defect|fault|error|damage|anomaly)(free|less)",
    TRAIN: "train|training|trained",
    TEST: "tests?|testing|eval|evaluation",
}
_BESIDE = (
    "(the|all|only|my|new|train|training|test|parts?|pieces?|products?|items?|images?|imgs?"
    "|pictures?|pics?|photos?|samples?|types?|class|set|data)*"
)
_FORMS = {kind: re.compile(f"{_BESIDE}({words}){_BESIDE}") for kind, words in _WORDS.items()}
_SURELY_GOOD = {"good", "goods", "ok", "okay", "io", "normal", "normals", "nominal"}
_NOT = {"no", "not", "non", "un", "never", "almost", "but"}
_USUAL = {"good": GOOD, "normal": GOOD, "nominal": GOOD, "abnormal": BAD, "anomalous": BAD}
_USUAL |= {"anomaly": BAD, "defective": BAD, "masks": MASKS, "groundtruth": MASKS}
_USUAL |= {"validation": VALIDATION, "train": TRAIN, "training": TRAIN, "test": TEST}


def kind_of(name: str) -> str:
    """What a folder's name says its images are; empty where it says nothing known."""
    letters = _letters(name)
    for kind, form in _FORMS.items():
        if form.fullmatch(letters):
            return kind
    words = {_letters(word) for word in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+", name)}
    bad = any(_FORMS[BAD].fullmatch(word) for word in words)
    if words & _SURELY_GOOD and not words & _NOT and not bad:
        return GOOD
    near = difflib.get_close_matches(letters, _USUAL, 1, 0.8)
    return _USUAL[near[0]] if near else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is spelt most like a name; empty where none is."""
    by_letters = {_letters(each): each for each in known}
    near = difflib.get_close_matches(_letters(name), by_letters, 1, 0.6)
    return by_letters[near[0]] if near else ""


def same_form(name: str) -> str:
    """A name in one Unicode form: file systems differ in how they keep an accent."""
    return unicodedata.normalize("NFC", name)


def _letters(name: str) -> str:
    return re.sub(r"[\W\d_]+", "", unicodedata.normalize("NFKC", name).casefold())
