/* language_words.c - the profiles behind language.c: everyday words that are frequent in any text
 * of a language, written from general knowledge for the languages that IFEval asks for and those
 * that could be taken for them. */
#include "sandbox/score/language_words.h"

const struct language_profile language_latin[] = {
    {"en",
     " the be to of and a in that have i it for not on with he as you do at this but his "
     "by from they we say her she or an will my one all would there their what so up "
     "out if about who get which go me when make can like time no just him know take "
     "people into year your good some could them see other than then now look only come "
     "its over think also back after use two how our work first well way even new want "
     "because any these give day most us is are was were been has had did does don didn "
     "isn aren wasn won ll ve re should may might must shall here where why very more "
     "much many such own same too each both few while through between before under "
     "again once every never always let hello hi yes please thank thanks dear sure am "
     "being those against during without within however though although since until "
     "upon another still down off around world life find long great little right old "
     "big high different small large next early young important public bad able need "
     "help home house love name made part place story write written sing song night "
     "light heart best better s t d m doing done makes making using used including "
     "often already across along among behind beyond everyone everything something "
     "someone nothing anything last whether yet himself herself itself themselves thing "
     "things looks feel keep found full free real true three four five six seven eight "
     "nine ten whose lets maybe perhaps rather quite almost enough others ours yours "
     "theirs mine says said tell ask needs wants wish answer question names street main "
     "phone email ",
     "", "ed ght ing ings less ly ness ship tion tions ty wn ck cks th ics ry"},
    {"de",
     " der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als "
     "auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie "
     "einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein "
     "wurde sei ich du wir ihr mich dich uns euch ihm ihn ihnen mir dir kein keine nein "
     "ja wenn weil dann hier dort was wer wo warum kann können muss müssen soll sehr "
     "schon immer unter gegen ohne ihre ihren seine unsere diese dieser dieses jeder "
     "alle ",
     "ßäöü", ""},
    {"fr",
     " le la les de des du et en un une est que qui dans pour pas sur au aux avec ce "
     "cette ces il elle ils elles je tu nous vous on ne se son sa ses mon ma mes ton ta "
     "tes leur leurs plus mais ou où donc comme par sont été être avoir fait faire tout "
     "tous toute toutes bien aussi très même sans sous entre après avant quand si peut "
     "deux notre votre d l c s n qu j m t ont avait était cela ça merci bonjour oui non ",
     "éèêëàâçùûîïôœ", ""},
    {"es",
     " el la los las de del y en un una es que por para con no se su sus lo al como más "
     "pero este esta estos estas ese esa eso muy ya también me mi tu te nos le les si "
     "sí cuando donde quien qué cómo todo todos toda todas ser estar hay fue era son "
     "está están ha han tiene desde hasta sobre entre sin porque otro otra nosotros "
     "ellos ella él yo usted gracias hola puede hacer así solo años día ",
     "ñáéíóúü", ""},
    {"it",
     " il lo la i gli le di del della dei delle dello degli e ed in un una uno è che per "
     "non si con da dal dalla nel nella nei al alla ai alle su sul sulla come più ma "
     "anche questo questa questi queste quello quella sono era essere avere ha hanno ho "
     "mi ti ci vi suo sua loro mio mia tuo nostro tutto tutti molto così se quando dove "
     "chi cosa perché ogni o sia stato stata fare può quindi grazie ciao l dell nell "
     "all ",
     "àèéìòù", ""},
    {"pt",
     " o a os as de do da dos das e em no na nos nas um uma é que por para com não se "
     "seu sua seus suas ao à às como mais mas também este esta isso isto ele ela eles "
     "elas eu você vocês nós me te lhe muito já quando onde quem foi era são está estão "
     "ser estar ter tem têm há pelo pela entre sem sobre até depois porque todos todas "
     "tudo cada outro ou só bem sim obrigado minha meu nosso ",
     "ãõçáâàéêíóôú", ""},
    {"ca",
     " el la els les de del dels i en un una és que per amb no es seu seva al als com "
     "més però aquest aquesta aquests aquestes molt ja també em et ens us li si quan on "
     "qui tot tots totes ser estar hi ha han va van són era fins sobre entre sense "
     "perquè altres nosaltres jo ell ella ",
     "çàèéíïòóúü", ""},
    {"nl",
     " de het een en van in is dat op te zijn voor met die niet aan er om ook als dan "
     "maar hij ze zij wij we je ik u mijn jouw ons onze hun haar hem was waren wordt "
     "worden werd naar bij uit over door tot of nog kan kunnen moet zal zou heeft "
     "hebben had geen wel zo meer veel deze dit daar hier wat wie waar hoe omdat tussen "
     "onder na tegen alle dank ",
     "ëï", ""},
    {"af",
     " die en van in is dat op te vir met nie wat het hy sy ons julle hulle ek jy my jou "
     "sal kan moet was word om as maar ook aan by uit oor deur tot of nog baie meer "
     "hierdie daardie hier daar hoe waar wie een n se so dan wees gaan ",
     "êëôû", ""},
    {"sv",
     " och att det i en som är på för med av den till inte har de ett om var jag han hon "
     "vi ni du man så men från kan när hade ut upp över också efter vid eller mycket "
     "skulle ska alla detta denna dessa bara där här min din sin sitt mig dig oss dem "
     "hur vad varför någon något utan mellan under mot blir bli vara finns tack hej nej ",
     "åäö", ""},
    {"da",
     " og i at det en den til er som på de med han af for ikke der var mig sig men et "
     "har om vi min havde ham hun nu over da fra du ud sin dem os op man hans hvor "
     "eller hvad skal selv her alle vil blev kunne ind når være dog noget ville jo "
     "deres efter ned skulle denne end dette mit også under have dig anden hende mine "
     "meget sit sine vor mod disse hvis din nogle hos blive mange bliver jeg ",
     "æøå", ""},
    {"no",
     " og i jeg det at en et den til er som på de med han av ikke der så var meg seg men "
     "har om vi min mitt ha hadde hun nå over da ved fra du ut sin dem oss opp man kan "
     "hans hvor eller hva skal selv sjøl her alle vil bli ble kunne inn når være kom "
     "noen noe ville deres etter ned skulle denne for enn dette også under bare deg "
     "hvis mange blir mye veldig fordi hvordan ",
     "æøå", ""},
    {"fi",
     " ja on ei se että oli hän joka mutta kun niin kuin ovat olla tai myös ole voi jos "
     "minä sinä me te he sen sitä siitä ne nämä tämä tämän tätä nyt vain mitä missä "
     "miten miksi kuka kaikki hyvin sekä vaan eli kanssa mukaan jälkeen ennen ilman "
     "sinun minun hänen meidän heidän olen olet olemme voit joten koska vielä aina "
     "niiden jossa jotka olisi paljon ",
     "äö", ""},
    {"et",
     " ja on ei see et oli ta mis kes kui aga ka nii või ma sa me te nad oma kõik siis "
     "veel välja üks seda selle mind sind oled olen olema pole kus miks kuidas ning ära "
     "juba väga pärast enne ilma koos ",
     "õäöü", ""},
    {"hu",
     " a az és hogy nem is egy van meg de ez azt csak már mint el vagy volt be még ha ki "
     "kell lesz itt ott mi mit aki amely ami én te ő ti ők nagyon minden sok után előtt "
     "között nélkül lehet vannak volna ezt fel le őt neki nekem szerint pedig így úgy "
     "mert ",
     "őűáéíóöúü", ""},
    {"pl",
     " i w na z do się nie to jest że o jak po co za ale od dla był przez przy tak czy "
     "już tylko jego jej ich są może ten ta te tym tego tej który która które bardzo "
     "także oraz być ma mam jestem ja ty on ona my wy oni mnie ciebie nas was pod nad "
     "bez między gdy kiedy gdzie dlaczego kto więc jeszcze wszystko ",
     "ąćęłńóśźż", ""},
    {"cs",
     " a v na se je že to s z do i o ve k za by ale jako po jak si od pro nebo při jsou "
     "být byl byla bylo není který která které tak ten ta tento tato jeho její jejich "
     "ještě už také jsem jsi jsme jste já ty on ona my vy oni co kdo kde kdy proč jen "
     "velmi více mezi bez před ",
     "áčďéěíňóřšťúůýž", ""},
    {"sk",
     " a v na sa je že to s z do i o vo k za by ale ako po si od pre alebo pri sú byť "
     "bol bola bolo nie ktorý ktorá ktoré tak ten tá tento táto jeho jej ich ešte už "
     "tiež som sme ste ja ty on ona my vy oni čo kto kde kedy prečo len veľmi viac "
     "medzi bez pred ",
     "áäčďéíĺľňóôŕšťúýž", ""},
    {"sl",
     " in je v na se da za so ki z ne bi pa kot s po tudi ali pri ni od do še iz o le "
     "ter lahko bil bila bilo biti sem si smo ste jaz ti on ona mi vi oni kaj kdo kje "
     "kdaj zakaj zelo več med brez pred njegov vse to ta tega ",
     "čšž", ""},
    {"hr",
     " i je u na se da za su koji s ne bi kao od iz o ili ali nije što do po koja koje "
     "biti bio bila bilo sam si smo ste ja ti on ona mi vi oni kako gdje kada zašto "
     "vrlo više između bez prije njegov sve to taj ta ovo samo još već te može ",
     "čćđšž", ""},
    {"ro",
     " și de în a la cu o un pe care nu este din că mai sau ce pentru ca au al ai ale "
     "sunt fi fost era are prin între după fără foarte când unde cum dar dacă eu tu el "
     "ea noi voi ei ele meu mea său lor acest această aceste tot toate doar până spre "
     "se îi îl să ne ",
     "ăâîșțşţ", ""},
    {"tr",
     " ve bir bu da de için ile çok olarak daha var ne gibi olan kadar ama o ben sen biz "
     "siz onlar mi mı en sonra her ki değil bunu olduğu şey ya veya önce ise nasıl "
     "neden nerede kim hiç şu iyi yok olur oldu benim senin onun tüm ",
     "çğıöşü", ""},
    {"vi",
     " và của là có không được cho với những một các trong người này đã tôi bạn chúng để "
     "ở khi nhưng cũng như thì rất ra vào về từ đến hay hoặc sẽ đang phải nếu vì anh "
     "chị em ông bà họ nó mình gì nào sao bao nhiêu đây đó rồi còn làm thể nhiều ",
     "ăâđêôơư", ""},
    {"id",
     " yang dan di dengan untuk dari ini itu dalam tidak pada adalah akan saya anda kami "
     "kita mereka dia ke juga atau oleh karena ada bisa dapat seperti lebih sudah telah "
     "sebagai menjadi tersebut secara hanya namun jika maka agar apa siapa bagaimana "
     "mengapa sangat semua banyak orang harus masih tetapi ",
     "", ""},
    {"tl",
     " ang ng sa mga na at ay ko mo siya kami tayo sila ito iyon hindi may ako ikaw ka "
     "para kung din rin lang naman pero dahil kaya ni si kay nang mula lahat isang isa "
     "ating aking iyong kanyang nila namin natin po opo wala meron bakit paano saan "
     "kailan sino ",
     "", ""},
    {"sw",
     " na ya wa kwa ni katika za la kuwa cha hii hiyo huyo watu mtu kama pia au lakini "
     "yake wake zake yangu wangu yako wako hapa huko sana tu kila wao yeye mimi wewe "
     "sisi ninyi nini nani wapi lini kwani sababu hakuna kuna ili baada kabla bila "
     "pamoja ndani juu chini moja mbili tatu vya vile hivyo mwa kwamba yao wetu yetu "
     "hata si ambayo ambaye alikuwa ilikuwa ana wana nina una ",
     "", ""},
    {"so",
     " iyo ku ka waa in uu ay oo ah la si loo soo ayaa wuxuu waxay waxaa aan kale dad "
     "badan sida markii laga lagu ugu kuwa tahay yahay kama ma maya haa isku aad adiga "
     "aniga annaga isaga iyada ",
     "", ""},
    {"sq",
     " dhe e të në një me për që nuk i është nga si se do ka janë kjo ky ishte por më ai "
     "ajo ata unë ti ne ju tij saj tyre shumë edhe ose çfarë kush ku kur pse vetëm "
     "gjithë mund duhet ",
     "ëç", ""},
    {"cy",
     " y yr a i o yn ar ac mae am fod wedi gan eu ei ddim ond fel nid oedd hwn hon hyn "
     "chi ni nhw fi ti ef hi beth pwy ble pryd pam iawn hefyd neu bydd roedd sydd cael "
     "gwneud bod un dau ",
     "ŵŷâêîôû", ""},
    {"lt",
     " ir yra kad į iš su tai bet kaip ar ne jis ji jie mes jūs aš tu savo per už po nuo "
     "iki apie labai dar jau tik buvo būti gali šis ši tas kuris kuri kur kada kodėl "
     "kas daug visi prie be dėl ",
     "ąčęėįšųūž", ""},
    {"lv",
     " un ir ka no uz ar par tas tā es tu viņš viņa mēs jūs viņi bet vai kā kas kur kad "
     "ne nav bija būt var šis šī ļoti vēl jau tikai pie pēc līdz bez lai arī vairāk "
     "savu visi gan ",
     "āčēģīķļņšūž", ""},
};
const size_t language_latin_n = sizeof language_latin / sizeof language_latin[0];

