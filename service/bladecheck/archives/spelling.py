"""One spelling for each account: platforms take no notice of case, and tools write the same handle in several ways."""

from __future__ import annotations


class Spellings:
    """Learns how accounts are written; which spelling stands for all hangs on neither order nor number."""

    def __init__(self) -> None:
        self._chosen: dict[tuple[str | None, str], str] = {}
        self._handles: dict[str, str] = {}

    def learn(self, platform: str | None, account: str | None, lasting: object = None) -> None:
        """Takes note of an account of a platform, and of the name that it has beside its handle (Bluesky's DID)."""
        if account and isinstance(lasting, str) and account != lasting:
            self._handles[lasting] = min(self._handles.get(lasting, account), account, key=_order)
        if account and account != (folded := account.casefold()) and _is_handle(account):
            known = self._chosen.setdefault((platform, folded), account)
            self._chosen[platform, folded] = min(known, account, key=_order)

    def of(self, platform: str | None, account: str | None) -> str | None:
        """The spelling that stands for this account."""
        if not account or not _is_handle(account):
            return account
        account = self._handles.get(account, account)
        return self._chosen.get((platform, account.casefold()), account)


def _is_handle(account: str) -> bool:
    """Whether it is a handle; names with spaces are what somebody typed, and may differ by case alone."""
    return " " not in account


def _order(account: str) -> tuple[bool, str]:
    """Sorts how people write themselves (AnytownPolice) before how some tools do (ANYTOWNPOLICE, anytownpolice)."""
    return account in (account.upper(), account.lower()), account
