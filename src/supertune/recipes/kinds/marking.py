"""Parts of a text pointed out where they stand."""

from __future__ import annotations

from collections.abc import Sequence

_AROUND = 80
"""Characters shown before and behind what is pointed out."""
_BETWEEN = 240
"""Characters between two parts up to which what lies between is shown whole."""
Part = tuple[int, int]
Labelled = tuple[int, int, int]


def marked(text: str, truth: Part | None, given: Part | None) -> str:
    """The text around two parts, ⟦the right one⟧ and «the one given»; what is far from both is left out.

    Args:
        text: The whole text.
        truth: First character of the right answer and behind its last; None where there is none.
        given: The same of the answer given.
    """
    return marked_parts(text, [truth] if truth else [], [given] if given else [])


def marked_parts(text: str, truth: Sequence[Part], given: Sequence[Part]) -> str:
    """The text around parts, ⟦the right ones⟧ and «those given»; what is far from all is left out.

    Args:
        text: The whole text.
        truth: First character of each right part and behind its last; none of them overlap.
        given: The same of the parts given.
    """
    signs: list[tuple[int, int, str]] = []
    for rank, (parts, opening, closing) in enumerate(((truth, "⟦", "⟧"), (given, "«", "»"))):
        for start, end in parts:
            # At the same place what closes comes before what opens, and the inner sign closes first.
            signs += [(start, 2 + rank, opening), (end, -rank, closing)]
    shown = _shown(len(text), [*truth, *given])
    written = []
    for start, end in shown:
        piece, place = "", start
        for at, _, sign in sorted(signs):
            if start <= at <= end:
                piece += text[place:at] + sign
                place = at
        piece += text[place:end]
        written.append(("" if start == 0 else "…") + piece + ("" if end == len(text) else "…"))
    return " ".join(written)


def marked_all(text: str, truths: Sequence[Labelled], given: Sequence[Labelled], labels: Sequence[str]) -> str:
    """The text around entities, ⟦true ones⟧ and «those given», each with its label behind; what is far is left out.

    Args:
        text: The whole text.
        truths: (first character, behind the last, index of the label) of the true entities.
        given: The same of those that were given.
        labels: What the labels are called.
    """
    signs: list[tuple[int, int, int, str]] = []
    for rank, (spans, opening, closing) in enumerate(((truths, "⟦", "⟧"), (given, "«", "»"))):
        for start, end, label in spans:
            # What closes comes before what opens, the inner sign first; the longer of two opens first.
            signs += [(start, 1, 2 * -end + rank, opening), (end, 0, -rank, f"{closing}{labels[label]}")]
    written = []
    for start, end in _shown(len(text), [span[:2] for span in (*truths, *given)]):
        piece, place = "", start
        for at, _, _, sign in sorted(signs):
            if start <= at <= end:
                piece += text[place:at] + sign
                place = at
        piece += text[place:end]
        written.append(("" if start == 0 else "…") + piece + ("" if end == len(text) else "…"))
    return " ".join(written)


def _shown(length: int, parts: list[Part]) -> list[Part]:
    """Which characters are shown: around each part, in one piece where they are close to each other."""
    if not parts:
        return [(0, min(length, 2 * _AROUND))]
    around = sorted((max(0, start - _AROUND), min(length, end + _AROUND)) for start, end in parts)
    joined = [around[0]]
    for start, end in around[1:]:
        if start <= joined[-1][1] + _BETWEEN:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
