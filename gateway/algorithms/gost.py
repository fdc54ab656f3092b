"""GOST R 34.10/34.11-2012 by gost-engine, in process, through ctypes on libcrypto.so.3.

Signatures of 2001 are verified too, as history: whether they count is for the policy.

Python's own `ssl` and `hashlib` share this libcrypto, so the engine takes over digests and
public-key methods only, never random numbers or ciphers.  Every call releases the GIL.
Every pointer libcrypto gives is checked before it is passed on: its functions answer bad
input with NULL and crash on NULL.

Source: OpenSSL 3.0 manual pages EVP_DigestVerify(3), ENGINE_by_id(3); gost-engine 3.0.1.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gateway.algorithms import gost_keys
from gateway.algorithms.interface import Scheme, Unsupported

ENGINE_METHODS = 0x0080 | 0x0200 | 0x0400
"""ENGINE_METHOD_DIGESTS | PKEY_METHS | PKEY_ASN1_METHS."""

DIGEST_NAMES = {
    "streebog256": b"md_gost12_256",
    "streebog512": b"md_gost12_512",
    "gost94": b"md_gost94",
}
DIGEST_BYTES_MAX = 64
SIGNATURE_BYTES_MAX = 256
KEY_KINDS = {"gost256": (b"gost2012_256", b"TCB"), "gost512": (b"gost2012_512", b"A")}
"""Family → (libcrypto's name, parameter set of the keys we make)."""

_P = ctypes.c_void_p
_I = ctypes.c_int
_S = ctypes.c_char_p
_Z = ctypes.c_size_t
_L = ctypes.c_long
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "OPENSSL_init_crypto": (_I, ctypes.c_uint64, _P),
    "ENGINE_by_id": (_P, _S),
    "ENGINE_init": (_I, _P),
    "ENGINE_free": (_I, _P),
    "ENGINE_set_default": (_I, _P, ctypes.c_uint),
    "ERR_clear_error": (None,),
    "EVP_get_digestbyname": (_P, _S),
    "EVP_Digest": (_I, _S, _Z, _P, _P, _P, _P),
    "EVP_MD_CTX_new": (_P,),
    "EVP_MD_CTX_free": (None, _P),
    "EVP_DigestVerifyInit": (_I, _P, _P, _P, _P, _P),
    "EVP_DigestVerify": (_I, _P, _S, _Z, _S, _Z),
    "EVP_DigestSignInit": (_I, _P, _P, _P, _P, _P),
    "EVP_DigestSign": (_I, _P, _P, _P, _S, _Z),
    "EVP_PKEY_free": (None, _P),
    "EVP_PKEY_CTX_new_id": (_P, _I, _P),
    "EVP_PKEY_CTX_free": (None, _P),
    "EVP_PKEY_CTX_ctrl_str": (_I, _P, _S, _S),
    "EVP_PKEY_keygen_init": (_I, _P),
    "EVP_PKEY_keygen": (_I, _P, _P),
    "EVP_PKEY2PKCS8": (_P, _P),
    "PKCS8_PRIV_KEY_INFO_free": (None, _P),
    "i2d_PKCS8_PRIV_KEY_INFO": (_I, _P, _P),
    "i2d_PUBKEY": (_I, _P, _P),
    "d2i_PUBKEY": (_P, _P, _P, _L),
    "d2i_AutoPrivateKey": (_P, _P, _P, _L),
    "OBJ_txt2nid": (_I, _S),
}
_LOCK = threading.Lock()
_LOADED: list[_Library] = []


class GostEngine:
    """The provider of GOST at full speed.  Raises Unsupported where the engine is absent."""

    NAME = "gost-engine"
    CERTIFIED = False
    FAMILIES: tuple[str, ...] = ("gost256", "gost512", "gost2001")
    DIGESTS: tuple[str, ...] = tuple(DIGEST_NAMES)

    def __init__(self) -> None:
        with _LOCK:
            if not _LOADED:
                _LOADED.append(_Library())
        self._library = _LOADED[0]

    def digest(self, name: str, octets: bytes) -> bytes:
        if name not in DIGEST_NAMES:
            raise Unsupported(name)
        return self._library.digest(name, octets)

    def verify(self, key: bytes, scheme: Scheme, octets: bytes, signature: bytes) -> bool:
        try:
            public = gost_keys.read_public(key)
        except gost_keys.BadKey:
            return False
        if (public.family, public.digest) != (scheme.family, scheme.digest):
            return False
        if gost_keys.read_signature(signature, public.curve) is None:
            return False
        return self._library.verify(key, scheme.digest, octets, signature)

    def sign(self, key: bytes, scheme: Scheme, octets: bytes) -> bytes:
        family, curve, _ = gost_keys.read_private(key)
        if family == "gost2001":
            raise Unsupported("signing by GOST R 34.10-2001")  # history: verified only
        if family != scheme.family or scheme.digest != _digest_of(family):
            raise ValueError(f"The key is not of the family {scheme.family}.")
        signature = self._library.sign(key, scheme.digest, octets)
        assert len(signature) == 2 * curve.size, len(signature)
        return signature

    def generate(self, family: str) -> tuple[bytes, bytes]:
        if family not in KEY_KINDS:
            raise Unsupported(family)
        return self._library.generate(*KEY_KINDS[family])


class EngineFault(RuntimeError):
    """libcrypto refused something it should have done: our fault or the machine's."""


