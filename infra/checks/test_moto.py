"""The transformed template is deployed to moto's CloudFormation, as far as moto
goes. Moto says CREATE_COMPLETE of what it has never made, so every resource is
looked for by its physical id, and by asking its service where moto has one.
"""

import io
import json
import logging
import re
import unittest
import urllib.request
import warnings
import zipfile

import boto3
from moto.server import ThreadedMotoServer

import local
from templates import SCENARIOS, Resolver, expand, read_sam

REGION = "eu-central-1"

# What moto 5.2 leaves out without a word: the stack is complete, the resource is
# not there. Other tests here look at these as data.
SKIPPED = {
    "AWS::SQS::QueuePolicy": "moto has no such resource type in CloudFormation",
    "AWS::S3::BucketPolicy": "moto has no such resource type in CloudFormation",
    "AWS::CloudWatch::Alarm": "moto's alarms are made by its API only",
    "AWS::ApiGatewayV2::Api": "moto has version 2 of API Gateway, but not in CloudFormation",
    "AWS::ApiGatewayV2::Stage": "moto has version 2 of API Gateway, but not in CloudFormation",
    "AWS::Lambda::EventInvokeConfig": "moto has no such resource type in CloudFormation",
    "AWS::Logs::MetricFilter": "moto has them, but not in CloudFormation",
}

# What moto makes, but forgets to name: the functions' policies show it.
UNNAMED = {"AWS::Lambda::Permission"}

# What is taken out before the deployment, because moto refuses the whole stack.
REFUSED = {
    "MskTopic": "moto looks for the source of a mapping among SQS, DynamoDB and Kinesis only",
    "SelfManagedTopic": "moto's mappings need an EventSourceArn",
}


def deployable(template, parameters):
    """The template for moto, with conditions worked out by CloudFormation's stand-in."""
    expanded = expand(template, parameters)
    for name in REFUSED:
        expanded["Resources"].pop(name, None)
    # Moto does not know them; cfn-lint does.
    expanded.pop("Rules", None)
    return expanded


