"""Reading, tables and diagnostics, from records that are written by hand."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from support.handmade import leave, rates
from vaesweep.records.per_image_scores import write_image_scores
from vaesweep.records.results import FILE
from vaesweep.report.conclusions import headline
from vaesweep.report.diagnostics import diagnostics
from vaesweep.report.lowest_within_error import best
from vaesweep.report.metric_differences import Differences
from vaesweep.report.pareto_front import pareto
from vaesweep.report.rate_distortion_slopes import slopes
from vaesweep.report.run_collection import read
from vaesweep.report.run_tables import summary, table


@pytest.fixture
def ladder(tmp_path):
    """Two seeds on the curve D = A exp(-R / t), where -dD/dR = beta at R = t log(A / (t beta)); see `slopes`."""
    study, a, t = tmp_path / "2026-01-02_03-04-05-000000_ladder", 100.0, 10.0
    for seed in (0, 1):
        for beta in (0.5, 1, 4):
            rate = t * math.log(a / (t * beta)) + seed
            leave(study / f"beta{beta}_{seed}", seed=seed, beta=beta, metrics=rates(rate, t * beta - seed))
    return study


def test_runs_are_read_with_what_was_varied(ladder):
    collection = read([ladder])
    frame = table(collection.runs)
    assert collection.warnings == []
    assert list(frame.setting.unique()) == ["beta_vae beta=0.5", "beta_vae beta=1", "beta_vae beta=4"]
    assert set(frame.series) == {"beta_vae"}
    assert list(frame.seed) == [0, 1] * 3
    assert set(frame.study) == {"ladder"}
    assert frame.nelbo.tolist() == pytest.approx((frame.rate + frame.distortion).tolist())


def test_means_and_standard_errors_are_those_of_the_seeds(ladder):
    frame = table(read([ladder]).runs)
    means = summary(frame).set_index("setting")
    for setting, part in frame.groupby("setting"):
        assert means.rate[setting] == pytest.approx(np.mean(part.rate))
        assert means.rate_se[setting] == pytest.approx(np.std(part.rate, ddof=1) / 2**0.5)
        assert means.n[setting] == 2


def test_slopes_are_those_of_the_curve(ladder):
    """On that curve the chord between two betas is their logarithmic mean, whatever A and t are."""
    runs = read([ladder]).runs
    found = slopes(table(runs), runs)
    assert found.n.tolist() == [2, 2]
    expected = [(1 - 0.5) / math.log(1 / 0.5), (4 - 1) / math.log(4)]
    assert found.slope.tolist() == pytest.approx(expected)
    assert ((found.low < found.slope) & (found.slope < found.high)).all()


@pytest.mark.parametrize(
    "other",
    [{"free_bits": 0.5}, {"schedule": {"_target_": "vaesweep.models.schedules.Capacity", "C": 5.0}}],
    ids=["free bits", "capacity"],
)
def test_slopes_of_another_objective_are_left_out(tmp_path, other):
    for beta in (1, 2):
        leave(tmp_path / f"{beta}", beta=beta, **other, metrics=rates(10.0 / beta, 10.0 * beta))
    runs = read([tmp_path]).runs
    assert slopes(table(runs), runs).empty


def test_slopes_are_taken_between_runs_on_the_same_draw_of_the_data(tmp_path):
    for draw in (0, 1, 2):
        for beta, kl in ((1, 10.0), (2, 5.0)):
            folder = tmp_path / f"{draw}{beta}"
            leave(folder, beta=beta, metrics=rates(kl + draw, 20 - 2 * (kl + draw) + 7 * draw))
            kept = json.loads((folder / FILE).read_text())
            kept["config"]["data"]["seed"] = draw
            (folder / FILE).write_text(json.dumps(kept | {"config_hash": folder.name}))
    runs = read([tmp_path]).runs
    found = slopes(table(runs), runs)
    assert found[["slope", "n"]].to_numpy().tolist() == [[pytest.approx(2.0), 3]]


def test_the_pareto_front_is_what_no_other_beats():
    draw = np.random.default_rng(0)
    means = pd.DataFrame({"rate": draw.random(60), "distortion": draw.random(60)})
    means.loc[60] = [np.nan, 0.0]  # without a rate
    means = means.assign(data="digits", scored="", likelihood="Bernoulli", conditional=False, wide=False)
    beaten = {
        i
        for i, mine in means.iterrows()
        if np.isnan(mine.rate)
        or ((means.rate <= mine.rate) & (means.distortion <= mine.distortion) & (means.index != i)).any()
    }
    assert set(pareto(means).index) == set(means.index) - beaten
    other = means.assign(data="mnist", distortion=means.distortion + 100).set_index(means.index + 100)
    given = means.assign(conditional=True, distortion=means.distortion - 9).set_index(means.index + 200)
    assert len(pareto(pd.concat([means, given]))) == 2 * len(pareto(means))
    assert set(pareto(pd.concat([means, other])).index) == {i + k for i in set(means.index) - beaten for k in (0, 100)}


def test_a_setting_that_compares_with_no_other_is_on_no_front():
    means = pd.DataFrame({"rate": [3.0, 2.0, 1.0], "distortion": [9.0, 10.0, 1.0], "conditional": [False, False, True]})
    means = means.assign(data="digits", scored="", likelihood="Bernoulli", wide=False)
    assert list(pareto(means).index) == [1, 0]


def marked(folder, metric="mse"):
    """The settings of the runs in a folder that are marked as best."""
    runs = read([folder]).runs
    frame = table(runs)
    means = summary(frame)
    return means.setting[best(means, metric, Differences(frame, runs))].tolist()


def test_what_cannot_be_told_from_the_lowest_is_marked_with_it(tmp_path):
    """Standard errors 0.1 and 0.1 over three seeds: the difference has 0.14 and four degrees of freedom, t = 2.78."""
    for beta, mean in ((1, 1.0), (2, 1.39), (4, 1.40)):
        for seed, step in enumerate((-0.1732, 0, 0.1732)):
            leave(tmp_path / f"{beta}{seed}", seed=seed, beta=beta, metrics={"mse": mean + step})
    assert marked(tmp_path) == ["beta_vae beta=1", "beta_vae beta=2"]


def test_the_best_is_chosen_on_validation(tmp_path):
    for beta, test, val in ((1, 1.0, 3.0), (2, 1.5, 2.0), (4, 1.9, 3.0)):
        for seed, step in enumerate((-0.05, 0.05)):
            leave(tmp_path / f"{beta}{seed}", seed=seed, beta=beta, metrics={"mse": test + step}, val={"mse": val})
    # beta 1 is the lowest on the test images, where beta 2 is clearly worse; yet beta 2 is chosen
    assert marked(tmp_path) == ["beta_vae beta=1", "beta_vae beta=2"]
    frame = table(read([tmp_path]).runs)
    assert sorted(frame["val/mse"]) == [2.0, 2.0, 3.0, 3.0, 3.0, 3.0]
    assert sorted(summary(frame)["val/mse"]) == [2.0, 3.0, 3.0]


def test_one_seed_is_ranked_by_its_images_and_without_them_not_at_all(tmp_path):
    for beta, mean in ((1, 1.0), (2, 1.01), (4, 1.2)):
        images = {"mse": [mean + 0.1 * (beta * i % 3 - 1) for i in range(30)]}
        leave(tmp_path / "with" / f"{beta}", beta=beta, metrics={"mse": mean}, images=images)
        leave(tmp_path / "without" / f"{beta}", beta=beta, metrics={"mse": mean})
    assert marked(tmp_path / "with") == ["beta_vae beta=1", "beta_vae beta=2"]
    assert marked(tmp_path / "without") == []


@pytest.mark.slow
def test_only_settings_that_compare_are_marked(tmp_path):
    for seed in (0, 1):
        for model, mse, width in (("vae", 3, 4), ("ae", 2, 4), ("cvae", 1, 4), ("sparse", 0.5, 64)):
            leave(tmp_path / f"{model}{seed}", model, seed, latent_dim=width, metrics={"mse": mse + seed / 100})
            path = tmp_path / f"{model}{seed}" / FILE
            record = json.loads(path.read_text())
            record["declaration"] |= {"conditional": model == "cvae", "sparse": model == "sparse"}
            path.write_text(json.dumps(record))
    leave(tmp_path / "failed", "sparse", 2, "failed", "no model", latent_dim=64)
    path = tmp_path / "failed" / FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"declaration": {}}))
    assert marked(tmp_path) == ["ae"]
    means = summary(table(read([tmp_path]).runs))
    assert means.setting[means.wide].tolist() == ["sparse"]
    narrow = summary(table([run for run in read([tmp_path]).runs if run.results.model == "sparse"]))
    assert not narrow.wide.any()  # wider than no other model's code


DIFFERENCES = {
    "grey and binarised": ({"data": {"binarize": "none"}}, {"data": {"binarize": "dynamic"}}),
    "all classes and all but one": ({"data": {"exclude_label": None}}, {"data": {"exclude_label": 3}}),
    "Bernoulli and Gaussian": (
        {"model": {"likelihood": {"_target_": "vaesweep.models.distributions.Bernoulli"}}},
        {"model": {"likelihood": {"_target_": "vaesweep.models.distributions.Gaussian", "sigma": 0.2}}},
    ),
    "with and without the label": ({"conditional": False}, {"conditional": True}),
}


@pytest.mark.slow
@pytest.mark.parametrize("sides", DIFFERENCES.values(), ids=DIFFERENCES)
def test_nothing_is_marked_across_what_does_not_compare(tmp_path, sides):
    """Two ladders on the curve D = 10 / R, one of which is lower everywhere, by what it scores and not by its merit."""
    for side, changes in enumerate(sides):
        for beta, rate in ((1, 4.0), (2, 2.0)):
            for seed in (0, 1):
                folder = tmp_path / f"{side}{beta}{seed}"
                leave(folder, seed=seed, beta=beta, metrics=rates(rate / (side + 1), 10 / rate + seed / 100 - 5 * side))
                record = json.loads((folder / FILE).read_text())
                for part in ("data", "model"):
                    record["config"][part] |= changes.get(part, {})
                record["declaration"]["conditional"] = changes.get("conditional", False)
                record["model"] = "cvae" if changes.get("conditional") else "beta_vae"
                (folder / FILE).write_text(json.dumps(record | {"config_hash": folder.name}))
    runs = read([tmp_path]).runs
    frame = table(runs)
    means = summary(frame)
    of_side = {row.setting: int(frame.run[frame.setting == row.setting].iloc[0][0]) for row in means.itertuples()}
    assert len(of_side) == 4
    assert len(pareto(means)) == 4  # each ladder has its own front
    marked_sides = means.setting[best(means, "nelbo", Differences(frame, runs))].map(of_side)
    assert set(marked_sides) == {0, 1}  # and its own lowest
    found = slopes(frame, runs)
    assert len(found) == 2  # no slope from one ladder to the other
    told = headline(means, Differences(frame, runs))
    assert told.count("from beta") + told.count("From beta") == 1


def test_knobs_are_named_by_their_last_part_unless_that_is_taken(tmp_path):
    for i, dims in enumerate((2, 4)):
        for j, level in enumerate((0.1, 0.2)):
            knobs = {"latent_dim": dims, "likelihood": {"_target_": f"a.L{i}"}, "extra": {"seed": 1}, "seconds": level}
            leave(tmp_path / f"{i}{j}", "denoising", **knobs, metrics={"mse": 0.1})
    frame = table(read([tmp_path]).runs)
    assert frame.series.iloc[0] == "denoising latent_dim=2 likelihood=L0 model.seconds=0.1"
    assert frame["model.seconds"].tolist() == [0.1, 0.2, 0.1, 0.2]
    assert frame.latent_dim.tolist() == [2, 2, 4, 4]


def test_the_constants_of_a_member_are_not_what_was_varied(tmp_path):
    leave(tmp_path / "a", "vae", beta=1.0, metrics=rates(3, 9))
    leave(tmp_path / "b", "beta_vae", beta=2.0, metrics=rates(2, 11))
    leave(tmp_path / "c", "sparse", beta=3.0, metrics={"mse": 0.1, "sparsity": 2.0})
    frame = table(read([tmp_path]).runs)
    assert set(frame.setting) == {"vae", "beta_vae", "sparse"}
    assert frame[frame.model == "sparse"].beta.isna().all()


def test_runs_on_other_data_are_another_series(tmp_path):
    for data in ("digits", "mnist"):
        for beta in (1, 2):
            leave(tmp_path / f"{data}{beta}", "vae", data=data, beta=beta, metrics=rates(9.0 / beta, 9.0 * beta))
    frame = table(read([tmp_path]).runs)
    assert set(frame.series) == {"vae digits", "vae mnist"}
    assert set(frame.setting) == {f"vae {data} beta={beta}" for data in ("digits", "mnist") for beta in (1, 2)}


def test_a_damaged_file_costs_no_more_than_itself(tmp_path):
    for name in ("a", "b", "c"):
        leave(tmp_path / name, beta=1, seed=ord(name), metrics=rates(5, 5))
    (tmp_path / "a" / "history.csv").write_text("")
    (tmp_path / "b" / "history.csv").write_text("epoch,train/loss\n")
    (tmp_path / "c" / FILE).unlink()
    (tmp_path / "c" / FILE).mkdir()
    collection = read([tmp_path])
    assert [run.folder.name for run in collection.runs] == ["a", "b"]
    assert collection.warnings == [
        "a: history.csv is no table (No columns to parse from file); the run is shown without its curves",
        "b: history.csv has no rows; the run is shown without its curves",
        f"c: {FILE} is no file",
    ]
    assert table(collection.runs).overfit_gap.isna().all()


def test_a_part_that_only_some_runs_have_makes_another_setting(tmp_path):
    stop = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "patience": 3}
    leave(tmp_path / "without", "vae", metrics=rates(5, 5))
    leave(tmp_path / "with", "vae", stop=stop, metrics=rates(5, 6))
    frame = table(read([tmp_path]).runs)
    assert set(frame.setting) == {"vae", "vae stop=EarlyStopping"}


def test_settings_of_a_class_are_none_where_the_class_is_another(tmp_path):
    for sigma in (0.1, 0.2):
        leave(tmp_path / f"{sigma}", "vae", noise={"_target_": "Gaussian", "sigma": sigma, "learned": False})
    leave(tmp_path / "other", "vae", noise={"_target_": "Bernoulli"})
    frame = table(read([tmp_path]).runs)
    assert set(frame.setting) == {"vae noise=Gaussian sigma=0.1", "vae noise=Gaussian sigma=0.2", "vae noise=Bernoulli"}


@pytest.mark.slow
def test_two_studies_are_told_apart(ladder, tmp_path):
    other = tmp_path / "other"
    leave(other / "x", beta=1, metrics=rates(5, 5))
    frame = table(read([ladder, other]).runs)
    assert set(frame.study) == {"ladder", "other"}
    assert "other: beta_vae beta=1" in set(frame.setting)
    again = tmp_path / "2027-01-02_03-04-05-000000_ladder"
    leave(again / "x", beta=1, metrics=rates(5, 5))
    assert set(table(read([ladder, again, other]).runs).study) == {"ladder 1", "ladder 2", "other"}


def test_what_to_beware_of_is_said_once_a_setting(tmp_path):
    for seed in (0, 1):
        leave(tmp_path / f"collapsed{seed}", beta=16, seed=seed, metrics=rates(0, 20, active=0))
    leave(tmp_path / "partly", beta=4, metrics=rates(3, 20, active=3))
    leave(tmp_path / "whole", beta=4, seed=1, metrics=rates(3, 20))
    images = {"nelbo": [15.0, 25.0, 35.0]}  # a standard deviation of 8.2 nats
    leave(tmp_path / "fine", beta=1, train={"nelbo": 23.5}, metrics=rates(5, 20), images=images)
    leave(tmp_path / "overfit", beta=0.5, train={"nelbo": 23.0}, metrics=rates(5, 20), images=images)
    leave(tmp_path / "failed", beta=2, status="failed", reason="killed by {SIGKILL}")
    leave(tmp_path / "dead", "sparse", metrics={"distortion": 1.0, "sparsity": 1.0, "active_units": 1})
    capacity = {"_target_": "vaesweep.models.schedules.Capacity", "C": 10.0}
    leave(tmp_path / "missed", "vae", beta=1.0, schedule=capacity, metrics=rates(5, 20))
    runs = read([tmp_path]).runs
    assert sorted(diagnostics(table(runs), runs)) == [
        "beta_vae beta=0.5: overfit: the nelbo of a test image is 2 nats above that of a training image; more than 1.6 "
        "(20% of its standard deviation over test images) counts as overfit",
        "beta_vae beta=16: posterior collapse: no latent dimension is used",
        "beta_vae beta=2: failed: killed by {SIGKILL}",
        "beta_vae beta=4, seed 0: 1 of 4 latent dimensions unused",
        "sparse: 3 of 4 units dead (their code hardly varies)",
        "vae beta=1: rate misses the 10 nats asked for by more than 10%",
    ]


def test_a_negative_slope_is_named(tmp_path):
    for beta, kl, distortion in ((0.5, 10, 20), (1, 8, 19), (2, 4, 27)):
        leave(tmp_path / f"{beta}", beta=beta, metrics=rates(kl, distortion))
    runs = read([tmp_path]).runs
    (line,) = diagnostics(table(runs), runs)
    assert line.startswith("beta_vae, beta 0.5 to 1: negative slope, -dD/dR = -0.5: rate and distortion rise or fall")


def test_data_of_another_class_are_other_data(tmp_path):
    for name, distortion in (("Digits", 20.0), ("MNIST5k", 200.0)):
        leave(tmp_path / name, beta=1, metrics=rates(5, distortion))
        edit = json.loads((tmp_path / name / FILE).read_text())
        edit["data"], edit["config"]["data"]["_target_"], edit["config_hash"] = name, f"vaesweep.data.{name}", name
        (tmp_path / name / FILE).write_text(json.dumps(edit))
    means = summary(table(read([tmp_path]).runs))
    assert means[["setting", "distortion"]].to_numpy().tolist() == [["beta_vae Digits", 20], ["beta_vae MNIST5k", 200]]


def test_a_weight_of_what_is_no_rate_is_sorted_by_size_and_has_a_column(tmp_path):
    for beta in (30.0, 3.0, 0.3):
        leave(tmp_path / f"{beta:g}_", "sparse", beta=beta, metrics={"distortion": beta, "sparsity": 1 / beta})
    frame = table(read([tmp_path]).runs)
    assert frame.setting.tolist() == ["sparse beta=0.3", "sparse beta=3", "sparse beta=30"]
    assert frame["model.beta"].tolist() == [0.3, 3, 30]
    assert frame.beta.isna().all()


def test_a_setting_that_is_called_like_a_metric_takes_no_column_of_it(tmp_path):
    leave(tmp_path / "a", beta=1, metrics=rates(5, 5))
    leave(tmp_path / "b", beta=1, seed=1, metrics=rates(5, 5))
    record = json.loads((tmp_path / "b" / FILE).read_text())
    record["config"]["rate"] = "odd"
    (tmp_path / "b" / FILE).write_text(json.dumps(record))
    assert table(read([tmp_path]).runs).rate.tolist() == [5, 5]


def test_a_ladder_has_one_column_for_its_weight(ladder):
    assert "model.beta" not in table(read([ladder]).runs)


def test_overfitting_is_that_of_the_epoch_whose_weights_were_tested(tmp_path):
    leave(tmp_path / "run", beta=1, metrics=rates(5, 26))
    edit = json.loads((tmp_path / "run" / FILE).read_text())
    edit["config"] |= {"test_checkpoint": "best", "callbacks": {"best": {"monitor": "val/loss"}}}
    (tmp_path / "run" / FILE).write_text(json.dumps(edit))
    curve = {"epoch": [1, 2, 3], "train/nelbo": [40.0, 30.0, 20.0], "val/loss": [35.0, 32.0, 50.0]}
    pd.DataFrame(curve).to_csv(tmp_path / "run" / "history.csv", index=False)
    assert table(read([tmp_path]).runs).overfit_gap.tolist() == [1.0]


def test_a_failure_without_a_reason_is_said(tmp_path):
    leave(tmp_path / "a", beta=1, status="failed", metrics=rates(5, 5))
    leave(tmp_path / "b", beta=2, status="failed", reason="no memory", metrics=rates(5, 5))
    runs = read([tmp_path]).runs
    assert diagnostics(table(runs), runs) == ["beta_vae beta=1: failed", "beta_vae beta=2: failed: no memory"]


def test_one_test_image_has_no_spread_to_overfit_beyond(tmp_path):
    leave(tmp_path / "a", beta=1, train={"nelbo": 20.0}, metrics=rates(5, 20))
    write_image_scores(tmp_path / "a", {"nelbo": torch.tensor([25.0])})
    runs = read([tmp_path]).runs
    assert not any("overfit" in line for line in diagnostics(table(runs), runs))
