import pytest

from toplu.documents.formats.web_page import read_page


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<title>T</title><p>a\n  b</p><p>c</p>", "T\n\na b\n\nc"),
        ("<h1>One</h1>text<h3>Two</h3>", "# One\n\ntext\n\n### Two"),
        ("<ul><li>a<li>b<ol><li>c</li><li>d</li></ol></li></ul>", "- a\n- b\n  1. c\n  2. d"),
        (
            "<table><tr><th>a</th><th>b</th></tr><tr><td>1<td>2</table>",
            "a | b\n1 | 2",
        ),
        ("<pre>x = 1\n  y</pre>", "x = 1\n  y"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<b>bo</b>ld &amp; <a href='x'>link</a> &#65;", "bold & link A"),
        ("<blockquote>said</blockquote>", "> said"),
        ("<img alt='a cat' src=x> sits", "a cat sits"),
        ("a<script>if (1 < 2) alert('</p>')</script><style>p{}</style>b", "ab"),
        ("<svg><text>no</text></svg><noscript>no</noscript>yes", "yes"),
        ("<!-- no --><!DOCTYPE html>yes", "yes"),
        ("never closed <p>but <b>read", "never closed\n\nbut read"),
        ("", ""),
    ],
)
def test_the_text_keeps_what_the_layout_says(page: str, text: str) -> None:
    assert read_page(page) == text
