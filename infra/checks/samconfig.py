"""samconfig.toml: every parameter is one of the template's, and none is forgotten that
has no default. What names an account stands there behind a #."""

import re
import tomllib

from templates import ROOT, read_sam, refusals

template = read_sam()
text = (ROOT / "samconfig.toml").read_text()
# As after the reader of the guide took the # away.
filled = re.sub(r'^( *)# ("\w+=)', r"\1\2", text, flags=re.M).replace("REGION:ACCOUNT:secret:NAME-SUFFIX", "eu-central-1:123456789012:secret:ch-AbCdEf")
config = tomllib.loads(filled)
problems = []
for environment in ("dev", "staging", "prod"):
    deploy = config[environment]["deploy"]["parameters"]
    given = dict(override.split("=", 1) for override in deploy["parameter_overrides"])
    problems += [f"{environment}: {problem}" for problem in refusals(template, given)]
    if deploy.get("capabilities") != "CAPABILITY_IAM":
        problems.append(f"{environment}: roles need CAPABILITY_IAM")
    for name in ("global", "build", "deploy"):
        # What is built is deployed, and no folder of sources.
        path = config[environment][name]["parameters"].get("template_file")
        if path != ("infra/template.yaml" if name == "build" else None):
            problems.append(f"{environment}.{name}: template_file is {path}")
names = [config[e]["global"]["parameters"]["stack_name"] for e in ("dev", "staging", "prod")]
if len(set(names)) != 3:
    problems.append(f"two environments share a stack: {names}")
if __name__ == "__main__":
    print("\n".join(problems))
    raise SystemExit(bool(problems))