const struct language_profile language_cyrillic[] = {
    {"ru",
     " и в не на что он с я как это по но она к у из за то все так его от бы мы для вы "
     "ты они же или ее о было был быть если когда только уже есть еще её меня мне нет "
     "до ни может где чтобы во со этот эта эти который также очень после при можно "
     "всегда под без ",
     "ыэё", ""},
    {"uk",
     " і в не на що він з я як це по але вона до у із за то все так його від би ми для "
     "ви ти вони або її про було був бути якщо коли тільки вже є ще мене мені немає "
     "може де щоб цей ця ці який також дуже після при та й чи під без ",
     "іїєґ", ""},
    {"bg",
     " и в не на че той с аз как това по но тя към у от за то всичко така го би ние вие "
     "ти те или я беше бе да се е са ще си ли когато само вече има още мен ми няма до "
     "може къде този тази тези който също много след при със във ни им му под без най ",
     "ъ", ""},
    {"mk",
     " и во не на дека тој со јас како ова по но таа кон од за тоа сè така го би ние вие "
     "ти тие или ја беше да се е сум сте ќе си кога само веќе има уште мене ми нема до "
     "може каде овој оваа овие кој исто многу после при ни им му под без нај ",
     "ѓќѕџљњј", ""},
};
const size_t language_cyrillic_n = sizeof language_cyrillic / sizeof language_cyrillic[0];

