"""ops/systemd: units that systemd can read, whose commands and files are there."""

import os
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from django.core.management import get_commands

from tests.programs import output_of

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "ops/systemd"
UNITS = sorted(path for path in FOLDER.iterdir() if path.is_file())
COMMON = FOLDER / "sojourn-.service.d/common.conf"

# Every directive that is used, by section; a name that is mistyped is none of them, and systemd would pass over it.
KNOWN = {
    "Unit": {"Description", "Requires", "Wants", "After"},
    "Install": {"WantedBy"},
    "Socket": {"ListenStream", "SocketUser", "SocketMode", "Backlog"},
    "Timer": {"OnCalendar", "RandomizedDelaySec", "Persistent"},
    "Service": {
        *("Type", "NotifyAccess", "RuntimeDirectory", "ExecStartPre", "ExecStart", "ExecReload", "KillMode", "Nice"),
        *("TimeoutStopSec", "Restart", "RestartSec", "User", "Group", "WorkingDirectory", "EnvironmentFile", "UMask"),
        *("ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectClock", "ProtectControlGroups"),
        *("ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectProc"),
        *("ProcSubset", "CapabilityBoundingSet", "NoNewPrivileges", "LockPersonality", "RestrictAddressFamilies"),
        *("RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "SystemCallArchitectures"),
        *("SystemCallFilter", "SystemCallErrorNumber"),
    },
}


def directives(path):
    """What a unit says: values by section and name. A name may stand more than once, which configparser refuses."""
    said, section = defaultdict(list), None
    for line in path.read_text().splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert equals and section, line
            said[section, name].append(value)
    return said


@pytest.mark.parametrize("path", [*UNITS, COMMON], ids=lambda path: path.name)
def test_every_directive_is_known_and_every_unit_that_is_named_is_there(path):
    names = {each.name for each in UNITS}
    for (section, name), values in directives(path).items():
        assert name in KNOWN[section]
        for word in " ".join(values).split():
            assert not re.fullmatch(r"sojourn-\w+\.\w+", word) or word in names


def test_each_timer_and_socket_has_its_service():
    others = {path.stem for path in UNITS if path.suffix != ".service"}
    assert others == {"sojourn-server", "sojourn-tidy"} <= {path.stem for path in UNITS if path.suffix == ".service"}


def test_every_command_is_one_that_the_site_has():
    services = [path for path in UNITS if path.suffix == ".service"]
    said = [item for path in services for item in directives(path).items()]
    commands = [
        shlex.split(value.removeprefix("-"))
        for (_, name), values in said
        if name.startswith("Exec")
        for value in values
    ]
    assert len(commands) > 3
    for words in commands:
        assert words[0].startswith(("/srv/sojourn/.venv/bin/", "/bin/"))
        assert Path(words[0]).name in {"python", "gunicorn", "kill"}
        assert all((ROOT / word).exists() for word in words if "/" in word and not word.startswith("/"))
        if "manage.py" in words:
            assert words[words.index("manage.py") + 1] in get_commands()


def test_the_server_waits_for_requests_for_as_long_as_gunicorn_does():
    [seconds] = directives(FOLDER / "sojourn-server.service")["Service", "TimeoutStopSec"]
    graceful = re.search(r"^graceful_timeout = (\d+)", (ROOT / "ops/gunicorn.conf.py").read_text(), flags=re.M)
    longest = re.search(r"proxy_read_timeout (\d+)s", (ROOT / "ops/nginx/sojourn.conf").read_text())
    assert int(longest[1]) < int(graceful[1]) < int(seconds)


def test_the_servers_folder_of_counters_is_the_servers():
    example = (ROOT / ".env.example").read_text()
    [folder] = directives(FOLDER / "sojourn-server.service")["Service", "RuntimeDirectory"]
    assert f"PROMETHEUS_MULTIPROC_DIR=/run/{folder}\n" in example


def test_a_command_leaves_nothing_in_the_servers_folder_of_counters(tmp_path):
    """What root left there could not be read by the server."""
    count = "from accounts.metrics import SIGN_INS; SIGN_INS.labels('opened').inc(); print('counted')"
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    assert "counted" in output_of("manage.py", "shell", "--command", count, env=os.environ | environment)
    assert not list(tmp_path.iterdir())


def test_nginx_asks_where_the_socket_listens():
    [where] = directives(FOLDER / "sojourn-server.socket")["Socket", "ListenStream"]
    assert f"server unix:{where};" in (ROOT / "ops/nginx/sojourn.conf").read_text()


def test_systemd_finds_nothing_wrong_where_there_is_one(tmp_path):
    """On other machines the tests above have to do."""
    program = shutil.which("systemd-analyze")
    if program is None:
        return
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    done = subprocess.run(
        [program, "verify", *(tmp_path / path.name for path in UNITS)],
        env={"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = [line for line in done.stderr.splitlines() if "sojourn" in line]
    assert not [line for line in found if "/srv/sojourn" not in line], found  # where the site is not installed
