"""Runs to test with."""

from supertune.contracts import Event, Score
from supertune.runs import create_run

YAML = "task:\n  name: classification\n"


def new_run(path):
    return create_run(path, task="classification", command=["supertune", "train", "数据.csv"], config_yaml=YAML)


def score(value=0.9, **changes):
    return Score(**{"value": value, "low": 0.8, "high": 0.95, "n": 100, "signature": "accuracy|v1", **changes})


def finished(path, status="done"):
    run = new_run(path)
    run.update_manifest(model="minilm", primary={"split": "test", "metric": "accuracy"})
    run.write_metrics({"test": {"accuracy": score()}})
    run.write_predictions("test", [{"text": "好", "prediction": 1, "row": 0}])
    run.append_event(Event("start", 0))
    run.finish(status)
    return run
