// Alarms, and a dashboard that shows what they watch.

import { Aws, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

import { ClickstreamLane } from './clickstream-lane';
import { FilesLane } from './files-lane';
import { KafkaSink } from './kafka-sink';
import { Reconcile } from './reconcile';

export interface AlarmsProps {
  readonly files: FilesLane;
  readonly reconcile: Reconcile;
  readonly sink?: KafkaSink;
  readonly clickstream?: ClickstreamLane;
  /** ARN of the SNS topic that alarms go to. @default they only change colour */
  readonly topicArn?: string;
  /** @default the stack's name */
  readonly dashboardName?: string;
}

type Metric = Pick<
  cloudwatch.CfnAlarmProps,
  'namespace' | 'metricName' | 'dimensions' | 'statistic' | 'period' | 'metrics'
>;

export class Alarms extends Construct {
  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { files, reconcile, sink, clickstream } = props;
    const actions = props.topicArn ? [props.topicArn] : undefined;
    const alarm = (name: string, text: string, metric: Metric, threshold: number, periods = 1) =>
      new cloudwatch.CfnAlarm(this, name, {
        alarmDescription: text,
        ...metric,
        comparisonOperator: 'GreaterThanThreshold',
        threshold,
        evaluationPeriods: periods,
        treatMissingData: 'notBreaching',
        alarmActions: actions,
        okActions: actions,
      });

    const functions: [string, string, lambda.Function | undefined][] = [
      ['Mother', 'mother', files.mother],
      ['Reconcile', 'reconcile', reconcile.function],
      ['KafkaSink', 'kafka-sink', sink?.function],
      ['Pixel', 'pixel', clickstream?.pixel],
      ['Drain', 'drain', clickstream?.drain],
    ];
    for (const [id, name, fn] of functions) {
      if (!fn) continue;
      alarm(`${id}Errors`, `Invocations of ${name} fail: look into its log`, ofFunction('Errors', 'Sum', fn), 0);
      if (id === 'KafkaSink' || id === 'Pixel') {
        alarm(`${id}Throttles`, `${name} is at the limit of its concurrency`, ofFunction('Throttles', 'Sum', fn), 0, 3);
      }
    }
    // A node that fails is left alone for a while, and its rows go elsewhere
    // (shared/warehouse/src/cluster.rs): failovers are counted by that line.
    for (const [id, , fn] of functions.slice(0, 3)) {
      if (!fn) continue;
      new logs.CfnMetricFilter(this, `${id}NodesLeftAlone`, {
        logGroupName: fn.logGroup.logGroupName,
        filterPattern: '{ $.message = "the node is left alone" }',
        metricTransformations: [
          {
            metricNamespace: 'Motherlode',
            metricName: 'NodesLeftAlone',
            metricValue: '1',
            unit: 'Count',
            dimensions: [{ key: 'Cluster', value: '$.cluster' }],
          },
        ],
      });
    }
    const depth = (name: string, text: string, queue?: sqs.Queue) =>
      queue && alarm(`${name}Depth`, text, ofQueue('ApproximateNumberOfMessagesVisible', queue), 0);
    const age = (name: string, text: string, seconds: number, queue?: sqs.Queue) =>
      queue && alarm(`${name}Age`, text, ofQueue('ApproximateAgeOfOldestMessage', queue), seconds);
    depth('FilesDeadLetters', 'Files could not be loaded: motherlode dlq list says which and why', files.deadLetters);
    depth('KafkaDeadLetters', 'Lambda gave records of Kafka up', sink?.deadLetters);
    depth('SpillDeadLetters', 'Spilled events could not be put into Kafka', clickstream?.spillDeadLetters);
    age('FilesQueue', 'Files wait for two hours', 7200, files.queue);
    age('SpillQueue', 'Spilled events wait for half an hour: is Kafka well?', 1800, clickstream?.spillQueue);

    alarm('ObjectsFailed', 'Files were refused: motherlode objects --failed says which', overAll('ObjectsFailed'), 0);
    alarm('ObjectsDeferred', 'Files are put off for half an hour: are the clusters well?', overAll('ObjectsDeferred'), 0, 6);
    alarm('RowsQuarantined', 'Rows went to the quarantine: motherlode quarantine list says why', overAll('RowsQuarantined'), 0);
    alarm(
      'NodesLeftAlone',
      'A node of ClickHouse does not answer for a quarter of an hour',
      overAll('NodesLeftAlone', 'SUM', 'Cluster'),
      0,
      3,
    );
    alarm(
      'ObjectsOwing',
      'A cluster lacks rows for half an hour: is it well?',
      one('Motherlode', 'ObjectsOwing', 'Maximum', 'Function', 'reconcile'),
      0,
      6,
    );
    if (sink) {
      alarm(
        'PartitionsRefused',
        'Records of a topic are not taken: the log of kafka-sink says why',
        overAll('PartitionsRefused', 'SUM', 'Topic'),
        0,
        3,
      );
      alarm('KafkaLag', 'Records are ten minutes old when they are landed', overAll('Lag', 'MAX'), 600_000, 3);
      alarm('KafkaOffsetLag', 'The trigger falls behind its topic', ofFunction('OffsetLag', 'Maximum', sink.function), 1_000_000, 3);
    }
    if (clickstream) {
      alarm('EventsSpilled', 'Kafka does not take events in time: they are spilled', overAll('EventsSpilled'), 0, 3);
      alarm('PixelFailures', 'The pixel turns events away', one('AWS/ApiGateway', '5xx', 'Sum', 'ApiId', clickstream.api.apiId), 0);
    }

    new cloudwatch.CfnDashboard(this, 'Dashboard', {
      dashboardName: props.dashboardName ?? Stack.of(this).stackName,
      dashboardBody: Stack.of(this).toJsonString({ widgets: widgets(props) }),
    });
  }
}

