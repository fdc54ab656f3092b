"""The database: submissions, records, index, work orders, log; sealed at rest.

`Store` is the one thing others use; `Database` and `KeyStore` are what it is opened with.
"""

from gateway.store.database import Database
from gateway.store.deciding import Decided
from gateway.store.facade import Store
from gateway.store.keys import KeyDestroyed, KeyStore, LinkedElsewhere, WrongMasterKey
from gateway.store.log import audit_entry
from gateway.store.room import new_id
from gateway.store.values import Held, LostLease, Moved
from gateway.store.vault import Unreadable
from gateway.store.views import BadCursor

__all__ = [
    "BadCursor",
    "Database",
    "Decided",
    "Held",
    "KeyDestroyed",
    "KeyStore",
    "LinkedElsewhere",
    "LostLease",
    "Moved",
    "Store",
    "Unreadable",
    "WrongMasterKey",
    "audit_entry",
    "new_id",
]
