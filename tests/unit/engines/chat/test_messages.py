import pytest

from toplu.engines.chat.messages import write_messages
from toplu.engines.prompt import Image, Turn

RED = Image(media_type="image/png", width=2, height=1, data=b"red")
BLUE = Image(media_type="image/jpeg", width=3, height=4, data=b"blue")


def test_a_turn_keeps_texts_and_images_apart():
    turn = Turn("user", ("a", RED, "b", BLUE))
    assert (turn.text, turn.images, turn.parts) == ("a\nb", (RED, BLUE), ("a", RED, "b", BLUE))
    assert (Turn("user", "a").text, Turn("user", "a").images) == ("a", ())
    assert (Turn("user", (RED,)).text, Turn("user", (RED,)).images) == ("", (RED,))


@pytest.mark.parametrize(
    ("content", "after"),
    [
        ("b", "ab"),
        (("b", RED), ("ab", RED)),
        ((RED, "b"), ("a", RED, "b")),
        ((RED,), ("a", RED)),
    ],
)
def test_text_comes_before_all_that_a_turn_has(content, after):
    assert Turn("user", content).after("a") == Turn("user", after)


def test_chat_servers_are_given_images_as_data_uris():
    turns = (Turn("system", "s"), Turn("user", ("a", RED, BLUE, "b")))
    assert write_messages(turns) == [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,cmVk"}},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,Ymx1ZQ=="}},
                {"type": "text", "text": "b"},
            ],
        },
    ]
