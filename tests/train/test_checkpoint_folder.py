"""The newest whole checkpoint is found, old ones are removed, and a good one is always left."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from checkpoint_samples import FILES, forge, names, state, write
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.errors import UserError
from supertune.train.checkpoints.folder import keep_last, list_checkpoints, newest_good
from supertune.train.checkpoints.marker import MARKER, STATE, TENSORS


class TestNewestGood:
    def test_none(self, tmp_path: Path) -> None:
        assert newest_good(tmp_path / "missing") == (None, [])
        (tmp_path / "best.safetensors").touch()
        for other in ("step-1", "step-00000001.old", ".step-00000001.1.partial", "x-step-00000001"):
            (tmp_path / other).mkdir()
        assert newest_good(tmp_path) == (None, [])
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match="not a directory"):
            newest_good(tmp_path / "file")

    def test_order_is_of_steps_not_of_names(self, tmp_path: Path) -> None:
        write(tmp_path, 999_999_999, 5, 99_999_999, 1_000_000_000)
        assert [int(path.name[5:]) for path in list_checkpoints(tmp_path)] == [
            1_000_000_000,
            999_999_999,
            99_999_999,
            5,
        ]

    def test_bad_ones_are_named_and_the_one_before_is_used(self, tmp_path: Path) -> None:
        paths = write(tmp_path, *range(1, 7))
        (paths[5] / TENSORS).unlink()
        with (paths[4] / TENSORS).open("r+b") as stream:
            stream.seek(-1, os.SEEK_END)
            stream.write(b"x")
        os.truncate(paths[3] / STATE, 3)
        (paths[2] / MARKER).unlink()
        found, problems = newest_good(tmp_path)
        assert found
        assert (found.step, found.path) == (2, paths[1])
        assert torch.equal(found.state.tensors["a"], torch.arange(5.0) + 2)
        size = len(json.dumps(dict(state(4).values)))
        assert problems == [
            "step-00000006/tensors.safetensors: is missing",
            "step-00000005/tensors.safetensors: was changed: its SHA-256 is not the one that was recorded",
            f"step-00000004/state.json: was cut short: 3 bytes instead of {size}",
            "step-00000003/complete.json: is missing",
        ]
        for path in paths[:2]:
            (path / STATE).unlink()
        found, problems = newest_good(tmp_path)
        assert found is None
        assert len(problems) == 6


class TestKeepLast:
    def names(self, folder: Path) -> list[int]:
        return sorted(int(path.name[5:13]) for path in list_checkpoints(folder))

    def test_the_newest_are_kept(self, tmp_path: Path) -> None:
        write(tmp_path, 3, 20, 100, 1)
        assert [path.name for path in keep_last(tmp_path, 2)] == ["step-00000003", "step-00000001"]
        assert self.names(tmp_path) == [20, 100]
        assert keep_last(tmp_path, 2) == []
        assert names(tmp_path) == ["step-00000020", "step-00000100"]
        with pytest.raises(ValueError, match="0 checkpoints"):
            keep_last(tmp_path, 0)

    @pytest.mark.parametrize("file", FILES)
    def test_one_that_is_not_whole_does_not_count(self, tmp_path: Path, file: str) -> None:
        paths = write(tmp_path, 1, 2, 3)
        os.truncate(paths[2] / file, 5)
        keep_last(tmp_path, 1)
        assert self.names(tmp_path) == [2]

    def test_nothing_is_removed_where_none_is_whole(self, tmp_path: Path) -> None:
        for path in write(tmp_path, 1, 2):
            (path / MARKER).unlink()
        assert keep_last(tmp_path, 1) == []
        assert self.names(tmp_path) == [1, 2]

    def test_one_just_written_stays_though_a_changed_one_is_newer(self, tmp_path: Path) -> None:
        """Training went back to step 100, since 300 is damaged in a way that only its SHA-256 tells."""
        paths = write(tmp_path, 100, 300)
        content = bytearray((paths[1] / TENSORS).read_bytes())
        content[-1] ^= 1
        (paths[1] / TENSORS).write_bytes(content)
        (new,) = write(tmp_path, 200)
        keep_last(tmp_path, 1, sure=new)
        assert self.names(tmp_path) == [200]

    @settings(max_examples=40)
    @given(st.lists(st.booleans(), min_size=1, max_size=6), st.integers(1, 4))
    def test_a_good_one_is_always_left(
        self, tmp_path_factory: pytest.TempPathFactory, good: list[bool], count: int
    ) -> None:
        folder = tmp_path_factory.mktemp("checkpoints")
        for step, whole in enumerate(good):
            forge(folder / f"step-{step:08}")
            if not whole:
                os.truncate(folder / f"step-{step:08}" / TENSORS, 4)
        keep_last(folder, count)
        newest = [step for step, whole in enumerate(good) if whole][-count:]
        assert self.names(folder) == (newest or list(range(len(good))))
