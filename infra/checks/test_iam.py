"""Every role has the least that its function needs: the calls that its code and
its triggers make, on resources of this platform, and no wildcard without a
reason. Both templates, every scenario."""

import re
import unittest

from permissions import listed, statements_of_role, wildcards
from templates import SCENARIOS, sam
from test_same import renamed_cdk

# What each function's code calls (CALLS of test_code.py says where), and what
# Lambda's triggers do with its role; by resource, as `resource_of` names it.
COMMON = {
    "its log": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "traces": {"xray:PutTraceSegments", "xray:PutTelemetryRecords"},
}
# A subnet is looked up, an interface is made: neither is there to be named.
INTERFACES = {
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}
SOURCES = {"sources": {"dynamodb:GetItem", "dynamodb:Query"}}
CLUSTERS = {"secrets of clusters": {"secretsmanager:GetSecretValue"}, "key of secrets": {"kms:Decrypt"}}
OBJECTS = {"objects": {"s3:GetObject"}, "buckets": {"s3:ListBucket"}, "key of buckets": {"kms:Decrypt"}}
KAFKA = {
    "kafka": {"kafka-cluster:Connect"},
    "secret of kafka": {"secretsmanager:GetSecretValue"},
    "key of secrets": {"kms:Decrypt"},
}
READ_KAFKA = KAFKA | {"topics": {"kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"}}
WRITE_KAFKA = KAFKA | {"topics": {"kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"}}
POLL = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
NEEDS = {
    "mother": SOURCES | CLUSTERS | OBJECTS | {
        "ledger": {"dynamodb:GetItem", "dynamodb:UpdateItem"},
        "FilesQueue": POLL | {"sqs:SendMessage", "sqs:ChangeMessageVisibility"},
    },
    "reconcile": SOURCES | CLUSTERS | OBJECTS | READ_KAFKA | {
        "ledger": {"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:PutItem"},
        "indexes of the ledger": {"dynamodb:Query"},
    },
    "kafka-sink": SOURCES | CLUSTERS | READ_KAFKA | {
        "ledger": {"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:PutItem"},
        # The trigger's: AWS Lambda Developer Guide, "Configuring Lambda permissions
        # for Amazon MSK event source mappings".
        "kafka": {
            "kafka-cluster:Connect",
            "kafka-cluster:DescribeClusterDynamicConfiguration",
            "kafka:DescribeClusterV2",
            "kafka:GetBootstrapBrokers",
        },
        "groups": {"kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup"},
        "authority of kafka": {"secretsmanager:GetSecretValue"},
        "KafkaDeadLetters": {"sqs:SendMessage"},
        "network": {"ec2:DescribeVpcs", "ec2:DescribeSecurityGroups"},
    },
    "pixel": SOURCES | WRITE_KAFKA | {
        "SpillQueue": {"sqs:SendMessage"},
        "spilled objects": {"s3:PutObject"},
        "refused events": {"s3:PutObject"},
    },
    "drain": WRITE_KAFKA | {
        "SpillQueue": POLL,
        "SpillDeadLetters": {"sqs:SendMessage"},
        "spilled objects": {"s3:GetObject"},
        "SpillBucket": {"s3:ListBucket"},
    },
}
# How the scenarios name what is not of the template.
RESOURCES = {
    r"<\w+Log\.Arn>": "its log",
    r"<LedgerTable\.Arn>": "ledger",
    r"<LedgerTable\.Arn>/index/(by_source|by_debt)": "indexes of the ledger",
    r"<SourcesTable\.Arn>": "sources",
    r"<SpillBucket\.Arn>/spill/\*": "spilled objects",
    r"<SpillBucket\.Arn>/invalid/\*": "refused events",
    r"arn:aws:s3:::[\w-]+/\*": "objects",
    r"arn:aws:s3:::[\w-]+": "buckets",
    r".*:secret:(ch|a|b|c|sink)-AbCdEf": "secrets of clusters",
    r".*:secret:(kafka|AmazonMSK_sink)-AbCdEf": "secret of kafka",
    r".*:secret:ca-AbCdEf": "authority of kafka",
    r".*:key/1{8}-.*": "key of secrets",
    r".*:key/2{8}-.*": "key of buckets",
    r"arn:aws:kafka:[^*]*:cluster/[^*]*": "kafka",
    r"arn:aws:kafka:[^*]*:topic/[^*]*/\*": "topics",
    r"arn:aws:kafka:[^*]*:group/[^*]*/motherlode-\*": "groups",
}


def resource_of(action, resource):
    """A resource in the words of NEEDS."""
    if resource == "*":
        return {"xray": "traces", "ec2": "network"}.get(action.split(":")[0], "anything")
    for pattern, name in RESOURCES.items():
        if re.fullmatch(pattern, resource):
            return name
    return resource.strip("<>").removesuffix(".Arn")


