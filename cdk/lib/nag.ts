// Findings of cdk-nag that are meant to be. They are kept as metadata, in
// cdk-nag's own form, so that the library does not depend on it.

import { CfnResource } from 'aws-cdk-lib';
import { IConstruct } from 'constructs';

/** Accepts findings about a resource, each with its reason. */
export function accept(construct: IConstruct, findings: Record<string, string>): void {
  const resource = (construct.node.defaultChild ?? construct) as CfnResource;
  const known = (resource.getMetadata('cdk_nag') as { rules_to_suppress: unknown[] } | undefined)
    ?.rules_to_suppress;
  const added = Object.entries(findings).map(([id, reason]) => ({ id, reason }));
  resource.addMetadata('cdk_nag', { rules_to_suppress: [...(known ?? []), ...added] });
}
