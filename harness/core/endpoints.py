"""Models behind an OpenAI-compatible server: how they are asked for, and the options of a model spec that names one."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from harness.core.errors import HarnessError
from harness.core.specs import ModelSpec
from harness.core.strict_spec import Strict
from harness.core.text import shown

PREFIX = "openai:"
"""Begins what names an endpoint: `openai:http://localhost:8000#name`."""
LEARNER = "endpoint"
KEY_VARIABLE = "OPENAI_API_KEY"


def _plain_url(url: str) -> str:
    """The address of a server without the `/v1` that is added to it. Raises ValueError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"no address of a server: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("give the address of a server, such as http://localhost:8000")
    if parts.username is not None or parts.password is not None or parts.query:
        raise ValueError("an address holds no user, password or query: a key comes from an environment variable")
    if any(not letter.isprintable() or letter.isspace() for letter in url):
        raise ValueError("an address holds no spaces or control characters")
    path = parts.path.rstrip("/").removesuffix("/v1")
    return f"{parts.scheme}://{parts.netloc}{path}"


class EndpointOptions(Strict):
    """The `options` of a model spec whose learner is `endpoint`.

    `url` is that of the server, `model` what it calls the model. The API key, where it wants one, is read from the
    environment variable `api_key_env` and kept nowhere. No more than `requests_per_minute` are sent, by all processes
    that share a results folder, and `concurrency` at once by each. One that takes more than `timeout` seconds, that
    meets a busy or failing server, or that gets no answer is sent again, up to `retries` times. `start` is the text of
    the token that begins a text, where the server's tokenizer puts none before it; without it the usual ones are tried.
    """

    url: Annotated[str, AfterValidator(_plain_url)]
    model: str = Field(min_length=1)
    api_key_env: str = Field(default=KEY_VARIABLE, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    requests_per_minute: float | None = Field(default=None, gt=0)
    concurrency: int = Field(default=8, ge=1, le=1024)
    timeout: float = Field(default=120.0, gt=0, le=86400)
    retries: int = Field(default=6, ge=0, le=100)
    start: str | None = Field(default=None, min_length=1)


def endpoint_spec(name: str, plain_name: str) -> ModelSpec:
    """The model spec of `openai:URL#NAME`.

    Args:
        name: As it is asked for.
        plain_name: What tables call it.

    Raises:
        HarnessError: no name behind the address.
    """
    url, _, model = name.removeprefix(PREFIX).partition("#")
    if not url or not model:
        raise HarnessError(
            f"model {shown(name)}: behind the address comes what the server calls the model: "
            "openai:http://localhost:8000#NAME"
        )
    return ModelSpec(name=plain_name, learner=LEARNER, options={"url": url, "model": model})
