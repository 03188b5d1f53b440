"""Shows that the checks can fail: plants one fault after another in a copy of the
tree, and has the check that should notice it run there.

    .motherlode/tools/infra-venv/bin/python infra/checks/mutations.py [CHECK…]

Takes minutes, so it is no part of infra/check.sh: run it after a check was changed.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parent.parent.parent
SAM, TOPIC, CONFIG, SCENARIOS = "infra/template.yaml", "infra/topic.yaml", "samconfig.toml", "infra/checks/scenarios.json"
GUIDE, SETTINGS = "docs/deploy.md", "cdk/settings.example.json"

NEW_RESOURCE = """  # Alarms.

  Extra:
    Type: {type}
    Properties: {properties}

"""
EMPTY_SCHEDULE = '{ ScheduleExpression: rate(1 hour), FlexibleTimeWindow: { Mode: "OFF" }, Target: { Arn: !GetAtt FilesQueue.Arn, RoleArn: !GetAtt MotherRole.Arn } }'

# Check, file, what is there, what takes its place, words of the complaint.
MUTATIONS = [
    ("cfn-lint", SAM, "VisibilityTimeout: 1800", "VisibilityTimeout: 99999", "E3034"),
    ("cfn-lint", TOPIC, "FunctionName: !Ref KafkaSinkArn", "FunctionName: !Ref KafkaSink", "E1020"),
    ("sam-validate", SAM, "ReservedConcurrentExecutions: !If [Reserves, 5", "ReservedConcurrency: !If [Reserves, 5", "ReservedConcurrency"),
    ("samconfig", CONFIG, "MotherConcurrency=2", "MotherConcurency=2", "MotherConcurency is no parameter"),
    ("samconfig", CONFIG, "ReserveConcurrency=false", "ReserveConcurrency=no", "ReserveConcurrency cannot be no"),
    ("samconfig", CONFIG, '"motherlode-staging"', '"motherlode"', "share a stack"),
    ("samconfig", CONFIG, "CAPABILITY_IAM", "CAPABILITY_NONE", "CAPABILITY_IAM"),
    ("samconfig", CONFIG, '# "IngestionSecretArn=', '# "IngestionSecret=', "IngestionSecretArn is missing"),
    ("guide", GUIDE, "`MskClusterArn`", "`MskArn`", "MskArn"),
    ("guide", GUIDE, "FilesDeadLettersUrl", "FilesDlqUrl", "FilesDlqUrl"),
    ("guide", GUIDE, "| `LogRetentionDays` |", "| |", "LogRetentionDays"),
    ("cdk-build", "cdk/lib/reconcile.ts", "concurrency: 1,", "concurrency: 'one',", "TS2322"),
    ("cdk-synth", SETTINGS, '"landingBucketName"', '"landingBucket"', "there is no landingBucket"),
    ("cdk-build cdk-test", "cdk/lib/clickstream-lane.ts", "memorySize: 512,", "memorySize: 513,", "snapshot"),
    ("cdk-build cdk-test", "cdk/lib/queue.ts", "    enforceSSL: true,\n", "", "AwsSolutions-SQS4"),
    ("cdk-build scenarios", SCENARIOS, '"auth": "IAM"', '"auth": "BASIC_AUTH"', "MSK has no BASIC_AUTH"),
    # A property here and there.
    ("same", SAM, "VisibilityTimeout: 1800", "VisibilityTimeout: 1801", "FilesQueue"),
    ("same", SAM, "BatchSize: 10\n", "BatchSize: 9\n", "MotherQueue"),
    ("same", SAM, "MaximumRecordAgeInSeconds: -1", "MaximumRecordAgeInSeconds: 604800", "MskTopic"),
    ("same", SAM, "ThrottlingRateLimit: !Ref PixelRate", "ThrottlingRateLimit: !Ref PixelBurst", "DefaultStage"),
    ("same", SAM, "Threshold: 7200", "Threshold: 3600", "FilesQueueAge"),
    ("same", SAM, "AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 }", "AbortIncompleteMultipartUpload: { DaysAfterInitiation: 8 }", "LandingBucket"),
    ("same", SAM, "AttributeName: expires_at", "AttributeName: expires", "LedgerTable"),
    ("same", SAM, "MetricName: NodesLeftAlone", "MetricName: NodesLeft", "MotherNodesLeftAlone"),
    ("same", SAM, '"Offset lag"', '"Lag of offsets"', "Offset lag"),
    ("same", SAM, "Action: [s3:GetObject]", "Action: [s3:GetObject, s3:GetObjectTagging]", "only SAM's may"),
    ("same", SAM, "aws:SourceArn: !GetAtt ObjectsRule.Arn", "aws:SourceArn: !GetAtt FilesQueue.Arn", "AssertionError"),
    ("same", SAM, "Service: s3.amazonaws.com", "Service: sns.amazonaws.com", "AssertionError"),
    ("same", SAM, 'PayloadFormatVersion: "2.0"', 'PayloadFormatVersion: "1.0"', "AssertionError"),
    ("same", SAM, "Type: HttpApi\n", "Type: HttpsApi\n", "HttpsApi"),
    ("same", SAM, "Value: !GetAtt FilesQueue.Arn\n  FilesDead", "Value: !Ref FilesQueue\n  FilesDead", "FilesQueueArn"),
    ("same", SAM, "  # Alarms.\n\n", NEW_RESOURCE.format(type="AWS::SQS::Queue", properties="{ QueueName: extra }"), "Extra"),
    ("same", TOPIC, "BatchSize: 10000", "BatchSize: 1000", "BatchSize"),
    ("cdk-build scenarios same", "cdk/lib/queue.ts", "Duration.days(14)", "Duration.days(13)", "MessageRetentionPeriod"),
    # What a role may, wildcards, and who may use what.
    ("iam", SAM, "Action: [s3:GetObject]", 'Action: ["s3:*"]', "no reason is good enough"),
    ("iam", SAM, "Resource: !GetAtt SourcesTable.Arn", 'Resource: "*"', "without a reason"),
    ("iam", SAM, "Resource: !GetAtt LedgerTable.Arn", 'Resource: !Sub "${LedgerTable.Arn}*"', "without a reason"),
    ("iam", SAM, "        Trace: X-Ray has no resources to name\n", "", "without a reason"),
    ("iam", SAM, "        Trace: X-Ray has no", "        Gone: nobody needs this reason any more\n        Trace: X-Ray has no", "nowhere"),
    ("iam", SAM, "[dynamodb:GetItem, dynamodb:UpdateItem]", "[dynamodb:GetItem, dynamodb:UpdateItem, dynamodb:DeleteItem]", "more than it needs"),
    ("iam", SAM, "[dynamodb:GetItem, dynamodb:UpdateItem, dynamodb:PutItem]", "[dynamodb:GetItem, dynamodb:UpdateItem]", "needs more than it may"),
    ("iam", SAM, "[kafka-cluster:DescribeTopic, kafka-cluster:WriteData]", "[kafka-cluster:DescribeTopic]", "needs more than it may in any"),
    ("iam", SAM, "sqs:SendMessage]\n                Resource: !GetAtt FilesQueue.Arn", "sqs:SendMessage]\n                Resource: !GetAtt FilesDeadLetters.Arn", "FilesDeadLetters"),
    ("iam", SAM, "Role: !GetAtt DrainRole.Arn", "Role: !GetAtt PixelRole.Arn", "AssertionError"),
    ("iam", SAM, "Service: lambda.amazonaws.com", "Service: ec2.amazonaws.com", "ec2.amazonaws.com"),
    ("iam", SAM, "              Condition: { ArnEquals: { aws:SourceArn: !GetAtt ObjectsRule.Arn } }\n", "", "aws:SourceArn"),
    # Settings that belong together.
    ("settings", SAM, "VisibilityTimeout: 1800", "VisibilityTimeout: 1700", "1700"),
    ("settings", SAM, "maxReceiveCount: 5", "maxReceiveCount: 6", "'5' != '6'"),
    ("settings", SAM, "FunctionResponseTypes: [ReportBatchItemFailures]\n            ScalingConfig", "ScalingConfig", "FunctionResponseTypes"),
    ("settings", SAM, "DeletionPolicy: Retain\n", "DeletionPolicy: Delete\n", "Retain"),
    ("settings", SAM, "MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 345600", "345600"),
    ("settings", SAM, "MetricName: Errors\n      Dimensions: [{ Name: FunctionName, Value: !Ref Drain", "MetricName: Throttles\n      Dimensions: [{ Name: FunctionName, Value: !Ref Drain", "('Errors', 'Drain')"),
    ("settings", SAM, '["AWS/SQS","ApproximateAgeOfOldestMessage","QueueName","${SpillQueue.QueueName}",{"stat":"Maximum"}],', "", "SpillQueue"),
    ("settings", SAM, 'MetricName=\\"NodesLeftAlone\\"', 'MetricName=\\"RowsRead\\"', "NodesLeftAlone"),
    ("settings", SAM, "- Assert: !Not [!Equals [!Ref KafkaAuth, IAM]]", "- Assert: !Not [!Equals [!Ref KafkaAuth, GSSAPI]]", "IAM is MSK's way"),
    ("settings", SAM, "  LogRetentionDays:\n", "  Unused:\n    Type: String\n    Default: x\n  LogRetentionDays:\n", "Unused"),
    ("settings", SAM, "Conditions:\n", "Conditions:\n  Never: !Equals [!Ref Kafka, kinesis]\n", "Never"),
    # What the code says of itself.
    ("code", SAM, "SUM(ObjectsFailed)", "SUM(FilesFailed)", "FilesFailed"),
    ("code", SAM, 'SUM(PartitionsRefused) FROM SCHEMA("Motherlode", Topic)', 'SUM(PartitionsRefused) FROM SCHEMA("Motherlode", Source)', "PartitionsRefused"),
    ("code", SAM, 'MetricName=\\"ObjectBytes\\"', 'MetricName=\\"Bytes\\"', "'Bytes'"),
    ("code", SAM, "MetricName: ApproximateAgeOfOldestMessage", "MetricName: AgeOfOldestMessage", "AgeOfOldestMessage"),
    ("code", SAM, "MetricName: ObjectsOwing", "MetricName: Source", "'Source'"),
    ("code", SAM, "the node is left alone", "a node is left alone", "a node is left alone"),
    ("code", SAM, "          MOTHERLODE_KAFKA_CA: !Ref KafkaCa\n", "", "MOTHERLODE_KAFKA_CA"),
    ("code", SAM, "MOTHERLODE_SPILL_QUEUE_URL", "MOTHERLODE_SPILL_QUEUE", "MOTHERLODE_SPILL_QUEUE"),
    ("code", SAM, "IndexName: by_debt", "IndexName: by_debts", "by_debts"),
    ("code", SAM, "BuildProperties: { Binary: drain }", "BuildProperties: { Binary: pixel }", "functions/pixel"),
    ("code", "functions/mother/src/context.rs", '"MOTHERLODE_MAX_RECEIVES"', '"MOTHERLODE_RECEIVES"', "MOTHERLODE_RECEIVES"),
    ("code", "shared/ledger/src/outages.rs", ".get_item()", ".delete_item()\n.table_name(x).send();\n self.client.get_item()", "delete_item"),
    ("code", "shared/warehouse/src/cluster.rs", '"the node is left alone"', '"the node rests"', "not enough values"),
    ("local", SAM, "maxReceiveCount: 5", "maxReceiveCount: 6", "local.py --write"),
    ("local", "infra/local.json", '"VisibilityTimeout": 1800', '"VisibilityTimeout": 30', "local.py --write"),
    ("moto", "infra/local.json", '"Type": "AWS::SQS::Queue"', '"Type": "AWS::SQS::Queues"', "FilesDeadLetters"),
    # What moto never makes, though it says CREATE_COMPLETE.
    ("moto", SAM, "  # Alarms.\n\n", NEW_RESOURCE.format(type="AWS::Scheduler::Schedule", properties=EMPTY_SCHEDULE), "resource='Extra'"),
    ("moto", SAM, "  # Alarms.\n\n", NEW_RESOURCE.format(type="AWS::Lambda::LayerVersion", properties="{ LayerName: !Ref NoSuchThing }"), "NoSuchThing"),
    ("moto", "infra/checks/test_moto.py", '    "AWS::SQS::QueuePolicy": "moto has no', '    "AWS::SQS::Queue": "moto has no', "take it from SKIPPED"),
    ("moto", SAM, "  SourcesTableName:\n", "  SourcesTable:\n", "SourcesTableName"),
    ("sam-build", SAM, "BuildMethod: rust-cargolambda", "BuildMethod: rust", "rust"),
    ("sam-build", SAM, "Architectures: [!Ref Architecture]", "Architectures: [x86_64]", "arm64"),
]


def copy(folder):
    """The files that the checks read."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in out.stdout.splitlines():
        if name.startswith(("infra/", "cdk/", "docs/", "functions/", "shared/", "tools/motherlode/src/cli.rs", "samconfig.toml", "CHANGELOG.md")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    (folder / "infra/check.sh").chmod(0o755)


def run(folder, checks):
    done = subprocess.run(["infra/check.sh", *checks.split()], cwd=folder, env=environment(), capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def environment():
    tools = pathlib.Path(os.environ.get("MOTHERLODE_TOOLS", ROOT / ".motherlode" / "tools"))
    return os.environ | {"MOTHERLODE_TOOLS": str(tools)}


def main(wanted):
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        copy(folder)
        code, said = run(folder, "cdk-build scenarios")
        assert code == 0, said
        mutations = [m for m in MUTATIONS if not wanted or m[0].split()[-1] in wanted]
        for checks, file, old, new, words in mutations:
            start = time.monotonic()
            target = folder / file
            before = target.read_text()
            assert old in before, f"{file} holds no {old!r}"
            target.write_text(before.replace(old, new, 1))
            code, said = run(folder, checks)
            target.write_text(before)
            if file.startswith("cdk/lib"):
                run(folder, "cdk-build scenarios")
            noticed = code != 0 and words in said
            wrong += not noticed
            print(f"{'noticed' if noticed else 'MISSED '} {checks.split()[-1]:12} {file}: {old.strip()[:48]!r} ({time.monotonic() - start:.0f} s)", flush=True)
            if not noticed:
                print(said[-1500:], flush=True)
    print(f"{len(mutations) - wrong} passed, {wrong} failed")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
