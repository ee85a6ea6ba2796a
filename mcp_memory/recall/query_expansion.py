"""The words a question is searched by: its own without those that only ask, and words that answers have instead."""

import re

from mcp_memory.language.kinship import relations
from mcp_memory.language.scripts import HANGUL, KANA
from mcp_memory.language.stop_words import unspaced_words
from mcp_memory.language.tokenization import grams, words

_OPERATOR = re.compile(r"\b(?:AND|OR|NOT|NEAR)\b")
"""What searches elsewhere are put together with, as they are written there."""
_DWELLS = re.compile(r"住(?:在)?[^，。？]{0,2}(?:哪|什么)")
"""What asks where somebody lives; who has moved lives elsewhere."""
_THE_USER = re.compile(
    r"\b(?:do|does|did|is|was|has|had|can|could|should|will|would) the user\b|\bthe user(?:['’]s\b|(?=\W*$))",
    re.IGNORECASE,
)
"""The person who asks, as assistants speak of them: of no memory in particular, and of every message as who says it."""
_ASKING = unspaced_words("zh-asking")
"""What a Chinese question says beside what it is about."""
_NOT_CHINESE = re.compile(f"[{KANA}{HANGUL}]")
_PEOPLE = [
    [word for word in relation.chinese if len(word) > 1]
    for relation in relations()
    if relation.single and relation.chinese
]
"""The words for each person of whom somebody has one."""
_INSTEAD = tuple(
    (re.compile(asked), told)
    for asked, told in (
        *(("|".join(words), " ".join(words)) for words in _PEOPLE),
        ("职业|工作|职位|上班|做什么的|干什么的|谋生", "上班 任职 就职 职业 工作 当 做 医生 护士 老师 教师 工程师 程序员 律师 会计 设计师 经理 退休 医师"),
        ("孩子|小孩|儿女|子女", "孩子 小孩 女儿 儿子 宝宝"),
        ("锻炼|运动|健身", "锻炼 运动 健身 跑步 游泳 打球 瑜伽 骑车 爬山 散步"),
        ("不能吃|忌口|过敏|不吃|忌吃", "过敏 忌口 不吃 不能吃"),
        ("喜欢|爱吃|最爱|偏好|爱好", "喜欢 最爱 偏好 爱好 爱吃 爱喝"),
        ("讨厌|不喜欢|反感", "讨厌 不喜欢 反感 受不了"),
        ("住", "住在 家在 搬到 搬家"),
        ("酒店|宾馆|旅馆|民宿", "酒店 宾馆 旅馆 民宿 客栈 旅店"),
        ("宠物", "宠物 猫 狗 养了 兔子 鹦鹉"),
        ("旅游|旅行|度假|去哪|去了哪", "旅游 旅行 度假 自驾 出游"),
        ("工资|薪水|收入|月薪", "工资 薪水 收入 月薪 年薪"),
        ("房租|租金", "房租 租金 月租"),
        ("年龄|多大|几岁", "年龄 岁"),
        ("电话|手机|号码", "电话 手机 号码"),
        ("开会|会议|例会", "开会 会议 例会 站会 周会"),
        ("住址|地址", "住址 地址 住在 搬到"),
        ("医院|生病|得病|病", "医院 生病 手术 住院 感冒 确诊"),
        ("车", "汽车 开车 车型"),
        ("学校|上学|读书|念书", "学校 上学 大学 中学 小学 读书 年级"),
        ("外语|语言", "英语 日语 法语 德语 韩语 西班牙语 语言"),
    )
)  # fmt: skip
"""What Chinese questions of everyday life name, and what answers say: the bundled encoder knows no Chinese, so nothing
else brings the two together."""


def content_query(query: str) -> str:
    """Return the part of a question that is searched for by words: without what only asks, and with the word of a change that would answer it.

    >>> content_query("我住在哪里？").split()
    ['住在', '？', '搬到']
    >>> content_query("Where does the user keep the keys?"), content_query("部署端口是多少？").split()
    ('Where   keep the keys?', ['部署端口', '？'])
    """
    left = _THE_USER.sub(" ", query)
    if not _NOT_CHINESE.search(query):
        left = _ASKING.sub(" ", left)
    asked = left if any(map(str.isalnum, left)) else query
    return f"{asked} 搬到" if _DWELLS.search(query) else asked


def expand(query: str) -> str:
    """Return words that an answer may have instead of those of a Chinese question; "" where there are none.

    >>> expand("我老公几岁？")
    '丈夫 老公 爱人 先生 年龄 岁'
    >>> expand("How old is my husband?")
    ''
    """
    if query.isascii() or _NOT_CHINESE.search(query):
        return ""
    told = [word for asked, instead in _INSTEAD if asked.search(query) for word in instead.split()]
    return " ".join(dict.fromkeys(told))


def has_no_terms(query: str) -> bool:
    """Return whether a question has only signs, search operators, single letters or figures, which have no meaning to encode.

    >>> has_no_terms("x"), has_no_terms("C?"), has_no_terms("Go"), has_no_terms('" OR NEAR( * ) AND')
    (True, True, False, True)
    """
    query = _OPERATOR.sub(" ", query)
    return not grams(query) and all(len(word) == 1 for word in words(query))
