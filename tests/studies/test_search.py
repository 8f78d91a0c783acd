"""A search: what it asks for, what it is told, and how it goes on."""

import json
import signal
from itertools import islice

import pytest
from hydra.core.utils import JobReturn, JobStatus

from hydra_plugins.vaesweep_optuna.sweeper import OptunaSweeper
from support.commands import QUICK, record, started, train, wait_for
from vaesweep.errors import ConfigError
from vaesweep.records.results import STUDY
from vaesweep.records.search_record import SearchRecord
from vaesweep.studies.search import Search
from vaesweep.studies.search_space import written_settings

optuna = pytest.importorskip("optuna", reason="needs the extra search")

SEARCH = ["-m", "model=beta_vae", *QUICK, "trainer.max_epochs=1", "hydra/sweeper=optuna"]
BETA = "model.beta=tag(log,interval(0.1,10))"


SPACE = {"model.beta": optuna.distributions.FloatDistribution(0, 9)}
METRICS = ["val/loss"]


def search(folder, metrics=METRICS, seed=0):
    """A process that searches in the folder."""
    return Search(folder, metrics, "random", seed)


def ended(value):
    job = JobReturn(status=JobStatus.COMPLETED)
    job.return_value = value
    return job


def failed():
    job = JobReturn(status=JobStatus.FAILED)
    job.return_value = RuntimeError("no")
    return job


def betas(*values):
    return [{"model.beta": value} for value in values]


def states(folder):
    """How the trials stand, by their beta."""
    trials = search(folder).study.trials
    return [(written_settings(trial).get("model.beta"), trial.state.name) for trial in trials]


def test_the_first_trials_have_the_settings_that_were_chosen_and_the_others_are_drawn(tmp_path):
    one = search(tmp_path)
    with one.alive() as lock:
        for number, settings in one.trials(SPACE, betas(1.0, 2.0), 5, lock):
            one.tell(number, ended(float(settings["model.beta"])))
    trials = one.record().trials
    assert [trial["settings"]["model.beta"] for trial in trials][:2] == ["1", "2"]
    assert len({trial["settings"]["model.beta"] for trial in trials}) == 5
    assert all(trial["values"] == [float(trial["settings"]["model.beta"])] for trial in trials)


def test_settings_that_are_written_alike_are_one_job(tmp_path):
    one = search(tmp_path)
    with one.alive() as lock:
        told = {}
        for number, settings in one.trials(SPACE, betas(1.0, 2.0, 1.0002, 2.0003, 1.01), 5, lock):
            told[number] = settings["model.beta"]
            one.tell(number, ended(5.0) if number != 1 else failed())
    assert told == {0: "1", 1: "2", 4: "1.01"}
    status = [(trial["settings"]["model.beta"], trial["status"], trial["values"]) for trial in one.record().trials]
    done, no = ("1", "completed", [5.0]), ("2", "failed", None)
    assert status == [done, no, done, no, ("1.01", "completed", [5.0])]


def test_a_trial_that_a_process_left_is_taken_by_one_other_process_and_told_once(tmp_path):
    dead = search(tmp_path)
    with dead.alive() as lock:
        assert next(dead.trials(SPACE, betas(1.0), 1, lock)) == (0, {"model.beta": "1"})
        with search(tmp_path).alive() as other:
            assert list(search(tmp_path).trials(SPACE, [], 1, other)) == []  # its process is alive
    one, two = search(tmp_path), search(tmp_path)
    with one.alive() as first, two.alive() as second:
        number, _ = next(one.trials(SPACE, [], 1, first))
        assert number == 0
        assert list(two.trials(SPACE, [], 1, second)) == []
        two.tell(0, failed())
        one.tell(0, ended(3.0))  # nothing to tell any more, and no error
    assert states(tmp_path) == [("1", "FAIL")]


