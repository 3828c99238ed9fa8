"""Two hundred real questions: forty subjects, five things a person asks about each."""

from typing import Any

SUBJECTS = """photosynthesis; the water cycle; gravity; vaccines; inflation; the French Revolution;
black holes; plate tectonics; the printing press; democracy; antibiotics; the Silk Road; evolution;
electric cars; coral reefs; the Roman Empire; bread baking; jet engines; the human heart; insurance;
volcanoes; the internet; chess; the Industrial Revolution; honey bees; the stock market; sleep;
solar power; the Great Wall of China; tides; DNA; refrigerators; the United Nations; poetry;
earthquakes; the Olympic Games; coffee; bridges; the ozone layer; libraries"""

FORMS = (
    "What is the main idea behind {subject}?",
    "Why does {subject} matter to ordinary people?",
    "Name one common misunderstanding about {subject} and correct it.",
    "Explain {subject} to a ten year old child.",
    "What would be different in the world without {subject}?",
)

SYSTEM = "You are a patient teacher. Answer in two or three plain sentences, without a list."
OUTPUT_TOKENS = 48


def questions() -> list[dict[str, Any]]:
    """Return the lines of the input file; what a subject is asked does not stand together."""
    subjects = [subject.strip() for subject in SUBJECTS.replace("\n", " ").split(";")]
    texts = [form.format(subject=subject) for form in FORMS for subject in subjects]
    return [_line(f"question-{number}", text) for number, text in enumerate(texts)]


def _line(key: str, text: str) -> dict[str, Any]:
    return {
        "key": key,
        "request": {
            "systemInstruction": {"parts": [{"text": SYSTEM}]},
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "generationConfig": {"temperature": 0, "seed": 1, "maxOutputTokens": OUTPUT_TOKENS},
        },
    }
