"""Sending: claim, commit, send, record. The delivery row is the job; whoever moves its state did the work.

1. claim      a chunk of due rows gets a lease token (SKIP LOCKED), committed
2. start      a group of k rows becomes `sending`, committed; then those who may not be written to any more are held back
3. send       the channel speaks to the provider, outside any transaction
4. record     results are written where state and token still match: a zombie whose lease was taken writes nothing

A killed sender leaves at most k rows in `sending`; the sweeper makes them `unknown` and they are not sent again.
"""

from __future__ import annotations

import json
import logging
import math
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from campaigns.channels import Channel, ChannelError, Message, Result, get_channel
from campaigns.editing import refusal
from campaigns.letters import Letter, contexts_of, prepare, write
from campaigns.models import Campaign, ChannelAccount, Delivery, Run
from campaigns.outcomes import outcome, storable
from campaigns.secrets import unseal
from campaigns.suppressions import hashing, suppress
from campaigns.template_rules import TemplateError
from users.devices import bury
from workspaces.errors import DomainError
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import audit
from workspaces.sql import is_interruption, run_sql

log = logging.getLogger(__name__)

CHUNK = 500
LEASE_SECONDS = 60
CHANNEL_DOWN_SECONDS = 60
# A message to one id of a person waits so long while one to another is leaving.
OTHER_ID_SECONDS = 30


@dataclass
class Job:
    """One sender at work on one claimed chunk. `until` is on the monotonic clock."""

    workspace: Workspace
    channel: Channel
    config: dict[str, Any]
    in_flight: int
    run: Run
    letter: Letter
    token: uuid.UUID
    rows: dict[uuid.UUID, dict[str, Any]]
    contexts: dict[uuid.UUID, dict[str, Any]]
    until: float
    lease_seconds: int
    renew_at: float = 0.0
    waiting: list[Result] = field(default_factory=list)
    done: int = 0


def send_due(workspace: Workspace, channel_key: str, seconds: float = math.inf) -> int:
    """Send everything due on a channel, run by run and chunk by chunk; returns how many rows got a result.

    Stops between two groups when `seconds` have passed, and when the channel cannot go on. Opens its own scopes.
    """
    until, total = time.monotonic() + seconds, 0
    for run in running_runs(workspace, channel_key):
        while time.monotonic() < until:
            try:
                job = claim(workspace, run, until)
            except TemplateError as problem:
                pause_runs(workspace, channel_key, refusal(problem).message, run)
                break
            except (DomainError, LookupError) as problem:
                pause_runs(workspace, channel_key, str(problem))
                return total
            if job is None:
                break
            healthy = work(job)
            total += job.done
            if not healthy:
                return total
    return total


def running_runs(workspace: Workspace, channel_key: str) -> list[Run]:
    with workspace_scope(workspace):
        runs = Run.objects.filter(state="running", campaign__channel=channel_key).select_related("campaign")
        return list(runs.order_by("frozen_at"))


def claim(workspace: Workspace, run: Run, until: float = math.inf) -> Job | None:
    """Step 1. None when nothing of the run is due. Raises when nothing could be sent anyway: then nothing is claimed."""
    token = uuid.uuid4()
    with workspace_scope(workspace):
        key = run.campaign.channel
        account = ChannelAccount.objects.filter(channel=key).first()
        if account is None:
            raise DomainError("no_account", _("This channel is not set up yet."))
        channel = get_channel(key)
        config = unseal(channel, account.config)
        lease = lease_seconds(config)
        rows = run_sql("campaigns/claim", run=run.pk, token=token, lease_seconds=lease, limit=CHUNK)
        if not rows:
            return None
        return Job(
            workspace=workspace,
            channel=channel,
            config=config,
            in_flight=max(1, account.in_flight),
            run=run,
            letter=prepare(key, run.content),
            token=token,
            rows={row["delivery_id"]: row for row in rows},
            contexts=contexts_of((row["end_user_id"] for row in rows), workspace),
            until=until,
            lease_seconds=lease,
            renew_at=time.monotonic() + lease / 4,
        )


def lease_seconds(config: dict[str, Any]) -> int:
    """Long enough for the slowest step of the channel, connecting and one message, with room to spare."""
    return max(LEASE_SECONDS, 4 * int(config.get("timeout") or 0))


def work(job: Job) -> bool:
    """Steps 2 to 4 for one chunk. False when the channel could not go on; the rest of the chunk is left for later."""
    try:
        for result in job.channel.send(messages(job), job.config):
            job.waiting.append(result)
            if time.monotonic() > job.renew_at:
                with recording(job):
                    pass
    except ChannelError as problem:
        stop(job, problem)
        return False
    except Exception as problem:
        finish(job)
        # A defect, ours or the channel's: nobody knows what left. Going on would spend the audience on it. Two writers
        # who crossed are none.
        if not is_interruption(problem):
            pause_runs(job.workspace, job.channel.key, _("The channel failed unexpectedly; see the log."))
        raise
    finish(job)
    return True


def messages(job: Job) -> Iterator[Message]:
    """The chunk's messages in groups of k: before each group the results of the last are recorded, then it starts."""
    ids = list(job.rows)
    for start in range(0, len(ids), job.in_flight):
        if time.monotonic() >= job.until:
            return
        yield from start_group(job, ids[start : start + job.in_flight])


