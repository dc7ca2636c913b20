"""python -m tests.fuzz.api --seconds N --seed S: requests drawn from the service's own OpenAPI document.

Good ones must be taken and bad ones refused, with an answer that the document has, and none by a
5xx. Exits 1 when one was not so. schemathesis draws and checks; a service of its own answers.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import (
    load_all_checks,
    negative_data_rejection,
    not_a_server_error,
    positive_data_acceptance,
)
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi import checks

from tests.support.net.netns import Lab
from tests.support.service.openapi_formats import register_formats
from tests.support.service.service import Service

Operation = APIOperation[Any, Any, Any, Any]

load_all_checks()
register_formats()

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
REFUSED_ANYWAY = [401, 403, 404, 405, 409, 412, 501]
"""Statuses of good requests about what is not there, is in use, or cannot be had now."""
STREAMS = ("/events",)
"""Their answers do not end."""
CROSS_FIELD = {
    ("POST", "/rules"),
    ("PUT", "/rules/{id}"),
    ("PATCH", "/rules/{id}"),
    ("PUT", "/ruleset"),
    ("POST", "/check"),
    ("POST", "/block"),
    ("DELETE", "/block"),
    ("POST", "/explain"),
    ("POST", "/diff"),
    ("POST", "/sets/{name}/entries"),
}
"""What fields demand of each other is not in the document: 422 says so, with the field."""
SOME: dict[str, Any] = {
    "version": 1,
    "rules": [{"action": "count", "id": f"r{n}"} for n in range(1, 4)],
    "sets": {"bad": {"entries": ["10.0.0.1"]}},
    "attachments": [],
}


class ApiFuzzer:
    """Draws requests for each operation of a running service."""

    def __init__(self, service: Service, document: dict[str, Any] | None = None) -> None:
        """`document` in the place of the service's own."""
        self._service = service
        config = SchemathesisConfig.from_dict(
            {
                "checks": {
                    "positive_data_acceptance": {
                        "expected-statuses": ["2xx", *map(str, REFUSED_ANYWAY)]
                    }
                }
            }
        )
        found = document or service.call("GET", "/openapi.json").json
        self.schema = from_dict(found, config=config)
        self._base = f"http://127.0.0.1:{service.port}"
        self._token = {"authorization": f"Bearer {service.token}"}

    def operations(self) -> Iterator[Operation]:
        """Those of /api/v1, in the order of the document."""
        for result in self.schema.get_all_operations():
            assert isinstance(result, Ok), result
            operation = result.ok()
            if operation.path.startswith("/api/v1") and not operation.path.endswith(STREAMS):
                yield operation

    def run(self, operation: Operation, good: bool, most: int, number: int) -> None:
        """Send up to `most` requests; raises what the first that was answered wrongly says."""
        mode = GenerationMode.POSITIVE if good else GenerationMode.NEGATIVE
        wanted = list(CHECKS)
        name = operation.method.upper(), operation.path.removeprefix("/api/v1")
        if good and name not in CROSS_FIELD:
            wanted.append(positive_data_acceptance)
        elif not good:
            wanted.append(negative_data_rejection)

        @seed(number)
        @settings(
            max_examples=most,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case[Any]) -> None:
            with self._service.space.inside(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = case.call(base_url=self._base, headers=self._token)
            query = urlsplit(str(answer.request.url)).query
            sent = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
            # What is wrong may have left no trace: a list of nothing is no parameter in an address.
            assume(good or sent >= set(case.query or {}))
            case.validate_response(answer, checks=wanted)

        if waits := self._service.call("GET", "/status").json.get("pending"):
            self._service.call("POST", "/ruleset/rollback", {"revision": waits["revision"]})
        reset = self._service.call("PUT", "/ruleset", SOME)
        assert reset.status == 200, reset.content
        with suppress(Unsatisfiable):  # no request for it can be wrong
            ask()


@contextmanager
def fuzzed_service(name: str, folder: Path) -> Iterator[Service]:
    """A service of its own, with a bridge and an Ethernet interface; it must not have a defect."""
    lab = Lab(name)
    lab.clean()
    space = lab.namespace("gate")
    lab.veth(space, "eth1", lab.namespace("box"), "eth0")
    lab.bridge(space, "docker0")
    try:
        with Service(space, folder, lab.bpffs) as service:
            yield service
            assert "Traceback" not in service.log(), service.log()
    finally:
        lab.clean()


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.api", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count up")
    parser.add_argument("--only", help="operations whose path holds this")
    options = parser.parse_args()
    number = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {number}", flush=True)
    end = time.monotonic() + options.seconds
    rounds = 0
    failed: set[str] = set()
    with tempfile.TemporaryDirectory() as folder, fuzzed_service("fuzz/api", Path(folder)) as own:
        fuzzer = ApiFuzzer(own)
        operations = [one for one in fuzzer.operations() if (options.only or "") in one.path]
        while rounds == 0 or time.monotonic() < end and not failed:
            for operation in operations:
                for good in (True, False):
                    try:
                        fuzzer.run(operation, good, 50, number + rounds)
                    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  # it is told
                        failed.add(operation.label)
                        print(
                            f"--- {operation.label} ({'good' if good else 'bad'})\n{error}",
                            flush=True,
                        )
            rounds += 1
    print(f"{rounds} rounds of {len(operations)} operations, {len(failed)} of them failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
