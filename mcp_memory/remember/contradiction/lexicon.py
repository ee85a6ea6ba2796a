"""Words that comparing two statements goes by: numbers, units, polarity, states, and what has one value at a time."""

from collections.abc import Mapping


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


NUMBERS: Mapping[str, int] = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {word: 10 * value for value, word in enumerate("thirty forty fifty sixty seventy eighty ninety".split(), start=3)}
ORDINALS: Mapping[str, int] = {
    word: value
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
        "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split(),
        start=1,
    )
}
MONTHS: Mapping[str, int] = {
    name: number
    for number, names in enumerate(
        "january,jan february,feb march,mar april,apr may june,jun july,jul august,aug september,sep,sept october,oct "
        "november,nov december,dec".split(),
        start=1,
    )
    for name in names.split(",")
}
DAYS: Mapping[str, int] = {
    name + ending: number
    for number, name in enumerate("monday tuesday wednesday thursday friday saturday sunday".split(), start=1)
    for ending in ("", "s")
}
VALUES_TOLD = frozenset([*NUMBERS, *ORDINALS, *MONTHS, *DAYS])
"""Words that stand for a number or a day."""
HAN_DAYS = "一二三四五六日天"

UNITS: Mapping[str, tuple[str, float]] = {
    name: (dimension, factor)
    for dimension, units in {
        "time": "second,seconds,sec,secs,s,秒,秒钟=1 minute,minutes,min,mins,分钟=60 hour,hours,hr,hrs,h,小时=3600 "
        "day,days,天=86400 week,weeks,周,星期=604800 millisecond,milliseconds,ms,毫秒=0.001",
        "calendar": "month,months,个月=1 year,years,yr,yrs,年=12",
        "length": "mm,毫米=0.001 cm,厘米=0.01 m,metre,metres,meter,meters,米=1 km,kilometre,kilometres,kilometer,"
        "kilometers,公里,千米=1000 mile,miles,英里=1609.344",
        "mass": "mg,毫克=0.001 g,gram,grams,克=1 kg,kilos,kilograms,公斤,千克=1000 lb,lbs,pounds=453.592",
        "volume": "ml,毫升=0.001 l,litre,litres,liter,liters,升=1",
        "data": "b,bytes=1 kb=1024 mb=1048576 gb=1073741824 tb=1099511627776",
        "dollars": "dollar,dollars,usd,$,美元=1",
        "euros": "euro,euros,eur,€,欧元=1",
        "yuan": "yuan,cny,rmb,¥,元,块,人民币=1",
        "percent": "%,percent=1",
    }.items()
    for entry in units.split()
    for names, factor in [(entry.rsplit("=", 1)[0], float(entry.rsplit("=", 1)[1]))]
    for name in names.split(",")
}
"""By name, the dimension and how many of its base unit (second, month, metre, gram, litre, byte) one is."""
SCALES = {"k": 1e3, "thousand": 1e3, "million": 1e6, "billion": 1e9, "百": 1e2, "千": 1e3, "万": 1e4, "亿": 1e8}

QUESTION_OPENERS = _set(
    "what which who whom whose when where why how is are am was were does did should could can would"
)
HAN_QUESTION = tuple("吗 呢 吧 什么 哪 谁 怎么 是否 要不要 是不是 有没有 多少 几点".split())

FILLERS = _set(
    "a an the our now currently already still again anymore also just actually only about roughly approximately "
    "nowadays recently always"
)
"""Words that change nothing about what a statement says of what."""
HAN_FILLERS = tuple("现在 目前 如今 已经 正在 今年 当前 大约 大概 仍然 非常 很 已 了 还 也 都".split())
OPENERS = tuple(
    tuple(opener.split())
    for opener in (
        "from now on|these days|as of now|as of today|to be clear|in fact|no wait|my mistake|i was wrong|small correction|"
        "correction|update|updated|edit|actually|sorry|no|note|fyi|btw|now|currently|更 正|更 新|纠 正|其 实|不 对|从 现 在 起|"
        "从 今 天 起|以 后|今 后|补 充|说 错 了"
    ).split("|")
)
"""What a correction may begin with."""

