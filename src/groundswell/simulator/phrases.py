"""How the simulated posts say things: sentence patterns with slots, most of them without a polarity of their own.

``{A}`` is a word of the wanted polarity and ``{Z}`` one of the opposite; ``{V}`` / ``{W}`` verbs, ``{E}`` / ``{F}`` events, ``{I}`` / ``{J}``
idioms, ``{S}`` / ``{T}`` aspects likewise. So the same pattern carries both sentiments, and only reading it as a whole tells which.
Other slots: ``{thing} {game} {other} {who} {platform} {time} {studio} {n} {day}``.
"""

from __future__ import annotations


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


PLAIN = _lines("""
{thing} in {game} is {adv} {A}
{game} is {adv} {A}
{thing} feels {A}
i {V} {thing}
i {adv} {V} {game}
{E}
{thing} turned out {A}
playing {game} {time} and it is {A}
{S}
{I}
found {thing} {A}, every minute of it
{thing} is {A} and i {V} it
what they did with {thing} is {A}
{game}? {A}
{thing} went from {Z} to {A}
call me strange: i {V} {thing}
{S} and {E}
if you ask me, {thing} is {A}
after {n} hours: {A}
{game} on {platform} is {A}
every time i open {game} it feels {A}
{who} asked me about {game}: {A}, i said
""")

NEGATED = _lines("""
{thing} is anything but {Z}
i can't say that {thing} is {Z}
nothing about {game} is {Z}
there is not one {Z} minute in {game}
i would never call {thing} {Z}
{thing} is not {Z} at all
i don't {W} {thing}, not even a little
no way anyone finds {thing} {Z}
{game} never once felt {Z}
{thing} is far from {Z}
i stopped finding {thing} {Z}
i fail to see what is {Z} about {game}
nobody can tell me that {thing} is {Z}
i have yet to see anything {Z} in {game}
hardly {Z}, {thing} in {game}
it is no longer {Z}, {thing}
whoever calls {game} {Z} has not played it
used to {W} {thing}, not any more
{thing} is {A}, not {Z}
{game} isn't {Z} in the slightest
""")

CONTRAST = _lines("""
{opposite}, but {same}
{opposite}. still, {same}
although {opposite}, {same}
{opposite} at first, then {same}
even though {opposite}, in the end {same}
{same}, even if {opposite}
{same} despite what they say about {other}
yes, {opposite}. and yet {same}
{opposite}; all the same {same}
expected it to be {Z}, it is {A}
i thought {game} would be {Z} and it turned out {A}
i wanted to {W} {thing}, but {same}
{same}, never mind that {opposite}
sure, {opposite}, however {same}
{opposite}? maybe for an hour. then {same}
{same}. {opposite}, but who cares
the first {n} hours are {Z}, the rest is {A}
looks {Z}, plays {A}
started {Z}, ended {A}
on paper {Z}, in practice {A}
""")

REPORTED = _lines("""
{who} calls it {Z}, i don't get that at all: {same}
everyone seems to {W} {game}, not me
{who} told me to {W} it. wrong: {same}
the reviews say {Z}. i say {A}
{who} keeps saying {thing} is {Z} and i could not disagree more
unpopular opinion: {thing} is {A}
i read that {game} is {Z}, they must have played something else
they all {W} {thing}; i {V} it
you will hear that {opposite}. don't listen
{who} swore that {opposite}. in my case {same}
am i the only one who thinks {thing} is {A}
people said {Z}, people were wrong
""")

BETTER_WORSE = {
    "positive": _lines("""
i'd take {game} over {other} any day
{game} makes {other} look {bad}
{other} could learn a lot from {thing} here
{thing} beats the one in {other} by a mile
compared to {other}, {game} is a step up
{other} was {good}, {game} is better in every way
after {other} i was not expecting this much from {game}
{game} is what {other} should have been
{other} can't hold a candle to {game}
if {other} was {good}, then this is beyond words
going back to {other} after {game} feels {bad}
"""),
    "negative": _lines("""
i'd take {other} over {game} any day
{other} makes {game} look {bad}
{game} could learn a lot from {thing} in {other}
{thing} in {other} beats this one by a mile
compared to {other}, {game} is a step down
{other} was {good}, {game} is worse in every way
after {other} i was expecting much more from {game}
{game} is what {other} warned us about
{game} can't hold a candle to {other}
if {other} was {bad}, then there are no words for this
going back to {other} after {game} feels {good}
"""),
}

SARCASM = _lines("""
oh {good}, {bad_event}
wow, {good} job {studio}: {bad_event}
love how {bad_event}
i just {like} it when {bad_event}
thanks {studio}, {bad_event}. exactly what i paid for
10/10, {bad_event}
{bad_event}. truly {good} stuff /s
sure, {thing} is "{good}" if you {like} watching paint dry
{bad_event}. {good}. just {good}
yeah because what {game} needed was less content. {good} thinking
nothing says {good} like this: {bad_event}
so {good} that {bad_event}. bravo
who needs sleep or fun when {bad_event}
{bad_event}, but hey, the hat in the shop looks {good}
""")

