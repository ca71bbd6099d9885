"""The page in a headless Chromium: what a person does with it, and what a hostile document cannot do."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving_small import DOCUMENTS, made, serving

from rag import load
from rag.serving.page import page as page_text
from rag.serving.page import policy
from rag.types import Document

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = (
    "# <img src=x onerror=alert(1)> harbour\n\n<script>window.pwned=1</script> harbour **bold** [a](javascript:alert(1))"
    " \u202eright to left\u202c 🚢🚢 &lt;b&gt; {{7*7}}\n\nשלום עולם, harbour של שלום.\n"
)
WIDE = "".join(f"# Section {i}\n\nThe words of part {i} end here.\n\n" for i in range(5200))
ANSWER = "The lamp of the lighthouse was lit by Ode Bram in 1911 for the first time."


def test_the_page_is_one_file_that_may_fetch_nothing_from_elsewhere() -> None:
    text = page_text()
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text)
    assert "innerHTML" not in text
    assert "insertAdjacentHTML" not in text
    assert "document.write" not in text
    assert not re.search(r"\son\w+=|\sstyle=", text), "the policy allows no inline handlers and no inline styles"
    rules = dict(rule.split(" ", 1) for rule in policy().split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert "unsafe" not in policy()
    assert rules["script-src"].count("sha256-") == 1


def test_the_page_travels_with_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    assert "serving/*.html" in project["tool"]["setuptools"]["package-data"]["rag"]


pytestmark_browser = [
    pytest.mark.service,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed on this machine"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    base = tmp_path_factory.mktemp("page")
    documents = (
        Document("hostile<b>.md", HOSTILE, "<i>title</i>", "text/markdown"),
        Document("lamp.txt", "🚢 " * 30 + "\n\n" + ANSWER + "\n\n" + "More of it. " * 50),
    )
    folder = made(base / "small", *documents)
    small = load("lexical", set=["chunker={use: chunkers/sentences, size: 8}"])
    small.index([Document("wide.md", WIDE, "Wide", "text/markdown")], base / "wide")
    with serving(folder, f"short={folder}", base / "wide", "--set", "short:stages[0].k=1") as (url, _):
        yield url + "/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra probe is not installed")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def tab(browser: Any, site: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A new page; at the end it must have said nothing on the console and asked nobody else."""
    wide, scheme = getattr(request, "param", (1300, "light"))
    context = browser.new_context(viewport={"width": wide, "height": 800}, color_scheme=scheme)
    opened = context.new_page()
    troubles: list[str] = []
    opened.on("console", lambda m: None if "status of 422" in m.text else troubles.append(m.text))
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("dialog", lambda dialog: (troubles.append("a dialog"), dialog.dismiss()))
    opened.on("request", lambda r: None if r.url.startswith((site, "data:")) else troubles.append(r.url))
    opened.goto(site)
    opened.wait_for_selector(".side")
    yield opened
    context.close()
    assert not troubles


def ask(tab: Any, question: str) -> None:
    tab.fill("#question", question)
    tab.press("#question", "Enter")
    tab.wait_for_selector("#state:has-text('Answered')")


