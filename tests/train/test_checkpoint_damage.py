"""A damaged checkpoint is refused with the file and what is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from checkpoint_samples import FILES, forge, mark, write

from supertune.errors import UserError
from supertune.train.checkpoints.folder import keep_last, newest_good, read_checkpoint
from supertune.train.checkpoints.marker import MARKER, STATE, TENSORS, NewerFormatError

NO_OBJECTS = (
    *(b"", b"[]", b'"x"', b'{"a": 1', b"\xff\xfe", b"[" * 100_000),
    *(b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}', b'{"a": ' + b"9" * 5000 + b"}"),
)


class TestDamage:
    def refused(self, path: Path, file: str, says: str) -> None:
        with pytest.raises(UserError, match=says) as caught:
            read_checkpoint(path)
        assert caught.value.where == str(path / file)
        assert caught.value.fix

    @pytest.mark.parametrize("file", FILES)
    def test_a_flipped_bit_is_found_wherever_it_is(self, tmp_path: Path, file: str) -> None:
        (path,) = write(tmp_path, 3)
        content = (path / file).read_bytes()
        # Five and eight share no factor: each of the eight bits is flipped in some byte.
        for bit in range(0, len(content) * 8, 5):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            (path / file).write_bytes(flipped)
            self.refused(path, file, "was changed|is not valid JSON")
        (path / file).write_bytes(content)
        assert read_checkpoint(path).step == 3

    @pytest.mark.parametrize("file", FILES)
    def test_every_truncation_is_found(self, tmp_path: Path, file: str) -> None:
        (path,) = write(tmp_path, 3)
        content = (path / file).read_bytes()
        # Without its last line feed the marker says the same.
        for length in range(len(content) - (file == MARKER)):
            (path / file).write_bytes(content[:length])
            self.refused(path, file, "is not valid JSON" if file == MARKER else "was cut short: .* bytes instead of")
        if file != MARKER:
            (path / file).write_bytes(content + b"\0")
            self.refused(path, file, "has grown")

    @pytest.mark.parametrize("file", FILES)
    def test_a_file_that_is_gone_or_is_none(self, tmp_path: Path, file: str) -> None:
        (path,) = write(tmp_path, 3)
        (path / file).unlink()
        self.refused(path, file, "is missing")
        (path / file).mkdir()
        self.refused(path, file, "is not a file|is a directory")
        (path / file).rmdir()
        os.mkfifo(path / file)
        self.refused(path, file, "is not a file")

    def test_an_empty_folder_and_a_file_in_its_place(self, tmp_path: Path) -> None:
        path = tmp_path / "step-00000001"
        self.refused(path, MARKER, "is missing")
        path.mkdir()
        self.refused(path, MARKER, "is missing")
        path.rmdir()
        path.touch()
        self.refused(path, MARKER, "cannot be read: not a directory")

    @pytest.mark.parametrize("content", NO_OBJECTS, ids=lambda content: repr(content[:12]))
    def test_hostile_values(self, tmp_path: Path, content: bytes) -> None:
        self.refused(forge(tmp_path / "step-00000001", values=content), STATE, "JSON")
        path = forge(tmp_path / "step-00000002")
        (path / MARKER).write_bytes(content)
        self.refused(path, MARKER, "JSON|fingerprint")

    @pytest.mark.parametrize(
        "content",
        [b"", b"\x80\x04\x95", b"\xff" * 64, (2**62).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]"],
        ids=repr,
    )
    def test_hostile_tensors(self, tmp_path: Path, content: bytes) -> None:
        self.refused(forge(tmp_path / "step-00000001", tensors=content), TENSORS, "is not a safetensors file")

    @pytest.mark.parametrize(
        "changes",
        [
            {"step": None},
            {"step": "3"},
            {"files": {}},
            {"files": []},
            {"files": {TENSORS: {"bytes": "1", "sha256": ""}, STATE: {"bytes": 1, "sha256": ""}}},
            {"files": {TENSORS: 3, STATE: 3}},
            {"format": None},
            {"format": "1"},
            {"format": 0},
        ],
        ids=repr,
    )
    def test_hostile_markers(self, tmp_path: Path, changes: dict[str, object]) -> None:
        (path,) = write(tmp_path, 3)
        mark(path, **changes)
        self.refused(path, MARKER, "does not name the files|is not the marker")

    def test_a_marker_without_end(self, tmp_path: Path) -> None:
        (path,) = write(tmp_path, 3)
        os.truncate(path / MARKER, 10**12)
        self.refused(path, MARKER, "far too large")

    def test_a_newer_format_is_not_replaced_by_an_older_checkpoint(self, tmp_path: Path) -> None:
        _, path = write(tmp_path, 1, 2)
        mark(path, format=2, something="new")
        for read in (lambda: read_checkpoint(path), lambda: newest_good(tmp_path)):
            with pytest.raises(NewerFormatError, match=r"format 2, this one reads up to 1") as caught:
                read()
            assert caught.value.fix == "pip install --upgrade supertune"
        assert keep_last(tmp_path, 1) == [tmp_path / "step-00000001"]
