"""Twin cases of PKITS 4.1 to 4.3, 4.5 to 4.7 and 4.16: signatures, times, names, constraints."""

from __future__ import annotations

from datetime import UTC, datetime

from asn1crypto import x509

from gateway.sandbox.certificates import Authority, Period
from tests.pki.build import ALIVE, DAY, NOW
from tests.pki.twin import BROKEN, OUTSIDE, REVOKED, WAIT, WRONG, case
from tests.pki.world import World, dn, printable, spoiled

FUTURE = Period(begins=NOW + DAY, ends=NOW + 99 * DAY)
PAST = Period(begins=NOW - 99 * DAY, ends=NOW - DAY)
LONG = Period(begins=datetime(1999, 1, 1, tzinfo=UTC), ends=datetime(2060, 1, 1, tzinfo=UTC))


@case("4.1.1")
def valid_signatures(world: World) -> x509.Certificate:
    return world.signer(world.authority())


@case("4.1.2", BROKEN)
def invalid_authority_signature(world: World) -> x509.Certificate:
    authority = world.authority()
    world.others[:] = [spoiled(authority.certificate)]
    return world.signer(authority)


@case("4.1.3", BROKEN)
def invalid_signer_signature(world: World) -> x509.Certificate:
    return spoiled(world.signer(world.authority()))


@case("4.2.1", OUTSIDE)
def authority_not_yet_valid(world: World) -> x509.Certificate:
    return world.signer(world.authority(period=FUTURE))


@case("4.2.2", "NOT_YET_VALID")
def signer_not_yet_valid(world: World) -> x509.Certificate:
    return world.signer(world.authority(), period=FUTURE)


@case("4.2.3")
def valid_since_before_2000(world: World) -> x509.Certificate:
    return world.signer(world.authority(), period=Period(begins=LONG.begins, ends=ALIVE.ends))


@case("4.2.5", OUTSIDE)
def authority_ended(world: World) -> x509.Certificate:
    return world.signer(world.authority(period=PAST))


@case("4.2.6", "EXPIRED")
def signer_ended(world: World) -> x509.Certificate:
    return world.signer(world.authority(), period=PAST)


@case("4.2.7", "EXPIRED")
def signer_ended_before_2000(world: World) -> x509.Certificate:
    ended = Period(begins=datetime(1997, 1, 1, tzinfo=UTC), ends=LONG.begins)
    return world.signer(world.authority(), period=ended)


@case("4.2.8")
def valid_until_after_2050(world: World) -> x509.Certificate:
    return world.signer(world.authority(), period=Period(begins=ALIVE.begins, ends=LONG.ends))


@case("4.3.1", BROKEN)
def another_issuer_named(world: World) -> x509.Certificate:
    authority, other = world.authority(), world.authority("Other", key="CA")
    world.others.remove(other.certificate)
    assert authority.key == other.key
    return world.signer(other)


@case("4.3.2", BROKEN)
def issuer_named_in_another_order(world: World) -> x509.Certificate:
    authority = world.authority(subject=dn("CA", ("organizational_unit_name", "Unit")))
    return world.signer(_respelt(world, authority, _turned(authority.certificate.subject)))


@case("4.3.3")
def names_differ_in_inner_blanks(world: World) -> x509.Certificate:
    return _signer_of_a_respelt(world, "Good  CA", "Good CA")


@case("4.3.4")
def names_differ_in_outer_blanks(world: World) -> x509.Certificate:
    return _signer_of_a_respelt(world, "  Good CA ", "Good CA")


@case("4.3.5")
def names_differ_in_case(world: World) -> x509.Certificate:
    return _signer_of_a_respelt(world, "gOOD ca", "Good CA")


@case("4.3.9")
def names_in_cyrillic(world: World) -> x509.Certificate:
    return world.signer(world.authority("Удостоверяющий центр"), title="Врач")


@case("4.3.10")
def names_differ_in_string_type(world: World) -> x509.Certificate:
    authority = world.authority("Good CA")
    respelt = _respelt(world, authority, printable("Good CA"))
    return world.signer(respelt)


@case("4.3.11")
def names_in_cyrillic_differ_in_case(world: World) -> x509.Certificate:
    return _signer_of_a_respelt(world, "удостоверяющий ЦЕНТР", "Удостоверяющий центр")


@case("4.5.1")
def signer_by_the_old_key_under_the_new(world: World) -> x509.Certificate:
    old, _ = _rolled_over(world)
    return world.signer(old)


@case("4.5.2", REVOKED)
def revoked_signer_by_the_old_key(world: World) -> x509.Certificate:
    old, new = _rolled_over(world)
    signer = world.signer(old)
    world.revoke(new, signer)
    return signer


@case("4.5.3")
def signer_by_the_new_key_under_the_old(world: World) -> x509.Certificate:
    _, new = _rolled_over(world)
    return world.signer(new)


@case("4.5.5", REVOKED)
def revoked_signer_by_the_new_key(world: World) -> x509.Certificate:
    _, new = _rolled_over(world)
    signer = world.signer(new)
    world.revoke(new, signer)
    return signer


@case("4.6.1", WRONG)
def issuer_without_constraints(world: World) -> x509.Certificate:
    return world.signer(world.authority(constraints={}))


