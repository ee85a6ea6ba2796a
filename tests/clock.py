"""A clock for tests: it stands where it is put and moves only when told."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Gives the same time until it is moved."""

    def __init__(self, start: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) -> None:
        self.now = start

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **units: float) -> None:
        """Move on by days, hours, minutes or seconds."""
        self.now += timedelta(**units)
