// Buckets that files land in, made here or there already.

import { Aws, CfnResource, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

import { accept } from './nag';
import { Statement } from './statement';

/** A bucket that is closed to the public and to plain HTTP, and is never deleted with its stack. */
export function bucket(
  scope: Construct,
  id: string,
  name: string | undefined,
  rule: s3.LifecycleRule,
): s3.Bucket {
  const made = new s3.Bucket(scope, id, {
    bucketName: name,
    encryption: s3.BucketEncryption.S3_MANAGED,
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    // A first deployment that fails takes it along.
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    lifecycleRules: [{ abortIncompleteMultipartUploadAfter: Duration.days(7), ...rule }],
  });
  accept(made, {
    'AwsSolutions-S1': 'CloudTrail data events say who read what, where that is wanted; a bucket for access logs is the account’s to choose',
  });
  return made;
}

/** Has a bucket tell of new objects, without the function that CDK would add for it. */
export function notify(
  made: s3.Bucket,
  configuration: s3.CfnBucket.NotificationConfigurationProperty,
  after: CfnResource[],
): void {
  const resource = made.node.defaultChild as s3.CfnBucket;
  resource.notificationConfiguration = configuration;
  after.forEach((one) => resource.addResourceDependency(one));
}

/** Which buckets a role reads. */
export interface Buckets {
  readonly newBucketName?: string;
  readonly existingBucketArns: string[];
  /** ARN of the KMS key of existing buckets. */
  readonly keyArn?: string;
}

/** The ARN of a bucket of that name. */
export function arnOf(scope: Construct, name: string): string {
  return Stack.of(scope).formatArn({ service: 's3', region: '', account: '', resource: name });
}

const WHY = 'Which keys are loaded is said by the source documents, which change without a deploy';

/** A role may read objects. It may list, because S3 answers 403 for what is not there otherwise. */
export function readObjects(scope: Construct, buckets: Buckets): Statement[] {
  const read = (sid: string, arns: string[]): Statement[] => [
    { sid: `Read${sid}`, actions: ['s3:GetObject'], resources: arns.map((arn) => `${arn}/*`), why: WHY },
    { sid: `See${sid}`, actions: ['s3:ListBucket'], resources: arns },
  ];
  const { newBucketName: name, existingBucketArns: existing, keyArn } = buckets;
  return [
    ...(name ? read('NewBucket', [arnOf(scope, name)]) : []),
    ...(existing.length > 0 ? read('ExistingBuckets', existing) : []),
    ...(keyArn
      ? [
          {
            sid: 'DecryptObjects',
            actions: ['kms:Decrypt'],
            resources: [keyArn],
            conditions: { StringEquals: { 'kms:ViaService': `s3.${Aws.REGION}.${Aws.URL_SUFFIX}` } },
          },
        ]
      : []),
  ];
}
