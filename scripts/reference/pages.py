"""Which page of docs/reference is made by what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xdpwall.api.reference import reference_page as roles_page
from xdpwall.cli.reference import reference_page as commands_page

from .error_codes import error_page
from .exit_codes import exit_page
from .metric_names import metrics_page
from .rest_routes import routes_page
from .rule_fields import fields_page
from .settings import settings_page

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "cli.md": commands_page,
    "errors.md": error_page,
    "exit-codes.md": exit_page,
    "metrics.md": metrics_page,
    "roles.md": roles_page,
    "routes.md": routes_page,
    "rule-fields.md": fields_page,
    "settings.md": settings_page,
}
"""By file name."""
