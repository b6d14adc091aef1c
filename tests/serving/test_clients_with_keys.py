"""Every protocol's real client shows its key to a real serving process that asks for one, and waits where its key has a rate."""

from __future__ import annotations

import numpy as np
import pytest

from groundswell import keys
from groundswell.client import Client
from groundswell.errors import ServingError
from tests.serving.servers import NAME, start_serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def keyed(answering, tmp_path_factory):
    """The process, and a key of 400 texts a second."""
    folder = tmp_path_factory.mktemp("keyed")
    _, key = keys.create(folder / "keys.json", "tests", texts_per_second=400, burst_texts=200)
    serving = start_serving(folder, answering.mlflow_url, serving_auth="keys", serving_keys_file=str(folder / "keys.json"))
    try:
        yield serving.wait(120, "/readyz"), key
    finally:
        serving.stop()


def test_ours(keyed):
    serving, key = keyed
    with Client(serving.url, key) as client:
        assert len(client.predict(["great love"] * 600)) == 600, "429 says when to come back"
        assert client._http.retries > 0
    with Client(serving.url) as client, pytest.raises(ServingError, match="found 401: "):
        client.predict(["great love"])


def test_mlflows(keyed, monkeypatch):
    from mlflow.deployments import get_deploy_client

    serving, key = keyed
    client = get_deploy_client(serving.url)
    with pytest.raises(Exception, match="401"):
        client.predict(endpoint=NAME, inputs={"inputs": ["great love"]})
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", key)
    assert len(client.predict(endpoint=NAME, inputs={"inputs": ["great love"]})["predictions"]) == 1
    assert client.list_endpoints()[0].name == NAME


def test_tritons(keyed):
    from tritonclient.http import InferenceServerClient, InferInput
    from tritonclient.utils import InferenceServerException

    serving, key = keyed
    tensor = InferInput("text", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([b"great love"], dtype=object))
    with InferenceServerClient(f"127.0.0.1:{serving.port}") as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        with pytest.raises(InferenceServerException, match="401. expected a key"):
            client.infer(NAME, [tensor])
        assert client.infer(NAME, [tensor], headers={"Authorization": f"Bearer {key}"}).as_numpy("probabilities").shape == (1, 3)
