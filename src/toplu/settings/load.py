"""Reads the settings from three places, and refuses what is none.

The same names work in each, the later one winning: a TOML file, the environment
(`TOPLU_PORT=8080`) and the command line (`--port 8080`).
"""

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from toplu.errors import ConfigurationError
from toplu.run_hours import RunHours
from toplu.settings.cluster import check_cluster
from toplu.settings.environment import find_settings, read_variable
from toplu.settings.hosts import HOST_NAME, ORIGIN, address_fault
from toplu.settings.mistakes import explain
from toplu.settings.model import Kind, ModelSettings
from toplu.settings.outbound import check_allowed, check_networks
from toplu.settings.package_index import find_package_index
from toplu.settings.remote import check_gemini_servers, check_servers, check_vllm
from toplu.settings.replicas import check_placement, check_replicas
from toplu.settings.server import Settings, TierSettings
from toplu.settings.storage.bucket import check_bucket
from toplu.settings.storage.store import check_store


def load(
    config: Path | None = None,
    environment: dict[str, str] | None = None,
    overrides: dict[str, Any] | None = None,
) -> Settings:
    """Return the settings, or raise ConfigurationError that names the bad one and its source."""
    environment = dict(os.environ) if environment is None else environment  # noqa: TID251
    values: dict[str, Any] = {"package_index_url": find_package_index(environment)}
    if config is not None:
        values |= _checked(_read_toml(config), str(config))
    for variable, name in find_settings(environment, _named_variables(values)).items():
        values |= _checked({name: read_variable(name, environment[variable])}, variable)
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    values |= _checked(given, "command line")
    settings = Settings(**values)
    if settings.search.provider == "searxng" and not settings.search.url:
        raise ConfigurationError("search: provider searxng needs the url of the server")
    _check_addresses(settings)
    _check_proxies(settings)
    check_networks("webhooks", settings.webhooks.allowed_networks)
    check_networks("inputs", settings.inputs.allowed_networks)
    check_allowed(settings.inputs)
    check_cluster(settings.cluster)
    if settings.bucket is not None:
        check_bucket(settings.bucket)
    check_store(settings.store)
    if len({model.name for model in settings.models}) != len(settings.models):
        raise ConfigurationError("models: two entries have the same name")
    for model in settings.models:
        _check_engine(model)
        check_replicas(model)
    check_placement(settings)
    _check_tiers(settings)
    for model in settings.models:
        _check_sight(model)
        _check_source(model)
    return settings


def _named_variables(values: dict[str, Any]) -> set[str | None]:
    """Return the variables of the operator's that settings name: they have keys and passwords."""
    models = values.get("models", ())
    named = {server.key_env for model in models for server in model.servers}
    return named | {values["store"].url_env} if "store" in values else named


def _check_addresses(settings: Settings) -> None:
    for name, url in (
        ("public_url", settings.public_url),
        ("search: url", settings.search.url),
        ("traces_url", settings.traces_url),
    ):
        if url is not None and (fault := address_fault(url)):
            # Not printed: it may have a password in it.
            raise ConfigurationError(f"{name} {fault}")
    for host in settings.allowed_hosts:
        if HOST_NAME.fullmatch(host) is None:
            raise ConfigurationError(
                f"allowed_hosts: `{host}` is no name of a host, such as batch.example: a name has "
                "neither a scheme nor a port"
            )
    for origin in settings.allowed_origins:
        if ORIGIN.fullmatch(origin) is None:
            raise ConfigurationError(
                f"allowed_origins: `{origin}` is no origin, such as https://app.example: an origin "
                "has a scheme and no path"
            )


def _check_proxies(settings: Settings) -> None:
    for network in settings.trusted_proxies:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise ConfigurationError(
                f"trusted_proxies: `{network}` is no address or network, such as 10.0.0.0/8"
            ) from None


def _check_engine(model: ModelSettings) -> None:
    check_servers(model.name, model.servers, remote=model.is_remote and not model.runs_server)
    if model.kind is not model.engine_kind and (not model.is_remote or model.runs_server):
        raise ConfigurationError(
            f"models: {model.name}: the engine {model.engine} is of kind {model.engine_kind}"
        )
    is_alone = model.engine == "llama_cpp" and model.lanes == model.replicas == 1
    if model.reproducible and not is_alone:
        raise ConfigurationError(
            f"models: {model.name}: reproducible is for the engine llama_cpp with lanes = 1 and "
            "replicas = 1"
        )
    if model.engine == "gemini_server":
        check_gemini_servers(model.name, model.servers, model.remote)
    if model.runs_server:
        check_vllm(model.name, model.vllm, model.replicas_most)
    elif model.is_remote and model.replicas > len(model.servers):
        raise ConfigurationError(
            f"models: {model.name}: its {len(model.servers)} servers cannot be dealt into "
            f"{model.replicas} replicas; set replicas to {len(model.servers)} at most"
        )


def _check_tiers(settings: Settings) -> None:
    if not settings.tiers:
        raise ConfigurationError("tiers: there must be one at least")
    if len({tier.name for tier in settings.tiers}) != len(settings.tiers):
        raise ConfigurationError("tiers: two entries have the same name")
    names = {model.name for model in settings.models}
    for tier in settings.tiers:
        _check_hours(tier)
        for model in tier.enqueued_tokens_of:
            if model not in names:
                raise ConfigurationError(
                    f"tiers: enqueued_tokens_of of {tier.name} names {model}, "
                    "which is not in the catalogue"
                )


def _check_hours(tier: TierSettings) -> None:
    if tier.run is None:
        if tier.time_zone != "UTC":
            raise ConfigurationError(f"tiers: time_zone of {tier.name} says nothing without `run`")
        return
    try:
        RunHours.of(tier.run, tier.time_zone)
    except ValueError as error:
        raise ConfigurationError(f"tiers: run of {tier.name}: {error}") from error


def _check_sight(model: ModelSettings) -> None:
    if model.projector is not None and model.engine != "llama_cpp":
        raise ConfigurationError(f"models: {model.name}: a projector is for llama_cpp models")
    if model.vision and model.engine == "llama_cpp":
        raise ConfigurationError(f"models: {model.name}: llama_cpp sees with a projector alone")
    if model.vision and model.kind is Kind.EMBEDDING:
        raise ConfigurationError(f"models: {model.name}: embedding models read text alone")


def _check_source(model: ModelSettings) -> None:
    if model.source is None and model.engine in ("llama_cpp", "onnx_embedder"):
        raise ConfigurationError(
            f"models: {model.name}: the engine {model.engine} needs a source: path:FILE, "
            "wheel:PACKAGE==VERSION/FILE or hub:OWNER/REPO/FILE"
        )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: is not TOML: {error}") from error


def _checked(values: dict[str, Any], source: str) -> dict[str, Any]:
    """Return the values in their types; a string is read as the type that the field has."""
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_read_path)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{source}: {explain(error, Settings)}") from error
    return {name: getattr(settings, name) for name in values}


def _read_path(kind: type, value: Any) -> Any:
    """Return the one kind of value that msgspec does not know."""
    if kind is Path and isinstance(value, str | Path) and str(value):
        return Path(value)
    raise ValueError("expected the path of a file or a folder")
