/**
 * As much of kustomize as the manifests use: resources, components with one strategic merge patch per label, images,
 * namespace. Enough to test what is applied without kubectl; where kubectl is present a test compares the two.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { isObject, YamlNode } from './yaml-node.ts';

const clusterKinds = ['Namespace'];

export function render(folder: string): YamlNode[] {
  const kustomization = readKustomization(folder);
  const manifests = kustomization
    .at('resources')
    .texts()
    .flatMap((file) => readManifests(join(folder, file)));
  for (const component of kustomization.at('components').texts()) applyComponent(join(folder, component), manifests);
  setImages(kustomization, manifests);
  const namespace = kustomization.at('namespace').text();
  for (const manifest of manifests) {
    if (!clusterKinds.includes(manifest.at('kind').text())) set(manifest.at('metadata'), 'namespace', namespace);
  }
  return manifests;
}

export function readManifests(file: string): YamlNode[] {
  // Kubernetes reads YAML 1.1, where 0440 is octal.
  const documents = parseAllDocuments(readFileSync(file, 'utf8'), { version: '1.1' });
  return documents.map((document) => {
    if (document.errors.length > 0) throw new Error(`${file}: ${document.errors[0]?.message}`);
    const manifest = new YamlNode(document.toJS(), file);
    return new YamlNode(manifest.value, `${manifest.at('kind').text()} ${manifest.at('metadata', 'name').text()}`);
  });
}

function readKustomization(folder: string): YamlNode {
  const file = join(folder, 'kustomization.yaml');
  return new YamlNode(parse(readFileSync(file, 'utf8'), { version: '1.1' }), file);
}

function applyComponent(folder: string, manifests: YamlNode[]): void {
  const component = readKustomization(folder);
  for (const patch of component.at('patches').list()) {
    const [key = '', wanted = ''] = patch.at('target', 'labelSelector').text().split('=');
    const [change] = readManifests(join(folder, patch.at('path').text()));
    for (const manifest of manifests) {
      if (manifest.at('kind').text() !== patch.at('target', 'kind').text()) continue;
      if (manifest.at('metadata', 'labels').labels().get(key) !== wanted) continue;
      merge(manifest.at('spec').value, change?.at('spec').value);
    }
  }
  setImages(component, manifests);
}

/** Maps are merged, lists appended: the patch names nothing that the manifests have. */
function merge(into: unknown, change: unknown): void {
  if (!isObject(into) || !isObject(change)) return;
  for (const [key, value] of Object.entries(structuredClone(change))) {
    const present = into[key];
    if (Array.isArray(present) && Array.isArray(value)) present.push(...value);
    else if (isObject(present) && isObject(value)) merge(present, value);
    else into[key] = value;
  }
}

function setImages(kustomization: YamlNode, manifests: readonly YamlNode[]): void {
  for (const image of kustomization.at('images').list()) {
    const reference = `${image.at('newName').text()}:${image.at('newTag').text()}`;
    for (const container of manifests.flatMap(containersOf)) {
      if (container.at('image').text() === image.at('name').text()) set(container, 'image', reference);
    }
  }
}

export function containersOf(manifest: YamlNode): YamlNode[] {
  const pod = podOf(manifest);
  return [...pod.at('initContainers').list(), ...pod.at('containers').list()];
}

export function podOf(manifest: YamlNode): YamlNode {
  return manifest.at('spec', 'template', 'spec');
}

function set(parent: YamlNode, key: string, value: string): void {
  if (isObject(parent.value)) parent.value[key] = value;
}
