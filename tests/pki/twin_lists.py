"""Twin cases of PKITS 4.4, 4.14 and 4.15: lists, whole, in parts, by others, and deltas."""

from __future__ import annotations

from datetime import UTC, datetime

from asn1crypto import crl, x509

from gateway.sandbox.certificates import Authority, Period
from tests.pki.build import DAY, NOW
from tests.pki.lists import Entry, partition, place, point, revocation_list, signed
from tests.pki.twin import REVOKED, REVOKED_CA, WAIT, case
from tests.pki.world import World, dn

HERE, ELSEWHERE = "http://ca.invalid/one.crl", "http://ca.invalid/two.crl"
BASE = ("delta_crl_indicator", True, 1)
LONG_SERIAL = int("7f" * 20, 16)


def entry(certificate: x509.Certificate, reason: str | None = "key_compromise") -> Entry:
    return Entry(serial=certificate.serial_number, reason=reason)


@case("4.4.1", WAIT)
def no_list(world: World) -> x509.Certificate:
    authority = world.authority()
    world.lists_of(authority)
    return world.signer(authority)


@case("4.4.2", REVOKED_CA)
def revoked_authority(world: World) -> x509.Certificate:
    authority = world.authority()
    world.revoke(world.anchor, authority.certificate)
    return world.signer(authority)


@case("4.4.3", REVOKED)
def revoked_signer(world: World) -> x509.Certificate:
    authority = world.authority()
    signer = world.signer(authority)
    world.revoke(authority, signer)
    return signer


@case("4.4.4", WAIT)
def list_with_a_spoiled_signature(world: World) -> x509.Certificate:
    authority = world.authority()
    octets = bytearray(revocation_list(authority))
    octets[-1] ^= 1
    world.lists_of(authority).append(bytes(octets))
    return world.signer(authority)


@case("4.4.5", WAIT)
def list_under_another_name(world: World) -> x509.Certificate:
    authority = world.authority()
    other = world.authority("Other", key="CA")
    world.others.remove(other.certificate)
    world.lists_of(authority).append(revocation_list(other))
    return world.signer(authority)


@case("4.4.6", WAIT)
def list_of_the_anchor_instead(world: World) -> x509.Certificate:
    authority = world.authority()
    world.lists_of(authority).append(revocation_list(world.anchor))
    return world.signer(authority)


@case("4.4.7")
def two_lists_and_one_is_spoiled(world: World) -> x509.Certificate:
    signer = list_with_a_spoiled_signature(world)
    world.publish(world.authorities[-1])
    return signer


@case("4.4.8", WAIT)
def entry_with_an_unknown_critical_extension(world: World) -> x509.Certificate:
    authority = world.authority()
    signer = world.signer(authority)
    octets = revocation_list(authority, entry(signer), entry(world.anchor.certificate))
    body = crl.CertificateList.load(octets)["tbs_cert_list"]
    unknown = {"extn_id": "1.2.3.4", "critical": True, "extn_value": b"\x05\x00"}
    body["revoked_certificates"][0]["crl_entry_extensions"].append(unknown)
    world.lists_of(authority).append(_signed(authority, body))
    return signer


@case("4.4.9", WAIT)
def list_with_an_unknown_critical_extension(world: World) -> x509.Certificate:
    authority = world.authority()
    world.publish(authority, extensions=[("1.2.3.4", True, b"\x05\x00")])
    return world.signer(authority)


@case("4.4.11", WAIT)
def list_that_ended(world: World) -> x509.Certificate:
    authority = world.authority()
    world.publish(authority, period=Period(begins=NOW - 9 * DAY, ends=NOW - DAY))
    return world.signer(authority)


@case("4.4.12", WAIT)
def list_that_ended_before_2000(world: World) -> x509.Certificate:
    authority = world.authority()
    begins = datetime(1998, 1, 1, tzinfo=UTC)
    world.publish(authority, period=Period(begins=begins, ends=begins + 30 * DAY))
    return world.signer(authority)


@case("4.4.14")
def another_serial_listed(world: World) -> x509.Certificate:
    authority = world.authority()
    signer = world.signer(authority)
    world.publish(authority, Entry(serial=-signer.serial_number))
    return signer


