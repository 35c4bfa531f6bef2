/** The alerts as a Prometheus rule file. */
import { stringify } from 'yaml';
import { type Alert, dropAlerts, stateAlerts } from './alerts.ts';

export function rulesYaml(): string {
  const header = '# Written by generate.ts from alerts.ts and the list of reasons. To change an alert, change those.\n';
  const groups = [
    { name: 'weir-drops', rules: dropAlerts.map(ruleOf) },
    { name: 'weir-state', rules: stateAlerts.map(ruleOf) },
  ];
  return header + stringify({ groups }, { lineWidth: 0 });
}

function ruleOf({ name, expr, for: lasting, severity, summary, description }: Alert): unknown {
  return {
    alert: name,
    expr,
    for: lasting,
    labels: { severity },
    annotations: { summary, description },
  };
}
