"""Differences between settings, against SciPy's tests."""

import numpy as np
import pytest
from scipy import stats

from support.handmade import leave
from vaesweep.records.per_image_scores import FILE
from vaesweep.report.metric_differences import Differences, SettingScores, image_terms, seed_terms, t_quantile
from vaesweep.report.run_collection import read
from vaesweep.report.run_tables import summary, table


@pytest.fixture
def draw():
    """Random numbers, the same in whatever order the tests run."""
    return np.random.default_rng(0)


def differences(folder):
    runs = read([folder]).runs
    return Differences(table(runs), runs)


def leave_seeds(folder, beta, values, images=None):
    """A run a seed; `images` [n, N] are the scores of its test images."""
    for seed, value in enumerate(values):
        scores = {} if images is None else {"images": {"mse": images[seed].astype("float32")}}
        leave(folder / f"{beta}_{seed}", seed=seed, beta=beta, metrics={"mse": float(value)}, **scores)


def test_over_seeds_it_is_that_of_welch(tmp_path, draw):
    a, b = draw.normal(1.0, 0.1, 5), draw.normal(1.1, 0.3, 3)
    leave_seeds(tmp_path, 1, a)
    leave_seeds(tmp_path, 2, b)
    found = differences(tmp_path).difference("beta_vae beta=1", "beta_vae beta=2", "mse")
    low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert found.mean == pytest.approx(a.mean() - b.mean())
    assert found.margin == pytest.approx((high - low) / 2)


def test_of_one_seed_each_it_is_paired_over_the_images(tmp_path, draw):
    common = draw.normal(0, 1, 200)  # some images are hard for both
    images = [common + draw.normal(mean, 0.05, 200) for mean in (1.0, 1.02)]
    for beta, scores in zip((1, 2), images, strict=True):
        leave_seeds(tmp_path, beta, [scores.mean()], scores[None])
    found = differences(tmp_path).difference("beta_vae beta=1", "beta_vae beta=2", "mse")
    low, high = stats.ttest_rel(*images).confidence_interval(0.95)
    assert found.margin == pytest.approx((high - low) / 2, rel=1e-4)
    assert found.is_clear
    assert stats.ttest_ind(*images).pvalue > 0.5  # not seen without the pairs


def test_on_other_images_it_is_not_paired(tmp_path, draw):
    images = [draw.normal(0, 1, count) for count in (200, 150)]
    for beta, scores in zip((1, 2), images, strict=True):
        leave_seeds(tmp_path, beta, [scores.mean()], scores[None])
    found = differences(tmp_path).difference("beta_vae beta=1", "beta_vae beta=2", "mse")
    errors = [stats.sem(scores) for scores in images]
    assert found.margin == pytest.approx(1.96 * np.hypot(*errors), rel=1e-3)


def test_errors_over_seeds_and_images_add_up(tmp_path, draw):
    """Simulated: over repeats of training and of the test split, 95 % of the intervals hold the true difference."""
    hits = 0
    for _ in range(400):
        scores = [draw.normal(0, 0.1, (3, 1)) + draw.normal(0, 1, (1, 50)) for _ in range(2)]
        hits += abs(interval(*scores)[0]) <= interval(*scores)[1]
    assert 0.93 < hits / 400 <= 1.0  # the spread over seeds is counted on top of that over images


def interval(a, b):
    """The difference of two arrays [seeds, images], with the half width of its interval."""
    settings = [SettingScores(x.mean(1), x.mean(0), {"0"}, np.nan) for x in (a, b)]
    terms = [*seed_terms(a.mean(1), b.mean(1)), *image_terms(*settings)]
    return a.mean() - b.mean(), t_quantile(terms) * sum(v for v, _ in terms) ** 0.5


def test_a_setting_with_one_seed_is_given_the_spread_of_the_other(tmp_path, draw):
    a = draw.normal(1.0, 0.1, 4)
    leave_seeds(tmp_path, 1, a)
    leave_seeds(tmp_path, 2, [1.0])
    found = differences(tmp_path).difference("beta_vae beta=1", "beta_vae beta=2", "mse")
    assert found.error == pytest.approx(a.std(ddof=1) * np.sqrt(1 + 1 / 4))


def test_without_any_error_nothing_is_clear(tmp_path):
    leave_seeds(tmp_path, 1, [1.0])
    leave_seeds(tmp_path, 2, [2.0])
    found = differences(tmp_path).difference("beta_vae beta=1", "beta_vae beta=2", "mse")
    assert np.isnan(found.error)
    assert not found.is_clear


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive"], ids=["empty", "cut", "text"])
def test_damaged_scores_of_images_are_left_out(tmp_path, content):
    leave(tmp_path / "a", metrics={"mse": 1.0}, images={"mse": [1.0, 2.0]})
    (tmp_path / "a" / FILE).write_bytes(content)
    collection = read([tmp_path])
    assert collection.warnings == [
        f"a: {FILE} is cut short or no archive of arrays; the run is compared without its scores of single images"
    ]
    assert collection.runs[0].image_scores == {}


def test_pickled_scores_are_not_run(tmp_path):
    leave(tmp_path / "a", metrics={"mse": 1.0})
    with (tmp_path / "a" / FILE).open("wb") as file:
        np.savez(file, mse=np.array([object()], dtype=object))
    assert len(read([tmp_path]).warnings) == 1


def test_one_seed_shows_the_error_over_images_and_several_that_over_seeds(tmp_path):
    leave_seeds(tmp_path, 1, [2.0], np.array([[1.0, 2.0, 3.0]]))
    leave_seeds(tmp_path, 2, [2.0, 3.0], np.array([[1.0, 2.0, 3.0]] * 2))
    means = summary(table(read([tmp_path]).runs)).set_index("setting")
    assert means.mse_se["beta_vae beta=1"] == pytest.approx(stats.sem([1, 2, 3]))
    assert means.mse_se["beta_vae beta=2"] == pytest.approx(stats.sem([2, 3]))
