"""The figures of a dry run, of either API, as the page shows them. Pure."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultView:
    """A line that cannot be answered."""

    line: int
    key: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A batch that is not made yet."""

    requests: int
    faulty: int
    duplicates: int
    prompt_tokens: int
    output_tokens: tuple[int, int]
    shared: float
    currency: str
    cost: tuple[str, str]
    finish: tuple[str, str] | None
    faults: list[FaultView] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)  # of the file as a whole
    warnings: list[str] = field(default_factory=list)


def figures_of(found: dict[str, Any]) -> Figures:
    """Return the figures that an API said."""
    return _of_openai(found) if "object" in found else _of_gemini(found)


def _of_gemini(found: dict[str, Any]) -> Figures:
    output, cost = found["outputTokens"], found["expectedCost"]
    finish = found.get("expectedFinish")
    return Figures(
        requests=int(found["requestCount"]),
        faulty=int(found["faultyRequestCount"]),
        duplicates=int(found["duplicateRequestCount"]),
        prompt_tokens=int(found["promptTokens"]["tokenCount"]),
        output_tokens=(int(output["lowest"]), int(output["highest"])),
        shared=found["sharedPrefixes"]["promptShare"],
        currency=cost["prompts"]["currency"],
        cost=(cost["lowest"]["amount"], cost["highest"]["amount"]),
        finish=None if finish is None else (finish["earliest"], finish["latest"]),
        faults=[
            FaultView(
                line=it["lineNumber"],
                key=str(it.get("key") or ""),
                message=it["error"]["message"].strip(),
            )
            for it in found.get("faultyLines", [])
        ],
        warnings=found.get("warnings", []),
    )


def _of_openai(found: dict[str, Any]) -> Figures:
    counts, models, cost = found["request_counts"], found["models"], found["expected_cost"]
    refusals = (found["errors"] or {"data": []})["data"]
    return Figures(
        requests=counts["total"],
        faulty=counts["faulty"],
        duplicates=counts["duplicate"],
        prompt_tokens=sum(it["input_tokens"]["token_count"] for it in models),
        output_tokens=(
            sum(it["output_tokens"]["lowest"] for it in models),
            sum(it["output_tokens"]["highest"] for it in models),
        ),
        shared=max((it["shared_prompt_share"] for it in models), default=0.0),
        currency="" if cost is None else cost["currency"],
        cost=("0", "0") if cost is None else (cost["lowest"], cost["highest"]),
        finish=None,
        faults=[
            FaultView(line=it["line"], key=it["custom_id"], message=it["error"]["message"])
            for it in found["faulty_lines"]
        ],
        refusals=[
            it["message"] if it["line"] is None else f"Line {it['line']}: {it['message']}"
            for it in refusals
        ],
        warnings=[warning for it in models for warning in it["warnings"]],
    )
