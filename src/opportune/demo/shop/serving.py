"""The shop, served beside the hub by the process of the demo."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from opportune.client import Client
from opportune.demo.shop import account, basket, front, make, pictures, rent, thoughts
from opportune.demo.shop.frame import problem
from opportune.demo.shop.goods import Goods
from opportune.demo.shop.site import Answer, Handler, Shop, Site, static

GOODS = Path("shop") / "goods.csv"

CATALOG = "shop.yaml"

_HERE = Path(str(files("opportune.demo.shop")))

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

ROUTES: Mapping[tuple[str, str], Handler] = {
    ("GET", ""): front.home,
    ("GET", "browse"): front.browse,
    ("GET", "product"): front.product,
    ("POST", "gift"): front.gift,
    ("POST", "consent"): front.consent,
    ("GET", "account"): account.account,
    ("POST", "sign-in"): account.sign_in,
    ("POST", "sign-out"): account.sign_out,
    ("GET", "basket"): basket.basket,
    ("POST", "checkout"): basket.checkout,
    ("GET", "make"): make.make,
    ("POST", "save"): make.save,
    ("GET", "design"): make.design,
    ("POST", "order"): make.order,
    ("GET", "rent"): rent.rent,
    ("POST", "rent"): rent.change,
    ("GET", "thoughts"): thoughts.thoughts,
    ("GET", "picture"): pictures.picture,
}
"""The pages, by method and the first part of the path."""

_BASKET = {"add": basket.add, "remove": basket.remove, "coupon": basket.coupon}


def write_shop(folder: Path) -> None:
    """Write what the shop adds to the folder of a demo: its part of the catalog, and its goods."""
    (folder / "shop").mkdir(exist_ok=True)
    for name in (Path(CATALOG), GOODS):
        (folder / name).write_bytes((_HERE / "files" / name).read_bytes())


@contextmanager
def open_shop(
    listening: socket.socket, hub_address: str, server_key: str, write_key: str, goods: Goods,
    people: list[tuple[str, str]], wait: int = 800,
) -> Iterator[Shop]:  # fmt: skip
    """Serve the shop in a thread of its own while the block runs; yields it, with its address.

    `wait` is how many milliseconds slots wait for the hub. The write key must be of the shop's origin.
    """
    import uvicorn

    with Client(hub_address, server_key) as hub:
        shop = Shop(address_of(listening), hub_address, hub, write_key, goods, people, wait=wait)
        routes = {**ROUTES, ("GET", "static"): static(_HERE / "static", TYPES),
                  ("GET", "favicon.ico"): lambda shop, ask: Answer(b"", 303, location="/static/icon.svg"),
                  ("POST", "basket"): lambda shop, ask: _BASKET.get(ask.one(), basket.basket)(shop, ask)}  # fmt: skip
        config = uvicorn.Config(
            Site(shop, routes, problem), ws="none", lifespan="off", access_log=False, log_config=None,
            server_header=False, timeout_graceful_shutdown=2,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server._serve([listening])), name="shop", daemon=True)
        thread.start()
        try:
            yield shop
        finally:
            server.should_exit = True
            thread.join()
            listening.close()


def address_of(listening: socket.socket) -> str:
    """Return the address at which browsers find what listens."""
    return f"http://127.0.0.1:{listening.getsockname()[1]}"
