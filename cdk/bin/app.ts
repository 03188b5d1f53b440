// The app: cdk deploy -c settings=settings.json

import { App, Stack } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { readFileSync } from 'fs';

import { fromSettings, Settings } from '../lib/settings';

const app = new App();
const file = app.node.tryGetContext('settings') ?? 'settings.json';
const settings: Settings = JSON.parse(readFileSync(file, 'utf8'));
const stack = new Stack(app, settings.stackName ?? 'motherlode', {
  description: 'Motherlode lands files and streams in ClickHouse',
  env: { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION },
});
// -c code=placeholder synthesises before anything was built.
const placeholder = app.node.tryGetContext('code') === 'placeholder';
fromSettings(stack, settings, placeholder ? () => lambda.Code.fromAsset('test/placeholder') : undefined);
