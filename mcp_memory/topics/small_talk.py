"""Small talk: courtesy, agreement and praise without a subject."""

import re
from collections.abc import Collection

from mcp_memory.language.scripts import CJK
from mcp_memory.language.tokenization import STOP_WORDS, words

_CONVERSATION = frozenset(
    (
        # greeting, parting, thanking, wishing
        "hi hey hello hiya howdy yo bye goodbye cheers thanks thank thx ty welcome pleasure sorry apologies excuse pardon please "
        "congrats congratulations luck wish wishing hope hoping care later soon tomorrow morning evening afternoon night day weekend "
        # agreeing, refusing, taking note
        "yes yeah yep yup nope nah ok okay k sure right alright fine agreed agree exactly absolutely definitely totally certainly "
        "indeed true correct gotcha got get roger noted understood deal done problem worries worry mind bother fair enough point "
        # praising and wondering
        "great good nice cool awesome amazing wonderful fantastic excellent perfect lovely brilliant super sweet beautiful "
        "incredible impressive inspiring interesting fun exciting excited happy glad proud pleased delighted love loved like "
        "liked appreciate appreciated best better bad sad wow whoa oh ah aw aww haha hahaha lol hm hmm um uh well yay hooray omg "
        "kidding seriously really honestly actually exactly such much lot lots bunch so too very pretty quite truly super "
        # what is said of these
        "sounds sound sounded looks look looking seems seem feels feel feeling say said saying tell told talk talking speak ask "
        "asking hear heard hearing see saw seen seeing know knew known think thought thinking guess believe mean means meant "
        "help helps helped helping support keep going go goes gone come coming let lets make makes made give take took "
        "thing things stuff something anything nothing everything everyone anyone someone way kind sort bit idea time "
        "forward back again always never ever maybe perhaps probably still also else even now today just only "
        "want wants wanted need needs try trying work works worked happen happened happening new up guys guy man dude buddy friend "
        "dear everyone all matter matters share shared sharing chat check checking reply answer question questions "
        "don doesn didn won isn aren wasn weren couldn wouldn shouldn wont dont im ive id ill youre its thats gonna wanna lemme "
        "long world lot one ones first last next many little big words sense wait catch prob huh hah ya woohoo cute adorable "
        "gorgeous huge"
    ).split()
)
"""Words without a subject: a fifth of the 8,275 sentences of LoCoMo's conversations has no other."""
_HAN = re.compile(
    "好的呀|好的|好呀|好啊|好吧|好嘞|好极了|好極了|太好了|真好|真不错|真不錯|真棒|太棒|不错|不錯|挺好|很好|好|"
    "谢谢你|谢谢您|谢谢|謝謝|多谢|多謝|感谢|感謝|不客气|不客氣|不用谢|不用謝|别客气|別客氣|辛苦|麻烦你|麻煩你|麻烦您|麻煩您|"
    "没问题|沒問題|没事|沒事|没关系|沒關係|没错|沒錯|不要紧|不要緊|抱歉|对不起|對不起|不好意思|"
    "明白|了解|知道|收到|懂|当然|當然|可以|行|对|對|是的|是啊|是吗|是嗎|是|嗯|哦|噢|喔|啊|呀|哈|呵|嘿|哇|唉|诶|欸|嗨|"
    "你好|您好|大家好|早上|上午|中午|下午|晚上|早安|午安|晚安|再见|再見|拜拜|回头见|回頭見|回见|明天见|明天見|一会儿见|"
    "听起来|聽起來|看起来|看起來|觉得|覺得|同意|确实|確實|真的|原来如此|原來如此|这样|這樣|那样|那樣|"
    "厉害|厲害|恭喜|祝|加油|期待|开心|開心|高兴|高興|有意思|有趣|怎么样|怎麼樣|怎样|怎麼|怎么|"
    "我们|我們|咱们|咱們|你们|你們|他们|他們|大家|我|你|您|他|她|它|这个|這個|那个|那個|这|這|那|"
    "什么|什麼|吗|嗎|呢|吧|了|的|地|得|就|都|也|还|還|很|太|真|挺|非常|特别|特別|一下|一点|一點|有点|有點|先|再|会|會|马上|馬上|"
    "请|請|让|讓|帮|幫|忙|说|說|看|听|聽|想|要|去|来|來|办|辦|做|不|没|沒|有|在|和|跟"
)
_CJK = re.compile(f"[{CJK}]")
_SHORT = 3
"""Letters from which the beginning of a name stands for it."""


def has_content(sentence: str, names: Collection[str] = ()) -> bool:
    """Return whether a sentence has a word, number or name that says what it is about; speakers' `names` do not count.

    >>> [has_content(text) for text in ("Sounds great, thanks!", "How are you?", "OK, will do.", "好的，谢谢！", "没问题")]
    [False, False, False, False, False]
    >>> [has_content(text) for text in ("Sure, Thursday.", "OK, port 9090.", "好的，住民宿。", "Thanks, Ada!")]
    [True, True, True, True]
    >>> has_content("Thanks, Ada!", {"ada"})
    False
    """
    if any(character.isdigit() for character in sentence):
        return True
    said = words(sentence)
    if any(word not in STOP_WORDS and word not in _CONVERSATION and not _names(word, names) for word in said):
        return True
    # A script that neither list knows, such as Thai, is not judged.
    return bool(_CJK.search(_HAN.sub("", sentence))) or not (said or _CJK.search(sentence))


def _names(word: str, names: Collection[str]) -> bool:
    return word in names or (len(word) >= _SHORT and any(name.startswith(word) for name in names))
