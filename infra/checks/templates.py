"""Templates as plain data: SAM's expanded, CDK's as it was synthesised, and both
with parameters, conditions and intrinsic functions worked out.

A reference to a resource stays a text, `<LogicalId>` or `<LogicalId.Attribute>`,
so that two templates can be compared after their ids are made the same.
"""

import copy
import json
import os
import pathlib
import re

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

import logging

import yaml
from samtranslator.translator.transform import transform

CHECKS = pathlib.Path(__file__).parent
ROOT = CHECKS.parent.parent
SAM = ROOT / "infra" / "template.yaml"
TOPIC = ROOT / "infra" / "topic.yaml"
SCENARIOS = json.loads((CHECKS / "scenarios.json").read_text())

PSEUDO = {
    "AWS::StackName": "motherlode",
    "AWS::Region": "eu-central-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
NOTHING = object()

# It says at each transform that nobody publishes its metrics.
logging.getLogger("samtranslator.metrics.metrics").setLevel(logging.ERROR)
# Moto's server says every request.
logging.getLogger("werkzeug").setLevel(logging.ERROR)


def _tag(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_multi_constructor("!", _tag)
# CloudFormation takes dates as they are written.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_sam(path=SAM):
    """The SAM template as it is written."""
    return yaml.load(pathlib.Path(path).read_text(), Loader=_Loader)


def expand(template, parameters=None):
    """What SAM's transform makes of it; bundles lie in a bucket that is not there."""
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bundles/placeholder.zip"

    class NoPolicies:
        def load(self):
            return {}

    values = defaults(template) | (parameters or {})
    expanded = transform(template, values, NoPolicies())
    expanded.pop("Transform", None)
    return expanded


def defaults(template):
    """The parameters that have a default, with it."""
    parameters = template.get("Parameters", {}).items()
    return {name: str(p["Default"]) for name, p in parameters if "Default" in p}


class Resolver:
    """Works out a template for given parameters."""

    def __init__(self, template, parameters):
        self.template = template
        self.values = dict(PSEUDO)
        for name, parameter in template.get("Parameters", {}).items():
            value = parameters.get(name, parameter.get("Default", ""))
            if parameter["Type"] == "CommaDelimitedList":
                value = str(value).split(",")
            self.values[name] = value
        self.conditions = template.get("Conditions", {})

    def resources(self):
        """The resources that there are under these parameters."""
        found = {}
        for name, resource in self.template["Resources"].items():
            condition = resource.get("Condition")
            if condition and not self.holds(condition):
                continue
            kept = {key: value for key, value in resource.items() if key != "Condition"}
            found[name] = self.value(kept)
        return found

    def outputs(self):
        """What the stack tells, by name."""
        found = {}
        for name, output in self.template.get("Outputs", {}).items():
            if "Condition" not in output or self.holds(output["Condition"]):
                found[name] = self.value(output["Value"])
        return found

    def refusals(self):
        """What the template's rules have against the parameters."""
        return [
            one["AssertDescription"]
            for rule in self.template.get("Rules", {}).values()
            if self.value(rule.get("RuleCondition", True))
            for one in rule["Assertions"]
            if not self.value(one["Assert"])
        ]

    def holds(self, condition):
        return self.value(self.conditions[condition]) is True

    def value(self, node):
        if isinstance(node, list):
            items = [self.value(item) for item in node]
            return [item for item in items if item is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (key, argument), = node.items()
            if key == "Ref":
                return self.ref(argument)
            if key == "Condition" and isinstance(argument, str):
                return self.holds(argument)
            if key.startswith("Fn::"):
                return self.function(key[4:], argument)
        items = {key: self.value(value) for key, value in node.items()}
        return {key: value for key, value in items.items() if value is not NOTHING}

    def ref(self, name):
        if name == "AWS::NoValue":
            return NOTHING
        if name in self.values:
            return self.values[name]
        return f"<{name}>"

    def function(self, name, argument):
        if name == "GetAtt":
            return f"<{'.'.join(argument)}>"
        if name == "If":
            condition, then, otherwise = argument
            return self.value(then if self.holds(condition) else otherwise)
        if name == "Sub":
            return self.sub(argument)
        if name == "Join":
            separator, items = argument
            return separator.join(str(item) for item in self.value(items))
        values = self.value(argument)
        if name == "Split":
            return values[1].split(values[0])
        if name == "Select":
            return values[1][int(values[0])]
        if name == "Equals":
            return str(values[0]) == str(values[1])
        if name == "Not":
            return not values[0]
        if name == "And":
            return all(values)
        if name == "Or":
            return any(values)
        if name == "Contains":
            return values[1] in values[0]
        raise ValueError(f"Fn::{name} is not known here")

    def sub(self, argument):
        text, own = (argument, {}) if isinstance(argument, str) else argument
        own = {key: self.value(value) for key, value in own.items()}
        parts = text.split("${")
        done = parts[0]
        for part in parts[1:]:
            name, rest = part.split("}", 1)
            if name.startswith("!"):
                done += "${" + name[1:] + "}" + rest
            elif name in own:
                done += str(own[name]) + rest
            elif "." in name:
                done += f"<{name}>" + rest
            else:
                done += str(self.ref(name)) + rest
        return done


def refusals(template, parameters):
    """What CloudFormation would say of parameters before it makes anything."""
    said = []
    for name, parameter in template["Parameters"].items():
        value = parameters.get(name, parameter.get("Default"))
        pattern = parameter.get("AllowedPattern", ".*")
        if value is None:
            said.append(f"{name} is missing")
        elif not re.fullmatch(pattern, str(value), re.S):
            said.append(f"{name} does not match")
        elif str(value) not in [str(v) for v in parameter.get("AllowedValues", [value])]:
            said.append(f"{name} cannot be {value}")
    said += [f"{name} is no parameter" for name in parameters if name not in template["Parameters"]]
    return said + Resolver(template, parameters).refusals()


def sam(scenario):
    """The resources of the SAM template in a scenario."""
    expanded = expand(read_sam(), scenario["parameters"])
    return Resolver(expanded, scenario["parameters"]).resources()


def sam_outputs(scenario):
    """The outputs of the SAM template in a scenario."""
    return Resolver(read_sam(), scenario["parameters"]).outputs()


def synthesised(scenario):
    path = ROOT / "cdk" / "build" / "scenarios" / f"{scenario['name']}.json"
    return json.loads(path.read_text())


def cdk(scenario):
    """The resources of the CDK app in a scenario, under its own ids."""
    resources = Resolver(synthesised(scenario), {}).resources()
    return {k: r for k, r in resources.items() if r["Type"] != "AWS::CDK::Metadata"}
