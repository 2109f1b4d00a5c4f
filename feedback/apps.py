from typing import Any

from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    name = "feedback"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from feedback.selectors import rooms_owing
        from feedback.transcript import reviews
        from rooms.next_steps import answer_with
        from rooms.signals import room_moved
        from rooms.transcript import contribute

        room_moved.connect(_open_exchange, dispatch_uid="feedback.open_exchange")
        answer_with(rooms_owing)
        contribute(scope="feedback:read_revealed", contributor=reviews)


def _open_exchange(sender: object, **news: Any) -> None:
    """The interview ended: open its exchange at once. A lost signal is made up for by tasks.scan."""
    from feedback.services import open_exchange
    from rooms.live.lifecycle import Phase

    if news["phase"] == Phase.FEEDBACK:
        open_exchange(room_id=news["room"].pk)
