/* sentences_words.c - the word lists behind sentences.c: one text per first letter, a space
 * before and after each word.
 *
 * Abbreviations are those of newspaper English: titles, months, days, states, companies and most
 * single letters. "e.g.", "i.e.", "etc." and "no." are left out because Punkt's English model does
 * not know them either, and its count is what published numbers mean. */
#include <string.h>

#include "sandbox/score/sentences.h"

static const char *const abbreviations[26] = {
    " a.d a.m adm ala ariz aug ave ",
    " b.v bros ",
    " c calif co col colo conn corp cos ct ",
    " d d.c dec dr ",
    " e ",
    " f feb fla fri ft ",
    " g ga gen ",
    " h ",
    " ill inc ",
    " j.b j.c j.j j.k j.p j.r jan jr ",
    " k kan ky ",
    " l l.a lt ltd ",
    " m m.b.a m.j maj messrs mich minn mr mrs ms ",
    " n n.c n.d n.h n.j n.m n.y nev nov ",
    " oct okla ore ",
    " p p.m pa ph.d prof ",
    "",
    " r r.i r.j rep reps ",
    " s s.a s.c sen sep sept sr st ",
    " t t.j tenn tues ",
    " u.k u.n u.s u.s.a u.s.s.r ",
    " v va vs vt ",
    " w w.va wash wed wis ",
    "",
    " yr ",
    "",
};

static const char *const starters[26] = {
    " according although among ",
    " but ",
    "",
    " despite ",
    " even ",
    "",
    "",
    " he however ",
    " i if in indeed instead it ",
    "",
    "",
    "",
    " many meanwhile moreover most ",
    " nevertheless nor ",
    "",
    "",
    "",
    "",
    " separately she similarly since so some ",
    " the there these they this though thus ",
    " under ",
    "",
    " when while ",
    "",
    " yet ",
    "",
};

/* Never part of a name in the middle of a sentence. */
static const char *const plain[26] = {
    " above abstract academic accept accompany accomplish achieve adjust advantages "
    "advice afterward afterwards agenda ahead aim aims allow almost along already "
    "alternative always amount analyze anyone anyway anywhere appear application "
    "applications approach approaches argument arrange arrive article ask assemble "
    "assess assign attach audience aunt author awards ",
    " bag basic basics become begin behind being beliefs believe benefit besides better "
    "between beyond bibliography bird bit body bottle box boxes brother build bus ",
    " calculate call cannot car carry cast categories cause causes celebrate challenge "
    "character characters check choice choices choose cinematography clarify classroom "
    "climate cold collaborate collect column combine comedy comments commit communicate "
    "compare comparison competitors complain complete components compose concepts "
    "conclusion conduct confirm conflict connect consider consistent constant consult "
    "contact content context contrary convert convince core correct cost course courses "
    "create credits cultural customer ",
    " dark date dates deadline decide decorate deep define degree deliver demonstrate "
    "depend describe details determine develop didn diet difference different difficult "
    "disadvantages discover discuss does doesn doing domestic donate done door double "
    "doubt dozens drama draw drink ",
    " earlier effective eight either eleven else email embrace emphasize encounter "
    "encourage engage enjoy enough ensure enter entire environment essay establish "
    "ethical evaluate event ever everywhere evidence examine example excellent except "
    "exercise experience experiment experts explain explore external extra "
    "extracurricular eye eyes ",
    " fact favorite features feedback figure fill final findings finish flight fly follow "
    "forget format formats forward frequency friend functional furthermore ",
    " gain gather genre geography given glad glossary goals goes going gosh grab grade "
    "guess guest guidelines ",
    " hair hands happy hasn hear hello hence hepatitis her here hers herself highlight "
    "him himself hire historical hobbies hold huge hundreds hurry ",
    " idea ignore illustrate imagine impacts imperative implement implications important "
    "improve include incredible individuals influence influences inform initial "
    "innovative input inside inspire install instead instructions instrument interactive "
    "interests into invest investigate invite involve isn items ",
    " journey joy ",
    " keywords kitchen knowledge known ",
    " language languages latter laugh leaders leadership learn least legacy legislation "
    "lesson lessons links list listen literary literature location ",
    " maintain manage manager marvel math maximize meal meals mean mention mere message "
    "method metrics mind mine minimize mix moment mood moral moreover mother motivate "
    "motivation multiple myself ",
    " narrative nature navigate need negotiate neither nor note novel nowadays nowhere "
    "number nutrition ",
    " object objective objectives observe obtain ok okay onto oral organize origin "
    "origins otherwise ought ours outcome outcomes overall overview ",
    " page pair participants participate pass patient patterns perfect performance person "
    "personal persuade physical pick play player please plenty plot poem poetry "
    "political politics positive poster potential pour poverty practical practice "
    "preface prepare present pretty prevent principle prioritize priority private "
    "problem problems process processes product profile program projects promise proper "
    "protect prove provide publisher pull put ",
    " question questions quotes ",
    " range reader realize recent recognize recommend references reflect register regular "
    "relationship relationships relax relevance relevant remember remind remove repeat "
    "replace requirements resolve respect respond restaurant result results retain right "
    "roles runner ",
    " safe sample scale scene schedule scope script section sections seem seems select "
    "send session sessions settings seven shall shape shine shut silence sing sister sit "
    "skill skills slow smile so societal soil solar solve someday somehow someone "
    "sometimes somewhat soon sorry sort sounds source speak specify spend spiritual "
    "spread stage stages stand statement statue step still store strange strength "
    "strengths strive structure style submit such suggest summarize suppose surface "
    "surprise symbols symptoms ",
    " tactics tank task taste teach teacher team technique ten term terms text thank "
    "thanks theirs them themes themselves theory thereby therefore things think though "
    "threats thrive through throughout thus timeline tips title titles together tomorrow "
    "tonight topics towards traditional tragedy train transform translate treat trips "
    "true truth try turn twelve type ",
    " unable understand unless unlike update upgrade upon us uses using utilize ",
    " values variables vehicle verify very vision visual visualize vitamin vocabulary "
    "volunteer ",
    " wait walk wants warm weaknesses wear weather web weight welcome went were weren "
    "whenever whereas wherever whether which whole whom wish within without words "
    "workplace wow writer ",
    "",
    " yeah yes yesterday yet your yours yourself youth ",
    "",
};

