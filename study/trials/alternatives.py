"""What was tried in place of kNN reconstruction, and did less: kept to be measured again."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from sklearn.cluster import KMeans
from torch import nn

from anomalylib.detectors.base import FeatureDetector, Tensors, estimator
from anomalylib.detectors.blocks import as_rows
from anomalylib.detectors.combined import Combined, FeatureError, channel_moments
from anomalylib.detectors.knn_reconstruction import CANDIDATES, KNNReconstruction, parts_of
from anomalylib.detectors.training import Batches, fit_reconstruction
from anomalylib.features.cache import Stored

SAMPLE = 2**15  # patches that clusters and covariances are learned from
SHRINKAGE = 0.02  # added to every variance, in units of their mean
SHARED = 500  # patches that the covariance of all clusters counts as, beside a cluster's own
Count = Annotated[int, Field(ge=1)]


def sample(features: Stored, seed: int) -> torch.Tensor:
    """Random patches of (N, H, W, C), shape (P, C)."""
    total = len(features) * features.shape[1] * features.shape[2]
    random = np.random.default_rng(seed)
    patches = np.sort(random.choice(total, min(SAMPLE, total), replace=False))
    return torch.cat(list(parts_of(features, patches)))


def clustered(rows: torch.Tensor, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres (K, C) of k-means, and to which each row belongs (P,)."""
    means = KMeans(min(count, len(rows)), n_init=1, max_iter=20, random_state=seed)
    which = means.fit_predict(rows.numpy())
    return torch.from_numpy(means.cluster_centers_).float(), torch.from_numpy(which).long()


def whitener(covariance: torch.Tensor) -> torch.Tensor:
    """A matrix (C, C) that gives errors of this covariance about unit covariance."""
    values, vectors = torch.linalg.eigh(covariance.double())
    values = values.clamp(min=0) + SHRINKAGE * values.mean()
    return (vectors / values.sqrt()).float()


class ResidualError(FeatureError):
    """FeatCAE, with another ``_error`` of patches than the residual's length: (P, C) to (P,)."""

    def __init__(self, plain: FeatureError, **learned: torch.Tensor):
        super().__init__(plain.network, len(plain.losses), plain.mean, plain.std)
        for name, tensor in learned.items():
            self.register_buffer(name, torch.empty_like(tensor))

    def scaled_rows(self, rows: torch.Tensor) -> torch.Tensor:
        """Patches as FeatCAE is shown them, (P, C)."""
        return (rows - self.mean) / self.std

    def residuals(self, rows: torch.Tensor) -> torch.Tensor:
        """What FeatCAE leaves of patches, (P, C)."""
        x = self.scaled_rows(rows).T[None, :, None]  # (1, C, 1, P)
        return (self.network(x) - x)[0, :, 0].T

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map of each input: (N, H, W, C) to (N, H, W)."""
        return self._error(as_rows(inputs)).view(inputs.shape[:3])


class WhitenedError(ResidualError):
    """Length of the residual on axes on which normal residuals vary alike."""

    def _error(self, rows: torch.Tensor) -> torch.Tensor:
        return (self.residuals(rows) @ self.whitener).square().mean(dim=1)


class RelativeError(ResidualError):
    """Length of the residual, in units of what is usual in the patch's cluster."""

    def _error(self, rows: torch.Tensor) -> torch.Tensor:
        which = torch.cdist(self.scaled_rows(rows), self.centres).argmin(dim=1)  # (P,)
        return self.residuals(rows).square().mean(dim=1) / self.usual[which]


class ResidualDetector(Combined):
    """FeatCAE with another error, for which ``_learn_error`` then learns from normal patches."""

    ERROR: type[ResidualError]
    LEARNED: tuple[str, ...]

    def _learn(self, inputs: Stored) -> Tensors:
        learned = super()._learn(inputs)
        self.restore(learned)
        with torch.inference_mode():
            return learned | self._learn_error(sample(inputs, self.seed))

    def _module(self, learned: Tensors) -> ResidualError:
        besides = {name: learned[name] for name in self.LEARNED if name in learned}
        return self.ERROR(super()._module(learned), **besides)


class WhitenedDetector(ResidualDetector):
    """Length of FeatCAE's residual, whitened by its second moments over normal patches."""

    ERROR, LEARNED = WhitenedError, ("whitener",)

    def _learn_error(self, rows: torch.Tensor) -> Tensors:
        errors = self.model_.residuals(rows)  # (P, C)
        return {"whitener": whitener(errors.T @ errors / len(errors))}


