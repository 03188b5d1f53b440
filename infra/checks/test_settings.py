"""Settings of the templates that belong together."""

import json
import re
import unittest

from templates import ROOT, SCENARIOS, Resolver, read_sam, refusals, sam
from test_same import renamed_cdk


class Settings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.templates = [
            (f"{kind} {s['name']}", make(s)) for s in SCENARIOS for kind, make in (("sam", sam), ("cdk", renamed_cdk))
        ]

    def functions(self, resources):
        return {
            r["Properties"]["FunctionName"].removeprefix("motherlode-"): (name, r["Properties"])
            for name, r in resources.items()
            if r["Type"] == "AWS::Lambda::Function"
        }

    def test_a_message_is_hidden_six_times_as_long_as_its_function_may_take(self):
        for template, resources in self.templates:
            for mapping in resources.values():
                if mapping["Type"] != "AWS::Lambda::EventSourceMapping":
                    continue
                source = str(mapping["Properties"].get("EventSourceArn", ""))
                if not source.startswith("<"):
                    continue
                with self.subTest(template=template, source=source):
                    queue = resources[source.strip("<>").split(".")[0]]["Properties"]
                    function = re.search(r"<(\w+)", mapping["Properties"]["FunctionName"]).group(1)
                    timeout = resources[function]["Properties"]["Timeout"]
                    self.assertGreaterEqual(queue["VisibilityTimeout"], 6 * timeout)
                    self.assertIn("RedrivePolicy", queue)
                    self.assertEqual(mapping["Properties"]["FunctionResponseTypes"], ["ReportBatchItemFailures"])

    def test_mother_knows_when_a_delivery_is_the_last(self):
        for template, resources in self.templates:
            _, mother = self.functions(resources)["mother"]
            queue = resources[mother["Environment"]["Variables"]["MOTHERLODE_QUEUE_URL"].strip("<>")]
            most = queue["Properties"]["RedrivePolicy"]["maxReceiveCount"]
            self.assertEqual(mother["Environment"]["Variables"]["MOTHERLODE_MAX_RECEIVES"], str(most), template)

    def test_every_queue_has_a_place_for_what_fails_and_keeps_it_for_two_weeks(self):
        for template, resources in self.templates:
            queues = {n: r["Properties"] for n, r in resources.items() if r["Type"] == "AWS::SQS::Queue"}
            targets = {q["RedrivePolicy"]["deadLetterTargetArn"].strip("<>").split(".")[0] for q in queues.values() if "RedrivePolicy" in q}
            for name, queue in queues.items():
                with self.subTest(template=template, queue=name):
                    is_target = name in targets or "kafka-dlq" in queue["QueueName"]
                    self.assertNotEqual("RedrivePolicy" in queue, is_target)
                    self.assertEqual(queue["MessageRetentionPeriod"], 1_209_600)
                    self.assertIs(queue["SqsManagedSseEnabled"], True)

    def test_the_clusters_are_the_json_that_the_functions_read(self):
        for template, resources in self.templates:
            for name, (_, function) in self.functions(resources).items():
                variables = function["Environment"]["Variables"]
                if "MOTHERLODE_CLUSTERS" in variables:
                    with self.subTest(template=template, function=name):
                        clusters = json.loads(variables["MOTHERLODE_CLUSTERS"])
                        self.assertEqual(clusters[0]["name"], "ingestion")
                        for cluster in clusters:
                            self.assertEqual(set(cluster), {"name", "role", "nodes", "secret"})
                            self.assertTrue(all(re.match(r"https://", node) for node in cluster["nodes"]))

    def test_nothing_that_holds_data_goes_with_the_stack(self):
        for template, resources in self.templates:
            for name, resource in resources.items():
                if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::S3::Bucket"):
                    # A new bucket's name must be free again when its stack was not made.
                    policies = {"AWS::DynamoDB::Table": "Retain", "AWS::S3::Bucket": "RetainExceptOnCreate"}
                    self.assertEqual(resource.get("DeletionPolicy"), policies[resource["Type"]], f"{template} {name}")
                    self.assertEqual(resource.get("UpdateReplacePolicy"), "Retain", f"{template} {name}")

    def test_every_parameter_is_another_than_its_default_in_some_scenario(self):
        """Or the comparison with the CDK app would not show what it does."""
        for name, parameter in read_sam()["Parameters"].items():
            with self.subTest(parameter=name):
                default = str(parameter.get("Default"))
                given = [s["parameters"].get(name, default) for s in SCENARIOS]
                self.assertTrue(any(value != default for value in given))

    def test_every_condition_holds_in_some_scenario_and_not_in_another(self):
        template = read_sam()
        for name in template["Conditions"]:
            with self.subTest(condition=name):
                held = {Resolver(template, s["parameters"]).holds(name) for s in SCENARIOS}
                self.assertEqual(held, {True, False})

    def test_what_cannot_be_is_refused_before_anything_is_made(self):
        template = read_sam()
        for scenario in SCENARIOS:
            with self.subTest(scenario=scenario["name"]):
                self.assertEqual(refusals(template, scenario["parameters"]), [])
        said = set()
        msk = next(s for s in SCENARIOS if s["name"] == "msk")["parameters"]
        for change, words in WRONG:
            with self.subTest(change=change):
                parameters = {k: v for k, v in (msk | change).items() if v is not None}
                found = refusals(template, parameters)
                self.assertTrue(any(words in one for one in found), found)
                said |= set(found)
        rules = {a["AssertDescription"] for rule in template["Rules"].values() for a in rule["Assertions"]}
        self.assertEqual(rules - said, set(), "no test has these rules refuse anything")

    def test_whoever_watches_sees_every_function_and_every_queue(self):
        for template, resources in self.templates:
            alarms = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::CloudWatch::Alarm"]
            alarmed = {(a["MetricName"], a["Dimensions"][0]["Value"].split(".")[0].strip("<>")) for a in alarms if "MetricName" in a}
            (board,) = (r for r in resources.values() if r["Type"] == "AWS::CloudWatch::Dashboard")
            shown = board["Properties"]["DashboardBody"]
            for name, resource in resources.items():
                with self.subTest(template=template, resource=name):
                    if resource["Type"] == "AWS::Lambda::Function":
                        self.assertIn(("Errors", name), alarmed)
                        self.assertRegex(shown, rf'"AWS/Lambda","Errors","FunctionName","<{name}>"')
                    if resource["Type"] == "AWS::SQS::Queue":
                        is_source = "RedrivePolicy" in resource["Properties"]
                        metric = "ApproximateAgeOfOldestMessage" if is_source else "ApproximateNumberOfMessagesVisible"
                        self.assertIn((metric, name), alarmed)
                        self.assertRegex(shown, rf'"AWS/SQS","{metric}","QueueName","<{name}.QueueName>"')
            if any(name == "KafkaSink" for name in resources):
                self.assertIn('"OffsetLag"', shown)
            for metric in SHOWN:
                with self.subTest(template=template, metric=metric):
                    self.assertIn(f'MetricName=\\"{metric}\\"', shown)


