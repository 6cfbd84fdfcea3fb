"""The report's section on what the demo does not show."""

from html import escape

from everfit.demo.result import DemoResult, written

LEVEL = 0.005  # losses closer to each other than this are called level


def limits(result: DemoResult) -> str:
    """The report's last section, as HTML."""
    statements = [
        _against_timer(result),
        "It does not show the best that retraining could do: retraining every week, whatever the evidence, was not tried here.",
        f"The timers have no gate and one recipe, {escape(result.timer.recipe)}; they begin as version 1 does, and retrain on "
        f"everything known at equally distant moments, such as {_cutoffs(result)}.",
        "It is one market, played once, from one go-live. Outcomes arrive half an hour after the request here; where they take "
        "weeks, everything after an alarm takes those weeks longer.",
    ]
    items = "".join(f"<li>{statement}</li>" for statement in statements)
    return f'<h2>What this does not show</h2><div class="limits"><ul>{items}</ul></div>'


def _against_timer(result: DemoResult) -> str:
    gain = result.losses.timer - result.losses.continuous
    if abs(gain) < LEVEL:
        came = f"they are level here ({written(result.losses.continuous)} and {written(result.losses.timer)})"
    else:
        came = f"everfit is {'ahead' if gain > 0 else 'behind'} by {written(abs(gain))} here"
    return (
        "It does not show when it pays to retrain, anywhere and always. Against timers that retrain as often, the mean of "
        f"{len(result.timer.cutoffs)} shifted against each other, {came}. They used a count in hindsight that nobody knows "
        "beforehand."
    )


def _cutoffs(result: DemoResult) -> str:
    """The cutoffs of the timer in the middle."""
    days = [f"{cutoff:%-d %b %Y}" for cutoff in result.timer.cutoffs[len(result.timer.cutoffs) // 2]]
    return escape(", ".join(days)) if days else "no later moment, because nothing was promoted"
