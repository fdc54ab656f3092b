"""Several processes on one PostgreSQL: the constraints judge between them too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gateway.store.values import Filter
from tests.unit.store.house import LEASE, open_house

ROOT = Path(__file__).parents[2]

KEEP = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tests.unit.store.house import open_house
house = open_house(Path("."), sys.argv[1], sys.argv[1])
arrivals = [house.arrive(b"the same bundle") for _ in range(5)]
with ThreadPoolExecutor(5) as pool:
    for kept in pool.map(house.store.keep, arrivals):
        print(kept.submission, kept.receipt.number, kept.known)
house.store.close()
"""


def test_twenty_keeps_by_four_processes_make_one_record(tmp_path: Path, empty_url: str) -> None:
    """They also race to create the schema and the keys: the database is empty at the start."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", KEEP, empty_url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    lines = [line for one in running for line in one.communicate(timeout=120)[0].splitlines()]
    assert [one.returncode for one in running] == [0, 0, 0, 0]
    assert len(lines) == 20
    assert len({line.rsplit(" ", 1)[0] for line in lines}) == 1
    assert sum(line.endswith("False") for line in lines) == 1
    house = open_house(tmp_path, empty_url, empty_url)
    assert len(house.store.list(Filter(organizations=None)).items) == 1
    assert len(house.store.claim("submission", 9, LEASE)) == 1
    house.store.close()
