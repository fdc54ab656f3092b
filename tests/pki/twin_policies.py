"""Twin cases of PKITS 4.8 to 4.13: policies, their mapping and inhibition, name constraints."""

from __future__ import annotations

from typing import Any

from asn1crypto import x509

from gateway.sandbox import certificates as made
from gateway.sandbox.certificates import Authority
from gateway.trust import PathPolicy
from tests.pki.twin import WRONG, case
from tests.pki.world import ANY_POLICY, World, dn

KC1, KC2 = "1.2.643.100.113.1", "1.2.643.100.113.2"


def ask(world: World, *policies: str, **flags: bool) -> None:
    """Set the user's policies; a policy must come out unless told otherwise."""
    asked = {"explicit_policy": True, **flags}
    world.policy = PathPolicy(policies=frozenset(policies or {ANY_POLICY}), **asked)


@case("4.8.1")
def one_policy_all_along(world: World) -> x509.Certificate:
    ask(world, KC1)
    return world.signer(world.authority(policies=[KC1]), policies=[KC1])


@case("4.8.1", WRONG)
def another_policy_asked_for(world: World) -> x509.Certificate:
    ask(world, KC2)
    return world.signer(world.authority(policies=[KC1]), policies=[KC1])


@case("4.8.2")
def no_policies_and_none_asked_for(world: World) -> x509.Certificate:
    return world.signer(world.authority())


@case("4.8.2", WRONG)
def no_policies_and_any_asked_for(world: World) -> x509.Certificate:
    ask(world)
    return world.signer(world.authority())


@case("4.8.3", WRONG)
def policies_that_do_not_meet(world: World) -> x509.Certificate:
    ask(world)
    return world.signer(world.authority(policies=[KC1]), policies=[KC2])


@case("4.8.4", WRONG)
def signer_without_a_policy(world: World) -> x509.Certificate:
    ask(world)
    return world.signer(world.authority(policies=[KC1]))


@case("4.8.6")
def policies_that_overlap(world: World) -> x509.Certificate:
    ask(world, KC1)
    middle = world.authority(policies=[KC1, KC2])
    return world.signer(world.authority("Sub", middle, policies=[KC1]), policies=[KC1])


@case("4.8.10")
def two_policies_all_along(world: World) -> x509.Certificate:
    ask(world, KC2)
    return world.signer(world.authority(policies=[KC1, KC2]), policies=[KC1, KC2])


@case("4.8.11")
def any_policy_all_along(world: World) -> x509.Certificate:
    ask(world, KC1)
    return world.signer(world.authority(policies=[ANY_POLICY]), policies=[ANY_POLICY])


@case("4.8.14")
def any_policy_above(world: World) -> x509.Certificate:
    ask(world, KC1)
    return world.signer(world.authority(policies=[ANY_POLICY]), policies=[KC1])


@case("4.8.14", WRONG)
def any_policy_above_another(world: World) -> x509.Certificate:
    ask(world, KC2)
    return world.signer(world.authority(policies=[ANY_POLICY]), policies=[KC1])


@case("4.9.1")
def policy_required_later_than_the_path_goes(world: World) -> x509.Certificate:
    return world.signer(world.authority("CA", None, required(10)))


@case("4.9.3", WRONG)
def policy_required_at_once(world: World) -> x509.Certificate:
    return world.signer(world.authority("CA", None, required(0)))


@case("4.9.4")
def policy_required_and_there(world: World) -> x509.Certificate:
    authority = world.authority("CA", None, required(0), policies=[KC1])
    return world.signer(authority, policies=[KC1])


@case("4.9.5", WRONG)
def policy_required_from_below(world: World) -> x509.Certificate:
    seven = world.authority("CA", None, required(7))
    return world.signer(world.authority("Sub", seven, required(1)))


@case("4.9.6")
def self_issued_does_not_count_for_requiring(world: World) -> x509.Certificate:
    two = world.authority("CA", None, required(2))
    renewed = world.authority("CA", two, key="Renewed")
    return world.signer(renewed)


