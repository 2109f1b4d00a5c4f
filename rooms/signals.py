"""What a room tells the apps above it, which it does not know."""

from __future__ import annotations

from django.dispatch import Signal

room_moved = Signal()
"""Sent after the commit. sender: Room; room: Room; phase: rooms.live.lifecycle.Phase.

May be sent twice and may be lost when the process dies: whoever relies on it also scans.
"""