def test_what_another_process_trains_is_not_trained_a_second_time(tmp_path):
    space = {"model.beta": optuna.distributions.CategoricalDistribution(["1", "2"])}
    one, two = search(tmp_path), search(tmp_path, seed=1)
    with one.alive() as first, two.alive() as second:
        mine, other = one.trials(space, betas("1"), 9, first), two.trials(space, [], 9, second)
        assert next(mine)[1] == {"model.beta": "1"}
        assert next(other)[1] == {"model.beta": "2"}
        third = search(tmp_path, seed=2)
        with third.alive() as lock:
            assert list(third.trials(space, [], 9, lock)) == []
    assert one.record().trials == []


def test_first_trials_may_be_added_at_a_resumption_and_are_not_run_again(tmp_path):
    for first, numbers in (((1.0,), [0]), ((1.0, 2.0), [1]), ((2.0, 3.0), [2])):
        one = search(tmp_path)
        with one.alive() as lock:
            trials = list(islice(one.trials(SPACE, betas(*first), len(numbers) + numbers[0], lock), 5))
            assert [number for number, _ in trials] == numbers
            for number, _ in trials:
                one.tell(number, ended(1.0))
    assert states(tmp_path) == [("1", "COMPLETE"), ("2", "COMPLETE"), ("3", "COMPLETE")]


def test_a_trial_whose_settings_were_not_all_drawn_is_none(tmp_path):
    one = search(tmp_path)
    one.study.enqueue_trial({"model.beta": 4.0})
    one.study.ask().suggest_float("model.beta", 0, 9)  # and was killed
    with one.alive() as lock:
        trials = list(one.trials(SPACE, betas(4.0), 1, lock))
        assert trials == [(1, {"model.beta": "4"})]
        assert one.position(1) == 1


def test_processes_that_start_together_draw_other_settings(tmp_path):
    one, two = search(tmp_path), search(tmp_path)
    with one.alive() as first, two.alive() as second:
        mine, other = one.trials(SPACE, [], 20, first), two.trials(SPACE, [], 20, second)
        drawn = [settings["model.beta"] for pair in zip(mine, other, strict=False) for _, settings in pair]
    assert len(drawn) == len(set(drawn)) == 20


def test_a_process_takes_at_its_end_what_another_one_left_meanwhile(tmp_path):
    one, two = search(tmp_path), search(tmp_path)
    with one.alive() as first:
        trials = one.trials(SPACE, betas(1.0, 2.0), 2, first)
        assert next(trials)[0] == 0
        with two.alive() as second:
            assert next(two.trials(SPACE, [], 2, second))[0] == 1
        assert next(trials)[0] == 1
        assert list(trials) == []


def test_jobs_that_would_not_compare_are_refused_once_a_trial_has_completed(tmp_path):
    one = search(tmp_path)
    one.keep_settings(["data=digits", "trainer.max_epochs=1"], "abc")
    one.keep_settings(["data=digits", "trainer.max_epochs=2"], "def")  # nothing has been trained
    with one.alive() as lock:
        for number, _ in one.trials(SPACE, [], 1, lock):
            one.tell(number, ended(1.0))
    search(tmp_path).keep_settings(["trainer.max_epochs=2", "data=digits", "resume=true"], "def")
    with pytest.raises(ConfigError) as refused:
        search(tmp_path).keep_settings(["data=digits", "trainer.max_epochs=3", "resume=true"], "ghi")
    assert str(refused.value) == (
        "resume: got other settings than those of the search (trainer.max_epochs=3 now, trainer.max_epochs=2 before); "
        "allowed: the same settings, or another folder"
    )


def test_another_metric_than_before_is_refused(tmp_path):
    search(tmp_path)
    with pytest.raises(ConfigError, match="optimized_metric: got val/kl in a search for val/loss; allowed: the same"):
        search(tmp_path, ["val/kl"])


def test_bad_settings_are_named():
    with pytest.raises(ConfigError, match=r"hydra.sweeper.n_trials: got 0"):
        OptunaSweeper(0, None, "tpe", 0, None, None)
    with pytest.raises(ConfigError, match=r"hydra.sweeper.sampler: got cma; allowed: tpe"):
        OptunaSweeper(1, None, "cma", 0, None, None)


