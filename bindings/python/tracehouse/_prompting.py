"""Prompts: versions, aliases, tags, and what traces say of them. A part of `database.Database`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tracehouse import _native
from tracehouse._base import Base
from tracehouse._options import as_texts, json_text, optional_text

if TYPE_CHECKING:
    from tracehouse.prompts import Prompt, PromptInfo, PromptStats


class Prompting(Base):
    """What keeps prompts."""

    def register_prompt(
        self,
        name: str,
        template: str | Iterable[Mapping[str, Any]],
        commit_message: str | None = None,
        tags: Mapping[str, str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        model_config: Mapping[str, Any] | None = None,
        *,
        aliases: str | Iterable[str] = (),
    ) -> Prompt:
        """Stores the next version of a prompt, which is made if there is none of the name.

        Args:
            name: the prompt.
            template: a text, or messages of a chat (`{"role": .., "content": ..}`), with `{{variables}}`.
            commit_message: why this version.
            tags: tags of the version; they are written to the prompt as well.
            response_format: how the answer must look, usually a JSON schema.
            model_config: provider, model and its settings.
            aliases: aliases that name this version from now on.

        Raises:
            InvalidInputError: a name, template, tag or alias that is not allowed.
        """
        from tracehouse._given import refused
        from tracehouse.prompts import Prompt

        content = {
            "template": template if isinstance(template, str) else [dict(message) for message in template],
            "response_format": None if response_format is None else dict(response_format),
            "model_config": None if model_config is None else dict(model_config),
        }
        own = {str(key): optional_text(value) for key, value in (tags or {}).items()}
        with refused():
            made = _native.register_prompt(self._native, name, json_text(content), commit_message, own)
        version = int(made["version"])
        wanted = as_texts(aliases) or []
        for alias in wanted:
            self.set_prompt_alias(name, alias, version)
        return Prompt.of({**made, "aliases": sorted(wanted)})

    def load_prompt(self, uri: str) -> Prompt:
        """The version that `prompts:/NAME/3`, `prompts:/NAME@ALIAS` or `prompts:/NAME@latest` names.

        Raises:
            NotFoundError: there is none.
            InvalidInputError: another text.
        """
        from tracehouse.prompts import Prompt

        return Prompt.of(_native.load_prompt(self._native, uri))

    def prompts(self) -> list[PromptInfo]:
        """All prompts by name."""
        from tracehouse._given import record_of
        from tracehouse.prompts import PromptInfo

        found = _native.prompts(self._native)
        return [record_of(PromptInfo, one, versions=sorted(one["versions"])) for one in found]

    def prompt_versions(self, name: str) -> list[Prompt]:
        """The versions of a prompt, the first one first.

        Raises:
            NotFoundError: there is no such prompt.
        """
        from tracehouse.prompts import Prompt

        return [Prompt.of(one) for one in _native.prompt_versions(self._native, name)]

    def prompt_diff(self, name: str, a: int, b: int) -> str:
        """What is different in version `b` from version `a`, line by line as `diff -u` has it; empty where nothing
        is.

        Raises:
            NotFoundError: there is no such version.
        """
        return _native.prompt_diff(self._native, name, a, b)

    def prompt_stats(self, name: str) -> list[PromptStats]:
        """Figures of the traces of each version of a prompt that has any; see `link_prompts_to_trace`. The prompt need
        not be registered here."""
        from tracehouse._given import record_of
        from tracehouse.prompts import PromptStats

        return [record_of(PromptStats, one) for one in _native.prompt_stats(self._native, name)]

    def set_prompt_alias(self, name: str, alias: str, version: int) -> None:
        """Lets an alias name a version, and none that it named before.

        Raises:
            NotFoundError: there is no such version.
            InvalidInputError: a text that is no alias.
        """
        _native.set_prompt_alias(self._native, name, alias, version)

    def delete_prompt_alias(self, name: str, alias: str) -> None:
        """Takes an alias away; one that is not there is no error.

        Raises:
            NotFoundError: there is no such prompt.
        """
        _native.set_prompt_alias(self._native, name, alias, None)

    def set_prompt_tag(self, name: str, key: str, value: str) -> None:
        """Sets a tag of a prompt.

        Raises:
            NotFoundError: there is no such prompt.
            InvalidInputError: a tag that is not allowed.
        """
        _native.set_prompt_tag(self._native, name, key, optional_text(value))

    def delete_prompt_tag(self, name: str, key: str) -> None:
        """Takes a tag of a prompt away; one that is not there is no error.

        Raises:
            NotFoundError: there is no such prompt.
        """
        _native.set_prompt_tag(self._native, name, key, None)

    def delete_prompt(self, name: str) -> None:
        """Deletes a prompt with all its versions.

        Raises:
            NotFoundError: there is no such prompt.
        """
        _native.delete_prompt(self._native, name, None)

    def delete_prompt_version(self, name: str, version: int) -> None:
        """Deletes a version; aliases that name it go, its number is not given again.

        Raises:
            NotFoundError: there is no such version.
        """
        _native.delete_prompt(self._native, name, version)
