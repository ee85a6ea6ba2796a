"""Every store keeps the contract: the tests of store_contract.StoreContract for each there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_contract import START, MakeStore, StoreContract

from mcp_memory.sqlite.store import SqliteStore
from mcp_memory.store import Store


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def make_store(self) -> Iterator[MakeStore]:
        opened: list[SqliteStore] = []

        def make(directory: Path, *, read_only: bool = False) -> Store:
            opened.append(SqliteStore(directory / "memory.db", clock=lambda: START, read_only=read_only))
            return opened[-1]

        yield make
        for store in opened:
            store.close()
