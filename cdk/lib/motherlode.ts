// The whole platform: every lane that is asked for, on one ledger.

import * as events from 'aws-cdk-lib/aws-events';
import { CfnOutput } from 'aws-cdk-lib';
import { Construct } from 'constructs';

import { Alarms } from './alarms';
import { ClickstreamLane, ClickstreamLaneProps } from './clickstream-lane';
import { FilesLane, FilesLaneProps } from './files-lane';
import { networkPolicy } from './function';
import { KafkaSink, KafkaSinkProps } from './kafka-sink';
import { Ledger } from './ledger';
import { Cluster, FunctionOptions, Kafka } from './props';
import { Reconcile } from './reconcile';

type Settings<P, K extends keyof P> = Partial<Pick<P, K>>;

export interface MotherlodeProps {
  /** The ClickHouse clusters, the first one first. */
  readonly clusters: Cluster[];
  /** Where files land, and how many are loaded at a time. */
  readonly files: Settings<
    FilesLaneProps,
    'landingBucketName' | 'existingBucketArns' | 'bucketKeyArn' | 'notifications' | 'memorySize' | 'concurrency'
  >;
  /** @default there are only files */
  readonly kafka?: Kafka;
  /** The topics that are landed. @default events */
  readonly topics?: string[];
  readonly sink?: Settings<
    KafkaSinkProps,
    'secretArn' | 'memorySize' | 'concurrency' | 'batchWindowSeconds' | 'minimumPollers' | 'maximumPollers'
  >;
  /** The HTTP API for events; false for none. @default there is one with Kafka */
  readonly clickstream?: Settings<ClickstreamLaneProps, 'rate' | 'burst' | 'concurrency'> | false;
  readonly options?: FunctionOptions;
  readonly reconcileSchedule?: events.Schedule;
  /** Whether DynamoDB refuses to delete the tables. @default true */
  readonly deletionProtection?: boolean;
  /** ARN of the SNS topic that alarms go to. */
  readonly alarmTopicArn?: string;
}

export class Motherlode extends Construct {
  readonly ledger: Ledger;
  readonly files: FilesLane;
  readonly reconcile: Reconcile;
  readonly sink?: KafkaSink;
  readonly clickstream?: ClickstreamLane;

  constructor(scope: Construct, id: string, props: MotherlodeProps) {
    super(scope, id);
    const { clusters, kafka } = props;
    const options = props.options ?? {};
    this.ledger = new Ledger(this, 'Ledger', { deletionProtection: props.deletionProtection });
    const common = { ledger: this.ledger, options, networkPolicy: networkPolicy(this, options) };
    this.files = new FilesLane(this, 'Files', { ...common, ...props.files, clusters });
    this.reconcile = new Reconcile(this, 'Reconcile', {
      ...common,
      clusters,
      buckets: this.files.buckets,
      kafka,
      schedule: props.reconcileSchedule,
      memorySize: props.files.memorySize,
    });
    if (kafka) {
      const topics = props.topics ?? ['events'];
      this.sink = new KafkaSink(this, 'Streams', { ...common, ...props.sink, clusters, kafka, topics });
      if (props.clickstream !== false) {
        this.clickstream = new ClickstreamLane(this, 'Clickstream', { ...common, ...props.clickstream, kafka });
      }
    }
    new Alarms(this, 'Alarms', {
      files: this.files,
      reconcile: this.reconcile,
      sink: this.sink,
      clickstream: this.clickstream,
      topicArn: props.alarmTopicArn,
      dashboardName: options.prefix,
    });
    const output = (name: string, description: string, value: string) =>
      new CfnOutput(this, name, { description, value });
    output('FilesQueueUrl', 'MOTHERLODE_QUEUE_URL of the command line', this.files.queue.queueUrl);
    output('FilesDeadLettersUrl', 'MOTHERLODE_DLQ_URL of the command line', this.files.deadLetters.queueUrl);
    output('FilesQueueArn', 'Where buckets that are there send their notifications, with notifications SQS', this.files.queue.queueArn);
    output('LedgerTableName', 'MOTHERLODE_LEDGER_TABLE of the command line', this.ledger.table.tableName);
    output('SourcesTableName', 'MOTHERLODE_SOURCES_TABLE of the command line', this.ledger.sources.tableName);
    if (this.sink) {
      output('KafkaDeadLettersUrl', 'MOTHERLODE_KAFKA_DLQ_URL of the command line', this.sink.deadLetters.queueUrl);
    }
    if (this.clickstream) {
      const { spillQueue, spillDeadLetters } = this.clickstream;
      output('SpillQueueUrl', 'MOTHERLODE_SPILL_QUEUE_URL of the command line', spillQueue.queueUrl);
      output('SpillDeadLettersUrl', 'MOTHERLODE_SPILL_DLQ_URL of the command line', spillDeadLetters.queueUrl);
      output('PixelUrl', 'Where events are sent to', this.clickstream.api.apiEndpoint);
    }
  }
}
