"""Fixtures drawn or made at random: no network, no data set."""

import contextlib
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

os.environ["TORCH_HOME"] = "/nonexistent-torch-home"  # no weights of this machine

settings.register_profile("study", deadline=None, derandomize=True, database=None)
settings.load_profile("study")  # the same examples each time, however slow the machine
torch.set_num_threads(1)  # tests run beside each other

ROOT = Path(__file__).parents[1]
READS_THE_BOOK = re.compile(r"def \w+\(.*\b(built|site|browser)\b")


def pytest_xdist_make_scheduler(config, log):
    """Give a module of tests to one process, and all that read the built book to the same."""
    from xdist.scheduler import LoadScopeScheduling

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            module = nodeid.partition("::")[0]
            return "book" if READS_THE_BOOK.search((ROOT / module).read_text()) else module

    return ByModule(config, log)


def pytest_collection_modifyitems(items):
    """Begin with what reads the built book: it takes longest."""
    items.sort(key=lambda item: not READS_THE_BOOK.search(item.path.read_text()))


@pytest.fixture(autouse=True)
def same_draws():
    """Let a test draw the same whatever ran before it."""
    torch.manual_seed(0)


def pytest_addoption(parser):
    parser.addoption("--book", metavar="PATH", help="html folder that test_browser.py checks")


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory) -> Path:
    """Two drawn categories of a few images each."""
    from study.parts.synthetic import ensure_synthetic

    counts = {"train": 6, "good": 3, "defect": 1}
    return ensure_synthetic(tmp_path_factory.mktemp("data") / "drawn", counts)


@pytest.fixture(scope="session")
def built(tiny_root, tmp_path_factory):
    """The study of one category, executed by papermill, and its book.

    One model runs as in a study, in a worker and a kernel of its own; to save the time in
    which kernels start and import PyTorch, the other notebooks share one.
    """
    from study.book import build as book
    from study.book import notebooks, options
    from study.book.execute import execute
    from study.runs.workers import workers

    build = tmp_path_factory.mktemp("build")
    small = {"autoencoder.epochs": 1, "combined.epochs": 1, "image_size": 64}
    small |= {"learning_curve.sizes": "3", "learning_curve.repeats": 2}
    small |= {"your_parts.normal_images": 24}
    asked = {"categories": "metal_nut", "data_root": str(tiny_root), "params": small}
    asked["backbone"] = "efficientnet_lite0"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, "BUILD", build)
        patch.setattr(notebooks, "parts", lambda folder: ["metal_nut", "screw"])  # of seven
        study = options.open_study(options.Options.read(asked), threads=1)
        (look, *quick), first, *later = study.stages
        apart = [task for task in first if task.notebook == "combined"]
        shared = [*quick, *(task for task in first if task not in apart)]
        with workers(len(apart)) as executor, shared_kernel():
            failures = [execute(look)]
            waiting = [executor.submit(execute, task) for task in apart]
            failures += [execute(task) for task in shared]
            failures += [future.result() for future in waiting]
            failures += [execute(task) for stage in later for task in stage]
        assert [failure for failure in failures if failure] == []
        index, fresh = book.build_book(study)
    assert fresh
    return study, [task.page for task in study.tasks], index


@contextlib.contextmanager
def shared_kernel():
    """Let papermill execute notebooks in one kernel, emptied before each of them."""
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import run_sync
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines

    empty = "from matplotlib import pyplot; pyplot.close('all'); get_ipython().reset()"
    manager = AsyncKernelManager(kernel_name="python3")
    connected = []

    class Client(PapermillNotebookClient):
        def papermill_execute_cells(self):
            self.wait_for_reply(self.kc.execute(empty, silent=True))
            super().papermill_execute_cells()

    class Shared(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, extra_arguments=(), **options):
            client = Client(nb_man, km=manager, extra_arguments=list(extra_arguments))
            client.kc = connected[0] if connected else None
            try:
                return client.execute()
            finally:
                connected[:] = filter(None, [client.kc])

    usual = papermill_engines.get_engine(None)
    papermill_engines.register(None, Shared)
    try:
        yield
    finally:
        papermill_engines.register(None, usual)
        for client in connected:
            client.stop_channels()
        if manager.has_kernel:
            run_sync(manager.shutdown_kernel)(now=True)


@pytest.fixture
def no_open_figures():
    """Close what a test has drawn."""
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def category_folder(tmp_path) -> Path:
    """A category of noise images in the MVTec layout, with one mask."""
    random = np.random.default_rng(0)
    root = tmp_path / "root"
    for part, count in (("train/good", 4), ("test/good", 2), ("test/dent", 2)):
        folder = root / "bolt" / part
        folder.mkdir(parents=True)
        for index in range(count):
            pixels = random.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{index:03d}.png")
    masks = root / "bolt" / "ground_truth" / "dent"
    masks.mkdir(parents=True)
    mask = np.zeros((40, 40), dtype=np.uint8)
    mask[:20] = 255
    Image.fromarray(mask).save(masks / "000_mask.png")
    return root


@pytest.fixture(scope="session")
def resnet18_file(tmp_path_factory) -> Path:
    """A random ResNet-18, with the tensors through layer2 only."""
    import safetensors.torch
    import torchvision

    torch.manual_seed(0)
    state = torchvision.models.resnet18().state_dict()
    kept = {name: t for name, t in state.items() if not name.startswith(("layer3", "layer4", "fc"))}
    path = tmp_path_factory.mktemp("weights") / "random18.safetensors"
    safetensors.torch.save_file(kept, path)
    return path


@pytest.fixture
def extractor(resnet18_file):
    """A small extractor: 128 channels on an 8x8 grid."""
    from anomalylib.features.extractor import FeatureExtractor
    from anomalylib.features.weights import resolve_backbone

    backbone = resolve_backbone("resnet18", str(resnet18_file))
    return FeatureExtractor(backbone, image_size=64)


@pytest.fixture
def survey_of():
    """Make a survey of so many images that nothing is wrong with, without any file."""
    import pandas as pd

    from study.datacheck import survey

    def make(train=80, normal=30, anomalous=30, **columns):
        random = np.random.default_rng(0)
        total = train + normal + anomalous
        kinds = ["good"] * (train + normal) + ["dent"] * anomalous
        names = [f"{kind}/{index:03d}.png" for index, kind in enumerate(kinds)]
        said = {"image": names, "set": ["train"] * train + ["test"] * (normal + anomalous)}
        said |= {"defect_type": kinds, "label": [int(kind != "good") for kind in kinds]}
        said |= {"format": "PNG", "mode": "RGB", "bits": 8, "width": 256, "height": 256}
        said |= {"checksum": True, "pixels": names, "mean_grey": random.normal(90, 3, total)}
        said |= {"contrast": random.normal(40, 2, total), "brightest": 220}
        said |= {"sharpness": random.normal(0.1, 0.01, total), "reason": ""}
        side = (total, survey.THUMBNAIL, survey.THUMBNAIL)
        thumbnails = random.integers(0, 256, side).astype(np.float32)
        masks = {"image": names[train + normal :], "fits": True, "area": 0.01, "reason": ""}
        masks = pd.DataFrame(masks | {"brightest": 255})
        masks["mask"] = [f"masks/{name}" for name in masks.image]
        frame = pd.DataFrame(said | columns)[survey.COLUMNS]
        return survey.Survey(None, frame, thumbnails, masks[survey.MASK_COLUMNS], ())

    return make
