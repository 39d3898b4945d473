"""nginx, HAProxy and Caddy as processes of the tests, on loopback."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.deadline import SECONDS_MAX
from tests.ports import HOST, free_port
from tests.proxies.configurations import Place, configuration

# An ordinary user's path may lack the directory of daemons.
PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
LOOK_AGAIN_SECONDS = 0.01
NGINX = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{}
}}
"""
CADDY = """
{{
    admin off
    auto_https disable_redirects
}}
{}
"""


@dataclass(frozen=True)
class Proxy:
    """A kind of proxy."""

    name: str
    language: str
    """What docs/proxies.md calls its configurations."""
    file: str
    port_line: str
    listening: str
    """Replaces `port_line`."""
    frame: str
    """What is around the configuration."""
    command: Callable[[str], tuple[str, ...]]
    """The arguments that run it in the foreground with a file."""
    scheme: str = "http"
    needs: tuple[str, str] = ("", "")
    """A line of the configuration, and what it becomes for Debian's version and the HTTP/1.1 of the tests."""

    @property
    def binary(self) -> str | None:
        return shutil.which(self.name, path=PATH)

    @asynccontextmanager
    async def to(self, service: str, place: Place, directory: Path) -> AsyncIterator[str]:
        """Run it before the service at that address, and yield the URL for clients."""
        port = free_port()
        text = configuration(
            self.language, place, service.removeprefix("http://"), self.port_line, self.listening.format(port=port)
        )
        (directory / self.file).write_text(self.frame.format(text.replace(*self.needs)))
        assert self.binary is not None
        process = await asyncio.create_subprocess_exec(
            self.binary, *self.command(self.file), cwd=directory, env={"HOME": str(directory), "PATH": PATH}
        )
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await _until_listening(process, port)
            yield f"{self.scheme}://{HOST}:{port}{place.prefix}"
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _until_listening(process: asyncio.subprocess.Process, port: int) -> None:
    while True:
        assert process.returncode is None, "the proxy ended: its output has the reason"
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            # There is no event of another process.
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            continue
        writer.close()
        await writer.wait_closed()
        return


def write_certificate(directory: Path) -> Path:
    """Write the certificate that Caddy serves with into a directory; return its authority's."""
    authority = trustme.CA()
    certificate = authority.issue_cert(HOST)
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(directory / "certificate.pem")
    path = directory / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


NGINX_PROXY = Proxy(
    name="nginx",
    language="nginx",
    file="nginx.conf",
    port_line="listen 80;",
    listening=f"listen {HOST}:{{port}};",
    frame=NGINX,
    command=lambda file: ("-p", ".", "-e", "stderr", "-c", file),
)
HAPROXY = Proxy(
    name="haproxy",
    language="haproxy",
    file="haproxy.cfg",
    port_line="bind :80\n",
    listening=f"bind {HOST}:{{port}}\n",
    frame="{}",
    command=lambda file: ("-db", "-f", file),
)
CADDY_PROXY = Proxy(
    name="caddy",
    language="caddyfile",
    file="Caddyfile",
    port_line="kvs.example.com {\n",
    listening=f"https://{HOST}:{{port}} {{{{\n    tls certificate.pem key.pem\n",
    frame=CADDY,
    command=lambda file: ("run", "--adapter", "caddyfile", "--config", file),
    scheme="https",
    needs=("transport http {\n", "buffer_requests\ntransport http {\n"),
)
