"""What the voice desk refuses, each answered on the socket, which stays open: a room works without voice."""

from __future__ import annotations

from anteroom.errors import Refusal


class BadOffer(Refusal):
    """An offer that is no offer, or one that asks for something a room does not do."""

    code = "bad_offer"
    sentence = "Your browser's way of sending sound is not one this room understands. Reload, or try another."
    status = 400
    close_code = 4400


class TooManyOffers(Refusal):
    code = "too_many_offers"
    sentence = "Your voice is trying to connect too often. Wait a few seconds, then turn it on again."
    status = 429
    close_code = 4429


class VoiceElsewhere(Refusal):
    """The same seat speaks from a newer connection. Asking once more moves the voice here."""

    code = "voice_elsewhere"
    sentence = "Your voice is on in another tab. Turn it on again to move it here."
    status = 409
    close_code = 4409


class VoiceFull(Refusal):
    code = "voice_full"
    sentence = "As many people as a room can hold are on the line already."
    status = 409
    close_code = 4409


class VoiceUnavailable(Refusal):
    """The server cannot carry sound right now; everything else in the room goes on."""

    code = "voice_unavailable"
    sentence = "The server cannot carry voice right now. Everything else works; try again in a moment."
    status = 503
    close_code = 1013
