"""The sorts of values: whether two words or names after a copula can only be values of one and the same thing."""

import re
from collections.abc import Sequence

from mcp_memory.remember.contradiction.lexicon import (
    ADJECTIVES,
    COPULAS,
    PLACES_AND_TIMES,
    ROLES,
    STATES,
)
from mcp_memory.remember.contradiction.parsing import Token, stem


def _set(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


SORTS: tuple[frozenset[str], ...] = tuple(
    _set(group)
    for group in (
        "red green blue yellow orange purple violet pink brown black white grey gray teal navy turquoise beige maroon "
        "crimson indigo lavender magenta cyan gold silver ivory olive",
        "french german english spanish italian british dutch chinese japanese russian polish swedish indian korean "
        "portuguese american swiss austrian danish norwegian finnish turkish greek arabic hindi mandarin czech irish "
        "scottish canadian australian brazilian mexican ukrainian hungarian romanian",
        "go rust python java javascript typescript kotlin swift ruby php scala haskell c elixir perl julia clojure",
        "ramen pizza sushi pasta curry tacos lasagna burgers pho risotto paella dumplings falafel salad soup steak",
        "coffee tea water beer wine juice cocoa lemonade",
        "catholic protestant buddhist muslim hindu jewish atheist christian",
        "ceo cto cfo coo vp director",
        "chess tennis football soccer basketball volleyball swimming running climbing cycling hiking rowing badminton",
        "teacher nurse doctor lawyer baker carpenter plumber electrician accountant journalist architect",
        "jazz rock pop techno metal reggae",
        "spring summer autumn winter",
        "json yaml toml xml csv parquet",
        "dog cat rabbit hamster parrot horse",
        "npm pnpm yarn bun",
        "nginx varnish caddy haproxy traefik",
        "linux windows macos freebsd ubuntu debian fedora android ios",
        "kilometer mile meter",
        "cent dollar euro",
    )
)
"""Words of one sort; a word of one of these never replaces a word or a name that is not of it."""
LABELLED = _set("branch namespace username nickname handle password prefix suffix slug codename alias hostname bucket")
"""What is called by any word at all, names and lower-case words alike."""
_DESCRIBING = re.compile(r".*(?:ing|ed|ful|less|ous|able|ible|ive|al|ic|ly|ant|ent|en|some|y)$")
"""What words end in that say what something is like or does."""
_BESIDE_NAMES = _set("mr mrs ms dr prof of and the de van von my his her sister brother husband wife & team")
"""Words in lower case that names may have among them."""


def alike(subject: Sequence[Token], was: Sequence[Token], now: Sequence[Token], after: Sequence[Token]) -> bool:
    """Whether two values after "is" are evidently of one sort: both names, both of one known group, or one head.

    A name is never of the sort of a word in lower case, nor a phrase with a preposition of the sort of one without.
    """
    if any(value[0].form in PLACES_AND_TIMES for value in (was, now)):
        return False
    known = _sort(was), _sort(now)
    if known != (None, None):
        return known[0] == known[1]
    if all(_named(value) for value in (was, now)):
        return True
    if any(_named(value) or any(token.capital for token in value) for value in (was, now)):
        return False
    if after and was[0].article == now[0].article == "the" and after[0].form in ROLES:
        return True
    return bool(LABELLED.intersection(token.form for token in subject)) and all(
        len(value) == 1 and not _describes(value[0].form) for value in (was, now)
    )


def of_one_sort(old: Sequence[Token], new: Sequence[Token]) -> bool:
    """Whether both say of the same thing what it is, and of one sort: "the kettle is red", "the kettle is blue"."""
    copula = next((at for at, token in enumerate(old) if at and token.form in COPULAS), 0)
    head = [token.form for token in old[: copula + 1]]
    if (
        not copula
        or head != [token.form for token in new[: copula + 1]]
        or len(old) != len(new)
        or len(old) != copula + 2
    ):
        return False
    sort = _sort(old[-1:])
    return sort is not None and sort == _sort(new[-1:])


def alike_in_place(was: Sequence[Token], now: Sequence[Token], *, agent: bool = False) -> bool:
    """Whether two values after one preposition are of one sort: "in Go" tells something else than "in eu-west-1".

    After "by" (`agent`) an identifier is a name like any other.
    """
    known = _sort(was), _sort(now)
    if known != (None, None):
        return known[0] == known[1]
    if len({_named(value) for value in (was, now)}) > 1:
        return False
    return agent or any(token.kind == "name" for token in was) == any(token.kind == "name" for token in now)


_UNIT_KINDS = {"calendar": "time", "volume": "mass", "dollars": "money", "euros": "money", "yuan": "money"}
"""Dimensions told in one another's place: weeks or months, mg or ml, dollars or euros."""


def alike_in_unit(was: Sequence[Token], now: Sequence[Token]) -> bool:
    """Whether quantities are of one kind of unit, and a time of day does not stand for a day or a date."""
    units = [{_unit_kind(token) for token in value if token.kind == "quantity"} for value in (was, now)]
    if units[0] and units[1] and not units[0] & units[1]:
        return False
    if any("percent" in kinds for kinds in units) and units[0] != units[1]:
        return False
    clocked = [{token.kind for token in value} for value in (was, now)]
    days = {"day", "date", "month", "year"}
    return not any(
        "time" in one and not one & days and other & days and "time" not in other
        for one, other in (clocked, clocked[::-1])
    )


def _unit_kind(token: Token) -> str:
    dimension = token.form.rpartition(" ")[2]
    return _UNIT_KINDS.get(dimension, dimension)


def told_of_two(was: Sequence[Token], now: Sequence[Token]) -> bool:
    """Whether both the day of the week and the time are others: it may well be another turn of the same thing."""
    return all(
        {"day", "time"} <= (kinds := {token.kind for token in value}) and not kinds & {"date", "month", "ordinal"}
        for value in (was, now)
    )


def _sort(value: Sequence[Token]) -> int | None:
    """Which of the known sorts a value is of; a colour with a capital is the name of something."""
    last = value[-1]
    return next((at for at, group in enumerate(SORTS) if last.form in group and (at or not last.capital)), None)


def _named(value: Sequence[Token]) -> bool:
    """Whether a value is a name and nothing else."""
    told = [token for token in value if token.form not in _BESIDE_NAMES]
    return bool(told) and all(token.capital or token.kind in ("name", "number") for token in told)


def _describes(form: str) -> bool:
    return form in ADJECTIVES or any(form in group for group in STATES) or bool(_DESCRIBING.match(form))


# Chinese

_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁沈姚卢姜崔钟谭陆汪范廖贾夏韦付邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵钱覃武戴莫孔向汤"
)
_TITLED = re.compile(r".(?:先生|女士|小姐|老师|医生|教授|总|工|主任|经理|律师|师傅|阿姨)$")
_UNNAMED_ENDS = frozenset("子人的者家员手生机色语文型级族")
HAN_SORTS: tuple[frozenset[str], ...] = tuple(
    _set(group)
    for group in (
        "红色 绿色 蓝色 黄色 黑色 白色 紫色 灰色 橙色 粉色 棕色 银色 深蓝色 浅蓝色",
        "英语 法语 中文 英文 日语 德语 汉语 西班牙语 俄语 韩语 粤语 普通话",
        "北京 上海 广州 深圳 杭州 成都 重庆 武汉 南京 苏州 西安 天津 长沙 青岛 厦门 珠海 香港 台北",
        "丰田 本田 大众 宝马 奔驰 奥迪 特斯拉 比亚迪 日产 福特 吉利 蔚来 理想",
        "用友 金蝶 钉钉 飞书 企业微信 微信 腾讯会议",
        "腾讯 阿里 阿里巴巴 字节跳动 百度 京东 美团 华为 小米 网易",
        "招商银行 工商银行 建设银行 农业银行 中国银行 交通银行 招行 工行 建行",
        "拉面 火锅 饺子 寿司 披萨 面条 烤鸭 米饭 麻辣烫",
        "老师 医生 律师 护士 会计 工程师 厨师 司机",
        "顺丰 圆通 中通 韵达 申通",
    )
)


