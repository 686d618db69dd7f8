import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from anomalylib.errors import UserError
from study.tables import reference as tables

IMAGES = [f"test/good/{i}.png" for i in range(6)] + [f"test/bent/{i}.png" for i in range(8)]
LABELS = np.array([0] * 6 + [1] * 8)


@pytest.fixture
def made():
    """Scores and scores of normal images of two models with two seeds, and of one control."""
    random = np.random.default_rng(0)
    scores, nominal, runs = [], [], []
    models = [("combined", "resnet50"), ("autoencoder", ""), ("mean grey", "")]
    for variant in ("plain", "held-out"):
        for model, backbone in models:
            for seed in (0,) if model == "mean grey" else (0, 1):
                own = {"category": "bolt", "variant": variant, "model": model}
                own |= {"backbone": backbone, "seed": seed}
                value = random.normal(size=len(LABELS)) + LABELS
                columns = {"image": IMAGES, "label": LABELS, "defect_type": "bent"}
                columns |= dict.fromkeys(("score_top10", "score_mean", "score_max"), value)
                scores.append(pd.DataFrame(own | columns).sample(frac=1, random_state=seed))
                if model == "mean grey":
                    continue
                images = "held-out" if variant == "held-out" else "training"
                learned = {"images": images, "score": random.normal(size=30)}
                nominal.append(pd.DataFrame(own | learned))
                runs.append(
                    own | {"layers": "layer2", "image_size": 224, "pixel_auroc": 0.5 + seed}
                )
                runs[-1] |= {"aupro": 0.25}
    return pd.concat(scores), pd.concat(nominal), pd.DataFrame(runs)


def test_images_of_all_seeds_are_aligned(made):
    scores, _, _ = made
    labels, values = tables.scores_of(
        scores, category="bolt", model="combined", backbone="resnet50"
    )
    assert values.shape == (2, 14)
    assert labels.sum() == 8
    own = scores.query("variant == 'plain' and model == 'combined' and seed == 1")
    assert roc_auc_score(labels, values[1]) == roc_auc_score(own.label, own.score_top10)


def test_the_summary_says_what_the_scores_give(made):
    scores, nominal, runs = made
    summary = tables.summarise(scores, nominal, runs)
    row = summary.query("variant == 'plain' and model == 'combined'").iloc[0]
    own = scores.query("variant == 'plain' and model == 'combined'")
    found = [roc_auc_score(one.label, one.score_top10) for _, one in own.groupby("seed")]
    assert row.auroc_mean == pytest.approx(np.mean(found))
    assert row.auroc_sd == pytest.approx(abs(found[0] - found[1]) / math.sqrt(2))
    assert row.auroc_ci_low < row.auroc_mean < row.auroc_ci_high
    assert row.pixel_auroc_mean == 1.0
    assert (row.n_seeds, row.layers, row.image_size) == (2, "layer2", 224)


def test_a_control_has_neither_threshold_nor_spread(made):
    row = tables.summarise(*made).query("model == 'mean grey' and variant == 'plain'").iloc[0]
    assert row.n_seeds == 1
    assert np.isnan([row.auroc_sd, row.fpr, row.pixel_auroc_mean]).all()


def test_each_rule_decides_with_its_own_scores(made):
    scores, nominal, _ = made
    decided = tables.decisions(scores, nominal).query("model == 'combined'")
    assert decided.threshold_rule.tolist() == [rule.name for rule in tables.RULES]
    alarms, hits = [], []
    for seed in (0, 1):
        learned = nominal.query(f"variant == 'plain' and model == 'combined' and seed == {seed}")
        threshold = learned.score.mean() + 3 * learned.score.std(ddof=0)
        own = scores.query(f"variant == 'plain' and model == 'combined' and seed == {seed}")
        called = own.score_top10 > threshold
        alarms.append((called & (own.label == 0)).sum())
        hits.append((called & (own.label == 1)).sum())
    row = decided.iloc[0]
    assert (row.false_alarms, row.hits) == (np.mean(alarms), np.mean(hits))
    worse = math.ceil(np.mean(alarms))
    assert row.fpr_ci_high == pytest.approx(stats.beta.ppf(0.95, worse + 1, 6 - worse))
    worse = math.floor(np.mean(hits))
    low = stats.beta.ppf(0.05, worse, 8 - worse + 1) if worse else 0
    assert row.recall_ci_low == pytest.approx(low)


def test_what_is_not_there_is_named(tmp_path, made):
    with pytest.raises(UserError, match=r"scores\.csv: `make reference`"):
        tables.read_table("scores", tmp_path)
    with pytest.raises(UserError, match="model=sonar"):
        tables.scores_of(made[0], model="sonar")
