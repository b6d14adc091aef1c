"""The words of the simulated posts. Invented; no list here comes from anywhere else.

A name ending in ``_ALWAYS`` is in use on every day; the other lists rotate: a word comes into use, stays a few days, and goes
(see `groundswell.simulator.rotation`), so that tomorrow's posts say the same in other words.
"""

from __future__ import annotations

from groundswell.simulator.lists import words

GOOD_ALWAYS = words("good|great|fun|excellent|amazing|awesome|brilliant|solid|beautiful|lovely|perfect|a blast")
GOOD = words("""
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

BAD_ALWAYS = words("bad|terrible|awful|boring|broken|horrible|disappointing|ugly|annoying|frustrating|garbage|a mess")
BAD = words("""
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

LIKE_ALWAYS = words("love|enjoy|like|recommend")
LIKE = words("""
adore|cherish|treasure|appreciate|admire|trust|applaud|relish|savour|celebrate|praise|dig|rave about|look forward to|root for|believe in|
stand by|swear by|crave|fancy|get a kick out of|marvel at|delight in|endorse|salute|respect|thank them for|vouch for|fall for|warm to
""")
DISLIKE_ALWAYS = words("hate|dislike|regret|avoid")
DISLIKE = words("""
loathe|despise|detest|resent|dread|abhor|curse|begrudge|lament|deplore|distrust|condemn|bemoan|shudder at|complain about|roll my eyes at|
get sick of|grow tired of|gag at|rage at|tire of|recoil from|give up on|wince at|sneer at|mourn over|pity anyone with|fume about|groan at|
cringe at
""")

GOOD_EMOJI = words("😍|🔥|❤️|😂|🎉|👏|🙌|😊|💯|🥹|😁|✨|🤩")
BAD_EMOJI = words("😡|💀|😭|🤮|👎|🙄|😤|😒|🤡|🗑️|😩|🥱|💔")
NUMBERS = words("2|3|4|5|6|8|9|10|12|14|20|25|30|40|60|80|100|150|250|400")
WEEKDAYS = words("monday|tuesday|wednesday|thursday|friday|saturday|sunday")
