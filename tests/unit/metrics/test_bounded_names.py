from toplu.metrics.bounded_names import OTHER, BoundedNames


def test_the_first_names_keep_labels_of_their_own() -> None:
    names = BoundedNames(2)
    assert [names.of(name) for name in ("a", "b", "c", "a", "d", "b")] == [
        *("a", "b", OTHER, "a", OTHER, "b")
    ]
