"""infra/local.json: the tables and queues of template.yaml as plain CloudFormation, for
the local stack, whose stand-in for AWS takes little more of the template. Names begin
with the name of the stack it is deployed as.

    local.py            says whether it is up to date
    local.py --write    makes it anew
"""

import json
import sys

from templates import ROOT, SCENARIOS, Resolver, expand, read_sam

FILE = ROOT / "infra" / "local.json"
TYPES = ("AWS::DynamoDB::Table", "AWS::SQS::Queue")


def unresolved(value):
    """References as CloudFormation writes them."""
    if isinstance(value, dict):
        return {key: unresolved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unresolved(item) for item in value]
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, str) and value.startswith("<"):
        return {"Fn::GetAtt": value.strip("<>").split(".")}
    if isinstance(value, str) and value.startswith("motherlode-"):
        return {"Fn::Sub": value.replace("motherlode", "${AWS::StackName}", 1)}
    return value


def local():
    everything = next(s for s in SCENARIOS if s["name"] == "msk")["parameters"] | {"DeletionProtection": "false"}
    resources = Resolver(expand(read_sam(), everything), everything).resources()
    kept = {
        name: {"Type": resource["Type"], "Properties": unresolved(resource["Properties"])}
        for name, resource in sorted(resources.items())
        if resource["Type"] in TYPES
    }
    description = "Made by infra/checks/local.py from infra/template.yaml: do not edit"
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Description": description, "Resources": kept}
    return json.dumps(template, indent=2) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        FILE.write_text(local())
    elif FILE.read_text() != local():
        sys.exit("infra/local.json is not what template.yaml says: infra/checks/local.py --write makes it anew")
