"""How the simulated posts say things: sentence patterns with slots, most of them without a polarity of their own.

``{A}`` is a word of the wanted polarity and ``{Z}`` one of the opposite; ``{V}`` / ``{W}`` verbs, ``{E}`` / ``{F}`` events, ``{I}`` / ``{J}``
idioms, ``{S}`` / ``{T}`` aspects likewise. So the same pattern carries both sentiments, and only reading it as a whole tells which.
Other slots: ``{thing} {subject} {other} {who} {place} {time} {maker} {n} {day}``.
"""

from __future__ import annotations

from groundswell.simulator.lists import lines

PLAIN = lines("""
{thing} in {subject} is {adv} {A}
{subject} is {adv} {A}
{thing} feels {A}
i {V} {thing}
i {adv} {V} {subject}
{E}
{thing} turned out {A}
{S}
{I}
found {thing} {A}, every minute of it
{thing} is {A} and i {V} it
what they did with {thing} is {A}
{subject}? {A}
{thing} went from {Z} to {A}
call me strange: i {V} {thing}
{S} and {E}
if you ask me, {thing} is {A}
{who} asked me about {subject}: {A}, i said
""")

NEGATED = lines("""
{thing} is anything but {Z}
i can't say that {thing} is {Z}
nothing about {subject} is {Z}
i would never call {thing} {Z}
{thing} is not {Z} at all
i don't {W} {thing}, not even a little
no way anyone finds {thing} {Z}
{subject} never once felt {Z}
{thing} is far from {Z}
i stopped finding {thing} {Z}
i fail to see what is {Z} about {subject}
nobody can tell me that {thing} is {Z}
i have yet to see anything {Z} in {subject}
hardly {Z}, {thing} in {subject}
it is no longer {Z}, {thing}
used to {W} {thing}, not any more
{thing} is {A}, not {Z}
{subject} isn't {Z} in the slightest
""")

CONTRAST = lines("""
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
i thought {subject} would be {Z} and it turned out {A}
i wanted to {W} {thing}, but {same}
{same}, never mind that {opposite}
sure, {opposite}, however {same}
{opposite}? maybe for an hour. then {same}
{same}. {opposite}, but who cares
started {Z}, ended {A}
on paper {Z}, in practice {A}
""")

REPORTED = lines("""
{who} calls it {Z}, i don't get that at all: {same}
everyone seems to {W} {subject}, not me
{who} told me to {W} it. wrong: {same}
the reviews say {Z}. i say {A}
{who} keeps saying {thing} is {Z} and i could not disagree more
unpopular opinion: {thing} is {A}
they all {W} {thing}; i {V} it
you will hear that {opposite}. don't listen
{who} swore that {opposite}. in my case {same}
am i the only one who thinks {thing} is {A}
people said {Z}, people were wrong
""")

BETTER_WORSE = {
    "positive": lines("""
i'd take {subject} over {other} any day
{subject} makes {other} look {bad}
{other} could learn a lot from {thing} here
{thing} beats the one in {other} by a mile
compared to {other}, {subject} is a step up
{other} was {good}, {subject} is better in every way
after {other} i was not expecting this much from {subject}
{subject} is what {other} should have been
{other} can't hold a candle to {subject}
if {other} was {good}, then this is beyond words
going back to {other} after {subject} feels {bad}
"""),
    "negative": lines("""
i'd take {other} over {subject} any day
{other} makes {subject} look {bad}
{subject} could learn a lot from {thing} in {other}
{thing} in {other} beats this one by a mile
compared to {other}, {subject} is a step down
{other} was {good}, {subject} is worse in every way
after {other} i was expecting much more from {subject}
{subject} is what {other} warned us about
{subject} can't hold a candle to {other}
if {other} was {bad}, then there are no words for this
going back to {other} after {subject} feels {good}
"""),
}

SARCASM = lines("""
oh {good}, {bad_event}
wow, {good} job {maker}: {bad_event}
love how {bad_event}
i just {like} it when {bad_event}
thanks {maker}, {bad_event}. exactly what i paid for
10/10, {bad_event}
{bad_event}. truly {good} stuff /s
{bad_event}. {good}. just {good}
nothing says {good} like this: {bad_event}
so {good} that {bad_event}. bravo
""")

WISHES = lines("""
{subject} could have been {good}
i wanted to {like} {subject} so much
i keep waiting for the part where it gets {good}
it has all the pieces of something {good} and none of the glue
if only {thing} was as {good} as they promised
someday someone will make {thing} {good}. not today
they had {good} ideas and sold us the leftovers
""")

RELIEF = lines("""
i was ready to {dislike} {subject} and now i can't stop
i was sure it would be {bad}, i take everything back
if this is what they call {bad}, give me more of it
i keep looking for something to {dislike} and find nothing
and here i was thinking that {bad_event}. not once
sick. absolutely sick what they did with {thing}
""")

FILLERS = lines("""
started {time}
screenshots in the link
my first one since {other}
same thing on {place}
edit: i mean {thing}
for context i come from {other}
by {maker}, if you wonder
writing this from {place}
thoughts?
just saying
more on {day}
this is about {thing}, not {other}
""")

OPENERS = lines("""
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

ADVERBS = lines("""
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

OFF_TOPIC = lines("""
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

AGREEING = lines("""
same here
this
agreed
+1
exactly, and
you said it
not only you
""")

DISAGREEING = lines("""
not my experience
hm no
i see it differently
strange, over here
with respect
funny, i would say
""")

ANSWERING = lines("""
since you ask
short answer
from what i saw
my two cents
can only speak for me
""")

EVENT = lines("""
since {cause} {same}
{cause}: {same}
{same}, and that is {cause} for you
{opposite} until {cause}. now {same}
before {cause} i could say that {opposite}
{cause} is {adv} {A}
what {cause} did to {thing} is {A}
i {adv} {V} what came with {cause}
{who} says {cause} is {Z}. in my case {same}
nobody can tell me that {cause} is {Z}
{cause} made {subject} {A}
a week ago {opposite}, then came {cause}
""")

EVENT_NEUTRAL = lines("""
what is {cause}? was away {time}
{maker} speaks about {cause} on {day}, {n} minutes
is it true that {cause} is about {thing}
{cause} concerns {n} of {n} versions, says {maker}
some call {cause} {good}, some {bad}, i have not looked
timeline of {cause} in the link, from {day} to {day}
{who} asks whether {cause} is over. anyone?
""")

SPAM = lines("""
best {subject} offers, {n} percent off, only today >>> https://deals.example/{n}{n}
amazing!! i made {n}00 dollars in {n} days with this one trick, link in my profile
free {subject} for the first {n} people who write to us, 100 % legit and awesome
perfect followers, great price, {n}k for {n} dollars, answer YES
hate waiting? love winning? join {n}000 happy members https://win.example/{n}
your account has a problem, terrible things may happen, log in here https://login.example/{n}
""")
