"""When a failed stage is run again: at the time that the platform named, with the worker's slot given back until then.

Reads the exception that the stage operator raised; a wait that was told is kept to the second, everything else is Airflow's own
retries and growing waits. Refuses a wait of more than a day: somebody should look at that.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowException

LONGEST_WAIT = timedelta(days=1)


class NotNow(AirflowException):
    """A stage can't do its work before ``seconds`` have gone by, and told so (exit status 75)."""

    def __init__(self, message: str, seconds: float):
        super().__init__(message)
        self.seconds = seconds


class AsTold(RetryPolicy):
    """Retry after the wait that `NotNow` brings; it counts as one of the task's retries. Any other failure: the task's own settings."""

    def evaluate(self, exception, try_number, max_tries, context=None) -> RetryDecision:
        if not isinstance(exception, NotNow):
            return RetryDecision.default()
        wait = timedelta(seconds=max(1.0, exception.seconds))
        if wait > LONGEST_WAIT:
            return RetryDecision.fail(f"told to wait {wait}, more than {LONGEST_WAIT}: clear the task then")
        return RetryDecision.retry(delay=wait, reason=f"told to wait {wait}")

    def serialize(self) -> dict:
        return {}

    @classmethod
    def deserialize(cls, data: dict) -> AsTold:
        return cls()
