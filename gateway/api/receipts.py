"""A receipt by its own number: what a caller has in hand who kept nothing else.

A client finds receipts about its own organisation's submissions; anything else is not found,
like what does not exist.
"""

from __future__ import annotations

from flask import Blueprint, Response

from gateway.access import FOLLOW
from gateway.api import present
from gateway.api.answers import answer, not_found
from gateway.door import context

blueprint = Blueprint("receipts", __name__, url_prefix="/v1/receipts")


@blueprint.get("/<key:number>")
def one(number: str) -> Response:
    """The receipt with the submission it is about."""
    who = context.principal(FOLLOW)
    store = context.gateway().store
    row = store.receipt(number)
    if row is None or store.view(row.submission, who.organizations) is None:
        return not_found()
    return answer({"submission": row.submission, **present.receipt_row(row, row.submission)})
