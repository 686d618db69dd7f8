"""Kernels that are forked from a process with the libraries loaded, and so start sooner."""

import multiprocessing
import os
import uuid
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from jupyter_client import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

SERVER = multiprocessing.get_context("forkserver")
LOADED = ("ipykernel.kernelapp", "pandas", "seaborn", "scipy.stats", "sklearn.metrics")
LOADED += ("myst_nb.ext.glue", "study.settings", "study.tables.numbers", "study.figures.reference")
"""What almost every notebook imports; not torch, whose threads do not survive a fork."""
INLINE = "module://matplotlib_inline.backend_inline"


class WarmKernels(AsyncKernelManager):
    """Starts Python kernels as forks, where the process may have children; else as usual."""

    async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
        if self.provisioner is None and not multiprocessing.current_process().daemon:
            self.kernel_id = str(uuid.uuid4())
            which = {"kernel_id": self.kernel_id, "kernel_spec": self.kernel_spec}
            self.provisioner = Forked(**which, parent=self)
        return await super()._async_pre_start_kernel(**options)


class Forked(LocalProvisioner):
    """Keeps a kernel that is a fork, as its base keeps one that was started by a command."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> dict[str, Any]:
        """Fork a kernel; of its command only the arguments are used."""
        SERVER.set_forkserver_preload(list(LOADED))
        self.cwd = str(options.get("cwd") or Path.cwd())
        arguments = cmd[cmd.index("-f") :]
        process = SERVER.Process(target=_kernel, args=(arguments, self.cwd, options.get("env")))
        process.start()
        self.process, self.pid, self.pgid = Handle(process), process.pid, process.pid
        return self.connection_info


class Handle:
    """A process with the methods of `subprocess.Popen` that a provisioner calls."""

    stdin = stdout = stderr = None

    def __init__(self, process: BaseProcess):
        self._process = process
        self.pid, self.kill, self.terminate = process.pid, process.kill, process.terminate

    def poll(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._process.exitcode

    def wait(self) -> int | None:
        """Wait for its end."""
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


def _kernel(arguments: list[str], folder: str, environment: dict[str, str] | None) -> None:
    """Be a kernel, in a session of its own, until it is shut down or its parent is gone."""
    import matplotlib
    from ipykernel.kernelapp import IPKernelApp

    os.setsid()
    os.chdir(folder)
    os.environ.update(environment or {}, MPLBACKEND=INLINE)
    matplotlib.rcParams["backend"] = INLINE  # which it reads from the environment when imported
    IPKernelApp.launch_instance(argv=[*arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])
