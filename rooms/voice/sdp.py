"""What is read from a browser's offer and what is written into our answer. Plain Python.

An offer holds far more than is needed: addresses, track and stream names, header extensions, every codec the
browser knows. Only what `Offer` names is read; the rest is never looked at, so it cannot reach anyone. No
candidate line is read: the server sends nothing to an address a client names and learns where a peer is
from its authenticated checks alone. The answer is written from nothing but our own fresh random names, the
server's addresses, and the section names and payload number of the very browser that will read it.

Sources: RFC 8866 (SDP), RFC 8829 (JSEP), RFC 9143 (BUNDLE), RFC 7587 (Opus).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from rooms.voice.errors import BadOffer

MAX_OFFER_BYTES = 32 * 1024
MAX_SECTIONS = 16

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")
_ICE_NAME = re.compile(r"[A-Za-z0-9+/]{4,256}")
_ICE_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_FINGERPRINT = re.compile(r"(sha-256|sha-384|sha-512) ((?:[0-9A-F]{2}:)+[0-9A-F]{2})", re.IGNORECASE)
_MEDIA = re.compile(r"m=([a-z]+) ([0-9]{1,5}) ([A-Z/]+)((?: [^ ]+)+)")
_PAYLOAD_NUMBER = re.compile(r"[0-9]{1,3}")
_ORIGIN = re.compile(r"o=[^ ]+ ([0-9]{1,20}) .*")
_OPUS = re.compile(r"rtpmap:([0-9]{1,3}) opus/48000/2", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Section:
    """One m= section of an offer, in its place. `opus` is None where we answer "not this one"."""

    media: str
    protocol: str
    formats: str
    mid: str
    opus: int | None = None
    """The browser's payload number of Opus."""
    speaks: bool = False
    """The browser wants to send here."""
    hears: bool = False
    """The browser wants to receive here."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a browser asks for: its secrets of the transport and its sections."""

    ice_name: str
    ice_password: str
    fingerprints: tuple[tuple[str, str], ...]
    """(hash name, value) of the browser's certificate."""
    sections: tuple[Section, ...]
    number: str = "0"
    """By which the browser tells its own offers apart; it goes back to that browser alone."""

    @property
    def voice(self) -> tuple[Section, ...]:
        """The sections that carry sound; at least one."""
        return tuple(section for section in self.sections if section.opus is not None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One address of the server at which a browser may reach it."""

    foundation: str
    priority: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Transport:
    """Our side of the transport, made for one connection."""

    ice_name: str
    ice_password: str
    fingerprint: str
    """SHA-256 of our certificate, as hex pairs with colons."""
    candidates: Sequence[Candidate]


@dataclass(frozen=True, slots=True)
class Line:
    """How we answer one section: do we listen, and under which SSRC do we speak (None: we do not)."""

    listens: bool = False
    ssrc: int | None = None


@dataclass(slots=True)
class _Draft:
    """A section while it is read."""

    media: str
    port: int
    protocol: str
    formats: str
    attributes: list[str] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        prefix = name + ":"
        return [each[len(prefix) :] for each in self.attributes if each.startswith(prefix)]

    def value(self, name: str, otherwise: str) -> str:
        return next(iter(self.values(name)), otherwise)


def read_offer(sdp: str) -> Offer:
    """The offer in this text. Raises BadOffer for whatever a room cannot answer."""
    if len(sdp.encode("utf-8", "replace")) > MAX_OFFER_BYTES:
        raise BadOffer
    session, drafts = _split(sdp)
    number = _ORIGIN.match(sdp, sdp.find("\no=") + 1)
    bundle = next((each.split() for each in session.values("group") if each.startswith("BUNDLE ")), [])[1:]

    sections: list[Section] = []
    carrier: _Draft | None = None  # the first section with sound: its transport carries the others
    for draft in drafts:
        section = _read_section(draft)
        if section.opus is not None and carrier is not None and section.mid not in bundle:
            section = Section(section.media, section.protocol, section.formats, section.mid)
        if section.opus is not None and carrier is None:
            carrier = draft
        sections.append(section)
    if carrier is None or len({section.mid for section in sections}) != len(sections):
        raise BadOffer
    transport = _read_transport(carrier, session)
    return Offer(*transport, tuple(sections), number[1] if number else "0")


def _split(sdp: str) -> tuple[_Draft, list[_Draft]]:
    lines = sdp.replace("\r\n", "\n").split("\n")
    if not lines or lines[0] != "v=0":
        raise BadOffer
    session = _Draft("session", 0, "", "")
    drafts: list[_Draft] = []
    for line in lines[1:]:
        if line.startswith("m="):
            match = _MEDIA.fullmatch(line)
            if match is None or len(drafts) == MAX_SECTIONS:
                raise BadOffer
            drafts.append(_Draft(match[1], int(match[2]), match[3], match[4].strip()))
        elif line.startswith("a="):
            (drafts[-1] if drafts else session).attributes.append(line[2:])
    return session, drafts


def _read_section(draft: _Draft) -> Section:
    mid = draft.value("mid", "")
    if not _TOKEN.fullmatch(mid):
        raise BadOffer
    plain = Section(draft.media, draft.protocol, draft.formats, mid)
    form = _PAYLOAD_NUMBER if draft.media in ("audio", "video") else _TOKEN
    if not all(form.fullmatch(each) for each in draft.formats.split(" ")):
        raise BadOffer
    switched_off = draft.port == 0 and "bundle-only" not in draft.attributes
    if draft.media != "audio" or draft.protocol != "UDP/TLS/RTP/SAVPF" or switched_off:
        return plain
    found = [match for each in draft.attributes if (match := _OPUS.fullmatch(each))]
    numbers = [int(match[1]) for match in found if match[1] in draft.formats.split()]
    if not numbers or not 0 <= numbers[0] <= 127 or "rtcp-mux" not in draft.attributes:
        return plain
    attributes = set(draft.attributes)
    return Section(
        draft.media,
        draft.protocol,
        draft.formats,
        mid,
        opus=numbers[0],
        speaks=not attributes & {"recvonly", "inactive"},
        hears=not attributes & {"sendonly", "inactive"},
    )


def _read_transport(carrier: _Draft, session: _Draft) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """ICE name, ICE password, fingerprints."""
    ice_name = carrier.value("ice-ufrag", session.value("ice-ufrag", ""))
    ice_password = carrier.value("ice-pwd", session.value("ice-pwd", ""))
    setup = carrier.value("setup", session.value("setup", ""))
    written = carrier.values("fingerprint") or session.values("fingerprint")
    matches = [match for each in written if (match := _FINGERPRINT.fullmatch(each))]
    if (
        not _ICE_NAME.fullmatch(ice_name)
        or not _ICE_PASSWORD.fullmatch(ice_password)
        or not matches
        or setup not in ("actpass", "passive")  # an offer leaves the first word to us (RFC 8829, 5.2.1)
        or "ice-lite" in session.attributes
    ):
        raise BadOffer
    fingerprints = tuple((match[1].lower(), match[2].upper()) for match in matches)
    return ice_name, ice_password, fingerprints


def write_answer(offer: Offer, transport: Transport, lines: Sequence[Line], cname: str) -> str:
    """The answer to this offer: Opus with forward error correction, our addresses, fresh names, no more.

    `lines` says for each section of offer.voice, in order, what we do there.
    """
    bundle = " ".join(section.mid for section in offer.voice)
    text = [
        "v=0",
        f"o=- {secrets.randbits(62)} 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {bundle}",
        # Ours: a browser that offered twice can tell which of its offers this answers.
        f"a=offer:{offer.number}",
    ]
    todo = iter(lines)
    carrier = True
    for section in offer.sections:
        if section.opus is None:
            text += [f"m={section.media} 0 {section.protocol} {section.formats}".rstrip()]
            text += ["c=IN IP4 0.0.0.0", f"a=mid:{section.mid}", "a=inactive"]
            continue
        line = next(todo)
        text += _write_voice(section, transport, line, cname)
        if carrier:
            text += [
                f"a=candidate:{each.foundation} 1 udp {each.priority} {each.host} {each.port} typ host"
                for each in transport.candidates
            ]
            text += ["a=end-of-candidates"]
            carrier = False
    return "\r\n".join(text) + "\r\n"


def _write_voice(section: Section, transport: Transport, line: Line, cname: str) -> list[str]:
    listens, speaks = section.speaks and line.listens, section.hears and line.ssrc is not None
    direction = {
        (True, True): "sendrecv",
        (True, False): "recvonly",
        (False, True): "sendonly",
        (False, False): "inactive",
    }[listens, speaks]
    text = [
        f"m=audio 9 UDP/TLS/RTP/SAVPF {section.opus}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{section.mid}",
        f"a={direction}",
        "a=rtcp-mux",
        f"a=ice-ufrag:{transport.ice_name}",
        f"a=ice-pwd:{transport.ice_password}",
        f"a=fingerprint:sha-256 {transport.fingerprint}",
        "a=setup:active",
        f"a=rtpmap:{section.opus} opus/48000/2",
        # Without this line Chromium sends no forward error correction.
        f"a=fmtp:{section.opus} minptime=10;useinbandfec=1",
        "a=ptime:20",
    ]
    if speaks:
        text += [f"a=msid:- {secrets.token_hex(16)}", f"a=ssrc:{line.ssrc} cname:{cname}"]
    return text
