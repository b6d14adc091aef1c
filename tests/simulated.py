"""The simulated platforms as a real server on a free port, and settings that point at it."""

import socket
import threading
import time
from contextlib import contextmanager

import httpx2
import uvicorn

from groundswell.settings import Settings
from groundswell.simulator.app import make_app
from groundswell.simulator.settings import SimulatorSettings

KEY = "a-key-that-only-the-tests-know"


@contextmanager
def platforms(**world):
    """The address of a running simulator with ``world`` for its settings."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(make_app(SimulatorSettings(**world)), log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def settings_at(url, home):
    """Settings with the platforms of ``url`` and a lake under ``home``."""
    return Settings(
        project=home,
        home=home,
        pseudonym_key=KEY,
        hackernews_url=f"{url}/hackernews",
        hackernews_items_url=f"{url}/hackernews",
        steam_url=f"{url}/steam",
        reddit_url=f"{url}/reddit",
        reddit_token_url=f"{url}/reddit/api/v1/access_token",
        reddit_client_id="an-app",
        reddit_client_secret="a-secret-that-only-the-tests-know",
        reddit_user_agent="linux:groundswell-tests:1 (by /u/nobody)",
        x_url=f"{url}/x",
        x_bearer_token="a-token-that-only-the-tests-know",
        bluesky_url=f"{url}/bluesky",
        bluesky_handle="collector.example.social",
        bluesky_app_password="an-app-password-of-the-tests",
        lemmy_url=f"{url}/lemmy",
        mastodon_url=f"{url}/mastodon",
        rss_url=f"{url}/rss",
        gdelt_url=f"{url}/gdelt",
        gdelt_pause_seconds=0,
        annotator_url=f"{url}/annotations",
    )


def plan_faults(url, platform, faults):
    """Faults by request number from now on; an empty plan takes the last one away."""
    httpx2.put(f"{url}/faults/{platform}", json=faults).raise_for_status()
