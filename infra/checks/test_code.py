"""What the templates say of the code is what the code says of itself: variables,
metrics, tables, calls to AWS."""

import json
import re
import unittest

import sources
from templates import ROOT, SCENARIOS, read_sam, sam
from test_same import renamed_cdk

# Variables that no function is given, with the reason.
LEFT_OUT = {
    "MOTHERLODE_LEASE_SECONDS": "the default fits the time-outs of the functions",
    "MOTHERLODE_SPLIT_BYTES": "the default fits mother's time-out",
    "MOTHERLODE_S3_PATH_STYLE": "for stand-ins of S3",
}

# Every call of the code to AWS, with who makes it: whoever adds one says here
# which function needs it, and NEEDS of test_iam.py which permission that is.
CALLS = {
    ("functions/drain", "send_message"): "drain",
    ("functions/drain", "get_object"): "drain",
    ("functions/mother", "change_message_visibility"): "mother",
    ("functions/mother", "send_message"): "mother",
    ("functions/pixel", "put_object"): "pixel",
    ("functions/pixel", "send_message"): "pixel",
    ("shared/catalog", "create_table"): "the local stack",
    ("shared/catalog", "get_item"): "mother, reconcile, kafka-sink, pixel",
    ("shared/catalog", "put_item"): "the command line, which puts documents",
    ("shared/catalog", "query"): "mother, reconcile, kafka-sink, pixel",
    ("shared/catalog", "transact_write_items"): "the command line, which puts documents",
    ("shared/catalog", "update_item"): "the command line, which puts documents",
    ("shared/ingest", "get_secret_value"): "mother, reconcile, kafka-sink",
    ("shared/kafka", "get_secret_value"): "reconcile, kafka-sink, pixel, drain",
    ("shared/ledger", "create_table"): "the local stack",
    ("shared/ledger", "get_item"): "mother, reconcile, kafka-sink",
    ("shared/ledger", "put_item"): "reconcile and kafka-sink: records of partitions",
    ("shared/ledger", "query"): "reconcile, through the indexes; the command line",
    ("shared/ledger", "scan"): "the command line, which lists all objects",
    ("shared/ledger", "transact_write_items"): "reconcile and kafka-sink: puts, allowed as PutItem",
    ("shared/ledger", "update_item"): "mother, reconcile, kafka-sink",
    ("shared/objects", "get_object"): "mother, reconcile",
    ("shared/objects", "head_object"): "mother, reconcile: allowed as GetObject",
}

# Metrics of AWS, by the names of its guides, with their dimension.
OF_AWS = {
    ("AWS/Lambda", "Errors", "FunctionName"),
    ("AWS/Lambda", "Throttles", "FunctionName"),
    ("AWS/Lambda", "OffsetLag", "FunctionName"),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"),
    ("AWS/ApiGateway", "5xx", "ApiId"),
    ("AWS/ApiGateway", "Count", "ApiId"),
    ("AWS/ApiGateway", "Latency", "ApiId"),
}


def filtered(resources):
    """The metrics that filters make of lines of logs."""
    for resource in resources.values():
        if resource["Type"] == "AWS::Logs::MetricFilter":
            for one in resource["Properties"]["MetricTransformations"]:
                yield resource["Properties"]["FilterPattern"], one


def watched(resources):
    """The metrics that alarms and the dashboard look at, as (namespace, name, dimension)."""
    found = set()
    for resource in resources.values():
        p = resource["Properties"]
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            if "MetricName" in p:
                (dimension,) = p["Dimensions"]
                found.add((p["Namespace"], p["MetricName"], dimension["Name"]))
            for query in p.get("Metrics", []):
                read = re.fullmatch(r'SELECT \w+\((\w+)\) FROM SCHEMA\("(\w+)", (\w+)\)', query["Expression"])
                name, namespace, dimension = read.groups()
                found.add((namespace, name, dimension))
        if resource["Type"] == "AWS::CloudWatch::Dashboard":
            for widget in json.loads(p["DashboardBody"])["widgets"]:
                for metric in widget["properties"]["metrics"]:
                    if isinstance(metric[0], dict):
                        read = re.match(r"SEARCH\('\{(\w+),(\w+)\} MetricName=\"(\w+)\"'", metric[0]["expression"])
                        namespace, dimension, name = read.groups()
                        found.add((namespace, name, dimension))
                    else:
                        found.add(tuple(metric[:3]))
    return found


