"""The page's tables are the tests' tables."""

from __future__ import annotations

import re

from tests.judge.page import TARGET, page


def test_the_tables_are_up_to_date() -> None:
    written = TARGET.read_text(encoding="utf-8")
    assert written == page(written), "run: python -m tests.judge.page"


def test_a_table_in_the_page_is_about_something() -> None:
    tables = re.findall(r"<!-- \w+: .*?-->\n(.*?)\n<!-- end", TARGET.read_text(), re.DOTALL)
    assert [len(table.splitlines()) > 12 for table in tables] == [True] * 3