def start_group(job: Job, ids: list[uuid.UUID]) -> list[Message]:
    """Step 2 for one group; returns the messages that may leave. What cannot be written fails alone."""
    ready, broken = write_group(job, ids)
    with recording(job):
        for delivery_id, detail in broken.items():
            held(job).filter(delivery_id=delivery_id, state="claimed").update(
                state="failed", reason="template_error", detail=detail, lease_token=None, lease_until=None
            )
        started = run_sql(
            "campaigns/start_attempts", token=job.token, deliveries=list(ready), lease_seconds=job.lease_seconds
        )
    going = [row["delivery_id"] for row in started if row["state"] == "sending"]
    stopped = hold_back(job, going)
    return [ready[delivery_id] for delivery_id in going if delivery_id not in stopped]


def hold_back(job: Job, going: list[uuid.UUID]) -> set[uuid.UUID]:
    """Who of a group that began is not to be written to any more. In a transaction of its own: an opt-out acknowledged before
    the group began is visible to it. Where it fails nothing of the group has left: it is given back, not left unknown."""
    try:
        with workspace_scope(job.workspace):
            told = {"token": job.token, "deliveries": going, "wait_seconds": OTHER_ID_SECONDS}
            return {row["delivery_id"] for row in run_sql("campaigns/hold_back", **told, **hashing(job.channel.key))}
    except Exception:
        with workspace_scope(job.workspace):
            held(job).filter(delivery_id__in=going, state="sending").update(state="claimed")
        raise


def write_group(job: Job, ids: list[uuid.UUID]) -> tuple[dict[uuid.UUID, Message], dict[uuid.UUID, str]]:
    """(message by delivery, what is wrong by delivery)."""
    ready: dict[uuid.UUID, Message] = {}
    broken: dict[uuid.UUID, str] = {}
    for delivery_id in ids:
        row = job.rows[delivery_id]
        context = job.contexts.get(row["end_user_id"])
        if context is None:
            broken[delivery_id] = _("This user no longer exists.")
            continue
        try:
            ready[delivery_id] = write(job.letter, context, job.workspace.pk, delivery_id, row["address"])
        except TemplateError as problem:
            broken[delivery_id] = storable(refusal(problem).message, 300)
        except Exception as problem:  # one person's data must not stop everybody's campaign
            log.exception("delivery %s could not be written", delivery_id)
            broken[delivery_id] = type(problem).__name__
    return ready, broken


def held(job: Job) -> Any:
    """Rows that this sender still holds."""
    return Delivery.objects.filter(lease_token=job.token, state__in=["claimed", "sending"])


@contextmanager
def recording(job: Job) -> Iterator[None]:
    """A scope that begins with step 4. Of a transaction that failed nothing was written: its results go on waiting."""
    waiting, done = job.waiting, job.done
    try:
        with workspace_scope(job.workspace):
            record(job)
            yield
    except BaseException:
        job.waiting, job.done = waiting, done
        raise


def record(job: Job) -> None:
    """Step 4: write the results that came in since the last time, and keep the lease. Needs an open scope."""
    results, job.waiting = job.waiting, []
    if results:
        bad = [job.rows[result.delivery_id] for result in results if result.address_is_bad]
        suppress(job.channel.key, [row["address"] for row in bad], "bounced")
        if job.channel.address_attribute == "push_token":
            bury({(row["end_user_id"], row["address"]) for row in bad})
        outcomes = [outcome(result, job.rows[result.delivery_id]["attempts"] + 1) for result in results]
        ids = [result.delivery_id for result in results]
        written = run_sql("campaigns/record_results", token=job.token, deliveries=ids, results=json.dumps(outcomes))
        job.done += len(written)
        if len(written) < len(results):
            log.warning("run %s: %s results came after their lease was taken", job.run.pk, len(results) - len(written))
        if job.run.error and job.done:
            Run.objects.filter(pk=job.run.pk, state="running").update(error="")
            job.run.error = ""
    if time.monotonic() > job.renew_at:
        run_sql("campaigns/renew_lease", token=job.token, lease_seconds=job.lease_seconds)
        job.renew_at = time.monotonic() + job.lease_seconds / 4


def finish(job: Job) -> None:
    """Record what is left and give claimed rows back at once; rows in `sending` without a result stay for the sweeper."""
    with recording(job):
        held(job).filter(state="claimed").update(state="pending", lease_token=None, lease_until=None)


def stop(job: Job, problem: ChannelError) -> None:
    """The channel cannot go on: rows without a result were not sent. They wait a minute; a permanent problem pauses."""
    words = storable(f"{problem.code}: {problem.detail}".strip(": "), 300)
    with workspace_scope(job.workspace):
        # The run before its deliveries, as whoever cancels it takes them.
        Run.objects.filter(pk=job.run.pk, state="running").update(error=words)
        record(job)
        run_sql("campaigns/let_go", token=job.token, detail=words, wait_seconds=CHANNEL_DOWN_SECONDS)
    if problem.permanent:
        pause_runs(job.workspace, job.channel.key, words)


def pause_runs(workspace: Workspace, channel_key: str, error: str, run: Run | None = None) -> None:
    """An operator has to change something before more can leave: stop the run, or all of the channel's, and say why."""
    with workspace_scope(workspace):
        runs = Run.objects.filter(state="running", campaign__channel=channel_key)
        for stopped in (runs.filter(pk=run.pk) if run else runs).order_by("campaign_id"):
            # The campaign first, as everywhere.
            paused = Campaign.objects.filter(pk=stopped.campaign_id, state="running").update(state="paused")
            Run.objects.filter(pk=stopped.pk, state="running").update(state="paused", error=storable(error, 300))
            if paused:
                audit("campaign.pause", str(stopped.campaign_id), error=storable(error, 300))
