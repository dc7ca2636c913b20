"""python -m scripts.reference: write every generated page of docs/reference anew."""

from __future__ import annotations

from .pages import PAGES, REFERENCE

for name, make in PAGES.items():
    (REFERENCE / name).write_text(make(), encoding="utf-8")
    print(f"docs/reference/{name}")
