"""Managed blocks: the parts of a document that the tool writes, between two markers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from atom_testinfra.core.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z")
_FENCE = re.compile(r"[\s>]*(?P<run>`{3,}(?=[^`]*\Z)|~{3,})(?P<info>.*)\Z")
_CODE_SPAN = re.compile(r"(?<!`)(?P<run>`+)(?!`).+?(?<!`)(?P=run)(?!`)")

_CLAIMED = re.compile(r"<!--[ \t]*/?testinfra\b", re.IGNORECASE)
"""Every comment that opens with the tool's name is the tool's: misspelt, it is an error, never plain text."""

_ARGUMENT = r"""[a-z][a-z0-9_-]*=(?:"[^"<>]*"|[^\s"<>]+)"""
_MARKER = re.compile(
    rf"<!-- testinfra:(?:begin (?P<name>[a-z][a-z0-9-]*)(?P<arguments>(?: {_ARGUMENT})*)|(?P<end>end)) -->"
)
_ARGUMENT_PARTS = re.compile(r"""(?P<key>[a-z][a-z0-9_-]*)=(?:"(?P<quoted>[^"]*)"|(?P<bare>\S+))""")

FORMS = "`<!-- testinfra:begin NAME key=value -->` and `<!-- testinfra:end -->`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """
    One managed block of a document.

    A block whose begin marker is alone on its line holds whole lines; any other block holds a few words
    and ends on the line it began on.
    """

    name: str
    arguments: dict[str, str] = field(default_factory=dict)
    line: int
    """1-based line of the begin marker."""
    start: int
    """Offset of the first character after the begin marker's line, or after the marker of an inline block."""
    stop: int
    """Offset of the end marker's line, or of the end marker of an inline block."""
    is_inline: bool
    indent: str
    newline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marker:
    kind: Literal["begin", "end"]
    name: str
    arguments: dict[str, str]
    line: int
    start: int
    stop: int
    line_start: int
    line_stop: int
    indent: str
    newline: str
    is_alone: bool


def parse_blocks(text: str, source: str) -> list[Block]:
    """
    Return the managed blocks of a document in their order.

    Markers inside fenced code and code spans are text, so that a document can show them. Inside a block
    every marker counts: a fence that somebody broke there cannot hide the end.

    Raises:
        DocumentError: a marker is misspelt, nested, unopened, unclosed or out of place; names file and line.
    """
    blocks: list[Block] = []
    begin: _Marker | None = None
    for marker in _markers(text, source):
        if marker.kind == "begin":
            if begin is not None:
                raise DocumentError(
                    f"{source}:{marker.line}: block {marker.name!r} begins inside block {begin.name!r} of "
                    f"line {begin.line}; blocks do not nest"
                )
            begin = marker
        elif begin is None:
            raise DocumentError(f"{source}:{marker.line}: an end marker without a begin marker before it")
        else:
            blocks.append(_block(begin, marker, source))
            begin = None
    if begin is not None:
        raise DocumentError(
            f"{source}:{begin.line}: block {begin.name!r} is never closed",
            hint="close it with `<!-- testinfra:end -->`",
        )
    return blocks


def replace_blocks(text: str, source: str, render: Callable[[Block], str]) -> str:
    """
    Return `text` with the content of every block replaced by what `render` returns for it.

    No character outside the blocks changes. The content takes the line ending and the indentation of its
    begin marker, and a blank line on either side; inline content is written as it is.
    """
    parts: list[str] = []
    position = 0
    for block in parse_blocks(text, source):
        parts += [text[position : block.start], _fit(render(block), block, source)]
        position = block.stop
    parts.append(text[position:])
    return "".join(parts)


def content_of(text: str, block: Block) -> str:
    """Return what stands between the markers of `block` now."""
    return text[block.start : block.stop]


