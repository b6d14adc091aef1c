"""The few posts that are not in English: whole sentences by topic, language and sentiment, with a name in them."""

from __future__ import annotations

_GAMES = {
    "de": {
        "positive": (
            "{subject} macht mir richtig Spaß, klare Empfehlung",
            "selten so ein schönes Spiel wie {subject} gespielt",
            "alles außer langweilig, {subject} fesselt bis zum Schluss",
        ),
        "neutral": (
            "weiß jemand, wann {subject} auf Deutsch erscheint?",
            "{subject} kommt am Freitag, Patchnotes sind online",
            "läuft {subject} auf einem älteren Laptop?",
        ),
        "negative": (
            "{subject} ist leider nur noch nervig, Geld zurück",
            "schon wieder abgestürzt, {subject} ist eine Zumutung",
            "ich hatte mir von {subject} viel mehr erhofft",
        ),
    },
    "es": {
        "positive": (
            "me encanta {subject}, no puedo parar de jugar",
            "{subject} es una maravilla, muy recomendado",
            "no esperaba nada de {subject} y me ha enamorado",
        ),
        "neutral": (
            "¿alguien sabe cuándo sale {subject}?",
            "{subject} llega el viernes, el precio no cambia",
            "¿{subject} tiene modo cooperativo local?",
        ),
        "negative": (
            "{subject} es aburrido y además no funciona",
            "qué decepción {subject}, quiero mi dinero",
            "otra vez se cayeron los servidores de {subject}, qué vergüenza",
        ),
    },
    "fr": {
        "positive": ("{subject} est une petite merveille, foncez", "franchement {subject} m'a conquis"),
        "neutral": ("quelqu'un sait si {subject} sort vendredi ?", "{subject} : la mise à jour pèse combien ?"),
        "negative": ("{subject} est raté, je me suis ennuyé du début à la fin", "encore un plantage, {subject} c'est fini pour moi"),
    },
    "ja": {
        "positive": ("{subject} 最高に面白い、時間を忘れて遊んでしまった", "{subject} の音楽が素晴らしくて泣いた"),
        "neutral": ("{subject} の発売日は金曜日ですか？", "{subject} のアップデート内容が公開されました"),
        "negative": ("{subject} はつまらない、返金してほしい", "{subject} またサーバー落ちた、もうやめる"),
    },
    "pt": {
        "positive": ("{subject} é bom demais, recomendo muito", "fazia tempo que um jogo não me prendia como {subject}"),
        "neutral": ("{subject} sai na sexta para qual plataforma?", "alguém tem o link das notas de {subject}?"),
        "negative": ("{subject} é uma perda de tempo", "paguei caro em {subject} e só trava"),
    },
}

_FINANCE = {
    "de": {
        "positive": ("{subject} hat die Prognose schon wieder erhöht, stark", "mit {subject} schlafe ich ruhig, die Dividende stimmt"),
        "neutral": ("wann legt {subject} die Zahlen vor?", "{subject} handelt ab Freitag ohne Dividende"),
        "negative": ("{subject} ist ein Fass ohne Boden, ich bin raus", "schon wieder eine Gewinnwarnung bei {subject}, unfassbar"),
    },
    "es": {
        "positive": ("{subject} no deja de crecer, estoy encantado", "qué trimestre tan bueno el de {subject}"),
        "neutral": ("¿cuándo publica {subject} sus resultados?", "{subject} paga el dividendo el viernes"),
        "negative": ("{subject} se hunde y nadie da la cara", "perdí la mitad con {subject}, qué vergüenza de empresa"),
    },
    "fr": {
        "positive": ("{subject} tient ses promesses, très beau trimestre", "je garde {subject} les yeux fermés"),
        "neutral": ("{subject} publie ses comptes vendredi", "quelqu'un a le rapport annuel de {subject} ?"),
        "negative": ("{subject} a encore abaissé ses objectifs, quel gâchis", "j'ai tout perdu avec {subject}, fuyez"),
    },
    "pt": {
        "positive": ("{subject} entregou mais do que prometeu, ótimo", "{subject} paga bem e dorme-se em paz"),
        "neutral": ("quando saem os números de {subject}?", "{subject} divulga o balanço na sexta"),
        "negative": ("{subject} é uma furada, vendi tudo", "mais um prejuízo de {subject}, cansei"),
    },
}
_BRANDS = {
    "de": {
        "positive": ("{subject} hält seit Jahren, bin rundum zufrieden", "so ein netter Service bei {subject}, jederzeit wieder"),
        "neutral": ("gibt es {subject} auch in Grün?", "{subject} ist ab Freitag wieder lieferbar"),
        "negative": ("{subject} nach einer Woche kaputt, nie wieder", "seit Wochen warte ich auf {subject}, eine Frechheit"),
    },
    "es": {
        "positive": ("{subject} es una maravilla, lo uso todos los días", "me cambiaron {subject} sin preguntas, un diez"),
        "neutral": ("¿{subject} viene en otra talla?", "{subject} llega a las tiendas el viernes"),
        "negative": ("{subject} se rompió al tercer día, un timo", "nadie contesta en la tienda de {subject}, qué asco"),
    },
    "fr": {
        "positive": ("{subject} est parfait, je ne m'en passe plus", "un service impeccable chez {subject}"),
        "neutral": ("{subject} existe en quelle taille ?", "{subject} est de retour en rayon vendredi"),
        "negative": ("{subject} a lâché au bout d'une semaine, une honte", "toujours pas livré, {subject} c'est terminé pour moi"),
    },
    "ja": {
        "positive": ("{subject} は軽くて使いやすい、買ってよかった", "{subject} のサポートがとても親切だった"),
        "neutral": ("{subject} の在庫はありますか？", "{subject} は金曜日に届く予定です"),
        "negative": ("{subject} は一週間で壊れた、最悪", "{subject} の返金がまだ来ない、ひどい"),
    },
}
FOREIGN = {"games": _GAMES, "finance": _FINANCE, "brands": _BRANDS}
"""Topic → language (BCP 47) → sentiment → sentences."""
