"""Which language a text is in: by its script, and among those in Latin letters by its commonest words."""

import re
from collections import Counter
from collections.abc import Iterable

from mcp_memory.language.tokenization import STOP_WORDS, words

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
_ASKING = {
    "de": "warum wieso wohin woher womit wofür worauf wen wem wessen welche welcher welches welchen welchem was wieviel viele viel"
    " bin bist seid sein kann kannst können könnte muss musst müssen soll sollte sollen will willst wollen darf dürfen mag gibt"
    " geht macht machen mache gemacht heißt heiße kommt lange oft denn doch schon mal mir mich dir dich uns euch ihm ihn ihnen"
    " dein deine deinen dieser diese dieses diesem diesen unter über vor hinter durch gegen ohne um seit bis als wenn weil damit"
    " hier da dort jetzt immer ja nein werden worden würde wurden hatten hast habt ihre ihren ihrem seine seinen seinem meinem"
    " meiner meines kein keine keinen sehr so",
    "fr": "quels quelles comment combien pourquoi qui que lequel laquelle est-ce suis es sommes êtes sera serait étais était"
    " étaient a ai as avez ont avait peut peux pouvons dois doit faut fait faire fais font va vais vont y en me te se leur leurs"
    " lui moi toi elles on votre vos tes ton ta si très plus moins sans sous entre vers chez depuis pendant avant après déjà"
    " encore toujours jamais ici là donc car comme quelque aussi ça cela c m t eu",
    "es": "cuánto cuánta cuántos cuántas cuáles quiénes adónde dónde qué por soy eres somos fueron sea hay tengo tienes tiene"
    " tenemos tienen había hacer hace hago hacen puede puedo pueden debe debo deben va voy van me te le les nos mí ti él ella ellos"
    " ellas usted ustedes nuestra nuestros este esta esto ese esa eso aquel sin sobre entre hasta desde durante antes después ya"
    " también muy tan si porque donde quien cual ser estar estoy estamos cada todo toda todos todas",
    "pt": "quanto quanta quantos quantas quais porque porquê que sou somos são ser estar estou estamos estão está tenho temos têm"
    " tinha há faz faço fazer fazem pode posso podem deve devo vai vou vão me te lhe nos mim ti ele ela eles elas vocês nossos nossas"
    " este esta isto esse essa isso aquele sem sobre entre até desde durante antes depois já também tão se aonde cada todo toda"
    " todos todas",
    "it": "quanto quanta quanti quante quali perché cosa che chi dov'è sono sei siamo siete essere stare sto sta stanno era erano"
    " hai avete hanno avere aveva fare faccio fa fanno fai può posso possono deve devo devono va vado vanno mi ti ci vi si me te lui"
    " lei noi voi loro mia miei mie tuo tua nostri nostre questo questa questi quello quella senza sopra sotto tra fra fino dopo"
    " prima già anche così se ogni tutto tutta tutti tutte c dov com cos qual l d un all dall nell sull agli alle ai dai dal dalla sul"
    " sulla degli delle dei nei nelle negli",
    "nl": "waarom waarheen waarvandaan waarvoor waarmee welk welke wiens hoeveel ben bent zal zou zullen kan kunt kunnen moet"
    " moeten mag mogen wil wilt willen gaat ga gaan doe doet doen mij me jou u hem haar hun jouw onze dit deze daar hier onder"
    " tussen door tegen zonder om sinds tot dan want omdat al heel veel vaak",
    "pl": "dlaczego czemu skąd dokąd czego czym kogo komu kim jaki jaka jakie jakim jakiej jakich który która które których ile ilu"
    " jestem jesteś jesteśmy są być będzie ma mam masz mamy mają mieć może mogę można muszę musi mnie mi mną cię ci tobie nam nas"
    " wam jego jej ich swój swoja swoje ten ta te tego tej tym tych czy przy bez pod nad między do ode jeśli gdy bo też bardzo moje"
    " moim mojej",
    "tr": "niçin neden niye nereye nereden neresi neye neyi hangi hangisi kaç kime kimi ben benim beni bana sen senin bizim sizin"
    " onun onlar şu o olarak mıyım misin mıdır mu mü en ki ya ise var yok diye göre",
    "sv": "varför vart vilken vilket vilka vems hur mycket många är kan kunde ska skulle måste får vill mig dig oss er honom henne"
    " dem mitt mina ditt din sin sitt denna detta dessa under mellan genom utan sedan innan efter här där nu redan bara",
    "da": "hvorfor hvorhen hvilken hvilket hvilke hvis hvordan meget mange er kan kunne skal skulle må vil mig dig os jer ham hende"
    " dem mit mine dit din sin sit denne dette disse under mellem gennem uden siden før efter her der nu allerede kun",
    "ru": "а без бы был была были было быть в вам вас ваш ваша ваше во вот все всё вы где да для до его ее её ей ему если есть ещё еще"
    " же за и из или им их к как какая какие какими каким какое какой какого какую ко когда кого кому кто куда ли мне мной меня мою мои"
    " моим моими моих мой моя моё мое моей моего моими мы на нам нами нас наш наша наше не него нее неё нет ни них но ну о об он она они"
    " оно от откуда очень по под почему при про с сам свой своя своё свое сколько со так там те тебе тебя тем то того тоже только"
    " том ты у уже чего чем чём чему что чтобы эта эти это этот я можно надо нужно чей чья чьё зачем",
}
"""What else asks, points and joins in a language, and says nothing of what a question is about."""
SHORT = 60
"""Characters below which the words of a text may tell too little."""
DOUBT = 2
"""By how much a language's score may lie below the best: one telling word."""
_FUNCTION_WORDS = {
    code: frozenset(f"{_COMMON.get(code, '')} {_ASKING.get(code, '')}".split()) for code in _COMMON | _ASKING
}
_FUNCTION_WORDS["en"] |= STOP_WORDS
LATIN = tuple(_COMMON)
_PROFILES = {code: _FUNCTION_WORDS[code] for code in LATIN}
_FOLDED = {code: frozenset(words(" ".join(idle))) for code, idle in _FUNCTION_WORDS.items()}
"""Without accents, as words are searched for."""
TOLD_APART = 3
"""Languages that a text may be in whose function words are taken for such."""
_CODES = {
    word: [code for code, profile in _PROFILES.items() if word in profile]
    for word in {word for profile in _PROFILES.values() for word in profile}
}
"""The languages in which a word is common."""


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


def function_words(text: str) -> frozenset[str]:
    """The words that say nothing of what a text is about, in the language that most of them speak for.

    As they are searched for, without accents. Those of several languages where they speak for these alike, and none
    where that is anybody's guess.
    """
    if (script := _by_script(text)) != "":
        return _FOLDED.get(script or "", frozenset())
    scores = _scores(text)
    best = [code for code, score in scores.items() if score and score == max(scores.values())]
    return frozenset[str]().union(*(_FOLDED[code] for code in best)) if len(best) <= TOLD_APART else frozenset()


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
