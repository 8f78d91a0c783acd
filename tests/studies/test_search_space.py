"""What a search draws from, and how it writes what it drew."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from vaesweep.errors import ConfigError
from vaesweep.studies.search_space import (
    as_before,
    distribution,
    first_settings,
    in_words,
    sample_jobs,
    written,
    written_settings,
)

optuna = pytest.importorskip("optuna", reason="needs the extra search")


def drawn_from(override, key="key"):
    return distribution(key, OverridesParser.create().parse_override(f"{key}={override}"))


def trials(override, count=30):
    """Trials of one setting."""
    study, space = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)), {"key": drawn_from(override)}
    for _ in range(count):
        study.ask(space)
    return study.get_trials(deepcopy=False)


@pytest.mark.parametrize(
    ("override", "kind", "low", "high"),
    [
        ("interval(0.5,4)", float, 0.5, 4),
        ("interval(2,9)", float, 2, 9),
        ("tag(log,interval(0.01,10))", float, 0.01, 10),
        ("tag(int,interval(2,9))", int, 2, 9),
        ("int(interval(2,9))", int, 2, 9),
        ("tag(int,interval(1.5,9.5))", int, 2, 9),
        ("tag(int,log,interval(2,900))", int, 2, 900),
    ],
)
def test_an_interval_is_drawn_from(override, kind, low, high):
    values = [trial.params["key"] for trial in trials(override)]
    assert all(isinstance(value, kind) and low <= value <= high for value in values)
    assert len(set(values)) > 5
    assert drawn_from(override).log == ("log" in override)


@pytest.mark.parametrize("override", ["choice(1,2,3)", "1,2,3", "1,2,3,1", "range(1,4)", "shuffle(1,2,3)"])
def test_choices_are_drawn_as_they_are_written(override):
    assert {trial.params["key"] for trial in trials(override)} == {"1", "2", "3"}


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("tag(log,interval(0,1))", "two numbers that rise, for tag"),
        ("interval(3,1)", "two numbers that rise"),
        ("interval(-1e308,1e308)", "two numbers that rise"),
        ("interval(0,inf)", "key: got an interval from 0.* to inf; allowed: two numbers that rise"),
        ("tag(int,interval(0.4,0.6))", "key: got an interval from 0.4 to 0.6; allowed: one with a whole number in it"),
        ("range(10,2)", "key: got key=range.10,2.; allowed: one value or more"),
        ("tag(nope,interval(1,3))", "key: got the tag nope; allowed: log | int"),
        ("tag(log,choice(1,2))", r"key: got the tag log; allowed: no tag: log and int are for interval\(...\)"),
        ("tag(int,range(1,5))", r"key: got the tag int; allowed: no tag: log and int are for interval\(...\)"),
    ],
)
def test_what_nothing_can_be_drawn_from_is_refused(override, line):
    with pytest.raises(ConfigError, match=line):
        drawn_from(override)


@pytest.mark.parametrize(
    ("override", "value", "text"),
    [
        ("interval(0,10)", 1.23456, "1.235"),
        ("tag(log,interval(1e-4,1))", 0.000123456, "0.0001235"),
        ("interval(0.5,0.99999)", 0.999987654, "0.99999"),
        ("interval(1000,1001)", 1000.123456, "1000.123"),
        ("interval(0.12341,0.12344)", 0.123425678, "0.1234257"),
        ("interval(-10,-1)", -1.00001, "-1"),
        ("interval(0.99996,20)", 0.99996, "1"),
        ("tag(int,interval(1,100000))", 98765, "98765"),
        ("a,b", "a", "a"),
    ],
)
def test_a_number_is_written_with_four_digits_or_as_many_as_its_interval_needs(override, value, text):
    assert written(value, drawn_from(override)) == text


def test_what_is_written_lies_in_the_interval():
    for override in ("interval(0.12341,0.12344)", "interval(1e9,1000000001)", "tag(log,interval(0.33333333,0.5))"):
        interval = drawn_from(override)
        texts = [written_settings(trial)["key"] for trial in trials(override)]
        assert all(interval.low <= float(text) <= interval.high for text in texts)
        assert len(set(texts)) == len(texts)


def test_choices_may_be_given_in_another_order_and_an_interval_with_other_ends():
    space = {"key": drawn_from("3,1,2")}
    assert as_before(space, trials("1,2,3")) == {"key": drawn_from("1,2,3")}
    space = {"key": drawn_from("interval(0,5)"), "other": drawn_from("1,2")}
    assert as_before(space, trials("interval(0,1)")) == space


def test_a_few_jobs_have_every_choice_and_an_end_of_every_interval():
    space = {"a": drawn_from("1,2,3"), "b": drawn_from("x,y"), "c": drawn_from("tag(log,interval(0.25,4))")}
    assert sample_jobs(space, ["fixed=1"]) == [
        ["fixed=1", "a=1", "b=x", "c=0.25"],
        ["fixed=1", "a=2", "b=y", "c=0.25"],
        ["fixed=1", "a=3", "b=x", "c=0.25"],
    ]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("choice(1,2)", "choice(1,2,3)"),
        ("interval(0.1,1)", "tag(log,interval(0.1,1))"),
        ("tag(int,interval(1,9))", "interval(1,9)"),
        ("tag(int,log,interval(1,9))", "choice(1,9)"),
    ],
)
def test_another_space_than_at_the_start_is_refused_by_its_key(before, now):
    with pytest.raises(ConfigError) as refused:
        as_before({"key": drawn_from(now)}, trials(before))
    assert str(refused.value) == f"key: got {now}; allowed: as at the start of the search, {before}"
    assert in_words(drawn_from(before)) == before


SPACE = {
    "model.beta": "tag(log,interval(0.1,10))",
    "model.latent_dim": "5,10,20",
    "optimizer.lr": "interval(0,1)",
    "network.hidden": "choice([8],[16, 8])",
    "data.n": "tag(int,interval(1,9))",
    "data.class": "null,0.50,true,1,'a b'",
}


def chosen(settings):
    space = {key: drawn_from(override, key) for key, override in SPACE.items()}
    return first_settings(settings, space, {"model.prior"})


@pytest.mark.parametrize(
    ("key", "value", "drawn"),
    [
        ("model.beta", 4, 4.0),
        ("model.latent_dim", 10, "10"),
        ("model.latent_dim", "10", "10"),
        ("network.hidden", [16, 8], "[16,8]"),
        ("data.n", 4.0, 4),
        ("data.class", None, "null"),
        ("data.class", 0.5, "0.5"),
        ("data.class", True, "True"),
        ("data.class", 1, "1"),
        ("data.class", "a b", "'a b'"),
    ],
)
def test_a_first_trial_has_the_settings_that_were_chosen_as_they_would_be_drawn(key, value, drawn):
    first = chosen({key: value, "model.prior": [7]})
    assert first == {key: drawn}
    assert type(first[key]) is type(drawn)


@pytest.mark.parametrize(
    ("settings", "given", "allowed"),
    [
        ({"seed": 1}, "seed", f"a setting that is searched: {', '.join(SPACE)}"),
        ({"model.beta": 11}, "model.beta=11", "a value of tag(log,interval(0.1,10))"),
        ({"model.beta": "abc"}, "model.beta=abc", "a value of tag(log,interval(0.1,10))"),
        ({"model.beta": None}, "model.beta=None", "a value of tag(log,interval(0.1,10))"),
        ({"model.beta": float("nan")}, "model.beta=nan", "a value of tag(log,interval(0.1,10))"),
        ({"model.latent_dim": 7}, "model.latent_dim=7", "a value of choice(5,10,20)"),
        ({"data.n": 4.5}, "data.n=4.5", "a value of tag(int,interval(1,9))"),
        ({"optimizer.lr": True}, "optimizer.lr=True", "a value of interval(0,1)"),
    ],
)
def test_a_first_trial_that_could_not_be_drawn_is_refused(settings, given, allowed):
    with pytest.raises(ConfigError) as refused:
        chosen(settings)
    assert str(refused.value) == f"hydra.sweeper.first: got {given}; allowed: {allowed}"
