"""Stock talk: companies, houses and quarters that never were."""

from __future__ import annotations

from groundswell.simulator.lists import lines, words

GOOD_ALWAYS = words("good|great|strong|solid|excellent|impressive|healthy|amazing|bullish|promising|perfect|a beat")
GOOD = words("""
robust|stellar|reassuring|resilient|superb|outstanding|remarkable|rock solid|dependable|prudent|disciplined|conservative in a good way|sound|
well-funded|cash-rich|well-hedged|undervalued|attractive|cheap for what it is|a bargain|a steal|a keeper|a compounder|a cash machine|a gem|
first-rate|best in class|top-notch|flawless|crisp|clean|transparent|honest|sober|convincing|persuasive|encouraging|heartening|uplifting|rosy|
sunny|upbeat|buoyant|booming|thriving|flourishing|accretive|shareholder-friendly|generous|fair|sensible|well-timed|masterful|clever|savvy|
shrewd|astute|far-sighted|thoughtful|exemplary|admirable|commendable|phenomenal|spectacular|magnificent|sensational|terrific|marvelous|
wonderful|glorious|pristine|bulletproof|sturdy|ironclad|steady|rewarding|lucrative|fruitful|worthwhile|a triumph|a pleasant surprise|a tailwind|
a home run|a slam dunk|money in the bank|unmatched|peerless|second to none|light-years ahead|on fire|fire|mooning|peak|based|de-risked|
de-leveraged|self-funding|sticky in the right way|recession-proof|evergreen|a fortress|under-owned and excellent|a breath of fresh air|a relief
""")
BAD_ALWAYS = words("bad|terrible|awful|weak|horrible|disappointing|ugly|worrying|bearish|garbage|a mess|a miss")
BAD = words("""
dismal|bleak|alarming|shaky|fragile|brittle|abysmal|dreadful|atrocious|lousy|mediocre|anemic|lackluster|underwhelming|subpar|overvalued|
overpriced|overextended|overleveraged|overhyped|frothy|bubbly|bloated|reckless|careless|sloppy|opaque|murky|evasive|dishonest|shady|fishy|
misleading|deceptive|fraudulent|predatory|greedy|shameful|embarrassing|pathetic|laughable|ridiculous|absurd|incoherent|baffling|confusing|
convoluted|dilutive|toxic|a value trap|a money pit|a sinkhole|a scam|a ripoff|a disaster|a trainwreck|a dumpster fire|a letdown|a joke|a flop|
a nightmare|a headache|a red flag|a house of cards|a falling knife|a bagholder's dream|a slow bleed|dead money|disastrous|catastrophic|ruinous|
crippling|appalling|horrendous|ghastly|hideous|grim|gloomy|dreary|somber|miserable|depressing|painful|excruciating|nerve-racking|unsustainable|
unstable|volatile for no reason|rotten|rudderless|clueless|amateurish|shoddy|botched|bungled|ruined|wrecked|hollow|stale|outdated|sluggish|
stagnant|insulting|infuriating|maddening|rekt|cooked|toast|mid|trash|tone-deaf|a cash burner|beyond saving|a farce|indefensible|deplorable
""")
THINGS = words("""
the guidance|the balance sheet|the dividend|the buyback|the margin story|the order book|the backlog|the earnings call|the outlook|the cash flow|
the new chief|the finance chief|the board|the merger|the spin-off|the pricing power|the debt load|the pipeline|the cloud unit|the retail arm|
the loan book|the hedging|the capital plan|the cost program|the inventory|the subscriber base|the ad business|the royalty stream|the lease book|
the share class|the audit|the quarterly letter|the investor day|the chart|the valuation|the moat|the roadmap|the supply deal|the new plant|
the china business|the patent portfolio|the insurance float|the transcript|the footnotes|the pension gap|the free cash flow|the unit economics|
the restructuring|the bond issue|the rights offering|the index inclusion|the turnaround plan|the succession|the fee schedule|the trading update
""")
FIRST_NAMES = words("""
Aldermoor|Brightwell|Castellan|Dunmere|Eastgate|Fennick|Galloway|Harrowgate|Ironbridge|Juniper|Kestrel|Larkfield|Meridian Bay|Northrup Hill|
Oakhaven|Pembrook|Quillon|Ravensworth|Stonecroft|Tamarind|Umber|Vantage Hill|Westmark|Yarrow
""")
LAST_NAMES = words("""
Energy|Foods|Robotics|Bank|Semi|Logistics|Pharma|Airlines|Retail|Insurance|Motors|Software|Steel|Mining|Media|Telecom|Biotech|Rail|Solar|Water|
Holdings|Capital
""")
PEOPLE = words("""
my broker|my brother|the analysts|a fund manager|my uncle|everyone on the board|the short sellers|the press|some newsletter|my accountant|
my colleague|the tv guy|the index crowd|a podcast|my dad|the value people|the chartists|my neighbour|the loud ones|half of the forum|
a retired banker|my sister|the bond desk|the talking heads
""")
PLACES = words("""
my retirement account|my small account|the app|the isa|my pension|the margin account|paper trading|the old broker|the dividend portfolio|
the kids' account|my watchlist|the spreadsheet|the long book|the side account
""")
TIMES = words("""
since monday|since the split|for three quarters|after hours|this morning|all week|since the call|since the merger|for two years|yesterday|
before the open|at the close|since the last print|for a month|today|on the dip|since january|over the weekend
""")
MAKERS = words(
    "Hollis & Wray|Pikestaff Research|Gable Street|Corven Partners|Lindqvist|Ashdown|Tallow House|Merrin Lodge|Greyfriars|Oldcastle|Penhale|Bexley"
)
GOOD_EVENTS = words("""
they raised the guidance again|the dividend went up for the tenth year|insiders are buying with their own money|
they paid the whole loan back early|the new plant opened ahead of plan|revenue grew in every region|they won the contract everybody wanted|
my position is green for the first time in years|the audit came back without a remark|they beat the estimate by a third|
the rating was lifted two notches|cash covers the debt twice|the buyback retires a tenth of the shares|the largest customer renewed for ten years|
the lawsuit was thrown out|the chief took half his pay in stock|the spin-off paid for my whole stake|they closed the loss-making unit at last|
the drug got its approval|the short report turned out wrong|they got into the index|orders fill two years|my first dividend paid for dinner|
the regulator waved it through|they sold the tower above book|churn hit a record low|they skipped the bonus to keep the staff|
the loan book has hardly a default|the pension gap is closed|it doubled since i bought|they gave the money back to holders|
the rival sued and lost|every store makes money now|the pilot became a ten year order|the bond was five times oversubscribed
""")
BAD_EVENTS = words("""
they cut the guidance again|the dividend is gone|insiders sold into the rally|they missed the loan covenant|the plant is a year late|
revenue fell in every region|they lost the contract to a rival|my position is down by half|the auditor walked away|
they missed the estimate by a third|the rating went to junk|the cash runs out by summer|they issued shares at the low|
the largest customer left|the lawsuit costs a year of profit|the chief quit on a friday night|they restated two years of numbers|
the loss-making unit got more money|the trial failed in the last phase|trading was halted twice today|they fell out of the index|
orders dried up in a month|the broker froze my account|the regulator opened a probe|they sold the tower below book|churn doubled|
the board paid itself a bonus anyway|a third of the loans is late|the pension gap grew by half|it halved since i bought|
they bought a yacht company|the factory burned cash all quarter|they blamed the weather again|the call ended without questions|
the whole warehouse is unsold stock|the fund gates are shut
""")
GOOD_IDIOMS = words("""
i sleep well with it|it pays my rent|i would buy it again tomorrow|hats off to the management|it prints money|buy and forget|
slow and steady wins|take a bow|worth every basis point|i am adding more|it compounds while i sleep|they underpromise and overdeliver|
this one carries my portfolio|best decision of the year|they kept their word|the thesis is intact|it earns its premium|they walk the talk|
happy to hold for a decade|my conviction only grew|that is how it is done|it keeps on giving
""")
BAD_IDIOMS = words("""
i can't sleep with it|there goes my rent|i want my money back|they lost the plot|catching a falling knife|throwing good money after bad|
the emperor has no clothes|smoke and mirrors|never again|i sold all of it|the writing was on the wall|they overpromise and underdeliver|
it sinks my whole portfolio|worst decision of the year|they broke their word|the thesis is dead|lipstick on a pig|all talk and no walk|
down the drain it goes|my patience ran out|robbing peter to pay paul|a slow motion car crash
""")
GOOD_ASPECTS = words("""
margins are up|costs are down|debt is down|churn is down|orders are up|the cash pile grows|the payout ratio is low|defaults are down|
the backlog is up|leverage is low|capex is falling|the tax rate is down|volumes are up|inventories shrank|the spread tightened|
dilution has stopped|the short interest collapsed|the fees went down|days outstanding went down|the loss narrowed|staff turnover is low|
the break-even came down
""")
BAD_ASPECTS = words("""
margins are down|costs are up|debt is up|churn is up|orders are down|the cash pile shrinks|the payout ratio is high|defaults are up|
the backlog is down|leverage is high|capex is soaring|the tax rate is up|volumes are down|inventories grew|the spread widened|
dilution goes on|the short interest soared|the fees went up|days outstanding went up|the loss widened|staff turnover is high|
the break-even went up
""")
TAGS = words("stocks|investing|earnings|dividends|markets|valueinvesting|daytrading|smallcaps|bonds|ipo|macro|banks|etf|trading|longterm|fintwit")
EMOJI = words("📈|📉|💼|👀|🤔|📊|🏦|🤷|📅|💬|🧾|⏰")
PLAIN = lines("""
holding {subject} {time} and it is {A}
the quarter of {subject} was {A}
{subject} in {place}: {A}
{n} pages in, {thing} looks {A}
went through {thing} line by line, it is {A}
""")
CONTRAST = lines("""
the first {n} pages are {Z}, the rest is {A}
sounds {Z}, reads {A}
the tape says {Z}, the numbers say {A}
""")
NEGATED = lines("""
there is not one {Z} line in the report of {subject}
whoever calls {subject} {Z} has not read the filing
""")
REPORTED = lines("""
{maker} calls {subject} {Z}, they must have read another filing
the price says {Z}. the business says {A}
""")
SARCASM = lines("""
sure, {thing} is "{good}" if you {like} setting money on fire
yeah because what {subject} needed was another bond. {good} thinking
who needs a pension when {bad_event}
{bad_event}, but hey, the slides looked {good}
""")
WISHES = lines("""
would be {good} if they did not dilute us every spring
i wish {thing} were half as {good} as the slides
with another chief {subject} might be {good}
imagine how {good} this would be with an honest board
""")
RELIEF = lines("""
so much for {bad}: best print in years
the only {bad} part is that i do not own more
my one complaint is that i sold a few too early
i {dislike} how few shares i bought
{thing} is criminally overlooked, go and read it
""")
NEUTRAL = lines("""
is {subject} {good} or {bad} for a beginner? asking before i buy
{maker} publishes its note on {subject} on {day}
does anyone know if {good_event}
is it true that {bad_event}
{subject} reports on {day} before the open, call at {n}
poll: is {thing} {good}, {bad}, or too early to say
looking for something like {other}, smaller, for {place}
how does {thing} work at {subject}? the filing has two answers
{who} wrote {n} pages about why {subject} is {bad}. has anyone read it
{who} asks whether {thing} is {good}. i have not looked at it
reports say that {bad_event}; {subject} has not commented yet
{maker} moved {subject} from hold to hold, target {n}
the "{good}" case and the "{bad}" case differ by {n} percent, says the model
opened a position in {subject}, {n} shares, will write more after the call
some of it is {good}, some of it is {bad}, i have not made up my mind
{n} days until {subject} reports. consensus in the link
when {bad_event}, who gets paid first
the survey asks if {thing} was {good} or {bad}, ten questions, anonymous
if {good_event}, is that taxed this year or next
{thing} takes {n} pages of the annual report
the scenario called "{bad} weather" assumes rates at {n}
which one first, {subject} or {other}? both report on {day}
what does {bad} mean in a credit note, is that jargon
the rating is {n} from one agency and {n} from the other, so make of that what you will
a table of every bank from {good} to {bad}, by {maker}
the word "{good}" is said {n} times on the call, "{bad}" {n} times
has {thing} changed {time}? it looks the same to me
{subject} hires a treasurer, remote, {n} months
{subject} trades without the dividend from {day}; {other} a week later
i have no opinion on {thing} yet, two pages in
it is fine i guess, neither {good} nor {bad}
thread for {subject}: numbers only, no predictions before {day}
{who} holds {n} shares and says nothing at all
can i move shares from {place} to {place}
translation of the call: the chief says "{good}", the finance chief says "{bad}"
{subject} has {n} million shares, {other} has {n}
does {thing} get {good} later in the cycle or does it stay like this
closing prices for {day}: {subject} {n}.{n}, {other} {n}.{n}
i sold {n} {subject} to pay for a roof, nothing to do with {thing}
""")
FILLERS = lines("""
holding {n} in {place}
my cost is {n}.{n}
not advice
i own {n} shares, so i am biased
that is the {day} close
also hold {other}
page {n} of the filing
second position after {other}
next print is {day}
target {n}, stop {n}
i am mostly in bonds
volume was {n} million
""")
BOTS = lines("""
{subject} closed at {n}.{n}, volume {n} million
unusual volume: {subject}, {n} times its average
filing alert: {subject} filed form {n}, {n} pages
dividend calendar: {subject} pays on {day}, {other} on {day}
""")
