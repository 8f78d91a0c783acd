"""The first sentences of the report, from records that are written by hand."""

import json
import math

import pandas as pd
import pytest

from support.handmade import leave, rates
from vaesweep.records.results import FILE
from vaesweep.report.conclusions import curve_conclusions, headline
from vaesweep.report.metric_differences import Differences
from vaesweep.report.run_collection import read
from vaesweep.report.run_tables import summary, table
from vaesweep.report.training_command import command

STEPS = {1: (0.0,), 4: (-0.2, -0.1, 0.1, 0.2)}
"""What the seeds of a setting add to its distortion, by their number."""


def leave_setting(folder, beta, rate, distortion, seeds=4, images=None, **same):
    """The runs of a setting: their standard error is 0.09 nats with four seeds."""
    for seed, step in enumerate(STEPS[seeds]):
        scores = {"images": images} if images else {}
        metrics = rates(rate, distortion + step)
        leave(folder / f"{same}{beta}_{seed}", seed=seed, beta=beta, metrics=metrics, **scores, **same)


def sentence(folder):
    runs = read([folder]).runs
    frame = table(runs)
    return headline(summary(frame), Differences(frame, runs))


@pytest.mark.slow
def test_the_price_and_the_cheapest_setting_are_said(tmp_path):
    for beta, rate, distortion in ((1, 20, 100), (4, 10, 125), (0.5, 30, 94)):
        leave_setting(tmp_path, beta, rate, distortion)
    assert sentence(tmp_path) == (
        "From beta 4 to 1, 10.0 nats of KL buy 25.0 nats of reconstruction; from beta 1 to 0.5, 10.0 more buy only "
        "6.0 nats; the cheapest description, by the nelbo of test images, is at beta 1: 120.0 ± 0.1 nats (standard "
        "error over 4 seeds)."
    )


def test_the_sentence_says_which_images_chose_the_cheapest(tmp_path):
    """The validation images prefer beta 4, the test images beta 1."""
    for beta, validation in ((1, 119.0), (4, 118.0)):
        for seed, step in enumerate(STEPS[4]):
            metrics = rates(20 / beta, 120.0 - 20 / beta + step + 0.01 * beta)
            leave(tmp_path / f"{beta}_{seed}", seed=seed, beta=beta, metrics=metrics, val={"nelbo": validation})
    text = sentence(tmp_path)
    assert "by the nelbo of validation images, is at beta 4: 120.0 ± 0.1 nats on test images" in text
    assert "beta 1 is not clearly above it" in text


@pytest.mark.parametrize(("gap", "equal"), [(0.31, True), (0.32, False)])
def test_a_difference_within_its_interval_is_none(tmp_path, gap, equal):
    """A standard error of 0.129 with six degrees of freedom: t = 2.447, a margin of 0.316 nats."""
    for beta, rate, distortion in ((1, 20, 100), (0.5, 30, 90 + gap), (4, 10, 125)):
        leave_setting(tmp_path, beta, rate, distortion)
    text = sentence(tmp_path)
    assert "is at beta 1: 120.0 ± 0.1 nats" in text
    assert ("beta 0.5 is not clearly above it" in text) == equal
    assert ("clearly" in text) == equal


def test_what_is_bought_within_its_error_is_not_called_bought(tmp_path):
    for beta, rate, distortion in ((1, 20, 100), (4, 19.9, 100.05)):
        leave_setting(tmp_path, beta, rate, distortion)
    text = sentence(tmp_path)
    assert text.startswith("From beta 4 to 1, KL changes by +0.1")
    assert "distortion by -0.1 ± 0.1, not clear of their errors" in text
    assert "buy" not in text


def test_a_lowest_total_at_the_end_of_the_ladder_is_said(tmp_path):
    for beta, rate, distortion in ((2, 10, 110), (4, 8, 115), (8, 5, 125)):
        leave_setting(tmp_path, beta, rate, distortion)
    assert sentence(tmp_path).endswith("Beta 2 is the smallest here: one beyond it may be cheaper.")


def test_one_seed_has_the_error_over_its_images(tmp_path):
    for beta, rate, distortion in ((1, 20, 100), (4, 10, 125)):
        scores = {"kl": [rate - 1.0, rate, rate + 1.0], "distortion": [distortion - 1.0, distortion, distortion + 1.0]}
        scores["nelbo"] = [a + b for a, b in zip(scores["kl"], scores["distortion"], strict=True)]
        leave_setting(tmp_path, beta, rate, distortion, seeds=1, images=scores)
    text = sentence(tmp_path)
    assert (
        "by the nelbo of test images, is at beta 1: 120.0 ± 1.2 nats (standard error over the test images, one" in text
    )


