"""How languages written with spaces between words name days, weeks, months and years: tables only."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Tongue:
    """The words of one language, as regular expressions over lower-case text; a blank stands for white space.

    In a template {n} is a count, {u} a unit, {x} a unit, weekday, month or season, {w} a weekday, {m} a month,
    {s} a season, {d} a day of the month and {y} a year.
    """

    code: str
    months: str
    """From January, a name with its spellings each, parted by blanks."""
    weekdays: str
    """From Monday."""
    seasons: str
    """Spring, summer, autumn, winter."""
    units: Mapping[str, str]
    """By "day", "week", "month" and "year", and others of grammar.UNITS."""
    counts: str
    """From one; "|" between spellings."""
    days: Mapping[str, int]
    """Words for a day, by how many days from today it is."""
    ago: str
    hence: str
    last: str
    this: str
    next: str
    dates: str
    """A day and month, with or without a year; alternatives parted by " / "."""
    year_of: str = "{y}"
    """How a year follows a month, after a blank."""
    in_month: str = "(?!)"
    """What stands before a month that is named without a year."""
    few: Mapping[str, int] = field(default_factory=dict[str, int])
    """Vague counts."""
    recent: str = "(?!)"
    """The stretch of {n} {u} that ends now."""
    before: str = "(?!)"
    after: str = "(?!)"
    since: str = "(?!)"
    until: str = "(?!)"
    between: str = "(?!)"
    """What opens a stretch."""
    joined: str = "(?!)"
    """What stands between the ends of a stretch."""
    early: str = "(?!)"
    middle: str = "(?!)"
    late: str = "(?!)"
    begin: str = "(?!)"
    end: str = "(?!)"
    first_half: str = "(?!)"
    second_half: str = "(?!)"
    on: str = "(?!)"
    """What stands before a weekday."""
    linking: str = "(?!)"
    """A preposition and article that tie a date to what happened: "the trip in May"."""


ENGLISH = Tongue(
    code="en",
    months="jan(?:uary|\\.)? feb(?:ruary|\\.)? mar(?:ch|\\.)? apr(?:il|\\.)? may june?|jun\\. july?|jul\\. aug(?:ust|\\.)? sept?(?:ember|\\.)?"
    " oct(?:ober|\\.)? nov(?:ember|\\.)? dec(?:ember|\\.)?",
    weekdays="mon(?:day|\\.)? tue(?:sday|s?\\.?)? wed(?:nesday|\\.)? thu(?:rsday|r?s?\\.?)? fri(?:day|\\.)? sat(?:urday|\\.)? sun(?:day|\\.)?",
    seasons="spring(?:time)? summer(?:time)? autumn|fall winter(?:time)?",
    units={
        "second": "seconds?|secs?",
        "minute": "minutes?|mins?",
        "hour": "hours?|hrs?",
        "day": "days?",
        "week": "weeks?|wks?",
        "fortnight": "fortnights?",
        "month": "months?",
        "quarter": "quarters?",
        "year": "years?|yrs?",
        "decade": "decades?",
        "weekend": "weekends?",
    },
    counts="an?|one two three four five six seven eight nine ten eleven twelve",
    few={"(?:a )?couple(?: of)?": 2, "a few|several|some|few": 3, "a dozen": 12, "twenty": 20, "thirty": 30},
    days={
        "(?:earlier |later )?today|tonight|this (?:morning|afternoon|evening)": 0,
        "yesterday(?: (?:morning|afternoon|evening|night|at noon))?|last (?:night|evening)|the night before": -1,
        "(?:the )?day before yesterday": -2,
        "tomorrow(?: (?:morning|afternoon|evening|night))?": 1,
        "(?:the )?day after tomorrow": 2,
    },
    ago="{n} {u} (?:ago|back)",
    hence="in {n} {u}(?:' time)? / {n} {u} from (?:now|today)",
    recent="(?:in |over |for |during |within )?(?:the )?(?:last|past|previous) {n} {u}",
    last="(?:the )?(?:last|past|previous) {x}",
    this="(?:this|the current) {x}",
    next="(?:next|the coming|the following) {x}",
    dates="{d}(?:st|nd|rd|th)?(?: day)?(?: of)? {m}(?:(?:,\\s*| ){y})? / {m} (?:the )?{d}(?:st|nd|rd|th)?(?:(?:,\\s*| ){y})?",
    year_of="(?:of |in )?{y}",
    in_month="in|of|during|since|before|after|until|till|by|every|each|from|between|past|through",
    before="before|prior to|earlier than|ahead of|up to",
    after="after|later than|following",
    since="since|starting(?: in)?",
    until="until|till|up until|by|no later than",
    between="between|from",
    joined="and|to|through|till|until|-|–|—",
    early="early(?: in)?",
    middle="mid(?:dle)?-?|(?:the )?middle of|halfway through",
    late="late(?: in)?",
    begin="(?:the )?(?:very )?(?:beginning|start) of",
    end="(?:the )?(?:very )?end of",
    first_half="(?:the )?first half of",
    second_half="(?:the )?(?:second|last|latter) half of",
    on="on|until|till|by|since|before|after|from|between|\\w+day (?:to|through|till|until|and|-)",
    linking="(?:in|on|of|from|at|during)(?: the)?",
)
_DE_END = "e[nrsm]?"
TONGUES = (
    ENGLISH,
    Tongue(
        code="de",
        months="jan(?:uar|\\.)?|jänner feb(?:ruar|\\.)?|feber märz|maerz|mrz apr(?:il|\\.)? mai juni|jun\\. juli|jul\\."
        " aug(?:ust|\\.)? sep(?:tember|t?\\.)? okt(?:ober|\\.)? nov(?:ember|\\.)? dez(?:ember|\\.)?",
        weekdays="montags? dienstags? mittwochs? donnerstags? freitags? samstags?|sonnabends? sonntags?",
        seasons="frühlings?|frühjahrs? sommers? herbst(?:es)? winters?",
        units={
            "hour": "stunden?", "day": "tag(?:en?|es)?", "week": "wochen?", "month": "monat(?:en?|s)?",
            "quarter": "quartal(?:en?|s)?", "year": "jahr(?:en?|s|es)?", "decade": "jahrzehnt(?:en?|s)?",
            "weekend": "wochenenden?",
        },
        counts="ein(?:e[mnrs]?)? zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        few={"ein paar|einigen?|mehreren?": 3},
        days={
            "heute(?: (?:morgen|früh|mittag|nachmittag|abend|nacht))?": 0,
            "gestern(?: (?:morgen|früh|mittag|nachmittag|abend|nacht))?|letzte nacht": -1,
            "vorgestern": -2, "morgen(?: (?:früh|mittag|nachmittag|abend))?": 1, "übermorgen": 2,
        },
        ago="vor {n} {u}",
        hence="in {n} {u}",
        recent=f"(?:in |während )?(?:den |der |die )?(?:letzt|vergangen){_DE_END} {{n}} {{u}}",
        last=f"(?:(?:im|am|in|den|der|das|die) )?(?:letzt|vorig|vergangen){_DE_END} {{x}}",
        this=f"(?:diese[nrsm]?|(?:heurig|laufend){_DE_END}) {{x}}",
        next=f"(?:nächst|kommend){_DE_END} {{x}}",
        dates="{d}\\.? {m}(?: {y})?",
        in_month="im|vom|seit|ab|bis|vor|nach|jeden|zum",
        before="vor(?: dem| der)?|bevor",
        after="nach(?: dem| der)?",
        since="seit(?: dem| der)?|ab(?: dem)?",
        until="bis(?: zum| zur)?",
        between="zwischen|von|vom", joined="und|bis(?: zum)?|-|–",
        early="früh im", middle="mitte(?: des)?", late="spät im", begin="anfang(?: des)?", end="ende(?: des)?",
        first_half="(?:die |in der |der )?ersten? hälfte (?:von|des)?", second_half="(?:die |in der |der )?zweiten? hälfte (?:von|des)?",
        on="am|seit|bis", linking="(?:im|am|in|vom|von)(?: de[mnr])?",
    ),
    Tongue(
        code="fr",
        months="janv(?:ier|\\.)? févr(?:ier|\\.)?|fevrier mars avr(?:il|\\.) mai juin juil(?:let|\\.) août|aout sept(?:embre|\\.)"
        " oct(?:obre|\\.) nov(?:embre|\\.) déc(?:embre|\\.)|decembre",
        weekdays="lundi mardi mercredi jeudi vendredi samedi dimanche",
        seasons="printemps été automne hiver",
        units={
            "hour": "heures?", "day": "jours?", "week": "semaines?", "month": "mois", "quarter": "trimestres?",
            "year": "ans?|années?", "decade": "décennies?", "weekend": "week-?ends?",
        },
        counts="une? deux trois quatre cinq six sept huit neuf dix onze douze",
        few={"quelques|plusieurs": 3},
        days={
            "aujourd['’]hui|ce (?:matin|soir)|cet après-midi": 0, "hier(?: (?:matin|soir|après-midi))?|la nuit dernière": -1,
            "avant-hier": -2, "demain(?: (?:matin|soir|après-midi))?": 1, "après-demain": 2,
        },
        ago="il y a (?:environ )?{n} {u}",
        hence="dans {n} {u}",
        recent="(?:ces |les |depuis ces )?{n} (?:dernier|dernière|derniers|dernières) {u}",
        last="(?:l['’]|la |le )?{x} (?:derni(?:er|ère)|passée?)",
        this="(?:ce|cet|cette) {x}",
        next="(?:l['’]|la |le )?{x} prochaine?",
        dates="(?:le )?{d}(?:er)? {m}(?: {y})?",
        year_of="(?:de |en )?{y}",
        in_month="en|de|depuis|avant|après|fin|début|mi-|d['’]",
        before="avant(?: le| la| l['’])?",
        after="après(?: le| la| l['’])?",
        since="depuis(?: le| la| l['’])?|à partir (?:de|du)|dès(?: le)?",
        until="jusqu['’](?:en|au|à)",
        between="entre(?: le)?|de|du", joined="et(?: le)?|à|au|-|–",
        middle="mi-|(?:au |le )?milieu (?:de |du |d['’])", begin="(?:au |le )?début (?:de |du |d['’])?",
        end="(?:à la |la )?fin (?:de |du |d['’])?",
        linking="(?:en|de|du|le|d['’])(?: l['’])?",
    ),
    Tongue(
        code="es",
        months="enero febrero marzo abril mayo junio julio agosto sep?tiembre octubre noviembre diciembre",
        weekdays="lunes martes miércoles|miercoles jueves viernes sábado|sabado domingo",
        seasons="primavera verano otoño invierno",
        units={
            "hour": "horas?", "day": "días?|dias?", "week": "semanas?", "month": "mes(?:es)?", "quarter": "trimestres?",
            "year": "años?", "decade": "décadas?", "weekend": "fin(?:es)? de semana",
        },
        counts="una?|uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
        few={"unos|unas|algunos|algunas|varios|varias": 3, "un par de": 2},
        days={
            "hoy|esta (?:mañana|tarde|noche)": 0, "ayer(?: por la (?:mañana|tarde|noche))?|anoche": -1,
            "anteayer|antes de ayer|antier": -2, "mañana(?: por la (?:mañana|tarde|noche))?": 1, "pasado mañana": 2,
        },
        ago="hace {n} {u} / {n} {u} atrás",
        hence="(?:dentro de|en) {n} {u}",
        recent="(?:en )?(?:los |las )?últim[oa]s {n} {u}",
        last="(?:el |la )?{x} (?:pasad[oa]|anterior) / (?:el |la )?últim[oa] {x}",
        this="(?:este|esta) {x}",
        next="(?:el |la )?{x} (?:que viene|próxim[oa]) / (?:el |la )?próxim[oa] {x}",
        dates="(?:el )?{d} de {m}(?: (?:de |del )?{y})?",
        year_of="(?:de |del )?{y}",
        in_month="en|desde|hasta|antes de|después de|durante",
        before="antes (?:de|del)(?: la| el)?",
        after="después (?:de|del)(?: la| el)?|tras(?: el| la)?",
        since="desde(?: el| la)?|a partir (?:de|del)",
        until="hasta(?: el| la)?",
        between="entre(?: el)?|de|del|desde(?: el)?", joined="y(?: el)?|al?|hasta(?: el)?|-|–",
        middle="(?:a )?mediados de", begin="(?:a |al )?(?:principios?|comienzos?|inicios?) (?:de|del)",
        end="(?:a )?(?:finales|fines) (?:de|del)",
        on="el", linking="(?:en|de|del)(?: el| la)?",
    ),
    Tongue(
        code="pt",
        months="janeiro fevereiro março|marco abril maio junho julho agosto setembro outubro novembro dezembro",
        weekdays="segunda(?:-feira)? terça(?:-feira)? quarta(?:-feira)? quinta(?:-feira)? sexta(?:-feira)? sábado domingo",
        seasons="primavera verão outono inverno",
        units={
            "hour": "horas?", "day": "dias?", "week": "semanas?", "month": "m[êe]s(?:es)?", "quarter": "trimestres?",
            "year": "anos?", "decade": "décadas?", "weekend": "fi(?:m|ns) de semana",
        },
        counts="uma?|um dois|duas três quatro cinco seis sete oito nove dez onze doze",
        few={"alguns|algumas|poucos|poucas|vários|várias": 3, "um par de": 2},
        days={
            "hoje|esta (?:manhã|tarde|noite)": 0, "ontem(?: (?:à|de) (?:manhã|tarde|noite))?": -1, "anteontem|antes de ontem": -2,
            "amanhã(?: (?:à|de) (?:manhã|tarde|noite))?": 1, "depois de amanhã": 2,
        },
        ago="(?:há|faz) {n} {u}(?: atrás)? / {n} {u} atrás",
        hence="(?:daqui a|em) {n} {u}",
        recent="(?:n?[oa]s )?últim[oa]s {n} {u}",
        last="(?:n?[oa] )?{x} passad[oa] / (?:n?[oa] )?últim[oa] {x}",
        this="n?est[ea] {x}",
        next="(?:n?[oa] )?{x} que vem / (?:n?[oa] )?próxim[oa] {x}",
        dates="{d}(?:º)? de {m}(?: (?:de )?{y})?",
        year_of="(?:de |do )?{y}",
        in_month="em|desde|até|antes de|depois de|durante",
        before="antes (?:de|do|da)",
        after="(?:depois|após)(?: de| do| da| o| a)?",
        since="desde(?: o| a)?|a partir (?:de|do)",
        until="até(?: o| a)?",
        between="entre(?: o)?|de|do", joined="e|a|ao|até|-|–",
        middle="(?:em )?meados (?:de|do)", begin="(?:no )?(?:início|começo|princípio) (?:de|do)",
        end="(?:no )?(?:fim|final) (?:de|do)",
        linking="(?:em|de|no|na|do|da)",
    ),
    Tongue(
        code="it",
        months="gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        weekdays="lunedì|lunedi martedì|martedi mercoledì|mercoledi giovedì|giovedi venerdì|venerdi sabato domenica",
        seasons="primavera estate autunno inverno",
        units={
            "hour": "or[ae]", "day": "giorn[oi]", "week": "settiman[ae]", "month": "mes[ei]", "quarter": "trimestr[ei]",
            "year": "ann[oi]", "decade": "decenni?o?", "weekend": "fine settimana|week-?end",
        },
        counts="un['o]?a? due tre quattro cinque sei sette otto nove dieci undici dodici",
        few={"alcun[ie]|qualche|pochi|poche": 3, "un paio di": 2},
        days={
            "oggi|stamattina|stamani|stasera": 0, "ieri(?: (?:mattina|pomeriggio|sera|notte))?|stanotte": -1,
            "l['’]altro ieri|altroieri|ieri l['’]altro": -2, "domani(?: (?:mattina|pomeriggio|sera))?": 1, "dopodomani": 2,
        },
        ago="{n} {u} fa",
        hence="(?:tra|fra) {n} {u}",
        recent="(?:n?egli|n?elle|n?ei|gli|le|i) ultim[ie] {n} {u}",
        last="(?:l['’]|la |il |lo )?{x} (?:scors[oa]|passat[oa]) / (?:l['’]|la |il |lo )?(?:scors[oa]|passat[oa]) {x}",
        this="quest(?:[oa] |['’]){x}",
        next="(?:l['’]|la |il |lo )?{x} prossim[oa] / (?:l['’]|la |il |lo )?prossim[oa] {x}",
        dates="(?:il |l['’])?{d}°? {m}(?: {y})?",
        year_of="(?:del )?{y}",
        in_month="a|ad|in|di|da|fino a|prima di|dopo|durante",
        before="prima (?:di|del|dell['’]|della)",
        after="dopo(?: il| la| l['’])?",
        since="d(?:a|al|all['’]|alla)(?= )|a partire d(?:a|al)",
        until="fino (?:a|al|alla)|entro(?: il)?",
        between="tra(?: il)?|fra(?: il)?|dal?", joined="e(?: il)?|al?|-|–",
        middle="(?:a )?metà (?:di |del )?", begin="(?:all['’])?inizio (?:di |del )?", end="(?:alla )?fine (?:di |del )?",
        linking="(?:in|a|di|del|nel)",
    ),
    Tongue(
        code="nl",
        months="januari februari maart april mei juni juli augustus september oktober november december",
        weekdays="maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
        seasons="lente|voorjaar zomer herfst|najaar winter",
        units={
            "hour": "uur|uren", "day": "dag(?:en)?", "week": "we(?:ek|ken)", "month": "maand(?:en)?", "quarter": "kwarta(?:al|len)",
            "year": "jaar|jaren", "weekend": "weekend(?:en)?",
        },
        counts="een|één twee drie vier vijf zes zeven acht negen tien elf twaalf",
        few={"een paar|enkele": 3},
        days={
            "vandaag|vanochtend|vanmorgen|vanmiddag|vanavond": 0, "gister(?:en|ochtend|middag|avond|nacht)|vannacht": -1,
            "eergisteren": -2, "morgen(?:ochtend|middag|avond)?": 1, "overmorgen": 2,
        },
        ago="{n} {u} geleden",
        hence="over {n} {u}",
        recent="(?:in )?(?:de )?(?:afgelopen|laatste) {n} {u}",
        last="(?:vorige?|afgelopen|verleden) {x}",
        this="(?:deze|dit) {x}",
        next="(?:volgende?|komende?) {x}",
        dates="{d} {m}(?: {y})?",
        in_month="in|sinds|voor|na|tot|vanaf|van",
        before="voor(?: de| het)?", after="na(?: de| het)?", since="sinds(?: de| het)?|vanaf", until="tot(?: en met)?",
        between="tussen|van", joined="en|tot(?: en met)?|-|–",
        middle="(?:half|midden(?: in)?|medio)", begin="(?:het )?begin(?: van)?", end="(?:het )?eind(?:e)?(?: van)?",
        on="op", linking="(?:in|op|van)",
    ),
    Tongue(
        code="ru",
        months="январ[ьяею] феврал[ьяею] март[ае]? апрел[ьяею] ма[йяею] июн[ьяею] июл[ьяею] август[ае]? сентябр[ьяею]"
        " октябр[ьяею] ноябр[ьяею] декабр[ьяею]",
        weekdays="понедельник[ае]? вторник[ае]? сред[аыу] четверг[ае]? пятниц[ауые] суббот[ауые] воскресень[ея]",
        seasons="весн(?:а|ой|ы|у|е) лет(?:о|ом|а) осень?ю? зим(?:а|ой|ы|у)",
        units={
            "hour": "час(?:а|ов)?", "day": "д(?:ень|ня|ней)", "week": "недел[яиюеь]", "month": "месяц(?:а|ев|е)?",
            "quarter": "квартал(?:а|ов|е)?", "year": "год(?:а|у|ом)?|лет", "weekend": "выходны[ехм]",
        },
        counts="один|одну|одна дв[ае] три четыре пять шесть семь восемь девять десять одиннадцать двенадцать",
        few={"несколько|пару": 3},
        days={
            "сегодня(?: (?:утром|днём|вечером|ночью))?": 0, "вчера(?: (?:утром|днём|вечером|ночью))?": -1, "позавчера": -2,
            "завтра(?: (?:утром|днём|вечером))?": 1, "послезавтра": 2,
        },
        ago="(?:{n} )?{u} назад",
        hence="через {n} {u}",
        recent="(?:за |в )?последни[ехм]{1,2} {n} {u}",
        last="(?:в |во |на )?(?:прошл(?:ой|ом|ый|ую|ая|ым|ое|ого|ые|ых)|минувш\\w{2}) {x}",
        this="(?:в |во |на )?эт(?:ой|ом|от|у|а|им|о|и|их) {x}",
        next="(?:в |во |на )?следующ(?:ей|ем|ий|ую|ая|им|ее|ие|их) {x}",
        dates="{d}(?:-го)? {m}(?: {y}(?: года?| г\\.)?)?",
        year_of="{y}(?: года?| г\\.)?",
        in_month="в|с|до|после|к",
        before="до|перед", after="после", since="с(?: начала)?|начиная с", until="до",
        between="между|с|от", joined="и|по|до|-|–",
        middle="(?:в )?середине", begin="(?:в )?начале", end="(?:в )?конце",
        on="в|во", linking="(?:в|во|на)",
    ),
)  # fmt: skip
BY_CODE = {tongue.code: tongue for tongue in TONGUES}
