"""Execute the notebooks with papermill: those that are stale, on some workers."""

import importlib.metadata
import json
import logging
import platform

from filelock import FileLock
from tqdm import tqdm

from anomalylib.errors import UserError, first_line
from study.book.notebooks import SOURCES, Task
from study.checkout import ROOT, commit
from study.runs.workers import Cluster, Processes, WorkerKilled, complete

STARTS = 2
NEVER_STARTED = ("Kernel didn't respond", "Kernel died before replying")
"""Two kernels that start at once may be given one port; no cell has run then."""
DRAWN_WITH = ("numpy", "pandas", "matplotlib", "seaborn", "scikit-learn", "scipy", "torch")


def execute(task: Task) -> str | None:
    """Execute one notebook, unless another run does; return what went wrong, or None.

    papermill writes to a partial file, which is renamed when all is done and left to look at
    when a cell fails. What an earlier run has left goes first: its result may be overwritten
    before this run ends or is killed, and must not pass for its own then.
    """
    task.output.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(task.output.with_suffix(".lock")):  # two runs may want the same
        # A cluster asks again, too, where an answer was lost with its worker.
        return _execute(task) if task.stale else None


def _execute(task: Task) -> str | None:
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    from study.book.kernels import WarmKernels

    # Parameters are checked in `plan`, and what goes wrong is worded below.
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    task.output.unlink(missing_ok=True)
    who = f"notebook {task.notebook} ({task.subject})"
    look = f"look at {task.partial}"
    for start in range(STARTS):
        try:
            done = papermill.execute_notebook(
                SOURCES / f"{task.notebook}.ipynb",
                task.partial,
                task.parameters,
                cwd=ROOT,
                kernel_name="python3",
                kernel_manager_class=WarmKernels,
                extra_arguments=["--log-level=CRITICAL", "--InlineBackend.figure_formats=['svg']"],
                progress_bar=False,
                request_save_on_cell_execute=False,  # once, at the end or where a cell fails
                autosave_cell_every=0,
            )
            break
        except PapermillExecutionError as error:
            why = f"{error.ename}: {first_line(error.evalue)}"
            return f"{who} failed in cell {error.cell_index + 1}: {why}; {look}"
        except DeadKernelError as error:  # what the notebook does, it does in the kernel
            raise WorkerKilled(first_line(error)) from None
        except Exception as error:  # a full disk, say: name the notebook all the same
            if start + 1 < STARTS and any(sign in str(error) for sign in NEVER_STARTED):
                continue
            return f"{who} did not finish: {first_line(error)}; {look}"
    versions = {"python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in DRAWN_WITH}
    done.metadata["study"] = {"key": task.key, "commit": commit(), "versions": versions}
    task.partial.write_text(json.dumps(done, indent=1))
    task.partial.replace(task.output)
    return None


def run_stages(stages: list[list[Task]], executor: Processes | Cluster) -> list[str]:
    """Execute the stale notebooks, stage by stage; return the pages that were made again.

    If any fails, the others of its stage are finished before the `UserError`.
    """
    stale = [[task for task in stage if task.stale] for stage in stages]
    count = sum(map(len, stale))
    with tqdm(total=count, desc="notebooks", unit="notebook", disable=count == 0) as bar:
        for stage in stale:
            failures: list[str] = []
            for number, failure, error in complete(execute, [(task,) for task in stage], executor):
                task = stage[number]
                if error is not None:
                    failure = f"notebook {task.notebook} ({task.subject}): {first_line(error)}"
                failures += filter(None, [failure])
                bar.set_postfix_str(f"{task.notebook} {task.subject} done")
                bar.update()
            if failures:
                more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
                raise UserError(failures[0] + more)
    return [task.page for stage in stale for task in stage]
