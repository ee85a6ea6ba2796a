"""Undertakings that bare Chinese statements of one session belong to, such as a trip, a move or a wedding.

The bundled encoder does not know Chinese, and 预算两万 and 想住有景观的民宿 share no character. They share a session, but
so do unrelated statements, so their words must name one undertaking.
"""

import re
from collections.abc import Sequence

_TELLING = {
    "trip": "旅行 旅游 旅遊 出游 行程 攻略 景点 景點 景观 景觀 风景 風景 观光 觀光 高山 雪山 爬山 登山 徒步 露营 露營 湖泊 湖边 湖邊 "
    "湖区 海边 海邊 海滩 海灘 沙滩 沙灘 海岛 海島 潜水 潛水 高原 高反 温泉 溫泉 滑雪 民宿 酒店 客栈 客棧 旅馆 旅館 青旅 住宿 度假 机票 機票 "
    "航班 飞机 飛機 转机 轉機 登机 登機 签证 簽證 护照 護照 自驾 自駕 租车 租車 高铁票 火车票 火車票 摄影 攝影 拍照 相机 相機 看日出 日落 "
    "极光 極光 导游 導遊 跟团 跟團 行李 时差 時差 古镇 古鎮 国家公园 國家公園",
    "home": "装修 裝修 翻新 水电改造 水電改造 瓷砖 瓷磚 地板 木地板 地暖 吊顶 吊頂 橱柜 櫥櫃 衣柜 衣櫃 油漆 乳胶漆 乳膠漆 "
    "墙面 牆面 壁纸 壁紙 防水 卫生间 衛生間 开放式厨房 開放式廚房 全屋定制 软装 軟裝 硬装 硬裝 窗帘 窗簾 甲醛 验收 驗收 监理 監理 搬家 新房",
    "wedding": "婚礼 婚禮 婚纱 婚紗 婚宴 喜糖 喜帖 请柬 請柬 伴郎 伴娘 宾客 賓客 司仪 司儀 蜜月 订婚 訂婚 求婚 婚戒 钻戒 鑽戒 婚庆 婚慶 敬酒",
    "job": "跳槽 求职 求職 找工作 换工作 換工作 简历 簡歷 履历 履歷 面试 面試 笔试 筆試 内推 內推 猎头 獵頭 期望薪资 期望薪資 期望月薪 年薪 "
    "薪资 薪資 加班 外企 大厂 大廠 离职 離職 入职 入職 试用期 試用期 offer",
    "exam": "考研 高考 中考 雅思 托福 备考 備考 考试 考試 真题 真題 模考 刷题 刷題 复习 復習 背单词 背單詞 单词 單詞 听力 聽力 口语 口語 "
    "作文 词汇 詞彙 考点 考點 目标院校 目標院校 留学 留學 申请学校 申請學校 报名费 報名費 辅导班 輔導班",
    "weight": "减肥 減肥 减重 減重 减脂 減脂 增肌 健身 健身房 私教 体重 體重 体脂 體脂 热量 熱量 卡路里 碳水 蛋白粉 节食 節食 戒糖 跑步 慢跑 "
    "深蹲 卧推 臥推 瑜伽 代餐",
    "baby": "怀孕 懷孕 孕期 预产期 預產期 产检 產檢 孕吐 待产 待產 月子 月嫂 宝宝 寶寶 婴儿 嬰兒 奶粉 母乳 尿布 尿不湿 尿不濕 胎教 顺产 順產 "
    "剖腹产 剖腹產 婴儿车 嬰兒車",
    "car": "买车 買車 换车 換車 试驾 試駕 新能源车 新能源車 电动车 電動車 混动 混動 油车 油車 越野车 轿车 轎車 车贷 車貸 车险 車險 续航 續航 "
    "油耗 4s店 上牌 车牌 車牌 七座 后备箱 後備箱 自动挡 自動擋",
}
"""Each word is of one undertaking alone; words that many things have, such as 时间 or 朋友, are of none."""
_BELONGING = "预算 預算 花费 花費 费用 費用 定金 订金 訂金 押金 人数 人數 日期 天数 天數 期限 出发 出發 总共 總共 一共 最多花 不超过 不超過"
"""What a thing undertaken has: bare, it is of the subject stated before it."""

_WORDS = {word: sort for sort, listed in _TELLING.items() for word in listed.split()}
_TELLS = re.compile("|".join(sorted(_WORDS, key=len, reverse=True)), re.IGNORECASE)
_OWNED = re.compile(r"(?:我的?|我们的?|我們的?)?(?:总|總)?(?:" + "|".join(_BELONGING.split()) + ")")
"""At the beginning of a statement: with a name in front, as in 部门预算, it has an owner already."""


def subjects_of(statements: Sequence[str], place: int) -> tuple[str, ...]:
    """Return the undertakings that the statement at `place` of a session belongs to; none where no statement names one.

    >>> subjects_of(["想住有景观的民宿", "预算两万", "部门预算两万", "喜欢爵士乐"], 0)
    ('trip',)
    >>> subjects_of(["想住有景观的民宿", "预算两万", "部门预算两万", "喜欢爵士乐"], 1)
    ('trip',)
    >>> subjects_of(["想住有景观的民宿", "预算两万", "部门预算两万", "喜欢爵士乐"], 2)
    ()
    """
    if own := _named_in(statements[place]):
        return own
    if not _OWNED.match(statements[place].strip()):
        return ()
    # What stands between belongs to something too, or else has ended what was spoken of.
    for before in reversed(statements[:place]):
        if found := _named_in(before):
            return found if len(found) == 1 else ()
        if not _OWNED.match(before.strip()):
            break
    return ()


def _named_in(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_WORDS[word.lower()] for word in _TELLS.findall(text)))
