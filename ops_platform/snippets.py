"""How each SDK is pointed at this server: what a developer copies. Code is the same in every language."""

from __future__ import annotations

from typing import NamedTuple

KEY = "YOUR_WRITE_KEY"


class Snippet(NamedTuple):
    """`install`: the command before it; `code` carries {address} and {key}. 神策 takes no blanks in names of events."""

    key: str
    label: str
    install: str
    code: str


SNIPPETS = (
    Snippet(
        "segment-js",
        "Segment · JavaScript",
        "npm install @segment/analytics-next",
        """import { AnalyticsBrowser } from "@segment/analytics-next";

const analytics = AnalyticsBrowser.load({ writeKey: "{key}", cdnURL: "{address}" });
analytics.identify("user-1", { name: "Li Na" });
analytics.track("Order Completed", { order_id: "A-1001", total: 99.5 });""",
    ),
    Snippet(
        "segment-node",
        "Segment · Node.js",
        "npm install @segment/analytics-node",
        """import { Analytics } from "@segment/analytics-node";

const analytics = new Analytics({ writeKey: "{key}", host: "{address}", path: "/v1/batch" });
analytics.identify({ userId: "user-1", traits: { name: "Li Na" } });
analytics.track({ userId: "user-1", event: "Order Completed", properties: { order_id: "A-1001", total: 99.5 } });
await analytics.closeAndFlush();""",
    ),
    Snippet(
        "segment-python",
        "Segment · Python",
        "pip install segment-analytics-python",
        """import segment.analytics as analytics

analytics.write_key, analytics.host = "{key}", "{address}"
analytics.identify("user-1", {"name": "Li Na"})
analytics.track("user-1", "Order Completed", {"order_id": "A-1001", "total": 99.5})
analytics.flush()""",
    ),
    Snippet(
        "rudder-python",
        "RudderStack · Python",
        "pip install rudder-sdk-python",
        """import rudderstack.analytics as analytics

analytics.write_key, analytics.dataPlaneUrl = "{key}", "{address}"
analytics.identify("user-1", {"name": "Li Na"})
analytics.track("user-1", "Order Completed", {"order_id": "A-1001", "total": 99.5})
analytics.flush()""",
    ),
    Snippet(
        "posthog-js",
        "PostHog · JavaScript",
        "npm install posthog-js",
        """import posthog from "posthog-js";

posthog.init("{key}", { api_host: "{address}", advanced_disable_flags: true });
posthog.identify("user-1", { name: "Li Na" });
posthog.capture("Order Completed", { order_id: "A-1001", total: 99.5 });""",
    ),
    Snippet(
        "posthog-python",
        "PostHog · Python",
        "pip install posthog",
        """from posthog import Posthog

posthog = Posthog("{key}", host="{address}")
posthog.set(distinct_id="user-1", properties={"name": "Li Na"})
posthog.capture("Order Completed", distinct_id="user-1", properties={"order_id": "A-1001", "total": 99.5})
posthog.shutdown()""",
    ),
    Snippet(
        "sensors-js",
        "神策 · JavaScript",
        "npm install sa-sdk-javascript",
        """import sensors from "sa-sdk-javascript";

sensors.init({ server_url: "{address}/sa?project=default&token={key}" });
sensors.login("user-1");
sensors.setProfile({ name: "Li Na" });
sensors.track("OrderCompleted", { order_id: "A-1001", total: 99.5 });""",
    ),
    Snippet(
        "sensors-python",
        "神策 · Python",
        "pip install SensorsAnalyticsSDK",
        """import sensorsanalytics

consumer = sensorsanalytics.BatchConsumer("{address}/sa?project=default&token={key}")
sensors = sensorsanalytics.SensorsAnalytics(consumer)
sensors.profile_set("user-1", {"name": "Li Na"}, is_login_id=True)
sensors.track("user-1", "OrderCompleted", {"order_id": "A-1001", "total": 99.5}, is_login_id=True)
sensors.close()""",
    ),
)


def snippets(address: str, key: str = KEY) -> list[Snippet]:
    """Every snippet with the server's address and the key in it."""
    return [
        one._replace(code=one.code.replace("{address}", address.rstrip("/")).replace("{key}", key)) for one in SNIPPETS
    ]