@case("4.4.16")
def another_long_serial_listed(world: World) -> x509.Certificate:
    authority = world.authority()
    world.publish(authority, Entry(serial=LONG_SERIAL))
    return world.signer(authority)


@case("4.4.18", REVOKED)
def listed_among_many(world: World) -> x509.Certificate:
    authority = world.authority()
    signer = world.signer(authority)
    many = [Entry(serial=number) for number in range(1, 40)]
    world.publish(authority, *many, entry(signer), Entry(serial=LONG_SERIAL))
    return signer


@case("4.4.19")
def a_key_of_its_own_for_lists(world: World) -> x509.Certificate:
    certifies, _ = _two_keys(world)
    return world.signer(certifies)


@case("4.4.20", REVOKED)
def revoked_by_a_key_of_its_own(world: World) -> x509.Certificate:
    certifies, lists = _two_keys(world)
    signer = world.signer(certifies)
    world.revoke(lists, signer)
    return signer


@case("4.4.21", WAIT)
def the_key_for_lists_is_revoked(world: World) -> x509.Certificate:
    certifies, lists = _two_keys(world)
    world.revoke(world.anchor, lists.certificate)
    return world.signer(certifies)


@case("4.14.1")
def list_of_the_named_place(world: World) -> x509.Certificate:
    return _at_places(world, HERE, HERE)


@case("4.14.2", REVOKED)
def revoked_on_the_list_of_the_named_place(world: World) -> x509.Certificate:
    return _at_places(world, HERE, HERE, revoked=True)


@case("4.14.3", WAIT)
def list_of_another_place(world: World) -> x509.Certificate:
    return _at_places(world, HERE, ELSEWHERE)


@case("4.14.4")
def list_of_a_place_for_one_who_names_none(world: World) -> x509.Certificate:
    authority = world.authority()
    world.publish(authority, extensions=[partition(only_contains_user_certs=True)])
    return world.signer(authority)


@case("4.14.11", WAIT)
def list_of_signers_for_an_authority(world: World) -> x509.Certificate:
    world.publish(world.anchor, extensions=[partition(only_contains_user_certs=True)])
    return world.authority().certificate


@case("4.14.12", WAIT)
def list_of_authorities_for_a_signer(world: World) -> x509.Certificate:
    authority = world.authority()
    world.publish(authority, extensions=[partition(only_contains_ca_certs=True)])
    return world.signer(authority)


@case("4.14.13")
def list_of_authorities_for_an_authority(world: World) -> x509.Certificate:
    world.publish(world.anchor, extensions=[partition(only_contains_ca_certs=True)])
    return world.authority().certificate


@case("4.14.14", WAIT)
def list_of_attributes_for_a_signer(world: World) -> x509.Certificate:
    authority = world.authority()
    world.publish(authority, extensions=[partition(only_contains_attribute_certs=True)])
    return world.signer(authority)


SOME = {"key_compromise", "ca_compromise"}
REST = {
    "affiliation_changed",
    "superseded",
    "cessation_of_operation",
    "certificate_hold",
    "privilege_withdrawn",
    "aa_compromise",
}


@case("4.14.15", REVOKED)
def revoked_for_a_listed_reason(world: World) -> x509.Certificate:
    authority = world.authority()
    signer = world.signer(authority)
    world.publish(authority, entry(signer), extensions=[partition(only_some_reasons=SOME)])
    return signer


@case("4.14.17", WAIT)
def only_some_reasons_listed(world: World) -> x509.Certificate:
    authority = world.authority()
    world.publish(authority, extensions=[partition(only_some_reasons=SOME)])
    return world.signer(authority)


@case("4.14.18")
def all_reasons_on_two_lists(world: World) -> x509.Certificate:
    authority = world.authority()
    for reasons in (SOME, REST):
        world.publish(authority, extensions=[partition(only_some_reasons=reasons)])
    return world.signer(authority)


@case("4.14.20", REVOKED)
def revoked_on_the_second_of_two_lists(world: World) -> x509.Certificate:
    authority = world.authority()
    signer = world.signer(authority)
    world.publish(authority, extensions=[partition(only_some_reasons=SOME)])
    second = [partition(only_some_reasons=REST)]
    world.publish(authority, entry(signer, "superseded"), extensions=second)
    return signer