def _block(begin: _Marker, end: _Marker, source: str) -> Block:
    is_inline = begin.line == end.line
    if not is_inline and not begin.is_alone:
        raise DocumentError(
            f"{source}:{begin.line}: block {begin.name!r} begins in the middle of a line and does not end on "
            f"it; a block over several lines has its begin marker alone on a line"
        )
    if not is_inline and not end.is_alone:
        raise DocumentError(
            f"{source}:{end.line}: the end marker of block {begin.name!r} must be alone on its line"
        )
    return Block(
        name=begin.name,
        arguments=begin.arguments,
        line=begin.line,
        start=begin.stop if is_inline else begin.line_stop,
        stop=end.start if is_inline else end.line_start,
        is_inline=is_inline,
        indent=begin.indent,
        newline=begin.newline,
    )


def _fit(content: str, block: Block, source: str) -> str:
    if _CLAIMED.search(content):
        raise DocumentError(
            f"{source}:{block.line}: the content of block {block.name!r} contains a marker itself"
        )
    if block.is_inline:
        if "\n" in content or "\r" in content:
            raise DocumentError(
                f"{source}:{block.line}: block {block.name!r} holds whole lines; put its markers on lines "
                f"of their own"
            )
        return content
    lines = content.strip("\n").split("\n") if content.strip("\n") else []
    framed = ["", *lines, ""] if lines else []
    return "".join(f"{block.indent}{line}".rstrip(" \t") + block.newline for line in framed)


def _markers(text: str, source: str) -> Iterator[_Marker]:
    fence: tuple[str, int] | None = None
    """The run of characters that opened the code fence we are in, and its line."""
    hidden: int | None = None
    """Line of the first marker inside that fence."""
    is_open = False
    for number, line in enumerate(_LINE.finditer(text), start=1):
        body = line.group().rstrip("\r\n")
        if not is_open:
            if fence is not None:
                if _closes(body, fence[0]):
                    fence, hidden = None, None
                elif hidden is None and _CLAIMED.search(body):
                    hidden = number
                continue
            opening = _FENCE.match(body)
            if opening is not None:
                fence = (opening["run"], number)
                continue
        for marker in _markers_of_line(body, line, number, source, respect_spans=not is_open):
            is_open = marker.kind == "begin"
            yield marker
    if fence is not None and hidden is not None:
        raise DocumentError(
            f"{source}:{fence[1]}: this code fence is never closed and hides the marker of line {hidden}"
        )


def _closes(body: str, run: str) -> bool:
    stripped = body.strip(" \t>")
    return len(stripped) >= len(run) and set(stripped) == {run[0]}


def _markers_of_line(
    body: str, line: re.Match[str], number: int, source: str, *, respect_spans: bool
) -> Iterator[_Marker]:
    spans = [match.span() for match in _CODE_SPAN.finditer(body)] if respect_spans else []
    for claimed in _CLAIMED.finditer(body):
        if any(start <= claimed.start() < stop for start, stop in spans):
            continue
        match = _MARKER.match(body, claimed.start())
        if match is None:
            raise DocumentError(
                f"{source}:{number}: not a marker: {body[claimed.start() :].strip()[:80]!r}",
                hint=f"markers are {FORMS}",
            )
        yield _Marker(
            kind="end" if match["end"] else "begin",
            name=match["name"] or "",
            arguments=_parse_arguments(match["arguments"] or "", f"{source}:{number}"),
            line=number,
            start=line.start() + match.start(),
            stop=line.start() + match.end(),
            line_start=line.start(),
            line_stop=line.end(),
            indent=body[: len(body) - len(body.lstrip(" \t"))],
            newline=line.group()[len(body) :] or "\n",
            is_alone=body.strip(" \t\ufeff") == match.group(),
        )


def _parse_arguments(text: str, place: str) -> dict[str, str]:
    arguments: dict[str, str] = {}
    for match in _ARGUMENT_PARTS.finditer(text):
        if match["key"] in arguments:
            raise DocumentError(f"{place}: argument {match['key']!r} is given twice")
        arguments[match["key"]] = match["quoted"] if match["quoted"] is not None else match["bare"]
    return arguments
