"""What the command line does, from Python: words to jobs, jobs to results, results to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.configuration.compose import compose
from harness.configuration.rung_names import check_rung_names
from harness.configuration.spec import SWEPT, JobSpec
from harness.configuration.words import sweep, word
from harness.errors import ConfigError, HarnessError, RungUnavailableError, TrackingError
from harness.home import HOME, INSTALLED
from harness.inert import say
from harness.progress import hidden, say_again

if TYPE_CHECKING:
    from harness.analysis.findings import Findings
    from harness.evidence.cost import Prices
    from harness.job import Job
    from harness.record.results import RunFolder
    from harness.report.conclude import Said
    from harness.report.mlflow import Tracking
    from harness.run import Shared
    from harness.task import Task

__all__ = ["JobSpec", "Sweep", "compare", "compare_all", "compose"]


def compare(
    task: str,
    *,
    rungs: Sequence[str] = (),
    model: str | Sequence[str] | None = None,
    seed: int | Sequence[int] | None = None,
    results: str | Path | None = None,
    config_dirs: Sequence[str | Path] = (),
    progress: bool = True,
    **overrides: Any,
) -> Findings:
    """Run one task's rungs, or read what was run before, and compare them.

    Other settings have the names of the command line (`limit=20`,
    `**{"training.epochs": 2, "+experiment": "look"}`); a list is one value, not a sweep. Without
    `rungs` it is the whole ladder. `results` is a folder, by default `results` in the current
    directory. Without `progress` only what must be known is printed: warnings, raised budgets.

    Raises HarnessError for what the user can fix: ConfigError if there are several tasks or eval
    sets, for which there is `compare_all`.

        found = harness.compare("support_json", rungs=["prompt", "lora"], seed=[0, 1, 2])
    """
    several = {"+task": task, "rung": rungs, "model": model, "seed": seed}
    words = [sweep(k, _listed(v)) for k, v in several.items() if _given(v)]
    single = ({} if results is None else {"results": results}) | overrides
    words += [word(key, value) for key, value in single.items()]
    specs = compose(words, config_dirs=_listed(config_dirs))
    ours = Sweep(progress)
    sets = {(t.name, t.fingerprints()["eval"]) for t in map(ours.task, specs)}
    if len(sets) > 1:
        names = ", ".join(sorted({name for name, _ in sets}))
        raise ConfigError(
            f"compare is for one task with one eval set, and here are {len(sets)} ({names}); "
            f"fix: harness.compare_all({words!r})"
        )
    return ours.run(specs)[0]


def compare_all(
    words: Sequence[str], *, config_dirs: Sequence[str | Path] = (), progress: bool = True
) -> list[Findings]:
    """Run what the words of a command line describe; findings for each task and eval set.

    Raises HarnessError for what the user can fix.
    """
    return Sweep(progress).run(compose(words, config_dirs=_listed(config_dirs)))


@dataclass(frozen=True)
class Finished:
    """One run, and how its job wants it reported."""

    folder: RunFolder
    tracking: Tracking
    sweep: str
    prices: Prices

    @property
    def task_folder(self) -> Path:
        return self.folder.path.parents[1]


class Sweep:
    """Jobs that run one after another: what was finished, and which rungs were left out."""

    def __init__(self, progress: bool = True) -> None:
        self.progress = progress
        self.finished: list[Finished] = []
        self.left_out: list[str] = []
        self._tasks: dict[str, Task] = {}
        self._shared: Shared | None = None
        self._stores: dict[Tracking, Tracking] = {}
        self._untracked: set[Tracking] = set()
        say_again()

    def run(self, specs: Sequence[JobSpec], said: Said = "nothing") -> list[Findings]:
        """Run all jobs, then report every task and eval set that they added to.

        What was finished before a mistake is reported too, before the exception goes on. Raises
        HarnessError.
        """
        try:
            with hidden(not self.progress):
                self._say(_plan(specs))
                jobs = self.check(specs)
                self._foretell(specs, jobs)
                for number, (spec, job) in enumerate(zip(specs, jobs, strict=True)):
                    if job is not None:
                        self._run(number, spec, job)
        except Exception:
            if self.finished:
                self._report(said)
            raise
        if not self.finished:
            raise ConfigError("nothing was run: every rung was left out, see above")
        return self._report(said)

    def task(self, spec: JobSpec) -> Task:
        """The task of a job; jobs with the same settings of it share one."""
        if spec.task_settings not in self._tasks:
            self._tasks[spec.task_settings] = spec.task()
        return self._tasks[spec.task_settings]

    def check(self, specs: Sequence[JobSpec]) -> list[Job | None]:
        """The jobs, with everything checked of all of them that can be known before the first
        answer; None for a rung that its task cannot have, which is left out with a warning.

        The cheapest come first: settings, then data and metrics, both before torch is imported;
        then rungs, models and leaks into eval. Raises HarnessError.
        """
        for spec in specs:
            spec.check()
        check_rung_names(specs)
        tasks = [self.task(spec) for spec in specs]
        from harness.evidence import scoring

        for task in {id(task): task for task in tasks}.values():
            scoring.check(task)
        jobs = [spec.job(task) for spec, task in zip(specs, tasks, strict=True)]
        for spec, job in zip(specs, jobs, strict=True):
            if not job.rung.recorded:
                spec.build("training")  # also where no rung takes it: a slip there is one
        from harness.preflight import Preflight

        preflight = Preflight(self._sharing().certify)
        possible: list[Job | None] = []
        for job in jobs:
            try:
                preflight.check(job)
            except RungUnavailableError as error:
                self._leave_out(job, error)
                possible.append(None)
            else:
                possible.append(job)
        return possible

    def _leave_out(self, job: Job, why: RungUnavailableError) -> None:
        self.left_out.append(f"{job.rung.name} is left out of {job.task.name}: {why}")
        say(f"warning: {self.left_out[-1]}")

    def _foretell(self, specs: Sequence[JobSpec], jobs: Sequence[Job | None]) -> None:
        """Say what a sweep over several sizes of train will take, before it starts."""
        if len({spec.config.train_share for spec in specs}) < 2:
            return
        from harness.forecast import forecast

        for one in forecast([job for job in jobs if job is not None], self._sharing()):
            self._say(str(one))

    def _run(self, number: int, spec: JobSpec, job: Job) -> None:
        """One job and its controls."""
        self._say(f"[{number}] {spec.title}")
        prices: Prices = spec.build("prices")
        tracking: Tracking = spec.build("tracking")
        tracking = self._stores.setdefault(tracking, tracking)  # its patience is the sweep's
        from harness.run import run

        try:
            folder = run(job, self._sharing())
        except RungUnavailableError as error:
            self._leave_out(job, error)
            return
        for done in (folder, *self._controls(job, folder)):
            if all(done.path != earlier.folder.path for earlier in self.finished):
                self._track(tracking, partial(tracking.mirror, done), spec.results)
                self.finished.append(Finished(done, tracking, job.sweep, prices))

    def _controls(self, job: Job, folder: RunFolder) -> Iterator[RunFolder]:
        """The controls beside a job; one that cannot be had is no reason to lose the rung."""
        from harness.run import run

        for control in job.control_jobs(folder):
            try:
                yield run(control, self._sharing())
            except HarnessError as error:
                say(f"warning: control {control.rung.name} is left out: {error}")

    def _report(self, said: Said) -> list[Findings]:
        """Compare, write and track the ladders that were added to, from what is on disk."""
        from harness.record.prices import write_prices
        from harness.record.results import find_runs
        from harness.report.conclude import conclude

        reported: list[Findings] = []
        for task_folder in dict.fromkeys(done.task_folder for done in self.finished):
            own = [done for done in self.finished if done.task_folder == task_folder]
            last = own[-1]
            write_prices(task_folder, last.prices)
            evals = {_eval_of(done.folder) for done in own}
            for found in conclude(find_runs(task_folder), evals, said):
                if said == "nothing":
                    self._say(f"report: {found.path('report', 'html')}")
                action = partial(last.tracking.conclude, last.sweep, found)
                self._track(last.tracking, action, task_folder.parent)
                reported.append(found)
        return reported

    def _track(self, store: Tracking, action: Callable[[], None], results: Path) -> None:
        """Mirror to a store; if that fails, it is said once, nothing is lost, and all goes on."""
        try:
            action()
        except TrackingError as error:
            if store not in self._untracked:
                self._untracked.add(store)
                say(
                    f"warning: {error}; the results are safe in {results}; mirror them later with "
                    f"`{store.command(results)}`"
                )

    def _sharing(self) -> Shared:
        """What its jobs share; made late, as it waits for torch."""
        if self._shared is None:
            from harness.run import Shared

            self._shared = Shared()
        return self._shared

    def _say(self, line: str) -> None:
        if self.progress:
            say(line)


def _eval_of(folder: RunFolder) -> str:
    """The fingerprint of the eval set that a run answered."""
    return str(folder.manifest()["fingerprints"]["eval"])


def _plan(specs: Sequence[JobSpec]) -> str:
    """What will run, and where its results go; loudly if eval is not asked whole."""
    rungs: dict[str, dict[str, None]] = {}
    for spec in specs:
        task, rung = spec.names
        rungs.setdefault(task, {})[rung] = None
    parts = [f"{task}: {', '.join(each)}" for task, each in rungs.items()]
    swept = [spec.swept for spec in specs]
    for name in SWEPT:
        words = dict.fromkeys(one.get(name, f"{name}={SWEPT[name]}") for one in swept)
        if any(name in one for one in swept):
            part = ", ".join(words)
            parts.append(f"LIMIT: only a sample of eval, {part}" if name == "limit" else part)
    parts.append(f"results go to {', '.join(dict.fromkeys(str(spec.results) for spec in specs))}")
    if not INSTALLED and Path.cwd() != HOME:
        parts.append(f"conf/ and tasks/ are those of {HOME}")
    runs = f"{len(specs)} runs" if len(specs) > 1 else "1 run"
    return f"{runs}, {'; '.join(parts)}"


def _given(values: Any) -> bool:
    return values is not None and _listed(values) != []


def _listed(values: Any) -> list[Any]:
    """One value as a list of one."""
    if isinstance(values, Iterable) and not isinstance(values, str):
        return list(values)
    return [values]