const struct language_profile language_devanagari[] = {
    {"hi",
     " है हैं के में की और से का को पर यह वह ने एक कि नहीं लिए भी तो हो कर था थी थे जो "
     "इस उस अपने अपनी अपना मैं हम आप तुम वे ये या हुआ गया करने किया करते होता साथ बहुत "
     "ही क्या कैसे क्यों कब कहाँ जब तक अगर मेरा मेरी मेरे हमारे आपके आपकी सकते रहा रही "
     "रहे कोई कुछ दिन लेकिन हूँ हूं अब बाद ",
     "", ""},
    {"mr",
     " आहे आहेत आणि हे ही हा या त्या ते ती तो च्या मी आम्ही तुम्ही आपण त्यांच्या "
     "त्याच्या तिच्या माझ्या माझा माझी आपल्या नाही होते होता होती साठी मध्ये पण किंवा "
     "एक काय कसे का कधी कुठे जे जर तर असे असा अशी अशा करा करून केले केला केली खूप फक्त "
     "सर्व यांच्या झाले आहोत आता वर मला तुम्हाला त्यांनी म्हणून ",
     "ळ", "च्या ाची ाचे ाचा ांना ाला ामध्ये ण्यास ण्यासाठी ातील ांनी"},
    {"ne",
     " छ छन् र मा को का की हो यो त्यो यी ले लाई बाट पनि गर्न गर्ने गरेको गर्दै भएको भने "
     "छैन हुन्छ हुन् थियो थिए म हामी तपाईं तिमी उनी उहाँ हाम्रो मेरो तपाईंको एक के कसरी "
     "किन कहिले कहाँ तर वा लागि सबै धेरै अनि गरी यस त्यस आफ्नो दिन साथ सँग अब छु ",
     "", "बाट लाई हरू हरु हरूको न्छ न्छन् ेको एको दछ ौं"},
};
const size_t language_devanagari_n = sizeof language_devanagari / sizeof language_devanagari[0];

