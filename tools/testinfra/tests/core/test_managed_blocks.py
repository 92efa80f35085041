"""Managed blocks of documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.core.errors import DocumentError
from atom_testinfra.core.managed_blocks import Block, content_of, parse_blocks, replace_blocks

BEGIN = "<!-- testinfra:begin slowest -->"
END = "<!-- testinfra:end -->"


def replace(text: str, content: str = "new") -> str:
    return replace_blocks(text, "guide.md", lambda block: content)


def error_of(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        parse_blocks(text, "guide.md")
    return str(caught.value)


class TestParse:
    def test_name_arguments_and_line_are_read(self) -> None:
        """A marker carries a name and `key=value` arguments, quoted where they hold spaces."""
        (block,) = parse_blocks(
            f'a\n<!-- testinfra:begin value of=suite.wall_s test="a b[x y]" -->\n{END}\n', "guide.md"
        )

        assert block.name == "value"
        assert block.arguments == {"of": "suite.wall_s", "test": "a b[x y]"}
        assert block.line == 2

    @pytest.mark.parametrize(
        "shown",
        [
            f"```html\n{BEGIN}\n```\n",
            f"~~~\n{END}\n~~~\n",
            f"- item\n\n  ````md\n  ```\n  {BEGIN}\n  ```\n  ````\n",
            f"> ```\n> {BEGIN}\n> ```\n",
            f"write `{BEGIN}` above\n",
            f"write ``a ` {BEGIN} `` above\n",
        ],
    )
    def test_a_marker_in_code_is_text(self, shown: str) -> None:
        """A document may show markers in fenced code and in code spans."""
        assert parse_blocks(shown, "guide.md") == []
        assert replace(shown) == shown

    def test_a_broken_fence_inside_a_block_does_not_hide_its_end(self) -> None:
        """What somebody did to the content of a block is repaired, whatever it was."""
        assert replace(f"{BEGIN}\n```\nbroken\n{END}\n") == f"{BEGIN}\n\nnew\n\n{END}\n"

    @pytest.mark.parametrize(
        ("text", "line", "what"),
        [
            (f"a\n{BEGIN}\nb\n", 2, "never closed"),
            (f"a\n\n{END}\n", 3, "without a begin marker"),
            (f"{BEGIN}\n{BEGIN}\n{END}\n{END}\n", 2, "do not nest"),
            (f"text {BEGIN}\nb\n{END}\n", 1, "in the middle of a line"),
            (f"{BEGIN}\nb\ntext {END}\n", 3, "alone on its line"),
            (f"{BEGIN}\nb {END}\n", 2, "alone on its line"),
            ("<!-- testinfra:begin -->\n", 1, "not a marker"),
            ("<!-- testinfra:begin Slowest -->\n", 1, "not a marker"),
            ("<!-- testinfra: begin slowest -->\n", 1, "not a marker"),
            ("<!-- testinfra:begin slowest n -->\n", 1, "not a marker"),
            ("<!-- testinfra:begin slowest\n", 1, "not a marker"),
            ("<!--testinfra:end-->\n", 1, "not a marker"),
            ("<!-- /testinfra -->\n", 1, "not a marker"),
            ("<!-- TESTINFRA:END -->\n", 1, "not a marker"),
            (f"<!-- testinfra:begin slowest n=1 n=2 -->\n{END}\n", 1, "given twice"),
            (f"```\nx\n{BEGIN}\n{END}\n", 1, "never closed and hides the marker of line 3"),
            (f"a\r\n{END}\r\n", 2, "without a begin marker"),
            (f"a\r{END}\r", 2, "without a begin marker"),
        ],
    )
    def test_a_broken_marker_is_an_error_with_file_and_line(self, text: str, line: int, what: str) -> None:
        """No marker that is wrong is taken for text."""
        message = error_of(text)

        assert message.startswith(f"guide.md:{line}: ")
        assert what in message

    def test_a_comment_of_somebody_else_is_text(self) -> None:
        """Only comments that begin with the tool's name are the tool's."""
        text = "<!-- testinfrastructure:begin -->\n<!-- see testinfra:end -->\n"

        assert parse_blocks(text, "guide.md") == []


class TestReplace:
    def test_content_stands_between_blank_lines(self) -> None:
        """Markdown on either side of a marker needs a blank line to be read as Markdown."""
        assert replace(f"a\n{BEGIN}\nold\n{END}\nb") == f"a\n{BEGIN}\n\nnew\n\n{END}\nb"

    def test_empty_content_leaves_the_markers_together(self) -> None:
        """A block without content is two lines."""
        assert replace(f"{BEGIN}\nold\n{END}\n", "") == f"{BEGIN}\n{END}\n"

    def test_an_inline_block_keeps_its_line(self) -> None:
        """A figure in the middle of a sentence is a block too."""
        assert replace(f"it took {BEGIN}9{END} s.\n", "7") == f"it took {BEGIN}7{END} s.\n"

    def test_two_inline_blocks_on_one_line(self) -> None:
        """Several figures fit in a sentence."""
        assert replace(f"{BEGIN}1{END} of {BEGIN}2{END}\n", "3") == f"{BEGIN}3{END} of {BEGIN}3{END}\n"

    def test_whole_lines_do_not_fit_inline(self) -> None:
        """A table in the middle of a sentence is refused with the place."""
        with pytest.raises(DocumentError, match=r"guide\.md:2: .* holds whole lines"):
            replace(f"a\nit took {BEGIN}9{END} s.\n", "7\n8")

    def test_carriage_returns_trailing_spaces_and_byte_order_mark_are_kept(self) -> None:
        """The document's own conventions decide, and the content follows them."""
        before = f"\ufeff# A  \r\n{BEGIN}  \r\nold\r\n\t\r\n{END}\t\r\nlast "

        assert replace(before, "x\ny") == f"\ufeff# A  \r\n{BEGIN}  \r\n\r\nx\r\ny\r\n\r\n{END}\t\r\nlast "

    def test_a_byte_order_mark_before_the_first_marker_is_kept(self) -> None:
        """A document may begin with a block."""
        assert replace(f"\ufeff{BEGIN}\n{END}") == f"\ufeff{BEGIN}\n\nnew\n\n{END}"

    def test_content_takes_the_indentation_of_its_marker(self) -> None:
        """A block in a list item stays in it."""
        assert (
            replace(f"- a\n\n  {BEGIN}\n  {END}\n", "x\n\ny")
            == f"- a\n\n  {BEGIN}\n\n  x\n\n  y\n\n  {END}\n"
        )

    @pytest.mark.parametrize("content", [BEGIN, f"a\n{END}\nb", "<!-- testinfra nonsense"])
    def test_content_with_a_marker_is_refused(self, content: str) -> None:
        """Content that would break the document on the next run is never written."""
        with pytest.raises(DocumentError, match="contains a marker itself"):
            replace(f"{BEGIN}\n{END}\n", content)


