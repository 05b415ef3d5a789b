"""What the image, the units and the package say about the program, against the program."""
import os
import pty
import re
import shutil
import subprocess

import pytest

from conftest import BINARY, PATIENCE, ROOT, clean_environment, free_port


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout


def test_what_a_built_program_needs_is_what_set_up_installs_to_run_it():
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "-d", str(BINARY))))
    paths = {name: path for name, path in re.findall(r"^\s*(\S+) => (/\S+)", run("ldd", str(BINARY)), re.M)}
    installed = re.search(r"^run=\((.*?)\)", (ROOT / "scripts/setup.sh").read_text(), re.M | re.S)[1].split()
    needed -= {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libgcc_s.so.1"}  # every Debian has them
    assert len(needed) > 5
    for library in needed:
        name = paths[library].split("/")[-1]
        packages = {line.split(":")[0] for line in run("dpkg-query", "-S", f"*/{name}").splitlines()}
        assert packages & set(installed), (library, packages)
    for program in ("ffmpeg", "fonts-dejavu-core", "ca-certificates"):
        assert program in installed and program in (ROOT / "debian/control").read_text()


def test_the_package_is_built_from_what_the_scripts_install():
    control = (ROOT / "debian/control").read_text()
    wanted = set(re.findall(r"^ ([a-z0-9.+-]+)", control.split("Build-Depends:")[1].split("\n\n")[0], re.M)) - {"debhelper-compat"}
    installed = set(re.search(r"^packages=\((.*?)\)", (ROOT / "scripts/setup.sh").read_text(), re.M | re.S)[1].split())
    assert wanted and wanted <= installed
    assert {package for package in installed if package.endswith("-dev")} <= wanted
    version = re.search(r"project\(segments VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert (ROOT / "debian/changelog").read_text().startswith(f"segments ({version})") and version in run(str(BINARY), "version")


def test_the_image_is_built_by_the_scripts_from_files_that_its_context_has():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists() and any(source == one or source.startswith(one + "/") for one in allowed), line
    steps = [line for line in lines if line.startswith("RUN ")]
    assert any('"scripts/setup.sh"' in line for line in steps) and any('"scripts/build.sh"' in line for line in steps)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users and users[-1] not in ("root", "0")
    assert all(line.split(" ", 1)[1].startswith("[") for line in lines if line.startswith(("RUN ", "ENTRYPOINT ", "CMD ", "VOLUME ")))  # no shell between
    referenced = set(re.findall(r"\$\{PROJECT_SOURCE_DIR\}/(\w+)/[\w*]+\.cc\)", (ROOT / "src/CMakeLists.txt").read_text())) - {"tests"}
    assert referenced <= set(allowed), "folders that the build reads"


@pytest.mark.parametrize("unit", ["segments", "segments-worker"])
def test_the_units_are_understood_and_hardened(unit, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    text = (ROOT / f"systemd/{unit}.service").read_text()
    copy = tmp_path / f"{unit}.service"
    copy.write_text(text.replace("/usr/bin/segments", str(BINARY)))
    answer = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=120)
    assert unit not in answer.stderr, answer.stderr
    checked = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", str(copy)], capture_output=True, text=True, timeout=120)
    assert checked.returncode == 0, checked.stdout[-1500:]  # an exposure of 2.0 of 10 at most
    assert "KillMode=mixed" in text and "NoNewPrivileges=yes" in text and "ProtectSystem=strict" in text


def test_the_settings_file_names_settings_that_there_are():
    known = set(re.findall(r"^\| `(\w+)`", run(str(BINARY), "config"), re.M))
    given = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / "systemd/segments.env").read_text(), re.M))
    assert given and given <= known, given - known


def test_the_manual_page_has_every_command():
    page = (ROOT / "debian/segments.1").read_text().replace("\\-", "-")
    commands = set(re.findall(r"^  ([a-z]+(?: [a-z-]+)?)", run(str(BINARY), "--help"), re.M))
    assert {"serve", "admin table"} <= commands
    for command in commands:
        assert re.search(rf"\b{command}\b", page), command


def test_a_token_is_shown_to_a_person_at_a_terminal_and_never_to_a_journal(tmp_path):
    def said(name, output, reader):
        env = clean_environment(PORT=str(free_port()), SEGMENTS_DATA_DIR=str(tmp_path / name), SEGMENTS_WORKERS="0")
        server = subprocess.Popen([BINARY, "serve"], env=env, stdout=output, stderr=subprocess.DEVNULL, cwd=tmp_path)
        try:
            os.close(output)
            text = b""
            while b"\n" not in text and (more := os.read(reader, 65536)):
                text += more
        finally:
            server.terminate()
            server.wait(PATIENCE)
            os.close(reader)
        assert text.startswith(b"Segments is ready: http://127.0.0.1:"), text
        return text

    terminal, person = pty.openpty()[::-1]
    assert b"/docs#token=ey" in said("terminal", terminal, person)
    reader, journal = os.pipe()
    assert b"token=" not in said("journal", journal, reader)
