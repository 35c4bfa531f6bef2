/** The negative HTTP/2 cases of gRPC through two sidecars. */
import { startPair } from './mesh.ts';
import { negativeCases } from './negative-cases.ts';
import { type CaseResult, judge, ran, type Suite } from './suite.ts';

export const negativeSuite: Suite = {
  name: 'grpc-negative',
  about: 'grpc-js → sidecar → sidecar → a scripted server that misbehaves',
  async run() {
    const results: CaseResult[] = [];
    for (const { name, run } of negativeCases) results.push(await judge(name, () => run(startPair)));
    return ran(results);
  },
};
