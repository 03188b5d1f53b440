// Events: an HTTP API, the pixel, the spill for when Kafka is slow, the drain.

import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import * as apigatewayv1 from 'aws-cdk-lib/aws-apigateway';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

import { bucket } from './buckets';
import { MotherlodeFunction, prefixOf } from './function';
import { Ledger } from './ledger';
import { accept } from './nag';
import { FunctionOptions, Kafka } from './props';
import { deadLetters, queue } from './queue';
import { decryptSecrets, kafkaEnvironment, useTopics } from './statement';

export interface ClickstreamLaneProps {
  readonly ledger: Ledger;
  readonly kafka: Kafka;
  readonly options?: FunctionOptions;
  readonly networkPolicy?: iam.IManagedPolicy;
  /** Requests a second that the HTTP API lets through. @default 1000 */
  readonly rate?: number;
  /** @default 2000 */
  readonly burst?: number;
  /** Instances of the pixel. @default 100 */
  readonly concurrency?: number;
}

const WHY = 'Each large event is an object of its own, under one prefix of a bucket for nothing else';

export class ClickstreamLane extends Construct {
  readonly api: apigateway.HttpApi;
  readonly pixel: lambda.Function;
  readonly drain: lambda.Function;
  readonly spillQueue: sqs.Queue;
  readonly spillDeadLetters: sqs.Queue;
  readonly spillBucket: s3.Bucket;

  constructor(scope: Construct, id: string, props: ClickstreamLaneProps) {
    super(scope, id);
    const options = props.options ?? {};
    const prefix = prefixOf(this, options);
    const drainTimeout = Duration.minutes(2);

    this.spillDeadLetters = deadLetters(this, 'SpillDeadLetters', `${prefix}-spill-dlq.fifo`);
    this.spillQueue = queue(this, 'Spill', `${prefix}-spill.fifo`, {
      functionTimeout: drainTimeout,
      // Eight days without Kafka, at one try in twelve minutes: the most that SQS takes.
      maxReceives: 1000,
      deadLetters: this.spillDeadLetters,
    });
    // The message that names an object lives for 14 days in the queue and 14 in
    // its dead letters. The drain deletes nothing: a message can come again after
    // it was drained.
    this.spillBucket = bucket(this, 'SpillBucket', undefined, {
      id: 'litter',
      expiration: Duration.days(30),
    });
    const spilled = this.spillBucket.arnForObjects('spill/*');

    this.pixel = new MotherlodeFunction(this, 'Pixel', {
      name: 'pixel',
      description: 'Events of browsers, apps and servers are put into Kafka',
      memorySize: 512,
      timeout: Duration.seconds(15),
      concurrency: props.concurrency ?? 100,
      options,
      networkPolicy: props.networkPolicy,
      environment: {
        MOTHERLODE_SOURCES_TABLE: props.ledger.sources.tableName,
        ...kafkaEnvironment(props.kafka),
        MOTHERLODE_SPILL_QUEUE_URL: this.spillQueue.queueUrl,
        MOTHERLODE_SPILL_BUCKET: this.spillBucket.bucketName,
      },
      statements: [
        props.ledger.readSources(),
        ...useTopics(props.kafka, 'write'),
        ...decryptSecrets(options),
        { sid: 'Spill', actions: ['sqs:SendMessage'], resources: [this.spillQueue.queueArn] },
        {
          sid: 'KeepLargeEvents',
          actions: ['s3:PutObject'],
          resources: [spilled, this.spillBucket.arnForObjects('invalid/*')],
          why: WHY,
        },
      ],
    }).function;

    const drain = new MotherlodeFunction(this, 'Drain', {
      name: 'drain',
      description: 'Events that Kafka did not take in time are put into it',
      memorySize: 512,
      timeout: drainTimeout,
      concurrency: 5,
      options,
      networkPolicy: props.networkPolicy,
      environment: {
        ...kafkaEnvironment(props.kafka),
        MOTHERLODE_SPILL_BUCKET: this.spillBucket.bucketName,
        MOTHERLODE_SPILL_DLQ_URL: this.spillDeadLetters.queueUrl,
      },
      statements: [
        {
          sid: 'TakeMessages',
          actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
          resources: [this.spillQueue.queueArn],
        },
        { sid: 'GiveUp', actions: ['sqs:SendMessage'], resources: [this.spillDeadLetters.queueArn] },
        ...useTopics(props.kafka, 'write'),
        ...decryptSecrets(options),
        {
          sid: 'TakeLargeEvents',
          actions: ['s3:GetObject'],
          resources: [spilled],
          why: WHY,
        },
        // Without it, S3 answers 403 for what is not there, and a day is lost with it.
        { sid: 'SeeWhatIsGone', actions: ['s3:ListBucket'], resources: [this.spillBucket.bucketArn] },
      ],
    });
    this.drain = drain.function;
    new lambda.EventSourceMapping(drain, 'Trigger', {
      target: this.drain,
      eventSourceArn: this.spillQueue.queueArn,
      batchSize: 10,
      reportBatchItemFailures: true,
      maxConcurrency: 5,
    });

    // No CORS here: with it, the API answers OPTIONS itself and drops the
    // headers of the pixel, which knows the origins of each source and lets them
    // send cookies.
    this.api = new apigateway.HttpApi(this, 'Api', {
      apiName: `${prefix}-pixel`,
      createDefaultStage: false,
      defaultIntegration: new HttpLambdaIntegration('Any', this.pixel, {
        payloadFormatVersion: apigateway.PayloadFormatVersion.VERSION_2_0,
      }),
    });
    accept(this.api.node.findChild('DefaultRoute'), {
      'AwsSolutions-APIG4': 'Anybody may send events; a write key says whose they are, and the pixel checks it',
    });
    const log = new logs.LogGroup(this, 'AccessLog', {
      logGroupName: `/aws/apigateway/${prefix}-pixel`,
      retention: options.logRetentionDays ?? 30,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    new apigateway.HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: props.rate ?? 1000, burstLimit: props.burst ?? 2000 },
      detailedMetricsEnabled: true,
      accessLogSettings: {
        destination: new apigateway.LogGroupLogDestination(log),
        format: apigatewayv1.AccessLogFormat.custom(ACCESS_LOG),
      },
    });
  }
}

/**
 * No address and no query: the source documents say whether an address may be
 * kept, and the query holds events.
 */
const ACCESS_LOG =
  '{"requestId":"$context.requestId","time":"$context.requestTimeEpoch","method":"$context.httpMethod","path":"$context.path","status":"$context.status","bytes":"$context.responseLength","ms":"$context.responseLatency","integrationMs":"$context.integrationLatency","error":"$context.error.messageString","integrationError":"$context.integrationErrorMessage"}';
