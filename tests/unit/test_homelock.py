"""On SQLite one process works a home."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.homelock import AlreadyWorked, HomeLock


def test_a_home_is_worked_by_one_at_a_time(tmp_path: Path) -> None:
    """Two lines over one embedded database would take each other's orders."""
    first, second = HomeLock(tmp_path), HomeLock(tmp_path)
    first.take()
    with pytest.raises(AlreadyWorked):
        second.take()
    first.release()
    second.take()
    second.release()


def test_letting_go_twice_does_no_harm(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path)
    lock.take()
    lock.release()
    lock.release()
    assert lock.descriptor is None
