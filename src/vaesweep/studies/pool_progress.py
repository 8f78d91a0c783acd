"""How far a pool is, on the terminal: a line for each job that ends, bars for what runs, the time left."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from vaesweep.records.duration import duration
from vaesweep.studies.pool import Command, Pool
from vaesweep.studies.study_job import StudyJob

BAR_WIDTH, STATE_WIDTH = 12, 40
"""Columns of the terminal for the bar of a job, and for the text on its right."""


def heading(study: str, plans: Sequence[StudyJob]) -> str:
    """The name of a study with the number of its jobs, and of those that were completed earlier."""
    earlier = sum(plan.completed for plan in plans)
    return f"{study}: {number_of_jobs(len(plans))}{f', {earlier} completed earlier' * (earlier > 0)}"


def number_of_jobs(number: int) -> str:
    return f"{number} job{'s' * (number != 1)}"


def and_more(plans: Sequence[StudyJob]) -> str:
    """What a command is called, beside its first job."""
    return f" and {len(plans) - 1} more" * (len(plans) > 1)


def run_with_progress(
    pool: Pool,
    todo: Mapping[Command, Sequence[StudyJob]],
    total: int,
    console: Console,
    jobs_ended: Callable[[Command], Sequence[StudyJob]],
) -> str:
    """Run commands of one or several jobs each, with a line for each job that ends, a bar a command, and one for all.

    Returns a line that says how many were completed; empty where no command ended and none had earlier.

    `jobs_ended` gets each command that has ended and returns the jobs that ended with it; it may add commands for the
    others to `todo` and to the pool. Those of `total` jobs that are not in `todo` were completed earlier.
    """
    commands, ended, plans = list[Command](), list[StudyJob](), [plan for of_one in todo.values() for plan in of_one]
    earlier, start, jobs = total - len(plans), time.monotonic(), number_of_jobs(total)
    longest = max((len(and_more(of_one)) for of_one in todo.values()), default=0)
    names = labels(plans, max(12, console.width - BAR_WIDTH - STATE_WIDTH - 2 - longest))
    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=BAR_WIDTH),
        TextColumn("{task.fields[state]}", markup=False, table_column=Column(no_wrap=True)),
    )
    screen = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with closing(pool.run(list(todo))) as events, screen as progress:
        overall = progress.add_task(jobs, total=total, state="")
        bars: dict[Command, TaskID] = {}
        for command in events:
            if command:
                commands.append(command)
                for plan in jobs_ended(command):
                    ended.append(plan)
                    line = plan.finish(command)
                    if not console.is_terminal and total > 1:  # where no bar says it
                        line = f"{earlier + len(ended)} of {total}: {line}"
                    console.print(line, markup=False, style="" if plan.completed else "bold")
                if command in bars:
                    progress.remove_task(bars.pop(command))
            states = {working.job: JobState.read(working.job) for working in pool.working}
            for running, state in states.items():
                if running not in bars:
                    name = names[todo[running][0].folder] + and_more(todo[running])
                    bars[running] = progress.add_task(name, total=1.0, state="")
                progress.update(bars[running], completed=state.share, state=state.text)
            failed = sum(not plan.completed for plan in ended)
            done = earlier + len(ended) + sum(state.share * len(todo[running]) for running, state in states.items())
            left = time_left(commands, list(states.values()), len(pool.waiting), len(pool.slots))
            parts = (f"{earlier + len(ended)} done", f"{failed} failed" if failed else "", left)
            progress.update(overall, completed=done, state=", ".join(filter(None, parts)))
    completed = earlier + sum(plan.completed for plan in ended)
    took = f" in {duration(time.monotonic() - start)}" if plans else ": nothing left to run"
    total = earlier + len(ended)  # without those that no command ended
    return f"{completed} of {number_of_jobs(total)} completed{took}" if total else ""


class JobState(NamedTuple):
    """How far a running job is, by the last line that it wrote: its share, and its seconds so far."""

    text: str
    share: float
    seconds: float

    @classmethod
    def read(cls, job: Command) -> "JobState":
        lines = (re.match(r"epoch (\d+)/(\d+)", line) for line in job.lines())
        line = next(filter(None, lines), None)
        if line is None:
            return cls("starting", 0.0, job.seconds)
        done, epochs = map(int, line.groups())
        return cls(line.string, min(1.0, done / epochs), job.seconds)


def labels(plans: Sequence[StudyJob], width: int) -> dict[Path, str]:
    """The settings in which each job differs from the others; its folder's name where that does not tell it apart.

    At most `width` characters: of a longer one the end, as the last setting varies fastest.
    """
    common = set.intersection(*(set(plan.overrides) for plan in plans)) if plans else set()
    settings = {
        plan.folder: " ".join(re.sub(r"^[+~\w./]*\.(?=\w+=)", "", o) for o in plan.overrides if o not in common)
        for plan in plans
    }
    are_names = all(settings.values()) and len(set(settings.values())) == len(settings)
    names = settings if are_names else {plan.folder: plan.folder.name for plan in plans}
    return {folder: name if len(name) <= width else f"…{name[1 - width :]}" for folder, name in names.items()}


def time_left(ended: Sequence[Command], running: Sequence[JobState], waiting: int, slots: int) -> str:
    """The rest of all jobs, each as long as those that ended took on average, or as those that run will take."""
    took = [job.seconds for job in ended] or [state.seconds / state.share for state in running if state.share]
    if not took:
        return "time left not known yet"
    mean = sum(took) / len(took)
    rests = [
        state.seconds * (1 / state.share - 1) if state.share else max(0.0, mean - state.seconds) for state in running
    ]
    left = max([(sum(rests) + waiting * mean) / max(1, min(slots, waiting + len(running))), *rests])
    return f"about {duration(left)} left"
