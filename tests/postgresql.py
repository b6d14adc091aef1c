"""A PostgreSQL server of a test's own: Debian's binaries, a cluster in a temporary folder, a free port of loopback, passwords asked of everybody.

Its databases are made by the script that `docker-compose.yml` gives to its server.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg2
import pytest

from tests.serving.servers import PROJECT, free_port

SUPERUSER = "postgres"


def binaries() -> Path | None:
    """The folder with initdb and postgres; None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class PostgreSQL:
    """A cluster with the databases ``airflow`` and ``mlflow``; skipped, loudly, where there is no PostgreSQL. `stop` removes it all."""

    def __init__(self):
        self.bin = binaries()
        if self.bin is None:
            pytest.skip("NOTHING WAS RUN ON POSTGRESQL: it is not installed (Debian: apt-get install postgresql)")
        self.folder = Path(tempfile.mkdtemp(prefix="groundswell-postgresql-"))
        self.passwords = {name: secrets.token_hex(12) for name in (SUPERUSER, "airflow", "mlflow")}
        for name, password in self.passwords.items():
            (self.folder / f"{name}_database_password").write_text(password)
        self._as_owner = []
        if os.getuid() == 0:  # the server refuses to run as root
            shutil.chown(self.folder, SUPERUSER, SUPERUSER)
            self._as_owner = ["runuser", "-u", SUPERUSER, "--"]
        self.port = free_port()
        data, log = self.folder / "data", self.folder / "log"
        words = ["--auth", "scram-sha-256", "--username", SUPERUSER, "--pwfile", self.folder / f"{SUPERUSER}_database_password", "--no-sync"]
        self._run("initdb", "--pgdata", data, *words)
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "start", "--wait", "--pgdata", data, "--log", log, "--options", options)
        try:
            self._make_databases()
        except BaseException:
            self.stop()
            raise

    def url(self, name: str) -> str:
        """Of the database ``name``, as Airflow and MLflow take it."""
        return f"postgresql+psycopg2://{name}:{self.passwords[name]}@127.0.0.1:{self.port}/{name}"

    def rows(self, name: str, query: str, *, user: str = "") -> list[tuple]:
        """The answer of the database ``name`` to ``query``, asked by its own role or by ``user``."""
        user = user or name
        with psycopg2.connect(host="127.0.0.1", port=self.port, dbname=name, user=user, password=self.passwords[user]) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return cursor.fetchall()

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode", "immediate", "--pgdata", self.folder / "data")
        shutil.rmtree(self.folder)

    def _make_databases(self) -> None:
        environment = {"SECRETS": str(self.folder), "POSTGRES_USER": SUPERUSER, "PGHOST": str(self.folder), "PGPORT": str(self.port)}
        environment |= {"PGPASSWORD": self.passwords[SUPERUSER], "PATH": f"{self.bin}:{os.environ['PATH']}"}
        subprocess.run(["sh", PROJECT / "deploy/postgres/databases.sh"], env=environment, cwd=self.folder, check=True)

    def _run(self, tool: str, *words) -> None:
        command = [*self._as_owner, str(self.bin / tool), *map(str, words)]
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0, f"{tool}: {done.stderr[-2000:]}"