@case("4.14.22")
def indirect_list(world: World) -> x509.Certificate:
    authority, lister = _with_a_lister(world)
    world.publish(lister, extensions=[partition(indirect_crl=True)])
    return world.signer(authority, point(issuer=lister.certificate.subject))


@case("4.14.23", REVOKED)
def revoked_on_an_indirect_list(world: World) -> x509.Certificate:
    authority, lister = _with_a_lister(world)
    signer = world.signer(authority, point(issuer=lister.certificate.subject))
    listed = Entry(serial=signer.serial_number, issuer=authority.certificate.subject)
    world.publish(lister, listed, extensions=[partition(indirect_crl=True)])
    return signer


@case("4.14.24")
def another_authoritys_serial_on_an_indirect_list(world: World) -> x509.Certificate:
    authority, lister = _with_a_lister(world)
    signer = world.signer(authority, point(issuer=lister.certificate.subject))
    listed = Entry(serial=signer.serial_number, issuer=dn("Somebody else"))
    world.publish(lister, listed, extensions=[partition(indirect_crl=True)])
    return signer


@case("4.14.26", WAIT)
def indirect_list_for_one_who_names_no_lister(world: World) -> x509.Certificate:
    authority, lister = _with_a_lister(world)
    world.publish(lister, extensions=[partition(indirect_crl=True)])
    return world.signer(authority)


@case("4.14.27", WAIT)
def listers_list_that_is_not_indirect(world: World) -> x509.Certificate:
    authority, lister = _with_a_lister(world)
    world.publish(lister)
    return world.signer(authority, point(issuer=lister.certificate.subject))


@case("4.15.1", WAIT)
def delta_without_its_base(world: World) -> x509.Certificate:
    authority = world.authority()
    world.publish(authority, extensions=[BASE], number=2)
    return world.signer(authority)


@case("4.15.2")
def clean_delta(world: World) -> x509.Certificate:
    return _with_delta(world, base=None, delta=None)


@case("4.15.3", REVOKED)
def revoked_on_the_base(world: World) -> x509.Certificate:
    return _with_delta(world, base="key_compromise", delta=None)


@case("4.15.4", REVOKED)
def revoked_on_the_delta(world: World) -> x509.Certificate:
    return _with_delta(world, base=None, delta="key_compromise")


@case("4.15.5")
def taken_off_by_the_delta(world: World) -> x509.Certificate:
    return _with_delta(world, base="certificate_hold", delta="remove_from_crl")


@case("4.15.6", REVOKED)
def held_then_revoked_by_the_delta(world: World) -> x509.Certificate:
    return _with_delta(world, base="certificate_hold", delta="key_compromise")


def _with_delta(world: World, base: str | None, delta: str | None) -> x509.Certificate:
    """Return a signer listed for these reasons on a base of number 1 and its delta of 2."""
    authority = world.authority()
    signer = world.signer(authority)
    freshest = ("freshest_crl", False, [{"distribution_point": place(HERE)}])
    for reason, stated, number in ((base, freshest, 1), (delta, BASE, 2)):
        entries = [] if reason is None else [entry(signer, reason)]
        world.publish(authority, *entries, extensions=[stated], number=number)
    return signer


def _at_places(world: World, own: str, listed: str, *, revoked: bool = False) -> x509.Certificate:
    authority = world.authority()
    signer = world.signer(authority, point(uri=own))
    entries = [entry(signer)] if revoked else []
    world.publish(authority, *entries, extensions=[partition(distribution_point=place(listed))])
    return signer


def _two_keys(world: World) -> tuple[Authority, Authority]:
    """Return one authority twice: with the key that certifies and with the key that lists."""
    certifies = world.authority(usage=["key_cert_sign"])
    return certifies, world.authority(key="Lists", usage=["crl_sign"])


def _with_a_lister(world: World) -> tuple[Authority, Authority]:
    """Return an authority that lists nothing, and one who lists for it."""
    authority = world.authority()
    world.lists_of(authority)
    return authority, world.authority("Lister", usage=["crl_sign"], constraints={"ca": False})


def _signed(authority: Authority, body: crl.TbsCertList) -> bytes:
    return signed(authority, crl.TbsCertList.load(body.dump(force=True)))
