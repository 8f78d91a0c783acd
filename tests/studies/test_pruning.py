"""Trials that are stopped early, in processes of their own and in this one."""

import pytest
from hydra.core.utils import JobReturn, JobStatus

from support.commands import QUICK, record, train, weights
from vaesweep.errors import ConfigError
from vaesweep.records.search_record import SearchRecord
from vaesweep.report.conclusions import search_conclusion
from vaesweep.studies.pruning import PruneTrial, running_trial
from vaesweep.studies.search import PRUNED, Search
from vaesweep.studies.search_journal import open_journal
from vaesweep.training.run_and_record import run

optuna = pytest.importorskip("optuna", reason="needs the extra search")

JOB = ["model=beta_vae", "trainer.max_epochs=4", "callbacks=pruning", "logger=none", "callbacks.pruning.trials=2"]


@pytest.fixture
def search(tmp_path):
    """A search with two completed trials of a constant metric, and a running one with beta 4."""

    def make(value, metrics=1):
        (tmp_path / "study").mkdir()
        names = ["val/loss", "val/kl"][:metrics]
        study = optuna.create_study(
            storage=open_journal(tmp_path / "study"), study_name=" ".join(names), directions=["minimize"] * metrics
        )
        for beta in (1.0, 2.0, 4.0):
            study.enqueue_trial({"model.beta": beta})
            trial = study.ask()
            trial.suggest_float("model.beta", 0.1, 9)
            if beta < 4 and metrics == 1:
                for epoch in range(1, 5):
                    trial.report(value, epoch)
                study.tell(trial, value)
        return study

    return make


def trained(config, tmp_path, *overrides):
    """The epochs of the job with beta 4."""
    run(config(*JOB, "model.beta=4", *overrides, folder=tmp_path / "study" / "job"))
    ended = record(tmp_path / "study" / "job")
    assert ended["status"] == "completed"
    return ended["epochs"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["callbacks.pruning.epochs=2"], 2),
        (["callbacks.pruning.epochs=3"], 3),
        (["callbacks.pruning.epochs=2", "callbacks.pruning.trials=3"], 4),
    ],
)
def test_a_trial_above_the_median_is_stopped_after_so_many_epochs_and_trials(
    config, tmp_path, search, capsys, overrides, expected
):
    study = search(1.0)
    assert trained(config, tmp_path, *overrides) == expected
    trial = study.trials[2]
    assert bool(trial.user_attrs.get(PRUNED)) == (expected < 4)
    assert ("pruned after epoch" in capsys.readouterr().out) == (expected < 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["+trainer.val_check_interval=0.25", "callbacks.pruning.epochs=2"], [2]),
        (["+trainer.check_val_every_n_epoch=3", "~callbacks.best", "callbacks.pruning.epochs=1"], [3]),
        (["+trainer.min_epochs=3", "callbacks.pruning.epochs=1"], [1, 2, 3]),
    ],
)
def test_whole_epochs_are_compared(config, tmp_path, search, overrides, expected):
    study = search(1.0)
    ended = trained(config, tmp_path, *overrides)
    assert ended == expected[-1]
    assert [epoch for epoch in study.trials[2].intermediate_values if epoch in expected] == expected
    assert weights(tmp_path / "study" / "job")["global_step"] == 20 * ended


@pytest.mark.slow
def test_a_trial_that_has_trained_all_its_epochs_is_not_called_pruned(config, tmp_path, search):
    study = search(1.0)
    assert trained(config, tmp_path, "callbacks.pruning.epochs=4") == 4
    assert PRUNED not in study.trials[2].user_attrs


@pytest.mark.slow
def test_a_job_whose_trial_was_told_elsewhere_is_trained_to_the_end(config, tmp_path, search, monkeypatch):
    study = search(1.0)
    on_fit_start = PruneTrial.on_fit_start

    def told(callback, *arguments):
        on_fit_start(callback, *arguments)
        study.tell(2, state=optuna.trial.TrialState.FAIL)

    monkeypatch.setattr(PruneTrial, "on_fit_start", told)
    assert trained(config, tmp_path, "callbacks.pruning.epochs=1") == 4


def test_all_trials_of_a_pruned_job_are_pruned(search, tmp_path):
    study = search(1.0)
    study.enqueue_trial({"model.beta": 4.00001})  # written as the third one is
    study.ask().suggest_float("model.beta", 0.1, 9)
    study._storage.set_trial_user_attr(study.trials[2]._trial_id, PRUNED, True)
    process = Search(tmp_path / "study", ["val/loss"], "tpe", 0)
    for number in (2, 3):
        job = JobReturn(status=JobStatus.COMPLETED)
        job.return_value = 3.0
        process.tell(number, job)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "PRUNED", "PRUNED"]


@pytest.mark.slow
def test_a_trial_below_the_median_and_a_job_of_no_trial_are_trained_to_the_end(config, tmp_path, search):
    study = search(1e9)
    assert trained(config, tmp_path, "callbacks.pruning.epochs=1") == 4
    assert list(study.trials[2].intermediate_values) == [1, 2, 3, 4]
    assert running_trial(study, ["model.beta=4", "seed=0"]) is not None
    assert running_trial(study, ["model.beta=4.5"]) is None
    study.tell(2, 3.0)
    assert running_trial(study, ["model.beta=4"]) is None


@pytest.mark.slow
def test_what_cannot_be_pruned_is_refused(config, tmp_path, search):
    with pytest.raises(ConfigError, match="callbacks: got pruning without a search; allowed: -m hydra/sweeper=optuna"):
        run(config(*JOB, folder=tmp_path / "alone"))
    search(1.0, metrics=2)
    with pytest.raises(ConfigError, match=r"optimized_metric: got \[val/loss,val/kl\] with callbacks=pruning; allowed"):
        trained(config, tmp_path)


@pytest.mark.slow
def test_a_search_records_what_it_pruned(tmp_path):
    first = "hydra.sweeper.first=[{optimizer.lr:1e-2},{optimizer.lr:5e-3},{optimizer.lr:1e-9}]"
    drawn = ["optimizer.lr=tag(log,interval(1e-9,1e-2))", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", first]
    pruning = ["callbacks=pruning", "callbacks.pruning.trials=2", "callbacks.pruning.epochs=1", "trainer.max_epochs=3"]
    done = train(tmp_path, "-m", "model=vae", *QUICK, *drawn, *pruning, "hydra.sweep.dir=study")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "pruned after epoch 1: val/loss is above the median of earlier trials" in done.stdout
    found = SearchRecord.read(tmp_path / "study")
    assert [trial["status"] for trial in found.trials] == ["completed", "completed", "pruned"]
    epochs = {one["config"]["optimizer"]["lr"]: one["epochs"] for one in map(record, (tmp_path / "study").glob("vae*"))}
    assert epochs == {1e-2: 3, 5e-3: 3, 1e-9: 1}
    assert search_conclusion(found).startswith("3 trials (1 pruned) in search of the lowest val/loss")
    assert all(trial["status"] == "completed" for trial in found.front())
    more = train(tmp_path, "resume=study", "hydra.sweeper.n_trials=4")
    assert more.returncode == 0, more.stderr + more.stdout
    assert SearchRecord.read(tmp_path / "study").trials[:3] == found.trials
