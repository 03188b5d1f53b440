// One function with a log group and a role of its own.

import { CfnResource, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import * as path from 'path';

import { FunctionName, FunctionOptions } from './props';
import { Statement } from './statement';
import { accept } from './nag';

export interface MotherlodeFunctionProps {
  readonly name: FunctionName;
  readonly description: string;
  readonly memorySize: number;
  readonly timeout: Duration;
  readonly concurrency: number;
  readonly environment: Record<string, string>;
  readonly statements: Statement[];
  readonly options: FunctionOptions;
  /**
   * The policy that {@link networkPolicy} makes, in a VPC.
   * @default one of its own
   */
  readonly networkPolicy?: iam.IManagedPolicy;
}

/** What names begin with. */
export function prefixOf(scope: Construct, options: FunctionOptions): string {
  return options.prefix ?? Stack.of(scope).stackName;
}

export class MotherlodeFunction extends Construct {
  readonly function: lambda.Function;
  readonly role: iam.Role;
  readonly logGroup: logs.LogGroup;

  constructor(scope: Construct, id: string, props: MotherlodeFunctionProps) {
    super(scope, id);
    const { options } = props;
    const name = `${prefixOf(this, options)}-${props.name}`;
    const architecture = options.architecture ?? lambda.Architecture.ARM_64;

    this.logGroup = new logs.LogGroup(this, 'Log', {
      logGroupName: `/aws/lambda/${name}`,
      retention: options.logRetentionDays ?? 30,
      removalPolicy: RemovalPolicy.DESTROY,
    });

    const statements: Statement[] = [
      {
        sid: 'WriteLogs',
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [this.logGroup.logGroupArn],
        why: "A stream is made by Lambda for each instance, under names that nobody knows before; the ARN is that of the function's own log group",
      },
      {
        sid: 'Trace',
        actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'],
        resources: ['*'],
        why: 'X-Ray has no resources to name',
      },
      ...props.statements,
    ];
    const network = props.networkPolicy ?? networkPolicy(this, options);
    this.role = new iam.Role(this, 'Role', {
      description: `What ${props.name} may do`,
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      managedPolicies: network ? [network] : [],
      inlinePolicies: {
        [props.name]: new iam.PolicyDocument({
          statements: statements.map(
            ({ sid, actions, resources, conditions }) =>
              new iam.PolicyStatement({ sid, actions, resources, conditions }),
          ),
        }),
      },
    });
    const reasons = Object.fromEntries(
      statements.filter(({ why }) => why).map(({ sid, why }) => [sid, why!]),
    );
    (this.role.node.defaultChild as CfnResource).addMetadata('WildcardReasons', reasons);
    accept(this.role, {
      'AwsSolutions-IAM5': Object.entries(reasons)
        .map(([sid, why]) => `${sid}: ${why}`)
        .join('; '),
    });

    this.function = new lambda.Function(this, 'Function', {
      functionName: name,
      description: props.description,
      runtime: lambda.Runtime.PROVIDED_AL2023,
      handler: 'bootstrap',
      architecture,
      code: options.code?.(props.name) ?? bundle(props.name, architecture, options.bundles),
      // The role is whole: nothing is added behind its reasons.
      role: this.role.withoutPolicyUpdates(),
      memorySize: props.memorySize,
      timeout: props.timeout,
      reservedConcurrentExecutions:
        (options.reserveConcurrency ?? true) ? props.concurrency : undefined,
      tracing: lambda.Tracing.ACTIVE,
      logGroup: this.logGroup,
      environment: props.environment,
      vpc: options.network?.vpc,
      vpcSubnets: options.network && { subnets: options.network.subnets },
      securityGroups: options.network?.securityGroups,
    });
  }
}

function bundle(name: FunctionName, architecture: lambda.Architecture, folder = '../dist') {
  return lambda.Code.fromAsset(path.join(folder, `${name}-${architecture.name}.zip`));
}

const INTERFACES = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];

/**
 * Lambda's service makes a function's network interfaces with the function's
 * role. The second statement keeps the function's own code from doing so.
 */
export function networkPolicy(
  scope: Construct,
  options: FunctionOptions,
): iam.ManagedPolicy | undefined {
  if (!options.network) return undefined;
  const stack = Stack.of(scope);
  const functions = stack.formatArn({
    service: 'lambda',
    resource: 'function',
    resourceName: `${prefixOf(scope, options)}-*`,
    arnFormat: undefined,
  }).replace(':function/', ':function:');
  const policy = new iam.ManagedPolicy(scope, 'Network', {
    description: 'Lambda puts functions into the VPC',
    statements: [
      new iam.PolicyStatement({ sid: 'MakeInterfaces', actions: INTERFACES, resources: ['*'] }),
      new iam.PolicyStatement({
        sid: 'CodeMakesNone',
        effect: iam.Effect.DENY,
        actions: INTERFACES,
        resources: ['*'],
        conditions: { ArnLike: { 'lambda:SourceFunctionArn': functions } },
      }),
    ],
  });
  const reasons = {
    MakeInterfaces:
      'Lambda looks for these permissions when a function is made, before there is an interface to name',
    CodeMakesNone:
      'It denies, to the functions of this stack, whose names begin with its own',
  };
  (policy.node.defaultChild as CfnResource).addMetadata('WildcardReasons', reasons);
  accept(policy, { 'AwsSolutions-IAM5': reasons.MakeInterfaces });
  return policy;
}
