// The scenarios of infra/checks/scenarios.json as stacks, and as files for the
// comparison with the SAM template.

import { App, AppProps, Stack } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { mkdirSync, readFileSync, writeFileSync } from 'fs';
import * as path from 'path';

import { fromSettings, Settings } from '../lib/settings';

const ROOT = path.join(__dirname, '..', '..');
const FILE = path.join(ROOT, '..', 'infra', 'checks', 'scenarios.json');

export interface Scenario {
  readonly name: string;
  readonly settings: Settings;
}

export const scenarios: Scenario[] = JSON.parse(readFileSync(FILE, 'utf8'));

/** A stack as the settings say, with a placeholder for every bundle. */
export function stackOf(settings: Settings, props: AppProps = {}): Stack {
  const { context } = JSON.parse(readFileSync(path.join(ROOT, 'cdk.json'), 'utf8'));
  // The comparison knows resources by their paths.
  const app = new App({ ...props, context: { ...context, 'aws:cdk:enable-path-metadata': true } });
  const stack = new Stack(app, 'motherlode');
  fromSettings(stack, settings, () => lambda.Code.fromAsset(path.join(ROOT, 'test', 'placeholder')));
  return stack;
}

if (require.main === module) {
  const folder = path.join(ROOT, 'build', 'scenarios');
  mkdirSync(folder, { recursive: true });
  for (const { name, settings } of scenarios) {
    const app = stackOf(settings).node.root as App;
    const { template } = app.synth().getStackByName('motherlode');
    writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(template, null, 1));
  }
}
