"""API keys: made, shown once, revoked while serving runs; who has none gets nothing, and who asks too much waits."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from groundswell import keys as keys_file
from groundswell.errors import KeysError
from groundswell.settings import Settings
from serving import messages
from serving.app import create_app
from serving.config import ServingSettings
from serving.keys import Keys, RateLimited, Unauthenticated
from tests.serving.clock import Clock
from tests.serving.servers import start_alone
from tests.serving.test_serving_app import problem_of, wait_until

pytestmark = pytest.mark.slow

TEXTS = {"texts": ["great love", "awful crash"]}
OPEN = {"/healthz", "/readyz", "/ping", "/health", "/version", "/v2/health/live", "/v2/health/ready", "/metrics", "/hooks/mlflow", "/"}
"""What answers without a key, as docs/security.md says; a new address that is not meant to be among them fails here."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


def made(path, name: str = "alice", *, texts_per_second: float = 10, burst_texts: int = 128) -> str:
    return keys_file.create(path, name, texts_per_second=texts_per_second, burst_texts=burst_texts)[1]


def bearer(key: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Bearer {key}".encode())]


def test_the_two_settings_name_one_file(tmp_path):
    for values in ({}, {"serving_keys_file": "elsewhere/keys.json"}):
        pipeline = Settings(project=tmp_path, **values)
        assert pipeline.keys_file == ServingSettings(project=tmp_path, topic="games", serving_auth="keys", **values).keys_file
    assert keys_file.MAX_TEXTS_PER_REQUEST == messages.MAX_TEXTS


def test_keys_are_required_unless_it_is_said_otherwise(monkeypatch):
    monkeypatch.delenv("GROUNDSWELL_SERVING_AUTH")
    assert ServingSettings(topic="games").keys_file is not None


@pytest.mark.parametrize(("host", "is_loopback"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("serving", False)])
def test_keys_may_be_off_where_nobody_else_comes(host, is_loopback):
    if is_loopback:
        assert ServingSettings(topic="games", serving_host=host, serving_auth="off").keys_file is None
    else:
        with pytest.raises(ValueError, match="which others can reach"):
            ServingSettings(topic="games", serving_host=host, serving_auth="off")


def test_the_file_holds_no_key(path):
    key = made(path)
    assert re.fullmatch(r"gsw_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", key)
    assert key.split("_", 2)[2] not in path.read_text()
    assert keys_file.read(path)[0].sha256 == keys_file.digest(key)
    assert made(path, "bob") != key
    assert [each.name for each in keys_file.read(path)] == ["alice", "bob"]


def test_keys_made_at_once_are_all_there(path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: made(path, f"client-{number}"), range(24)))
    assert len(keys_file.read(path)) == 24


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not as groundswell keys create writes it"),
        ("[]", "not as groundswell keys create writes it"),
        ('{"keys": [{"id": "0"}]}', "keys.0.id"),
        ('{"keys": [], "more": 1}', "more"),
    ],
)
def test_a_file_that_is_none_is_named(path, content, message):
    path.write_text(content)
    with pytest.raises(KeysError, match=message):
        keys_file.read(path)


def test_two_keys_of_a_name_or_an_id_are_refused(path):
    made(path)
    with pytest.raises(KeysError, match="has a key called 'alice' already"):
        made(path)
    entry = json.loads(path.read_text())["keys"][0]
    path.write_text(json.dumps({"keys": [entry, entry | {"name": "bob"}]}))
    with pytest.raises(KeysError, match="two keys with the id"):
        keys_file.read(path)