/* Written in lower case, and in names too ("The New Way"). */
static const char *const common[26] = {
    " a about across act action activities actually add advanced after again against age "
    "ago all alone also although am among an and another answer any apart are area areas "
    "around as aside assessment assets at attempt avoid away ",
    " b back background bad balance bank be bear beautiful because before below best big "
    "book books both brief bring budget business but buy by ",
    " c campaign can care career careers case cases cat certain change chapter children "
    "city class clean clear clearly close closely code color come common company "
    "computer concept concern continue contract control costs could count cover creative "
    "critical culture cup current customers cut ",
    " d daily data day deal death definitely demand design despite device did digital do "
    "dog don down dream drive drop during duties ",
    " each eat economic economics economy education effort employees end energy "
    "engineering environmental equipment error even evening events every everybody "
    "everyone everything expect express ",
    " face factors facts fail fair fall false family farm fast father feel few fight film "
    "financial find fine fire first five focus food for force foreign form former "
    "foundation four free fresh friends from full fun function funding further future ",
    " game games general generally get getting give go goal gone good got government "
    "graphic graphics great group groups grow growth guide ",
    " had half hand hard hardly has have haven having he health heart help hey high his "
    "history home hope hotel house housing how however human ",
    " ideas identify if impact in income increase increasingly index industry insurance "
    "interest internal international interview introduce introduction is issue issues it "
    "its itself ",
    " job join judge jump just ",
    " keep key kind know knowing ",
    " labor large last late later law laws lead learning leave leaving left legal less "
    "let letter level life light like likely limit line little live local logic long "
    "look lots love low lucky ",
    " machine made main make makes making management many market marketing markets "
    "material materials may maybe me meanwhile measure media medical meet meeting "
    "members memory methods might military miss model models modern money monitor more "
    "most mostly mountains move movie much music musical must my ",
    " name national natural near nearly network never new news next nice night nine no "
    "nobody none not notes notice now ",
    " obviously of off offer often old on once one only open operations option options or "
    "order other others our out outline output outside over own ",
    " paper part parties partners past pay peace people perhaps period perspective photo "
    "place plan plus point policies policy possible post power price prices principles "
    "produce products professional profit project promote public purchase purpose push ",
    " quality quick quickly quiet quite ",
    " race raise rate rates rather reach read ready real really reasons recall reduce "
    "report reports request research resource resources rest return revenue review rise "
    "risk risks role room route row rub rule rules run running ",
    " s safety salary sales save say saying says scared school science scientific search "
    "second security see seek service services set several share she shop shopping short "
    "should show since six sleep small smart social society software some somebody "
    "something somewhere song sound sources space special sports staff standard start "
    "state station statistics stay steps stop story straight strategic strategies "
    "strategy strong student students study subject summary supplies support sure survey "
    "system systems ",
    " table take talk target tasks tax technical techniques technology tell test that the "
    "their theme then there these they thing this those three time times to today too "
    "tools topic total tourism toward town track traffic training travel tree trends "
    "trip trouble truck trust two ",
    " uncle under understanding until up use used usually ",
    " value video view views violence visit volume ",
    " wages wake want war was wasn watch water way we well what whatever when where while "
    "who whose why wildlife will winter with woman women won wonder work worker workers "
    "world worldwide worry would wouldn write wrong ",
    "",
    " year years you young ",
    " z ",
};

static bool listed(struct span word, const char *const *list)
{
    if (word.n == 0 || word.p[0] < 'a' || word.p[0] > 'z')
        return false;
    const char *words = list[word.p[0] - 'a'];
    const char *end = words + strlen(words);
    for (const char *p = words; (p = memmem(p, (size_t)(end - p), word.p, word.n)) != NULL; p++)
        if (p[-1] == ' ' && p[word.n] == ' ')
            return true;
    return false;
}

bool sentences_abbreviation(struct span word)
{
    return listed(word, abbreviations) ||
           (word.n == 4 && memcmp(word.p, ". . ", 4) == 0); /* an ellipsis with spaces */
}

bool sentences_starter(struct span word)
{
    return listed(word, starters);
}

/* Is word longer than an ending of the list, an s apart? */
static bool ends_with(struct span word, const char *const *endings)
{
    for (; *endings != NULL; endings++) {
        size_t n = strlen(*endings);
        size_t plural = word.n > 0 && word.p[word.n - 1] == 's' && (*endings)[n - 1] != 's';
        size_t bare = word.n - plural;
        if (bare > n + 2 && memcmp(word.p + bare - n, *endings, n) == 0)
            return true;
    }
    return false;
}

bool sentences_plain(struct span word)
{
    return listed(word, plain);
}

bool sentences_derived(struct span word)
{
    static const char *const endings[] = {"able", "ed",   "ful", "ing", "less",
                                          "ly",   "ness", "ous", NULL};
    return !listed(word, common) && ends_with(word, endings);
}

bool sentences_common(struct span word)
{
    static const char *const no_surnames[] = {"ity", "ities", "ive", "ment", "sion", "tion", NULL};
    return listed(word, common) || listed(word, plain) || sentences_derived(word) ||
           ends_with(word, no_surnames);
}
