"""Collects events chapter by chapter and binds them into one table in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd


@dataclass
class Journal:
    """Events as parallel columns: person index, Unix milliseconds, name, compact JSON properties, visitor or not."""

    person: list[np.ndarray] = field(default_factory=list)
    at_ms: list[np.ndarray] = field(default_factory=list)
    names: list[tuple[str, int]] = field(default_factory=list)
    properties: list[np.ndarray] = field(default_factory=list)
    anonymous: list[bool] = field(default_factory=list)

    def add(
        self, event: str, person: np.ndarray, at_ms: np.ndarray, properties: Sequence[str], anonymous: bool = False
    ) -> None:
        """`properties` holds one JSON object text per event. Anonymous events are told under the visitor's id."""
        text = np.empty(len(person), object)
        text[:] = properties
        self.person.append(np.asarray(person))
        self.at_ms.append(np.asarray(at_ms, np.int64))
        self.names.append((event, len(person)))
        self.properties.append(text)
        self.anonymous.append(anonymous)

    def bind(self, ids: np.ndarray, anonymous_ids: np.ndarray) -> pd.DataFrame:
        """All events by time; message ids count them. `anonymous_ids` per person, '' without."""
        person, at_ms = np.concatenate(self.person), np.concatenate(self.at_ms)
        order = np.argsort(at_ms, kind="stable")
        person = person[order]
        counts = [count for _, count in self.names]
        names = np.repeat(np.array([name for name, _ in self.names], object), counts)[order]
        visitor = np.repeat(np.array(self.anonymous), counts)[order]
        return pd.DataFrame(
            {
                "message_id": [f"demo-{number:07d}" for number in range(order.size)],
                "external_id": np.where(visitor, "", ids[person]),
                "anonymous_id": np.where(visitor, anonymous_ids[person], ""),
                "event": names,
                "at": pd.to_datetime(at_ms[order], unit="ms", utc=True).astype("datetime64[ns, UTC]"),
                "properties": np.concatenate(self.properties)[order],
            }
        )