def test_the_commands(tmp_path):
    def run(*words: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "groundswell.cli", "keys", *words]
        return subprocess.run(command, env={"GROUNDSWELL_HOME": str(tmp_path), "PATH": ""}, capture_output=True, text=True, check=False)

    created = run("create", "alice", "--texts-per-second", "7")
    key = created.stdout.strip()
    assert Keys(tmp_path / "serving" / "keys.json").authenticate(bearer(key)).key.texts_per_second == 7
    assert key not in created.stderr
    listed = run("list").stdout
    assert [each["name"] for each in json.loads(listed)["keys"]] == ["alice"]
    assert key not in listed
    assert keys_file.digest(key) not in listed
    assert run("create", "alice").returncode == 1
    assert run("create", "two words").returncode == 1
    assert run("revoke", "bob").returncode == 1
    assert json.loads(run("revoke", "alice").stdout)["revoked"]["name"] == "alice"
    assert json.loads(run("list").stdout)["keys"] == []


def test_a_key_is_known_by_either_header(path):
    key, keys = made(path), Keys(path)
    assert keys.authenticate(bearer(key)).name == "alice"
    assert keys.authenticate([(b"authorization", b"bearer  " + key.encode() + b" ")]).name == "alice"
    assert keys.authenticate([(b"x-api-key", key.encode())]).name == "alice"
    assert keys.authenticate([(b"x-api-key", key.encode()), *bearer(key)]).name == "alice"
    assert keys.authenticate([(b"authorization", b"Basic Zm9vOmJhcg=="), (b"x-api-key", key.encode())]).name == "alice"


@pytest.mark.parametrize(
    "headers",
    [
        lambda key: [],
        lambda key: [(b"authorization", key.encode())],
        lambda key: [(b"authorization", b"Bearer ")],
        lambda key: bearer(key[:-1]),
        lambda key: bearer(key + "A"),
        lambda key: bearer(key[:-1] + ("A" if key[-1] != "A" else "B")),
        lambda key: bearer("gsw_00000000" + key[12:]),
        lambda key: [(b"x-api-key", key.encode()), *bearer("gsw_other")],
        lambda key: [(b"authorization", b"Bearer \xff\xfe\x00")],
        lambda key: [(b"x-api-key", b"gsw_" * 10_000)],
    ],
)
def test_anything_else_is_nobody(path, headers):
    key, keys = made(path), Keys(path)
    with pytest.raises(Unauthenticated) as caught:
        keys.authenticate(headers(key))
    assert key[-20:] not in str(caught.value)


def test_the_file_is_read_again_when_it_changes_and_only_then(path, caplog):
    clock = Clock()
    keys = Keys(path, clock)
    keys.start()
    assert "so every request is refused" in caplog.text
    alice = made(path)
    with pytest.raises(Unauthenticated):
        keys.authenticate(bearer(alice))
    clock.seconds += 1
    client = keys.authenticate(bearer(alice))
    client.charge(128)
    bob = made(path, "bob")
    clock.seconds += 1
    assert keys.authenticate(bearer(bob)).name == "bob"
    assert keys.authenticate(bearer(alice)) is client, "somebody else's key fills no bucket"
    path.write_text("{")
    clock.seconds += 1
    assert keys.authenticate(bearer(alice)) is client, "a damaged file takes nobody's key away"
    assert "the 2 keys known before stay" in caplog.text
    path.unlink()
    clock.seconds += 1
    with pytest.raises(Unauthenticated):
        keys.authenticate(bearer(alice))
    again = made(path, "carol")
    clock.seconds += 1
    assert keys.authenticate(bearer(again)).name == "carol"
    keys_file.revoke(path, "carol")
    clock.seconds += 1
    with pytest.raises(Unauthenticated):
        keys.authenticate(bearer(again))


def test_a_bucket_empties_and_fills(path):
    clock = Clock()
    client = Keys(path, clock).authenticate(bearer(made(path, texts_per_second=10, burst_texts=200)))
    client.charge(128)
    client.charge(72)
    with pytest.raises(RateLimited) as caught:
        client.charge(5)
    assert caught.value.retry_after_seconds == pytest.approx(0.5)
    clock.seconds += 0.5
    client.charge(5)
    clock.seconds += 3600
    client.charge(1000)
    with pytest.raises(RateLimited):
        client.charge(1)


def test_off_is_anybody(path):
    keys = Keys(None)
    assert keys.authenticate([]).name == keys.client().name == "anonymous"
    keys.client().charge(10**9)


