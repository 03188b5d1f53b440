"""`sam build` and `sam deploy`, with a stand-in for the compiler and moto for AWS: what
sam asks cargo-lambda for, what it uploads, and the parameters that it would deploy with.
The compiler itself runs in the check sam-build-rust."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest

import boto3
import yaml
from moto.server import ThreadedMotoServer

import sources
from samconfig import config, filled
from templates import ROOT, Resolver, expand, read_sam

SAM = pathlib.Path(sys.executable).parent / "sam"

# Writes down what it was asked for in place of the function.
STAND_IN = """#!/bin/sh
case "$1" in
metadata) printf '{"target_directory":"%s","packages":[]}' "$STAND_IN" ;;
lambda)
    for word in "$@"; do [ "$before" = --bin ] && name=$word; before=$word; done
    mkdir -p "$STAND_IN/lambda/$name" && echo "$@" > "$STAND_IN/lambda/$name/bootstrap" ;;
esac
"""


class Profile(unittest.TestCase):
    def test_sam_builds_with_the_profile_of_the_bundles(self):
        profiles = tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]
        meant = {
            f"CARGO_PROFILE_RELEASE_{name.upper().replace('-', '_')}": str(value).lower()
            for name, value in profiles["lambda"].items()
            if name != "inherits"
        }
        lines = (ROOT / "infra/build.env").read_text().splitlines()
        given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        self.assertEqual(given, meant)


class Built(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        bin = cls.folder / "bin"
        bin.mkdir()
        for name in ("cargo", "cargo-lambda"):
            (bin / name).write_text(STAND_IN)
            (bin / name).chmod(0o755)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        cls.addClassCleanup(server.stop)
        cls.endpoint = "http://{}:{}".format(*server.get_host_and_port())
        cls.environment = os.environ | {
            "PATH": f"{bin}:{os.environ['PATH']}",
            "STAND_IN": str(cls.folder / "target"),
            "AWS_ENDPOINT_URL": cls.endpoint,
        }
        cls.build = cls.folder / "build"
        cls.sam("build", "--config-env", "dev", "--build-dir", cls.build, "--cache-dir", cls.folder / "cache")

    @classmethod
    def sam(cls, *arguments, check=True):
        done = subprocess.run([SAM, *arguments], cwd=ROOT, env=cls.environment, capture_output=True, text=True)
        if check and done.returncode:
            raise AssertionError(done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_every_function_is_asked_for_by_its_name(self):
        template = read_sam(self.build / "template.yaml")
        built = {n: r for n, r in template["Resources"].items() if r["Type"] == "AWS::Serverless::Function"}
        self.assertEqual(len(built), len(sources.FUNCTIONS))
        for name, resource in built.items():
            with self.subTest(function=name):
                asked = (self.build / resource["Properties"]["CodeUri"] / "bootstrap").read_text()
                binary = resource["Metadata"]["BuildProperties"]["Binary"]
                self.assertEqual(asked.split(), ["lambda", "build", "--release", "--arm64", "--bin", binary])

    def test_every_environment_deploys_what_was_built_with_its_parameters(self):
        s3 = boto3.client("s3", endpoint_url=self.endpoint)
        s3.create_bucket(Bucket="bundles", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        # Words and lines, quoted as docs/deploy.md says.
        more = "\"ReconcileSchedule='rate(10 minutes)'\",\n\"KafkaCa='-----BEGIN X-----\\nYWI=\\n-----END X-----\\n'\",\n"
        text = filled.replace('"ReserveConcurrency=false"', f'{more}"ReserveConcurrency=false"', 1)
        (self.folder / "samconfig.toml").write_text(text)
        # Moto does not know the transform: it ends at the change set.
        said = self.sam(
            "deploy", "--config-file", self.folder / "samconfig.toml", "--config-env", "dev",
            "--template-file", self.build / "template.yaml", "--no-resolve-s3", "--s3-bucket", "bundles",
            check=False,
        )  # fmt: skip
        shown = re.search(r"Parameter overrides\s*: (\{.*\})", said)
        self.assertIsNotNone(shown, said)
        meant = dict(one.split("=", 1) for one in config["dev"]["deploy"]["parameters"]["parameter_overrides"])
        meant["ReconcileSchedule"] = "rate(10 minutes)"
        meant["KafkaCa"] = "-----BEGIN X-----\nYWI=\n-----END X-----\n"
        self.assertEqual(json.loads(shown.group(1)), meant)
        objects = {o["Key"] for o in s3.list_objects_v2(Bucket="bundles")["Contents"]}
        (packaged,) = (key for key in objects if key.endswith(".template"))
        template = yaml.safe_load(s3.get_object(Bucket="bundles", Key=packaged)["Body"].read())
        functions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Serverless::Function"]
        bundles = {r["Properties"]["CodeUri"].removeprefix("s3://bundles/") for r in functions}
        self.assertEqual(bundles, objects - {packaged})
        resources = Resolver(expand(template, meant), meant).resources()
        made = {r["Properties"]["FunctionName"] for r in resources.values() if r["Type"] == "AWS::Lambda::Function"}
        self.assertEqual(made, {"motherlode-mother", "motherlode-reconcile"})


if __name__ == "__main__":
    unittest.main()
