"""Talk about things that people buy, and about who sells, sends and mends them; brands that never were."""

from __future__ import annotations

from groundswell.simulator.lists import lines, words

GOOD_ALWAYS = words("good|great|comfy|excellent|amazing|awesome|brilliant|solid|beautiful|lovely|perfect|a bargain")
GOOD = words("""
superb|delightful|charming|gorgeous|stunning|polished|refreshing|clever|satisfying|smooth|generous|elegant|inventive|flawless|sturdy|crisp|
splendid|marvelous|wonderful|terrific|top-notch|stellar|first-rate|outstanding|phenomenal|exquisite|cozy|snug|dazzling|sublime|impeccable|
remarkable|admirable|exemplary|pleasant|thoughtful|tasteful|well-made|well-built|well-cut|stylish|slick|snappy|quiet as a mouse|featherlight|
rock solid|dependable|reliable|trustworthy|fair|welcoming|friendly|courteous|helpful|patient|attentive|intuitive|effortless|painless|seamless|
robust|tough as nails|durable|hard-wearing|silky|soft as butter|breathable|fragrant|spotless|tasty|delicious|moreish|nourishing|rich|punchy|
unmatched|unbeatable|peerless|world-class|best in class|a gem|a treat|a joy|a triumph|a delight|a marvel|a keeper|a must-have|a lifesaver|
pure gold|sheer bliss|heaven-sent|fire|peak|a work of art|a breath of fresh air|a hidden treasure|an absolute steal|a warm hug|divine|fabulous|
sensational|spectacular|magnificent|out of this world|second to none|pristine|sparkling|worthwhile|built to last|slay|elite|chic
""")
BAD_ALWAYS = words("bad|terrible|awful|useless|broken|horrible|disappointing|ugly|annoying|frustrating|garbage|a mess")
BAD = words("""
dreadful|atrocious|abysmal|dismal|lousy|mediocre|bland|tedious|dull|clunky|buggy|laggy|sluggish|unresponsive|unfinished|half-baked|flimsy|
wobbly|leaky|squeaky|scratchy|itchy|stiff|lumpy|musty|smelly|soggy|rancid|stale|rotten|moldy|see-through|crooked|uneven|greedy|predatory|
overpriced|bloated|messy|sloppy|careless|lazy|cheap-looking|tacky|cringeworthy|insulting|embarrassing|shameful|pathetic|laughable|ridiculous|
absurd|pointless|forgettable|generic|uninspired|outdated|unstable|unusable|unwearable|unbearable|intolerable|obnoxious|irritating|infuriating|
maddening|aggravating|hostile|rude|dismissive|condescending|miserable|depressing|joyless|drab|grating|shrill|jarring|confusing|convoluted|
baffling|cumbersome|awkward|amateurish|shoddy|slapdash|botched|bungled|ruined|disastrous|catastrophic|deplorable|appalling|horrendous|ghastly|
hideous|grotesque|repulsive|revolting|vile|a chore|a disaster|a letdown|a scam|a ripoff|a downgrade|a trainwreck|a dumpster fire|
a waste of money|trash|mid|a joke|a flop|a nightmare|a headache|subpar|underwhelming|lackluster|substandard|inferior|defective|faulty|crummy|
a cash grab|an insult|a fire hazard|a sorry sight|wretched|painful|beyond saving|a slap in the face|tone-deaf|a farce|cursed|giving landfill
""")
THINGS = words("""
the battery|the zipper|the sole|the fabric|the app|the packaging|the customer service|the chat bot|the warranty|the return policy|the delivery|
the courier|the hinge|the lid|the screen|the speaker|the charger|the strap|the seam|the colour|the scent|the taste|the new recipe|the refill|
the subscription|the loyalty card|the website|the checkout|the store staff|the fitting room|the sizing|the instructions|the assembly|the noise|
the suction|the pairing|the camera|the keyboard|the filter|the blade|the handle|the lining|the cushion|the mattress|the repair shop|the hotline|
the gift box|the newsletter|the unboxing|the redesign|the finish|the spare part|the firmware|the remote|the timer|the grip
""")
FIRST_NAMES = words("""
Solvane|Kettra|Ombrelle|Fjordal|Pinto & Rye|Havelock|Mirra|Tessel|Brindle|Okapi|Lumora|Vestry|Nordlicht|Casolet|Quince|Zephra|Marlowe|Attica|
Bonbury|Caldera|Drossel|Everly Row|Fableton|Grovewell
""")
LAST_NAMES = words("""
headphones|sneakers|blender|router|backpack|e-bike|kettle|phone|lipstick|sofa|oat milk|vacuum|jacket|watch|suitcase|toothbrush|coffee|monitor|
stroller|raincoat|toaster|yoghurt
""")
PEOPLE = words("""
my brother|my sister|an influencer|my flatmate|half of the reviews|the magazine|my neighbour|everyone at work|the old customers|my boss|my mum|
the subreddit|my kid|the shop assistant|a podcast|my dad|the testers|a coworker|people in the comments|my partner|the delivery guy|
the ad|my hairdresser|the loud ones
""")
PLACES = words("""
the kitchen|the office|the gym|a long flight|my commute|the balcony|a rainy week|the kids' room|a camping trip|the night shift|the small flat|
the car|a city break|the garden
""")
TIMES = words("""
since christmas|since friday|this morning|over the weekend|every day|for three weeks now|since the update|yesterday|all summer|since the move|
before work|since it arrived|for a year|today|on the train|since the redesign|for two winters|on day one
""")
MAKERS = words(
    "Hallam Post|Redbarrow|Quickcrate|Ostler & Finch|Pelham Depot|Sundry Lane|Morrow Market|Kiteway|Lockhart Repairs|Parcelbee|Tidewell|Norrby"
)
GOOD_EVENTS = words("""
they sent a new one the same day, no questions|it survived the washing machine|the hotline picked up on the first ring|
the refund was there before i got home|it has lasted me six years|a stranger asked where i got it|they mended it for free after the warranty|
the courier carried it up four floors|it fits as if it was made for me|my back has stopped hurting|they brought the old recipe back|
it paid for itself in two months|my mother stole it from me|the whole office wants one now|it still looks new after two winters|
they wrote a note by hand|the battery lasts a week|my toddler ate all of it|i bought a second one for my sister|they listened and fixed the lid|
the store opened early for me|it came a day before it was due|they swapped the size without a word|i forgot that i was wearing it|
the spare part cost two dollars|they plant a tree and send you the picture|it got me through the winter|it took five minutes to put together|
they owned up to the mistake and doubled the refund|the update made it faster|i have worn nothing else all week|my skin has never been better|
it was cheaper in the shop than online|even the cat approves|the repair came with a cake
""")
BAD_EVENTS = words("""
they lost my parcel and closed the ticket|it fell apart in the washing machine|the hotline kept me waiting for an hour|
the refund never came|it lasted six days|it gave me a rash|they want forty dollars to look at it|the courier threw it over the fence|
it came in the wrong size twice|my back has been killing me since|they changed the recipe|it broke a week after the warranty ended|
the strap snapped on the train|the whole batch was recalled|it turned my laundry blue|the chat bot hung up on me|the battery swelled up|
my toddler spat it out|they charged my card twice|the lid came off in my bag|the store sent me to the website and the website to the store|
it arrived a month late|they sent an empty box|the sole came off in the rain|the spare part costs more than the thing|
they renewed my subscription without asking|the plug started to smoke|two screws were missing and one leg was short|
they blamed me for the scratch|the update bricked it|it smells like a wet dog|my skin itched for days|it was half the price a week later|
they deleted my review|the voucher expired before it arrived|the repair took four months
""")
GOOD_IDIOMS = words("""
worth every penny|it lives up to the hype|take my money|hats off to the team|it aged like fine wine|it does what it says|two thumbs up|
they knocked it out of the park|customer for life|it is right up my street|chef's kiss|it made my week|i am hooked|ten out of ten, would buy again|
they went the extra mile|it works like a charm|my best buy this year|i never knew i needed it|small thing, big joy|i can't imagine life without it|
they still make them like they used to|it fits like a glove
""")
BAD_IDIOMS = words("""
money down the drain|not my cup of tea|straight to the bin|it left a sour taste|back to the shop it goes|i want my money back|
they dropped the ball|hard pass|it went downhill fast|all packaging and no product|never again|it missed the mark|a swing and a miss|
it rubs me the wrong way|count me out|i am done|too little too late|lost a customer for life|you get what you did not pay for|
my patience ran out|they do not make them like they used to|i had higher hopes
""")
GOOD_ASPECTS = words("""
the price is low|the queue is short|it weighs next to nothing|returns are free|the noise is gone|waiting times are down|the ingredients list is short|
the battery life went up|the portions got bigger|the fees are gone|it uses half the power|the delivery time is down|the range got wider|
the failure rate is low|the wait for parts is short|the plastic is gone|the small print is short|the sugar went down|the warranty got longer|
the charging time is short|the resale value is high|the cleaning takes a minute
""")
BAD_ASPECTS = words("""
the price is high|the queue is long|it weighs a ton|returns cost extra|the noise is back|waiting times are up|the ingredients list is long|
the battery life went down|the portions got smaller|the fees are back|it uses twice the power|the delivery time is up|the range got narrower|
the failure rate is high|the wait for parts is long|the plastic is back|the small print is long|the sugar went up|the warranty got shorter|
the charging time is long|the resale value is low|the cleaning takes an hour
""")
TAGS = words(
    "unboxing|review|customerservice|haul|gadgets|sneakers|homewares|skincare|coffee|deals|fashion|kitchen|travelgear|blackfriday|newin|ootd"
)
EMOJI = words("🛒|👀|🤔|📦|👟|🎧|🤷|💬|☕|🧾|🛋️|⏰")
PLAIN = lines("""
using {subject} {time} and it is {A}
after {n} weeks of use: {A}
{subject} for {place}: {A}
every time i pick up {subject} it feels {A}
third one from {subject}, {A} as always
""")
CONTRAST = lines("""
the first {n} days were {Z}, the rest {A}
looks {Z}, feels {A}
{Z} in the shop, {A} at home
""")
NEGATED = lines("""
there is not one {Z} detail on {subject}
whoever calls {subject} {Z} has never used it
""")
REPORTED = lines("""
i read that {subject} is {Z}, they must have got another one
{maker} told me it would be {Z}. it is {A}
""")
SARCASM = lines("""
sure, {thing} is "{good}" if you {like} writing to a hotline
yeah because what {subject} needed was a subscription. {good} thinking
who needs a kitchen that works when {bad_event}
{bad_event}, but hey, the ribbon on the box looks {good}
""")
WISHES = lines("""
would be {good} if it did not break every time you look at it
i wish {thing} were half as {good} as the ad
with another supplier {subject} might be {good}
imagine how {good} this would be with working parts
""")
RELIEF = lines("""
so much for {bad}: best thing i bought in months
the only {bad} part is that everybody borrows it
my one complaint is that i own only one
i {dislike} how late i found {subject}
{subject} ruined every other brand for me
{thing} is criminally underrated, go and get it
""")
NEUTRAL = lines("""
is {subject} {good} or {bad}? asking before i order
{maker} says the new {subject} is in the shops on {day}
does anyone know if {good_event}
is it true that {bad_event}
{subject} comes in {n} colours, same price at {maker}
poll: is {thing} {good}, {bad}, or don't you care
looking for something like {other}, not too big, for {place}
how does {thing} work on {subject}? the leaflet has two answers
{who} wrote {n} lines about why {subject} is {bad}. has anyone read it
{who} asks whether {thing} is {good}. i have not tried it
reports say that {bad_event}; {maker} has not commented yet
{maker} moved my delivery from {day} to {day}
the "{good}" set and the "{bad}" set cost the same, {n} dollars
ordered {subject}, {n} days to go, will write something when i have used it
some of it is {good}, some of it is {bad}, i have not made up my mind
{n} days until the sale. list of shops in the link
when {bad_event}, where do you send the photos
the survey asks if {thing} felt {good} or {bad}, ten questions, anonymous
if {good_event}, is that by law or by goodwill
{thing} was tested {n} times, says the label
the shade called "{bad} weather" is grey, the one called "{good} day" is yellow
which one first, {subject} or {other}? both are on sale until {day}
what does {bad} mean on a care label, is that a code
the score is {n} from testers and {n} from buyers, so make of that what you will
a list of every kettle from {good} to {bad}, by {maker}
the word "{good}" is on the box {n} times, "{bad}" {n} times
has {thing} changed {time}? it looks the same to me
{maker} hires a designer for {subject}, part time, {n} months
swap: my {subject}, unopened, for {other}, {day} at the station
{subject} is in store on {day}; {other} follows a week later
i have no opinion on {thing} yet, two days in
it is fine i guess, neither {good} nor {bad}
thread for {subject}: post your settings, no ads before {day}
{who} owns {n} of them and says nothing at all
can i use the lid of {subject} on {other}
translation of the leaflet: page one says "{good}", page {n} says "{bad}"
{subject} takes {n} watts, {other} takes {n}
does {thing} get {good} after a while or does it stay like this
""")
FILLERS = lines("""
bought at {maker}
in {place}, mostly
size {n}, if you wonder
i have had it {n} weeks
that is the {day} batch
also own {other}
order number ends in {n}
second one after {other}
delivery by {maker} on {day}
paid {n} dollars
the grey one
photos in the link
""")
BOTS = lines("""
deal alert: {subject} {n} percent off at {maker}, code in the link
back in stock: {subject}, {n} left at {maker}
price history of {subject}: low {n}, high {n}, now {n}
store hours for {day}: {n} to {n}, {maker}
""")
