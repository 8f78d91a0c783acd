"""search.json: what it says, and what is refused of it."""

import pytest

from vaesweep.records.search_record import SearchRecord, dominates


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
    assert found.front_text().splitlines()[:2] == [
        "5 trials; the front:",
        "  val/kl 1, val/distortion 9 (model.beta=1-9)",
    ]
    best = SearchRecord(["val/mse"], [trial(3), trial(0.00123456)]).front_text()
    assert best.splitlines() == ["2 trials; the best:", "  val/mse 0.001235 (model.beta=0.00123456)"]


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
