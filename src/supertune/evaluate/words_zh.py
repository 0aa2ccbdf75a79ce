"""The verdict in Chinese."""

from __future__ import annotations

from supertune.evaluate.facts import Facts, WeakestClass

_METRIC_NAMES = {"f1_macro": "宏平均 F1（各类别同等看待）", "accuracy": "准确率"}


def chinese(facts: Facts) -> str:
    """The facts as one paragraph."""
    return "".join(
        (
            _how_good(facts),
            _baselines(facts),
            _lead(facts),
            _weakest(facts.weakest),
            _confidence(facts),
            _advice(facts),
        )
    )


def _how_good(facts: Facts) -> str:
    scale = facts.scale
    value, low, high = (round(scale * part) for part in (facts.accuracy.value, facts.accuracy.low, facts.accuracy.high))
    if facts.vague:
        return (
            f"每 {scale} 条类似的文本，答对 {low} 至 {high} 条都有可能："
            f"训练中从未见过的测试数据只有 {facts.n_test} 条，无法说得更准。"
        )
    limits = [f"低于 {low} 条"] if low > 0 else []
    limits += [f"高于 {high} 条"] if high < scale else []
    surprise = f"若真实水平{'或'.join(limits)}，则出乎意料"
    return (
        f"每 {scale} 条类似的文本，预计答对 {value} 条；{surprise}（依据训练中从未见过的 {facts.n_test} 条测试数据）。"
    )


def _baselines(facts: Facts) -> str:
    parts = []
    if facts.simple is not None:
        parts.append(f"只统计词频的方法（TF-IDF 加逻辑回归）答对 {round(facts.scale * facts.simple)} 条")
    if facts.majority is not None:
        parts.append(f"总是回答最常见的类别则答对 {round(facts.scale * facts.majority)} 条")
    if not parts:
        return ""
    doubt = "" if facts.beats_majority else "，这次测试还不能证明模型比后者懂得更多"
    return f"在同样的数据上，每 {facts.scale} 条中{'，'.join(parts)}{doubt}。"


def _lead(facts: Facts) -> str:
    if facts.difference is None:
        return ""
    name = _METRIC_NAMES.get(facts.difference_name, facts.difference_name)
    where = "高出" if facts.difference.value >= 0 else "低了"
    span = f"{100 * facts.difference.low:+.1f} 至 {100 * facts.difference.high:+.1f}".replace("-", "−")
    luck = "有可能只是运气" if facts.lead == "open" else "仅凭运气很少出现这样的差距"
    points = abs(100 * facts.difference.value)
    standing = f"模型比 TF-IDF {where} {points:.1f} 个百分点" if points >= 0.05 else "模型与 TF-IDF 持平"
    return f"按{name}，{standing}（合理范围 {span}），{luck}。"


def _weakest(weakest: WeakestClass | None) -> str:
    if weakest is None:
        return ""
    f1 = weakest.f1
    said = (
        f"最弱的类别是“{weakest.label}”，F1 为 {100 * f1.value:.0f}%"
        f"（{100 * f1.low:.0f}% 至 {100 * f1.high:.0f}%），依据 {weakest.test_rows} 条测试数据"
    )
    return said + ("，数据太少，说不准它究竟有多弱。" if weakest.too_few else "。")


def _confidence(facts: Facts) -> str:
    if facts.calibration is None:
        return ""
    error = facts.calibration
    meaning = {
        "believable": "因此置信度 90% 大致就是十次对九次，平均误差不超过 5 个百分点",
        "off": "因此不要把置信度 90% 当作十次对九次",
        "unknown": f"而 {error.n} 条数据不足以判断误差是否在 5 个百分点以内",
    }[facts.trust]
    return (
        f"模型给出的置信度与实际答对的比例平均相差 {100 * error.value:.1f} 个百分点"
        f"（{100 * error.low:.1f} 至 {100 * error.high:.1f}），{meaning}。"
    )


def _advice(facts: Facts) -> str:
    if facts.advice == "more-test-rows":
        width = 100 * (facts.accuracy.high - facts.accuracy.low)
        return f"最有帮助的是增加测试数据：只有 {facts.n_test} 条时，准确率的范围宽达 {width:.0f} 个百分点。"
    if facts.advice == "use-simple":
        return "最有帮助的是改用 TF-IDF：它在这里更好，运行成本也只是零头。"
    if facts.advice == "as-good":
        return "最有帮助的是改用 TF-IDF：差距不到 1 个百分点，而运行成本只是零头。"
    if facts.advice == "not-proven":
        return "最有帮助的是先用 TF-IDF（运行成本只是零头），直到更多测试数据证明这个模型更好。"
    if facts.advice == "more-rows-for-class" and facts.weakest is not None:
        known = facts.weakest.train_rows
        have = f"（目前有 {known} 条训练数据）" if known is not None else ""
        return f"最有帮助的是为“{facts.weakest.label}”标注更多数据{have}。"
    return "最有帮助的是多标注一些与答错的文本类似的数据。"
