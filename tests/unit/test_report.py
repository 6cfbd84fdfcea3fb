"""The report: one page, offline, and nothing in it that its data do not say."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import msgspec
import pytest

from everfit.demo.chart import Scale, draw
from everfit.demo.report import render
from everfit.demo.result import Losses
from tests.results import END, START, WEEK, a_result

SVG = ElementTree.fromstring


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = render(a_result())
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["evidence/2024-01-29.html"]
    assert "<script" not in page
    assert "@import" not in page
    assert "url(" not in page


def test_what_others_wrote_is_text_and_never_markup() -> None:
    page = render(a_result())
    assert "Will the load be &lt;high&gt;?" in page
    assert "<high>" not in page
    assert "load <b>" not in page


def test_the_figures_stand_first() -> None:
    page = render(a_result())
    figures = page[: page.index("<svg")]
    assert [figures.index(number) for number in ("0.481", "0.612", "0.507")] == sorted(
        figures.index(number) for number in ("0.481", "0.612", "0.507")
    )
    assert "3,360 predictions, 1 Jan 2024 to 11 Mar 2024" in figures


def test_losses_of_any_size_have_few_lines_and_few_digits() -> None:
    weeks = [msgspec.structs.replace(week, losses=Losses(291.46 + i, 280.0, 270.0)) for i, week in enumerate(a_result().weeks)]
    result = a_result(loss="absolute_error", losses=Losses(static=1_291.46, timer=280.0, continuous=270.04), weeks=weeks)
    texts = {mark.text for mark in SVG(draw(result)).iter("text")}
    assert {"270", "275", "280", "295", "305", "1,291.5 over the whole time", "270.0 over the whole time"} <= texts
    assert "<b>1,291.5</b>" in render(result)


def test_every_mark_on_the_axis_tells_its_reason() -> None:
    chart = SVG(draw(a_result()))
    told = [title.text or "" for title in chart.iter("title")][1:]
    assert [line.split("\n")[1] for line in told] == [
        "1 column drifted: load <b>",
        "load moved",
        "56 days old",
        "worse by 0.01",
        "better by 0.05",
    ]


def test_what_the_days_did_not_decide_has_a_lane_and_what_came_through_a_rollout_its_promotion() -> None:
    def lanes(chart: str) -> list[str | None]:
        return [text.text for text in SVG(chart).iter("text") if text.get("class") == "lane-label"]

    assert lanes(draw(a_result())) == ["1 alarm", "2 retrainings", "1 rejected", "1 promoted"]
    asked = a_result().retrainings[0]
    first = msgspec.structs.replace(asked, ended="inconclusive", ended_because="more days may tell", version=None)
    result = a_result(retrainings=[first, msgspec.structs.replace(asked, ended="in_rollout")])
    assert lanes(draw(result)) == ["1 alarm", "2 retrainings", "1 inconclusive", "0 rejected", "1 promoted"]
    assert "judged again with more days\nmore days may tell" in draw(result)
    assert '<span class="verdict in_rollout">version 2</span>' in render(result)


def test_alarms_about_one_window_share_a_mark_that_tells_them_all() -> None:
    twice = [*a_result().alarms, msgspec.structs.replace(a_result().alarms[0], kind="performance", reason="loss rose")]
    chart = SVG(draw(a_result(alarms=twice)))
    marks = [mark for mark in chart.iter("path") if mark.get("class") == "alarm"]
    assert [mark.findtext("title", "").count("alarm about version 1") for mark in marks] == [2]
    assert "2 alarms" in {text.text for text in chart.iter("text")}


def test_the_loss_of_a_coin_is_drawn_where_one_half_is_an_answer() -> None:
    drawn = [draw(a_result(coin=coin)) for coin in (0.693, None, 40.0)]
    assert ["no better than a coin, 0.693" in chart for chart in drawn] == [True, False, False]


def test_a_line_has_a_point_a_week() -> None:
    chart = SVG(draw(a_result()))
    lines = {line.get("class"): line.get("points", "").split() for line in chart.iter("polyline")}
    assert {name: len(points) for name, points in lines.items()} == {"line static": 10, "line timer": 10, "line continuous": 10}
    heights = [float(point.split(",")[1]) for point in lines["line static"]]
    assert heights == sorted(heights, reverse=True)  # a growing loss climbs


def test_labels_of_lines_that_end_together_do_not_cover_each_other() -> None:
    weeks = [msgspec.structs.replace(week, losses=Losses(0.4, 0.4, 0.4)) for week in a_result().weeks]
    chart = SVG(draw(a_result(weeks=weeks)))
    places = sorted(float(text.get("y", "0")) for text in chart.iter("text") if (text.get("class") or "").startswith("name"))
    assert min(later - earlier for earlier, later in pairwise(places)) >= 34


def test_a_moment_is_placed_by_its_share_of_the_time() -> None:
    scale = Scale(START, END, 0.0, 1.0)
    assert scale.x(START + 5 * WEEK) == pytest.approx((scale.x(START) + scale.x(END)) / 2)
    assert scale.x(END + WEEK) == scale.x(END)


def test_nothing_that_happened_is_said_to_be_nothing() -> None:
    page = render(a_result(alarms=[], retrainings=[], timer=msgspec.structs.replace(a_result().timer, cutoffs=[[]])))
    assert "There was no alarm." in page
    assert "Nothing was retrained." in page


@pytest.mark.parametrize(
    ("timer", "told"),
    [
        (0.483, "they are level here (0.481 and 0.483)"),
        (0.507, "everfit is ahead by 0.026"),
        (0.431, "everfit is behind by 0.050"),
    ],
)
def test_the_comparison_with_the_timer_follows_the_numbers(timer: float, told: str) -> None:
    assert told in render(a_result(losses=Losses(0.612, timer, 0.481)))


def test_the_summary_holds_what_scripts_rely_on() -> None:
    summary = a_result().summary()
    assert summary["log_loss"] == {"static": 0.612, "timer": 0.507, "continuous": 0.481}
    assert summary["seconds"] == 42.2
    counted = {"predictions", "outcomes", "predictions_lost", "windows", "alarms", "retrains"}
    assert counted | {"drift_retrains", "rejections", "promotions"} <= summary.keys()


def test_every_rule_of_every_candidate_is_shown_with_what_it_found() -> None:
    page = render(a_result())
    gate = page[page.index("What the gate saw") : page.index("What the guard saw")]
    assert re.findall(r'class="verdict (\w+)"', gate) == ["passed", "rejected", "inconclusive"]
    dots = re.findall(r'<i class="rule (\w+)" title="(\w+): ', gate)
    assert dots == [
        ("passed", "difference"),
        ("failed", "latency"),
        ("passed", "difference"),
        ("open", "difference"),
        ("passed", "difference"),
    ]
    assert '<td class="number">31.5</td><td class="number">20</td><td>too slow: 31.50 ms an answer, allowed 20</td>' in gate
    assert "&lt;against&gt;" in gate


def test_the_guard_is_shown_day_by_day_with_how_it_ended() -> None:
    page = render(a_result())
    guard = page[page.index("What the guard saw") : page.index("The alarms")]
    assert '<span class="verdict confirmed">confirmed</span></td><td>no worse by &lt;0.01&gt;</td>' in guard
    assert re.findall(r'<rect class="(\w+)".*?<title>(.*?)</title>', guard) == [
        ("better", "2024-02-01: -0.0200 on 48 rows"),
        ("worse", "2024-02-02: +0.0100 on 48 rows"),
    ]
    assert '<td class="number">-0.005</td>' in guard


def test_a_report_without_evaluations_or_rollouts_says_so() -> None:
    page = render(a_result(judged=[], rollouts=[]))
    assert "<p>Nothing was judged.</p>" in page
    assert "<p>Nothing was rolled out.</p>" in page
