"""The pages' plots: well-formed, complete, with what passes a threshold in another colour."""

from xml.etree import ElementTree

from everfit.declaration.tasks import Curve
from everfit.evaluation import plots


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: ElementTree.Element) -> list[str]:
    return [str(node.text) for node in svg.iter("{http://www.w3.org/2000/svg}text")]


def test_what_passes_its_threshold_is_first_and_red() -> None:
    svg = drawn(plots.share_of_threshold({"price <1>": 0.4, "demand": 2.5}))
    assert texts(svg) == ["demand", "2.50", "price <1>", "0.40", "threshold"]
    fills = [bar.get("fill") for bar in svg.iter("{http://www.w3.org/2000/svg}rect")]
    assert fills == [plots.ALARM, plots.QUIET]


def test_intervals_stand_in_order_on_one_axis() -> None:
    svg = drawn(plots.intervals({"mlp": (-0.02, -0.01, 0.0), "boosting": (0.01, 0.02, 0.03)}, 0.002))
    first, second = (float(str(dot.get("cx"))) for dot in svg.iter("{http://www.w3.org/2000/svg}circle"))
    assert first < second
    assert {"mlp", "boosting", "-0.0100", "+0.0200"} <= set(texts(svg))


def test_a_calibrated_score_lies_on_the_diagonal() -> None:
    svg = drawn(plots.calibration({"mlp": Curve([(0.1, 0.1), (0.9, 0.9)], "score", "share", 0.0, 1.0)}))
    dots = [(float(str(dot.get("cx"))), float(str(dot.get("cy")))) for dot in svg.iter("{http://www.w3.org/2000/svg}circle")]
    assert all(abs(x - plots.EDGE - (plots.EDGE + plots.SIDE - y)) < 0.2 for x, y in dots)
    assert {"score", "share", "mlp"} == set(texts(svg))


def test_curves_of_any_range_fill_the_same_square() -> None:
    svg = drawn(plots.calibration({"a": Curve([(-50.0, 150.0)], "x", "y", -50.0, 150.0), "b": Curve([], "x", "y", 0.0, 0.0)}))
    (dot,) = svg.iter("{http://www.w3.org/2000/svg}circle")
    assert (float(str(dot.get("cx"))), float(str(dot.get("cy")))) == (plots.EDGE, plots.EDGE)
    assert drawn(plots.calibration({})) is not None
