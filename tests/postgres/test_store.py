"""Everything the store promises on SQLite it promises on PostgreSQL: the same tests again."""

# ruff: noqa: F403
from tests.unit.store.test_consents import *
from tests.unit.store.test_decisions import *
from tests.unit.store.test_keep import *
from tests.unit.store.test_line import *
from tests.unit.store.test_settle import *
from tests.unit.store.test_views import *
from tests.unit.store.test_work import *