const struct language_profile language_arabic[] = {
    {"ar",
     " في من على إلى أن هذا هذه التي الذي كان لا ما هو هي عن مع كل أو قد لم ثم بين بعد "
     "قبل عند ذلك كما لكن هناك نحن أنا أنت هم كانت يكون حيث حتى منذ غير أي إن و يا ليس ",
     "ةىأإؤئ", ""},
    {"fa",
     " و در به از که این را با است برای آن یک تا می خود ما هم بر شما من او آنها نیز یا "
     "اما اگر هر باید شد شده بود کرد کند های ها ای نیست چه چرا چگونه کجا همه هیچ بسیار "
     "دیگر پس بین بعد پیش روی ",
     "پچژگکی", ""},
    {"ur",
     " کے میں کی ہے اور سے کا کو نے پر یہ وہ ہیں ایک کہ نہیں بھی تو ہو کر تھا تھی تھے جو "
     "اس اپنے اپنی اپنا ہم آپ تم یا ہوا گیا کرنے کیا کرتے ہوتا ساتھ بہت ہی کیسے کیوں کب "
     "کہاں جب تک اگر میرا میری میرے ہمارے کوئی کچھ لیکن ہوں لیے لئے ",
     "ٹڈڑںےھہ", ""},
};
const size_t language_arabic_n = sizeof language_arabic / sizeof language_arabic[0];
