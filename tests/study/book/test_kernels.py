import time

import nbformat
import psutil
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from study.book.kernels import LOADED, WarmKernels

ASK = """
import os, sys
print(os.getcwd(), *(name in sys.modules for name in %r), "torch" in sys.modules)
import matplotlib.pyplot as plt
plt.plot([1, 2]);
"""


def executed(code, folder, **options):
    notebook = new_notebook(cells=[new_code_cell(code)])
    resources = {"metadata": {"path": str(folder)}}
    options |= {"kernel_manager_class": WarmKernels, "kernel_name": "python3"}
    NotebookClient(notebook, resources=resources, **options).execute()
    nbformat.validate(notebook)
    return notebook.cells[0].outputs


def test_a_kernel_has_the_libraries_but_not_torch_and_draws_as_usual(tmp_path):
    said, figure = executed(ASK % (LOADED,), tmp_path)
    loaded = " ".join(["True"] * len(LOADED))
    assert said["text"].strip() == f"{tmp_path} {loaded} False"
    assert "image/png" in figure["data"]


def test_two_kernels_share_nothing(tmp_path):
    executed("import pandas; pandas.changed = 1", tmp_path)
    (said,) = executed("import pandas; print(hasattr(pandas, 'changed'))", tmp_path)
    assert said["text"] == "False\n"


def test_a_kernel_that_is_killed_is_noticed_and_none_is_left(tmp_path):
    with pytest.raises(DeadKernelError):
        executed("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", tmp_path)
    (said,) = executed("import os; print(os.getpid())", tmp_path)
    late = time.monotonic() + 10
    while psutil.pid_exists(int(said["text"])) and time.monotonic() < late:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(said["text"]))