# What the dashboard shows by source: throughput, failures, the time of each step, failovers.
SHOWN = ["RowsWritten", "ObjectBytes", "RowsQuarantined", "ObjectsFailed", "ObjectsDeferred", "NodesLeftAlone"]
SHOWN += ["FetchTime", "DecodeTime", "TransformTime", "WriteTime", "CommitTime"]

# Changes of the scenario `msk` that must be refused, with words of the refusal.
WRONG = [
    ({"IngestionNodes": None}, "IngestionNodes is missing"),
    ({"IngestionSecretArn": "motherlode/clickhouse"}, "IngestionSecretArn does not match"),
    # Without its last six characters no policy would match it.
    ({"IngestionSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ch"}, "IngestionSecretArn does not match"),
    ({"LandingBucketName": "", "ExistingBucketArns": ""}, "Give LandingBucketName"),
    ({"KafkaBrokers": ""}, "KafkaBrokers names the brokers"),
    ({"MskClusterArn": ""}, "MskClusterArn names the cluster"),
    ({"KafkaAuth": "BASIC_AUTH"}, "MSK has no such way"),
    ({"KafkaAuth": "SCRAM"}, "KafkaAuth cannot be"),
    ({"SubnetIds": "", "SecurityGroupIds": ""}, "MSK is reached through its VPC"),
    ({"SecurityGroupIds": ""}, "given together"),
    ({"Kafka": "self-managed"}, "IAM is MSK's way"),
    ({"KafkaAuth": "SASL_SCRAM_512_AUTH"}, "needs KafkaSecretArn"),
    ({"KafkaSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:kafka-AbCdEf"}, "takes no KafkaSecretArn"),
]


if __name__ == "__main__":
    unittest.main()
