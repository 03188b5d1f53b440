// What a role may do, said once for all functions.

import { Aws } from 'aws-cdk-lib';

import { FunctionOptions, Kafka, Cluster } from './props';

/** A statement of a role's policy. */
export interface Statement {
  readonly sid: string;
  readonly actions: string[];
  readonly resources: string[];
  readonly conditions?: Record<string, Record<string, unknown>>;
  /** Why it has a wildcard. Without a reason it must have none. */
  readonly why?: string;
}

/** A role may read the secrets of these clusters. */
export function readClusterSecrets(clusters: Cluster[]): Statement {
  return {
    sid: 'ReadClusterSecrets',
    actions: ['secretsmanager:GetSecretValue'],
    resources: [...new Set(clusters.map((cluster) => cluster.secretArn))],
  };
}

/** A role may decrypt secrets, when they have a key of their own. */
export function decryptSecrets(options: FunctionOptions): Statement[] {
  if (!options.secretKeyArn) return [];
  return [
    {
      sid: 'DecryptSecrets',
      actions: ['kms:Decrypt'],
      resources: [options.secretKeyArn],
      conditions: {
        StringEquals: { 'kms:ViaService': `secretsmanager.${Aws.REGION}.${Aws.URL_SUFFIX}` },
      },
    },
  ];
}

/** A role may write topics, or read them. */
export function useTopics(kafka: Kafka | undefined, use: 'write' | 'read'): Statement[] {
  if (!kafka) return [];
  const statements: Statement[] = [];
  if (kafka.mskClusterArn && kafka.auth === 'IAM') {
    const topics = kafka.mskClusterArn.replace(':cluster/', ':topic/');
    statements.push(
      {
        sid: 'ConnectToKafka',
        actions: ['kafka-cluster:Connect'],
        resources: [kafka.mskClusterArn],
      },
      {
        sid: use === 'write' ? 'WriteTopics' : 'ReadTopics',
        actions: [
          'kafka-cluster:DescribeTopic',
          use === 'write' ? 'kafka-cluster:WriteData' : 'kafka-cluster:ReadData',
        ],
        resources: [`${topics}/*`],
        why: 'Which topics there are is said by the source documents, which change without a deploy; the cluster is one',
      },
    );
  }
  if (kafka.secretArn) {
    statements.push({
      sid: 'ReadKafkaSecret',
      actions: ['secretsmanager:GetSecretValue'],
      resources: [kafka.secretArn],
    });
  }
  return statements;
}

/** The environment that says how to reach Kafka; an empty variable counts as absent. */
export function kafkaEnvironment(kafka: Kafka | undefined): Record<string, string> {
  return {
    MOTHERLODE_KAFKA_BROKERS: kafka?.brokers.join(',') ?? '',
    MOTHERLODE_KAFKA_AUTH: kafka?.auth ?? '',
    MOTHERLODE_KAFKA_SECRET: kafka?.secretArn ?? '',
    MOTHERLODE_KAFKA_CA: kafka?.ca ?? '',
  };
}