def alike_in_han(was: str, now: str, tail: str) -> bool:
    """Whether two values after 是 or 为, and what follows both, are evidently of one sort; as `alike` is in English."""
    old, new = was.replace(" ", "") + tail, now.replace(" ", "") + tail
    if old.endswith("的") or new.endswith("的"):
        return False
    if any(old in group and new in group for group in HAN_SORTS):
        return True
    if any(old in group or new in group for group in HAN_SORTS):
        return False
    if all(not _HAN.search(value) for value in (was, now)):
        return True
    if any(_LATIN.search(value) for value in (was, now)):
        return bool(tail) and not any(_HAN.search(value) and _LATIN.search(value) for value in (was, now))
    return (_person(old) and _person(new)) or bool(tail and tail[0] in _UNNAMED_ENDS | frozenset("队组部云"))


_HAN = re.compile("[\u3400-\u9fff]")
_LATIN = re.compile("[a-z0-9]")


def _person(value: str) -> bool:
    """Whether it looks like a person's name: a known surname, and one or two characters or a title."""
    if len(value) == 2 and value[0] in "老小阿" and value[1] in _SURNAMES:
        return True
    if value[:1] not in _SURNAMES:
        return False
    return bool(_TITLED.match(value)) or (2 <= len(value) <= 3 and value[-1] not in _UNNAMED_ENDS)


_TOWN = re.compile(r".*(?:省|市|国)$")
_DISTRICT = re.compile(r".*(?:区|县|乡|镇)$")
_SPOT = re.compile(r".*(?:边|附近|旁|对面|园|路|街|大厦|楼|层|广场|号|站|村|里)$")


def apart_in_han(was: str, now: str, tail: str) -> bool:
    """Whether of two values after 在 one is a town and the other may be a part of it, or they are of two known sorts.

    >>> apart_in_han("深圳", "科技园那边", ""), apart_in_han("阿里", "北京", "工作"), apart_in_han("深圳", "北京", "")
    (True, True, False)
    """
    groups = [next((at for at, group in enumerate(HAN_SORTS) if value in group), None) for value in (was, now)]
    if None not in groups:
        return groups[0] != groups[1]
    levels = [
        0
        if group is not None or _TOWN.match(value)
        else 1
        if _DISTRICT.match(value)
        else 2
        if _SPOT.match(value)
        else None
        for group, value in zip(groups, (was + tail, now + tail), strict=True)
    ]
    return None not in levels and levels[0] != levels[1]
