"""What a registry, a disk and a clock can do to serving: it goes on answering, says so, and takes the new version when all is well again."""

from __future__ import annotations

import errno
import itertools
import os
import re
import shutil
import time

import httpx2
import pytest

from serving import copies
from serving.copies import Copies
from serving.keeper import Keeper
from serving.ledger import Ledger
from serving.loading import load_model
from serving.metrics import Metrics
from tests.serving.faulty_proxy import FaultyProxy
from tests.serving.servers import NAME, free_port, start_mlflow, start_serving
from tests.serving.test_serving_process import Hammer, ask, register, seconds_until, state

# --- the registry, through a proxy that goes wrong ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def registered(exports, tmp_path_factory):
    """(a client of a real registry with two versions, a proxy before it, the registry's port)"""
    import mlflow

    from groundswell import tracking
    from groundswell.settings import Settings

    port = free_port()
    proxy = FaultyProxy(port)
    server = start_mlflow(tmp_path_factory.mktemp("mlflow"), port, hosts=(f"127.0.0.1:{proxy.port}",)).wait(120)
    settings = Settings(project=tmp_path_factory.mktemp("pipeline"), mlflow_uri=server.url)
    assert [register(settings, exports[number]) for number in ("1", "2")] == ["1", "2"]
    yield tracking.client(settings), proxy, server.port
    proxy.close()
    server.stop(9)
    mlflow.set_tracking_uri(None)


@pytest.fixture
def proxied(registered, tmp_path):
    """(registry client, proxy, serving): version 1 answers, and serving sees the registry through the proxy only."""
    client, proxy, _ = registered
    client.set_registered_model_alias(NAME, "champion", "1")
    serving = start_serving(tmp_path, proxy.url, serving_poll_seconds="0.3", serving_retry_seconds="0.5", serving_shadow_share="0")
    try:
        serving.wait(120, "/readyz")
        yield client, proxy, serving
    finally:
        proxy.fault = None
        status = serving.stop()
    assert status == 0


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["latency", "reset", "truncate", "hang"])
def test_a_registry_that_goes_wrong_holds_up_nobody_and_is_followed_again_when_it_is_well(proxied, exports, fault):
    from groundswell.predictor import Predictor
    from tests.serving.test_serving_process import TEXTS

    client, proxy, serving = proxied
    offline = {number: Predictor.load(folder).predict(TEXTS) for number, folder in exports.items()}
    proxy.seconds = 2.0
    with Hammer(serving.url, offline, count=2) as hammer:
        proxy.fault = fault
        client.set_registered_model_alias(NAME, "champion", "2")
        time.sleep(3)
        if fault in ("reset", "truncate"):
            seconds_until(lambda: "can't be had from the MLflow registry" in (state(serving.url)[1]["trouble"] or ""))
            assert "registry_up 0.0" in httpx2.get(f"{serving.url}/metrics", timeout=20).text
        assert state(serving.url)[0] == 200
        proxy.fault = None
        seconds_until(lambda: state(serving.url)[1]["version"] == "2", 90)
    assert not hammer.faults, hammer.faults[:3]
    assert ask(serving.url)["version"] == "2"
    assert state(serving.url)[1]["trouble"] is None


# --- the disk ------------------------------------------------------------------------------------------------------------------------------


def keeper_on(settings, registry, clock) -> Keeper:
    return Keeper(
        registry,
        Copies(settings.folder),
        lambda folder, version, present: load_model(folder, version, name=settings.model_name, topic=settings.topic),
        Metrics(),
        Ledger(settings.folder),
        poll_seconds=3600,
        retry_seconds=30,
        clock=clock,
    )


@pytest.fixture
def keeper(settings, registry):
    keeper = keeper_on(settings, registry, itertools.count(0, 1000).__next__)
    keeper.check()
    assert keeper.current.version.version == "1"
    return keeper


def no_space(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_while_a_copy_is_made_leaves_the_champion_and_no_half_copy(keeper, registry, settings, monkeypatch):
    honest = registry.download

    def fills(version, folder):
        fetched = honest(version, folder)
        (fetched / "model.int8.onnx").write_bytes(b"half")
        no_space()

    registry.download, registry.alias = fills, "2"
    keeper.check()
    assert keeper.current.version.version == "1"
    assert "can't be stored" in keeper.trouble
    assert "No space left on device" in keeper.trouble
    assert not (settings.folder / "2").exists()
    assert not list(settings.folder.glob(".2.*")), "the half is removed: it is what fills the disk"
    registry.download = honest
    keeper.check()
    assert keeper.current.version.version == "2"
    assert keeper.trouble is None


def test_a_disk_that_is_full_when_the_note_is_written_still_swaps(keeper, registry, monkeypatch):
    monkeypatch.setattr(copies, "write_json", no_space)
    shutil.copytree(registry.exports["2"], keeper._copies.folder / "2" / "export")
    keeper._copies._origin = lambda version: version  # the copy was there before the disk filled
    registry.alias = "2"
    keeper._guarded(keeper.check)
    assert keeper.current.version.version == "2", "the answer matters more than the note"
    assert "current.json can't be written" in keeper.trouble


def test_a_ledger_that_can_not_be_written_costs_a_warning_and_nothing_else(keeper, registry, monkeypatch, caplog):
    monkeypatch.setattr("serving.ledger.os.write", no_space)
    registry.alias = "2"
    keeper.check()
    assert keeper.current.version.version == "2"
    assert len(re.findall("events are lost", caplog.text)) == 1


# --- the clock -----------------------------------------------------------------------------------------------------------------------------


def test_a_wall_clock_that_leaps_changes_nothing_for_the_keeper(keeper, registry, monkeypatch):
    """Retries and polls count on a clock that never goes back; the wall's only dates what is written."""
    for leap in (-10 * 365 * 86400, 10 * 365 * 86400):
        real = time.time
        monkeypatch.setattr(time, "time", lambda leap=leap, real=real: real() + leap)
        registry.alias = "2" if registry.alias == "1" else "1"
        keeper.check()
        assert keeper.current.version.version == registry.alias
        assert keeper.trouble is None
        monkeypatch.undo()


# --- many swaps ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_storm_of_swaps_loses_no_request_and_mixes_no_answer(registered, exports, tmp_path):
    """A small bench-swap: two workers, an alias that moves without a pause."""
    from groundswell.predictor import Predictor
    from tests.serving.test_serving_process import TEXTS

    client, _, port = registered
    client.set_registered_model_alias(NAME, "champion", "1")
    offline = {number: Predictor.load(folder).predict(TEXTS) for number, folder in exports.items()}
    serving = start_serving(
        tmp_path, f"http://127.0.0.1:{port}", serving_workers="2", serving_threads="1", serving_poll_seconds="0.05", serving_shadow_share="0"
    )
    try:
        serving.wait(120, "/readyz")
        with Hammer(serving.url, offline, count=4) as hammer:
            for number in range(60):
                client.set_registered_model_alias(NAME, "champion", "21"[number % 2])
                time.sleep(0.05)
            seconds_until(lambda: {state(serving.url)[1]["version"] for _ in range(6)} == {"1"})
        assert not hammer.faults, hammer.faults[:3]
        assert set(hammer.versions) == {"1", "2"}
    finally:
        assert serving.stop() == 0, serving.log.read_text()[-2000:]
