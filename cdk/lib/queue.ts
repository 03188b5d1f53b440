// Queues with their dead letters.

import { Duration } from 'aws-cdk-lib';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

import { accept } from './nag';

const RETENTION = Duration.days(14);

/** A queue for what nobody could handle. */
export function deadLetters(scope: Construct, id: string, name: string): sqs.Queue {
  const queue = new sqs.Queue(scope, id, {
    queueName: name,
    ...kind(name),
    retentionPeriod: RETENTION,
    encryption: sqs.QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
  });
  accept(queue, { 'AwsSolutions-SQS3': 'It is the place for dead letters itself' });
  return queue;
}

/** A queue in front of a function. */
export function queue(
  scope: Construct,
  id: string,
  name: string,
  props: { functionTimeout: Duration; maxReceives: number; deadLetters: sqs.Queue },
): sqs.Queue {
  return new sqs.Queue(scope, id, {
    queueName: name,
    ...kind(name),
    // Six times the function's time, as Lambda asks for.
    visibilityTimeout: Duration.seconds(6 * props.functionTimeout.toSeconds()),
    retentionPeriod: RETENTION,
    encryption: sqs.QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    deadLetterQueue: { queue: props.deadLetters, maxReceiveCount: props.maxReceives },
  });
}

/** In a FIFO queue, message groups wait for themselves only. */
function kind(name: string): Partial<sqs.QueueProps> {
  if (!name.endsWith('.fifo')) return {};
  return {
    fifo: true,
    deduplicationScope: sqs.DeduplicationScope.MESSAGE_GROUP,
    fifoThroughputLimit: sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
  };
}
