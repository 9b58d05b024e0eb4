"""The process that renders: a bad template costs its own job, and the process can do nothing but render."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opportune.catalog import Catalog
from opportune.deliver.person import context
from opportune.deliver.render.worker import CRASHES, Renderer, language_of
from opportune.deliver.types import Failure, Job, Rendered
from opportune.testing import START, tiny_action, tiny_catalog

DOUBLED = "{% assign a = 'aaaaaaaaaaaaaaaa' %}{% for i in (1..16) %}{% assign a = a | append: a %}{% endfor %}"
HOSTILE = {
    "endless": "{% for i in (1..9999) %}{{ i | upcase | append: 'x' }}{% endfor %}" * 400,
    "range": "{{ (1..300000000) | join }}",
    "bomb": DOUBLED + "{{ a | replace: '', a | size }}",
    "split": DOUBLED
    + "{% assign b = a | split: '' %}{% assign c = b | concat: b | concat: b | join: a %}{{ c | size }}",
    "numbers": "{% assign a = 99999999999 %}{% for i in (1..60) %}{% assign a = a | times: a %}{% endfor %}{{ a }}",
    "digits": "{{ '9' | append: '" + "9" * 5000 + "' | times: 2 }}",
    "recursion": "{% render 'again' %}",
    "fan": "{% render 'wide' %}",
    "nested": "{% for a in (1..99) %}{% for b in (1..99) %}{% for c in (1..99) %}x{% endfor %}{% endfor %}{% endfor %}",
    "broken": "{% if %}",
    "missing": "{% render 'nowhere' %}",
}
BLOCKS = {
    "again": "{%- render 'again' -%}",
    "wide": "{% for i in (1..99) %}{% render 'wider' %}{% endfor %}",
    "wider": "{% for i in (1..99) %}{{ i }}{% include 'widest' %}{% endfor %}",
    "widest": "{% for i in (1..9999) %}{{ i }}{% endfor %}",
}


TINY = tiny_catalog()


def catalog(**titles: str) -> Catalog:
    return tiny_catalog(actions=[action(name, {"title": title}) for name, title in titles.items()], blocks=BLOCKS)


def action(name: str, content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return tiny_action(name, treatments=[{"name": "card", "channel": "app", "content": content, **more}])


def job(name: str, language: str = "en", **traits: Any) -> Job:
    person = context("maya", traits, {}, TINY, START, "Europe/Berlin")
    return Job(name, "card", language, person)


def titles(answers: list[Rendered | Failure]) -> list[str]:
    return [one.content["title"] if isinstance(one, Rendered) else f"! {one.what}" for one in answers]


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer(catalog(fine="Hello {{ customer.first_name }}", **HOSTILE), deadline=0.3, memory=256 << 20) as one:
        one.render([job("fine")])
        yield one


@pytest.mark.parametrize("name", [*HOSTILE])
def test_a_hostile_template_costs_its_own_job(renderer: Renderer, name: str) -> None:
    answers = renderer.render([job("fine", first_name="A"), job(name), job("fine", first_name="B"), job("fine")])
    assert isinstance(answers[1], Failure)
    assert len(answers[1].what) > 10
    assert titles([answers[0], *answers[2:]]) == ["Hello A", "Hello B", "Hello "]


def test_answers_come_in_the_order_of_the_jobs(renderer: Renderer) -> None:
    names = [f"{n}-{'x' * (n % 7) * 1000}" for n in range(3000)]  # more than any pipe holds, both ways
    assert titles(renderer.render([job("fine", first_name=n) for n in names])) == [f"Hello {n}" for n in names]
    assert renderer.render([]) == []


def test_threads_take_turns(renderer: Renderer) -> None:
    wrong: list[str] = []

    def work(name: str) -> None:
        for _ in range(20):
            got = titles(renderer.render([job("fine", first_name=name)] * 5))
            wrong.extend(one for one in got if one != f"Hello {name}")

    threads = [threading.Thread(target=work, args=(f"T{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def pid(renderer: Renderer) -> int:
    assert renderer._process
    return renderer._process._popen.pid


def computed(process: int) -> float:
    """Return the seconds of computing that a process has taken."""
    told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def test_a_process_that_was_killed_at_rest_costs_nobody(renderer: Renderer) -> None:
    renderer.render([job("fine")])
    before = pid(renderer)
    os.kill(before, signal.SIGKILL)
    assert titles(renderer.render([job("fine", first_name="C")])) == ["Hello C"]
    assert pid(renderer) != before


@pytest.mark.parametrize(("sent", "why"), [(signal.SIGKILL, "status -9"), (signal.SIGXCPU, "20 s of computing")])
def test_a_process_that_dies_at_work_costs_that_job(sent: signal.Signals, why: str) -> None:
    with Renderer(catalog(fine="Hello", slow=HOSTILE["endless"]), deadline=20) as renderer:
        renderer.render([job("fine")])
        process, before = pid(renderer), computed(pid(renderer))

        def end() -> None:
            while computed(process) < before + 0.3:  # the others take some thousandths
                time.sleep(0.01)
            os.kill(process, sent)

        threading.Thread(target=end).start()
        answers = titles(renderer.render([job("fine"), job("slow"), job("fine")]))
    assert (answers[0], answers[2]) == ("Hello", "Hello")
    assert why in answers[1]


def test_what_runs_into_limits_again_and_again_is_not_tried_any_more() -> None:
    with Renderer(catalog(fine="Hello", slow=HOSTILE["endless"]), deadline=0.1) as renderer:
        renderer.render([job("slow")] * CRASHES)
        answers = titles(renderer.render([job("slow")] * 50 + [job("fine")]))
        assert all("3 times in a row" in one for one in answers[:-1])
        assert answers[-1] == "Hello"
        renderer.adopt(catalog(slow="Mended"))
        assert titles(renderer.render([job("slow")])) == ["Mended"]


def test_unknown_treatments_and_languages() -> None:
    two = tiny_catalog(
        language="pl", actions=[action("a", {"title": "Cześć", "n": 1}, languages={"de": {"title": "Hallo"}})]
    )
    with Renderer(two) as renderer:
        answers = renderer.render([job("a", one) for one in ("de-AT", "pl", "fr")] + [job("b")])
        assert titles(answers) == ["Hallo", "Cześć", "Cześć", "! the catalog has no treatment 'b/card'"]
        assert answers[0] == Rendered({"title": "Hallo", "n": 1})
    treatment = two.actions[0].treatments[0]
    assert [language_of(treatment, one, "pl") for one in ("de-CH", "en")] == ["de", "pl"]


def test_inspect_finds_what_cannot_be(renderer: Renderer) -> None:
    with Renderer(
        catalog(odd="{{ custmer.name }}\n{{ customer.nam }} {{ traits.plan }} {{ 1 | foo }} {{ now }}")
    ) as one:
        found = {(str(p), p.warning) for p in one.inspect("odd", "card", "en")}
    assert found == {
        ("title:1:4: unknown name `custmer`; did you mean `customer`?", False),
        ("title:2:23: warning: no trait `plan` is declared; none is declared", True),
        ("title:2:4: `customer` has no `nam`; did you mean `name`?", False),
        ("title:2:45: unknown filter `foo`; did you mean `floor`?", False),
    }
    assert [p.what for p in renderer.inspect("missing", "card", "en")] == ["there is no block `nowhere`"]
    assert "context depth" not in str(renderer.inspect("recursion", "card", "en"))


def test_the_process_has_no_secrets_no_files_and_no_network(
    renderer: Renderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "hunter2")
    renderer.close()
    with (tmp_path / "hub.db").open("w") as store:
        os.set_inheritable(store.fileno(), True)
        renderer.render([job("fine")])
        proc = Path(f"/proc/{pid(renderer)}")
        assert b"hunter2" not in (proc / "environ").read_bytes()
        opened = [os.readlink(one) for one in (proc / "fd").iterdir()]
        assert not any("hub.db" in one or one.startswith("socket:") for one in opened)
    if subprocess.run(["unshare", "-Un", "true"], capture_output=True).returncode == 0:
        assert os.readlink(proc / "ns/net") != os.readlink("/proc/self/ns/net")


def test_the_process_ends_with_its_parent() -> None:
    program = """
        import os
        from opportune.deliver.render.worker import Renderer
        from opportune.testing import tiny_catalog
        from opportune.deliver.types import Job
        renderer = Renderer(tiny_catalog())
        renderer.render([Job("hello", "card", "en", {})])
        print(renderer._process._popen.pid, flush=True)
        os._exit(1)
    """
    told = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    child = int(told.stdout)
    until = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < until, "the process outlives its parent"
        time.sleep(0.02)


def test_a_server_with_threads_and_its_own_loop_can_render() -> None:
    import asyncio

    import uvloop

    async def serve() -> list[str]:
        with Renderer(catalog(fine="Hello {{ customer.first_name }}")) as renderer:
            work = [asyncio.to_thread(renderer.render, [job("fine", first_name=str(n))]) for n in range(8)]
            return [titles(one)[0] for one in await asyncio.gather(*work)]

    assert uvloop.run(serve()) == [f"Hello {n}" for n in range(8)]
