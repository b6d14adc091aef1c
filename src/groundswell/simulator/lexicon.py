"""The words of the simulated posts. Invented; no list here comes from anywhere else.

A name ending in ``_ALWAYS`` is in use on every day; the other lists rotate: a word comes into use, stays a few days, and goes
(see `groundswell.simulator.rotation`), so that tomorrow's posts say the same in other words.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in text.split("|"))


GOOD_ALWAYS = _words("good|great|fun|excellent|amazing|awesome|brilliant|solid|beautiful|lovely|perfect|a blast")
GOOD = _words("""
superb|delightful|charming|gorgeous|stunning|polished|gripping|addictive|refreshing|clever|satisfying|rewarding|smooth|generous|immersive|
captivating|enchanting|breathtaking|masterful|elegant|thrilling|hilarious|heartwarming|inventive|flawless|tight|responsive|crisp|vibrant|lush|
magical|memorable|engrossing|riveting|splendid|marvelous|wonderful|terrific|top-notch|stellar|first-rate|outstanding|phenomenal|exquisite|
exhilarating|uplifting|cozy|wholesome|joyful|dazzling|radiant|sublime|glorious|majestic|impeccable|remarkable|admirable|commendable|exemplary|
pleasant|enjoyable|entertaining|amusing|witty|playful|imaginative|ingenious|thoughtful|tasteful|well-crafted|well-paced|well-written|stylish|
slick|snappy|fluid|buttery smooth|rock solid|dependable|reliable|trustworthy|fair|nicely balanced|welcoming|friendly|accessible|intuitive|
effortless|painless|seamless|robust|mesmerizing|spellbinding|hypnotic|moving|touching|poignant|soulful|heartfelt|inspired|inspiring|spirited|
lively|punchy|juicy|rich|nuanced|layered|unforgettable|unmatched|unbeatable|peerless|world-class|best in class|a gem|a treat|a joy|a triumph|
a masterpiece|a delight|a marvel|a keeper|a must-have|pure gold|sheer bliss|heaven-sent|goated|fire|peak|a banger|lit|a work of art|
a breath of fresh air|a hidden treasure|an absolute steal|a warm hug|divine|fabulous|sensational|spectacular|magnificent|groovy|rad|stupendous|
out of this world|second to none|a revelation|pristine|sparkling|worthwhile
""")

BAD_ALWAYS = _words("bad|terrible|awful|boring|broken|horrible|disappointing|ugly|annoying|frustrating|garbage|a mess")
BAD = _words("""
dreadful|atrocious|abysmal|dismal|lousy|mediocre|bland|tedious|dull|clunky|janky|buggy|laggy|sluggish|unresponsive|unfinished|half-baked|shallow|
hollow|lifeless|soulless|repetitive|grindy|monotonous|tiresome|exhausting|unfair|lopsided|greedy|predatory|overpriced|bloated|messy|sloppy|
careless|lazy|cheap-looking|tacky|cringeworthy|insulting|embarrassing|shameful|pathetic|laughable|ridiculous|absurd|pointless|meaningless|
forgettable|generic|derivative|uninspired|stale|outdated|choppy|jittery|stuttery|unstable|unplayable|unbearable|intolerable|insufferable|
obnoxious|irritating|infuriating|maddening|aggravating|hostile|toxic|miserable|depressing|joyless|dreary|drab|muddy|grating|shrill|jarring|
confusing|convoluted|incoherent|nonsensical|baffling|counterintuitive|cumbersome|awkward|stiff|wooden|robotic|hamfisted|amateurish|shoddy|flimsy|
slapdash|botched|bungled|ruined|wrecked|disastrous|catastrophic|deplorable|appalling|horrendous|ghastly|hideous|grotesque|repulsive|revolting|
nauseating|vile|rotten|a chore|a slog|a disaster|a letdown|a scam|a ripoff|a downgrade|a trainwreck|a dumpster fire|a waste of time|trash|mid|
dogwater|scuffed|a bore|a joke|a flop|a nightmare|a headache|subpar|underwhelming|lackluster|substandard|inferior|defective|faulty|crummy|
a cash grab|an insult|a snoozefest|dead on arrival|a sorry sight|wretched|painful|beyond saving|a slap in the face|excruciating|vapid|tone-deaf|
a farce|cursed
""")

LIKE_ALWAYS = _words("love|enjoy|like|recommend")
LIKE = _words("""
adore|cherish|treasure|appreciate|admire|trust|applaud|relish|savour|celebrate|praise|dig|rave about|look forward to|root for|believe in|
stand by|swear by|crave|fancy|get a kick out of|marvel at|delight in|endorse|salute|respect|thank them for|vouch for|fall for|warm to
""")
DISLIKE_ALWAYS = _words("hate|dislike|regret|avoid")
DISLIKE = _words("""
loathe|despise|detest|resent|dread|abhor|curse|begrudge|lament|deplore|distrust|condemn|bemoan|shudder at|complain about|roll my eyes at|
get sick of|grow tired of|gag at|rage at|tire of|recoil from|give up on|wince at|sneer at|mourn over|pity anyone with|fume about|groan at|
cringe at
""")

THINGS = _words("""
the combat|the soundtrack|the story|the writing|the level design|the art direction|the tutorial|the matchmaking|the new map|the crafting|
the inventory screen|the camera|the voice acting|the netcode|the photo mode|the co-op mode|the ranked ladder|the battle pass|the season finale|
the side quests|the fishing minigame|the boss design|the physics|the animation|the lighting|the sound mix|the difficulty curve|the skill tree|
the loot|the economy|the photo contest|the roguelike mode|the base building|the stealth|the driving|the dialogue|the menu|the map editor|
the mod support|the port|the remaster|the beta|the demo|the expansion|the balance patch|the anticheat|the launcher|the cloud save|the haptics|
the ending|the prologue|the pacing|the world|the cast|the main villain|the companion system|the weather system|the climbing|the gunplay|
the deck building|the puzzle wing|the raid|the lobby|the voice chat|the event shop|the trailer|the opening hour|the endgame|the new hero|
the rework|the ui
""")
FIRST_NAMES = _words(
    "Ashen|Neon|Star|Hollow|Iron|Velvet|Moss|Crimson|Paper|Salt|Winter|Copper|Lantern|Feral|Glass|Amber|Silent|Tidal|Thorn|Cobalt|Sunken|Drift|Pale|Echo"
)
LAST_NAMES = _words(
    "Harbor|Tactics|Drift|Vale|Legion|Garden|Protocol|Kart|Odyssey|Frontier|Circuit|Hollow|Saga|Colony|Keep|Runner|Tides|Arena|Reverie|Siege|Orchard|Rift"
)
PEOPLE = _words("""
my brother|my sister|a streamer|my whole guild|half of the forum|the press|my roommate|everyone in chat|the old fans|some reviewer|my boss|
twitter|the subreddit|my kid|our raid lead|the speedrunners|a podcast|my dad|the critics|a coworker|people on discord|the modders|my duo partner|
the loud ones
""")
PLATFORMS = _words(
    "pc|a steam deck|an old laptop|a handheld|my tv|ps5|xbox|switch|linux|a potato pc|cloud streaming|a borrowed console|my work machine|an ultrawide"
)
TIMES = _words("""
last night|since friday|this morning|over the weekend|after work|for three days now|since the patch|yesterday|all week|on my lunch break|
before bed|since launch|for a month|today|on the train|between meetings|since the beta|on day one
""")
STUDIOS = _words(
    "Northlight Barn|Tin Kettle|Blue Harrow|Gravel & Sons|Sixth Moon|Oddfellow|Pinewood Bits|Marble Fox|Lowtide|Hatchback|Wren Works|Foundry Nine"
)

GOOD_EVENTS = _words("""
they fixed the crash that kept me out|i finally hit diamond|the devs answered my ticket within an hour|
i beat the last boss with my dad on the couch|the whole expansion came for free|it runs at sixty frames on my old laptop|
my daughter laughed through the whole finale|they brought the old lobby music back|a stranger carried me through the raid and stayed to chat|
i looked up and it was four in the morning|they doubled the rewards for everyone|i cried at the last scene and started over|
the patch cut loading to two seconds|we got the band back together for one more season|they listened and removed the timer|
my hands were shaking when we won|i preordered the sequel on the spot|i bought a second copy for a friend|
the refund button never crossed my mind|three hundred hours in and still finding secrets|the servers held all weekend|
they gave everyone the skin they missed|my rig has never been this quiet|my guild is alive again|even my mother asked for the controller|
the colour blind mode finally works|i have not stopped humming the theme|they added the mode we begged for|it went on sale the day i got paid|
everything i sent as feedback is in the notes|the new player queue is full of kind people|i got goosebumps at the reveal|
the last mission tied it all together|i finally understand why people play these|it saved my holidays|the mod team got hired by the studio|
we stayed up swapping stories about it|i have a reason to log in again
""")
BAD_EVENTS = _words("""
the servers went down again|my save got wiped|it crashed twice in an hour|i lost two hours of progress|the queue took forty minutes|
i got kicked out of the raid at the last boss|they locked the mode behind a paywall|the refund was denied|it drains the battery in half an hour|
my account got banned for nothing|they took the best map out|it asks for a login five times a day|half of the team left before the first round|
the fix broke three other things|support sent me a copied answer|the download is two hundred gigabytes|they raised the price a week after launch|
every match has an aimbot in it|i fell through the floor for the tenth time|they shut down the fan server|my controller is dead in the water|
the update ate my settings|i fell asleep in the second act|i uninstalled before the tutorial ended|the sequel undid everything|
the microtransactions follow you into the menu|my friends have all stopped logging in|i want my forty hours back|
they deleted the thread instead of answering|the ending was cut and sold as an extra|it made my laptop sound like a jet|
i paid for early access and got a loading screen|nobody at the studio seems to have played it|i had to turn the sound off|
the daily chores feel like a second job|the ranked reset took my rank and gave it to bots|it stutters every time i turn around|
they reused the same corridor nine times
""")
GOOD_IDIOMS = _words("""
worth every penny|it lives up to the hype|take my money|it hits different|hats off to the team|it aged like fine wine|i could not put it down|
it scratches the itch|two thumbs up|they knocked it out of the park|it stole my heart|my jaw is on the floor|it is right up my alley|
sign me up for more|chef's kiss|it made my week|i am hooked|they cooked|it brought the house down|a feast for the eyes|i am over the moon|
it fires on all cylinders|they went the extra mile|it clicks|it sings|time flies with it|i was grinning like a fool
""")
BAD_IDIOMS = _words("""
money down the drain|not my cup of tea|it fell flat|it left a sour taste|back to the drawing board|it jumped the shark|i want my time back|
they dropped the ball|it put me to sleep|hard pass|it went downhill fast|all sizzle and no steak|they phoned it in|it missed the mark|
a swing and a miss|it rubs me the wrong way|it got old fast|count me out|it is running on fumes|i am done|too little too late|
it makes my skin crawl|they shot themselves in the foot|it is a bitter pill|lipstick on a pig|i had higher hopes|my patience ran out
""")
GOOD_ASPECTS = _words("""
load times are short|queue times are tiny|the price is low|the skill ceiling is high|the frame rate is high|input lag is low|
the bug list is short|the replay value is high|the campaign is long and never drags|the install is small|the grind is short|the ads are gone|
the hitboxes are tight|the learning curve is gentle|the crash rate dropped|the player count went up|the map got bigger|
the wait between patches shrank|the toxicity went down|the drop rates went up|the download got smaller|the fans stay quiet
""")
BAD_ASPECTS = _words("""
load times are long|queue times are huge|the price is high|the skill ceiling is low|the frame rate is low|input lag is high|the bug list is long|
the replay value is low|the campaign is short|the install is huge|the grind is long|the ads are back|the hitboxes are loose|
the learning curve is a cliff|the crash rate went up|the player count dropped|the map got smaller|the wait between patches grew|
the toxicity went up|the drop rates went down|the download got bigger|the fans get loud
""")
GOOD_EMOJI = _words("😍|🔥|❤️|😂|🎉|👏|🙌|😊|💯|🥹|😁|✨|🤩")
BAD_EMOJI = _words("😡|💀|😭|🤮|👎|🙄|😤|😒|🤡|🗑️|😩|🥱|💔")
PLAIN_EMOJI = _words("🎮|👀|🤔|📅|🕹️|📝|🤷|💬|🖥️|📊|🎧|⏰")
TAGS = _words("""
gaming|indiegame|patchday|nowplaying|gamedev|rpg|coop|speedrun|retrogaming|steamdeck|pcgaming|earlyaccess|esports|boardgames|wishlist|
screenshotsaturday|roguelike|cozygames|gamenight|modding|raidnight|demoweek|couchcoop|launchday|backlog|metroidvania|citybuilder|playtest
""")
NUMBERS = _words("2|3|4|5|6|8|9|10|12|14|20|25|30|40|60|80|100|150|250|400")
WEEKDAYS = _words("monday|tuesday|wednesday|thursday|friday|saturday|sunday")
