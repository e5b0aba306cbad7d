"""What stored keys are called, in one place, so that a stage or a state has the same name on every page."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from lifecycle import churn
from lifecycle.stages import upward
from ops_platform import nightly
from segmentation import rfm

Name = str | Promise

# The places that decide also give the names; here they are only gathered.
STAGES: dict[str, Name] = {stage.key: stage.label for stage in upward()}
ACTIVITIES: dict[str, Name] = {key: activity.label for key, activity in churn.ACTIVITIES.items()}
GROUPS: dict[str, Name] = {key: group.label for key, group in rfm.GROUPS.items()}
VALUE_CLASSES: dict[str, Name] = rfm.VALUE_CLASSES
CHANNELS: dict[str, Name] = {
    "email": _("Email"),
    "sms": _("SMS"),
    "push": _("Push"),
}
CAMPAIGN_STATES: dict[str, Name] = {
    "draft": _("Draft"),
    "scheduled": _("Scheduled"),
    "due": _("Due"),
    "running": pgettext_lazy("campaign", "Sending"),
    "paused": _("Paused"),
    "finished": _("Finished"),
    "cancelled": _("Cancelled"),
}
DELIVERY_STATES: dict[str, Name] = {
    "pending": _("Waiting"),
    "claimed": _("About to send"),
    "sending": pgettext_lazy("delivery", "Sending"),
    "deferred": _("Will be tried again"),
    "sent": _("Sent"),
    "failed": _("Failed"),
    "suppressed": _("Not sent"),
    "unknown": _("Outcome unknown"),
    "control": _("Control"),
}
REASONS: dict[str, Name] = {
    "no_address": _("no address on this channel"),
    "opted_out": _("opted out"),
    "no_consent": _("has not agreed"),
    "suppressed": _("on the suppression list"),
    "capped": _("frequency cap reached"),
    "quiet_hours": _("quiet hours"),
    "control": _("control group, left alone on purpose"),
    "left_segment": _("had left the segment"),
    "template_error": _("the message could not be written for this person"),
    "cancelled": _("the campaign was stopped first"),
    "bounced": _("the address bounced"),
    "invalid_address": _("the address is not valid"),
}
JOB_STATES: dict[str, Name] = {
    "new": _("Not started"),
    "due": _("Queued"),
    "waiting": _("Waiting"),
    "running": _("Running"),
    "done": _("Done"),
    "failed": _("Failed"),
    "skipped": _("Skipped"),
    "cancelled": _("Cancelled"),
}
ROLES: dict[str, Name] = {
    "owner": pgettext_lazy("role", "Owner"),
    "admin": pgettext_lazy("role", "Admin"),
    "operator": pgettext_lazy("role", "Operator"),
    "analyst": pgettext_lazy("role", "Analyst"),
}
STEPS: dict[str, Name] = {step.key: step.label for step in nightly.STEPS}
LIMIT_KINDS: dict[str, Name] = {
    "fixed": _("the same for everybody"),
    "personal": _("from their own rhythm"),
    "default": _("too few active days for a rhythm of their own"),
    "balance": _("by balance"),
}
INDUSTRIES: dict[str, Name] = {
    "none": pgettext_lazy("industry", "None of these"),
    "ecommerce": pgettext_lazy("industry", "E-commerce"),
    "ugc": pgettext_lazy("industry", "Content community"),
    "finance": pgettext_lazy("industry", "Finance"),
    "live": pgettext_lazy("industry", "Live streaming"),
    "social": pgettext_lazy("industry", "Social"),
    "game": pgettext_lazy("industry", "Games"),
    "tool": pgettext_lazy("industry", "Tools"),
}

KINDS: dict[str, dict[str, Name]] = {
    "stage": STAGES,
    "activity": ACTIVITIES,
    "rfm": GROUPS,
    "bits": VALUE_CLASSES,
    "channel": CHANNELS,
    "campaign": CAMPAIGN_STATES,
    "run": CAMPAIGN_STATES,
    "delivery": DELIVERY_STATES,
    "reason": REASONS,
    "job": JOB_STATES,
    "role": ROLES,
    "step": STEPS,
    "limit": LIMIT_KINDS,
    "industry": INDUSTRIES,
}
MOODS = {
    "good": {"sent", "done", "finished"},
    "busy": {"running", "sending", "claimed", "scheduled", "due"},
    "bad": {"failed", "unknown"},
    "warn": {"paused", "deferred"},
}


def label(kind: str, key: str) -> Name:
    """The name of a key; an unknown key is shown as it is, never hidden."""
    return KINDS[kind].get(key, key)


def mood(state: str) -> str:
    """How a state feels: good, busy, bad, warn or calm. Decides its colour."""
    return next((name for name, states in MOODS.items() if state in states), "calm")
