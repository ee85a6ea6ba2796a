"""Which language a text is in: by its script, and among those in Latin letters by its commonest words."""

import re
from collections import Counter
from collections.abc import Iterable

_SCRIPTS = (
    ("ja", "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9f"),
    ("ko", "\u1100-\u11ff\u3131-\u318e\uac00-\ud7fb"),
    ("zh", "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"),
    ("ru", "\u0400-\u052f"),
    ("el", "\u0370-\u03ff\u1f00-\u1fff"),
    ("he", "\u0590-\u05ff"),
    ("ar", "\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff"),
    ("hi", "\u0900-\u097f"),
    ("bn", "\u0980-\u09ff"),
    ("ta", "\u0b80-\u0bff"),
    ("th", "\u0e00-\u0e7f"),
    ("lo", "\u0e80-\u0eff"),
    ("my", "\u1000-\u109f"),
    ("km", "\u1780-\u17ff"),
    ("ka", "\u10a0-\u10ff"),
    ("hy", "\u0530-\u058f"),
)
"""A script and the language that most often is written in it, which stands for all of them."""
_LETTERS = tuple((code, re.compile(f"[{letters}]")) for code, letters in _SCRIPTS)
_LATIN_LETTER = re.compile(r"[A-Za-zÀ-ɏḀ-ỿ]")
_WORD = re.compile(r"[^\W\d_]+")
KANA = 0.1
"""Share of kana among Han and kana from which a text is Japanese: Japanese prose has half, a Chinese one quotes a word."""

_COMMON = {
    "en": "the a an and of to in is are was were be been it its that this these those with for on at by from as i you he she"
    " we they my your his her our their not but or if have has had do did does will would can what when where who how which",
    "de": "der die das und ist sind war waren ein eine einen einem einer eines nicht mit für auf von zu zum zur im am den dem"
    " des ich du wir ihr sie es auch aber oder wie was wann wo wer haben habe hat hatte wird wurde bei aus nach über mein meine"
    " meinen unser unsere dass noch nur sich",
    "fr": "le la les un une des du de et est sont était ne pas que qui dans pour sur avec au aux je tu il elle nous vous ils mon"
    " ma mes notre nos son sa ses ce cette ces où quand quoi quel quelle mais ou par plus j d l qu n c s été avons ai",
    "es": "el la los las un una unos unas de del y es son era que en por para con no se lo al mi mis tu su sus nuestro nuestra"
    " como cuándo cuando dónde qué quién cuál pero o más muy fue ha he hemos está están yo nos",
    "pt": "o a os as um uma de do da dos das e é são era que em no na nos nas por para com não se ao meu minha nosso nossa seu"
    " sua como quando onde quem qual mas ou mais muito foi tem tinha eu nós você está",
    "it": "il lo la i gli le un una uno di del della dei delle e è sono era che in nel nella per con non si al alla mio mia"
    " nostro nostra suo sua come quando dove chi quale ma o più molto ha ho abbiamo cosa da io",
    "nl": "de het een en is zijn was waren van in op met voor niet dat die er aan te bij ook maar of als wat wanneer waar wie"
    " hoe ik je jij we wij hij zij ze mijn ons onze hebben heb heeft had wordt werd naar uit over nog",
    "sv": "och att det som en ett är var på av för med inte den till har hade jag du vi han hon de om men eller när vad hur"
    " min mitt vår från också",
    "da": "og at det som en et er var på af for med ikke den til har havde jeg du vi han hun de om men eller når hvad hvor"
    " min mit vores fra også",
    "pl": "i w na z do nie się jest są był była że to jak co kiedy gdzie kto ale lub od po za przez mój moja nasz nasza o dla"
    " już tylko mam ma",
    "tr": "ve bir bu da de için ile çok ne mi mı değil olan olarak var yok ben sen biz siz daha ama gibi kadar sonra nasıl"
    " nerede kim zaman",
    "vi": "và là của có không được cho với trong này những các một người tôi bạn chúng ta khi đã sẽ ở đâu gì nào",
    "id": "dan yang di ke dari ini itu untuk dengan tidak adalah pada akan saya kamu kami kita mereka apa kapan mana siapa"
    " sudah juga atau",
    "fi": "ja on ei se että oli ovat kun mutta tai hän minä sinä me te he minun meidän mitä missä milloin kuka kanssa myös",
    "cs": "a je v na se z do že to jak co kdy kde kdo ale nebo od po za přes můj moje náš naše o pro už jen mám má jsem jsou byl",
    "ro": "și este sunt era că în pe cu nu la de un o al ai ale mai din pentru când unde cine ce care dar sau am are",
    "hu": "és a az egy nem hogy van volt ez mint de is meg csak már mi mit mikor hol ki én te ő nekem",
}
SHORT = 60
"""Characters below which the words of a text may tell too little."""
DOUBT = 2
"""By how much a language's score may lie below the best: one telling word."""
_PROFILES = {code: frozenset(words.split()) for code, words in _COMMON.items()}
_CODES = {
    word: [code for code, profile in _PROFILES.items() if word in profile]
    for word in {word for profile in _PROFILES.values() for word in profile}
}
"""The languages in which a word is common."""
LATIN = tuple(_PROFILES)


