"""Runs inside a run: one for each thing that a long piece of work tries, found again when the work is taken up after a kill.

Reads and writes MLflow through `tracking`; a run is known by the tags that it was made with. Refuses what `tracking` refuses.
"""

from __future__ import annotations

from groundswell import tracking

_PARENT = "mlflow.parentRunId"


def known(settings, experiment: str, tags: dict[str, str]) -> str | None:
    """The id of the latest run of ``experiment`` that bears all of ``tags``, or None."""
    wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    experiment_id = tracking.ensure_experiment(settings, experiment)
    with tracking.registry_errors(settings):
        found = tracking.client(settings).search_runs([experiment_id], wanted, max_results=1, order_by=["attributes.start_time DESC"])
    return found[0].info.run_id if found else None


def child(settings, experiment: str, parent_id: str, name: str, key: dict[str, str], tags: dict[str, str]) -> str:
    """The run inside ``parent_id`` that bears the tags ``key``: taken up again, or made; it is RUNNING, and bears ``tags`` too."""
    found = known(settings, experiment, {**key, _PARENT: parent_id})
    with tracking.registry_errors(settings):
        mlflow_client = tracking.client(settings)
        if found is None:
            experiment_id = tracking.ensure_experiment(settings, experiment)
            return mlflow_client.create_run(experiment_id, run_name=name, tags={**tags, **key, _PARENT: parent_id}).info.run_id
        mlflow_client.update_run(found, "RUNNING", name)
        for tag, value in tags.items():
            mlflow_client.set_tag(found, tag, value)
    return found


def end(settings, run_id: str, status: str) -> None:
    """End a run: FINISHED, FAILED or KILLED."""
    with tracking.registry_errors(settings):
        tracking.client(settings).set_terminated(run_id, status)