@case("4.9.7", WRONG)
def requirement_reached_beyond_a_self_issued(world: World) -> x509.Certificate:
    two = world.authority("CA", None, required(2))
    renewed = world.authority("CA", two, key="Renewed")
    return world.signer(world.authority("Sub", renewed))


@case("4.10.1")
def policy_mapped(world: World) -> x509.Certificate:
    ask(world, KC1)
    return world.signer(_mapping(world, (KC1, KC2)), policies=[KC2])


@case("4.10.1", WRONG)
def policy_mapped_from_the_one_asked_for(world: World) -> x509.Certificate:
    ask(world, KC2)
    return world.signer(_mapping(world, (KC1, KC2)), policies=[KC2])


@case("4.10.1", WRONG)
def mapping_refused_by_the_user(world: World) -> x509.Certificate:
    ask(world, policy_mapping_inhibited=True)
    return world.signer(_mapping(world, (KC1, KC2)), policies=[KC2])


@case("4.10.2", WRONG)
def mapped_policy_not_used(world: World) -> x509.Certificate:
    ask(world)
    return world.signer(_mapping(world, (KC1, KC2)), policies=[KC1])


@case("4.10.7", WRONG)
def mapped_from_any_policy(world: World) -> x509.Certificate:
    return world.signer(_mapping(world, (ANY_POLICY, KC1)), policies=[KC1])


@case("4.10.8", WRONG)
def mapped_to_any_policy(world: World) -> x509.Certificate:
    return world.signer(_mapping(world, (KC1, ANY_POLICY)), policies=[KC1])


@case("4.11.1", WRONG)
def mapping_inhibited_at_once(world: World) -> x509.Certificate:
    return world.signer(_mapping_below(world, inhibited=0), policies=[KC2])


@case("4.11.2")
def mapping_inhibited_later(world: World) -> x509.Certificate:
    return world.signer(_mapping_below(world, inhibited=1), policies=[KC2])


@case("4.12.1", WRONG)
def any_policy_inhibited_at_once(world: World) -> x509.Certificate:
    ask(world)
    authority = world.authority("CA", None, inhibited(0), policies=[KC1])
    return world.signer(authority, policies=[ANY_POLICY])


@case("4.12.2")
def any_policy_inhibited_and_not_needed(world: World) -> x509.Certificate:
    ask(world)
    authority = world.authority("CA", None, inhibited(0), policies=[KC1])
    return world.signer(authority, policies=[ANY_POLICY, KC1])


@case("4.12.3")
def any_policy_inhibited_later(world: World) -> x509.Certificate:
    ask(world)
    one = world.authority("CA", None, inhibited(1), policies=[KC1])
    sub = world.authority("Sub", one, policies=[ANY_POLICY])
    return world.signer(sub, policies=[KC1])


@case("4.12.3", WRONG)
def any_policy_inhibited_by_the_user(world: World) -> x509.Certificate:
    ask(world, any_policy_inhibited=True)
    return world.signer(world.authority(policies=[ANY_POLICY]), policies=[KC1])


@case("4.12.7")
def self_issued_may_say_any_policy(world: World) -> x509.Certificate:
    ask(world)
    none = world.authority("CA", None, inhibited(0), policies=[KC1])
    renewed = world.authority("CA", none, key="Renewed", policies=[ANY_POLICY])
    return world.signer(renewed, policies=[KC1])


PERMITTED, EXCLUDED = "permitted_subtrees", "excluded_subtrees"


@case("4.13.1")
def name_within(world: World) -> x509.Certificate:
    return world.signer(_space(world, PERMITTED, directory()), subject=inside())


@case("4.13.2", WRONG)
def name_without(world: World) -> x509.Certificate:
    return world.signer(_space(world, PERMITTED, directory()))


@case("4.13.7", WRONG)
def name_excluded(world: World) -> x509.Certificate:
    return world.signer(_space(world, EXCLUDED, directory()), subject=inside())


@case("4.13.8")
def name_not_excluded(world: World) -> x509.Certificate:
    return world.signer(_space(world, EXCLUDED, directory()))


