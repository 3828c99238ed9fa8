"""Passages with several questions each, shuffled: what a reading-comprehension set looks like.

The text is put together from sentences written for this project, so that no set has to be fetched.
"""

import random
from typing import Any

PLACES = (
    "harbour",
    "mill",
    "school",
    "market",
    "forest",
    "station",
    "garden",
    "castle",
    "bridge",
    "inn",
)
PEOPLE = (
    "keeper",
    "baker",
    "teacher",
    "clerk",
    "ranger",
    "porter",
    "gardener",
    "guard",
    "mason",
    "cook",
)
SENTENCES = (
    "The {place} of Town {number} was built by a {person} who had come from the coast.",
    "Every morning the {person} opens the {place} at {hour} and closes it when all have left.",
    "In the winter of {year} the roof of the {place} fell in, and {count} neighbours mended it.",
    "The {person} keeps {count} keys on a ring and knows by the sound which door each opens.",
    "People say that beneath the {place} there is a cellar with {count} barrels in it.",
    "A class of {count} children painted the doors of the {place} green in the spring of {year}.",
    "When the river rose in {year}, the {person} carried {count} boxes up to the attic.",
    "Whoever asks the {person} about the {place} is told three stories, of which one is true.",
)
QUESTIONS = (
    "Who built it?",
    "When does it open?",
    "What happened to the roof?",
    "How many keys are there?",
)
OUTPUT_TOKENS = 12


def passages(count: int) -> list[str]:
    """Return so many passages of about 200 tokens."""
    chance = random.Random(11)
    made = []
    for number in range(count):
        place, person = PLACES[number % len(PLACES)], chance.choice(PEOPLE)
        made.append(
            " ".join(
                sentence.format(
                    place=place,
                    person=person,
                    number=number,
                    hour=chance.randrange(5, 11),
                    year=chance.randrange(1801, 1999),
                    count=chance.randrange(3, 90),
                )
                for sentence in SENTENCES
            )
        )
    return made


def lines(count: int) -> list[dict[str, Any]]:
    """Return the lines of an input file with four questions about each passage, shuffled."""
    made = [
        {
            "key": f"{number}-{place}",
            "request": {
                "contents": [{"role": "user", "parts": [{"text": f"{passage}\n{question}"}]}],
                "generationConfig": {"temperature": 0, "seed": 1, "maxOutputTokens": OUTPUT_TOKENS},
            },
        }
        for number, passage in enumerate(passages(count))
        for place, question in enumerate(QUESTIONS)
    ]
    random.Random(12).shuffle(made)
    return made