lines = st.text(st.characters(exclude_characters="`~\r\n", exclude_categories=["Cs"]), max_size=20).filter(
    lambda line: "<!--" not in line
)
newlines = st.sampled_from(["\n", "\r\n", "\r"])
content = st.lists(st.text("ab |`-\t", max_size=8), max_size=4).map("\n".join)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Return a document and the pieces of it that stand outside its blocks."""
    newline = draw(newlines)
    pieces: list[str] = []
    text = draw(st.sampled_from(["", "\ufeff"]))
    outside = text
    for _ in range(draw(st.integers(0, 3))):
        prose = "".join(line + newline for line in draw(st.lists(lines, max_size=3)))
        trailing = draw(st.sampled_from(["", " ", "\t"]))
        before = f"{prose}{draw(st.sampled_from(['', '  ']))}{BEGIN}{trailing}{newline}"
        inside = "".join(line + newline for line in draw(st.lists(lines, max_size=2)))
        text += before + inside
        pieces.append(outside + before)
        outside = f"{END}{draw(st.sampled_from(['', ' ']))}{newline}"
        text += outside
    tail = "".join(line + newline for line in draw(st.lists(lines, max_size=2))) + draw(lines)
    return text + tail, [*pieces, outside + tail]


def outside_of(text: str) -> list[str]:
    position, pieces = 0, []
    for block in parse_blocks(text, "guide.md"):
        pieces.append(text[position : block.start])
        position = block.stop
    return [*pieces, text[position:]]


@given(documents(), content)
def test_text_outside_the_blocks_is_never_touched(document: tuple[str, list[str]], new: str) -> None:
    """Replacing changes what stands between markers and not one character more."""
    text, outside = document

    assert outside_of(text) == outside
    assert outside_of(replace(text, new)) == outside


@given(documents(), content)
def test_replacing_is_idempotent(document: tuple[str, list[str]], new: str) -> None:
    """Writing a document twice changes nothing the second time."""
    once = replace(document[0], new)

    assert replace(once, new) == once


@given(documents(), content)
def test_every_block_gets_its_content(document: tuple[str, list[str]], new: str) -> None:
    """What was rendered is what stands there afterwards, up to white space."""
    replaced = replace(document[0], new)

    for block in parse_blocks(replaced, "guide.md"):
        assert content_of(replaced, block).split() == new.split()


@given(documents(), st.data())
def test_blocks_are_rendered_by_name_and_place(document: tuple[str, list[str]], data: st.DataObject) -> None:
    """The renderer sees each block once, in order."""
    seen: list[Block] = []

    def render(block: Block) -> str:
        seen.append(block)
        return "x"

    replace_blocks(document[0], "guide.md", render)

    assert seen == parse_blocks(document[0], "guide.md")


fragments = st.sampled_from([BEGIN, END, "```", "`", "\n", "\r", "~~~", "> ", "x", " ", "<!-- testinfra"])


@given(st.lists(fragments).map("".join))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    """Hostile documents give blocks that lie in order inside the text, or an error with file and line."""
    blocks: list[Block] = []
    refused = ""
    try:
        blocks = parse_blocks(text, "guide.md")
    except DocumentError as exc:
        refused = str(exc)
    assert refused.startswith("guide.md:") or not refused
    offsets = [offset for block in blocks for offset in (block.start, block.stop)]
    assert offsets == sorted(offsets)
    assert all(0 <= offset <= len(text) for offset in offsets)
