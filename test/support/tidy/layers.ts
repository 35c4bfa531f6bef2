/**
 * Who may import whom, as one table: DESIGN's house, folder by folder. The first row whose `folder` is a prefix of the
 * file's path decides; what no row names may import nothing of ours.
 */

export interface Layer {
  /** A folder (ends in `/`) or one file. */
  readonly folder: string;
  /** Folders and files of ours it may import, besides itself. */
  readonly mayImport: readonly string[];
  /** Packages and `node:` modules; `any` at the edges. */
  readonly packages: readonly string[] | 'any';
  /** Neither clock nor dice nor timers nor process nor console. */
  readonly pure: boolean;
}

const schema = ['typebox'];
const sidecarPure = ['http2', 'admission', 'resilience', 'routing', 'policy', 'exchange'].map((f) => `sidecar/${f}/`);
const controlPure = ['policy', 'fleet', 'coordination'].map((folder) => `control-plane/${folder}/`);
/** Starting our own nats-server and ending children: shared by `weir dev`, the demo and the tests. */
const localProcesses = ['control-plane/cli/child-guard.ts', 'control-plane/cli/nats-server.ts'];

const pure = (folder: string, mayImport: readonly string[], packages: readonly string[] = schema): Layer => ({
  folder,
  mayImport: ['proto/', ...mayImport],
  packages,
  pure: true,
});

const edge = (folder: string, mayImport: readonly string[]): Layer => ({
  folder,
  mayImport: ['proto/', ...mayImport],
  packages: 'any',
  pure: false,
});

export const layers: readonly Layer[] = [
  // Reads weir/v1/fleet.proto, which both sides' wire codecs are made of.
  {
    folder: 'proto/fleet.ts',
    mayImport: ['proto/'],
    packages: ['@grpc/proto-loader', 'node:fs', 'node:path', 'node:url'],
    pure: true,
  },
  pure('proto/policy/', [], [...schema, 'yaml']),
  pure('proto/', []),

  pure('sidecar/http2/', []),
  pure('sidecar/admission/', []),
  pure('sidecar/resilience/', []),
  pure('sidecar/routing/', ['sidecar/resilience/']),
  pure('sidecar/policy/', ['sidecar/admission/', 'sidecar/resilience/', 'sidecar/routing/']),
  pure('sidecar/exchange/', sidecarPure),
  edge('sidecar/io/', [...sidecarPure, 'sidecar/config.ts']),
  edge('sidecar/config.ts', sidecarPure),
  edge('sidecar/', ['sidecar/']),

  pure('control-plane/policy/', []),
  pure('control-plane/fleet/', ['control-plane/policy/']),
  pure('control-plane/coordination/', ['control-plane/policy/', 'control-plane/fleet/']),
  // Use cases over ports: asynchronous, but with no I/O of its own.
  pure('control-plane/service/', controlPure),
  edge('control-plane/api/', [...controlPure, 'control-plane/service/', 'control-plane/config.ts']),
  edge('control-plane/nats/', [...controlPure, 'control-plane/service/', 'control-plane/config.ts']),
  edge('control-plane/kubernetes/', [...controlPure, 'control-plane/service/', 'control-plane/config.ts']),
  edge('control-plane/dashboard/', []),
  // The command only starts the programs; everything else it asks of the API.
  edge('control-plane/cli/', ['control-plane/main.ts', 'sidecar/main.ts', 'deploy/local/main.ts']),
  edge('control-plane/config.ts', controlPure),
  edge('control-plane/', ['control-plane/']),

  edge('deploy/', ['deploy/', ...localProcesses]),
  edge('test/', ['proto/', 'sidecar/', 'control-plane/', 'deploy/', 'test/']),
  edge('vitest.config.ts', []),
];

export function layerOf(path: string): Layer | undefined {
  return layers.find(({ folder }) => covers(folder, path));
}

export function covers(folder: string, path: string): boolean {
  return folder.endsWith('/') ? path.startsWith(folder) : path === folder;
}
