"""Whether the process that began something still lives: told by machine, number and start, because numbers come round again."""

from __future__ import annotations

import os
import socket


def this_process() -> str:
    """This process, told apart from a later one with the same number: ``host/pid/start``."""
    import psutil

    return f"{socket.gethostname()}/{os.getpid()}/{psutil.Process().create_time():.0f}"


def is_gone(process: str) -> bool:
    """Whether ``process`` (as `this_process` names it) was one of this machine and is no more; another machine's can't be seen from here."""
    import psutil

    host, _, number = process.rpartition("/")[0].rpartition("/")
    if host != socket.gethostname():
        return False
    started = process.rpartition("/")[2]
    try:
        return f"{psutil.Process(int(number)).create_time():.0f}" != started
    except psutil.Error:
        return True
