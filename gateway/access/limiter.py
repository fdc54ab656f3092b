"""Token buckets: how many requests one key may make.

A bucket holds `burst` tokens and refills at `rate` a second.  Buckets are kept for the keys
seen last; a key that was forgotten starts with a full bucket, which is what it would have.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

KEYS_MAX = 10_000


@dataclass
class _Bucket:
    tokens: float
    at: float


class Limiter:
    """Token buckets by key, safe to use from many threads."""

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float], keys_max: int = KEYS_MAX
    ) -> None:
        """`clock` gives seconds that never go back; what they count from does not matter."""
        assert rate > 0, rate
        assert burst >= 1, burst
        self._rate, self._burst, self._clock, self._keys_max = rate, burst, clock, keys_max
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> int | None:
        """Take one token; None when there was one, else whole seconds until there is."""
        with self._lock:
            bucket = self._fill(key)
            if bucket.tokens < 1:
                return self._wait(bucket)
            bucket.tokens -= 1
            return None

    def peek(self, key: str) -> int | None:
        """Say what `take` would say, taking nothing."""
        with self._lock:
            bucket = self._fill(key)
            return None if bucket.tokens >= 1 else self._wait(bucket)

    def _wait(self, bucket: _Bucket) -> int:
        return max(1, math.ceil((1 - bucket.tokens) / self._rate))

    def _fill(self, key: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.pop(key, None) or _Bucket(tokens=self._burst, at=now)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        self._buckets[key] = bucket
        if len(self._buckets) > self._keys_max:
            self._buckets.popitem(last=False)
        return bucket
