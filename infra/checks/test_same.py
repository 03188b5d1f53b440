"""The CDK app and the SAM template make the same resources, with the same
properties and permissions, in every scenario."""

import json
import re
import unittest

from permissions import flat, listed, plain, statements_of_role
from templates import SCENARIOS, TOPIC, Resolver, cdk, read_sam, refusals, sam, sam_outputs, synthesised

# Where the CDK constructs have what the SAM template has under another name.
PATHS = {
    "Ledger/Table": "LedgerTable",
    "Ledger/Sources": "SourcesTable",
    "Network": "NetworkPolicy",
    "Files/Queue": "FilesQueue",
    "Files/Queue/Policy": "FilesQueuePolicy",
    "Files/DeadLetters": "FilesDeadLetters",
    "Files/DeadLetters/Policy": "FilesDeadLettersPolicy",
    "Files/Objects": "ObjectsRule",
    "Files/Landing": "LandingBucket",
    "Files/Landing/Policy": "LandingBucketPolicy",
    "Files/Mother/Function": "Mother",
    "Files/Mother/Role": "MotherRole",
    "Files/Mother/Log": "MotherLog",
    "Files/Mother/Trigger": "MotherQueue",
    "Reconcile/Reconcile/Function": "Reconcile",
    "Reconcile/Reconcile/Function/EventInvokeConfig": "ReconcileEventInvokeConfig",
    "Reconcile/Reconcile/Role": "ReconcileRole",
    "Reconcile/Reconcile/Log": "ReconcileLog",
    "Reconcile/Schedule": "ReconcileEvery",
    "Streams/DeadLetters": "KafkaDeadLetters",
    "Streams/DeadLetters/Policy": "KafkaDeadLettersPolicy",
    "Streams/Sink/Function": "KafkaSink",
    "Streams/Sink/Role": "KafkaSinkRole",
    "Streams/Sink/Log": "KafkaSinkLog",
    "Clickstream/Pixel/Function": "Pixel",
    "Clickstream/Pixel/Role": "PixelRole",
    "Clickstream/Pixel/Log": "PixelLog",
    "Clickstream/Drain/Function": "Drain",
    "Clickstream/Drain/Role": "DrainRole",
    "Clickstream/Drain/Log": "DrainLog",
    "Clickstream/Drain/Trigger": "DrainQueue",
    "Clickstream/Spill": "SpillQueue",
    "Clickstream/Spill/Policy": "SpillQueuePolicy",
    "Clickstream/SpillDeadLetters": "SpillDeadLetters",
    "Clickstream/SpillDeadLetters/Policy": "SpillDeadLettersPolicy",
    "Clickstream/SpillBucket": "SpillBucket",
    "Clickstream/SpillBucket/Policy": "SpillBucketPolicy",
    "Clickstream/AccessLog": "PixelAccessLog",
    "Clickstream/Api": "PixelApi",
    "Clickstream/Stage": "PixelApiApiGatewayDefaultStage",
}

# Compared in another way than property by property, or not a property of ours.
ELSEWHERE = {
    "AWS::IAM::Role",
    "AWS::IAM::ManagedPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::S3::BucketPolicy",
    "AWS::Lambda::Permission",
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Integration",
    "AWS::CloudWatch::Dashboard",
}

# Properties that say nothing about what is deployed, with the reason.
IGNORED = {
    "AWS::Lambda::Function": {
        "Code": "a placeholder in both",
        "Tags": "SAM adds one of its own",
    },
    "AWS::ApiGatewayV2::Stage": {"Tags": "SAM adds one of its own"},
    "AWS::Events::Rule": {"State": "ENABLED is the default"},
    "AWS::Lambda::EventInvokeConfig": {"Qualifier": "both mean $LATEST"},
}


def ids_of(resources):
    """SAM's ids by CDK's."""
    ids = {}
    for logical, resource in resources.items():
        path = resource.get("Metadata", {}).get("aws:cdk:path", "")
        path = re.sub(r"^motherlode/Motherlode/", "", path)
        path = re.sub(r"/Resource$", "", path)
        if path.startswith("Alarms/"):
            ids[logical] = path.removeprefix("Alarms/")
        elif path.startswith("Streams/Topic-"):
            is_msk = "EventSourceArn" in resource["Properties"]
            ids[logical] = "MskTopic" if is_msk else "SelfManagedTopic"
        else:
            ids[logical] = PATHS.get(path, path)
    return ids


