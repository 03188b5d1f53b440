// What clusters lack is written to them, on a schedule.

import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';

import { Buckets, readObjects } from './buckets';
import { clustersJson } from './files-lane';
import { MotherlodeFunction } from './function';
import { Ledger } from './ledger';
import { Cluster, FunctionOptions, Kafka } from './props';
import { decryptSecrets, kafkaEnvironment, readClusterSecrets, useTopics } from './statement';

export interface ReconcileProps {
  readonly ledger: Ledger;
  readonly clusters: Cluster[];
  readonly buckets: Buckets;
  readonly kafka?: Kafka;
  readonly options?: FunctionOptions;
  readonly networkPolicy?: iam.IManagedPolicy;
  /** @default every 5 minutes */
  readonly schedule?: events.Schedule;
  /** @default 1769 */
  readonly memorySize?: number;
}

export class Reconcile extends Construct {
  readonly function: lambda.Function;

  constructor(scope: Construct, id: string, props: ReconcileProps) {
    super(scope, id);
    const options = props.options ?? {};
    const reconcile = new MotherlodeFunction(this, 'Reconcile', {
      name: 'reconcile',
      description: 'What clusters lack is written to them',
      memorySize: props.memorySize ?? 1769,
      timeout: Duration.minutes(4),
      concurrency: 1,
      options,
      networkPolicy: props.networkPolicy,
      environment: {
        ...props.ledger.environment,
        MOTHERLODE_CLUSTERS: clustersJson(props.clusters),
        ...kafkaEnvironment(props.kafka),
        MOTHERLODE_DEADLINE_RESERVE_SECONDS: '10',
      },
      statements: [
        ...readObjects(this, props.buckets),
        props.ledger.readSources(),
        props.ledger.write('GetItem', 'UpdateItem', 'PutItem'),
        props.ledger.list(),
        readClusterSecrets(props.clusters),
        ...decryptSecrets(options),
        ...useTopics(props.kafka, 'read'),
      ],
    });
    this.function = reconcile.function;
    // The next run does what this one did not.
    this.function.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.minutes(5) });
    new events.Rule(this, 'Schedule', {
      description: 'What clusters lack is written to them',
      schedule: props.schedule ?? events.Schedule.rate(Duration.minutes(5)),
      targets: [new targets.LambdaFunction(this.function)],
    });
  }
}
