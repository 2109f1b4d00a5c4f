"""Python's garbage collector where sockets are served: its pauses were most of the slowest messages."""

from __future__ import annotations

import gc

THRESHOLDS = (50_000, 20, 50)
"""Objects made before it looks at the youngest, and how many looks before it looks at the older ones. Almost
everything here is freed by its reference count; what is left for the collector is little."""


def settle() -> None:
    """Never look again at what start-up has made, and at the rest seldom. Call it once all is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
