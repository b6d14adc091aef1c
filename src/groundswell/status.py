"""Status: what runs, which model is champion, which windows are in the lake. Works with everything stopped."""

from __future__ import annotations

from pathlib import Path

from groundswell import processes, stack
from groundswell.lake import Lake
from groundswell.ledger import Ledger
from groundswell.params import Params
from groundswell.settings import Settings


def status(settings: Settings, params: Params) -> dict:
    """``{"running": {service: page}, "ended": {service: log}, "champion": …, "windows": {topic: {window: {source: rows}}}, "airflow": …}``.

    ``ended``: what was started, not stopped, and runs no longer. ``airflow`` is its user and password, None while nothing runs.
    """
    settings = stack.settings_of_the_stack(settings)
    run, log = stack.folders(settings)
    running = {name: (processes.record_of(name, run) or {}).get("page", "") for name in stack.running(settings)}
    return {
        "running": running,
        "ended": {name: str(log / f"{name}.log") for name in processes.names(run) if name not in running},
        "airflow": dict(zip(("user", "password"), stack.admin_password(settings), strict=True)) if running else None,
        "champion": {topic: champion(settings, topic) for topic in params.topics},
        "windows": {topic: windows(settings, topic) for topic in params.topics},
    }


def champion(settings: Settings, topic: str) -> dict | None:
    """The last line of the topic's promotion ledger: which version is champion, since when, by whom."""
    entries = Ledger(settings, topic).entries()
    return entries[-1].as_dict() if entries else None


def windows(settings: Settings, topic: str) -> dict[str, dict[str, int]]:
    """Window → source → posts that passed validation."""
    found: dict[str, dict[str, int]] = {}
    lake = Lake(settings.lake)
    for partition in lake.partitions("valid", topic=topic):
        found.setdefault(partition.window.key, {})[partition.source] = lake.metadata(partition)["rows"]
    return dict(sorted(found.items()))


def show(found: dict, home: Path) -> None:
    """Print ``found`` (of `status`) as tables for a person."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for name, page in found["running"].items():
        console.print(f"[green]●[/green] {name}  {page}")
    for name, log in found["ended"].items():
        console.print(f"[red]✗[/red] {name}  ended, nobody stopped it: see {log}; [bold]make up[/bold] starts it again")
    if not found["running"]:
        console.print("nothing runs: start it with [bold]make up[/bold]")
    else:
        console.print(f"Airflow's user: {found['airflow']['user']}, password: {found['airflow']['password']}")
    for topic, entry in found["champion"].items():
        console.print(f"champion of {topic}: " + (f"version {entry['to']}, since {entry['at']}, by {entry['by']}" if entry else "none yet"))
    for topic, by_window in found["windows"].items():
        if not by_window:
            console.print(f"lake: no window of {topic} yet ({home})")
            continue
        sources = sorted({source for rows in by_window.values() for source in rows})
        table = Table("window", *sources, title=f"valid posts of {topic}")
        for window, rows in list(by_window.items())[-31:]:
            table.add_row(window, *(str(rows.get(source, "–")) for source in sources))
        console.print(table)