@case("4.13.19")
def self_issued_need_not_be_within(world: World) -> x509.Certificate:
    narrow = _space(world, PERMITTED, directory())
    renewed = world.authority("CA", narrow, key="Renewed")
    return world.signer(renewed, subject=inside())


@case("4.13.20", WRONG)
def self_issued_must_be_within_when_last(world: World) -> x509.Certificate:
    narrow = _space(world, PERMITTED, directory())
    return world.authority("CA", narrow, key="Renewed").certificate


@case("4.13.21")
def mail_within(world: World) -> x509.Certificate:
    return _named(world, PERMITTED, "rfc822_name", ".lab.invalid", "doctor@one.lab.invalid")


@case("4.13.22", WRONG)
def mail_without(world: World) -> x509.Certificate:
    return _named(world, PERMITTED, "rfc822_name", ".lab.invalid", "doctor@clinic.invalid")


@case("4.13.26", WRONG)
def mail_excluded(world: World) -> x509.Certificate:
    return _named(world, EXCLUDED, "rfc822_name", "lab.invalid", "doctor@lab.invalid")


@case("4.13.30")
def host_within(world: World) -> x509.Certificate:
    return _named(world, PERMITTED, "dns_name", "lab.invalid", "one.lab.invalid")


@case("4.13.31", WRONG)
def host_without(world: World) -> x509.Certificate:
    return _named(world, PERMITTED, "dns_name", "lab.invalid", "clinic.invalid")


@case("4.13.33", WRONG)
def host_excluded(world: World) -> x509.Certificate:
    return _named(world, EXCLUDED, "dns_name", "lab.invalid", "one.lab.invalid")


@case("4.13.34")
def place_within(world: World) -> x509.Certificate:
    kind = "uniform_resource_identifier"
    return _named(world, PERMITTED, kind, ".lab.invalid", "http://one.lab.invalid/x")


@case("4.13.35", WRONG)
def place_without(world: World) -> x509.Certificate:
    kind = "uniform_resource_identifier"
    return _named(world, PERMITTED, kind, ".lab.invalid", "http://clinic.invalid/x")


def required(skipped: int) -> x509.Extension:
    """Return policy constraints that require a policy after so many certificates."""
    return made.extension("policy_constraints", {"require_explicit_policy": skipped}, critical=True)


def inhibited(skipped: int) -> x509.Extension:
    """Return the inhibition of anyPolicy after so many certificates."""
    return made.extension("inhibit_any_policy", skipped, critical=True)


def directory() -> x509.GeneralName:
    """Return the space of names that `inside` is in."""
    base = made.name(("organization_name", "Twin"), ("organizational_unit_name", "Lab"))
    return x509.GeneralName(name="directory_name", value=base)


def inside() -> x509.Name:
    """Return a signer's name in the space of names."""
    return dn("Signer", ("organizational_unit_name", "Lab"))


def _mapping(world: World, pair: tuple[str, str], under: Authority | None = None) -> Authority:
    mapped = [{"issuer_domain_policy": pair[0], "subject_domain_policy": pair[1]}]
    extension = made.extension("policy_mappings", mapped, critical=True)
    title = "Sub" if under else "CA"
    return world.authority(title, under, extension, policies=[KC1])


def _mapping_below(world: World, inhibited: int) -> Authority:
    """Return a mapping authority under one that inhibits mapping."""
    constraint = {"require_explicit_policy": 0, "inhibit_policy_mapping": inhibited}
    extension = made.extension("policy_constraints", constraint, critical=True)
    return _mapping(world, (KC1, KC2), world.authority("CA", None, extension, policies=[KC1]))


def _space(world: World, kind: str, base: x509.GeneralName) -> Authority:
    stated: dict[str, Any] = {kind: [{"base": base}]}
    constraint = made.extension("name_constraints", stated, critical=True)
    return world.authority("CA", None, constraint)


def _named(world: World, kind: str, form: str, base: str, name: str) -> x509.Certificate:
    narrow = _space(world, kind, x509.GeneralName(name=form, value=base))
    alternative = made.extension("subject_alt_name", [x509.GeneralName(name=form, value=name)])
    return world.signer(narrow, alternative)
