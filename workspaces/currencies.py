"""How currencies are counted and written. Money is whole minor units everywhere else."""

from __future__ import annotations

# ISO 4217: the number of decimals of every currency that does not have two.
DECIMALS = dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0)
DECIMALS |= dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3)
SYMBOLS = {
    "CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "JP¥", "HKD": "HK$", "TWD": "NT$", "KRW": "₩", "SGD": "S$",
}  # fmt: skip


def decimals_of(currency: str) -> int:
    """How many digits of an amount are minor units: CNY 2, JPY 0, KWD 3."""
    return DECIMALS.get(currency, 2)


def symbol_of(currency: str) -> str:
    """What stands before an amount: ¥ for CNY, the code and a space where there is no sign for it."""
    return SYMBOLS.get(currency, f"{currency} " if currency else "")
