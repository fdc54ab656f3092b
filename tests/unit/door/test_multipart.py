"""The bytes of a part are exactly those between its lines, or the body is refused."""

import pytest

from gateway.door import intake, multipart
from gateway.errors import Rejected
from tests.doorway import form


def read(body: bytes, boundary: str = "frame") -> tuple[multipart.FormPart, ...]:
    return multipart.read(body, boundary)


def refused(body: bytes, boundary: str = "frame") -> str:
    with pytest.raises(Rejected) as caught:
        read(body, boundary)
    assert caught.value.problems[0].code == "FMT-106"
    return caught.value.problems[0].detail["found"]


def one(headers: str, body: bytes = b"x") -> bytes:
    return b"--frame\r\n" + headers.encode() + b"\r\n\r\n" + body + b"\r\n--frame--\r\n"


NAMED = 'Content-Disposition: form-data; name="document"'


@pytest.mark.parametrize(
    "octets", [b"", b"\r\n", b"\n", b"--fram", b"\r\n--other", b"\x00\xff" * 9, b" \r\n\r\n "]
)
def test_a_part_keeps_its_exact_bytes(octets: bytes) -> None:
    _, body = form(("document", "text/plain", octets))
    assert read(body)[0].body == octets


def test_parts_come_in_their_order_with_their_types() -> None:
    _, body = form(("signature", "A/B", b"s"), ("document", "application/json", b"d"))
    assert [(p.name, p.media_type) for p in read(body)] == [
        ("signature", "a/b"),
        ("document", "application/json"),
    ]


def test_what_stands_before_and_after_the_parts_is_no_part() -> None:
    _, body = form(("document", "a/b", b"d"))
    assert len(read(b"preamble\r\n" + body + b"epilogue")) == 1


def test_every_cut_of_a_body_is_refused() -> None:
    """Wherever the upload broke off, nothing is taken from it."""
    _, body = form(("document", "a/b", b"d" * 10), ("signature", "a/b", b"s"))
    end = body.rindex(b"--frame--") + len(b"--frame--")
    for length in range(end):
        refused(body[:length])
    assert read(body[:end])


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ("Content-Type: a/b", "Content-Disposition"),
        ("Content-Disposition: attachment; name=document", "Content-Disposition"),
        ("Content-Disposition: form-data", "Content-Disposition"),
        ('Content-Disposition: form-data; name=""', "Content-Disposition"),
        (f"{NAMED}\r\n{NAMED}", "part headers"),
        (f"{NAMED}\r\n folded", "part headers"),
        (f"{NAMED}\r\nX-Y : z", "part headers"),
        (f"{NAMED}\r\nX\x00: z", "part headers"),
        (f"{NAMED}\nX: z", "part headers"),
        (f"{NAMED}\r\n" + "X: y" * 5000, "part headers"),
        (NAMED + "".join(f"\r\nX-{n}: y" for n in range(20)), "part headers"),
        (f"{NAMED}\r\nContent-Transfer-Encoding: base64", "Content-Transfer-Encoding"),
        (f"{NAMED}\r\nContent-Type: nonsense", "Content-Type"),
    ],
)
def test_headers_that_two_readers_could_read_differently_are_refused(
    headers: str, found: str
) -> None:
    assert refused(one(headers)) == found
    assert read(one(NAMED + "\r\nContent-Transfer-Encoding: 8bit"))


@pytest.mark.parametrize("boundary", ["", "x" * 71, "a\r\nb", "кадр", "a ", '"'])
def test_a_boundary_outside_the_standard_is_refused(boundary: str) -> None:
    assert refused(b"--\r\n", boundary) == "boundary"


def test_a_line_that_only_begins_like_a_delimiter_is_refused() -> None:
    """RFC 2046 forbids it in content: what one reader takes for text another cuts in two."""
    assert refused(b"--framework\r\n" + one(NAMED)) == "delimiter line"


def test_too_many_parts_are_refused() -> None:
    _, body = form(*[("signature", "a/b", b"s")] * (multipart.PARTS_MAX + 1))
    assert refused(body) == "too many parts"


@pytest.mark.parametrize(
    ("names", "good"),
    [
        (["document"], True),
        (["document", "signature", "signature", "consent"], True),
        (["signature", "document"], True),
        (["signature"], False),
        (["document", "document"], False),
        (["document", "consent", "consent"], False),
        (["document", "signature", "signature", "signature"], False),
        (["document", "other"], False),
        (["document", "attorney", "attorney-signature", "attorney"], True),
        (["attorney", "document", "attorney-signature"], True),
        (["attorney-signature", "document", "attorney"], False),
        (["document", "attorney-signature"], False),
        (["document", *["attorney"] * 4], True),
        (["document", *["attorney"] * 5], False),
        (["document", "attorney", *["attorney-signature"] * 2], True),
        (["document", "attorney", *["attorney-signature"] * 3], False),
        (["Document"], False),
        ([], False),
    ],
)
def test_the_set_of_parts_is_that_of_the_contract(names: list[str], good: bool) -> None:
    _, body = form(*[(name, "a/b", b"x") for name in names])
    if good:
        assert [part.name for part in intake._parts(read(body), 2)] == names
        return
    with pytest.raises(Rejected) as caught:
        intake._parts(read(body), 2)
    assert caught.value.problems[0].code == "FMT-107"
    assert "other" not in str(caught.value.problems[0].detail)


def test_an_empty_part_is_refused() -> None:
    _, body = form(("document", "a/b", b"x"), ("signature", "a/b", b""))
    with pytest.raises(Rejected) as caught:
        intake._parts(read(body), 2)
    assert [p.code for p in caught.value.problems] == ["FMT-108"]
    assert caught.value.problems[0].place == "signature"
