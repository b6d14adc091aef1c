"""Object storage in tests: moto's server, which speaks S3 over HTTP, and a bucket of its own for every lake."""

from __future__ import annotations

import uuid
from contextlib import contextmanager

import fsspec
from moto.server import ThreadedMotoServer

from groundswell.settings import Place


@contextmanager
def object_storage():
    """Options for s3:// URLs that lead to a running server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield {
            "endpoint_url": f"http://{host}:{port}",
            "key": "invented",
            "secret": "invented-too",
        }
    finally:
        server.stop()


def new_place(options: dict) -> Place:
    """An empty lake's place: a prefix in a bucket of its own."""
    bucket = f"lake-{uuid.uuid4().hex[:12]}"
    fsspec.filesystem("s3", **options).mkdir(bucket)
    return Place(f"s3://{bucket}/some/prefix", options)
