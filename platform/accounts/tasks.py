"""What the worker does for the door."""

from __future__ import annotations

from celery import shared_task

from accounts import mail, services
from accounts.models import Person


@shared_task(name="accounts.tasks.sweep", ignore_result=True)
def sweep() -> None:
    services.sweep()


@shared_task(name="accounts.tasks.mail_sign_in_link", ignore_result=True)
def mail_sign_in_link(*, email: str, next_path: str) -> None:
    """Mail a link if this address belongs to somebody.

    A task, so that the page answers the same for a known address and an unknown one, and as fast.
    """
    person = Person.objects.filter(email=email, is_active=True).first()
    if person:
        link = services.make_sign_in_link(
            person=person, next_path=next_path, valid_minutes=services.MAILED_LINK_VALID_MINUTES
        )
        mail.send_sign_in_link(address=email, link=link, valid_minutes=services.MAILED_LINK_VALID_MINUTES)
