"""A bucket lets a burst through, then a steady rate, and says how long to wait."""

from gateway.access import Limiter


class Seconds:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_the_next_one_waits() -> None:
    clock = Seconds()
    limiter = Limiter(2, 4, clock)
    assert [limiter.take("a") for _ in range(5)] == [None, None, None, None, 1]
    clock.now += 0.5
    assert [limiter.take("a") for _ in range(2)] == [None, 1]


def test_waiting_time_is_said_in_whole_seconds() -> None:
    limiter = Limiter(0.1, 1, Seconds())
    limiter.take("a")
    assert limiter.take("a") == 10


def test_one_key_does_not_drain_another() -> None:
    limiter = Limiter(1, 1, Seconds())
    limiter.take("a")
    assert limiter.take("b") is None


def test_looking_takes_nothing() -> None:
    limiter = Limiter(1, 1, Seconds())
    assert [limiter.peek("a"), limiter.peek("a"), limiter.take("a")] == [None, None, None]
    assert limiter.peek("a") == 1


def test_memory_is_bounded_and_the_forgotten_start_full() -> None:
    limiter = Limiter(1, 1, Seconds(), keys_max=2)
    for key in ("a", "b", "c"):
        limiter.take(key)
    assert limiter.take("c") == 1
    assert limiter.take("a") is None