def renamed(ids, value):
    """A value that refers to SAM's ids where it referred to CDK's."""
    # Only whole ids, so that none is mistaken for another.
    new = lambda found: f"<{ids.get(found.group(1), found.group(1))}"
    return json.loads(re.sub(r"<(\w+)(?=[.>])", new, json.dumps(value)))


def renamed_cdk(scenario):
    """The resources of the CDK app in a scenario, under SAM's ids."""
    resources = cdk(scenario)
    ids = ids_of(resources)
    return {ids[logical]: resource for logical, resource in renamed(ids, resources).items()}


def cdk_outputs(scenario):
    """The outputs of the CDK app in a scenario; CDK puts a path before and a hash behind their names."""
    outputs = renamed(ids_of(cdk(scenario)), Resolver(synthesised(scenario), {}).outputs())
    return {re.fullmatch(r"Motherlode(\w+)[0-9A-F]{8}", name).group(1): value for name, value in outputs.items()}


def of_type(resources, *kinds):
    return {name: r for name, r in resources.items() if r["Type"] in kinds}


def properties(resource):
    kind = resource["Type"]
    kept = {
        name: value
        for name, value in resource["Properties"].items()
        # SAM writes some that are empty.
        if name not in IGNORED.get(kind, {}) and value != {}
    }
    if kind == "AWS::Lambda::EventSourceMapping":
        # The name, the ARN and `Ref` of a function all name it.
        kept["FunctionName"] = kept["FunctionName"].replace(".Arn>", ">")
    if kind == "AWS::Events::Rule":
        kept["Targets"] = [{k: v for k, v in target.items() if k != "Id"} for target in kept["Targets"]]
    if kind == "AWS::DynamoDB::Table":
        kept["AttributeDefinitions"] = sorted(kept["AttributeDefinitions"], key=str)
    if kind == "AWS::ApiGatewayV2::Stage":
        log = kept["AccessLogSettings"]
        kept["AccessLogSettings"] = log | {"Format": json.loads(log["Format"])}
    rest = {k: v for k, v in resource.items() if k in ("DeletionPolicy", "UpdateReplacePolicy") and v != "Delete"}
    return plain(kept | rest)


def routes(resources):
    """Which requests of the HTTP API go to which function, however it is said."""
    found = set()
    for api in of_type(resources, "AWS::ApiGatewayV2::Api").values():
        body = api["Properties"].get("Body", {})
        assert "x-amazon-apigateway-cors" not in body, "the pixel answers CORS, not the API"
        assert "CorsConfiguration" not in api["Properties"], "the pixel answers CORS, not the API"
        for path, methods in body.get("paths", {}).items():
            for method, operation in methods.items():
                call = operation["x-amazon-apigateway-integration"]
                function = re.search(r"<(\w+)\.Arn>", call["uri"]).group(1)
                key = path.removeprefix("/") if path == "/$default" else f"{method} {path}"
                found.add((key, call["type"].upper(), call["payloadFormatVersion"], function))
    integrations = of_type(resources, "AWS::ApiGatewayV2::Integration")
    for route in of_type(resources, "AWS::ApiGatewayV2::Route").values():
        target = re.search(r"integrations/<([^>]+)>", route["Properties"]["Target"]).group(1)
        call = integrations[target]["Properties"]
        function = re.search(r"<(\w+)\.Arn>", call["IntegrationUri"]).group(1)
        key = route["Properties"]["RouteKey"]
        found.add((key, call["IntegrationType"], call["PayloadFormatVersion"], function))
    return found


def invokers(resources):
    """Who may invoke which function, and on whose behalf."""
    found = set()
    for permission in of_type(resources, "AWS::Lambda::Permission").values():
        p = permission["Properties"]
        source = re.search(r"<(\w+)", p["SourceArn"]).group(1)
        found.add((re.search(r"<(\w+)", p["FunctionName"]).group(1), p["Action"], p["Principal"], source))
    return found


def resource_policies(resources):
    found = set()
    for policy in of_type(resources, "AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy").values():
        found |= flat(policy["Properties"]["PolicyDocument"]["Statement"])
    return found


