"""The first sentence of the report, from means that are written by hand."""

import numpy as np
import pandas as pd
import pytest

from vaesweep.report.answer import answer, command


def means(*rows, **same):
    """Settings of (beta, rate, distortion), with an error of 0.1 nats over four seeds."""
    frame = pd.DataFrame(rows, columns=["beta", "rate", "distortion"]).assign(nelbo=lambda f: f.rate + f.distortion)
    frame = frame.assign(series="m", setting=[f"m beta={beta:g}" for beta in frame.beta], nelbo_sd=0.2, n=4, mse=0.02)
    return frame.assign(**{"data": "d", "scored": "", "likelihood": "l", "conditional": False, "wide": False} | same)


def test_the_price_and_the_cheapest_setting_are_said():
    assert answer(means((1, 20, 100), (4, 10, 125), (0.5, 30, 94))) == (
        "From beta 4 to 1, 10.0 nats of KL buy 25.0 nats of reconstruction; from beta 1 to 0.5, 10.0 more buy only "
        "6.0; the cheapest description is at beta 1, 120.0 ± 0.1 nats (standard error over 4 seeds)."
    )


@pytest.mark.parametrize(("gap", "equal"), [(0.14, True), (0.15, False)])
def test_a_difference_within_the_combined_error_is_none(gap, equal):
    text = answer(means((1, 20, 100), (0.5, 30, 90 + gap), (4, 10, 125)))
    assert ("beta 1 and 0.5 are equally cheap within their error" in text) == equal
    assert ("cheapest" in text) != equal


def test_one_seed_has_no_error():
    text = answer(means((1, 20, 100), (4, 10, 125), n=1, nelbo_sd=np.nan))
    assert "(one seed: no error bar)" in text
    assert "cheapest" not in text


def test_conditional_models_are_not_ranked_against_others():
    other = means((1, 5, 5), series="c", setting="c", conditional=True)
    text = answer(pd.concat([means((1, 20, 100), (4, 10, 125)), other], ignore_index=True))
    assert "cheapest description is at beta 1, 120.0" in text


def test_without_a_ladder_it_says_what_there_is():
    assert answer(means((1, 20, 100))).startswith("No ladder of weights: m beta=1 takes 120.0 nats")
    assert answer(means((np.nan, np.nan, 100))).startswith("No model here has a rate")


def test_the_command_is_collapsed():
    product = [[f"beta={b}", f"seed={s}", "data=d"] for b in ("0.5", "10", "2") for s in (0, 1)]
    assert command(product) == "python src/train.py -m beta=0.5,2,10 seed=0,1 data=d"
    assert command(product[:-1]) == "python src/train.py data=d ... (what all runs share)"