class TestInChromium:
    pytestmark = pytestmark_browser

    def test_a_citation_leads_to_its_span_in_the_source(self, tab: Any) -> None:
        ask(tab, "Who lit the lamp of the lighthouse?")
        tab.click(".cite >> nth=0")
        tab.wait_for_selector("mark.now")
        assert tab.inner_text("#sourcename") == "lamp.txt"
        shown = "".join(tab.locator("mark.now").all_inner_texts())
        assert ANSWER in shown, "offsets are code points, though ships stand before it"
        assert "🚢" not in shown or shown.startswith("🚢")
        marked = tab.locator("mark.now").first
        assert marked.evaluate(
            "e => { const r = e.getBoundingClientRect(); return r.bottom > 0 && r.top < innerHeight; }"
        )

    def test_documents_and_questions_are_shown_as_text(self, tab: Any) -> None:
        ask(tab, "<script>window.asked=1</script> harbour <img src=x onerror=alert(1)>")
        tab.click(".cite:has-text('hostile<b>.md') >> nth=0")
        tab.wait_for_selector("mark.now")
        assert "<script>window.pwned=1</script>" in tab.inner_text("#text")
        tab.click("#tabtree")
        tab.wait_for_selector("#tree .leaf, #tree details")
        assert tab.locator("main img, #source img, main script, #source script, #source b").count() == 0
        assert tab.evaluate("() => [window.pwned, window.asked]") == [None, None]
        assert tab.get_attribute("#text", "dir") == "auto"

    def test_two_sides_are_asked_and_compared(self, tab: Any) -> None:
        tab.check("#two")
        ask(tab, "harbour")
        assert tab.locator(".side").count() == 2
        left = tab.locator(".side").nth(0).locator("ol .cite[data-key]").count()
        right = tab.locator(".side").nth(1).locator("ol .cite[data-key]").count()
        assert left > right == 1
        assert f"1 of A's {left} pieces of context meet B's" in tab.inner_text("#shared")
        assert tab.locator(".only").count() == left - 1

    def test_a_changed_setting_changes_the_answer(self, tab: Any) -> None:
        tab.click("summary:has-text('Settings')")
        tab.fill("input[data-path='stages[0].k']", "2")
        ask(tab, "harbour")
        assert tab.locator("ol .cite[data-key]").count() == 2
        tab.fill("input[data-path='stages[0].k']", "0")
        tab.fill("#question", "harbour again")
        with tab.expect_response("**/ask/stream") as got:
            tab.press("#question", "Enter")
        assert got.value.status == 422
        tab.wait_for_selector(".problem:has-text('stages[0].k')")

    def test_the_keyboard_is_enough(self, tab: Any) -> None:
        tab.keyboard.press("Tab")
        tab.evaluate("() => document.activeElement.blur()")
        tab.keyboard.press("/")
        tab.keyboard.type("Who lit the lamp of the lighthouse?")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#state:has-text('Answered')")
        for _ in range(12):
            tab.keyboard.press("Tab")
            if tab.evaluate("() => document.activeElement.classList.contains('cite')"):
                break
        tab.keyboard.press("Enter")
        tab.wait_for_selector("mark.now")
        assert tab.evaluate("() => document.activeElement.id") == "sourcename"
        tab.keyboard.press("Escape")
        assert tab.is_hidden("#source")
        assert tab.evaluate("() => document.activeElement.classList.contains('cite')"), "back to where one came from"

    @pytest.mark.parametrize("tab", [(360, "light"), (360, "dark"), (1300, "dark")], indirect=True)
    def test_narrow_and_dark_windows_hold_everything(self, tab: Any) -> None:
        tab.check("#two")
        ask(tab, "harbour Who lit the lamp")
        assert tab.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "nothing is cut at the side"
        tab.click(".cite >> nth=0")
        tab.wait_for_selector("mark.now")
        assert tab.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        dark = tab.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
        colour = tab.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", colour))) < 200) == dark

    def test_a_tree_of_ten_thousand_nodes_opens_a_page_at_a_time_where_one_stands(self, tab: Any) -> None:
        tab.select_option("select", "wide")
        ask(tab, "words of part 4711 end")
        tab.click(".cite:has-text('wide.md') >> nth=0")
        tab.wait_for_selector("mark.now")
        facts = tab.inner_text(".cite:has-text('wide.md') >> nth=0").splitlines()[-1].split()[1]
        tab.click("#tabtree")
        tab.wait_for_selector("#tree .here")
        nodes = int(tab.inner_text("#tree p").split()[0])
        assert nodes > 10_000
        assert facts in tab.inner_text("#tree .here"), "the node that was cited"
        assert tab.locator("#tree .here").evaluate(
            "e => { const r = e.getBoundingClientRect(); return r.bottom > 0 && r.top < innerHeight; }"
        )
        rows = "#tree > details, #tree > .leaf"
        assert tab.locator(rows).count() == 200
        first = tab.locator(rows).first.inner_text()
        tab.click("#tree > .more:has-text('more')")
        tab.locator(rows).nth(399).wait_for()
        assert tab.locator(rows).first.inner_text() == first
        tab.click("#tree > .more:has-text('before')")
        tab.locator(rows).nth(599).wait_for()
        assert tab.locator(rows).nth(200).inner_text() == first
        begins = [int(text.split("[")[-1].split(":")[0]) for text in tab.locator(rows).all_inner_texts()]
        assert begins == sorted(begins)
        assert len(set(begins)) == 600
        assert tab.locator("#tree *").count() < 4000

    def test_every_stage_tells_what_it_kept(self, tab: Any) -> None:
        ask(tab, "harbour")
        tab.click("summary:has-text('retrievers/bm25')")
        tab.wait_for_selector("h3:has-text('Kept')")


@pytest.mark.service
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed on this machine")
def test_a_page_without_its_token_asks_for_it(browser: Any, tmp_path: Path) -> None:
    secret = "a-token-of-some-length"
    folder = made(tmp_path / "small", *DOCUMENTS[:1])
    with serving(folder, env={"RAG_SERVE_TOKEN": secret}) as (url, _):
        tab = browser.new_context().new_page()
        tab.goto(url)
        tab.wait_for_selector("#token", state="visible")
        assert tab.locator(".side").count() == 0
        tab.fill("#token", secret)
        tab.press("#token", "Tab")
        tab.wait_for_selector(".side")
        ask(tab, "harbour")
        assert tab.locator(".cite").count() > 0
        tab.context.close()
