"""The run directory: what a user finds in it, and what stays whole when things go wrong."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from run_samples import YAML, finished, new_run, score

from supertune.contracts import Event, Finding
from supertune.errors import UserError
from supertune.runs import create_run, list_runs, open_run, summarize


class TestCreate:
    def test_config_and_manifest_exist_at_once(self, tmp_path):
        run = new_run(tmp_path / "中文 run")
        assert (run.path / "config.yaml").read_text("utf-8") == YAML
        manifest = json.loads((run.path / "manifest.json").read_text("utf-8"))
        assert manifest["status"] == "running"
        assert manifest["command"] == ["supertune", "train", "数据.csv"]
        assert manifest["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
        assert manifest["versions"]["torch"]
        assert manifest["hardware"]["cores"] == os.cpu_count()

    def test_heavy_libraries_are_not_imported_to_read_their_versions(self, tmp_path):
        code = (
            "import sys, pathlib; from supertune.runs import create_run;"
            f"create_run(pathlib.Path({str(tmp_path / 'run')!r}), task='t', command=[], config_yaml='');"
            "print([name for name in ('torch', 'transformers', 'sklearn', 'datasets') if name in sys.modules])"
        )
        assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"

    def test_without_out_two_runs_of_one_second_get_their_own_folders(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        runs = [create_run(None, task="classification", command=[], config_yaml="") for _ in range(5)]
        assert len({run.path for run in runs}) == 5
        assert all(run.path.parent == Path("runs") for run in runs)
        assert all(run.path.name.startswith("classification-2") for run in runs)

    def test_a_folder_with_something_in_it_is_refused_and_kept(self, tmp_path):
        (tmp_path / "mine.txt").write_text("keep")
        with pytest.raises(UserError, match="not empty") as caught:
            new_run(tmp_path)
        assert str(tmp_path) in caught.value.message
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

    def test_an_empty_folder_is_used(self, tmp_path):
        assert new_run(tmp_path).path == tmp_path

    @pytest.mark.parametrize("tail", ["file", "file/run", "file/deep/run"])
    def test_a_file_in_the_way(self, tmp_path, tail):
        (tmp_path / "file").write_text("keep")
        with pytest.raises(UserError, match="file"):
            new_run(tmp_path / tail)
        assert (tmp_path / "file").read_text() == "keep"

    def test_a_dangling_link_in_the_way(self, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        with pytest.raises(UserError, match="link"):
            new_run(tmp_path / "link")

    def test_a_command_line_that_is_not_utf8(self, tmp_path):
        run = create_run(tmp_path / "run", task="t", command=["caf\udce9.csv"], config_yaml="")
        assert open_run(run.path).manifest["command"] == ["caf\ufffd.csv"]


class TestManifest:
    def test_mappings_are_merged_and_other_keys_replaced(self, tmp_path):
        run = new_run(tmp_path / "run")
        run.update_manifest(timings={"train": 3.0}, examples_seen=5)
        run.update_manifest(timings={"evaluate": 1.0}, examples_seen=7, hardware={"threads": 2})
        manifest = open_run(run.path).manifest
        assert manifest["timings"] == {"train": 3.0, "evaluate": 1.0}
        assert manifest["examples_seen"] == 7
        assert manifest["hardware"]["threads"] == 2
        assert manifest["hardware"]["cores"]

    def test_status_is_not_set_by_hand(self, tmp_path):
        with pytest.raises(ValueError, match="status"):
            new_run(tmp_path / "run").update_manifest(status="done")

    @pytest.mark.parametrize("status", ["done", "interrupted", "failed"])
    def test_finish_records_every_file(self, tmp_path, status):
        run = finished(tmp_path / "run", status)
        manifest = open_run(run.path).manifest
        assert manifest["status"] == status
        assert set(manifest["files"]) == {"config.yaml", "events.jsonl", "metrics.json", "predictions/test.jsonl"}
        content = (run.path / "metrics.json").read_bytes()
        assert manifest["files"]["metrics.json"]["bytes"] == len(content)
        assert run.verify() == []

    def test_a_run_continues_after_reopening(self, tmp_path):
        run = finished(tmp_path / "run", "interrupted")
        again = open_run(run.path)
        again.reopen()
        assert open_run(run.path).status == "running"
        again.append_event(Event("resumed", 3))
        again.finish("done")
        assert open_run(run.path).status == "done"
        assert again.manifest["seconds"] >= run.manifest["seconds"]
        assert again.verify() == []

    def test_a_run_whose_process_was_killed_is_interrupted(self, tmp_path):
        code = (
            "import os, pathlib, signal; from supertune.runs import create_run;"
            f"create_run(pathlib.Path({str(tmp_path / 'run')!r}), task='t', command=[], config_yaml='');"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        assert subprocess.run([sys.executable, "-c", code]).returncode == -9
        run = open_run(tmp_path / "run")
        assert run.manifest["status"] == "running"
        assert run.status == "interrupted"
        assert new_run(tmp_path / "alive").status == "running"


class TestVerify:
    @pytest.mark.parametrize(
        ("damage", "word"),
        [
            (lambda path: path.unlink(), "missing"),
            (lambda path: path.write_bytes(path.read_bytes()[:-3]), "cut short"),
            (lambda path: path.write_bytes(path.read_bytes() + b"x"), "grown"),
            (lambda path: path.write_bytes(path.read_bytes()[:-2] + b"x\n"), "changed"),
        ],
    )
    def test_damage_is_named(self, tmp_path, damage, word):
        run = finished(tmp_path / "run")
        damage(run.path / "predictions" / "test.jsonl")
        (problem,) = open_run(run.path).verify()
        assert "predictions/test.jsonl" in problem
        assert word in problem

    def test_half_written_leftovers_are_not_part_of_the_run(self, tmp_path):
        run = new_run(tmp_path / "run")
        (run.path / ".metrics.json.99.partial").write_text('{"test":')
        run.finish("interrupted")
        assert list(run.manifest["files"]) == ["config.yaml"]

    def test_a_run_that_has_not_ended_cannot_be_verified(self, tmp_path):
        assert "not ended" in new_run(tmp_path / "run").verify()[0]


class TestOpen:
    def test_every_wrong_path_gets_one_helpful_message(self, tmp_path):
        run = finished(tmp_path / "runs" / "tickets-1")
        (run.path / "model").mkdir()
        (tmp_path / "empty").mkdir()
        hints = {
            run.path / "model": str(run.path),
            run.path / "metrics.json": str(run.path),
            run.path.parent: "tickets-1",
            run.path.parent / "ticket-1": "tickets-1",
            tmp_path / "empty": "supertune runs",
            tmp_path / "nowhere" / "at" / "all": "supertune runs",
        }
        for path, hint in hints.items():
            with pytest.raises(UserError) as caught:
                open_run(path)
            assert hint in (caught.value.fix or ""), path
            assert caught.value.where == str(path)

    def test_from_inside_the_run(self, tmp_path, monkeypatch):
        run = finished(tmp_path / "run")
        (run.path / "model").mkdir()
        monkeypatch.chdir(run.path)
        assert open_run(Path()).status == "done"
        with pytest.raises(UserError, match="inside a run"):
            open_run(Path("model"))

    @pytest.mark.parametrize(
        ("content", "word"),
        [
            ("{", "JSON"),
            ("[]", "manifest"),
            ('{"format": 1}', "status"),
            ('{"format": 99}', "newer"),
        ],
    )
    def test_a_damaged_manifest(self, tmp_path, content, word):
        run = finished(tmp_path / "run")
        (run.path / "manifest.json").write_text(content)
        with pytest.raises(UserError, match=word) as caught:
            open_run(run.path)
        assert "manifest.json" in caught.value.message

    @pytest.mark.parametrize(
        ("key", "value"),
        [("status", "sleeping"), ("status", 3), ("primary", "x"), ("files", {"a": 1}), ("created", None)],
    )
    def test_a_manifest_edited_by_hand(self, tmp_path, key, value):
        run = finished(tmp_path / "run")
        manifest = json.loads((run.path / "manifest.json").read_text())
        (run.path / "manifest.json").write_text(json.dumps({**manifest, key: value}))
        with pytest.raises(UserError, match=key):
            open_run(run.path)

    def test_a_missing_config(self, tmp_path):
        run = finished(tmp_path / "run")
        (run.path / "config.yaml").unlink()
        with pytest.raises(UserError, match=r"config\.yaml"):
            open_run(run.path)

    def test_what_an_interrupted_run_lacks_is_explained(self, tmp_path):
        run = new_run(tmp_path / "run")
        run.finish("interrupted")
        with pytest.raises(UserError, match="resume"):
            run.require("model")
        assert run.require("config.yaml") == run.path / "config.yaml"


class TestMetrics:
    def test_scores_come_back_as_they_were(self, tmp_path):
        run = new_run(tmp_path / "run")
        metrics = {"test": {"accuracy": score(), "f1/退款": score(0.5, warning="few rows")}, "validation": {}}
        run.write_metrics(metrics)
        assert run.read_metrics() == metrics

    def test_what_could_not_be_measured_is_null(self, tmp_path):
        run = new_run(tmp_path / "run")
        run.write_metrics({"test": {"auroc": score(math.nan, low=math.nan, high=math.inf)}})
        stored = json.loads((run.path / "metrics.json").read_text())
        assert stored["test"]["auroc"]["value"] is None
        assert math.isnan(run.read_metrics()["test"]["auroc"].value)

    @pytest.mark.parametrize("content", ["[]", '{"test": {"accuracy": 0.5}}', '{"test": {"accuracy": {}}}', "x"])
    def test_damaged(self, tmp_path, content):
        run = new_run(tmp_path / "run")
        (run.path / "metrics.json").write_text(content)
        with pytest.raises(UserError, match=r"metrics\.json"):
            run.read_metrics()

    def test_the_gate_is_stored_whole(self, tmp_path):
        run = new_run(tmp_path / "run")
        run.write_gate(9, [Finding("empty-rows", "warning", "2 rows are empty", "clean", "train", (3, 5))])
        assert json.loads((run.path / "gate.json").read_text()) == {
            "rows": 9,
            "findings": [
                {
                    "check": "empty-rows",
                    "severity": "warning",
                    "split": "train",
                    "rows": [3, 5],
                    "message": "2 rows are empty",
                    "fix": "clean",
                }
            ],
        }

    @pytest.mark.parametrize("split", ["../test", "", ".test", "a/b"])
    def test_predictions_stay_in_their_folder(self, tmp_path, split):
        with pytest.raises(ValueError, match="split"):
            new_run(tmp_path / "run").write_predictions(split, [])

    def test_predictions_that_fail_half_way_leave_the_old_ones(self, tmp_path):
        run = finished(tmp_path / "run")
        before = (run.path / "predictions/test.jsonl").read_bytes()

        def rows():
            yield {"prediction": 2}
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run.write_predictions("test", rows())
        assert (run.path / "predictions/test.jsonl").read_bytes() == before
        assert [path.name for path in (run.path / "predictions").iterdir()] == ["test.jsonl"]


class TestList:
    def test_newest_first_and_broken_ones_say_why(self, tmp_path):
        finished(tmp_path / "b-old")
        finished(tmp_path / "a-new")
        broken = finished(tmp_path / "broken")
        (broken.path / "manifest.json").write_text("{")
        damaged = finished(tmp_path / "damaged")
        (damaged.path / "metrics.json").write_text("[]")
        (tmp_path / "other").mkdir()
        (tmp_path / "file.txt").write_text("")
        listed = list_runs(tmp_path)
        assert [run.path.name for run in listed[:2]] == ["a-new", "b-old"]
        assert {run.path.name for run in listed[2:]} == {"broken", "damaged"}
        assert all(run.status == "broken" and run.problem for run in listed[2:])
        assert listed[0].score == score()
        assert (listed[0].metric, listed[0].model, listed[0].task) == ("accuracy", "minilm", "classification")

    def test_a_run_without_scores(self, tmp_path):
        summary = summarize(new_run(tmp_path / "run"))
        assert (summary.status, summary.score, summary.seconds) == ("running", None, None)

    def test_no_such_folder(self, tmp_path):
        with pytest.raises(UserError, match="nowhere"):
            list_runs(tmp_path / "nowhere")
