// Streams: the sink, and a trigger for each topic.

import { Duration } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

import { clustersJson } from './files-lane';
import { MotherlodeFunction, prefixOf } from './function';
import { Ledger } from './ledger';
import { Cluster, FunctionOptions, Kafka } from './props';
import { deadLetters } from './queue';
import { decryptSecrets, kafkaEnvironment, readClusterSecrets, Statement, useTopics } from './statement';

export interface KafkaSinkProps {
  readonly ledger: Ledger;
  readonly clusters: Cluster[];
  readonly kafka: Kafka;
  /** The topics that are landed. */
  readonly topics: string[];
  readonly options?: FunctionOptions;
  readonly networkPolicy?: iam.IManagedPolicy;
  /**
   * ARN of the secret of a user for this function alone, the same on every cluster.
   * @default those of the clusters
   */
  readonly secretArn?: string;
  /** @default 1769 */
  readonly memorySize?: number;
  /** @default 20 */
  readonly concurrency?: number;
  /**
   * How long records are held together before they are landed, in seconds, 1 to 300:
   * few large INSERTs instead of many small ones.
   * @default 5
   */
  readonly batchWindowSeconds?: number;
  /** @default 1 */
  readonly minimumPollers?: number;
  /** @default 2 */
  readonly maximumPollers?: number;
}

export class KafkaSink extends Construct {
  readonly function: lambda.Function;
  readonly deadLetters: sqs.Queue;

  constructor(scope: Construct, id: string, props: KafkaSinkProps) {
    super(scope, id);
    const options = props.options ?? {};
    const { kafka } = props;
    const clusters = props.clusters.map((cluster) => ({
      ...cluster,
      secretArn: props.secretArn ?? cluster.secretArn,
    }));
    const prefix = prefixOf(this, options);
    checkKafka(kafka, options);
    this.deadLetters = deadLetters(this, 'DeadLetters', `${prefix}-kafka-dlq`);
    this.function = new MotherlodeFunction(this, 'Sink', {
      name: 'kafka-sink',
      description: 'Records of Kafka are written into ClickHouse',
      memorySize: props.memorySize ?? 1769,
      timeout: Duration.minutes(2),
      concurrency: props.concurrency ?? 20,
      options,
      networkPolicy: props.networkPolicy,
      environment: {
        ...props.ledger.environment,
        MOTHERLODE_CLUSTERS: clustersJson(clusters),
        ...kafkaEnvironment(kafka),
        MOTHERLODE_DEADLINE_RESERVE_SECONDS: '10',
      },
      statements: [
        props.ledger.readSources(),
        props.ledger.write('GetItem', 'UpdateItem', 'PutItem'),
        readClusterSecrets(clusters),
        ...decryptSecrets(options),
        ...useTopics(kafka, 'read'),
        ...this.triggerStatements(kafka, options, prefix),
      ],
    }).function;
    const login = kafka.secretArn
      ? [{ type: kafka.auth, uri: kafka.secretArn }]
      : [];
    for (const topic of props.topics) {
      const group = { consumerGroupId: `${prefix}-${topic}` };
      const access = kafka.mskClusterArn ? login : [...login, ...selfManagedAccess(kafka, options)];
      new lambda.CfnEventSourceMapping(this, `Topic-${topic}`, {
        ...(kafka.mskClusterArn
          ? { eventSourceArn: kafka.mskClusterArn, amazonManagedKafkaEventSourceConfig: group }
          : {
              selfManagedEventSource: { endpoints: { kafkaBootstrapServers: kafka.brokers } },
              selfManagedKafkaEventSourceConfig: group,
            }),
        sourceAccessConfigurations: access.length > 0 ? access : undefined,
        functionName: this.function.functionArn,
        topics: [topic],
        startingPosition: 'TRIM_HORIZON',
        batchSize: 10_000,
        maximumBatchingWindowInSeconds: props.batchWindowSeconds ?? 5,
        provisionedPollerConfig: {
          minimumPollers: props.minimumPollers ?? 1,
          maximumPollers: props.maximumPollers ?? 2,
        },
        functionResponseTypes: ['ReportBatchItemFailures'],
        bisectBatchOnFunctionError: true,
        // Records wait for ClickHouse as long as Kafka keeps them; the sink
        // itself puts bad rows aside. An age would drop, unseen, what a topic
        // with a long history holds before its first record is landed.
        maximumRetryAttempts: -1,
        maximumRecordAgeInSeconds: -1,
        destinationConfig: { onFailure: { destination: this.deadLetters.queueArn } },
        metricsConfig: { metrics: ['EventCount', 'ErrorCount', 'KafkaMetrics'] },
      });
    }
  }

