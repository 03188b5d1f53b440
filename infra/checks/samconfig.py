"""samconfig.toml: sam reads it as it is meant, and every parameter is one of the template's."""

import tomllib

from templates import ROOT, read_sam

config = tomllib.loads((ROOT / "samconfig.toml").read_text())
template = read_sam()
problems = []
for environment in ("dev", "staging", "prod"):
    deploy = config[environment]["deploy"]["parameters"]
    for override in deploy["parameter_overrides"]:
        name, _, value = override.partition("=")
        parameter = template["Parameters"].get(name)
        if parameter is None:
            problems.append(f"{environment}: the template has no parameter {name}")
        elif value not in [str(v) for v in parameter.get("AllowedValues", [value])]:
            problems.append(f"{environment}: {name} cannot be {value}")
    if deploy.get("capabilities") != "CAPABILITY_IAM":
        problems.append(f"{environment}: roles need CAPABILITY_IAM")
names = [config[e]["global"]["parameters"]["stack_name"] for e in ("dev", "staging", "prod")]
if len(set(names)) != 3:
    problems.append(f"two environments share a stack: {names}")
print("\n".join(problems))
raise SystemExit(bool(problems))
