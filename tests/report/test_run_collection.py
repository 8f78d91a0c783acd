"""Reading the runs of folders."""

import json

import pytest

from support.handmade import leave, rates
from vaesweep.records.results import FILE
from vaesweep.report.run_collection import read


def test_the_same_job_in_two_folders_counts_once(tmp_path):
    leave(tmp_path / "a", beta=1, metrics=rates(5, 5))
    leave(tmp_path / "b", beta=1, metrics=rates(5, 5))
    collection = read([tmp_path])
    assert [run.folder.name for run in collection.runs] == ["a"]
    assert collection.warnings == ["b: left out, the same configuration as a"]


def test_copies_of_a_run_below_two_folders_count_once(tmp_path):
    for folder in ("one", "two"):
        leave(tmp_path / folder / "a", beta=1, metrics=rates(5, 5))
    collection = read([tmp_path])
    assert len(collection.runs) == 1
    assert collection.warnings == ["two/a: left out, the same configuration as one/a"]


def test_what_is_no_run_is_said_and_the_rest_is_read(tmp_path):
    leave(tmp_path / "fine", beta=1, metrics=rates(5, 5))
    (tmp_path / "running" / ".hydra").mkdir(parents=True)
    for name, text in {"cut": '{"status": "comp', "foreign": json.dumps({"accuracy": 1})}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / FILE).write_text(text)
    (tmp_path / "empty").mkdir()
    collection = read([tmp_path, tmp_path / "empty", tmp_path / "nowhere"])
    assert [run.folder.name for run in collection.runs] == ["fine"]
    assert collection.warnings == [
        f"running: no {FILE}: it still runs, or it was killed",
        f"cut: {FILE} is cut short or not JSON",
        f"foreign: {FILE}: model is missing",
        f"{tmp_path / 'empty'}: no runs in it (a run leaves a {FILE})",
        f"{tmp_path / 'nowhere'}: no such folder",
    ]


def test_a_folder_that_is_given_twice_is_read_once(tmp_path):
    leave(tmp_path / "ladder" / "a", beta=1, metrics=rates(5, 5))
    twice = read([tmp_path / "ladder", tmp_path / "ladder" / ".." / "ladder"])
    assert len(twice.runs) == 1
    assert len(twice.studies) == 1


@pytest.mark.parametrize("inner_first", [False, True])
def test_runs_of_a_folder_that_lies_in_another_count_once(tmp_path, inner_first):
    inner = tmp_path / "ladder"
    for folder, beta in ((inner / "a", 1), (inner / "b", 2), (tmp_path / "alone", 4)):
        leave(folder, beta=beta, metrics=rates(5, 5))
    (inner / "running" / ".hydra").mkdir(parents=True)
    collection = read([inner, tmp_path] if inner_first else [tmp_path, inner])
    studies = {run.folder.name: run.study for run in collection.runs}
    assert studies == {"a": "ladder", "b": "ladder", "alone": tmp_path.name}
    assert len(collection.runs) == 3
    assert collection.warnings == [f"running: no {FILE}: it still runs, or it was killed"]


def test_a_folder_whose_runs_all_lie_in_another_is_not_called_empty(tmp_path):
    leave(tmp_path / "ladder" / "a", beta=1, metrics=rates(5, 5))
    assert read([tmp_path, tmp_path / "ladder"]).warnings == []
