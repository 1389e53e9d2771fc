/* test_english.c - sentences, tokens and languages. Sentences and tokens are what NLTK 3.8 gives,
 * but for double quotes, which it writes as `` and ''. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/pystr.h"
#include "sandbox/score/language.h"
#include "sandbox/score/sentences.h"
#include "sandbox/score/words.h"

static void append(void *arg, struct span s)
{
    struct px_buf *b = arg;
    if (b->len > 0)
        px_buf_char(b, '|');
    px_buf_put(b, s.p, s.n);
}

struct sample {
    const char *text, *want;
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void sentences(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"", ""},
        {" \n ", ""},
        {"One. Two! Three? four", "One.|Two!|Three?|four"},
        {"  Lead. Trail.  ", "  Lead.|Trail."},
        {"Dr. Smith met Mr. Jones at 5 p.m. on Jan. 3 in the U.S. capital.", NULL},
        {"He moved to the U.S. The weather was fine.",
         "He moved to the U.S.|The weather was fine."},
        {"He said \"Go.\" Then he left.", "He said \"Go.\"|Then he left."},
        {"(It rained.) We stayed.", "(It rained.)|We stayed."},
        {"Wait... what? Hmm... The end.", "Wait... what?|Hmm...|The end."},
        {"Wait... Surprisingly, Mr. Rowling came.", "Wait...|Surprisingly, Mr. Rowling came."},
        {"1. Do this.\n2. Do that.", "1.|Do this.|2.|Do that."},
        {"It costs 3.50 dollars. 4 is more.", "It costs 3.50 dollars.|4 is more."},
        {"J. Bach wrote it. So did I. Then he died.", "J. Bach wrote it.|So did I.|Then he died."},
        {"Fruit, e.g. apples, etc. are good.", "Fruit, e.g.|apples, etc.|are good."},
        {"What?! No way!!! Yes.", "What?!|No way!!!|Yes."},
        {"no breaks.here at all", NULL},
        {"End.\n\nNew para", "End.|New para"},
        {"a. . . b. C", "a. .|.|b.|C"},
    };
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct px_buf b;
        px_buf_init(&b, SIZE_MAX);
        size_t n = sentences_each(pystr_of(samples[i].text), append, &b);
        const char *want = samples[i].want != NULL ? samples[i].want : samples[i].text;
        const char *got = b.len > 0 ? (const char *)b.data : "";
        if (strcmp(got, want) != 0)
            fail_msg("'%s' gave '%s'", samples[i].text, got);
        assert_int_equal(n, sentences_each(pystr_of(samples[i].text), NULL, NULL));
        px_buf_clear(&b);
    }
}

static void tokens(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"I CAN'T go, John's dog.", "I|CA|N'T|go|,|John|'s|dog|."},
        {"Cannot gonna 'tis wanna go", "Can|not|gon|na|'t|is|wan|na|go"},
        {"3,000 at 5:30, (yes) [no]; *A*", "3,000|at|5:30|,|(|yes|)|[|no|]|;|*|A|*"},
        {"U.S. and 5%... ok--fine", "U.S.|and|5|%|...|ok|--|fine"},
        {"He said \"NO.\"", "He|said|\"|NO|.|\""},
        {"they're we'll I'd 'x y", "they|'re|we|'ll|I|'d|'|x|y"},
        {"DON\xE2\x80\x99T", "DON|\xE2\x80\x99|T"},
    };
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct px_buf b;
        px_buf_init(&b, SIZE_MAX);
        words_each(pystr_of(samples[i].text), append, &b);
        if (strcmp((const char *)b.data, samples[i].want) != 0)
            fail_msg("'%s' gave '%s'", samples[i].text, (const char *)b.data);
        px_buf_clear(&b);
    }
}

/* One sentence each, in the words of the authors of this test. */
static const struct sample languages[] = {
    {"The weather is nice today and we are going to the park.", "en"},
    {"THE QUICK BROWN FOX", "en"},
    {"coastal elegance properties", "en"},
    {"Das Wetter ist heute schön und wir gehen in den Park.", "de"},
    {"Il fait beau aujourd'hui et nous allons au parc avec les enfants.", "fr"},
    {"Hoy hace buen tiempo y vamos al parque con los niños.", "es"},
    {"Oggi il tempo è bello e andiamo al parco con i bambini.", "it"},
    {"Hoje o tempo está bom e vamos ao parque com as crianças.", "pt"},
    {"Vandaag is het mooi weer en wij gaan naar het park.", "nl"},
    {"Idag är vädret fint och vi går till parken med barnen.", "sv"},
    {"Tänään sää on kaunis ja me menemme puistoon, koska se on hyvin lähellä.", "fi"},
    {"Dzisiaj jest ładna pogoda i idziemy do parku z dziećmi.", "pl"},
    {"Bugün hava çok güzel ve çocuklar ile parka gidiyoruz.", "tr"},
    {"Hôm nay thời tiết đẹp và chúng tôi đi đến công viên.", "vi"},
    {"Leo hali ya hewa ni nzuri na sisi tunakwenda kwa bustani.", "sw"},
    {"Hari ini cuaca bagus dan kami akan pergi ke taman dengan anak-anak.", "id"},
    {"Сегодня хорошая погода, и мы идём в парк с детьми, потому что это близко.", "ru"},
    {"Днес времето е хубаво и ние отиваме в парка с децата, защото е близо.", "bg"},
    {"Сьогодні гарна погода, і ми йдемо до парку з дітьми.", "uk"},
    {"الطقس جميل اليوم ونحن نذهب إلى الحديقة مع الأطفال.", "ar"},
    {"امروز هوا خوب است و ما با بچه‌ها به پارک می‌رویم.",
     "fa"},
    {"آج موسم اچھا ہے اور ہم بچوں کے ساتھ پارک جا رہے ہیں۔", "ur"},
    {"आज मौसम अच्छा है और हम बच्चों के साथ पार्क जा रहे हैं।", "hi"},
    {"आज हवामान छान आहे आणि आम्ही मुलांसोबत बागेत जात आहोत.", "mr"},
    {"आज मौसम राम्रो छ र हामी बच्चाहरूसँग पार्क जाँदैछौं।", "ne"},
    {"আজ আবহাওয়া ভালো এবং আমরা পার্কে যাচ্ছি।", "bn"},
    {"ਅੱਜ ਮੌਸਮ ਚੰਗਾ ਹੈ ਅਤੇ ਅਸੀਂ ਪਾਰਕ ਜਾ ਰਹੇ ਹਾਂ।", "pa"},
    {"આજે હવામાન સારું છે અને અમે બગીચામાં જઈએ છીએ.", "gu"},
    {"இன்று வானிலை நன்றாக இருக்கிறது.", "ta"},
    {"ఈ రోజు వాతావరణం బాగుంది.", "te"},
    {"ಇಂದು ಹವಾಮಾನ ಚೆನ್ನಾಗಿದೆ.", "kn"},
    {"ഇന്ന് കാലാവസ്ഥ നല്ലതാണ്.", "ml"},
    {"วันนี้อากาศดีมาก", "th"},
    {"오늘은 날씨가 좋아서 공원에 갑니다.", "ko"},
    {"今日は天気がいいので公園へ行きます。", "ja"},
    {"今天天气很好。", "zh-cn"},
    {"Σήμερα ο καιρός είναι καλός.", "el"},
    {"היום מזג האוויר יפה.", "he"},
    {"SRE는 사이트 신뢰성 엔지니어(Site Reliability Engineer)의 약자입니다", "ko"},
    {"Siehe https://www.example.com/the/of/and/with/from und nicht mehr", "de"},
};

static void languages_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(languages); i++) {
        const char *code = language_of(pystr_of(languages[i].text));
        if (code == NULL || strcmp(code, languages[i].want) != 0)
            fail_msg("'%s' is %s", languages[i].text, code != NULL ? code : "nothing");
    }
    assert_null(language_of(pystr_of("")));
    assert_null(language_of(pystr_of("12, 3 - \xF0\x9F\x98\x80 \xD9\xA3 \xFF")));
}

/* Capitals are the same language. */
static void capitals_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(languages) - 1; i++) {
        size_t n;
        char *up = pystr_upper(pystr_of(languages[i].text), &n);
        const char *code = language_of((struct span){up, n});
        if (code == NULL || strcmp(code, languages[i].want) != 0)
            fail_msg("'%s' is %s", up, code != NULL ? code : "nothing");
        free(up);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences),
        cmocka_unit_test(tokens),
        cmocka_unit_test(languages_are_told),
        cmocka_unit_test(capitals_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
