"""What the pool shows while its jobs run."""

import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from vaesweep.records.duration import duration
from vaesweep.studies.pool import LOG, Command, Pool
from vaesweep.studies.pool_progress import JobState, heading, labels, run_with_progress, time_left


def plan(folder, *overrides):
    """A job of a study as far as the screen knows it, which completes when its command ends with 0."""
    made = SimpleNamespace(folder=folder, overrides=list(overrides), completed=False)

    def finish(command):
        made.completed = command.code == 0
        return f"{'completed' if made.completed else 'failed'} {folder.name}"

    made.finish = finish
    return made


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (121, "2 min"), (7140, "119 min"), (11100, "3 h 05 min")]
)
def test_a_duration_is_short(seconds, text):
    assert duration(seconds) == text


def test_a_job_is_called_by_the_settings_in_which_it_differs(tmp_path):
    jobs = [plan(tmp_path / f"{b}{s}", "data=digits", f"+model.beta={b}", f"seed={s}") for b in (1, 2) for s in (0, 1)]
    assert list(labels(jobs, 40).values()) == ["beta=1 seed=0", "beta=1 seed=1", "beta=2 seed=0", "beta=2 seed=1"]
    assert list(labels(jobs, 8).values()) == ["… seed=0", "… seed=1"] * 2
    assert list(labels(jobs[:1], 40).values()) == ["10"]


def test_a_job_is_as_far_as_the_last_line_about_its_epochs(tmp_path):
    job = Command([], tmp_path, seconds=8.0)
    assert JobState.read(job) == ("starting", 0.0, 8.0)
    (tmp_path / LOG).write_text("epoch 0/20\nepoch 5/20  val 118.2  6 s left\na warning\n\n")
    assert JobState.read(job) == ("epoch 5/20  val 118.2  6 s left", 0.25, 8.0)


def test_the_time_left_is_known_once_a_job_has_epochs():
    starting, quarter = JobState("starting", 0.0, 5.0), JobState("epoch 5/20", 0.25, 5.0)
    assert time_left([], [starting, starting], 2, 2) == "time left not known yet"
    # each takes 20 s: 15 and 15 of the two that run, 40 of the two that wait, in two slots
    assert time_left([], [starting, quarter], 2, 2) == "about 35 s left"
    ended = [Command([], Path(), seconds=10.0)]
    assert time_left(ended, [starting], 0, 2) == "about 5 s left"
    assert time_left(ended, [], 0, 2) == "about 0 s left"


JOB = """
import sys, time
for epoch in range(6):
    print(f"epoch {epoch}/5  val 1234.5  100 s left", flush=True)
    time.sleep(0.15)
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 160])
def test_every_running_job_has_a_line_that_is_not_wrapped(tmp_path, width):
    screen = io.StringIO()
    options = {"file": screen, "width": width, "height": 24, "force_terminal": True, "color_system": None}
    jobs = {
        Command([sys.executable, "-c", JOB, str(int(beta == 1))], tmp_path / str(beta)): [
            plan(tmp_path / str(beta), f"model.beta={beta}", "model.a_long_setting=0")
        ]
        for beta in (1, 2, 4)
    }
    console = Console(highlight=False, soft_wrap=True, **options)
    summary = run_with_progress(Pool([{}, {}]), jobs, 4, console, jobs.__getitem__)
    plain = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", screen.getvalue())
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", plain) if line.strip()]
    assert max(map(len, lines)) <= width
    for beta in (1, 2, 4):
        shown = [line for line in lines if line.startswith(f"beta={beta} ")]
        assert any(re.search(r" epoch [1-4]/5  val 1234\.5  100 s left", line) for line in shown)
    assert any("1 failed" in line for line in lines if line.startswith("4 jobs"))
    assert re.fullmatch(r"3 of 4 jobs completed in \d+ s", summary)


@pytest.mark.slow
def test_off_a_terminal_there_is_a_line_a_job_and_no_other(tmp_path):
    output = io.StringIO()
    jobs = {
        Command([sys.executable, "-c", f"import sys; sys.exit({k})"], tmp_path / str(k)): [plan(tmp_path / str(k))]
        for k in range(2)
    }
    run_with_progress(Pool([{}]), jobs, 2, Console(file=output, width=80, highlight=False), jobs.__getitem__)
    assert output.getvalue() == "1 of 2: completed 0\n2 of 2: failed 1\n"


def test_the_heading_counts_the_jobs_and_those_completed_earlier(tmp_path):
    jobs = [plan(tmp_path / name) for name in "abcd"]
    assert heading("study", jobs) == "study: 4 jobs"
    jobs[0].completed = True
    assert heading("study", jobs) == "study: 4 jobs, 1 completed earlier"
    assert heading("study", jobs[1:2]) == "study: 1 job"


@pytest.mark.slow
def test_several_jobs_of_one_command_have_one_line_and_those_it_does_not_end_are_tried_again(tmp_path):
    screen = io.StringIO()
    console = Console(file=screen, width=80, force_terminal=True, color_system=None, highlight=False, soft_wrap=True)
    plans = [plan(tmp_path / str(seed), f"seed={seed}", "model=vae") for seed in range(3)]
    pool, first = Pool([{}]), Command([sys.executable, "-c", JOB, "1"], tmp_path / "first")
    todo = {first: plans}

    def jobs_ended(command):
        if command is first:
            again = Command([sys.executable, "-c", JOB, "0"], tmp_path / "again")
            todo[again] = plans[1:]
            pool.waiting.append(again)
            return plans[:1]
        return todo[command]

    summary = run_with_progress(pool, todo, 3, console, jobs_ended)
    plain = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", screen.getvalue())
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", plain) if line.strip()]
    for name in ("seed=0 and 2 more", "seed=1 and 1 more"):
        assert any(re.match(rf"{name} .* epoch [1-4]/5  val 1234\.5", line) for line in lines)
    said = [line for line in lines if re.match("completed|failed", line)]
    assert said == ["failed 0", "completed 1", "completed 2"]
    assert re.fullmatch(r"2 of 3 jobs completed in \d+ s", summary)
