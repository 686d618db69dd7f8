"""An accelerator that is not there: its tensors have shapes and a device, and no numbers.

PyTorch's fake tensors stand for those on ``cuda:1``. An operation on two devices fails with
them as on the real one. So does whatever would wait for a number: a fake one has none.
"""

import contextlib

import numpy as np
import pytest
import safetensors.torch
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily

from anomalylib import devices
from anomalylib.deploy import saving
from anomalylib.detectors import base, patchcore, pooled
from anomalylib.features import cache, resident

NAME = "cuda:1"


@contextlib.contextmanager
def fake_accelerator(room=True):
    """While it is on, PyTorch finds two accelerators, with room for features or without."""
    with pytest.MonkeyPatch.context() as patch, FakeTensorMode(allow_non_fake_inputs=True):
        patch.setattr(devices, "_count", lambda kind: 2 * (kind == "cuda"))
        patch.setattr(devices, "describe_device", str)
        patch.setattr(base, "describe_device", str)
        patch.setattr(resident, "room_for", lambda device, size: room)
        for module in (devices, base, cache, patchcore, pooled, resident):
            patch.setattr(module, "to_numpy", _brought_back)
        patch.setattr(FakeTensor, "cpu", _refused)
        patch.setattr(torch.cuda, "get_device_name", str)
        for module, name in ((safetensors.torch, "load_file"), (saving, "_read")):
            patch.setattr(module, name, _with_numbers(getattr(module, name)))
        # What needs a real device, or real tensors.
        patch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
        patch.setattr(torch.Tensor, "backward", _backward)
        patch.setattr(torch.nn.Module, "_apply", _apply)
        yield


def _with_numbers(function):
    """The function, which reads files, with real tensors on the processor."""

    def call(*given, **named):
        with unset_fake_temporarily():
            return function(*given, **named)

    return call


def _brought_back(tensor):
    """An array for a tensor that has been on the accelerator to the end; all is finite."""
    assert tensor.device == torch.device(NAME), f"computed on {tensor.device}"
    kind = np.bool_ if tensor.dtype == torch.bool else str(tensor.dtype).removeprefix("torch.")
    return np.ones(tensor.shape, kind)


def _refused(tensor, *_args, **_options):
    raise AssertionError(f"a tensor {tuple(tensor.shape)} leaves the accelerator too early")


def _backward(loss):
    """Give every parameter that the loss depends on a gradient of its kind and device."""
    nodes = [loss.grad_fn]
    while nodes:
        node = nodes.pop()
        if hasattr(node, "variable"):
            node.variable.grad = torch.zeros_like(node.variable)
        nodes += [before for before, _ in node.next_functions if before]


def _apply(module, function, recurse=True):
    """`torch.nn.Module._apply`, which cannot exchange fake tensors for others."""
    for child in module.children():
        _apply(child, function)
    for name, parameter in module._parameters.items():
        if parameter is not None:
            moved = torch.nn.Parameter(function(parameter.detach()), parameter.requires_grad)
            module._parameters[name] = moved
    for name, buffer in module._buffers.items():
        if buffer is not None:
            module._buffers[name] = function(buffer)
    return module