class _Library:
    """libcrypto with the engine in it, one for the process."""

    def __init__(self) -> None:
        try:
            loaded = ctypes.CDLL("libcrypto.so.3")
            for name, (result, *arguments) in _FUNCTIONS.items():
                function = getattr(loaded, name)
                function.restype, function.argtypes = result, arguments
        except (OSError, AttributeError) as error:
            raise Unsupported("libcrypto.so.3") from error
        self._c = loaded
        self._c.OPENSSL_init_crypto(0, None)
        engine = self._c.ENGINE_by_id(b"gost")
        if not engine:
            self._c.ERR_clear_error()
            raise Unsupported("gost-engine")
        # The engine stays for the life of the process: freeing it would pull the methods
        # from under keys in use in other threads.
        if self._c.ENGINE_init(engine) != 1:
            self._c.ENGINE_free(engine)
            self._c.ERR_clear_error()
            raise Unsupported("gost-engine")
        if self._c.ENGINE_set_default(engine, ENGINE_METHODS) != 1:
            self._c.ERR_clear_error()
            raise Unsupported("gost-engine")
        self._digests: dict[str, int] = {}
        for name, theirs in DIGEST_NAMES.items():
            pointer = self._c.EVP_get_digestbyname(theirs)
            if not pointer:
                self._c.ERR_clear_error()
                raise Unsupported(f"gost-engine without {name}")
            self._digests[name] = pointer

    def digest(self, name: str, octets: bytes) -> bytes:
        out = ctypes.create_string_buffer(DIGEST_BYTES_MAX)
        length = ctypes.c_uint(0)
        done = self._c.EVP_Digest(
            octets, len(octets), out, ctypes.byref(length), self._digests[name], None
        )
        if done != 1:
            raise self._fault("EVP_Digest")
        return out.raw[: length.value]

    def verify(self, key: bytes, digest: str, octets: bytes, signature: bytes) -> bool:
        with self._key(self._c.d2i_PUBKEY, key) as public, self._context() as context:
            if not public:
                return False
            started = self._c.EVP_DigestVerifyInit(
                context, None, self._digests[digest], None, public
            )
            if started != 1:
                return False
            answer = self._c.EVP_DigestVerify(
                context, signature, len(signature), octets, len(octets)
            )
            return bool(answer == 1)

    def sign(self, key: bytes, digest: str, octets: bytes) -> bytes:
        with self._key(self._c.d2i_AutoPrivateKey, key) as private, self._context() as context:
            if not private:
                raise self._fault("d2i_AutoPrivateKey")
            started = self._c.EVP_DigestSignInit(
                context, None, self._digests[digest], None, private
            )
            if started != 1:
                raise self._fault("EVP_DigestSignInit")
            out = ctypes.create_string_buffer(SIGNATURE_BYTES_MAX)
            length = _Z(SIGNATURE_BYTES_MAX)
            done = self._c.EVP_DigestSign(context, out, ctypes.byref(length), octets, len(octets))
            if done != 1 or length.value > SIGNATURE_BYTES_MAX:
                raise self._fault("EVP_DigestSign")
            return out.raw[: length.value]

    def generate(self, kind: bytes, parameters: bytes) -> tuple[bytes, bytes]:
        context = self._c.EVP_PKEY_CTX_new_id(self._c.OBJ_txt2nid(kind), None)
        if not context:
            raise self._fault("EVP_PKEY_CTX_new_id")
        made = _P(None)
        try:
            if self._c.EVP_PKEY_keygen_init(context) != 1:
                raise self._fault("EVP_PKEY_keygen_init")
            if self._c.EVP_PKEY_CTX_ctrl_str(context, b"paramset", parameters) != 1:
                raise self._fault("EVP_PKEY_CTX_ctrl_str")
            if self._c.EVP_PKEY_keygen(context, ctypes.byref(made)) != 1 or not made.value:
                raise self._fault("EVP_PKEY_keygen")
            public = self._encoded(self._c.i2d_PUBKEY, made.value)
            return self._pkcs8(made.value), public
        finally:
            if made.value:
                self._c.EVP_PKEY_free(made.value)
            self._c.EVP_PKEY_CTX_free(context)
            self._c.ERR_clear_error()

    def _pkcs8(self, key: int) -> bytes:
        info = self._c.EVP_PKEY2PKCS8(key)
        if not info:
            raise self._fault("EVP_PKEY2PKCS8")
        try:
            return self._encoded(self._c.i2d_PKCS8_PRIV_KEY_INFO, info)
        finally:
            self._c.PKCS8_PRIV_KEY_INFO_free(info)

    def _encoded(self, encode: Callable[..., int], pointer: int) -> bytes:
        length = encode(pointer, None)
        if length <= 0:
            raise self._fault("i2d")
        out = ctypes.create_string_buffer(length)
        # i2d moves the pointer it is given past what it wrote.
        cursor = _P(ctypes.addressof(out))
        if encode(pointer, ctypes.byref(cursor)) != length:
            raise self._fault("i2d")
        return out.raw

    @contextmanager
    def _key(self, decode: Callable[..., int | None], der: bytes) -> Iterator[int | None]:
        """Give the decoded key, or None when the octets are not exactly one key."""
        octets = ctypes.create_string_buffer(der, len(der))
        start = ctypes.addressof(octets)
        cursor = _P(start)
        key = decode(None, ctypes.byref(cursor), len(der))
        try:
            whole = cursor.value is not None and cursor.value - start == len(der)
            yield key if whole else None
        finally:
            if key:
                self._c.EVP_PKEY_free(key)
            self._c.ERR_clear_error()

    @contextmanager
    def _context(self) -> Iterator[int]:
        context = self._c.EVP_MD_CTX_new()
        if not context:
            raise self._fault("EVP_MD_CTX_new")
        try:
            yield context
        finally:
            self._c.EVP_MD_CTX_free(context)

    def _fault(self, function: str) -> EngineFault:
        self._c.ERR_clear_error()
        return EngineFault(function)


def _digest_of(family: str) -> str:
    return {"gost256": "streebog256", "gost512": "streebog512"}[family]
