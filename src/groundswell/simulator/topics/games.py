"""Game talk: studios and titles that never were."""

from __future__ import annotations

from groundswell.simulator.lists import lines, words

THINGS = words("""
the combat|the soundtrack|the story|the writing|the level design|the art direction|the tutorial|the matchmaking|the new map|the crafting|
the inventory screen|the camera|the voice acting|the netcode|the photo mode|the co-op mode|the ranked ladder|the battle pass|the season finale|
the side quests|the fishing minigame|the boss design|the physics|the animation|the lighting|the sound mix|the difficulty curve|the skill tree|
the loot|the economy|the photo contest|the roguelike mode|the base building|the stealth|the driving|the dialogue|the menu|the map editor|
the mod support|the port|the remaster|the beta|the demo|the expansion|the balance patch|the anticheat|the launcher|the cloud save|the haptics|
the ending|the prologue|the pacing|the world|the cast|the main villain|the companion system|the weather system|the climbing|the gunplay|
the deck building|the puzzle wing|the raid|the lobby|the voice chat|the event shop|the trailer|the opening hour|the endgame|the new hero|
the rework|the ui
""")
FIRST_NAMES = words(
    "Ashen|Neon|Star|Hollow|Iron|Velvet|Moss|Crimson|Paper|Salt|Winter|Copper|Lantern|Feral|Glass|Amber|Silent|Tidal|Thorn|Cobalt|Sunken|Drift|Pale|Echo"
)
LAST_NAMES = words(
    "Harbor|Tactics|Drift|Vale|Legion|Garden|Protocol|Kart|Odyssey|Frontier|Circuit|Hollow|Saga|Colony|Keep|Runner|Tides|Arena|Reverie|Siege|Orchard|Rift"
)
PEOPLE = words("""
my brother|my sister|a streamer|my whole guild|half of the forum|the press|my roommate|everyone in chat|the old fans|some reviewer|my boss|
twitter|the subreddit|my kid|our raid lead|the speedrunners|a podcast|my dad|the critics|a coworker|people on discord|the modders|my duo partner|
the loud ones
""")
PLACES = words(
    "pc|a steam deck|an old laptop|a handheld|my tv|ps5|xbox|switch|linux|a potato pc|cloud streaming|a borrowed console|my work machine|an ultrawide"
)
TIMES = words("""
last night|since friday|this morning|over the weekend|after work|for three days now|since the patch|yesterday|all week|on my lunch break|
before bed|since launch|for a month|today|on the train|between meetings|since the beta|on day one
""")
MAKERS = words(
    "Northlight Barn|Tin Kettle|Blue Harrow|Gravel & Sons|Sixth Moon|Oddfellow|Pinewood Bits|Marble Fox|Lowtide|Hatchback|Wren Works|Foundry Nine"
)
GOOD_EVENTS = words("""
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
BAD_EVENTS = words("""
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
GOOD_IDIOMS = words("""
worth every penny|it lives up to the hype|take my money|it hits different|hats off to the team|it aged like fine wine|i could not put it down|
it scratches the itch|two thumbs up|they knocked it out of the park|it stole my heart|my jaw is on the floor|it is right up my alley|
sign me up for more|chef's kiss|it made my week|i am hooked|they cooked|it brought the house down|a feast for the eyes|i am over the moon|
it fires on all cylinders|they went the extra mile|it clicks|it sings|time flies with it|i was grinning like a fool
""")
BAD_IDIOMS = words("""
money down the drain|not my cup of tea|it fell flat|it left a sour taste|back to the drawing board|it jumped the shark|i want my time back|
they dropped the ball|it put me to sleep|hard pass|it went downhill fast|all sizzle and no steak|they phoned it in|it missed the mark|
a swing and a miss|it rubs me the wrong way|it got old fast|count me out|it is running on fumes|i am done|too little too late|
it makes my skin crawl|they shot themselves in the foot|it is a bitter pill|lipstick on a pig|i had higher hopes|my patience ran out
""")
GOOD_ASPECTS = words("""
load times are short|queue times are tiny|the price is low|the skill ceiling is high|the frame rate is high|input lag is low|
the bug list is short|the replay value is high|the campaign is long and never drags|the install is small|the grind is short|the ads are gone|
the hitboxes are tight|the learning curve is gentle|the crash rate dropped|the player count went up|the map got bigger|
the wait between patches shrank|the toxicity went down|the drop rates went up|the download got smaller|the fans stay quiet
""")
BAD_ASPECTS = words("""
load times are long|queue times are huge|the price is high|the skill ceiling is low|the frame rate is low|input lag is high|the bug list is long|
the replay value is low|the campaign is short|the install is huge|the grind is long|the ads are back|the hitboxes are loose|
the learning curve is a cliff|the crash rate went up|the player count dropped|the map got smaller|the wait between patches grew|
the toxicity went up|the drop rates went down|the download got bigger|the fans get loud
""")
TAGS = words("""
gaming|indiegame|patchday|nowplaying|gamedev|rpg|coop|speedrun|retrogaming|steamdeck|pcgaming|earlyaccess|esports|boardgames|wishlist|
screenshotsaturday|roguelike|cozygames|gamenight|modding|raidnight|demoweek|couchcoop|launchday|backlog|metroidvania|citybuilder|playtest
""")
PLAIN = lines("""
playing {subject} {time} and it is {A}
after {n} hours: {A}
{subject} on {place} is {A}
every time i open {subject} it feels {A}
""")
CONTRAST = lines("""
the first {n} hours are {Z}, the rest is {A}
looks {Z}, plays {A}
""")
SARCASM = lines("""
sure, {thing} is "{good}" if you {like} watching paint dry
yeah because what {subject} needed was less content. {good} thinking
who needs sleep or fun when {bad_event}
{bad_event}, but hey, the hat in the shop looks {good}
""")
WISHES = lines("""
would be {good} if it didn't crash every time {thing} shows up
i wish {thing} were half as {good} as the trailer
with another year of work {subject} might be {good}
imagine how {good} this would be with working servers
""")
RELIEF = lines("""
so much for {bad}: best evening in months
the only {bad} part is that it ends
my one complaint is that i have to sleep
i {dislike} how little sleep i get because of {subject}
{subject} ruined every other game for me
{thing} is criminally underplayed, go and get it
""")
NEUTRAL = lines("""
is {subject} {good} or {bad}? asking before i buy
{maker} says the review copies of {subject} go out on {day}
does anyone know if {good_event}
is it true that {bad_event}
patch notes are out: {n} changes to {thing}, {n} to the shop
{subject} leaves early access on {day}, same price on {place}
poll: is {thing} {good}, {bad}, or don't you care
looking for something like {other}, not too long, for {place}
how does {thing} work in {subject}? the wiki has two answers
{who} wrote {n} pages about why {subject} is {bad}. has anyone read it
{who} asks whether {thing} is {good}. i have not played it
reports say that {bad_event}; {maker} has not commented yet
{maker} moved {subject} from {day} to {day}
the "{good}" bundle and the "{bad}" bundle cost the same, {n} dollars
downloading {subject}, {n} percent, will write something when i have played
the villain of {subject} is called the {bad} king, the dog is called {good}
some of it is {good}, some of it is {bad}, i have not made up my mind
{n} days until {subject}. settings and hardware list in the link
when {bad_event}, where do you send the log file
the survey asks if {thing} felt {good} or {bad}, ten questions, anonymous
for the achievement "{bad} luck" you need {n} losses in a row
if {good_event}, is the reward sent by mail or is it in the shop
{thing} was recorded in {n} sessions, says the making-of
our game night is on {day}, {n} seats, we play {subject} and {other}
the chapter called "{good} lies" comes after the harbor
which one first, {subject} or {other}? both are on sale until {day}
what does {bad} mean in a patch note, is that slang
{who} and i compared notes on {thing}: {n} ways through
the score is {n} from critics and {n} from players, so make of that what you will
a list of every ending in {subject}, from {good} to {bad}, with times
the word "{good}" is said {n} times in the trailer, "{bad}" {n} times
looking for two people for {thing}, {day} evening, voice not needed
has {thing} changed {time}? it looks the same to me
{maker} hires a writer for {subject}, remote, {n} months
you need the {bad} key for the {good} door, second floor, left
{subject} is out on {day} for {place}; {other} follows a week later
i have no opinion on {thing} yet, two hours in
it is fine i guess, neither {good} nor {bad}
thread for {subject}: post your builds, no spoilers before {day}
{who} is {n} hours in and says nothing at all
can i move a save from {place} to {place}
translation of the interview: the team calls {thing} "{good}", the publisher calls it "{bad}"
{subject} uses {n} gigabytes, {other} uses {n}
does {thing} get {good} later or does it stay like this
""")
FILLERS = lines("""
playing on {place} {time}
i have {n} hours in it
{who} got me the key
no spoilers please
that is with the {day} build
also have {other} installed
we are on chapter {n}
second run, other class
the next patch is due {day}
version {n}.{n}
i play support mostly
half price until {day}
""")
NEGATED = lines("""
there is not one {Z} minute in {subject}
whoever calls {subject} {Z} has not played it
""")
REPORTED = lines("""
i read that {subject} is {Z}, they must have played something else
""")
BOTS = lines("""
price alert: {subject} is {n} percent off at shop {n}, history in the link
{subject} has {n} thousand players right now, peak today {n} thousand
new build of {subject} on the test branch: {n} files changed, size {n} mb
daily reset in {n} minutes. today's map: {thing}
""")
EMOJI = words("🎮|👀|🤔|📅|🕹️|📝|🤷|💬|🖥️|📊|🎧|⏰")
