"""The reasons why an unfinished job waits, and the texts about them, as people read them."""

from enum import StrEnum


class Reason(StrEnum):
    """Names what a job waits for."""

    DRAINING = "DRAINING"
    STORAGE = "STORAGE"
    PLANNING = "PLANNING"
    ENGINE_DOWN = "ENGINE_DOWN"
    PAUSED = "PAUSED"
    BUDGET = "BUDGET"
    WINDOW = "WINDOW"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    FINISHING = "FINISHING"


# `engine`: its name; `state`: its state; `fault`: why the data folder cannot be written to;
# `begins`: when the batch may go on; `hours`: of the project.
MESSAGES = {
    Reason.DRAINING: "The server is shutting down. The batch goes on when it is up again.",
    Reason.STORAGE: (
        "The data folder cannot be written to: {fault}. It is tried again by itself; nothing that "
        "was answered is lost."
    ),
    Reason.PLANNING: "The requests are being put into order.",
    Reason.ENGINE_DOWN: "The engine {engine} is {state}; requests go on when it is READY.",
    Reason.PAUSED: "The batch is paused. It goes on when it is resumed, and its time runs on.",
    Reason.BUDGET: ("The project has spent what it may on one day. The batch goes on at {begins}."),
    Reason.WINDOW: "Batches of the project run {hours}. The batch goes on at {begins}.",
    Reason.QUEUED: "Every lane of the engine is at work for other batches.",
    Reason.RUNNING: "Requests are being answered.",
    Reason.FINISHING: "The last results are being put into order.",
}
BATCH_USED_UP = (
    "The batch has cost what one may. It goes on when its project may spend more on a batch, and "
    "its time runs on."
)
ENGINE_GONE = "The model {engine} is not in the catalogue any more."

# `finish`, `target` and `expires` are times; `cost` and `cap` amounts.
TOO_DEAR = (
    "This batch is expected to cost about {cost}, and one of its project may cost {cap}: it will "
    "wait then."
)
AFTER_TARGET = (
    "At the measured speed this batch is finished at about {finish}, after its target of {target}."
)
NOT_BEFORE = (
    "By the hours and the budget of its project this batch is not finished before {finish}; its "
    "target is {target}, and it expires at {expires}."
)
AFTER_EXPIRY = (
    "At the measured speed this batch needs until about {finish} and expires at {expires}. "
    "Results so far stay readable. The rest may be retried."
)
