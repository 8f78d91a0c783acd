"""The journal of a search after a process that was killed as it wrote."""

from threading import Thread

import pytest

from vaesweep.errors import ConfigError
from vaesweep.studies.search_journal import JOURNAL, open_journal

optuna = pytest.importorskip("optuna", reason="needs the extra search")


def search(folder):
    return optuna.create_study(storage=open_journal(folder), study_name="val/loss", load_if_exists=True)


def with_trials(folder, count):
    study = search(folder)
    for value in range(count):
        trial = study.ask()
        trial.suggest_float("model.beta", 0, 1)
        study.tell(trial, value)
    return (folder / JOURNAL).read_bytes()


def test_wherever_the_last_line_is_cut_the_search_goes_on_with_the_lines_before_it(tmp_path):
    content = with_trials(tmp_path, 2)
    last = content.rindex(b"\n", 0, -1) + 1
    for size in (last + 1, (last + len(content)) // 2, len(content) - 1):
        (tmp_path / JOURNAL).write_bytes(content[:size])
        study = search(tmp_path)
        assert (tmp_path / JOURNAL).read_bytes()[:last] == content[:last]
        study.ask().suggest_float("model.beta", 0, 1)
        trials = search(tmp_path).trials
        assert [trial.state.name for trial in trials] == ["COMPLETE", "RUNNING", "RUNNING"]  # its end was not told


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.replace(b"{", b"?", 1),
        lambda content: content + b"\n",
        lambda content: content + b"{}x\n",
        lambda content: content.partition(b"\n")[2],
    ],
    ids=["first line", "empty line at the end", "last line", "without the first line"],
)
def test_a_journal_that_is_damaged_elsewhere_is_named_and_left_as_it_is(tmp_path, damage):
    damaged = damage(with_trials(tmp_path, 2))
    (tmp_path / JOURNAL).write_bytes(damaged)
    with pytest.raises(ConfigError, match=r"search\.journal: got a damaged line; allowed: the lines that a search"):
        open_journal(tmp_path)
    assert (tmp_path / JOURNAL).read_bytes() == damaged


def test_it_is_opened_while_another_process_writes(tmp_path):
    with_trials(tmp_path, 2)
    lock = optuna.storages.journal.JournalFileSymlinkLock(str(tmp_path / JOURNAL))
    lock.acquire()
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"half')
    opened = Thread(target=lambda: search(tmp_path))
    opened.start()
    opened.join(0.3)
    assert opened.is_alive()  # waits for the rest of the line
    with (tmp_path / JOURNAL).open("r+b") as file:
        file.truncate((tmp_path / JOURNAL).stat().st_size - len(b'{"half'))
    lock.release()
    opened.join(30)
    assert not opened.is_alive()
    assert [trial.state.name for trial in search(tmp_path).trials] == ["COMPLETE", "COMPLETE"]
