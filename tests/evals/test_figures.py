"""The SVG files: whole XML, no request, and bars where the numbers are."""

import re
from xml.etree import ElementTree

import pytest

from foundry.evals.compare import Evidence
from foundry.evals.comparison import Roles
from foundry.evals.report import svg
from foundry.evals.report.figures import write_figures

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def report(unchanged_shop):
    shop = unchanged_shop
    columns = [shop.column("base <b>", shop.right(10)), shop.column("tuned", shop.right(30))]
    evidence = Evidence(
        {"en": "Shop", "zh-TW": "商店"}, curve=[{"step": n, "loss": 1 / n} for n in (1, 2, 3)]
    )
    roles = Roles(base=("base <b>",), tuned="tuned")
    return shop.report(columns, roles=roles, evidence=evidence)


def test_each_chart_is_a_file_in_each_language(report, tmp_path):
    names = [path.name for path in write_figures(report, tmp_path)]

    assert sorted(names) == sorted(
        f"{name}.{language}.svg"
        for name in ("scores", "differences", "curve")
        for language in ("zh-TW", "en")
    )


def test_figures_are_whole_and_ask_for_nothing(report, tmp_path):
    for path in write_figures(report, tmp_path):
        text = path.read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)

        assert root.tag == f"{SVG}svg" and root.find(f"{SVG}title") is not None
        assert not re.search(r"href|url\(|@import|<script", text)
        assert text.count("http") == 1  # the name space, which nobody asks for


def test_figures_are_the_same_byte_for_byte(report, tmp_path):
    first = [path.read_bytes() for path in write_figures(report, tmp_path / "a")]
    second = [path.read_bytes() for path in write_figures(report, tmp_path / "b")]

    assert first == second


def test_what_a_column_is_called_stays_text(report, tmp_path):
    texts = [path.read_text(encoding="utf-8") for path in write_figures(report, tmp_path)]

    assert any("base &lt;b&gt; model" in text for text in texts)
    assert not any("<b>" in text for text in texts)


def test_report_without_numbers_has_no_figure(report, tmp_path):
    bare = {**report, "scores": [], "differences": [], "curve": []}

    assert write_figures(bare, tmp_path) == []


def test_bar_goes_from_zero_to_its_value():
    marks = [
        svg.Mark("up", 0.5, 0.25, 1.0, "+50", "better"),
        svg.Mark("down", -1.0, -1, 0, "", "x"),
    ]

    drawn = svg.interval_chart([("part", marks)], low=-1.0, high=1.0, name="n")

    bars = [
        (float(x), float(w)) for x, w in re.findall(r'<rect .*?x="(.*?)".*?width="(.*?)"', drawn)
    ]
    (zero,) = re.findall(r'class="grid" d="M([\d.]+) ', drawn)
    (up, down), middle = bars, float(zero)
    assert up[0] == middle and down[0] + down[1] == middle
    assert down[1] == 2 * up[1]
    assert up[1] > 0


def test_loss_below_zero_is_drawn_inside_the_chart():
    losses = [0.69, 0.2, -0.12, -0.6, -1.2]

    drawn = svg.line_chart([("loss", list(enumerate(losses, 1)))], name="n", x="x", y="y")

    (line,) = re.findall(r'<polyline class="line loss" points="(.*?)"', drawn)
    heights = [float(point.split(",")[1]) for point in line.split()]
    assert heights == sorted(heights)
    assert heights[0] >= svg.TOP and heights[-1] <= svg.HEIGHT - svg.BOTTOM
    assert ">-2<" in drawn and ">1<" in drawn


def test_loss_above_zero_stands_on_an_axis_from_zero():
    drawn = svg.line_chart([("loss", [(1, 3.0), (2, 1.0)])], name="n", x="x", y="y")

    assert ">0<" in drawn and ">4<" in drawn and ">-" not in drawn
