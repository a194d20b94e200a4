"""The services of examples/order are real: a shop, a mail sink and a webhook receiver that other processes reach."""

import json
import os
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import httpx

from order.mailbox import Mailbox
from order.orders import generate
from order.shop import Shop

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_one_seed_gives_the_same_orders_and_another_gives_others() -> None:
    assert generate(7, 9) == generate(7, 9)
    assert generate(7, 9) != generate(8, 9)


def test_of_three_orders_one_is_big_and_one_is_out_of_stock() -> None:
    normal, big, failing = generate(7, 3).values()
    assert len(json.dumps(big.as_json())) > 64 * 1024
    assert (normal.in_stock, big.in_stock, failing.in_stock) == (True, True, False)


async def test_the_shop_counts_requests_and_ships_once_per_key() -> None:
    shop = Shop(generate(7, 3))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(shop.app()), base_url="http://shop") as client:
        for _ in range(2):
            answer = await client.post("/orders/o-1001/ship", headers={"Idempotency-Key": "k"})
            assert answer.json()["shipment"] == "s-o-1001"
        count = (await client.get("/_count")).json()
    assert count == {"total": 2, "by_request": {"POST /orders/o-1001/ship": 2}, "shipments": 1}


async def test_the_shop_refuses_what_is_out_of_stock_and_what_it_does_not_know() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(Shop(generate(7, 3)).app()), base_url="http://shop"
    ) as client:
        assert (await client.post("/orders/o-1003/ship")).status_code == 409
        assert (await client.get("/orders/o-9")).status_code == 404


@contextmanager
def services(keep: Path) -> Iterator[dict[str, int]]:
    """The three services in a process of their own, by port."""
    command = [sys.executable, "-m", "order", "--shop-port=0", "--smtp-port=0", "--hooks-port=0", f"--keep={keep}"]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)


def test_mails_and_posts_that_arrive_are_kept_as_files(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@shop.example", "ada@customers.example", "on its way"
    mail.set_content("shipped")
    with services(tmp_path) as ports:
        with smtplib.SMTP("127.0.0.1", ports["smtp"], timeout=60) as smtp:
            smtp.send_message(mail)
        answer = httpx.post(f"http://127.0.0.1:{ports['hooks']}/slack/ops", json={"text": "hello"}, timeout=60)
        assert (answer.status_code, answer.text) == (200, "ok")
    (message,) = Mailbox(tmp_path / "mail").messages()
    assert (message["to"], message["text"]) == ("ada@customers.example", "shipped")
    (post,) = (tmp_path / "hooks").glob("*.json")
    assert json.loads(json.loads(post.read_text())["body"]) == {"text": "hello"}
