"""The Python SDKs as a program of their own: `python tests/sdks/clients.py SDK`, told the rest by the environment.

ADDRESS and WRITE_KEY; EVENTS orders with Chinese text, one every PACE_MS. The first ten come from a visitor, ten more from
another one, the rest from a user whom the visitors turn out to be. Prints JSON: errors the SDK told of, and how many of its
requests failed. The SDKs are as they come; only a counter stands at the sockets of `requests`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import requests.adapters

ADDRESS, KEY = os.environ["ADDRESS"], os.environ["WRITE_KEY"]
EVENTS, PACE_S = int(os.environ["EVENTS"]), int(os.environ["PACE_MS"]) / 1000
SDK = sys.argv[1]
VISITOR, OTHER_VISITOR, USER = f"访客-{SDK}", f"旧访客-{SDK}", f"用户-{SDK}"
errors: list[str] = []
failed = 0
plain_send = requests.adapters.HTTPAdapter.send


def counted_send(*args: Any, **options: Any) -> requests.Response:
    global failed
    try:
        response = plain_send(*args, **options)
    except Exception:
        failed += 1
        raise
    failed += response.status_code >= 500
    return response


requests.adapters.HTTPAdapter.send = counted_send  # type: ignore[method-assign]


def note(error: Any, *_items: Any) -> None:
    errors.append(repr(error))


def order(n: int) -> dict[str, Any]:
    return {"sdk": SDK, "n": n, "total": 9.9, "product": "手机壳"}


def say_segment() -> None:
    if SDK.startswith("rudder"):
        from rudderstack.analytics.client import Client
    else:
        from segment.analytics.client import Client
    client = Client(KEY, host=ADDRESS, upload_size=20, on_error=note)
    for n in range(EVENTS):
        if n == 10:
            client.identify(USER, {"name": "张伟", "city": "上海"}, anonymous_id=VISITOR)
        if n == 20:
            client.alias(OTHER_VISITOR, USER)
        visitor = VISITOR if n < 10 else OTHER_VISITOR
        client.track(None if n < 20 else USER, "Order Completed", order(n), anonymous_id=visitor if n < 20 else None)
        time.sleep(PACE_S)
    client.shutdown()


def say_posthog() -> None:
    from posthog import Posthog

    client = Posthog(KEY, host=ADDRESS, flush_at=20, max_retries=10, on_error=note)
    for n in range(EVENTS):
        if n == 10:
            told = {"$anon_distinct_id": VISITOR, "$set": {"name": "张伟", "city": "上海"}}
            client.capture("$identify", distinct_id=USER, properties=told)
        if n == 20:
            client.alias(OTHER_VISITOR, USER)
        who = VISITOR if n < 10 else OTHER_VISITOR if n < 20 else USER
        # A server speaks of users unless it says that this is nobody known.
        client.capture(
            "Order Completed",
            distinct_id=who,
            properties=order(n) | ({"$process_person_profile": False} if n < 10 else {}),
        )
        time.sleep(PACE_S)
    client.shutdown()


def say_sensors() -> None:
    from sensorsanalytics.sdk import BatchConsumer, SensorsAnalytics

    client = SensorsAnalytics(BatchConsumer(f"{ADDRESS}/sa?project=default&token={KEY}", 20))
    for n in range(EVENTS):
        if n == 20:
            client.track_signup(USER, VISITOR)
            client.profile_set(USER, {"name": "张伟", "city": "上海"}, is_login_id=True)
        client.track(VISITOR if n < 20 else USER, "OrderCompleted", order(n), is_login_id=n >= 20)
        time.sleep(PACE_S)
    client.close()


if __name__ == "__main__":
    {
        "segment-python": say_segment,
        "rudder-python": say_segment,
        "posthog-python": say_posthog,
        "sensors-python": say_sensors,
    }[SDK]()
    print(json.dumps({"errors": errors, "failed": failed}))
