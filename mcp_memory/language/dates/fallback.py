"""Dates in languages without a vocabulary, read by dateparser, which is loaded when one comes."""

import re
from datetime import UTC, datetime
from typing import Any, cast

from mcp_memory.language.dates.periods import Period, shifted_period
from mcp_memory.language.detection import likely_languages

LATIN = ("de", "fr", "es", "pt", "it", "nl", "pl", "sv", "da", "tr", "cs", "ro", "hu", "fi", "id", "vi", "nb", "ca")
"""Languages tried for a phrase in Latin letters; each takes 0.1 s to load."""
CYRILLIC = ("ru", "uk", "bg")
LONGEST = 60


def read_foreign(text: str, *, now: datetime) -> Period | None:
    """Return the period a phrase names in a language other than English; None where it names none.

    dateparser finds dates in no sentence reliably, and takes ten seconds for its first without a language (1.5.0,
    2026-11-21), so it is asked for whole phrases only, such as `occurred_at`.
    """
    if len(text) > LONGEST or not re.search(r"[^\W\d_]", text) or re.fullmatch(r"[\x00-\x7f]*\d{5}[\x00-\x7f]*", text):
        return None
    likely = likely_languages(text)
    languages = CYRILLIC if likely == ("ru",) else LATIN if len(likely) != 1 or likely[0] in (*LATIN, "en") else likely
    from dateparser.date import DateDataParser  # 0.4 s, and needed by few

    found = cast(Any, DateDataParser)(
        languages=list(languages), settings=_SETTINGS | {"RELATIVE_BASE": now.replace(tzinfo=None)}
    )
    try:
        data = found.get_date_data(text)
    except (ValueError, OverflowError, TypeError, RecursionError):
        return None
    moment: datetime | None = data.date_obj
    if moment is None:
        return None
    unit = data.period if data.period in ("week", "month", "year") else "day"
    return shifted_period(moment.replace(tzinfo=UTC), unit, 0)


_SETTINGS = {
    "PREFER_DATES_FROM": "past",
    "DATE_ORDER": "DMY",
    "PREFER_LOCALE_DATE_ORDER": False,
    "REQUIRE_PARTS": [],
    "PARSERS": ["relative-time", "absolute-time"],
}