function one(namespace: string, metricName: string, statistic: string, name: string, value: string): Metric {
  return { namespace, metricName, dimensions: [{ name, value }], statistic, period: 300 };
}

function ofFunction(metric: string, statistic: string, fn: lambda.Function): Metric {
  return one('AWS/Lambda', metric, statistic, 'FunctionName', fn.functionName);
}

function ofQueue(metric: string, queue: sqs.Queue): Metric {
  return one('AWS/SQS', metric, 'Maximum', 'QueueName', queue.queueName);
}

/** A metric that the functions write, over all sources, topics or clusters. */
function overAll(metric: string, by = 'SUM', dimension = 'Source'): Metric {
  const expression = `SELECT ${by}(${metric}) FROM SCHEMA("Motherlode", ${dimension})`;
  return { metrics: [{ id: 'q', expression, period: 300 }] };
}

function widgets({ files, reconcile, sink, clickstream }: AlarmsProps): unknown[] {
  const widget = (x: number, y: number, width: number, title: string, metrics: unknown[]) => ({
    type: 'metric',
    x,
    y,
    width,
    height: 6,
    properties: { title, region: Aws.REGION, view: 'timeSeries', metrics, period: 300 },
  });
  const search = (dimension: string, name: string, stat: string) => [
    {
      expression: `SEARCH('{Motherlode,${dimension}} MetricName="${name}"', '${stat}', 300)`,
      id: name.toLowerCase(),
    },
  ];
  const bySource = (name: string, stat: string) => search('Source', name, stat);
  const fn = (metric: string, stat: string, ...functions: lambda.Function[]) =>
    functions.map((one) => ['AWS/Lambda', metric, 'FunctionName', one.functionName, { stat }]);
  const queue = (metric: string, one: sqs.Queue) => [
    ['AWS/SQS', metric, 'QueueName', one.queueName, { stat: 'Maximum' }],
  ];
  const own = (metric: string, stat: string) => ['Motherlode', metric, 'Function', 'reconcile', { stat }];
  const AGE = 'ApproximateAgeOfOldestMessage';
  const DEPTH = 'ApproximateNumberOfMessagesVisible';
  const all = [
    widget(0, 0, 12, 'Rows written, by source', [bySource('RowsWritten', 'Sum')]),
    widget(12, 0, 12, 'Bytes of files, by source', [bySource('ObjectBytes', 'Sum')]),
    widget(0, 6, 8, 'Rows quarantined, by source', [bySource('RowsQuarantined', 'Sum')]),
    widget(8, 6, 8, 'Files failed and put off', [bySource('ObjectsFailed', 'Sum'), bySource('ObjectsDeferred', 'Sum')]),
    widget(16, 6, 8, 'Failovers: nodes left alone, objects owing, rows paid', [
      search('Cluster', 'NodesLeftAlone', 'Sum'),
      own('ObjectsOwing', 'Maximum'),
      own('RowsReconciled', 'Sum'),
    ]),
    widget(0, 12, 8, 'Errors of functions', fn('Errors', 'Sum', files.mother, reconcile.function)),
    widget(8, 12, 8, 'Age of the oldest message, in seconds', queue(AGE, files.queue)),
    widget(16, 12, 8, 'Dead letters', queue(DEPTH, files.deadLetters)),
    widget(
      0,
      18,
      24,
      'Milliseconds of each step, by source',
      ['FetchTime', 'DecodeTime', 'TransformTime', 'WriteTime', 'CommitTime'].map((step) => bySource(step, 'Average')),
    ),
  ];
  if (sink) {
    all.push(
      widget(0, 24, 8, 'Offset lag', fn('OffsetLag', 'Maximum', sink.function)),
      widget(8, 24, 8, 'Age of records when landed, in milliseconds', [bySource('Lag', 'Maximum')]),
      widget(16, 24, 8, 'The sink: refused, errors, throttles, dead letters', [
        search('Topic', 'PartitionsRefused', 'Sum'),
        ...fn('Errors', 'Sum', sink.function),
        ...fn('Throttles', 'Sum', sink.function),
        ...queue(DEPTH, sink.deadLetters),
      ]),
    );
  }
  if (clickstream) {
    const api = (metric: string, options: object) => ['AWS/ApiGateway', metric, 'ApiId', clickstream.api.apiId, options];
    all.push(
      widget(
        0,
        30,
        8,
        'Events, by source',
        ['EventsAccepted', 'EventsSpilled', 'EventsRejected'].map((name) => bySource(name, 'Sum')),
      ),
      widget(8, 30, 8, 'The pixel: errors, requests, 5xx, p99 in milliseconds', [
        ...fn('Errors', 'Sum', clickstream.pixel),
        api('Count', { stat: 'Sum' }),
        api('5xx', { stat: 'Sum' }),
        api('Latency', { stat: 'p99', yAxis: 'right' }),
      ]),
      widget(16, 30, 8, 'The spill: age, dead letters, errors of the drain', [
        ...queue(AGE, clickstream.spillQueue),
        ...queue(DEPTH, clickstream.spillDeadLetters),
        ...fn('Errors', 'Sum', clickstream.drain),
      ]),
    );
  }
  return all;
}
