"""An episodic book: chapters with one event each, and questions whose answers are spread over many of them.

After the episodic-memory benchmark of Huet, Ben Houidi and Rossi, "Episodic memories generation and evaluation
benchmark for large language models", ICLR 2025, https://arxiv.org/abs/2501.13121: each event has a date, a place, a
person and a content, drawn unevenly so that some recur often; a question gives one or two of them and asks for
another, or for the chapters; the number of matching events is known, 0 included. Text and templates are our own. What
makes it hard for retrieval is kept: the date and the place of a chapter stand in other sentences than its person, most
chapters mention people, places and dates of other chapters in passing, and fillers use the words of questions.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rag.types import Document

__all__ = ["BINS", "Book", "Episode", "Puzzle", "bin_of", "episodic"]

BINS = ("0", "1", "2", "3-5", "6+")
FIRST = [
    *("Ada", "Borin", "Celia", "Dorian", "Edda", "Farid", "Greta", "Hugo", "Iris"),
    *("Joren", "Kaia", "Lorenz", "Mira", "Nils", "Orla", "Pavel", "Quinn", "Rosa"),
    *("Soren", "Talia", "Ulric", "Vera", "Wanda", "Yorick", "Zelda"),
]
LAST = [
    *("Ashdown", "Brill", "Castor", "Denholm", "Ekberg", "Farrow", "Garrick", "Holt", "Ivarsen"),
    *("Jessop", "Kestrel", "Lindqvist", "Marlow", "Norwood", "Oakes", "Pemberton", "Quill", "Rask"),
    *("Sandoval", "Thorne", "Underhill", "Vance", "Whitlock", "Yates", "Zeller"),
]
PLACES = (
    "Amber Quay",
    "Birch Hollow",
    "Copper Square",
    "Dunmore Hall",
    "Eastgate Market",
    "Fenwick Bridge",
    "Grayling Pier",
    "Harrow Gardens",
    "Ironworks Yard",
    "Juniper Park",
    "Kingsford Library",
    "Lantern Court",
    "Millrace Green",
    "Northlight Theatre",
    "Orchard Station",
    "Pilgrim Steps",
)
CONTENTS: Mapping[str, tuple[str, ...]] = {
    "glass auction": ("bidders raised numbered paddles", "a cracked decanter went for more than anyone had guessed"),
    "kite festival": ("paper dragons tugged at their lines", "a judge measured the longest tail twice"),
    "chess tournament": ("clocks ticked on forty boards", "the last game ended in a draw by repetition"),
    "bread contest": ("loaves cooled on wire racks", "the rye with caraway took the ribbon"),
    "puppet show": ("children sat on upturned crates", "the marionette fox lost a leg and was mended on stage"),
    "rowing race": ("eight crews lined up behind the rope", "the blue boat won by half a length"),
    "seed exchange": ("envelopes of beans changed hands", "someone had labelled every packet in green ink"),
    "map exhibition": ("charts hung on linen threads", "visitors traced old coastlines with a finger"),
    "choir rehearsal": ("the altos came in a bar too early", "the last chord was held until the windows hummed"),
    "clock repair workshop": ("springs lay sorted in tin lids", "a cuckoo called at the wrong hour"),
    "debate night": ("speakers were timed with a sand glass", "the motion fell by three votes"),
    "lantern parade": ("lights went up the hill in pairs", "the band lost its drummer at the second corner"),
}
MONTHS = [
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
]
FILLERS = (
    "The air smelled of rain and warm stone, and nobody seemed to be in a hurry.",
    "A dog slept through most of it under a bench.",
    "Somebody had left a window open, and the curtains moved all afternoon.",
    "Two strangers argued quietly about the price of coal.",
    "There was tea, then more tea, and a plate of almond biscuits.",
    "Later a tram went by, almost empty, with its lights still on.",
    "Everyone agreed that the weather had been kinder the year before.",
    "The programme listed the wrong names and the wrong times, as it always did.",
    "It was the sort of day on which people remember small things.",
    "A boy sold matches and knew the first names of all his customers.",
    "What happened next took no more than an hour, and was talked about for weeks.",
    "The chairs had been borrowed from the school and had to be back by dark.",
    "A girl counted the steps aloud and lost her place at nineteen.",
    "The stove smoked until somebody opened the flue.",
    "There were cushions for the old and crates for everyone else.",
    "An umbrella was found, claimed by three people, and left behind in the end.",
    "Word went round that the soup would not last, and it did not.",
    "The floor creaked at every step, which made whispering pointless.",
    "Someone had drawn a moustache on the poster, and it was an improvement.",
    "A baby cried, was carried out, and came back asleep.",
    "The light turned yellow, then grey, and the lamps were lit one by one.",
    "Pigeons walked between the tables as if they had paid.",
    "The kettle was never off the fire for long.",
    "Half of the coats on the rack looked the same, and two went home with the wrong owners.",
    "Nobody could agree on the tune, so they hummed what they remembered.",
    "The door had to be propped open with a brick.",
    "A clerk read out a list of rules that no one meant to follow.",
    "Chalk dust hung in the sunlight for minutes.",
    "A photograph was taken, and the tall ones were asked to kneel.",
    "The gravel had been raked into lines that lasted until the first visitors.",
    "It took four people and a good deal of advice to move the piano.",
    "Some had walked for an hour to be there and said so.",
)
OPENINGS = (
    "On {date}, the morning fog lifted late over {place}.",
    "It was {date}, and {place} had been swept before sunrise.",
    "{place} was already crowded when the day, {date}, had barely begun.",
    "By noon on {date} there was no seat left anywhere in {place}.",
)
DEEDS = (
    "{person} had come for the {content}, and it showed.",
    "It was {person} who kept the {content} going when the lamps failed.",
    "Nobody had expected {person} at the {content}, least of all the organisers.",
    "For {person} the {content} was the reason to have come at all.",
)
AGAIN = (
    "{first} said little and watched the hands of the others.",
    "Towards the end {first} took notes on the back of a ticket.",
    "“Once more,” said {first}, and they began again.",
    "{first} stayed until the floor had been swept.",
)
PASSING = (
    "Someone asked after {person}, who had not been seen for months.",
    "A postcard from {place} was passed around.",
    "They spoke of the {content} of last year, which had gone badly.",
    "A faded notice on the wall still gave the date {date}.",
)


class Episode(NamedTuple):
    """One event and where it is told.

    Args:
        chapter: number from 1.
        date: such as `March 4, 2031`.
        place: where.
        person: who.
        content: what.
        start: first code point of its chapter in the book.
        end: one past the last.
    """

    chapter: int
    date: str
    place: str
    person: str
    content: str
    start: int = 0
    end: int = 0


class Puzzle(NamedTuple):
    """A question over the whole book.

    Args:
        id: unique in the book.
        text: the question.
        asks: `chapters`, `dates`, `places`, `people` or `count`.
        answers: gold items, each once, in the order of the book; the number as a word of digits for `count`.
        chapters: numbers of the chapters that match.
    """

    id: str
    text: str
    asks: str
    answers: tuple[str, ...]
    chapters: tuple[int, ...]


@dataclass(frozen=True)
class Book:
    """A book, its events and its questions."""

    document: Document
    episodes: tuple[Episode, ...]
    puzzles: tuple[Puzzle, ...] = field(default=())


def bin_of(puzzle: Puzzle) -> str:
    """The class of a question by its matching events."""
    count = len(puzzle.chapters)
    return BINS[count] if count < 3 else "3-5" if count < 6 else "6+"


def episodic(seed: int, *, chapters: int = 60, questions: int = 8) -> Book:
    """Write a book and its questions.

    Args:
        seed: another seed, another book; the same seed, the same bytes.
        chapters: events told, one a chapter.
        questions: most questions of each class of `BINS`.
    """
    rng = random.Random(seed)
    people = [f"{a} {b}" for a, b in zip(rng.sample(FIRST, 20), rng.sample(LAST, 20), strict=True)]
    places, contents = rng.sample(PLACES, len(PLACES)), rng.sample(sorted(CONTENTS), len(CONTENTS))
    days = [f"{rng.choice(MONTHS)} {rng.randint(1, 28)}, {rng.randint(2030, 2032)}" for _ in range(chapters // 2)]
    pools = {"person": people, "place": places, "content": contents, "date": days}
    episodes: list[Episode] = []
    parts: list[str] = [f"# The Chronicle of Year {seed}\n\n"]
    at = len(parts[0])
    for number in range(1, chapters + 1):
        one = Episode(number, _drawn(rng, days), _drawn(rng, places), _drawn(rng, people), _drawn(rng, contents))
        body = _chapter(rng, one, pools)
        episodes.append(one._replace(start=at, end=at + len(body)))
        parts.append(body)
        at += len(body)
    document = Document(f"book-{seed}", "".join(parts), "", "text/markdown")
    return Book(document, tuple(episodes), tuple(_puzzles(rng, episodes, people, questions)))


def _drawn(rng: random.Random, things: Sequence[str]) -> str:
    """One of them, the earlier the likelier."""
    return things[min(int(rng.expovariate(1.0) * len(things) / 4), len(things) - 1)]


def _chapter(rng: random.Random, one: Episode, pools: Mapping[str, Sequence[str]]) -> str:
    first = one.person.split()[0]
    told = {"date": one.date, "place": one.place, "person": one.person, "content": one.content, "first": first}
    details = [f"{detail[0].upper()}{detail[1:]}." for detail in CONTENTS[one.content]]
    others = {name: rng.choice([v for v in pool if v != told[name]] or [told[name]]) for name, pool in pools.items()}
    middle = [rng.choice(AGAIN).format(**told), *details, *rng.sample(FILLERS, rng.randint(14, 22))]
    if rng.random() < 0.5:
        middle.append(rng.choice(PASSING).format(**others))
    rng.shuffle(middle)
    opening = [rng.choice(OPENINGS).format(**told), rng.choice(FILLERS)]
    deed = rng.choice(DEEDS).format(**told)
    cut = rng.randint(1, len(middle) - 1)
    story = [*middle[:cut], deed, *middle[cut:]]
    lines = [" ".join(opening), *(" ".join(story[i : i + 6]) for i in range(0, len(story), 6))]
    return f"## Chapter {one.chapter}\n\n" + "\n\n".join(lines) + "\n\n"


ASKS: Mapping[str, tuple[str, ...]] = {
    "chapters": ("Which chapters tell of {cue}?", "In which chapters does the book speak of {cue}?"),
    "dates": ("List all the dates on which {cue}.", "On which days was it that {cue}?"),
    "places": ("List all the different places where {cue}.", "What are all the locations at which {cue}?"),
    "people": ("List all the people who {cue}.", "Name every person who {cue}."),
    "count": ("How many chapters tell of {cue}?", "In how many chapters is there talk of {cue}?"),
}


def _puzzles(rng: random.Random, episodes: Sequence[Episode], people: Sequence[str], most: int) -> Iterator[Puzzle]:
    """Questions of every class, drawn without repetition."""
    cues: list[tuple[dict[str, str], list[Episode]]] = []
    seen: set[tuple[tuple[str, str], ...]] = set()
    fields = ("person", "place", "content", "date")
    wanted = [(name,) for name in fields] + [("person", "content"), ("person", "place"), ("content", "place")]
    pool = [*episodes, *(_strange(rng, episodes, people) for _ in range(len(episodes)))]
    for one in rng.sample(pool, len(pool)):
        for names in rng.sample(wanted, len(wanted)):
            cue = {name: str(getattr(one, name)) for name in names}
            if tuple(sorted(cue.items())) not in seen:
                seen.add(tuple(sorted(cue.items())))
                cues.append((cue, [e for e in episodes if all(getattr(e, k) == v for k, v in cue.items())]))
    left = dict.fromkeys(BINS, most)
    number = 0
    for cue, found in cues:
        asks = rng.choice([a for a in ASKS if not (a == "dates" and "date" in cue)])
        if (asks == "people" and "person" in cue) or (asks == "places" and "place" in cue):
            asks = "chapters"
        made = Puzzle(f"p{number}", _worded(rng, asks, cue), asks, _gold(asks, found), tuple(e.chapter for e in found))
        if left[bin_of(made)]:
            left[bin_of(made)] -= 1
            number += 1
            yield made


def _strange(rng: random.Random, episodes: Sequence[Episode], people: Sequence[str]) -> Episode:
    """An event that never was, made of things that are in the book and of people that may not be."""
    a, b, c, d = (rng.choice(episodes) for _ in range(4))
    person = d.person if rng.random() < 0.5 else f"{rng.choice(FIRST)} {rng.choice(LAST)}"
    return Episode(0, a.date, b.place, person if person not in people else d.person, c.content)


def _worded(rng: random.Random, asks: str, cue: Mapping[str, str]) -> str:
    person, place, content, date = (cue.get(name) for name in ("person", "place", "content", "date"))
    where, when = f" at {place}" if place else "", f" on {date}" if date else ""
    if asks in ("chapters", "count"):
        told = " and ".join(one for one in (person, f"a {content}" if content else "") if one) or "events"
    elif asks == "people":
        told = f"took part in a {content}" if content else "took part in something"
    else:
        told = f"{person or 'somebody'} {f'took part in a {content}' if content else 'was seen'}"
    return rng.choice(ASKS[asks]).format(cue=f"{told}{where}{when}")


def _gold(asks: str, found: Sequence[Episode]) -> tuple[str, ...]:
    if asks == "count":
        return (str(len(found)),)
    if asks == "chapters":
        return tuple(f"Chapter {e.chapter}" for e in found)
    name = {"dates": "date", "places": "place", "people": "person"}[asks]
    return tuple(dict.fromkeys(str(getattr(e, name)) for e in found))
