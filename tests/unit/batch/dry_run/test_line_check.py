"""The lines of an input, summed up before any of them is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from toplu.batch.dry_run.findings import FAULTS_MAX, Findings, Kind, Reading
from toplu.batch.dry_run.line_check import output_limit_of, text_bytes_of
from toplu.batch.dry_run.reading_child import read_input
from toplu.batch.plan.ordering import PlanRules
from toplu.job import Method
from toplu.settings.model import ModelSettings
from toplu.wire.gemini.content import Content, GenerateContentRequest, GenerationConfig, Part
from toplu.wire.gemini.embedding import EmbedContentRequest

ECHO = ModelSettings(name="echo", engine="echo", output_tokens_max=100)
EMBEDDER = ModelSettings(name="embedder", engine="echo_embedder")
SHARED = "The same beginning of every question, which is long enough to be worth something. "


def asking(text: str, **config: Any) -> dict[str, Any]:
    return {"contents": [{"parts": [{"text": text}]}]} | (
        {"generationConfig": config} if config else {}
    )


def found(
    folder: Path,
    lines: list[Any],
    *,
    model: ModelSettings = ECHO,
    method: Method = Method.GENERATE,
    requests_max: int = 10**6,
    sample_max: int = 100,
    long_bytes: int = 10_000,
) -> Findings:
    source = folder / "input.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    source.write_text("\n".join(texts))
    rules = PlanRules(
        method=method,
        batch_model="gemini-2.5-flash",
        model=model,
        deduplication="deterministic",
        requests_max=requests_max,
        line_bytes_max=100_000,
        shard_requests_max=100,
        shard_bytes_max=10**6,
    )
    (folder / "work").mkdir()
    return read_input(
        Reading(
            rules=rules,
            input_path=str(source),
            folder=str(folder / "work"),
            samples_max=dict.fromkeys(Kind, sample_max),
            long_bytes=long_bytes,
        )
    )


def test_each_fault_is_named_with_its_line_and_key(tmp_path: Path) -> None:
    findings = found(
        tmp_path,
        [
            {"key": "good", "request": asking("one")},
            "",
            {"key": "empty", "request": {"contents": []}},
            "no JSON",
            {"key": "other", "request": asking("two") | {"model": "models/gemini-2.5-pro"}},
            {"key": "long", "request": asking("x" * 100_000)},
            {
                "key": "schema",
                "request": asking(
                    "y",
                    responseMimeType="application/json",
                    responseJsonSchema={"type": "nonsense"},
                ),
            },
        ],
    )
    assert (findings.total, findings.faulty, findings.run_count) == (6, 5, 1)
    told = {fault.number: (fault.key, fault.message) for fault in findings.faults}
    assert set(told) == {3, 4, 5, 6, 7}
    assert [told[number][0] for number in (3, 4, 5, 7)] == ["empty", None, "other", "schema"]
    assert "contents is not specified" in told[3][1]
    assert "not the model of the batch" in told[5][1]
    assert "longer than 100000 bytes" in told[6][1]
    assert "response_json_schema" in told[7][1]


def test_so_many_faults_are_named_and_all_are_counted(tmp_path: Path) -> None:
    findings = found(tmp_path, ["{}"] * (FAULTS_MAX + 20))
    assert findings.faulty == FAULTS_MAX + 20
    assert [fault.number for fault in findings.faults] == list(range(1, FAULTS_MAX + 1))


def test_duplicates_are_those_that_would_run_once(tmp_path: Path) -> None:
    same = {"request": asking("again", temperature=0)}
    drawn = {"request": asking("again", temperature=1)}
    findings = found(tmp_path, [same, drawn, same, drawn, same])
    assert findings.duplicates == 2
    assert findings.run_count == 3
    assert findings.text_bytes == 3 * len("again")


def test_shared_beginnings_are_counted_in_the_order_of_the_plan(tmp_path: Path) -> None:
    findings = found(tmp_path, [asking(f"{SHARED}{number}") for number in range(10)])
    # About: the roles of the turns are part of what is compared.
    assert 9 * len(SHARED) <= findings.shared_bytes <= 9 * (len(SHARED) + 1)
    apart = tmp_path / "apart"
    apart.mkdir()
    assert found(apart, [asking(f"{number} {SHARED}") for number in range(10)]).shared_bytes < 100


def test_requests_are_of_the_kind_that_they_have_to_be_looked_at_as(tmp_path: Path) -> None:
    with_file = asking("and this")
    with_file["contents"][0]["parts"].append({"fileData": {"fileUri": "files/abc"}})
    lines = [
        asking("plain"),
        asking("l" * 500),
        with_file,
        asking("cached") | {"cachedContent": "cachedContents/abc"},
    ]
    findings = found(tmp_path, lines, long_bytes=500)
    counts = {kind: stratum.count for kind, stratum in findings.strata.items()}
    assert counts == {Kind.PLAIN: 1, Kind.LONG: 1, Kind.LOOKED_UP: 2}
    assert findings.faulty == 0


def test_a_sample_is_bounded_spread_and_the_same_again(tmp_path: Path) -> None:
    lines = [asking(f"question {number}") for number in range(500)]
    samples = []
    for again in ("one", "two"):
        folder = tmp_path / again
        folder.mkdir()
        stratum = found(folder, lines, sample_max=50).strata[Kind.PLAIN]
        assert stratum.count == 500
        assert len({line.number for line in stratum.sample}) == 50
        samples.append(stratum.sample)
    assert samples[0] == samples[1]
    assert min(line.number for line in samples[0]) < 100
    assert max(line.number for line in samples[0]) > 400


def test_limits_of_answers_are_summed_up(tmp_path: Path) -> None:
    lines = [
        *(asking(f"a {number}", maxOutputTokens=10) for number in range(3)),
        asking("b", maxOutputTokens=10**6),
        asking("c", maxOutputTokens=20, candidateCount=2),
        asking("d"),
    ]
    assert found(tmp_path, lines).output_limits == [(10, 3), (40, 1), (100, 2)]


def test_more_requests_than_a_batch_may_have_are_refused(tmp_path: Path) -> None:
    findings = found(tmp_path, [asking("x")] * 4, requests_max=3)
    assert findings.refusal == "A batch may have 3 requests at most."


def test_texts_to_embed_are_read_by_their_own_rules(tmp_path: Path) -> None:
    line = {"request": {"content": {"parts": [{"text": "some text"}]}}}
    wrong = {"request": {"content": {"parts": [{"text": "x"}]}, "outputDimensionality": 10**6}}
    findings = found(tmp_path, [line, line, wrong], model=EMBEDDER, method=Method.EMBED)
    assert (findings.faulty, findings.duplicates, findings.run_count) == (1, 1, 1)
    assert findings.output_limits == [(0, 1)]


@pytest.mark.parametrize(("text", "expected"), [("abc", 3), ("äöü", 6), ("", 0)])
def test_text_is_measured_in_bytes(text: str, expected: int) -> None:
    content = Content(parts=[Part(text=text)])
    assert text_bytes_of(GenerateContentRequest(contents=[content])) == expected
    assert text_bytes_of(EmbedContentRequest(content=content)) == expected
    both = GenerateContentRequest(contents=[content], system_instruction=content)
    assert text_bytes_of(both) == 2 * expected


def test_no_answer_is_longer_than_the_model_allows() -> None:
    asked = GenerateContentRequest(generation_config=GenerationConfig(max_output_tokens=500))
    assert output_limit_of(asked, ECHO) == 100
    assert output_limit_of(GenerateContentRequest(), ECHO) == 100
