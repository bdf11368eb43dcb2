"""Makes this task's files out of support_json's: `python tasks/support_json_actions/make.py`.

The same files every time: what is chosen and what the database says follows from SHA-256 alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.toolbox import Search

HERE = Path(__file__).resolve().parent
TICKETS = HERE.parent / "support_json"
SEED = "larkfell orders 1"
SIZES = {"train": (108, 12), "dev": (54, 6), "eval": (180, 20)}
"""Tickets with an order number, and without one."""
OTHERS = 190
"""Orders that no ticket names."""
STATUS = ("open", "waiting", "escalated", "frozen", "closed")
CARRIERS = ("Aldwick", "Brayline", "Corvan", "Drellan", "Eskpost", "Fenway")
INSURED = (25, 50, 100, 250, 500)
FROM_TICKET = ("order_id", "intent", "article")
QUERY = 80
"""Characters of a search at most."""

Row = dict[str, Any]


def main(folder: Path = HERE, seed: str = SEED) -> None:
    """Write all that is generated."""
    tickets = {split: rows(TICKETS / f"{split}.jsonl") for split in SIZES}
    orders = {number: order(number, seed) for number in numbers(tickets)}
    chosen = {split: choose(tickets[split], *SIZES[split]) for split in SIZES}
    seen = {r["target"]["article"] for split in ("train", "dev") for r in chosen[split]}
    handbook = rows(TICKETS / "corpus.jsonl")
    for split, some in chosen.items():
        made = [example(row, orders, seen) for row in some]
        if split == "train":
            pairs = zip(made, some, strict=True)
            made = [one | {"calls": calls(one, row, handbook)} for one, row in pairs]
        write(folder / f"{split}.jsonl", made)
    write(folder / "corpus.jsonl", handbook)
    lines = [
        "CREATE TABLE orders (order_id TEXT PRIMARY KEY, status TEXT, carrier TEXT, tracking TEXT, "
        "insured INTEGER);",
        *(f"INSERT INTO orders VALUES {sql(number, one)};" for number, one in orders.items()),
    ]
    (folder / "orders.sql").write_text("\n".join(lines) + "\n", encoding="utf-8")


def order(number: str, seed: str) -> Row:
    """What the database has of an order: drawn by its number alone, so that no ticket tells."""
    tracking = f"{_drawn(seed, 'tracking', number):07d}"[-7:]
    first = chr(65 + _drawn(seed, "first", number) % 26)
    second = chr(65 + _drawn(seed, "second", number) % 26)
    return {
        "status": STATUS[_drawn(seed, "status", number) % len(STATUS)],
        "carrier": CARRIERS[_drawn(seed, "carrier", number) % len(CARRIERS)],
        "tracking": f"{first}{second}{tracking}",
        "insured": INSURED[_drawn(seed, "insured", number) % len(INSURED)],
    }


def numbers(tickets: Mapping[str, Sequence[Row]]) -> list[str]:
    """Of all orders, in order: those that some ticket of support_json names, and others."""
    named = {r["target"]["order_id"] for some in tickets.values() for r in some} - {None}
    others = (f"LF-{_drawn(SEED, 'number', str(n)) % 100_000:05d}" for n in range(10 * OTHERS))
    more = [number for number in dict.fromkeys(others) if number not in named][:OTHERS]
    return sorted([*named, *more])


def choose(some: Sequence[Row], with_number: int, without: int) -> list[Row]:
    """So many tickets of each kind, in their old order."""
    ranked = sorted(some, key=lambda r: hashlib.sha256(r["id"].encode()).hexdigest())
    ours = [r for r in ranked if r["target"]["order_id"]][:with_number]
    ours += [r for r in ranked if not r["target"]["order_id"]][:without]
    ids = {r["id"] for r in ours}
    return [r for r in some if r["id"] in ids]


def example(row: Row, orders: Mapping[str, Row], seen: set[str]) -> Row:
    """A ticket with the answer that this task asks for."""
    old = row["target"]
    known = orders[old["order_id"]] if old["order_id"] else dict.fromkeys(order("", SEED))
    tags = {"policy_seen": old["article"] in seen, "order_number": row["tags"]["order_number"]}
    target = {name: old[name] for name in FROM_TICKET} | known
    kept = {name: row[name] for name in ("id", "group", "input", "sources")}
    return kept | {"target": target, "tags": tags}


def calls(one: Row, row: Row, handbook: Sequence[Row]) -> list[Row]:
    """What is looked up before the answer: the order, and the governing article of the handbook."""
    made = []
    if number := one["target"]["order_id"]:
        made.append({"tool": "order", "arguments": {"order_id": number}})
    query = search_for(one["target"]["article"], row["target"]["summary"], handbook)
    return [*made, {"tool": "handbook", "arguments": {"query": query}}]


def search_for(article: str, summary: str, handbook: Sequence[Row]) -> str:
    """The first query that finds an article: the ticket in few words, else the article's title."""
    shown = [f"[{p['id']}] {p['title']}\n{p['text']}" for p in handbook]
    find = Search("", longest=QUERY).opened(shown)
    title = next(p["title"] for p in handbook if p["id"] == article)
    tried = [summary.partition("; wants ")[0].replace(":", ""), title]
    found = [q[:QUERY] for q in tried if find({"query": q[:QUERY]}, 5.0).startswith(f"[{article}]")]
    return found[0] if found else title[:QUERY]


def sql(number: str, one: Row) -> str:
    return f"('{number}','{one['status']}','{one['carrier']}','{one['tracking']}',{one['insured']})"


def rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, made: Sequence[Row]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in made]
    path.write_text("".join(lines), encoding="utf-8")


def _drawn(*words: str) -> int:
    return int(hashlib.sha256(" ".join(words).encode()).hexdigest()[:12], 16)


if __name__ == "__main__":
    main()
