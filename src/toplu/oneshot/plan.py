"""All that can be found out of a run before anything runs."""

import os
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from toplu.errors import ConfigurationError, RequestError
from toplu.job import Method, Wire
from toplu.oneshot.model_choice import settings_of
from toplu.oneshot.options import AskOptions, RunOptions
from toplu.oneshot.rows.answers import AnswerForm, TextAnswers, VectorAnswers
from toplu.oneshot.rows.openai_lines import OpenaiOutput, OpenaiQuestions
from toplu.oneshot.rows.outputs import LineOutput, Output, RowOutput, columns_of
from toplu.oneshot.rows.questions import (
    EmbeddingQuestions,
    LineQuestions,
    Questions,
    TableQuestions,
    wire_of,
)
from toplu.oneshot.rows.schema_fields import AnswerSchema
from toplu.oneshot.run_folder import InputMark, name_of
from toplu.oneshot.stops import reserve_of
from toplu.settings.server import Settings
from toplu.tables.files import JSON_SUFFIXES, check_written, open_table

ASKED = ("prompt", "system", "schema", "image", "temperature", "seed", "max_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPlan:
    """Questions that fit their input, and the model that is asked."""

    questions: Questions
    schema: AnswerSchema | None
    settings: Settings | None  # of the private server; None: a running one is asked
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """A run whose options fit each other and its input."""

    options: RunOptions
    mark: InputMark
    questions: Questions
    form: AnswerForm
    settings: Settings | None  # of the private server; None: a running one is asked
    model: str
    name: str  # of the run
    mode: int  # of the output file

    def output(self, file: BinaryIO, missing: RequestError) -> Output:
        """Return what writes the output; `missing` is why a result is not there."""
        if _writes_lines(self.options):
            if isinstance(self.questions, LineQuestions):
                return LineOutput(file, self.questions, missing=missing)
            if isinstance(self.questions, OpenaiQuestions):
                return OpenaiOutput(file, self.questions, missing=missing)
        return RowOutput(
            self.options.output,
            file,
            self.questions,
            self.form,
            prefix=self.options.prefix,
            missing=missing,
        )


def ask_plan_of(options: AskOptions, *, keeps_form: bool, proves: bool = True) -> AskPlan:
    """Return who is asked what, or raise ConfigurationError that says what is wrong; blocking.

    `keeps_form`: answers to lines of an API are to be lines of that API. `proves`: a line that is
    no request is an error.
    """
    if not options.source.is_file():
        raise ConfigurationError(f"{options.source}: there is no such file")
    schema = None if options.schema is None else AnswerSchema.read(options.schema)
    questions = _questions_of(options, schema, keeps_form=keeps_form, proves=proves)
    named = questions.model if isinstance(questions, OpenaiQuestions) else None
    settings, model = _model_of(options, options.model or named, questions.method)
    return AskPlan(questions=questions, schema=schema, settings=settings, model=model)


def plan_of(options: RunOptions) -> RunPlan:
    """Return the plan, or raise ConfigurationError that says what is wrong; blocking."""
    _check_files(options)
    asked = ask_plan_of(options, keeps_form=_writes_lines(options))
    questions, schema, settings = asked.questions, asked.schema, asked.settings
    form = VectorAnswers() if questions.method is Method.EMBED else TextAnswers(schema)
    columns_of(questions, form, options.prefix)
    if settings is not None:
        reserve = reserve_of(options.seconds_max) / 2
        drain_seconds = min(settings.drain_seconds, reserve)
        settings = msgspec.structs.replace(settings, drain_seconds=drain_seconds)
    mark = InputMark(options.source)
    return RunPlan(
        options=options,
        mark=mark,
        questions=questions,
        form=form,
        settings=settings,
        model=asked.model,
        name=name_of(
            options,
            mark,
            asked.model.encode() if settings is None else msgspec.json.encode(settings.models[0]),
            None if schema is None else msgspec.json.encode(schema.schema),
        ),
        mode=_usual_mode(),
    )


def _check_files(options: RunOptions) -> None:
    check_written(options.output)
    if (
        options.output.exists()
        and options.source.exists()
        and options.output.samefile(options.source)
    ):
        raise ConfigurationError(f"{options.output}: is the input; write to another file")
    folder = options.output.resolve().parent
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: there is no such folder to write into")
    if not os.access(folder, os.W_OK):
        raise ConfigurationError(f"{folder}: cannot be written into")


def _questions_of(
    options: AskOptions, schema: AnswerSchema | None, *, keeps_form: bool, proves: bool
) -> Questions:
    given = [name for name in ASKED if getattr(options, name) is not None]
    if options.embed is not None:
        if given:
            raise ConfigurationError(f"--embed and {_flag(given[0])} do not go together")
        return EmbeddingQuestions(open_table(options.source), options.embed, options.limit)
    wire = None if options.prompt is not None else wire_of(options.source)
    if wire is not None and given:
        raise ConfigurationError(
            f"{options.source}: its lines are requests, which say all themselves; "
            f"leave {_flag(given[0])} out"
        )
    match wire:
        case None:
            return TableQuestions(options, open_table(options.source), schema)
        case Wire.GEMINI:
            return LineQuestions(options.source, options.limit, proves=proves)
        case Wire.OPENAI:
            return OpenaiQuestions(options.source, options.limit, one_text=not keeps_form)


def _model_of(
    options: AskOptions, named: str | None, method: Method
) -> tuple[Settings | None, str]:
    if options.server is None:
        settings = settings_of(options, named, method)
        return settings, settings.models[0].name
    if options.config is not None:
        raise ConfigurationError("--config is for a private server, and --server names another")
    if named is None:
        raise ConfigurationError(f"name a model of {options.server} with --model")
    return None, named.removeprefix("models/")


def _writes_lines(options: RunOptions) -> bool:
    """Return whether answers to lines of an API are to be lines of that API."""
    return options.output.suffix.lower() in JSON_SUFFIXES


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _usual_mode() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
