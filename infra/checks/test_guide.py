"""docs/deploy.md names parameters, outputs, props, commands and files that there are,
and every parameter."""

import re
import unittest

from templates import ROOT, TOPIC, read_sam

# Words of others that look like names of ours.
OTHERS = {
    "BucketAlreadyExists", "ClickHouse", "EventBridge", "EventBridgeConfiguration", "GetObject", "ListBucket",
    "ObjectCreated", "OutputKey", "OutputValue", "QueueArn", "QueueConfigurations", "QueueUrl", "TableNames",
    "TopicArn", "UnreservedConcurrentExecution",
}  # fmt: skip


def snake(name):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


class Guide(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = (ROOT / "docs" / "deploy.md").read_text()
        cls.code = re.findall(r"```(\w+)\n(.*?)```", cls.text, re.S)
        prose = re.sub(r"```.*?```", "", cls.text, flags=re.S)
        cls.inline = re.findall(r"`([^`\n]+)`", prose)
        cls.template = read_sam()
        cls.props = "\n".join(p.read_text() for p in sorted((ROOT / "cdk" / "lib").glob("*.ts")))

    def shell(self):
        return "\n".join(code.replace("\\\n", " ") for language, code in self.code if language == "sh")

    def test_names_are_those_of_parameters_outputs_and_constructs(self):
        known = set(self.template["Parameters"]) | set(self.template["Outputs"]) | set(read_sam(TOPIC)["Parameters"])
        known |= set(re.findall(r"\b(?:class|interface) (\w+)", self.props)) | OTHERS
        for text in self.inline + [code for _, code in self.code]:
            for name in re.findall(r"(?<![\w./-])[A-Z][a-z]+(?:[A-Z][A-Za-z]+)+\b", text):
                with self.subTest(name=name, where=text[:60]):
                    self.assertTrue(name in known, "there is no such name")

    def test_the_table_has_every_parameter_with_its_default(self):
        table = re.search(r"## All settings\n(.*?)\n## ", self.text, re.S).group(1)
        seen = []
        for row in (line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| `")):
            sam, cdk, default = (re.findall(r"`([^`]+)`", cell) for cell in row[:3])
            seen += sam
            for name in sam:
                with self.subTest(parameter=name):
                    known = str(self.template["Parameters"].get(name, {}).get("Default", ""))
                    self.assertEqual(default, [known] if known else [])
            for path in cdk:
                for name in path.split("."):
                    with self.subTest(prop=path):
                        self.assertRegex(self.props, rf"\breadonly {name}\??:")
        self.assertEqual(sorted(seen), sorted(self.template["Parameters"]))

    def test_commands_are_those_of_the_command_line(self):
        cli = (ROOT / "tools" / "motherlode" / "src" / "cli.rs").read_text()
        commands = re.search(r"pub enum Command \{(.*?)\n\}", cli, re.S).group(1)
        known = {snake(name) for name in re.findall(r"^    (\w+)", commands, re.M)}
        used = re.findall(r"\bmotherlode (?:--aws )?([a-z][a-z-]*)\b", self.shell())
        used += [m.group(1) for m in (re.match(r"motherlode (?:--aws )?([a-z-]+)", text) for text in self.inline) if m]
        self.assertGreater(len(used), 8)
        # `git clone … motherlode && cd motherlode`, and names that begin so.
        for command in set(used) - {"cd"}:
            with self.subTest(command=command):
                self.assertIn(command, known)

    def test_files_are_there(self):
        names = re.findall(r"\b((?:infra|cdk|docs)/[\w./-]+[\w])", "\n".join(self.inline) + self.shell())
        self.assertGreater(len(names), 5)
        for name in set(names):
            with self.subTest(file=name):
                self.assertTrue((ROOT / name).exists(), name)

    def test_environments_are_those_of_samconfig(self):
        config = (ROOT / "samconfig.toml").read_text()
        for environment in re.findall(r"--config-env (\w+)", self.shell()):
            self.assertIn(f"[{environment}.deploy.parameters]", config)

    def test_the_first_file_is_one_that_its_document_takes(self):
        document = (ROOT / "infra" / "sources" / "airports.yaml").read_text()
        columns = re.findall(r"- \{name: (\w+)", document)
        self.assertIn(",".join(columns), self.shell())
        prefix, suffix = (re.search(rf"{word}: (\S+)", document).group(1) for word in ("prefix", "suffix"))
        self.assertRegex(self.shell(), rf"aws s3 cp \S+{re.escape(suffix)} s3://\S+/{prefix}\s")
        database, table = (re.search(rf"\n  {word}: (\S+)", document).group(1) for word in ("database", "name"))
        self.assertIn(f"FROM {database}.{table}", self.shell())
        self.assertIn(f"--database {database}", self.shell())

    def test_queues_are_those_of_the_stack(self):
        names = {r["Properties"]["QueueName"]["Fn::Sub"] for r in self.template["Resources"].values() if r["Type"] == "AWS::SQS::Queue"}
        for queue in re.findall(r"(?:--queue-name \$stack|\$stack(?=-[a-z]+-dlq))(-[a-z-]+(?:\.fifo)?)", self.text):
            self.assertIn("${AWS::StackName}" + queue, names)


if __name__ == "__main__":
    unittest.main()
