/**
 * Set-up before `npm start`, `npm test` and `npm run build`: plain JavaScript on a bare Node, because it is what runs
 * before anything is installed. It looks first, says what it will install, and only then does it; when nothing is
 * missing it is silent and takes a fraction of a second.
 *
 *   node deploy/local/setup.mjs start|test|build
 *
 * Exit codes: 0 ready · 69 something must be installed by you (it prints the command) · 70 the build failed.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const inRoot = (...parts) => path.join(root, ...parts);
const say = (text) => process.stderr.write(`${text}\n`);

const nodeOldest = [20, 19];
const nodeRecommended = 24;
const exitUnavailable = 69;
const exitBuildFailed = 70;

class SetupError extends Error {
  constructor(message, exitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

async function main(mode) {
  checkNode();
  if (!['start', 'test', 'build'].includes(mode))
    throw new SetupError(`unknown mode "${mode}": start, test or build`, 64);
  // One after the other: the build needs the dependencies. What nobody can install is found out first.
  const steps = [natsServerStep(mode), dependenciesStep(), codeStep(), dashboardStep()].filter(Boolean);
  const installs = steps.filter((step) => step.installs);
  if (installs.length > 0) {
    say('Weir will install, before it goes on:');
    for (const step of installs) say(`  · ${step.installs}`);
  }
  for (const step of steps) await timed(step);
  if (mode === 'test' && !find(['chromium', 'chromium-browser', 'google-chrome'])) {
    say('No chromium on PATH: the browser tests will be skipped (apt-get install chromium).');
  }
}

async function timed(step) {
  const startMs = Date.now();
  say(`${step.doing} …`);
  await step.run();
  say(`  done in ${((Date.now() - startMs) / 1000).toFixed(1)} s`);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > nodeOldest[0] || (major === nodeOldest[0] && minor >= nodeOldest[1])) return;
  throw new SetupError(
    `Weir needs Node ${nodeOldest.join('.')} or newer, this is ${process.versions.node} (${process.execPath}).\n` +
      `Node ${nodeRecommended} is recommended: https://nodejs.org/en/download`,
    exitUnavailable,
  );
}

// ── nats-server ──────────────────────────────────────────────────────────────────────────────────────────────────

function natsServerStep(mode) {
  if (mode === 'build' || find(['nats-server'])) return undefined;
  const isRoot = typeof process.getuid === 'function' && process.getuid() === 0;
  if (find(['apt-get'])) {
    // Never sudo: what changes the system is for its owner to decide.
    if (!isRoot) throw missingNatsServer('sudo apt-get update && sudo apt-get install -y nats-server');
    return {
      installs: 'nats-server, a system package (apt-get install nats-server)',
      doing: 'Installing nats-server with apt-get',
      async run() {
        const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
        // A stale mirror in the list is no reason to stop: the install decides.
        await quiet('apt-get', ['update'], { env });
        const { code, output } = await quiet('apt-get', ['install', '-y', '--no-install-recommends', 'nats-server'], {
          env,
        });
        if (code !== 0 || !find(['nats-server'])) {
          throw new SetupError(`${output}\napt-get could not install nats-server.`, exitUnavailable);
        }
      },
    };
  }
  if (find(['brew']) && !isRoot) {
    return {
      installs: 'nats-server (brew install nats-server)',
      doing: 'Installing nats-server with brew',
      async run() {
        const { code, output } = await quiet('brew', ['install', 'nats-server']);
        if (code !== 0) throw new SetupError(`${output}\nbrew could not install nats-server.`, exitUnavailable);
      },
    };
  }
  throw missingNatsServer('go install github.com/nats-io/nats-server/v2@latest');
}

function missingNatsServer(command) {
  return new SetupError(
    `Weir needs nats-server, and it is not on PATH. Install it with:\n\n  ${command}\n\n(or take it from https://github.com/nats-io/nats-server/releases)`,
    exitUnavailable,
  );
}

/** The first of these programs on PATH or where Debian puts daemons. */
function find(names) {
  const folders = [...(process.env.PATH || '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin'].filter(Boolean);
  return names.flatMap((name) => folders.map((folder) => path.join(folder, name))).find(isExecutable);
}

function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

// ── dependencies ─────────────────────────────────────────────────────────────────────────────────────────────────

function dependenciesStep() {
  const lock = inRoot('package-lock.json');
  const installed = inRoot('node_modules', '.package-lock.json');
  const stamp = inRoot('node_modules', '.weir-lock');
  const hash = createHash('sha256').update(fs.readFileSync(lock)).digest('hex');
  if (fs.existsSync(installed)) {
    if (readText(stamp) === hash) return undefined;
    // Someone ran npm themselves: npm writes its own copy of the lock last.
    if (fs.statSync(installed).mtimeMs >= fs.statSync(lock).mtimeMs) {
      fs.writeFileSync(stamp, hash);
      return undefined;
    }
  }
  const count = Object.keys(JSON.parse(fs.readFileSync(lock, 'utf8')).packages || {}).length - 1;
  return {
    installs: `up to ${count} npm packages into node_modules (npm ci)`,
    doing: 'Installing the dependencies with npm ci',
    async run() {
      // Under NODE_ENV=production npm would leave out the compiler.
      const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
      // The npm that started us, if any, rather than the first on PATH.
      const npmCli = process.env.npm_execpath;
      const { code, output } = npmCli ? await quiet(process.execPath, [npmCli, ...args]) : await quiet('npm', args);
      if (code !== 0) throw new SetupError(`${firstLines(output, 20)}\nnpm ci failed.`, exitUnavailable);
      fs.writeFileSync(stamp, hash);
    },
  };
}

// ── build ────────────────────────────────────────────────────────────────────────────────────────────────────────

const dashboardSource = inRoot('control-plane', 'dashboard');
const codeFolders = ['proto', 'sidecar', 'control-plane', 'deploy', 'test'].map((folder) => inRoot(folder));

function codeStep() {
  const sources = codeFolders
    .flatMap((folder) => filesUnder(folder))
    .filter((file) => /\.(ts|proto)$/.test(file) && !file.startsWith(dashboardSource + path.sep));
  const stamp = stampOf([
    ...sources,
    inRoot('deploy', 'local', 'bundle.mjs'),
    inRoot('tsconfig.json'),
    inRoot('package-lock.json'),
  ]);
  if (readStamp('code') === stamp && fs.existsSync(inRoot('dist', 'proto', 'weir'))) return undefined;
  return {
    doing: 'Building into dist',
    async run() {
      removeOrphans(sources);
      const { code, output } = await quiet(process.execPath, [
        inRoot('node_modules', 'typescript', 'bin', 'tsc'),
        '-p',
        inRoot('tsconfig.json'),
      ]);
      if (code !== 0) throw new SetupError(`${output}\nThe build failed.`, exitBuildFailed);
      const bundled = await quiet(process.execPath, [inRoot('deploy', 'local', 'bundle.mjs')]);
      if (bundled.code !== 0)
        throw new SetupError(`${bundled.output}\nThe sidecar could not be bundled.`, exitBuildFailed);
      fs.cpSync(inRoot('proto', 'weir'), inRoot('dist', 'proto', 'weir'), { recursive: true });
      writeStamp('code', stamp);
    },
  };
}

function dashboardStep() {
  const entry = path.join(dashboardSource, 'index.html');
  if (!fs.existsSync(entry)) return undefined;
  const stamp = stampOf([...filesUnder(dashboardSource), inRoot('proto', 'api.ts'), inRoot('package-lock.json')]);
  const target = inRoot('dist', 'control-plane', 'dashboard');
  if (readStamp('dashboard') === stamp && fs.existsSync(path.join(target, 'index.html'))) return undefined;
  return {
    doing: 'Building the dashboard with vite into dist',
    async run() {
      const { code, output } = await quiet(process.execPath, [
        inRoot('node_modules', 'vite', 'bin', 'vite.js'),
        'build',
        dashboardSource,
        '--outDir',
        target,
        '--emptyOutDir',
        '--logLevel',
        'warn',
      ]);
      if (code !== 0) throw new SetupError(`${output}\nThe build of the dashboard failed.`, exitBuildFailed);
      writeStamp('dashboard', stamp);
    },
  };
}

/** Paths, sizes and times: reading 300 files would cost more than comparing what the file system knows. */
function stampOf(files) {
  const hash = createHash('sha256');
  for (const file of [...files].sort()) {
    const { size, mtimeMs } = fs.statSync(file);
    hash.update(`${path.relative(root, file)}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

const stampFile = (name) => inRoot('dist', `.stamp-${name}`);
const readStamp = (name) => readText(stampFile(name));
const writeStamp = (name, stamp) => fs.writeFileSync(stampFile(name), stamp);

/** Output whose source is gone must not run any more. */
function removeOrphans(sources) {
  const expected = new Set(sources.map((file) => path.relative(root, file).replace(/\.ts$/, '')));
  const dist = inRoot('dist');
  const otherBuilds = [path.join(dist, 'control-plane', 'dashboard'), path.join(dist, 'bundle')];
  for (const file of filesUnder(dist)) {
    const match = /^(.*)\.js(\.map)?$/.exec(path.relative(dist, file));
    if (match && !otherBuilds.some((folder) => file.startsWith(folder + path.sep)) && !expected.has(match[1]))
      fs.rmSync(file, { force: true });
  }
}

function filesUnder(folder) {
  let entries;
  try {
    entries = fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesUnder(file);
    return entry.isFile() ? [file] : [];
  });
}

function readText(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** npm follows its error with a page of usage. */
function firstLines(text, count) {
  return text.trim().split('\n').slice(0, count).join('\n');
}

/** Runs a command and keeps what it says for the case that it fails. */
function quiet(command, args, options = {}) {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const terminate = () => {
      child.kill('SIGTERM');
      process.exit(143);
    };
    process.once('SIGTERM', terminate);
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        output += data;
      });
    }
    child.once('error', (error) => resolve({ code: 127, output: `${output}${error.message}` }));
    child.once('close', (code) => {
      process.removeListener('SIGTERM', terminate);
      resolve({ code: code === null ? 130 : code, output });
    });
  });
}

// Last, so that the constants above exist.
try {
  await main(process.argv[2] || 'build');
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`\n${error.message}`);
  process.exitCode = error.exitCode;
}
