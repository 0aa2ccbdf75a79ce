"""From entities to tags of tokens and back: the best tags of a window that make whole entities, then those of a text.

Tag 0 is O, tag 1 + 2l begins an entity of the label l, tag 2 + 2l goes on with it (IOB2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Features, IntArray
from supertune.tasks.text_windows import SAME_CHARACTER, SAME_WORD

if TYPE_CHECKING:
    import torch

_NEVER = -1e6
"""Added to the score of what must not be: far below any sum of logarithms, and exact enough beside them."""


@dataclass(frozen=True)
class Found:
    """An entity that the model found.

    Attributes:
        start: Its first character.
        end: Behind its last.
        label: Index of its label.
        score: Geometric mean of the probabilities of its tokens' tags.
    """

    start: int
    end: int
    label: int
    score: float


def tag_names(labels: tuple[str, ...]) -> tuple[str, ...]:
    """What the tags are called, in index order: O, B-label, I-label and so on."""
    return ("O", *(f"{prefix}-{label}" for label in labels for prefix in "BI"))


def best_paths(outputs: torch.Tensor, seen: torch.Tensor, follows: torch.Tensor, *, whole_words: bool) -> torch.Tensor:
    """The likeliest tags of each window among those that make whole entities (Viterbi 1967).

    An entity goes on only after its beginning; within a character, and with ``whole_words`` within a word, none
    begins and none ends.

    Args:
        outputs: float (items, tokens, tags), raw.
        seen: bool (items, tokens): tokens that stand for characters; the others are passed over.
        follows: int64 (items, tokens): how each follows the one before, see `text_windows.APART`.
        whole_words: Whether entities are made of whole words.

    Returns:
        float32 (items, tokens, 2): the tag of each token and the logarithm of its probability, 0 and 0 where not seen.
    """
    import torch

    logs = torch.log_softmax(outputs.float(), dim=-1)
    items, tokens, tags = logs.shape
    anywhere, within = _transitions(tags)
    free, bound = (torch.from_numpy(found).to(logs) for found in (anywhere, within))
    start = free[0]
    joined = follows >= (SAME_WORD if whole_words else SAME_CHARACTER)
    state = torch.zeros(items, tags, device=logs.device)
    begun = torch.zeros(items, dtype=torch.bool, device=logs.device)
    same = torch.arange(tags, device=logs.device).expand(items, tags)
    pointers = []
    for place in range(tokens):
        here, moved = seen[:, place], seen[:, place] & begun
        rules = torch.where(joined[:, place, None, None], bound, free)
        best, origin = (state[:, :, None] + rules).max(dim=1)
        entered = torch.where(begun[:, None], best, start) + logs[:, place]
        state = torch.where(here[:, None], entered, state)
        pointers.append(torch.where(moved[:, None], origin, same))
        begun = begun | here
    chosen = torch.zeros(items, tokens, dtype=torch.int64, device=logs.device)
    tag = state.argmax(dim=1)
    for place in range(tokens - 1, -1, -1):
        chosen[:, place] = tag
        tag = pointers[place].gather(1, tag[:, None])[:, 0]
    chosen = chosen * seen
    certain = logs.gather(2, chosen[:, :, None])[:, :, 0] * seen
    return torch.stack([chosen.float(), certain], dim=2)


def _transitions(tags: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """float32 (tags, tags) each, 0 for what may follow what and `_NEVER` for the rest: anywhere, and within a word."""
    anywhere = np.zeros((tags, tags), np.float32)
    within = np.full((tags, tags), _NEVER, np.float32)
    within[0, 0] = 0
    for inside in range(2, tags, 2):
        anywhere[:, inside] = _NEVER
        anywhere[[inside - 1, inside], inside] = within[[inside - 1, inside], inside] = 0
    return anywhere, within


def token_tags(features: Features, entities: IntArray, bounds: IntArray) -> tuple[NDArray[np.int16], IntArray]:
    """The tags of all tokens, and how many entities of each row no tokens have the exact characters of.

    A token that has more characters than the entity belongs to it all the same.

    Args:
        features: Windows, as `text_windows` makes them.
        entities: int64 (entities, 3): first character, behind the last, and label; in order and apart within a row.
        bounds: int64 (rows + 1,): row r has ``entities[bounds[r]:bounds[r + 1]]``.

    Returns:
        int16 (tokens,) in the features' order, 0 for tokens of no characters too; int64 (rows,).
    """
    begins, ends = features.tokens["begins"], features.tokens["ends"]
    tags = np.zeros(len(begins), np.int16)
    exact = np.zeros((len(entities), 2), bool)
    for item, row in enumerate(features.rows.tolist()):
        own = slice(bounds[row], bounds[row + 1])
        spans = entities[own]
        if not len(spans):
            continue
        here = np.arange(features.offsets[item], features.offsets[item + 1])
        here = here[ends[here] > begins[here]]
        first, behind = begins[here], ends[here]
        of = np.searchsorted(spans[:, 0], behind, side="left") - 1
        inside = (of >= 0) & (spans[of, 1] > first)
        of = np.where(inside, of, -1)
        # What comes before a window may have begun its first entity.
        before = np.concatenate([[-1], of[:-1]])
        if len(of) and of[0] >= 0 and spans[of[0], 0] < first[0]:
            before[0] = of[0]
        tags[here] = np.where(inside, 1 + 2 * spans[of, 2] + (of == before), 0)
        for side, edges in enumerate((first, behind)):
            met = of[inside & (edges == spans[of, side])]
            exact[own.start + met, side] = True
    lost = np.concatenate([[0], np.cumsum(~exact.all(axis=1))])
    return tags, np.diff(lost[bounds])


def found_entities(outputs: NDArray[Any], features: Features) -> list[list[Found]]:
    """The entities of each row, rows in order, entities in the order of the text and apart.

    Every window tells its own, each whole. An entity is taken from the window in whose middle it is most nearly; of
    two windows that see one differently, entities of the same label are joined, and else the surer one is kept.

    Args:
        outputs: float32 (items, tokens, 2), from `best_paths`; padded behind.
        features: The items; the windows of a row may stand anywhere.
    """
    rows, place_of_row = np.unique(features.rows, return_inverse=True)
    found: list[list[Found]] = [[] for _ in rows]
    lengths = features.lengths
    item = np.repeat(np.arange(len(features)), lengths)
    place = np.arange(len(item)) - np.repeat(features.offsets[:-1], lengths)
    tags = outputs[item, place, 0].astype(np.int64) if len(item) else np.zeros(0, np.int64)
    kept = np.flatnonzero(tags > 0)
    if not len(kept):
        return found
    tags, item = tags[kept], item[kept]
    certain = outputs[item, place[kept], 1].astype(np.float64)
    firsts = np.flatnonzero(tags % 2 == 1)
    sizes = np.diff(np.append(firsts, len(tags)))
    starts = features.tokens["begins"][kept[firsts]]
    ends = np.maximum.reduceat(features.tokens["ends"][kept], firsts)
    scores = np.exp(np.add.reduceat(certain, firsts) / sizes)
    at_home = features.tokens["home"][kept[firsts + (sizes - 1) // 2]] == 1
    for one in np.flatnonzero(at_home).tolist():
        label = int(tags[firsts[one]] - 1) // 2
        entity = Found(int(starts[one]), int(ends[one]), label, float(scores[one]))
        found[place_of_row[item[firsts[one]]]].append(entity)
    return [_apart(several) for several in found]


def _apart(several: list[Found]) -> list[Found]:
    """In the order of the text; those that overlap joined or the surer one kept."""
    kept: list[Found] = []
    for one in sorted(several, key=lambda entity: (entity.start, entity.end)):
        last = kept[-1] if kept else None
        if last is None or one.start >= last.end:
            kept.append(one)
        elif one.label == last.label:
            kept[-1] = Found(last.start, max(one.end, last.end), one.label, max(one.score, last.score))
        elif one.score > last.score:
            kept[-1] = one
    return kept