def language_of(text: str) -> str | None:
    """The likeliest language as an ISO 639-1 code; None where there are no letters, or too few words to tell.

    A script stands for the language most written in it: Cyrillic is "ru", Arabic "ar", Devanagari "hi".
    """
    found = likely_languages(text)
    return found[0] if len(found) == 1 else None


def likely_languages(text: str) -> tuple[str, ...]:
    """The languages a text may be in: one where its script or its words tell, several where they leave it open."""
    code = _by_script(text)
    if code != "":
        return (code,) if code else ()
    scores = _scores(text)
    best = max(scores.values())
    if not best:
        return LATIN
    return tuple(code for code, score in scores.items() if score == best)


def possible_languages(text: str) -> tuple[str, ...]:
    """The likely languages, and where a text is too short to tell those that its words do not speak against."""
    likely = likely_languages(text)
    if likely == ("zh",):
        return ("zh", "ja")  # a phrase of Han alone may be either
    if not set(likely) <= set(LATIN):
        return likely
    scores = _scores(text[:SHORT])
    least = max(scores.values()) - DOUBT if len(text) < SHORT else max(scores.values())
    return tuple(dict.fromkeys((*likely, *(code for code, score in scores.items() if score >= least))))


def _scores(text: str) -> dict[str, int]:
    """How much the words of a text speak for each language: 2 for one that is common in no other, else 1."""
    scores = dict.fromkeys(_PROFILES, 0)
    for word in _WORD.findall(text):
        codes = _CODES.get(word.lower(), ())
        for code in codes:
            scores[code] += 2 if len(codes) == 1 else 1
    return scores


def unknown_share(texts: Iterable[str], languages: Iterable[str]) -> tuple[float, list[str]]:
    """The share of texts that are in none of the languages, and in which they are, the commonest first.

    A text that does not tell counts as known, and every text does where `languages` is empty.
    """
    known = set(languages)
    found = Counter(language_of(text) for text in texts)
    strange = [(code, count) for code, count in found.most_common() if code is not None and code not in known]
    total = sum(found.values())
    return (sum(count for _, count in strange) / total if known and total else 0.0), [code for code, _ in strange]


def _by_script(text: str) -> str | None:
    """The language of the script that most letters are in; "" for Latin, None where there are no letters."""
    if text.isascii():
        return "" if _LATIN_LETTER.search(text) else None
    counts = {code: len(letters.findall(text)) for code, letters in _LETTERS}
    if counts["ja"] and counts["ja"] >= KANA * (counts["ja"] + counts["zh"]):
        counts["ja"] += counts.pop("zh")
    # A word takes about five letters, or two ideographs.
    counts = {code: count * (2.5 if code in ("ja", "ko", "zh") else 1) for code, count in counts.items()}
    counts[""] = len(_LATIN_LETTER.findall(text))
    best = max(counts, key=lambda code: counts[code])
    return best if counts[best] else None


NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "pt": "Portuguese", "it": "Italian", "nl": "Dutch",
    "sv": "Swedish", "da": "Danish", "pl": "Polish", "tr": "Turkish", "vi": "Vietnamese", "id": "Indonesian", "fi": "Finnish",
    "cs": "Czech", "ro": "Romanian", "hu": "Hungarian", "zh": "Chinese", "ja": "Japanese", "ko": "Korean",
    "ru": "Russian or another language in Cyrillic", "el": "Greek", "he": "Hebrew", "ar": "Arabic", "hi": "Hindi", "bn": "Bengali",
    "ta": "Tamil", "th": "Thai", "lo": "Lao", "my": "Burmese", "km": "Khmer", "ka": "Georgian", "hy": "Armenian",
}  # fmt: skip
