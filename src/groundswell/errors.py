"""Every error that a person may meet, in one tree.

A message says what was expected, what was found and where, and what to do. ``exit_code`` is what the command line ends
with: 2 for a wrong use (nothing was tried), 1 for work that failed, 75 for what may be tried again after a known time, 77 for what
a platform does not allow.
"""


class GroundswellError(Exception):
    """The root: anything of ours that the command line turns into one sentence."""

    exit_code = 1
    usd = 0.0
    """What had been paid to a platform by then: a budget must know."""


class ComeBack(GroundswellError):
    """Nothing is wrong but the time: the same call may go well after ``seconds``. Its exit status is sysexits' EX_TEMPFAIL."""

    exit_code = 75

    def __init__(self, message: str, seconds: float):
        super().__init__(message)
        self.seconds = seconds


class UsageError(GroundswellError):
    """The call itself can't be right: an unknown name, an impossible window, a bad setting."""

    exit_code = 2


class WindowError(UsageError):
    """A window that can't be read, lies in the future, ends before it starts, or beyond a source's look-back."""


class OutOfSight(WindowError):
    """Of a source that shows its latest posts only: a window of which no reading has seen anything."""


class NotSettled(ComeBack, WindowError):
    """A window that is over, but whose source may still bring posts of it: it can be had after ``seconds``."""


class UnknownName(UsageError):
    """A source, topic, stage or key that does not exist; the message names the nearest one that does."""


class ParamsError(UsageError):
    """params.yaml or a setting can't be used as it stands."""


class CorpusError(GroundswellError):
    """A corpus file can't be read: the message names file, row and column."""


class SourceError(GroundswellError):
    """A platform answered in a way that can't be used, after all retries."""


class RateLimited(ComeBack, SourceError):
    """A platform asks to wait longer than a task may sleep: run it again after ``seconds``."""


class AccessRefused(SourceError):
    """A platform answered 401 or 403: ``status``. A token may have run out, or the credentials, rights or quota do not allow it.

    Its exit status is sysexits' EX_NOPERM: trying again changes nothing before a person has.
    """

    exit_code = 77

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


class QuotaSpent(SourceError):
    """A platform's quota is used up for good, or our own spend cap reached: only a new period or a higher cap helps, no retry."""

    exit_code = 77


class StorageError(GroundswellError):
    """A file can't be written: the disk is full, read-only or another's. What lay there is as it was."""


class OutOfReach(SourceError):
    """A platform shows no more of its past than this, so the window can't be had whole: no retry helps, a later one even less."""

    exit_code = 77


class LakeError(GroundswellError):
    """A partition is missing, damaged, or not what its footer says."""


class ErasureError(GroundswellError):
    """People's rights can't be kept as asked: a tombstone that can't be read, a trace that is still there; the message says where."""


class LakeChanged(LakeError):
    """Somebody else wrote the same file of the lake at the same time: what was begun counts for nothing, and can be run again."""


class ValidationFailed(GroundswellError):
    """A table rule of a window is broken; the message holds the numbers."""


class DatasetError(GroundswellError):
    """A data set can't be made of what is there: one class only, too few rows, a leak that can't be removed."""


class VersionError(GroundswellError):
    """Data can't be versioned or restored: no DVC project, an object missing in the remote, a remote out of reach."""


class ModelError(GroundswellError):
    """A model can't be had, loaded or trusted: missing base, broken manifest, disagreement of its exports."""


class JudgeRefused(GroundswellError):
    """Champion and challenger can't be compared fairly: rows differ, or nothing fair is left to compare on."""


class RegistryError(GroundswellError):
    """The model registry can't be reached or refuses; nothing was changed."""


class StudyError(GroundswellError):
    """The database with the studies of hyperparameters can't be read or written; what was found before is there."""


class KeysError(GroundswellError):
    """The file of serving's API keys can't be read or changed as asked."""


class ServingError(GroundswellError):
    """The serving endpoint can't be reached, refuses, or answers what can't be an answer, after all retries."""


class StackError(GroundswellError):
    """A local process did not come up, a port is taken, or a service does not answer."""


def nearest(name: str, known) -> str:
    """``"; did you mean X?"`` for the known name nearest to ``name``, or the list of them when none is near."""
    from difflib import get_close_matches

    known = sorted(known)
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known) or 'none'}"
