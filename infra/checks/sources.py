"""What the Rust sources say of themselves: the variables that a function reads,
the metrics that it writes, the calls to AWS that it makes. Read as text, without
their tests."""

import functools
import re

from templates import ROOT

FUNCTIONS = ("mother", "reconcile", "kafka-sink", "pixel", "drain")


@functools.cache
def code(*folders):
    """The code under some folders, by file."""
    found = {}
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("src/**/*.rs")):
            text = re.split(r"^#\[cfg\(test\)\]\nmod \w+ \{", file.read_text(), flags=re.M)[0]
            found[str(file.relative_to(ROOT))] = re.sub(r"^\s*//.*$", "", text, flags=re.M)
    assert found, f"there is no code under {folders}"
    return found


def everything():
    return code("functions", "shared")


def variables(function):
    """The variables of this platform that a function reads at its start."""
    own = "\n".join(code(f"functions/{function}").values())
    shared = everything()
    read = [own, shared["shared/runtime/src/aws.rs"]]
    if "Ingest::wire(" in own:
        read.append(shared["shared/ingest/src/wiring.rs"])
    if "wire_records(" in own or "KafkaConfig::from_environment(" in own:
        read.append(shared["shared/kafka/src/environment.rs"])
    return {name for text in read for name in re.findall(r'"(MOTHERLODE_[A-Z0-9_]+)"', text)}


def metrics():
    """The metrics that are written, as (name, dimension)."""
    kept = re.search(r"fn word\(.*?\n\}", everything()["functions/pixel/src/handler.rs"], re.S).group()
    found = set()
    for text in everything().values():
        for start in re.finditer(r"(?<!fn )\bemf\((?!&self)", text):
            call = balanced(text, start.end() - 1)
            dimension = re.search(r'&\[\("(\w+)",', call)
            if not dimension:
                continue
            names = re.findall(r'(?:count|time)\("(\w+)"|\bname: "(\w+)"', call)
            names = {one or other for one, other in names}
            if "count(word(" in call:
                names |= set(re.findall(r'=> "(\w+)"', kept))
            found |= {(name, dimension.group(1)) for name in names}
    return found


def events(message):
    """The calls that log a message."""
    found = []
    for text in everything().values():
        for start in re.finditer(r"tracing::\w+!\(", text):
            call = balanced(text, start.end() - 1)
            if f'"{message}"' in call:
                found.append(call)
    return found


def aws_calls():
    """The calls to AWS in the functions and in what they share, as (crate, call)."""
    calls = r"\.(\w+)\(\)\s*\.(?:table_name|bucket|queue_url|secret_id|transact_items|client_request_token|send)\("
    found = set()
    for file, text in everything().items():
        crate = "/".join(file.split("/")[:2])
        if crate != "shared/testkit":
            found |= {(crate, call) for call in re.findall(calls, text)}
    return found


def balanced(text, opening):
    """From an opening bracket to the one that closes it."""
    depth = 0
    for place in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return text[opening : place + 1]
    raise ValueError("a bracket is not closed")
