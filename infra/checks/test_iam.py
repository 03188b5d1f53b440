"""Every role has the least that its function needs: the calls that its code and
its triggers make, on resources of this platform, and no wildcard without a
reason. Both templates, every scenario."""

import re
import unittest

from permissions import listed, statements_of_role, wildcards
from templates import SCENARIOS, cdk, sam

# What each function's code calls (the SDK calls under functions/ and shared/),
# and what Lambda's triggers do with its role.
COMMON = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}
INTERFACES = {
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}
SOURCES = {"dynamodb:GetItem", "dynamodb:Query"}
SECRETS = {"secretsmanager:GetSecretValue", "kms:Decrypt"}
OBJECTS = {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"}
POLLED = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
READ_KAFKA = {"kafka-cluster:Connect", "kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"}
WRITE_KAFKA = {"kafka-cluster:Connect", "kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"}
MOST = {
    "mother": SOURCES | SECRETS | OBJECTS | POLLED
    | {"dynamodb:UpdateItem", "sqs:SendMessage", "sqs:ChangeMessageVisibility"},
    "reconcile": SOURCES | SECRETS | OBJECTS | READ_KAFKA | {"dynamodb:UpdateItem", "dynamodb:PutItem"},
    "kafka-sink": SOURCES | SECRETS | READ_KAFKA
    | {"dynamodb:UpdateItem", "dynamodb:PutItem", "sqs:SendMessage"}
    | {"kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup", "kafka-cluster:DescribeClusterDynamicConfiguration"}
    | {"kafka:DescribeClusterV2", "kafka:GetBootstrapBrokers", "ec2:DescribeVpcs", "ec2:DescribeSecurityGroups"},
    "pixel": SOURCES | SECRETS | WRITE_KAFKA | {"sqs:SendMessage", "s3:PutObject"},
    "drain": SECRETS | WRITE_KAFKA | POLLED | {"s3:GetObject", "s3:DeleteObject"},
}


def of_type(resources, kind):
    return {name: r for name, r in resources.items() if r["Type"] == kind}


class LeastPrivilege(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.templates = [
            (f"{kind} {scenario['name']}", make(scenario))
            for scenario in SCENARIOS
            for kind, make in (("sam", sam), ("cdk", cdk))
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

    def test_no_role_may_more_than_its_function_calls(self):
        for template, resources in self.templates:
            for function in of_type(resources, "AWS::Lambda::Function").values():
                name = function["Properties"]["FunctionName"].removeprefix("motherlode-")
                role = re.search(r"<(\w+)", function["Properties"]["Role"]).group(1)
                with self.subTest(template=template, function=name):
                    allowed = {
                        action
                        for statement in statements_of_role(resources, role)
                        if statement["Effect"] == "Allow"
                        for action in listed(statement["Action"])
                    }
                    in_vpc = "VpcConfig" in function["Properties"]
                    most = MOST[name] | COMMON | (INTERFACES if in_vpc else set())
                    self.assertEqual(allowed - most, set())

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
