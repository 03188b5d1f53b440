// What the constructs have in common.

import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as lambda from 'aws-cdk-lib/aws-lambda';

/** The functions, by the names of their crates. */
export type FunctionName = 'mother' | 'reconcile' | 'kafka-sink' | 'pixel' | 'drain';

/** One ClickHouse cluster. */
export interface Cluster {
  /** Name, as in `write.clusters` of source documents. */
  readonly name: string;
  /** What it is for. */
  readonly role: 'ingestion' | 'analytics' | 'adhoc';
  /** URLs of the HTTP interface of its nodes. */
  readonly nodes: string[];
  /** ARN of the secret with its user, `{"username": …, "password": …}`. */
  readonly secretArn: string;
}

/** Where functions run when they are to reach a private network. */
export interface Network {
  readonly vpc: ec2.IVpc;
  /** Two subnets or more, in different zones. */
  readonly subnets: ec2.ISubnet[];
  readonly securityGroups: ec2.ISecurityGroup[];
}

/** How to log in to Kafka, by the names of Lambda's event source mappings. */
export type KafkaAuth =
  | 'PLAINTEXT'
  | 'TLS'
  | 'IAM'
  | 'SASL_SCRAM_512_AUTH'
  | 'SASL_SCRAM_256_AUTH'
  | 'BASIC_AUTH'
  | 'CLIENT_CERTIFICATE_TLS_AUTH';

/** A Kafka cluster. */
export interface Kafka {
  /** `HOST:PORT` of the listener that `auth` belongs to. */
  readonly brokers: string[];
  readonly auth: KafkaAuth;
  /** ARN of the cluster when it is Amazon MSK; without one it is self-managed. */
  readonly mskClusterArn?: string;
  /** ARN of the secret of SASL or mTLS. */
  readonly secretArn?: string;
  /** Certificates that the functions trust instead of the public ones, as PEM. */
  readonly ca?: string;
  /** ARN of a secret `{"certificate": …}` with the same, for Lambda's trigger. */
  readonly caSecretArn?: string;
}

/** What every function needs; all of it has defaults. */
export interface FunctionOptions {
  /**
   * What names of functions, queues and log groups begin with.
   * @default the stack's name
   */
  readonly prefix?: string;
  /**
   * The folder of the bundles `<function>-<arch>.zip` that `cargo xtask package` makes.
   * @default ../dist
   */
  readonly bundles?: string;
  /**
   * The code of a function, instead of its bundle.
   */
  readonly code?: (name: FunctionName) => lambda.Code;
  /** @default arm64 */
  readonly architecture?: lambda.Architecture;
  /** @default none */
  readonly network?: Network;
  /**
   * ARN of the KMS key of the secrets.
   * @default the account's own aws/secretsmanager
   */
  readonly secretKeyArn?: string;
  /** @default 30 */
  readonly logRetentionDays?: number;
  /**
   * Whether concurrency is reserved. New accounts may have too little to reserve any.
   * @default true
   */
  readonly reserveConcurrency?: boolean;
}
