"""What `collect` refuses: before a platform is asked, and after it has answered, but before anything is written."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from groundswell.errors import NotSettled, ParamsError, SourceError, WindowError
from groundswell.http import Http
from groundswell.settings import Settings
from groundswell.sources.base import Source
from groundswell.window import Window

_FEWEST_ILLEGIBLE, _ILLEGIBLE_SHARE = 20, 0.1
"""So many records, and such a share of them, that can be no posts are no odd records any more, but odd answers."""


def require_settings(network: Source, settings: Settings) -> None:
    """Addresses and credentials are there; `ParamsError` naming those that are not."""
    missing = [f"GROUNDSWELL_{name.upper()}" for name in network.needs if not getattr(settings, name)]
    if missing:
        raise ParamsError(f"{network.name} can't be asked without {', '.join(missing)}: set what is missing in the environment or as a secret file")


def require_possible(network: Source, windows: list[Window], now: datetime) -> None:
    """Every window is over, has settled, and is within the look-back; `WindowError`, `NotSettled`."""
    for window in windows:
        _require_settled(network, window, now)
        if network.look_back is not None and window.start < now - network.look_back:
            oldest = now - network.look_back
            raise WindowError(
                f"window {window.key}: {network.name} looks back {network.look_back.days} days, to {oldest:%Y-%m-%dT%H:%MZ}; what is older is gone"
            )


def _require_settled(network: Source, window: Window, now: datetime) -> None:
    if network.is_on_sight:
        window.require_begun(now)
        return
    window.require_over(now)
    due = window.end + network.settle
    if now < due and not network.is_file:
        raise NotSettled(
            f"window {window.key}: {network.name} may bring posts of it for {network.settle} after its end; it can be had from {due:%Y-%m-%dT%H:%MZ}",
            (due - now).total_seconds(),
        )


def require_over_there(network: Source, window: Window, http: Http) -> None:
    """Refuse a window that is not over by the platform's own clock: this machine's is ahead, and the posts that are still to come would be lost."""
    if not network.is_on_sight and http.server_time is not None and http.server_time < window.end.timestamp():
        there = datetime.fromtimestamp(http.server_time, UTC)
        raise WindowError(
            f"window {window.key} ends at {window.end:%Y-%m-%dT%H:%MZ}, and the platform's clock says {there:%Y-%m-%dT%H:%MZ}: "
            "this machine's clock is ahead. Nothing of the window was written: set the clock (NTP) and run it again when it is over"
        )


def require_legible(network: Source, window: Window, kept: int, dropped: Counter) -> None:
    """Refuse a window in which many records have no id or no time that can be read: the platform writes them otherwise now."""
    illegible, records = dropped["no_id"] + dropped["bad_time"], kept + dropped.total()
    if illegible >= _FEWEST_ILLEGIBLE and illegible > _ILLEGIBLE_SHARE * records:
        raise SourceError(
            f"{network.name}: {illegible} of {records} records of window {window.key} have no id or no time that can be read "
            f"({dict(+dropped)}): the platform's answers have changed. Nothing of the window was written: the source must learn the new ones"
        )
