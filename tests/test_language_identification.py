"""The preset for telling languages apart: trained on a dozen sentences of each, it knows sentences that it has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from erya import catalog

# written for this test
SENTENCES = {
    "de": """Der Zug nach Hamburg fährt heute später ab.|Wir haben gestern im Garten gegessen.|Kannst du mir bitte das Buch geben?
        Im Winter wird es hier früh dunkel.|Meine Schwester wohnt in einer kleinen Stadt.|Das Fenster ist offen und es regnet.
        Er hat vergessen, die Tür zu schließen.|Morgen gehen wir zusammen ins Museum.|Die Kinder spielen auf der Straße.
        Ich möchte einen Kaffee ohne Zucker.|Warum hast du nicht angerufen?|Nach der Arbeit bin ich immer müde.""",
    "en": """The train to Hamburg leaves later today.|We had dinner in the garden yesterday.|Could you please give me the book?
        In winter it gets dark early here.|My sister lives in a small town.|The window is open and it is raining.
        He forgot to close the door behind him.|Tomorrow we are going to the museum together.|The children play in the street.
        I would like a coffee without sugar.|Why did you not call me?|After work I am always tired.""",
    "es": """El tren a Hamburgo sale hoy más tarde.|Ayer cenamos en el jardín.|¿Puedes darme el libro, por favor?
        En invierno aquí oscurece temprano.|Mi hermana vive en una ciudad pequeña.|La ventana está abierta y está lloviendo.
        Se olvidó de cerrar la puerta.|Mañana vamos juntos al museo.|Los niños juegan en la calle.
        Quisiera un café sin azúcar.|¿Por qué no me llamaste?|Después del trabajo siempre estoy cansado.""",
    "fr": """Le train pour Hambourg part plus tard aujourd'hui.|Hier nous avons dîné dans le jardin.|Peux-tu me donner le livre ?
        En hiver il fait nuit tôt ici.|Ma sœur habite dans une petite ville.|La fenêtre est ouverte et il pleut.
        Il a oublié de fermer la porte.|Demain nous allons ensemble au musée.|Les enfants jouent dans la rue.
        Je voudrais un café sans sucre.|Pourquoi n'as-tu pas appelé ?|Après le travail je suis toujours fatigué.""",
    "it": """Il treno per Amburgo parte più tardi oggi.|Ieri abbiamo cenato in giardino.|Puoi darmi il libro, per favore?
        In inverno qui fa buio presto.|Mia sorella abita in una piccola città.|La finestra è aperta e sta piovendo.
        Ha dimenticato di chiudere la porta.|Domani andiamo insieme al museo.|I bambini giocano nella strada.
        Vorrei un caffè senza zucchero.|Perché non mi hai chiamato?|Dopo il lavoro sono sempre stanco.""",
    "zh": """今天去汉堡的火车晚点出发。|我们昨天在花园里吃了晚饭。|请把那本书给我好吗？
        这里冬天天黑得很早。|我姐姐住在一个小城市。|窗户开着，外面在下雨。
        他忘了关门。|明天我们一起去博物馆。|孩子们在街上玩耍。
        我想要一杯不加糖的咖啡。|你为什么没有打电话？|下班以后我总是很累。""",
}
UNSEEN = {
    "de": [
        "Wo ist der nächste Bahnhof?",
        "Ich verstehe diese Frage leider nicht.",
        "Das Wetter war letzte Woche schön.",
    ],
    "en": ["Where is the nearest station?", "I do not understand this question.", "The weather was nice last week."],
    "es": [
        "¿Dónde está la estación más cercana?",
        "No entiendo esta pregunta.",
        "El tiempo estuvo muy bueno la semana pasada.",
    ],
    "fr": [
        "Où est la gare la plus proche ?",
        "Je ne comprends pas cette question.",
        "Il faisait beau la semaine dernière.",
    ],
    "it": ["Dov'è la stazione più vicina?", "Non capisco questa domanda.", "La settimana scorsa il tempo era bello."],
    "zh": ["最近的车站在哪里？", "我不明白这个问题。", "上个星期天气很好。"],
}


@pytest.fixture(scope="module")
def model():
    rows = [
        (one.strip(), lang) for lang, text in SENTENCES.items() for line in text.split("\n") for one in line.split("|")
    ]
    made = catalog.model("classify/fasttext", "language-identification", {"min_count_ngrams": 1})
    return made.fit([text for text, _ in rows], [lang for _, lang in rows])


def test_sentences_it_has_not_seen(model):
    rows = [(text, lang) for lang, texts in UNSEEN.items() for text in texts]
    answers = model.predict([text for text, _ in rows])
    right = np.mean(answers == np.array([lang for _, lang in rows]))
    assert right >= 0.94, list(zip(answers.tolist(), rows, strict=True))  # one of eighteen may be wrong


def test_letters_decide_not_words(model):
    """A word that was never met still looks like its language."""
    assert model.predict(["Schlüsselgeschichten"])[0] == "de"
    assert model.features_.min_n == 2
    assert len(model.features_.kept) > len(model.features_.words)


def test_a_preset_of_one_model_is_no_preset_of_another():
    from erya.errors import UsageError

    with pytest.raises(UsageError, match="language-identification"):
        catalog.model("classify/naive_bayes", "language-identification")
    with pytest.raises(UsageError) as caught:
        catalog.model("classify/fasttext", "language-identificaton")
    assert "language-identification" in caught.value.help
