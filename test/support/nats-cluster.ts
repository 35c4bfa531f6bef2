/** Three nats-servers with routes between them, as one cluster with JetStream. */
import { connect } from 'nats';
import { member } from '../../proto/policy/problems.ts';
import { freePort } from '../bench/children.ts';
import { startNatsServer, type TestNatsServer } from './nats-server.ts';
import { until } from './until.ts';

const size = 3;

export class NatsCluster {
  readonly servers: readonly TestNatsServer[];

  private constructor(servers: readonly TestNatsServer[]) {
    this.servers = servers;
  }

  static async start(): Promise<NatsCluster> {
    // A route needs a port before its server has begun to listen.
    const ports = await Promise.all(Array.from({ length: size }, freePort));
    const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(', ');
    const servers = await Promise.all(
      ports.map((port, index) =>
        startNatsServer({
          more: `server_name: n${index}\ncluster { name: test, listen: "127.0.0.1:${port}", routes: [${routes}] }`,
        }),
      ),
    );
    const cluster = new NatsCluster(servers);
    await until(() => cluster.ask('INFO'), { what: 'the cluster has elected', timeoutMs: 15_000, intervalMs: 100 });
    return cluster;
  }

  /** As `--nats` takes them. */
  get urls(): string {
    return this.servers.map(({ url }) => url).join(',');
  }

  /** The server that leads the raft group of a stream. */
  async leaderOf(stream: string): Promise<TestNatsServer> {
    const name = member(member(await this.ask(`STREAM.INFO.${stream}`), 'cluster'), 'leader');
    const server = this.servers.find((_, index) => name === `n${index}`);
    if (!server) throw new Error(`nobody leads ${stream}: ${String(name)}`);
    return server;
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  private async ask(question: string): Promise<unknown> {
    const connection = await connect({ servers: this.servers.map(({ url }) => url) });
    try {
      const reply = (await connection.request(`$JS.API.${question}`, '', { timeout: 1_000 })).json<unknown>();
      if (member(reply, 'error') !== undefined) throw new Error(JSON.stringify(member(reply, 'error')));
      return reply;
    } finally {
      await connection.close();
    }
  }
}