@estimator
class RelativeDetector(ResidualDetector):
    """FeatCAE's error, divided by the mean error of normal patches of the same cluster."""

    ERROR, LEARNED = RelativeError, ("centres", "usual")

    clusters: Count = 64

    def _learn_error(self, rows: torch.Tensor) -> Tensors:
        centres, which = clustered(self.model_.scaled_rows(rows), self.clusters, self.seed)
        error = self.model_.residuals(rows).square().mean(dim=1)  # (P,)
        total = torch.zeros(len(centres)).index_add_(0, which, error)
        usual = total / torch.bincount(which, minlength=len(centres)).clamp(min=1)  # (K,)
        return {"centres": centres, "usual": usual.clamp(min=1e-6)}


@estimator
class BalancedDetector(Combined):
    """FeatCAE, trained on patches of every cluster equally often, drawn from `SAMPLE` of them."""

    clusters: Count = 64

    def _learn(self, inputs: Stored) -> Tensors:
        mean, std = channel_moments(inputs)  # (C,) each
        rows = sample(inputs, self.seed)  # (P, C)
        _, which = clustered((rows - mean) / std, self.clusters, self.seed)
        share = (1 / torch.bincount(which).double())[which].numpy()  # (P,)
        share /= share.sum()
        steps = max(1, int(np.prod(inputs.shape[:3])) // self.batch_size)

        def of_epoch(order: np.random.Generator) -> Iterator[np.ndarray]:
            for _ in range(steps):
                chosen = order.choice(len(rows), self.batch_size, p=share)
                yield rows[chosen][None, None].numpy()  # (1, 1, n, C)

        make_model = partial(self._module, {"mean": mean, "std": std})
        training = {"epochs": self.epochs, "learning_rate": self.learning_rate, "seed": self.seed}
        training["precision"] = self.features.precision
        return fit_reconstruction(make_model, Batches(steps, of_epoch), **training)


class ClusterDistance(nn.Module):
    """Mahalanobis distance of each patch to the cluster it falls into, squared, over C."""

    def __init__(self, **learned: torch.Tensor):
        super().__init__()
        for name, tensor in learned.items():
            self.register_buffer(name, torch.empty_like(tensor))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Maps (N, H, W) of features (N, H, W, C)."""
        rows = (as_rows(features) - self.mean) / self.std  # (N*H*W, C)
        which = torch.cdist(rows, self.centres).argmin(dim=1)  # (N*H*W,)
        distance = torch.empty(len(rows))
        for cluster in which.unique().tolist():
            inside = which == cluster
            errors = (rows[inside] - self.centres[cluster]) @ self.whiteners[cluster]
            distance[inside] = errors.square().mean(dim=1)
        return distance.view(features.shape[:3])


@estimator
class ClusteredDetector(FeatureDetector):
    """Mahalanobis distance to a patch's cluster; if one, as in Ahuja et al. (2019) when pooled."""

    clusters: Count = 64

    def _learn(self, inputs: Stored) -> Tensors:
        mean, std = channel_moments(inputs)  # (C,) each
        rows = (sample(inputs, self.seed) - mean) / std  # (P, C)
        centres, which = clustered(rows, self.clusters, self.seed)
        errors = rows - centres[which]  # (P, C)
        shared = errors.T @ errors / len(errors)  # (C, C)
        clusters = [errors[which == cluster] for cluster in range(len(centres))]  # (p, C) each
        moments = [(each.T @ each + SHARED * shared) / (len(each) + SHARED) for each in clusters]
        whiteners = torch.stack([whitener(moment) for moment in moments])  # (K, C, C)
        return {"mean": mean, "std": std, "centres": centres, "whiteners": whiteners}

    def _module(self, learned: Tensors) -> ClusterDistance:
        return ClusterDistance(**learned)


class UniformCandidates(KNNReconstruction):
    """kNN reconstruction, its candidates drawn without regard to how rare they are."""

    def _candidates(self, rarity: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return np.sort(random.choice(len(rarity), min(CANDIDATES, len(rarity)), replace=False))


class DrawnBank(KNNReconstruction):
    """kNN reconstruction, its bank drawn from the candidates in place of spread over them."""

    def _chosen(self, rows: torch.Tensor) -> np.ndarray:
        random = np.random.default_rng(self.seed)
        return random.choice(len(rows), min(self.bank, len(rows)), replace=False)


class RandomBank(UniformCandidates, DrawnBank):
    """kNN reconstruction with a bank of random patches."""
