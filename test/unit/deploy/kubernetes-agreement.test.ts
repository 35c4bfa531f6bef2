/**
 * Whether the manifests agree with themselves: names, labels, ports, volumes, secret keys, and the rule that no credential
 * is in them. Whether they agree with the programs is kubernetes.test.ts.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parsePolicyYaml } from '../../../proto/policy/parse.ts';
import { containersOf, podOf, readManifests, render } from './kustomization.ts';
import { YamlNode } from './yaml-node.ts';

const root = resolve(import.meta.dirname, '../../..');
const folder = join(root, 'deploy/kubernetes');
const kustomizations = { base: render(join(folder, 'base')), example: render(join(folder, 'example')) };
const all = Object.values(kustomizations).flat();
const workloads = all.filter((manifest) => podOf(manifest).exists);
const containers = workloads.flatMap((workload) =>
  containersOf(workload).map((container) => ({ workload, container })),
);

function ofKind(kind: string): YamlNode[] {
  return all.filter((manifest) => manifest.at('kind').text() === kind);
}

function namespaceOf(manifest: YamlNode): string {
  return manifest.at('metadata', 'namespace').text();
}

/** The workloads of a namespace whose pods carry all of these labels. */
function selected(namespace: string, labels: ReadonlyMap<string, string>): YamlNode[] {
  return workloads.filter((workload) => {
    const own = workload.at('spec', 'template', 'metadata', 'labels').labels();
    return namespaceOf(workload) === namespace && [...labels].every(([key, value]) => own.get(key) === value);
  });
}

function portNames(workload: YamlNode): string[] {
  return containersOf(workload).flatMap((container) =>
    container
      .at('ports')
      .list()
      .map((port) => port.at('name').text()),
  );
}

