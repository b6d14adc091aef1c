"""What the protocols' bodies have in common: JSON, and texts that keep /v1's rules."""

from __future__ import annotations

import json

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from serving.messages import PredictRequest
from serving.problems import Invalid, expected

TEXTS_SCHEMA: dict = PredictRequest.model_json_schema()["properties"]["texts"]
"""/v1's list of texts as JSON Schema, its limits included."""


def texts_of(body: bytes, content_type: str) -> list[str]:
    """The texts of the `PredictRequest` in ``body``; 400, 422 and `RequestValidationError` as FastAPI would have it.

    FastAPI reads a body in a dozen steps of Python; pydantic alone does it in one of Rust.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise RequestValidationError([{"type": "model_type", "loc": ("body",)}])
    try:
        return PredictRequest.model_validate_json(body).texts
    except ValidationError:
        pass  # asked again below: Python's reader takes half an emoji for JSON, and Rust's does not
    try:
        return PredictRequest.model_validate(json_value(body)).texts
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
    raise RequestValidationError([{**detail, "loc": ("body", *detail["loc"])} for detail in details])


def json_object(body: bytes) -> dict:
    """The object in ``body``; 400 where it can't be read at all, 422 where it breaks off or is another kind of value."""
    value = json_value(body)
    if not isinstance(value, dict):
        raise Invalid("body", "a JSON object")
    return value


def json_value(body: bytes) -> object:
    """What ``body`` holds; 400 where it can't be read at all, 422 where it breaks off."""
    try:
        return json.loads(body.decode())
    except json.JSONDecodeError as error:
        raise Invalid("body", f"JSON; it stops being JSON at character {error.pos}") from None
    except UnicodeDecodeError:
        raise HTTPException(400, "expected a body in UTF-8") from None
    except (RecursionError, ValueError):  # too deep, or a number of thousands of digits
        raise HTTPException(400, "expected JSON that is not as deep, and shorter numbers") from None


def texts_in(found: object, where: str) -> list[str]:
    """``found`` as the texts of a request; `Invalid` naming the place under ``where``."""
    try:
        return PredictRequest.model_validate({"texts": found}).texts
    except ValidationError as error:
        detail = error.errors(include_input=False, include_url=False)[0]
    raise Invalid(where + "".join(f"[{part}]" for part in detail["loc"][1:] if isinstance(part, int)), expected(detail))
