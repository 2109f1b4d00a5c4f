"""Masks: the names people wear in a room, fresh in every room and without a thread to the one before."""

from __future__ import annotations

import secrets

FIRST = (
    "Amber", "Ashen", "Brisk", "Calm", "Candid", "Clever", "Copper", "Coral", "Crimson", "Crystal", "Dapper",
    "Dusky", "Eager", "Early", "Ember", "Fabled", "Fleet", "Frosty", "Gentle", "Gilded", "Golden", "Hazel",
    "Humble", "Indigo", "Ivory", "Jade", "Jolly", "Keen", "Lively", "Lucid", "Lunar", "Marble", "Mellow",
    "Merry", "Misty", "Modest", "Mossy", "Nimble", "Noble", "Opal", "Patient", "Pearl", "Placid", "Plucky",
    "Polar", "Quiet", "Rapid", "Rustic", "Sable", "Saffron", "Scarlet", "Serene", "Silver",
    "Snowy", "Solar", "Spry", "Steady", "Sunny", "Swift", "Teal", "Tidal", "Umber", "Velvet", "Vivid",
)  # fmt: skip
SECOND = (
    "Badger", "Bear", "Beaver", "Bison", "Bittern", "Cormorant", "Crane", "Cricket", "Curlew", "Deer",
    "Dolphin", "Dormouse", "Dove", "Egret", "Elk", "Ermine", "Falcon", "Fern", "Finch", "Fox", "Gannet",
    "Gecko", "Goldfinch", "Hare", "Hawk", "Hedgehog", "Heron", "Ibex", "Ibis", "Jackdaw", "Kestrel",
    "Kingfisher", "Kiwi", "Koala", "Lark", "Lemur", "Linnet", "Lynx", "Magpie", "Marmot", "Marten", "Moth",
    "Newt", "Nightjar", "Ocelot", "Osprey", "Otter", "Owl", "Panda", "Pelican", "Petrel", "Pika", "Plover",
    "Puffin", "Quail", "Raven", "Robin", "Salmon", "Sandpiper", "Seal", "Sparrow", "Squirrel", "Starling",
    "Stoat", "Swan", "Tapir", "Tern", "Thrush", "Turtle", "Vole", "Walrus", "Wren", "Yak",
)  # fmt: skip


def fresh_masks(count: int) -> list[str]:
    """So many two-word names that share no word with one another, from the system's randomness.

    count: at most the length of the shorter list. Nothing about the people goes in, so nothing comes out.
    """
    chance = secrets.SystemRandom()
    pairs = zip(chance.sample(FIRST, count), chance.sample(SECOND, count), strict=True)
    return [f"{first} {second}" for first, second in pairs]