@case("4.6.2", WRONG)
def issuer_is_no_authority(world: World) -> x509.Certificate:
    return world.signer(world.authority(constraints={"ca": False}))


@case("4.6.3", WRONG)
def issuer_is_no_authority_uncritically(world: World) -> x509.Certificate:
    return world.signer(world.authority(constraints={"ca": False}, constraints_critical=False))


@case("4.6.4")
def constraints_not_critical(world: World) -> x509.Certificate:
    return world.signer(world.authority(constraints_critical=False))


@case("4.6.5", WRONG)
def authority_too_deep(world: World) -> x509.Certificate:
    short = world.authority(constraints={"ca": True, "path_len_constraint": 0})
    return world.signer(world.authority("Sub", short))


@case("4.6.6", WRONG)
def authority_too_deep_in_question(world: World) -> x509.Certificate:
    short = world.authority(constraints={"ca": True, "path_len_constraint": 0})
    deeper = world.authority("Sub", short)
    return world.authority("Subsub", deeper).certificate


@case("4.6.7")
def signer_as_deep_as_allowed(world: World) -> x509.Certificate:
    return world.signer(world.authority(constraints={"ca": True, "path_len_constraint": 0}))


@case("4.6.8")
def authority_as_the_last_of_a_path(world: World) -> x509.Certificate:
    short = world.authority(constraints={"ca": True, "path_len_constraint": 0})
    return world.authority("Sub", short).certificate


@case("4.6.9", WRONG)
def length_summed_over_the_path(world: World) -> x509.Certificate:
    two = world.authority(constraints={"ca": True, "path_len_constraint": 2})
    none = world.authority("Sub", two, constraints={"ca": True, "path_len_constraint": 0})
    return world.signer(world.authority("Subsub", none))


@case("4.6.13")
def lengths_that_fit_together(world: World) -> x509.Certificate:
    two = world.authority(constraints={"ca": True, "path_len_constraint": 2})
    one = world.authority("Sub", two, constraints={"ca": True, "path_len_constraint": 1})
    return world.signer(world.authority("Subsub", one))


@case("4.6.15")
def self_issued_takes_no_length(world: World) -> x509.Certificate:
    short = world.authority(constraints={"ca": True, "path_len_constraint": 0})
    return world.signer(world.authority("CA", short, key="Renewed"))


@case("4.6.16", WRONG)
def length_kept_beyond_a_self_issued(world: World) -> x509.Certificate:
    short = world.authority(constraints={"ca": True, "path_len_constraint": 0})
    renewed = world.authority("CA", short, key="Renewed")
    return world.signer(world.authority("Sub", renewed))


@case("4.7.1", WRONG)
def issuer_may_not_certify(world: World) -> x509.Certificate:
    return world.signer(world.authority(usage=["crl_sign"]))


@case("4.7.2", WRONG)
def issuer_may_not_certify_uncritically(world: World) -> x509.Certificate:
    return world.signer(world.authority(usage=["crl_sign"], usage_critical=False))


@case("4.7.3")
def usage_not_critical(world: World) -> x509.Certificate:
    return world.signer(world.authority(usage_critical=False))


@case("4.7.4", WAIT)
def issuer_may_not_list(world: World) -> x509.Certificate:
    return _listed_by_one_who_may_not(world, critical=True)


@case("4.7.5", WAIT)
def issuer_may_not_list_uncritically(world: World) -> x509.Certificate:
    return _listed_by_one_who_may_not(world, critical=False)


@case("4.16.1")
def unknown_extension(world: World) -> x509.Certificate:
    unknown = x509.Extension({"extn_id": "1.2.3.4", "extn_value": b"\x05\x00"})
    return world.signer(world.authority(), unknown)


@case("4.16.2", WRONG)
def unknown_critical_extension(world: World) -> x509.Certificate:
    unknown = x509.Extension({"extn_id": "1.2.3.4", "critical": True, "extn_value": b"\x05\x00"})
    return world.signer(world.authority(), unknown)


def _listed_by_one_who_may_not(world: World, *, critical: bool) -> x509.Certificate:
    mute = world.authority(usage=["key_cert_sign"], usage_critical=critical)
    world.publish(mute)
    return world.signer(mute)


def _respelt(world: World, authority: Authority, subject: x509.Name) -> Authority:
    """Return the same authority under another spelling, known to nobody else."""
    twin = world.authority(subject=subject, key="Good CA")
    world.others.remove(twin.certificate)
    return Authority(family=twin.family, certificate=twin.certificate, key=authority.key)


def _signer_of_a_respelt(world: World, spelling: str, title: str) -> x509.Certificate:
    authority = world.authority(title, key="Good CA")
    return world.signer(_respelt(world, authority, dn(spelling)))


def _turned(name: x509.Name) -> x509.Name:
    parts = list(name.chosen)
    return x509.Name(name="", value=x509.RDNSequence(list(reversed(parts))))


def _rolled_over(world: World) -> tuple[Authority, Authority]:
    """Return an authority with its old key and with its new, each certified by the other.

    Only the new key publishes a list, and for both.
    """
    new = world.authority("CA", key="New")
    old = world.authority("CA", new, key="Old")
    world.published[world.authorities.index(old)] = []
    return old, new