class Same(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.both = {s["name"]: (sam(s), renamed_cdk(s)) for s in SCENARIOS}

    def each(self):
        for name, (ours, theirs) in self.both.items():
            with self.subTest(scenario=name):
                yield ours, theirs

    def test_the_same_resources_are_made(self):
        for ours, theirs in self.each():
            compared = lambda resources: {
                (name, r["Type"]) for name, r in resources.items() if r["Type"] not in ELSEWHERE
            }
            self.assertEqual(compared(ours), compared(theirs))

    def test_their_properties_are_the_same(self):
        for ours, theirs in self.each():
            for name, resource in ours.items():
                if resource["Type"] not in ELSEWHERE:
                    with self.subTest(resource=name):
                        self.assertEqual(properties(resource), properties(theirs[name]))

    def test_every_function_may_do_the_same(self):
        for ours, theirs in self.each():
            for name in of_type(ours, "AWS::IAM::Role"):
                with self.subTest(role=name):
                    both = [flat(statements_of_role(one, name)) for one in (ours, theirs)]
                    self.assertEqual(both[0] - both[1], set(), "only SAM's may")
                    self.assertEqual(both[1] - both[0], set(), "only CDK's may")
                    trust = [
                        flat(one[name]["Properties"]["AssumeRolePolicyDocument"]["Statement"])
                        for one in (ours, theirs)
                    ]
                    self.assertEqual(*trust)
            self.assertEqual(set(of_type(ours, "AWS::IAM::Role")), set(of_type(theirs, "AWS::IAM::Role")))

    def test_queues_and_buckets_let_the_same_in(self):
        for ours, theirs in self.each():
            self.assertEqual(resource_policies(ours), resource_policies(theirs))

    def test_functions_are_invoked_by_the_same(self):
        for ours, theirs in self.each():
            self.assertEqual(invokers(ours), invokers(theirs))
            self.assertEqual(routes(ours), routes(theirs))

    def test_the_dashboards_show_the_same(self):
        for ours, theirs in self.each():
            body = lambda one: json.loads(one["Dashboard"]["Properties"]["DashboardBody"])
            self.assertEqual(body(ours), body(theirs))
            self.assertEqual(
                ours["Dashboard"]["Properties"]["DashboardName"],
                theirs["Dashboard"]["Properties"]["DashboardName"],
            )

    def test_the_outputs_say_the_same(self):
        for scenario in SCENARIOS:
            with self.subTest(scenario=scenario["name"]):
                ours, theirs = sam_outputs(scenario), cdk_outputs(scenario)
                # A topic is an item of a list there, and no stack of its own.
                for name in ("KafkaSinkArn", "KafkaDeadLettersArn"):
                    ours.pop(name, None)
                # An address is written in one of two ways.
                ours.pop("PixelUrl", None), theirs.pop("PixelUrl", None)
                self.assertEqual(ours, theirs)

    def test_one_more_topic_is_read_like_the_first(self):
        read = 0
        for scenario in SCENARIOS:
            mappings = of_type(sam(scenario), "AWS::Lambda::EventSourceMapping")
            first = mappings.get("MskTopic") or mappings.get("SelfManagedTopic")
            if first is None:
                continue
            read += 1
            given = scenario["parameters"]
            template = read_sam(TOPIC)
            shared = {name: value for name, value in given.items() if name in template["Parameters"]}
            if "MskClusterArn" in given:
                shared.pop("KafkaBrokers")
            parameters = shared | {
                "Topic": given.get("KafkaTopic", "events"),
                "KafkaSinkArn": "arn:aws:lambda:eu-central-1:123456789012:function:motherlode-kafka-sink",
                "KafkaDeadLettersArn": "arn:aws:sqs:eu-central-1:123456789012:motherlode-kafka-dlq",
            }
            with self.subTest(scenario=scenario["name"]):
                self.assertEqual(refusals(template, parameters), [])
                more = properties(Resolver(template, parameters).resources()["Mapping"])
                more["FunctionName"] = "<KafkaSink>"
                more["DestinationConfig"]["OnFailure"]["Destination"] = "<KafkaDeadLetters.Arn>"
                self.assertEqual(more, properties(first))
        self.assertGreater(read, 3)


if __name__ == "__main__":
    unittest.main()
