"""Three thousand sentences of one to some hundred words, made of the subjects of the questions."""

from questions import FORMS, SUBJECTS

COUNT = 3000
# How many questions stand in one text: most are short, a few fill what the model reads.
LENGTHS = (1, 1, 2, 1, 3, 1, 2, 1, 1, 12)


def sentences() -> list[str]:
    """Return the texts; short and long ones stand side by side."""
    subjects = [subject.strip() for subject in SUBJECTS.replace("\n", " ").split(";")]
    questions = [form.format(subject=subject) for form in FORMS for subject in subjects]
    texts = []
    for number in range(COUNT):
        length = LENGTHS[number % len(LENGTHS)]
        chosen = [questions[(number * 7 + step * 3) % len(questions)] for step in range(length)]
        texts.append(f"{number}. {' '.join(chosen)}")
    return texts
