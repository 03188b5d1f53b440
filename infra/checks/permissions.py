"""What roles and resource policies allow, as sets that can be compared."""

import json


def listed(value):
    return value if isinstance(value, list) else [value]


def plain(value):
    """Numbers and booleans as text, as CloudFormation takes them; lists of one as their item."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def statements_of_role(resources, role_id):
    """Every statement of a role: its own and those of its managed policies."""
    role = resources[role_id]["Properties"]
    documents = [policy["PolicyDocument"] for policy in role.get("Policies", [])]
    for arn in role.get("ManagedPolicyArns", []):
        name = str(arn).strip("<>")
        if name not in resources:
            raise AssertionError(f"{role_id} has the policy {arn}, which is not of this template")
        documents.append(resources[name]["Properties"]["PolicyDocument"])
    for resource in resources.values():
        if resource["Type"] != "AWS::IAM::Policy":
            continue
        if f"<{role_id}>" in resource["Properties"].get("Roles", []):
            documents.append(resource["Properties"]["PolicyDocument"])
    return [one for document in documents for one in document["Statement"]]


def flat(statements):
    """One entry for each action on each resource."""
    found = set()
    for one in statements:
        condition = {
            kind: {key: sorted(plain(listed(value))) for key, value in terms.items()}
            for kind, terms in one.get("Condition", {}).items()
        }
        principal = one.get("Principal", "")
        principal = "*" if principal == {"AWS": "*"} else principal
        for action in listed(one["Action"]):
            for resource in listed(one.get("Resource", "")):
                found.add(
                    (
                        one["Effect"],
                        json.dumps(principal, sort_keys=True),
                        action,
                        resource,
                        json.dumps(condition, sort_keys=True),
                    )
                )
    return found


def wildcards(statement):
    """What in a statement has a wildcard; a log group's ARN ends with one."""
    found = []
    for key in ("Action", "NotAction", "Resource", "NotResource"):
        if key.startswith("Not") and key in statement:
            found.append(key)
        found += [
            f"{key} {value}"
            for value in listed(statement.get(key, []))
            if "*" in str(value) or str(value).endswith("Log.Arn>")
        ]
    return found
