"""Phrases for a time in Chinese, Japanese and Korean: year, month and day follow each other, and what relates follows them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache

from mcp_memory.language.dates.grammar import (
    DAY,
    LEAP,
    Grammar,
    Read,
    Rule,
    counted,
    decade_period,
    grammar_of,
    recent,
)
from mcp_memory.language.dates.periods import (
    Period,
    day_period,
    half_period,
    month_period,
    quarter_period,
    season_period,
    shifted_period,
    week_of_month,
    year_period,
)

_TRADITIONAL = str.maketrans("週個後號兩裡禮開終節聖誕這過間從點內來慶國", "周个后号两里礼开终节圣诞这过间从点内来庆国")
_HAN_DIGITS = {han: number for number, han in enumerate("零一二三四五六七八九")} | {"〇": 0, "○": 0, "两": 2}
_HAN = r"(?:[一二两三四五六七八九十]{1,3}|\d{1,3})"
_TIME_OF_DAY = "(?:凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜里|半夜)?"


@dataclass(frozen=True, slots=True, eq=False)
class East:
    """The words of one language. In patterns a blank stands for white space that may be there or not."""

    code: str
    years: Mapping[str, int]
    months: Mapping[str, int]
    weeks: Mapping[str, int]
    days: Mapping[str, int]
    year: str
    month: str
    day: str
    """What follows the number of a year, a month, a day."""
    weekday: str
    """A weekday after a week, as groups w0 to w6 and wend for the weekend."""
    seasons: tuple[str, str, str, str]
    units: Mapping[str, str]
    few: str
    ago: str
    hence: str
    recent: str
    half: str
    """Before the unit, one half of it."""
    link: str
    """What may stand between the parts."""
    parts: Mapping[str, str]
    """What follows a month or a year, by the part of it: begin, middle, end, first_half, second_half."""
    before: str
    after: str
    since: str
    until: str
    joined: str
    holidays: Mapping[str, tuple[int, int, int]] = field(default_factory=dict[str, tuple[int, int, int]])


CHINESE = East(
    code="zh",
    years={"大前年": -3, "前年": -2, "去年": -1, "上一年": -1, "今年": 0, "本年": 0, "这一年": 0, "明年": 1, "后年": 2},
    months={"上上个?月": -2, "上个?月": -1, "本月|这个?月|当月": 0, "下下个?月": 2, "下个?月": 1},
    weeks={
        "上上个?(?:周|星期|礼拜)": -2, "上个?(?:周|星期|礼拜)": -1, "(?:本|这)个?(?:周|星期|礼拜)": 0,
        "下下个?(?:周|星期|礼拜)": 2, "下个?(?:周|星期|礼拜)": 1,
    },
    days={
        "大前天": -3, "前天|前晚|前夜": -2, "昨天|昨日|昨晚|昨夜": -1, "今天|今日|今晚|今早|今晨|今夜": 0, "明天|明日|明早|明晚": 1,
        "大后天": 3, "后天": 2,
    },
    year="年", month="月(?:份)?", day="[日号]",
    weekday="(?:(?P<w0>一)|(?P<w1>二)|(?P<w2>三)|(?P<w3>四)|(?P<w4>五)|(?P<w5>六)|(?P<w6>[日天])|(?P<wend>末))",
    seasons=("春[天季]?", "夏[天季]?", "秋[天季]?", "冬[天季]?"),
    units={
        "second": "秒钟?", "minute": "分钟", "hour": "个?(?:小时|钟头)", "day": "[天日]", "week": "个?(?:周|星期|礼拜)", "month": "个?月",
        "quarter": "个?季度", "year": "年",
    },
    few="几", ago="(?:之|以)?前|之前|以前", hence="(?:之|以)?后|之后|以后", recent="(?:最近|过去|近|这|前)的?这?", half="半", link="的?",
    parts={"begin": "年?初|年?伊始|上旬", "middle": "中旬?|年中", "end": "年?底|年?末|年?终|下旬", "first_half": "上半[年月]", "second_half": "下半[年月]"},
    before="之前|以前|前", after="之后|以后|后", since="以来|起|开始", until="为止|截止",
    joined="到|至|和|与|跟|-|–|—|~|～",
    holidays={"元旦": (1, 1, 1), "情人节": (2, 14, 1), "五一(?:劳动节|假期)?|劳动节": (5, 1, 5), "六一|儿童节": (6, 1, 1),
              "国庆(?:节|假期)?|十一(?:假期|黄金周)": (10, 1, 7), "平安夜": (12, 24, 1), "圣诞(?:节)?": (12, 25, 1)},
)  # fmt: skip
JAPANESE = East(
    code="ja",
    years={"一昨年|おととし": -2, "昨年|去年": -1, "今年|本年": 0, "来年": 1, "再来年": 2},
    months={"先々月": -2, "先月": -1, "今月": 0, "来月": 1, "再来月": 2},
    weeks={"先々周|先々週": -2, "先周|先週": -1, "今周|今週": 0, "来周|来週": 1},
    days={"一昨日|おととい": -2, "昨日|昨晩|昨夜|きのう": -1, "今日|本日|今朝|今晩|今夜|きょう": 0, "明日|あした|あす": 1, "明后日|明後日|あさって": 2},
    year="年", month="月", day="日",
    weekday="(?:(?P<w0>月)|(?P<w1>火)|(?P<w2>水)|(?P<w3>木)|(?P<w4>金)|(?P<w5>土)|(?P<w6>日)|(?P<wend>末))(?:曜日?)?",
    seasons=("春", "夏", "秋", "冬"),
    units={"second": "秒", "minute": "分", "hour": "时间|時間", "day": "日间?|日間", "week": "周间|週間",
           "month": "(?:[かカヶケヵ]|箇)月间?", "year": "年间?"},
    few="数", ago="ほど?前|前", hence="后|後", recent="(?:ここ|この|過去|过去|直近)", half="半", link="の?",
    parts={"begin": "初め|初旬|上旬|初頭|の初め|の始め", "middle": "中旬|半ば|の半ば", "end": "末|下旬|の終わり|の终わり", "first_half": "前半|上半期|の前半",
           "second_half": "后半|後半|下半期|の后半"},
    before="以前|より?前|の?前", after="以降|以后|の?后|より?后", since="から|以来", until="まで",
    joined="から|と|-|–|~|～|〜",
    holidays={"クリスマスイブ": (12, 24, 1), "クリスマス": (12, 25, 1), "元日|元旦": (1, 1, 1), "大晦日": (12, 31, 1)},
)  # fmt: skip
KOREAN = East(
    code="ko",
    years={"재작년": -2, "작년|지난해": -1, "올해|금년": 0, "내년": 1, "내후년": 2},
    months={"지지난 달|지지난달": -2, "지난 ?달|저번 ?달": -1, "이번 ?달|이달": 0, "다음 ?달": 1},
    weeks={"지지난 ?주": -2, "지난 ?주|저번 ?주": -1, "이번 ?주|금주": 0, "다음 ?주": 1},
    days={"그끄저께": -3, "그저께|그제|엊그제": -2, "어제|어젯밤": -1, "오늘|오늘밤": 0, "내일": 1, "모레": 2},
    year="년", month="월", day="일",
    weekday="(?:(?P<w0>월)|(?P<w1>화)|(?P<w2>수)|(?P<w3>목)|(?P<w4>금)|(?P<w5>토)|(?P<w6>일)|(?P<wend>말))(?:요일)?",
    seasons=("봄", "여름", "가을", "겨울"),
    units={"second": "초", "minute": "분", "hour": "시간", "day": "일", "week": "주일?", "month": "(?:개월|달)", "year": "년"},
    few="몇", ago="전", hence="후|뒤", recent="(?:지난|최근)", half="반", link="의?",
    parts={"begin": "초", "middle": "중순|중반", "end": "말", "first_half": "상반기", "second_half": "하반기"},
    before="이전|전", after="이후|후", since="부터", until="까지",
    joined="부터|에서|와|과|-|–|~",
    holidays={"크리스마스 이브": (12, 24, 1), "크리스마스|성탄절": (12, 25, 1), "설날": (1, 20, 30)},
)  # fmt: skip
EASTS = (CHINESE, JAPANESE, KOREAN)
EAST_BY_CODE = {east.code: east for east in EASTS}


def simplified(text: str) -> str:
    """The text with the characters of dates as the rules have them, as long as before."""
    return text.translate(_TRADITIONAL)


@cache
def east_grammar(east: East) -> Grammar:
    """The rules for its phrases."""
    year_words, month_words = _named("Y", east.years), _named("M", east.months)
    absolute = rf"(?P<y>(?:19|20)\d\d|[一二][九零〇○]\w{{2}}|\d\d(?= ?年)) ?{east.year}度?"
    year = f"(?:{absolute}|{year_words})"
    parts = "(?:" + "|".join(f"(?P<p_{part}>{words})" for part, words in east.parts.items()) + ")"
    month = f"(?:(?P<m>{_HAN}) ?{east.month})"
    quarter = r"(?:第?(?P<q>[一二三四1-4])(?:季度?|四半期)|q(?P<q2>[1-4])|(?P<q3>[1-4]) ?분기)"
    seasons = "(?:" + "|".join(f"(?P<s_{number}>{words})" for number, words in enumerate(east.seasons)) + ")"
    holidays = "|".join(f"(?P<h_{number}>{words})" for number, words in enumerate(east.holidays))
    units = "(?:" + "|".join(f"(?P<u_{unit}>{words})" for unit, words in east.units.items()) + ")"
    count = rf"(?P<n>{_HAN}|{east.few}|{east.half})(?:个?半)?(?=\D)|(?P<n2>\d{{1,3}})"
    weekday = f"(?: ?{east.link} ?{east.weekday})"
    clock = _TIME_OF_DAY if east is CHINESE else ""
    forms = [
        f"{year} ?{parts}?",
        f"{year} ?{east.link} ?{month} ?(?:(?P<d>{_HAN}) ?{east.day}|{parts})?",
        f"{year} ?{east.link} ?(?:{quarter}|{seasons}|{holidays})",
        f"{month} ?(?:(?P<d>{_HAN}) ?{east.day}|{parts})",
        f"{month}(?![前后後内])",
        f"{month_words} ?(?:(?P<d>{_HAN}) ?{east.day}|{parts})?",
        f"{_named('W', east.weeks)}{weekday}?",
        f"{_named('D', east.days)} ?{clock}",
        f"(?:{count}) ?{units} ?(?:(?P<ago>{east.ago})|(?P<hence>{east.hence}))",
        f"{east.recent} ?(?:{count}) ?{units}(?:里|内|来|间|間)?",
        r"(?P<c>(?:上世纪|二十世纪|20世纪|19)?)(?P<t>[二三四五六七八九]十|[1-9]0) ?年代",
        r"(?P<c>19|20|)(?P<t>[1-9]0)년대",
        holidays,
    ]
    if east is CHINESE:
        of_month = "的?(?:第(?P<wk>[一二三四1-4])|(?P<wl>最后一))个?(?:周|星期|礼拜)(?!" + east.weekday + ")"
        forms += [
            f"(?:{year} ?{east.link} ?)?(?:{month}|{month_words}){of_month}",
            f"(?:周|星期|礼拜){east.weekday}{clock}",
            "(?P<only>年|月)(?:(?P<p_begin>初)|(?P<p_end>底|末))",
            f"(?:在|去)?{seasons}(?=的|里|我|去|发|做|，|。|$)",
            r"(?P<hy>(?:上半年)|(?:下半年))",
            quarter,
        ]
    elif east is KOREAN:
        forms += ["(?:지난) (?P<near>(?P<w0>월)|(?P<w1>화)|(?P<w2>수)|(?P<w3>목)|(?P<w4>금)|(?P<w5>토)|(?P<w6>일))요일"]
    else:
        forms += [
            "(?P<w0>月)曜日?|(?P<w1>火)曜日?|(?P<w2>水)曜日?|(?P<w3>木)曜日?|(?P<w4>金)曜日?|(?P<w5>土)曜日?|(?P<w6>日)曜日?"
        ]
    reader = _Reader(east)
    return grammar_of([Rule(r"(?<!\d)(?:" + form.replace(" ?", r"\s?") + ")", reader.read) for form in forms])


def _named(letter: str, words: Mapping[str, int]) -> str:
    return "(?:" + "|".join(f"(?P<{letter}{number}>{word})" for number, word in enumerate(words)) + ")"


@dataclass(frozen=True, slots=True)
class _Reader:
    """Puts together what the groups of a match say."""

    east: East

    def read(self, match: re.Match[str], now: datetime) -> Read:
        groups = {name: value for name, value in match.groupdict().items() if value}
        part = next((name[2:] for name in groups if name.startswith("p_")), None)
        if unit := next((name[2:] for name in groups if name.startswith("u_")), None):
            return Read(self._counted(groups, unit, now, match[0]))
        if (shift := self._shift("W", self.east.weeks, groups)) is not None:
            return Read(_in_week(groups, shift, now))
        if any(name in groups for name in ("w0", "w1", "w2", "w3", "w4", "w5", "w6", "wend")):
            return Read(_in_week(groups, 0, now) if "near" not in groups else _in_week(groups, -1, now))
        if (shift := self._shift("D", self.east.days, groups)) is not None:
            return Read(shifted_period(now, "day", shift))
        if "t" in groups:
            tens = _HAN_DIGITS.get(groups["t"][0]) or int(groups["t"][0])
            return Read(decade_period(int(c) if (c := groups.get("c", "")).isdigit() else 19 if c else None, tens))
        if (shift := self._shift("M", self.east.months, groups)) is not None:
            return Read(_of_month(shifted_period(now, "month", shift), groups, part))
        return self._of_year(groups, part, now)

    def _shift(self, letter: str, words: Mapping[str, int], groups: Mapping[str, str]) -> int | None:
        return next((shift for n, shift in enumerate(words.values()) if f"{letter}{n}" in groups), None)

    def _counted(self, groups: Mapping[str, str], unit: str, now: datetime, phrase: str) -> Period:
        text = groups.get("n") or groups.get("n2") or ""
        if text == self.east.half:
            count = 0.5
        else:
            count = 3.0 if text == self.east.few else float(han_number(text))
            count += 0.5 if re.search(rf"{text}个?半", phrase) or re.search("半年?(?:之|以)?[前后]", phrase) else 0
        if "ago" in groups:
            return counted(unit, -count, now)
        if "hence" in groups:
            return counted(unit, count, now)
        return recent(unit, count, now)

    def _of_year(self, groups: Mapping[str, str], part: str | None, now: datetime) -> Read:
        shift = self._shift("Y", self.east.years, groups)
        named = groups.get("y")
        if "only" in groups:
            if groups["only"] == "月":
                return Read(_part(shifted_period(now, "month", 0), part))
            shift = 0 if part == "begin" or now.month == 12 else -1
        if "hy" in groups:
            half = 1 if groups["hy"].startswith("上") else 2
            return Read(half_period(now.year, half))
        year = now.year + shift if shift is not None else year_number(named) if named else LEAP
        yearly = shift is None and named is None
        if holiday := next((name for name in groups if name.startswith("h_")), None):
            month, day, length = list(self.east.holidays.values())[int(holiday[2:])]
            start = day_period(date(year, month, day)).start
            return Read(Period(start, start + length * DAY), yearly)
        if quarter := groups.get("q") or groups.get("q2") or groups.get("q3"):
            return Read(quarter_period(year, han_number(quarter)), yearly)
        if season := next((name for name in groups if name.startswith("s_")), None):
            return Read(season_period(year, int(season[2:])), yearly)
        if "m" in groups:
            return Read(_of_month(month_period(year, han_number(groups["m"])), groups, part), yearly)
        return Read(_part(year_period(year), part), yearly)


def _in_week(groups: Mapping[str, str], shift: int, now: datetime) -> Period:
    week = shifted_period(now, "week", shift)
    if "wend" in groups:
        return Period(week.start + 5 * DAY, week.end)
    day = next((int(name[1]) for name in groups if name in ("w0", "w1", "w2", "w3", "w4", "w5", "w6")), None)
    return week if day is None else Period(week.start + day * DAY, week.start + (day + 1) * DAY)


def _of_month(month: Period, groups: Mapping[str, str], part: str | None) -> Period:
    if "wk" in groups or "wl" in groups:
        begun = datetime.fromtimestamp(month.start / 1000, UTC)
        return week_of_month(begun.year, begun.month, han_number(groups["wk"]) if "wk" in groups else 0)
    if "d" not in groups:
        return _part(month, part)
    start = month.start + (han_number(groups["d"]) - 1) * DAY
    if not month.start <= start < month.end:
        raise ValueError("no such day")
    return Period(start, start + DAY)


def _part(period: Period, part: str | None) -> Period:
    return period if part is None else part_of(period, part)


SHARES = {
    "early": (0, 4), "middle": (4, 8), "late": (8, 12), "begin": (0, 2), "end": (10, 12), "first_half": (0, 6), "second_half": (6, 12),
}  # fmt: skip
"""Where a part of a month or a year begins and ends, in twelfths: the end of a year is two months, of a month five days."""


def part_of(period: Period, part: str) -> Period:
    """The early, middle, late, begin, end, first_half or second_half of a period, in whole days."""
    first, last = SHARES[part]
    days = (period.end - period.start) / DAY
    begin = datetime.fromtimestamp(period.start / 1000, UTC)
    if days >= 365 and begin.timetuple().tm_yday == 1 and days <= 366:
        return Period(month_period(begin.year, first + 1).start, month_period(begin.year, last).end)
    first, last = first / 12, last / 12
    return Period(period.start + round(first * days) * DAY, period.start + max(round(last * days), 1) * DAY)


def year_number(text: str) -> int:
    """A year in four figures or characters, or the last two of this century. Raises ValueError."""
    if text.isdigit() and text.isascii():
        return int(text) if len(text) == 4 else 2000 + int(text)
    digits = [_HAN_DIGITS.get(character) for character in text]
    if None in digits:
        raise ValueError(text)
    return int("".join(str(digit) for digit in digits))


def han_number(text: str) -> int:
    """Raises ValueError for what is no number up to 999."""
    if text.isdigit() and text.isascii():
        return int(text)
    tens, mark, ones = text.partition("十")
    digits = [_HAN_DIGITS.get(part) for part in (tens or "一", ones or "零")] if mark else [0, _HAN_DIGITS.get(text)]
    if digits[0] is None or digits[1] is None:
        raise ValueError(text)
    return 10 * digits[0] + digits[1]
