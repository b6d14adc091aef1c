"""MLflow's scoring protocol, as `mlflow.pyfunc.scoring_server` 3.17 takes it for a model with one column ``text``, and its clients' addresses.

The four JSON bodies and CSV; other columns and ``params`` are ignored, as there. Stricter than there: 1 to 128 texts, and a text is
a string (null and numbers are refused, not read as words). /ping, /health and /version are with the other health addresses.
"""

from __future__ import annotations

import csv
import io
import json

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from serving import problems
from serving.messages import LABELS, Endpoint, Endpoints, Invoked
from serving.problems import Invalid
from serving.routes.bodies import TEXTS_SCHEMA, json_object, texts_in
from serving.service import Answered, Service

COLUMN = "text"

_STATUSES = (400, 413, 415, 422, 429, 500, 503)


def router(service: Service) -> APIRouter:
    """Invocations at MLflow's own address and at the one of `mlflow.deployments`, which first asks what endpoints there are."""
    routes = APIRouter(tags=["mlflow"])
    name = service.settings.model_name

    @routes.post("/invocations", response_model=Invoked, responses=problems.described(*_STATUSES), openapi_extra=_BODY)
    async def invocations(request: Request) -> Response:
        """A row a text: its label and a probability a label. One of dataframe_split, dataframe_records, instances, inputs; or CSV."""
        texts = texts_of(request.headers.get("content-type", ""), await request.body())
        return Response(json.dumps({"predictions": _rows(await service.predict(texts))}), media_type="application/json")

    @routes.post("/endpoints/{endpoint}/invocations", response_model=Invoked, responses=problems.described(404, *_STATUSES), openapi_extra=_BODY)
    async def endpoint_invocations(endpoint: str, request: Request) -> Response:
        """The same, where the client of `mlflow.deployments` asks."""
        _require(endpoint)
        return await invocations(request)

    @routes.get("/api/2.0/endpoints/")
    async def endpoints() -> Endpoints:
        """What the client of `mlflow.deployments` lists: the one endpoint that is here."""
        return Endpoints(endpoints=[_endpoint()])

    @routes.get("/api/2.0/endpoints/{endpoint}", responses=problems.described(404))
    async def one_endpoint(endpoint: str) -> Endpoint:
        """The same, of one."""
        _require(endpoint)
        return _endpoint()

    def _require(endpoint: str) -> None:
        if endpoint != name:
            raise HTTPException(404, f"expected the endpoint {name}: there is no other here")

    def _endpoint() -> Endpoint:
        return Endpoint(name=name, model={"name": name, "provider": "groundswell"}, endpoint_url=f"/endpoints/{name}/invocations")

    return routes


def texts_of(content_type: str, body: bytes) -> list[str]:
    """The texts of an invocation; 415 for another content type, `Invalid` where the body is not as its type says."""
    kind, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if any(parameter.replace('"', "") not in ("charset=utf-8", "") for parameter in parameters):
        raise HTTPException(415, "expected no parameter of the content type but charset=utf-8")
    if kind == "application/json":
        return _texts_of_json(json_object(body))
    if kind == "text/csv":
        return _texts_of_csv(body)
    raise HTTPException(415, "expected Content-Type: application/json or text/csv")


def _texts_of_json(body: dict) -> list[str]:
    forms = [form for form in _FORMS if form in body]
    if len(forms) != 1:
        raise Invalid("body", f"one of {', '.join(_FORMS)}, and no second one")
    return _FORMS[forms[0]](body[forms[0]], f"body.{forms[0]}")


def _of_split(value: object, where: str) -> list[str]:
    columns, rows = (value.get("columns"), value.get("data")) if isinstance(value, dict) else (None, None)
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise Invalid(where, 'an object with the lists "columns" and "data"')
    if columns.count(COLUMN) != 1:
        raise Invalid(f"{where}.columns", f'one column "{COLUMN}"')
    place, is_only = columns.index(COLUMN), len(columns) == 1
    cells = [row[place] if isinstance(row, list) and place < len(row) else row if is_only else None for row in rows]
    return texts_in(cells, f"{where}.data")


def _of_records(value: object, where: str) -> list[str]:
    if not isinstance(value, list):
        raise Invalid(where, f'a list of objects as {{"{COLUMN}": "…"}}')
    return texts_in([row.get(COLUMN) if isinstance(row, dict) else None for row in value], where)


def _of_tensors(value: object, where: str) -> list[str]:
    """Texts, records, or a column of them; a lone string in the column is a row."""
    if isinstance(value, list):
        return _of_records(value, where) if value and isinstance(value[0], dict) else texts_in(value, where)
    if not isinstance(value, dict) or COLUMN not in value:
        raise Invalid(where, f'a list of texts, or an object with the column "{COLUMN}"')
    column = value[COLUMN]
    return texts_in([column] if isinstance(column, str) else column, f"{where}.{COLUMN}")


_FORMS = {"dataframe_split": _of_split, "dataframe_records": _of_records, "instances": _of_tensors, "inputs": _of_tensors}


def _texts_of_csv(body: bytes) -> list[str]:
    try:
        rows = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        if (rows.fieldnames or []).count(COLUMN) != 1:
            raise Invalid("body", f'a first line of column names, one of them "{COLUMN}"')
        return texts_in([row[COLUMN] for row in rows], "body")
    except UnicodeDecodeError:
        raise HTTPException(400, "expected a body in UTF-8") from None
    except csv.Error:
        raise Invalid("body", "CSV as pandas writes it, with double quotes around what holds commas or lines") from None


def _rows(answered: Answered) -> list[dict]:
    rows = answered.probabilities.tolist()
    return [{"label": label, **dict(zip(LABELS, row, strict=True))} for label, row in zip(answered.labels, rows, strict=True)]


_RECORDS = {
    **{limit: TEXTS_SCHEMA[limit] for limit in ("minItems", "maxItems")},
    "type": "array",
    "items": {"type": "object", "required": [COLUMN], "properties": {COLUMN: TEXTS_SCHEMA["items"]}},
}
_SPLIT = {
    "type": "object",
    "required": ["columns", "data"],
    "properties": {
        "columns": {"enum": [[COLUMN]]},
        "data": {**TEXTS_SCHEMA, "items": {"type": "array", "minItems": 1, "maxItems": 1, "items": TEXTS_SCHEMA["items"]}},
    },
}
_COLUMN = {"type": "object", "required": [COLUMN], "properties": {COLUMN: TEXTS_SCHEMA}}
_TENSORS = {"anyOf": [TEXTS_SCHEMA, _RECORDS, _COLUMN]}
_JSON = {
    "type": "object",
    "properties": {"dataframe_split": _SPLIT, "dataframe_records": _RECORDS, "instances": _TENSORS, "inputs": _TENSORS},
    "oneOf": [{"required": [form]} for form in _FORMS],
    "examples": [{"dataframe_split": {"columns": [COLUMN], "data": [["The new patch is wonderful"], ["Servers down again 😡"]]}}],
}
_CSV = {"type": "string", "examples": ["text\nThe new patch is wonderful\n"]}
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": _JSON}, "text/csv": {"schema": _CSV}}}}