def test_without_an_error_nothing_is_called_lowest(tmp_path):
    for beta, rate, distortion in ((1, 20, 100), (4, 10, 125)):
        leave_setting(tmp_path, beta, rate, distortion, seeds=1)
    text = sentence(tmp_path)
    assert "the lowest nelbo is at beta 1, 120.0 nats (not every setting has an error)" in text
    assert "cheapest" not in text


def test_conditional_models_are_not_ranked_against_others(tmp_path):
    for beta, rate, distortion in ((1, 20, 100), (4, 10, 125)):
        leave_setting(tmp_path, beta, rate, distortion)
    leave_setting(tmp_path, 1, 5, 5, model="cvae")
    for path in tmp_path.glob(f"*cvae*/{FILE}"):
        kept = json.loads(path.read_text())
        kept["declaration"]["conditional"] = True
        path.write_text(json.dumps(kept))
    text = sentence(tmp_path)
    assert "the cheapest description, by the nelbo of test images, is at beta 1: 120.0" in text
    assert text.endswith(" 1 more setting does not compare with these.")


def test_groups_that_do_not_compare_have_a_sentence_each(tmp_path):
    for data in ("digits", "mnist"):
        for width in (2, 3):
            leave_setting(tmp_path, 1, width, 100, data=data, latent_dim=width)
    leave_setting(tmp_path, 1, 5, 5, data="shapes")
    text = sentence(tmp_path)
    assert text.count("The cheapest description, by the nelbo of test images, is at") == 2
    assert text.endswith(" These 2 groups of settings do not compare with each other, and 1 more with none of them.")


def test_without_a_ladder_it_says_what_there_is(tmp_path):
    leave_setting(tmp_path / "vae", 1, 20, 100)
    leave(tmp_path / "ae" / "one", "ae", metrics={"distortion": 100.0, "mse": 0.5})
    assert sentence(tmp_path / "vae").startswith("beta_vae takes 120.0 nats")
    assert sentence(tmp_path / "ae").startswith("No model here has a rate; reconstruction error: ae, 0.5000 per pixel")


def curve_rows(*gains):
    """Curves from beta 10 to 0.1 that buy these nats of reconstruction for 20 nats of KL, a run each."""
    return pd.DataFrame(
        {"series": "multi_rate", "place": place, "beta": beta, "rate": rate, "distortion": distortion, "error": 0.3}
        for place, gain in enumerate(gains)
        for beta, rate, distortion in ((0.1, 25.0, 80.0), (1.0, 15.0, 90.0), (10.0, 5.0, 80.0 + gain))
    )


def test_a_curve_is_told_by_its_ends():
    (text,) = curve_conclusions(curve_rows(60.0))
    assert text == (
        "One training of multi_rate covers the betas from 10 to 0.1, where 20.0 nats of KL buy 60.0 ± 0.4 nats of "
        "reconstruction (standard error over the test images, at most; one seed)."
    )
    (text,) = curve_conclusions(curve_rows(58.0, 62.0))
    assert "buy 60.0 ± 2.0 nats of reconstruction (standard error over 2 seeds)" in text
    (text,) = curve_conclusions(curve_rows(60.0).assign(error=math.nan))
    assert text.endswith("buy 60.0 nats of reconstruction.")


def test_a_range_of_betas_is_that_of_every_curve():
    shared, other = curve_rows(58.0, 62.0), curve_rows(58.0, 62.0)
    shared.loc[5, "beta"] = 10.0 * (1 + 1e-9)
    other.loc[5, "beta"] = 8.0
    assert len(curve_conclusions(shared)) == 1
    assert curve_conclusions(other) == []


def test_a_curve_that_buys_nothing_is_not_told():
    assert curve_conclusions(curve_rows(-1.0)) == []
    assert curve_conclusions(pd.DataFrame()) == []


def test_a_model_for_a_range_of_betas_is_at_one_of_them(tmp_path):
    leave(tmp_path / "a", "multi_rate", beta=2, metrics=rates(20, 100))
    assert sentence(tmp_path) == "multi_rate at beta 2 takes 120.0 nats an image, 20.0 of them KL."


def test_the_command_is_collapsed():
    product = [[f"beta={b}", f"seed={s}", "data=d"] for b in ("0.5", "10", "2") for s in (0, 1)]
    assert command(product) == "python src/train.py -m beta=0.5,2,10 seed=0,1 data=d"
    assert command(product[:-1]) == "python src/train.py data=d ... (what all runs share)"
