"""The few posts that are not in English: whole sentences by language and sentiment, with a game's name in them."""

from __future__ import annotations

FOREIGN = {
    "de": {
        "positive": (
            "{game} macht mir richtig Spaß, klare Empfehlung",
            "selten so ein schönes Spiel wie {game} gespielt",
            "alles außer langweilig, {game} fesselt bis zum Schluss",
        ),
        "neutral": (
            "weiß jemand, wann {game} auf Deutsch erscheint?",
            "{game} kommt am Freitag, Patchnotes sind online",
            "läuft {game} auf einem älteren Laptop?",
        ),
        "negative": (
            "{game} ist leider nur noch nervig, Geld zurück",
            "schon wieder abgestürzt, {game} ist eine Zumutung",
            "ich hatte mir von {game} viel mehr erhofft",
        ),
    },
    "es": {
        "positive": (
            "me encanta {game}, no puedo parar de jugar",
            "{game} es una maravilla, muy recomendado",
            "no esperaba nada de {game} y me ha enamorado",
        ),
        "neutral": ("¿alguien sabe cuándo sale {game}?", "{game} llega el viernes, el precio no cambia", "¿{game} tiene modo cooperativo local?"),
        "negative": (
            "{game} es aburrido y además no funciona",
            "qué decepción {game}, quiero mi dinero",
            "otra vez se cayeron los servidores de {game}, qué vergüenza",
        ),
    },
    "fr": {
        "positive": ("{game} est une petite merveille, foncez", "franchement {game} m'a conquis"),
        "neutral": ("quelqu'un sait si {game} sort vendredi ?", "{game} : la mise à jour pèse combien ?"),
        "negative": ("{game} est raté, je me suis ennuyé du début à la fin", "encore un plantage, {game} c'est fini pour moi"),
    },
    "ja": {
        "positive": ("{game} 最高に面白い、時間を忘れて遊んでしまった", "{game} の音楽が素晴らしくて泣いた"),
        "neutral": ("{game} の発売日は金曜日ですか？", "{game} のアップデート内容が公開されました"),
        "negative": ("{game} はつまらない、返金してほしい", "{game} またサーバー落ちた、もうやめる"),
    },
    "pt": {
        "positive": ("{game} é bom demais, recomendo muito", "fazia tempo que um jogo não me prendia como {game}"),
        "neutral": ("{game} sai na sexta para qual plataforma?", "alguém tem o link das notas de {game}?"),
        "negative": ("{game} é uma perda de tempo", "paguei caro em {game} e só trava"),
    },
}
"""Language (BCP 47) → sentiment → sentences."""
