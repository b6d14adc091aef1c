"""MLflow's scoring protocol: what `mlflow models serve` takes is taken and answered as there; its real clients get along with it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import httpx2
import numpy as np
import pytest

from groundswell.predictor import Predictor
from groundswell.schema import LABELS
from serving.routes.mlflow import texts_of
from tests.serving.servers import NAME, Server, free_port
from tests.serving.test_serving_app import problem_of, wait_until
from tests.tiny import tiny_rows

TEXTS = [*tiny_rows(6, seed=11)[0], 'Ärger, 😡 and "quotes"', "two\nlines"]
JSON, CSV = "application/json", "text/csv"

TAKEN = {
    "dataframe_split": {"dataframe_split": {"columns": ["text"], "data": [[text] for text in TEXTS]}},
    "with an index": {"dataframe_split": {"columns": ["text"], "index": list(range(7, 15)), "data": [[text] for text in TEXTS]}},
    "with another column": {"dataframe_split": {"columns": ["id", "text"], "data": [[number, text] for number, text in enumerate(TEXTS)]}},
    "one column, flat": {"dataframe_split": {"columns": ["text"], "data": TEXTS}},
    "dataframe_records": {"dataframe_records": [{"text": text} for text in TEXTS]},
    "records with another key": {"dataframe_records": [{"id": 3, "text": text} for text in TEXTS]},
    "instances": {"instances": TEXTS},
    "instances, records": {"instances": [{"text": text} for text in TEXTS]},
    "instances, a column": {"instances": {"text": TEXTS}},
    "inputs": {"inputs": TEXTS},
    "inputs, records": {"inputs": [{"text": text} for text in TEXTS]},
    "inputs, a column": {"inputs": {"text": TEXTS}},
    "inputs, columns": {"inputs": {"text": TEXTS, "id": list(range(8))}},
    "params": {"inputs": TEXTS, "params": {"temperature": 2}},
    "an unknown key": {"inputs": TEXTS, "note": "for nobody"},
}

REFUSED = {
    "nothing": ({}, "body"),
    "two forms": ({"inputs": TEXTS, "instances": TEXTS}, "body"),
    "no column": ({"dataframe_split": {"data": [[text] for text in TEXTS]}}, "body.dataframe_split"),
    "another column": ({"dataframe_split": {"columns": ["x"], "data": [[text] for text in TEXTS]}}, "body.dataframe_split.columns"),
    "a number": ({"dataframe_split": {"columns": ["text"], "data": [["fine"], [3]]}}, "body.dataframe_split.data[1]"),
    "another key": ({"dataframe_records": [{"x": "xylophone"}]}, "body.dataframe_records[0]"),
    "no records": ({"dataframe_records": {"text": TEXTS}}, "body.dataframe_records"),
    "a record without it": ({"dataframe_records": [{"text": "fine"}, {"id": 1}]}, "body.dataframe_records[1]"),
    "two dimensions": ({"instances": [["xylophone"], ["fine"]]}, "body.instances[0]"),
    "a string": ({"inputs": "xylophone"}, "body.inputs"),
    "another tensor": ({"inputs": {"x": TEXTS}}, "body.inputs"),
}

STRICTER = {
    "no texts": ({"inputs": []}, "body.inputs"),
    "null": ({"inputs": ["fine", None]}, "body.inputs[1]"),
    "numbers": ({"instances": [1, 2]}, "body.instances[0]"),
    "null in a table": ({"dataframe_split": {"columns": ["text"], "data": [["fine"], [None]]}}, "body.dataframe_split.data[1]"),
}
"""What MLflow answers, and should not: null read as the word None, 1 as the text "1"."""


def offline(export) -> list[dict]:
    probabilities = Predictor.load(export).predict(TEXTS)
    assert len(set(probabilities.argmax(axis=1).tolist())) > 1, "a model that says one thing proves nothing here"
    return [{"label": LABELS[np.argmax(row)], **dict(zip(LABELS, row.tolist(), strict=True))} for row in probabilities]


@pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN.keys())
def test_every_form_of_a_body_is_answered_as_the_predictor_does(standing, exports, body):
    answer = standing.post("/invocations", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"predictions": offline(exports["1"])}


def test_csv_as_pandas_writes_it(standing, exports):
    import pandas as pd

    table = pd.DataFrame({"id": range(len(TEXTS)), "text": TEXTS})
    answer = standing.post("/invocations", content=table.to_csv(index=False).encode(), headers={"Content-Type": f"{CSV}; charset=UTF-8"})
    assert answer.json() == {"predictions": offline(exports["1"])}


@pytest.mark.parametrize(("body", "where"), [*REFUSED.values(), *STRICTER.values()], ids=[*REFUSED, *STRICTER])
def test_other_bodies_are_told_where_and_nothing_is_repeated(standing, body, where):
    answer = standing.post("/invocations", json=body)
    assert problem_of(answer, 422)["faults"][0]["where"] == where
    assert "xylophone" not in answer.text


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"inputs": ["xylophone', JSON, 422),
        (b"", JSON, 422),
        (b'["xylophone"]', JSON, 422),
        (b'{"inputs": ["\xff xylophone"]}', JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b'{"inputs": ["xylophone"]}', "application/json; charset=latin-1", 415),
        (b'{"inputs": ["xylophone"]}', "application/json; format=pandas-split", 415),
        (b'{"inputs": ["xylophone"]}', "text/plain", 415),
        (b"PAR1", "application/vnd.apache.parquet", 415),
        (b"", CSV, 422),
        (b"x\nxylophone\n", CSV, 422),
        (b"text\n", CSV, 422),
        (b'text\n"xylophone\n', CSV, 422),
        (b"id,text\n1\n", CSV, 422),
        (b"text\n\xff\n", CSV, 400),
    ],
)
def test_bodies_that_are_not_of_their_kind(standing, content, kind, status):
    answer = standing.post("/invocations", content=content, headers={"Content-Type": kind})
    problem_of(answer, status)
    assert "xylophone" not in answer.text


def test_a_body_without_a_kind_is_refused(standing):
    problem_of(standing.post("/invocations", content=b"{}"), 415)


def test_the_limits_are_those_of_v1():
    for name in ("dataframe_records", "inputs"):
        with pytest.raises(Exception, match="1 to 128 texts"):
            texts_of(JSON, (f'{{"{name}": [' + ", ".join(['{"text": "a"}'] * 129) + "]}").encode())


def test_ping_is_about_the_model(settings, registry):
    from fastapi.testclient import TestClient

    from serving.app import create_app

    registry.alias = None
    with TestClient(create_app(settings, registry)) as client:
        assert problem_of(client.get("/ping"), 503)["type"].endswith(":no-champion")
        problem_of(client.post("/invocations", json={"inputs": ["fine"]}), 503)
        registry.alias = "1"
        wait_until(lambda: client.get("/ping").status_code == 200)
        assert client.get("/health").text == "\n"


def test_the_one_endpoint_is_listed_and_no_other(standing):
    (endpoint,) = standing.get("/api/2.0/endpoints/").json()["endpoints"]
    assert standing.get(f"/api/2.0/endpoints/{NAME}").json() == endpoint
    assert standing.post(endpoint["endpoint_url"], json={"inputs": ["fine"]}).status_code == 200
    problem_of(standing.post("/endpoints/chat/invocations", json={"inputs": ["fine"]}), 404)
    problem_of(standing.get("/api/2.0/endpoints/chat"), 404)


@pytest.fixture(scope="module")
def models_serve(answering, tmp_path_factory):
    """MLflow's own server for the same version of the registered model."""
    folder, port = tmp_path_factory.mktemp("models-serve"), free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{NAME}/1", "--env-manager", "local", "--port", str(port)]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # it starts uvicorn by its name
    environment = {"MLFLOW_TRACKING_URI": answering.mlflow_url, "PATH": path, "OMP_NUM_THREADS": "1"}
    server = Server(command, environment, folder / "serve.log", port, "/ping")
    try:
        yield server.wait(180)
    finally:
        server.stop(signal.SIGKILL)


