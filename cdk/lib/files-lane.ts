// Files: buckets, a queue, mother, and reconcile, which pays what clusters lack.

import { Aws, CfnResource, Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

import { arnOf, bucket, Buckets, notify, readObjects } from './buckets';
import { MotherlodeFunction, prefixOf } from './function';
import { Ledger } from './ledger';
import { Cluster, FunctionOptions } from './props';
import { deadLetters, queue } from './queue';
import { decryptSecrets, readClusterSecrets } from './statement';

export interface FilesLaneProps {
  readonly ledger: Ledger;
  /** The ClickHouse clusters, the first one first. */
  readonly clusters: Cluster[];
  readonly options?: FunctionOptions;
  readonly networkPolicy?: iam.IManagedPolicy;
  /**
   * Name of a bucket to make for files.
   * @default none is made
   */
  readonly landingBucketName?: string;
  /** ARNs of buckets that are there. They must be told to notify: docs/deploy.md. */
  readonly existingBucketArns?: string[];
  /** ARN of the KMS key of existing buckets. */
  readonly bucketKeyArn?: string;
  /**
   * How buckets tell of new files.
   * @default EventBridge
   */
  readonly notifications?: 'EventBridge' | 'SQS';
  /** @default 1769 MB, one whole processor */
  readonly memorySize?: number;
  /**
   * Files that are loaded at a time, which is what ClickHouse is asked to bear.
   * @default 10
   */
  readonly concurrency?: number;
}

/** Deliveries after which a message is a dead letter. */
const MAX_RECEIVES = 5;

export class FilesLane extends Construct {
  readonly mother: lambda.Function;
  readonly queue: sqs.Queue;
  readonly deadLetters: sqs.Queue;
  readonly landingBucket?: s3.Bucket;
  readonly buckets: Buckets;

  constructor(scope: Construct, id: string, props: FilesLaneProps) {
    super(scope, id);
    const options = props.options ?? {};
    const prefix = prefixOf(this, options);
    const timeout = Duration.minutes(5);
    const concurrency = props.concurrency ?? 10;
    const { landingBucketName: name, existingBucketArns: existing = [] } = props;
    const arns = [...(name ? [arnOf(this, name)] : []), ...existing];
    if (arns.length === 0) {
      throw new Error('give landingBucketName, existingBucketArns or both: files must land somewhere');
    }
    this.buckets = { newBucketName: name, existingBucketArns: existing, keyArn: props.bucketKeyArn };

    this.deadLetters = deadLetters(this, 'DeadLetters', `${prefix}-files-dlq`);
    this.queue = queue(this, 'Queue', `${prefix}-files`, {
      functionTimeout: timeout,
      maxReceives: MAX_RECEIVES,
      deadLetters: this.deadLetters,
    });

    const byEventBridge = (props.notifications ?? 'EventBridge') === 'EventBridge';
    if (byEventBridge) {
      const rule = new events.Rule(this, 'Objects', {
        description: 'New files in the buckets of Motherlode',
        eventPattern: { source: ['aws.s3'], detailType: ['Object Created'], resources: arns },
      });
      // CDK's own target for queues would let the rule read their attributes, too.
      rule.addTarget({
        bind: () => ({
          arn: this.queue.queueArn,
          deadLetterConfig: { arn: this.deadLetters.queueArn },
        }),
      });
      for (const queue of [this.queue, this.deadLetters]) {
        queue.addToResourcePolicy(
          new iam.PolicyStatement({
            principals: [new iam.ServicePrincipal('events.amazonaws.com')],
            actions: ['sqs:SendMessage'],
            resources: [queue.queueArn],
            conditions: { ArnEquals: { 'aws:SourceArn': rule.ruleArn } },
          }),
        );
      }
    } else {
      this.queue.addToResourcePolicy(
        new iam.PolicyStatement({
          principals: [new iam.ServicePrincipal('s3.amazonaws.com')],
          actions: ['sqs:SendMessage'],
          resources: [this.queue.queueArn],
          conditions: {
            StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
            ArnEquals: { 'aws:SourceArn': arns },
          },
        }),
      );
    }
    if (name) {
      this.landingBucket = bucket(this, 'Landing', name, { id: 'unfinished-uploads' });
      const policy = this.queue.node.findChild('Policy').node.defaultChild as CfnResource;
      notify(
        this.landingBucket,
        byEventBridge
          ? { eventBridgeConfiguration: { eventBridgeEnabled: true } }
          : { queueConfigurations: [{ event: 's3:ObjectCreated:*', queue: this.queue.queueArn }] },
        [policy],
      );
    }

    const mother = new MotherlodeFunction(this, 'Mother', {
      name: 'mother',
      description: 'Files that land in S3 are loaded into ClickHouse',
      memorySize: props.memorySize ?? 1769,
      timeout,
      concurrency,
      options,
      networkPolicy: props.networkPolicy,
      environment: {
        ...props.ledger.environment,
        MOTHERLODE_CLUSTERS: clustersJson(props.clusters),
        MOTHERLODE_QUEUE_URL: this.queue.queueUrl,
        MOTHERLODE_MAX_RECEIVES: `${MAX_RECEIVES}`,
        MOTHERLODE_DEADLINE_RESERVE_SECONDS: '10',
      },
      statements: [
        {
          sid: 'TakeMessages',
          actions: [
            'sqs:ReceiveMessage',
            'sqs:DeleteMessage',
            'sqs:GetQueueAttributes',
            'sqs:ChangeMessageVisibility',
            'sqs:SendMessage',
          ],
          resources: [this.queue.queueArn],
        },
        ...readObjects(this, this.buckets),
        props.ledger.readSources(),
        props.ledger.write('GetItem', 'UpdateItem'),
        readClusterSecrets(props.clusters),
        ...decryptSecrets(options),
      ],
    });
    this.mother = mother.function;
    new lambda.EventSourceMapping(mother, 'Trigger', {
      target: this.mother,
      eventSourceArn: this.queue.queueArn,
      batchSize: 10,
      reportBatchItemFailures: true,
      maxConcurrency: concurrency,
    });
  }
}

/** The clusters as the functions read them. */
export function clustersJson(clusters: Cluster[]): string {
  return JSON.stringify(
    clusters.map(({ name, role, nodes, secretArn }) => ({ name, role, nodes, secret: secretArn })),
  );
}
