"""A look at an API key before it is trusted: one that can move money out of the account is refused."""

from genesis.edge.errors import SecretRefused
from genesis.edge.rest import RestDoor
from protocols.bitfinex import rest_requests
from protocols.bitfinex.rest_account import can_withdraw, read_permissions_answer
from protocols.reference import Permission


async def check_key(door: RestDoor) -> tuple[Permission, ...]:
    """The key's permissions. Raises SecretRefused when it can withdraw or cannot trade, and what `ask` raises."""
    permissions = read_permissions_answer(await door.ask(rest_requests.permissions()))
    if can_withdraw(permissions):
        raise SecretRefused(
            "the API key must not be able to withdraw, was: make a key without the withdrawal permission, "
            "bound to this machine's address"
        )
    may = {permission.scope: permission for permission in permissions}
    for scope, write in (("orders", True), ("wallets", False)):
        granted = may.get(scope)
        if granted is None or not (granted.write if write else granted.read):
            raise SecretRefused(f"the API key must be able to {'write' if write else 'read'} {scope}, was not")
    return permissions
