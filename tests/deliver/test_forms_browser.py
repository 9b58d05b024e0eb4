"""The sample offer in a real browser: narrow and wide, light and dark."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from opportune.deliver.forms import open_form
from opportune.deliver.forms.contract import PERSON
from opportune.deliver.render.templates import Templates

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
WIDTHS = (360, 1200)
LONG = "Donaudampfschifffahrtsgesellschaftskapitän Maximiliane von und zu Hohenstein-Wittelsbach"

MEASURE = """
function channel(v) { v /= 255; return v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); }
function light(c) { return 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]); }
function color(text) { return text.match(/[\\d.]+/g).map(Number); }
function behind(view, element, canvas) {
  for (let e = element; e; e = e.parentElement) {
    const c = color(view.getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  }
  return canvas;
}
function measure(frame) {
  const view = frame.contentWindow, page = view.document, root = page.documentElement;
  const dark = view.matchMedia('(prefers-color-scheme: dark)').matches;
  const walk = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT), texts = [];
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement, words = walk.currentNode.textContent.trim();
    if (!words || element.tagName === 'STYLE' || !element.getClientRects().length) continue;
    const fore = color(view.getComputedStyle(element).color);
    const back = behind(view, element, dark ? [18, 18, 18] : [255, 255, 255]);
    const a = light(fore), b = light(back);
    texts.push([words.slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), light(back)]);
  }
  return {dark, width: view.innerWidth, scrolls: root.scrollWidth, texts, lang: root.lang, dir: root.dir,
          size: parseFloat(view.getComputedStyle(page.querySelector('p')).fontSize)};
}
addEventListener('load', () => {
  document.getElementById('found').textContent = JSON.stringify([...document.querySelectorAll('iframe')].map(measure));
});
"""


def look(tmp_path: Path, mail: str, dark: bool) -> list[dict[str, Any]]:
    """Return what a browser shows of a mail, at each of `WIDTHS`."""
    frames = "".join(
        f'<iframe width="{w}" height="900" style="border:0" srcdoc="{html.escape(mail)}"></iframe>' for w in WIDTHS
    )
    page = tmp_path / "page.html"
    page.write_text(
        f'<!DOCTYPE html><meta charset="utf-8">{frames}<pre id="found"></pre><script>{MEASURE}</script>', "utf-8"
    )
    command = [
        str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={tmp_path / 'profile'}", f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--virtual-time-budget=3000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(r'<pre id="found">(.*?)</pre>', shown, re.DOTALL)
    assert found, "the browser measured nothing"
    measured: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return measured


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_offer_can_be_read(tmp_path: Path, dark: bool) -> None:
    source = (Path(__file__).parent / "assets" / "offer.mjml").read_text("utf-8")
    person = {**PERSON, "customer": {**PERSON["customer"], "name": LONG, "first_name": LONG}}
    person["items"] = [{"id": "1", "title": LONG, "url": "https://acme.example/1", "price": 123456.5}] * 3
    compiled = open_form("email").compile(
        {"subject": "Hi", "preheader": "Not to be seen", "mjml": source.replace("{{ links.unsubscribe }}", "#")},
        "en", Templates({}, "en"),
    )  # fmt: skip
    person["links"] = {"unsubscribe": "https://hub.example/u"}
    mail = compiled.render(person)["html"]
    assert "message-end" in mail  # the footer is looked at as well
    for width, shown in zip(WIDTHS, look(tmp_path, mail, dark), strict=True):
        assert shown["dark"] is dark, "the browser did not take the wish for dark"
        assert shown["width"] == width
        assert shown["scrolls"] <= width, f"{shown['scrolls']} pixels wide at {width}"
        assert shown["size"] >= 14
        assert (shown["lang"], shown["dir"]) == ("en", "ltr")
        words = " ".join(text for text, _, _ in shown["texts"])
        assert "See what changes" in words
        assert "Unsubscribe" in words
        pale = [
            (text, round(ratio, 2)) for text, ratio, _ in shown["texts"] if ratio < 4.5 and "Not to be seen" not in text
        ]
        assert not pale, "too little contrast (WCAG 2.2, 1.4.3)"
        back = [light for text, _, light in shown["texts"] if "Hello" in text]
        assert all((light < 0.1) is dark for light in back)
        assert back