def test_importances_are_left_out_where_nothing_varies(tmp_path):
    space = {name: optuna.distributions.FloatDistribution(0, 1) for name in ("model.beta", "optimizer.lr")}
    for metric, value in (("val/active_units", lambda own: 3.0), ("val/loss", lambda own: float(own["model.beta"]))):
        (tmp_path / metric).mkdir(parents=True)
        one = search(tmp_path / metric, [metric])
        with one.alive() as lock:
            for number, settings in one.trials(space, [], 12, lock):
                one.tell(number, ended(value(settings)))
        shares = one.record().importances
        assert list(shares) == (["val/loss"] if metric == "val/loss" else [])
    assert shares["val/loss"]["model.beta"] > 0.8


@pytest.mark.slow
@pytest.mark.nightly
def test_a_search_for_two_goals_by_the_pool_records_every_trial_and_goes_on_with_more(tmp_path):
    goals = ["optimized_metric=[val/kl,val/distortion]", "hydra/launcher=pool", "hydra.sweep.dir=study"]
    goals += ["hydra.sweeper.first=[{model.beta:0.7}]"]
    done = train(tmp_path, *SEARCH, BETA, "model.latent_dim=2,4", *goals, "hydra.sweeper.n_trials=3")
    assert done.returncode == 0, done.stderr
    first = SearchRecord.read(tmp_path / "study")
    assert first.metrics == ["val/kl", "val/distortion"]
    assert len(first.trials) == 3
    assert [one["settings"]["model.beta"] for one in first.trials].count("0.7") == 1
    assert f"3 trials; the front:\n  val/kl {min(t['values'][0] for t in first.trials):.4g}" in done.stdout
    # a search counts its trials, and the launcher says nothing of the parts that it gets
    assert "study: 3 trials\n" in done.stdout
    assert "jobs completed" not in done.stdout
    runs = {path.parent.name: record(path.parent) for path in (tmp_path / "study").glob("*/results.json")}
    by_values = {(run["metrics"]["val/kl"], run["metrics"]["val/distortion"]): run for run in runs.values()}
    for one in first.trials:
        model = by_values[tuple(one["values"])]["config"]["model"]
        assert (f"{model['beta']:.4g}", str(model["latent_dim"])) == tuple(one["settings"].values())
    again = train(tmp_path, *SEARCH, BETA, "model.latent_dim=2,4", *goals)
    assert again.returncode == 1
    assert "resume: got false in the folder of an earlier search" in again.stderr
    more = train(tmp_path, "resume=study", "hydra.sweeper.n_trials=5")
    assert more.returncode == 0, more.stderr
    assert "study: 5 trials, 3 of them begun earlier\n" in more.stdout
    second = SearchRecord.read(tmp_path / "study")
    assert second.trials[:3] == first.trials
    assert len({json.dumps(one["settings"]) for one in second.trials}) == 5  # no draw of the first start again
    again = train(tmp_path, "resume=study", "hydra.sweeper.n_trials=5")
    assert again.returncode == 0, again.stderr
    assert "5 trials; the front:" in again.stdout
    assert SearchRecord.read(tmp_path / "study") == second
    before = (tmp_path / "study" / STUDY).read_text()
    other = train(tmp_path, "resume=study", "hydra.sweeper.n_trials=6", "model.latent_dim=2,8")
    assert "model.latent_dim: got choice(2,8); allowed: as at the start of the search, choice(2,4)" in other.stderr
    assert (tmp_path / "study" / STUDY).read_text() == before
    for wrong, line in (
        ("model.bta=interval(0,1)", "model.bta: no such key here"),
        ("network=mlp,nope", "network: got nope; allowed: "),
        ("trainer.max_epochs=3", "got other settings than those of the search (trainer.max_epochs=3 now"),
    ):
        other = train(tmp_path, "resume=study", "hydra.sweeper.n_trials=6", wrong)
        assert line in other.stderr
        assert (tmp_path / "study" / STUDY).read_text() == before
    more = train(tmp_path, "resume=study", "hydra.sweeper.n_trials=6", "model.latent_dim=shuffle(2,4)")
    assert more.returncode == 0, more.stderr
    other = train(tmp_path, "resume=study", "optimized_metric=val/loss")
    assert "optimized_metric: got val/loss in a search for val/kl val/distortion; allowed: the same" in other.stderr


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_in_two_processes_with_the_trial_that_it_had_begun(tmp_path):
    settings = [BETA, "trainer.max_epochs=60", "hydra.sweeper.n_trials=2", "hydra.sweep.dir=study"]
    with started(tmp_path, *SEARCH, *settings) as process:
        wait_for(lambda: list((tmp_path / "study").glob("*/history.csv")) or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
    (begun,) = (tmp_path / "study").glob("*/history.csv")
    with started(tmp_path, "resume=study") as one, started(tmp_path, "resume=study") as other:
        assert [one.wait(120), other.wait(120)] == [0, 0]
    assert begun.parent.name in {path.parent.name for path in (tmp_path / "study").glob("*/results.json")}
    assert [trial["status"] for trial in SearchRecord.read(tmp_path / "study").trials] == ["completed"] * 2


@pytest.mark.slow
def test_a_trial_that_fails_is_told_as_failed_and_the_search_goes_on(tmp_path):
    hopeless = [*SEARCH, "optimizer=adam_constant", "optimizer.lr=1e30,1e-3", "hydra.sweeper.sampler=random"]
    done = train(tmp_path, *hopeless, "hydra.sweeper.n_trials=6", "hydra.sweeper.seed=0", "hydra.sweep.dir=study")
    assert done.returncode == 1
    trials = SearchRecord.read(tmp_path / "study").trials
    ended = {float(one["settings"]["optimizer.lr"]): one["values"] is None for one in trials}
    assert ended == {1e-3: False, 1e30: True}
    failed = sum(one["values"] is None for one in trials)
    assert f"{failed} of 6 trials failed" in done.stderr
    done = train(tmp_path, *hopeless, "optimizer.lr=1e30,1e31", "hydra.sweep.dir=another")
    assert done.returncode == 1
    assert "nan at training step" in done.stderr
    assert len(SearchRecord.read(tmp_path / "another").trials) == 1
    more = [*hopeless, "optimizer.lr=1e30,1e31,1e32,1e33,1e34,1e-3", "hydra.sweeper.n_trials=6"]
    first = "hydra.sweeper.first=[{optimizer.lr:1e-3},{optimizer.lr:1e30},{optimizer.lr:1e31},{optimizer.lr:1e32}]"
    assert train(tmp_path, *more, first, "hydra.sweeper.n_trials=1", "hydra.sweep.dir=third").returncode == 0
    done = train(tmp_path, "resume=third", "hydra.sweeper.n_trials=6")
    assert "nan at training step" in done.stderr
    assert len(SearchRecord.read(tmp_path / "third").trials) == 4  # three in a row that failed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["-m", "hydra/sweeper=optuna"], "hydra/sweeper: got optuna without a setting to search"),
        (["hydra/sweeper=optuna", BETA], "hydra/sweeper: got optuna without -m"),
        ([*SEARCH, BETA, "optimized_metric=[val/kl,val/loss,val/mse]"], "optimized_metric: got"),
        ([*SEARCH, BETA, "optimized_metric=val/nope"], "optimized_metric: got val/nope"),
        ([*SEARCH, BETA, "optimized_metric=[]"], "optimized_metric: got []; allowed: "),
        ([*SEARCH, BETA, "optimized_metric=[val/kl,val/kl]"], "optimized_metric: got ['val/kl', 'val/kl']; allowed: "),
    ],
)
def test_what_cannot_be_searched_is_refused(tmp_path, arguments, line):
    done = train(tmp_path, *arguments)
    assert done.returncode == 1
    assert line in done.stderr
