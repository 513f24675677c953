"""What Salt publishes when ``salt`` is given some arguments: by Salt's own code.

Runs inside a Salt venv.  The parser, the client and the way to the bus are
Salt's; only the network between them is left out, and no nodegroup is resolved.
"""

import contextlib
import copy
import io
import pathlib

import salt._logging
import salt.client
import salt.config
import salt.exceptions
import salt.payload
import salt.utils.parsers


class Refused(Exception):
    """``salt`` ends without publishing anything."""


class Salt:
    """The program ``salt``, up to what it hands to the master."""

    def __init__(self, folder: pathlib.Path):
        (folder / "master").write_text("")
        self._folder = str(folder)
        config = salt.config.client_config(str(folder / "master"))
        # Reading the same file twenty thousand times would prove nothing more.
        parser = salt.utils.parsers.SaltCMDOptionParser
        parser.setup_config = lambda self: copy.copy(config)
        self._after_parsed = list(parser._mixin_after_parsed_funcs)
        for name in ("set_logging_options_dict", "freeze_logging_options_dict", "setup_logging"):
            setattr(salt._logging, name, lambda *_: None)
        self._client = salt.client.LocalClient.__new__(salt.client.LocalClient)
        self._client.opts = {**config, "ext_job_cache": "", "order_masters": False}
        self._client.key, self._client.salt_user, self._client.event = "key", "root", None
        self._client.pub = self._pub
        self._client._check_pub_data = lambda pub_data, **_: pub_data

    def published(self, argv: list[str]) -> dict:
        """tgt, tgt_type, fun and arg as they stand in ``salt/job/J/new``."""
        parser = self._parsed(argv)
        config = parser.config
        tgt_type = parser.selected_target_option or "glob"
        try:
            load = self._client.run_job(
                config["tgt"], config["fun"], config["arg"], tgt_type, timeout=1
            )
        except salt.exceptions.SaltClientError as error:
            raise Refused(str(error)) from error
        return _on_the_bus({key: load[key] for key in ("tgt", "tgt_type", "fun", "arg")})

    def _parsed(self, argv: list[str]):
        parser_class = salt.utils.parsers.SaltCMDOptionParser
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                parser = parser_class()
                parser.parse_args(["-c", self._folder, *argv])
        except SystemExit as end:
            raise Refused(f"exit {end.code}: {said.getvalue()[-200:]}") from end
        finally:
            # Every parser adds its own to the list of its class.
            parser_class._mixin_after_parsed_funcs[:] = self._after_parsed
        if len(parser.args) < 2:
            raise Refused("no function")
        return parser

    def _pub(self, tgt, fun, arg=(), tgt_type="glob", ret="", jid="", timeout=None, **_):
        if tgt_type == "nodegroup":
            return {"tgt": tgt, "tgt_type": tgt_type, "fun": fun, "arg": arg}
        return self._client._prep_pub(tgt, fun, arg, tgt_type, ret, jid, timeout)


def _on_the_bus(load: dict) -> dict:
    """Through the request to the master, and through the master's event."""
    try:
        received = salt.payload.loads(salt.payload.dumps(load))
        return salt.payload.loads(
            salt.payload.dumps(received, use_bin_type=True), encoding="utf-8"
        )
    except Exception as error:
        raise Refused(f"can't be sent: {error}") from error
