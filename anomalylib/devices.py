"""Where tensors are computed: the processor, or an accelerator that PyTorch knows."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from anomalylib.errors import UserError

CPU = torch.device("cpu")
ROOM = 0.5  # of an accelerator's free memory that features may stay in
CUBLAS = ":4096:8"  # the workspace with which products of matrices are the same every time


def resolve_device(name: str = "auto") -> torch.device:
    """The device of a name: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    ``auto`` takes an accelerator where there is one.

    Raises
    ------
    UserError
        If PyTorch knows no such device, or does not find it on this machine.
    """
    if name == "auto":
        name = next((each for each in ("cuda", "mps") if _count(each)), "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise UserError(f"no device {name!r}: give auto, cpu, cuda, cuda:1 or mps")
    if device.type == "cpu":
        return CPU
    number, count = device.index or 0, _count(device.type)
    if number >= count:
        raise UserError(
            f"no device {name!r} here: PyTorch finds {count} of {device.type}; give auto or cpu"
        )
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS)  # read when cuBLAS is first used
    return torch.device(device.type, number)


def describe_device(device: torch.device) -> str:
    """A device in words, with the name of the card: what results say, and caches are told by."""
    if device.type == "cuda":
        return f"{device}, {torch.cuda.get_device_name(device)}"
    return str(device)


@contextmanager
def computing(device: torch.device, lower: str) -> Iterator[None]:
    """Let the same computation give the same numbers every time, also on an accelerator.

    There, products are in the precision that was asked for, and want of memory is a
    `UserError` that names the setting to `lower`.
    """
    if device.type == "cpu":
        yield
        return
    strict = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False):
            yield
    except RuntimeError as error:  # PyTorch's own class of it is one; MPS raises it plainly
        if not isinstance(error, torch.OutOfMemoryError) and "out of memory" not in str(error):
            raise
        refusal = f"{describe_device(device)} has too little memory: lower {lower}"
        raise UserError(f"{refusal}, or give another device") from None
    finally:
        torch.use_deterministic_algorithms(strict)


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """A tensor of any device as an array: the one way back from it."""
    return tensor.cpu().numpy()


def with_doubles(device: torch.device) -> torch.device:
    """Where to sum in double precision: the device itself, if it can."""
    return CPU if device.type == "mps" else device


def room_for(device: torch.device, size: int) -> bool:
    """Whether so many bytes may stay on an accelerator; never on the processor, which has files."""
    if device.type == "cuda":
        return size <= ROOM * torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return size <= ROOM * torch.mps.recommended_max_memory()
    return False


def _count(kind: str) -> int:
    """How many devices of a kind there are."""
    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    return int(torch.backends.mps.is_available())
