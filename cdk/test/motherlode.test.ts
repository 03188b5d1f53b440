// Assertions, snapshot and cdk-nag over the constructs.

import { App, Aspects, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { AwsSolutionsChecks } from 'cdk-nag';
import * as assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';

import { ClickstreamLane, FilesLane, Kafka, KafkaSink, Ledger, Motherlode, MotherlodeProps } from '../lib';
import { Settings } from '../lib/settings';
import { scenarios, stackOf } from './scenarios';

const CLUSTER = {
  name: 'ingestion',
  role: 'ingestion' as const,
  nodes: ['https://ch.example.com:8443'],
  secretArn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:ch-AbCdEf',
};
const PLACEHOLDER = () => lambda.Code.fromAsset(path.join(__dirname, '..', '..', 'test', 'placeholder'));

function scenario(name: string): Template {
  const found = scenarios.find((one) => one.name === name);
  assert.ok(found, name);
  return Template.fromStack(stackOf(found.settings));
}

/** A template without what changes with every bundle. */
function steady(template: Template): string {
  return JSON.stringify(template.toJSON(), null, 1).replace(/[0-9a-f]{64}/g, 'HASH');
}

for (const { name, settings } of scenarios) {
  test(`${name}: the template is that of the snapshot`, () => {
    const file = path.join(__dirname, '..', '..', 'test', 'snapshots', `${name}.json`);
    const now = `${steady(Template.fromStack(stackOf(settings)))}\n`;
    if (process.env.UPDATE_SNAPSHOTS === '1') writeFileSync(file, now);
    assert.ok(existsSync(file), 'there is no snapshot: UPDATE_SNAPSHOTS=1 npm test writes it');
    assert.equal(now, readFileSync(file, 'utf8'));
  });

  test(`${name}: cdk-nag has nothing to say that was not answered`, () => {
    const stack = stackOf(settings);
    Aspects.of(stack).add(new AwsSolutionsChecks());
    const said = [
      ...Annotations.fromStack(stack).findError('*', Match.anyValue()),
      ...Annotations.fromStack(stack).findWarning('*', Match.stringLikeRegexp('AwsSolutions')),
    ];
    assert.deepEqual(said.map(({ id, entry }) => `${id}: ${entry.data}`), []);
  });
}

test('functions are arm64 on provided.al2023, and traced', () => {
  const template = scenario('msk');
  template.resourceCountIs('AWS::Lambda::Function', 5);
  template.allResourcesProperties('AWS::Lambda::Function', {
    Architectures: ['arm64'],
    Runtime: 'provided.al2023',
    Handler: 'bootstrap',
    TracingConfig: { Mode: 'Active' },
  });
});

test('without Kafka there are only files', () => {
  const template = scenario('files');
  template.resourceCountIs('AWS::Lambda::Function', 2);
  template.resourceCountIs('AWS::ApiGatewayV2::Api', 0);
});

test('the trigger of a topic is provisioned, bisects, reports what failed and tells what it gave up', () => {
  scenario('self-managed').hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    Topics: ['events'],
    ProvisionedPollerConfig: { MinimumPollers: 2, MaximumPollers: 8 },
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    BisectBatchOnFunctionError: true,
    MaximumRecordAgeInSeconds: -1,
    DestinationConfig: { OnFailure: { Destination: Match.anyValue() } },
    SourceAccessConfigurations: Match.arrayWith([
      Match.objectLike({ Type: 'CLIENT_CERTIFICATE_TLS_AUTH' }),
      Match.objectLike({ Type: 'VPC_SUBNET', URI: 'subnet:subnet-11111111' }),
    ]),
  });
});

test('the API leaves CORS to the pixel', () => {
  scenario('msk').hasResourceProperties('AWS::ApiGatewayV2::Api', { CorsConfiguration: Match.absent() });
});

