"""Fixtures every test may use."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("default")

GOLDEN = Path(__file__).parent / "golden"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regen", action="store_true", help="rewrite golden files; review the diff")


class Golden:
    """Compares a value with a reviewed file, `tests/golden/<test>.json`."""

    def __init__(self, path: Path, regen: bool) -> None:
        self.path, self.regen = path, regen

    def check(self, value: Any) -> None:
        written = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
        if self.regen:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(written, encoding="utf-8")
            return
        assert self.path.exists(), f"{self.path.name} is missing; write it with --regen and review it"
        assert json.loads(written) == json.loads(self.path.read_text(encoding="utf-8")), f"differs from {self.path}"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    name = request.node.name.replace("[", "-").replace("]", "").replace("/", "_")
    return Golden(GOLDEN / request.path.stem / f"{name}.json", request.config.getoption("--regen"))
