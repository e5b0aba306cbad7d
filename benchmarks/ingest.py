"""Durable events over HTTP against what the same tables take by raw COPY, in one run on one machine.

The load generator runs beside the server, with 64 connections that send batches, or 256 and 512 that send single events: the
more wait at the same time, the more share a commit. Ratios are the figures; every number is the median of RUNS.
"""

from __future__ import annotations

import json
import secrets
import statistics
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import psycopg2
from django.db import connection as django_connection

from ops_platform.serving import Children, answers, free_port, wait_until
from users.ingest.write import ensure_months
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import create_key, create_workspace

RUNS = 5
ROWS, ROWS_ONE = 400_000, 3_000
BATCHES, SINGLES = 1_500, 20_000
CONNECTIONS = (256, 512)
WORKERS = 2


def run() -> None:
    """Print the rates of COPY, of batches and of single events, their ratios, latencies and memory."""
    workspace = create_workspace(f"bench-{secrets.token_hex(3)}", "Bench")
    with workspace_scope(workspace):
        _key, secret = create_key("write", "bench")
        now = datetime.now(UTC)
        ensure_months({f"{day:%Y-%m}" for day in (now - timedelta(days=n) for n in range(32))})
    many, one = copy_rate(workspace, ROWS, RUNS), copy_rate(workspace, ROWS_ONE, RUNS, per_commit=1)
    print(f"COPY, one connection       {many:,.0f} rows/s at {ROWS:,} per commit; {one:,.0f} at one per commit")
    with Children() as children:
        port = start(children)
        many_of = ("--connections", "64", "--requests")
        load(port, secret, *many_of, "4000", "--age", "3600")  # everybody is known since an hour ago
        batch = [load(port, secret, *many_of, str(BATCHES)) for _ in range(RUNS)]
        twice = [load(port, secret, *many_of, str(BATCHES // 2), "--twice") for _ in range(RUNS)]
        single = {
            clients: [
                load(port, secret, "--items", "1", "--requests", str(SINGLES), "--connections", str(clients))
                for _ in range(RUNS)
            ]
            for clients in CONNECTIONS
        }
        peak = middle(batch, "requests_s")
        calm = load(port, secret, "--requests", str(BATCHES), "--rate", f"{peak * 0.8:.1f}", "--connections", "64")
        memory = sum(pss_of(pid) for pid in family(children.running[0].pid)) / 1024
    report("batches of 100", batch, "events_s", many)
    report("the same, each sent twice", twice, "events_s", many)
    for clients, runs in single.items():
        report(f"single events, {clients} clients", runs, "requests_s", one)
    print(f"at 80 % of the peak        p50 {calm['p50_ms']:.0f} ms, p99 {calm['p99_ms']:.0f} ms")
    print(f"memory of ingest           {memory:.0f} MB (PSS of {WORKERS} workers and their parent)")


def report(name: str, runs: list[dict[str, float]], rate: str, base: float) -> None:
    p50, p99, bad = (middle(runs, key) for key in ("p50_ms", "p99_ms", "bad"))
    print(
        f"{name:26} {middle(runs, rate):,.0f}/s = {middle(runs, rate) / base:.2f} x COPY;"
        f" p50 {p50:.0f} ms, p99 {p99:.0f} ms, {bad:.0f} not answered with 200"
    )


def middle(runs: list[dict[str, float]], key: str) -> float:
    return statistics.median(told[key] for told in runs)


def copy_rate(workspace: Workspace, rows: int, runs: int, per_commit: int = 0) -> float:
    """Rows a second into the event table by COPY on one connection as a superuser, past every check of ours."""
    connection = superuser()
    rates = []
    for _ in range(runs):
        made = [row(workspace) for _ in range(rows)]
        chunks = ["".join(made)] if not per_commit else made
        began = time.perf_counter()
        for chunk in chunks:
            with connection, connection.cursor() as cursor:
                cursor.copy_expert("copy event from stdin", StringIO(chunk))
        rates.append(rows / (time.perf_counter() - began))
    connection.close()
    return statistics.median(rates)


def superuser() -> Any:
    params = django_connection.get_connection_params()
    return psycopg2.connect(dbname=params["dbname"], host=params["host"], port=params.get("port"), user="postgres")


RNG = Random(7)


def row(workspace: Workspace) -> str:
    """The same shape of event that the load generator sends, as a line of COPY."""
    person, event, message = (uuid.UUID(int=RNG.getrandbits(128), version=5) for _ in range(3))
    at = (datetime.now(UTC) - timedelta(seconds=RNG.random() * 600)).isoformat()
    properties = (
        f'{{"category":"美妆","price":{RNG.randrange(10_000) / 100},"sku":"s{RNG.randrange(5000)}","position":3}}'
    )
    fields = (workspace.id, person, at, event, at, at, RNG.randrange(1, 26), message, properties, *["\\N"] * 3)
    return "\t".join(map(str, fields)) + "\n"


def start(children: Children) -> int:
    port = free_port()
    children.start(sys.executable, "-m", "ops_platform.web", "--port", str(port), "--workers", str(WORKERS))
    wait_until(lambda: answers(f"http://127.0.0.1:{port}"), "The web server did not start.")
    return port


def load(port: int, key: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", str(port), key, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    children = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [pid, *(found for child in children for found in family(child))]


def pss_of(pid: int) -> int:
    """Proportional set size in KiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
