"""Packs built functions for Lambda, and says what came of it.

    pack.py LAMBDA_FOLDER ARCHITECTURE OUT NAME=MOST_MB …

Each `NAME/bootstrap` becomes OUT/NAME-ARCHITECTURE.zip. The same bytes give the same zip: times,
owner and order are fixed. A function for another processor, one that needs a newer glibc than
provided.al2023 has, or one above its budget is refused. Sums go to OUT/SHA256SUMS-ARCHITECTURE.
"""

import hashlib
import pathlib
import re
import struct
import sys
import zipfile

# The C library of provided.al2023, and ELF's numbers of processors (e_machine).
GLIBC = (2, 34)
MACHINES = {"arm64": 183, "x86_64": 62}
MB = 1_000_000


def problem_of(binary, architecture):
    """Why Lambda could not start it; None when it can."""
    if binary[:5] != b"\x7fELF\x02":
        return "it is no 64-bit ELF program"
    (machine,) = struct.unpack_from("<H", binary, 18)
    if machine != MACHINES[architecture]:
        return f"it is for another processor (e_machine {machine})"
    if glibc_of(binary) > GLIBC:
        return "it needs glibc {}.{}, and provided.al2023 has {}.{}".format(*glibc_of(binary), *GLIBC)
    return None


def glibc_of(binary):
    """The newest version of glibc whose symbols it asks for."""
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", binary)
    return max(((int(major), int(minor)) for major, minor in versions), default=(0, 0))


def zipped(binary, target):
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = 0o100755 << 16
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(entry, binary, zipfile.ZIP_DEFLATED, 9)


def main(folder, architecture, out, *budgets):
    folder, out = pathlib.Path(folder), pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    sums, problems = [], []
    print(f"{'function':<12} {'processor':<9} {'binary MB':>9} {'zip MB':>7} {'most':>5}  {'glibc':<6} sha256")
    for budget in budgets:
        name, most = budget.split("=")
        binary = (folder / name / "bootstrap").read_bytes()
        target = out / f"{name}-{architecture}.zip"
        problem = problem_of(binary, architecture)
        zipped(binary, target)
        size = target.stat().st_size
        digest = hashlib.sha256(target.read_bytes()).hexdigest()
        if size > float(most) * MB:
            problem = problem or f"its zip has {size / MB:.1f} MB, more than {most}"
        if problem:
            problems.append(f"{name}: {problem}")
            target.unlink()
        sums.append(f"{digest}  {target.name}\n")
        mark = "✗" if problem else "✓"
        glibc = "{}.{}".format(*glibc_of(binary))
        print(f"{name:<12} {architecture:<9} {len(binary) / MB:>9.1f} {size / MB:>7.1f} {most:>5}  {glibc:<6} {digest} {mark}")
    (out / f"SHA256SUMS-{architecture}").write_text("".join(sums))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