def allowed(resources, role):
    """What a role allows: pairs of resource and action."""
    return {
        (resource_of(action, resource), action)
        for statement in statements_of_role(resources, role)
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


# What is there whatever the parameters are.
ALWAYS = {"sources", "ledger", "indexes of the ledger", "secrets of clusters", "FilesQueue", "KafkaDeadLetters"}
ALWAYS |= {"SpillQueue", "spilled objects", "refused events"}


def pairs(needs):
    return {(resource, action) for resource, actions in needs.items() for action in actions}


def of_type(resources, kind):
    return {name: r for name, r in resources.items() if r["Type"] == kind}


class LeastPrivilege(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.templates = [
            (f"{kind} {scenario['name']}", make(scenario))
            for scenario in SCENARIOS
            for kind, make in (("sam", sam), ("cdk", renamed_cdk))
        ]

    def test_a_wildcard_has_a_reason(self):
        for template, resources in self.templates:
            for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
                for name, resource in of_type(resources, kind).items():
                    with self.subTest(template=template, resource=name):
                        self.reasons(resource)

    def reasons(self, resource):
        reasons = resource.get("Metadata", {}).get("WildcardReasons", {})
        properties = resource["Properties"]
        documents = [p["PolicyDocument"] for p in properties.get("Policies", [])]
        documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
        sids = set()
        for statement in (one for document in documents for one in document["Statement"]):
            sid = statement.get("Sid")
            self.assertIsNotNone(sid, f"a statement has no Sid: {statement}")
            self.assertNotIn(sid, sids, "a Sid is there twice")
            sids.add(sid)
            if wild := wildcards(statement):
                self.assertIn(sid, reasons, f"{wild} without a reason in Metadata.WildcardReasons")
                self.assertGreater(len(reasons[sid].split()), 4, "a reason is a sentence")
            for action in listed(statement["Action"]):
                if statement["Effect"] == "Allow":
                    self.assertNotIn("*", action, "no reason is good enough for this")

    def test_every_reason_is_needed(self):
        # The SAM template writes reasons for every scenario at once.
        used = {}
        for template, resources in self.templates:
            kind = template.split()[0]
            for name, resource in resources.items():
                for sid in resource.get("Metadata", {}).get("WildcardReasons", {}):
                    text = str(resource["Properties"])
                    used.setdefault((kind, name, sid), []).append(f"'Sid': '{sid}'" in text)
        for which, found in used.items():
            self.assertTrue(any(found), f"{which} is the reason of a statement that is nowhere")

    def test_each_function_has_a_role_of_its_own(self):
        for template, resources in self.templates:
            functions = of_type(resources, "AWS::Lambda::Function").values()
            roles = [function["Properties"]["Role"] for function in functions]
            self.assertEqual(len(roles), len(set(roles)), template)
            self.assertEqual(len(roles), len(of_type(resources, "AWS::IAM::Role")), template)

    def test_every_role_may_what_its_function_calls_and_no_more(self):
        found = {}
        for template, resources in self.templates:
            for function in of_type(resources, "AWS::Lambda::Function").values():
                name = function["Properties"]["FunctionName"].removeprefix("motherlode-")
                role = re.search(r"<(\w+)", function["Properties"]["Role"]).group(1)
                with self.subTest(template=template, function=name):
                    may = allowed(resources, role)
                    in_vpc = "VpcConfig" in function["Properties"]
                    most = pairs(NEEDS[name] | COMMON) | ({("network", one) for one in INTERFACES} if in_vpc else set())
                    self.assertEqual(may - most, set(), "it may more than it needs")
                    least = pairs(COMMON) | {(r, a) for r, a in pairs(NEEDS[name]) if r in ALWAYS}
                    self.assertEqual(least - may, set(), "it needs more than it may")
                    kind = template.split()[0]
                    found.setdefault((kind, name), set()).update(may)
        # What depends on parameters is there in one of the scenarios.
        for (kind, name), may in found.items():
            with self.subTest(template=kind, function=name):
                self.assertEqual(pairs(NEEDS[name]) - may, set(), "it needs more than it may in any scenario")

    def test_resources_that_anybody_could_ask_for_are_closed(self):
        """What a queue or a bucket lets in has a condition, or is a refusal."""
        for template, resources in self.templates:
            for kind in ("AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"):
                for name, policy in of_type(resources, kind).items():
                    for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                        with self.subTest(template=template, policy=name):
                            if statement["Effect"] == "Allow":
                                self.assertIn("aws:SourceArn", str(statement.get("Condition")))

    def test_roles_are_lambdas_only(self):
        for template, resources in self.templates:
            for name, role in of_type(resources, "AWS::IAM::Role").items():
                with self.subTest(template=template, role=name):
                    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
                    self.assertEqual(trust["Principal"], {"Service": "lambda.amazonaws.com"})


if __name__ == "__main__":
    unittest.main()
