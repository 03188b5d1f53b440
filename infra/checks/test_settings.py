"""Numbers of the template that belong together, and with the code."""

import json
import pathlib
import re
import unittest

from templates import ROOT, SCENARIOS, cdk, read_sam, sam


class Settings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.templates = [
            (f"{kind} {s['name']}", make(s)) for s in SCENARIOS for kind, make in (("sam", sam), ("cdk", cdk))
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

    def test_every_variable_is_one_that_the_code_reads(self):
        folders = [ROOT / "functions", ROOT / "shared"]
        code = "\n".join(p.read_text() for folder in folders for p in sorted(folder.rglob("src/**/*.rs")))
        for template, resources in self.templates:
            for name, (_, function) in self.functions(resources).items():
                for variable in function["Environment"]["Variables"]:
                    with self.subTest(template=template, function=name):
                        self.assertTrue(f'"{variable}"' in code, f"no code reads {variable}")

    def test_the_tables_are_those_that_the_code_makes(self):
        """Keys and indexes of the tables that shared/ledger and shared/catalog create for tests."""
        for crate, logical in (("ledger", "LedgerTable"), ("catalog", "SourcesTable")):
            code = (ROOT / "shared" / crate / "src" / "table.rs").read_text()
            table = read_sam()["Resources"][logical]["Properties"]
            named = set(re.findall(r'"(pk|sk|source|owes|updated_at|by_source|by_debt)"', code))
            ours = {a["AttributeName"] for a in table["AttributeDefinitions"]}
            ours |= {i["IndexName"] for i in table.get("GlobalSecondaryIndexes", [])}
            self.assertEqual(ours, named)
            self.assertEqual(table["BillingMode"], "PAY_PER_REQUEST")
            self.assertIs(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], True)

    def test_nothing_that_holds_data_goes_with_the_stack(self):
        for template, resources in self.templates:
            for name, resource in resources.items():
                if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::S3::Bucket"):
                    self.assertEqual(resource.get("DeletionPolicy"), "Retain", f"{template} {name}")
                    self.assertEqual(resource.get("UpdateReplacePolicy"), "Retain", f"{template} {name}")

    def test_metrics_of_alarms_are_those_that_the_code_writes(self):
        folders = [ROOT / "functions", ROOT / "shared"]
        code = "\n".join(p.read_text() for folder in folders for p in sorted(folder.rglob("src/**/*.rs")))
        for template, resources in self.templates:
            names = set()
            for resource in resources.values():
                p = resource["Properties"]
                if resource["Type"] == "AWS::CloudWatch::Alarm":
                    if p.get("Namespace") == "Motherlode":
                        names.add(p["MetricName"])
                    for query in p.get("Metrics", []):
                        names |= set(re.findall(r"^SELECT \w+\((\w+)\)", query["Expression"]))
                if resource["Type"] == "AWS::CloudWatch::Dashboard":
                    for widget in json.loads(p["DashboardBody"])["widgets"]:
                        for metric in widget["properties"]["metrics"]:
                            if metric[0] == "Motherlode":
                                names.add(metric[1])
                            elif isinstance(metric[0], dict):
                                names |= set(re.findall(r'MetricName="(\w+)"', metric[0]["expression"]))
            self.assertGreater(len(names), 8)
            for name in names:
                with self.subTest(template=template, metric=name):
                    self.assertTrue(f'"{name}"' in code, "no code writes it")


if __name__ == "__main__":
    unittest.main()