SPELLED = {
    british: british.replace(there, here)
    for there, here, words in (
        ("our", "or", "colour favourite neighbour behaviour flavour harbour honour humour labour rumour"),
        ("tre", "ter", "centre theatre"),
        ("ence", "ense", "licence defence"),
        ("grey", "gray", "grey"),
        ("tyre", "tire", "tyre"),
        ("ll", "l", "cancelled travelling"),
        ("ise", "ize", "organise organised"),
    )
    for british in words.split()
}
"""British spellings and American ones of the same words."""
NEGATIONS = _set("not never no cannot nor isnt dont doesnt")
HAN_NEGATIONS = ("不再是", "不再", "没有在", "并不", "不", "没", "未", "無")
DISLIKE = _set("dislike hate detest loathe despise avoid")
LIKE = _set("like love enjoy adore")
ENDED = _set("stopped quit stop ceased quitted")
"""Verbs after which what was done is done no longer."""

KEPT_E = _set(
    "use live drive ride write make take give have leave like love ski smoke bake hike bike cycle dance practice practise "
    "shave commute code rotate cache serve store date rate vote share manage charge raise save continue receive breathe"
)
"""Verbs that lose an e before -ing."""

STATES: tuple[frozenset[str], ...] = tuple(
    _set(group)
    for group in (
        "open opened closed pending done merged progress running planned blocked waiting draft accepted approved rejected resolved "
        "finished completed complete started ongoing cancelled canceled postponed review ready shipped released paused",
        "available taken sold rented vacant filled occupied free reserved booked",
        "on off enabled disabled active inactive activated deactivated",
        "up down broken green red working passing failing healthy online offline fixed",
        "public private internal",
        "single married divorced engaged widowed separated",
        "employed unemployed retired",
        "better worse stable",
        "supported unsupported deprecated removed maintained unmaintained",
        "opt-in opt-out",
        "paid unpaid overdue",
        "light dark",
        "long short detailed brief concise",
        "read-only read-write",
        "required optional mandatory",
        "allowed forbidden prohibited permitted banned",
        "locked unlocked",
        "full empty",
        "hot cold warm",
        "vegan vegetarian",
        "manual automatic",
        "synchronous asynchronous",
        "pregnant",
        "alive dead",
        "valid expired invalid",
        "true false",
        "hourly daily weekly biweekly fortnightly monthly quarterly yearly annually",
        "yes no",
        "upstair downstair",
        "indoors outdoors",
        "inside outside",
        "left right",
    )
)
"""Sets of which only one holds at a time."""
HAN_STATES: tuple[tuple[str, ...], ...] = (
    ("单身", "结婚", "离婚", "离异", "未婚", "订婚"),
    ("关闭", "打开", "开启", "开着", "关着", "启用", "停用", "禁用", "激活"),
    ("审核", "通过", "驳回", "待审", "批准", "拒绝"),
    ("进行中", "完成", "暂停", "取消", "未开始", "结束"),
    ("私有", "公开", "内部"),
    ("不可用", "可用", "恢复可用", "故障", "正常", "恢复"),
    ("深色", "浅色", "暗色", "亮色"),
    ("详细", "简短", "简洁", "冗长"),
    ("在职", "离职", "退休", "失业"),
    ("空闲", "占用", "租出", "出租", "售出"),
    ("上线", "下线", "在开发", "开发中"),
    ("在线", "离线"),
    ("坏", "修好"),
    ("付清", "未付", "欠款", "支付"),
    ("手动", "自动"),
    ("靠窗", "靠过道"),
    ("只读", "读写"),
    ("必填", "选填", "必须", "可选"),
)

COPULAS = _set("is are am was were be equals = :")
PAST_COPULAS = _set("was were")
PARTICIPLES = _set(
    "based located hosted stored kept deployed handled managed owned maintained written planned scheduled set parked "
    "pinned capped called named registered published run served shown paid due limited fixed built placed situated "
    "held backed powered assigned booked rented insured expected saved mounted installed pronounced spelled mapped "
    "routed sent billed priced rated titled configured released led run staffed headed hidden kept moved taught held"
)
"""What may stand between a copula and the one value it has."""
PLACES_AND_TIMES = _set(
    "in on at to from for by under behind near with within until till before after as over per every of"
)
STATIVE: Mapping[str, frozenset[str]] = {
    verb: _set(prepositions)
    for verb, prepositions in {
        "live": "in at with on",
        "reside": "in at",
        "work": "at for from",
        "study": "at",
        "stay": "in at",
        "sit": "in on at",
        "belong": "to",
        "report": "to",
        "listen": "on",
        "run": "on over in at",
        "take": "place",
        "go": "to at",
        "meet": "in at on",
        "start": "at on in with",
        "begin": "at on in with",
        "end": "at on in",
        "expire": "in on at",
        "leave": "at on from",
        "arrive": "at on in",
        "open": "at on",
        "close": "at on",
        "point": "to",
        "default": "to",
        "bank": "with",
        "train": "at",
        "sleep": "in",
        "deploy": "to on with",
        "build": "with",
        "fly": "from",
    }.items()
}
"""Verbs of what holds until it changes, each with the words after which its one value stands."""
MEASURED = _set(
    "have need require cost last take weigh allow want get use expire rotate sleep pay earn owe guarantee support run "
    "cover keep drink eat read walk hold retry wait time limit contain return serve accept fit store last charge do work "
    "live start end begin close open leave arrive go listen report see train teach meet ship release deploy respond "
    "deliver drive ride practice practise fly swim spend save measure offer include provide cap send receive process "
    "handle count equal exceed reach retain span renew bill consume draw sell buy order happen occur repeat refresh "
    "poll sync back check update clean rent lease pick recommend tell prescribe suggest lock remain stay sit rise "
    "prefer accommodate seat feed water charge weigh graduate retire turn get travel commute"
)
"""Present-tense verbs after which a number, a date or a quantity is a value."""
CHOICES = _set("prefer choose favor")
WISHES = _set("want need")
"""Verbs of a choice: with something that both statements name after it, the value before that is the one chosen."""
TOOLS = _set("use")
DECIDED = _set(
    "decided agreed chose chosen told said needed picked settled promised bought planned rented hosted called"
)
"""Past tenses of what holds since, and what a relative clause often has."""

