"""A search: what it asks for, what it is told, and how it goes on."""

import json
import signal

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from hydra_plugins.vaesweep_optuna.sweeper import OptunaSweeper
from support.commands import QUICK, record, started, train, wait_for
from vaesweep.errors import ConfigError
from vaesweep.records.search_record import SearchRecord, dominates
from vaesweep.studies.search_trials import SWEEPER, conclusion, earlier_result, first_settings, suggestion, update

optuna = pytest.importorskip("optuna", reason="needs the extra search")

SEARCH = ["-m", "model=beta_vae", *QUICK, "trainer.max_epochs=1", "hydra/sweeper=optuna"]
BETA = "model.beta=tag(log,interval(0.1,10))"


def draws(override, count=30):
    """Values of a setting that trials draw, by its distribution."""
    suggest = suggestion("key", OverridesParser.create().parse_override(f"key={override}"))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask() for _ in range(count)]
    values = [suggest(trial) for trial in trials]
    return values, trials[0].distributions["key"]


@pytest.mark.parametrize(
    ("override", "kind", "low", "high"),
    [
        ("interval(0.5,4)", float, 0.5, 4),
        ("tag(log,interval(0.01,10))", float, 0.01, 10),
        ("tag(int,interval(2,9))", int, 2, 9),
        ("tag(int,interval(1.5,9.5))", int, 2, 9),
        ("tag(int,log,interval(2,900))", int, 2, 900),
    ],
)
def test_an_interval_is_drawn_from(override, kind, low, high):
    values, distribution = draws(override)
    assert all(isinstance(value, kind) and low <= value <= high for value in values)
    assert len(set(values)) > 5
    assert distribution.log == ("log" in override)


@pytest.mark.parametrize("override", ["choice(a,b,c)", "a,b,c", "range(1,4)"])
def test_choices_are_drawn_as_they_are_written(override):
    assert sorted(set(draws(override)[0])) == (["1", "2", "3"] if "range" in override else ["a", "b", "c"])


def test_settings_that_are_written_alike_are_those_of_one_job():
    study = optuna.create_study()
    suggest = suggestion("key", OverridesParser.create().parse_override("key=interval(0,9)"))

    def trial(value, *outcome):
        study.enqueue_trial({"key": value})
        asked = study.ask()
        asked.set_user_attr(SWEEPER, "lock")
        suggest(asked)
        if outcome:
            study.tell(asked, *outcome)

    trial(1.0001, 5.0)
    trial(2.0, None, optuna.trial.TrialState.FAIL)
    trial(3.0)  # still runs
    assert earlier_result(study, 9, {"key": 1.00012}).values == [5.0]
    assert earlier_result(study, 9, {"key": 2.0}).state == optuna.trial.TrialState.FAIL
    for number, value in ((9, 3.0), (9, 1.01), (0, 1.0001)):
        assert earlier_result(study, number, {"key": value}) is None


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("tag(log,interval(0,1))", "two numbers that rise, for tag"),
        ("interval(3,1)", "two numbers that rise"),
        ("interval(0,inf)", "key: got an interval from 0.* to inf; allowed: two numbers that rise"),
        ("tag(int,interval(0.4,0.6))", "key: got an interval from 0.4 to 0.6; allowed: one with a whole number in it"),
        ("range(10,2)", "key: got key=range.10,2.; allowed: one value or more"),
        ("tag(nope,interval(1,3))", "key: got the tag nope; allowed: log | int"),
    ],
)
def test_an_interval_of_no_use_is_refused(override, line):
    with pytest.raises(ConfigError, match=line):
        draws(override)


def test_bad_settings_are_named():
    with pytest.raises(ConfigError, match=r"hydra.sweeper.n_trials: got 0"):
        OptunaSweeper(0, None, "tpe", 0, None, None)
    with pytest.raises(ConfigError, match=r"hydra.sweeper.sampler: got cma; allowed: tpe"):
        OptunaSweeper(1, None, "cma", 0, None, None)


SPACE = {"model.beta": "tag(log,interval(0.1,10))", "model.latent_dim": "5,10,20", "optimizer.lr": "interval(0,1)"}


def chosen(**settings):
    parsed = {key: OverridesParser.create().parse_override(f"{key}={value}") for key, value in SPACE.items()}
    space = {key: suggestion(key, override) for key, override in parsed.items()}
    return first_settings({key.replace("__", "."): value for key, value in settings.items()}, space, {"network.hidden"})


def test_a_first_trial_has_the_settings_that_were_chosen_as_they_would_be_drawn():
    first = chosen(model__beta=4, model__latent_dim=10, network__hidden=[7])
    assert first == {"model.beta": 4.0, "model.latent_dim": "10"}


