// The app's settings: one JSON document, the same as the constructs' props where
// these can be written as text.

import { Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as lambda from 'aws-cdk-lib/aws-lambda';

import { Motherlode, MotherlodeProps } from './motherlode';
import { FunctionOptions } from './props';

export interface Settings extends Omit<MotherlodeProps, 'options' | 'reconcileSchedule'> {
  readonly stackName?: string;
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

/** Makes the platform in a stack as the settings say. */
export function fromSettings(
  stack: Stack,
  settings: Settings,
  code?: FunctionOptions['code'],
): Motherlode {
  const { options = {}, stackName: _, ...rest } = settings;
  const { network, architecture, ...plain } = options;
  return new Motherlode(stack, 'Motherlode', {
    ...rest,
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