  /** Lambda's pollers use the function's role. */
  private triggerStatements(kafka: Kafka, options: FunctionOptions, prefix: string): Statement[] {
    const statements: Statement[] = [
      { sid: 'TellOfGivenUp', actions: ['sqs:SendMessage'], resources: [this.deadLetters.queueArn] },
    ];
    if (kafka.mskClusterArn) {
      if (kafka.auth === 'IAM') {
        const groups = kafka.mskClusterArn.replace(':cluster/', ':group/');
        statements.push({
          sid: 'JoinGroups',
          actions: ['kafka-cluster:DescribeGroup', 'kafka-cluster:AlterGroup'],
          resources: [`${groups}/${prefix}-*`],
          why: "infra/topic.yaml adds topics, each with a group whose name begins with the stack's",
        });
      }
      statements.push({
        sid: 'FindTheCluster',
        actions: [
          'kafka:DescribeClusterV2',
          'kafka:GetBootstrapBrokers',
          'kafka-cluster:DescribeClusterDynamicConfiguration',
        ],
        resources: [kafka.mskClusterArn],
      });
    }
    if (options.network) {
      statements.push({
        sid: 'FindTheVpc',
        actions: ['ec2:DescribeVpcs', 'ec2:DescribeSecurityGroups'],
        resources: ['*'],
        why: 'EC2 has no resources to name in describing; Lambda asks for these to put its trigger into the VPC',
      });
    }
    if (kafka.caSecretArn) {
      statements.push({
        sid: 'ReadKafkaCa',
        actions: ['secretsmanager:GetSecretValue'],
        resources: [kafka.caSecretArn],
      });
    }
    return statements;
  }
}

/** What the rules of the SAM template refuse. */
function checkKafka({ auth, mskClusterArn, secretArn, brokers }: Kafka, { network }: FunctionOptions): void {
  if (brokers.length === 0) throw new Error('kafka.brokers names the brokers of Kafka');
  if (auth === 'IAM' && !mskClusterArn) {
    throw new Error("IAM is MSK's way to log in: give mskClusterArn, or another auth");
  }
  if (mskClusterArn && ['BASIC_AUTH', 'SASL_SCRAM_256_AUTH'].includes(auth)) {
    throw new Error(`MSK has no ${auth}: give another auth`);
  }
  if (mskClusterArn && !network) {
    throw new Error('MSK is reached through its VPC: give options.network');
  }
  const isSecret = !['PLAINTEXT', 'TLS', 'IAM'].includes(auth);
  if (isSecret !== Boolean(secretArn)) {
    throw new Error(`${auth} ${isSecret ? 'needs' : 'takes no'} kafka.secretArn`);
  }
}

function selfManagedAccess(kafka: Kafka, options: FunctionOptions) {
  const access = [];
  if (kafka.caSecretArn) access.push({ type: 'SERVER_ROOT_CA_CERTIFICATE', uri: kafka.caSecretArn });
  if (options.network) {
    const { subnets, securityGroups } = options.network;
    for (const subnet of subnets.slice(0, 2)) {
      access.push({ type: 'VPC_SUBNET', uri: `subnet:${subnet.subnetId}` });
    }
    access.push({ type: 'VPC_SECURITY_GROUP', uri: `security_group:${securityGroups[0].securityGroupId}` });
  }
  return access;
}