test('a lane alone fits into the stack of somebody else', () => {
  const stack = new Stack(new App(), 'theirs');
  const ledger = new Ledger(stack, 'Ledger');
  new FilesLane(stack, 'Files', {
    ledger,
    clusters: [CLUSTER],
    existingBucketArns: ['arn:aws:s3:::theirs'],
    options: { code: PLACEHOLDER, prefix: 'loader' },
  });
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::Lambda::Function', 1);
  template.resourceCountIs('AWS::S3::Bucket', 0);
  template.hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'loader-mother' });
});

test('the lanes of streams and events alone fit, too, with what a VPC asks for', () => {
  const stack = new Stack(new App(), 'theirs');
  const vpc = new ec2.Vpc(stack, 'Vpc');
  const options = {
    code: PLACEHOLDER,
    network: { vpc, subnets: vpc.privateSubnets, securityGroups: [new ec2.SecurityGroup(stack, 'Group', { vpc })] },
  };
  const kafka: Kafka = { brokers: ['k:9098'], auth: 'IAM', mskClusterArn: 'arn:aws:kafka:r:1:cluster/c/u' };
  const ledger = new Ledger(stack, 'Ledger');
  new KafkaSink(stack, 'Sink', { ledger, clusters: [CLUSTER], kafka, topics: ['orders', 'clicks'], options });
  new ClickstreamLane(stack, 'Events', { ledger, kafka, options });
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::Lambda::Function', 3);
  template.resourcePropertiesCountIs('AWS::Lambda::EventSourceMapping', { BatchSize: 10000 }, 2);
  template.allResourcesProperties('AWS::Lambda::Function', { VpcConfig: Match.anyValue() });
  template.allResourcesProperties('AWS::IAM::Role', { ManagedPolicyArns: [Match.anyValue()] });
});

test('what cannot be is refused with the way out', () => {
  const make = (props: Partial<MotherlodeProps>) => () =>
    new Motherlode(new Stack(new App(), 'wrong'), 'Motherlode', {
      clusters: [CLUSTER],
      files: { landingBucketName: 'landing' },
      options: { code: PLACEHOLDER },
      ...props,
    });
  const network = scenarios.find((one) => one.name === 'msk')!.settings.options!.network!;
  const inVpc = (props: Kafka) => () => {
    const settings = { clusters: [CLUSTER], files: { landingBucketName: 'landing' }, kafka: props, options: { network } };
    return stackOf(settings);
  };
  const mskClusterArn = 'arn:aws:kafka:r:1:cluster/c/u';
  const secretArn = 'arn:aws:secretsmanager:r:1:secret:kafka-AbCdEf';
  const brokers = ['k:9098'];
  const misspelt = { clusters: [CLUSTER], files: { landingBucket: 'landing' } } as unknown as Settings;
  assert.throws(() => stackOf(misspelt), /files: there is no landingBucket; there are landingBucketName/);
  assert.throws(make({ files: {} }), /landingBucketName/);
  assert.throws(make({ kafka: { brokers: [], auth: 'TLS' } }), /brokers/);
  assert.throws(make({ kafka: { brokers, auth: 'IAM' } }), /mskClusterArn/);
  assert.throws(make({ kafka: { brokers, auth: 'IAM', mskClusterArn } }), /options.network/);
  assert.throws(inVpc({ brokers, auth: 'BASIC_AUTH', mskClusterArn, secretArn }), /MSK has no BASIC_AUTH/);
  assert.throws(inVpc({ brokers, auth: 'SASL_SCRAM_512_AUTH' }), /needs kafka.secretArn/);
  assert.throws(inVpc({ brokers, auth: 'TLS', secretArn }), /takes no kafka.secretArn/);
  assert.ok(inVpc({ brokers, auth: 'IAM', mskClusterArn })());
});

test('what holds data stays, and a first deployment that fails leaves no bucket behind', () => {
  const template = scenario('msk');
  for (const table of Object.values(template.findResources('AWS::DynamoDB::Table'))) {
    assert.equal(table.DeletionPolicy, 'Retain');
  }
  for (const bucket of Object.values(template.findResources('AWS::S3::Bucket'))) {
    assert.equal(bucket.DeletionPolicy, 'RetainExceptOnCreate');
  }
});
