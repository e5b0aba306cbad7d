"""A workspace that can send: people, a segment, accounts that lead to a local inbox, campaigns."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Now

from campaigns.accounts import save_account
from campaigns.editing import save_campaign
from campaigns.local_servers import LocalInbox
from campaigns.models import Campaign, Delivery, Run
from campaigns.sending import send_due
from campaigns.services import launch, sweep
from segmentation.models import Segment
from users.models import EndUser, person_id
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

BODY = '<p>{{ user.name }}，<a href="https://shop.example/sale?from=mail">去看看</a> <a href="{{ unsubscribe_url }}">退订</a></p>'
CONTENT: dict[str, dict[str, Any]] = {
    "email": {"subject": "{{ user.name }}，会员日", "body_html": BODY},
    "sms": {"template_code": "SMS_200000002", "params": {"name": "{{ user.name }}"}},
    "push": {"title": "降价了", "body_text": "{{ user.name }}，去看看", "url": "https://shop.example/cart"},
}


def make_people(workspace: Workspace, count: int, prefix: str = "p", **fields: Any) -> list[EndUser]:
    """`count` identified people with an address on every channel, from the source "store"."""
    with workspace_scope(workspace):
        return EndUser.objects.bulk_create(
            EndUser(
                id=person_id(workspace.pk, f"{prefix}{n}"),
                workspace=workspace,
                external_id=f"{prefix}{n}",
                **(
                    {
                        "name": f"小{n}",
                        "email": f"{prefix}{n}@example.com",
                        "phone": f"+86138{n:08d}",
                        "push_token": f"device-{prefix}{n}",
                        "source": "store",
                    }
                    | fields
                ),
            )
            for n in range(count)
        )


def make_segment(workspace: Workspace, name: str = "门店来的人", source: str = "store") -> Segment:
    with workspace_scope(workspace):
        rule = {"all": [{"kind": "source", "sources": [source]}]}
        return Segment.objects.get_or_create(name=name, defaults={"definition": rule, "workspace": workspace})[0]


def connect(workspace: Workspace, inbox: LocalInbox, **changes: Any) -> None:
    """Accounts of all channels that lead to the inbox; `changes` are settings such as timeout."""
    with workspace_scope(workspace):
        for channel, config in inbox.configs().items():
            save_account(channel, config | {"timeout": 3} | changes)


def make_campaign(workspace: Workspace, channel: str = "email", **values: Any) -> Campaign:
    with workspace_scope(workspace):
        given = {
            "name": "会员日",
            "channel": channel,
            "segment": make_segment(workspace).pk,
            "content": CONTENT[channel],
            "control_percent": 0,
            "conversion_event": "Order Completed",
            "conversion_days": 7,
        }
        return save_campaign(None, given | values)


def start(workspace: Workspace, campaign: Campaign, **when: Any) -> Run:
    with workspace_scope(workspace):
        run = launch(campaign, **when)
        run.refresh_from_db()
        return run


def send(workspace: Workspace, campaign: Campaign, **when: Any) -> Run:
    """Launch, send to the end, sweep; returns the run as it is then."""
    run = start(workspace, campaign, **when)
    send_due(workspace, campaign.channel)
    with workspace_scope(workspace):
        sweep()
        run.refresh_from_db()
        campaign.refresh_from_db()
    return run


def states(workspace: Workspace, campaign: Campaign) -> dict[str, int]:
    """How many deliveries are in each state, as "state" or "state/reason"."""
    found: dict[str, int] = {}
    for row in deliveries(workspace, campaign):
        key = f"{row.state}/{row.reason}" if row.reason and row.state != "control" else row.state
        found[key] = found.get(key, 0) + 1
    return found


def deliveries(workspace: Workspace, campaign: Campaign) -> list[Delivery]:
    with workspace_scope(workspace):
        return list(Delivery.objects.filter(run__campaign=campaign).order_by("address"))


def make_due(workspace: Workspace) -> None:
    """Let the waiting time of deferred messages pass."""
    with workspace_scope(workspace):
        Delivery.objects.filter(state="deferred").update(next_at=Now())


def refresh(workspace: Workspace, *rows: Any) -> None:
    with workspace_scope(workspace):
        for row in rows:
            row.refresh_from_db()
