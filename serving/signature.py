"""MLflow's webhook signature: ``X-MLflow-Signature: v1,base64(HMAC-SHA256(secret, "<delivery id>.<timestamp>.<body>"))``.

As `mlflow.webhooks.delivery` 3.17 makes it. Refuses what is unsigned, signed with another secret, or older than five minutes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

DELIVERY_HEADER = "X-MLflow-Delivery-Id"
TIMESTAMP_HEADER = "X-MLflow-Timestamp"
SIGNATURE_HEADER = "X-MLflow-Signature"

LONGEST_AGE_SECONDS = 300


def sign(secret: str, delivery_id: str, timestamp: str, body: bytes) -> str:
    """The value of the signature header for ``body``."""
    content = f"{delivery_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()


def is_signed(secret: str, headers: Mapping[str, str], body: bytes, *, now: float) -> bool:
    """Whether MLflow, or whoever else knows ``secret``, sent ``body`` within the last five minutes; ``now`` in epoch seconds."""
    delivery_id, timestamp, found = (headers.get(name, "") for name in (DELIVERY_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER))
    if not secret or not timestamp.isascii() or not timestamp.isdigit() or abs(now - int(timestamp[:15])) > LONGEST_AGE_SECONDS:
        return False
    expected = sign(secret, delivery_id, timestamp, body)
    return hmac.compare_digest(expected.encode(), found.encode("utf-8", "replace"))
