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
    "topic_opted_out": _("opted out of this topic"),
    "no_consent": _("has not agreed"),
    "suppressed": _("on the suppression list"),
    "excluded": _("excluded from the numbers"),
    "same_person": _("written to under another of their IDs"),
    "capped": _("frequency cap reached"),
    "quiet_hours": _("quiet hours"),
    "control": _("control group, left alone on purpose"),
    "left_segment": _("had left the segment"),
    "template_error": _("the message could not be written for this person"),
    "cancelled": _("the campaign was stopped first"),
    "bounced": _("the address bounced"),
    "complained": _("complained"),
    "by_hand": _("added by hand"),
    "refused": _("the provider refused it"),
    "gave_up": _("tried too often in vain"),
    "no_answer": _("the provider did not answer"),
    "sender_died": _("the sender was interrupted"),
    "deferred": _("the provider asked to come again"),
    "channel_down": _("the channel could not be reached"),
    "invalid_address": _("the address is not valid"),
    "erased": _("the user was erased"),
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
    "paused": _("Paused"),
    "undoing": _("Taking back"),
    "undone": _("Taken back"),
}
EXPORT_STATES: dict[str, Name] = {
    "due": _("Queued"),
    "running": _("Being written"),
    "done": pgettext_lazy("export", "Ready"),
    "failed": _("Failed"),
    "cancelled": _("Cancelled"),
    "gone": pgettext_lazy("export", "Deleted"),
}
RULES_STATES: dict[str, Name] = {
    "due": _("Queued"),
    "previewing": _("Being previewed"),
    "ready": _("Previewed"),
    "wanted": _("Queued"),
    "applying": _("Being applied"),
    "applied": pgettext_lazy("settings", "Applied"),
    "failed": _("Failed"),
}
ERASURE_STATES: dict[str, Name] = {
    "due": _("Queued"),
    "first": _("Being erased"),
    "settling": _("Waiting"),
    "second": _("Being erased"),
    "done": _("Done"),
}
ROLES: dict[str, Name] = {
    "owner": pgettext_lazy("role", "Owner"),
    "admin": pgettext_lazy("role", "Admin"),
    "operator": pgettext_lazy("role", "Operator"),
    "analyst": pgettext_lazy("role", "Analyst"),
}
STEPS: dict[str, Name] = {step.key: step.label for step in nightly.STEPS}
TRIGGERS: dict[str, Name] = {
    "schedule": pgettext_lazy("trigger", "On schedule"),
    "command": pgettext_lazy("trigger", "By a command"),
    "button": pgettext_lazy("trigger", "By hand"),
    "demo": pgettext_lazy("trigger", "With the demo data"),
}
ACTIONS: dict[str, Name] = {
    "attribute.change": pgettext_lazy("audit", "Changed an attribute"),
    "campaign.cancel": pgettext_lazy("audit", "Cancelled a campaign"),
    "campaign.copy": pgettext_lazy("audit", "Copied a campaign"),
    "campaign.launch": pgettext_lazy("audit", "Launched a campaign"),
    "campaign.not_started": pgettext_lazy("audit", "A campaign could not start"),
    "campaign.pause": pgettext_lazy("audit", "Paused a campaign"),
    "campaign.resume": pgettext_lazy("audit", "Resumed a campaign"),
    "campaign.save": pgettext_lazy("audit", "Saved a campaign"),
    "campaign.send_unknown_again": pgettext_lazy("audit", "Sent messages of unknown outcome again"),
    "campaign.test": pgettext_lazy("audit", "Sent a test message"),
    "channel.save": pgettext_lazy("audit", "Changed a channel"),
    "channel.test": pgettext_lazy("audit", "Tested a channel"),
    "night.run": pgettext_lazy("audit", "Computed a day again"),
    "events.expire": pgettext_lazy("audit", "Deleted events that are kept no longer"),
    "cost.remove": pgettext_lazy("audit", "Removed the cost of a source"),
    "cost.save": pgettext_lazy("audit", "Entered the cost of a source"),
    "import.cancel": pgettext_lazy("audit", "Cancelled an import"),
    "import.loosen": pgettext_lazy("audit", "Let an import take in opt-ins"),
    "import.pause": pgettext_lazy("audit", "Paused an import"),
    "import.resume": pgettext_lazy("audit", "Went on with an import"),
    "import.run": pgettext_lazy("audit", "Started an import"),
    "import.undo": pgettext_lazy("audit", "Took an import back"),
    "export.download": pgettext_lazy("audit", "Downloaded an exported list"),
    "export.run": pgettext_lazy("audit", "Exported a list"),
    "key.create": pgettext_lazy("audit", "Made a key"),
    "key.limit": pgettext_lazy("audit", "Limited a key"),
    "key.revoke": pgettext_lazy("audit", "Revoked a key"),
    "member.add": pgettext_lazy("audit", "Added a member"),
    "member.invite": pgettext_lazy("audit", "Invited a colleague"),
    "member.remove": pgettext_lazy("audit", "Removed a member"),
    "member.role": pgettext_lazy("audit", "Changed a member's role"),
    "mapping.change": pgettext_lazy("audit", "Changed the meaning of events"),
    "people.consent": pgettext_lazy("audit", "Changed people's consent"),
    "people.erase": pgettext_lazy("audit", "Erased a user"),
    "people.exclude": pgettext_lazy("audit", "Excluded people"),
    "people.export": pgettext_lazy("audit", "Exported what is held about a user"),
    "people.include": pgettext_lazy("audit", "Counted people again"),
    "people.merge": pgettext_lazy("audit", "Merged two IDs"),
    "people.readmit": pgettext_lazy("audit", "Let an erased ID in again"),
    "people.tag": pgettext_lazy("audit", "Tagged people"),
    "people.unmerge": pgettext_lazy("audit", "Took a merge of IDs back"),
    "people.untag": pgettext_lazy("audit", "Took a tag off people"),
    "segment.archive": pgettext_lazy("audit", "Archived a segment"),
    "segment.create": pgettext_lazy("audit", "Made a segment"),
    "segment.delete": pgettext_lazy("audit", "Deleted a segment"),
    "segment.restore": pgettext_lazy("audit", "Restored a segment"),
    "segment.update": pgettext_lazy("audit", "Changed a segment"),
    "settings.ask": pgettext_lazy("audit", "Asked for settings to be changed"),
    "settings.change": pgettext_lazy("audit", "Changed settings"),
    "topic.create": pgettext_lazy("audit", "Made a topic"),
    "topic.rename": pgettext_lazy("audit", "Renamed a topic"),
    "tag.bind": pgettext_lazy("audit", "Gave a tag by rule"),
    "tag.unbind": pgettext_lazy("audit", "Took a tag's rule away"),
    "suppression.add": pgettext_lazy("audit", "Put addresses on the suppression list"),
    "suppression.release": pgettext_lazy("audit", "Took an address off the suppression list"),
}
# Where a word on being written to came from, when it was told by us; files, programs and forms give names of their own.
CONSENT_SOURCES: dict[str, Name] = {
    "unsubscribe_link": pgettext_lazy("consent", "unsubscribe link"),
    "operator": pgettext_lazy("consent", "by an operator"),
    "sdk": pgettext_lazy("consent", "SDK"),
    "api": pgettext_lazy("consent", "API"),
}
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
    "export": EXPORT_STATES,
    "erasure": ERASURE_STATES,
    "rules": RULES_STATES,
    "role": ROLES,
    "step": STEPS,
    "audit": ACTIONS,
    "trigger": TRIGGERS,
    "consent": CONSENT_SOURCES,
    "limit": LIMIT_KINDS,
    "industry": INDUSTRIES,
}
MOODS = {
    "good": {"sent", "done", "finished", "applied"},
    "busy": {
        "running",
        "sending",
        "claimed",
        "scheduled",
        "due",
        "undoing",
        "first",
        "second",
        "settling",
        "previewing",
        "wanted",
        "applying",
    },
    "bad": {"failed", "unknown"},
    "warn": {"paused", "deferred"},
}


def label(kind: str, key: str) -> Name:
    """The name of a key; an unknown key is shown as it is, never hidden."""
    return KINDS[kind].get(key, key)


def mood(state: str) -> str:
    """How a state feels: good, busy, bad, warn or calm. Decides its colour."""
    return next((name for name, states in MOODS.items() if state in states), "calm")
