"""A PostgreSQL server of our own for the tests: found, started in a temporary folder, stopped by us."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text

__all__ = ["NO_POSTGRES", "PostgresMissing", "fresh_database", "plain_database", "running_postgres"]

ENVIRONMENT = "SERENO_TEST_DATABASE_URL"
NO_POSTGRES = f"no PostgreSQL server found: install one (initdb, postgres), or pgserver, or set {ENVIRONMENT}"
START_TIMEOUT_S = 60.0


class PostgresMissing(Exception):
    """There is nothing to start."""


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of a server's maintenance database, for as long as the context lasts.

    Raises:
        PostgresMissing: No server was named, no binaries were found and pgserver is not installed.
    """
    declared = os.environ.get(ENVIRONMENT)
    binaries = _find_binaries()
    if declared:
        yield declared
    elif binaries:
        with _own_server(binaries) as url:
            yield url
    elif find_spec("pgserver"):
        with _pgserver() as url:
            yield url
    else:
        raise PostgresMissing(NO_POSTGRES)


@contextmanager
def fresh_database(server_url: str, *, template: str = "template0") -> Iterator[str]:
    """The URL of a new database on a server, dropped when the context ends.

    Args:
        template: Name of the database that it is a copy of.
    """
    name = f"sereno_test_{uuid4().hex[:12]}"
    parsed = make_url(server_url)
    admin = create_engine(parsed.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        yield parsed.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        admin.dispose()


@contextmanager
def plain_database(server_url: str) -> Iterator[str]:
    """The URL of a new database as its owner sees it, who is no superuser."""
    with fresh_database(server_url) as url:
        parsed = make_url(url)
        role = f"plain_{parsed.database}"
        owned = create_engine(parsed.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with owned.connect() as connection:
            connection.execute(text(f"CREATE ROLE {role} LOGIN"))
            connection.execute(text(f"ALTER SCHEMA public OWNER TO {role}"))
            connection.execute(text(f'ALTER DATABASE "{parsed.database}" OWNER TO {role}'))
        owned.dispose()
        yield parsed.set(username=role).render_as_string(hide_password=False)
    admin = create_engine(
        make_url(server_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(text(f"DROP ROLE {role}"))
    admin.dispose()


def _find_binaries() -> Path | None:
    on_path = shutil.which("postgres")
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0])
    )
    candidates = [Path(on_path).resolve().parent] if on_path else []
    for folder in [*candidates, *reversed(debian)]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


@contextmanager
def _own_server(binaries: Path) -> Iterator[str]:
    # Short, because a socket's path has 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="sereno-pg-", dir="/tmp"))
    user = _unprivileged_user()
    try:
        if user:
            shutil.chown(folder, user)
        as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
        data = folder / "data"
        command = [binaries / "initdb", "-D", data, "-U", "sereno", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run([*command, "--no-sync"], check=True, capture_output=True, cwd="/", **as_user)
        with (folder / "log").open("wb") as log:
            options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, *options], stdout=log, stderr=log, cwd="/", **as_user
            )
        try:
            _wait_until_ready(server, binaries, folder)
            yield f"postgresql://sereno@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)  # fast shutdown: open sessions are ended
            server.wait(timeout=START_TIMEOUT_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


def _wait_until_ready(server: "subprocess.Popen[bytes]", binaries: Path, folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    is_ready = [binaries / "pg_isready", "-q", "-h", folder, "-U", "sereno", "-d", "postgres"]
    while subprocess.run(is_ready, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{(folder / 'log').read_text(errors='replace')}")
        time.sleep(0.05)


@contextmanager
def _pgserver() -> Iterator[str]:
    pgserver = import_module("pgserver")
    folder = Path(tempfile.mkdtemp(prefix="sereno-pg-", dir="/tmp"))
    server = pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
