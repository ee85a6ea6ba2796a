"""Encrypting the memory file, changing its key, and decrypting it."""

import os
import secrets

import click

from mcp_memory.cli.options import configured
from mcp_memory.errors import NotFound, ReadOnly
from mcp_memory.server.config import Config
from mcp_memory.sqlite.files import cipher
from mcp_memory.sqlite.files import rekey as files_rekey
from mcp_memory.sqlite.files.cipher import Key

passphrase_option = click.option(
    "--passphrase", "ask", is_flag=True, help="Ask for a passphrase on the terminal; it is kept nowhere."
)


@click.command()
@passphrase_option
@configured
def encrypt(config: Config, ask: bool) -> None:
    """Encrypt the memory file: text, indexes, vectors, log and every later backup. A missing file is created.

    The key is the value of MCP_MEMORY_KEY; where that is not set a random one, stored in the system's keychain.
    Stop every server of the file first. A kill at any moment leaves the plain file or the encrypted one.

    \b
    Examples:
      mcp-memory encrypt
      MCP_MEMORY_KEY="$(cat passphrase)" mcp-memory encrypt
    """
    _writable(config)
    files_rekey.require_plain(config.database)
    key, salt = _new_key(cipher.KEY_VARIABLE, ask=ask)
    with cipher.kept(key, salt):
        files_rekey.encrypt(config.database, key, salt=salt)
    click.echo(f"{config.database} is encrypted with {cipher.CIPHER_NAME}, and so are its backups from now on.")
    click.echo("Backups and copies made before are not: encrypt each with --database, or delete it.")
    _tell(key, salt)


@click.command()
@passphrase_option
@configured
def rekey(config: Config, ask: bool) -> None:
    """Give an encrypted memory file another key; the old one does not open what is written from now on.

    The new key is the value of MCP_MEMORY_NEW_KEY; where that is not set a random one, stored in the keychain.
    The old one comes from the usual place. Stop every server of the file first.

    \b
    Examples:
      mcp-memory rekey
      mcp-memory rekey --passphrase
    """
    _existing(config)
    key, salt = _new_key(cipher.NEW_KEY_VARIABLE, ask=ask)
    with cipher.kept(key, salt, variable=cipher.NEW_KEY_VARIABLE):
        files_rekey.rekey(config.database, key, salt=salt)
    click.echo(f"{config.database} has a new key. Backups made before still need the old one.")
    if os.environ.get(cipher.KEY_VARIABLE):
        click.echo(
            f"{cipher.KEY_VARIABLE} still holds the old key: set it to the new one, or unset it for the keychain."
        )
    _tell(key, salt)


@click.command()
@configured
def decrypt(config: Config) -> None:
    """Turn an encrypted memory file into a plain one, which everyone with access to it can read.

    \b
    Example:
      mcp-memory decrypt
    """
    _existing(config)
    key = files_rekey.decrypt(config.database)
    click.echo(f"{config.database} is not encrypted any more. {_still_needed(key)}")


def _still_needed(key: Key) -> str:
    """Say where the key of a decrypted file is, and what still needs it."""
    if key.origin == cipher.KEYCHAIN:
        return "Its key stays in the keychain, for its encrypted backups."
    where = {cipher.KEY_VARIABLE: f"the one in {cipher.KEY_VARIABLE}"}.get(key.origin, "the one you typed")
    return f"Keep its key, {where}: its encrypted backups can't be read without it."


def _writable(config: Config) -> None:
    if config.read_only:
        raise ReadOnly(f"{config.database} is open for reading only, so its key can't be changed.")


def _existing(config: Config) -> None:
    _writable(config)
    if not config.database.exists():
        raise NotFound(f"There is no memory file {config.database}.")


def _new_key(variable: str, *, ask: bool) -> tuple[Key, str]:
    """Return a key to encrypt with, and the salt of a raw one."""
    salt = secrets.token_hex(16)
    if ask:
        typed = click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)
        return cipher.read_new_key(typed, "the terminal"), salt
    if given := os.environ.get(variable):
        return cipher.read_new_key(given, variable), salt
    return cipher.random_key(), salt


def _tell(key: Key, salt: str) -> None:
    if key.origin == cipher.KEYCHAIN:
        click.echo(f"Its key is in the keychain: service {cipher.SERVICE}, account {salt}.")
        click.echo(
            f"`keyring get {cipher.SERVICE} {salt}` shows it. Keep a copy elsewhere: without it nobody can read the file."
        )
    else:
        click.echo(f"Keep the key: without it nobody can read the file. A server reads it from {cipher.KEY_VARIABLE}.")