@pytest.mark.parametrize(
    ("settings", "given", "allowed"),
    [
        ({"seed": 1}, "seed", "a setting that is searched: model.beta, model.latent_dim, optimizer.lr"),
        ({"model__beta": 11}, "model.beta=11", "a value that model.beta is drawn from"),
        ({"model__beta": "abc"}, "model.beta=abc", "a value that model.beta is drawn from"),
        ({"model__beta": None}, "model.beta=None", "a value that model.beta is drawn from"),
        ({"model__latent_dim": 7}, "model.latent_dim=7", "a value that model.latent_dim is drawn from"),
    ],
)
def test_a_first_trial_that_could_not_be_drawn_is_refused(settings, given, allowed):
    with pytest.raises(ConfigError) as refused:
        chosen(**settings)
    assert str(refused.value) == f"hydra.sweeper.first: got {given}; allowed: {allowed}"


def trial(*values):
    status = "completed" if values else "failed"
    return {"settings": {"model.beta": "-".join(map(str, values))}, "status": status, "values": list(values) or None}


def test_the_front_is_what_no_other_trial_beats():
    found = SearchRecord(["val/kl", "val/distortion"], [trial(1, 9), trial(2, 9), trial(2, 5), trial(), trial(3, 4)])
    assert [one["values"] for one in found.front()] == [[1, 9], [2, 5], [3, 4]]
    found.trials.append(trial(2, 5))  # the same job again
    assert [one["values"] for one in found.front()] == [[1, 9], [2, 5], [3, 4]]
    found.trials.pop()
    assert dominates([1, 2], [1, 3])
    assert not dominates([1, 2], [1, 2])
    assert conclusion(found).splitlines()[0] == "5 trials; the front:"
    assert conclusion(SearchRecord(["val/loss"], [trial(3), trial(2)])).splitlines() == [
        "2 trials; the best:",
        "  val/loss 2.00: model.beta=2",
    ]


ONE = '{"metrics": ["a"], "trials": [{"settings": {}, %s}]}'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{}", "metrics is missing"),
        ('{"metrics": ["a"], "trials": [{"settings": {}}]}', "status is missing"),
        (ONE % '"status": "completed", "values": [1, 2]', "a trial with 2 values of 1 metrics"),
        (ONE % '"status": "completed", "values": ["x"]', "values"),
        (ONE % '"status": "completed", "values": null', "a completed trial without values"),
        (ONE % '"status": "pruned", "values": [1]', "a pruned trial with values"),
        (ONE % '"status": "over", "values": null', "status: got over; allowed: completed | failed | pruned"),
        ("{", "cut short"),
    ],
)
def test_a_damaged_record_is_refused_in_one_line(tmp_path, text, line):
    (tmp_path / "search.json").write_text(text)
    with pytest.raises(ValueError, match=rf"^search.json.*{line}"):
        SearchRecord.read(tmp_path)


def test_importances_are_left_out_where_nothing_varies():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(12):
        trial = study.ask()
        trial.suggest_float("model.beta", 0, 1)
        trial.suggest_float("optimizer.lr", 0, 1)
        study.tell(trial, 3.0)
    assert update(SearchRecord(["val/active_units"]), study).importances == {}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(12):
        trial = study.ask()
        trial.suggest_float("optimizer.lr", 0, 1)
        study.tell(trial, trial.suggest_float("model.beta", 0, 1))
    shares = update(SearchRecord(["val/loss"]), study).importances["val/loss"]
    assert shares["model.beta"] > 0.8


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
    assert f"3 trials; the front:\n  val/kl {min(t['values'][0] for t in first.trials):.2f}" in done.stdout
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
    other = train(tmp_path, "resume=study", "hydra.sweeper.n_trials=6", "model.latent_dim=2,8")
    assert "hydra/sweeper: got optuna with " in other.stderr
    assert "allowed: the values of the earlier start" in other.stderr
    other = train(tmp_path, "resume=study", "optimized_metric=val/loss")
    assert "optimized_metric: got val/loss in a search for val/kl val/distortion; allowed: the same" in other.stderr


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_with_the_trial_that_it_had_begun(tmp_path):
    settings = [BETA, "trainer.max_epochs=60", "hydra.sweeper.n_trials=2", "hydra.sweep.dir=study"]
    with started(tmp_path, *SEARCH, *settings) as process:
        wait_for(lambda: list((tmp_path / "study").glob("*/history.csv")) or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
    (begun,) = (tmp_path / "study").glob("*/history.csv")
    done = train(tmp_path, "resume=study")
    assert done.returncode == 0, done.stderr
    assert begun.parent.name in {path.parent.name for path in (tmp_path / "study").glob("*/results.json")}
    assert len(SearchRecord.read(tmp_path / "study").trials) == 2


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["-m", "hydra/sweeper=optuna"], "hydra/sweeper: got optuna without a setting to search"),
        (["hydra/sweeper=optuna", BETA], "hydra/sweeper: got optuna without -m"),
        ([*SEARCH, BETA, "optimized_metric=[val/kl,val/loss,val/mse]"], "optimized_metric: got"),
        ([*SEARCH, BETA, "optimized_metric=val/nope"], "optimized_metric: got val/nope"),
    ],
)
def test_what_cannot_be_searched_is_refused(tmp_path, arguments, line):
    done = train(tmp_path, *arguments)
    assert done.returncode == 1
    assert line in done.stderr
