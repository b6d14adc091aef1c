"""Phrasebook: sentences with a known sentiment, and pairs with a known change, in languages other than English. Invented here.

Nouns for `behaviour`: reads and writes nothing. Whole sentences, not templates: an adjective agrees with its noun in all four. Typos
are never in the words that carry the sentiment; a changed name changes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True)
class Phrases:
    """One language: what is praise, blame or neither, and what a change must do to it."""

    good: tuple[str, ...]
    bad: tuple[str, ...]
    facts: tuple[str, ...]
    """Neither good nor bad."""
    not_good: tuple[str, ...]
    """Blame by denying something good."""
    not_bad: tuple[Pair, ...]
    """Blame, and the same denied: no worse."""
    openings: tuple[str, ...]
    """Says nothing yet; an emoji is put behind it."""
    typos: tuple[Pair, ...]
    names: tuple[Pair, ...]
    """The same of two people."""
    better: tuple[Pair, ...]
    """Praise, and stronger praise."""
    worse: tuple[Pair, ...]
    """Blame, and stronger blame."""


SPANISH = Phrases(
    good=(
        "Me encanta este juego.",
        "La película es maravillosa.",
        "El nuevo teléfono es excelente.",
        "Qué disco tan bonito, lo escucho cada día.",
        "La comida estaba buenísima.",
        "Estoy muy contenta con la actualización.",
    ),
    bad=(
        "Odio este juego.",
        "La película es horrible.",
        "El nuevo teléfono es una porquería.",
        "Qué disco tan aburrido.",
        "La comida estaba malísima.",
        "Estoy muy decepcionado con la actualización.",
    ),
    facts=("El juego se anunció el lunes.", "La película dura dos horas.", "El teléfono figura en la tabla.", "La tienda abre a las nueve."),
    not_good=(
        "No me gusta nada este juego.",
        "La película no es buena en absoluto.",
        "El nuevo teléfono no vale lo que cuesta.",
        "La comida no estaba nada rica.",
        "No estoy contenta con la actualización.",
    ),
    not_bad=(
        ("El juego es malo.", "El juego no es malo."),
        ("La película es aburrida.", "La película no es aburrida."),
        ("El teléfono es un desastre.", "El teléfono no es ningún desastre."),
        ("La comida estaba mala.", "La comida no estaba mala."),
    ),
    openings=("Así que este es el juego", "He visto la película"),
    typos=(
        ("Creo que el nuevo juego es excelente, sinceramente", "Creo que el nuevo jeugo es excelente, sinceramnete"),
        ("A mi parecer la película es horrible", "A mi praecer la película es horrible"),
        ("Ayer compré el teléfono y es muy bueno", "Ayer compér el teléfono y es muy bueno"),
        ("Desde el martes la actualización funciona mal", "Desde el matres la actualizaicón funciona mal"),
    ),
    names=(
        ("María dice que el juego es muy bueno", "Fátima dice que el juego es muy bueno"),
        ("Javier dice que la película es horrible", "Ahmed dice que la película es horrible"),
        ("A Lucía le encanta el teléfono", "A Ingrid le encanta el teléfono"),
        ("A Pablo no le gusta la comida", "A Kwame no le gusta la comida"),
    ),
    better=(("El juego es bueno", "El juego es buenísimo"), ("La película me gustó", "La película me gustó muchísimo")),
    worse=(("El teléfono es malo", "El teléfono es realmente malo"), ("La comida estaba mala", "La comida estaba muy mala")),
)

GERMAN = Phrases(
    good=(
        "Ich liebe dieses Spiel.",
        "Der Film ist wunderbar.",
        "Das neue Handy ist ausgezeichnet.",
        "So ein schönes Album, ich höre es jeden Tag.",
        "Das Essen war richtig lecker.",
        "Ich bin mit dem Update sehr zufrieden.",
    ),
    bad=(
        "Ich hasse dieses Spiel.",
        "Der Film ist furchtbar.",
        "Das neue Handy ist totaler Schrott.",
        "So ein langweiliges Album.",
        "Das Essen war ungenießbar.",
        "Ich bin vom Update schwer enttäuscht.",
    ),
    facts=("Das Spiel wurde am Montag angekündigt.", "Der Film dauert zwei Stunden.", "Das Handy steht in der Tabelle.", "Der Laden öffnet um neun."),
    not_good=(
        "Das Spiel gefällt mir überhaupt nicht.",
        "Der Film ist gar nicht gut.",
        "Das neue Handy ist sein Geld nicht wert.",
        "Das Essen war überhaupt nicht lecker.",
        "Mit dem Update bin ich nicht zufrieden.",
    ),
    not_bad=(
        ("Das Spiel ist schlecht.", "Das Spiel ist nicht schlecht."),
        ("Der Film ist langweilig.", "Der Film ist nicht langweilig."),
        ("Das Handy ist eine Katastrophe.", "Das Handy ist keine Katastrophe."),
        ("Das Essen war schlecht.", "Das Essen war nicht schlecht."),
    ),
    openings=("Das ist also das Spiel", "Ich habe den Film gesehen"),
    typos=(
        ("Ich finde, das neue Spiel ist ausgezeichnet, ehrlich gesagt", "Ich fidne, das neue Spiel ist ausgezeichnet, ehrlich gesgat"),
        ("Meiner Meinung nach ist der Film furchtbar", "Meiner Menuing nach ist der Film furchtbar"),
        ("Gestern habe ich das Handy gekauft und es ist sehr gut", "Getsern habe ich das Handy gekuaft und es ist sehr gut"),
        ("Das Update läuft seit Dienstag schlecht", "Das Udpate läuft seit Dienstga schlecht"),
    ),
    names=(
        ("Anna sagt, das Spiel ist sehr gut", "Fatima sagt, das Spiel ist sehr gut"),
        ("Thomas sagt, der Film ist furchtbar", "Rahul sagt, der Film ist furchtbar"),
        ("Katrin ist von dem Handy begeistert", "Yuki ist von dem Handy begeistert"),
        ("Stefan mag das Essen nicht", "Kwame mag das Essen nicht"),
    ),
    better=(("Das Spiel ist gut", "Das Spiel ist unglaublich gut"), ("Der Film hat mir gefallen", "Der Film hat mir sehr gefallen")),
    worse=(("Das Handy ist schlecht", "Das Handy ist richtig schlecht"), ("Das Essen war schlecht", "Das Essen war extrem schlecht")),
)

FRENCH = Phrases(
    good=(
        "J'adore ce jeu.",
        "Le film est magnifique.",
        "Le nouveau téléphone est excellent.",
        "Quel bel album, je l'écoute tous les jours.",
        "Le repas était délicieux.",
        "Je suis très contente de la mise à jour.",
    ),
    bad=(
        "Je déteste ce jeu.",
        "Le film est affreux.",
        "Le nouveau téléphone, c'est de la camelote.",
        "Quel album ennuyeux.",
        "Le repas était infect.",
        "Je suis très déçu par la mise à jour.",
    ),
    facts=(
        "Le jeu a été annoncé lundi.",
        "Le film dure deux heures.",
        "Le téléphone figure dans le tableau.",
        "Le magasin ouvre à neuf heures.",
    ),
    not_good=(
        "Je n'aime pas du tout ce jeu.",
        "Le film n'est pas bon du tout.",
        "Le nouveau téléphone ne vaut pas son prix.",
        "Le repas n'était pas bon.",
        "Je ne suis pas contente de la mise à jour.",
    ),
    not_bad=(
        ("Le jeu est mauvais.", "Le jeu n'est pas mauvais."),
        ("Le film est ennuyeux.", "Le film n'est pas ennuyeux."),
        ("Le téléphone est une catastrophe.", "Le téléphone n'est pas une catastrophe."),
        ("Le repas était mauvais.", "Le repas n'était pas mauvais."),
    ),
    openings=("Voilà donc le jeu", "J'ai vu le film"),
    typos=(
        ("Je pense que le nouveau jeu est excellent, franchement", "Je pesne que le nouveau jeu est excellent, franhcement"),
        ("À mon avis, le film est affreux", "À mon aivs, le film est affreux"),
        ("Hier j'ai acheté le téléphone et il est très bon", "Heir j'ai acehté le téléphone et il est très bon"),
        ("Depuis mardi, la mise à jour marche mal", "Deupis mardi, la mise à juor marche mal"),
    ),
    names=(
        ("Camille dit que le jeu est très bon", "Fatima dit que le jeu est très bon"),
        ("Nicolas dit que le film est affreux", "Rahul dit que le film est affreux"),
        ("Léa adore le téléphone", "Ingrid adore le téléphone"),
        ("Julien n'a pas aimé le repas", "Kwame n'a pas aimé le repas"),
    ),
    better=(("Le jeu est bon", "Le jeu est vraiment très bon"), ("J'ai aimé le film", "J'ai énormément aimé le film")),
    worse=(("Le téléphone est mauvais", "Le téléphone est extrêmement mauvais"), ("Le repas était mauvais", "Le repas était vraiment mauvais")),
)

PORTUGUESE = Phrases(
    good=(
        "Adoro este jogo.",
        "O filme é maravilhoso.",
        "O novo telefone é excelente.",
        "Que álbum lindo, ouço todos os dias.",
        "A comida estava deliciosa.",
        "Estou muito contente com a atualização.",
    ),
    bad=(
        "Odeio este jogo.",
        "O filme é horrível.",
        "O novo telefone é uma porcaria.",
        "Que álbum chato.",
        "A comida estava péssima.",
        "Estou farto desta atualização.",
    ),
    facts=("O jogo foi anunciado na segunda-feira.", "O filme dura duas horas.", "O telefone está na tabela.", "A loja abre às nove."),
    not_good=(
        "Não gosto nada deste jogo.",
        "O filme não é nada bom.",
        "O novo telefone não vale o preço.",
        "A comida não estava boa.",
        "Não estou contente com a atualização.",
    ),
    not_bad=(
        ("O jogo é ruim.", "O jogo não é ruim."),
        ("O filme é chato.", "O filme não é chato."),
        ("O telefone é um desastre.", "O telefone não é um desastre."),
        ("A comida estava ruim.", "A comida não estava ruim."),
    ),
    openings=("Então este é o jogo", "Vi o filme"),
    typos=(
        ("Acho que o novo jogo é excelente, sinceramente", "Ahco que o novo jogo é excelente, sinceramnete"),
        ("Na minha opinião, o filme é horrível", "Na mihna opinião, o filme é horrível"),
        ("Ontem comprei o telefone e é muito bom", "Otnem comprei o telefnoe e é muito bom"),
        ("Desde terça-feira a atualização funciona mal", "Dsede terça-fiera a atualização funciona mal"),
    ),
    names=(
        ("A Maria diz que o jogo é muito bom", "A Fátima diz que o jogo é muito bom"),
        ("O João diz que o filme é horrível", "O Ahmed diz que o filme é horrível"),
        ("A Beatriz adora o telefone", "A Ingrid adora o telefone"),
        ("O Tiago não gosta da comida", "O Kwame não gosta da comida"),
    ),
    better=(("O jogo é bom", "O jogo é muito bom"), ("Gostei do filme", "Gostei muito do filme")),
    worse=(("O telefone é ruim", "O telefone é realmente ruim"), ("A comida estava ruim", "A comida estava muito ruim")),
)

PHRASES = {"es": SPANISH, "de": GERMAN, "fr": FRENCH, "pt": PORTUGUESE}
"""By ISO 639-1."""
