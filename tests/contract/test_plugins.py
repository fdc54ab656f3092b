"""What every plug-in promises, whichever files lie in its room."""

from __future__ import annotations

import pytest

from gateway.algorithms import standard
from gateway.destinations.interface import Kind, kinds
from gateway.errors import Rejected
from gateway.formats.interface import Format, formats
from gateway.model import Assurance, Indication, Part, SignedContent
from gateway.signatures.interface import SignatureForm, forms

NOISE = (
    b"",
    b"noise",
    b"\x00" * 64,
    b"<",
    b"{",
    b"<a/>",
    b"{}",
    b"\xff\xfe<",
    b"\x30\x80",
    b"[" * 99,
)
FORMATS = list(formats().values())
FORMS = list(forms().values())
KINDS = list(kinds().values())


@pytest.mark.parametrize("room", [FORMATS, FORMS, KINDS])
def test_no_room_is_empty(room: list[object]) -> None:
    """A room that finds no plug-in would pass every test below."""
    assert room


@pytest.mark.parametrize("octets", NOISE)
@pytest.mark.parametrize("plugin", FORMATS, ids=lambda plugin: plugin.NAME)
def test_a_format_refuses_noise_instead_of_crashing(plugin: Format, octets: bytes) -> None:
    """Bytes that are not the format are the sender's fault, never a bug of ours."""
    content = SignedContent(
        octets=octets,
        media_type=plugin.MEDIA_TYPES[0],
        assurance=Assurance.CHANNEL,
        report=None,
    )
    with pytest.raises(Rejected) as refused:
        plugin.parse(content)
    assert all(problem.code.startswith("FMT-") for problem in refused.value.problems)


@pytest.mark.parametrize("plugin", FORMATS, ids=lambda plugin: plugin.NAME)
def test_a_format_takes_media_types_as_they_are_kept(plugin: Format) -> None:
    """A submission's type is kept in lower case and without parameters."""
    assert plugin.MEDIA_TYPES
    assert [t for t in plugin.MEDIA_TYPES if t != t.lower() or ";" in t or "/" not in t] == []


@pytest.mark.parametrize("octets", NOISE)
@pytest.mark.parametrize("plugin", FORMATS, ids=lambda plugin: plugin.NAME)
def test_a_format_looks_at_a_head_without_crashing(plugin: Format, octets: bytes) -> None:
    assert plugin.recognises(octets) in (True, False)


@pytest.mark.parametrize("octets", NOISE)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.NAME)
def test_a_signature_form_passes_no_noise(form: SignatureForm, octets: bytes) -> None:
    """What cannot be read as a signature has failed or is none; it is never an exception."""
    document = Part(name="document", media_type="application/octet-stream", body=octets)
    beside = Part(name="signature", media_type="application/pkcs7-signature", body=octets)
    for signatures in ((), (beside,)):
        found = form.check(document, signatures, standard())
        assert all(one.indication is not Indication.TOTAL_PASSED for one in found)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.NAME)
def test_a_destination_says_which_option_is_missing(kind: Kind) -> None:
    """An operator reads this message in `gateway doctor`, not a traceback."""
    with pytest.raises(ValueError, match=r"\w"):
        kind.check_options({})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.NAME)
def test_a_destination_refuses_an_option_it_does_not_know(kind: Kind) -> None:
    """A misspelt option that is ignored is a default nobody chose."""
    with pytest.raises(ValueError, match="misspelt"):
        kind.check_options({"url": "http://127.0.0.1:1/fhir", "misspelt": "1"})
