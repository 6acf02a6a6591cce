"""Money that came into the traded wallets or left them without a trade: deposits, withdrawals, transfers.

It is neither profit nor loss. What tells it is the text of a wallet's newest ledger entry, which comes with every new
balance (`wu`): "Deposit (BITCOIN) #1 on wallet exchange", "Bitcoin Withdrawal #2 on wallet exchange", "Crypto
Withdrawal fee on wallet exchange", "Transfer of 5 USD from wallet Exchange to Deposit on wallet exchange".
"""

import re
from typing import Final

_FLOW: Final = re.compile(r"^(?:deposit|transfer of)\b|\bwithdrawal\b", re.IGNORECASE)


def moves_money(description: str | None) -> bool:
    """Whether a ledger entry with this text is somebody moving money, and no trade, fee or interest."""
    return description is not None and _FLOW.search(description) is not None
