"""Many runs trained together: which fault is told, and what a job may hold."""

from concurrent.futures import Future

import pytest
from projects import small

from ladder.exceptions import LadderError
from ladder.runs import pool, progress
from ladder.runs.pool import Job, RunsFailedError, train_runs
from ladder.runs.processes import WorkerLostError


class Scripted:
    """Stands for a process pool: at each `wait`, the next of its answers comes true.

    answers: {run: what it raises, or None}, or an exception that `wait` raises.
    """

    def __init__(self, *answers):
        self.answers, self.futures, self.workers = list(answers), [], [None]

    def submit(self, *_):
        self.futures.append(Future())
        return self.futures[-1]

    def wait(self, pending, timeout):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        for run, error in answer.items():
            self.futures[run].set_exception(error) if error else self.futures[run].set_result(None)
        done = {future for future in pending if future.done()}
        return done, pending - done


def train(digits, tmp_path, executor, to_the_end):
    job = Job([(small(), seed) for seed in range(3)], digits.pick(slice(100)), tmp_path)
    train_runs(job, executor, progress.OfLadder(job.runs), to_the_end=to_the_end)


NAN, MEMORY = LadderError("the loss is nan"), LadderError("not enough memory")


def test_a_process_that_dies_is_told_though_a_run_failed_before(digits, tmp_path):
    executor = Scripted({0: NAN}, WorkerLostError())
    with pytest.raises(LadderError, match="a training process was killed from outside"):
        train(digits, tmp_path, executor, to_the_end=True)


def test_runs_that_fail_are_told_after_all_others(digits, tmp_path):
    executor = Scripted({1: NAN}, {2: MEMORY}, {0: None})
    with pytest.raises(RunsFailedError, match=r"^the loss is nan \(and 1 more runs failed\)$"):
        train(digits, tmp_path, executor, to_the_end=True)
    assert executor.answers == []


def test_a_run_that_fails_ends_all_unless_asked_otherwise(digits, tmp_path):
    executor = Scripted({2: MEMORY, 1: NAN}, {0: None})
    with pytest.raises(LadderError, match=r"^the loss is nan$"):
        train(digits, tmp_path, executor, to_the_end=False)
    assert len(executor.answers) == 1


@pytest.mark.parametrize("to_the_end", [True, False])
def test_what_nobody_foresaw_ends_all(digits, tmp_path, to_the_end):
    with pytest.raises(ZeroDivisionError):
        train(digits, tmp_path, Scripted({0: NAN, 1: ZeroDivisionError()}), to_the_end)


def test_more_runs_than_a_job_may_hold_are_one_clear_line(digits):
    with pytest.raises(LadderError, match="1,000,000 runs are too many for one start; train at most 1,000"):
        Job(range(1_000_000), digits)
    assert len(Job(range(pool.MOST_RUNS), digits).runs) == 1000