class Deployed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # What moto leaves out is told here, with the resource's name.
        logging.getLogger("moto").setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module="moto")
        cls.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        cls.server.start()
        _, port = cls.server.get_host_and_port()
        cls.endpoint = f"http://127.0.0.1:{port}"
        cls.session = boto3.Session("test", "test", region_name=REGION)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def client(self, service):
        return self.session.client(service, endpoint_url=self.endpoint)

    def setUp(self):
        # Each scenario in an account that has nothing but the bundles.
        request = urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST")
        urllib.request.urlopen(request).read()
        s3 = self.client("s3")
        s3.create_bucket(Bucket="bundles", CreateBucketConfiguration={"LocationConstraint": REGION})
        bundle = io.BytesIO()
        with zipfile.ZipFile(bundle, "w") as archive:
            archive.writestr("bootstrap", "")
        s3.put_object(Bucket="bundles", Key="placeholder.zip", Body=bundle.getvalue())

    def deploy(self, scenario):
        template = deployable(read_sam(), scenario["parameters"])
        client = self.client("cloudformation")
        client.create_stack(
            StackName="motherlode",
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in scenario["parameters"].items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        (stack,) = client.describe_stacks(StackName="motherlode")["Stacks"]
        self.assertEqual(stack["StackStatus"], "CREATE_COMPLETE", stack.get("StackStatusReason"))
        pages = client.get_paginator("list_stack_resources").paginate(StackName="motherlode")
        made = {r["LogicalResourceId"]: r for page in pages for r in page["StackResourceSummaries"]}
        wanted = Resolver(template, scenario["parameters"]).resources()
        return stack, made, wanted

    def check(self, scenario):
        stack, made, wanted = self.deploy(scenario)
        for name, resource in wanted.items():
            physical = made.get(name, {}).get("PhysicalResourceId")
            with self.subTest(scenario=scenario["name"], resource=name, type=resource["Type"]):
                if resource["Type"] in UNNAMED:
                    self.permitted(resource, made)
                elif resource["Type"] in SKIPPED:
                    self.assertFalse(physical, "moto makes it by now: take it from SKIPPED")
                else:
                    self.assertTrue(physical, "it has no physical id: moto has not made it")
        # Without a name: what is UNNAMED.
        extra = {name for name in made if name and name not in wanted}
        self.assertEqual(extra, set(), "moto made what the conditions leave out")
        self.ask(made, stack)

    def test_the_tables_and_queues_of_the_local_stack(self):
        """infra/local.json gives what the whole template gives."""
        client = self.client("cloudformation")
        template = local.FILE.read_text()
        client.create_stack(StackName="demo", TemplateBody=template)
        resources = client.describe_stack_resources(StackName="demo")["StackResources"]
        made = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources}
        wanted = json.loads(template)["Resources"]
        self.assertEqual(set(made), set(wanted))
        sqs, dynamodb = self.client("sqs"), self.client("dynamodb")
        for name, resource in wanted.items():
            with self.subTest(resource=name):
                meant = resource["Properties"]
                if resource["Type"] == "AWS::SQS::Queue":
                    has = sqs.get_queue_attributes(QueueUrl=made[name], AttributeNames=["All"])["Attributes"]
                    self.assertEqual(has["VisibilityTimeout"], str(meant.get("VisibilityTimeout", 30)))
                    self.assertEqual(has.get("FifoQueue", "false"), str(meant.get("FifoQueue", False)).lower())
                    self.assertEqual("RedrivePolicy" in has, "RedrivePolicy" in meant)
                else:
                    has = dynamodb.describe_table(TableName=made[name])["Table"]
                    self.assertEqual(has["KeySchema"], meant["KeySchema"])

    def permitted(self, permission, made):
        function = re.search(r"<(\w+)", permission["Properties"]["FunctionName"]).group(1)
        policy = self.client("lambda").get_policy(FunctionName=made[function]["PhysicalResourceId"])
        principals = [one["Principal"]["Service"] for one in json.loads(policy["Policy"])["Statement"]]
        self.assertIn(permission["Properties"]["Principal"], principals)

    def ask(self, made, stack):
        """The services have what the functions need, under the stack's outputs."""
        outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
        dynamodb = self.client("dynamodb")
        ledger = dynamodb.describe_table(TableName=outputs["LedgerTableName"])["Table"]
        self.assertEqual({i["IndexName"] for i in ledger["GlobalSecondaryIndexes"]}, {"by_source", "by_debt"})
        sources = dynamodb.describe_table(TableName=outputs["SourcesTableName"])["Table"]
        self.assertEqual([k["AttributeName"] for k in sources["KeySchema"]], ["pk", "sk"])
        sqs = self.client("sqs")
        queue = sqs.get_queue_attributes(QueueUrl=outputs["FilesQueueUrl"], AttributeNames=["All"])["Attributes"]
        redrive = json.loads(queue["RedrivePolicy"])
        self.assertTrue(redrive["deadLetterTargetArn"].endswith("motherlode-files-dlq"))
        self.assertEqual(queue["VisibilityTimeout"], "1800")
        functions = self.client("lambda")
        for name in (n for n, r in made.items() if r["ResourceType"] == "AWS::Lambda::Function"):
            made_as = functions.get_function(FunctionName=made[name]["PhysicalResourceId"])["Configuration"]
            variables = made_as["Environment"]["Variables"]
            self.assertNotIn("", [k for k in variables])
            if name == "Mother":
                self.assertEqual(variables["MOTHERLODE_QUEUE_URL"], outputs["FilesQueueUrl"])
                self.assertEqual(variables["MOTHERLODE_LEDGER_TABLE"], outputs["LedgerTableName"])
                json.loads(variables["MOTHERLODE_CLUSTERS"])
        if "SpillQueue" in made:
            spill = sqs.get_queue_attributes(
                QueueUrl=made["SpillQueue"]["PhysicalResourceId"], AttributeNames=["All"]
            )["Attributes"]
            self.assertEqual((spill["FifoQueue"], spill["VisibilityTimeout"]), ("true", "720"))


for scenario in SCENARIOS:
    def test(self, scenario=scenario):
        self.check(scenario)
    setattr(Deployed, f"test_{scenario['name'].replace('-', '_')}", test)


if __name__ == "__main__":
    unittest.main()
