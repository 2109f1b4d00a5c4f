"""Offers of browsers and of those who mean no good; what our answers hold."""

from __future__ import annotations

import random

import pytest
from aiortc.sdp import SessionDescription

from rooms.voice.errors import BadOffer
from rooms.voice.sdp import MAX_OFFER_BYTES, Candidate, Line, Offer, Transport, read_offer, write_answer

FINGERPRINT = ":".join(["AB"] * 32)
CHROMIUM = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS
m=audio 55555 UDP/TLS/RTP/SAVPF 111 63
c=IN IP4 203.0.113.77
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2122194687 203.0.113.77 55555 typ host generation 0
a=candidate:2 1 udp 2122194687 6a2ab5c5-planted.local 55556 typ host generation 0
a=end-of-candidates
a=ice-ufrag:EsAw
a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y
a=ice-options:trickle
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:planted-stream planted-track
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=ssrc:3735928559 cname:planted-cname
a=ssrc:3735928559 msid:planted-stream planted-track
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
a=mid:1
a=recvonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
""".replace("\n", "\r\n")
FIREFOX = f"""v=0
o=mozilla...THIS_IS_SDPARTA-99.0 7342838021 0 IN IP4 0.0.0.0
s=-
t=0 0
a=fingerprint:sha-256 {FINGERPRINT}
a=group:BUNDLE 0
a=ice-options:trickle
a=msid-semantic:WMS *
m=audio 9 UDP/TLS/RTP/SAVPF 109 9 101
c=IN IP4 0.0.0.0
a=sendrecv
a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
a=ice-pwd:0ce5d8f0e1a1a9c5d0d1f8f6bd1ad0f6
a=ice-ufrag:9f7d3b2c
a=mid:0
a=msid:- {{b1c1b1a0-0000-4000-8000-000000000000}}
a=rtcp-mux
a=rtpmap:109 opus/48000/2
a=rtpmap:9 G722/8000/1
a=rtpmap:101 telephone-event/8000
a=setup:actpass
a=ssrc:2655508255 cname:{{735484ea-0000-4000-8000-000000000000}}
""".replace("\n", "\r\n")
"""The form Firefox writes: certificate and bundle stand before the first section."""
TRANSPORT = Transport(
    "name", "password" * 3, FINGERPRINT, [Candidate("1", 2_130_706_431, "198.51.100.1", 40_000)]
)


def answer(offer: Offer, lines: list[Line] | None = None) -> str:
    return write_answer(offer, TRANSPORT, lines or [Line(True, 1), Line(False, 2)], "neutral")


def test_an_offer_is_read_for_what_an_answer_needs() -> None:
    offer = read_offer(CHROMIUM)
    assert (offer.ice_name, offer.ice_password) == ("EsAw", "bP+XJMM09aR8AiX1jdukzR6Y")
    assert offer.fingerprints == (("sha-256", FINGERPRINT),)
    assert offer.number == "4611731400430051336"
    assert [(each.mid, each.opus, each.speaks, each.hears) for each in offer.voice] == [
        ("0", 111, True, True),
        ("1", 111, False, True),
    ]


def test_what_stands_before_the_first_section_counts_for_it() -> None:
    offer = read_offer(FIREFOX)
    assert offer.fingerprints == (("sha-256", FINGERPRINT),)
    assert offer.number == "7342838021"
    assert [(each.mid, each.opus, each.speaks, each.hears) for each in offer.voice] == [
        ("0", 109, True, True)
    ]
    (media,) = SessionDescription.parse(answer(offer, [Line(True, 1)])).media
    assert [codec.payloadType for codec in media.rtp.codecs] == [109]


def test_nothing_personal_of_an_offer_is_kept() -> None:
    kept = repr(read_offer(CHROMIUM))
    for secret in ("planted", "203.0.113.77", ".local", "3735928559", "extmap"):
        assert secret in CHROMIUM
        assert secret not in kept


def test_the_answer_offers_opus_with_correction_and_the_servers_address_alone() -> None:
    text = answer(read_offer(CHROMIUM))
    read = SessionDescription.parse(text)
    assert [each.direction for each in read.media] == ["sendrecv", "sendonly"]
    assert [group.items for group in read.group] == [["0", "1"]]
    for media in read.media:
        (codec,) = media.rtp.codecs
        assert (codec.name, codec.parameters["useinbandfec"]) == ("opus", 1)
        assert media.rtp.headerExtensions == []
    assert [(each.ip, each.port, each.type) for each in read.media[0].ice_candidates] == [
        ("198.51.100.1", 40_000, "host")
    ]
    assert "a=offer:4611731400430051336\r\n" in text
    assert text.count("198.51.100.1") == 1


def test_two_answers_share_no_name() -> None:
    first, second = answer(read_offer(CHROMIUM)), answer(read_offer(CHROMIUM))
    for prefix in ("o=", "a=msid:"):
        one, other = (
            {line for line in text.split("\r\n") if line.startswith(prefix)} for text in (first, second)
        )
        assert one
        assert not one & other


def test_who_may_not_speak_is_told_so() -> None:
    read = SessionDescription.parse(answer(read_offer(CHROMIUM), [Line(False, 1), Line(False, 2)]))
    assert [each.direction for each in read.media] == ["sendonly", "sendonly"]


def test_video_data_and_other_transports_are_turned_down_in_their_place() -> None:
    data = (
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:3\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:4\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:5\r\na=rtcp-mux\r\na=rtpmap:0 PCMU/8000\r\n"
    )
    read = SessionDescription.parse(answer(read_offer(CHROMIUM + data)) + "")
    assert [(each.kind, each.port) for each in read.media] == [
        ("audio", 9), ("audio", 9), ("application", 0), ("video", 0), ("audio", 0), ("audio", 0),
    ]  # fmt: skip
    assert [group.items for group in read.group] == [["0", "1"]], "mid 4 is not in the offer's bundle"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (CHROMIUM, ""),
        (CHROMIUM, "hello"),
        (CHROMIUM, CHROMIUM + "a=x:" + "x" * MAX_OFFER_BYTES),
        (CHROMIUM, CHROMIUM + "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:x\r\n" * 20),
        ("v=0", "v=1"),
        ("opus/48000/2", "PCMU/8000"),
        ("a=rtcp-mux\r\n", ""),
        ("a=ice-ufrag:EsAw", "a=ice-ufrag:E"),
        ("a=ice-ufrag:EsAw", "a=ice-ufrag:Es\tAw"),
        ("a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y", "a=ice-pwd:short"),
        ("sha-256", "md5"),
        (FINGERPRINT, "none"),
        ("a=setup:actpass", "a=setup:active"),
        ("a=setup:actpass\r\n", ""),
        ("a=mid:1\r\n", "a=mid:0\r\n"),
        ("a=mid:1\r\n", ""),
        ("a=mid:1\r\n", "a=mid:a b\r\n"),
        ("a=mid:1\r\n", f"a=mid:{'m' * 65}\r\n"),
        ("m=audio 9 UDP", "m=audio nine UDP"),
        ("v=0\r\n", "v=0\r\na=ice-lite\r\n"),
    ],
)
def test_a_broken_offer_is_refused_with_a_sentence(old: str, new: str) -> None:
    assert old in CHROMIUM
    with pytest.raises(BadOffer) as refused:
        read_offer(CHROMIUM.replace(old, new))
    assert refused.value.code == "bad_offer"
    assert refused.value.sentence.endswith(".")


def test_a_mangled_offer_is_read_or_refused_and_nothing_else() -> None:
    rough = random.Random(11)
    read = 0
    for _ in range(3_000):
        text = list(CHROMIUM)
        for _ in range(rough.randrange(1, 6)):
            at = rough.randrange(len(text))
            text[at : at + rough.randrange(3)] = rough.choice(
                ["", "\r\n", "\0", "é", " ", ":", "9", "m=", "a="]
            )
        try:
            offer = read_offer("".join(text))
        except BadOffer:
            continue
        read += 1
        lines = [Line(True, number) for number, _ in enumerate(offer.voice)]
        assert len(SessionDescription.parse(write_answer(offer, TRANSPORT, lines, "n")).media) == len(
            offer.sections
        )
    assert 100 < read < 2_900
