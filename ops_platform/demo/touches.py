"""What the shop's operators did: segments, three campaigns that really leave over local servers, three of the past."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from campaigns import sending
from campaigns.accounts import save_account
from campaigns.channels import get_channel
from campaigns.editing import save_campaign
from campaigns.links import make_url
from campaigns.local_servers import LocalInbox
from campaigns.models import Campaign, Delivery, Run
from campaigns.services import launch, sweep
from segmentation.models import Segment
from segmentation.services import create_segment
from users.models import EndUser, person_id
from users.services import set_consent
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

ORDER = "Order Completed"


def rule(kind: str, **values: Any) -> dict[str, Any]:
    return {"kind": kind, **values}


# name, goal, definition. Each tells one thing an operator of this shop would look for.
SEGMENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "流失风险 · 高价值",
        "value",
        {"all": [rule("activity", flags=["slipping"]), rule("rfm_bits", classes=["111", "011"])]},
    ),
    (
        "新客首单未复购",
        "scale",
        {"all": [rule("stage", stages=["use"]), rule("fact", fact="orders", compare="exactly", number=1)]},
    ),
    ("沉睡待唤醒", "scale", {"all": [rule("activity", flags=["dormant"]), rule("stage", stages=["use", "churned"])]}),
    ("核心客户", "value", {"all": [rule("rfm_group", groups=["champions"])]}),
)


def connect(workspace: Workspace, inbox: LocalInbox) -> None:
    """Point the workspace's channels at the local servers of this run."""
    with workspace_scope(workspace):
        for channel, config in inbox.configs().items():
            save_account(channel, config)


def make_segments(workspace: Workspace) -> dict[str, Segment]:
    with workspace_scope(workspace):
        return {name: create_segment(name, definition, goal) for name, goal, definition in SEGMENTS}


EMAIL_BODY = """<p>{{ user.name | default: "您好" }}，</p>
<p>好久不见。为您留了一张满 59 减 15 的券，三天内可用。</p>
<p><a href="https://shop.example/coupons?from=mail">去看看</a></p>
<p><a href="{{ unsubscribe_url }}">不想再收到这类邮件</a></p>"""

CAMPAIGNS: tuple[dict[str, Any], ...] = (
    {
        "name": "8月邮件唤醒",
        "channel": "email",
        "segment": "沉睡待唤醒",
        "content": {
            "subject": "{{ user.name }}，满 59 减 15 等您来用",
            "body_html": EMAIL_BODY,
            "from_name": "示例电商",
        },
    },
    {
        "name": "高价值流失风险短信",
        "channel": "sms",
        "segment": "流失风险 · 高价值",
        "content": {"template_code": "SMS_200000002", "params": {"name": "{{ user.name }}"}},
    },
    {
        "name": "核心客户新品推送",
        "channel": "push",
        "segment": "核心客户",
        "content": {
            "title": "新品到了",
            "body_text": "{{ user.name }}，常买的品类上新了，点开看看。",
            "url": "https://shop.example/new",
        },
    },
)
SECOND_MAIL = {
    "name": "8月邮件唤醒（第二封）",
    "channel": "email",
    "segment": "沉睡待唤醒",
    "content": {"subject": "券还有两天过期", "body_html": EMAIL_BODY, "from_name": "示例电商"},
}


def send_campaign(workspace: Workspace, spec: dict[str, Any], at: datetime) -> Campaign:
    """Launch one campaign as of `at` (the shop's own clock) and send it to the end; returns it."""
    with workspace_scope(workspace):
        segment = Segment.objects.get(name=spec["segment"])
        values = spec | {"segment": segment.pk, "control_percent": 20, "conversion_event": ORDER, "conversion_days": 7}
        campaign = save_campaign(None, values)
        launch(campaign, now=at)
    sending.send_due(workspace, spec["channel"])
    with workspace_scope(workspace):
        sweep()
    return campaign


def unsubscribe_some(workspace: Workspace, campaign: Campaign, address: str, people: int = 5) -> list[uuid.UUID]:
    """Press the one-click link of the first few mails, over HTTP as a mail provider does; returns whose."""
    import httpx

    with workspace_scope(workspace):
        rows = list(Delivery.objects.filter(run__campaign=campaign, state="sent").order_by("end_user_id")[:people])
    for row in rows:
        path = make_url("unsubscribe", workspace.pk, row.delivery_id).split("/t/", 1)[1]
        httpx.post(f"{address}/t/{path}", data={"List-Unsubscribe": "One-Click"}).raise_for_status()
    return [row.end_user_id for row in rows]


def record_past(workspace: Workspace, past: dict[str, Any]) -> None:
    """A campaign that another tool sent: its arms become deliveries, so that the night settles it like our own."""
    at = datetime.fromtimestamp(past["sent_at_ms"] / 1000, tz=timezone.get_default_timezone())
    channel = past["channel"]
    address_of = get_channel(channel).address_attribute
    with workspace_scope(workspace):
        control_percent = round(100 * len(past["control"]) / (len(past["treated"]) + len(past["control"])))
        campaign = Campaign.objects.create(
            name=past["name"],
            channel=channel,
            content={"title": past["name"], "body_text": past["body"]},
            state="finished",
            control_percent=control_percent,
            conversion_event=ORDER,
            conversion_days=past["window_days"],
            created_at=at - timedelta(days=1),
            recorded=True,
        )
        run = Run.objects.create(
            campaign=campaign, due_at=at, frozen_at=at, finished_at=at, state="finished", content=campaign.content
        )
        run.treated, run.control = len(past["treated"]), len(past["control"])
        run.matched = run.eligible = run.treated + run.control
        run.save()
        rows = []
        for arm in ("treated", "control"):
            ids = [person_id(workspace.pk, external_id) for external_id in past[arm]]
            addresses = dict(EndUser.objects.filter(pk__in=ids).values_list("pk", address_of))
            state = "sent" if arm == "treated" else "control"
            rows += [
                Delivery(
                    workspace=workspace,
                    end_user_id=pk,
                    run=run,
                    channel=channel,
                    address=addresses.get(pk, ""),
                    arm=arm,
                    state=state,
                    reason="" if arm == "treated" else "control",
                    sent_at=at if arm == "treated" else None,
                )
                for pk in ids
            ]
        Delivery.objects.bulk_create(rows, batch_size=1000)
        gone = [person_id(workspace.pk, external_id) for external_id in past["opted_out"]]
        set_consent(gone, channel, False, past["name"], at)