@pytest.mark.slow
def test_mlflow_s_own_server_answers_the_same_to_every_form(answering, models_serve):
    for name, body in TAKEN.items():
        ours, theirs = (httpx2.post(f"{server.url}/invocations", json=body, timeout=60) for server in (answering, models_serve))
        assert theirs.status_code == ours.status_code == 200, (name, ours.text, theirs.text)
        assert ours.json() == theirs.json(), name
    for name, (body, _) in REFUSED.items():
        ours, theirs = (httpx2.post(f"{server.url}/invocations", json=body, timeout=60) for server in (answering, models_serve))
        assert 400 <= theirs.status_code < 500, (name, theirs.text)
        problem_of(ours, 422)
    for name, (body, _) in STRICTER.items():
        assert httpx2.post(f"{models_serve.url}/invocations", json=body, timeout=60).status_code == 200, f"{name}: MLflow refuses it too by now"


@pytest.mark.slow
def test_the_scoring_server_s_client(answering, exports):
    import mlflow
    import pandas as pd
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    client = ScoringServerClient("127.0.0.1", answering.port)
    client.wait_server_ready()
    assert client.get_version() == mlflow.__version__
    expected = pd.DataFrame(offline(exports["1"]))
    for data in (pd.DataFrame({"text": TEXTS}), np.array(TEXTS), TEXTS):
        pd.testing.assert_frame_equal(client.invoke(data).get_predictions(), expected, check_exact=True)
    pd.testing.assert_frame_equal(client.invoke(TEXTS, params={"a": 1}).get_predictions(), expected, check_exact=True)
    with pytest.raises(Exception, match="error code 422.*body.inputs"):
        client.invoke([3])


@pytest.mark.slow
def test_the_client_of_mlflow_deployments(answering, exports):
    from mlflow.deployments import get_deploy_client

    client = get_deploy_client(answering.url)
    (endpoint,) = client.list_endpoints()
    assert client.get_endpoint(NAME) == endpoint
    assert endpoint.endpoint_url == f"{answering.url}/endpoints/{NAME}/invocations"
    for form in ("dataframe_split", "dataframe_records", "instances", "inputs"):
        assert client.predict(endpoint=endpoint.name, inputs=TAKEN[form]) == {"predictions": offline(exports["1"])}
    with pytest.raises(Exception, match="422"):
        client.predict(endpoint=NAME, inputs={"inputs": [3]})


@pytest.mark.slow
def test_the_registered_model_s_own_predict(answering, exports):
    """The pyfunc that users load from the registry says what serving says."""
    import mlflow
    import pandas as pd

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", answering.mlflow_url)
        mlflow.set_tracking_uri(answering.mlflow_url)
        mlflow.set_registry_uri(answering.mlflow_url)  # whoever asked a registry before left its address
        try:
            said = mlflow.pyfunc.load_model(f"models:/{NAME}/1").predict(pd.DataFrame({"text": TEXTS}))
        finally:
            mlflow.set_tracking_uri(None)
            mlflow.set_registry_uri(None)
    assert said.to_dict(orient="records") == httpx2.post(f"{answering.url}/invocations", json=TAKEN["inputs"]).json()["predictions"]