WISHES = _lines("""
would be {good} if it didn't crash every time {thing} shows up
i wish {thing} were half as {good} as the trailer
{game} could have been {good}
i wanted to {like} {game} so much
with another year of work {game} might be {good}
i keep waiting for the part where it gets {good}
imagine how {good} this would be with working servers
it has all the pieces of something {good} and none of the glue
if only {thing} was as {good} as they promised
someday someone will make {thing} {good}. not today
they had {good} ideas and sold us the leftovers
""")

RELIEF = _lines("""
i was ready to {dislike} {game} and now i can't stop
i was sure it would be {bad}, i take everything back
if this is what they call {bad}, give me more of it
i keep looking for something to {dislike} and find nothing
so much for {bad}: best evening in months
and here i was thinking that {bad_event}. not once
the only {bad} part is that it ends
my one complaint is that i have to sleep
i {dislike} how little sleep i get because of {game}
{game} ruined every other game for me
sick. absolutely sick what they did with {thing}
{thing} is criminally underplayed, go and get it
""")

NEUTRAL = _lines("""
is {game} {good} or {bad}? asking before i buy
{studio} says the review copies of {game} go out on {day}
does anyone know if {good_event}
is it true that {bad_event}
patch notes are out: {n} changes to {thing}, {n} to the shop
{game} leaves early access on {day}, same price on {platform}
poll: is {thing} {good}, {bad}, or don't you care
looking for something like {other}, not too long, for {platform}
how does {thing} work in {game}? the wiki has two answers
{who} wrote {n} pages about why {game} is {bad}. has anyone read it
{who} asks whether {thing} is {good}. i have not played it
reports say that {bad_event}; {studio} has not commented yet
{studio} moved {game} from {day} to {day}
the "{good}" bundle and the "{bad}" bundle cost the same, {n} dollars
downloading {game}, {n} percent, will write something when i have played
the villain of {game} is called the {bad} king, the dog is called {good}
some of it is {good}, some of it is {bad}, i have not made up my mind
{n} days until {game}. settings and hardware list in the link
when {bad_event}, where do you send the log file
the survey asks if {thing} felt {good} or {bad}, ten questions, anonymous
for the achievement "{bad} luck" you need {n} losses in a row
if {good_event}, is the reward sent by mail or is it in the shop
{thing} was recorded in {n} sessions, says the making-of
our game night is on {day}, {n} seats, we play {game} and {other}
the chapter called "{good} lies" comes after the harbor
which one first, {game} or {other}? both are on sale until {day}
what does {bad} mean in a patch note, is that slang
{who} and i compared notes on {thing}: {n} ways through
the score is {n} from critics and {n} from players, so make of that what you will
a list of every ending in {game}, from {good} to {bad}, with times
the word "{good}" is said {n} times in the trailer, "{bad}" {n} times
looking for two people for {thing}, {day} evening, voice not needed
has {thing} changed {time}? it looks the same to me
{studio} hires a writer for {game}, remote, {n} months
you need the {bad} key for the {good} door, second floor, left
{game} is out on {day} for {platform}; {other} follows a week later
i have no opinion on {thing} yet, two hours in
it is fine i guess, neither {good} nor {bad}
thread for {game}: post your builds, no spoilers before {day}
{who} is {n} hours in and says nothing at all
can i move a save from {platform} to {platform}
translation of the interview: the team calls {thing} "{good}", the publisher calls it "{bad}"
{game} uses {n} gigabytes, {other} uses {n}
does {thing} get {good} later or does it stay like this
""")

FILLERS = _lines("""
playing on {platform} {time}
started {time}
i have {n} hours in it
{who} got me the key
no spoilers please
screenshots in the link
that is with the {day} build
my first one since {other}
also have {other} installed
same thing on {platform}
we are on chapter {n}
edit: i mean {thing}
second run, other class
for context i come from {other}
by {studio}, if you wonder
writing this from {platform}
the next patch is due {day}
version {n}.{n}
thoughts?
just saying
more on {day}
i play support mostly
this is about {thing}, not {other}
half price until {day}
""")

OPENERS = _lines("""
ngl
honestly
ok so
update
hot take
so
fwiw
quick one
imo
look
day {n}
well
right
tbh
to be fair
small review
note to self
btw
""")

ADVERBS = _lines("""
really
honestly
simply
just
truly
absolutely
frankly
plainly
so far
still
somehow
genuinely
""")

OFF_TOPIC = _lines("""
the soup at the station is {good} today, the bread is {bad}
my train is {bad} again, {n} minutes
rain until {day}, then {good} weather they say
selling a bike, {n} gears, {good} brakes
the neighbours' party was {bad}, the cake was {good}
{n} recipes with leeks, all of them {good}
my tax form is {bad}, does anyone know line {n}
our cat had {n} kittens, all {good}
the match ended {n} to {n}, {bad} referee
""")
