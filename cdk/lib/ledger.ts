// What was loaded, and the source documents.

import { RemovalPolicy } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';

import { Statement } from './statement';

export interface LedgerProps {
  /**
   * Whether DynamoDB refuses to delete the tables.
   * @default true
   */
  readonly deletionProtection?: boolean;
}

/** Tables as `shared/ledger/src/table.rs` and `shared/catalog/src/table.rs` want them. */
export class Ledger extends Construct {
  readonly table: dynamodb.Table;
  readonly sources: dynamodb.Table;

  constructor(scope: Construct, id: string, props: LedgerProps = {}) {
    super(scope, id);
    const common = {
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      encryption: dynamodb.TableEncryption.AWS_MANAGED,
      deletionProtection: props.deletionProtection ?? true,
      removalPolicy: RemovalPolicy.RETAIN,
    };
    const text = (name: string) => ({ name, type: dynamodb.AttributeType.STRING });
    this.table = new dynamodb.Table(this, 'Table', {
      ...common,
      partitionKey: text('pk'),
      // Only what says when it expires does. Records of objects and partitions
      // never say so: what was loaded must not be forgotten, or a late second
      // event would load it again.
      timeToLiveAttribute: 'expires_at',
    });
    for (const [indexName, key] of [
      ['by_source', 'source'],
      ['by_debt', 'owes'],
    ]) {
      this.table.addGlobalSecondaryIndex({
        indexName,
        partitionKey: text(key),
        sortKey: text('updated_at'),
        projectionType: dynamodb.ProjectionType.ALL,
      });
    }
    this.sources = new dynamodb.Table(this, 'Sources', {
      ...common,
      partitionKey: text('pk'),
      sortKey: text('sk'),
    });
  }

  get environment(): Record<string, string> {
    return {
      MOTHERLODE_LEDGER_TABLE: this.table.tableName,
      MOTHERLODE_SOURCES_TABLE: this.sources.tableName,
    };
  }

  readSources(): Statement {
    return {
      sid: 'ReadSources',
      actions: ['dynamodb:GetItem', 'dynamodb:Query'],
      resources: [this.sources.tableArn],
    };
  }

  write(...actions: ('GetItem' | 'UpdateItem' | 'PutItem')[]): Statement {
    return {
      sid: 'WriteLedger',
      actions: actions.map((action) => `dynamodb:${action}`),
      resources: [this.table.tableArn],
    };
  }

  list(): Statement {
    return {
      sid: 'ListLedger',
      actions: ['dynamodb:Query'],
      resources: ['by_source', 'by_debt'].map((index) => `${this.table.tableArn}/index/${index}`),
    };
  }
}
