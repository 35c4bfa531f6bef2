/**
 * A real nats-server with JetStream for one test: ephemeral port, data in a temporary folder, gone at the latest with
 * the test process. `restart()` keeps the port and the data, so that clients find it again.
 */
import { type NatsServerProcess, startNatsServer as startProcess } from '../../control-plane/cli/nats-server.ts';
import { tempDir } from './temp-dir.ts';

export interface TestNatsServerOptions {
  readonly dir?: string;
  readonly port?: number;
  readonly token?: string;
  /** Further lines of its configuration. */
  readonly more?: string;
}

export interface TestNatsServer {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  /** Of the running process, or of the last one. */
  readonly pid: number;
  readonly logFile: string;
  stop(): Promise<void>;
  kill9(): Promise<void>;
  /** Starts it again on the same port with the same data; stops it first when it runs. */
  restart(): Promise<void>;
}

export async function startNatsServer(options: TestNatsServerOptions = {}): Promise<TestNatsServer> {
  const dir = options.dir ?? tempDir('nats').path;
  const { token, more } = options;
  const settings = { dir, ...(token === undefined ? {} : { token }), ...(more === undefined ? {} : { more }) };
  let current: NatsServerProcess = await startProcess({ ...settings, port: options.port ?? 0 });
  const { url, port, logFile } = current;
  return {
    url,
    port,
    dir,
    logFile,
    get pid() {
      return current.pid;
    },
    stop: () => current.stop(),
    kill9: () => current.kill9(),
    async restart() {
      await current.stop();
      current = await startProcess({ ...settings, port });
    },
  };
}
