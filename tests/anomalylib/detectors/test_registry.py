import subprocess
import sys

import pytest

from anomalylib.detectors.base import Detector
from anomalylib.detectors.combined import Combined
from anomalylib.detectors.registry import DETECTORS


def test_every_name_leads_to_a_detector_and_back():
    for name, kind in DETECTORS.items():
        assert issubclass(kind, Detector) and DETECTORS.name_of(kind) == name
        assert kind.__module__ == DETECTORS.module(name)
    assert DETECTORS.name_of(Detector) is None
    assert DETECTORS["combined"] is Combined
    with pytest.raises(KeyError):
        DETECTORS["nothing"]


def test_the_names_are_there_without_pytorch():
    code = "from anomalylib.detectors.registry import DETECTORS; import sys; "
    code += "print(*DETECTORS, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [*DETECTORS, "False"]
