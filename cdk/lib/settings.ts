// The app's settings: one JSON document, the same as the constructs' props where
// these can be written as text.

import { Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Schedule } from 'aws-cdk-lib/aws-events';
import * as lambda from 'aws-cdk-lib/aws-lambda';

import { Motherlode, MotherlodeProps } from './motherlode';
import { FunctionOptions } from './props';

export interface Settings extends Omit<MotherlodeProps, 'options' | 'reconcileSchedule'> {
  readonly stackName?: string;
  /** As EventBridge writes it: `rate(5 minutes)`. */
  readonly reconcileSchedule?: string;
  readonly options?: Omit<FunctionOptions, 'network' | 'architecture' | 'code'> & {
    readonly architecture?: 'arm64' | 'x86_64';
    readonly network?: {
      readonly vpcId: string;
      readonly availabilityZones: string[];
      readonly subnetIds: string[];
      readonly securityGroupIds: string[];
    };
  };
}

/** What settings may hold. */
const KNOWN: Record<string, string[]> = {
  settings: [
    'stackName', 'clusters', 'files', 'kafka', 'topics', 'sink', 'clickstream', 'options', 'reconcileSchedule',
    'deletionProtection', 'alarmTopicArn',
  ],
  clusters: ['name', 'role', 'nodes', 'secretArn'],
  files: ['landingBucketName', 'existingBucketArns', 'bucketKeyArn', 'notifications', 'memorySize', 'concurrency'],
  kafka: ['brokers', 'auth', 'mskClusterArn', 'secretArn', 'ca', 'caSecretArn'],
  sink: ['secretArn', 'memorySize', 'concurrency', 'batchWindowSeconds', 'minimumPollers', 'maximumPollers'],
  clickstream: ['rate', 'burst', 'concurrency'],
  options: [
    'prefix', 'bundles', 'architecture', 'network', 'secretKeyArn', 'logRetentionDays', 'reserveConcurrency',
  ],
  network: ['vpcId', 'availabilityZones', 'subnetIds', 'securityGroupIds'],
};

/** A misspelt key would be left out without a word. */
function refuseUnknown(name: string, value: object): void {
  for (const [key, inner] of Object.entries(value)) {
    if (!KNOWN[name].includes(key)) {
      throw new Error(`${name}: there is no ${key}; there are ${KNOWN[name].join(', ')}`);
    }
    for (const one of Array.isArray(inner) ? inner : [inner]) {
      if (KNOWN[key] && one !== null && typeof one === 'object') refuseUnknown(key, one);
    }
  }
}

/** Makes the platform in a stack as the settings say. */
export function fromSettings(
  stack: Stack,
  settings: Settings,
  code?: FunctionOptions['code'],
): Motherlode {
  refuseUnknown('settings', settings);
  const { options = {}, stackName: _, reconcileSchedule, ...rest } = settings;
  const { network, architecture, ...plain } = options;
  return new Motherlode(stack, 'Motherlode', {
    ...rest,
    reconcileSchedule: reconcileSchedule ? Schedule.expression(reconcileSchedule) : undefined,
    options: {
      ...plain,
      code,
      architecture: architecture === 'x86_64' ? lambda.Architecture.X86_64 : lambda.Architecture.ARM_64,
      network: network && {
        vpc: ec2.Vpc.fromVpcAttributes(stack, 'Vpc', {
          vpcId: network.vpcId,
          availabilityZones: network.availabilityZones,
          privateSubnetIds: network.subnetIds,
        }),
        subnets: network.subnetIds.map((id) => ec2.Subnet.fromSubnetId(stack, id, id)),
        securityGroups: network.securityGroupIds.map((id) => ec2.SecurityGroup.fromSecurityGroupId(stack, id, id)),
      },
    },
  });
}
