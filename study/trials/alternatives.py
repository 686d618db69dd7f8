"""What was tried in place of combined+, and did less: kept so that it can be measured again."""

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.cluster import KMeans

from anomalylib.detectors.base import FeatureDetector, Images, Tensors, blocks
from anomalylib.detectors.combined import Combined, channel_moments
from anomalylib.detectors.combined_plus import CANDIDATES, CombinedPlus, parts_of
from anomalylib.detectors.patchcore import as_rows
from anomalylib.detectors.training import Batches, fit_reconstruction
from anomalylib.features.cache import Stored

SAMPLE = 2**15
"""Patches that clusters and covariances are learned from."""
SHRINKAGE = 0.02
"""Added to every variance, in units of their mean."""
SHARED = 500
"""Patches that the covariance of all clusters counts as, beside a cluster's own."""


def sample(features: Stored, seed: int) -> torch.Tensor:
    """Random patches of (N, H, W, C), shape (P, C)."""
    total = len(features) * features.shape[1] * features.shape[2]
    random = np.random.default_rng(seed)
    patches = np.sort(random.choice(total, min(SAMPLE, total), replace=False))
    return torch.cat(list(parts_of(features, patches)))


def clustered(rows: torch.Tensor, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres (K, C) of k-means, and to which each row belongs (P,)."""
    found = KMeans(min(count, len(rows)), n_init=1, max_iter=20, random_state=seed)
    which = found.fit_predict(rows.numpy())
    return torch.from_numpy(found.cluster_centers_).float(), torch.from_numpy(which).long()


def whitener(covariance: torch.Tensor) -> torch.Tensor:
    """A matrix (C, C) that gives errors of this covariance about unit covariance."""
    values, vectors = torch.linalg.eigh(covariance.double())
    values = values.clamp(min=0) + SHRINKAGE * values.mean()
    return (vectors / values.sqrt()).float()


class ResidualDetector(Combined):
    """FeatCAE, whose residual vectors are judged otherwise than by their length."""

    def _scaled_rows(self, rows: torch.Tensor) -> torch.Tensor:
        return (rows - self.mean_) / self.std_  # (P, C)

    @torch.inference_mode()
    def _residuals(self, rows: torch.Tensor) -> torch.Tensor:
        """What FeatCAE leaves of patches, (P, C)."""
        x = self._scaled_rows(rows).T[None, :, None]  # (1, C, 1, P)
        return (self.model_(x) - x)[0, :, 0].T

    def _judged(self, rows: torch.Tensor) -> torch.Tensor:
        """Error of each patch, (P,)."""
        raise NotImplementedError

    def _maps(self, images: Images) -> Iterator[np.ndarray]:
        for block in blocks(self.features(images)):
            yield self._judged(as_rows(block)).view(block.shape[:3]).numpy()  # (n, H, W)


class WhitenedDetector(ResidualDetector):
    """Length of FeatCAE's residual, whitened by its second moments over normal patches."""

    def _learn(self, images: Images) -> Tensors:
        learned = super()._learn(images)
        super()._take(learned)
        errors = self._residuals(sample(self.features(images), self.seed))  # (P, C)
        return learned | {"whitener": whitener(errors.T @ errors / len(errors))}

    def _take(self, learned: Tensors) -> None:
        super()._take(learned)
        self.whitener_ = learned["whitener"]  # (C, C)

    def _judged(self, rows: torch.Tensor) -> torch.Tensor:
        return (self._residuals(rows) @ self.whitener_).square().mean(dim=1)


class RelativeDetector(ResidualDetector):
    """FeatCAE's error, divided by the mean error of normal patches of the same cluster.

    Parameters
    ----------
    extractor : FeatureExtractor
    clusters : int
    **settings
        See `Combined`.
    """

    def __init__(self, extractor, *, clusters=64, **settings):
        super().__init__(extractor, **settings)
        self.clusters = clusters

    def _learn(self, images: Images) -> Tensors:
        learned = super()._learn(images)
        super()._take(learned)
        rows = sample(self.features(images), self.seed)  # (P, C)
        centres, which = clustered(self._scaled_rows(rows), self.clusters, self.seed)
        error = self._residuals(rows).square().mean(dim=1)  # (P,)
        total = torch.zeros(len(centres)).index_add_(0, which, error)
        usual = total / torch.bincount(which, minlength=len(centres)).clamp(min=1)  # (K,)
        return learned | {"centres": centres, "usual": usual.clamp(min=1e-6)}

    def _take(self, learned: Tensors) -> None:
        super()._take(learned)
        self.centres_, self.usual_ = learned["centres"], learned["usual"]  # (K, C), (K,)

    def _judged(self, rows: torch.Tensor) -> torch.Tensor:
        which = torch.cdist(self._scaled_rows(rows), self.centres_).argmin(dim=1)  # (P,)
        return self._residuals(rows).square().mean(dim=1) / self.usual_[which]


class BalancedDetector(Combined):
    """FeatCAE, trained on patches of every cluster equally often, drawn from `SAMPLE` of them.

    Parameters
    ----------
    extractor : FeatureExtractor
    clusters : int
    **settings
        See `Combined`.
    """

    def __init__(self, extractor, *, clusters=64, **settings):
        super().__init__(extractor, **settings)
        self.clusters = clusters

    def _learn(self, images: Images) -> Tensors:
        features = self.features(images)  # (N, H, W, C)
        self.mean_, self.std_ = channel_moments(features)  # (C,) each
        rows = (sample(features, self.seed) - self.mean_) / self.std_  # (P, C)
        _, which = clustered(rows, self.clusters, self.seed)
        share = (1 / torch.bincount(which).double())[which].numpy()  # (P,)
        share /= share.sum()
        steps = max(1, int(np.prod(features.shape[:3])) // self.batch_size)

        def of_epoch(order: np.random.Generator) -> Iterator[torch.Tensor]:
            for _ in range(steps):
                chosen = order.choice(len(rows), self.batch_size, p=share)
                yield rows[chosen].T[None, :, None]  # (1, C, 1, n)

        batches = Batches(steps, of_epoch)
        trained = fit_reconstruction(self._model, batches, seed=self.seed, **self.training)
        return trained | {"mean": self.mean_, "std": self.std_}


class ClusteredDetector(FeatureDetector):
    """Mahalanobis distance of each patch to the cluster it falls into.

    With one cluster, a single Gaussian for all normal patches, as deep feature
    modelling has it (Ahuja et al., 2019), there on pooled features.

    Parameters
    ----------
    extractor : FeatureExtractor
    clusters : int
    **settings
        See `Detector`.
    """

    def __init__(self, extractor, *, clusters=64, **settings):
        super().__init__(extractor, **settings)
        self.clusters = clusters

    def _learn(self, images: Images) -> Tensors:
        features = self.features(images)  # (N, H, W, C)
        mean, std = channel_moments(features)  # (C,) each
        rows = (sample(features, self.seed) - mean) / std  # (P, C)
        centres, which = clustered(rows, self.clusters, self.seed)
        errors = rows - centres[which]  # (P, C)
        shared = errors.T @ errors / len(errors)  # (C, C)
        whiteners = []
        for cluster in range(len(centres)):
            mine = errors[which == cluster]  # (p, C)
            moment = mine.T @ mine + SHARED * shared
            whiteners.append(whitener(moment / (len(mine) + SHARED)))
        learned = {"mean": mean, "std": std, "centres": centres}
        return learned | {"whiteners": torch.stack(whiteners)}

    def _take(self, learned: Tensors) -> None:
        self.mean_, self.std_ = learned["mean"], learned["std"]  # (C,) each
        self.centres_, self.whiteners_ = learned["centres"], learned["whiteners"]  # …, (K, C, C)

    def _maps(self, images: Images) -> Iterator[np.ndarray]:
        for block in blocks(self.features(images)):
            rows = (as_rows(block) - self.mean_) / self.std_  # (n*H*W, C)
            which = torch.cdist(rows, self.centres_).argmin(dim=1)  # (n*H*W,)
            found = torch.empty(len(rows))
            for cluster in which.unique().tolist():
                mine = which == cluster
                errors = (rows[mine] - self.centres_[cluster]) @ self.whiteners_[cluster]
                found[mine] = errors.square().mean(dim=1)
            yield found.view(block.shape[:3]).numpy()  # (n, H, W)


class UniformCandidates(CombinedPlus):
    """combined+, its candidates drawn without regard to how rare they are."""

    def _candidates(self, rarity: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return np.sort(random.choice(len(rarity), min(CANDIDATES, len(rarity)), replace=False))


class DrawnBank(CombinedPlus):
    """combined+, its bank drawn from the candidates in place of spread over them."""

    def _chosen(self, rows: torch.Tensor) -> np.ndarray:
        random = np.random.default_rng(self.seed)
        return random.choice(len(rows), min(self.bank, len(rows)), replace=False)


class RandomBank(UniformCandidates, DrawnBank):
    """combined+ with a bank of random patches."""
