"""Losses that still fall, and losses that do not, from curves that are drawn by hand."""

import numpy as np
import pandas as pd
import pytest

from vaesweep.report.convergence import further_gain
from vaesweep.report.diagnostics import diagnostics
from vaesweep.report.run_collection import read
from vaesweep.report.run_tables import table
from vaesweep.training.run_and_record import run

EPOCHS = 60
CONSTANT = np.full(EPOCHS, 1e-3)
ONECYCLE = 1e-3 * np.cos(np.linspace(0, np.pi / 2, EPOCHS)) ** 2


def history(lr, loss, noise=0.02, seed=0):
    loss = loss + noise * np.random.default_rng(seed).normal(size=len(loss))
    return pd.DataFrame({"epoch": np.arange(1, len(loss) + 1), "lr": lr, "val/loss": loss})


def decaying(lr, halvings):
    """A loss that halves its distance of 50 nats to its end so many times in training."""
    time = lr.cumsum() / lr.sum()
    return 100 + 50 * 0.5 ** (halvings * time)


def test_a_loss_that_still_falls_is_seen():
    """What is left is 50 / 2^4 = 3.1 nats, and the gain is at least that."""
    gain = further_gain(history(CONSTANT, decaying(CONSTANT, 4)))
    assert 50 / 2**4 * (1 - 2**-4) < gain < 50


def test_a_loss_that_still_falls_is_seen_beside_a_falling_rate():
    """Most of the progress falls with the rate, and is not told from it: a smaller gain is left."""
    assert 1 < further_gain(history(ONECYCLE, decaying(ONECYCLE, 1), noise=0.002)) < 50


@pytest.mark.parametrize("lr", [CONSTANT, ONECYCLE], ids=["constant", "one-cycle"])
@pytest.mark.parametrize("seed", range(20))
def test_a_loss_at_its_end_is_not_called_falling(lr, seed):
    assert further_gain(history(lr, decaying(lr, 60), seed=seed)) == 0


def test_a_loss_that_falls_with_the_learning_rate_is_at_its_end():
    """The noise of the steps falls with the rate: more epochs of the same schedule end at the same loss."""
    loss = 100 + 3 * ONECYCLE / ONECYCLE.max()
    assert loss[-1] < loss[-6] < loss[30] - 1  # it falls to the last epoch
    assert further_gain(history(ONECYCLE, loss)) == 0


def test_a_loss_that_rises_gains_nothing():
    assert further_gain(history(CONSTANT, 100 + np.linspace(0, 5, EPOCHS))) == 0


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_too_few_epochs_say_nothing(epochs):
    assert further_gain(history(CONSTANT[:epochs], decaying(CONSTANT, 4)[:epochs])) == 0


def test_without_learning_rates_or_validation_nothing_is_said():
    whole = history(CONSTANT, decaying(CONSTANT, 4))
    assert further_gain(whole.drop(columns="lr")) == 0
    assert further_gain(whole.drop(columns="val/loss")) == 0
    assert further_gain(whole.assign(lr=0.0)) == 0


@pytest.mark.slow
def test_linear_runs_short_of_their_optimum_are_named(config, tmp_path):
    """At the lower rate 30 epochs end 9 nats above the optimum, at the higher one 1 nat; all slopes look right."""
    linear = ["model=beta_vae", "model.beta=1", "network=linear", "model/likelihood=gaussian"]
    for lr in (0.005, 0.05):
        settings = [*linear, "model.likelihood.sigma=0.2", f"optimizer.lr={lr}", "trainer.max_epochs=30"]
        run(config(*settings, folder=tmp_path / f"{lr}"))
    runs = read([tmp_path]).runs
    longer = [line for line in diagnostics(table(runs), runs) if "train longer" in line]
    assert [line.partition(":")[0] for line in longer] == ["beta_vae lr=0.005"]