class Code(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.templates = [
            (f"{kind} {s['name']}", make(s)) for s in SCENARIOS for kind, make in (("sam", sam), ("cdk", renamed_cdk))
        ]

    def test_every_function_is_given_the_variables_that_it_reads(self):
        read = {name: sources.variables(name) for name in sources.FUNCTIONS}
        self.assertEqual(set(LEFT_OUT) - set().union(*read.values()), set(), "nobody reads these")
        for template, resources in self.templates:
            for function in (r["Properties"] for r in resources.values() if r["Type"] == "AWS::Lambda::Function"):
                name = function["FunctionName"].removeprefix("motherlode-")
                with self.subTest(template=template, function=name):
                    self.assertEqual(set(function["Environment"]["Variables"]), read[name] - set(LEFT_OUT))

    def test_every_function_of_the_code_is_deployed(self):
        folders = {p.parent.name for p in (ROOT / "functions").glob("*/Cargo.toml")}
        everything = next(s for s in SCENARIOS if s["name"] == "msk")
        made = {
            r["Properties"]["FunctionName"].removeprefix("motherlode-")
            for r in sam(everything).values()
            if r["Type"] == "AWS::Lambda::Function"
        }
        self.assertEqual(made, folders)
        self.assertEqual(set(sources.FUNCTIONS), folders)

    def test_every_function_is_built_from_its_own_folder(self):
        for name, resource in read_sam()["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Function":
                with self.subTest(function=name):
                    binary = resource["Metadata"]["BuildProperties"]["Binary"]
                    self.assertEqual(resource["Metadata"]["BuildMethod"], "rust-cargolambda")
                    self.assertEqual(resource["Properties"]["CodeUri"], f"../functions/{binary}")
                    self.assertTrue(resource["Properties"]["FunctionName"]["Fn::Sub"].endswith(f"}}-{binary}"))

    def test_metrics_that_are_watched_are_written(self):
        written = sources.metrics()
        self.assertGreater(len(written), 20)
        for template, resources in self.templates:
            ours = {("Motherlode", name, dimension) for name, dimension in written}
            for _, one in filtered(resources):
                (dimension,) = one["Dimensions"]
                ours.add((one["MetricNamespace"], one["MetricName"], dimension["Key"]))
            looked_at = watched(resources)
            self.assertGreater(len(looked_at), 12)
            for metric in looked_at:
                with self.subTest(template=template, metric=metric):
                    self.assertIn(metric, ours | OF_AWS)

    def test_lines_that_are_counted_are_logged(self):
        for template, resources in self.templates:
            found = list(filtered(resources))
            self.assertGreater(len(found), 1, template)
            for pattern, one in found:
                with self.subTest(template=template, pattern=pattern):
                    message = re.fullmatch(r'\{ \$\.message = "([^"]+)" \}', pattern).group(1)
                    (call,) = sources.events(message)
                    for dimension in one["Dimensions"]:
                        field = dimension["Value"].removeprefix("$.")
                        self.assertRegex(call, rf"\b{field}\b")

    def test_the_tables_are_those_that_the_code_makes(self):
        """Keys and indexes of the tables that shared/ledger and shared/catalog create for tests."""
        for crate, logical in (("ledger", "LedgerTable"), ("catalog", "SourcesTable")):
            with self.subTest(table=logical):
                code = (ROOT / "shared" / crate / "src" / "table.rs").read_text()
                table = read_sam()["Resources"][logical]["Properties"]
                named = set(re.findall(r'"(pk|sk|source|owes|updated_at|by_\w+)"', code))
                ours = {a["AttributeName"] for a in table["AttributeDefinitions"]}
                ours |= {i["IndexName"] for i in table.get("GlobalSecondaryIndexes", [])}
                self.assertEqual(ours, named)
                self.assertEqual(table["BillingMode"], "PAY_PER_REQUEST")
                self.assertIs(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], True)
                self.assertIs(table["SSESpecification"]["SSEEnabled"], True)

    def test_every_call_to_aws_is_known(self):
        self.assertEqual(sources.aws_calls(), set(CALLS))


if __name__ == "__main__":
    unittest.main()