function hasKubectl(): boolean {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('the manifests', () => {
  it('hold a namespace, NATS, a control plane of two, and two workloads with a sidecar', () => {
    const names = workloads.map((workload) => `${namespaceOf(workload)}/${workload.at('metadata', 'name').text()}`);
    expect(names).toEqual(['weir-system/weir-nats', 'weir-system/weir-control-plane', 'shop/payments', 'shop/orders']);
    expect(workloads[1]?.at('spec', 'replicas').value).toBe(2);
    expect(ofKind('Namespace')).toHaveLength(2);
  });

  it.skipIf(!hasKubectl())('are rendered by kubectl to what is tested here', () => {
    for (const [name, manifests] of Object.entries(kustomizations)) {
      const text = execFileSync('kubectl', ['kustomize', join(folder, name)], { encoding: 'utf8' });
      const byKubectl = parseAllDocuments(text).map((document): unknown => document.toJS());
      expect(byKubectl).toHaveLength(manifests.length);
      for (const manifest of manifests) expect(byKubectl).toContainEqual(manifest.value);
    }
  });

  it('contain no Secret and no token', () => {
    expect(ofKind('Secret')).toEqual([]);
    for (const { container } of containers) {
      for (const variable of container.at('env').list()) expect(variable.at('value').exists).toBe(false);
    }
  });
});

describe('labels and names', () => {
  it('of selectors choose their own pods', () => {
    for (const workload of workloads) {
      const labels = workload.at('spec', 'selector', 'matchLabels').labels();
      expect(selected(namespaceOf(workload), labels)).toEqual([workload]);
    }
    for (const budget of ofKind('PodDisruptionBudget')) {
      expect(selected(namespaceOf(budget), budget.at('spec', 'selector', 'matchLabels').labels())).toHaveLength(1);
    }
  });

  it('of Services lead to a port that a pod names', () => {
    for (const service of ofKind('Service')) {
      const targets = selected(namespaceOf(service), service.at('spec', 'selector').labels());
      expect(targets).toHaveLength(1);
      for (const port of service.at('spec', 'ports').list()) {
        expect(targets.flatMap(portNames)).toContain(port.at('targetPort').text());
      }
    }
  });

  it('of NetworkPolicies choose pods, and open only ports these name', () => {
    for (const policy of ofKind('NetworkPolicy')) {
      const targets = selected(namespaceOf(policy), policy.at('spec', 'podSelector', 'matchLabels').labels());
      expect(targets.length, policy.place).toBeGreaterThan(0);
      for (const port of policy
        .at('spec', 'ingress')
        .list()
        .flatMap((rule) => rule.at('ports').list())) {
        for (const target of targets) expect(portNames(target)).toContain(port.at('port').text());
      }
    }
  });

  it('let the sidecars of the example reach NATS', () => {
    const meshLabel = ofKind('Namespace').find((namespace) => namespace.at('metadata', 'name').text() === 'shop');
    expect(meshLabel?.at('metadata', 'labels', 'weir.dev/mesh').text()).toBe('enabled');
    for (const name of ['payments', 'orders']) {
      const labels = new Map([
        ['app.kubernetes.io/name', name],
        ['weir.dev/sidecar', 'enabled'],
      ]);
      expect(selected('shop', labels)).toHaveLength(1);
    }
  });
});

describe('volumes', () => {
  const volumesOf = (workload: YamlNode) => [
    ...podOf(workload)
      .at('volumes')
      .list()
      .map((volume) => volume.at('name').text()),
    ...workload
      .at('spec', 'volumeClaimTemplates')
      .list()
      .map((claim) => claim.at('metadata', 'name').text()),
  ];

  it('are mounted if they exist, and exist if they are mounted', () => {
    for (const workload of workloads) {
      const mounted = containersOf(workload).flatMap((container) =>
        container
          .at('volumeMounts')
          .list()
          .map((mount) => mount.at('name').text()),
      );
      expect(new Set(mounted)).toEqual(new Set(volumesOf(workload)));
    }
  });

  it('of configuration name a ConfigMap that exists', () => {
    const names = ofKind('ConfigMap').map((map) => map.at('metadata', 'name').text());
    for (const volume of workloads.flatMap((workload) => podOf(workload).at('volumes').list())) {
      if (volume.at('configMap').exists) expect(names).toContain(volume.at('configMap', 'name').text());
    }
  });
});

describe('secrets.sh', () => {
  const print = (...namespaces: string[]) =>
    parseAllDocuments(execFileSync('sh', [join(folder, 'secrets.sh'), ...namespaces], { encoding: 'utf8' })).map(
      (document) => new YamlNode(document.toJS(), 'secret'),
    );
  const tokens = (secrets: YamlNode[]) =>
    new Map(
      secrets.flatMap((secret) => {
        const name = `${namespaceOf(secret)}/${secret.at('metadata', 'name').text()}`;
        return [...secret.at('stringData').labels()].map(([key, value]) => [`${name}/${key}`, value] as const);
      }),
    );

  it('makes exactly the keys the manifests ask for', () => {
    const wanted = new Set<string>();
    for (const workload of workloads) {
      for (const container of containersOf(workload)) {
        for (const variable of container.at('env').list()) {
          const key = variable.at('valueFrom', 'secretKeyRef');
          if (key.exists) wanted.add(`${namespaceOf(workload)}/${key.at('name').text()}/${key.at('key').text()}`);
        }
        for (const file of tokenFiles(container))
          wanted.add(`${namespaceOf(workload)}/${secretOf(workload, container, file)}`);
      }
    }
    expect([...wanted].sort()).toEqual([...tokens(print('shop')).keys()].sort());
  });

  it('makes long tokens, others each time, one for NATS and one for the mesh across namespaces', () => {
    const [first, second] = [tokens(print('shop', 'billing')), tokens(print('shop', 'billing'))];
    for (const [key, token] of first) {
      expect(token).toMatch(/^t[0-9a-f]{48}$/);
      expect(second.get(key)).not.toBe(token);
    }
    expect(first.get('billing/weir-sidecar/nats-token')).toBe(first.get('weir-system/weir-nats/token'));
    expect(first.get('billing/weir-sidecar/mesh-token')).toBe(first.get('shop/weir-sidecar/mesh-token'));
    expect(first.get('billing/weir-sidecar/metrics-token')).not.toBe(first.get('shop/weir-sidecar/metrics-token'));
  });

  it('wants at least one namespace', () => {
    expect(() => execFileSync('sh', [join(folder, 'secrets.sh')], { stdio: 'ignore' })).toThrow();
  });

  function tokenFiles(container: YamlNode): string[] {
    return container
      .at('args')
      .texts()
      .flatMap((argument) => /^--[a-z-]+-token-file=(.+)$/.exec(argument)?.[1] ?? []);
  }

  /** `<secret>/<key>` for a file under one of the container's mounts. */
  function secretOf(workload: YamlNode, container: YamlNode, file: string): string {
    const mount = container
      .at('volumeMounts')
      .list()
      .find((each) => each.at('mountPath').text() === dirname(file));
    const volume = podOf(workload)
      .at('volumes')
      .list()
      .find((each) => each.at('name').value === mount?.at('name').value);
    return `${volume?.at('secret', 'secretName').text()}/${file.slice(dirname(file).length + 1)}`;
  }
});

describe('every container', () => {
  it('runs under the restricted pod security standard, on a root it cannot write', () => {
    for (const { workload, container } of containers) {
      const own = container.at('securityContext');
      const pod = podOf(workload).at('securityContext');
      expect(own.at('allowPrivilegeEscalation').value).toBe(false);
      expect(own.at('readOnlyRootFilesystem').value).toBe(true);
      expect(own.at('capabilities', 'drop').texts()).toEqual(['ALL']);
      expect(own.at('runAsNonRoot').value ?? pod.at('runAsNonRoot').value).toBe(true);
      expect(Number(own.at('runAsUser').value ?? pod.at('runAsUser').value)).toBeGreaterThan(0);
      expect(own.at('seccompProfile', 'type').value ?? pod.at('seccompProfile', 'type').value).toBe('RuntimeDefault');
      expect(podOf(workload).at('automountServiceAccountToken').value).toBe(false);
      expect(podOf(workload).at('enableServiceLinks').exists || workload.place.includes('weir')).toBe(true);
    }
  });

  it('asks for memory and is bounded in it', () => {
    for (const { container } of containers) {
      expect(container.at('resources', 'requests', 'memory').exists).toBe(true);
      expect(container.at('resources', 'limits', 'memory').exists).toBe(true);
    }
  });

  it('has an image with a tag, Weir’s the version of the package', () => {
    const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    for (const { container } of containers) {
      const image = container.at('image').text();
      expect(image).toMatch(/^[a-z/-]+:[\w.-]+$/);
      if (image.startsWith('weir:')) expect(image).toBe(`weir:${version}`);
    }
  });
});

describe('the example', () => {
  it('has a policy that is valid for a service that exists', () => {
    const parsed = parsePolicyYaml(readFileSync(join(folder, 'example/policy.yaml'), 'utf8'));
    expect(parsed).toMatchObject({ ok: true });
    const [policy] = readManifests(join(folder, 'example/policy.yaml'));
    const service = policy?.at('spec', 'target', 'service').text() ?? '';
    expect(selected(policy ? namespaceOf(policy) : '', new Map([['app.kubernetes.io/name', service]]))).toHaveLength(1);
  });
});