@pytest.fixture
def keyed(settings, registry):
    """A client of a service that asks for keys, and the file that they are in."""
    settings = settings.model_copy(update={"serving_auth": "keys"})
    key = made(settings.keys_file, texts_per_second=0.1)
    with TestClient(create_app(settings, registry), raise_server_exceptions=False) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        client.key, client.file = key, settings.keys_file
        yield client


def test_every_address_but_those_named_asks_for_a_key(keyed):
    routes = [route for route in keyed.app.routes if isinstance(route, APIRoute)]
    assert {"/v1/predict", "/v1/model"} <= {route.path for route in routes}
    for route in routes:
        for method in route.methods:
            answer = keyed.request(method, re.sub(r"\{\w+\}", "1", route.path), json=TEXTS)
            if route.path not in OPEN:
                found = problem_of(answer, 401)
                assert found["type"].endswith(":unauthenticated")
                assert answer.headers["www-authenticate"].startswith("Bearer")
            else:
                assert answer.status_code != 401, route.path
    described = keyed.get("/openapi.json").json()
    for path, methods in described["paths"].items():
        for what in methods.values():
            assert ("security" in what) == (path not in OPEN), path
            assert ("401" in what["responses"]) == (path not in OPEN), path


def test_a_route_that_forgets_to_ask_answers_nobody(keyed):
    @keyed.app.get("/forgetful")
    async def forgetful() -> int:
        return len((await keyed.app.state.service.predict(["great"])).probabilities)

    assert problem_of(keyed.get("/forgetful"), 401)["type"].endswith(":unauthenticated")
    assert keyed.get("/v1/model", headers={"X-API-Key": keyed.key}).status_code == 200
    assert keyed.get("/forgetful", headers={"X-API-Key": keyed.key}).status_code == 401


def test_who_asks_too_much_is_told_when_to_come_back(keyed):
    headers = {"Authorization": f"Bearer {keyed.key}"}
    assert keyed.post("/v1/predict", json={"texts": ["great"] * 127}, headers=headers).status_code == 200
    answer = keyed.post("/v1/predict", json=TEXTS, headers=headers)
    assert problem_of(answer, 429)["type"].endswith(":rate-limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    assert 'groundswell_serving_rate_limited_total{client="alice"} 1.0' in keyed.get("/metrics").text
    assert keyed.get("/v1/model", headers=headers).status_code == 200, "what asks for no text costs nothing"
    other = made(keyed.file, "bob")
    wait_until(lambda: keyed.post("/v1/predict", json=TEXTS, headers={"X-API-Key": other}).status_code == 200)


def test_a_revoked_key_ends_while_it_is_in_use(keyed, caplog):
    headers = {"Authorization": f"Bearer {keyed.key}"}
    assert keyed.get("/v1/model", headers=headers).status_code == 200
    keys_file.revoke(keyed.file, "alice")
    wait_until(lambda: keyed.get("/v1/model", headers=headers).status_code == 401)
    answer = keyed.get("/v1/model", headers=headers)
    assert keyed.key.split("_", 2)[2] not in answer.text + caplog.text


@pytest.mark.slow
def test_the_page_asks_for_the_key_that_is_needed(page, exports, tmp_path):
    serving = start_alone(tmp_path, exports["1"], serving_auth="keys")
    try:
        key = made(tmp_path / "var" / "serving" / "keys.json")
        serving.wait(path="/readyz")
        page.goto(serving.url)
        field = page.get_by_label("API key")
        field.wait_for()
        assert "expected a key in the header" in page.locator("#model").text_content()
        assert "Authorization: Bearer KEY" in page.locator("#curl").text_content()
        field.fill(f" {key}\u2026")  # as it is pasted
        page.get_by_role("button", name="Ask").click()
        page.locator("#answer table").wait_for()
        page.locator("#model", has_text="version 1").wait_for()
        page.screenshot(path=tmp_path / "page.png")
        assert key not in serving.log.read_text()
    finally:
        assert serving.stop() == 0
