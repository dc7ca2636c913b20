"""A generation that was changed rule by rule says the same as one that is compiled whole."""

from __future__ import annotations
