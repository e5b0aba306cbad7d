"""What the chapters write on: one array entry per person, one matrix cell per person and day."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from zlib import crc32

import numpy as np

from ops_platform.demo.days import DAYS


class Kind(IntEnum):
    """Where a person stands on the last day, drawn first; everything they do is made to fit."""

    CONTACT = 0
    ONCE = 1
    TWICE = 2
    LAPSED = 3  # once a habit, still visiting: stage 使用
    HABIT = 4
    PAYING = 5
    PAYING_ONCE = 6
    ADVOCATE = 7
    CHURNED = 8
    CHURNED_ONCE = 9  # bought the card and one order, then left
    STAFF = 10
    BRUSH = 11  # 刷单


class Tag(IntEnum):
    """A trait of the plot that a person carries besides the kind."""

    NONE = 0
    ADDICT = 1  # buys with targeted coupons only
    PAYDAY = 2  # buys on the 10th to the 12th
    SALE_FIRST = 3  # first order in the 618 days
    FAKE = 4  # brought by one of the eleven inviters


@dataclass
class World:
    """State of one generation. `size` people; matrices are (size, 180) booleans."""

    seed: int
    size: int
    source: np.ndarray = field(init=False)
    registered_on: np.ndarray = field(init=False)
    registered_s: np.ndarray = field(init=False)
    android: np.ndarray = field(init=False)
    category: np.ndarray = field(init=False)
    inviter: np.ndarray = field(init=False)
    kind: np.ndarray = field(init=False)
    tag: np.ndarray = field(init=False)
    last_day: np.ndarray = field(init=False)  # no visit after it
    member_on: np.ndarray = field(init=False)  # day of the card, -1 without
    blocked: np.ndarray = field(init=False)
    active: np.ndarray = field(init=False)
    orders: dict[str, np.ndarray] = field(default_factory=dict)
    planted: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.blocked = np.zeros((self.size, DAYS), bool)
        self.active = np.zeros((self.size, DAYS), bool)
        self.inviter = np.full(self.size, -1)
        self.member_on = np.full(self.size, -1)
        self.last_day = np.full(self.size, DAYS - 1)

    def rng(self, chapter: str) -> np.random.Generator:
        """A stream of its own per chapter, so that a change in one leaves the draws of the others alone."""
        return np.random.default_rng([self.seed, crc32(chapter.encode())])

    def count(self, of_twenty_thousand: int) -> int:
        """A head count of the story scaled to this world, at least one."""
        return max(1, round(of_twenty_thousand * self.size / 20_000))

    def is_kind(self, *kinds: Kind) -> np.ndarray:
        return np.isin(self.kind, kinds)

    @property
    def excluded(self) -> np.ndarray:
        return self.is_kind(Kind.STAFF, Kind.BRUSH)

    @property
    def ids(self) -> np.ndarray:
        return np.array([f"u{i:05d}" for i in range(1, self.size + 1)], object)
