"""The way to a time-stamping authority, for `gateway sign -T`, and why one gave no stamp."""

from __future__ import annotations

from gateway.algorithms.interface import Algorithms
from gateway.cli.output import Failed, Output, Wrong
from gateway.evidence.authority import Authority
from gateway.signatures.stamping import NotStamped, Stamp

RUSSIAN = {
    "ConnectionError": "нет связи",
    "ConnectTimeout": "нет связи",
    "ReadTimeout": "ответа нет слишком долго",
    "SSLError": "сертификат сервера не принят",
    "credentials_file": "файл с именем и паролем не прочитать",
    "ca_file": "файл с сертификатами сервера не прочитать",
    "the answer is too long": "слишком длинный ответ",
    "the answer is too slow": "слишком медленный ответ",
    "the answer is to another request": "ответ на другой запрос",
    "the answer is no TimeStampResp": "это ответ не службы RFC 3161",
    "refused": "служба отказала",
    "the token does not hold": "штамп не сходится",
    "the stamp is older than one it renews": "штамп старше того, который обновляет",
    "the authority's clock and ours differ": "часы службы и шлюза расходятся",
    "the authority is not believed": "службе нет доверия, её корень кладут в trust/",
}
"""The reasons of NotStamped up to a colon; what stands after it is a name and stays."""


def stamper(out: Output, url: str, digest: str, algorithms: Algorithms) -> Stamp:
    """Return what fetches tokens from the authority at `url`, imprints by `digest`.

    It raises Failed when there is no good token.  Raises Wrong for what is no http(s) address.
    """
    if not url.startswith(("http://", "https://")):
        said = "нужен адрес http:// или https://", "an address http:// or https:// is expected"
        raise Wrong(f"--tsa {url}: {out.say(*said)}")
    client = Authority(url=url, algorithms=algorithms).client(digest)

    def stamp(octets: bytes) -> bytes:
        try:
            return client.stamp(octets)
        except NotStamped as error:
            raise Failed(not_stamped(out, url, error)) from error

    return stamp


def not_stamped(out: Output, url: str, error: NotStamped) -> str:
    """Return in one line why the authority at `url` gave no stamp that can be used."""
    reason, colon, named = str(error).partition(":")
    russian = RUSSIAN.get(reason, reason)
    return out.say(
        f"служба штампов времени {url} не дала штампа: {russian}{colon}{named}",
        f"the time-stamping authority {url} gave no time stamp: {error}",
    )