HEDGES = _set(
    "maybe perhaps might may possibly probably likely could would considering thinking propose proposed suggested hopefully"
)
HAN_HEDGES = tuple("可能 也许 或许 考虑 打算 建议 听说 据说 希望能 想把".split())
"""With these nothing is settled yet, so nothing is corrected."""
DAYTIMES = _set(
    "morning noon afternoon evening night midnight weekend weekends weekdays week month year day daily weekly monthly"
) | set("上下午早晚凌晨中")
RUNNING = _set("app game client tool cli library software product plugin program script extension")
"""What may run on several systems at once."""

PAST = _set(
    "did met bought visited crashed had took read went ran won lost spent came saw made gave got left began wrote sent "
    "found told ate drank slept felt heard drove flew broke built fell grew knew paid sold taught thought wore"
)
"""Irregular past tenses: what happened once."""
ONCE = _set("yesterday today tonight ago")
HAN_ONCE = tuple("昨天 今天 前天 刚才 刚刚 昨晚 今晚 上周 去了 去看".split())

PLURAL_NOUNS = _set(
    "friend friends colleague colleagues client clients customer customers hobby hobbies risk risks bug bugs requirement "
    "requirements idea goal goals reason problem problems issue issues advantage task todo cousin neighbor neighbour "
    "brother sister son daughter uncle aunt niece nephew child kid baby twin grandson granddaughter pet example option tip part member members skill fear note one some another "
    "favorite_things"
)
"""Of these a person or a thing may have several, so another one corrects nothing."""
HAN_PLURAL = tuple(
    "朋友 同事 客户 爱好 成员 队员 学生 对手 家人 客人 病人 员工 邻居 室友 女儿 孩子 侄子 外甥 之一 其中 有一 同学 风险 缺点 优点 问题是 要求是 哥哥 姐姐 弟弟 妹妹 儿子 叔叔 阿姨".split()
)
ROLES = _set(
    "lead head boss chief captain contact team branch color colour name title level mode type format language framework "
    "database region zone timezone host provider tool stack editor ide shell browser cms ci orm db email mail address "
    "phone number url domain port password code key token currency plan tier size scheme strategy policy style theme "
    "font brand version engine library registry channel license licence owner accountant dentist doctor therapist "
    "landlord coach agent spouse husband wife roommate school employer company gym bank airline car laptop "
    "status state priority diet religion nationality breed model os system platform backend frontend cache queue store "
    "assignee reviewer maintainer mentor president treasurer secretary nickname username handle account "
    "spelling convention indentation repository repo package venue location place city country destination job "
    "occupation profession position rank grade major size origin target environment cluster days weekdays origins "
    "databases reviewers protocol algorithm encoding charset topic method approach deadline ratio namespace bucket endpoint prefix suffix "
    "alias label slug path folder directory threshold interval frequency schedule slot seat gate room floor desk shift dose "
    "diagnosis height weight age salary wage price fee rent budget balance rate score rating distance duration length width "
    "capacity supervisor advisor tutor professor nanny plumber electrician mechanic lawyer notary broker vet surgeon barber "
    "hairdresser builder caterer photographer publisher goalkeeper keeper chair chairman drummer singer pilot driver cook chef "
    "cto ceo cfo coo cmo ciso server recipient tongue destination colour stylesheet framework"
)
"""Nouns that name what something has one of at a time."""
KIN = _set("mother father mom mum dad wife husband fiance fiancee girlfriend boyfriend boss grandma grandpa parent ex")
"""Persons of whom somebody has one, besides the ROLES."""
ROLE_ENDINGS = (
    "owner",
    "manager",
    "maintainer",
    "leader",
    "runner",
    "formatter",
    "linter",
    "provider",
    "adapter",
    "director",
    "editor",
    "compiler",
    "bundler",
    "driver",
    "trainer",
    "designer",
    "teacher",
    "tutor",
    "advisor",
    "ist",
    "name",
    "type",
    "mode",
)
ADJECTIVES = _set(
    "new old young big small large tiny huge fast slow quick good bad great nice ugly beautiful pretty long short tall high "
    "low wide narrow heavy light hard soft easy difficult simple complex clean dirty dry wet hot cold warm cool cheap "
    "expensive rich poor happy sad angry calm loud quiet busy tired sick healthy strong weak smart kind funny famous rare "
    "common safe dangerous important useful useless nice boring interesting modern classic flat round sharp fresh stable "
    "flaky reliable noisy messy neat lazy shy polite rude honest french german english spanish italian american british "
    "dutch chinese japanese russian polish swedish indian korean portuguese late early thick thin tasty spicy sweet sour"
)
"""Words that say what something is like: it may be several of them at once."""
CHOSEN = _set("favorite favourite preferred default main primary current official chosen usual next")

