"""What can go wrong that a user can fix.

    HarnessError
    ├── ConfigError     the command line or a YAML asks for what cannot be
    │   └── RungUnavailableError   the task lacks what a rung needs: the others of a sweep run
    ├── TaskError       a task's data, schema or instructions
    │   └── LeakError   eval stands in what a rung learns from
    ├── WeightsError    weights that cannot be had, or are not what they should be
    ├── TrainingError   training that ended with nothing to show for it
    ├── ProbeUnavailableError   what a probe needs cannot be had: the run stands without it
    ├── ResultsError    results/ that cannot be read, or must not be compared
    └── TrackingError   the tracking server does not answer

Each message is one line that names the place, the value and the fix, and no secret. The command
line prints it and exits with 2. Everything else is an internal fault and keeps its traceback.
"""

from harness.inert import clean

__all__ = [
    "ConfigError",
    "HarnessError",
    "LeakError",
    "ProbeUnavailableError",
    "ResultsError",
    "RungUnavailableError",
    "TaskError",
    "TrackingError",
    "TrainingError",
    "WeightsError",
    "first_line",
]


class HarnessError(Exception):
    """Something a user can fix.

    >>> print(ConfigError("seed=\\n: must be a whole number"))
    seed=\\n: must be a whole number
    """

    def __init__(self, message: str) -> None:
        super().__init__(clean(message))


class ConfigError(HarnessError):
    """The command line or a YAML asks for what cannot be."""


class RungUnavailableError(ConfigError):
    """A task lacks what a rung needs, such as a corpus; a sweep goes on with the other rungs."""


class TaskError(HarnessError):
    """A task's data, schema or instructions are not as they must be."""


class LeakError(TaskError):
    """An eval example stands in what a rung learns from."""


class WeightsError(HarnessError):
    """Weights cannot be had, or are not what the reference says."""


class TrainingError(HarnessError):
    """Training ended with an adapter that has no effect, or without any usable example."""


class ProbeUnavailableError(HarnessError):
    """What a probe needs cannot be had here; it is left out with one line, and the run stands."""


class ResultsError(HarnessError):
    """Results cannot be read, or must not be put in one table."""


class TrackingError(HarnessError):
    """The tracking store or server cannot be used."""


def first_line(error: BaseException) -> str:
    """What an exception of somebody else's says, in one line: some say nothing, some a page."""
    text = str(error).strip()
    return text.splitlines()[0] if text else repr(error)
