"""Sealed data open for their subject alone, and never again once the key is destroyed."""

# ruff: noqa: PT012 (a transaction that raises at its end is what these tests are about)

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.errors import BrokenStore, Forgotten, NotFound
from opportune.store import Store, open_store
from opportune.store.vault import Vault


@pytest.fixture(params=["memory:", "sqlite:///{}/hub.db"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = open_store(request.param.format(tmp_path))
    yield store
    store.close()


@given(id_text=st.text(st.characters()), data=st.binary())
def test_any_id_and_data_round_trip(id_text: str, data: bytes) -> None:
    vault = Vault(open_store("memory:"))
    subject = vault.subject(id_text)
    assert vault.subject(id_text) == vault.find(id_text) == subject
    assert len(subject) == 26
    assert subject.isalnum()
    sealed = vault.seal(subject, data)
    assert vault.open(subject, sealed) == data
    assert len(sealed) == len(data) + 29
    assert vault.seal(subject, data) != sealed


def test_many_are_sealed_as_one_is_each_with_a_nonce_of_its_own(store: Store) -> None:
    vault = Vault(store)
    ana, ben = vault.subject("ana"), vault.subject("ben")
    rows = [(ana, b"1"), (ben, b"2"), (ana, b"1"), (ana, b"")]
    sealed = vault.seal_many(rows)
    assert [(subject, vault.open(subject, data)) for subject, data in sealed] == rows
    assert len({data[1:13] for _, data in sealed}) == len(rows)
    assert vault.seal_many([]) == []
    vault.destroy(ben)
    with pytest.raises(Forgotten):
        vault.seal_many(rows)


def test_ids_are_told_apart_exactly(store: Store) -> None:
    vault = Vault(store)
    subjects = [vault.subject(text) for text in ("a", "A", "a ", "é", "e\u0301", "", "\ud800", "\ud801")]
    assert len(set(subjects)) == len(subjects)
    assert vault.find("b") is None


def test_only_the_subject_opens_it_and_only_unaltered(store: Store) -> None:
    vault = Vault(store)
    ana, ben = vault.subject("ana"), vault.subject("ben")
    sealed = vault.seal(ana, b"likes tea")
    with pytest.raises(BrokenStore):
        vault.open(ben, sealed)
    for n in range(len(sealed)):
        with pytest.raises(BrokenStore):
            vault.open(ana, sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :])
        with pytest.raises(BrokenStore):
            vault.open(ana, sealed[:n])
    with pytest.raises(NotFound):
        vault.open("nobody", sealed)
    with pytest.raises(NotFound):
        vault.seal("nobody", b"")


def test_destroyed_means_forgotten(store: Store) -> None:
    vault = Vault(store)
    ana, ben = vault.subject("ana"), vault.subject("ben")
    vault.bind("ana@example.com", ana)
    sealed, other = vault.seal(ana, b"1"), vault.seal(ben, b"2")
    vault.destroy(ana)
    vault.destroy(ana)
    vault.destroy("nobody")
    for again in (vault, Vault(store)):
        with pytest.raises(Forgotten):
            again.open(ana, sealed)
        with pytest.raises(Forgotten):
            again.seal(ana, b"")
        with pytest.raises(Forgotten):
            again.bind("new id", ana)
        assert (again.find("ana"), again.find("ana@example.com"), again.find("new id")) == (None, None, None)
        assert (again.destroyed(ana), again.destroyed(ben), again.destroyed("nobody")) == (True, False, False)
        assert again.open(ben, other) == b"2"
    assert vault.subject("ana") != ana


def test_an_id_moves_from_one_subject_to_another(store: Store) -> None:
    vault = Vault(store)
    ana, ben = vault.subject("ana"), vault.subject("ben")
    vault.bind("device", ana)
    vault.bind("device", ben)
    vault.bind("device", ben)
    assert vault.find("device") == ben
    vault.destroy(ana)
    assert vault.find("device") == ben
    vault.destroy(ben)
    assert vault.find("device") is None
    assert store.table("ids").count() == store.table("ids_of").count() == 0
    with pytest.raises(NotFound):
        vault.bind("device", "nobody")


def test_a_rolled_back_transaction_leaves_no_key_and_no_doubt(store: Store) -> None:
    vault = Vault(store)
    ana = vault.subject("ana")
    sealed = vault.seal(ana, b"1")
    with pytest.raises(KeyError), store.transaction():
        lost = vault.subject("ben")
        vault.seal(lost, b"2")
        vault.destroy(ana)
        with pytest.raises(Forgotten):
            vault.open(ana, sealed)
        raise KeyError
    assert vault.find("ben") is None
    assert vault.subject("ben") != lost
    assert vault.open(ana, sealed) == b"1"
    assert not vault.destroyed(ana)


def test_no_reader_keeps_a_key_past_its_destruction(store: Store) -> None:
    vault = Vault(store)
    gone = threading.Event()
    late: list[bytes] = []

    def read(subject: str, sealed: bytes) -> None:
        while True:
            after = gone.is_set()
            try:
                data = vault.open(subject, sealed)
            except Forgotten:
                return
            if after:
                late.append(data)
                return

    for n in range(30):
        subject = vault.subject(str(n))
        sealed = vault.seal(subject, b"1")
        vault._ciphers.clear()
        gone.clear()
        readers = [threading.Thread(target=read, args=(subject, sealed)) for _ in range(2)]
        for reader in readers:
            reader.start()
        vault.destroy(subject)
        gone.set()
        for reader in readers:
            reader.join()
    assert not late


def test_caches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opportune.store.vault._CACHED", 10)
    monkeypatch.setattr("opportune.store.vault._REMEMBERED", 10)
    vault = Vault(open_store("memory:"))
    subjects = [vault.subject(str(n)) for n in range(100)]
    sealed = [vault.seal(subject, b"%d" % n) for n, subject in enumerate(subjects)]
    assert len(vault._ciphers) == 10
    assert [vault.open(*pair) for pair in zip(subjects, sealed, strict=True)] == [b"%d" % n for n in range(100)]
    for subject in subjects:
        vault.destroy(subject)
    assert (len(vault._ciphers), len(vault._destroyed)) == (0, 10)
    for pair in zip(subjects, sealed, strict=True):
        with pytest.raises(Forgotten):
            vault.open(*pair)


def test_nothing_of_a_forgotten_customer_is_in_any_file(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/hub.db")
    chance = random.Random(3)
    keys: list[bytes] = []

    def entropy(n: int) -> bytes:
        drawn = chance.randbytes(n)
        if n == 32:
            keys.append(drawn)
        return drawn

    vault = Vault(store, entropy)
    del keys[:]
    log = store.log("events")
    for n in range(300):
        subject = vault.subject(f"canary-{n}@example.com")
        log.append([(subject, vault.seal(subject, b"canary likes tea"))])
    for n in range(0, 300, 2):
        vault.destroy(str(vault.find(f"canary-{n}@example.com")))
    store.settle()
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary" not in files
    assert [key in files for key in keys] == [bool(n % 2) for n in range(300)]
    store.close()


def test_the_same_entropy_gives_the_same_vault() -> None:
    def vault() -> Vault:
        return Vault(open_store("memory:"), random.Random(1).randbytes)

    assert vault().subject("ana") == vault().subject("ana")
