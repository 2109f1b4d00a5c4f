"""Make the demo's people and room, and print a sign-in link for each."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rooms.demo import AddressTaken, prepare


class Command(BaseCommand):
    help = "Print fresh sign-in links for a candidate, an interviewer and an admin; makes them when missing."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            demo = prepare()
        except AddressTaken as taken:
            raise CommandError(str(taken)) from taken
        self.stdout.write(f"Room         {demo.room.pk}")
        self.stdout.write(f"Candidate    {demo.candidate_link}")
        self.stdout.write(f"Interviewer  {demo.interviewer_link}")
        self.stdout.write(f"Admin        {demo.admin_link}")