CHANGED = _set(
    "changed moved switched migrated renamed raised lowered increased decreased reduced upgraded downgraded updated bumped "
    "postponed delayed rescheduled relocated reassigned extended shortened transferred converted went rose fell grew "
    "dropped became"
)
GIVEN_UP = _set("replaced swapped ditched dropped abandoned traded")
"""What was done to a thing whose successor is told with `with` or `for`."""
OFFICES = _set(
    "ceo cto cfo coo cmo ciso boss manager lead leader head captain chair chairman chairwoman president treasurer "
    "secretary mayor principal landlord landlady maintainer owner director coach accountant lawyer dentist 经理 总经理 "
    "产品经理 项目经理 负责人 主管 组长 班长 班主任 校长 院长 老板 总监 技术总监 主席 会长 秘书 房东 队长 教练 cto ceo cfo coo"
)
"""What one person at a time is to somebody."""
HAN_CHANGED = tuple(
    "改成 改为 改到 改名为 改用 换成 换到 变成 变为 变更为 涨到 降到 升到 调到 调整为 调整到 推迟到 提前到 延期到 延长到 升级到 升级为 更新为 更换为 转到 迁移到 迁到 切换到 切到 切换为 移到 挪到".split()
)
"""After these the new value stands."""
HAN_CUES = tuple(
    "设置为 设定为 位于 住在 放在 部署在 存放在 定在 用的是 就职于 改为 在 是 为 叫 姓 用 于 到 使用 由 归 属于 等于 偏好".split()
)
HAN_PLACED = tuple(
    "工作 上班 上学 读书 居住 任职 办公 举行 召开 开 办 进行 集合 里 下 上 中 内 区 市 省 县 楼 层 室 院 房子里 边 旁 街 路".split()
)
"""How a statement may go on after the place that something is at."""
HAN_DOING = "学看写做吃玩找等招休处开跑读听睡谈出办想准忙逛打维升迁修"
"""Characters that begin what somebody is doing, after 在."""
HAN_ROLES = tuple(
    "长 人 师 员 主管 经理 总监 主任 教练 秘书 名 号 口 址 码 支 架 言 库 器 色 具 期 间 医生 软件 区 部 任 负责人 总部 数据库 分支 老板 房东 导师".split()
)
NOT_DWELT_IN = _set(
    "accounting marketing sales engineering product design finance hr legal support operation research security platform "
    "vim neovim emacs helix vscode notion obsidian slack team discord gmail outlook firefox chrome safari arch nixos aws "
    "azure gcp kubernetes docker postgre mysql redis mongodb react vue svelte angular django flask rail kafka github gitlab "
    "linux windows macos freebsd ubuntu debian fedora android ios go rust python java javascript typescript kotlin swift ruby"
)
"""Names after "moved to" that are no place to live in: departments, tools, languages."""
HAN_NOT_DWELT_IN = tuple(
    "工位 座位 位置 部门 组 群 岗 系统 平台 家 房 公寓 宿舍 房间 办公室 办公楼 卧室 客厅 学校".split()
)
"""What ends a place that one may move to without leaving the town."""
