"""Every built-in store keeps the contract."""

from __future__ import annotations

from pathlib import Path

from opportune.store.contract import DurableStoreContract, StoreContract


class TestMemory(StoreContract):
    def url(self, folder: Path) -> str:
        return "memory:"


class TestSqlite(DurableStoreContract):
    def url(self, folder: Path) -> str:
        return f"sqlite:///{folder}/hub.db"
